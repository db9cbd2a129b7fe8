/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of a recording's log: sections (machine/snapshot.h) with what the host had for the
 * machine, so that a replay needs none of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/xxh64.h"
#include "core/block.h"
#include "core/event.h"
#include "core/net.h"
#include "core/state.h"
#include "host/block.h"
#include "host/image/image.h"
#include "machine/build.h"
#include "machine/tape.h"
#include "record/replay.h"

enum { VERSION = 2, FILES = 4, FILE_INITRD = 1, FILE_MAX = 1 << 30 };

/* sum: of the files that the machine is loaded from, as a reset does again; 0: there is none. */
struct head {
	uint32_t version;
	uint64_t wall_ns, turns, sum[FILES];
	uint8_t away[1 + CONFIG_DEVICES + CONFIG_PORTS];
};

static const struct field head_fields[] = {
	FIELD(struct head, version),
	FIELD(struct head, wall_ns),
	FIELD(struct head, turns),
	FIELD_ARRAY(struct head, sum),
	FIELD_ARRAY(struct head, away),
	FIELD_END,
};

struct tape_disk {
	uint64_t size;
	uint8_t readonly, discard;
};

static const struct field disk_fields[] = {
	FIELD(struct tape_disk, size),
	FIELD(struct tape_disk, readonly),
	FIELD(struct tape_disk, discard),
	FIELD_END,
};

struct cable {
	uint8_t mac[NET_MAC], up;
	uint16_t mtu;
	uint32_t queues;
};

static const struct field cable_fields[] = {
	FIELD_ARRAY(struct cable, mac),
	FIELD(struct cable, up),
	FIELD(struct cable, mtu),
	FIELD(struct cable, queues),
	FIELD_END,
};

static const char *const file_keys[FILES] = { "kernel", "initrd", "firmware", "vgabios" };

static const char *file_at(const struct machine *m, unsigned n)
{
	const struct config *c = &m->config;
	const char *path =
	    (const char *[FILES]){ c->kernel, c->initrd, c->firmware, c->vgabios }[n];

	return path && strcmp(path, "none") ? path : NULL;
}

/* 0: it cannot be read. */
static uint64_t sum_of(const char *path)
{
	struct buf b = { 0 };
	uint64_t sum = 0;

	if (path && !buf_read_file(&b, path, FILE_MAX, NULL))
		sum = xxh64(b.data, b.len) | 1;
	buf_free(&b);
	return sum;
}

static void put(struct buf *b, const char *name, const struct field *f, const void *object)
{
	const size_t at = snapshot_begin(b, name);

	state_save(f, object, b);
	snapshot_end(b, at);
}

struct chr *tape_line(const struct machine *m, unsigned n)
{
	const struct machine_host *h = &m->host;

	if (n == 0)
		return h->console;
	n--;
	if (n < CONFIG_DEVICES)
		return h->line && n < m->config.ndevices ? h->line[n] : NULL;
	n -= CONFIG_DEVICES;
	return h->port && n < m->config.nports ? h->port[n] : NULL;
}

static void put_nets(const struct machine *m, struct buf *b)
{
	char name[16];

	for (unsigned i = 0; m->host.net && i < m->config.nnets; i++) {
		const struct net *n = m->host.net[i];
		struct cable c = { .up = n->up, .mtu = n->mtu, .queues = n->queues };

		memcpy(c.mac, n->mac, sizeof c.mac);
		snprintf(name, sizeof name, "net%u", i);
		put(b, name, cable_fields, &c);
	}
}

static void put_sources(const struct machine *m, struct buf *b)
{
	const size_t at = snapshot_begin(b, "sources");
	const char *name;

	for (int i = 0; (name = events_source_name(m->host.events, i)); i++)
		buf_printf(b, "%s\n", name);
	snapshot_end(b, at);
}

int tape_put_head(struct machine *m, struct buf *b)
{
	struct head h = { .version = VERSION, .wall_ns = m->tape->wall_ns };
	char name[16];

	h.turns = m->fixed.turns;
	for (unsigned i = 0; i < FILES; i++)
		h.sum[i] = sum_of(file_at(m, i));
	for (unsigned i = 0; i < ARRAY_LEN(h.away); i++)
		h.away[i] = tape_line(m, i) && tape_line(m, i)->away;
	put(b, "tape", head_fields, &h);
	for (unsigned i = 0; i < m->ndisks; i++) {
		const struct block *k = m->disk[i];
		const struct tape_disk d = { k->size, k->readonly, k->discard };

		snprintf(name, sizeof name, "disk%u", i);
		put(b, name, disk_fields, &d);
	}
	put_nets(m, b);
	put_sources(m, b);
	return b->failed ? -ENOMEM : 0;
}

/* Replay --------------------------------------------------------------------------------------- */

static int take(
    const struct machine *m, const char *name, const struct field *f, void *object, struct err *e)
{
	size_t head_len, len, at = 0;
	const uint8_t *head = replay_head(m->tape->replay, &head_len);
	const uint8_t *p = snapshot_find(head, head_len, name, &len);
	struct err why;

	if (!p || state_load(f, object, p, len, &at, &why) < 0)
		return err_set(
		    e, EINVAL, "recording %s: its head does not say: %s", m->config.replay, name);
	return 0;
}

static int take_disk(const struct machine *m, unsigned n, struct tape_disk *d, struct err *e)
{
	char name[16];
	int rc;

	snprintf(name, sizeof name, "disk%u", n);
	rc = take(m, name, disk_fields, d, e);
	if (!rc && d->size % 512)
		rc = err_set(e, EINVAL, "recording %s: %s has a size that no disk has",
		    m->config.replay, name);
	return rc;
}

struct block *tape_block(struct machine *m, unsigned n, struct block_options *o, struct err *e)
{
	struct tape_disk d;
	struct image *i;

	if (take_disk(m, n, &d, e) < 0)
		return NULL;
	o->readonly = d.readonly;
	o->no_discard = !d.discard;
	i = image_blank_new(d.size, m->config.disk[n].path, e);
	return i ? block_new(i, o, e) : NULL;
}

static int take_nets(struct machine *m, struct err *e)
{
	struct cable c = { .up = 0 };
	char name[16];
	int rc = 0;

	for (unsigned i = 0; m->host.net && i < m->config.nnets && !rc; i++) {
		struct net *n = m->host.net[i];

		snprintf(name, sizeof name, "net%u", i);
		rc = take(m, name, cable_fields, &c, e);
		if (!rc && (!c.queues || c.queues > NET_QUEUES_MAX))
			rc = err_set(e, EINVAL, "recording %s: %s has no queue, or too many",
			    m->config.replay, name);
		if (rc)
			break;
		memcpy(n->mac, c.mac, sizeof n->mac);
		n->up = c.up;
		n->mtu = c.mtu;
		n->queues = c.queues;
	}
	return rc;
}

/* What can be looked at; it is wanted only by some boards, and for a reset. */
static int check_files(const struct machine *m, const struct head *h, struct err *e)
{
	for (unsigned i = 0; i < FILES; i++) {
		const uint64_t sum = sum_of(file_at(m, i));

		if (!sum || !h->sum[i] || sum == h->sum[i])
			continue;
		/* The kernel is in the recording's RAM: people who make them have another by now.
		 */
		if (i <= FILE_INITRD)
			log_warn(m->env.log,
			    "recording %s: %s %s is another by now: the replay goes on to the "
			    "guest's first reset, if there is one",
			    m->config.replay, file_keys[i], file_at(m, i));
		else
			return err_set(e, EINVAL,
			    "recording %s: %s %s is not the file any more that it was",
			    m->config.replay, file_keys[i], file_at(m, i));
	}
	return 0;
}

int tape_take_head(struct machine *m, struct err *e)
{
	struct head h = { .version = 0 };
	int rc = take(m, "tape", head_fields, &h, e);

	if (!rc && h.version != VERSION)
		rc = err_set(e, ENOTSUP, "recording %s is of version %u; this Lodge reads %d",
		    m->config.replay, h.version, VERSION);
	if (!rc)
		rc = check_files(m, &h, e);
	if (!rc)
		rc = take_nets(m, e);
	if (rc)
		return rc;
	m->tape->wall_ns = h.wall_ns;
	m->fixed.turns = h.turns;
	for (unsigned i = 0; i < ARRAY_LEN(h.away); i++)
		if (tape_line(m, i))
			tape_line(m, i)->away = h.away[i];
	return 0;
}

int tape_check_sources(const struct machine *m, struct err *e)
{
	struct buf here = { 0 };
	size_t head_len, len;
	const uint8_t *head = replay_head(m->tape->replay, &head_len), *p;
	int rc = 0;

	put_sources(m, &here);
	p = snapshot_find(head, head_len, "sources", &len);
	if (here.failed)
		rc = err_set(e, ENOMEM, "recording %s: no memory", m->config.replay);
	else if (!p || len + 12 != here.len || memcmp(p, here.data + 12, len))
		rc = err_set(e, EINVAL,
		    "recording %s: the machine that was recorded had its inputs from elsewhere",
		    m->config.replay);
	buf_free(&here);
	return rc;
}
