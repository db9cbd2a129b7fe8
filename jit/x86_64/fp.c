/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of helpers that are floating-point operations, in line.  A unit looks once whether it may
 * (fp_fast); what its code cannot do itself it leaves to the interpreter, at the start of the
 * instruction: nothing has been put then.
 */
#include "jit/x86_64/fp_seq.h"
#include "jit/x86_64/gen.h"

static const struct ir_helper *helper_of(const struct gen *g, const struct ir_op *o)
{
	return &g->jit->guest.ir->helpers[o->k];
}

/* Whose operands are floating-point values. */
static bool takes_xmm(enum ir_inline inl)
{
	switch (inl) {
	case IR_INLINE_NONE:
	case IR_INLINE_FP_GUARD:
	case IR_INLINE_VEC_GUARD:
	case IR_INLINE_FROM_I64:
	case IR_INLINE_FROM_U64:
		return false;
	default:
		return inl < IR_INLINE_CLMUL;
	}
}

bool x86_wants_xmm(const struct gen *g, const struct ir_op *o)
{
	if (o->op == IR_put)
		return g->jit->is_fp[o->k];
	return o->op == IR_call && takes_xmm(helper_of(g, o)->inl);
}

static struct fp_seq sequence(struct gen *g)
{
	return (struct fp_seq){ &g->code, &g->jit->has, g->jit->consts, NULL, false };
}

/* What the sequence left to do; NULL: nothing. */
static struct cold *leftover(struct gen *g, const struct fp_seq *s, unsigned xmm, unsigned bits)
{
	struct cold *c;

	if (!s->jump)
		return NULL;
	c = x86_add_cold(g, s->nan ? COLD_NAN : COLD_FP, s->jump);
	c->reg = (uint8_t)xmm;
	c->access = (uint8_t)bits;
	c->snap = x86_snapshot(g);
	c->back = g->code.at;
	return c;
}

static void guard(struct gen *g)
{
	struct cold *c;

	if (g->fp_ready)
		return;
	g->fp_ready = g->fp = true;
	x86_rm(&g->code, false, 0x80, ALU_CMP, (struct x86_mem){ RSP, X86_NONE, 0, FP_LIVE });
	x86_8(&g->code, 1);
	c = x86_add_cold(g, COLD_GUARD, NULL);
	c->snap = x86_snapshot(g);
	c->site = x86_jcc(&g->code, CC_NE, g->code.at);
	c->back = g->code.at;
}

/* After a call of C. */
void x86_reload_fp(struct gen *g)
{
	g->vec_ready = 0;
	if (g->fp_ready)
		x86_call(&g->code, g->jit->fp_reload);
}

static unsigned rounding(const struct gen *g, const struct ir_op *o, enum ir_inline inl)
{
	uint16_t v;

	switch (inl) {
	case IR_INLINE_FADD:
	case IR_INLINE_FSUB:
	case IR_INLINE_FMUL:
	case IR_INLINE_FDIV:
		v = o->c;
		break;
	case IR_INLINE_FSQRT:
	case IR_INLINE_FROUND:
	case IR_INLINE_FROUNDNX:
	case IR_INLINE_FROM_I64:
	case IR_INLINE_FROM_U64:
	case IR_INLINE_TO_I32:
	case IR_INLINE_TO_U32:
	case IR_INLINE_TO_I64:
	case IR_INLINE_TO_U64:
	case IR_INLINE_FWIDEN:
	case IR_INLINE_FNARROW:
		v = o->b;
		break;
	default:
		return FP_DYN;
	}
	return g->op[v].op == IR_imm ? (unsigned)g->op[v].k : FP_RMM;
}

/* Whether what is above the single a goes on above the result, which is one, too. */
static bool keeps_box(const struct gen *g, enum ir_inline inl, unsigned bits, uint16_t a)
{
	if (!g->value[a].boxed || bits != 32)
		return false;
	switch (inl) {
	case IR_INLINE_FADD:
	case IR_INLINE_FSUB:
	case IR_INLINE_FMUL:
	case IR_INLINE_FDIV:
	case IR_INLINE_FSQRT:
		return g->jit->has.avx;
	default:
		return false;
	}
}

static bool has_two(enum ir_inline inl)
{
	return (inl >= IR_INLINE_FADD && inl <= IR_INLINE_FDIV) || inl == IR_INLINE_FMIN ||
	       inl == IR_INLINE_FMAX || (inl >= IR_INLINE_FSGNJ && inl <= IR_INLINE_FSGNJX);
}

static void arithmetic(struct gen *g, uint16_t n, enum ir_inline inl, unsigned bits, unsigned rm)
{
	const struct ir_op *o = &g->op[n];
	struct fp_seq s = sequence(g);
	unsigned a = x86_use_xmm(g, o->a), b = has_two(inl) ? x86_use_xmm(g, o->b) : a;
	unsigned d = x86_xdest(g, n, o->a);

	fp_seq_xmm(&s, inl, bits, rm, d, a, b);
	leftover(g, &s, d, bits);
	x86_xresult(g, n, d);
	g->value[n].boxed = keeps_box(g, inl, bits, o->a);
}

/* An operand that may be fused: a negation. */
static uint16_t without_sign(const struct gen *g, uint16_t v, bool *minus)
{
	*minus = g->value[v].fused == g->i;
	return *minus ? g->op[v].a : v;
}

static void fused(struct gen *g, uint16_t n, unsigned bits)
{
	const struct ir_op *o = &g->op[n];
	struct fp_seq s = sequence(g);
	bool minus_product, minus_addend;
	uint16_t x = without_sign(g, o->a, &minus_product), z;
	unsigned a = x86_use_xmm(g, x), b = x86_use_xmm(g, o->b), c, d;
	struct cold *nan;

	z = without_sign(g, o->c, &minus_addend);
	c = x86_use_xmm(g, z);
	d = x86_xdest(g, n, z);
	fp_seq_fma(&s, bits, d, a, b, c, minus_product, minus_addend);
	nan = leftover(g, &s, d, bits);
	nan->kind = COLD_FMA;
	nan->base = (uint8_t)a;
	nan->to = (uint8_t)b;
	x86_xresult(g, n, d);
	g->value[n].boxed = bits == 32 && g->value[z].boxed;
}

static void compare(struct gen *g, uint16_t n, enum ir_inline inl, unsigned bits)
{
	const struct ir_op *o = &g->op[n];
	struct fp_seq s = sequence(g);
	unsigned a, b, d;

	x86_take(g, RAX);
	a = x86_use_xmm(g, o->a);
	b = x86_use_xmm(g, o->b);
	d = x86_dest(g, n, 0);
	fp_seq_compare(&s, inl, bits, d, a, b);
	x86_result(g, n, d);
}

static void to_int(struct gen *g, uint16_t n, enum ir_inline inl, unsigned bits, unsigned rm)
{
	struct fp_seq s = sequence(g);
	unsigned a, d;

	x86_take(g, RAX);
	a = x86_use_xmm(g, g->op[n].a);
	d = x86_dest(g, n, 0);
	fp_seq_to_int(&s, inl, bits, rm, d, a);
	leftover(g, &s, 0, 0);
	x86_result(g, n, d);
}

static void from_int(struct gen *g, uint16_t n, enum ir_inline inl, unsigned bits)
{
	struct fp_seq s = sequence(g);
	unsigned r = x86_use(g, g->op[n].a), d = x86_xdest(g, n, 0);

	fp_seq_from_int(&s, inl, bits, d, r);
	leftover(g, &s, 0, 0);
	x86_xresult(g, n, d);
}

/* The value of n is that of v, which is in xmm: n takes the register, or a copy. */
static unsigned same(struct gen *g, uint16_t n, uint16_t v, unsigned xmm)
{
	const struct value *x = &g->value[v];
	struct fp_seq s = sequence(g);
	unsigned d = xmm;

	if (x->where == IN_XMM && !x86_is_last(g, v)) {
		d = x86_xdest(g, n, 0);
		fp_seq_move(&s, d, xmm);
	}
	x86_xresult(g, n, d);
	return d;
}

static void box(struct gen *g, uint16_t n)
{
	uint16_t v = g->op[n].a;
	struct fp_seq s = sequence(g);
	unsigned a = x86_use_xmm(g, v), pin = x86_xpin_for(g, n), d = a;
	bool boxed = g->value[v].where == IN_XMM && g->value[v].boxed;

	if (pin != a)
		d = same(g, n, v, a);
	else
		x86_xresult(g, n, d);
	if (!boxed)
		fp_seq_xmm(&s, IR_INLINE_FBOX, 32, FP_DYN, d, d, d);
	g->value[n].boxed = true;
}

static void unbox(struct gen *g, uint16_t n)
{
	uint16_t v = g->op[n].a;
	struct fp_seq s = sequence(g);
	unsigned a;

	x86_take(g, RAX);
	a = x86_use_xmm(g, v);
	if (!g->value[v].boxed) {
		fp_seq_unbox(&s, a);
		leftover(g, &s, 0, 0);
	}
	if (g->value[v].where == IN_XMM && g->value[v].last <= g->i)
		x86_rename(g, n, v);
	else
		same(g, n, v, a);
	g->value[n].boxed = true;
}

bool x86_fp(struct gen *g, uint16_t n)
{
	const struct ir_helper *h = helper_of(g, &g->op[n]);
	enum ir_inline inl = h->inl;
	unsigned rm = rounding(g, &g->op[n], inl);

	if (inl == IR_INLINE_FP_GUARD) {
		guard(g);
		return true;
	}
	if (inl == IR_INLINE_VEC_GUARD && g->jit->guest.vec_level) {
		x86_vec_guard(g, (unsigned)g->op[g->op[n].a].k);
		return true;
	}
	if (!g->fp_ready || !fp_seq_can(&g->jit->has, inl, h->bits, rm))
		return false;
	switch (inl) {
	case IR_INLINE_FMA:
		fused(g, n, h->bits);
		break;
	case IR_INLINE_FEQ:
	case IR_INLINE_FLT:
	case IR_INLINE_FLE:
	case IR_INLINE_FLTQ:
	case IR_INLINE_FLEQ:
		compare(g, n, inl, h->bits);
		break;
	case IR_INLINE_TO_I32:
	case IR_INLINE_TO_U32:
	case IR_INLINE_TO_I64:
	case IR_INLINE_TO_U64:
		to_int(g, n, inl, h->bits, rm);
		break;
	case IR_INLINE_FROM_I64:
	case IR_INLINE_FROM_U64:
		from_int(g, n, inl, h->bits);
		break;
	case IR_INLINE_FBOX:
		box(g, n);
		break;
	case IR_INLINE_FUNBOX:
		unbox(g, n);
		break;
	default:
		arithmetic(g, n, inl, h->bits, rm);
	}
	return true;
}

void x86_cold_fp(struct gen *g, const struct cold *c)
{
	struct fp_seq s = sequence(g);
	uint8_t *site;

	if (c->kind == COLD_GUARD) {
		x86_rm(&g->code, false, 0x80, ALU_CMP, state_at(g->jit->guest.fp_fast));
		x86_8(&g->code, 1);
		site = x86_jcc(&g->code, CC_NE, g->code.at);
		x86_call(&g->code, g->jit->fp_load);
		x86_jmp(&g->code, c->back);
		x86_patch(site, g->code.at);
	}
	if (c->kind == COLD_NAN || c->kind == COLD_FMA) {
		if (c->kind == COLD_NAN)
			fp_seq_nan(&s, c->access, c->reg);
		else
			fp_seq_fma_nan(&s, c->access, c->reg, c->base, c->to);
		x86_jmp(&g->code, c->back);
		return;
	}
	x86_settle(g, c->snap, RCX, X86_NONE);
	x86_call(&g->code, g->jit->slow_now);
	x86_32(&g->code, c->pc | (uint32_t)c->rest << 16);
}
