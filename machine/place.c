/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/place.h"

#include <errno.h>
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

/* The disks that are virtio's. */
static unsigned virtio_disks(const struct machine *m, struct block *disk[CONFIG_DISKS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->ndisks; i++)
		if (!m->config.disk[i].bus || is_set_to(m->config.disk[i].bus, "virtio"))
			disk[n++] = m->disk[i];
	return n;
}

int place_virtio(
    struct machine *m, const struct place_row *row, struct dev *pic, unsigned *used, struct err *e)
{
	static const struct {
		const char *modern, *legacy;
	} ids[] = {
		{ "", "" },
		{ "virtio_blk", "virtio_blk,legacy" },
		{ "virtio_rng", "virtio_rng,legacy" },
		{ "virtio_console", "virtio_console,legacy" },
	};
	enum { NOTHING, BLK, RNG, CONSOLE } slot[PLACE_SLOTS] = { NOTHING };
	const bool legacy = is_set_to(m->config.virtio, "legacy");
	struct block *disk[CONFIG_DISKS];
	const unsigned ndisks = virtio_disks(m, disk);
	const unsigned wanted = ndisks + place_has_virtio_console(m);
	struct machine_place p = {
		.class = row->pci ? "virtio_pci" : "virtio_mmio", .base = row->base, .irq = row->irq
	};

	if (wanted > PLACE_SLOTS)
		return err_set(
		    e, EINVAL, "console-device virtio: %u disks leave no slot for it", ndisks);
	for (unsigned i = 0; i < ndisks; i++)
		slot[i] = BLK;
	if (place_has_virtio_console(m))
		slot[ndisks] = CONSOLE;
	if (wanted < PLACE_SLOTS)
		slot[wanted] = RNG;
	*used = wanted < PLACE_SLOTS ? wanted + 1 : PLACE_SLOTS;
	for (unsigned i = 0; i < (row->pci ? *used : PLACE_SLOTS); i++) {
		p.id = legacy ? ids[slot[i]].legacy : ids[slot[i]].modern;
		p.back = slot[i] == BLK       ? (void *)disk[i]
			 : slot[i] == CONSOLE ? (void *)m->host.console
					      : NULL;
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
