/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "machine/build.h"

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
	} dev[PLACE_SLOTS];
	unsigned n;
};

/* false: there is no place left. */
static bool want(struct wanted *w, const char *class, void *back)
{
	if (w->n == PLACE_SLOTS)
		return false;
	w->dev[w->n].class = class;
	w->dev[w->n++].back = back;
	return true;
}

static int find_wanted(struct machine *m, struct wanted *w, struct err *e)
{
	for (unsigned i = 0; i < m->ndisks; i++)
		if (is_virtio(&m->config.disk[i]) && !want(w, "virtio_blk", m->disk[i]))
			return err_set(e, EINVAL, "disk \"%s\": there is no place left for it",
			    m->config.disk[i].path);
	if (place_has_virtio_console(m) && !want(w, "virtio_console", m->host.console))
		return err_set(
		    e, EINVAL, "console-device virtio: %u disks leave no slot for it", w->n);
	want(w, "virtio_rng", NULL); /* where there is a place */
	return 0;
}

int place_virtio(
    struct machine *m, const struct place_row *row, struct dev *pic, unsigned *used, struct err *e)
{
	const bool legacy = is_set_to(m->config.virtio, "legacy");
	struct wanted w = { .n = 0 };
	struct machine_place p = {
		.class = row->pci ? "virtio_pci" : "virtio_mmio", .base = row->base, .irq = row->irq
	};
	char id[64];

	if (find_wanted(m, &w, e) < 0)
		return -EINVAL;
	*used = w.n;
	for (unsigned i = 0; i < (row->pci ? w.n : PLACE_SLOTS); i++) {
		snprintf(id, sizeof id, "%s%s", i < w.n ? w.dev[i].class : "",
		    i < w.n && legacy ? ",legacy" : "");
		p.id = id;
		p.back = i < w.n ? w.dev[i].back : NULL;
		if (!machine_place(m, &p, pic, e))
			return -EINVAL;
		p.base += row->step;
		p.irq += !row->pci;
	}
	return 0;
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
