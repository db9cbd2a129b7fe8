/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks and network cards that come and go.  Drives can be added to, and taken from, the SCSI host
 * and the NVMe controller (dev/drives.h); cards the slots of machine/ports.h, where the guest is
 * asked before they go; discs can be changed in all CD drives.
 */
#include "machine/hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/block.h"
#include "dev/drives.h"
#include "host/block.h"
#include "host/image/image.h"
#include "host/net/net.h"
#include "machine/build.h"
#include "machine/ports.h"
#include "machine/run.h"
#include "machine/tape.h"

struct hotplug_node {
	struct hotplug_node *next;
	char name[HOTPLUG_NAME];
	struct image *image; /* until the VM's thread makes a block of it */
	struct block *block;
	struct hotplug_plug *plug; /* who has it */
	bool configured;           /* it is the machine's, which frees its block */
	bool nameless;             /* it goes when it is ejected */
};

struct hotplug_net {
	struct hotplug_net *next;
	char name[HOTPLUG_NAME];
	struct net *net;
	struct hotplug_plug *plug; /* who has it */
};

struct hotplug_plug {
	struct hotplug_plug *next;
	char id[HOTPLUG_NAME];
	const struct machine_bus *bus;
	unsigned place;
	bool cdrom, going;
	bool asked;                /* the guest, to give up the card */
	bool keeps;                /* its net goes with it */
	struct hotplug_node *node; /* NULL: a CD drive without a disc, or */
	struct hotplug_net *net;
};

struct hotplug_news {
	struct hotplug_news *next;
	struct hotplug_event event;
};

struct hotplug_job {
	struct hotplug_job *next;
	void (*run)(struct machine *, struct hotplug_job *);
	struct hotplug_plug *plug;
	struct hotplug_node *node, *old;
	char serial[BLOCK_SERIAL + 1];
};

/* All but what runs jobs has m->disks. ----------------------------------------------------------
 */

static struct hotplug_node *find_node(struct machine *m, const char *name, struct err *e)
{
	for (struct hotplug_node *n = m->hotplug.nodes; n; n = n->next)
		if (!n->nameless && !strcmp(n->name, name))
			return n;
	err_set(e, ENOENT, "there is no disk \"%.64s\"", name);
	return NULL;
}

static struct hotplug_plug *find_plug(struct machine *m, const char *id, struct err *e)
{
	for (struct hotplug_plug *p = m->hotplug.plugs; p; p = p->next)
		if (!strcmp(p->id, id) && !p->going)
			return p;
	err_set(e, ENOENT, "there is no device \"%.64s\"", id);
	return NULL;
}

static struct hotplug_net *find_net(struct machine *m, const char *name, struct err *e)
{
	for (struct hotplug_net *n = m->hotplug.nets; n; n = n->next)
		if (!strcmp(n->name, name))
			return n;
	err_set(e, ENOENT, "there is no network \"%.64s\" that was added", name);
	return NULL;
}

static bool has_slots(const struct machine_bus *bus)
{
	return !strcmp(bus->name, "virtio");
}

static const struct machine_bus *find_bus(struct machine *m, const char *name, struct err *e)
{
	for (unsigned i = 0; i < m->nbuses; i++)
		if (!strcmp(m->bus[i].name, name) && m->bus[i].drives->change)
			return &m->bus[i];
	if (!strcmp(name, "virtio"))
		err_set(e, ENODEV, "this machine has no slots for cards: it wants hotplug-ports=N");
	else
		err_set(e, ENODEV,
		    "this machine has no %s controller: it wants controllers=%s, or a disk", name,
		    name);
	return NULL;
}

static int check_name(const char *name, struct err *e)
{
	if (*name && strlen(name) < HOTPLUG_NAME)
		return 0;
	return err_set(e, EINVAL, "a name of 1 to %d characters is wanted", HOTPLUG_NAME - 1);
}

static struct hotplug_node *add_node(struct machine *m, const char *name)
{
	struct hotplug_node *n = calloc(1, sizeof *n), **at = &m->hotplug.nodes;

	if (!n)
		return NULL;
	snprintf(n->name, sizeof n->name, "%s", name);
	while (*at)
		at = &(*at)->next;
	return *at = n;
}

static void unlink_node(struct machine *m, struct hotplug_node *n)
{
	struct hotplug_node **at = &m->hotplug.nodes;

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
}

static struct hotplug_plug *add_plug(struct machine *m, const char *id)
{
	struct hotplug_plug *p = calloc(1, sizeof *p), **at = &m->hotplug.plugs;

	if (!p)
		return NULL;
	snprintf(p->id, sizeof p->id, "%s", id);
	while (*at)
		at = &(*at)->next;
	return *at = p;
}

static void unlink_plug(struct machine *m, struct hotplug_plug *p)
{
	struct hotplug_plug **at = &m->hotplug.plugs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
}

static void give(struct hotplug_plug *p, struct hotplug_node *n)
{
	if (p->node)
		p->node->plug = NULL;
	p->node = n;
	if (n)
		n->plug = p;
}

/* The VM's thread is to do it. */
static int post(struct machine *m, const struct hotplug_job *what, struct err *e)
{
	struct hotplug_job *j = malloc(sizeof *j), **at = &m->hotplug.jobs;

	if (!j)
		return err_set(e, ENOMEM, "no memory");
	*j = *what;
	j->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = j;
	atomic_store(&m->hotplug.asked, true);
	return 0;
}

/* Jobs: VM's thread ---------------------------------------------------------------------------- */

static void tell(struct machine *m, const struct hotplug_event *event, const char *id)
{
	struct hotplug_news *n, **at = &m->hotplug.news;

	mutex_lock(&m->disks);
	n = m->hotplug.fn ? calloc(1, sizeof *n) : NULL;
	if (n) {
		n->event = *event;
		snprintf(n->event.id, sizeof n->event.id, "%s", id);
		while (*at)
			at = &(*at)->next;
		*at = n;
		m->hotplug.fn(m->hotplug.arg);
	}
	mutex_unlock(&m->disks);
}

static void tell_failed(struct machine *m, const char *id, const struct err *why)
{
	const struct hotplug_event event = { .what = HOTPLUG_FAILED, .why = *why };

	log_warn(m->env.log, "device %s: %s", id, why->text);
	tell(m, &event, id);
}

static int open_block(struct machine *m, struct hotplug_node *n, struct err *e)
{
	const struct block_options o = {
		.readonly = n->image && n->image->readonly,
		.events = m->env.events,
		.synchronous = m->config.deterministic,
	};

	if (!n->image)
		return n->block ? 0 : -EIO;
	n->block = block_new(n->image, &o, e);
	n->image = NULL; /* also when that has failed */
	return n->block ? 0 : -EIO;
}

static void free_node(struct hotplug_node *n)
{
	image_close(n->image);
	if (n->block && !n->configured) {
		block_drain(n->block);
		block_free(n->block);
	}
	free(n);
}

static int change(const struct hotplug_plug *p, enum drives_op op, struct block *b, struct err *e)
{
	const struct drive drive = {
		.block = b, .cdrom = p->cdrom, .net = p->net ? p->net->net : NULL
	};
	struct drives *d = p->bus->drives;

	return d->change(d->arg, op, p->place, &drive, e);
}

static void drop_plug(struct machine *m, struct hotplug_plug *p)
{
	struct hotplug_node *n;

	mutex_lock(&m->disks);
	n = p->node;
	give(p, NULL);
	if (p->net)
		p->net->plug = NULL;
	if (n && n->nameless)
		unlink_node(m, n);
	unlink_plug(m, p);
	mutex_unlock(&m->disks);
	if (n && n->nameless)
		free_node(n);
	free(p);
}

static void run_add(struct machine *m, struct hotplug_job *j)
{
	struct hotplug_plug *p = j->plug;
	struct block *b = NULL;
	struct err e = { "" };
	int rc = 0;

	if (j->node)
		rc = open_block(m, j->node, &e);
	if (j->node && !rc)
		b = j->node->block;
	if (b && j->serial[0])
		memcpy(b->serial, j->serial, sizeof b->serial);
	if (!rc)
		rc = change(p, DRIVES_ADD, b, &e);
	if (rc)
		tell_failed(m, p->id, &e); /* it stays, without a drive, until it is deleted */
}

static void run_remove(struct machine *m, struct hotplug_job *j)
{
	struct hotplug_event event = { .what = HOTPLUG_DELETED };
	struct hotplug_plug *p = j->plug;
	char id[HOTPLUG_NAME];
	struct err e;

	event.net = p->net && p->keeps;
	memcpy(id, p->id, sizeof id);
	if (p->node && p->node->block)
		block_drain(p->node->block);
	change(p, DRIVES_REMOVE, NULL, &e); /* if it could not be added it is not there */
	drop_plug(m, p);
	tell(m, &event, id);
}

static void run_free(struct machine *m, struct hotplug_job *j)
{
	(void)m;
	free_node(j->node);
}

static void run_ask(struct machine *m, struct hotplug_job *j)
{
	struct err e;

	(void)m;
	change(j->plug, DRIVES_ASK, NULL, &e);
}

/* Takes out the old disc, if there is one, and puts in the new one, if there is one. */
static void run_disc(struct machine *m, struct hotplug_job *j)
{
	struct hotplug_event event = { .what = HOTPLUG_TRAY_OPEN };
	const struct hotplug_plug *p = j->plug;
	struct err e = { "" };
	int rc;

	if (j->old && j->old->block)
		block_drain(j->old->block);
	rc = change(p, DRIVES_EJECT, NULL, &e);
	if (j->old && j->old->nameless)
		free_node(j->old); /* before anybody hears of it, and uses the file again */
	if (!rc)
		tell(m, &event, p->id);
	if (!rc && j->node)
		rc = open_block(m, j->node, &e);
	if (!rc && j->node)
		rc = change(p, DRIVES_INSERT, j->node->block, &e);
	event.what = HOTPLUG_TRAY_CLOSED;
	if (!rc && j->node)
		tell(m, &event, p->id);
	if (rc)
		tell_failed(m, p->id, &e);
}

static struct hotplug_job *take_job(struct machine *m)
{
	struct hotplug_job *j;

	mutex_lock(&m->disks);
	j = m->hotplug.jobs;
	if (j)
		m->hotplug.jobs = j->next;
	else
		atomic_store(&m->hotplug.asked, false);
	mutex_unlock(&m->disks);
	return j;
}

bool hotplug_is_asked(struct machine *m)
{
	return atomic_load(&m->hotplug.asked);
}

/* A card that the guest has given up, and that nobody wants anything of any more; NULL: none. */
static struct hotplug_plug *find_off(struct machine *m)
{
	struct hotplug_plug *p;
	struct err e;

	mutex_lock(&m->disks);
	for (p = m->hotplug.jobs ? NULL : m->hotplug.plugs; p; p = p->next)
		if (p->asked && change(p, DRIVES_IS_OFF, NULL, &e) == 1)
			break;
	if (p)
		p->going = true;
	mutex_unlock(&m->disks);
	return p;
}

void hotplug_attend(struct machine *m)
{
	struct hotplug_job *j, gone = { .run = run_remove };

	while (hotplug_is_asked(m) && (j = take_job(m))) {
		m->hotplug.changed = true;
		j->run(m, j);
		free(j);
	}
	while ((gone.plug = find_off(m)))
		run_remove(m, &gone);
}

int hotplug_as_configured(const struct machine *m, const char *what, struct err *e)
{
	if (!m->hotplug.changed)
		return 0;
	return err_set(e, ENOTSUP,
	    "%s: disks have come or gone while the machine ran, and it can have none of those",
	    what);
}

void hotplug_drain(struct machine *m)
{
	mutex_lock(&m->disks);
	for (struct hotplug_node *n = m->hotplug.nodes; n; n = n->next)
		if (n->block && !n->configured)
			block_drain(n->block);
	mutex_unlock(&m->disks);
}

/* Nodes ---------------------------------------------------------------------------------------- */

/* The node of an image that is open, which is its own from then on. */
static struct hotplug_node *open_node(
    struct machine *m, const char *name, const struct hotplug_image *d, struct err *e)
{
	const struct image_options o = {
		.format = d->format,
		.readonly = d->readonly,
		.direct = d->direct,
	};
	struct image *image;
	struct hotplug_node *n;

	image = image_open(d->path, &o, e);
	if (!image)
		return NULL;
	n = add_node(m, name);
	if (n) {
		n->image = image;
		return n;
	}
	image_close(image);
	err_set(e, ENOMEM, "no memory");
	return NULL;
}

int machine_node_add(
    struct machine *m, const char *name, const struct hotplug_image *d, struct err *e)
{
	int rc = check_name(name, e);

	if (rc)
		return rc;
	mutex_lock(&m->disks);
	if (find_node(m, name, NULL))
		rc = err_set(e, EEXIST, "there is a disk \"%s\" already", name);
	else if (!open_node(m, name, d, e))
		rc = -EINVAL;
	mutex_unlock(&m->disks);
	return rc;
}

int machine_node_del(struct machine *m, const char *name, struct err *e)
{
	struct hotplug_node *n;
	int rc = 0;

	mutex_lock(&m->disks);
	n = find_node(m, name, e);
	if (!n)
		rc = -ENOENT;
	else if (n->plug)
		rc = err_set(e, EBUSY, "disk \"%s\" is in use by device \"%s\"", name, n->plug->id);
	else if (n->configured)
		rc = err_set(e, EBUSY, "disk \"%s\" is the machine's own", name);
	if (!rc)
		rc = post(m, &(struct hotplug_job){ .run = run_free, .node = n }, e);
	if (!rc)
		unlink_node(m, n);
	mutex_unlock(&m->disks);
	if (!rc)
		machine_leave(m);
	return rc;
}

/* Plugs ---------------------------------------------------------------------------------------- */

static bool is_taken(struct machine *m, const struct machine_bus *bus, unsigned place)
{
	for (struct hotplug_plug *p = m->hotplug.plugs; p; p = p->next)
		if (p->bus == bus && p->place == place)
			return true;
	return false;
}

static int find_place(
    struct machine *m, const struct machine_bus *bus, int wanted, unsigned *place, struct err *e)
{
	if (wanted >= 0) {
		*place = (unsigned)wanted;
		if (*place >= bus->max)
			return err_set(e, EINVAL, "%s has places 0 to %u", bus->name, bus->max - 1);
		return is_taken(m, bus, *place)
			   ? err_set(e, EBUSY, "place %u of %s is taken", *place, bus->name)
			   : 0;
	}
	for (*place = 0; *place < bus->max; (*place)++)
		if (!is_taken(m, bus, *place))
			return 0;
	return err_set(e, ENOSPC, "%s has no place left", bus->name);
}

static int check_plug(struct machine *m, const struct hotplug_what *w, struct err *e)
{
	if (check_name(w->id, e) < 0)
		return -EINVAL;
	if (find_plug(m, w->id, NULL))
		return err_set(e, EEXIST, "there is a device \"%s\" already", w->id);
	if (w->net && strcmp(w->bus, "virtio"))
		return err_set(
		    e, EINVAL, "device \"%s\": there are no networks on %s", w->id, w->bus);
	if (!w->node && !w->cdrom && !w->net)
		return err_set(e, EINVAL, "device \"%s\": a drive is wanted", w->id);
	if (w->cdrom && strcmp(w->bus, "scsi"))
		return err_set(
		    e, EINVAL, "device \"%s\": there are no CD drives on %s", w->id, w->bus);
	if (w->serial && strlen(w->serial) > BLOCK_SERIAL)
		return err_set(e, EINVAL, "device \"%s\": a serial number has up to %d characters",
		    w->id, BLOCK_SERIAL);
	return 0;
}

static int plug_locked(struct machine *m, const struct hotplug_what *w, struct err *e)
{
	const struct machine_bus *bus = find_bus(m, w->bus, e);
	struct hotplug_job j = { .run = run_add };
	struct hotplug_net *net = NULL;
	unsigned place;
	int rc = bus ? check_plug(m, w, e) : -ENODEV;

	if (!rc)
		rc = find_place(m, bus, w->place, &place, e);
	if (!rc && w->node && !(j.node = find_node(m, w->node, e)))
		rc = -ENOENT;
	if (!rc && j.node && j.node->plug)
		rc = err_set(
		    e, EBUSY, "disk \"%s\" is in use by device \"%s\"", w->node, j.node->plug->id);
	if (rc)
		return rc;
	if (w->net && !(net = find_net(m, w->net, e)))
		return -ENOENT;
	if (net && net->plug)
		return err_set(
		    e, EBUSY, "network \"%s\" is in use by device \"%s\"", w->net, net->plug->id);
	j.plug = add_plug(m, w->id);
	if (!j.plug)
		return err_set(e, ENOMEM, "no memory");
	j.plug->bus = bus;
	j.plug->place = place;
	j.plug->cdrom = w->cdrom;
	j.plug->keeps = w->keeps;
	j.plug->net = net;
	if (net)
		net->plug = j.plug;
	give(j.plug, j.node);
	if (j.node)
		j.node->nameless = w->keeps && !j.node->configured;
	if (w->serial)
		snprintf(j.serial, sizeof j.serial, "%s", w->serial);
	return post(m, &j, e);
}

int machine_plug_add(struct machine *m, const struct hotplug_what *w, struct err *e)
{
	int rc = tape_refuse(m, "disks that come", e);

	if (rc)
		return rc;
	mutex_lock(&m->disks);
	rc = plug_locked(m, w, e);
	mutex_unlock(&m->disks);
	if (!rc)
		machine_leave(m);
	return rc;
}

int machine_plug_del(struct machine *m, const char *id, struct err *e)
{
	struct hotplug_plug *p;
	int rc = tape_refuse(m, "disks that go", e);

	if (rc)
		return rc;
	rc = -ENOENT;
	mutex_lock(&m->disks);
	p = find_plug(m, id, e);
	if (p && has_slots(p->bus)) {
		rc = post(m, &(struct hotplug_job){ .run = run_ask, .plug = p }, e);
		p->asked |= !rc;
	} else if (p && strcmp(p->bus->name, "scsi") && strcmp(p->bus->name, "nvme"))
		rc = err_set(e, EINVAL, "device \"%s\" cannot go: it is on %s", id, p->bus->name);
	else if (p)
		rc = post(m, &(struct hotplug_job){ .run = run_remove, .plug = p }, e);
	if (!rc && !has_slots(p->bus))
		p->going = true;
	mutex_unlock(&m->disks);
	if (!rc)
		machine_leave(m);
	return rc;
}

/* Networks ------------------------------------------------------------------------------------- */

int machine_net_add(
    struct machine *m, const char *name, const char *spec, struct loop *loop, struct err *e)
{
	struct net_place place = { .vm = m->config.name };
	struct hotplug_net *n, **at = &m->hotplug.nets;
	int rc = check_name(name, e);

	if (!rc && find_net(m, name, NULL))
		rc = err_set(e, EEXIST, "there is a network \"%s\" already", name);
	if (rc)
		return rc;
	n = calloc(1, sizeof *n);
	if (!n)
		return err_set(e, ENOMEM, "no memory");
	place.index = CONFIG_NETS + m->hotplug.nnets;
	n->net = net_open(spec, &place, loop, m->host.events, e);
	if (!n->net) {
		free(n);
		return -EINVAL;
	}
	snprintf(n->name, sizeof n->name, "%s", name);
	mutex_lock(&m->disks);
	m->hotplug.nnets++;
	while (*at)
		at = &(*at)->next;
	*at = n;
	mutex_unlock(&m->disks);
	return 0;
}

int machine_net_del(struct machine *m, const char *name, struct err *e)
{
	struct hotplug_net *n, **at = &m->hotplug.nets;
	int rc = -ENOENT;

	mutex_lock(&m->disks);
	n = find_net(m, name, e);
	if (n && n->plug)
		rc = err_set(
		    e, EBUSY, "network \"%s\" is in use by device \"%s\"", name, n->plug->id);
	else if (n)
		rc = 0;
	while (!rc && *at != n)
		at = &(*at)->next;
	if (!rc)
		*at = n->next;
	mutex_unlock(&m->disks);
	if (rc)
		return rc;
	net_close(n->net);
	free(n);
	return 0;
}

/* Discs ---------------------------------------------------------------------------------------- */

/* Whether the disc can be had; if not, the guest is asked for it. */
static int check_tray(struct machine *m, struct hotplug_plug *p, bool force, struct err *e)
{
	struct err why;

	if (!p->cdrom)
		return err_set(e, EINVAL, "device \"%s\" is no CD drive", p->id);
	if (force || change(p, DRIVES_IS_OPEN, NULL, &why) == 1 ||
	    change(p, DRIVES_IS_LOCKED, NULL, &why) != 1)
		return 0;
	post(m, &(struct hotplug_job){ .run = run_ask, .plug = p }, NULL);
	return err_set(e, EBUSY,
	    "device \"%s\" is locked and force was not given: wait for the tray to open and try "
	    "again",
	    p->id);
}

/* d NULL: no new one. */
static int disc_locked(
    struct machine *m, const char *id, const struct hotplug_image *d, bool force, struct err *e)
{
	struct hotplug_job j = { .run = run_disc, .plug = find_plug(m, id, e) };
	int rc = j.plug ? check_tray(m, j.plug, force, e) : -ENOENT;

	if (!rc && d) {
		j.node = open_node(m, id, d, e);
		rc = j.node ? 0 : -EINVAL;
	}
	if (rc)
		return rc;
	if (j.node)
		j.node->nameless = true;
	j.old = j.plug->node;
	rc = post(m, &j, e);
	if (rc)
		return rc; /* a node that nobody has goes with the machine */
	give(j.plug, j.node);
	if (j.old && j.old->nameless)
		unlink_node(m, j.old);
	return 0;
}

static int disc(
    struct machine *m, const char *id, const struct hotplug_image *d, bool force, struct err *e)
{
	int rc = tape_refuse(m, "discs", e);

	if (rc)
		return rc;
	mutex_lock(&m->disks);
	rc = disc_locked(m, id, d, force, e);
	mutex_unlock(&m->disks);
	machine_leave(m); /* also if the guest is to be asked */
	return rc;
}

int machine_disc_eject(struct machine *m, const char *id, bool force, struct err *e)
{
	return disc(m, id, NULL, force, e);
}

int machine_disc_change(
    struct machine *m, const char *id, const struct hotplug_image *d, bool force, struct err *e)
{
	return disc(m, id, d, force, e);
}

/* The machine's own ---------------------------------------------------------------------------- */

bool machine_hotplug_event(struct machine *m, struct hotplug_event *event)
{
	struct hotplug_news *n;
	bool is;

	mutex_lock(&m->disks);
	n = m->hotplug.news;
	is = n;
	if (is) {
		*event = n->event;
		m->hotplug.news = n->next;
	}
	mutex_unlock(&m->disks);
	free(n);
	return is;
}

void machine_on_hotplug(struct machine *m, void (*fn)(void *arg), void *arg)
{
	struct hotplug_event none;

	mutex_lock(&m->disks);
	m->hotplug.fn = fn;
	m->hotplug.arg = arg;
	mutex_unlock(&m->disks);
	while (!fn && machine_hotplug_event(m, &none))
		;
}

/* Where the configured disk is; false: on no bus that is ours. */
static bool find_configured(struct machine *m, unsigned disk, struct hotplug_plug *p)
{
	for (unsigned i = 0; i < m->nbuses; i++) {
		for (unsigned n = 0; n < m->bus[i].max; n++) {
			const struct drive *d = &m->bus[i].drives->drive[n];

			if (d->block != m->disk[disk] || !m->bus[i].drives->change)
				continue;
			p->bus = &m->bus[i];
			p->place = n;
			p->cdrom = d->cdrom;
			return true;
		}
	}
	return false;
}

int hotplug_init(struct machine *m, struct err *e)
{
	struct hotplug_plug where = { 0 }, *p;
	struct hotplug_node *n;
	char name[16];

	for (unsigned i = 0; i < m->ndisks; i++) {
		if (!find_configured(m, i, &where))
			continue;
		snprintf(name, sizeof name, "disk%u", i);
		n = add_node(m, name);
		p = add_plug(m, name);
		if (!n || !p)
			return err_set(e, ENOMEM, "disks: no memory");
		n->block = m->disk[i];
		n->configured = true;
		p->bus = where.bus;
		p->place = where.place;
		p->cdrom = where.cdrom;
		give(p, n);
	}
	return 0;
}

/* What was asked for and not begun. */
static void drop_jobs(struct hotplug *h)
{
	struct hotplug_job *j;

	while ((j = h->jobs)) {
		h->jobs = j->next;
		if (j->run == run_free)
			free_node(j->node);
		if (j->run == run_disc && j->old && j->old->nameless)
			free_node(j->old);
		free(j);
	}
}

void hotplug_fini(struct machine *m)
{
	struct hotplug *h = &m->hotplug;
	struct hotplug_net *net;
	struct hotplug_node *n;
	struct hotplug_plug *p;

	drop_jobs(h);
	machine_on_hotplug(m, NULL, NULL);
	while ((n = h->nodes)) {
		h->nodes = n->next;
		free_node(n);
	}
	while ((net = h->nets)) {
		h->nets = net->next;
		net_close(net->net);
		free(net);
	}
	while ((p = h->plugs)) {
		h->plugs = p->next;
		free(p);
	}
	ports_free(m->ports);
}
