/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where values are.  A value is in at most one place of struct value, and may be in slots besides:
 * then giving up its register costs nothing.
 */
#include <assert.h>

#include "jit/x86_64/gen.h"

/* In the order in which they are given away: those that other things want come last. */
static const uint8_t temps[] = { RSI, RDI, RCX, RDX, RAX };

static bool is_live(const struct gen *g, uint16_t v)
{
	return v && g->value[v].last > g->i;
}

static struct x86_mem spill_at(unsigned n)
{
	return (struct x86_mem){ RSP, X86_NONE, 0, (int32_t)(8 * n) };
}

static bool is_pinned(const struct gen *g, unsigned reg)
{
	return g->jit->slot_of[reg] != 255;
}

bool x86_is_imm(const struct gen *g, uint16_t v)
{
	return g->value[v].where == IN_IMM && x86_is_imm32(g->op[v].k);
}

bool x86_in_memory(const struct gen *g, uint16_t v, struct x86_mem *m)
{
	const struct value *x = &g->value[v];

	if (x->where == IN_SLOT && g->jit->guest.ir->slots[x->at].size == 8)
		*m = slot_at(g, x->at);
	else if (x->where == IN_SPILL)
		*m = spill_at(x->at);
	else
		return false;
	return true;
}

static void to_spill(struct gen *g, uint16_t v, bool xmm, unsigned reg)
{
	unsigned n;

	for (n = 0; n < SPILLS && g->spilled[n]; n++)
		;
	if (n == SPILLS) {
		g->failed = true;
		return;
	}
	g->spilled[n] = v;
	x86_rm(&g->code, !xmm, xmm ? OP_MOVQ_TO : OP_MOV_TO, reg, spill_at(n));
	g->value[v].where = IN_SPILL;
	g->value[v].at = (uint8_t)n;
}

/* v loses its register; it goes on in a slot that has it, or in a spill place. */
static void move_out(struct gen *g, uint16_t v, bool xmm, unsigned reg)
{
	struct value *x = &g->value[v];
	unsigned home = x->home;

	if (home && g->slot_value[home - 1] == v) {
		unsigned pin = g->jit->pin_of[home - 1], xpin = g->jit->xpin_of[home - 1];

		if (xpin != X86_NONE) {
			if (xpin != reg && !is_live(g, g->owner_xmm[xpin])) {
				x->where = IN_XMM;
				x->at = (uint8_t)xpin;
				g->owner_xmm[xpin] = v;
				return;
			}
		} else if (pin == X86_NONE) {
			x->where = IN_SLOT;
			x->at = (uint8_t)(home - 1);
			return;
		}
		if (xpin == X86_NONE && pin != reg && !is_live(g, g->owner[pin])) {
			x->where = IN_REG;
			x->at = (uint8_t)pin;
			g->owner[pin] = v;
			return;
		}
	}
	to_spill(g, v, xmm, reg);
}

static void evict(struct gen *g, unsigned reg)
{
	uint16_t v = g->owner[reg];

	g->owner[reg] = 0;
	if (v)
		move_out(g, v, false, reg);
}

void x86_take(struct gen *g, unsigned reg)
{
	evict(g, reg);
	g->locked |= (uint16_t)(1u << reg);
}

unsigned x86_temp(struct gen *g)
{
	unsigned best = X86_NONE, i, reg;

	for (i = 0; i < sizeof temps; i++) {
		reg = temps[i];
		if (g->locked >> reg & 1)
			continue;
		if (!g->owner[reg]) {
			best = reg;
			break;
		}
		if (best == X86_NONE ||
		    g->value[g->owner[reg]].last > g->value[g->owner[best]].last)
			best = reg;
	}
	if (best == X86_NONE) {
		g->failed = true;
		return RAX;
	}
	x86_take(g, best);
	return best;
}

void x86_load(struct gen *g, unsigned reg, uint16_t v)
{
	const struct value *x = &g->value[v];

	switch (x->where) {
	case IN_IMM:
		x86_mov_ri(&g->code, reg, g->op[v].k);
		break;
	case IN_REG:
		x86_mov_rr(&g->code, reg, x->at);
		break;
	case IN_XMM:
		x86_rr(&g->code, true, OP_MOVD_TO, x->at, reg);
		break;
	case IN_SLOT: {
		unsigned size = g->jit->guest.ir->slots[x->at].size;

		x86_rm(&g->code, size == 8,
		    size == 1   ? OP_MOVZX8
		    : size == 2 ? OP_MOVZX16
				: OP_MOV,
		    reg, slot_at(g, x->at));
		break;
	}
	case IN_SPILL:
		x86_rm(&g->code, true, OP_MOV, reg, spill_at(x->at));
		break;
	default:
		g->failed = true;
	}
}

/* v is in that register from now on. */
static void settle(struct gen *g, uint16_t v, unsigned reg)
{
	struct value *x = &g->value[v];

	if (x->where == IN_SPILL)
		g->spilled[x->at] = 0;
	if (x->where == IN_XMM)
		g->owner_xmm[x->at] = 0;
	x->where = IN_REG;
	x->at = (uint8_t)reg;
	g->owner[reg] = v;
}

unsigned x86_use(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];
	unsigned reg;

	if (x->where == IN_REG) {
		g->locked |= (uint16_t)(1u << x->at);
		return x->at;
	}
	reg = x86_temp(g);
	x86_load(g, reg, v);
	if (x->where != IN_IMM && x->where != IN_XMM)
		settle(g, v, reg);
	return reg;
}

/* The pinned register that the next operations would put n into anyway; X86_NONE: none, or its old
 * value is still wanted. */
static unsigned pin_for(const struct gen *g, uint16_t n)
{
	unsigned j, pin, end = n + 6u < g->n ? n + 6u : g->n;

	for (j = n + 1u; j < end; j++) {
		const struct ir_op *o = &g->op[j];

		if (o->op == IR_put && o->a == n) {
			pin = g->jit->pin_of[o->k];
			if (pin == X86_NONE)
				continue;
			break;
		}
		if (o->op == IR_get || o->op == IR_put || o->op == IR_call ||
		    ir_infos[o->op].effects & ~(unsigned)(IR_READS | IR_WRITES))
			return X86_NONE;
	}
	if (j >= end)
		return X86_NONE;
	if (g->owner[pin] && g->owner[pin] != n && g->value[g->owner[pin]].last > g->i)
		return X86_NONE;
	return pin;
}

unsigned x86_dest(struct gen *g, uint16_t n, uint16_t reuse)
{
	unsigned pin = pin_for(g, n);
	const struct value *x = &g->value[reuse];

	if (pin != X86_NONE) {
		g->locked |= (uint16_t)(1u << pin);
		return pin;
	}
	if (reuse && x->where == IN_REG && !is_pinned(g, x->at) && x->last <= g->i) {
		g->owner[x->at] = 0;
		return x->at;
	}
	return x86_temp(g);
}

void x86_result(struct gen *g, uint16_t n, unsigned reg)
{
	struct value *x = &g->value[n];

	x->where = IN_REG;
	x->at = (uint8_t)reg;
	g->owner[reg] = n;
	if (is_pinned(g, reg)) {
		g->slot_value[g->jit->slot_of[reg]] = n;
		x->home = (uint8_t)(g->jit->slot_of[reg] + 1);
	}
}

void x86_get(struct gen *g, uint16_t n, unsigned slot)
{
	struct value *x = &g->value[n];
	unsigned pin = g->jit->pin_of[slot];

	if (!x->uses)
		return;
	g->slot_value[slot] = n;
	x->home = (uint8_t)(slot + 1);
	if (g->jit->xpin_of[slot] != X86_NONE) {
		x86_xresult(g, n, g->jit->xpin_of[slot]);
		return;
	}
	x->where = pin == X86_NONE ? IN_SLOT : IN_REG;
	x->at = (uint8_t)(pin == X86_NONE ? slot : pin);
	if (pin != X86_NONE)
		g->owner[pin] = n;
}

/* The slot is about to change: whoever is only there moves to a temporary. */
static void save_old(struct gen *g, unsigned slot, uint16_t v)
{
	unsigned pin = g->jit->pin_of[slot], reg;
	uint16_t old = pin == X86_NONE ? g->slot_value[slot] : g->owner[pin];
	struct value *x = &g->value[old];

	if (!old || old == v)
		return;
	if (pin != X86_NONE)
		g->owner[pin] = 0;
	if (!is_live(g, old))
		return;
	if (pin == X86_NONE && !(x->where == IN_SLOT && x->at == slot))
		return;
	if (x->home && x->home - 1u != slot && g->slot_value[x->home - 1] == old) {
		unsigned other = g->jit->pin_of[x->home - 1];

		x->where = other == X86_NONE ? IN_SLOT : IN_REG;
		x->at = (uint8_t)(other == X86_NONE ? x->home - 1u : other);
		if (other != X86_NONE)
			g->owner[other] = old;
		return;
	}
	reg = x86_temp(g);
	x86_load(g, reg, old);
	settle(g, old, reg);
}

static void put_pinned(struct gen *g, unsigned pin, unsigned slot, uint16_t v)
{
	struct value *x = &g->value[v];

	if (x->where == IN_REG && x->at == pin)
		return;
	x86_load(&*g, pin, v);
	x->home = (uint8_t)(slot + 1);
	if (x->where == IN_REG && !is_pinned(g, x->at))
		g->owner[x->at] = 0;
	if ((x->where == IN_REG && is_pinned(g, x->at)) || x->where == IN_IMM || x->where == IN_XMM)
		return;
	settle(g, v, pin);
}

static void put_memory(struct gen *g, unsigned slot, uint16_t v)
{
	struct value *x = &g->value[v];
	unsigned size = g->jit->guest.ir->slots[slot].size, reg;

	x->home = (uint8_t)(slot + 1);
	if (x86_is_imm(g, v)) {
		x86_mov_mi(&g->code, slot_at(g, slot), (int32_t)g->op[v].k, size);
		return;
	}
	if (x->where == IN_XMM && size == 8) {
		x86_rm(&g->code, false, OP_MOVQ_TO, x->at, slot_at(g, slot));
		return;
	}
	reg = x86_use(g, v);
	if (size == 1)
		x86_rm8(&g->code, OP_MOV8_TO, reg, slot_at(g, slot));
	else
		x86_rm(&g->code, size == 8, size == 2 ? OP_MOV16_TO : OP_MOV_TO, reg,
		    slot_at(g, slot));
}

/* The pinned xmm register is about to change. */
static void save_old_xmm(struct gen *g, unsigned pin, uint16_t v)
{
	uint16_t old = g->owner_xmm[pin];
	unsigned xmm;

	if (!old || old == v)
		return;
	g->owner_xmm[pin] = 0;
	if (!is_live(g, old))
		return;
	xmm = x86_xtemp(g);
	x86_rr(&g->code, false, OP_MOVAPS, xmm, pin);
	x86_xresult(g, old, xmm);
}

static void put_xpinned(struct gen *g, unsigned slot, uint16_t v)
{
	unsigned pin = g->jit->xpin_of[slot];
	struct value *x = &g->value[v];
	struct x86_mem m;

	save_old_xmm(g, pin, v);
	g->slot_value[slot] = v;
	if (x->where == IN_XMM && x->at == pin)
		return;
	if (x->where == IN_XMM)
		x86_rr(&g->code, false, OP_MOVAPS, pin, x->at);
	else if (x86_in_memory(g, v, &m))
		x86_rm(&g->code, false, OP_MOVQ, pin, m);
	else if (x->where == IN_IMM && g->op[v].k == 0)
		x86_rr(&g->code, false, OP_XORPS, pin, pin);
	else
		x86_rr(&g->code, true, OP_MOVD, pin, x86_use(g, v));
	x->home = (uint8_t)(slot + 1);
	if (x->where == IN_XMM && g->jit->xslot_of[x->at] == 255) {
		g->owner_xmm[x->at] = 0;
		x->at = (uint8_t)pin;
		g->owner_xmm[pin] = v;
	}
}

void x86_put(struct gen *g, unsigned slot, uint16_t v)
{
	unsigned pin = g->jit->pin_of[slot];

	if (g->jit->xpin_of[slot] != X86_NONE) {
		put_xpinned(g, slot, v);
		return;
	}
	save_old(g, slot, v);
	if (pin != X86_NONE)
		put_pinned(g, pin, slot, v);
	else if (g->slot_value[slot] != v || g->value[v].where != IN_SLOT || g->value[v].at != slot)
		put_memory(g, slot, v);
	g->slot_value[slot] = v;
}

static void release(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];

	if (!v || x->last > g->i)
		return;
	if (x->where == IN_REG && g->owner[x->at] == v)
		g->owner[x->at] = 0;
	else if (x->where == IN_XMM && g->owner_xmm[x->at] == v)
		g->owner_xmm[x->at] = 0;
	else if (x->where == IN_SPILL)
		g->spilled[x->at] = 0;
	x->where = x->where == IN_IMM ? IN_IMM : IN_NOTHING;
}

void x86_release(struct gen *g, const struct ir_op *o)
{
	const uint16_t v[3] = { o->a, o->b, o->c };
	unsigned i;

	for (i = 0; i < ir_infos[o->op].operands; i++) {
		if (g->value[v[i]].fused && g->value[v[i]].fused == g->i)
			x86_release(g, &g->op[v[i]]);
		release(g, v[i]);
	}
}

void x86_before_call(struct gen *g, bool regs)
{
	unsigned i;

	for (i = 0; i < sizeof temps; i++)
		if (is_live(g, g->owner[temps[i]]))
			evict(g, temps[i]);
		else
			g->owner[temps[i]] = 0;
	for (i = 0; i < 16; i++) {
		uint16_t v = g->owner_xmm[i];

		if (g->jit->xslot_of[i] != 255 && !regs)
			continue;
		g->owner_xmm[i] = 0;
		if (is_live(g, v) && regs)
			to_spill(g, v, true, i);
		else if (is_live(g, v))
			move_out(g, v, true, i);
	}
	if (!regs)
		return;
	/* The helper may change all registers: what lives on in them alone is saved. */
	for (i = 0; i < g->jit->guest.ir->nslots; i++) {
		save_old(g, i, 0);
		g->slot_value[i] = 0;
	}
	for (i = 0; i < sizeof temps; i++)
		if (g->owner[temps[i]]) {
			to_spill(g, g->owner[temps[i]], false, temps[i]);
			g->owner[temps[i]] = 0;
		}
}

/* xmm registers ------------------------------------------------------------------------------- */

unsigned x86_xtemp(struct gen *g)
{
	unsigned best = 16, i;

	g->fp = true;
	for (i = NFPINS; i < NFPINS + NXTEMPS; i++) {
		if (g->locked_xmm >> i & 1)
			continue;
		if (!g->owner_xmm[i]) {
			best = i;
			break;
		}
		if (best == 16 ||
		    g->value[g->owner_xmm[i]].last > g->value[g->owner_xmm[best]].last)
			best = i;
	}
	assert(best < 16);
	if (g->owner_xmm[best]) {
		move_out(g, g->owner_xmm[best], true, best);
		g->owner_xmm[best] = 0;
	}
	g->locked_xmm |= (uint16_t)(1u << best);
	return best;
}

unsigned x86_use_xmm(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];
	struct x86_mem m;
	unsigned xmm;

	if (x->where == IN_XMM) {
		g->locked_xmm |= (uint16_t)(1u << x->at);
		return x->at;
	}
	xmm = x86_xtemp(g);
	if (x86_in_memory(g, v, &m)) {
		x86_rm(&g->code, false, OP_MOVQ, xmm, m);
		if (x->where == IN_SPILL)
			g->spilled[x->at] = 0;
		x->where = IN_XMM;
		x->at = (uint8_t)xmm;
		g->owner_xmm[xmm] = v;
	} else {
		x86_rr(&g->code, true, OP_MOVD, xmm, x86_use(g, v));
	}
	return xmm;
}

/* As pin_for; a NaN box may come in between. */
unsigned x86_xpin_for(const struct gen *g, uint16_t n)
{
	uint16_t v = n;
	unsigned j, pin;

	for (j = n + 1u; j < g->n && j < n + 6u; j++) {
		const struct ir_op *o = &g->op[j];

		if (o->op == IR_put && o->a == v) {
			pin = g->jit->xpin_of[o->k];
			if (pin != X86_NONE && is_live(g, g->owner_xmm[pin]))
				return X86_NONE;
			return pin;
		}
		if (o->op == IR_call && o->a == v &&
		    g->jit->guest.ir->helpers[o->k].inl == IR_INLINE_FBOX)
			v = (uint16_t)j;
		else if (o->op != IR_nop && o->op != IR_imm)
			return X86_NONE;
	}
	return X86_NONE;
}

unsigned x86_xdest(struct gen *g, uint16_t n, uint16_t reuse)
{
	const struct value *x = &g->value[reuse];
	unsigned pin = x86_xpin_for(g, n);

	if (pin != X86_NONE)
		return pin;
	if (reuse && x->where == IN_XMM && x->last <= g->i && g->jit->xslot_of[x->at] == 255) {
		g->owner_xmm[x->at] = 0;
		return x->at;
	}
	return x86_xtemp(g);
}

void x86_xresult(struct gen *g, uint16_t n, unsigned xmm)
{
	struct value *x = &g->value[n];

	x->where = IN_XMM;
	x->at = (uint8_t)xmm;
	g->owner_xmm[xmm] = n;
	if (g->jit->xslot_of[xmm] != 255) {
		g->slot_value[g->jit->xslot_of[xmm]] = n;
		x->home = (uint8_t)(g->jit->xslot_of[xmm] + 1);
	}
}
