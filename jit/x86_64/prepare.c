/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backward pass: who uses a value when, and which operations are better done where their
 * result is used (comparisons with the branch behind them, sums with the access).
 */
#include <string.h>

#include "jit/x86_64/gen.h"

static enum ir_inline inline_of(const struct gen *g, const struct ir_op *o)
{
	return o->op == IR_call ? g->jit->guest.ir->helpers[o->k].inl : IR_INLINE_NONE;
}

static bool is_compare(const struct ir_op *o)
{
	return o->op == IR_eq || o->op == IR_ne || o->op == IR_lts || o->op == IR_ltu;
}

static bool is_extension(const struct ir_op *o)
{
	return o->op == IR_sext || o->op == IR_zext;
}

static bool is_small(const struct gen *g, uint16_t v)
{
	return g->op[v].op == IR_imm && x86_is_imm32(g->op[v].k);
}

/* Whether the host does this masking anyway: counts of 64-bit shifts are modulo 64. */
static bool masks_63(const struct gen *g, uint16_t v)
{
	const struct ir_op *o = &g->op[v];

	return o->op == IR_and && g->op[o->b].op == IR_imm && g->op[o->b].k == 63;
}

static void use(struct gen *g, uint16_t v, unsigned at, bool xmm)
{
	struct value *x = &g->value[v];

	x->uses++;
	if (xmm && x->xuses < UINT8_MAX)
		x->xuses++;
	if (x->last < at)
		x->last = (uint16_t)at;
}

/* Operation n would like to make v itself, if nobody else uses it. */
static void fuse(struct gen *g, uint16_t v, unsigned n)
{
	if (g->value[v].uses == 0)
		g->value[v].fused = (uint16_t)n;
}

/* The type that both operands of a comparison are extended from, as far as it matters; IR_I64: they
 * are not. */
static enum ir_type compared_type(const struct gen *g, const struct ir_op *o)
{
	const unsigned ext = o->op == IR_lts ? IR_sext : IR_zext;
	const uint16_t v[2] = { o->a, o->b };
	enum ir_type type = IR_I64;
	unsigned i;

	for (i = 0; i < 2; i++)
		if (g->op[v[i]].op == ext &&
		    (g->op[v[i]].type == IR_I32 || g->op[v[i]].type == IR_I8))
			type = (enum ir_type)g->op[v[i]].type;
	for (i = 0; i < 2 && type != IR_I64; i++) {
		const struct ir_op *x = &g->op[v[i]];

		if (x->op == IR_imm && (uint64_t)x->k == ir_eval(ext, type, (uint64_t)x->k, 0, 0))
			continue;
		if (x->op == ext && x->type == type)
			continue;
		if (ext == IR_zext && (x->op == IR_ld || x->op == IR_ldw) && x->type <= type)
			continue;
		return IR_I64;
	}
	return type;
}

/* An extension, which is left to who uses it, unless a load does it. */
static void fuse_extension(struct gen *g, uint16_t v, unsigned n)
{
	const struct ir_op *o = &g->op[v], *x = &g->op[o->a];

	if (is_extension(o) && !((x->op == IR_ld || x->op == IR_ldw) && x->type == o->type))
		fuse(g, v, n);
}

/* Comparison n looks at the low bits alone, and that some of them are set is a comparison. */
static void fuse_compared(struct gen *g, unsigned n, unsigned at)
{
	const struct ir_op *o = &g->op[n];
	const bool zero = is_small(g, o->b) && g->op[o->b].k == 0;

	if (zero && o->op != IR_ltu && g->op[o->a].op == IR_and)
		fuse(g, o->a, at);
	g->value[n].compared = (uint8_t)compared_type(g, o);
	if (g->value[n].compared == IR_I64)
		return;
	fuse_extension(g, o->a, at);
	fuse_extension(g, o->b, at);
	g->value[o->a].tested = zero && o->op != IR_ltu;
}

/* How many low bits a mask takes away; else IR_I64. */
enum ir_type x86_masked_type(const struct gen *g, const struct ir_op *mask)
{
	if (mask->op != IR_and || g->op[mask->b].op != IR_imm)
		return IR_I64;
	return g->op[mask->b].k == ~0xff ? IR_I8 : g->op[mask->b].k == ~0xffff ? IR_I16 : IR_I64;
}

/* or of a value whose low bits are masked away and what has no others. */
static void fuse_insertion(struct gen *g, struct ir_op *o, unsigned n)
{
	const struct ir_op *low = &g->op[o->b];
	enum ir_type type;
	uint16_t t = o->a;

	if (x86_masked_type(g, low) != IR_I64) {
		o->a = o->b;
		o->b = t;
		low = &g->op[t];
	}
	type = x86_masked_type(g, &g->op[o->a]);
	if (type == IR_I64)
		return;
	if (!is_compare(low) &&
	    !((low->op == IR_zext || low->op == IR_ld || low->op == IR_ldw) && low->type <= type))
		return;
	fuse(g, o->a, n);
	if (low->op == IR_zext && low->type == type)
		fuse_extension(g, o->b, n);
}

/* Whether the zero-extended low half of v is what 32-bit operations of the host make. */
static bool can_be_narrow(const struct gen *g, uint16_t v)
{
	switch (g->op[v].op) {
	case IR_add:
	case IR_sub:
	case IR_mul:
	case IR_and:
	case IR_or:
	case IR_xor:
	case IR_not:
		return true;
	default:
		return false;
	}
}

/* A sum, or a difference, with what a comparison finds: its carry. */
static bool fuse_carry(struct gen *g, struct ir_op *o, unsigned at)
{
	const uint16_t t = o->a;

	if (o->op == IR_add && g->op[t].op == IR_ltu && g->op[o->b].op != IR_imm) {
		o->a = o->b;
		o->b = t;
	}
	if (g->op[o->b].op != IR_ltu || g->op[g->op[o->b].a].op == IR_imm || o->a == o->b)
		return false;
	fuse(g, o->b, at);
	return true;
}

/* v times 2, 4 or 8. */
static bool is_scaled(const struct gen *g, uint16_t v)
{
	const struct ir_op *o = &g->op[v];

	return o->op == IR_shl && o->type == IR_I64 && g->op[o->b].op == IR_imm &&
	       g->op[o->b].k >= 1 && g->op[o->b].k <= 3;
}

/* A sum does that to one operand. */
static void fuse_scaled(struct gen *g, struct ir_op *o, unsigned at)
{
	uint16_t t = o->a;

	if (g->op[o->a].op == IR_imm || g->op[o->b].op == IR_imm || o->a == o->b)
		return;
	if (!is_scaled(g, o->b) || g->value[o->b].uses) {
		if (!is_scaled(g, o->a))
			return;
		o->a = o->b;
		o->b = t;
	}
	fuse(g, o->b, at);
}

/* Of what is a condition: that it is not 0. */
static bool is_condition(const struct gen *g, uint16_t v)
{
	return is_compare(&g->op[v]) || g->op[v].op == IR_and;
}

static bool is_minus(const struct gen *g, uint16_t v)
{
	return inline_of(g, &g->op[v]) == IR_INLINE_FSGNJN && g->op[v].a == g->op[v].b;
}

/* What can be done to a value when somebody looks at its slot: slot_late.  Loads extend. */
static bool can_be_late(const struct gen *g, const struct ir_op *o)
{
	const struct ir_op *b = &g->op[o->b];

	switch (o->op) {
	case IR_call:
		return inline_of(g, o) == IR_INLINE_FBOX &&
		       g->jit->guest.ir->helpers[o->k].bits == 32;
	case IR_sext:
		return o->type == IR_I32 && g->op[o->a].op != IR_ld && g->op[o->a].op != IR_ldw;
	case IR_add:
		return is_small(g, o->b);
	case IR_shl:
	case IR_shr:
	case IR_sar:
	case IR_rol:
	case IR_ror:
		return b->op == IR_imm && b->k > 0 && b->k < (int64_t)ir_bits(o->type);
	default:
		return false;
	}
}

/* Whoever looks at the slot extends. */
static void fuse_late(struct gen *g, const struct ir_op *put, unsigned n)
{
	const uint64_t slot = 1ull << put->k;
	const struct ir_op *o = &g->op[put->a];

	if (g->put_later & slot && can_be_late(g, o) && g->jit->is_fp[put->k] == (o->op == IR_call))
		fuse(g, put->a, n);
	g->put_later |= slot;
}

/* A product and a sum can negate. */
static void fuse_signs(struct gen *g, const struct ir_op *o, unsigned n)
{
	if (inline_of(g, o) != IR_INLINE_FMA || !g->jit->has.fma)
		return;
	if (is_minus(g, o->a) && o->a != o->b && o->a != o->c)
		fuse(g, o->a, n);
	if (is_minus(g, o->c) && o->c != o->a && o->c != o->b)
		fuse(g, o->c, n);
}

static void wishes(struct gen *g, struct ir_op *o, unsigned n, unsigned at)
{
	switch (o->op) {
	case IR_shl:
	case IR_shr:
	case IR_sar:
		if (masks_63(g, o->b))
			o->b = g->op[o->b].a;
		break;
	case IR_add:
		if (!fuse_carry(g, o, at))
			fuse_scaled(g, o, at);
		break;
	case IR_sub:
		fuse_carry(g, o, at);
		break;
	case IR_put:
		fuse_late(g, o, n);
		break;
	case IR_side:
	case IR_side_to:
	case IR_trap_if:
	case IR_choose:
		if (is_condition(g, o->a) && o->b != o->a && o->c != o->a)
			fuse(g, o->a, n);
		break;
	case IR_eq: /* x == 0: the opposite of x */
		if (at != n && is_small(g, o->b) && g->op[o->b].k == 0 &&
		    is_compare(&g->op[o->a])) {
			fuse(g, o->a, at);
			g->value[n].compared = IR_I64;
			break;
		}
		fuse_compared(g, n, at);
		break;
	case IR_or:
		if (at == n)
			fuse_insertion(g, o, n);
		break;
	case IR_ne:
	case IR_lts:
	case IR_ltu:
		fuse_compared(g, n, at);
		break;
	case IR_sext:
	case IR_zext:
		if (at == n && o->op == IR_zext && o->type == IR_I32 && can_be_narrow(g, o->a))
			fuse(g, o->a, n);
		if (at != n && g->value[n].tested && g->op[o->a].op == IR_and)
			fuse(g, o->a, at);
		if (at != n && g->op[at].op == IR_put && g->op[o->a].op != IR_sext &&
		    can_be_late(g, &g->op[o->a]))
			fuse(g, o->a, at);
		break;
	case IR_call:
		fuse_signs(g, o, n);
		if (inline_of(g, o) == IR_INLINE_IF && is_condition(g, o->b) && o->a != o->b)
			fuse(g, o->b, n);
		break;
	case IR_ld:
	case IR_ldw:
	case IR_st:
	case IR_vec_ld:
	case IR_vec_ld_out:
	case IR_vec_st:
		if (g->op[o->a].op == IR_add && is_small(g, g->op[o->a].b) && o->b != o->a)
			fuse(g, o->a, n);
		break;
	default:
		break;
	}
}

static bool is_needed(const struct gen *g, const struct ir_op *o, const struct value *x)
{
	const struct ir_info *info = &ir_infos[o->op];

	if (o->op == IR_call)
		return x->uses || g->jit->guest.ir->helpers[o->k].effects;
	return x->uses || !info->result || info->effects & ~(unsigned)IR_READS;
}

/* The operands of n, which is made at `at`: who comes after it. */
static void chain(struct gen *g, unsigned n, unsigned at)
{
	const struct ir_op *o = &g->op[n];
	const uint16_t v[3] = { o->a, o->b, o->c };
	unsigned i, j;

	for (i = 0; i < ir_infos[o->op].operands; i++) {
		struct value *x = &g->value[v[i]];

		if (x->fused == at)
			chain(g, v[i], at);
		g->next_use[n][i] = x->next;
		for (j = 0; j < i && x->next == at; j++) /* twice in one operation */
			if (v[j] == v[i])
				g->next_use[n][i] = g->next_use[n][j];
		x->next = (uint16_t)at;
	}
}

static void next_uses(struct gen *g)
{
	unsigned n;

	for (n = g->n - 1; n > 0; n--)
		if (g->op[n].op != IR_nop && !g->value[n].fused)
			chain(g, n, n);
}

void x86_prepare(struct gen *g)
{
	unsigned n, i, at;
	bool xmm;

	memset(g->value, 0, g->n * sizeof *g->value);
	g->put_later = 0;
	for (n = g->n - 1; n > 0; n--) {
		struct ir_op *o = &g->op[n];
		struct value *x = &g->value[n];
		unsigned operands = ir_infos[o->op].operands;
		const uint16_t *v[3] = { &o->a, &o->b, &o->c };

		if (o->op == IR_nop)
			continue;
		if (!is_needed(g, o, x)) {
			o->op = IR_nop;
			continue;
		}
		if (x->uses != 1)
			x->fused = 0;
		at = x->fused ? x->fused : n;
		xmm = x86_wants_xmm(g, o);
		wishes(g, o, n, at);
		for (i = 0; i < operands; i++)
			use(g, *v[i], at, xmm);
	}
	next_uses(g);
	x86_share(g);
}
