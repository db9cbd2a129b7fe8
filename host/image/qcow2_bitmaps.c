/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent dirty bitmaps in qcow2 images (the specification, "Bitmaps").  They are not kept up to
 * date here: those that should follow writes are marked as in use, which tells their owner that
 * they missed some; the others stay as they are.
 */
#include <errno.h>

#include "host/image/qcow2_int.h"

enum {
	DIR_MAX = 64 << 20,
	TABLE_MAX = 8 << 20, /* entries; QEMU: 0x8000000 bytes */
	D_TABLE = 0,
	D_TABLE_SIZE = 8,
	D_FLAGS = 12,
	D_NAME = 18,
	D_EXTRA = 20,
	D_LENGTH = 24,
	IN_USE = 1,
	AUTO = 2,
};

static int read_directory(struct qcow2 *q, uint8_t **dir)
{
	int rc;

	*dir = NULL;
	if (q->bitmap_dir_offset % q->cluster_size || q->bitmap_dir_size > DIR_MAX ||
	    q->bitmap_dir_offset >= MAX_OFFSET)
		return -EIO;
	*dir = malloc(q->bitmap_dir_size + 1);
	if (!*dir)
		return -ENOMEM;
	rc = qcow2_file_get(q->file, *dir, q->bitmap_dir_size, q->bitmap_dir_offset);
	if (rc < 0) {
		free(*dir);
		*dir = NULL;
	}
	return rc;
}

/* The length of the directory's entry at `at`, or 0: it is none. */
static uint64_t entry_length(const struct qcow2 *q, const uint8_t *dir, uint64_t at)
{
	uint64_t left = q->bitmap_dir_size - at, len;

	if (left < D_LENGTH)
		return 0;
	len = round_up(
	    UINT64_C(0) + D_LENGTH + get_be32(dir + at + D_EXTRA) + get_be16(dir + at + D_NAME), 8);
	return len <= left ? len : 0;
}

int qcow2_bitmaps_spoil(struct qcow2 *q, bool all)
{
	uint64_t at = 0, len;
	bool changed = false;
	uint8_t *dir;
	int rc = read_directory(q, &dir);

	for (uint32_t i = 0; i < q->bitmaps && rc == 0; i++, at += len) {
		uint32_t flags;

		len = entry_length(q, dir, at);
		if (!len) {
			rc = -EIO;
			break;
		}
		flags = get_be32(dir + at + D_FLAGS);
		if ((flags & AUTO || all) && !(flags & IN_USE)) {
			put_be32(dir + at + D_FLAGS, flags | IN_USE);
			changed = true;
		}
	}
	if (rc == 0 && changed)
		rc = qcow2_file_put(q->file, dir, q->bitmap_dir_size, q->bitmap_dir_offset);
	free(dir);
	/* What is damaged is not consistent, and that is what the bit would say. */
	if (rc == -EIO) {
		q->autoclear &= ~(uint64_t)A_BITMAPS;
		q->bitmaps = 0;
		rc = 0;
	}
	return rc;
}

static int walk_table(struct qcow2 *q, const uint8_t *e,
    int (*count)(void *arg, uint64_t off, uint64_t len), void *arg)
{
	uint64_t off = get_be64(e + D_TABLE), n = get_be32(e + D_TABLE_SIZE);
	uint8_t *table;
	int rc;

	if (n > TABLE_MAX || off % q->cluster_size || off >= q->file->size)
		return -EIO;
	table = malloc(n * 8 + 1);
	rc = table ? qcow2_file_get(q->file, table, n * 8, off) : -ENOMEM;
	if (rc == 0)
		rc = count(arg, off, n * 8);
	for (uint64_t i = 0; i < n && rc == 0; i++) {
		uint64_t data = get_be64(table + 8 * i) & L2_OFFSET;

		if (data)
			rc = count(arg, data, q->cluster_size);
	}
	free(table);
	return rc;
}

int qcow2_bitmaps_walk(
    struct qcow2 *q, int (*count)(void *arg, uint64_t off, uint64_t len), void *arg)
{
	uint64_t at = 0, len;
	uint8_t *dir;
	int rc;

	if (!q->bitmaps)
		return 0;
	rc = read_directory(q, &dir);
	if (rc == 0)
		rc = count(arg, q->bitmap_dir_offset, q->bitmap_dir_size);
	for (uint32_t i = 0; i < q->bitmaps && rc == 0; i++, at += len) {
		len = entry_length(q, dir, at);
		rc = len ? walk_table(q, dir + at, count, arg) : -EIO;
	}
	free(dir);
	return rc;
}
