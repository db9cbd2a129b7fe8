/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bodies in sem_*.h, compiled to build IR; and what the IR interpreter needs to run it.
 */
#include "cpu/x86/lift.h"

#include <assert.h>
#include <stddef.h>

#define X86_BODIES static
#define X86_WORDS  static inline
#include "cpu/x86/emit.h"
#include "cpu/x86/sem.h"
#include "cpu/x86/vec_emit.h"

/* The flags that conditions are about, by their number / 2. */
static const uint16_t reads[] = { FLAG_OF, FLAG_CF, FLAG_ZF, FLAG_CF | FLAG_ZF, FLAG_SF, FLAG_PF,
	FLAG_SF | FLAG_OF, FLAG_SF | FLAG_OF | FLAG_ZF, FLAG_AF };

/* Whether INC or DEC says it; else, whether the last who changed all flags does. */
static bool is_then(const struct x86_known_flags *f, enum x86_cond cc)
{
	return f->then && !((f->changed | FLAG_CF) & reads[cc / 2]);
}

static bool is_as_noted(const struct x86_known_flags *f, enum x86_cond cc)
{
	uint32_t lost = f->changed | (f->then ? FLAGS_ARITH & ~FLAG_CF : 0);

	return f->known && !(lost & reads[cc / 2]);
}

/* After ADC and SBB, with a carry that is a value. */
static val carried(struct ctx *c, struct fl f, enum x86_cond cc)
{
	val in = { c->flags.carry }, r = f.a;

	if (cc == X86_CC_B)
		return or_(c, ltu(c, f.a, f.b), and_(c, in, eq(c, f.a, f.b)));
	if (f.kind == X86_FL_SUB)
		r = zext(c, f.bits, sub(c, sub(c, f.a, f.b), in));
	if (cc == X86_CC_Z)
		return flag_zero(c, r);
	return cc == X86_CC_S ? flag_less(c, f.bits, r, imm(c, 0)) : (val){ 0 };
}

/* An even condition, of one of those two; 0: it is not known. */
static val noted(struct ctx *c, enum x86_cond cc)
{
	const struct x86_known_flags *k = &c->flags;
	val r = { k->r };
	struct fl f;

	if (is_then(k, cc))
		return fl_cond(c, fl_of(c, k->then, k->then_size * 8u, r, r, r), cc);
	if (!is_as_noted(k, cc))
		return (val){ 0 };
	f = fl_of(c, k->kind, k->size * 8u, (val){ k->a }, (val){ k->b }, imm(c, k->count));
	return k->carry ? carried(c, f, cc) : fl_cond(c, f, cc);
}

/* CF, OF, ZF, or SF. */
static val known_flag(struct ctx *c, enum x86_cond cc)
{
	if (c->flags.flag[cc / 2])
		return (val){ c->flags.flag[cc / 2] };
	return noted(c, cc);
}

/* Either of two, or their difference; 0 if one of them is not known. */
static val known_pair(struct ctx *c, enum x86_cond x, enum x86_cond y, bool differ)
{
	val a = known_flag(c, x), b = known_flag(c, y);

	if (!a.n || !b.n)
		return (val){ 0 };
	return differ ? xor_(c, a, b) : or_(c, a, b);
}

static inline val known_cond(struct ctx *c, enum x86_cond cc)
{
	enum x86_cond even = cc & ~1u;
	val r = noted(c, even), zero;

	if (r.n)
		return cc & 1 ? fl_not(c, r) : r;
	if (even <= X86_CC_S && even != X86_CC_BE)
		r = known_flag(c, even);
	else if (even == X86_CC_BE)
		r = known_pair(c, X86_CC_B, X86_CC_Z, false);
	else if (even == X86_CC_L || even == X86_CC_LE)
		r = known_pair(c, X86_CC_S, X86_CC_O, true);
	if (even == X86_CC_LE && r.n) {
		zero = known_flag(c, X86_CC_Z);
		r = zero.n ? or_(c, r, zero) : zero;
	}
	return r.n && cc & 1 ? fl_not(c, r) : r;
}

typedef void body_fn(struct ctx *, const struct x86_insn *);

static body_fn *const bodies[X86_NOPS] = {
#define X(op, body) [X86_OP_##op] = sem_##body,
	X86_OPS(X)
#undef X
};

void x86_lift_begin(struct ctx *c, struct ir_block *ir, int64_t start)
{
	*c = (struct ctx){ .ir = ir, .pc = start };
	ir_begin(ir);
}

/* Near jumps change nothing that blocks take for granted: where they do not leave, the block goes
 * on.
 */
static bool is_jump(body_fn *body)
{
	return body == sem_jcc || body == sem_jmp || body == sem_call || body == sem_ret ||
	       body == sem_loop || body == sem_jcxz;
}

bool x86_lift(struct ctx *c, const struct x86_insn *a)
{
	c->next = c->pc + a->len;
	emit(c, (struct ir_op){ .op = IR_insn, .type = IR_I64, .k = c->pc });
	bodies[a->op](c, a);
	c->pc = c->next;
	if (!c->ir->ended && x86_op_infos[a->op].flags & X86_OPF_END && !is_jump(bodies[a->op]))
		resume(c, at_pc(c, c->pc));
	return !c->ir->ended && ir_has_room(c->ir);
}

bool x86_lift_follow(struct ctx *c, const struct x86_insn *a, int64_t to)
{
	bool more;

	c->follow = true;
	c->follow_to = to;
	more = x86_lift(c, a);
	c->follow = false;
	return more;
}

void x86_lift_end(struct ctx *c)
{
	emit(c, (struct ir_op){ .op = IR_exit, .type = IR_I64, .k = c->pc });
}

#define R(n)                                                                                       \
	{                                                                                          \
		"r" #n, offsetof(struct x86, r[n]), 8                                              \
	}

static_assert(X86_NOPS <= 1 << 12, "struct ir_vec has room for their numbers");

static const struct ir_slot slots[X86_NSLOTS] = {
	R(0),
	R(1),
	R(2),
	R(3),
	R(4),
	R(5),
	R(6),
	R(7),
	R(8),
	R(9),
	R(10),
	R(11),
	R(12),
	R(13),
	R(14),
	R(15),
	[X86_SLOT_FL_OP] = { "fl_op", offsetof(struct x86, fl_op), 8 },
	[X86_SLOT_FL_A] = { "fl_a", offsetof(struct x86, fl_a), 8 },
	[X86_SLOT_FL_B] = { "fl_b", offsetof(struct x86, fl_b), 8 },
	[X86_SLOT_FL_R] = { "fl_r", offsetof(struct x86, fl_r), 8 },
	[X86_SLOT_FS_BASE] = { "fs_base", offsetof(struct x86, seg_base[X86_FS]), 8 },
	[X86_SLOT_GS_BASE] = { "gs_base", offsetof(struct x86, seg_base[X86_GS]), 8 },
};

/* In the order of how often compiled C names them (libc, CPython, GCC, OpenSSL, Linux): the first
 * eight are nine of ten. */
const uint8_t x86_pins[X86_NPINS] = { X86_RAX, X86_RSP, X86_RDX, X86_RDI, X86_RSI, X86_RCX, X86_RBX,
	X86_RBP, 12, 13, 14, 8, 15, 9, 10, 11 };

static_assert((int)X86_HELP_P == IR_CALL_PURE && (int)X86_HELP_S == IR_CALL_STATE &&
		  (int)X86_HELP_F == IR_CALL_FAULT && (int)X86_HELP_G == IR_CALL_REGS,
    "helpers.def and IR mean the same effects");

/* What a back end may do itself. */
#define INLINE(name) (X86_HELP_##name == X86_HELP_vec_enter ? IR_INLINE_VEC_GUARD : IR_INLINE_NONE)

static const struct ir_helper helpers[X86_NHELPERS] = {
#define HELPER(name, effects)    { #name, X86_HELP_##effects, INLINE(name), 0 },
#define HELPER_IF(name, effects) { #name, X86_HELP_##effects, IR_INLINE_IF, 0 },
#include "cpu/x86/helpers.def"
};

static uint64_t ir_load(void *s, uint64_t at, unsigned size)
{
	x86_check_linear(s, at, size);
	return x86_load(s, at, size);
}

static uint64_t ir_load_for_store(void *s, uint64_t at, unsigned size)
{
	x86_check_linear(s, at, size);
	x86_probe_store(s, at, size);
	return x86_load(s, at, size);
}

static void ir_store(void *s, uint64_t at, uint64_t v, unsigned size)
{
	x86_check_linear(s, at, size);
	x86_store(s, at, v, size);
}

static uint64_t ir_call(void *s, unsigned helper, uint64_t a, uint64_t b, uint64_t d)
{
	return x86_helpers[helper].fn(s, a, b, d);
}

static void ir_trap(void *s, unsigned vector, uint64_t error)
{
	if (X86_ERROR_VECTORS >> vector & 1)
		x86_raise_error(s, (enum x86_vector)vector, (uint32_t)error);
	x86_raise(s, (enum x86_vector)vector);
}

static void ir_at(void *state, uint64_t at, unsigned retired)
{
	struct x86 *s = state;

	s->rip = (s->mode & X86_CODE_SIZE) == X86_CODE64 ? at : (uint32_t)at;
	s->left -= retired;
}

const struct ir_guest x86_ir_guest = {
	.slots = slots,
	.helpers = helpers,
	.nslots = X86_NSLOTS,
	.nhelpers = X86_NHELPERS,
	.nvecs = X86_NOPS,
	.vec = X86_HELP_vec,
	.vec_load = X86_HELP_vec_load,
	.vec_store = X86_HELP_vec_store,
	.load = ir_load,
	.load_for_store = ir_load_for_store,
	.store = ir_store,
	.call = ir_call,
	.trap = ir_trap,
	.at = ir_at,
};
