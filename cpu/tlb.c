/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/tlb.h"

#include <string.h>

enum { LOADS, STORES };

#define PAGE_MASK 0xfffull

static struct tlb_entry *table(struct tlb *t, unsigned store)
{
	return store ? t->store : t->load;
}

void tlb_init(struct tlb *t, unsigned size, bool stores)
{
	t->load[0].tag = TLB_NO_TAG(0);
	if (stores)
		t->store[0].tag = TLB_NO_TAG(0);
	t->mask = size - 1;
}

void tlb_resize(struct tlb *t, unsigned size)
{
	if (!tlb_is_used(t))
		return;
	tlb_forget(t);
	t->mask = size - 1;
}

static void set_add(struct tlb_set *set, unsigned n)
{
	set->any |= 1ull << n / 64;
	set->word[n / 64] |= 1ull << n % 64;
}

void tlb_fill(struct tlb *t, bool store, uint64_t va, const uint8_t *host, bool local)
{
	const unsigned n = tlb_slot(t, va);
	const uint64_t page = va & ~PAGE_MASK;
	struct tlb_entry *e = &table(t, store)[n];

	e->tag = page;
	e->addend = (uintptr_t)host - (uintptr_t)page;
	set_add(&t->used[store], n);
	if (local)
		set_add(&t->local[store], n);
}

/* Empties the entries of a set, and the set. */
static void empty(struct tlb *t, unsigned store, struct tlb_set *set)
{
	unsigned i, n;

	for (; set->any; set->any &= ~(1ull << i)) {
		i = 63 - clz64(set->any);
		for (; set->word[i]; set->word[i] &= ~(1ull << n % 64)) {
			n = i * 64 + 63 - clz64(set->word[i]);
			table(t, store)[n].tag = TLB_NO_TAG(n);
		}
	}
}

/* Takes what is in b out of a. */
static void set_take(struct tlb_set *a, const struct tlb_set *b)
{
	uint64_t words;
	unsigned i;

	for (words = b->any; words; words &= ~(1ull << i)) {
		i = 63 - clz64(words);
		a->word[i] &= ~b->word[i];
		if (!a->word[i])
			a->any &= ~(1ull << i);
	}
}

void tlb_forget(struct tlb *t)
{
	unsigned store;

	if (!tlb_is_used(t))
		return;
	for (store = LOADS; store <= STORES; store++) {
		empty(t, store, &t->used[store]);
		t->local[store] = (struct tlb_set){ 0 };
	}
}

void tlb_forget_local(struct tlb *t)
{
	unsigned store;

	for (store = LOADS; store <= STORES; store++) {
		set_take(&t->used[store], &t->local[store]);
		empty(t, store, &t->local[store]);
	}
}

void tlb_forget_page(struct tlb *t, uint64_t va)
{
	const unsigned n = tlb_slot(t, va);
	unsigned store;

	for (store = LOADS; store <= STORES; store++)
		if (table(t, store)[n].tag == (va & ~PAGE_MASK))
			table(t, store)[n].tag = TLB_NO_TAG(n);
}

void tlb_protect(struct tlb *t, const uint8_t *host)
{
	const struct tlb_set *set = &t->used[STORES];
	uint64_t words, bits;
	unsigned i, n;

	for (words = set->any; words; words &= ~(1ull << i)) {
		i = 63 - clz64(words);
		for (bits = set->word[i]; bits; bits &= ~(1ull << n % 64)) {
			n = i * 64 + 63 - clz64(bits);
			if ((uintptr_t)t->store[n].tag + t->store[n].addend == (uintptr_t)host)
				t->store[n].tag = TLB_NO_TAG(n);
		}
	}
}

/* Large pages ---------------------------------------------------------------------------------- */

/* Svnapot's of RISC-V, those of x86 and RISC-V, of 32-bit paging on x86, and larger ones. */
static const uint8_t size_bits[LARGE_SIZES] = { 16, 21, 22, 30, 39 };

static unsigned large_hash(uint64_t va, unsigned size)
{
	const uint64_t n = va >> size_bits[size];

	return (n ^ n >> 9) & 511;
}

void large_note(struct large_pages *p, uint64_t va, unsigned bits)
{
	unsigned size = LARGE_SIZES - 1, n;

	while (size && bits < size_bits[size])
		size--;
	n = large_hash(va, size);
	p->map[size][n / 64] |= 1ull << n % 64;
	if (bits > size_bits[size]) /* larger than the largest size: anywhere */
		memset(p->map[size], 0xff, sizeof p->map[size]);
}

bool large_may_hold(const struct large_pages *p, uint64_t va)
{
	unsigned size, n;

	for (size = 0; size < LARGE_SIZES; size++) {
		n = large_hash(va, size);
		if (p->map[size][n / 64] >> n % 64 & 1)
			return true;
	}
	return false;
}
