/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks and CD drives that are not virtio's, on PCI.
 */
#include <errno.h>
#include <string.h>

#include "dev/drives.h"
#include "machine/build.h"
#include "machine/place.h"

int place_find_drives(
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

int place_controller(struct machine *m, const struct place_controller *c, struct dev *pci,
    struct dev **d, struct err *e)
{
	struct drives drives = { 0 };
	const struct machine_place where = {
		.class = c->class,
		.base = c->place,
		.back = &drives,
	};
	int n = place_find_drives(m, c->class, c->max, &drives, e);

	*d = NULL;
	if (n < 0)
		return n;
	if (!n && !c->always)
		return 0;
	*d = machine_place(m, &where, pci, e);
	return *d ? 0 : -EINVAL;
}
