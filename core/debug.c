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
