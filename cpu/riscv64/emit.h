/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_EMIT_H
#define CPU_RISCV64_EMIT_H

#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/lift.h"
#include "cpu/riscv64/riscv64_dec.h"
#include "ir/ops_ir.h"

/*
 * The guest words of RISC-V in the form that builds IR; cpu/riscv64/direct.h has them in the form
 * that executes.
 */
static inline val get_slot(struct ctx *c, int slot)
{
	return emit(c, (struct ir_op){ .op = IR_get, .type = IR_I64, .k = slot });
}

static inline void put_slot(struct ctx *c, int slot, val v)
{
	emit(c, (struct ir_op){ .op = IR_put, .type = IR_I64, .a = v.n, .k = slot });
}

static inline val pc(struct ctx *c)
{
	return imm(c, (int64_t)c->pc);
}

static inline val next_pc(struct ctx *c)
{
	return imm(c, (int64_t)(c->pc + c->len));
}

static inline val get(struct ctx *c, unsigned r)
{
	return r ? get_slot(c, RV_SLOT_X + (int)r) : imm(c, 0);
}

static inline void put(struct ctx *c, unsigned r, val v)
{
	if (r != RV_SINK)
		put_slot(c, RV_SLOT_X + (int)r, v);
}

static inline void trap(struct ctx *c, enum rv_cause cause, val tval)
{
	emit(c, (struct ir_op){ .op = IR_trap, .type = IR_I64, .a = tval.n, .k = cause });
}

static inline void trap_if(struct ctx *c, val cond, enum rv_cause cause, val tval)
{
	emit(c, (struct ir_op){
		    .op = IR_trap_if, .type = IR_I64, .a = cond.n, .b = tval.n, .k = cause });
}

static inline void illegal(struct ctx *c)
{
	trap(c, RV_ILLEGAL, imm(c, c->word));
}

static inline val load(struct ctx *c, unsigned size, val va)
{
	return emit1(c, IR_ld, size * 8, va);
}

static inline void store(struct ctx *c, unsigned size, val va, val v)
{
	emit2(c, IR_st, size * 8, va, v);
}

static inline void branch(struct ctx *c, val cond, int32_t offset)
{
	emit(c, (struct ir_op){ .op = IR_side,
		    .type = IR_I64,
		    .a = cond.n,
		    .k = (int64_t)(c->pc + (uint64_t)(int64_t)offset) });
}

static inline void exit_at(struct ctx *c, uint64_t to)
{
	emit(c, (struct ir_op){ .op = IR_exit, .type = IR_I64, .k = (int64_t)to });
}

static inline void jump(struct ctx *c, int32_t offset)
{
	exit_at(c, c->pc + (uint64_t)(int64_t)offset);
}

static inline void jump_to(struct ctx *c, val to)
{
	emit(c, (struct ir_op){ .op = IR_exit_to, .type = IR_I64, .a = to.n });
}

/* Instructions that could change FS end the block, so one look at it is enough. */
static inline void fp_on(struct ctx *c)
{
	val fs;

	if (c->fp_on)
		return;
	c->fp_on = true;
	fs = and_(c, get_slot(c, RV_SLOT_MSTATUS), imm(c, MSTATUS_FS));
	trap_if(c, eq(c, fs, imm(c, 0)), RV_ILLEGAL, imm(c, c->word));
}

static inline val get_f_raw(struct ctx *c, unsigned r)
{
	return get_slot(c, RV_SLOT_F + (int)r);
}

static inline void put_f_raw(struct ctx *c, unsigned r, val v)
{
	put_slot(c, RV_SLOT_F + (int)r, v);
	if (c->fp_dirty)
		return;
	c->fp_dirty = true;
	put_slot(c, RV_SLOT_MSTATUS, or_(c, get_slot(c, RV_SLOT_MSTATUS), imm(c, MSTATUS_FS)));
}

/* A value that is not NaN-boxed counts as the canonical NaN. */
static inline val get_f(struct ctx *c, enum fp_fmt fmt, unsigned r)
{
	unsigned bits = 16u << fmt;
	val v = get_f_raw(c, r), boxed;

	if (fmt == FP_D)
		return v;
	boxed = eq(c, sar(c, v, imm(c, bits)), imm(c, -1));
	return choose(c, boxed, zext(c, bits, v), imm(c, fmt == FP_S ? 0x7fc00000 : 0x7e00));
}

static inline void put_f(struct ctx *c, enum fp_fmt fmt, unsigned r, val v)
{
	if (fmt != FP_D)
		v = or_(c, v, imm(c, -1ll * (1ll << (16u << fmt))));
	put_f_raw(c, r, v);
}

static inline val round_mode(struct ctx *c, unsigned rm)
{
	val v;

	if (rm != 7) {
		if (rm > FP_RMM)
			illegal(c);
		return imm(c, rm);
	}
	v = get_slot(c, RV_SLOT_FRM);
	trap_if(c, ltu(c, imm(c, FP_RMM), v), RV_ILLEGAL, imm(c, c->word));
	return v;
}

static inline val call(struct ctx *c, enum rv_help h, val a, val b, val d)
{
	return emit(c,
	    (struct ir_op){ .op = IR_call, .type = IR_I64, .a = a.n, .b = b.n, .c = d.n, .k = h });
}

#endif
