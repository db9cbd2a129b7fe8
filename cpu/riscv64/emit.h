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
	return emit(c, (struct ir_op){ .op = IR_pc, .type = IR_I64, .k = c->pc });
}

static inline val next_pc(struct ctx *c)
{
	return emit(c, (struct ir_op){ .op = IR_pc, .type = IR_I64, .k = c->pc + c->len });
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
	int64_t to = c->pc + offset, out = to;

	if (c->follow && c->follow_to == to) {
		out = c->next;
		c->next = to;
		cond = eq(c, cond, imm(c, 0));
	}
	emit(c, (struct ir_op){ .op = IR_side, .type = IR_I64, .a = cond.n, .k = out });
}

static inline void exit_at(struct ctx *c, int64_t to)
{
	emit(c, (struct ir_op){ .op = IR_exit, .type = IR_I64, .k = to });
}

static inline void jump(struct ctx *c, int32_t offset)
{
	if (c->follow)
		c->next = c->pc + offset;
	else
		exit_at(c, c->pc + offset);
}

static inline void jump_to(struct ctx *c, val to)
{
	val seen;

	if (c->follow) {
		c->next = c->follow_to;
		seen = emit(c, (struct ir_op){ .op = IR_pc, .type = IR_I64, .k = c->next });
		emit2(c, IR_side_to, 64, ne(c, to, seen), to);
		return;
	}
	emit(c, (struct ir_op){ .op = IR_exit_to, .type = IR_I64, .a = to.n });
}

static inline void resume(struct ctx *c, val to)
{
	emit(c, (struct ir_op){ .op = IR_resume, .type = IR_I64, .a = to.n });
}

static inline val call(struct ctx *c, enum rv_help h, val a, val b, val d)
{
	return emit(c,
	    (struct ir_op){ .op = IR_call, .type = IR_I64, .a = a.n, .b = b.n, .c = d.n, .k = h });
}

/* Instructions that could change FS or frm end the block, so one look at each is enough. */
static inline void fp_on(struct ctx *c)
{
	if (c->fp_on)
		return;
	c->fp_on = true;
	call(c, RV_HELP_fp_on, imm(c, 0), imm(c, 0), imm(c, 0));
}

static inline val get_f_raw(struct ctx *c, unsigned r)
{
	return get_slot(c, RV_SLOT_F + (int)r);
}

static inline void put_f_raw(struct ctx *c, unsigned r, val v)
{
	put_slot(c, RV_SLOT_F + (int)r, v);
}

static inline val get_f(struct ctx *c, enum fp_fmt fmt, unsigned r)
{
	val v = get_f_raw(c, r);

	if (fmt == FP_D)
		return v;
	return call(c, fmt == FP_S ? RV_HELP_unbox_s : RV_HELP_unbox_h, v, imm(c, 0), imm(c, 0));
}

static inline void put_f(struct ctx *c, enum fp_fmt fmt, unsigned r, val v)
{
	if (fmt != FP_D)
		v = call(c, fmt == FP_S ? RV_HELP_box_s : RV_HELP_box_h, v, imm(c, 0), imm(c, 0));
	put_f_raw(c, r, v);
}

static inline val sign_of(struct ctx *c, enum fp_fmt fmt, enum rv_sign op, val magnitude, val sign)
{
	static const enum rv_help helpers[][3] = {
		{ RV_HELP_sgnj_h, RV_HELP_sgnj_s, RV_HELP_sgnj_d },
		{ RV_HELP_sgnjn_h, RV_HELP_sgnjn_s, RV_HELP_sgnjn_d },
		{ RV_HELP_sgnjx_h, RV_HELP_sgnjx_s, RV_HELP_sgnjx_d },
	};

	if (op == RV_SGNJ && magnitude.n == sign.n)
		return magnitude;
	return call(c, helpers[op][fmt], magnitude, sign, imm(c, 0));
}

static inline val round_mode(struct ctx *c, unsigned rm)
{
	if (rm != RV_RM_DYN && rm > FP_RMM)
		illegal(c);
	if (rm == RV_RM_DYN && !c->fp_dyn) {
		c->fp_dyn = true;
		call(c, RV_HELP_fp_dyn, imm(c, 0), imm(c, 0), imm(c, 0));
	}
	return imm(c, rm);
}

#endif
