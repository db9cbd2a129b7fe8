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

static bool is_minus(const struct gen *g, uint16_t v)
{
	return inline_of(g, &g->op[v]) == IR_INLINE_FSGNJN && g->op[v].a == g->op[v].b;
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
	case IR_side:
	case IR_side_to:
	case IR_trap_if:
	case IR_choose:
		if (is_compare(&g->op[o->a]) && o->b != o->a && o->c != o->a)
			fuse(g, o->a, n);
		break;
	case IR_eq: /* x == 0: the opposite of x */
		if (at != n && is_small(g, o->b) && g->op[o->b].k == 0 && is_compare(&g->op[o->a]))
			fuse(g, o->a, at);
		break;
	case IR_call:
		fuse_signs(g, o, n);
		break;
	case IR_ld:
	case IR_st:
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
