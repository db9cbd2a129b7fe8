/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks of a machine that is saved or restored.  A snapshot does not hold what is on a disk, but
 * for the changes that are in a temporary file; it says when the disk's file was last written.  A
 * guest whose disk has changed behind its back would ruin its file systems, so the file has to be
 * the same when the machine goes on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "core/block.h"
#include "host/block.h"
#include "machine/build.h"
#include "machine/save_parts.h"
#include "machine/snapshot.h"

struct disk_state {
	uint64_t size;
	uint8_t is_file; /* whose times say whether it was written */
	uint64_t seconds, nanoseconds;
};

static const struct field disk_fields[] = {
	FIELD(struct disk_state, size),
	FIELD(struct disk_state, is_file),
	FIELD(struct disk_state, seconds),
	FIELD(struct disk_state, nanoseconds),
	FIELD_END,
};

/* The n-th, and the file of it; the last one is the firmware's flash. NULL: none. */
static struct block *disk_at(const struct machine *m, unsigned n, const char **path)
{
	if (n < m->ndisks) {
		*path = m->config.disk[n].path;
		return m->disk[n];
	}
	*path = m->config.firmware_vars;
	return n == m->ndisks ? m->flash : NULL;
}

static void look_at(const struct block *b, const char *path, struct disk_state *d)
{
	struct stat st;

	*d = (struct disk_state){ .size = b->size };
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	d->is_file = 1;
	d->seconds = (uint64_t)st.st_mtim.tv_sec;
	d->nanoseconds = (uint64_t)st.st_mtim.tv_nsec;
}

/* Its changes are in a temporary file, which the machine's end would take away. */
static bool is_temporary(const struct machine *m, unsigned n)
{
	return n < m->ndisks && m->config.disk[n].snapshot;
}

enum { PIECE_HEAD = 12 };

static int put_piece(void *arg, uint64_t off, const uint8_t *data, size_t len)
{
	struct buf *b = arg;
	uint8_t head[PIECE_HEAD];

	put_le(head, off, 8);
	put_le(head + 8, len, 4);
	buf_put(b, head, sizeof head);
	buf_put(b, data, len);
	return b->failed ? -ENOMEM : b->len > SNAPSHOT_STATE_MAX ? -EFBIG : 0;
}

static int save_changes(
    struct block *disk, unsigned n, const char *path, struct buf *b, struct err *e)
{
	char name[24];
	size_t at;
	int rc;

	snprintf(name, sizeof name, "changes%u", n);
	at = snapshot_begin(b, name);
	rc = block_changes(disk, put_piece, b);
	snapshot_end(b, at);
	if (rc == -EFBIG)
		return err_set(e, EFBIG,
		    "disk %s: more than %d MiB of it are changes that are thrown away "
		    "(snapshot): too much for a snapshot of the machine",
		    path, SNAPSHOT_STATE_MAX >> 20);
	return rc ? err_set(e, -rc, "disk %s: %s", path, strerror(-rc)) : 0;
}

static int load_changes(struct block *disk, unsigned n, const struct snapshot *s, struct err *e)
{
	const uint8_t *p, *end;
	char name[24];
	size_t len;
	int rc = 0;

	snprintf(name, sizeof name, "changes%u", n);
	p = snapshot_section(s, name, &len, e);
	if (!p)
		return -EINVAL;
	for (end = p + len; p < end && !rc; p += PIECE_HEAD + len) {
		len = end - p < PIECE_HEAD ? SIZE_MAX : get_le(p + 8, 4);
		if (len > (size_t)(end - p) - PIECE_HEAD)
			return err_set(e, EINVAL, "snapshot %s: %s ends too early", s->path, name);
		rc = block_change(disk, get_le(p, 8), p + PIECE_HEAD, len);
	}
	return rc ? err_set(e, -rc, "snapshot %s: %s: %s", s->path, name, strerror(-rc)) : 0;
}

int disks_load(struct machine *m, const struct snapshot *s, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; i < m->ndisks && !rc; i++)
		if (is_temporary(m, i))
			rc = load_changes(m->disk[i], i, s, e);
	return rc;
}

int disks_can_share(const struct machine *m, struct err *e)
{
	if (hotplug_as_configured(m, "copy", e) < 0)
		return -ENOTSUP;
	if (m->flash)
		return err_set(e, ENOTSUP,
		    "firmware-vars %s: the machine writes it, so a copy cannot have it, too",
		    m->config.firmware_vars);
	for (unsigned i = 0; i < m->ndisks; i++)
		if (!m->disk[i]->readonly && !is_temporary(m, i))
			return err_set(e, ENOTSUP,
			    "disk %s: the machine writes it, so a copy cannot have it, too; with "
			    "ro "
			    "or snapshot it could",
			    m->config.disk[i].path);
	return 0;
}

int disks_save(struct machine *m, struct buf *b, struct err *e)
{
	struct disk_state d;
	struct block *disk;
	const char *path;
	char name[16];
	size_t at;
	int rc = 0;

	for (unsigned i = 0; !rc && (disk = disk_at(m, i, &path)); i++) {
		look_at(disk, path, &d);
		snprintf(name, sizeof name, "disk%u", i);
		at = snapshot_begin(b, name);
		state_save(disk_fields, &d, b);
		snapshot_end(b, at);
		if (is_temporary(m, i))
			rc = save_changes(disk, i, path, b, e);
	}
	return rc;
}

int disks_check(struct machine *m, const struct snapshot *s, struct err *e)
{
	struct disk_state then = { 0 }, now;
	struct block *disk;
	const char *path;
	const uint8_t *p;
	char name[16];

	for (unsigned i = 0; (disk = disk_at(m, i, &path)); i++) {
		size_t len, at = 0;

		snprintf(name, sizeof name, "disk%u", i);
		p = snapshot_section(s, name, &len, e);
		if (!p || state_load(disk_fields, &then, p, len, &at, e) < 0)
			return -EINVAL;
		look_at(disk, path, &now);
		if (then.size != now.size)
			return err_set(e, EINVAL,
			    "snapshot %s: disk %s had %" PRIu64 " bytes and has %" PRIu64 " now",
			    s->path, path, then.size, now.size);
		if (m->config.restore_any_disk)
			continue;
		if (then.is_file != now.is_file || then.seconds != now.seconds ||
		    then.nanoseconds != now.nanoseconds)
			return err_set(e, EINVAL,
			    "snapshot %s: disk %s was written since the machine was saved "
			    "(restore-any-disk=yes takes it all the same)",
			    s->path, path);
	}
	return 0;
}
