/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * L2 tables and refcount blocks of a qcow2 image in memory, and the guard that keeps a damaged
 * image's guest from writing over metadata.
 */
#include <assert.h>
#include <errno.h>

#include "host/image/qcow2_int.h"

static unsigned bucket_of(const struct qcow2 *q, uint64_t offset)
{
	return (unsigned)((offset >> q->cluster_bits) * 0x9e3779b97f4a7c15 >> 52) % BUCKETS;
}

static void unlink_age(struct qcow2 *q, struct table *t)
{
	*(t->older ? &t->older->newer : &q->oldest) = t->newer;
	*(t->newer ? &t->newer->older : &q->newest) = t->older;
}

static void link_newest(struct qcow2 *q, struct table *t)
{
	t->newer = NULL;
	t->older = q->newest;
	*(q->newest ? &q->newest->newer : &q->oldest) = t;
	q->newest = t;
}

void qcow2_give_spare(struct qcow2 *q, struct table *t)
{
	/* Without memory it is lost until the image is opened again. */
	if (t->spare && runs_add(&q->meta, t->spare >> q->cluster_bits, 1) == 0)
		q->nmeta++;
	t->spare = 0;
}

static void remove_table(struct qcow2 *q, struct table *t)
{
	struct table **at = &q->bucket[bucket_of(q, t->offset)];

	while (*at != t)
		at = &(*at)->same;
	*at = t->same;
	unlink_age(q, t);
	q->tables--;
	qcow2_give_spare(q, t);
	free(t);
}

/* Makes room for one more: the oldest that the file has, too. */
static void make_room(struct qcow2 *q)
{
	struct table *t = q->oldest, *next;

	for (; t && q->tables >= q->tables_max; t = next) {
		next = t->newer;
		if (!t->dirty && !t->in_commit)
			remove_table(q, t);
	}
}

static struct table *find(struct qcow2 *q, uint64_t offset)
{
	struct table *t = q->bucket[bucket_of(q, offset)];

	while (t && t->offset != offset)
		t = t->same;
	if (t && t != q->newest) {
		unlink_age(q, t);
		link_newest(q, t);
	}
	return t;
}

static struct table *add(struct qcow2 *q, uint64_t offset)
{
	struct table **bucket = &q->bucket[bucket_of(q, offset)], *t;

	make_room(q);
	t = malloc(sizeof *t + q->cluster_size);
	if (!t)
		return NULL;
	memset(t, 0, sizeof *t);
	t->offset = offset;
	t->same = *bucket;
	*bucket = t;
	link_newest(q, t);
	q->tables++;
	return t;
}

bool qcow2_table_is_here(struct qcow2 *q, uint64_t offset)
{
	return find(q, offset) != NULL;
}

/* Callers hold two tables at a time at most, and there is room for more: the newest stay. */
int qcow2_table(struct qcow2 *q, uint64_t offset, struct table **out)
{
	struct table *t = find(q, offset);
	int rc;

	*out = t;
	if (t)
		return 0;
	if (offset % q->cluster_size || offset == 0 || offset >= MAX_OFFSET)
		return -EIO;
	t = add(q, offset);
	if (!t)
		return -ENOMEM;
	rc = qcow2_file_get(q->file, t->data, q->cluster_size, offset);
	if (rc < 0)
		remove_table(q, t);
	else
		*out = t;
	return rc;
}

int qcow2_table_new(struct qcow2 *q, uint64_t offset, struct table **out)
{
	struct table *t = find(q, offset);

	if (!t)
		t = add(q, offset);
	*out = t;
	if (!t)
		return -ENOMEM;
	/* A table that was given up can have left its name, but nothing that changed. */
	assert(!t->dirty && !t->in_commit);
	qcow2_give_spare(q, t);
	t->fresh = true;
	t->old = 0;
	t->missed = (struct span){ 0, q->cluster_size };
	memset(t->data, 0, q->cluster_size);
	return 0;
}

void span_add(struct span *s, struct span more)
{
	if (more.from == more.to)
		return;
	if (s->from == s->to)
		*s = more;
	s->from = s->from < more.from ? s->from : more.from;
	s->to = s->to > more.to ? s->to : more.to;
}

int qcow2_changed(struct qcow2 *q, struct table *t, enum table_kind kind, uint32_t index,
    uint64_t from, uint64_t n)
{
	/* In a damaged image one cluster can be two tables. */
	if ((t->dirty || t->in_commit) && (t->kind != kind || t->index != index)) {
		qcow2_mark_corrupt(q);
		return -EIO;
	}
	t->kind = kind;
	t->index = index;
	span_add(&t->changed, (struct span){ from, from + n });
	if (t->dirty)
		return 0;
	t->dirty = true;
	q->ndirty++;
	/* While it is in a commit, that has its link. */
	if (!t->in_commit) {
		t->next = q->dirty;
		q->dirty = t;
	}
	return 0;
}

void qcow2_table_moved(struct qcow2 *q, struct table *t, uint64_t offset)
{
	struct table **at = &q->bucket[bucket_of(q, t->offset)];

	while (*at != t)
		at = &(*at)->same;
	*at = t->same;
	t->offset = offset;
	at = &q->bucket[bucket_of(q, offset)];
	t->same = *at;
	*at = t;
}

void qcow2_tables_forget(struct qcow2 *q)
{
	while (q->oldest)
		remove_table(q, q->oldest);
	q->dirty = q->in_commit = NULL;
	q->ndirty = 0;
}

/* The slot of an offset, or the empty one where it could be. */
static uint64_t *guard_slot(const struct qcow2 *q, uint64_t offset)
{
	uint64_t at = (offset >> q->cluster_bits) * 0x9e3779b97f4a7c15 >> 20;

	for (;; at++) {
		uint64_t *slot = &q->guarded[at & (q->guarded_room - 1)];

		if (!*slot || *slot == offset)
			return slot;
	}
}

static int grow_guard(struct qcow2 *q)
{
	uint64_t *old = q->guarded, room = q->guarded_room;

	q->guarded_room = room ? room * 2 : 64;
	q->guarded = calloc(q->guarded_room, sizeof *q->guarded);
	if (!q->guarded) {
		q->guarded = old;
		q->guarded_room = room;
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < room; i++)
		if (old[i])
			*guard_slot(q, old[i]) = old[i];
	free(old);
	return 0;
}

int qcow2_guard(struct qcow2 *q, uint64_t offset)
{
	uint64_t *slot;

	if (q->guarded_n * 2 >= q->guarded_room && grow_guard(q) < 0)
		return -ENOMEM;
	slot = guard_slot(q, offset);
	q->guarded_n += *slot == 0;
	*slot = offset;
	return 0;
}

void qcow2_unguard(struct qcow2 *q, uint64_t offset)
{
	uint64_t *slot = q->guarded_room ? guard_slot(q, offset) : NULL, moved;

	if (!slot || !*slot)
		return;
	*slot = 0;
	q->guarded_n--;
	/* Those behind it may have been put there because it was not empty. */
	for (;;) {
		slot++;
		if (slot == q->guarded + q->guarded_room)
			slot = q->guarded;
		moved = *slot;
		if (!moved)
			return;
		*slot = 0;
		*guard_slot(q, moved) = moved;
	}
}

static bool overlaps(uint64_t off, uint64_t len, uint64_t at, uint64_t n)
{
	return off < at + n && at < off + len;
}

static bool is_root(const struct qcow2 *q, const struct root *r, uint64_t off, uint64_t len)
{
	uint64_t n = r->clusters << q->cluster_bits;

	return overlaps(off, len, r->offset, n) || (r->spare && overlaps(off, len, r->spare, n)) ||
	       (r->old && overlaps(off, len, r->old, n));
}

bool qcow2_is_guarded(const struct qcow2 *q, uint64_t off, uint64_t len)
{
	uint64_t mask = q->cluster_size - 1;

	if (off < q->cluster_size || is_root(q, &q->l1_at, off, len) ||
	    is_root(q, &q->reftable_at, off, len) ||
	    overlaps(off, len, q->snapshots_offset, q->snapshots_room))
		return true;
	for (uint64_t at = off & ~mask; q->guarded_n && at < off + len; at += mask + 1)
		if (*guard_slot(q, at))
			return true;
	return false;
}
