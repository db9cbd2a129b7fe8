/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paging.  Manual: SDM volume 3, 4: 32-bit paging (4.3, with PSE-36), PAE paging (4.4), 4-level and
 * 5-level paging (4.5), access rights (4.6), error codes (4.7), A and D bits (4.8), A20M#
 * (8.7.13.4). Memory types (PWT, PCD, PAT) make no difference.  Left out: protection keys, shadow
 * stacks, HLAT.
 */
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/log.h"
#include "core/mem.h"
#include "cpu/x86/model.h"
#include "cpu/x86/state.h"

#define PTE_P   (1ull << 0)
#define PTE_RW  (1ull << 1)
#define PTE_US  (1ull << 2)
#define PTE_A   (1ull << 5)
#define PTE_D   (1ull << 6)
#define PTE_PS  (1ull << 7)
#define PTE_G   (1ull << 8)
#define PTE_XD  (1ull << 63)
#define PTE_SUM (PTE_RW | PTE_US) /* what every level has to allow */

enum { MAX_LEVELS = 5 };

/* How a table is indexed. */
struct shape {
	uint8_t levels, index_bits, entry_size;
};

/* An entry that a walk went through. */
struct step {
	void *host; /* NULL: not in RAM */
	uint64_t pa, pte;
};

struct walk {
	struct shape shape;
	struct step step[MAX_LEVELS]; /* the last is the leaf */
	unsigned nsteps, bits;
	uint64_t rights; /* PTE_SUM of all, and PTE_XD of any */
};

enum result { OK, FAULT, RESERVED, AGAIN };

static uint64_t phys_mask(const struct x86 *s)
{
	return (1ull << s->model->phys_bits) - 1;
}

/* What leaves the CPU as a physical address. */
static uint64_t gate_a20(const struct x86 *s, uint64_t pa)
{
	return pa & ~((uint64_t)s->a20_masked << 20);
}

static struct shape shape_of(const struct x86 *s)
{
	if (!(s->cr4 & CR4_PAE))
		return (struct shape){ 2, 10, 4 };
	if (!x86_is_long(s))
		return (struct shape){ 2, 9, 8 }; /* below the PDPTEs, which are registers */
	return (struct shape){ s->cr4 & CR4_LA57 ? 5 : 4, 9, 8 };
}

/* Nothing answers where no RAM is: all ones. */
static uint64_t read_entry(struct x86 *s, struct step *step, unsigned size)
{
	uint64_t val = UINT64_MAX;

	step->host = mem_at(s->env->mem, step->pa, size);
	if (!step->host)
		x86_phys_read(s, step->pa, &val, size);
	else if (size == 4)
		val = LE32(
		    atomic_load_explicit((_Atomic uint32_t *)step->host, memory_order_acquire));
	else
		val = LE64(
		    atomic_load_explicit((_Atomic uint64_t *)step->host, memory_order_acquire));
	return size == 4 ? (uint32_t)val : val;
}

/* Bits that have to be 0 in an entry that is present (tables 4-4 to 4-20). */
static uint64_t reserved_bits(const struct x86 *s, const struct walk *w, unsigned level, bool leaf)
{
	unsigned large = MEM_PAGE_BITS + w->shape.index_bits * level; /* of a large page */
	uint64_t bits;

	if (w->shape.entry_size == 4) {
		if (!level || !leaf)
			return 0;
		/* Bits 39 to 32 of the address are in 20 to 13. */
		if (!x86_model_has(s->model, X86_FEAT_PSE36) || s->model->phys_bits <= 32)
			return 0x3fe000;
		bits = s->model->phys_bits >= 40 ? 40 : s->model->phys_bits;
		return 0x3fe000 & ~((1ull << (bits - 19)) - 1);
	}
	/* 4- and 5-level paging ignore bits 62 to 52. */
	bits = ~phys_mask(s) & (x86_is_long(s) ? (1ull << 52) - 1 : ~PTE_XD);
	if (!(s->efer & EFER_NXE))
		bits |= PTE_XD;
	if (level && leaf)
		bits |= ((1ull << large) - 1) & ~((1ull << (MEM_PAGE_BITS + 1)) - 1);
	if (level > 2 || (level == 2 && !x86_model_has(s->model, X86_FEAT_PDPE1GB)))
		bits |= PTE_PS;
	return bits;
}

static bool is_leaf(const struct x86 *s, const struct walk *w, uint64_t pte, unsigned level)
{
	if (level == 0)
		return true;
	if (!(pte & PTE_PS) || level > 2)
		return false;
	return w->shape.entry_size == 8 || s->cr4 & CR4_PSE;
}

static uint64_t table_of(const struct x86 *s, uint64_t linear, bool *present)
{
	*present = true;
	if (!(s->cr4 & CR4_PAE))
		return s->cr3 & 0xfffff000;
	if (x86_is_long(s))
		return s->cr3 & phys_mask(s) & ~(uint64_t)(MEM_PAGE - 1);
	*present = s->pdpte[linear >> 30 & 3] & PTE_P;
	return s->pdpte[linear >> 30 & 3] & phys_mask(s) & ~(uint64_t)(MEM_PAGE - 1);
}

static enum result walk(struct x86 *s, uint64_t linear, struct walk *w)
{
	unsigned level, index;
	bool present;
	uint64_t table = table_of(s, linear, &present);

	w->shape = shape_of(s);
	w->rights = PTE_SUM;
	w->nsteps = 0;
	if (!present)
		return FAULT;
	for (level = w->shape.levels; level--;) {
		struct step *step = &w->step[w->nsteps++];
		bool leaf;

		w->bits = MEM_PAGE_BITS + w->shape.index_bits * level;
		index = linear >> w->bits & ((1u << w->shape.index_bits) - 1);
		step->pa = gate_a20(s, table | index * w->shape.entry_size);
		step->pte = read_entry(s, step, w->shape.entry_size);
		if (!(step->pte & PTE_P))
			return FAULT;
		leaf = is_leaf(s, w, step->pte, level);
		if (step->pte & reserved_bits(s, w, level, leaf))
			return RESERVED;
		w->rights = (w->rights & (step->pte | ~PTE_SUM)) | (step->pte & PTE_XD);
		if (leaf)
			break;
		table = step->pte & phys_mask(s) & ~(uint64_t)(MEM_PAGE - 1);
	}
	if (w->shape.entry_size == 4)
		w->rights &= ~PTE_XD;
	return OK;
}

/* 4.6.1 */
static bool permitted(
    const struct x86 *s, uint64_t rights, enum x86_context ctx, enum x86_access access)
{
	bool user_page = rights & PTE_US;

	if (access == X86_FETCH && rights & PTE_XD)
		return false;
	if (ctx == X86_CTX_USER)
		return user_page && (access != X86_STORE || rights & PTE_RW);
	if (user_page && access == X86_FETCH && s->cr4 & CR4_SMEP)
		return false;
	if (user_page && access != X86_FETCH && ctx == X86_CTX_SMAP)
		return false;
	return access != X86_STORE || rights & PTE_RW || !(s->cr0 & CR0_WP);
}

static bool may_access(
    const struct x86 *s, const struct walk *w, enum x86_context ctx, enum x86_access access)
{
	if (access != X86_STORE_AGAIN)
		return permitted(s, w->rights, ctx, access);
	return w->step[w->nsteps - 1].pte & PTE_D && permitted(s, w->rights, ctx, X86_STORE);
}

static bool set_bits(struct x86 *s, struct step *step, uint64_t bits, unsigned size)
{
	uint64_t old64 = LE64(step->pte), new64 = LE64(step->pte | bits);
	uint32_t old32 = cas32_old(LE32((uint32_t)step->pte)),
		 new32 = LE32((uint32_t)(step->pte | bits));
	bool done;

	if ((step->pte & bits) == bits || !step->host)
		return true;
	if (size == 4)
		done =
		    atomic_compare_exchange_strong((_Atomic uint32_t *)step->host, &old32, new32);
	else
		done =
		    atomic_compare_exchange_strong((_Atomic uint64_t *)step->host, &old64, new64);
	if (done) {
		step->pte |= bits;
		mem_written(s->env->mem, step->pa, size);
	}
	return done;
}

/* 4.8: A in every entry, D in the leaf. */
static enum result note_use(struct x86 *s, struct walk *w, enum x86_access access)
{
	unsigned n;

	for (n = 0; n < w->nsteps; n++) {
		bool leaf = n == w->nsteps - 1;
		uint64_t bits = leaf && access == X86_STORE ? PTE_A | PTE_D : PTE_A;

		if (!set_bits(s, &w->step[n], bits, w->shape.entry_size))
			return AGAIN;
	}
	return OK;
}

static uint64_t frame(const struct x86 *s, const struct walk *w)
{
	uint64_t pte = w->step[w->nsteps - 1].pte;

	if (w->shape.entry_size == 8)
		return pte & phys_mask(s);
	if (w->bits > MEM_PAGE_BITS)
		return (pte & 0xffc00000) | (pte & 0x1fe000) << 19;
	return pte & 0xfffff000;
}

/* 4.7 */
static uint32_t error_code(
    const struct x86 *s, enum result r, enum x86_context ctx, enum x86_access access, bool present)
{
	uint32_t error = present ? X86_PF_P : 0;
	bool nx = s->cr4 & CR4_PAE && s->efer & EFER_NXE;

	if (r == RESERVED)
		error |= X86_PF_RSVD;
	if (access == X86_STORE)
		error |= X86_PF_W;
	if (ctx == X86_CTX_USER)
		error |= X86_PF_U;
	if (access == X86_FETCH && (nx || s->cr4 & CR4_SMEP))
		error |= X86_PF_I;
	return error;
}

int x86_translate(struct x86 *s, enum x86_context ctx, uint64_t linear, enum x86_access access,
    struct x86_where *where, uint32_t *error)
{
	struct walk w;
	enum result r;
	uint64_t leaf, mask;
	bool present;

	if (!x86_is_long(s))
		linear = (uint32_t)linear;
	if (!(s->cr0 & CR0_PG)) {
		*where = (struct x86_where){ gate_a20(s, linear), MEM_PAGE_BITS, false, true };
		return 0;
	}
	do {
		r = walk(s, linear, &w);
		present = r != FAULT;
		if (r == OK)
			r = may_access(s, &w, ctx, access) ? note_use(s, &w, access) : FAULT;
	} while (r == AGAIN);
	if (r != OK) {
		*error = error_code(s, r, ctx, access, present);
		if (access != X86_STORE_AGAIN && log_traces(s->env->log, TRACE_mmu))
			x86_trace_fault(s, ctx, linear, access, *error);
		return 1;
	}
	if (w.bits > MEM_PAGE_BITS)
		large_note(&s->large, linear, w.bits);
	leaf = w.step[w.nsteps - 1].pte;
	mask = (1ull << w.bits) - 1;
	where->pa = gate_a20(s, (frame(s, &w) & ~mask) | (linear & mask));
	where->bits = (uint8_t)w.bits;
	where->global = leaf & PTE_G && s->cr4 & CR4_PGE;
	where->writable = leaf & PTE_D && permitted(s, w.rights, ctx, X86_STORE);
	return 0;
}

enum x86_context x86_data_context(const struct x86 *s)
{
	if (s->cpl == 3)
		return X86_CTX_USER;
	return s->cr4 & CR4_SMAP && !(s->eflags & FLAG_AC) ? X86_CTX_SMAP : X86_CTX_SUPER;
}

/* 4.4.1: four entries of 8 bytes. */
bool x86_load_pdptes(struct x86 *s, uint64_t cr3)
{
	const uint64_t reserved = ~phys_mask(s) | 0x1e6;
	uint64_t pdpte[4];
	unsigned n;

	for (n = 0; n < 4; n++) {
		if (!x86_phys_read(s, (cr3 & 0xffffffe0) + 8 * n, &pdpte[n], 8))
			pdpte[n] = UINT64_MAX;
		if (pdpte[n] & PTE_P && pdpte[n] & reserved)
			return false;
	}
	for (n = 0; n < 4; n++)
		s->pdpte[n] = pdpte[n];
	return true;
}
