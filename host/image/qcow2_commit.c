/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order in which a qcow2 image's metadata gets to the disk: see qcow2_int.h.
 */
#include <errno.h>

#include "host/image/qcow2_int.h"

enum { PUT_MAX = 4096 }; /* bytes of neighbouring entries that are written at a time */

static uint16_t *later_of(struct qcow2 *q, struct table *t)
{
	if (!t)
		return q->l1_later;
	if (!t->later)
		t->later = calloc(q->l2_entries, sizeof *t->later);
	return t->later;
}

int qcow2_change(struct qcow2 *q, struct table *t, uint32_t slot, struct entry e)
{
	uint16_t *later = later_of(q, t);
	struct set *s = &q->open;
	struct change *c;

	if (!later || later[slot] == UINT16_MAX)
		return -ENOMEM;
	if (s->n == s->room) {
		c = realloc(s->changes, (s->room ? s->room * 2 : 64) * sizeof *c);
		if (!c)
			return -ENOMEM;
		s->changes = c;
		s->room = s->room ? s->room * 2 : 64;
	}
	s->changes[s->n++] = (struct change){ t, slot, e };
	later[slot]++;
	if (t)
		t->waiting++;
	return 0;
}

void qcow2_set_fini(struct set *s)
{
	free(s->changes);
	free(s->claims.v);
	free(s->releases.v);
	free(s->freed.v);
	*s = (struct set){ 0 };
}

static int append(struct runs *to, const struct runs *from)
{
	int rc = 0;

	for (unsigned i = 0; i < from->n && rc == 0; i++)
		rc = runs_add(to, from->v[i].at, from->v[i].n);
	return rc;
}

/* After a failure: what was to be written, and then what came meanwhile, waits again. */
static void reopen(struct qcow2 *q)
{
	struct set newer = q->open;
	struct change *c;

	q->open = q->closing;
	q->closing = (struct set){ 0 };
	if (newer.n) {
		c = realloc(q->open.changes, (q->open.n + newer.n) * sizeof *c);
		if (c) {
			memcpy(c + q->open.n, newer.changes, newer.n * sizeof *c);
			q->open.changes = c;
			q->open.n += newer.n;
			q->open.room = q->open.n;
		} else {
			q->corrupt = true; /* memory and file would part: no more writes */
		}
	}
	if (append(&q->open.claims, &newer.claims) < 0 ||
	    append(&q->open.releases, &newer.releases) < 0 ||
	    append(&q->open.freed, &newer.freed) < 0)
		q->corrupt = true;
	qcow2_set_fini(&newer);
}

/* Refcounts by runs; those that are done are taken out, so that a failure does not repeat them. */
static int count_runs(struct qcow2 *q, struct runs *r, int delta, struct runs *freed)
{
	unsigned done = 0;
	int rc = 0;

	while (done < r->n && rc == 0) {
		rc = qcow2_refcount_add(q, r->v[done].at, r->v[done].n, delta, freed);
		if (rc == 0)
			done++;
	}
	if (done)
		memmove(r->v, r->v + done, (r->n - done) * sizeof *r->v);
	r->n -= done;
	return rc;
}

/* Neighbours in one write: how many they were. */
static unsigned put_changes(struct qcow2 *q, const struct change *c, unsigned n, int *rc)
{
	unsigned size = c->table ? q->entry_size : 8, run = 0;
	uint64_t base = c->table ? c->table->offset : q->l1_offset;
	uint8_t bytes[PUT_MAX];

	while (run < n && c[run].table == c->table && c[run].slot == c->slot + run &&
	       (run + 1) * size <= PUT_MAX) {
		put_be64(bytes + run * size, c[run].entry.entry);
		if (size == 16)
			put_be64(bytes + run * size + 8, c[run].entry.bitmap);
		run++;
	}
	*rc = qcow2_file_put(q->file, bytes, run * size, base + (uint64_t)c->slot * size);
	return run;
}

static int write_changes(struct qcow2 *q, struct set *s)
{
	int rc = 0;

	for (unsigned i = 0; i < s->n && rc == 0;)
		i += put_changes(q, s->changes + i, s->n - i, &rc);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < s->n; i++) {
		struct table *t = s->changes[i].table;

		(t ? t->later : q->l1_later)[s->changes[i].slot]--;
		if (t)
			t->waiting--;
	}
	s->n = 0;
	return 0;
}

static int sync_unlocked(struct qcow2 *q)
{
	int rc;

	mutex_unlock(&q->lock);
	rc = q->file->ops->sync(q->file);
	mutex_lock(&q->lock);
	return rc;
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

/* With q->closing: what waited, in its order. */
static int commit_set(struct qcow2 *q, struct set *s)
{
	bool early = q->version == 2;
	bool changes = s->n || s->claims.n || s->releases.n;
	int rc = 0;

	if (early)
		rc = count_runs(q, &s->claims, 1, NULL);
	if (rc == 0)
		rc = sync_unlocked(q);
	if (rc < 0 || !changes)
		return rc;
	rc = count_runs(q, &s->claims, 1, NULL);
	if (rc == 0)
		rc = write_changes(q, s);
	if (rc == 0 && !early)
		rc = count_runs(q, &s->releases, -1, &s->freed);
	if (rc == 0)
		rc = sync_unlocked(q);
	if (rc == 0)
		rc = count_runs(q, &s->releases, -1, &s->freed);
	return rc;
}

int qcow2_commit(struct qcow2 *q)
{
	int rc;

	mutex_lock(&q->lock);
	while (q->committing)
		cond_wait(&q->cond, &q->lock);
	q->committing = true;
	q->closing = q->open;
	q->open = (struct set){ 0 };
	rc = commit_set(q, &q->closing);
	if (rc < 0) {
		reopen(q);
	} else {
		/* Without memory, what was freed is lost until the image is opened again. */
		(void)keep_freed(q, &q->closing.freed);
		qcow2_set_fini(&q->closing);
		qcow2_reuse(q);
	}
	q->committing = false;
	cond_broadcast(&q->cond);
	mutex_unlock(&q->lock);
	return rc;
}

static int first_touch(struct qcow2 *q)
{
	uint64_t whole = clusters_of(q, q->file->size) << q->cluster_bits;
	int rc = q->bitmaps ? qcow2_bitmaps_spoil(q, false) : 0;

	if (rc == 0 && !q->file->fixed)
		rc = qcow2_file_grow(q->file, whole);
	if (rc < 0)
		return rc;
	q->autoclear &= A_BITMAPS;
	if (q->version > 2)
		q->incompatible |= I_DIRTY;
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
	if (rc < 0 || q->version == 2)
		return rc;
	q->incompatible &= ~(uint64_t)I_DIRTY;
	rc = qcow2_put_features(q);
	if (rc == 0)
		rc = q->file->ops->sync(q->file);
	q->touched = false;
	return rc;
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
