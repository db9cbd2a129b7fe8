/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Refcounts of a qcow2 image (the specification, "Host cluster management"), in memory: the next
 * commit brings them to the file.
 */
#include <errno.h>

#include "host/image/qcow2_int.h"

uint64_t qcow2_refcount_max(const struct qcow2 *q)
{
	return UINT64_MAX >> (64 - (1u << q->refcount_order));
}

static uint64_t get_count(const struct qcow2 *q, const uint8_t *block, uint64_t i)
{
	unsigned o = q->refcount_order, each = 8u >> o;

	switch (o) {
	case 3:
		return block[i];
	case 4:
		return get_be16(block + 2 * i);
	case 5:
		return get_be32(block + 4 * i);
	case 6:
		return get_be64(block + 8 * i);
	default:
		return block[i / each] >> (i % each << o) & qcow2_refcount_max(q);
	}
}

void qcow2_refcount_put(const struct qcow2 *q, uint8_t *block, uint64_t i, uint64_t v)
{
	unsigned o = q->refcount_order, each = 8u >> o, shift;

	switch (o) {
	case 3:
		block[i] = (uint8_t)v;
		break;
	case 4:
		put_be16(block + 2 * i, (uint16_t)v);
		break;
	case 5:
		put_be32(block + 4 * i, (uint32_t)v);
		break;
	case 6:
		put_be64(block + 8 * i, v);
		break;
	default:
		shift = (unsigned)(i % each << o);
		block[i / each] =
		    (uint8_t)((block[i / each] & ~(qcow2_refcount_max(q) << shift)) | v << shift);
	}
}

/* The block of a cluster, or NULL: all of its refcounts are 0. */
static int get_block(struct qcow2 *q, uint64_t cluster, struct table **t)
{
	uint64_t i = cluster / q->refblock_entries;

	*t = NULL;
	if (i >= q->reftable_entries || !q->reftable[i])
		return 0;
	return qcow2_table(q, q->reftable[i], t);
}

int qcow2_refcount(struct qcow2 *q, uint64_t cluster, uint64_t *count)
{
	struct table *t;
	int rc = get_block(q, cluster, &t);

	*count = t ? get_count(q, t->data, cluster % q->refblock_entries) : 0;
	return rc;
}

uint64_t qcow2_free_run(struct qcow2 *q, uint64_t cluster, uint64_t max, bool *is_free)
{
	uint64_t i = cluster % q->refblock_entries, n = q->refblock_entries - i, run = 0;
	struct table *t;

	if (n > max)
		n = max;
	/* What cannot be read is not free. */
	if (get_block(q, cluster, &t) < 0 || !t) {
		*is_free = !t && (cluster / q->refblock_entries >= q->reftable_entries ||
				     !q->reftable[cluster / q->refblock_entries]);
		return n;
	}
	*is_free = get_count(q, t->data, i) == 0;
	while (run < n && (get_count(q, t->data, i + run) == 0) == *is_free)
		run++;
	return run;
}

/* The next commit finds a place for it. */
static int grow_reftable(struct qcow2 *q, uint64_t need)
{
	uint64_t entries = need + need / 2;
	uint64_t *grown;

	if (entries < 2ull * q->reftable_entries)
		entries = 2ull * q->reftable_entries;
	entries = round_up(entries, q->cluster_size / 8);
	if (entries * 8 > MAX_REFTABLE)
		return -EFBIG;
	grown = realloc(q->reftable, entries * 8);
	if (!grown)
		return -ENOMEM;
	memset(grown + q->reftable_entries, 0, (entries - q->reftable_entries) * 8);
	q->reftable = grown;
	q->reftable_entries = (uint32_t)entries;
	return 0;
}

static int make_block(struct qcow2 *q, uint64_t i)
{
	uint64_t at;
	struct table *t;
	int rc = i >= q->reftable_entries ? grow_reftable(q, i + 1) : 0;

	if (rc == 0)
		rc = qcow2_take_meta(q, true, &at);
	if (rc == 0)
		rc = qcow2_table_new(q, at << q->cluster_bits, &t);
	if (rc == 0)
		rc = qcow2_changed(q, t, TABLE_REFCOUNTS, (uint32_t)i, 0, q->cluster_size);
	if (rc < 0)
		return rc;
	q->reftable[i] = at << q->cluster_bits;
	q->reftable_at.dirty = true;
	return qcow2_refcount_add(q, at, 1, 1, NULL);
}

/* Changes refcounts of one block: all of them, or none. */
static int change_block(struct qcow2 *q, struct table *t, uint64_t cluster, uint64_t n, int delta,
    uint64_t value, struct runs *freed)
{
	uint64_t i = cluster % q->refblock_entries, max = qcow2_refcount_max(q), first, last;

	for (uint64_t k = i; delta && k < i + n; k++) {
		uint64_t v = get_count(q, t->data, k);

		if (delta > 0 ? v == max : v == 0)
			return delta > 0 ? -EOVERFLOW : -EIO;
	}
	for (uint64_t k = i; k < i + n; k++) {
		uint64_t v = delta ? get_count(q, t->data, k) + (uint64_t)(int64_t)delta : value;

		qcow2_refcount_put(q, t->data, k, v);
		if (freed && v == 0 && runs_add(freed, cluster + (k - i), 1) < 0)
			return -ENOMEM;
	}
	first = (i << q->refcount_order) / 8;
	last = ((i + n) << q->refcount_order) - 1;
	last /= 8;
	return qcow2_changed(q, t, TABLE_REFCOUNTS, (uint32_t)(cluster / q->refblock_entries),
	    first, last - first + 1);
}

static int change(
    struct qcow2 *q, uint64_t cluster, uint64_t n, int delta, uint64_t value, struct runs *freed)
{
	while (n) {
		uint64_t block = cluster / q->refblock_entries;
		uint64_t run = q->refblock_entries - cluster % q->refblock_entries;
		struct table *t;
		int rc = get_block(q, cluster, &t);

		if (run > n)
			run = n;
		if (rc == 0 && !t && (delta > 0 || value)) {
			rc = make_block(q, block);
			if (rc == 0)
				rc = get_block(q, cluster, &t);
		}
		if (rc == 0 && !t && delta < 0)
			rc = -EIO;
		if (rc == 0 && t)
			rc = change_block(q, t, cluster, run, delta, value, freed);
		if (rc < 0)
			return rc;
		cluster += run;
		n -= run;
	}
	return 0;
}

int qcow2_refcount_add(struct qcow2 *q, uint64_t cluster, uint64_t n, int delta, struct runs *freed)
{
	return change(q, cluster, n, delta, 0, freed);
}

int qcow2_refcount_set(
    struct qcow2 *q, uint64_t cluster, uint64_t n, uint64_t value, struct runs *freed)
{
	return change(q, cluster, n, 0, value, freed);
}
