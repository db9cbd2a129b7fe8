/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_WALK_H
#define CORE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct mem;

/*
 * Page tables as somebody reads them who is not a CPU: no A or D bit is set and nothing faults, but
 * it can be said why something would.  For debuggers, and for traces.  What depends on the guest
 * CPU is a struct walk_class, which cpu/ARCH/paging.c defines.
 */

/* Rules that are in force; bits. */
enum {
	WALK_USER = 1,         /* the CPU is in user mode */
	WALK_NO_USER_DATA = 2, /* else: it may not access user pages, */
	WALK_NO_USER_CODE = 4, /* nor execute them, */
	WALK_READONLY = 8,     /* and W counts for it, too */
	WALK_READ_X = 16,      /* pages that can be executed can be read */
	WALK_SETS_A_D = 32,    /* the CPU sets A and D; else it faults where they are clear */
	WALK_ALL_X = 64        /* nothing says that a page cannot be executed */
};

/* How page tables are walked now; all that entries depend on. */
struct walk_paging {
	bool on;
	bool wraps; /* above the mask is what its top bit is */
	uint8_t levels, index_bits, entry_size;
	uint8_t rules;
	uint8_t kind,
	    phys_bits; /* the class's own: which tables these are, how long addresses are */
	uint64_t root;
	uint64_t mask; /* of virtual addresses */
};

enum { WALK_R = 1, WALK_W = 2, WALK_X = 4, WALK_U = 8, WALK_G = 16, WALK_A = 32, WALK_D = 64 };

struct walk_pte {
	bool present, leaf;
	unsigned bits;   /* leaf: log2 of the page's size */
	uint64_t pa;     /* of the page or the next table */
	unsigned rights; /* WALK_x; a table: those that it takes away are missing */
	const char *bad; /* what makes a present entry one that faults; or NULL */
};

struct walk_class {
	/* regs: of the CPU class. */
	struct walk_paging (*paging)(const void *regs);
	struct walk_pte (*pte)(const struct walk_paging *, uint64_t entry, unsigned level);
	/* What manuals call it. */
	const char *(*mode)(const struct walk_paging *);
};

struct walk_step {
	uint64_t at, entry;
	unsigned level;
	bool nowhere; /* there is no memory at `at` */
	struct walk_pte pte;
};

enum { WALK_LEVELS = 5 };
struct page_walk {
	struct walk_paging paging;
	struct walk_step step[WALK_LEVELS];
	unsigned nsteps;
	bool bad_address; /* above the mask it is not as its top bit */
	bool found;
	uint64_t va, pa;
	unsigned bits;
};

/* Where a virtual address is, whatever its rights; false: nowhere. */
bool walk_at(const struct walk_class *, const struct walk_paging *, const struct mem *, uint64_t va,
    struct page_walk *);

/* Each piece that is mapped in a row with the same rights, in the order of addresses, at most so
 * many; false: there are more. */
struct walk_piece {
	uint64_t va, len, pa;
	unsigned rights;
};
bool walk_pieces(const struct walk_class *, const struct walk_paging *, const struct mem *,
    unsigned most, void (*fn)(void *arg, const struct walk_piece *), void *arg);

/* In words ------------------------------------------------------------------------------------- */

enum walk_access { WALK_READ, WALK_WRITE, WALK_EXECUTE };

/* Why such an access faults; NULL: by these tables it does not. */
const char *walk_why(const struct page_walk *, enum walk_access);
/* rwxug */
void walk_put_rights(struct buf *, unsigned rights);
/* Entry by entry, a line each, and where it leads. */
void walk_print(const struct walk_class *, const struct page_walk *, struct buf *);
/* The same on the line that has begun. */
void walk_print_short(const struct page_walk *, struct buf *);

/* As arguments of a record (base/trace.h), TRACE_KIND_WALK: first access and fault. */
enum {
	WALK_ARG_ACCESS,
	WALK_ARG_FAULT,
	WALK_ARG_VA,
	WALK_ARG_PAGING,
	WALK_ARG_ROOT,
	WALK_ARG_STEPS
};
struct trace_record;
void walk_save(const struct page_walk *, struct trace_record *);
/* false: that is none. */
bool walk_load(const struct walk_class *, const struct trace_record *, struct page_walk *);

#endif
