/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/pages.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "core/mem.h"
#include "machine/snapshot.h"

/* Pages that are different at a point and the next one, by number.  Of points before pages_at the
 * data is what the pages were there, of the others what they will be at the next; NULL: zeroes. */
struct delta {
	uint32_t n, room;
	uint32_t *page;
	uint8_t **data;
};

struct pages {
	struct mem *mem;
	struct snapshot_ram ram;
	uint8_t *copy[SNAPSHOT_PIECES];      /* of the pieces */
	uint32_t first[SNAPSHOT_PIECES + 1]; /* numbers of their pages */
	struct delta *delta;                 /* npoints - 1 */
	unsigned npoints, room, at;
	uint64_t size;
	struct delta changed; /* since pages_at: pages alone */
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

/* Data of pages -------------------------------------------------------------------------------- */

/* false: no memory. */
static bool keep(struct pages *p, const uint8_t *page, uint8_t **data)
{
	*data = NULL;
	if (is_zero(page))
		return true;
	*data = malloc(MEM_PAGE);
	if (!*data)
		return false;
	memcpy(*data, page, MEM_PAGE);
	p->size += MEM_PAGE;
	return true;
}

static void forget(struct pages *p, uint8_t *data)
{
	if (data)
		p->size -= MEM_PAGE;
	free(data);
}

static bool grow(struct delta *d, uint32_t n)
{
	uint32_t *page;
	uint8_t **data;

	if (n <= d->room)
		return true;
	page = realloc(d->page, n * sizeof *page);
	if (page)
		d->page = page;
	data = realloc(d->data, n * sizeof *data);
	if (data)
		d->data = data;
	if (!page || !data)
		return false;
	d->room = n;
	return true;
}

static void delta_free(struct pages *p, struct delta *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		forget(p, d->data[i]);
	free(d->page);
	free(d->data);
	*d = (struct delta){ 0 };
}

/* Changes -------------------------------------------------------------------------------------- */

static bool add_changed(struct pages *p, uint32_t page)
{
	struct delta *c = &p->changed;

	if (c->n == c->room && !grow(c, c->room ? 2 * c->room : 1024))
		return false;
	c->page[c->n++] = page;
	return true;
}

/* What is not as it was at pages_at. */
static bool find_changed(struct pages *p)
{
	const atomic_uchar *flags;
	uint8_t *copy;
	uint64_t gpa;

	p->changed.n = 0;
	for (unsigned i = 0; i < p->ram.n; i++) {
		const struct snapshot_piece *r = &p->ram.piece[i];

		flags = r->gpa == MEM_NOWHERE ? NULL : mem_flags(p->mem, r->gpa);
		for (uint32_t page = p->first[i]; page < p->first[i + 1]; page++) {
			const uint8_t *now;

			if (flags &&
			    atomic_load_explicit(&flags[page - p->first[i]], memory_order_relaxed) &
				MEM_CLEAN)
				continue;
			now = place(p, page, &copy, &gpa);
			if (memcmp(now, copy, MEM_PAGE) != 0 && !add_changed(p, page))
				return false;
		}
	}
	return true;
}

/* The copy becomes what memory is, and `before` what the copy was. */
static bool take_changed(struct pages *p, struct delta *before)
{
	const struct delta *c = &p->changed;
	uint8_t *copy;
	const uint8_t *now;
	uint64_t gpa;
	uint32_t i;

	*before = (struct delta){ 0 };
	if (!grow(before, c->n)) {
		delta_free(p, before);
		return false;
	}
	for (i = 0; i < c->n; i++) {
		place(p, c->page[i], &copy, &gpa);
		before->page[i] = c->page[i];
		if (!keep(p, copy, &before->data[i])) {
			delta_free(p, before);
			return false;
		}
		before->n++;
	}
	for (i = 0; i < c->n; i++) {
		now = place(p, c->page[i], &copy, &gpa);
		memcpy(copy, now, MEM_PAGE);
	}
	return true;
}

/* All that is in one or the other, of what is in both the data in a; b is empty afterwards. */
static bool merge(struct pages *p, struct delta *a, struct delta *b)
{
	struct delta sum = { 0 };
	uint32_t i = 0, k = 0;

	if (!grow(&sum, a->n + b->n)) {
		delta_free(p, &sum);
		return false;
	}
	while (i < a->n || k < b->n) {
		const bool both = i < a->n && k < b->n && a->page[i] == b->page[k];
		const bool from_a = k == b->n || (i < a->n && a->page[i] <= b->page[k]);

		sum.page[sum.n] = from_a ? a->page[i] : b->page[k];
		sum.data[sum.n++] = from_a ? a->data[i++] : b->data[k];
		if (both)
			forget(p, b->data[k]);
		k += both || !from_a;
	}
	a->n = b->n = 0;
	delta_free(p, a);
	delta_free(p, b);
	*a = sum;
	return true;
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

	if (p) {
		p->mem = m;
		p->npoints = 1;
	}
	if (!p || snapshot_pieces(m, &p->ram) < 0 || !copy_all(p)) {
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
	mem_track(p->mem, false);
	for (unsigned i = 0; i + 1 < p->npoints; i++)
		delta_free(p, &p->delta[i]);
	for (unsigned i = 0; i < p->ram.n && i < SNAPSHOT_PIECES; i++)
		if (p->copy[i])
			os_ram_free(p->copy[i], (size_t)p->ram.piece[i].len);
	delta_free(p, &(struct delta){ .page = p->changed.page, .data = p->changed.data });
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

/* What is at the next point of pages that have changed since: from now on that counts from here.
 * Those that are different there have their data already; the others were as at pages_at. */
static bool split_next(struct pages *p, struct delta *before)
{
	struct delta more = { 0 };

	if (!grow(&more, before->n)) {
		delta_free(p, &more);
		return false;
	}
	for (; more.n < before->n; more.n++) {
		const uint8_t *was = before->data[more.n];

		more.page[more.n] = before->page[more.n];
		more.data[more.n] = was ? malloc(MEM_PAGE) : NULL;
		if (was && !more.data[more.n]) {
			delta_free(p, &more);
			return false;
		}
		if (was) {
			memcpy(more.data[more.n], was, MEM_PAGE);
			p->size += MEM_PAGE;
		}
	}
	if (merge(p, &p->delta[p->at], &more))
		return true;
	delta_free(p, &more);
	return false;
}

bool pages_mark(struct pages *p)
{
	struct delta before;

	if (p->npoints > p->room) {
		struct delta *all = realloc(p->delta, (p->room + 64) * sizeof *all);

		if (!all)
			return false;
		p->delta = all;
		p->room += 64;
	}
	if (!find_changed(p) || !take_changed(p, &before))
		return false;
	/* The copy is ahead then, but memory is, too: only the past is lost. */
	if (p->at + 1 < p->npoints && !split_next(p, &before))
		pages_cut(p);
	memmove(
	    &p->delta[p->at + 1], &p->delta[p->at], (p->npoints - 1 - p->at) * sizeof *p->delta);
	p->delta[p->at++] = before;
	p->npoints++;
	mem_track(p->mem, true);
	return true;
}

static void set_page(struct pages *p, uint32_t page, const uint8_t *data)
{
	uint8_t *copy, *now;
	uint64_t gpa;

	now = place(p, page, &copy, &gpa);
	if (data)
		memcpy(copy, data, MEM_PAGE);
	else
		memset(copy, 0, MEM_PAGE);
	memcpy(now, copy, MEM_PAGE);
	if (gpa != MEM_NOWHERE)
		mem_written(p->mem, gpa, MEM_PAGE);
}

/* On the way from one point to another: what each page has by now; NULL: as it was.  Memory itself
 * changes at the end of the way, once. */
static const uint8_t ZEROES = 0;

static uint8_t *zeroes(void)
{
	return (uint8_t *)(uintptr_t)&ZEROES;
}

/* Changes sides: the data is what was here.  Half of that is of no use to anybody, so without
 * memory for it there is no way on. */
static void swap(struct pages *p, struct delta *d, uint8_t **now)
{
	uint8_t *copy, *was;
	uint64_t gpa;
	bool kept;

	for (uint32_t i = 0; i < d->n; i++) {
		was = now[d->page[i]];
		if (!was) {
			place(p, d->page[i], &copy, &gpa);
			kept = keep(p, copy, &was);
			assert(kept);
		}
		now[d->page[i]] = d->data[i] ? d->data[i] : zeroes();
		d->data[i] = was == zeroes() ? NULL : was;
	}
}

static void arrive(struct pages *p, uint8_t **now)
{
	for (uint32_t page = 0; page < p->first[p->ram.n]; page++) {
		uint8_t *data = now[page] == zeroes() ? NULL : now[page];

		if (!now[page])
			continue;
		set_page(p, page, data);
		forget(p, data);
	}
}

/* Also without memory for a list: all that may have been written is put back. */
static void undo(struct pages *p)
{
	const atomic_uchar *flags;
	uint8_t *copy, *now;
	uint64_t gpa;

	for (unsigned i = 0; i < p->ram.n; i++) {
		const struct snapshot_piece *r = &p->ram.piece[i];

		flags = r->gpa == MEM_NOWHERE ? NULL : mem_flags(p->mem, r->gpa);
		for (uint32_t page = p->first[i]; page < p->first[i + 1]; page++) {
			if (flags &&
			    atomic_load_explicit(&flags[page - p->first[i]], memory_order_relaxed) &
				MEM_CLEAN)
				continue;
			now = place(p, page, &copy, &gpa);
			if (!memcmp(now, copy, MEM_PAGE))
				continue;
			memcpy(now, copy, MEM_PAGE);
			if (gpa != MEM_NOWHERE)
				mem_written(p->mem, gpa, MEM_PAGE);
		}
	}
}

void pages_go(struct pages *p, unsigned point)
{
	uint8_t **now;

	assert(point < p->npoints);
	undo(p);
	if (p->at != point) {
		now = calloc(p->first[p->ram.n], sizeof *now);
		assert(now);
		while (p->at > point)
			swap(p, &p->delta[--p->at], now);
		while (p->at < point)
			swap(p, &p->delta[p->at++], now);
		arrive(p, now);
		free(now);
	}
	mem_track(p->mem, true);
}

bool pages_drop(struct pages *p, unsigned point)
{
	struct delta *to, *from;
	bool ok;

	assert(point && point < p->npoints && point != p->at);
	to = &p->delta[point - 1];
	from = &p->delta[point];
	if (point + 1 == p->npoints) {
		delta_free(p, to);
		p->npoints--;
		return true;
	}
	if (point < p->at) {
		ok = merge(p, to, from);
	} else {
		ok = merge(p, from, to);
		if (ok)
			*to = *from;
	}
	if (!ok)
		return false;
	p->at -= point < p->at;
	p->npoints--;
	memmove(from, from + 1, (p->npoints - 1 - point) * sizeof *from);
	return true;
}

void pages_cut(struct pages *p)
{
	while (p->npoints > p->at + 1)
		delta_free(p, &p->delta[--p->npoints - 1]);
}
