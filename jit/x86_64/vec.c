/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector operations: the host executes the guest's instructions as they are, on registers of the
 * same numbers and under the guest's MXCSR.  A unit looks before its first one, and again behind
 * each call of C, whether the registers are live, and loads them if not.  What the host does not
 * have is a call of the guest's helpers.
 *
 * Memory is an operand of the instruction itself.  Where the TLB does not know it, the instruction
 * is there once more, with the scratch register's place in the state for its operand, and the slow
 * path copies between that and the guest's memory.
 */
#include "ir/vec.h"

#include "jit/x86_64/gen.h"

enum { SCRATCH = 16, VREG_SIZE = 32, LAHF = 0x9f, FLAGS = 0x45 /* ZF, PF, CF */ };

static struct x86_mem live(void)
{
	return (struct x86_mem){ RSP, X86_NONE, 0, FP_LIVE };
}

static struct x86_mem scratch(const struct gen *g)
{
	return state_at(g->jit->guest.vregs + SCRATCH * VREG_SIZE);
}

static bool has(const struct x86_features *f, struct ir_vec v)
{
	if (v.vex && !f->avx)
		return false;
	switch ((enum ir_vec_need)v.need) {
	case IR_VEC_SSE2:
		return true;
	case IR_VEC_SSE3:
		return f->sse3;
	case IR_VEC_SSSE3:
		return f->ssse3;
	case IR_VEC_SSE41:
		return f->sse41;
	case IR_VEC_SSE42:
		return f->sse42;
	case IR_VEC_AES:
		return f->aes;
	case IR_VEC_PCLMUL:
		return f->pclmul;
	case IR_VEC_SHA:
		return f->sha;
	case IR_VEC_AVX:
		return f->avx;
	case IR_VEC_AVX2:
		return f->avx2;
	case IR_VEC_FMA:
		return f->fma;
	case IR_VEC_F16C:
		return f->f16c;
	case IR_VEC_VAES:
		return f->vaes;
	case IR_VEC_VPCLMUL:
		return f->vpclmul;
	}
	return false;
}

bool x86_vec_can(const struct gen *g, const struct ir_op *o)
{
	return g->jit->guest.vec_level && has(&g->jit->has, ir_vec_of(o->k));
}

/* Before --------------------------------------------------------------------------------------- */

void x86_vec_guard(struct gen *g, unsigned level)
{
	struct cold *c;

	if (g->vec_ready >= level)
		return;
	g->vec_ready = (uint8_t)level;
	x86_rm(&g->code, false, 0x80, ALU_CMP, live());
	x86_8(&g->code, level);
	c = x86_add_cold(g, COLD_VEC_GUARD, NULL);
	c->to = (uint8_t)level;
	c->snap = x86_snapshot(g);
	c->site = x86_jcc(&g->code, CC_B, g->code.at);
	c->back = g->code.at;
}

static void cold_guard(struct gen *g, const struct cold *c)
{
	x86_call(&g->code, g->jit->vec_enter);
	x86_rm(&g->code, false, 0x80, ALU_CMP, live());
	x86_8(&g->code, c->to);
	x86_jcc(&g->code, CC_AE, c->back);
	x86_settle(g, c->snap, RCX, X86_NONE);
	x86_call(&g->code, g->jit->slow_now);
	x86_32(&g->code, c->pc | (uint32_t)c->rest << 16);
}

/* The instruction ------------------------------------------------------------------------------ */

static struct x86_vec encoding(struct ir_vec v)
{
	return (struct x86_vec){ .pp = v.pp,
		.map = v.map,
		.opcode = (uint8_t)v.opcode,
		.w = v.w,
		.l = v.l,
		.vex = v.vex };
}

static void immediate(struct gen *g, struct ir_vec v)
{
	if (v.has_imm)
		x86_8(&g->code, v.imm);
}

static void on_registers(struct gen *g, struct ir_vec v, unsigned reg, unsigned rm)
{
	if (v.order == IR_VEC_NONE)
		x86_vec_none(&g->code, encoding(v));
	else
		x86_vec_rr(&g->code, encoding(v), reg, v.vreg, rm);
	immediate(g, v);
}

static void on_memory(struct gen *g, struct ir_vec v, unsigned reg, struct x86_mem m)
{
	x86_vec_rm(&g->code, encoding(v), reg, v.vreg, m);
	immediate(g, v);
}

static void access(struct gen *g, uint16_t n, struct ir_vec v, unsigned reg)
{
	unsigned how = ACCESS_VEC | (ir_is_store(g->op[n].op) ? ACCESS_STORE : 0);
	struct cold *c;
	struct x86_mem m = x86_reach(g, n, how, ir_vec_size(v) | (v.aligned ? VEC_ALIGNED : 0), &c);

	on_memory(g, v, reg, m);
	if (c) {
		c->kind = COLD_VEC;
		c->op = n;
		c->to = (uint8_t)reg;
	}
	x86_reached(g, n, c);
}

static void in_line(struct gen *g, uint16_t n, struct ir_vec v)
{
	const struct ir_op *o = &g->op[n];
	unsigned d = X86_NONE;

	if (v.out == IR_VEC_OUT_FLAGS) {
		d = RAX;
		x86_take(g, d);
	} else if (v.out) {
		d = x86_dest(g, n, 0);
	}
	if (o->op == IR_vec_in)
		on_registers(g, v, v.reg, x86_use(g, o->a));
	else if (o->op == IR_vec || o->op == IR_vec_out)
		on_registers(
		    g, v, v.out == IR_VEC_OUT_REG ? d : v.reg, v.out == IR_VEC_OUT_RM ? d : v.rm);
	else
		access(g, n, v, v.out == IR_VEC_OUT_REG ? d : v.reg);
	if (v.out == IR_VEC_OUT_FLAGS) {
		x86_8(&g->code, LAHF);
		x86_rr(&g->code, false, OP_MOVZX8, RAX, RSP); /* without REX: ah */
		x86_alu_ri(&g->code, false, ALU_AND, RAX, FLAGS);
	}
	if (v.out)
		x86_result(g, n, d);
}

static void cold_access(struct gen *g, const struct cold *c)
{
	struct ir_vec v = ir_vec_of(g->op[c->op].k);

	if (c->access & ACCESS_STORE)
		on_memory(g, v, c->to, scratch(g));
	x86_cold_slow(g, c);
	if (!(c->access & ACCESS_STORE))
		on_memory(g, v, c->to, scratch(g));
	x86_jmp(&g->code, c->back);
}

void x86_cold_vec(struct gen *g, const struct cold *c)
{
	if (c->kind == COLD_VEC)
		cold_access(g, c);
	else
		cold_guard(g, c);
}

/* Calls ---------------------------------------------------------------------------------------- */

/* The value and a constant that an address is the sum of. */
static uint16_t parts(const struct gen *g, uint16_t v, int32_t *disp)
{
	const struct ir_op *o = &g->op[v];

	*disp = 0;
	if (g->value[v].fused != g->i)
		return v;
	*disp = (int32_t)g->op[o->b].k;
	return o->a;
}

/* As x86_before_call, but v is still there behind it. */
static void before_call(struct gen *g, uint16_t v)
{
	struct value *x = &g->value[v];

	if (x->where == IN_REG && !x86_has_memory(g, v))
		x86_to_memory(g, v, true);
	x86_before_call(g, false);
	if (x->where == IN_REG && g->jit->slot_of[x->at] == 255)
		x->where = IN_MEMORY;
}

/* A helper that may look at where it was called: (first, second, how). */
static void call(struct gen *g, unsigned helper)
{
	x86_mov_ri(&g->code, RAX, helper);
	x86_call(&g->code, g->jit->call_fault);
	x86_8(&g->code, 0xa9); /* test eax, imm32: for the thunk to read */
	x86_32(&g->code, g->pc | (g->unit->insns - g->insn) << 16);
}

static void call_access(struct gen *g, unsigned helper, uint16_t address, struct ir_vec v)
{
	int32_t disp;
	uint16_t base = parts(g, address, &disp);

	x86_load_value(g, RSI, base);
	if (disp)
		x86_alu_ri(&g->code, true, ALU_ADD, RSI, disp);
	x86_mov_ri(&g->code, RDX, (int64_t)ir_vec_access(v));
	call(g, helper);
}

static void by_calls(struct gen *g, uint16_t n, struct ir_vec v)
{
	const struct ir_guest *ir = g->jit->guest.ir;
	const struct ir_op *o = &g->op[n];
	enum ir_vec_how how = o->op == IR_vec || o->op == IR_vec_out ? IR_VEC_REGS
			      : o->op == IR_vec_in                   ? IR_VEC_VALUE
								     : IR_VEC_SCRATCH;
	int32_t disp;
	unsigned d;

	if (ir_is_store(o->op))
		before_call(g, parts(g, o->a, &disp));
	else
		x86_before_call(g, false);
	if (ir_is_load(o->op))
		call_access(g, ir->vec_load, o->a, v);
	if (o->op == IR_vec_in)
		x86_load_value(g, RDX, o->a);
	x86_mov_ri(&g->code, RSI, o->k);
	x86_mov_ri(&g->code, RCX, how);
	call(g, ir->vec);
	if (ir_is_store(o->op))
		call_access(g, ir->vec_store, o->a, v);
	g->vec_ready = 0;
	if (!v.out || !g->value[n].uses)
		return;
	g->locked[GPR] = 1u << RAX;
	d = x86_dest(g, n, 0);
	x86_mov_rr(&g->code, d, RAX);
	x86_result(g, n, d);
}

void x86_vec(struct gen *g, uint16_t n)
{
	struct ir_vec v = ir_vec_of(g->op[n].k);

	if (!x86_vec_can(g, &g->op[n])) {
		by_calls(g, n, v);
		return;
	}
	x86_vec_guard(g, v.vex ? 2 : 1);
	in_line(g, n, v);
}
