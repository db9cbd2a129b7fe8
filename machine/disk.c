/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others may ask of a machine's disks while it runs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/block.h"
#include "host/image/image.h"
#include "machine/build.h"
#include "machine/tape.h"

static void disk_name(char name[16], unsigned i)
{
	snprintf(name, 16, "disk%u", i);
}

bool machine_disk(struct machine *m, unsigned i, struct machine_disk *d)
{
	const struct config_disk *c;
	struct block *b = NULL;

	mutex_lock(&m->disks);
	if (i < m->ndisks)
		b = m->disk[i];
	if (b) {
		c = &m->config.disk[i];
		disk_name(d->name, i);
		snprintf(d->file, sizeof d->file, "%s", c->path);
		d->format = block_image(b)->class->name;
		d->readonly = b->readonly;
		d->snapshot = c->snapshot;
		d->cdrom = c->cdrom;
		d->direct = c->direct;
		d->size = b->size;
		block_stats(b, &d->stats);
	}
	mutex_unlock(&m->disks);
	return b;
}

int machine_disk_resize(struct machine *m, const char *name, uint64_t size, struct err *e)
{
	char its[16];
	int rc = tape_refuse(m, "disk", e);

	if (rc)
		return rc;
	rc = err_set(e, ENODEV, "there is no disk \"%.40s\"", name);

	mutex_lock(&m->disks);
	for (unsigned i = 0; i < m->ndisks; i++) {
		disk_name(its, i);
		if (!strcmp(its, name))
			rc = block_resize(m->disk[i], size, e);
	}
	mutex_unlock(&m->disks);
	return rc;
}
