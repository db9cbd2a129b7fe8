/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks and CD drives of a PC that are not virtio's: AHCI where Q35 has it (1f.2), whether
 * something is there or not; an IDE function beside it, and NVMe, where disks are to be there.
 */
#include <errno.h>
#include <string.h>

#include "dev/drives.h"
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
	return 0;
}
