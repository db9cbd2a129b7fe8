/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words about flags that are the same in both forms: what (kind, size, a, b) of flags.h stand for.
 * kind and bits are known where they are used.  Included after the words of either form, before
 * the bodies.
 */
#include "cpu/x86/flags.h"
#include "ir/flags.h"

/* The result that ZF, SF and PF are about. */
static inline val fl_result(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	switch (kind) {
	case X86_FL_ADD:
		return zext(c, bits, add(c, a, b));
	case X86_FL_ADC:
		return zext(c, bits, add(c, add(c, a, b), imm(c, 1)));
	case X86_FL_SUB:
		return zext(c, bits, sub(c, a, b));
	case X86_FL_SBB:
		return zext(c, bits, sub(c, sub(c, a, b), imm(c, 1)));
	default:
		return a;
	}
}

static inline val fl_bit(struct ctx *c, val bits, unsigned flag)
{
	return and_(c, shr(c, bits, imm(c, ctz64(flag))), imm(c, 1));
}

static inline val fl_carry(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	switch (kind) {
	case X86_FL_ADD:
	case X86_FL_ADC:
		return flag_carry_add(c, a, fl_result(c, kind, bits, a, b), kind == X86_FL_ADC);
	case X86_FL_SUB:
	case X86_FL_SBB:
		return flag_borrow(c, a, b, kind == X86_FL_SBB);
	case X86_FL_LOGIC:
		return imm(c, 0);
	case X86_FL_INC:
	case X86_FL_DEC:
		return b;
	default:
		return fl_bit(c, kind == X86_FL_BITS ? a : b, FLAG_CF);
	}
}

static inline val fl_overflow(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	const uint64_t top = 1ull << (bits - 1);

	switch (kind) {
	case X86_FL_ADD:
	case X86_FL_ADC:
		return flag_overflow_add(c, bits, a, b, fl_result(c, kind, bits, a, b));
	case X86_FL_SUB:
	case X86_FL_SBB:
		return flag_overflow_sub(c, bits, a, b, fl_result(c, kind, bits, a, b));
	case X86_FL_LOGIC:
		return imm(c, 0);
	case X86_FL_INC:
		return eq(c, a, imm(c, (int64_t)top));
	case X86_FL_DEC:
		return eq(c, a, imm(c, (int64_t)(top - 1)));
	default:
		return fl_bit(c, kind == X86_FL_BITS ? a : b, FLAG_OF);
	}
}

static inline val fl_half(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	switch (kind) {
	case X86_FL_ADD:
	case X86_FL_ADC:
	case X86_FL_SUB:
	case X86_FL_SBB:
		return flag_half_carry(c, a, b, fl_result(c, kind, bits, a, b));
	case X86_FL_LOGIC:
		return imm(c, 0);
	case X86_FL_INC:
		return eq(c, and_(c, a, imm(c, 15)), imm(c, 0));
	case X86_FL_DEC:
		return eq(c, and_(c, a, imm(c, 15)), imm(c, 15));
	default:
		return fl_bit(c, kind == X86_FL_BITS ? a : b, FLAG_AF);
	}
}

static inline val fl_zero(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	if (kind == X86_FL_BITS)
		return fl_bit(c, a, FLAG_ZF);
	if (kind == X86_FL_SUB)
		return eq(c, a, b);
	return flag_zero(c, fl_result(c, kind, bits, a, b));
}

static inline val fl_sign(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	if (kind == X86_FL_BITS)
		return fl_bit(c, a, FLAG_SF);
	return flag_negative(c, bits, fl_result(c, kind, bits, a, b));
}

static inline val fl_parity(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	val ones;

	if (kind == X86_FL_BITS)
		return fl_bit(c, a, FLAG_PF);
	ones = popcnt(c, 8, fl_result(c, kind, bits, a, b));
	return xor_(c, and_(c, ones, imm(c, 1)), imm(c, 1));
}

static inline val fl_less(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	if (kind == X86_FL_SUB)
		return flag_less(c, bits, a, b);
	if (kind == X86_FL_LOGIC)
		return flag_negative(c, bits, a);
	return xor_(c, fl_sign(c, kind, bits, a, b), fl_overflow(c, kind, bits, a, b));
}

/* The even conditions; the odd ones are their opposites. */
static inline val fl_cond(
    struct ctx *c, unsigned kind, unsigned bits, val a, val b, enum x86_cond cc)
{
	val r;

	switch (cc & ~1u) {
	case X86_CC_O:
		r = fl_overflow(c, kind, bits, a, b);
		break;
	case X86_CC_B:
		r = fl_carry(c, kind, bits, a, b);
		break;
	case X86_CC_Z:
		r = fl_zero(c, kind, bits, a, b);
		break;
	case X86_CC_BE:
		if (kind == X86_FL_SUB)
			r = xor_(c, ltu(c, b, a), imm(c, 1));
		else
			r = or_(c, fl_carry(c, kind, bits, a, b), fl_zero(c, kind, bits, a, b));
		break;
	case X86_CC_S:
		r = fl_sign(c, kind, bits, a, b);
		break;
	case X86_CC_P:
		r = fl_parity(c, kind, bits, a, b);
		break;
	case X86_CC_L:
		r = fl_less(c, kind, bits, a, b);
		break;
	case X86_CC_LE:
		if (kind == X86_FL_SUB)
			r = xor_(c, flag_less(c, bits, b, a), imm(c, 1));
		else
			r = or_(c, fl_less(c, kind, bits, a, b), fl_zero(c, kind, bits, a, b));
		break;
	default:
		r = fl_half(c, kind, bits, a, b);
		break;
	}
	return cc & 1 ? xor_(c, r, imm(c, 1)) : r;
}

/* A flag at its place in EFLAGS. */
static inline val at_flag(struct ctx *c, val bit, unsigned flag)
{
	return shl(c, bit, imm(c, ctz64(flag)));
}

static inline val fl_all(struct ctx *c, unsigned kind, unsigned bits, val a, val b)
{
	static const struct {
		uint8_t cc;
		uint16_t flag;
	} flags[] = { { X86_CC_O, FLAG_OF }, { X86_CC_S, FLAG_SF }, { X86_CC_Z, FLAG_ZF },
		{ X86_CC_A, FLAG_AF }, { X86_CC_P, FLAG_PF } };
	val r;
	unsigned i;

	if (kind == X86_FL_BITS)
		return a;
	r = fl_carry(c, kind, bits, a, b);
	for (i = 0; i < ARRAY_LEN(flags); i++)
		r = or_(c, r, at_flag(c, fl_cond(c, kind, bits, a, b, flags[i].cc), flags[i].flag));
	return r;
}
