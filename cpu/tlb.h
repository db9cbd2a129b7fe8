/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_TLB_H
#define CPU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * A software TLB: where in the host's memory the pages of 4 KiB are that a guest CPU accesses,
 * loads and stores apart.  An entry matches when the page of the access is its tag; the byte is
 * then at host address va + addend.  The tag of an empty entry is of another index, so that the
 * page offset of its difference to an address says so, too; but for the first one it is 0, so that
 * entries that were never used take no memory of the host.  An entry exists only where an access
 * needs nothing else: no bus region on the page, and for stores a page table that knows it as dirty
 * and no code.
 *
 * What entries may be filled is kept as sets of bits, so that to forget costs what there is.
 *
 * A CPU that has little to do can make do with a few of the entries, which take less memory.  Code
 * that was compiled counts on all of them.
 */
enum { TLB_BITS = 12, TLB_SIZE = 1 << TLB_BITS, TLB_FEW = 1 << 8 };
#define TLB_NO_TAG(n) ((n) ? 0 : UINT64_MAX)

struct tlb_entry {
	uint64_t tag;
	uintptr_t addend;
};

/* any: which of its words are not 0. */
struct tlb_set {
	uint64_t any;
	uint64_t word[TLB_SIZE / 64];
};

/* Each of the three parts is whole pages, so a few entries are in no more of them than need be. */
struct tlb {
	struct tlb_entry load[TLB_SIZE], store[TLB_SIZE];
	union {
		struct {
			struct tlb_set used[2],
			    local[2];  /* of loads, of stores; local: of this address space only */
			unsigned mask; /* one less than how many entries are in use */
		};
		uint8_t page[1 << 12];
	};
};

/* Of a TLB that was never used all is 0, so it takes no memory of the host either; nobody may look
 * for anything in it before this.  size: TLB_SIZE or TLB_FEW; stores: these, too. */
void tlb_init(struct tlb *, unsigned size, bool stores);

static inline bool tlb_is_used(const struct tlb *t)
{
	return t->mask;
}

static inline void tlb_begin(struct tlb *t, unsigned size, bool stores)
{
	if (unlikely(!tlb_is_used(t)))
		tlb_init(t, size, stores);
}

static inline unsigned tlb_slot(const struct tlb *t, uint64_t va)
{
	return va >> 12 & t->mask;
}

/* Of one that is used: forgets all. */
void tlb_resize(struct tlb *, unsigned size);
/* The page of va is at host. */
void tlb_fill(struct tlb *, bool store, uint64_t va, const uint8_t *host, bool local);
void tlb_forget(struct tlb *);
void tlb_forget_local(struct tlb *);
void tlb_forget_page(struct tlb *, uint64_t va);
/* No store may find this page of the host. */
void tlb_protect(struct tlb *, const uint8_t *host);

/*
 * Of which large pages a TLB may hold parts of 4 KiB: one address in such a page stands for all of
 * it when it is invalidated, so whether there may be one matters.  By size, hashes of addresses;
 * all zeroes: there are none.
 */
enum { LARGE_SIZES = 5 };
struct large_pages {
	uint64_t map[LARGE_SIZES][8];
};

/* A page of 1 << bits bytes, more than 4 KiB. */
void large_note(struct large_pages *, uint64_t va, unsigned bits);
bool large_may_hold(const struct large_pages *, uint64_t va);

#endif
