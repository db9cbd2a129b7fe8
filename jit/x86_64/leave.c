/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways out of a unit, calls of the guest CPU's functions, and what is behind the unit because it is
 * rare.
 */
#include <assert.h>

#include "jit/x86_64/gen.h"

enum { PAGE = 4096 };

static unsigned rest_before(const struct gen *g)
{
	return g->unit->insns - g->insn;
}

struct cold *x86_add_cold(struct gen *g, enum cold_kind kind, uint8_t *site)
{
	struct cold *c;

	if (g->ncold == MAX_COLD) {
		g->failed = true;
		g->ncold--;
	}
	c = &g->cold[g->ncold++];
	*c = (struct cold){
		.kind = (uint8_t)kind,
		.rest = (uint16_t)rest_before(g),
		.pc = g->pc,
		.next = g->next_pc,
		.site = site,
	};
	return c;
}

/* What may go on in another page only the jump cache knows. */
static bool is_inside(const struct gen *g, int64_t target)
{
	return target >= 0 && target < (int64_t)g->jit->guest.inside;
}

/* Goes on at the guest address in rcx. */
static void jump_to_rcx(struct gen *g)
{
	struct x86_mem m = state_at(g->unit->jumps);
	unsigned tag = RCX;

	x86_jump_index(&g->code, g->jit->guest.pc_shift);
	if (g->unit->mark) {
		x86_rm(&g->code, true, OP_LEA, RDX, (struct x86_mem){ RCX, X86_NONE, 0, 1 });
		tag = RDX;
	}
	m.index = RAX;
	m.scale = 3;
	x86_alu_rm(&g->code, true, ALU_CMP, tag, m);
	x86_jcc(&g->code, CC_NE, g->jit->miss);
	x86_alu_ri(&g->code, true, ALU_AND, RCX, -PAGE);
	x86_rm(&g->code, true, OP_MOV_TO, RCX, state_at(g->jit->guest.base));
	m.disp += 8;
	x86_jmp_m(&g->code, m);
}

static void jump_outside(struct gen *g, int64_t target)
{
	x86_rm(&g->code, true, OP_MOV, RCX, state_at(g->jit->guest.base));
	x86_alu_ri(&g->code, true, ALU_ADD, RCX, (int32_t)target);
	jump_to_rcx(g);
}

static void stub(struct gen *g, int32_t target, const uint8_t *site, bool plain)
{
	x86_call(&g->code, g->jit->exit);
	x86_note_exit(g);
	x86_32(&g->code, (uint32_t)target);
	x86_32(&g->code, (uint32_t)(site - g->origin) | (plain ? JIT_PLAIN : 0));
	x86_32(&g->code, g->unit->id);
}

static void exit_(struct gen *g, int64_t target)
{
	struct cold *c;

	x86_settle(g, x86_snapshot(g), RCX, X86_NONE);
	if (!is_inside(g, target)) {
		jump_outside(g, target);
		return;
	}
	c = x86_add_cold(g, COLD_EXIT, NULL);
	c->rest = 0;
	c->disp = (int32_t)target;
	c->site = x86_jmp(&g->code, g->code.at);
}

static void side(struct gen *g, const struct ir_op *o)
{
	enum x86_cond cc = x86_compare(g, o->a);
	struct cold *c = x86_add_cold(g, COLD_EXIT, NULL);

	c->rest--;
	c->disp = (int32_t)o->k;
	c->snap = x86_snapshot(g);
	c->site = x86_jcc(&g->code, cc, g->code.at);
}

static void side_to(struct gen *g, const struct ir_op *o)
{
	unsigned reg = x86_use(g, o->b);
	enum x86_cond cc = x86_compare(g, o->a);
	struct cold *c = x86_add_cold(g, COLD_EXIT_TO, NULL);

	c->rest--;
	c->reg = (uint8_t)reg;
	c->snap = x86_snapshot(g);
	c->site = x86_jcc(&g->code, cc, g->code.at);
}

static void trap_if(struct gen *g, const struct ir_op *o)
{
	/* A small constant can wait. */
	bool late = g->value[o->b].where == IN_IMM && g->op[o->b].k == (uint8_t)g->op[o->b].k;
	unsigned reg = late ? (unsigned)X86_NONE : x86_use(g, o->b);
	enum x86_cond cc = x86_compare(g, o->a);
	struct cold *c = x86_add_cold(g, COLD_TRAP, NULL);

	c->reg = (uint8_t)reg;
	c->access = late ? (uint8_t)g->op[o->b].k : 0;
	c->disp = (int32_t)o->k;
	c->snap = x86_snapshot(g);
	c->site = x86_jcc(&g->code, cc, g->code.at);
}

/* With the value in rdx. */
static void raise(struct gen *g, uint16_t pc, unsigned rest, int32_t cause)
{
	x86_call(&g->code, g->jit->trap);
	x86_32(&g->code, pc | rest << 16);
	x86_32(&g->code, (uint32_t)cause);
}

/* Slots go home, and v to a register that is nobody's home. */
static void settle_with(struct gen *g, unsigned to, uint16_t v)
{
	unsigned from = to;

	if (g->value[v].where == IN_REG) {
		from = g->value[v].at;
	} else {
		x86_take(g, to);
		x86_load_value(g, to, v);
	}
	x86_settle(g, x86_snapshot(g), to, from);
}

void x86_leave(struct gen *g, uint16_t n)
{
	const struct ir_op *o = &g->op[n];

	switch (o->op) {
	case IR_side:
		side(g, o);
		return;
	case IR_side_to:
		side_to(g, o);
		return;
	case IR_exit:
		exit_(g, o->k);
		return;
	case IR_exit_to:
		settle_with(g, RCX, o->a);
		jump_to_rcx(g);
		return;
	case IR_resume:
		settle_with(g, RCX, o->a);
		x86_jmp(&g->code, g->jit->resume);
		return;
	case IR_trap_if:
		trap_if(g, o);
		return;
	default:
		assert(o->op == IR_trap);
		settle_with(g, RDX, o->a);
		raise(g, g->pc, rest_before(g), (int32_t)o->k);
	}
}

/* Calls --------------------------------------------------------------------------------------- */

/* Moves values to registers, each before another one overwrites it. */
static void arguments(struct gen *g, const uint16_t v[3])
{
	static const uint8_t to[3] = { RSI, RDX, RCX };
	unsigned from[3], todo = 7, i, j;
	bool blocked;

	for (i = 0; i < 3; i++)
		from[i] = g->value[v[i]].where == IN_REG ? g->value[v[i]].at : X86_NONE;
	while (todo) {
		unsigned before = todo;

		for (i = 0; i < 3; i++) {
			if (!(todo >> i & 1))
				continue;
			for (blocked = false, j = 0; j < 3; j++)
				blocked |= j != i && todo >> j & 1 && from[j] == to[i];
			if (blocked)
				continue;
			if (from[i] != X86_NONE)
				x86_mov_rr(&g->code, to[i], from[i]);
			else
				x86_load_value(g, to[i], v[i]);
			todo &= ~(1u << i);
		}
		if (todo == before) { /* a circle: one waits in rax */
			for (i = 0; !(todo >> i & 1); i++)
				;
			x86_mov_rr(&g->code, RAX, to[i]);
			for (j = 0; j < 3; j++)
				if (from[j] == to[i])
					from[j] = RAX;
		}
	}
}

/* A call that is mostly not made, if n is one: it keeps all registers, and its way is that of
 * accesses. */
static bool call_if(struct gen *g, uint16_t n)
{
	const struct ir_op *o = &g->op[n];
	enum x86_cond cc;
	struct cold *c;
	unsigned reg;

	if (g->jit->guest.ir->helpers[o->k].inl != IR_INLINE_IF || g->value[n].uses ||
	    g->value[o->b].where == IN_IMM || !x86_is_imm(g, o->c))
		return false;
	reg = x86_use(g, o->a);
	cc = x86_compare(g, o->b);
	c = x86_add_cold(g, COLD_SLOW, NULL);
	c->access = ACCESS_CALL;
	c->base = (uint8_t)reg;
	c->next = (uint16_t)o->k;
	c->disp = (int32_t)g->op[o->c].k;
	c->snap = x86_snapshot(g);
	c->site = x86_jcc(&g->code, cc, g->code.at);
	c->back = g->code.at;
	return true;
}

void x86_call_helper(struct gen *g, uint16_t n)
{
	const struct ir_op *o = &g->op[n];
	unsigned effects = g->jit->guest.ir->helpers[o->k].effects, d;
	const uint16_t v[3] = { o->a, o->b, o->c };

	if (call_if(g, n))
		return;
	x86_before_call(g, effects & IR_CALL_REGS);
	arguments(g, v);
	x86_mov_ri(&g->code, RAX, o->k);
	if (effects & (IR_CALL_FAULT | IR_CALL_REGS)) {
		x86_call(&g->code, g->jit->call_fault);
		x86_8(&g->code, 0xa9); /* test eax, imm32: for the thunk to read */
		x86_32(&g->code, g->pc | rest_before(g) << 16);
	} else {
		x86_call(&g->code, g->jit->call);
	}
	x86_reload_fp(g);
	if (!g->value[n].uses)
		return;
	g->locked[GPR] = 1u << RAX;
	d = x86_dest(g, n, 0);
	x86_mov_rr(&g->code, d, RAX);
	x86_result(g, n, d);
}

/* Cold parts ---------------------------------------------------------------------------------- */

/* What is to be done to the value, the first thing first. */
static void list_late(struct gen *g, uint16_t n)
{
	const struct ir_op *o = &g->op[n];
	struct late late = { o->op, o->type, 0 };

	if (x86_is_late_too(g, n))
		list_late(g, o->a);
	if (o->op != IR_call && o->op != IR_sext)
		late.k = (int32_t)g->op[o->b].k;
	__builtin_memcpy(g->code.at, &late, sizeof late);
	g->code.at += sizeof late;
}

static void list_place(struct gen *g, const struct place *p)
{
	x86_8(&g->code, p->slot | (p->late ? LOC_LATE : 0u));
	switch (p->where) {
	case IN_REG:
		x86_8(&g->code, p->at);
		break;
	case IN_XMM:
		x86_8(&g->code, LOC_XMM + p->at);
		break;
	case IN_IMM:
		x86_8(&g->code, LOC_IMM);
		x86_64(&g->code, (uint64_t)g->op[p->v].k);
		break;
	default:
		if (p->at & SLOT_BIT) {
			x86_8(&g->code, LOC_SLOT);
			x86_8(&g->code, p->at & ~SLOT_BIT);
		} else {
			x86_8(&g->code, LOC_SPILL + p->at);
		}
	}
	if (p->late) {
		x86_8(&g->code, 1u + x86_is_late_too(g, p->late));
		list_late(g, p->late);
	}
}

void x86_cold_slow(struct gen *g, const struct cold *c)
{
	struct slow_info info = {
		.pc = c->pc,
		.next = c->next,
		.rest = c->rest,
		.access = c->access,
		.base = c->base,
		.reg = c->reg,
		.places = (uint8_t)c->snap.n,
		.disp = c->disp,
	};
	uint8_t *at;
	unsigned i;

	x86_call(&g->code, g->fp ? g->jit->slow_fp : g->jit->slow);
	at = g->code.at;
	g->code.at += sizeof info;
	for (i = 0; i < c->snap.n; i++)
		list_place(g, &g->place[c->snap.first + i]);
	info.size = (uint16_t)(g->code.at - at);
	__builtin_memcpy(at, &info, sizeof info);
}

static void cold_exit(struct gen *g, const struct cold *c)
{
	uint8_t *site = c->site;
	bool direct = x86_settle(g, c->snap, RCX, X86_NONE);

	if (c->rest)
		x86_alu_mi(&g->code, true, ALU_ADD, state_at(g->jit->guest.left), c->rest);
	if (is_inside(g, c->disp) && (c->rest || !direct))
		site = x86_jmp(&g->code, g->code.at + 5);
	if (is_inside(g, c->disp))
		stub(g, c->disp, site, false);
	else
		jump_outside(g, c->disp);
}

/* The addend that accesses share; or goes on without that. */
static void cold_group(struct gen *g, const struct cold *c)
{
	struct slow_info info = {
		.pc = c->pc,
		.next = c->next,
		.access = c->access,
		.base = c->base,
		.reg = c->reg,
		.size = sizeof info + sizeof(struct group_info),
		.disp = c->disp,
	};
	struct group_info group = {
		.table = c->access & ACCESS_STORE ? g->unit->tlb_store : g->unit->tlb_load,
		.apart = (uint16_t)x86_apart_entry(g->unit->page, c->pc),
	};

	x86_call(&g->code, g->fp ? g->jit->slow_fp : g->jit->slow);
	__builtin_memcpy(g->code.at, &info, sizeof info);
	g->code.at += sizeof info;
	__builtin_memcpy(g->code.at, &group, sizeof group);
	g->code.at += sizeof group;
	x86_jmp(&g->code, c->back);
	x86_settle(g, c->snap, RCX, X86_NONE);
	x86_alu_mi(&g->code, true, ALU_ADD, state_at(g->jit->guest.left), c->rest);
	stub(g, c->pc, x86_jmp(&g->code, g->code.at + 5), true);
}

static void cold_exit_to(struct gen *g, const struct cold *c)
{
	x86_settle(g, c->snap, RCX, c->reg);
	if (c->rest)
		x86_alu_mi(&g->code, true, ALU_ADD, state_at(g->jit->guest.left), c->rest);
	jump_to_rcx(g);
}

static void cold_trap(struct gen *g, const struct cold *c)
{
	x86_settle(g, c->snap, RDX, c->reg);
	if (c->reg == X86_NONE)
		x86_mov_ri(&g->code, RDX, c->access);
	raise(g, c->pc, c->rest, c->disp);
}

static void cold_stop(struct gen *g, const struct cold *c)
{
	x86_call(&g->code, g->jit->stop);
	x86_32(&g->code, c->pc | (uint32_t)c->rest << 16);
}

void x86_cold(struct gen *g, const uint8_t *end)
{
	unsigned i;

	for (i = 0; i < g->ncold && !g->failed; i++) {
		const struct cold *c = &g->cold[i];

		if (g->code.at + COLD_ROOM > end) {
			g->failed = true;
			return;
		}

		x86_patch(c->site, g->code.at);
		switch (c->kind) {
		case COLD_STOP:
			cold_stop(g, c);
			break;
		case COLD_SLOW:
			x86_cold_slow(g, c);
			x86_jmp(&g->code, c->back);
			break;
		case COLD_VEC:
		case COLD_VEC_GUARD:
			x86_cold_vec(g, c);
			break;
		case COLD_EXIT:
			cold_exit(g, c);
			break;
		case COLD_GROUP:
			cold_group(g, c);
			break;
		case COLD_EXIT_TO:
			cold_exit_to(g, c);
			break;
		case COLD_TRAP:
			cold_trap(g, c);
			break;
		default:
			x86_cold_fp(g, c);
		}
	}
}
