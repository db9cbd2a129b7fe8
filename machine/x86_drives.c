/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks and CD drives of a PC that are not virtio's: AHCI where Q35 has it (1f.2), whether
 * something is there or not; an IDE function beside it, and NVMe, where disks are to be there.
 */
#include <errno.h>

#include "dev/cmos_rtc.h"
#include "dev/drives.h"
#include "dev/fdc_82077.h"
#include "dev/pci/ide.h"
#include "machine/build.h"
#include "machine/x86_board.h"

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
	int n = place_find_drives(m, "floppy", 2, &drives, e);

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
	static const struct place_controller ahci = { "ahci", 0x1f << 3 | 2, 6, true };
	static const struct place_controller ide = { "ide", 0x1f << 3 | 1, 4, false };
	static const struct place_controller nvme = { "nvme", 0x18 << 3, DRIVES_MAX, false };
	struct dev *d;
	int rc = place_controller(m, &ahci, pci, &d, e);

	if (!rc)
		rc = place_controller(m, &ide, pci, &d, e);
	if (rc)
		return rc;
	if (d)
		ide_connect(d, b->pic);
	rc = place_controller(m, &nvme, pci, &d, e);
	return rc ? rc : place_floppies(m, b, e);
}
