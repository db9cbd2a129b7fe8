/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dev/drives.h"
#include "machine/build.h"

enum { WANTED_MAX = 32 };

static bool is_set_to(const char *value, const char *word)
{
	return value && !strcmp(value, word);
}

bool place_has_virtio_console(const struct machine *m)
{
	return is_set_to(m->config.console_device, "virtio");
}

static bool is_virtio(const struct config_disk *d)
{
	return !d->bus || is_set_to(d->bus, "virtio");
}

/* The virtio devices of a machine, in the order of their places. */
struct wanted {
	struct {
		const char *class;
		void *back;
	} dev[WANTED_MAX];
	unsigned n, max; /* max: places that the board has */
};

/* false: there is no place left. */
static bool want(struct wanted *w, const char *class, void *back)
{
	if (w->n == w->max)
		return false;
	w->dev[w->n].class = class;
	w->dev[w->n++].back = back;
	return true;
}

/* What the virtio console device, if there is one, has behind it. */
static int find_lines(struct machine *m, struct err *e)
{
	struct chr_lines *l = &m->lines;
	struct config_port p;

	l->console = place_has_virtio_console(m) ? m->host.console : NULL;
	for (l->n = 0; l->n < m->config.nports; l->n++) {
		if (config_port(&p, m->config.port[l->n], e) < 0)
			return -EINVAL;
		strcpy(l->line[l->n].name, p.name);
		l->line[l->n].chr = m->host.port ? m->host.port[l->n] : NULL;
	}
	return 0;
}

static int want_nets(struct machine *m, struct wanted *w, struct err *e)
{
	for (unsigned i = 0; i < m->config.nnets && m->host.net; i++)
		if (!want(w, "virtio_net", m->host.net[i]))
			return err_set(e, EINVAL, "net \"%s\": there is no place left for it",
			    m->config.net[i]);
	return 0;
}

static int find_wanted(struct machine *m, struct wanted *w, struct err *e)
{
	struct drives *scsi;
	int rc;

	for (unsigned i = 0; i < m->ndisks; i++)
		if (is_virtio(&m->config.disk[i]) && !want(w, "virtio_blk", m->disk[i]))
			return err_set(e, EINVAL, "disk \"%s\": there is no place left for it",
			    m->config.disk[i].path);
	rc = place_bus(m, "scsi", DRIVES_MAX, false, &scsi, e);
	if (rc < 0)
		return rc;
	if (rc && !want(w, "virtio_scsi", scsi))
		return err_set(e, EINVAL, "if=scsi: there is no place left for a controller");
	if (!m->config.own_net && want_nets(m, w, e) < 0)
		return -EINVAL;
	if (m->lines.console || m->lines.n)
		if (!want(w, "virtio_console", &m->lines))
			return err_set(e, EINVAL,
			    "console-device virtio, or port: %u disks and networks leave no slot "
			    "for it",
			    w->n);
	if (m->balloon &&
	    !want(w,
		is_set_to(m->config.balloon, "deflate-on-oom") ? "virtio_balloon,oom=deflate"
							       : "virtio_balloon",
		m->balloon))
		return err_set(e, EINVAL, "balloon: there is no place left for it");
	for (unsigned i = 0; i < m->config.nshares; i++)
		if (!want(w, "virtio_9p", m->share[i]))
			return err_set(e, EINVAL, "share \"%s\": there is no place left for it",
			    m->config.share[i]);
	if (m->host.vsock && !want(w, "virtio_vsock", m->host.vsock))
		return err_set(e, EINVAL, "vsock: there is no place left for it");
	/* Where there is a place: */
	if (m->config.own_net)
		want_nets(m, w, NULL);
	want(w, "virtio_rng", NULL);
	return 0;
}

/* What follows the class: the words of the keys virtio and virtio-ring. */
static const char *interface_of(const struct machine *m, const char *transport)
{
	if (is_set_to(m->config.virtio, "legacy"))
		return ",legacy";
	/* In memory there is no such thing. */
	if (is_set_to(m->config.virtio, "transitional") && !strcmp(transport, "virtio_pci"))
		return ",transitional";
	return "";
}

struct dev *place_card(struct machine *m, struct machine_place *p, const char *class, void *back,
    struct dev *pic, struct err *e)
{
	const char *ring = m->config.virtio_ring;
	char id[128] = "";

	if (*class)
		snprintf(id, sizeof id, "%s%s%s%s", class, interface_of(m, p->class),
		    ring ? "," : "", ring ? ring : "");
	p->id = id;
	p->back = back;
	return machine_place(m, p, pic, e);
}

static int place_mmio(
    struct machine *m, struct place_virtio *v, const struct wanted *w, unsigned n, struct err *e)
{
	struct machine_place p = {
		.class = "virtio_mmio", .base = v->mmio->base, .irq = v->mmio->irq
	};

	v->used = n;
	for (unsigned i = 0; i < PLACE_SLOTS; i++) {
		if (!place_card(m, &p, i < n ? w->dev[i].class : "", i < n ? w->dev[i].back : NULL,
			v->pic, e))
			return -EINVAL;
		p.base += v->mmio->step;
		p.irq++;
	}
	return 0;
}

/* Those from the first-th on. */
static int place_pci(struct machine *m, const struct place_virtio *v, const struct wanted *w,
    unsigned first, struct err *e)
{
	struct machine_place p = { .class = "virtio_pci", .base = v->pci->base };

	for (unsigned i = first; i < w->n; i++) {
		if (!place_card(m, &p, w->dev[i].class, w->dev[i].back, v->host, e))
			return -EINVAL;
		p.base += v->pci->step;
	}
	return 0;
}

int place_virtio(struct machine *m, struct place_virtio *v, struct err *e)
{
	const char *bus = m->config.virtio_bus;
	const bool to_mmio = v->mmio && !is_set_to(bus, "pci");
	const unsigned slots = to_mmio ? PLACE_SLOTS : 0, more = v->pci ? v->pci->n : 0;
	struct wanted w = { .max = slots + more };
	unsigned n;
	int rc;

	if ((is_set_to(bus, "pci") && !v->pci) || (is_set_to(bus, "mmio") && !v->mmio))
		return err_set(e, EINVAL, "virtio-bus %s: machine %s has only %s", bus,
		    m->class->name, v->pci ? "pci" : "mmio");
	if (w.max > WANTED_MAX)
		w.max = WANTED_MAX;
	rc = find_lines(m, e);
	if (!rc)
		rc = find_wanted(m, &w, e);
	n = w.n < slots ? w.n : slots;
	if (!rc && v->mmio)
		rc = place_mmio(m, v, &w, n, e);
	return !rc && v->pci ? place_pci(m, v, &w, n, e) : rc;
}

/* What may be asked for depends on the board and on the device. */
static int check_extra(const struct config_device *d, const struct place_row *row, struct err *e)
{
	if (d->irq > row->last_irq)
		return err_set(e, EINVAL, "device \"%s\": irq %u: this board has 1 to %u", d->name,
		    d->irq, row->last_irq);
	if (d->port && !row->ports)
		return err_set(
		    e, EINVAL, "device \"%s\": port: this board has no I/O ports", d->name);
	if (d->console[0] && !dev_find(d->name)->line)
		return err_set(
		    e, EINVAL, "device \"%s\": console: it has no line to lead there", d->name);
	return 0;
}

int place_extra(struct machine *m, const struct place_row *row, struct dev *pic, struct err *e)
{
	struct config_device d;

	for (unsigned i = 0; i < m->config.ndevices; i++) {
		if (config_device(&d, m->config.device[i], e) < 0 || check_extra(&d, row, e) < 0)
			return -EINVAL;
		const struct machine_place p = {
			.class = d.name,
			.base = d.port   ? d.port
				: d.addr ? d.addr
					 : row->base + i * row->step,
			.irq = d.irq ? d.irq : row->irq + i,
			.id = "",
			.back = m->host.line ? m->host.line[i] : NULL,
			.port = d.port,
		};
		if (!machine_place(m, &p, pic, e))
			return -EINVAL;
	}
	return 0;
}
