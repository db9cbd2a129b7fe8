/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words about flags that are the same in both forms: what flags.h's kinds stand for.  Kind and bits
 * are known where they are used.  Included after the words of either form, before the bodies.
 */
#include "cpu/x86/flags.h"
#include "ir/flags.h"

struct fl {
	unsigned kind, bits;
	val a, b, n; /* n: the count of shifts */
};

static inline struct fl fl_of(struct ctx *c, unsigned kind, unsigned bits, val a, val b, val n)
{
	struct fl f = { kind, bits, a, b, n };

	if (bits == 64 || kind == X86_FL_BITS || kind == X86_FL_TEST)
		return f;
	f.a = zext(c, bits, a);
	if (kind != X86_FL_RES)
		f.b = zext(c, bits, b);
	return f;
}

/* The first operand of additions and subtractions. */
static inline val fl_first(struct ctx *c, struct fl f)
{
	switch (f.kind) {
	case X86_FL_ADD:
		return zext(c, f.bits, sub(c, f.a, f.b));
	case X86_FL_ADC:
		return zext(c, f.bits, sub(c, sub(c, f.a, f.b), imm(c, 1)));
	case X86_FL_DIFF:
		return zext(c, f.bits, add(c, f.a, f.b));
	default:
		return f.a;
	}
}

/* The result that ZF, SF and PF are about. */
static inline val fl_result(struct ctx *c, struct fl f)
{
	switch (f.kind) {
	case X86_FL_SUB:
		return zext(c, f.bits, sub(c, f.a, f.b));
	case X86_FL_SBB:
		return zext(c, f.bits, sub(c, sub(c, f.a, f.b), imm(c, 1)));
	case X86_FL_TEST:
		return zext(c, f.bits, and_(c, f.a, f.b));
	default:
		return f.a;
	}
}

/* The opposite of what is 1 or 0. */
static inline val fl_not(struct ctx *c, val v)
{
	return eq(c, v, imm(c, 0));
}

static inline val fl_bit(struct ctx *c, val bits, unsigned flag)
{
	return and_(c, shr(c, bits, imm(c, ctz64(flag))), imm(c, 1));
}

/* What is shifted out last, as the top or bottom bit of what was shifted one less. */
static inline val fl_shifted(struct ctx *c, struct fl f)
{
	val n = sub(c, f.n, imm(c, 1));

	if (f.kind == X86_FL_SHL)
		return flag_negative(c, f.bits, shl(c, f.b, n));
	if (f.kind == X86_FL_SHR)
		return and_(c, shr(c, f.b, n), imm(c, 1));
	return and_(c, sar(c, sext(c, f.bits, f.b), n), imm(c, 1));
}

static inline val fl_carry(struct ctx *c, struct fl f)
{
	switch (f.kind) {
	case X86_FL_ADD:
	case X86_FL_ADC:
		return flag_carry_add(c, f.b, f.a, f.kind == X86_FL_ADC);
	case X86_FL_SUB:
	case X86_FL_SBB:
	case X86_FL_DIFF:
		return flag_borrow(c, fl_first(c, f), f.b, f.kind == X86_FL_SBB);
	case X86_FL_TEST:
	case X86_FL_LOGIC:
	case X86_FL_INC: /* it stays */
	case X86_FL_DEC:
		return imm(c, 0);
	case X86_FL_SHL:
	case X86_FL_SHR:
	case X86_FL_SAR:
		return fl_shifted(c, f);
	default:
		return fl_bit(c, f.kind == X86_FL_BITS ? f.a : f.b, FLAG_CF);
	}
}

static inline val fl_overflow(struct ctx *c, struct fl f)
{
	const uint64_t top = 1ull << (f.bits - 1);

	switch (f.kind) {
	case X86_FL_ADD:
	case X86_FL_ADC:
		return flag_overflow_add(c, f.bits, fl_first(c, f), f.b, f.a);
	case X86_FL_SUB:
	case X86_FL_SBB:
	case X86_FL_DIFF:
		return flag_overflow_sub(c, f.bits, fl_first(c, f), f.b, fl_result(c, f));
	case X86_FL_TEST:
	case X86_FL_LOGIC:
	case X86_FL_SAR:
		return imm(c, 0);
	case X86_FL_INC:
		return eq(c, f.a, imm(c, (int64_t)top));
	case X86_FL_DEC:
		return eq(c, f.a, imm(c, (int64_t)(top - 1)));
	case X86_FL_SHL: /* the sign has changed with the last bit */
		return xor_(c, fl_shifted(c, f), flag_negative(c, f.bits, f.a));
	case X86_FL_SHR:
		return flag_negative(c, f.bits, xor_(c, f.a, shl(c, f.a, imm(c, 1))));
	default:
		return fl_bit(c, f.kind == X86_FL_BITS ? f.a : f.b, FLAG_OF);
	}
}

static inline val fl_half(struct ctx *c, struct fl f)
{
	switch (f.kind) {
	case X86_FL_ADD:
	case X86_FL_ADC:
	case X86_FL_SUB:
	case X86_FL_SBB:
	case X86_FL_DIFF:
		return flag_half_carry(c, fl_first(c, f), f.b, fl_result(c, f));
	case X86_FL_TEST:
	case X86_FL_LOGIC:
		return imm(c, 0);
	case X86_FL_INC:
		return eq(c, and_(c, f.a, imm(c, 15)), imm(c, 0));
	case X86_FL_DEC:
		return eq(c, and_(c, f.a, imm(c, 15)), imm(c, 15));
	case X86_FL_SHL:
	case X86_FL_SHR:
	case X86_FL_SAR:
		return imm(c, 1);
	default:
		return fl_bit(c, f.kind == X86_FL_BITS ? f.a : f.b, FLAG_AF);
	}
}

static inline val fl_zero(struct ctx *c, struct fl f)
{
	if (f.kind == X86_FL_BITS)
		return fl_bit(c, f.a, FLAG_ZF);
	if (f.kind == X86_FL_SUB)
		return eq(c, f.a, f.b);
	return flag_zero(c, fl_result(c, f));
}

static inline val fl_sign(struct ctx *c, struct fl f)
{
	if (f.kind == X86_FL_BITS)
		return fl_bit(c, f.a, FLAG_SF);
	return flag_less(c, f.bits, fl_result(c, f), imm(c, 0));
}

static inline val fl_parity(struct ctx *c, struct fl f)
{
	val ones;

	if (f.kind == X86_FL_BITS)
		return fl_bit(c, f.a, FLAG_PF);
	ones = popcnt(c, 8, fl_result(c, f));
	return xor_(c, and_(c, ones, imm(c, 1)), imm(c, 1));
}

static inline bool fl_has_no_overflow(unsigned kind)
{
	return kind == X86_FL_TEST || kind == X86_FL_LOGIC || kind == X86_FL_SAR;
}

static inline val fl_less(struct ctx *c, struct fl f)
{
	if (f.kind == X86_FL_SUB || f.kind == X86_FL_DIFF)
		return flag_less(c, f.bits, fl_first(c, f), f.b);
	if (fl_has_no_overflow(f.kind))
		return fl_sign(c, f);
	return xor_(c, fl_sign(c, f), fl_overflow(c, f));
}

/* What a condition looks at, where it is no more than whether one of some flags is set; or 0. */
static inline uint32_t fl_any(enum x86_cond cc)
{
	switch (cc & ~1u) {
	case X86_CC_O:
		return FLAG_OF;
	case X86_CC_B:
		return FLAG_CF;
	case X86_CC_Z:
		return FLAG_ZF;
	case X86_CC_BE:
		return FLAG_CF | FLAG_ZF;
	case X86_CC_S:
		return FLAG_SF;
	case X86_CC_P:
		return FLAG_PF;
	default:
		return 0;
	}
}

/* The even conditions; the odd ones are their opposites. */
static inline val fl_cond(struct ctx *c, struct fl f, enum x86_cond cc)
{
	const bool subtracts = f.kind == X86_FL_SUB || f.kind == X86_FL_DIFF;
	val r;

	if (f.kind == X86_FL_BITS && fl_any(cc)) {
		r = and_(c, f.a, imm(c, fl_any(cc)));
		return cc & 1 ? eq(c, r, imm(c, 0)) : ne(c, r, imm(c, 0));
	}
	switch (cc & ~1u) {
	case X86_CC_O:
		r = fl_overflow(c, f);
		break;
	case X86_CC_B:
		r = fl_carry(c, f);
		break;
	case X86_CC_Z:
		r = fl_zero(c, f);
		break;
	case X86_CC_BE:
		if (subtracts)
			r = fl_not(c, ltu(c, f.b, fl_first(c, f)));
		else
			r = or_(c, fl_carry(c, f), fl_zero(c, f));
		break;
	case X86_CC_S:
		r = fl_sign(c, f);
		break;
	case X86_CC_P:
		r = fl_parity(c, f);
		break;
	case X86_CC_L:
		r = fl_less(c, f);
		break;
	case X86_CC_LE:
		if (subtracts)
			r = fl_not(c, flag_less(c, f.bits, f.b, fl_first(c, f)));
		else if (fl_has_no_overflow(f.kind))
			r = fl_not(c, flag_less(c, f.bits, imm(c, 0), fl_result(c, f)));
		else
			r = or_(c, fl_less(c, f), fl_zero(c, f));
		break;
	default:
		r = fl_half(c, f);
		break;
	}
	return cc & 1 ? fl_not(c, r) : r;
}

/* A flag at its place in EFLAGS. */
static inline val at_flag(struct ctx *c, val bit, unsigned flag)
{
	return shl(c, bit, imm(c, ctz64(flag)));
}

static inline val fl_all(struct ctx *c, struct fl f)
{
	static const struct {
		uint8_t cc;
		uint16_t flag;
	} flags[] = { { X86_CC_O, FLAG_OF }, { X86_CC_S, FLAG_SF }, { X86_CC_Z, FLAG_ZF },
		{ X86_CC_A, FLAG_AF }, { X86_CC_P, FLAG_PF } };
	val r;
	unsigned i;

	if (f.kind == X86_FL_BITS)
		return f.a;
	r = fl_carry(c, f);
	for (i = 0; i < ARRAY_LEN(flags); i++)
		r = or_(c, r, at_flag(c, fl_cond(c, f, flags[i].cc), flags[i].flag));
	return r;
}
