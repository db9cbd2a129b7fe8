/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which accesses share a translation: loads, or stores, with constant offsets from the same value,
 * as compilers make them for structs and stack frames.  The first asks for the page of all that
 * they touch.  Nothing that could change translations comes between them: what compiled code calls
 * may, but slow paths only add some.
 */
#include "jit/x86_64/gen.h"

enum {
	OPEN = 6, /* that are looked at together */
	SPAN = 1024,
};

struct open {
	uint8_t anchor[OPEN]; /* + 1; 0: none */
	unsigned next;
};

static uint16_t base_of(const struct gen *g, unsigned n, int32_t *disp)
{
	uint16_t v = g->op[n].a;

	*disp = 0;
	if (g->value[v].fused != n)
		return v;
	*disp = (int32_t)g->op[g->op[v].b].k;
	return g->op[v].a;
}

static bool join(struct gen *g, struct anchor *a, unsigned n, uint16_t base, int32_t disp)
{
	int32_t end = disp + (int32_t)(ir_bits(g->op[n].type) / 8);
	int32_t low = disp < a->low ? disp : a->low, high = end > a->high ? end : a->high;

	if (a->base != base || g->op[a->first].op != g->op[n].op || high - low > SPAN)
		return false;
	a->low = low;
	a->high = high;
	a->count++;
	g->next_access[a->last] = (uint16_t)n;
	a->last = (uint16_t)n;
	return true;
}

static void add(struct gen *g, struct open *o, unsigned n)
{
	int32_t disp;
	uint16_t base = base_of(g, n, &disp);
	unsigned i;

	g->next_access[n] = 0;
	if (disp > INT16_MAX || disp < INT16_MIN)
		return;
	for (i = 0; i < OPEN; i++)
		if (o->anchor[i] && join(g, &g->anchor[o->anchor[i] - 1], n, base, disp)) {
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
		.low = disp,
		.high = disp + (int32_t)(ir_bits(g->op[n].type) / 8),
	};
	g->anchor_of[n] = o->anchor[o->next++ % OPEN] = (uint8_t)g->nanchors;
}

static bool may_change_translations(const struct gen *g, const struct ir_op *o)
{
	const struct ir_helper *h = &g->jit->guest.ir->helpers[o->k];

	return o->op == IR_call && h->effects & (IR_CALL_FAULT | IR_CALL_REGS) &&
	       h->inl != IR_INLINE_FP_GUARD;
}

void x86_share(struct gen *g)
{
	struct open o = { { 0 }, 0 };
	unsigned n;

	g->nanchors = 0;
	for (n = 1; n < g->n; n++) {
		g->anchor_of[n] = 0;
		if (g->unit->plain)
			continue;
		if (g->op[n].op == IR_ld || g->op[n].op == IR_st)
			add(g, &o, n);
		else if (may_change_translations(g, &g->op[n]))
			o = (struct open){ { 0 }, 0 };
	}
	for (n = 0; n < g->nanchors; n++)
		g->value[FIRST_ANCHOR + n] = (struct value){ .last = g->anchor[n].last };
}
