/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/debug.h"

#include "core/mem.h"

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

/* The first breakpoint from there on, or n. */
static unsigned from(const struct debug_points *p, uint64_t pc)
{
	unsigned low = 0, high = p->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (p->at[middle] < pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool debug_breaks_at(const struct debug_points *p, uint64_t pc)
{
	unsigned i = from(p, pc);

	return i < p->n && p->at[i] == pc;
}

bool debug_breaks_in_page(const struct debug_points *p, uint64_t pc)
{
	unsigned i = from(p, pc & ~PAGE_MASK);

	return p->trace || (i < p->n && (p->at[i] | PAGE_MASK) == (pc | PAGE_MASK));
}

static bool meets(const struct debug_watch *w, uint64_t va, uint64_t last)
{
	return w->at <= last && va <= w->at + (w->len - 1);
}

bool debug_watches_page(const struct debug_points *p, uint64_t va)
{
	for (unsigned i = 0; i < p->nwatches; i++)
		if (meets(&p->watch[i], va & ~PAGE_MASK, va | PAGE_MASK))
			return true;
	return false;
}

bool debug_watches(
    const struct debug_points *p, uint64_t va, uint64_t len, bool store, uint64_t *first)
{
	for (unsigned i = 0; i < p->nwatches; i++) {
		const struct debug_watch *w = &p->watch[i];

		if (!(store ? w->store : w->load) || !meets(w, va, va + (len - 1)))
			continue;
		*first = va > w->at ? va : w->at;
		return true;
	}
	return false;
}

static bool guards(const struct debug_points *p, uint64_t pa, uint64_t last)
{
	const struct debug_guard *g = &p->guard;

	return g->len && g->at <= last && pa <= g->at + (g->len - 1);
}

bool debug_guards_page(const struct debug_points *p, uint64_t pa)
{
	return guards(p, pa & ~PAGE_MASK, pa | PAGE_MASK);
}

bool debug_guards(const struct debug_points *p, uint64_t pa, uint64_t len, uint64_t *first)
{
	if (!guards(p, pa, pa + (len - 1)))
		return false;
	*first = pa > p->guard.at ? pa : p->guard.at;
	return true;
}

/* Sets of pages -------------------------------------------------------------------------------- */

/* Two places for each, from the two ends of a product (Knuth, volume 3, 6.4). */
static uint64_t mix(uint64_t page)
{
	return page * 0x9e3779b97f4a7c15;
}

static unsigned place(uint64_t mixed, unsigned n)
{
	return mixed >> (64 - (n + 1) * DEBUG_SET_BITS) & ((1u << DEBUG_SET_BITS) - 1);
}

void debug_set_add(struct debug_set *s, uint64_t page)
{
	const uint64_t mixed = mix(page);

	for (unsigned n = 0; n < 2; n++)
		s->word[place(mixed, n) / 64] |= 1ull << place(mixed, n) % 64;
}

bool debug_set_has(const struct debug_set *s, uint64_t page)
{
	const uint64_t mixed = mix(page);

	for (unsigned n = 0; n < 2; n++)
		if (!(s->word[place(mixed, n) / 64] >> place(mixed, n) % 64 & 1))
			return false;
	return true;
}

void debug_pages_note(struct debug_pages *p, uint64_t va, bool store)
{
	debug_set_add(store ? &p->stores : &p->loads, va / MEM_PAGE);
}

static void add(struct debug_set *to, const struct debug_set *from)
{
	for (unsigned i = 0; i < sizeof to->word / sizeof to->word[0]; i++)
		to->word[i] |= from->word[i];
}

void debug_pages_add(struct debug_pages *to, const struct debug_pages *from)
{
	add(&to->loads, &from->loads);
	add(&to->stores, &from->stores);
	add(&to->written, &from->written);
}

/* As many pages as are asked for one by one. */
enum { ASK_MOST = 64 };

static bool has_any(const struct debug_set *s, uint64_t at, uint64_t len)
{
	const uint64_t first = at / MEM_PAGE, last = (at + (len - 1)) / MEM_PAGE;

	for (uint64_t page = first; page <= last; page++)
		if (page - first == ASK_MOST || debug_set_has(s, page))
			return true;
	return false;
}

bool debug_pages_meet(const struct debug_pages *s, const struct debug_points *p)
{
	for (unsigned i = 0; i < p->nwatches; i++)
		if (has_any(&s->stores, p->watch[i].at, p->watch[i].len) ||
		    (p->watch[i].load && has_any(&s->loads, p->watch[i].at, p->watch[i].len)))
			return true;
	return p->guard.len && has_any(&s->written, p->guard.at, p->guard.len);
}
