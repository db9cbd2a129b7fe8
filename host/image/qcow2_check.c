/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking and repairing qcow2 images.
 */
#include <errno.h>
#include <inttypes.h>

#include "host/image/qcow2_int.h"

int qcow2_reload(struct qcow2 *q)
{
	int rc = 0;

	qcow2_tables_forget(q);
	qcow2_unpacked_forget(q);
	memset(q->guarded, 0, q->guarded_room * sizeof *q->guarded);
	q->guarded_n = 0;
	/* Places for tables are not guarded any more. */
	q->meta.n = q->nmeta = 0;
	q->l1_at.spare = q->reftable_at.spare = 0;
	for (uint32_t i = 0; i < q->l1_size && rc == 0; i++)
		if (q->l1[i] & L2_OFFSET)
			rc = qcow2_guard(q, q->l1[i] & L2_OFFSET);
	for (uint32_t i = 0; i < q->reftable_entries && rc == 0; i++)
		if (q->reftable[i])
			rc = qcow2_guard(q, q->reftable[i]);
	return rc;
}

static int sync_file(struct qcow2 *q)
{
	return q->file->ops->sync(q->file);
}

/* Counts again, without a word. */
static int recount(struct qcow2 *q, struct count *c, struct qcow2_check *none)
{
	*none = (struct qcow2_check){ 0 };
	c->q = q;
	c->o = NULL;
	c->sum = none;
	return qcow2_count(c);
}

/* Whether refcounts can be as high as wanted. */
static int check_width(const struct qcow2 *q, const struct refs *r)
{
	for (uint64_t at = 0; at < refs_end(r); at++) {
		at = refs_skip(r, at);
		if (at < refs_end(r) && refs_get(r, at) > qcow2_refcount_max(q))
			return -EOVERFLOW;
	}
	return 0;
}

/* Puts the COPIED flags of the disk's L2 table i right, in a table of its own if others have it,
 * too. */
static int own_flags(struct qcow2 *q, uint32_t i)
{
	uint64_t off = q->l1[i] & L2_OFFSET, count, mine;
	bool wrong = false;
	struct table *t;
	int rc = qcow2_refcount(q, off >> q->cluster_bits, &mine);

	for (uint64_t k = 0; k < q->l2_entries && rc == 0; k++) {
		uint64_t entry, data;

		rc = qcow2_table(q, off, &t);
		entry = rc == 0 ? get_be64(t->data + k * q->entry_size) : 0;
		data = entry & L2_OFFSET;
		if (entry & L2_COMPRESSED || !data)
			continue;
		rc = qcow2_refcount(q, data >> q->cluster_bits, &count);
		if (rc < 0 || !(entry & L2_COPIED) == (count != 1))
			continue;
		if (!wrong && mine > 1)
			rc = qcow2_copy_l2(q, i, &t);
		else
			rc = qcow2_table(q, off, &t);
		if (rc < 0)
			break;
		wrong = true;
		off = t->offset;
		put_be64(t->data + k * q->entry_size, entry ^ L2_COPIED);
		rc = qcow2_changed(q, t, TABLE_L2, i, k * q->entry_size, 8);
	}
	if (rc == 0 && !(q->l1[i] & L2_COPIED) == (mine == 1) && !(wrong && mine > 1)) {
		q->l1[i] ^= L2_COPIED;
		q->l1_at.dirty = true;
	}
	return rc;
}

int qcow2_settle(struct qcow2 *q)
{
	struct qcow2_check none;
	struct count c = { .q = q };
	uint64_t n = 0;
	int rc = recount(q, &c, &none);

	if (rc == 0 && none.corruptions)
		rc = -EIO;
	if (rc == 0)
		rc = check_width(q, c.refs);
	if (rc < 0) {
		refs_free(c.refs);
		return rc;
	}
	rc = qcow2_raise(&c, &n);
	/* Raising may have made blocks of refcounts. */
	if (rc == 0)
		rc = recount(q, &c, &none);
	if (rc == 0)
		rc = qcow2_lower(&c, &n);
	refs_free(c.refs);
	for (uint32_t i = 0; i < q->l1_size && rc == 0; i++)
		if (q->l1[i] & L2_OFFSET)
			rc = own_flags(q, i);
	q->l1_at.dirty = true;
	if (rc == 0)
		rc = qcow2_commit(q);
	if (rc == 0)
		rc = qcow2_reload(q);
	/* Half done in memory; the file is as before. */
	if (rc < 0)
		q->corrupt = true;
	return rc;
}

/* How many blocks of refcounts the references and the blocks themselves need. */
static uint64_t blocks_for(const struct count *c, uint64_t start, uint64_t *table)
{
	uint64_t each = c->q->refblock_entries, n = 0, before;

	*table = 0;
	do {
		before = n + *table;
		n = (start + before + each - 1) / each;
		*table = clusters_of(c->q, n * 8);
	} while (n + *table != before);
	return n;
}

static int write_block(struct count *c, uint64_t b, uint64_t start, uint64_t end, uint8_t *bytes)
{
	struct qcow2 *q = c->q;
	uint64_t each = q->refblock_entries;

	memset(bytes, 0, q->cluster_size);
	for (uint64_t i = 0; i < each; i++) {
		uint64_t at = b * each + i, v = refs_get(c->refs, at);

		if (at >= start && at < end)
			v = 1;
		if (v > qcow2_refcount_max(q))
			return -EOVERFLOW;
		if (v)
			qcow2_refcount_put(q, bytes, i, v);
	}
	return qcow2_file_put(q->file, bytes, q->cluster_size, (start + b) << q->cluster_bits);
}

static int show_reftable(struct qcow2 *q, uint64_t offset, uint64_t clusters)
{
	uint8_t roots[ROOTS_TO - ROOTS_FROM];

	q->reftable_at = (struct root){ .offset = offset, .clusters = clusters };
	qcow2_make_roots(q, roots);
	return qcow2_put_roots(q, roots);
}

/* A new table of refcounts and all of its blocks, at the end of the file. */
static int rebuild(struct qcow2 *q)
{
	struct qcow2_check none;
	struct count c = { .q = q, .without_refcounts = true };
	uint64_t start, blocks = 0, table = 0, *entries = NULL;
	uint8_t *bytes = malloc(q->cluster_size), *text = NULL;
	int rc = recount(q, &c, &none);

	start = c.refs && refs_end(c.refs) > c.in_file ? refs_end(c.refs) : c.in_file;
	if (rc == 0) {
		blocks = blocks_for(&c, start, &table);
		entries = calloc((table << q->cluster_bits) / 8, sizeof *entries);
		text = calloc(table, q->cluster_size);
		rc = !bytes || !entries || !text ? -ENOMEM : blocks * 8 > MAX_REFTABLE ? -EFBIG : 0;
	}
	if (rc == 0)
		rc = qcow2_file_grow(q->file, (start + blocks + table) << q->cluster_bits);
	for (uint64_t b = 0; b < blocks && rc == 0; b++) {
		rc = write_block(&c, b, start, start + blocks + table, bytes);
		entries[b] = (start + b) << q->cluster_bits;
		put_be64(text + 8 * b, entries[b]);
	}
	if (rc == 0)
		rc = qcow2_file_put(
		    q->file, text, table << q->cluster_bits, (start + blocks) << q->cluster_bits);
	if (rc == 0)
		rc = sync_file(q);
	if (rc == 0)
		rc = show_reftable(q, (start + blocks) << q->cluster_bits, table);
	if (rc == 0)
		rc = sync_file(q);
	if (rc == 0) {
		free(q->reftable);
		q->reftable = entries;
		entries = NULL;
		q->reftable_entries = (uint32_t)((table << q->cluster_bits) / 8);
		rc = qcow2_reload(q);
	}
	free(entries);
	free(text);
	free(bytes);
	refs_free(c.refs);
	return rc;
}

/* Compares and only counts. */
static int compare(struct count *c)
{
	struct qcow2 *q = c->q;
	uint64_t covered = q->reftable_entries * q->refblock_entries, count, wanted, run;
	uint64_t end = refs_end(c->refs) > covered ? refs_end(c->refs) : covered;
	bool is_free;
	int rc = 0;

	for (uint64_t at = 0; at < end && rc == 0; at += run) {
		run = qcow2_free_run(q, at, end - at, &is_free);
		if (is_free) {
			uint64_t next = refs_skip(c->refs, at);

			if (next > at + run || next >= refs_end(c->refs))
				continue;
			at = next > at ? next : at;
		}
		run = 1;
		wanted = refs_get(c->refs, at);
		if (at < end && qcow2_refcount(q, at, &count) < 0) {
			c->broken = true;
			c->sum->corruptions += wanted > 0;
			continue;
		}
		if (at >= end || count == wanted)
			continue;
		qcow2_finding(c,
		    "the cluster at 0x%" PRIx64 " has refcount %" PRIu64 ", and %" PRIu64
		    " references",
		    at << q->cluster_bits, count, wanted);
		*(count < wanted ? &c->sum->corruptions : &c->sum->leaks) += 1;
	}
	return rc;
}

static int fix_all(struct count *c, struct qcow2_check *sum)
{
	struct qcow2 *q = c->q;
	struct qcow2_check none;
	uint64_t end = refs_end(c->refs), n = 0;
	int rc = 0;

	/* A crash can have lost the file's end, which nobody had synced. */
	if (end > c->in_file)
		rc = qcow2_file_grow(q->file, end << q->cluster_bits);
	if (rc == 0 && c->broken)
		rc = rebuild(q);
	q->scan = clusters_of(q, q->file->size);
	if (rc == 0)
		rc = recount(q, c, &none);
	if (rc == 0)
		rc = qcow2_raise(c, &n);
	if (rc == 0)
		rc = qcow2_commit(q);
	/* What is still wrong cannot be put right. */
	if (rc == 0)
		rc = recount(q, c, &none);
	if (rc == 0)
		sum->corruptions_fixed = sum->corruptions - none.corruptions;
	return rc;
}

static int fix(struct count *c, unsigned what, struct qcow2_check *sum)
{
	struct qcow2 *q = c->q;
	uint64_t before = sum->leaks, n = 0, flags = 0;
	int rc = 0;

	if (what != QCOW2_FIX_ALL && c->broken)
		return 0;
	/* What is wrong must not decide where tables go. */
	q->in_place = true;
	if (what == QCOW2_FIX_ALL)
		rc = fix_all(c, sum);
	if (rc == 0)
		rc = qcow2_lower(c, &n);
	if (rc == 0)
		rc = qcow2_commit(q);
	q->in_place = false;
	sum->leaks_fixed = n < before ? n : before;
	if (rc == 0)
		rc = qcow2_flags(c, FLAGS_BOTH, &flags);
	if (rc == 0)
		rc = qcow2_reload(q);
	if (rc == 0)
		rc = sync_file(q);
	q->pool.n = q->cold.n = q->freed_n = 0;
	q->scan = q->trim = 0;
	return rc;
}

int qcow2_check(struct image *i, const struct qcow2_check_options *o, struct qcow2_check *sum)
{
	struct qcow2 *q = qcow2_of(i);
	struct count c = { .q = q, .o = o, .sum = sum };
	uint64_t flags = 0;
	int rc = q->writable ? qcow2_commit(q) : 0;

	*sum = (struct qcow2_check){ .total = clusters_of(q, i->size) };
	if (rc == 0)
		rc = qcow2_count(&c);
	/* With broken tables there is nothing to compare. */
	if (rc == 0 && !c.broken)
		rc = compare(&c);
	if (rc == 0 && !c.broken)
		rc = qcow2_flags(&c, FLAGS_LOOK, &flags);
	sum->end = c.refs ? refs_end(c.refs) << q->cluster_bits : 0;
	sum->corruptions += flags;
	c.o = NULL;
	if (rc == 0 && o->fix && (sum->leaks || (o->fix == QCOW2_FIX_ALL && sum->corruptions)))
		rc = fix(&c, o->fix, sum);
	refs_free(c.refs);
	if (rc == 0 && o->fix == QCOW2_FIX_ALL && sum->corruptions == sum->corruptions_fixed &&
	    q->incompatible & (I_DIRTY | I_CORRUPT) && !q->touched) {
		q->incompatible &= ~(uint64_t)(I_DIRTY | I_CORRUPT);
		q->corrupt = false;
		rc = qcow2_put_features(q);
		if (rc == 0)
			rc = sync_file(q);
	}
	return rc;
}

int qcow2_repair(struct qcow2 *q, struct err *e)
{
	struct qcow2_check_options o = { .fix = QCOW2_FIX_ALL };
	struct qcow2_check sum;
	int rc = qcow2_check(&q->image, &o, &sum);

	if (rc < 0)
		return err_set(e, -rc, "disk %s was not closed, and cannot be repaired: %s",
		    q->path, strerror(-rc));
	if (sum.corruptions > sum.corruptions_fixed)
		return qcow2_bad(
		    q, e, "was not closed, and is damaged: lodge img check -r all says more");
	return 0;
}
