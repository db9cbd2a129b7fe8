/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IR_FLAGS_H
#define IR_FLAGS_H

/*
 * Condition codes as words: what additions and subtractions of n bits do to carry, overflow, and
 * the like, for guest CPUs that have flags.  Included after the words of either form
 * (ir/ops_direct.h, ir/ops_ir.h).  Operands and results are zero-extended; each gives 1 or 0.
 *
 * How to be lazy with them: the guest's state holds what the last writer did and its operands
 * (slots), and readers compute.  A put that another follows goes away in ir/pass_dead.c, so flags
 * that nobody reads cost nothing; who lifts a block remembers the last writer, so that a comparison
 * and the branch on it become one operation.
 */

static inline val flag_zero(struct ctx *c, val r)
{
	return eq(c, r, imm(c, 0));
}

static inline val flag_negative(struct ctx *c, unsigned bits, val r)
{
	return and_(c, shr(c, r, imm(c, bits - 1)), imm(c, 1));
}

/* Of r = a + b (+ 1). */
static inline val flag_carry_add(struct ctx *c, val a, val r, bool with_carry)
{
	return with_carry ? eq(c, ltu(c, a, r), imm(c, 0)) : ltu(c, r, a);
}

static inline val flag_overflow_add(struct ctx *c, unsigned bits, val a, val b, val r)
{
	return flag_negative(c, bits, and_(c, xor_(c, a, r), xor_(c, b, r)));
}

/* Of r = a - b (- 1). */
static inline val flag_borrow(struct ctx *c, val a, val b, bool with_borrow)
{
	return with_borrow ? eq(c, ltu(c, b, a), imm(c, 0)) : ltu(c, a, b);
}

static inline val flag_overflow_sub(struct ctx *c, unsigned bits, val a, val b, val r)
{
	return flag_negative(c, bits, and_(c, xor_(c, a, b), xor_(c, a, r)));
}

/* Between the low digits, of either. */
static inline val flag_half_carry(struct ctx *c, val a, val b, val r)
{
	return and_(c, shr(c, xor_(c, xor_(c, a, b), r), imm(c, 4)), imm(c, 1));
}

/* Of a - b, signed. */
static inline val flag_less(struct ctx *c, unsigned bits, val a, val b)
{
	return lts(c, sext(c, bits, a), sext(c, bits, b));
}

#endif
