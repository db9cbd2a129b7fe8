/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IR_OPS_IR_H
#define IR_OPS_IR_H

#include "ir/ir.h"

/*
 * The words of which instruction bodies are made, in the form that builds IR; ir/ops_direct.h says
 * what each means.  The guest CPU's `struct ctx`, defined before this, has a member
 * `struct ir_block *ir`.
 */
typedef struct {
	uint16_t n;
} val;

static inline val emit(struct ctx *c, struct ir_op o)
{
	return (val){ ir_emit(c->ir, o) };
}

static inline val emit1(struct ctx *c, enum ir_opcode op, unsigned bits, val a)
{
	return emit(c, (struct ir_op){ .op = op, .type = ir_type_of(bits), .a = a.n });
}

static inline val emit2(struct ctx *c, enum ir_opcode op, unsigned bits, val a, val b)
{
	return emit(c, (struct ir_op){ .op = op, .type = ir_type_of(bits), .a = a.n, .b = b.n });
}

static inline val imm(struct ctx *c, int64_t k)
{
	return emit(c, (struct ir_op){ .op = IR_imm, .type = IR_I64, .k = k });
}

static inline val add(struct ctx *c, val a, val b)
{
	return emit2(c, IR_add, 64, a, b);
}

static inline val sub(struct ctx *c, val a, val b)
{
	return emit2(c, IR_sub, 64, a, b);
}

static inline val mul(struct ctx *c, val a, val b)
{
	return emit2(c, IR_mul, 64, a, b);
}

static inline val mulhu(struct ctx *c, val a, val b)
{
	return emit2(c, IR_mulhu, 64, a, b);
}

static inline val mulh(struct ctx *c, val a, val b)
{
	return emit2(c, IR_mulh, 64, a, b);
}

static inline val mulhsu(struct ctx *c, val a, val b)
{
	return emit2(c, IR_mulhsu, 64, a, b);
}

static inline val divs(struct ctx *c, val a, val b)
{
	return emit2(c, IR_divs, 64, a, b);
}

static inline val rems(struct ctx *c, val a, val b)
{
	return emit2(c, IR_rems, 64, a, b);
}

static inline val divu(struct ctx *c, val a, val b)
{
	return emit2(c, IR_divu, 64, a, b);
}

static inline val remu(struct ctx *c, val a, val b)
{
	return emit2(c, IR_remu, 64, a, b);
}

static inline val and_(struct ctx *c, val a, val b)
{
	return emit2(c, IR_and, 64, a, b);
}

static inline val or_(struct ctx *c, val a, val b)
{
	return emit2(c, IR_or, 64, a, b);
}

static inline val xor_(struct ctx *c, val a, val b)
{
	return emit2(c, IR_xor, 64, a, b);
}

static inline val not_(struct ctx *c, val a)
{
	return emit1(c, IR_not, 64, a);
}

static inline val shl(struct ctx *c, val a, val n)
{
	return emit2(c, IR_shl, 64, a, n);
}

static inline val shr(struct ctx *c, val a, val n)
{
	return emit2(c, IR_shr, 64, a, n);
}

static inline val sar(struct ctx *c, val a, val n)
{
	return emit2(c, IR_sar, 64, a, n);
}

static inline val rol(struct ctx *c, unsigned bits, val a, val n)
{
	return emit2(c, IR_rol, bits, a, n);
}

static inline val ror(struct ctx *c, unsigned bits, val a, val n)
{
	return emit2(c, IR_ror, bits, a, n);
}

static inline val eq(struct ctx *c, val a, val b)
{
	return emit2(c, IR_eq, 64, a, b);
}

static inline val ne(struct ctx *c, val a, val b)
{
	return emit2(c, IR_ne, 64, a, b);
}

static inline val lts(struct ctx *c, val a, val b)
{
	return emit2(c, IR_lts, 64, a, b);
}

static inline val ltu(struct ctx *c, val a, val b)
{
	return emit2(c, IR_ltu, 64, a, b);
}

static inline val choose(struct ctx *c, val cond, val a, val b)
{
	return emit(
	    c, (struct ir_op){ .op = IR_choose, .type = IR_I64, .a = cond.n, .b = a.n, .c = b.n });
}

static inline val sext(struct ctx *c, unsigned bits, val a)
{
	return emit1(c, IR_sext, bits, a);
}

static inline val zext(struct ctx *c, unsigned bits, val a)
{
	return emit1(c, IR_zext, bits, a);
}

static inline val clz(struct ctx *c, unsigned bits, val a)
{
	return emit1(c, IR_clz, bits, a);
}

static inline val ctz(struct ctx *c, unsigned bits, val a)
{
	return emit1(c, IR_ctz, bits, a);
}

static inline val popcnt(struct ctx *c, unsigned bits, val a)
{
	return emit1(c, IR_popcnt, bits, a);
}

static inline val bswap(struct ctx *c, unsigned bits, val a)
{
	return emit1(c, IR_bswap, bits, a);
}

static inline void fence(struct ctx *c)
{
	emit(c, (struct ir_op){ .op = IR_fence, .type = IR_I64 });
}

#endif
