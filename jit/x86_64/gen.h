/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_X86_64_GEN_H
#define JIT_X86_64_GEN_H

#include "base/os.h"
#include "ir/ir.h"
#include "jit/jit.h"
#include "jit/x86_64/encode.h"
#include "jit/x86_64/features.h"

/*
 * The code generator, inside.
 *
 * Registers: rbp points into the state (BIAS behind its start, so that the first 256 bytes have
 * short displacements), rsp to spill places.  The guest registers that are worth it are pinned to
 * host registers, for all units alike; the other host registers are temporary.  At the borders of
 * a unit, and whenever something may fault, all guest registers are in their pinned registers or
 * in the state: a put is done at once.  Of xmm registers that is so only where a byte of the frame
 * says that they are live: units that compute with floating point load them, calls of C save them.
 *
 * A unit is made in two passes over its IR: backwards for the last uses of values (prepare.c),
 * forwards for everything else (compile.c).  What is rarely executed comes behind it ("cold").
 */
enum {
	BIAS = 128,
	SPILLS = 15,
	FP_LIVE = SPILLS * 8, /* from rsp: a byte, 1 when pinned xmm registers hold their slots, */
	FRAME = SPILLS * 8 + 16, /* below the return address and six registers: keeps rsp aligned */
	NPINS = 9,
	NFPINS = 10, /* xmm0 ... */
	NXTEMPS = 5, /* behind them */
	MAX_SLOTS = 96,
	MAX_COLD = 512,
	/* No operation needs more code than this. */
	OP_ROOM = 512,
};

enum where { IN_NOTHING, IN_IMM, IN_REG, IN_XMM, IN_SLOT, IN_SPILL };

struct value {
	uint16_t last; /* operation that uses it last */
	uint16_t uses;
	uint16_t fused; /* it is made where it is used: there */
	uint8_t where;  /* enum where */
	uint8_t at;     /* register, slot or spill place */
	uint8_t boxed;  /* IN_XMM: a single with ones above it */
	uint8_t xuses;  /* uses that want it in an xmm register; 255: or more */
	uint8_t home;   /* a slot that got it, + 1: while slot_value agrees it is there, too */
};

enum cold_kind { COLD_STOP, COLD_SLOW, COLD_EXIT, COLD_TRAP, COLD_FP, COLD_NAN, COLD_GUARD };

struct cold {
	uint8_t kind;
	uint8_t rest;   /* instructions not executed */
	uint8_t access; /* COLD_SLOW: ACCESS_x */
	uint8_t base, reg;
	uint16_t op;
	uint16_t pc, next; /* offsets of this instruction and the next */
	int32_t disp;      /* also: target of an exit */
	uint8_t *site;     /* rel32 of the jump here */
	uint8_t *back;
};

enum {
	ACCESS_SIZE = 3, /* log2 */
	ACCESS_SIGNED = 4,
	ACCESS_STORE = 8,
	ACCESS_LAST = 16, /* nothing of the instruction is left after it */
	ACCESS_XMM = 32,  /* reg is an xmm register */
};

/* What follows the call of the slow path, and COLD_x's fields mean. */
struct slow_info {
	uint16_t pc, next;
	uint8_t rest, access, base, reg;
	int32_t disp;
};

struct jit {
	struct jit_guest guest;
	struct x86_features has;
	struct os_code code;
	size_t first; /* behind the thunks */
	/* Thunks, in the writable view. */
	uint8_t *enter, *leave, *exit, *miss, *stop, *stop_now, *fp_load, *fp_reload, *slow_now,
	    *resume, *slow, *slow_fp, *call, *call_fault, *trap, *eval;
	uint8_t pin_of[MAX_SLOTS];  /* slot: host register, or X86_NONE */
	uint8_t slot_of[16];        /* host register: slot, or 255 */
	uint8_t xpin_of[MAX_SLOTS]; /* the same for xmm registers */
	uint8_t xslot_of[16];
	bool is_fp[MAX_SLOTS];
	const uint8_t *consts; /* of fp_seq.h */
	struct gen *gen;
};

struct gen {
	struct x86_code code;
	struct jit *jit;
	const struct jit_unit *unit;
	struct ir_op *op;
	unsigned n;           /* operations */
	unsigned i;           /* the one that is being made */
	unsigned insn;        /* number of the current guest instruction */
	uint16_t pc, next_pc; /* its offset, and the next one's */
	bool fp;              /* the unit uses xmm registers */
	bool fp_ready;        /* it has made sure that it may */
	bool failed;
	uint16_t locked, locked_xmm;       /* registers that this operation uses */
	uint16_t owner[16], owner_xmm[16]; /* register: value, or 0 */
	uint16_t spilled[SPILLS];
	uint16_t slot_value[MAX_SLOTS];
	unsigned ncold;
	struct cold cold[MAX_COLD];
	struct value value[IR_BLOCK_OPS];
};

static inline struct x86_mem state_at(uint32_t offset)
{
	return (struct x86_mem){ RBP, X86_NONE, 0, (int32_t)offset - BIAS };
}

static inline struct x86_mem slot_at(const struct gen *g, unsigned slot)
{
	return state_at(g->jit->guest.ir->slots[slot].offset);
}

/* thunk.c */
void x86_choose_pins(struct jit *);
void x86_make_thunks(struct jit *);
/* slow.c: what the thunks of slow paths call. */
struct frame {
	uint64_t reg[16];
	uint64_t align;
	const uint8_t *ret;
};
void x86_slow(struct frame *, char *state, struct jit *, uint64_t *xmm);

/* prepare.c */
void x86_prepare(struct gen *);

/* regs.c: where values are. */
unsigned x86_temp(struct gen *);            /* a temporary register, locked */
void x86_take(struct gen *, unsigned reg);  /* frees this temporary register, and locks it */
unsigned x86_use(struct gen *, uint16_t v); /* a register that holds v, locked */
void x86_load(struct gen *, unsigned reg, uint16_t v); /* copies v; keeps flags */
bool x86_in_memory(const struct gen *, uint16_t v, struct x86_mem *);
bool x86_is_imm(const struct gen *, uint16_t v);
unsigned x86_dest(struct gen *, uint16_t n, uint16_t reuse); /* for the result of n */
void x86_result(struct gen *, uint16_t n, unsigned reg);
void x86_put(struct gen *, unsigned slot, uint16_t v);
void x86_get(struct gen *, uint16_t n, unsigned slot);
void x86_release(struct gen *, const struct ir_op *);
void x86_before_call(struct gen *, bool regs); /* nothing that lives stays where C clobbers */
unsigned x86_xtemp(struct gen *);
unsigned x86_use_xmm(struct gen *, uint16_t v);
unsigned x86_xdest(struct gen *, uint16_t n, uint16_t reuse);
unsigned x86_xpin_for(const struct gen *, uint16_t n); /* or X86_NONE */
void x86_xresult(struct gen *, uint16_t n, unsigned xmm);

/* alu.c, memory.c, leave.c, fp.c: code for operations. */
void x86_alu(struct gen *, uint16_t n);
enum x86_cond x86_compare(struct gen *, uint16_t v);
void x86_access(struct gen *, uint16_t n);
void x86_leave(struct gen *, uint16_t n);
bool x86_fp(struct gen *, uint16_t n);
bool x86_wants_xmm(const struct gen *, const struct ir_op *);
void x86_call_helper(struct gen *, uint16_t n);
void x86_reload_fp(struct gen *);
void x86_cold_fp(struct gen *, const struct cold *);
void x86_cold(struct gen *);
struct cold *x86_add_cold(struct gen *, enum cold_kind, uint8_t *site);

#endif
