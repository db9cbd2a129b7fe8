/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes of a qcow2 image.  The lock is held to find and change where data is; the data
 * itself moves without it.
 */
#include <errno.h>

#include "base/iov.h"
#include "host/image/qcow2_int.h"

enum {
	DROP_MAX = 1024, /* clusters that are given up with the lock held */
	ZEROES = 65536,
};

static int read_extent(struct qcow2 *q, const struct extent *x, const struct iovec *iov, int n,
    uint64_t skip, uint64_t off)
{
	switch (x->kind) {
	case EXT_DATA:
		return qcow2_file_read(q->file, iov, n, skip, x->len, x->host);
	case EXT_BACKING:
		return image_read_base(q->backing, iov, n, skip, off, x->len);
	case EXT_PACKED:
		return qcow2_unpack(q, x->host, off & (q->cluster_size - 1), x->len, iov, n, skip);
	case EXT_ZERO:
		break;
	}
	iov_clear(iov, n, skip, x->len);
	return 0;
}

int qcow2_read_at(
    struct qcow2 *q, const struct iovec *iov, int n, uint64_t skip, uint64_t off, uint64_t len)
{
	while (len) {
		struct extent x;
		unsigned side;
		int rc;

		mutex_lock(&q->lock);
		rc = qcow2_map(q, off, len, &x);
		side = qcow2_enter(q);
		mutex_unlock(&q->lock);
		if (rc == 0)
			rc = read_extent(q, &x, iov, n, skip, off);
		qcow2_leave(q, side);
		if (rc < 0)
			return rc;
		off += x.len;
		skip += x.len;
		len -= x.len;
	}
	return 0;
}

int qcow2_read(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	return qcow2_read_at(qcow2_of(i), iov, n, 0, off, len);
}

static bool is_busy(const struct qcow2 *q, uint64_t first, uint64_t n)
{
	for (const struct busy *b = q->busy; b; b = b->next)
		if (first < b->first + b->n && b->first < first + n)
			return true;
	return false;
}

void qcow2_wait_idle(struct qcow2 *q, uint64_t first, uint64_t n)
{
	while (is_busy(q, first, n))
		cond_wait(&q->cond, &q->lock);
}

static void end_busy(struct qcow2 *q, struct busy *b)
{
	struct busy **at = &q->busy;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	cond_broadcast(&q->cond);
}

/* One write, or a part of one. */
struct job {
	struct qcow2 *q;
	const struct iovec *iov;
	int n;
	uint64_t skip, off, len;
};

static void advance(struct job *j, uint64_t n)
{
	j->skip += n;
	j->off += n;
	j->len -= n;
}

/* Clusters from that of j->off on which it touches, in the same table. */
static uint32_t touched_clusters(const struct job *j, uint32_t slot)
{
	const struct qcow2 *q = j->q;
	uint64_t first = j->off >> q->cluster_bits, last = (j->off + j->len - 1) >> q->cluster_bits;
	uint64_t n = last - first + 1, rest = q->l2_entries - slot;

	return (uint32_t)(n < rest ? n : rest);
}

/* Whether all of a cluster reads as zeroes, and stands for nothing. */
static bool is_zero(const struct qcow2 *q, uint64_t guest, struct entry e)
{
	uint64_t zero = q->extended ? e.bitmap >> 32 : e.entry & L2_ZERO ? UINT32_MAX : 0;

	if (e.entry & (L2_COMPRESSED | L2_RESERVED) || (q->version == 2 && e.entry & L2_ZERO))
		return false;
	if (q->extended ? (uint32_t)e.bitmap != 0 : e.entry & L2_OFFSET && !zero)
		return false;
	return !q->backing || guest << q->cluster_bits >= q->backing->size || zero == UINT32_MAX;
}

int qcow2_fill(struct qcow2 *q, uint64_t guest, uint64_t most, uint32_t *made)
{
	struct entry e = { 0, q->extended ? UINT32_MAX : 0 };
	uint64_t at, got;
	struct table *t;
	uint32_t slot, n = 0;
	int rc = qcow2_l2(q, guest, true, &t, &slot);

	*made = 0;
	if (rc < 0)
		return rc;
	if (most > q->l2_entries - slot)
		most = q->l2_entries - slot;
	while (n < most && is_zero(q, guest + n, qcow2_entry(q, t, slot + n)) &&
	       !is_busy(q, guest + n, 1))
		n++;
	if (!n)
		return 0;
	rc = qcow2_take(q, n, &at, &got);
	if (rc < 0)
		return rc;
	n = (uint32_t)got;
	/* Looking for them can have put the table out of memory, and so can their refcounts. */
	rc = qcow2_claim(q, at, n);
	/* What was only kept in reserve for them is given up. */
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		rc = qcow2_l2(q, guest, true, &t, &slot);
		if (rc == 0)
			rc = qcow2_drop(q, qcow2_entry(q, t, slot + i));
	}
	e.entry = at << q->cluster_bits | L2_COPIED;
	if (rc == 0)
		rc = qcow2_l2(q, guest, true, &t, &slot);
	if (rc == 0)
		rc = qcow2_put_entries(q, t, guest, n, e);
	*made = n;
	return rc;
}

/* Copy on write of clusters, or, in one cluster with extended entries, of some units. */
struct cow {
	struct busy busy;
	uint64_t host;       /* where the first cluster goes */
	uint64_t start, end; /* what of the guest is written there */
	uint64_t from, to;   /* what of that is the job's */
	bool taken;          /* host is new */
};

static bool is_own(const struct qcow2 *q, struct entry e)
{
	return !(e.entry & L2_COMPRESSED) && e.entry & L2_OFFSET && e.entry & L2_COPIED &&
	       (q->extended || !(e.entry & L2_ZERO));
}

/* Entries that change in one cluster only in some units. */
static bool by_units(const struct qcow2 *q, struct entry e)
{
	return q->extended && !(e.entry & L2_COMPRESSED) &&
	       (!(e.entry & L2_OFFSET) || e.entry & L2_COPIED);
}

/* With the lock: where it goes to. */
static int plan_cow(struct job *j, struct cow *c)
{
	struct qcow2 *q = j->q;
	uint64_t guest = j->off >> q->cluster_bits, unit = q->cluster_size, got;
	struct table *t;
	struct entry e;
	uint32_t slot, n = 1, most;
	int rc = qcow2_l2(q, guest, true, &t, &slot);

	if (rc < 0)
		return rc;
	e = qcow2_entry(q, t, slot);
	most = q->extended ? 1 : touched_clusters(j, slot);
	while (n < most && !is_own(q, qcow2_entry(q, t, slot + n)) && !is_busy(q, guest + n, 1))
		n++;
	c->host = e.entry & L2_OFFSET;
	c->taken = !(q->extended && is_own(q, e));
	if (c->taken) {
		rc = qcow2_take(q, n, &c->host, &got);
		c->host <<= q->cluster_bits;
		n = (uint32_t)got;
	} else if (c->host >= q->file->size || qcow2_is_guarded(q, c->host, q->cluster_size)) {
		qcow2_mark_corrupt(q);
		rc = -EIO;
	}
	if (rc < 0)
		return rc;
	if (by_units(q, e))
		unit = UINT64_C(1) << q->unit_bits;
	c->from = j->off;
	c->to = (guest + n) << q->cluster_bits;
	if (c->to > j->off + j->len)
		c->to = j->off + j->len;
	c->start = c->from & ~(unit - 1);
	c->end = round_up(c->to, unit);
	c->busy = (struct busy){ q->busy, guest, n };
	q->busy = &c->busy;
	return 0;
}

static int copy_part(struct qcow2 *q, const struct cow *c, uint64_t from, uint64_t to)
{
	uint64_t base = c->busy.first << q->cluster_bits;
	struct iovec iov = { NULL, to - from };
	int rc;

	if (from == to)
		return 0;
	iov.iov_base = malloc(iov.iov_len);
	if (!iov.iov_base)
		return -ENOMEM;
	rc = qcow2_read_at(q, &iov, 1, 0, from, to - from);
	if (rc == 0)
		rc = q->file->ops->write(q->file, &iov, 1, 0, to - from, c->host + (from - base));
	free(iov.iov_base);
	return rc;
}

/* Without the lock. */
static int move_cow(struct job *j, const struct cow *c)
{
	struct qcow2 *q = j->q;
	uint64_t base = c->busy.first << q->cluster_bits;
	int rc = copy_part(q, c, c->start, c->from);

	if (rc == 0)
		rc = copy_part(q, c, c->to, c->end);
	if (rc == 0)
		rc = q->file->ops->write(
		    q->file, j->iov, j->n, j->skip, c->to - c->from, c->host + (c->from - base));
	return rc;
}

/* With the lock: the entries change, and what they were is given up. */
static int finish_cow(struct qcow2 *q, const struct cow *c)
{
	uint64_t base = c->busy.first << q->cluster_bits, bits = UINT32_MAX;
	uint32_t slot, n = (uint32_t)c->busy.n;
	struct entry e = { c->host | L2_COPIED, 0 }, old;
	struct table *t;
	int rc = qcow2_l2(q, c->busy.first, true, &t, &slot);

	if (rc < 0)
		return rc;
	if (q->extended) {
		old = qcow2_entry(q, t, slot);
		if (by_units(q, old)) {
			bits = (UINT64_C(1) << ((c->end - c->start) >> q->unit_bits)) - 1;
			bits <<= (c->start - base) >> q->unit_bits;
			e.bitmap = old.bitmap;
		}
		e.bitmap = (e.bitmap | bits) & ~(bits << SUBCLUSTERS);
	}
	if (c->taken)
		rc = qcow2_claim(q, c->host >> q->cluster_bits, n);
	for (uint32_t i = 0; c->taken && i < n && rc == 0; i++) {
		rc = qcow2_l2(q, c->busy.first, true, &t, &slot);
		if (rc == 0)
			rc = qcow2_drop(q, qcow2_entry(q, t, slot + i));
	}
	if (rc == 0)
		rc = qcow2_l2(q, c->busy.first, true, &t, &slot);
	return rc < 0 ? rc : qcow2_put_entries(q, t, c->busy.first, n, e);
}

/* With the lock, and again at the end. */
static int copy_on_write(struct job *j)
{
	struct qcow2 *q = j->q;
	struct cow c;
	unsigned side;
	int rc = plan_cow(j, &c);

	if (rc < 0)
		return rc;
	side = qcow2_enter(q);
	mutex_unlock(&q->lock);
	rc = move_cow(j, &c);
	mutex_lock(&q->lock);
	qcow2_leave(q, side);
	if (rc == 0)
		rc = finish_cow(q, &c);
	else if (c.taken)
		qcow2_untake(q, c.host >> q->cluster_bits, c.busy.n, false);
	end_busy(q, &c.busy);
	if (rc == 0)
		advance(j, c.to - c.from);
	return rc;
}

static int write_in_place(struct job *j, const struct extent *x)
{
	struct qcow2 *q = j->q;
	unsigned side;
	int rc;

	if (qcow2_is_guarded(q, x->host, x->len)) {
		qcow2_mark_corrupt(q);
		return -EIO;
	}
	side = qcow2_enter(q);
	mutex_unlock(&q->lock);
	rc = q->file->ops->write(q->file, j->iov, j->n, j->skip, x->len, x->host);
	mutex_lock(&q->lock);
	qcow2_leave(q, side);
	advance(j, rc == 0 ? x->len : 0);
	return rc;
}

/* With the lock: some of the job. */
static int write_some(struct job *j)
{
	struct qcow2 *q = j->q;
	struct extent x;
	uint32_t made = 0;
	int rc = q->corrupt ? -EIO : qcow2_map(q, j->off, j->len, &x);

	if (rc < 0)
		return rc;
	if (x.kind == EXT_DATA && x.own)
		return write_in_place(j, &x);
	if (is_busy(q, j->off >> q->cluster_bits, 1)) {
		cond_wait(&q->cond, &q->lock);
		return 0;
	}
	if (x.kind == EXT_ZERO)
		rc = qcow2_fill(q, j->off >> q->cluster_bits, touched_clusters(j, 0), &made);
	/* What was made fresh is written in place the next time. */
	return rc < 0 || made ? rc : copy_on_write(j);
}

static int write_job(struct job *j)
{
	struct qcow2 *q = j->q;
	bool many;
	int rc = qcow2_touch(q);

	/* What is not here would be lost. */
	if (rc == 0 && q->backing_name && !q->backing)
		rc = -EIO;
	mutex_lock(&q->lock);
	while (j->len && rc == 0)
		rc = write_some(j);
	many = qcow2_has_much(q);
	mutex_unlock(&q->lock);
	return rc == 0 && many ? qcow2_commit(q) : rc;
}

int qcow2_write(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	struct job j = { qcow2_of(i), iov, n, 0, off, len };

	return write_job(&j);
}

/* With the lock: whether all of it is in one place that may be read, or written as it is. */
static bool is_simple(struct qcow2 *q, bool write, uint64_t off, uint64_t len, struct extent *x)
{
	uint64_t i = off >> q->cluster_bits >> q->l2_bits;
	uint64_t table = i < q->l1_size ? q->l1[i] & L2_OFFSET : 0;

	if (!table || !qcow2_table_is_here(q, table) || qcow2_map(q, off, len, x) < 0)
		return false;
	if (x->kind != EXT_DATA || x->len < len || x->host + len > q->file->size)
		return false;
	return !write ||
	       (x->own && q->touched && !q->corrupt && !qcow2_is_guarded(q, x->host, len));
}

int qcow2_now(
    struct image *i, bool write, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	struct qcow2 *q = qcow2_of(i);
	struct extent x;
	unsigned side;
	bool simple;
	int rc;

	if (!q->file->ops->now || !mutex_try(&q->lock))
		return -EAGAIN;
	simple = is_simple(q, write, off, len, &x);
	side = qcow2_enter(q);
	mutex_unlock(&q->lock);
	rc = simple ? q->file->ops->now(q->file, write, iov, n, len, x.host) : -EAGAIN;
	qcow2_leave(q, side);
	return rc;
}

static int write_zeroes(struct qcow2 *q, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[ZEROES];
	/* iovecs are not const, but a write does not change what they point to. */
	struct iovec iov = { (void *)(uintptr_t)zeroes, ZEROES };
	int rc = 0;

	while (len && rc == 0) {
		struct job j = { q, &iov, 1, 0, off, len < ZEROES ? len : ZEROES };
		uint64_t done = j.len;

		rc = write_job(&j);
		off += done;
		len -= done;
	}
	return rc;
}

/* The run of clusters that can be given up, for drop_some. */
struct drop {
	uint64_t guest, n;
	struct entry to;
	bool must; /* also those that have no table */
};

static bool is_dropped(const struct qcow2 *q, const struct drop *d, struct entry e)
{
	(void)q;
	return e.entry == d->to.entry && e.bitmap == d->to.bitmap;
}

/* Releases neighbours together. */
static int release_entry(struct qcow2 *q, struct run *run, const struct entry *e)
{
	uint64_t off = e ? e->entry & L2_OFFSET : 0;
	int rc = 0;

	if (e && !(e->entry & L2_COMPRESSED) && off && run->n &&
	    off >> q->cluster_bits == run->at + run->n && !qcow2_is_guarded(q, off, 1)) {
		run->n++;
		return 0;
	}
	if (run->n)
		rc = qcow2_release(q, run->at, run->n);
	run->n = 0;
	if (!e || rc < 0)
		return rc;
	if (e->entry & L2_COMPRESSED || !off || qcow2_is_guarded(q, off, 1))
		return qcow2_drop(q, *e);
	*run = (struct run){ off >> q->cluster_bits, 1 };
	return 0;
}

/* With the lock: a run of entries that change. */
static int drop_entries(
    struct qcow2 *q, struct table *t, uint64_t guest, uint32_t slot, uint32_t n, struct entry to)
{
	struct entry *old = malloc(n * sizeof *old);
	struct run run = { 0, 0 };
	int rc = old ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && rc == 0; i++)
		old[i] = qcow2_entry(q, t, slot + i);
	if (rc == 0)
		rc = qcow2_put_entries(q, t, guest, n, to);
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = release_entry(q, &run, &old[i]);
	if (rc == 0)
		rc = release_entry(q, &run, NULL);
	free(old);
	return rc;
}

/* With the lock: *done clusters. */
static int drop_some(struct qcow2 *q, const struct drop *d, uint64_t *done)
{
	struct table *t;
	uint32_t slot, n, from, i = 0;
	uint64_t most;
	int rc = qcow2_l2(q, d->guest, false, &t, &slot);

	most = q->l2_entries - slot;
	if (most > d->n)
		most = d->n;
	if (rc < 0 || (!t && !d->must)) {
		*done = most;
		return rc;
	}
	n = (uint32_t)(most < DROP_MAX ? most : DROP_MAX);
	qcow2_wait_idle(q, d->guest, n);
	rc = qcow2_l2(q, d->guest, true, &t, &slot);
	while (i < n && rc == 0) {
		while (i < n && is_dropped(q, d, qcow2_entry(q, t, slot + i)))
			i++;
		from = i;
		while (i < n && !is_dropped(q, d, qcow2_entry(q, t, slot + i)))
			i++;
		if (i > from)
			rc = drop_entries(q, t, d->guest + from, slot + from, i - from, d->to);
	}
	*done = n;
	return rc;
}

int qcow2_drop_range(struct qcow2 *q, uint64_t off, uint64_t len, bool unallocated)
{
	struct drop d = { .guest = off >> q->cluster_bits, .n = clusters_of(q, len) };
	uint64_t done;
	bool many;
	int rc = 0;

	d.must = !unallocated && q->backing_name;
	if (d.must && q->version == 2)
		return -ENOTSUP;
	if (d.must && q->extended)
		d.to.bitmap = (uint64_t)UINT32_MAX << SUBCLUSTERS;
	else if (d.must)
		d.to.entry = L2_ZERO;
	while (d.n && rc == 0) {
		mutex_lock(&q->lock);
		rc = q->corrupt ? -EIO : drop_some(q, &d, &done);
		many = qcow2_has_much(q);
		mutex_unlock(&q->lock);
		if (rc == 0 && many)
			rc = qcow2_commit(q);
		d.guest += done;
		d.n -= done;
	}
	return rc;
}

/* Zeroes a part that begins and ends anywhere, without giving up what it has. */
static int zero_kept(struct qcow2 *q, uint64_t off, uint64_t len, bool unmap)
{
	while (len) {
		struct extent x;
		unsigned side;
		int rc;

		mutex_lock(&q->lock);
		rc = qcow2_map(q, off, len, &x);
		if (rc == 0 && x.kind == EXT_DATA && x.own && qcow2_is_guarded(q, x.host, x.len)) {
			qcow2_mark_corrupt(q);
			rc = -EIO;
		}
		side = qcow2_enter(q);
		mutex_unlock(&q->lock);
		if (rc == 0 && x.kind == EXT_DATA && x.own)
			rc = q->file->ops->zero(q->file, x.host, x.len, unmap);
		qcow2_leave(q, side);
		if (rc == 0 && x.kind != EXT_ZERO && !(x.kind == EXT_DATA && x.own))
			rc = write_zeroes(q, off, x.len);
		if (rc < 0)
			return rc;
		off += x.len;
		len -= x.len;
	}
	return 0;
}

/* The whole clusters of a range; the last one of the disk is whole, too. */
static void whole_clusters(
    const struct qcow2 *q, uint64_t off, uint64_t len, uint64_t *from, uint64_t *to)
{
	uint64_t end = off + len;

	*from = round_up(off, q->cluster_size);
	*to = end == q->image.size ? round_up(end, q->cluster_size) : end & ~(q->cluster_size - 1);
	if (*to < *from)
		*to = *from;
}

int qcow2_zero(struct image *i, uint64_t off, uint64_t len, bool unmap)
{
	struct qcow2 *q = qcow2_of(i);
	uint64_t from, to, end = off + len;
	int rc = qcow2_touch(q);

	if (rc == 0 && q->backing_name && !q->backing)
		rc = -EIO;
	whole_clusters(q, off, len, &from, &to);
	if (rc < 0)
		return rc;
	if (from == to || !unmap || (q->version == 2 && q->backing))
		return zero_kept(q, off, len, unmap);
	if (from > off)
		rc = zero_kept(q, off, from - off, true);
	if (rc == 0)
		rc = qcow2_drop_range(q, from, to - from, false);
	if (rc == 0 && to < end)
		rc = zero_kept(q, to, end - to, true);
	return rc;
}

int qcow2_discard(struct image *i, uint64_t off, uint64_t len)
{
	struct qcow2 *q = qcow2_of(i);
	uint64_t from, to;
	int rc;

	whole_clusters(q, off, len, &from, &to);
	if (from == to || (q->version == 2 && q->backing_name))
		return 0;
	rc = qcow2_touch(q);
	return rc < 0 ? rc : qcow2_drop_range(q, from, to - from, false);
}
