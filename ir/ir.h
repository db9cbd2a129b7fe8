/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IR_IR_H
#define IR_IR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct buf;

/*
 * Intermediate representation: what guest instructions mean, between a guest CPU's bodies
 * (ir/ops_ir.h) and whoever executes it.  A block is a flat array of operations with one entry and
 * any number of ways out.  A value is the number of the operation that made it, so a block is in
 * SSA form by construction; guest registers are reached by get and put alone, so there are no
 * phis.  Blocks belong to their makers; nothing here is shared between threads.
 */

enum ir_opcode {
#define OP(name, ...) IR_##name,
#include "ir/ops.def"
	IR_NOPCODES
};

enum ir_type { IR_I8, IR_I16, IR_I32, IR_I64 };

static inline unsigned ir_bits(enum ir_type t)
{
	return 8u << t;
}

static inline enum ir_type ir_type_of(unsigned bits)
{
	return bits == 8 ? IR_I8 : bits == 16 ? IR_I16 : bits == 32 ? IR_I32 : IR_I64;
}

enum ir_effects {
	IR_READS = 1,  /* a guest register */
	IR_WRITES = 2, /* a guest register */
	IR_MEMORY = 4, /* its order with other memory accesses matters */
	IR_FAULTS =
	    8, /* may raise an exception: the state must be that of the instruction's start */
	IR_LEAVES = 16, /* may go on outside */
	IR_ENDS = 32,   /* always does, and nothing follows it */
	IR_VECTORS = 64 /* reads and writes vector registers and what belongs to them */
};

struct ir_op {
	uint8_t op;       /* enum ir_opcode */
	uint8_t type;     /* enum ir_type */
	uint16_t a, b, c; /* values */
	int64_t k;
};

/* What can be known about an opcode. */
enum ir_types { IR_TYPES_ALL, IR_TYPES_ROT, IR_TYPES_W64 };
enum ir_k { IR_K_NONE, IR_K_CONST, IR_K_SLOT, IR_K_PC, IR_K_CAUSE, IR_K_HELPER, IR_K_VEC };

struct ir_info {
	const char *name;
	uint8_t operands;
	bool result;
	enum ir_types types;
	enum ir_k k;
	unsigned effects;
};

extern const struct ir_info ir_infos[IR_NOPCODES];

/* The most that one guest instruction may need, and a block may have. */
enum { IR_INSN_OPS = 64, IR_BLOCK_OPS = 2048 };
/* The most slots that a guest may have. */
enum { IR_MAX_SLOTS = 128 };

struct ir_block {
	unsigned n;
	bool ended;
	struct ir_op op[IR_BLOCK_OPS];
};

/* What IR has to know about a guest CPU; `state` is its struct.  Slots do not overlap. */
struct ir_slot {
	const char *name;
	uint32_t offset; /* in the state */
	uint8_t size;    /* 1, 2, 4, 8 bytes; values are zero-extended */
};

enum ir_call {
	IR_CALL_PURE = 0,  /* the result follows from the arguments */
	IR_CALL_STATE = 1, /* reads and writes what is in no slot */
	IR_CALL_FAULT = 2, /* the same, and may fault, or look at pc and counters */
	IR_CALL_REGS = 4   /* the same, and reads and writes slots */
};

/* What a back end may do itself instead of calling a helper.  It gives the same result and floating
 * point flags as RISC-V's instructions, or calls after all.  Values are as helpers have them: bit
 * patterns with zeroes above the format; of 32-bit operands what is above is not looked at.  rm: a
 * rounding mode of fp/fp.h, or 7: the dynamic one. */
enum ir_inline {
	IR_INLINE_NONE,
	IR_INLINE_FP_GUARD, /* does nothing where floating point is on and can be done in line */
	IR_INLINE_FADD,     /* a, b, rm */
	IR_INLINE_FSUB,
	IR_INLINE_FMUL,
	IR_INLINE_FDIV,
	IR_INLINE_FSQRT, /* a, rm */
	IR_INLINE_FMA,   /* a * b + c, dynamic rm */
	IR_INLINE_FMIN,
	IR_INLINE_FMAX,
	IR_INLINE_FEQ,
	IR_INLINE_FLT,
	IR_INLINE_FLE,
	IR_INLINE_FLTQ, /* quiet */
	IR_INLINE_FLEQ,
	IR_INLINE_FSGNJ, /* a with the sign of b, its opposite, or changed by it */
	IR_INLINE_FSGNJN,
	IR_INLINE_FSGNJX,
	IR_INLINE_FROUND, /* a, rm */
	IR_INLINE_FROUNDNX,
	IR_INLINE_FROM_I64, /* a, rm */
	IR_INLINE_FROM_U64,
	IR_INLINE_TO_I32, /* a, rm; 32-bit results are sign-extended */
	IR_INLINE_TO_U32,
	IR_INLINE_TO_I64,
	IR_INLINE_TO_U64,
	IR_INLINE_FWIDEN,  /* a, rm: 32 to 64 bits */
	IR_INLINE_FNARROW, /* a, rm: 64 to 32 bits */
	IR_INLINE_FBOX,    /* ones above */
	IR_INLINE_FUNBOX,  /* the low half if there are ones above, else the canonical NaN */
	IR_INLINE_CLMUL,
	IR_INLINE_CLMULH,
	IR_INLINE_CLMULR,
	IR_INLINE_AES_ENC, /* the low half of a round of AES without a key; a: low, b: high */
	IR_INLINE_AES_ENC_LAST,
	IR_INLINE_AES_DEC,
	IR_INLINE_AES_DEC_LAST,
	IR_INLINE_AES_UNMIX,    /* InvMixColumns of the two columns a */
	IR_INLINE_AES_SUB_HIGH, /* SubWord of the high half of a */
	IR_INLINE_IF,           /* does nothing where b is 0, as it mostly is; makes no value */
	/* Does nothing where vector operations are allowed and can be done in line; a: 1, or 2 for
	 * those with vex. */
	IR_INLINE_VEC_GUARD,
	IR_NINLINES
};

struct ir_helper {
	const char *name;
	unsigned effects; /* enum ir_call */
	uint8_t inl;      /* enum ir_inline */
	uint8_t bits;     /* of its result, or of what it compares or converts to an integer */
};

struct ir_guest {
	const struct ir_slot *slots;
	const struct ir_helper *helpers;
	unsigned nslots, nhelpers;
	/* For the IR interpreter.  Those that fault do not come back. */
	uint64_t (*load)(void *state, uint64_t addr, unsigned size);
	uint64_t (*load_for_store)(void *state, uint64_t addr, unsigned size); /* NULL: no ldw */
	void (*store)(void *state, uint64_t addr, uint64_t val, unsigned size);
	uint64_t (*call)(void *state, unsigned helper, uint64_t a, uint64_t b, uint64_t c);
	void (*trap)(void *state, unsigned cause, uint64_t value);
	/* Comes before all of these, and last: the instruction at pc is next, and that many more
	 * have retired since the last time. */
	void (*at)(void *state, uint64_t pc, unsigned retired);
	unsigned nvecs;                    /* numbers of vector instructions are below; 0: none */
	unsigned vec, vec_load, vec_store; /* helpers for them: ir/vec.h */
};

/* build.c: makes blocks.  Operations behind the end are dropped (value 0). */
void ir_begin(struct ir_block *);
/* Whether another guest instruction fits, with an exit behind it. */
bool ir_has_room(const struct ir_block *);
/* Appends, or finds a simpler form; the number of the value. */
uint16_t ir_emit(struct ir_block *, struct ir_op);

/* check.c: 0, or -EINVAL and what is wrong with which operation. */
int ir_check(const struct ir_block *, const struct ir_guest *, struct err *);

/* print.c: one line an operation. */
void ir_print(const struct ir_block *, const struct ir_guest *, struct buf *out);

/* parse.c: a block that passes ir_check from such text; -EINVAL, and what is wrong in which line.
 */
int ir_parse(struct ir_block *, const char *text, const struct ir_guest *, struct err *);

/* interp.c: executes a block that passes ir_check; its pcs are offsets from base, where a page of
 * the guest (4 KiB or more) starts. */
void ir_run(const struct ir_block *, const struct ir_guest *, uint64_t base, void *state);
/* The result of an operation without effects. */
uint64_t ir_eval(enum ir_opcode, enum ir_type, uint64_t a, uint64_t b, uint64_t c);

/*
 * opt.c: makes a block cheaper, in place.  It passes ir_check after each pass, too, and whoever
 * looks at the state sees the same as before: at accesses, calls, traps and ways out.
 */
enum ir_level {
	IR_QUICK, /* one scan, for code that may never run again; leaves nops */
	IR_FULL
};
void ir_optimise(struct ir_block *, const struct ir_guest *, enum ir_level);

/* The passes, each in ir/pass_NAME.c, which says what it does. */
typedef void ir_pass(struct ir_block *, const struct ir_guest *);
ir_pass ir_pass_forward, ir_pass_fold, ir_pass_forward_fold, ir_pass_narrow, ir_pass_cse,
    ir_pass_pair, ir_pass_offset, ir_pass_dead;
/* By name; NULL: there is none. */
ir_pass *ir_pass_find(const char *name);

#endif
