/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_SIMD_FP_H
#define CPU_X86_SIMD_FP_H

#include "cpu/x86/simd.h"
#include "fp/num.h"

/*
 * What the files of SSE floating point share: operands, results and exceptions of one element by
 * x86's rules, around fp/, which has RISC-V's.  SDM volume 1, 4.8.3.5, 4.9, 11.5.
 */

/* The most general of an operation's rounding: MXCSR.RC. */
static inline uint8_t sse_rm(uint32_t mxcsr)
{
	static const uint8_t rm[] = { FP_RNE, FP_RDN, FP_RUP, FP_RTZ };

	return rm[mxcsr >> MXCSR_RC_SHIFT & 3];
}

static ALWAYS_INLINE uint64_t sse_default_nan(enum fp_fmt f)
{
	return fp_nan(f) | fp_sign_bit(f);
}

static ALWAYS_INLINE uint64_t sse_quiet(enum fp_fmt f, uint64_t a)
{
	return a | UINT64_C(1) << (fp_shapes[f].frac - 1);
}

static ALWAYS_INLINE uint64_t sse_magnitude(enum fp_fmt f, uint64_t a)
{
	return a & (fp_sign_bit(f) - 1);
}

static ALWAYS_INLINE bool sse_is_nan(enum fp_fmt f, uint64_t a)
{
	return sse_magnitude(f, a) > fp_inf(f, false);
}

static ALWAYS_INLINE bool sse_is_snan(enum fp_fmt f, uint64_t a)
{
	return sse_is_nan(f, a) && sse_quiet(f, a) != a;
}

static ALWAYS_INLINE bool sse_is_denormal(enum fp_fmt f, uint64_t a)
{
	return sse_magnitude(f, a) - 1 < (UINT64_C(1) << fp_shapes[f].frac) - 1;
}

/* An operand after MXCSR.DAZ; notes a denormal. */
static ALWAYS_INLINE uint64_t sse_operand(
    const struct simd *v, enum fp_fmt f, uint64_t a, bool *denormal)
{
	if (likely(!sse_is_denormal(f, a)))
		return a;
	if (v->mxcsr & MXCSR_DAZ)
		return a & fp_sign_bit(f);
	*denormal = true;
	return a;
}

static ALWAYS_INLINE uint64_t sse_invalid(struct simd *v, enum fp_fmt f)
{
	v->pre |= MXCSR_IE;
	return sse_default_nan(f);
}

/* The result where a or b is a NaN (the same for one operand): the first one, made quiet. */
static inline uint64_t sse_nan(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	if (sse_is_snan(f, a) || sse_is_snan(f, b))
		v->pre |= MXCSR_IE;
	return sse_quiet(f, sse_is_nan(f, a) ? a : b);
}

/* simd_fp.c: takes the flags of fp/ for a result that fp/ made of operands that are no NaNs. */
uint64_t sse_result(struct simd *, enum fp_fmt, uint64_t r, unsigned flags, bool denormal);
/* Whether an overflow or underflow is not masked: PE then says if the result is inexact that has
 * no bounds to its exponent (SDM volume 1, 4.9.1.4, 4.9.1.5), which a computation with other
 * exponents shows. */
bool sse_is_open(const struct simd *, enum fp_fmt, uint64_t r, unsigned flags);
uint64_t sse_with_exponent(enum fp_fmt, uint64_t a, int exp);
/* One element. */
uint64_t sse_add(struct simd *, enum fp_fmt, uint64_t a, uint64_t b);
uint64_t sse_sub(struct simd *, enum fp_fmt, uint64_t a, uint64_t b);
uint64_t sse_mul(struct simd *, enum fp_fmt, uint64_t a, uint64_t b);

#endif
