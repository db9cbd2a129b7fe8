/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_LIFT_H
#define CPU_RISCV64_LIFT_H

#include "ir/ir.h"

/*
 * From RISC-V instructions to IR, with the same bodies that the interpreter executes.  The block is
 * good for any state: privilege and FS are looked at when it runs.
 */
struct ctx {
	struct ir_block *ir;
	int64_t pc;    /* of the current instruction, from the start of its page */
	unsigned len;  /* its bytes */
	uint32_t word; /* its bits */
	bool fp_on;    /* an earlier instruction of the block has made FS dirty */
	bool fp_dyn;   /* the same has seen that frm is a rounding mode */
	/* Where to go on: behind the instruction, unless it jumps and is to be followed. */
	int64_t next;
	bool follow;       /* jumps lead on in the block, */
	int64_t follow_to; /* this one there; other ways lead out */
};

/* What IR means by slots and helpers here; the state is a struct rv. */
extern const struct ir_guest rv_ir_guest;

enum rv_slot {
	RV_SLOT_X,                  /* 32 of them */
	RV_SLOT_F = RV_SLOT_X + 32, /* 32 of them */
	RV_NSLOTS = RV_SLOT_F + 32,
};

/* A block that starts at that offset in its page. */
void rv_lift_begin(struct ctx *, struct ir_block *, int64_t pc);
/* Appends an instruction (16 bits, if that is what the low ones say); false when it was the last
 * that the block can have: it has ended or is full. */
bool rv_lift(struct ctx *, uint32_t word);
/* The same for one that was seen to go on at that offset: the block does so, too. */
bool rv_lift_follow(struct ctx *, uint32_t word, int64_t to);
/* Ends the block, with an exit to the next instruction unless it has an end. */
void rv_lift_end(struct ctx *);

#endif
