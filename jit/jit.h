/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ir_block;
struct ir_guest;

/*
 * Makes host code of IR blocks and runs it.  One struct jit serves all CPUs of a VM; compiling and
 * linking are for one thread at a time (but see jit_draft), running is for any.
 *
 * Compiled code is position-independent in the guest's address space: it belongs to a page, and
 * finds in the state (`base`) at which virtual address that page is now.  All pcs in its IR are
 * offsets from there, and those outside 0 to 4095 mean other pages.
 */
struct jit;

/* An inline jump cache: where the code for a virtual pc is. */
enum { JIT_JUMP_BITS = 14, JIT_JUMPS = 1 << JIT_JUMP_BITS };
struct jit_jump {
	uint64_t tag; /* pc | mark of the unit; JIT_NO_TAG(n) in entry n: none */
	const void *host;
};
/* That of another index: 0 is the first pc without a mark, all ones the last one with it. */
#define JIT_NO_TAG(n) ((n) ? 0 : UINT64_MAX)

/* What the generator has to know about a guest CPU.  Offsets are in its state. */
struct jit_guest {
	const struct ir_guest *ir;
	/* Functions of (state, a, b, c), by the number of the helper. */
	uint64_t (*const *helpers)(void *, uint64_t, uint64_t, uint64_t);
	/* Where in the host's memory an access is that the TLB does not know; maybe it does now.
	 * NULL: only ir->load and ir->store can tell.  pc and registers are not in the state then.
	 * size 0: there may be no access; so nothing of the guest's may change, A bits neither.
	 */
	void *(*refill)(void *state, uint64_t va, unsigned size, bool store);
	/* The unit that runs has the instruction at that offset from base, and would be better if
	 * it were compiled once more, as all that have it; NULL: it stays as it is. */
	void (*again)(void *state, unsigned pc);
	/* The same for jumps: how the code at pc starts, with base set; NULL: come out. */
	const void *(*jump)(void *state);
	/* Vector registers, for guests without fpins: 17 of 32 bytes each (the last is scratch),
	 * and uint32_t: x86-64's MXCSR for them.  vec_level says whether code may have them in the
	 * host's, with flags and all: 0: no, 1: without vex, 2: all; only what is called changes
	 * that.  NULL: there are none. */
	unsigned (*vec_level)(void *state);
	uint32_t vregs, mxcsr;
	uint32_t left;       /* int64_t: instructions left; a block runs only if it has them all */
	uint32_t pc;         /* uint64_t */
	uint32_t base;       /* uint64_t */
	uint32_t attention;  /* uint32_t: not 0: come out soon */
	uint32_t jumps;      /* pointer: the jump cache that `resume` looks into, */
	uint32_t jump_mark;  /* uint64_t: and the mark */
	uint32_t fp_fast;    /* uint8_t: 1 when floating point may be done in line */
	uint32_t fp_flags;   /* uint8_t: sticky */
	const uint8_t *pins; /* slots worth a host register, the best first */
	unsigned npins;
	const uint8_t *fpins; /* all slots that hold floating-point values, in that order */
	unsigned nfpins;
	unsigned pc_shift; /* 1: pcs are even.  A mark is bit 0, so the others have none. */
	unsigned inside;   /* direct exits lead to offsets below that: all instructions there end in
			      the page, too */
	unsigned tlb_bits; /* log2 of the entries of a TLB; an entry is a tag and an addend of 8
			      bytes each */
};

/* Index: the pc's bits above those that are always 0. */
static inline unsigned jit_jump_index(const struct jit_guest *g, uint64_t pc)
{
	return pc >> g->pc_shift & (JIT_JUMPS - 1);
}

/* A block to be compiled. */
struct jit_unit {
	struct ir_block *ir;          /* passes ir_check; the generator changes it */
	unsigned insns;               /* guest instructions in it */
	uint32_t id;                  /* comes back with exits */
	uint32_t tlb_load, tlb_store; /* offsets in the state */
	uint32_t jumps;               /* offset of the jump cache */
	uint64_t page;                /* a number for the page that it is in, to note things by */
	uint8_t mark;                 /* 0 or 1 */
	bool plain;                   /* each access asks for its own translation: see below */
	struct jit_draft *draft;      /* not NULL: what was made of it, for jit_compile to place */
};

/* A direct exit that is not linked: jit_enter returned its address. */
struct jit_exit {
	int32_t target; /* offset of the pc from base */
	uint32_t site;  /* offset in code memory of the jump to be linked; | JIT_PLAIN */
	uint32_t unit;
};
/* It wants a plain unit. */
#define JIT_PLAIN (1u << 31)

/* Why jit_enter came back, when it is no exit. */
enum jit_why {
	JIT_STOP = 1, /* `left` is too small for the next block, or attention */
	JIT_MISS = 2, /* the jump cache does not know pc */
	JIT_SLOW = 3, /* the instruction at pc is for the interpreter */
};

/* Whether there is a generator for this host. */
bool jit_supported(void);
/* size: of code memory.  baseline: no instruction that an old host does not have. */
struct jit *jit_new(const struct jit_guest *, size_t size, bool baseline, struct err *);
/* The same in memory that is the caller's, and outlives it; of what was there nothing is kept. */
struct os_code;
struct jit *jit_new_in(
    const struct jit_guest *, const struct os_code *, bool baseline, struct err *);
void jit_free(struct jit *);

/* Code memory from where the units go to its end, as offsets. */
size_t jit_first(const struct jit *);
size_t jit_size(const struct jit *);
const void *jit_address(const struct jit *, size_t offset);
size_t jit_offset(const struct jit *, const void *host);

/* Accesses that have a base in common share one translation for all that they touch.  Where that is
 * not in one page, or in two that follow each other in the host's memory as well, or no RAM, the
 * unit goes on at that instruction in one that is plain.  Where that happens all the time the code
 * is compiled again, with accesses that share less. */

/* Compiles to [at, end): the offset behind it, or 0 when it does not fit. */
size_t jit_compile(struct jit *, const struct jit_unit *, size_t at, size_t end);
/* Compiles where code does not run: for another thread than that of jit_compile, which takes what
 * comes out to code memory later.  A draft holds one unit, and is for one thread at a time. */
struct jit_draft *jit_draft_new(struct jit *, struct err *);
void jit_draft_free(struct jit_draft *);
bool jit_draft(struct jit_draft *, const struct jit_unit *); /* false: it is too long */
/* Leads a direct exit to a unit's start, or back to where it leaves. */
void jit_link(struct jit *, uintptr_t exit, size_t to);
void jit_unlink(struct jit *, uintptr_t exit);
/* What jit_enter's answer points to. */
struct jit_exit jit_exit_at(uintptr_t exit);

/* Runs; 0 to 15: enum jit_why, pc is right; else the struct jit_exit.  `left` is right.  Only what
 * the guest's functions do with longjmp comes out otherwise. */
uintptr_t jit_enter(const struct jit *, void *state, const void *host);

#endif
