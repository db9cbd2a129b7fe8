/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hart remembers of translations, and how it forgets.  Manual: volume II, 20240411, 10.2.1
 * (SFENCE.VMA) and 10.1.11 (satp, ASIDs).
 */
#include "cpu/riscv64/tlb.h"

#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "cpu/riscv64/jit.h"
#include "cpu/riscv64/lockstep.h"
#include "cpu/riscv64/state.h"

enum { ASID_SHIFT = 44, ASID_MASK = 0xffff, MAX_ID = MEM_PAGE - 1 };

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

static uint32_t asid_of(const struct rv *s)
{
	return s->satp >> ASID_SHIFT & ASID_MASK;
}

/* First level -------------------------------------------------------------------------------- */

void rv_tlb_init(struct rv *s)
{
	s->tlb_size = TLB_SIZE;
	s->l2.sets = RV_L2_SETS;
}

/* What is elsewhere in the second level then is not found any more. */
void rv_tlb_be_sparing(struct rv *s, bool sparing)
{
	const unsigned size = sparing ? TLB_FEW : TLB_SIZE;
	unsigned ctx;

	if (s->tlb_size == size)
		return;
	s->tlb_size = size;
	for (ctx = 0; ctx < RV_NCTX; ctx++)
		tlb_resize(&s->tlbs[ctx], size);
	s->l2.sets = sparing ? RV_L2_SETS_FEW : RV_L2_SETS;
}

void rv_tlb_fill(struct rv *s, bool store, uint64_t va, const uint8_t *host, bool local)
{
	if (store && s->lockstep) /* which wants to see all stores */
		return;
	tlb_fill(s->tlb, store, va, host, local);
}

void rv_tlb_forget(struct rv *s)
{
	unsigned ctx;

	for (ctx = 0; ctx < RV_NCTX; ctx++)
		tlb_forget(&s->tlbs[ctx]);
}

static void forget_local(struct rv *s)
{
	unsigned ctx;

	for (ctx = 0; ctx < RV_NCTX; ctx++)
		tlb_forget_local(&s->tlbs[ctx]);
	rv_code_unlink_local(s);
}

static void forget_page(struct rv *s, uint64_t va)
{
	unsigned ctx;

	for (ctx = 0; ctx < RV_NCTX; ctx++)
		tlb_forget_page(&s->tlbs[ctx], va);
	rv_code_unlink_page(s, va);
}

void rv_protect_code(struct rv *s, uint64_t pa)
{
	const uint8_t *host = mem_at(s->env->mem, pa & ~PAGE_MASK, MEM_PAGE);
	struct rv *hart;
	unsigned ctx;

	for (hart = s->first; hart; hart = hart->next_hart)
		for (ctx = 0; ctx < RV_NCTX; ctx++)
			tlb_protect(&hart->tlbs[ctx], host);
}

/* Second level ------------------------------------------------------------------------------- */

static struct rv_l2_entry *set_of(struct rv *s, uint64_t va)
{
	return s->l2.entry[rv_l2_set(&s->l2, va)];
}

static uint16_t new_id(struct rv_l2 *l2)
{
	if (l2->last_id == MAX_ID) {
		memset(l2->entry, 0, sizeof l2->entry);
		memset(l2->walk, 0, sizeof l2->walk);
		memset(l2->space, 0, sizeof l2->space);
		l2->last_id = 0;
		l2->global = ++l2->last_id;
	}
	return ++l2->last_id;
}

/* The place of an address space that has a number, or -1. */
static int find_space(const struct rv_l2 *l2, uint32_t asid)
{
	int i;

	for (i = 0; i < RV_SPACES; i++)
		if (l2->space[i].id && l2->space[i].asid == asid)
			return i;
	return -1;
}

/* Finds or makes the number of the current address space. */
static void enter_space(struct rv *s)
{
	struct rv_l2 *l2 = &s->l2;
	int i = find_space(l2, asid_of(s));

	if (i < 0) {
		l2->id = new_id(l2);
		i = l2->next_space++ % RV_SPACES;
		l2->space[i].asid = asid_of(s);
		l2->space[i].id = l2->id;
	}
	l2->id = l2->space[i].id;
}

static void forget_all(struct rv *s)
{
	struct rv_l2 *l2 = &s->l2;

	memset(l2->space, 0, sizeof l2->space);
	memset(l2->supers, 0, sizeof l2->supers);
	l2->global = new_id(l2);
	enter_space(s);
	rv_tlb_forget(s);
	rv_code_unlink(s);
}

static void forget_space(struct rv *s, uint32_t asid)
{
	int i = find_space(&s->l2, asid);

	if (i >= 0)
		s->l2.space[i].id = 0;
	if (asid != asid_of(s))
		return;
	enter_space(s);
	forget_local(s);
}

void rv_space_changed(struct rv *s)
{
	enter_space(s);
	forget_local(s);
}

void rv_l2_add(struct rv *s, uint64_t va, uint64_t leaf, bool global)
{
	struct rv_l2_entry *set, *e = NULL;
	uint64_t tag = (va & ~PAGE_MASK) | (global ? s->l2.global : s->l2.id);
	unsigned i, bits = leaf >> RV_LEAF_BITS;

	set = set_of(s, va);
	for (i = 0; i < RV_L2_WAYS && !e; i++)
		if (!set[i].tag || set[i].tag == tag)
			e = &set[i];
	if (!e)
		e = &set[s->l2.next_way++ % RV_L2_WAYS];
	*e = (struct rv_l2_entry){ tag, leaf };
	if (bits > MEM_PAGE_BITS)
		large_note(&s->l2.supers[va >> 63], va, bits);
}

static struct rv_walk *walk_of(struct rv *s, uint64_t va, unsigned level)
{
	return &s->l2.walk[level - 1][va >> (MEM_PAGE_BITS + 9 * level) & (RV_WALKS - 1)];
}

static uint64_t region_of(uint64_t va, unsigned level)
{
	return va >> (MEM_PAGE_BITS + 9 * level) << (MEM_PAGE_BITS + 9 * level);
}

unsigned rv_walk_find(struct rv *s, uint64_t va, uint64_t *table)
{
	const struct rv_walk *w;
	unsigned level;

	for (level = 1; level <= 2; level++) {
		w = walk_of(s, va, level);
		if (w->tag == (region_of(va, level) | s->l2.id)) {
			*table = w->table;
			return level;
		}
	}
	return 0;
}

void rv_walk_add(struct rv *s, uint64_t va, unsigned level, uint64_t table)
{
	*walk_of(s, va, level) = (struct rv_walk){ region_of(va, level) | s->l2.id, table };
}

/* Of all address spaces when id is 0. */
static void l2_forget_page(struct rv *s, uint64_t va, uint16_t id)
{
	struct rv_l2_entry *e = set_of(s, va);
	struct rv_walk *w;
	unsigned i;

	for (i = 0; i < RV_L2_WAYS; i++, e++)
		if ((e->tag ^ va) <= PAGE_MASK && (!id || (e->tag & PAGE_MASK) == id))
			e->tag = 0;
	for (i = 1; i <= 2; i++) {
		w = walk_of(s, va, i);
		if ((w->tag & ~PAGE_MASK) == region_of(va, i))
			w->tag = 0;
	}
}

void rv_flush(struct rv *s, bool all, uint64_t va, bool all_asids, uint64_t asid)
{
	uint32_t which = asid & ASID_MASK;
	int space = find_space(&s->l2, which);

	if (!all && large_may_hold(&s->l2.supers[va >> 63], va))
		all = true;
	if (all && all_asids) {
		forget_all(s);
	} else if (all) {
		forget_space(s, which);
	} else {
		if (all_asids || space >= 0)
			l2_forget_page(s, va, all_asids ? 0 : s->l2.space[space].id);
		if (all_asids || which == asid_of(s))
			forget_page(s, va);
	}
}
