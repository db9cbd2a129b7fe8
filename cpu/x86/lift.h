/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_LIFT_H
#define CPU_X86_LIFT_H

#include "cpu/x86/insn.h"
#include "ir/ir.h"

/*
 * From x86 instructions to IR, with the same bodies that the interpreter executes.  A block is good
 * for any state with the mode bits that its instructions were decoded for.
 *
 * pc in IR is rip, as an offset from where the block's code page begins: whoever runs a block gives
 * as base what makes the sum rip, whatever the base of CS is.  A sum beyond 4 GiB is cut in 16- and
 * 32-bit code.
 */
struct ctx {
	struct ir_block *ir;
	int64_t pc;   /* of the current instruction, from the start of its page */
	int64_t next; /* where to go on: behind the instruction */
	/* The last writer of flags in the block, if it is one of known kind: conditions on it need
	 * not look at what it was. */
	bool flags_known;
	uint8_t flags_kind, flags_size;
	uint16_t flags_a, flags_b; /* values */
	bool follow;               /* jumps lead on in the block, */
	int64_t follow_to;         /* this one there; other ways lead out */
};

/* What IR means by slots and helpers here; the state is a struct x86. */
extern const struct ir_guest x86_ir_guest;

enum x86_slot {
	X86_SLOT_R, /* 16 of them */
	X86_SLOT_FL_OP = X86_SLOT_R + 16,
	X86_SLOT_FL_A,
	X86_SLOT_FL_B,
	X86_SLOT_FS_BASE,
	X86_SLOT_GS_BASE,
	X86_NSLOTS
};

/* A block that starts at that offset in its page. */
void x86_lift_begin(struct ctx *, struct ir_block *, int64_t pc);
/* Appends an instruction; false when it was the last that the block can have: it has ended or is
 * full. */
bool x86_lift(struct ctx *, const struct x86_insn *);
/* The same for one that was seen to go on at that offset: the block does so, too. */
bool x86_lift_follow(struct ctx *, const struct x86_insn *, int64_t to);
/* Ends the block, with an exit to the next instruction unless it has an end. */
void x86_lift_end(struct ctx *);

#endif
