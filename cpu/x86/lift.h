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
enum x86_slot {
	X86_SLOT_R, /* 16 of them */
	X86_SLOT_FL_OP = X86_SLOT_R + 16,
	X86_SLOT_FL_A,
	X86_SLOT_FL_B,
	X86_SLOT_FL_R,
	X86_SLOT_FS_BASE,
	X86_SLOT_GS_BASE,
	X86_NSLOTS
};

/* What the block knows about flags, so that conditions on them need not look at what was noted. */
struct x86_known_flags {
	bool known; /* who changed them all last: as in flags.h */
	uint8_t kind, size, count;
	uint16_t a, b;  /* values */
	uint16_t carry; /* not 0: kind is ADD or SUB, and this is what comes in */
	/* INC or DEC came after that: its kind and size, or 0, and its result. */
	uint8_t then, then_size;
	uint16_t r;
	uint32_t changed; /* some of them, after all that */
	uint16_t flag[5]; /* by enum x86_cond / 2: the value of a single one, or 0 */
};

struct ctx {
	struct ir_block *ir;
	int64_t pc;   /* of the current instruction, from the start of its page */
	int64_t next; /* where to go on: behind the instruction */
	/* There is no other CPU, so LOCK means nothing.  For whoever lifts to set, behind
	 * x86_lift_begin. */
	bool alone;
	bool follow;               /* jumps lead on in the block, */
	int64_t follow_to;         /* this one there; other ways lead out */
	uint16_t have[X86_NSLOTS]; /* what is in slots, as far as the block knows: values, or 0 */
	struct x86_known_flags flags;
	/* CWD and the like: their size, and the values of rAX and rDX. */
	uint8_t sign_size;
	uint16_t sign_of, sign;
};

/* What IR means by slots and helpers here; the state is a struct x86. */
extern const struct ir_guest x86_ir_guest;

/* The general registers, as slots: those that are worth a register of the host, the best first. */
enum { X86_NPINS = 16 };
extern const uint8_t x86_pins[X86_NPINS];

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
