/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Getting slots home: for good, before calls, or only for those who leave, from a snapshot of where
 * their values are.
 */
#include <string.h>

#include "base/compiler.h"
#include "jit/x86_64/fp_seq.h"
#include "jit/x86_64/gen.h"

static uint64_t bit(unsigned slot)
{
	return 1ull << slot;
}

/* Here ---------------------------------------------------------------------------------------- */

static void store(struct gen *g, unsigned slot)
{
	uint16_t v = g->slot_value[slot];
	const struct value *x = &g->value[v];

	if (x86_is_imm(g, v)) {
		x86_mov_mi(&g->code, slot_at(g, slot), (int32_t)g->op[v].k, 8);
	} else if (x->where == IN_XMM) {
		x86_rm(&g->code, false, OP_MOVQ_TO, x->at, slot_at(g, slot));
	} else {
		uint16_t locked = g->locked[GPR];

		x86_rm(&g->code, true, OP_MOV_TO, x86_use(g, v), slot_at(g, slot));
		g->locked[GPR] = locked;
	}
	x86_stored(g, slot);
}

/* Does to a register what operation n of slot_late is. */
static void do_late(struct gen *g, uint16_t n, unsigned reg)
{
	const struct ir_op *o = &g->op[n];
	const bool w = o->type == IR_I64;

	if (x86_is_late_too(g, n))
		do_late(g, o->a, reg);
	switch (o->op) {
	case IR_call:
		x86_rip(&g->code, false, OP_ORPS, reg,
		    g->jit->consts + FP_BOX_S * sizeof(struct fp_const));
		break;
	case IR_sext:
		x86_rr(&g->code, true, OP_MOVSXD, reg, reg);
		break;
	case IR_add:
		x86_alu_ri(&g->code, true, ALU_ADD, reg, (int32_t)g->op[o->b].k);
		break;
	default:
		x86_shift_ri(&g->code, w, x86_shift_of(o->op), reg, (unsigned)g->op[o->b].k);
	}
}

/* A slot of slot_late. */
static void late_home(struct gen *g, unsigned slot)
{
	const bool fp = g->jit->is_fp[slot];
	const unsigned pin = fp ? g->jit->xpin_of[slot] : g->jit->pin_of[slot];
	const uint16_t v = g->slot_value[slot], locked = g->locked[GPR];
	unsigned reg = pin;

	if (pin != X86_NONE)
		x86_clear(g, fp ? XMM : GPR, pin);
	else
		reg = fp ? (unsigned)FP_SCRATCH : x86_temp(g);
	if (fp)
		x86_xload(g, reg, v);
	else
		x86_load_value(g, reg, v);
	do_late(g, g->late_of[slot], reg);
	if (pin == X86_NONE)
		x86_rm(&g->code, !fp, fp ? OP_MOVQ_TO : OP_MOV_TO, reg, slot_at(g, slot));
	g->locked[GPR] = locked;
	x86_forget_late(g, slot);
}

void x86_home(struct gen *g)
{
	uint64_t away;
	unsigned slot;

	for (away = g->slot_late; away; away &= away - 1)
		late_home(g, ctz64(away));
	for (away = g->slot_away; away; away &= away - 1) {
		slot = ctz64(away);
		if (g->jit->pin_of[slot] == X86_NONE && g->jit->xpin_of[slot] == X86_NONE &&
		    g->slot_away & bit(slot))
			store(g, slot);
	}
	while (g->slot_away && !g->failed) {
		bool xmm;
		uint16_t v, locked = g->locked[GPR];

		slot = ctz64(g->slot_away);
		xmm = g->jit->xpin_of[slot] != X86_NONE;
		v = g->slot_value[slot];
		x86_move_in(
		    g, xmm ? XMM : GPR, xmm ? g->jit->xpin_of[slot] : g->jit->pin_of[slot], v);
		g->locked[GPR] = locked;
		g->slot_away &= ~bit(slot);
		g->value[v].owed--;
	}
}

/* What is in this register is needed later, and is not there any more. */
static void save(struct gen *g, unsigned class, unsigned reg, bool frame)
{
	uint16_t v = g->owner[class][reg];
	struct value *x = &g->value[v];

	g->owner[class][reg] = 0;
	if (x->where != (class == GPR ? IN_REG : IN_XMM) || x->at != reg || x->last <= g->i)
		return;
	if (frame ? !x->spill : !x86_has_memory(g, v))
		x86_to_memory(g, v, frame);
	x->where = IN_MEMORY;
}

/* Values that only a slot's memory has, which is about to change. */
static void save_slots(struct gen *g)
{
	unsigned slot;

	for (slot = 0; slot < g->jit->guest.ir->nslots; slot++) {
		uint16_t v = g->slot_value[slot];
		struct value *x = &g->value[v];

		if (!v || x->where != IN_MEMORY || x->spill || x->last <= g->i)
			continue;
		x86_use(g, v);
		g->locked[GPR] = 0;
	}
}

void x86_before_call(struct gen *g, bool regs)
{
	unsigned class, reg;

	x86_home(g);
	if (regs)
		save_slots(g);
	for (class = GPR; class < NCLASSES; class ++)
		for (reg = 0; reg < 16; reg++) {
			const uint8_t *slots = class == GPR ? g->jit->slot_of : g->jit->xslot_of;

			if (g->owner[class][reg] && (regs || slots[reg] == 255))
				save(g, class, reg, regs);
		}
	if (regs)
		x86_forget_slots(g);
}

/* Elsewhere ----------------------------------------------------------------------------------- */

static bool is_same(const struct gen *g, struct snapshot a, struct snapshot b)
{
	return a.n == b.n &&
	       !memcmp(&g->place[a.first], &g->place[b.first], a.n * sizeof *g->place);
}

struct snapshot x86_snapshot(struct gen *g)
{
	struct snapshot s = { (uint16_t)g->nplaces, 0 };
	uint64_t away;

	for (away = g->slot_away; away; away &= away - 1) {
		unsigned slot = ctz64(away);
		uint16_t v = g->slot_value[slot];
		const struct value *x = &g->value[v];

		if (g->nplaces == MAX_PLACES || x->where == IN_NOTHING) {
			g->failed = true;
			break;
		}
		g->place[g->nplaces++] = (struct place){
			.v = v,
			.slot = (uint8_t)slot,
			.where = x->where,
			.at = x->where != IN_MEMORY ? x->at
			      : x->spill            ? x->spill - 1u
						    : SLOT_BIT | (x->home - 1u),
			.late = g->slot_late & bit(slot) ? g->late_of[slot] : 0,
		};
		s.n++;
	}
	if (is_same(g, s, g->last_snap)) {
		g->nplaces = s.first;
		return g->last_snap;
	}
	return g->last_snap = s;
}

struct move {
	uint8_t to, from;
};

/* All at once. */
static void move_all(struct gen *g, unsigned class, struct move *m, unsigned n)
{
	unsigned todo = (1u << n) - 1, i, j;
	bool blocked, moved;

	while (todo) {
		moved = false;
		for (i = 0; i < n; i++) {
			if (!(todo >> i & 1))
				continue;
			for (blocked = false, j = 0; j < n; j++)
				blocked |= j != i && todo >> j & 1 && m[j].from == m[i].to;
			if (blocked && m[i].from != m[i].to)
				continue;
			if (m[i].from != m[i].to && class == GPR)
				x86_mov_rr(&g->code, m[i].to, m[i].from);
			else if (m[i].from != m[i].to)
				x86_rr(&g->code, false, OP_MOVAPS, m[i].to, m[i].from);
			todo &= ~(1u << i);
			moved = true;
		}
		if (moved)
			continue;
		/* A circle: one waits in a register that nobody moves to. */
		i = ctz64(todo);
		if (class == GPR)
			x86_mov_rr(&g->code, RAX, m[i].to);
		else
			x86_rr(&g->code, false, OP_MOVAPS, FP_SCRATCH, m[i].to);
		for (j = 0; j < n; j++)
			if (m[j].from == m[i].to)
				m[j].from = class == GPR ? RAX : FP_SCRATCH;
	}
}

static struct x86_mem memory_of(const struct gen *g, const struct place *p)
{
	return p->at & SLOT_BIT ? slot_at(g, p->at & ~SLOT_BIT) : x86_spill_at(p->at);
}

/* From registers to the state: before anything else, since nothing reads what it overwrites. */
static void store_register(struct gen *g, const struct place *p)
{
	bool pinned = g->jit->pin_of[p->slot] != X86_NONE,
	     xpinned = g->jit->xpin_of[p->slot] != X86_NONE;

	/* Those that change between the two kinds of registers go through the state. */
	if (p->where == IN_REG && !pinned)
		x86_rm(&g->code, true, OP_MOV_TO, p->at, slot_at(g, p->slot));
	else if (p->where == IN_XMM && !xpinned)
		x86_rm(&g->code, false, OP_MOVQ_TO, p->at, slot_at(g, p->slot));
}

static void load_home(struct gen *g, const struct place *p)
{
	unsigned pin = g->jit->pin_of[p->slot], xpin = g->jit->xpin_of[p->slot];
	struct x86_mem from;

	if ((p->where == IN_REG && pin != X86_NONE) || (p->where == IN_XMM && xpin != X86_NONE))
		return;
	if (p->where == IN_IMM && pin != X86_NONE) {
		x86_mov_ri(&g->code, pin, g->op[p->v].k);
		return;
	}
	if (p->where == IN_IMM && xpin == X86_NONE && x86_is_imm32(g->op[p->v].k)) {
		x86_mov_mi(&g->code, slot_at(g, p->slot), (int32_t)g->op[p->v].k, 8);
		return;
	}
	if (p->where == IN_IMM) {
		x86_mov_ri(&g->code, RAX, g->op[p->v].k);
		if (xpin != X86_NONE)
			x86_rr(&g->code, true, OP_MOVD, xpin, RAX);
		else
			x86_rm(&g->code, true, OP_MOV_TO, RAX, slot_at(g, p->slot));
		return;
	}
	from = p->where == IN_MEMORY ? memory_of(g, p) : slot_at(g, p->slot);
	if (pin != X86_NONE) {
		x86_rm(&g->code, true, OP_MOV, pin, from);
	} else if (xpin != X86_NONE) {
		x86_rm(&g->code, false, OP_MOVQ, xpin, from);
	} else if (p->where == IN_MEMORY) {
		x86_rm(&g->code, true, OP_MOV, RAX, from);
		x86_rm(&g->code, true, OP_MOV_TO, RAX, slot_at(g, p->slot));
	}
}

/* What is at home has to change there. */
static void settle_late(struct gen *g, const struct place *p)
{
	const bool fp = g->jit->is_fp[p->slot];
	const unsigned pin = fp ? g->jit->xpin_of[p->slot] : g->jit->pin_of[p->slot];
	struct x86_mem m = slot_at(g, p->slot);

	if (pin != X86_NONE) {
		do_late(g, p->late, pin);
	} else if (fp) {
		m.disp += 4;
		x86_mov_mi(&g->code, m, -1, 4);
	} else {
		x86_rm(&g->code, true, OP_MOV, RAX, m);
		do_late(g, p->late, RAX);
		x86_rm(&g->code, true, OP_MOV_TO, RAX, m);
	}
}

bool x86_settle(struct gen *g, struct snapshot s, unsigned to, unsigned extra)
{
	struct move m[2][16];
	unsigned n[2] = { 0, 0 }, i;
	const struct place *p, *end = &g->place[s.first + s.n];

	for (p = &g->place[s.first]; p < end; p++) {
		unsigned pin = g->jit->pin_of[p->slot], xpin = g->jit->xpin_of[p->slot];

		store_register(g, p);
		if (p->where == IN_REG && pin != X86_NONE)
			m[GPR][n[GPR]++] = (struct move){ (uint8_t)pin, (uint8_t)p->at };
		if (p->where == IN_XMM && xpin != X86_NONE)
			m[XMM][n[XMM]++] = (struct move){ (uint8_t)xpin, (uint8_t)p->at };
	}
	if (extra != X86_NONE)
		m[GPR][n[GPR]++] = (struct move){ (uint8_t)to, (uint8_t)extra };
	for (i = GPR; i < NCLASSES; i++)
		move_all(g, i, m[i], n[i]);
	for (p = &g->place[s.first]; p < end; p++)
		load_home(g, p);
	for (p = &g->place[s.first]; p < end; p++)
		if (p->late)
			settle_late(g, p);
	return !s.n && extra == X86_NONE;
}
