/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address translation: Sv39, Sv48, Sv57 with Svnapot, Svpbmt and Svadu.  Manual: volume II,
 * 20240411, 10.3 to 10.6 and the chapters of those extensions.  Memory types of Svpbmt are checked
 * and make no difference: every access is strongly ordered.
 */
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/log.h"
#include "core/mem.h"
#include "cpu/riscv64/lockstep.h"
#include "cpu/riscv64/state.h"

enum {
	PTE_V = 1,
	PTE_R = 2,
	PTE_W = 4,
	PTE_X = 8,
	PTE_U = 16,
	PTE_G = 32,
	PTE_A = 64,
	PTE_D = 128
};
#define PTE_RESERVED (0x7full << 54)
#define PTE_PBMT     (3ull << 61)
#define PTE_N        (1ull << 63)

enum { VPN_BITS = 9, NAPOT_BITS = 4, NAPOT_64K = 8 };

#define PPN_MASK  ((1ull << 44) - 1)
#define LEAF_PAGE (PPN_MASK << MEM_PAGE_BITS)

/* What a walk ends with: 0 or one of these, which `faults` makes an exception code. */
enum result { OK, PAGE_FAULT, ACCESS_FAULT, AGAIN };

static const uint8_t faults[][3] = {
	[PAGE_FAULT] = { [RV_FETCH] = RV_FETCH_PAGE,
	    [RV_LOAD] = RV_LOAD_PAGE,
	    [RV_STORE] = RV_STORE_PAGE },
	[ACCESS_FAULT] = { [RV_FETCH] = RV_FETCH_ACCESS,
	    [RV_LOAD] = RV_LOAD_ACCESS,
	    [RV_STORE] = RV_STORE_ACCESS },
};

static const uint8_t mode_of[RV_NCTX] = {
	[RV_CTX_U] = RV_U,
	[RV_CTX_S] = RV_S,
	[RV_CTX_S_SUM] = RV_S,
	[RV_CTX_M] = RV_M,
};

static enum rv_context context_of(const struct rv *s, unsigned mode)
{
	if (mode == RV_M)
		return RV_CTX_M;
	if (mode == RV_U)
		return RV_CTX_U;
	return s->mstatus & MSTATUS_SUM ? RV_CTX_S_SUM : RV_CTX_S;
}

enum rv_context rv_data_context(const struct rv *s)
{
	if (s->mode == RV_M && (s->mstatus & MSTATUS_MPRV))
		return context_of(s, (s->mstatus & MSTATUS_MPP) / (MSTATUS_MPP & -MSTATUS_MPP));
	return context_of(s, s->mode);
}

enum rv_context rv_fetch_context(const struct rv *s)
{
	return context_of(s, s->mode);
}

/* A PTE in host memory; NULL where a walk may not go: its accesses are S mode's. */
static _Atomic uint64_t *pte_at(struct rv *s, uint64_t pa, enum rv_access access)
{
	bool whole;

	if (!rv_pmp_allows(s, pa, 8, access, RV_S, &whole))
		return NULL;
	return mem_at(s->env->mem, pa, 8);
}

/* Whether a PTE has no reserved encoding (10.4.1, steps 3 and 4). */
static bool well_formed(const struct rv *s, uint64_t pte, unsigned level)
{
	uint64_t reserved = PTE_RESERVED;

	if (!(s->menvcfg & MENVCFG_PBMTE))
		reserved |= PTE_PBMT;
	if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W || (pte & reserved))
		return false;
	if (!(pte & (PTE_R | PTE_X)))
		return level && !(pte & (PTE_U | PTE_A | PTE_D | PTE_PBMT | PTE_N));
	if ((pte & PTE_PBMT) == PTE_PBMT)
		return false;
	if (pte & PTE_N)
		return !level && (pte >> 10 & 15) == NAPOT_64K;
	return !(pte >> 10 & ((1ull << (VPN_BITS * level)) - 1));
}

static bool permitted(const struct rv *s, uint64_t pte, enum rv_context ctx, enum rv_access access)
{
	bool user = pte & PTE_U;

	if (ctx == RV_CTX_U ? !user : user && (ctx == RV_CTX_S || access == RV_FETCH))
		return false;
	if (access == RV_FETCH)
		return pte & PTE_X;
	if (access == RV_STORE)
		return pte & PTE_W;
	return (pte & PTE_R) || ((pte & PTE_X) && (s->mstatus & MSTATUS_MXR));
}

static bool is_noted(uint64_t pte, enum rv_access access)
{
	uint64_t bits = access == RV_STORE ? PTE_A | PTE_D : PTE_A;

	return (pte & bits) == bits;
}

/* Step 9: the page is being used, which is for us (Svadu) or for software to note. */
static enum result note_use(
    struct rv *s, uint64_t pa, _Atomic uint64_t *host, uint64_t pte, enum rv_access access)
{
	uint64_t bits = access == RV_STORE ? PTE_A | PTE_D : PTE_A;
	uint64_t old = LE64(pte), new = LE64(pte | bits);

	if (is_noted(pte, access))
		return OK;
	if (!(s->menvcfg & MENVCFG_ADUE))
		return PAGE_FAULT;
	if (!pte_at(s, pa, RV_STORE))
		return ACCESS_FAULT;
	if (!atomic_compare_exchange_strong(host, &old, new))
		return AGAIN;
	mem_written(s->env->mem, pa, 8);
	return OK;
}

/* How a walk starts: the table, and the levels from it on. */
static unsigned walk_from(struct rv *s, uint64_t va, uint64_t *table)
{
	unsigned levels = rv_walk_find(s, va, table);

	if (levels)
		return levels;
	*table = (s->satp & PPN_MASK) << MEM_PAGE_BITS;
	return (unsigned)(s->satp >> 60) - 5; /* MODE is 8, 9, 10 for 3, 4, 5 levels */
}

static bool is_canonical(const struct rv *s, uint64_t va)
{
	unsigned shift = 64 - MEM_PAGE_BITS - VPN_BITS * ((unsigned)(s->satp >> 60) - 5);

	return (uint64_t)((int64_t)(va << shift) >> shift) == va;
}

static void note_leaf(struct rv *s, uint64_t va, uint64_t pa, uint64_t pte, unsigned bits)
{
	const uint64_t kept = PTE_R | PTE_W | PTE_X | PTE_U | PTE_D;
	uint64_t leaf = (pte & kept) | (uint64_t)bits << RV_LEAF_BITS | (pa & -(uint64_t)MEM_PAGE);
	uint64_t pmp = rv_pmp_of_page(s, pa);

	if (pmp)
		rv_l2_add(s, va, leaf | pmp << RV_LEAF_PMP, pte & PTE_G);
}

/* look: it changes nothing; a page whose use would have to be noted is not found. */
static enum result walk(struct rv *s, enum rv_context ctx, uint64_t va, enum rv_access access,
    bool look, struct rv_where *where)
{
	uint64_t table, at, pte, mask;
	unsigned level = walk_from(s, va, &table), shift = MEM_PAGE_BITS + VPN_BITS * level;
	_Atomic uint64_t *host;
	enum result r;

	if (!is_canonical(s, va))
		return PAGE_FAULT;
	for (;;) {
		level--;
		shift -= VPN_BITS;
		at = table | (va >> shift & ((1u << VPN_BITS) - 1)) << 3;
		host = pte_at(s, at, RV_LOAD);
		if (!host)
			return ACCESS_FAULT;
		pte = LE64(atomic_load_explicit(host, memory_order_acquire));
		if (!well_formed(s, pte, level))
			return PAGE_FAULT;
		if (pte & (PTE_R | PTE_X))
			break;
		table = (pte >> 10 & PPN_MASK) << MEM_PAGE_BITS;
		if (level == 1 || level == 2)
			rv_walk_add(s, va, level, table);
	}
	if (!permitted(s, pte, ctx, access))
		return PAGE_FAULT;
	if (pte & PTE_N)
		shift += NAPOT_BITS;
	mask = (1ull << shift) - 1;
	where->pa = ((pte >> 10 & PPN_MASK) << MEM_PAGE_BITS & ~mask) | (va & mask);
	where->bits = (uint8_t)shift;
	where->local = !(pte & PTE_G);
	if (look && !is_noted(pte, access))
		return PAGE_FAULT;
	r = note_use(s, at, host, pte, access);
	if (r == OK)
		note_leaf(s, va, where->pa, access == RV_STORE ? pte | PTE_D : pte, shift);
	return r;
}

static bool is_bare(const struct rv *s, enum rv_context ctx)
{
	return ctx == RV_CTX_M || s->satp >> 60 == 0;
}

/* Whether the leaf is remembered and lets this access be. */
static bool remembered(
    struct rv *s, enum rv_context ctx, uint64_t va, enum rv_access access, struct rv_where *where)
{
	static const uint16_t need[] = {
		[RV_FETCH] = PTE_X << RV_LEAF_PMP,
		[RV_LOAD] = PTE_R << RV_LEAF_PMP,
		[RV_STORE] = PTE_W << RV_LEAF_PMP | PTE_D,
	};
	bool global = false;
	uint64_t leaf = rv_l2_find(&s->l2, va, &global);

	if ((leaf & need[access]) != need[access] || !permitted(s, leaf, ctx, access))
		return false;
	where->pa = (leaf & LEAF_PAGE) | (va & (MEM_PAGE - 1));
	where->bits = leaf >> RV_LEAF_BITS;
	where->local = !global;
	where->whole = true;
	return true;
}

/* The same for what has to be read from tables, but changes nothing there. */
static bool found(
    struct rv *s, enum rv_context ctx, uint64_t va, enum rv_access access, struct rv_where *where)
{
	if (remembered(s, ctx, va, access, where))
		return true;
	if (s->lockstep) /* which wants to see all walks */
		return false;
	return walk(s, ctx, va, access, true, where) == OK && remembered(s, ctx, va, access, where);
}

void *rv_refill(struct rv *s, uint64_t va, unsigned size, bool store)
{
	enum rv_context ctx = (enum rv_context)(s->tlb - s->tlbs);
	const unsigned bad = store ? MEM_IO | MEM_CODE | MEM_CLEAN : MEM_IO;
	const uint64_t offset = va & (MEM_PAGE - 1);
	const atomic_uchar *flags;
	struct rv_where w;
	uint8_t *page;

	if (store && s->lockstep) /* which wants to see all stores */
		return NULL;
	if (offset + size > MEM_PAGE || is_bare(s, ctx) ||
	    !found(s, ctx, va, store ? RV_STORE : RV_LOAD, &w))
		return NULL;
	page = mem_page(s->env->mem, w.pa, &flags);
	if (!page || *flags & bad || rv_debug_page(s, va) || (store && rv_debug_frame(s, w.pa)))
		return NULL;
	if (debug_note(s->env->notes, va, w.pa, size, store))
		rv_tlb_fill(s, store, va, page, w.local);
	return page + offset;
}

int rv_translate(struct rv *s, enum rv_context ctx, uint64_t va, unsigned len,
    enum rv_access access, struct rv_where *where)
{
	enum result r = OK;

	if (is_bare(s, ctx)) {
		where->pa = va;
		where->bits = MEM_PAGE_BITS;
		where->local = false;
	} else {
		if (remembered(s, ctx, va, access, where))
			return 0;
		cpu_lockstep_alone(s->lockstep);
		do
			r = walk(s, ctx, va, access, false, where);
		while (r == AGAIN);
	}
	if (r == OK && !rv_pmp_allows(s, where->pa, len, access, mode_of[ctx], &where->whole))
		r = ACCESS_FAULT;
	if (r == OK)
		return 0;
	if (log_traces(s->env->log, TRACE_mmu))
		rv_trace_fault(s, ctx, va, access, faults[r][access]);
	return faults[r][access];
}
