/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks and CD drives behind controllers of several.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
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

/* The configuration wants it for drives that may come. */
static bool is_wanted(const struct machine *m, const char *bus)
{
	const size_t n = strlen(bus);
	const char *c = m->config.controllers;

	for (; c && *c; c += strcspn(c, ","), c += *c == ',')
		if (!strncmp(c, bus, n) && (!c[n] || c[n] == ','))
			return true;
	return false;
}

static void add_bus(struct machine *m, const char *bus, unsigned max, struct drives *d)
{
	assert(m->nbuses < MACHINE_BUSES);
	m->bus[m->nbuses++] = (struct machine_bus){ bus, d, max };
}

int place_bus_for(
    struct machine *m, const char *bus, unsigned max, struct drives **drives, struct err *e)
{
	*drives = calloc(1, sizeof **drives);
	if (!*drives)
		return err_set(e, ENOMEM, "if=%s: no memory", bus);
	add_bus(m, bus, max, *drives);
	return 0;
}

int place_bus(struct machine *m, const char *bus, unsigned max, bool always, struct drives **drives,
    struct err *e)
{
	struct drives *d = calloc(1, sizeof *d);
	int n =
	    d ? place_find_drives(m, bus, max, d, e) : err_set(e, ENOMEM, "if=%s: no memory", bus);

	if (n < 0 || (!n && !always && !is_wanted(m, bus))) {
		free(d);
		return n;
	}
	add_bus(m, bus, max, d);
	*drives = d;
	return 1;
}

int place_controller(struct machine *m, const struct place_controller *c, struct dev *pci,
    struct dev **d, struct err *e)
{
	struct machine_place where = { .class = c->class, .base = c->place };
	struct drives *drives;
	int rc = place_bus(m, c->class, c->max, c->always, &drives, e);

	*d = NULL;
	if (rc <= 0)
		return rc;
	where.back = drives;
	*d = machine_place(m, &where, pci, e);
	return *d ? 0 : -EINVAL;
}
