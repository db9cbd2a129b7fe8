/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FP_NUM_H
#define FP_NUM_H

#include "base/compiler.h"
#include "fp/fp.h"

/*
 * What the files of fp/ share: a number taken apart, and the one place that rounds. Everything is
 * inlined into callers that know the format, so that widths become constants; only the rare ends
 * of rounding (subnormal and overflowing results) are calls.
 */

/* Widths of the fields of IEEE 754-2008 table 3.5. */
struct fp_shape {
	int frac; /* trailing significand field */
	int exp;
};

static const struct fp_shape fp_shapes[] = {
	[FP_H] = { 10, 5 },
	[FP_S] = { 23, 8 },
	[FP_D] = { 52, 11 },
};

/* In an order that makes "is a NaN" one comparison. */
enum fp_kind { NUM_ZERO, NUM_FINITE, NUM_INF, NUM_QNAN, NUM_SNAN };

/* NUM_FINITE: the value is sig / 2^63 * 2^exp and bit 63 of sig is set, also for subnormals; the
 * lowest 11 bits are zero in each format. sig and exp mean nothing for the other kinds. */
struct fp_num {
	enum fp_kind kind;
	bool sign;
	int exp;
	uint64_t sig;
};

static ALWAYS_INLINE int fp_bias(enum fp_fmt fmt)
{
	return (1 << (fp_shapes[fmt].exp - 1)) - 1;
}

/* The biased exponent of infinities and NaNs. */
static ALWAYS_INLINE int fp_exp_max(enum fp_fmt fmt)
{
	return (1 << fp_shapes[fmt].exp) - 1;
}

static ALWAYS_INLINE uint64_t fp_sign_bit(enum fp_fmt fmt)
{
	return UINT64_C(1) << (fp_shapes[fmt].frac + fp_shapes[fmt].exp);
}

static ALWAYS_INLINE uint64_t fp_zero(enum fp_fmt fmt, bool sign)
{
	return sign ? fp_sign_bit(fmt) : 0;
}

static ALWAYS_INLINE uint64_t fp_inf(enum fp_fmt fmt, bool sign)
{
	return fp_zero(fmt, sign) | (uint64_t)fp_exp_max(fmt) << fp_shapes[fmt].frac;
}

static ALWAYS_INLINE uint64_t fp_nan(enum fp_fmt fmt)
{
	return fp_inf(fmt, false) | UINT64_C(1) << (fp_shapes[fmt].frac - 1);
}

static ALWAYS_INLINE uint64_t fp_invalid(enum fp_fmt fmt, struct fp_env *env)
{
	env->flags |= FP_NV;
	return fp_nan(fmt);
}

static ALWAYS_INLINE bool fp_kind_is_nan(enum fp_kind kind)
{
	return kind >= NUM_QNAN;
}

/* The exponent field is all ones or all zeros. */
static ALWAYS_INLINE struct fp_num fp_unpack_edge(
    enum fp_fmt fmt, bool sign, int exp, uint64_t frac)
{
	const int width = fp_shapes[fmt].frac;
	struct fp_num n = { .sign = sign };

	if (exp != 0) {
		if (frac == 0)
			n.kind = NUM_INF;
		else
			n.kind = frac >> (width - 1) ? NUM_QNAN : NUM_SNAN;
	} else if (frac != 0) {
		const int shift = (int)clz64(frac);
		n.kind = NUM_FINITE;
		n.sig = frac << shift;
		n.exp = 1 - fp_bias(fmt) + 63 - width - shift;
	}
	return n;
}

static ALWAYS_INLINE struct fp_num fp_unpack(enum fp_fmt fmt, uint64_t bits)
{
	const int width = fp_shapes[fmt].frac;
	const uint64_t frac = bits & ((UINT64_C(1) << width) - 1);
	const int exp = (int)(bits >> width) & fp_exp_max(fmt);
	const bool sign = (bits & fp_sign_bit(fmt)) != 0;

	if (unlikely(exp == 0 || exp == fp_exp_max(fmt)))
		return fp_unpack_edge(fmt, sign, exp, frac);
	return (struct fp_num){
		.kind = NUM_FINITE,
		.sign = sign,
		.exp = exp - fp_bias(fmt),
		.sig = UINT64_C(1) << 63 | frac << (63 - width),
	};
}

/* x / 2^n with a lost one bit kept as the lowest bit, which rounds as the exact value does. */
static ALWAYS_INLINE uint64_t fp_shift_jam(uint64_t x, int n)
{
	if (n == 0)
		return x;
	if (n > 63)
		return x != 0;
	return x >> n | (x << (64 - n) != 0);
}

/* Does a magnitude that ends in the bit `odd` and has the fraction `rest` / 2^64 after it round
 * away from zero? */
static ALWAYS_INLINE bool fp_rounds_away(unsigned rm, bool sign, bool odd, uint64_t rest)
{
	const uint64_t half = UINT64_C(1) << 63;

	switch (rm) {
	case FP_RNE:
		return rest > half || (rest == half && odd);
	case FP_RTZ:
		return false;
	case FP_RDN:
		return sign && rest != 0;
	case FP_RUP:
		return !sign && rest != 0;
	default:
		return rest >= half;
	}
}

/* fp_pack() where the exponent field is outside 1 ... fp_exp_max() - 1. */
uint64_t fp_pack_tiny(enum fp_fmt, bool sign, int exp, uint64_t sig, struct fp_env *);
uint64_t fp_pack_huge(enum fp_fmt, bool sign, struct fp_env *);

/* Round the value sig / 2^63 * 2^exp, where bit 63 of sig is set and its lowest bit may stand for
 * any lost rest. The exponent may be any that an operation on three numbers can give. */
static ALWAYS_INLINE uint64_t fp_pack(
    enum fp_fmt fmt, bool sign, int exp, uint64_t sig, struct fp_env *env)
{
	const int width = fp_shapes[fmt].frac;
	const int biased = exp + fp_bias(fmt);

	if (unlikely(biased <= 0))
		return fp_pack_tiny(fmt, sign, exp, sig, env);
	if (unlikely(biased >= fp_exp_max(fmt)))
		return fp_pack_huge(fmt, sign, env);

	const uint64_t kept = sig >> (63 - width);
	const uint64_t rest = sig << (width + 1);
	/* The leading one adds the last unit of the exponent, as does a carry of rounding. */
	uint64_t bits = ((uint64_t)(biased - 1) << width) + kept;

	if (rest != 0) {
		env->flags |= FP_NX;
		bits += fp_rounds_away(env->rm, sign, kept & 1, rest);
		if (unlikely(bits >= fp_inf(fmt, false)))
			return fp_pack_huge(fmt, sign, env);
	}
	return fp_zero(fmt, sign) | bits;
}

#endif
