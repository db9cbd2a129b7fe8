/* SPDX-License-Identifier: BSD-2-Clause */
#include "fp/num.h"

/* IEEE 754-2008, 7.5. The result is tiny if it is below the least normal number after rounding to
 * the format's precision with an unbounded exponent. */
uint64_t fp_pack_tiny(enum fp_fmt fmt, bool sign, int exp, uint64_t sig, struct fp_env *env)
{
	const int width = fp_shapes[fmt].frac;
	const int biased = exp + fp_bias(fmt);
	const uint64_t jammed = fp_shift_jam(sig, 1 - biased);
	const uint64_t kept = jammed >> (63 - width);
	const uint64_t rest = jammed << (width + 1);

	if (rest == 0)
		return fp_zero(fmt, sign) | kept;

	const uint64_t all_ones = (UINT64_C(2) << width) - 1;
	const uint64_t normal = sig >> (63 - width);
	const bool reaches_normal = biased == 0 && normal == all_ones &&
				    fp_rounds_away(env->rm, sign, true, sig << (width + 1));

	env->flags |= reaches_normal ? FP_NX : FP_NX | FP_UF;
	return fp_zero(fmt, sign) | (kept + fp_rounds_away(env->rm, sign, kept & 1, rest));
}

/* IEEE 754-2008, 7.4. */
uint64_t fp_pack_huge(enum fp_fmt fmt, bool sign, struct fp_env *env)
{
	env->flags |= FP_OF | FP_NX;
	/* Whatever rounds a rest above one half away rounds to infinity. */
	if (fp_rounds_away(env->rm, sign, true, UINT64_MAX))
		return fp_inf(fmt, sign);
	return fp_inf(fmt, sign) - 1;
}

uint64_t fp_canonical_nan(enum fp_fmt fmt)
{
	return fp_nan(fmt);
}

bool fp_is_nan(enum fp_fmt fmt, uint64_t a)
{
	return fp_kind_is_nan(fp_unpack(fmt, a).kind);
}

bool fp_is_snan(enum fp_fmt fmt, uint64_t a)
{
	return fp_unpack(fmt, a).kind == NUM_SNAN;
}
