/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses that could not share a translation, since what they touch is in two pages: that costs as
 * much as some ten translations, as the unit is left for it.  A loop that goes through memory meets
 * that at each page's end, which is no reason to do anything.  One that works with an object which
 * lies across a page's end does each time it comes by, and then its accesses had better share less.
 * What tells them apart is that it soon happens again, at the same address.
 *
 * CPUs on several threads note what they met at once; what gets lost is met again.
 */
#include <stdatomic.h>

#include "jit/x86_64/gen.h"

enum {
	SOON = 1024,  /* instructions */
	ENOUGH = 200, /* times more often soon than not */
	LEVELS = 2,
};

unsigned x86_apart_entry(uint64_t page, int64_t pc)
{
	const uint64_t place = page + (uint64_t)pc;

	return (unsigned)(place >> 1 ^ place >> 13) & ((1u << APART_BITS) - 1);
}

unsigned x86_apart(const struct jit *j, unsigned entry)
{
	return atomic_load_explicit(&j->apart[entry].level, memory_order_relaxed);
}

/* Whether the last time was there, too, and not long ago; this is the last time now. */
static bool is_again(struct apart *a, uint64_t va, int64_t left)
{
	const uint32_t was = atomic_load_explicit(&a->va, memory_order_relaxed);
	const uint16_t when = atomic_load_explicit(&a->left, memory_order_relaxed);

	atomic_store_explicit(&a->va, (uint32_t)va, memory_order_relaxed);
	atomic_store_explicit(&a->left, (uint16_t)left, memory_order_relaxed);
	return was == (uint32_t)va && (uint16_t)(when - (uint16_t)left) < SOON;
}

bool x86_apart_note(struct jit *j, unsigned entry, uint64_t va, int64_t left)
{
	struct apart *a = &j->apart[entry];
	unsigned count = atomic_load_explicit(&a->count, memory_order_relaxed);
	const unsigned level = x86_apart(j, entry);
	bool enough;

	if (level == LEVELS)
		return false;
	if (is_again(a, va, left))
		count++;
	else if (count)
		count--;
	enough = count >= ENOUGH;
	if (enough)
		atomic_store_explicit(&a->level, (uint8_t)(level + 1), memory_order_relaxed);
	atomic_store_explicit(&a->count, enough ? 0 : (uint8_t)count, memory_order_relaxed);
	return enough;
}
