/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which accesses share a translation: those at constant offsets from the same value, as compilers
 * make them for structs and stack frames, or not far from it, as in tables.  The first asks for the
 * page of all that they touch; if there is a store among them for one that can be written, which
 * can be read then: no PTE and no PMP entry says otherwise.  Nothing that could change translations
 * comes between them: what compiled code calls may, but slow paths only add some.
 */
#include "base/compiler.h"
#include "ir/vec.h"
#include "jit/x86_64/gen.h"

enum {
	OPEN = 6, /* that are looked at together */
	SPAN = 1024,
	FAR = 1 << 29,  /* from each other, and nothing in common */
	ADDS = 16,      /* of constants that are seen through */
	REACH_BITS = 6, /* further away they would be in two pages too often */
	DEPTH = 4,
};

struct open {
	uint8_t anchor[OPEN]; /* + 1; 0: none */
	unsigned next;
};

/* Addresses that instructions give from where they are have the first of them in common. */
static uint16_t from_first_pc(const struct gen *g, uint16_t v, int32_t *disp)
{
	int64_t sum;

	if (g->op[v].op != IR_pc || !g->first_pc)
		return v;
	sum = *disp + g->op[v].k - g->op[g->first_pc].k;
	if (sum > FAR || sum < -FAR)
		return v;
	*disp = (int32_t)sum;
	return g->first_pc;
}

uint16_t x86_root(const struct gen *g, uint16_t v, int32_t *disp)
{
	unsigned i;

	*disp = 0;
	for (i = 0; i < ADDS && g->op[v].op == IR_add && g->op[g->op[v].b].op == IR_imm; i++) {
		int64_t sum = *disp + g->op[g->op[v].b].k;

		if (sum != (int16_t)sum)
			break;
		*disp = (int32_t)sum;
		v = g->op[v].a;
	}
	return from_first_pc(g, v, disp);
}

/* How many low bits of v there are: it has zeroes above them. */
static unsigned bits_of(const struct gen *g, uint16_t v, unsigned depth)
{
	const struct ir_op *o = &g->op[v], *b = &g->op[o->b];
	unsigned n = 64, m;

	if (o->op == IR_imm)
		return o->k ? 64 - clz64((uint64_t)o->k) : 0;
	if (o->op == IR_ld || o->op == IR_ldw)
		return ir_bits(o->type);
	if (depth < DEPTH && ir_infos[o->op].operands)
		n = bits_of(g, o->a, depth + 1);
	switch (o->op) {
	case IR_zext:
		m = ir_bits(o->type);
		return n < m ? n : m;
	case IR_sext:
		return n < ir_bits(o->type) ? n : 64;
	case IR_and:
		m = depth < DEPTH ? bits_of(g, o->b, depth + 1) : 64;
		return n < m ? n : m;
	case IR_shl:
		return b->op == IR_imm && o->type == IR_I64 ? n + (unsigned)b->k % 64 : 64;
	case IR_shr:
		m = b->op == IR_imm ? (unsigned)b->k % ir_bits(o->type) : 0;
		n = n < ir_bits(o->type) ? n : ir_bits(o->type);
		return n > m ? n - m : 0;
	default:
		return 64;
	}
}

/* What is left of a sum without an operand that is small; v: there is none. */
static uint16_t without_small(const struct gen *g, uint16_t v, unsigned *reach)
{
	const struct ir_op *o = &g->op[v];
	unsigned a, b;

	if (o->op != IR_add || g->op[o->b].op == IR_imm)
		return v;
	a = bits_of(g, o->a, 0);
	b = bits_of(g, o->b, 0);
	if ((a <= REACH_BITS) == (b <= REACH_BITS))
		return v;
	*reach = (1u << (a < b ? a : b)) - 1;
	return a < b ? o->b : o->a;
}

uint16_t x86_near(const struct gen *g, uint16_t v, int32_t *disp, unsigned *reach)
{
	uint16_t sum = x86_root(g, v, disp), base;
	int32_t more;

	*reach = 0;
	base = without_small(g, sum, reach);
	if (base == sum)
		return sum;
	base = x86_root(g, base, &more);
	*disp += more;
	return base;
}

static bool join(
    struct gen *g, struct anchor *a, unsigned n, uint16_t base, int32_t disp, unsigned reach)
{
	static const int32_t span[] = { SPAN, APART_SPAN, 0 };
	int32_t end = disp + (int32_t)(reach + ir_access_size(&g->op[n]));
	int32_t low = disp < a->low ? disp : a->low, high = end > a->high ? end : a->high;

	if (a->base != base || high - low > span[a->apart])
		return false;
	a->store |= x86_is_writing(&g->op[n]);
	a->low = low;
	a->high = high;
	a->count++;
	g->next_access[a->last] = (uint16_t)n;
	a->last = (uint16_t)n;
	return true;
}

/* What was noted of accesses that begin with one of the instruction at pc, or of others with this
 * base. */
static uint8_t apart(const struct gen *g, const struct open *o, uint16_t base, int64_t pc)
{
	unsigned level = x86_apart(g->jit, x86_apart_entry(g->unit->page, pc)), i;
	const struct anchor *a;

	for (i = 0; i < OPEN; i++) {
		if (!o->anchor[i])
			continue;
		a = &g->anchor[o->anchor[i] - 1];
		if (a->base == base && a->apart > level)
			level = a->apart;
	}
	return (uint8_t)level;
}

static void add(struct gen *g, struct open *o, unsigned n, int64_t pc)
{
	int32_t disp;
	unsigned reach, i;
	uint16_t base = x86_near(g, g->op[n].a, &disp, &reach);

	g->next_access[n] = 0;
	for (i = 0; i < OPEN; i++)
		if (o->anchor[i] && join(g, &g->anchor[o->anchor[i] - 1], n, base, disp, reach)) {
			g->anchor_of[n] = o->anchor[i];
			return;
		}
	if (g->nanchors == MAX_ANCHORS)
		return;
	g->anchor[g->nanchors++] = (struct anchor){
		.base = base,
		.first = (uint16_t)n,
		.last = (uint16_t)n,
		.count = 1,
		.store = x86_is_writing(&g->op[n]),
		.apart = apart(g, o, base, pc),
		.reach = (uint16_t)reach,
		.at = disp,
		.low = disp,
		.high = disp + (int32_t)(reach + ir_access_size(&g->op[n])),
	};
	g->anchor_of[n] = o->anchor[o->next++ % OPEN] = (uint8_t)g->nanchors;
}

static bool may_change_translations(const struct gen *g, const struct ir_op *o)
{
	const struct ir_helper *h;

	if (ir_is_vec(o->op))
		return !x86_vec_can(g, o);
	if (o->op != IR_call)
		return false;
	h = &g->jit->guest.ir->helpers[o->k];
	return h->effects & (IR_CALL_FAULT | IR_CALL_REGS) && h->inl != IR_INLINE_FP_GUARD &&
	       h->inl != IR_INLINE_IF && h->inl != IR_INLINE_VEC_GUARD;
}

void x86_share(struct gen *g)
{
	struct open o = { { 0 }, 0 };
	int64_t pc = 0;
	unsigned n;

	g->nanchors = 0;
	g->first_pc = 0;
	for (n = g->n - 1; n > 0; n--)
		if (g->op[n].op == IR_pc)
			g->first_pc = (uint16_t)n;
	for (n = 1; n < g->n; n++) {
		g->anchor_of[n] = 0;
		if (g->op[n].op == IR_insn)
			pc = g->op[n].k;
		if (g->unit->plain)
			continue;
		if (may_change_translations(g, &g->op[n]))
			o = (struct open){ { 0 }, 0 };
		else if (x86_is_access(&g->op[n]))
			add(g, &o, n, pc);
	}
	for (n = 0; n < g->nanchors; n++)
		g->value[FIRST_ANCHOR + n] = (struct value){ .last = g->anchor[n].last };
}
