/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_CODE_H
#define CPU_X86_CODE_H

#include <assert.h>

#include "cpu/x86/insn.h"
#include "cpu/x86/vm.h"

/*
 * Decoded instructions of one CPU, in blocks that are executed from front to end: up to the first
 * that goes elsewhere or after which code may be decoded otherwise (X86_OPF_END), inside a page.
 * They are found by where their first byte is in the host's memory and the mode in which they were
 * decoded.  Each block is checked before it is executed and left when code was changed (vm.h), so
 * code that the instruction before has changed is seen, as the manual wants it (SDM volume 3,
 * 8.1.3).
 *
 * Blocks are made one behind the other in an arena; when it is full all are forgotten.  With a
 * compiler little of what was decoded is executed again, so the arena is small at first, and grows
 * when it was full a few times.  While that compiles nothing, to save memory, the arena is smaller
 * still, and packed.h keeps more.
 */
enum { X86_BLOCK_INSNS = 32, X86_BLOCK_BYTES = 1 << X86_PIECE_BITS };
enum {
	X86_BUCKETS = 1 << 15,
	X86_LINES = 1 << 18,
	X86_LINES_FIRST = 1 << 12,
	X86_LINES_FEW = 1 << 9
};
#define X86_NO_PAGE UINT64_MAX

/* A cache line, and each instruction has one of its own behind it. */
struct x86_block {
	const uint8_t *host;
	uint32_t mode;
	uint32_t epoch;   /* the VM's when it was last sure that this holds; odd: look each time */
	uint16_t n;       /* instructions */
	uint16_t len;     /* bytes of them */
	uint32_t version; /* the sum of the numbers of the pieces that these are in */
	const uint8_t *host2;     /* of the first byte in a second page; NULL: all is in one */
	const uint8_t *last;      /* the last byte that decoding looked at */
	struct x86_block *bucket; /* the next one there */
	struct x86_block *to[2];  /* where it went on lately: a guess */
};

union x86_line {
	_Alignas(64) struct x86_block block;
	struct x86_insn insn;
};

static_assert(sizeof(union x86_line) == 64 && sizeof(struct x86_insn) == 64,
    "instructions of a block are an array");

struct x86_packed;

struct x86_code {
	struct tlb fetch[2];      /* of supervisor and user code: loads alone, */
	uint64_t pa[2][TLB_SIZE]; /* and the physical addresses of their pages */
	unsigned local_tables;    /* those of jit_side that know pages of this address space only */
	/* The page that code was last in: its linear address | 1 for user code. */
	uint64_t page;
	uintptr_t addend;
	struct x86_block *from; /* the block before; NULL: it is not known, or gone */
	struct x86_block *bucket[X86_BUCKETS];
	unsigned used, limit;      /* lines */
	unsigned fills;            /* how often it was full with this limit */
	struct x86_packed *packed; /* NULL: the CPU has something to do */
	union x86_line line[X86_LINES];
};

static inline const struct x86_insn *x86_block_insn(const struct x86_block *b, unsigned i)
{
	return &((const union x86_line *)(const void *)b)[1 + i].insn;
}

int x86_code_new(struct x86 *, struct err *);
void x86_code_free(struct x86 *);
/* The block at rip; raises fetch exceptions of its first instruction, which may be the only one to
 * execute: *n says how many. */
const struct x86_block *x86_code_block(struct x86 *, unsigned *n);
/* Where the byte of code at a linear address is, and its physical page; raises.  Stores there are
 * watched from now on. */
const uint8_t *x86_code_locate(struct x86 *, uint64_t linear, uint64_t *pa);
/* The same when that is known, or NULL. */
static inline const uint8_t *x86_code_known(const struct x86 *s, uint64_t linear)
{
	const struct tlb *t = &s->code->fetch[!!(s->mode & X86_USER)];
	const struct tlb_entry *e = &t->load[tlb_slot(t, linear)];

	if (e->tag != (linear & -(uint64_t)MEM_PAGE))
		return NULL;
	return (const uint8_t *)(uintptr_t)(linear + e->addend);
}

/* Its first instruction. */
const struct x86_insn *x86_code_at(struct x86 *);

#endif
