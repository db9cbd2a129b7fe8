/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where values are, and which of them gives way when a register is wanted: the one whose next use
 * is farthest, and among such those that memory has already.
 */
#include <assert.h>
#include <string.h>

#include "jit/x86_64/gen.h"

/* In the order in which they are given away: those that other things want come last, and behind
 * them those that slots are pinned to. */
static const uint8_t gprs[] = { RSI, RDI, RCX, RDX, RAX, R15, R14, R13, R12, R11, R10, R9, R8,
	RBX };
static const uint8_t xmms[NXMM] = { 10, 11, 12, 13, 14, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 };

enum {
	/* What a store or a load costs, in operations. */
	MEMORY_COST = 16,
	/* How far ahead the put of a result is looked for. */
	AHEAD = 6,
};

static uint64_t bit(unsigned slot)
{
	return 1ull << slot;
}

/* The slot that is pinned to a register, or 255. */
static unsigned slot_of(const struct gen *g, unsigned class, unsigned reg)
{
	return class == GPR ? g->jit->slot_of[reg] : g->jit->xslot_of[reg];
}

/* The register that a slot is pinned to, or X86_NONE. */
static unsigned home_of(const struct gen *g, unsigned class, unsigned slot)
{
	return class == GPR ? g->jit->pin_of[slot] : g->jit->xpin_of[slot];
}

/* The register is the home of what it holds. */
static bool is_home(const struct gen *g, unsigned class, unsigned reg)
{
	unsigned slot = slot_of(g, class, reg);

	return slot != 255 && !(g->slot_away & bit(slot)) &&
	       g->slot_value[slot] == g->owner[class][reg];
}

static bool is_live(const struct gen *g, uint16_t v)
{
	return g->value[v].next || g->value[v].owed;
}

static bool is_busy(const struct gen *g, unsigned class, unsigned reg)
{
	uint16_t v = g->owner[class][reg];

	return v && (is_live(g, v) || is_home(g, class, reg));
}

static bool is_at(const struct value *x, unsigned class, unsigned reg)
{
	return x->where == (class == GPR ? IN_REG : IN_XMM) && x->at == reg;
}

struct x86_mem x86_spill_at(unsigned n)
{
	return (struct x86_mem){ RSP, X86_NONE, 0, (int32_t)(FIRST_SPILL + 8 * n) };
}

/* Whether the memory of its slot has v. */
static bool slot_has(const struct gen *g, uint16_t v)
{
	unsigned home = g->value[v].home;

	return home && g->slot_has & bit(home - 1) && g->slot_value[home - 1] == v;
}

bool x86_has_memory(const struct gen *g, uint16_t v)
{
	return g->value[v].spill || slot_has(g, v);
}

bool x86_is_imm(const struct gen *g, uint16_t v)
{
	return g->value[v].where == IN_IMM && x86_is_imm32(g->op[v].k);
}

static struct x86_mem memory_of(const struct gen *g, uint16_t v)
{
	const struct value *x = &g->value[v];

	return x->spill ? x86_spill_at(x->spill - 1u) : slot_at(g, x->home - 1u);
}

bool x86_in_memory(const struct gen *g, uint16_t v, struct x86_mem *m)
{
	if (g->value[v].where != IN_MEMORY)
		return false;
	*m = memory_of(g, v);
	return true;
}

/* Where the value was it is no more, be it that a call has clobbered the register. */
static bool is_lost(const struct gen *g, uint16_t v)
{
	const struct value *x = &g->value[v];

	switch (x->where) {
	case IN_REG:
		return g->owner[GPR][x->at] != v;
	case IN_XMM:
		return g->owner[XMM][x->at] != v;
	case IN_MEMORY:
		return !x86_has_memory(g, v);
	default:
		return x->where == IN_NOTHING;
	}
}

bool x86_is_there(const struct gen *g, uint16_t v)
{
	return !is_lost(g, v) && g->value[v].where != IN_IMM;
}

bool x86_is_last(const struct gen *g, uint16_t v)
{
	const struct value *x = &g->value[v];

	if (x->last > g->i || x->owed)
		return false;
	return x->where == IN_REG   ? !is_home(g, GPR, x->at)
	       : x->where == IN_XMM ? !is_home(g, XMM, x->at)
				    : true;
}

/* A pinned register holds its slot's value, of which nothing is known. */
static void pin_value(struct gen *g, unsigned class, unsigned reg)
{
	unsigned slot = slot_of(g, class, reg);
	uint16_t v = (uint16_t)(FIRST_VALUE + slot);

	g->owner[class][reg] = g->slot_value[slot] = v;
	g->value[v] = (struct value){
		.where = class == GPR ? IN_REG : IN_XMM,
		.at = (uint8_t)reg,
		.home = (uint8_t)(slot + 1),
	};
}

static void pin_values(struct gen *g, unsigned class)
{
	unsigned reg;

	for (reg = 0; reg < 16; reg++) {
		g->owner[class][reg] = 0;
		if (slot_of(g, class, reg) != 255)
			pin_value(g, class, reg);
	}
}

void x86_forget_late(struct gen *g, unsigned slot)
{
	const unsigned pin = g->jit->pin_of[slot], xpin = g->jit->xpin_of[slot];

	g->value[g->slot_value[slot]].owed--;
	g->slot_away &= ~bit(slot);
	g->slot_late &= ~bit(slot);
	g->slot_value[slot] = 0;
	if (pin != X86_NONE)
		pin_value(g, GPR, pin);
	else if (xpin != X86_NONE)
		pin_value(g, XMM, xpin);
}

void x86_forget_slots(struct gen *g)
{
	memset(g->slot_value, 0, sizeof g->slot_value);
	g->slot_has = g->slot_away = g->slot_late = 0;
	pin_values(g, GPR);
	pin_values(g, XMM);
}

void x86_begin(struct gen *g)
{
	memset(g->spilled, 0, sizeof g->spilled);
	g->nplaces = 0;
	g->last_snap = (struct snapshot){ 0, 0 };
	x86_forget_slots(g);
}

/* A value that nobody wants: its places are free. */
void x86_forget(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];
	unsigned class = x->where == IN_XMM;

	if (x->spill)
		g->spilled[x->spill - 1] = 0;
	x->spill = 0;
	if (x->where != IN_REG && x->where != IN_XMM)
		return;
	if (g->owner[class][x->at] == v && !is_home(g, class, x->at)) {
		g->owner[class][x->at] = 0;
		x->where = IN_NOTHING;
	}
}

static void to_frame(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];
	unsigned n;

	for (n = 0; n < SPILLS && g->spilled[n]; n++)
		;
	if (n == SPILLS) {
		g->failed = true;
		return;
	}
	g->spilled[n] = v;
	x->spill = (uint8_t)(n + 1);
	x86_rm(&g->code, x->where == IN_REG, x->where == IN_REG ? OP_MOV_TO : OP_MOVQ_TO, x->at,
	    x86_spill_at(n));
}

void x86_stored(struct gen *g, unsigned slot)
{
	uint16_t v = g->slot_value[slot];

	g->slot_has |= bit(slot);
	g->value[v].home = (uint8_t)(slot + 1);
	if (g->jit->pin_of[slot] != X86_NONE || g->jit->xpin_of[slot] != X86_NONE ||
	    !(g->slot_away & bit(slot)))
		return;
	g->slot_away &= ~bit(slot);
	g->value[v].owed--;
}

void x86_to_memory(struct gen *g, uint16_t v, bool frame)
{
	struct value *x = &g->value[v];

	if (frame || !x->home || g->slot_value[x->home - 1] != v) {
		to_frame(g, v);
		return;
	}
	x86_rm(&g->code, x->where == IN_REG, x->where == IN_REG ? OP_MOV_TO : OP_MOVQ_TO, x->at,
	    slot_at(g, x->home - 1u));
	x86_stored(g, x->home - 1u);
}

/* The register is no longer the home of its slot's value. */
static void leave_home(struct gen *g, unsigned class, unsigned reg)
{
	if (!is_home(g, class, reg))
		return;
	g->slot_away |= bit(slot_of(g, class, reg));
	g->value[g->owner[class][reg]].owed++;
}

void x86_clear(struct gen *g, unsigned class, unsigned reg)
{
	uint16_t v = g->owner[class][reg];
	struct value *x = &g->value[v];
	unsigned pin;

	if (!v)
		return;
	leave_home(g, class, reg);
	g->owner[class][reg] = 0;
	if (is_lost(g, v)) {
		/* Nobody uses it but as its slot's value, and it is only here. */
		x->where = class == GPR ? IN_REG : IN_XMM;
		x->at = (uint8_t)reg;
	}
	if (!is_at(x, class, reg))
		return;
	pin = x->home ? home_of(g, class, x->home - 1u) : X86_NONE;
	if (pin != X86_NONE && g->owner[class][pin] == v) { /* there, too */
		x->at = (uint8_t)pin;
		return;
	}
	if (is_live(g, v) && !x86_has_memory(g, v))
		x86_to_memory(g, v, false);
	x->where = x86_has_memory(g, v) ? IN_MEMORY : IN_NOTHING;
}

/* How little it hurts to take a register. */
static int ease(const struct gen *g, unsigned class, unsigned reg)
{
	uint16_t v = g->owner[class][reg];
	const struct value *x = &g->value[v];
	int d = (int)((x->next ? x->next : g->n) - g->i);

	if (is_home(g, class, reg))
		d -= MEMORY_COST;
	if (is_at(x, class, reg) && !x86_has_memory(g, v))
		d -= MEMORY_COST;
	return d;
}

static unsigned choose(const struct gen *g, unsigned class)
{
	const uint8_t *regs = class == GPR ? gprs : xmms;
	unsigned n = class == GPR ? sizeof gprs : sizeof xmms, i, best = X86_NONE;
	int most = INT32_MIN, d;

	for (i = 0; i < n; i++) {
		if (g->locked[class] >> regs[i] & 1)
			continue;
		if (!is_busy(g, class, regs[i]))
			return regs[i];
		d = ease(g, class, regs[i]);
		if (d > most) {
			most = d;
			best = regs[i];
		}
	}
	return best;
}

static unsigned new_temp(struct gen *g, unsigned class)
{
	unsigned reg = choose(g, class);

	assert(reg != X86_NONE);
	x86_clear(g, class, reg);
	g->locked[class] |= (uint16_t)(1u << reg);
	return reg;
}

unsigned x86_temp(struct gen *g)
{
	return new_temp(g, GPR);
}

void x86_take(struct gen *g, unsigned reg)
{
	uint16_t v = g->owner[GPR][reg];
	unsigned to;

	g->locked[GPR] |= (uint16_t)(1u << reg);
	if (v && is_at(&g->value[v], GPR, reg) && g->value[v].next) {
		to = choose(g, GPR);
		if (to != X86_NONE && !is_busy(g, GPR, to)) {
			x86_clear(g, GPR, to);
			x86_mov_rr(&g->code, to, reg);
			leave_home(g, GPR, reg);
			g->owner[GPR][reg] = 0;
			g->owner[GPR][to] = v;
			g->value[v].at = (uint8_t)to;
			return;
		}
	}
	x86_clear(g, GPR, reg);
}

void x86_load_value(struct gen *g, unsigned reg, uint16_t v)
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
	case IN_MEMORY:
		x86_rm(&g->code, true, OP_MOV, reg, memory_of(g, v));
		break;
	default:
		g->failed = true;
	}
}

void x86_xload(struct gen *g, unsigned xmm, uint16_t v)
{
	const struct value *x = &g->value[v];

	if (x->where == IN_XMM && x->at != xmm)
		x86_rr(&g->code, false, OP_MOVAPS, xmm, x->at);
	else if (x->where == IN_MEMORY)
		x86_rm(&g->code, false, OP_MOVQ, xmm, memory_of(g, v));
	else if (x->where == IN_IMM && g->op[v].k == 0)
		x86_rr(&g->code, false, OP_XORPS, xmm, xmm);
	else if (x->where != IN_XMM)
		x86_rr(&g->code, true, OP_MOVD, xmm, x86_use(g, v));
}

/* v is in that register from now on, where it was before maybe, too. */
static void settle(struct gen *g, unsigned class, unsigned reg, uint16_t v)
{
	struct value *x = &g->value[v];

	g->owner[class][reg] = v;
	if (x->where == IN_IMM || x->where == (class == GPR ? IN_XMM : IN_REG))
		return;
	x->where = class == GPR ? IN_REG : IN_XMM;
	x->at = (uint8_t)reg;
}

unsigned x86_use(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];
	unsigned reg;

	if (x->where == IN_REG) {
		g->locked[GPR] |= (uint16_t)(1u << x->at);
		return x->at;
	}
	reg = x86_temp(g);
	x86_load_value(g, reg, v);
	if (x->where == IN_MEMORY)
		settle(g, GPR, reg, v);
	return reg;
}

unsigned x86_use_xmm(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];
	unsigned xmm;

	if (x->where == IN_XMM) {
		g->locked[XMM] |= (uint16_t)(1u << x->at);
		return x->at;
	}
	xmm = x86_xtemp(g);
	x86_xload(g, xmm, v);
	if (x->where == IN_MEMORY)
		settle(g, XMM, xmm, v);
	return xmm;
}

void x86_move_in(struct gen *g, unsigned class, unsigned reg, uint16_t v)
{
	struct value *x = &g->value[v];
	unsigned from = x->at;
	bool moves = x->where == (class == GPR ? IN_REG : IN_XMM);

	if (g->owner[class][reg] != v) {
		x86_clear(g, class, reg);
		if (class == GPR)
			x86_load_value(g, reg, v);
		else
			x86_xload(g, reg, v);
		settle(g, class, reg, v);
	}
	if (moves && from != reg && g->owner[class][from] == v && !is_home(g, class, from))
		g->owner[class][from] = 0;
}

/* Results ------------------------------------------------------------------------------------- */

/* Whether nobody minds when a pinned register gets a value that its slot is about to get. */
static bool can_overwrite(const struct gen *g, unsigned class, unsigned reg, uint16_t n)
{
	uint16_t v = g->owner[class][reg];
	const struct value *x = &g->value[v];

	return !v || v == n || !is_at(x, class, reg) || (x->last <= g->i && !x->owed);
}

/* The pinned register that the next operations would put n into anyway; X86_NONE: none, or its old
 * value is still wanted. */
static unsigned pin_for(const struct gen *g, uint16_t n)
{
	unsigned j, pin = X86_NONE, end = n + (unsigned)AHEAD;

	if (end > g->n)
		end = g->n;
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
	if (j >= end || !can_overwrite(g, GPR, pin, n))
		return X86_NONE;
	return pin;
}

unsigned x86_dest(struct gen *g, uint16_t n, uint16_t reuse)
{
	unsigned pin = pin_for(g, n);
	const struct value *x = &g->value[reuse];

	if (pin != X86_NONE) {
		g->locked[GPR] |= (uint16_t)(1u << pin);
		return pin;
	}
	if (reuse && x->where == IN_REG && x86_is_last(g, reuse))
		return x->at;
	return x86_temp(g);
}

static void result(struct gen *g, unsigned class, uint16_t n, unsigned reg)
{
	uint16_t old = g->owner[class][reg];
	struct value *x = &g->value[n];

	if (old && old != n && is_at(&g->value[old], class, reg))
		g->value[old].where = x86_has_memory(g, old) ? IN_MEMORY : IN_NOTHING;
	x->where = class == GPR ? IN_REG : IN_XMM;
	x->at = (uint8_t)reg;
	g->owner[class][reg] = n;
}

void x86_result(struct gen *g, uint16_t n, unsigned reg)
{
	result(g, GPR, n, reg);
}

void x86_xresult(struct gen *g, uint16_t n, unsigned xmm)
{
	result(g, XMM, n, xmm);
}

/* n has all places of v. */
static void inherit(struct gen *g, uint16_t n, uint16_t v)
{
	struct value *x = &g->value[n], *from = &g->value[v];

	x->where = from->where;
	x->at = from->at;
	x->home = from->home;
	x->owed = from->owed;
	x->spill = from->spill;
	if (x->spill)
		g->spilled[x->spill - 1] = n;
	from->where = IN_NOTHING;
	from->spill = from->owed = from->home = 0;
}

static void replace(uint16_t *in, unsigned count, uint16_t v, uint16_t n)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (in[i] == v)
			in[i] = n;
}

void x86_rename(struct gen *g, uint16_t n, uint16_t v)
{
	replace(g->owner[GPR], 16, v, n);
	replace(g->owner[XMM], 16, v, n);
	replace(g->slot_value, MAX_SLOTS, v, n);
	inherit(g, n, v);
}

/* Slots --------------------------------------------------------------------------------------- */

void x86_get(struct gen *g, uint16_t n, unsigned slot)
{
	uint16_t v = g->slot_value[slot];

	if (v >= FIRST_VALUE) { /* which is nowhere else */
		const struct value *x = &g->value[v];
		unsigned class = x->where == IN_XMM;

		if (x->where == IN_REG || x->where == IN_XMM)
			g->owner[class][x->at] = n;
		g->slot_value[slot] = n;
		inherit(g, n, v);
		return;
	}
	if (v) { /* prepare.c would have made n that value */
		g->failed = true;
		return;
	}
	g->value[n].where = IN_MEMORY;
	g->value[n].home = (uint8_t)(slot + 1);
	g->slot_value[slot] = n;
	g->slot_has |= bit(slot);
}

/* The slot's value is about to be another one. */
static void lose(struct gen *g, unsigned slot)
{
	uint16_t old = g->slot_value[slot];
	struct value *x = &g->value[old];

	if (!old)
		return;
	if (g->slot_away & bit(slot)) {
		g->slot_away &= ~bit(slot);
		g->slot_late &= ~bit(slot);
		x->owed--;
	}
	if (x->where == IN_MEMORY && !x->spill && x->home == slot + 1 && is_live(g, old))
		x86_use(g, old);
	g->slot_has &= ~bit(slot);
	if (x->home == slot + 1)
		x->home = 0;
	g->slot_value[slot] = 0;
	if (!is_live(g, old))
		x86_forget(g, old);
}

/* Operation n, and what is fused with it, is done when somebody looks. */
static void put_late(struct gen *g, unsigned slot, uint16_t n)
{
	uint16_t v = n;

	while (g->value[v].fused == g->i)
		v = g->op[v].a;
	lose(g, slot);
	g->late_of[slot] = n;
	g->slot_value[slot] = v;
	g->slot_away |= bit(slot);
	g->slot_late |= bit(slot);
	g->value[v].owed++;
}

void x86_put(struct gen *g, unsigned slot, uint16_t v)
{
	unsigned pin = g->jit->pin_of[slot], xpin = g->jit->xpin_of[slot];

	if (g->value[v].fused == g->i) {
		put_late(g, slot, v);
		return;
	}
	if (g->slot_value[slot] == v && !(g->slot_late & bit(slot)))
		return;
	lose(g, slot);
	g->slot_value[slot] = v;
	if (!slot_has(g, v))
		g->value[v].home = (uint8_t)(slot + 1);
	if ((pin != X86_NONE && g->owner[GPR][pin] == v) ||
	    (xpin != X86_NONE && g->owner[XMM][xpin] == v))
		return;
	g->slot_away |= bit(slot);
	g->value[v].owed++;
}

void x86_release(struct gen *g, const struct ir_op *o)
{
	const uint16_t v[3] = { o->a, o->b, o->c };
	const uint16_t *next = g->next_use[o - g->op];
	unsigned i;

	for (i = 0; i < ir_infos[o->op].operands; i++) {
		if (g->value[v[i]].fused && g->value[v[i]].fused == g->i)
			x86_release(g, &g->op[v[i]]);
		g->value[v[i]].next = next[i];
		if (!is_live(g, v[i]))
			x86_forget(g, v[i]);
	}
}

/* xmm registers ------------------------------------------------------------------------------- */

unsigned x86_xtemp(struct gen *g)
{
	g->fp = true;
	return new_temp(g, XMM);
}

unsigned x86_xscratch(struct gen *g)
{
	return new_temp(g, XMM);
}

/* As pin_for; a NaN box may come in between. */
unsigned x86_xpin_for(const struct gen *g, uint16_t n)
{
	uint16_t v = n;
	unsigned j, pin;

	for (j = n + 1u; j < g->n && j < n + (unsigned)AHEAD; j++) {
		const struct ir_op *o = &g->op[j];

		if (o->op == IR_put && o->a == v) {
			pin = g->jit->xpin_of[o->k];
			return pin != X86_NONE && can_overwrite(g, XMM, pin, n) ? pin : X86_NONE;
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

	if (pin != X86_NONE) {
		g->locked[XMM] |= (uint16_t)(1u << pin);
		return pin;
	}
	if (reuse && x->where == IN_XMM && x86_is_last(g, reuse))
		return x->at;
	return x86_xtemp(g);
}
