/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_TLB_H
#define CPU_RISCV64_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/tlb.h"

/*
 * What a hart remembers of page tables, behind the small TLBs that loads and stores look into
 * first: leaves by page, and the tables on the way to them.  Several address spaces are in here at
 * once.  Each entry carries a number that stands for the address space it is of, or for all of them
 * (global pages); to forget an address space is to give it a new number.
 */
enum { RV_L2_SETS = 1024, RV_L2_SETS_FEW = 64, RV_L2_WAYS = 4, RV_WALKS = 64, RV_SPACES = 16 };

/* tag: virtual page | number; no entry where it is 0. */
struct rv_l2_entry {
	uint64_t tag;
	uint64_t leaf; /* RV_LEAF_x, and the physical page */
};

/* A PTE whose RSW field is what PMP allows for its whole page (R, W, X as in a PTE, at RV_LEAF_PMP)
 * and whose top has log2 of its size. */
enum { RV_LEAF_PMP = 7, RV_LEAF_BITS = 56 };

struct rv_walk {
	uint64_t tag; /* the region's first address | number */
	uint64_t table;
};

struct rv_l2 {
	struct rv_l2_entry entry[RV_L2_SETS][RV_L2_WAYS];
	struct rv_walk walk[2][RV_WALKS]; /* tables of 2 MiB, of 1 GiB */
	struct {
		uint32_t asid;
		uint16_t id; /* 0: not in use */
	} space[RV_SPACES];
	uint16_t id, global; /* of the current address space, and of global pages */
	uint16_t last_id;
	uint16_t next_space, next_way;
	unsigned sets; /* that are in use: a few, as long as the hart has little to do */
	struct large_pages supers[2]; /* by half of the address space */
};

/* Where the leaf of a virtual page may be. */
static inline unsigned rv_l2_set(const struct rv_l2 *l2, uint64_t va)
{
	return (va >> 12 ^ va >> 22) & (l2->sets - 1);
}

/* The leaf for va, or 0. */
static inline uint64_t rv_l2_find(const struct rv_l2 *l2, uint64_t va, bool *is_global)
{
	const struct rv_l2_entry *e = l2->entry[rv_l2_set(l2, va)];
	uint64_t page = va >> 12 << 12, local = page | l2->id, global = page | l2->global;
	unsigned i;

	for (i = 0; i < RV_L2_WAYS; i++, e++)
		if (e->tag == local || e->tag == global) {
			*is_global = e->tag == global;
			return e->leaf;
		}
	return 0;
}

#endif
