/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores: the TLB in line.  The index is bits of the page number; tag ^ address is the
 * offset in the page on a hit, and so big on a miss that the comparison which finds accesses that
 * leave the page finds it, too.
 */
#include "ir/vec.h"
#include "jit/x86_64/gen.h"

enum { PAGE_BITS = 12, ENTRY_BITS = 4 };

struct address {
	unsigned base;
	int32_t disp;
};

static struct address address_of(struct gen *g, uint16_t v)
{
	const struct ir_op *o = &g->op[v];

	if (g->value[v].fused != g->i)
		return (struct address){ x86_use(g, v), 0 };
	return (struct address){ x86_use(g, o->a), (int32_t)g->op[o->b].k };
}

/* Looks for what holds span bytes at a, in register t; u: another one that is free.  The jump is
 * taken where the TLB does not know them, or if they have to be aligned and are not. */
static uint8_t *look(struct gen *g, struct address a, unsigned span, bool aligned, uint32_t table,
    unsigned t, unsigned u)
{
	unsigned from = a.base;
	struct x86_mem m = { (uint8_t)a.base, X86_NONE, 0, a.disp };
	struct x86_mem entry = state_at(table);
	uint8_t *site;

	if (a.disp) {
		x86_rm(&g->code, true, OP_LEA, u, m);
		from = u;
	}
	if (g->jit->has.bmi2) {
		x86_rorx(&g->code, true, t, from, PAGE_BITS - ENTRY_BITS);
	} else {
		x86_mov_rr(&g->code, t, from);
		x86_shift_ri(&g->code, true, SHIFT_SHR, t, PAGE_BITS - ENTRY_BITS);
	}
	x86_alu_ri(&g->code, false, ALU_AND, t,
	    (int32_t)(((1u << g->jit->guest.tlb_bits) - 1) << ENTRY_BITS));
	if (!a.disp)
		x86_mov_rr(&g->code, u, a.base);
	entry.index = (uint8_t)t;
	x86_alu_rm(&g->code, true, ALU_XOR, u, entry);
	if (aligned) { /* and so they do not leave the page */
		x86_rr(&g->code, true, OP_TEST_I, 0, u);
		x86_32(&g->code, ~((1u << PAGE_BITS) - span));
		site = x86_jcc(&g->code, CC_NE, g->code.at);
	} else {
		x86_alu_ri(&g->code, true, ALU_CMP, u, (1 << PAGE_BITS) - (int32_t)span + 1);
		site = x86_jcc(&g->code, CC_AE, g->code.at);
	}
	entry.disp += 8;
	x86_rm(&g->code, true, OP_MOV, t, entry);
	return site;
}

/* The addend that accesses share, in the register that this returns. */
static unsigned shared(struct gen *g, uint16_t n, struct address at)
{
	unsigned i = g->anchor_of[n] - 1u, t, u;
	const struct anchor *a = &g->anchor[i];
	uint16_t v = (uint16_t)(FIRST_ANCHOR + i);
	struct address low = at;
	unsigned span = (unsigned)(a->high - a->low);
	struct cold *c;

	g->value[v].next = g->next_access[n];
	if (n != a->first)
		return x86_use(g, v);
	low.disp += a->low - a->at;
	if (a->reach && x86_is_there(g, a->base)) {
		low = (struct address){ x86_use(g, a->base), a->low };
	} else { /* the first may be as far from base as that */
		low.disp -= a->reach;
		span += a->reach;
	}
	t = x86_temp(g);
	u = x86_temp(g);
	c = x86_add_cold(g, COLD_GROUP, NULL);
	c->base = (uint8_t)low.base;
	c->reg = (uint8_t)t;
	c->disp = low.disp;
	c->next = (uint16_t)span;
	c->access = ACCESS_GROUP | (a->store ? ACCESS_STORE : 0);
	c->snap = x86_snapshot(g);
	c->site =
	    look(g, low, c->next, false, a->store ? g->unit->tlb_store : g->unit->tlb_load, t, u);
	c->back = g->code.at;
	g->locked[GPR] &= (uint16_t) ~(1u << u);
	x86_result(g, v, t);
	return t;
}

/* Whether an access before this one, of those that share a translation, was as well aligned. */
static bool is_known_aligned(struct gen *g, uint16_t n, unsigned size)
{
	struct anchor *a = &g->anchor[g->anchor_of[n] - 1];
	int32_t disp;

	if (x86_root(g, g->op[n].a, &disp) != a->base)
		return false;
	if (a->aligned >= size && !((disp - a->aligned_at) & (int32_t)(size - 1)))
		return true;
	a->aligned = (uint8_t)size;
	a->aligned_at = disp;
	return false;
}

/* Leaves an address that is not a multiple of size to the interpreter. */
static void check_aligned(struct gen *g, uint16_t n, struct address a, unsigned size)
{
	unsigned reg = a.base;
	struct cold *c;

	if (is_known_aligned(g, n, size))
		return;
	if (a.disp & (int32_t)(size - 1)) {
		reg = x86_temp(g);
		x86_rm(&g->code, true, OP_LEA, reg,
		    (struct x86_mem){ (uint8_t)a.base, X86_NONE, 0, a.disp });
		g->locked[GPR] &= (uint16_t) ~(1u << reg);
	}
	x86_rr8(&g->code, false, OP_TEST_I8, 0, reg);
	x86_8(&g->code, size - 1);
	c = x86_add_cold(g, COLD_FP, NULL);
	c->snap = x86_snapshot(g);
	c->site = x86_jcc(&g->code, CC_NE, g->code.at);
}

/* The addend in the register that this returns; c is where what the TLB does not know is done, or
 * NULL: nothing is left to it. */
static unsigned probe(
    struct gen *g, uint16_t n, struct address a, unsigned access, unsigned reg, struct cold **c)
{
	bool store = access & (ACCESS_STORE | ACCESS_BOTH);
	bool aligned = access & ACCESS_VEC && reg & VEC_ALIGNED;
	unsigned i = g->anchor_of[n], size = ir_access_size(&g->op[n]), t, u;

	*c = NULL;
	if (i && g->anchor[i - 1].count > 1) {
		if (aligned)
			check_aligned(g, n, a, size);
		return shared(g, n, a);
	}
	t = x86_temp(g);
	u = x86_temp(g);
	*c = x86_add_cold(g, COLD_SLOW, NULL);
	(*c)->base = (uint8_t)a.base;
	(*c)->disp = a.disp;
	(*c)->access = (uint16_t)access;
	(*c)->reg = (uint8_t)reg;
	(*c)->snap = x86_snapshot(g);
	(*c)->site =
	    look(g, a, size, aligned, store ? g->unit->tlb_store : g->unit->tlb_load, t, u);
	g->locked[GPR] &= (uint16_t) ~(1u << u);
	return t;
}

/* Behind the access. */
static void done(struct gen *g, uint16_t n, struct cold *c)
{
	if (c)
		c->back = g->code.at;
	else if (!g->next_access[n])
		x86_forget(g, (uint16_t)(FIRST_ANCHOR + g->anchor_of[n] - 1));
}

static void load(struct gen *g, uint16_t n)
{
	static const uint32_t ops[2][4] = {
		{ OP_MOVZX8, OP_MOVZX16, OP_MOV, OP_MOV },
		{ OP_MOVSX8, OP_MOVSX16, OP_MOVSXD, OP_MOV },
	};
	const struct ir_op *o = &g->op[n];
	struct ir_op *next = &g->op[n + 1];
	struct address a = address_of(g, o->a);
	unsigned size = ir_bits(o->type) / 8, t, d, access;
	bool is_signed = false, xmm = o->type >= IR_I32 && g->value[n].xuses == g->value[n].uses &&
				      !g->jit->guest.vec_level; /* whose all of them are */
	uint16_t result = n;
	struct cold *c;

	if (n + 1u < g->n && (next->op == IR_sext || next->op == IR_zext) && next->a == n &&
	    next->type == o->type && g->value[n].uses == 1) {
		is_signed = next->op == IR_sext && o->type != IR_I64;
		result = (uint16_t)(n + 1);
		next->op = IR_nop;
	}
	d = xmm ? x86_xdest(g, n, 0) : x86_dest(g, result, 0);
	access = o->type | (is_signed ? ACCESS_SIGNED : 0) | (xmm ? ACCESS_XMM : 0);
	if (o->op == IR_ldw)
		access |= ACCESS_BOTH;
	t = probe(g, n, a, access, d, &c);
	if (xmm) {
		x86_rm(&g->code, false, size == 8 ? OP_MOVQ : OP_MOVSS, d,
		    (struct x86_mem){ (uint8_t)t, (uint8_t)a.base, 0, a.disp });
		done(g, n, c);
		x86_xresult(g, n, d);
		return;
	}
	x86_rm(&g->code, is_signed || size == 8, ops[is_signed][o->type], d,
	    (struct x86_mem){ (uint8_t)t, (uint8_t)a.base, 0, a.disp });
	done(g, n, c);
	x86_result(g, result, d);
}

/* Whether nothing of the instruction comes after it. */
static bool is_last(const struct gen *g, uint16_t n)
{
	const struct ir_op *next = &g->op[n + 1];

	return next->op == IR_insn || (next->op == IR_exit && g->next_pc != UINT16_MAX);
}

static void store(struct gen *g, uint16_t n)
{
	static const uint32_t ops[] = { OP_MOV8_TO, OP_MOV16_TO, OP_MOV_TO, OP_MOV_TO };
	const struct ir_op *o = &g->op[n];
	struct address a = address_of(g, o->a);
	unsigned size = ir_bits(o->type) / 8, t, reg = X86_NONE, access = o->type | ACCESS_STORE;
	struct x86_mem m = { X86_NONE, (uint8_t)a.base, 0, a.disp };
	struct cold *c;

	if (g->value[o->b].where == IN_XMM && o->type >= IR_I32) {
		reg = x86_use_xmm(g, o->b);
		access |= ACCESS_XMM;
	} else if (!(x86_is_imm(g, o->b) && g->op[o->b].k == 0)) {
		reg = x86_use(g, o->b);
	}
	if (is_last(g, n))
		access |= ACCESS_LAST;
	t = probe(g, n, a, access, reg, &c);
	m.base = (uint8_t)t;
	if (access & ACCESS_XMM)
		x86_rm(&g->code, false, o->type == IR_I32 ? OP_MOVSS_TO : OP_MOVQ_TO, reg, m);
	else if (reg == X86_NONE)
		x86_mov_mi(&g->code, m, 0, size);
	else if (size == 1)
		x86_rm8(&g->code, OP_MOV8_TO, reg, m);
	else
		x86_rm(&g->code, size == 8, ops[o->type], reg, m);
	done(g, n, c);
}

void x86_access(struct gen *g, uint16_t n)
{
	if (g->op[n].op == IR_st)
		store(g, n);
	else
		load(g, n);
}

struct x86_mem x86_reach(struct gen *g, uint16_t n, unsigned access, unsigned reg, struct cold **c)
{
	struct address a = address_of(g, g->op[n].a);
	unsigned t;

	if (access & ACCESS_STORE && is_last(g, n))
		access |= ACCESS_LAST;
	t = probe(g, n, a, access, reg, c);
	return (struct x86_mem){ (uint8_t)t, (uint8_t)a.base, 0, a.disp };
}

void x86_reached(struct gen *g, uint16_t n, struct cold *c)
{
	done(g, n, c);
}
