/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a qcow2 image's metadata gets to the disk, all at once: see qcow2_int.h.
 */
#include <errno.h>

#include "host/image/qcow2_int.h"

enum {
	SECTOR = 512,
	GIVEN_UP_MAX = 4096,  /* runs of clusters: more of them make a commit of their own */
	DIRTY_MAX_FIXED = 16, /* tables, where room for them is short */
};

bool qcow2_has_much(const struct qcow2 *q)
{
	unsigned most = q->file->fixed ? DIRTY_MAX_FIXED : q->tables_max / 2;

	return q->ndirty > most || q->given_up.n > GIVEN_UP_MAX;
}

/* What names a table. */
static void name_table(struct qcow2 *q, const struct table *t)
{
	if (t->kind == TABLE_L2) {
		q->l1[t->index] = t->offset | L2_COPIED;
		q->l1_at.dirty = true;
	} else {
		q->reftable[t->index] = t->offset;
		q->reftable_at.dirty = true;
	}
}

/* In a damaged image they may have no refcounts. */
static int release(struct qcow2 *q, uint64_t at, uint64_t n, struct runs *freed)
{
	uint64_t count = 0;
	int rc = 0;

	for (uint64_t i = 0; i < n && rc == 0; i++) {
		rc = qcow2_refcount(q, at + i, &count);
		if (rc == 0 && count)
			rc = qcow2_refcount_add(q, at + i, 1, -1, freed);
	}
	return rc;
}

/* A place that the tree on the disk does not have. */
static int place(struct qcow2 *q, struct table *t)
{
	uint64_t old = t->offset, at = t->spare >> q->cluster_bits;
	int rc = at ? 0 : qcow2_take_meta(q, true, &at);

	if (rc == 0)
		rc = qcow2_claim(q, at, 1);
	if (rc == 0)
		rc = release(q, old >> q->cluster_bits, 1, NULL);
	if (rc < 0)
		return rc;
	if (!t->spare)
		t->missed = (struct span){ 0, q->cluster_size };
	t->spare = 0;
	t->old = old;
	t->fresh = true;
	qcow2_table_moved(q, t, at << q->cluster_bits);
	name_table(q, t);
	return 0;
}

static int take_root(struct qcow2 *q, const struct root *r, uint64_t n, uint64_t *at)
{
	int rc = 0;

	if (r->spare && n == r->clusters) {
		*at = r->spare >> q->cluster_bits;
	} else if (n == 1) {
		rc = qcow2_take_meta(q, true, at);
		/* Roots need no guard of this kind. */
		if (rc == 0)
			qcow2_unguard(q, *at << q->cluster_bits);
	} else {
		rc = qcow2_take_row(q, n, at);
	}
	return rc;
}

/* The same for a root, which can have become longer. */
static int place_root(struct qcow2 *q, struct root *r, uint64_t n)
{
	uint64_t old = r->offset, at;
	bool same = n == r->clusters, keep = same && !r->fresh;
	int rc = take_root(q, r, n, &at);

	if (rc == 0)
		rc = qcow2_refcount_add(q, at, n, 1, NULL);
	if (rc == 0)
		rc = release(q, old >> q->cluster_bits, r->clusters, keep ? NULL : &q->given_up);
	if (rc < 0)
		return rc;
	qcow2_row_done(q, at);
	r->whole = !(r->spare && same);
	/* Where the tree on the disk has it, if this is its second place since. */
	if (r->old)
		rc = runs_add(&q->given_up, r->old >> q->cluster_bits, r->clusters);
	if (r->spare && !same && rc == 0)
		rc = runs_add(&q->given_up, r->spare >> q->cluster_bits, r->clusters);
	r->spare = 0;
	r->old = keep ? old : 0;
	r->offset = at << q->cluster_bits;
	r->clusters = n;
	r->fresh = true;
	return rc;
}

static bool stays(const struct qcow2 *q, const struct root *r, uint64_t n)
{
	return !r->dirty || (n == r->clusters && (r->fresh || q->in_place));
}

/* Places for all that changed.  Each of them changes refcounts, and so may make others change. */
static int place_all(struct qcow2 *q)
{
	bool again = true;
	int rc = 0;

	while (again && rc == 0) {
		uint64_t l1 = clusters_of(q, q->l1_size * UINT64_C(8));
		uint64_t refs = clusters_of(q, q->reftable_entries * UINT64_C(8));

		again = false;
		for (struct table *t = q->dirty; t && rc == 0 && !q->in_place; t = t->next)
			if (!t->fresh) {
				again = true;
				rc = place(q, t);
			}
		if (rc == 0 && !stays(q, &q->l1_at, l1)) {
			again = true;
			rc = place_root(q, &q->l1_at, l1);
		}
		if (rc == 0 && !stays(q, &q->reftable_at, refs)) {
			again = true;
			rc = place_root(q, &q->reftable_at, refs);
		}
	}
	return rc;
}

static int write_table(struct qcow2 *q, const struct table *t)
{
	struct span s = t->changed;

	if (t->fresh)
		span_add(&s, t->missed);
	s.from = s.from / SECTOR * SECTOR;
	s.to = round_up(s.to, SECTOR);
	return qcow2_file_put(q->file, t->data + s.from, s.to - s.from, t->offset + s.from);
}

/* Zeroes at its end are there already, except in a new place. */
static int write_root(struct qcow2 *q, struct root *r, const uint64_t *v, uint64_t n)
{
	uint64_t bytes;
	uint8_t *text;
	int rc;

	if (!r->dirty)
		return 0;
	while (!r->whole && n > 1 && !v[n - 1])
		n--;
	bytes = r->whole ? r->clusters << q->cluster_bits : round_up(n * 8, SECTOR);
	text = calloc(1, bytes);
	if (!text)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i++)
		put_be64(text + 8 * i, v[i]);
	rc = qcow2_file_put(q->file, text, bytes, r->offset);
	free(text);
	if (rc == 0)
		r->whole = false;
	return rc;
}

static int write_all(struct qcow2 *q)
{
	int rc = 0;

	for (struct table *t = q->dirty; t && rc == 0; t = t->next)
		rc = write_table(q, t);
	if (rc == 0)
		rc = write_root(q, &q->l1_at, q->l1, q->l1_size);
	if (rc == 0)
		rc = write_root(q, &q->reftable_at, q->reftable, q->reftable_entries);
	return rc;
}

/* From here on changes are for the next commit. */
static void begin(struct qcow2 *q)
{
	q->in_commit = q->dirty;
	q->dirty = NULL;
	q->ndirty = 0;
	for (struct table *t = q->in_commit; t; t = t->next) {
		t->dirty = false;
		t->in_commit = true;
		t->written = t->changed;
		t->changed = (struct span){ 0, 0 };
	}
	q->l1_at.dirty = q->reftable_at.dirty = false;
	q->in_commit_given_up = q->given_up;
	q->given_up = (struct runs){ 0 };
}

static void end_table(struct qcow2 *q, struct table *t, bool done)
{
	if (!done) {
		/* Both places may be in the tree on the disk: it needs a third one. */
		if (t->old) {
			qcow2_unguard(q, t->old);
			(void)runs_add(&q->given_up, t->old >> q->cluster_bits, 1);
		}
		span_add(&t->changed, (struct span){ 0, q->cluster_size });
		q->ndirty += !t->dirty;
		t->dirty = true;
	} else if (t->old) {
		t->spare = t->old;
		t->missed = t->written;
		if (q->file->fixed)
			qcow2_give_spare(q, t);
	} else if (!t->fresh) {
		span_add(&t->missed, t->written);
	}
	t->old = 0;
	t->fresh = t->in_commit = false;
	if (t->dirty) {
		t->next = q->dirty;
		q->dirty = t;
	}
}

static void end_root(struct qcow2 *q, struct root *r, bool done)
{
	if (!done) {
		if (r->old)
			(void)runs_add(&q->given_up, r->old >> q->cluster_bits, r->clusters);
		r->dirty = true;
	} else if (r->old) {
		r->spare = r->old;
	}
	r->old = 0;
	r->fresh = false;
}

static int keep_freed(struct qcow2 *q, const struct runs *r)
{
	struct freed *f = realloc(q->freed, (q->freed_n + r->n + 1) * sizeof *f);

	if (!f)
		return -ENOMEM;
	q->freed = f;
	for (unsigned i = 0; i < r->n; i++)
		f[q->freed_n++] = (struct freed){ r->v[i].at, r->v[i].n, q->grace };
	return 0;
}

static void end(struct qcow2 *q, bool done)
{
	struct runs r = q->in_commit_given_up;
	struct table *t = q->in_commit, *next;

	q->in_commit = NULL;
	q->in_commit_given_up = (struct runs){ 0 };
	for (; t; t = next) {
		next = t->next;
		end_table(q, t, done);
	}
	end_root(q, &q->l1_at, done);
	end_root(q, &q->reftable_at, done);
	/* Without memory, what was given up is lost until the image is opened again. */
	if (done)
		(void)keep_freed(q, &r);
	for (unsigned i = 0; i < r.n && !done; i++)
		(void)runs_add(&q->given_up, r.v[i].at, r.v[i].n);
	free(r.v);
	if (done)
		qcow2_reuse(q);
}

static int sync_unlocked(struct qcow2 *q)
{
	int rc;

	mutex_unlock(&q->lock);
	rc = q->file->ops->sync(q->file);
	mutex_lock(&q->lock);
	return rc;
}

static int commit(struct qcow2 *q)
{
	uint8_t roots[ROOTS_TO - ROOTS_FROM];
	int rc;

	if (!q->dirty && !q->l1_at.dirty && !q->reftable_at.dirty)
		return sync_unlocked(q);
	rc = q->corrupt && !q->in_place ? -EIO : place_all(q);
	if (rc == 0)
		rc = write_all(q);
	if (rc < 0)
		return rc;
	begin(q);
	qcow2_make_roots(q, roots);
	rc = sync_unlocked(q);
	if (rc == 0)
		rc = qcow2_put_roots(q, roots);
	if (rc == 0)
		rc = sync_unlocked(q);
	end(q, rc == 0);
	return rc;
}

int qcow2_commit(struct qcow2 *q)
{
	int rc;

	mutex_lock(&q->lock);
	while (q->committing)
		cond_wait(&q->cond, &q->lock);
	q->committing = true;
	rc = commit(q);
	q->committing = false;
	cond_broadcast(&q->cond);
	mutex_unlock(&q->lock);
	return rc;
}

static int first_touch(struct qcow2 *q)
{
	uint64_t whole = clusters_of(q, q->file->size) << q->cluster_bits;
	int rc = q->bitmaps ? qcow2_bitmaps_spoil(q, false) : 0;

	if (rc == 0)
		rc = q->file->fixed ? qcow2_reserve(q) : qcow2_file_grow(q->file, whole);
	if (rc < 0)
		return rc;
	q->autoclear &= A_BITMAPS;
	rc = qcow2_put_features(q);
	return rc < 0 ? rc : q->file->ops->sync(q->file);
}

int qcow2_touch(struct qcow2 *q)
{
	int rc = 0;

	if (q->touched)
		return q->corrupt ? -EIO : 0;
	mutex_lock(&q->lock);
	if (!q->touched) {
		rc = q->corrupt ? -EIO : first_touch(q);
		q->touched = rc == 0;
	}
	mutex_unlock(&q->lock);
	return rc;
}

int qcow2_clean(struct qcow2 *q)
{
	int rc = qcow2_commit(q);

	if (rc < 0 || !q->touched || q->corrupt)
		return rc;
	qcow2_trim(q);
	rc = q->file->ops->sync(q->file);
	q->touched = false;
	return rc < 0 ? rc : qcow2_reload(q);
}

void qcow2_mark_corrupt(struct qcow2 *q)
{
	if (q->corrupt)
		return;
	q->corrupt = true;
	if (q->version > 2 && q->writable) {
		q->incompatible |= I_CORRUPT;
		(void)qcow2_put_features(q);
	}
}

unsigned qcow2_enter(struct qcow2 *q)
{
	unsigned side = q->grace & 1;

	q->inside[side]++;
	return side;
}

void qcow2_leave(struct qcow2 *q, unsigned side)
{
	q->inside[side]--;
}
