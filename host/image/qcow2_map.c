/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a guest's clusters are in a qcow2 image (the specification, "Cluster mapping" and "Extended
 * L2 Entries"), and changes of that.
 */
#include <errno.h>

#include "host/image/qcow2_int.h"

/* A table of zeroes says what there was without one; `from`: the table that it is a copy of. */
static int new_l2(struct qcow2 *q, uint32_t i, uint64_t from, struct table **t)
{
	struct table *old = NULL;
	uint64_t at;
	int rc = qcow2_take_meta(q, false, &at);

	if (rc == 0)
		rc = qcow2_claim(q, at, 1);
	if (rc == 0)
		rc = qcow2_table_new(q, at << q->cluster_bits, t);
	if (rc == 0 && from)
		rc = qcow2_table(q, from, &old);
	if (rc == 0 && from)
		memcpy((*t)->data, old->data, q->cluster_size);
	if (rc == 0)
		rc = qcow2_changed(q, *t, TABLE_L2, i, 0, q->cluster_size);
	if (rc < 0)
		return rc;
	q->l1[i] = at << q->cluster_bits | L2_COPIED;
	q->l1_at.dirty = true;
	return 0;
}

int qcow2_copy_l2(struct qcow2 *q, uint32_t i, struct table **t)
{
	uint64_t old = q->l1[i] & L2_OFFSET;
	int rc = new_l2(q, i, old, t);

	return rc < 0 ? rc : qcow2_release(q, old >> q->cluster_bits, 1);
}

int qcow2_l2(struct qcow2 *q, uint64_t guest, bool write, struct table **t, uint32_t *slot)
{
	uint64_t i = guest >> q->l2_bits, entry, off;

	*t = NULL;
	*slot = (uint32_t)(guest & (q->l2_entries - 1));
	if (i >= q->l1_size)
		return write ? -EIO : 0;
	entry = q->l1[i];
	off = entry & L2_OFFSET;
	if (entry & L1_RESERVED || off % q->cluster_size || off >= q->file->size)
		return -EIO;
	if (!off)
		return write ? new_l2(q, (uint32_t)i, 0, t) : 0;
	if (write && !(entry & L2_COPIED))
		return qcow2_copy_l2(q, (uint32_t)i, t);
	return qcow2_table(q, off, t);
}

struct entry qcow2_entry(const struct qcow2 *q, const struct table *t, uint32_t slot)
{
	const uint8_t *at = t->data + (size_t)slot * q->entry_size;

	return (struct entry){ get_be64(at), q->extended ? get_be64(at + 8) : 0 };
}

int qcow2_put_entries(struct qcow2 *q, struct table *t, uint64_t guest, uint32_t n, struct entry e)
{
	uint32_t slot = (uint32_t)(guest & (q->l2_entries - 1));
	size_t size = q->entry_size;
	uint8_t *at = t->data + slot * size;

	for (uint32_t i = 0; i < n; i++) {
		put_be64(at + i * size, e.entry);
		if (q->extended)
			put_be64(at + i * size + 8, e.bitmap);
		if (e.entry & L2_OFFSET && !(e.entry & L2_COMPRESSED))
			e.entry += q->cluster_size;
	}
	return qcow2_changed(
	    q, t, TABLE_L2, (uint32_t)(guest >> q->l2_bits), slot * size, n * size);
}

void qcow2_packed_place(const struct qcow2 *q, uint64_t entry, uint64_t *off, uint64_t *len)
{
	unsigned x = 62 - (q->cluster_bits - 8);
	uint64_t sectors = (entry & ~(L2_COPIED | L2_COMPRESSED)) >> x;

	*off = entry & ((UINT64_C(1) << x) - 1) & (MAX_OFFSET - 1);
	*len = (sectors + 1) * 512 - *off % 512;
}

int qcow2_drop(struct qcow2 *q, struct entry e)
{
	uint64_t off = e.entry & L2_OFFSET, len = 1, first;

	if (e.entry & L2_COMPRESSED)
		qcow2_packed_place(q, e.entry, &off, &len);
	else if (!off)
		return 0;
	if (qcow2_is_guarded(q, off, len)) {
		qcow2_mark_corrupt(q);
		return -EIO;
	}
	first = off >> q->cluster_bits;
	return qcow2_release(q, first, ((off + len - 1) >> q->cluster_bits) - first + 1);
}

/* What an unallocated part is, and how much of it is that. */
static enum extent_kind beneath(const struct qcow2 *q, uint64_t off, uint64_t *len)
{
	uint64_t end = q->backing ? q->backing->size : 0;

	if (off >= end)
		return EXT_ZERO;
	if (*len > end - off)
		*len = end - off;
	return EXT_BACKING;
}

/* What unit u of a cluster is. */
static int classify(const struct qcow2 *q, struct entry e, unsigned u, struct extent *x)
{
	uint64_t off = e.entry & L2_OFFSET;
	bool zero = e.entry & L2_ZERO, data = off && !zero;

	*x = (struct extent){ .kind = EXT_BACKING };
	if (e.entry & L2_COMPRESSED) {
		x->kind = EXT_PACKED;
		x->host = e.entry;
		return 0;
	}
	if (e.entry & L2_RESERVED || off % q->cluster_size ||
	    (zero && (q->version == 2 || q->extended)))
		return -EIO;
	if (q->extended) {
		data = e.bitmap >> u & 1;
		zero = e.bitmap >> (u + SUBCLUSTERS) & 1;
		if (data && (zero || !off))
			return -EIO;
	}
	if (zero) {
		x->kind = EXT_ZERO;
	} else if (data) {
		x->kind = EXT_DATA;
		x->host = off + ((uint64_t)u << q->unit_bits);
		/* What a damaged file has behind its end is not written. */
		x->own = e.entry & L2_COPIED && off < q->file->size;
	}
	return 0;
}

static bool continues(const struct extent *x, uint64_t len, const struct extent *next)
{
	if (x->kind != next->kind || x->kind == EXT_PACKED)
		return false;
	return x->kind != EXT_DATA || (next->host == x->host + len && next->own == x->own);
}

/* The rest of the units of a table, from one on. */
static uint64_t extend(struct qcow2 *q, const struct table *t, uint32_t slot, unsigned u,
    uint64_t have, uint64_t len, const struct extent *x)
{
	unsigned units = 1u << (q->cluster_bits - q->unit_bits);
	struct extent next;

	while (have < len) {
		if (++u == units) {
			u = 0;
			if (++slot == q->l2_entries)
				break;
		}
		/* A bad entry is for who comes to it. */
		if (classify(q, qcow2_entry(q, t, slot), u, &next) < 0 ||
		    !continues(x, have, &next))
			break;
		have += UINT64_C(1) << q->unit_bits;
	}
	return have < len ? have : len;
}

int qcow2_map(struct qcow2 *q, uint64_t off, uint64_t len, struct extent *x)
{
	uint64_t unit = UINT64_C(1) << q->unit_bits, in = off & (unit - 1), have, rest;
	unsigned u = (unsigned)((off & (q->cluster_size - 1)) >> q->unit_bits);
	struct table *t;
	uint32_t slot;
	int rc = qcow2_l2(q, off >> q->cluster_bits, false, &t, &slot);

	if (rc < 0)
		return rc;
	if (!t) {
		rest = ((q->l2_entries - slot) << q->cluster_bits) - (off & (q->cluster_size - 1));
		*x = (struct extent){ .len = rest < len ? rest : len };
		x->kind = beneath(q, off, &x->len);
		return 0;
	}
	rc = classify(q, qcow2_entry(q, t, slot), u, x);
	if (rc < 0)
		return rc;
	if (x->kind == EXT_PACKED) {
		rest = q->cluster_size - (off & (q->cluster_size - 1));
		x->len = rest < len ? rest : len;
		return 0;
	}
	have = extend(q, t, slot, u, unit, in + len, x);
	x->len = have - in;
	if (x->kind == EXT_DATA)
		x->host += in;
	else if (x->kind == EXT_BACKING)
		x->kind = beneath(q, off, &x->len);
	return 0;
}
