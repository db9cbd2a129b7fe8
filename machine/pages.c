/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/pages.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/os.h"
#include "core/mem.h"
#include "machine/delta.h"
#include "machine/snapshot.h"

enum { MAKING = 4 << 20 };

struct pages {
	struct mem *mem;
	struct snapshot_ram ram;
	uint8_t *copy[SNAPSHOT_PIECES];      /* of the pieces */
	uint32_t first[SNAPSHOT_PIECES + 1]; /* numbers of their pages */
	struct delta *delta;                 /* npoints - 1, each between a point and the next */
	unsigned npoints, room, at;
	uint64_t size;
	struct buf making; /* the next delta */
	uint64_t *moved;   /* pages of the copy that memory is not like, a bit each */
};

/* Where a page is ------------------------------------------------------------------------------ */

static unsigned piece_of(const struct pages *p, uint32_t page)
{
	unsigned i = 0;

	while (page >= p->first[i + 1])
		i++;
	return i;
}

static uint8_t *place(const struct pages *p, uint32_t page, uint8_t **copy, uint64_t *gpa)
{
	const unsigned i = piece_of(p, page);
	const uint64_t off = (uint64_t)(page - p->first[i]) * MEM_PAGE;

	*copy = p->copy[i] + off;
	*gpa = p->ram.piece[i].gpa == MEM_NOWHERE ? MEM_NOWHERE : p->ram.piece[i].gpa + off;
	return p->ram.piece[i].hva + off;
}

static bool is_zero(const uint8_t *at)
{
	return !at[0] && !memcmp(at, at + 1, MEM_PAGE - 1);
}

/* Calls fn for all that may not be as it was at pages_at. */
static void each_written(struct pages *p, void (*fn)(struct pages *, uint32_t page))
{
	const atomic_uchar *flags;

	for (unsigned i = 0; i < p->ram.n; i++) {
		const struct snapshot_piece *r = &p->ram.piece[i];

		flags = r->gpa == MEM_NOWHERE ? NULL : mem_flags(p->mem, r->gpa);
		for (uint32_t page = p->first[i]; page < p->first[i + 1]; page++)
			if (!flags || !(atomic_load_explicit(
					    &flags[page - p->first[i]], memory_order_relaxed) &
					  MEM_CLEAN))
				fn(p, page);
	}
}

/* Deltas --------------------------------------------------------------------------------------- */

static void forget(struct pages *p, struct delta *d)
{
	p->size -= d->len;
	delta_free(d);
}

/* It becomes what has been made, or stays without memory for that.  Not all room that has ever been
 * needed to make one is kept. */
static bool replace(struct pages *p, struct delta *d)
{
	struct delta new;
	const bool ok = delta_make(&new, &p->making);

	if (ok) {
		forget(p, d);
		*d = new;
		p->size += d->len;
	}
	if (p->making.failed || p->making.cap > MAKING)
		buf_free(&p->making);
	p->making.len = 0;
	return ok;
}

static void put_written(struct pages *p, uint32_t page)
{
	uint8_t *copy;
	uint64_t gpa;
	const uint8_t *now = place(p, page, &copy, &gpa);

	if (memcmp(now, copy, MEM_PAGE) != 0)
		delta_put(&p->making, page, copy, now);
}

/* The copy is at the other end of it then. */
static void apply(struct pages *p, const struct delta *d, bool moved)
{
	uint8_t *copy;
	uint32_t page;
	uint64_t gpa;

	for (size_t at = 0, next = 0; delta_next(d, &next, &page); at = next) {
		place(p, page, &copy, &gpa);
		delta_apply(d, at, copy);
		if (moved)
			p->moved[page / 64] |= 1ull << page % 64;
	}
}

/* Points --------------------------------------------------------------------------------------- */

static bool copy_all(struct pages *p)
{
	uint8_t *copy;
	const uint8_t *now;
	uint64_t gpa;

	for (unsigned i = 0; i < p->ram.n; i++) {
		const struct snapshot_piece *r = &p->ram.piece[i];

		p->copy[i] = os_ram_new((size_t)r->len, NULL);
		if (!p->copy[i])
			return false;
		p->first[i + 1] = p->first[i] + (uint32_t)(r->len / MEM_PAGE);
	}
	for (uint32_t page = 0; page < p->first[p->ram.n]; page++) {
		now = place(p, page, &copy, &gpa);
		if (!is_zero(now))
			memcpy(copy, now, MEM_PAGE);
	}
	return true;
}

struct pages *pages_new(struct mem *m, struct err *e)
{
	struct pages *p = calloc(1, sizeof *p);
	bool ok = p && snapshot_pieces(m, &p->ram) >= 0;

	if (ok) {
		p->mem = m;
		p->npoints = 1;
		ok = copy_all(p);
	}
	if (ok)
		p->moved = calloc(p->first[p->ram.n] / 64 + 1, sizeof *p->moved);
	if (!ok || !p->moved) {
		pages_free(p);
		err_set(e, ENOMEM, "no memory for a copy of the guest's");
		return NULL;
	}
	mem_track(m, true);
	return p;
}

void pages_free(struct pages *p)
{
	if (!p)
		return;
	if (p->mem)
		mem_track(p->mem, false);
	for (unsigned i = 0; i + 1 < p->npoints; i++)
		delta_free(&p->delta[i]);
	for (unsigned i = 0; i < p->ram.n && i < SNAPSHOT_PIECES; i++)
		if (p->copy[i])
			os_ram_free(p->copy[i], (size_t)p->ram.piece[i].len);
	buf_free(&p->making);
	free(p->moved);
	free(p->delta);
	free(p);
}

unsigned pages_at(const struct pages *p)
{
	return p->at;
}

unsigned pages_count(const struct pages *p)
{
	return p->npoints;
}

uint64_t pages_size(const struct pages *p)
{
	return p->size;
}

/* The next point is as far from the new one as this way and that. */
static bool split_next(struct pages *p, const struct delta *before)
{
	delta_put_both(&p->making, before, &p->delta[p->at]);
	return replace(p, &p->delta[p->at]);
}

static bool add_room(struct pages *p)
{
	struct delta *all;

	if (p->npoints <= p->room)
		return true;
	all = realloc(p->delta, (p->room + 64) * sizeof *all);
	if (!all)
		return false;
	p->delta = all;
	p->room += 64;
	return true;
}

bool pages_mark(struct pages *p)
{
	struct delta before = { 0 };

	if (!add_room(p))
		return false;
	each_written(p, put_written);
	if (!replace(p, &before) || (p->at + 1 < p->npoints && !split_next(p, &before))) {
		forget(p, &before);
		return false;
	}
	apply(p, &before, false);
	memmove(
	    &p->delta[p->at + 1], &p->delta[p->at], (p->npoints - 1 - p->at) * sizeof *p->delta);
	p->delta[p->at++] = before;
	p->npoints++;
	mem_track(p->mem, true);
	return true;
}

static void copy_back(struct pages *p, uint32_t page)
{
	uint8_t *copy, *now;
	uint64_t gpa;

	now = place(p, page, &copy, &gpa);
	if (!memcmp(now, copy, MEM_PAGE))
		return;
	memcpy(now, copy, MEM_PAGE);
	if (gpa != MEM_NOWHERE)
		mem_written(p->mem, gpa, MEM_PAGE);
}

static void arrive(struct pages *p)
{
	for (uint32_t i = 0; i <= p->first[p->ram.n] / 64; i++)
		for (; p->moved[i]; p->moved[i] &= p->moved[i] - 1)
			copy_back(p, i * 64 + ctz64(p->moved[i]));
}

void pages_go(struct pages *p, unsigned point)
{
	assert(point < p->npoints);
	while (p->at > point)
		apply(p, &p->delta[--p->at], true);
	while (p->at < point)
		apply(p, &p->delta[p->at++], true);
	each_written(p, copy_back);
	arrive(p);
	mem_track(p->mem, true);
}

bool pages_drop(struct pages *p, unsigned point)
{
	struct delta *to, *from;

	assert(point && point < p->npoints && point != p->at);
	to = &p->delta[point - 1];
	from = &p->delta[point];
	if (point + 1 == p->npoints) {
		forget(p, to);
		p->npoints--;
		return true;
	}
	delta_put_both(&p->making, to, from);
	if (!replace(p, to))
		return false;
	forget(p, from);
	p->at -= point < p->at;
	p->npoints--;
	memmove(from, from + 1, (p->npoints - 1 - point) * sizeof *from);
	return true;
}

void pages_cut(struct pages *p)
{
	while (p->npoints > p->at + 1)
		forget(p, &p->delta[--p->npoints - 1]);
}
