/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting who refers to the clusters of a qcow2 image's file, and comparing that with refcounts
 * and COPIED flags.  All is read from the file, which is up to date then, and nothing of it is
 * trusted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "host/image/qcow2_int.h"

/* How much longer than the file an image may be that lost the end of it in a crash. */
#define BEYOND_BYTES (UINT64_C(16) << 30)

void qcow2_finding(struct count *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (!c->o || !c->o->found)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->o->found(c->o->arg, text);
}

static void corruption(struct count *c, const char *what, uint64_t at)
{
	c->sum->corruptions++;
	qcow2_finding(c, "%s at 0x%" PRIx64 " is wrong", what, at);
}

static void progress(struct count *c, uint64_t all)
{
	c->step++;
	if (c->o && c->o->progress)
		c->o->progress(c->o->arg, c->step < all ? c->step : all, all);
}

/* References to bytes. */
static int count_bytes(void *arg, uint64_t off, uint64_t len)
{
	struct count *c = arg;
	unsigned bits = c->q->cluster_bits;
	uint64_t first = off >> bits, last;

	if (!len)
		return 0;
	last = (off + len - 1) >> bits;
	if (last < first || last >= c->beyond) {
		c->sum->corruptions++;
		qcow2_finding(c, "0x%" PRIx64 " is referred to, and beyond the file's end", off);
		return 0;
	}
	return refs_add(c->refs, first, last - first + 1);
}

static int count_standard(struct count *c, struct entry e, uint64_t table, bool active)
{
	struct qcow2 *q = c->q;
	uint64_t off = e.entry & L2_OFFSET;
	uint32_t data = (uint32_t)e.bitmap, zero = (uint32_t)(e.bitmap >> SUBCLUSTERS);

	if (e.entry & L2_RESERVED || off % q->cluster_size ||
	    (e.entry & L2_ZERO && (q->version == 2 || q->extended)) || data & zero ||
	    (data && !off)) {
		corruption(c, "an entry of the L2 table", table);
		return 0;
	}
	if (!off)
		return 0;
	if (active) {
		c->sum->allocated++;
		c->sum->fragmented += c->next && off != c->next;
		c->next = off + q->cluster_size;
	}
	return count_bytes(c, off, q->cluster_size);
}

static int count_l2(struct count *c, uint64_t off, uint8_t *table, bool active)
{
	struct qcow2 *q = c->q;
	int rc = qcow2_file_get(q->file, table, q->cluster_size, off);

	for (uint64_t i = 0; i < q->l2_entries && rc == 0; i++) {
		const uint8_t *at = table + i * q->entry_size;
		struct entry e = { get_be64(at), q->extended ? get_be64(at + 8) : 0 };
		uint64_t place, len;

		if (!(e.entry & L2_COMPRESSED)) {
			rc = count_standard(c, e, off, active);
			continue;
		}
		qcow2_packed_place(q, e.entry, &place, &len);
		if (active) {
			c->sum->allocated++;
			c->sum->compressed++;
			c->sum->fragmented++;
		}
		/* What is behind the end of the file is only the rest of a sector. */
		if (place < c->in_file << q->cluster_bits &&
		    len > (c->in_file << q->cluster_bits) - place)
			len = (c->in_file << q->cluster_bits) - place;
		rc = count_bytes(c, place, len);
	}
	return rc;
}

static int count_l1(struct count *c, const uint64_t *l1, uint32_t n, bool active)
{
	struct qcow2 *q = c->q;
	uint8_t *table = malloc(q->cluster_size);
	int rc = table ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		uint64_t off = l1[i] & L2_OFFSET;

		if (active)
			progress(c, n);
		if (l1[i] & L1_RESERVED || off % q->cluster_size) {
			corruption(c, "an entry of the L1 table for L2 table", off);
			continue;
		}
		if (!off)
			continue;
		rc = count_bytes(c, off, q->cluster_size);
		/* A table that is there more often than there are disks would take for ever.  What
		 * the disk has was counted first. */
		if (refs_get(c->refs, off >> q->cluster_bits) > (active ? 1 : c->may_share))
			corruption(c, "an L2 table that is used twice", off);
		else if (rc == 0)
			rc = count_l2(c, off, table, active);
	}
	free(table);
	return rc;
}

static int count_snapshot(struct count *c, const struct qcow2_snapshot *s)
{
	struct qcow2 *q = c->q;
	uint64_t bytes = s->l1_entries * UINT64_C(8), *l1;
	int rc;

	if (s->l1_offset % q->cluster_size || bytes > MAX_L1 ||
	    s->l1_offset >= c->in_file << q->cluster_bits ||
	    (bytes && refs_get(c->refs, s->l1_offset >> q->cluster_bits))) {
		corruption(c, "the L1 table of a snapshot", s->l1_offset);
		return 0;
	}
	rc = count_bytes(c, s->l1_offset, bytes);
	if (rc < 0)
		return rc;
	l1 = malloc(bytes + 1);
	rc = l1 ? qcow2_file_get(q->file, l1, bytes, s->l1_offset) : -ENOMEM;
	for (uint32_t i = 0; i < s->l1_entries && rc == 0; i++)
		l1[i] = get_be64(&l1[i]) & ~L2_COPIED;
	if (rc == 0)
		rc = count_l1(c, l1, s->l1_entries, false);
	free(l1);
	return rc;
}

static int count_refcounts(struct count *c)
{
	struct qcow2 *q = c->q;
	uint64_t bytes = q->reftable_at.clusters << q->cluster_bits;
	int rc = count_bytes(c, q->reftable_at.offset, bytes);

	for (uint32_t i = 0; i < q->reftable_entries && rc == 0; i++) {
		uint64_t off = q->reftable[i];

		if (!off)
			continue;
		if (off % q->cluster_size || off >= c->in_file << q->cluster_bits) {
			c->broken = true;
			corruption(c, "a refcount block", off);
			continue;
		}
		rc = count_bytes(c, off, q->cluster_size);
	}
	return rc;
}

/* Blocks of refcounts must not be anything else. */
static void look_for_shared_blocks(struct count *c)
{
	struct qcow2 *q = c->q;

	for (uint32_t i = 0; i < q->reftable_entries; i++)
		if (q->reftable[i] && refs_get(c->refs, q->reftable[i] >> q->cluster_bits) > 1) {
			c->broken = true;
			corruption(
			    c, "a refcount block that is something else, too,", q->reftable[i]);
		}
}

int qcow2_count(struct count *c)
{
	struct qcow2 *q = c->q;
	int rc;

	c->in_file = clusters_of(q, q->file->size);
	c->beyond = c->in_file;
	if (!q->file->fixed && q->writable && q->incompatible & I_DIRTY)
		c->beyond += c->in_file + (BEYOND_BYTES >> q->cluster_bits);
	c->may_share = q->nsnapshots + 1;
	c->next = c->step = 0;
	refs_free(c->refs);
	c->refs = refs_new(c->beyond);
	if (!c->refs)
		return -ENOMEM;
	rc = count_bytes(c, 0, q->cluster_size);
	if (rc == 0)
		rc = count_bytes(c, q->l1_at.offset, q->l1_at.clusters << q->cluster_bits);
	if (rc == 0)
		rc = count_bytes(c, q->snapshots_offset, q->snapshots_room);
	if (rc == 0)
		rc = count_l1(c, q->l1, q->l1_size, true);
	for (unsigned i = 0; i < q->nsnapshots && rc == 0; i++)
		rc = count_snapshot(c, &q->snapshots[i]);
	if (rc == 0 && qcow2_bitmaps_walk(q, count_bytes, c) == -EIO)
		corruption(c, "the directory of bitmaps", q->bitmap_dir_offset);
	if (rc == 0 && !c->without_refcounts)
		rc = count_refcounts(c);
	if (rc == 0 && !c->without_refcounts)
		look_for_shared_blocks(c);
	return rc;
}

/* An entry's flag; *entry is changed if it is to be. */
static bool flag_is_wrong(
    const struct count *c, uint64_t *entry, uint64_t off, int fix, uint64_t *wrong)
{
	uint64_t count = 0, cluster = off >> c->q->cluster_bits;
	bool has = *entry & L2_COPIED, wants;

	if (fix != FLAGS_LOOK)
		count = refs_get(c->refs, cluster);
	else if (qcow2_refcount(c->q, cluster, &count) < 0)
		return false;
	wants = count == 1;
	if (has == wants || (fix == FLAGS_CLEAR && wants))
		return false;
	++*wrong;
	*entry ^= L2_COPIED;
	return fix != FLAGS_LOOK;
}

static int flags_of_l2(struct count *c, uint64_t off, uint8_t *table, int fix, uint64_t *wrong)
{
	struct qcow2 *q = c->q;
	bool changed = false;
	int rc = qcow2_file_get(q->file, table, q->cluster_size, off);

	for (uint64_t i = 0; i < q->l2_entries && rc == 0; i++) {
		uint8_t *at = table + i * q->entry_size;
		uint64_t entry = get_be64(at), data = entry & L2_OFFSET;

		if (entry & L2_COMPRESSED || !data || data % q->cluster_size)
			continue;
		if (flag_is_wrong(c, &entry, data, fix, wrong)) {
			put_be64(at, entry);
			changed = true;
		} else if (fix == FLAGS_LOOK && entry != get_be64(at)) {
			qcow2_finding(c, "the COPIED flag of data at 0x%" PRIx64 " is wrong", data);
		}
	}
	return rc == 0 && changed ? qcow2_file_put(q->file, table, q->cluster_size, off) : rc;
}

int qcow2_flags(struct count *c, int fix, uint64_t *wrong)
{
	struct qcow2 *q = c->q;
	uint8_t *table = malloc(q->cluster_size), bytes[8];
	struct refs *seen = refs_new(clusters_of(q, q->file->size));
	int rc = table && seen ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < q->l1_size && rc == 0; i++) {
		uint64_t entry = q->l1[i], off = entry & L2_OFFSET;

		if (!off || off % q->cluster_size || off >= q->file->size ||
		    refs_get(seen, off >> q->cluster_bits))
			continue;
		rc = refs_add(seen, off >> q->cluster_bits, 1);
		if (rc < 0)
			break;
		if (flag_is_wrong(c, &entry, off, fix, wrong)) {
			q->l1[i] = entry;
			put_be64(bytes, entry);
			rc = qcow2_file_put(q->file, bytes, 8, q->l1_at.offset + 8ull * i);
		} else if (fix == FLAGS_LOOK && entry != q->l1[i]) {
			qcow2_finding(
			    c, "the COPIED flag of the L2 table at 0x%" PRIx64 " is wrong", off);
		}
		if (rc == 0)
			rc = flags_of_l2(c, off, table, fix, wrong);
	}
	refs_free(seen);
	free(table);
	return rc;
}

int qcow2_raise(struct count *c, uint64_t *n)
{
	struct qcow2 *q = c->q;
	uint64_t end = refs_end(c->refs), count, wanted;
	int rc = 0;

	for (uint64_t at = 0; at < end && rc == 0; at++) {
		at = refs_skip(c->refs, at);
		wanted = at < end ? refs_get(c->refs, at) : 0;
		if (!wanted)
			continue;
		rc = qcow2_refcount(q, at, &count);
		if (rc < 0 || count >= wanted)
			continue;
		if (wanted > qcow2_refcount_max(q))
			return -EOVERFLOW;
		rc = qcow2_refcount_set(q, at, 1, wanted, NULL);
		*n += rc == 0;
	}
	return rc;
}

/* Refcounts in the file: each that is too high. */
int qcow2_lower(struct count *c, uint64_t *n)
{
	struct qcow2 *q = c->q;
	uint64_t each = q->refblock_entries, count, run;
	bool is_free;
	int rc = 0;

	for (uint64_t b = 0; b < q->reftable_entries && rc == 0; b++)
		for (uint64_t at = b * each; at < (b + 1) * each && rc == 0; at += run) {
			run = qcow2_free_run(q, at, (b + 1) * each - at, &is_free);
			if (is_free)
				continue;
			run = 1;
			rc = qcow2_refcount(q, at, &count);
			if (rc < 0 || count <= refs_get(c->refs, at))
				continue;
			rc = qcow2_refcount_set(q, at, 1, refs_get(c->refs, at), &q->given_up);
			*n += rc == 0;
		}
	return rc;
}
