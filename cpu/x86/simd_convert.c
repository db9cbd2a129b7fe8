/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 11.5.2 and table E-?; volume 2, "Operation" of each instruction.
 *
 * Conversions of SSE, SSE2 and F16C in software.  Integers that are out of range are invalid and
 * become the integer indefinite value.  Where elements get wider, b holds those of this lane from
 * bit 0 on; where they get narrower, the result is the low half of d.
 */
#include "cpu/x86/simd_fp.h"

static uint64_t to_int(struct simd *v, enum fp_fmt f, uint64_t a, unsigned bits, bool truncate)
{
	struct fp_env env = { .rm = truncate ? FP_RTZ : sse_rm(v->mxcsr) };
	bool denormal = false;
	const uint64_t r = fp_to_int(f, sse_operand(v, f, a, &denormal), bits, true, &env);

	if (env.flags & FP_NV) {
		v->pre |= MXCSR_IE;
		return UINT64_C(1) << (bits - 1);
	}
	v->post |= env.flags & FP_NX ? MXCSR_PE : 0;
	return bits == 32 ? r & UINT32_MAX : r;
}

static uint64_t from_int(struct simd *v, enum fp_fmt f, int64_t i)
{
	struct fp_env env = { .rm = sse_rm(v->mxcsr) };
	const uint64_t r = fp_from_i64(f, i, &env);

	v->post |= env.flags & FP_NX ? MXCSR_PE : 0;
	return r;
}

/* A NaN keeps its sign and the upper bits of its payload. */
static uint64_t convert_nan(enum fp_fmt to, enum fp_fmt from, uint64_t a)
{
	const int shift = fp_shapes[from].frac - fp_shapes[to].frac;
	const uint64_t frac = sse_quiet(from, a) & ((UINT64_C(1) << fp_shapes[from].frac) - 1);

	return fp_inf(to, a & fp_sign_bit(from)) | (shift > 0 ? frac >> shift : frac << -shift);
}

static uint64_t convert(struct simd *v, enum fp_fmt to, enum fp_fmt from, uint64_t a)
{
	struct fp_env env = { .rm = sse_rm(v->mxcsr) };
	bool denormal = false;

	if (sse_is_nan(from, a)) {
		v->pre |= sse_is_snan(from, a) ? MXCSR_IE : 0;
		return convert_nan(to, from, a);
	}
	/* Half precision has neither denormal operands nor flushed results for MXCSR. */
	if (from != FP_H)
		a = sse_operand(v, from, a, &denormal);

	const uint64_t r = fp_convert(to, from, a, &env);

	if (unlikely(sse_is_open(v, to, r, env.flags))) {
		struct fp_env wide = { .rm = env.rm };

		fp_convert(to, from, sse_with_exponent(from, a, 0), &wide);
		env.flags = (uint8_t)((env.flags & ~FP_NX) | (wide.flags & FP_NX));
	}
	if (to != FP_H)
		return sse_result(v, to, r, env.flags, denormal);

	const uint32_t mxcsr = v->mxcsr;

	v->mxcsr &= ~(uint32_t)MXCSR_FTZ;
	sse_result(v, to, r, env.flags, denormal);
	v->mxcsr = mxcsr;
	return r;
}

/* n elements of `from` bits to as many of `to` bits; x is the one to convert. */
#define CONVERT(name, n, to, from, expr)                                                           \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		uint64_t r[2] = { 0, 0 };                                                          \
                                                                                                   \
		for (unsigned i = 0; i < (n); i++) {                                               \
			const uint64_t x = simd_u(v->b, from, i);                                  \
                                                                                                   \
			simd_put(r, to, i, expr);                                                  \
		}                                                                                  \
		v->d[0] = r[0];                                                                    \
		v->d[1] = r[1];                                                                    \
	}

CONVERT(cvtdq2ps, 4, 32, 32, from_int(v, FP_S, (int32_t)(uint32_t)x))
CONVERT(cvtdq2pd, 2, 64, 32, from_int(v, FP_D, (int32_t)(uint32_t)x))
CONVERT(cvtps2dq, 4, 32, 32, to_int(v, FP_S, x, 32, false))
CONVERT(cvttps2dq, 4, 32, 32, to_int(v, FP_S, x, 32, true))
CONVERT(cvtpd2dq, 2, 32, 64, to_int(v, FP_D, x, 32, false))
CONVERT(cvttpd2dq, 2, 32, 64, to_int(v, FP_D, x, 32, true))
CONVERT(cvtps2pd, 2, 64, 32, convert(v, FP_D, FP_S, x))
CONVERT(cvtpd2ps, 2, 32, 64, convert(v, FP_S, FP_D, x))
CONVERT(cvtph2ps, 4, 32, 16, convert(v, FP_S, FP_H, x))
/* To and from MMX: two elements. */
CONVERT(cvtpi2ps, 2, 32, 32, from_int(v, FP_S, (int32_t)(uint32_t)x))
CONVERT(cvtps2pi, 2, 32, 32, to_int(v, FP_S, x, 32, false))
CONVERT(cvttps2pi, 2, 32, 32, to_int(v, FP_S, x, 32, true))
/* Scalars. */
CONVERT(cvtss2sd, 1, 64, 32, convert(v, FP_D, FP_S, x))
CONVERT(cvtsd2ss, 1, 32, 64, convert(v, FP_S, FP_D, x))
/* imm: the bits of the integer. */
CONVERT(cvtss2si, 1, 64, 32, to_int(v, FP_S, x, v->imm, false))
CONVERT(cvttss2si, 1, 64, 32, to_int(v, FP_S, x, v->imm, true))
CONVERT(cvtsd2si, 1, 64, 64, to_int(v, FP_D, x, v->imm, false))
CONVERT(cvttsd2si, 1, 64, 64, to_int(v, FP_D, x, v->imm, true))
CONVERT(cvtsi2ss, 1, 32, 64, from_int(v, FP_S, v->imm == 64 ? (int64_t)x : (int32_t)(uint32_t)x))
CONVERT(cvtsi2sd, 1, 64, 64, from_int(v, FP_D, v->imm == 64 ? (int64_t)x : (int32_t)(uint32_t)x))

/* VCVTPS2PH: bit 2 of imm takes MXCSR's rounding mode, else bits 0 and 1. */
void simd_cvtps2ph(struct simd *v)
{
	const uint32_t mxcsr = v->mxcsr;
	uint64_t r[2] = { 0, 0 };

	if (!(v->imm & 4))
		v->mxcsr = (mxcsr & ~(uint32_t)MXCSR_RC) | (v->imm & 3) << MXCSR_RC_SHIFT;
	for (unsigned i = 0; i < 4; i++)
		simd_put(r, 16, i, convert(v, FP_H, FP_S, simd_u(v->b, 32, i)));
	v->mxcsr = mxcsr;
	v->d[0] = r[0];
	v->d[1] = r[1];
}
