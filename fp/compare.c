/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: IEEE 754-2008, sections 5.7.2 and 5.11; IEEE 754-2019, 9.6, for minimum and maximum;
 * RISC-V unprivileged manual 20191213, sections 11.6, 11.8 and 11.9.
 */
#include "fp/num.h"

/* Orders all that is not a NaN as its value, with -0 below +0. */
static ALWAYS_INLINE int64_t order(enum fp_fmt fmt, uint64_t a)
{
	const int64_t mag = (int64_t)(a & (fp_sign_bit(fmt) - 1));

	return a & fp_sign_bit(fmt) ? ~mag : mag;
}

static ALWAYS_INLINE bool both_zero(enum fp_fmt fmt, uint64_t a, uint64_t b)
{
	return ((a | b) & (fp_sign_bit(fmt) - 1)) == 0;
}

/* Whether a and b have no order, with the flag for that: for any NaN if `all`. */
static bool unordered(enum fp_fmt fmt, uint64_t a, uint64_t b, bool all, struct fp_env *env)
{
	const uint64_t inf = fp_inf(fmt, false), mask = fp_sign_bit(fmt) - 1;

	if (likely((a & mask) <= inf && (b & mask) <= inf))
		return false;
	if (all || fp_is_snan(fmt, a) || fp_is_snan(fmt, b))
		env->flags |= FP_NV;
	return true;
}

static bool less(enum fp_fmt fmt, uint64_t a, uint64_t b, bool all, struct fp_env *env)
{
	return !unordered(fmt, a, b, all, env) && !both_zero(fmt, a, b) &&
	       order(fmt, a) < order(fmt, b);
}

static bool less_equal(enum fp_fmt fmt, uint64_t a, uint64_t b, bool all, struct fp_env *env)
{
	return !unordered(fmt, a, b, all, env) &&
	       (both_zero(fmt, a, b) || order(fmt, a) <= order(fmt, b));
}

bool fp_eq(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	return !unordered(fmt, a, b, false, env) &&
	       (both_zero(fmt, a, b) || order(fmt, a) == order(fmt, b));
}

bool fp_lt(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	return less(fmt, a, b, true, env);
}

bool fp_le(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	return less_equal(fmt, a, b, true, env);
}

bool fp_lt_quiet(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	return less(fmt, a, b, false, env);
}

bool fp_le_quiet(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	return less_equal(fmt, a, b, false, env);
}

/* The result of fp_min() and fp_max() if an operand is a NaN. */
static uint64_t the_number(enum fp_fmt fmt, uint64_t a, uint64_t b, bool nan)
{
	const uint64_t all = 2 * fp_sign_bit(fmt) - 1;

	if (nan || (fp_is_nan(fmt, a) && fp_is_nan(fmt, b)))
		return fp_nan(fmt);
	return (fp_is_nan(fmt, a) ? b : a) & all;
}

uint64_t fp_min(enum fp_fmt fmt, uint64_t a, uint64_t b, bool nan, struct fp_env *env)
{
	if (unordered(fmt, a, b, false, env))
		return the_number(fmt, a, b, nan);
	return (order(fmt, a) < order(fmt, b) ? a : b) & (2 * fp_sign_bit(fmt) - 1);
}

uint64_t fp_max(enum fp_fmt fmt, uint64_t a, uint64_t b, bool nan, struct fp_env *env)
{
	if (unordered(fmt, a, b, false, env))
		return the_number(fmt, a, b, nan);
	return (order(fmt, a) < order(fmt, b) ? b : a) & (2 * fp_sign_bit(fmt) - 1);
}

unsigned fp_class(enum fp_fmt fmt, uint64_t bits)
{
	const struct fp_num a = fp_unpack(fmt, bits);

	switch (a.kind) {
	case NUM_SNAN:
		return 1u << 8;
	case NUM_QNAN:
		return 1u << 9;
	case NUM_INF:
		return a.sign ? 1u << 0 : 1u << 7;
	case NUM_ZERO:
		return a.sign ? 1u << 3 : 1u << 4;
	default:
		break;
	}
	if (a.exp < 1 - fp_bias(fmt))
		return a.sign ? 1u << 2 : 1u << 5;
	return a.sign ? 1u << 1 : 1u << 6;
}
