/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_CODE_H
#define CPU_RISCV64_CODE_H

#include "base/bytes.h"
#include "core/mem.h"
#include "cpu/riscv64/riscv64_dec.h" /* needs RV_SINK */
#include "cpu/riscv64/state.h"

/*
 * Decoded code.  Each page of guest RAM that was executed from has an array with one cell for
 * each halfword, so that finding the next instruction, or the target of a branch inside the page,
 * is adding to a pointer.  Cells are decoded when they are first executed.  The harts of a VM share
 * the pages; a page is found by physical address, and for speed by virtual address in a small table
 * of each hart.
 *
 * A page that has cells carries MEM_CODE: stores to it take the slow path and reset the cells that
 * they overlap.  With several threads (vm.h) another hart may be executing such a cell, so it keeps
 * its arguments, as a stale one, until a hart is alone.
 */
struct rv_cell {
	/* Executes the instruction and goes on; returns NULL when the hart has to come out, with pc
	 * and left right. */
	const struct rv_cell *(*_Atomic fn)(struct rv *, const struct rv_cell *, int64_t left);
	struct rv_args args;
};

/* What fn is of a cell; args are right for it then, also while another hart decodes. */
#define RV_CELL_FN(cell) atomic_load_explicit(&(cell)->fn, memory_order_acquire)

enum { RV_PAGE_CELLS = MEM_PAGE / 2 };

struct rv_page {
	/* RV_PAGE_CELLS, and one that crosses into the next page; NULL where code is compiled: then
	 * what is not runs from scratch cells. */
	struct rv_cell *cell;
	uint64_t pa;
	const uint8_t *host;
	struct rv_page *hash_next; /* or the next free one */
	unsigned writes;           /* stores since something was decoded here */
	bool doomed;               /* too many: to be dropped when no hart is inside */
	bool stale;                /* some cells are: to be decoded again when no hart is inside */
};

/* Pages of one VM, and those with cells; the oldest are dropped beyond this. */
enum { RV_CODE_PAGES = 8192, RV_CELL_PAGES = 2048, RV_CODE_HASH = 1024 };

struct rv_code_store {
	struct rv_page *hash[RV_CODE_HASH];
	struct rv_page *page[RV_CODE_PAGES]; /* all that were allocated */
	struct rv_page *free;                /* dropped ones */
	unsigned npages;
	unsigned next_victim;
	atomic_bool any_stale; /* or doomed */
};

enum { RV_FETCH_SIZE = 1024, RV_SCRATCH_CELLS = 4, RV_ALONE_SIZE = 1024 };

struct rv_code {
	struct rv_code_store *store;
	struct {
		uint64_t tag; /* virtual page | mode; all ones: none */
		struct rv_page *page;
	} fetch[RV_FETCH_SIZE];
	uint64_t local[RV_FETCH_SIZE / 64]; /* bits of those of this address space only, */
	uint8_t local_modes;                /* and 1 << the modes that they are of */
	/* One instruction that has no cell of its own, then the way on: what crosses a page, lies
	 * in a page that PMP splits or that has a breakpoint, or is to be executed alone. */
	struct rv_cell scratch[RV_SCRATCH_CELLS];
	/* What such cells are for instructions that were decoded lately. */
	struct {
		uint32_t word;
		struct rv_cell cell; /* fn is NULL: none */
	} alone[RV_ALONE_SIZE];
};

/* interp.c: cells that stand for no instruction, and the table of those that do. */
enum rv_cell_kind { RV_CELL_DECODE, RV_CELL_CROSS, RV_CELL_SPLIT, RV_CELL_STALE };
extern const struct rv_cell rv_special_cells[4];
/* Fills in the cell for an instruction of len bytes.  near: a relative jump stays in its page. */
void rv_cell_make(struct rv_cell *, uint32_t word, unsigned len, unsigned offset);
void rv_cell_make_alone(struct rv_cell *, uint32_t word, unsigned len);

/* Between two instructions: what of the turn comes next, at most `most`; false when it is over. */
bool rv_next_slice(struct rv *, int64_t most);
/* Interprets the next instruction; raises.  The slice ends with it. */
void rv_run_one(struct rv *);

static inline bool rv_is_long(uint32_t word)
{
	return (word & 3) == 3;
}

/* The instruction there, or what `room` bytes hold of it (2 or 4): the upper half is 0 where it is
 * missing.  Both halves are read at once, so a hart fetches what another one stores to an aligned
 * word whole or not at all (profiles, Ziccif). */
static inline uint32_t rv_code_word(const uint8_t *at, unsigned room)
{
	uint32_t word = (uint32_t)(room < 4 ? get_le(at, 2) : get_le(at, 4));

	return rv_is_long(word) ? word : word & 0xffff;
}

/* code.c */
int rv_code_new(struct rv *, struct err *);
void rv_code_free(struct rv *);
void rv_code_forsake(struct rv *);
/* The page that va executes from, in the current mode; raises fetch exceptions.  NULL: it has no
 * cells; use rv_code_scratch. */
struct rv_page *rv_code_find(struct rv *, uint64_t va);
/* The scratch cell with the instruction at va. */
const struct rv_cell *rv_code_scratch(struct rv *, uint64_t va);
/* Decodes the cell of the hart's current page. */
void rv_code_decode(struct rv *, const struct rv_cell *);

/* The page that va executes from when that is known, or NULL. */
static inline struct rv_page *rv_code_known(const struct rv *s, uint64_t va)
{
	unsigned n = va >> MEM_PAGE_BITS & (RV_FETCH_SIZE - 1);

	if (likely(s->code->fetch[n].tag == ((va & ~(uint64_t)(MEM_PAGE - 1)) | s->mode)))
		return s->code->fetch[n].page;
	return NULL;
}

/* The page that va executes from, or NULL as above. */
static inline struct rv_page *rv_code_page(struct rv *s, uint64_t va)
{
	struct rv_page *p = rv_code_known(s, va);

	return likely(p) ? p : rv_code_find(s, va);
}

/* The cell for va with the hart's page and pc_bias set for it. */
static inline const struct rv_cell *rv_code_enter(struct rv *s, uint64_t va)
{
	struct rv_page *p = rv_code_page(s, va);

	if (unlikely(!p))
		return rv_code_scratch(s, va);
	s->page = p;
	s->pc_bias = (va & ~(uint64_t)(MEM_PAGE - 1)) - ((uintptr_t)p->cell >> 3);
	return &p->cell[(va & (MEM_PAGE - 1)) >> 1];
}

#endif
