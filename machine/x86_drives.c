/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks and CD drives of a PC that are not virtio's: AHCI where Q35 has it (1f.2), whether
 * something is there or not; an IDE function beside it, and NVMe, where disks are to be there.
 */
#include <errno.h>
#include <string.h>

#include "dev/cmos_rtc.h"
#include "dev/drives.h"
#include "dev/fdc_82077.h"
#include "dev/pci/ide.h"
#include "machine/build.h"
#include "machine/x86_board.h"

/* The disks with if=bus, in their order; how many, or -EINVAL. */
static int find_drives(
    struct machine *m, const char *bus, unsigned max, struct drives *drives, struct err *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->ndisks; i++) {
		const struct config_disk *d = &m->config.disk[i];

		if (!d->bus || strcmp(d->bus, bus))
			continue;
		if (n == max)
			return err_set(
			    e, EINVAL, "disk \"%s\": if=%s has room for %u", d->path, bus, max);
		drives->drive[n++] = (struct drive){ .block = m->disk[i], .cdrom = d->cdrom };
	}
	return (int)n;
}

static int place_floppies(struct machine *m, const struct x86_board *b, struct err *e)
{
	enum { FDC_IRQ = 6, CMOS_FLOPPIES = 0x10, CMOS_EQUIPMENT = 0x14, FLOPPY = 1, DISPLAY = 4 };
	struct drives drives = { 0 };
	static const struct machine_place dma_at = { .class = "dma_8237", .port = true };
	const struct machine_place fdc_at = {
		.class = "fdc_82077",
		.base = 0x3f0,
		.irq = FDC_IRQ,
		.port = true,
		.back = &drives,
	};
	struct dev *dma = machine_place(m, &dma_at, NULL, e), *fdc;
	int n = find_drives(m, "floppy", 2, &drives, e);

	if (!dma || n < 0)
		return -EINVAL;
	if (!n)
		return 0;
	fdc = machine_place(m, &fdc_at, b->pic, e);
	if (!fdc)
		return -EINVAL;
	fdc_82077_connect(fdc, dma);
	cmos_rtc_set(b->rtc, CMOS_FLOPPIES,
	    (uint8_t)(fdc_82077_type(drives.drive[0].block) << 4 |
		      fdc_82077_type(drives.drive[1].block)));
	cmos_rtc_set(b->rtc, CMOS_EQUIPMENT, (uint8_t)(FLOPPY | DISPLAY | (n - 1) << 6));
	return 0;
}

int x86_place_drives(struct machine *m, const struct x86_board *b, struct dev *pci, struct err *e)
{
	enum { AHCI = 0x1f << 3 | 2, IDE = 0x1f << 3 | 1, NVME = 0x10 << 3 };
	static const struct {
		const char *class;
		unsigned devfn, max;
		bool always;
	} controllers[] = {
		{ "ahci", AHCI, 6, true },
		{ "ide", IDE, 4, false },
		{ "nvme", NVME, DRIVES_MAX, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		struct drives drives = { 0 };
		const struct machine_place where = {
			.class = controllers[i].class,
			.base = controllers[i].devfn,
			.back = &drives,
		};
		int n = find_drives(m, where.class, controllers[i].max, &drives, e);
		struct dev *d;

		if (n < 0)
			return n;
		if (!n && !controllers[i].always)
			continue;
		d = machine_place(m, &where, pci, e);
		if (!d)
			return -EINVAL;
		if (where.base == IDE)
			ide_connect(d, b->pic);
	}
	return place_floppies(m, b, e);
}
