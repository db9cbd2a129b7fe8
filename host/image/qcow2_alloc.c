/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which clusters of a qcow2 image's file are used next.  The file is looked through for free ones
 * once, from its start to its end; then it grows.  Those that are given up meanwhile come back by
 * a way of their own, so no cluster is found twice.
 */
#include <errno.h>

#include "host/image/qcow2_int.h"

enum {
	SCAN_MIN = 64,         /* clusters that are looked for at a time, or */
	SCAN_BYTES = 64 << 20, /* so many bytes, */
	SCAN_BLOCKS = 512,     /* in at most so many steps */
	GROW_MIN = 16 << 20,   /* by how much the file grows */
	GROW_MAX = 1 << 30,
	TRIM_MAX = 1 << 24, /* clusters that are looked at for it */
	META_ROW = 8,       /* clusters for tables that are taken at a time */
	META_RESERVE = 64,  /* before data takes all that a device has */
};

int runs_add(struct runs *r, uint64_t at, uint64_t n)
{
	struct run *v;

	if (r->n && r->v[r->n - 1].at + r->v[r->n - 1].n == at) {
		r->v[r->n - 1].n += n;
		return 0;
	}
	if (r->n == r->room) {
		v = realloc(r->v, (r->room ? r->room * 2 : 16) * sizeof *v);
		if (!v)
			return -ENOMEM;
		r->v = v;
		r->room = r->room ? r->room * 2 : 16;
	}
	r->v[r->n++] = (struct run){ at, n };
	return 0;
}

/* Which of n runs at `at` or behind it is the first, if it is before *next. */
static void find_next(const struct run *v, unsigned n, uint64_t at, uint64_t *next, uint64_t *len)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].at + v[i].n > at && v[i].at < *next) {
			*next = v[i].at > at ? v[i].at : at;
			*len = v[i].at + v[i].n - *next;
		}
}

/* Where the next begins, from `at` on, that is free in the file and is not to be found now: it is
 * somebody's, or was freed a moment ago. *n: how long it is. */
static uint64_t next_reserved(const struct qcow2 *q, uint64_t at, uint64_t *n)
{
	uint64_t next = UINT64_MAX;

	*n = 0;
	find_next(q->rows.v, q->rows.n, at, &next, n);
	find_next(q->given_up.v, q->given_up.n, at, &next, n);
	find_next(q->in_commit_given_up.v, q->in_commit_given_up.n, at, &next, n);
	for (unsigned i = 0; i < q->freed_n; i++)
		find_next(&(struct run){ q->freed[i].at, q->freed[i].n }, 1, at, &next, n);
	return next;
}

/* Makes a run of free clusters zeroes.  Those that were not looked at will be found. */
static int chill(struct qcow2 *q, uint64_t at, uint64_t n)
{
	int rc = q->file->ops->zero(q->file, at << q->cluster_bits, n << q->cluster_bits, true);

	/* Nothing is added to what was packed there. */
	if (q->packed >> q->cluster_bits >= at && q->packed >> q->cluster_bits < at + n)
		q->packed = 0;
	if (rc < 0 || at >= q->scan)
		return rc;
	return runs_add(&q->cold, at, at + n < q->scan ? n : q->scan - at);
}

/* As chill, without those that metadata is in, whatever their refcounts say. */
static int chill_unguarded(struct qcow2 *q, uint64_t at, uint64_t n)
{
	uint64_t from = at, size = q->cluster_size;
	int rc = 0;

	for (uint64_t c = at; c < at + n && rc == 0; c++)
		if (qcow2_is_guarded(q, c << q->cluster_bits, size)) {
			rc = c > from ? chill(q, from, c - from) : 0;
			from = c + 1;
		}
	return rc < 0 || from == at + n ? rc : chill(q, from, at + n - from);
}

/* Looks on for free clusters. */
static int scan(struct qcow2 *q)
{
	uint64_t want = SCAN_BYTES >> q->cluster_bits, end = q->file->size >> q->cluster_bits;
	uint64_t reserved, skip, run;
	bool is_free;
	int rc = 0;

	if (want < SCAN_MIN)
		want = SCAN_MIN;
	for (int step = 0; step < SCAN_BLOCKS && q->scan < end && want && rc == 0; step++) {
		reserved = next_reserved(q, q->scan, &skip);
		if (reserved == q->scan) {
			q->scan += skip;
			continue;
		}
		run = (reserved < end ? reserved : end) - q->scan;
		run = qcow2_free_run(q, q->scan, run, &is_free);
		if (is_free && run > want)
			run = want;
		q->scan += run;
		if (is_free) {
			rc = chill_unguarded(q, q->scan - run, run);
			want -= run;
		}
	}
	return rc;
}

/* The file's end becomes fresh clusters. */
static int grow(struct qcow2 *q, uint64_t want)
{
	uint64_t end = clusters_of(q, q->file->size), step = q->file->size / 8;
	int rc;

	if (q->file->fixed)
		return -ENOSPC;
	step = step < GROW_MIN ? GROW_MIN : step > GROW_MAX ? GROW_MAX : step;
	step = clusters_of(q, step);
	if (step < want)
		step = want;
	if ((end + step) << q->cluster_bits > MAX_OFFSET)
		return -EFBIG;
	rc = qcow2_file_grow(q->file, (end + step) << q->cluster_bits);
	if (rc < 0) {
		step = want;
		rc = qcow2_file_grow(q->file, (end + step) << q->cluster_bits);
	}
	if (rc == 0)
		rc = runs_add(&q->pool, end, step);
	if (rc == 0)
		q->scan = end + step;
	return rc;
}

static int refill(struct qcow2 *q, uint64_t want)
{
	uint64_t before;
	int rc = 0;

	do {
		before = q->scan;
		if (!q->cold.n)
			rc = scan(q);
	} while (rc == 0 && !q->cold.n && q->scan != before);
	if (rc == 0 && !q->cold.n)
		return grow(q, want);
	/* Their zeroes have to be there before somebody relies on them. */
	if (rc == 0)
		rc = q->file->ops->sync(q->file);
	for (unsigned i = q->cold.n; i-- && rc == 0;) {
		rc = runs_add(&q->pool, q->cold.v[i].at, q->cold.v[i].n);
		if (rc == 0)
			q->cold.n--;
	}
	return rc;
}

int qcow2_take(struct qcow2 *q, uint64_t want, uint64_t *at, uint64_t *got)
{
	struct run *r;
	int rc = q->pool.n ? 0 : refill(q, want);

	if (rc < 0)
		return rc;
	r = &q->pool.v[q->pool.n - 1];
	*at = r->at;
	*got = r->n < want ? r->n : want;
	r->at += *got;
	r->n -= *got;
	if (!r->n)
		q->pool.n--;
	return 0;
}

void qcow2_untake(struct qcow2 *q, uint64_t at, uint64_t n, bool fresh)
{
	/* Without memory they are lost until the image is opened the next time. */
	if (fresh)
		(void)runs_add(&q->pool, at, n);
	else
		(void)chill(q, at, n);
}

/* On a device that cannot grow. */
static int find_row(struct qcow2 *q, uint64_t n, uint64_t *at)
{
	uint64_t end = q->file->size >> q->cluster_bits, from = q->scan, c = q->scan, skip, run;
	bool is_free;

	while (c < end && c - from < n) {
		if (next_reserved(q, c, &skip) == c) {
			c += skip;
			from = c;
			continue;
		}
		run = qcow2_free_run(q, c, 1, &is_free);
		c += run;
		if (!is_free || qcow2_is_guarded(q, (c - 1) << q->cluster_bits, 1))
			from = c;
	}
	*at = from;
	return c - from >= n ? 0 : -ENOSPC;
}

int qcow2_take_row(struct qcow2 *q, uint64_t n, uint64_t *at)
{
	uint64_t got;
	int rc = qcow2_take(q, n, at, &got);

	if (rc == 0 && got == n)
		return 0;
	if (rc == 0)
		qcow2_untake(q, *at, got, true);
	*at = clusters_of(q, q->file->size);
	if (q->file->fixed)
		rc = find_row(q, n, at);
	else if ((*at + n) << q->cluster_bits > MAX_OFFSET)
		rc = -EFBIG;
	else
		rc = qcow2_file_grow(q->file, (*at + n) << q->cluster_bits);
	/* Kept apart, as it may lie behind another. */
	if (rc == 0 && runs_add(&q->rows, UINT64_MAX, 0) < 0)
		rc = -ENOMEM;
	if (rc == 0)
		q->rows.v[q->rows.n - 1] = (struct run){ *at, n };
	return rc;
}

void qcow2_row_done(struct qcow2 *q, uint64_t at)
{
	for (unsigned i = 0; i < q->rows.n; i++)
		if (q->rows.v[i].at == at) {
			q->rows.v[i] = q->rows.v[--q->rows.n];
			return;
		}
}

static int add_meta(struct qcow2 *q)
{
	uint64_t at, got = 0;
	int rc = qcow2_take(q, META_ROW, &at, &got);

	if (rc == 0)
		rc = runs_add(&q->meta, at, got);
	for (uint64_t i = 0; i < got && rc == 0; i++)
		rc = qcow2_guard(q, (at + i) << q->cluster_bits);
	q->nmeta += (unsigned)got;
	return rc;
}

int qcow2_reserve(struct qcow2 *q)
{
	int rc = 0;

	for (unsigned i = 0; i < META_RESERVE && rc == 0; i += META_ROW)
		rc = add_meta(q);
	return rc == -ENOSPC ? 0 : rc;
}

int qcow2_take_meta(struct qcow2 *q, bool in_commit, uint64_t *at)
{
	bool short_of = !in_commit && q->file->fixed && q->nmeta <= META_RESERVE;
	struct run *r;
	int rc = q->meta.n && !short_of ? 0 : add_meta(q);

	if (rc < 0)
		return rc;
	q->nmeta--;
	r = &q->meta.v[q->meta.n - 1];
	*at = r->at++;
	if (!--r->n)
		q->meta.n--;
	return 0;
}

int qcow2_claim(struct qcow2 *q, uint64_t at, uint64_t n)
{
	return qcow2_refcount_add(q, at, n, 1, NULL);
}

int qcow2_release(struct qcow2 *q, uint64_t at, uint64_t n)
{
	return qcow2_refcount_add(q, at, n, -1, &q->given_up);
}

void qcow2_reuse(struct qcow2 *q)
{
	unsigned kept = 0;

	/* Who came two changes of grace ago is gone when the one between has nobody inside. */
	for (int i = 0; i < 2 && q->inside[(q->grace + 1) & 1] == 0; i++)
		q->grace++;
	for (unsigned i = 0; i < q->freed_n; i++) {
		struct freed f = q->freed[i];

		/* What cannot be made zeroes now is free in the file, and is lost until later. */
		if (f.grace + 2 <= q->grace)
			(void)chill(q, f.at, f.n);
		else
			q->freed[kept++] = f;
	}
	q->freed_n = kept;
}

void qcow2_trim(struct qcow2 *q)
{
	uint64_t end = clusters_of(q, q->file->size), at = q->trim, run, last = at ? at : 1;
	bool is_free;

	if (q->file->fixed)
		return;
	while (at < end && end - at < TRIM_MAX) {
		run = qcow2_free_run(q, at, end - at, &is_free);
		at += run;
		if (!is_free)
			last = at;
	}
	if (at == end && last < end && q->file->ops->resize(q->file, last << q->cluster_bits) == 0)
		q->file->size = last << q->cluster_bits;
	/* Nobody is inside: what was found before may be gone, and is found again. */
	q->pool.n = q->cold.n = q->freed_n = q->meta.n = q->nmeta = 0;
	q->scan = q->packed = 0;
}
