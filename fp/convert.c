/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: IEEE 754-2008, sections 5.3.1, 5.4.1, 5.4.2 and 5.8; RISC-V unprivileged manual 20191213,
 * table 11.4, for invalid conversions; its Zfa chapter for FCVTMOD and FROUND.
 */
#include "fp/num.h"

static ALWAYS_INLINE uint64_t convert(
    enum fp_fmt to, enum fp_fmt from, uint64_t bits, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(from, bits);

	switch (a.kind) {
	case NUM_FINITE:
		return fp_pack(to, a.sign, a.exp, a.sig, env);
	case NUM_ZERO:
		return fp_zero(to, a.sign);
	case NUM_INF:
		return fp_inf(to, a.sign);
	case NUM_SNAN:
		return fp_invalid(to, env);
	default:
		return fp_nan(to);
	}
}

uint64_t fp_convert(enum fp_fmt to, enum fp_fmt from, uint64_t a, struct fp_env *env)
{
	/* The two that programs use much; the others share code that looks the widths up. */
	if (to == FP_D && from == FP_S)
		return convert(FP_D, FP_S, a, env);
	if (to == FP_S && from == FP_D)
		return convert(FP_S, FP_D, a, env);
	return convert(to, from, a, env);
}

static uint64_t from_magnitude(enum fp_fmt fmt, bool sign, uint64_t mag, struct fp_env *env)
{
	if (mag == 0)
		return 0;
	const int shift = (int)clz64(mag);

	switch (fmt) {
	case FP_H:
		return fp_pack(FP_H, sign, 63 - shift, mag << shift, env);
	case FP_S:
		return fp_pack(FP_S, sign, 63 - shift, mag << shift, env);
	default:
		return fp_pack(FP_D, sign, 63 - shift, mag << shift, env);
	}
}

uint64_t fp_from_i64(enum fp_fmt fmt, int64_t i, struct fp_env *env)
{
	return from_magnitude(fmt, i < 0, i < 0 ? -(uint64_t)i : (uint64_t)i, env);
}

uint64_t fp_from_u64(enum fp_fmt fmt, uint64_t u, struct fp_env *env)
{
	return from_magnitude(fmt, false, u, env);
}

/* The magnitude of a finite number below 2^64, rounded to an integer. */
static uint64_t to_magnitude(struct fp_num a, unsigned rm, bool *inexact)
{
	uint64_t kept = 0, rest = 0;

	if (a.exp < 0) {
		rest = fp_shift_jam(a.sig, -1 - a.exp);
	} else if (a.exp < 63) {
		kept = a.sig >> (63 - a.exp);
		rest = a.sig << (a.exp + 1);
	} else {
		kept = a.sig;
	}
	*inexact = rest != 0;
	/* No overflow: a rest leaves at most 63 bits before it. */
	return kept + fp_rounds_away(rm, a.sign, kept & 1, rest);
}

/* The low `bits` bits of x, sign-extended: how RISC-V keeps each 32-bit integer. */
static uint64_t extend(uint64_t x, unsigned bits)
{
	return bits == 32 ? (uint64_t)(int64_t)(int32_t)(uint32_t)x : x;
}

uint64_t fp_to_int(
    enum fp_fmt fmt, uint64_t bits, unsigned width, bool is_signed, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(fmt, bits);
	const bool minus = a.sign && !fp_kind_is_nan(a.kind);
	const uint64_t all = UINT64_MAX >> (64 - width);
	const uint64_t limit = is_signed ? all / 2 + minus : minus ? 0 : all;

	if (a.kind == NUM_ZERO)
		return 0;
	if (a.kind == NUM_FINITE && a.exp < 64) {
		bool inexact;
		const uint64_t mag = to_magnitude(a, env->rm, &inexact);
		if (mag <= limit) {
			env->flags |= inexact ? FP_NX : 0;
			return extend(minus ? -mag : mag, width);
		}
	}
	env->flags |= FP_NV;
	return extend(minus ? -limit : limit, width);
}

uint64_t fp_to_int_mod(uint64_t bits, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(FP_D, bits);
	/* The flags are FCVT.W.D's. */
	struct fp_env towards_zero = { .rm = FP_RTZ, .flags = env->flags };
	uint64_t mag = 0;

	fp_to_int(FP_D, bits, 32, true, &towards_zero);
	env->flags = towards_zero.flags;
	if (a.kind != NUM_FINITE || a.exp < 0)
		return 0;
	if (a.exp < 64)
		mag = a.sig >> (63 - a.exp);
	else if (a.exp < 64 + 63)
		mag = a.sig << (a.exp - 63);
	return extend(a.sign ? -mag : mag, 32);
}

uint64_t fp_round(enum fp_fmt fmt, uint64_t bits, bool exact, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(fmt, bits);
	bool inexact;

	if (a.kind == NUM_SNAN)
		return fp_invalid(fmt, env);
	if (a.kind == NUM_QNAN)
		return fp_nan(fmt);
	if (a.kind != NUM_FINITE || a.exp >= fp_shapes[fmt].frac)
		return bits & (2 * fp_sign_bit(fmt) - 1);

	const uint64_t mag = to_magnitude(a, env->rm, &inexact);
	if (exact && inexact)
		env->flags |= FP_NX;
	return fp_zero(fmt, a.sign) | from_magnitude(fmt, false, mag, env);
}
