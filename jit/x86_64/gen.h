/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_X86_64_GEN_H
#define JIT_X86_64_GEN_H

#include "base/os.h"
#include "ir/ir.h"
#include "ir/vec.h"
#include "jit/jit.h"
#include "jit/x86_64/encode.h"
#include "jit/x86_64/features.h"

/*
 * The code generator, inside.
 *
 * Registers: rbp points into the state (BIAS behind its start, so that the first 256 bytes have
 * short displacements), rsp to spill places.  All others hold values.  At the borders of a unit
 * the state is settled: each guest register is at home, that is in the host register that it is
 * pinned to (for all units alike), or else in the state.  In between a put is only remembered:
 * which value a slot has now.  Whoever leaves settles first, mostly in code that is rarely run; a
 * slow path takes with it a list of what is not at home (a snapshot).  Of xmm registers the rule
 * holds only where a byte of the frame says that they are live: units that compute with floating
 * point load them, calls of C save them.  So it is with vector registers (vec.c), which are all in
 * the host's of the same numbers then, and with MXCSR, which is the guest's.
 *
 * A unit is made in two passes over its IR: backwards for the uses of values (prepare.c), forwards
 * for everything else (compile.c).  What is rarely executed comes behind it ("cold").
 */
enum {
	BIAS = 128,
	SPILLS = 31,
	/* From rsp: a byte, 1 when pinned xmm registers hold their slots; what vec_level said when
	 * they hold vector registers; */
	FP_LIVE = 0,
	FIRST_SPILL = 8,
	FRAME = SPILLS * 8 + 16, /* below the return address and six registers: keeps rsp aligned */
	NPINS = 9,
	NFPINS = 10, /* xmm0 ... */
	NXMM = 15,   /* the last one is for sequences */
	MAX_SLOTS = 64,
	MAX_COLD = 512,
	MAX_PLACES = 16384,
	/* No operation needs more code than this, */
	OP_ROOM = 1024,
	/* and no cold part. */
	COLD_ROOM = 1536,
	/* The values that pinned registers come with, and those that share.c makes. */
	FIRST_VALUE = IR_BLOCK_OPS,
	FIRST_ANCHOR = FIRST_VALUE + MAX_SLOTS,
	MAX_ANCHORS = 250,
	MAX_VALUES = FIRST_ANCHOR + MAX_ANCHORS,
	/* Bytes of a draft; no unit needs more. */
	DRAFT = 1 << 16,
};

enum where { IN_NOTHING, IN_IMM, IN_REG, IN_XMM, IN_MEMORY };

/* Where a value is: one of enum where, and memory besides: then its register can be given up. */
struct value {
	uint16_t next; /* operation that uses it next, or 0; the current one counts until its end */
	uint16_t last; /* the one that uses it last */
	uint16_t uses;
	uint16_t fused;   /* it is made where it is used: there */
	uint8_t where;    /* enum where */
	uint8_t at;       /* register */
	uint8_t spill;    /* place in the frame that has it, + 1 */
	uint8_t home;     /* a slot that has had it, + 1; its memory has it if slot_has it and
			     slot_value   agrees */
	uint8_t owed;     /* slots that it is the value of, and that are not at home */
	uint8_t compared; /* a comparison: the enum ir_type of which it looks at the low bits */
	bool tested;      /* an extension that is compared with 0 */
	uint8_t boxed;    /* IN_XMM: a single with ones above it */
	uint8_t xuses;    /* uses that want it in an xmm register; 255: or more */
};

/* What a slot's value is and where that is, for a slot that is not at home. */
struct place {
	uint16_t v;
	uint16_t late; /* not 0: of slot_late, and this is what makes it */
	uint8_t slot;
	uint8_t where; /* IN_IMM, IN_REG, IN_XMM; IN_MEMORY: at is a place in the frame, */
	uint16_t at;   /* or SLOT_BIT with a slot whose memory has it */
};
enum { SLOT_BIT = 0x80 };

struct snapshot {
	uint16_t first, n; /* places */
};

enum cold_kind {
	COLD_STOP,
	COLD_SLOW,
	COLD_GROUP,
	COLD_EXIT,
	COLD_EXIT_TO,
	COLD_TRAP,
	COLD_FP,
	COLD_NAN,
	COLD_FMA, /* the same of a sum; its factors are in base and to */
	COLD_GUARD,
	COLD_VEC_GUARD,
	COLD_VEC
};

struct cold {
	uint8_t kind;
	uint8_t base, reg;
	uint16_t access;   /* COLD_SLOW: ACCESS_x; COLD_TRAP without reg: the value */
	uint16_t rest;     /* instructions not executed */
	uint16_t pc, next; /* offsets of this instruction and the next */
	struct snapshot snap;
	int32_t disp;  /* also: target of an exit */
	uint16_t op;   /* COLD_VEC: the operation, */
	uint8_t to;    /* and the general register of its result; COLD_FMA: a factor */
	uint8_t *site; /* rel32 of the jump here */
	uint8_t *back;
};

enum {
	ACCESS_SIZE = 3, /* log2 */
	ACCESS_SIGNED = 4,
	ACCESS_STORE = 8,
	ACCESS_LAST = 16,  /* nothing of the instruction is left after it */
	ACCESS_XMM = 32,   /* reg is an xmm register */
	ACCESS_GROUP = 64, /* only the translation is wanted, for `next` bytes */
	ACCESS_BOTH = 128, /* a load of what a store follows */
	/* No access, but a call of the helper `next` with (register base, 1, disp). */
	ACCESS_CALL = ACCESS_GROUP | ACCESS_BOTH,
	/* To or from the scratch vector register; reg is the size, | VEC_ALIGNED. */
	ACCESS_VEC = 256,
	VEC_ALIGNED = 64
};

/* What accesses that share a translation have in common: its addend is a value. */
struct anchor {
	uint16_t base; /* value: an x86_root */
	uint16_t first, last;
	uint16_t count;
	bool store;    /* one of them is */
	uint8_t apart; /* how much less they may share: x86_apart */
	/* The first is at that offset from base, or up to `reach` bytes beyond. */
	uint16_t reach;
	int32_t at;
	int32_t low, high; /* the bytes that they touch, from base */
	/* What is at aligned_at from base is known to be a multiple of that; 0: nothing is. */
	uint8_t aligned;
	int32_t aligned_at;
};

/* What follows the call of the slow path, and COLD_x's fields mean.  Then come `places` pairs of
 * bytes: a slot, and where its value is: a register, LOC_XMM and one of those, LOC_SPILL and a
 * place in the frame, LOC_SLOT and (in another byte) a slot that has it, too, or LOC_IMM and (in
 * eight more bytes) the value.  Slots with LOC_LATE then have what is to be done to it: one number,
 * and as many struct late.  Pinned slots that are not named are in their registers, others in the
 * state. */
struct slow_info {
	uint16_t pc, next;
	uint16_t rest, access;
	uint8_t base, reg, places;
	uint16_t size; /* of all this */
	int32_t disp;
};
struct late {
	uint8_t op, type; /* IR_call: ones above a single */
	int32_t k;
};
/* What comes behind that for ACCESS_GROUP: the TLB, and the entry for x86_apart. */
struct group_info {
	uint32_t table;
	uint16_t apart;
};
enum { LOC_XMM = 16, LOC_SPILL = 32, LOC_SLOT = 64, LOC_IMM = 65, LOC_LATE = 128 };

/* How often accesses could not share a translation lately, by the place of the first of them. */
enum { APART_BITS = 12 };
struct apart {
	_Atomic uint32_t va;   /* where and */
	_Atomic uint16_t left; /* when that was the last time: instructions left; both modulo */
	_Atomic uint8_t count, level;
};

struct jit {
	struct jit_guest guest;
	struct x86_features has;
	struct os_code code;
	bool own_code;
	size_t first; /* behind the thunks */
	/* Thunks, in the writable view. */
	uint8_t *enter, *leave, *exit, *miss, *stop, *stop_now, *fp_load, *fp_reload, *slow_now,
	    *resume, *slow, *slow_fp, *call, *call_fault, *trap, *eval, *vec_save, *vec_load,
	    *vec_enter;
	uint8_t pin_of[MAX_SLOTS];  /* slot: host register, or X86_NONE */
	uint8_t slot_of[16];        /* host register: slot, or 255 */
	uint8_t xpin_of[MAX_SLOTS]; /* the same for xmm registers */
	uint8_t xslot_of[16];
	bool is_fp[MAX_SLOTS];
	const uint8_t *consts; /* of fp_seq.h */
	struct gen *gen;
	struct apart apart[1 << APART_BITS];
};

enum { GPR, XMM, NCLASSES };

struct gen {
	struct x86_code code;
	struct jit *jit;
	const struct jit_unit *unit;
	const uint8_t *origin; /* offsets of sites in code memory are from there */
	struct ir_op *op;
	unsigned n;           /* operations */
	unsigned i;           /* the one that is being made */
	unsigned insn;        /* number of the current guest instruction */
	uint16_t pc, next_pc; /* its offset, and the next one's */
	bool fp;              /* the unit uses xmm registers */
	bool fp_ready;        /* it has made sure that it may */
	uint8_t vec_ready;    /* vector registers are live, for that vec_level */
	bool failed;
	struct jit_draft *draft;      /* that it makes, or NULL */
	uint16_t locked[NCLASSES];    /* registers that this operation uses */
	uint16_t owner[NCLASSES][16]; /* register: value, or 0 */
	uint16_t spilled[SPILLS];
	uint16_t slot_value[MAX_SLOTS];
	uint64_t slot_has;  /* slots whose memory has their value */
	uint64_t slot_away; /* slots that are not at home */
	/* Among them those for which something has to be done to their value first: late_of, and
	 * what is fused with that.  Most are put to again before anybody looks. */
	uint64_t slot_late;
	uint16_t late_of[MAX_SLOTS];
	uint64_t put_later; /* prepare.c: slots that are put to further on */
	unsigned ncold, nplaces;
	struct snapshot last_snap;
	struct cold cold[MAX_COLD];
	struct place place[MAX_PLACES];
	uint16_t next_use[IR_BLOCK_OPS][3]; /* of an operation's operands, after it */
	unsigned nanchors;
	uint16_t first_pc; /* the first operation of that kind, or 0 */
	struct anchor anchor[MAX_ANCHORS];
	uint8_t anchor_of[IR_BLOCK_OPS];    /* accesses: which, + 1; 0: none */
	uint16_t next_access[IR_BLOCK_OPS]; /* of the same anchor; 0: none */
	struct value value[MAX_VALUES];
};

/* A unit at a place where it does not run, and what has to change when it goes to code memory. */
struct jit_draft {
	struct gen gen;
	struct x86_far far;
	unsigned nexits;
	uint16_t exit[MAX_COLD]; /* offsets of its struct jit_exit */
	size_t size;
	uint8_t code[DRAFT];
};

static inline bool x86_is_access(const struct ir_op *o)
{
	return ir_is_load(o->op) || ir_is_store(o->op) || o->op == IR_ldw;
}

/* An access that needs what can be written. */
static inline bool x86_is_writing(const struct ir_op *o)
{
	return ir_is_store(o->op) || o->op == IR_ldw;
}

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
void x86_jump_index(struct x86_code *, unsigned pc_shift);
/* slow.c: what the thunks of slow paths call; behind it is the frame of the unit. */
struct frame {
	uint64_t reg[16];
	uint64_t align;
	const uint8_t *ret;
};
void x86_slow(struct frame *, char *state, struct jit *, uint64_t *xmm);

/* compile.c: notes that a struct jit_exit comes next. */
void x86_note_exit(struct gen *);

/* apart.c: the entry for an instruction of a page. */
unsigned x86_apart_entry(uint64_t page, int64_t pc);
/* How much less than they could those accesses share that begin there: 0: nothing, 1: not more than
 * APART_SPAN bytes, 2: nothing is shared. */
enum { APART_SPAN = 16 };
unsigned x86_apart(const struct jit *, unsigned entry);
/* They could not share at va, with so many instructions left; true: they are to share less from now
 * on. */
bool x86_apart_note(struct jit *, unsigned entry, uint64_t va, int64_t left);

/* prepare.c */
void x86_prepare(struct gen *);
enum ir_type x86_masked_type(const struct gen *, const struct ir_op *mask);

/* share.c */
void x86_share(struct gen *);
/* The value that v is at a constant offset from. */
uint16_t x86_root(const struct gen *, uint16_t v, int32_t *disp);
/* The same for what is added to it, up to *reach, besides. */
uint16_t x86_near(const struct gen *, uint16_t v, int32_t *disp, unsigned *reach);

/* regs.c: where values are. */
void x86_forget(struct gen *, uint16_t v); /* nobody wants it any more */
void x86_begin(struct gen *);
void x86_forget_slots(struct gen *);        /* all are at home, with values that nobody knows */
unsigned x86_temp(struct gen *);            /* a register with nothing in it, locked */
void x86_take(struct gen *, unsigned reg);  /* frees this register, and locks it */
unsigned x86_use(struct gen *, uint16_t v); /* a register that holds v, locked */
void x86_load_value(struct gen *, unsigned reg, uint16_t v);          /* copies v; keeps flags */
bool x86_in_memory(const struct gen *, uint16_t v, struct x86_mem *); /* and nowhere else */
bool x86_is_imm(const struct gen *, uint16_t v);
bool x86_is_there(const struct gen *, uint16_t v); /* somewhere, and no constant */
bool x86_is_last(const struct gen *, uint16_t v);  /* its register is free behind this operation */
unsigned x86_dest(struct gen *, uint16_t n, uint16_t reuse); /* for the result of n */
void x86_rename(struct gen *, uint16_t n, uint16_t v);       /* n is what v was, which is no more */
void x86_result(struct gen *, uint16_t n, unsigned reg);
void x86_put(struct gen *, unsigned slot, uint16_t v);
void x86_forget_late(struct gen *, unsigned slot); /* it is at home, with a value of its own */
void x86_get(struct gen *, uint16_t n, unsigned slot);
void x86_release(struct gen *, const struct ir_op *);
unsigned x86_xtemp(struct gen *);
unsigned x86_xscratch(struct gen *); /* for this operation alone, where no unit has values in it */
unsigned x86_use_xmm(struct gen *, uint16_t v);
unsigned x86_xdest(struct gen *, uint16_t n, uint16_t reuse);
unsigned x86_xpin_for(const struct gen *, uint16_t n); /* or X86_NONE */
void x86_xresult(struct gen *, uint16_t n, unsigned xmm);
void x86_xload(struct gen *, unsigned xmm, uint16_t v);
/* For settle.c. */
void x86_clear(struct gen *, unsigned class, unsigned reg); /* what is there goes elsewhere */
void x86_to_memory(struct gen *, uint16_t v, bool frame);   /* a copy; frame: not in a slot */
void x86_stored(struct gen *, unsigned slot);               /* its memory has its value now */
void x86_move_in(struct gen *, unsigned class, unsigned reg, uint16_t v);
struct x86_mem x86_spill_at(unsigned n);
bool x86_has_memory(const struct gen *, uint16_t v);

enum x86_shift x86_shift_of(unsigned op);
/* Whether the left operand of a late operation is late, too. */
static inline bool x86_is_late_too(const struct gen *g, uint16_t n)
{
	return g->value[g->op[n].a].fused == g->value[n].fused;
}

/* settle.c: getting slots home. */
void x86_home(struct gen *);                   /* all, here */
void x86_before_call(struct gen *, bool regs); /* the same, and nothing stays where C clobbers it */
struct snapshot x86_snapshot(struct gen *);
/* Code that gets what was away then home, for leaving; what `extra` (or X86_NONE) held is in `to`
 * (rcx or rdx) after that.  True if there was nothing to do. */
bool x86_settle(struct gen *, struct snapshot, unsigned to, unsigned extra);

/* memory.c: where in the host's memory an access is.  reg: as in struct cold; *c: where what the
 * TLB does not know is done, or NULL: nothing is left to it.  Behind the access comes x86_reached.
 */
struct x86_mem x86_reach(struct gen *, uint16_t n, unsigned access, unsigned reg, struct cold **c);
void x86_reached(struct gen *, uint16_t n, struct cold *);

/* alu.c, memory.c, leave.c, fp.c, crypto.c, vec.c: code for operations. */
void x86_alu(struct gen *, uint16_t n);
enum x86_cond x86_compare(struct gen *, uint16_t v);
void x86_access(struct gen *, uint16_t n);
void x86_leave(struct gen *, uint16_t n);
bool x86_fp(struct gen *, uint16_t n);
bool x86_crypto(struct gen *, uint16_t n);
bool x86_wants_xmm(const struct gen *, const struct ir_op *);
void x86_call_helper(struct gen *, uint16_t n);
void x86_reload_fp(struct gen *);
void x86_vec(struct gen *, uint16_t n);
bool x86_vec_can(const struct gen *, const struct ir_op *); /* the host; else it calls */
void x86_vec_guard(struct gen *, unsigned level);
void x86_cold_fp(struct gen *, const struct cold *);
void x86_cold_vec(struct gen *, const struct cold *);
void x86_cold_slow(struct gen *, const struct cold *); /* leave.c: the call, and what follows */
void x86_cold(struct gen *, const uint8_t *end);
struct cold *x86_add_cold(struct gen *, enum cold_kind, uint8_t *site);

#endif
