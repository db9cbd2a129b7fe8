/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFREC7 and VFRSQRT7.  Manual: volume I, "V", "Vector Floating-Point Reciprocal Square-Root
 * Estimate Instruction" and "Vector Floating-Point Reciprocal Estimate Instruction", whose tables
 * these are.
 */
#include "cpu/riscv64/vec_fp.h"

static const uint8_t rec7[128] = { 127, 125, 123, 121, 119, 117, 116, 114, 112, 110, 109, 107, 105,
	104, 102, 100, 99, 97, 96, 94, 93, 91, 90, 88, 87, 85, 84, 83, 81, 80, 79, 77, 76, 75, 74,
	72, 71, 70, 69, 68, 66, 65, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49,
	48, 47, 46, 45, 44, 43, 42, 41, 40, 40, 39, 38, 37, 36, 35, 35, 34, 33, 32, 31, 31, 30, 29,
	28, 28, 27, 26, 25, 25, 24, 23, 23, 22, 21, 21, 20, 19, 19, 18, 17, 17, 16, 15, 15, 14, 14,
	13, 12, 12, 11, 11, 10, 9, 9, 8, 8, 7, 7, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0 };
static const uint8_t rsqrt7[128] = { 52, 51, 50, 48, 47, 46, 44, 43, 42, 41, 40, 39, 38, 36, 35, 34,
	33, 32, 31, 30, 30, 29, 28, 27, 26, 25, 24, 23, 23, 22, 21, 20, 19, 19, 18, 17, 16, 16, 15,
	14, 14, 13, 12, 12, 11, 10, 10, 9, 9, 8, 7, 7, 6, 6, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 127, 125,
	123, 121, 119, 118, 116, 114, 113, 111, 109, 108, 106, 105, 103, 102, 100, 99, 97, 96, 95,
	93, 92, 91, 90, 88, 87, 86, 85, 84, 83, 82, 80, 79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 70,
	69, 68, 67, 66, 65, 64, 63, 63, 62, 61, 60, 59, 59, 58, 57, 56, 56, 55, 54, 53 };

/* A number taken apart. */
struct parts {
	unsigned sig_bits, bias;
	int exp;      /* 0 and below: it was subnormal, and is normalised */
	uint64_t sig; /* without the leading one */
	uint64_t sign;
};

static struct parts take_apart(enum fp_fmt f, uint64_t a)
{
	struct parts p = { .sig_bits = f == FP_D ? 52 : 23, .bias = f == FP_D ? 1023 : 127 };
	const uint64_t one = 1ull << p.sig_bits;

	p.sign = a >> ((16u << f) - 1) & 1;
	p.sig = a & (one - 1);
	p.exp = (int)(a >> p.sig_bits & (2 * p.bias + 1));
	if (!p.exp && p.sig) {
		p.exp = 1;
		do {
			p.sig <<= 1;
			p.exp--;
		} while (!(p.sig & one));
		p.sig &= one - 1;
	}
	return p;
}

static uint64_t put_together(const struct parts *p, enum fp_fmt f, uint64_t exp, uint64_t sig)
{
	return p->sign << ((16u << f) - 1) | exp << p->sig_bits | sig;
}

enum { NEG_INF = 1, NEG = 2 | 4, NEG_ZERO = 8, ZERO = 16, INF = 128, SNAN = 256, QNAN = 512 };

uint64_t vec_rsqrt7(enum fp_fmt f, uint64_t a, struct fp_env *e)
{
	struct parts p = take_apart(f, a);
	const unsigned class = fp_class(f, a);
	unsigned index;

	if (class & (SNAN | NEG | NEG_INF))
		e->flags |= FP_NV;
	if (class & (SNAN | QNAN | NEG | NEG_INF))
		return fp_canonical_nan(f);
	if (class & (ZERO | NEG_ZERO)) {
		e->flags |= FP_DZ;
		return put_together(&p, f, 2 * p.bias + 1, 0);
	}
	if (class & INF)
		return 0;
	index = ((unsigned)p.exp & 1) << 6 | (unsigned)(p.sig >> (p.sig_bits - 6));
	return put_together(&p, f, (uint64_t)((int)(3 * p.bias) - 1 - p.exp) / 2,
	    (uint64_t)rsqrt7[index] << (p.sig_bits - 7));
}

/* Too small an operand: the result is infinite, or the largest number. */
static uint64_t overflow(const struct parts *p, enum fp_fmt f, struct fp_env *e)
{
	const bool largest = e->rm == FP_RTZ || e->rm == (p->sign ? FP_RUP : FP_RDN);

	e->flags |= FP_NX | FP_OF;
	if (largest)
		return put_together(p, f, 2 * p->bias, (1ull << p->sig_bits) - 1);
	return put_together(p, f, 2 * p->bias + 1, 0);
}

uint64_t vec_rec7(enum fp_fmt f, uint64_t a, struct fp_env *e)
{
	struct parts p = take_apart(f, a);
	const unsigned class = fp_class(f, a);
	uint64_t sig;
	int exp;

	if (class & SNAN)
		e->flags |= FP_NV;
	if (class & (SNAN | QNAN))
		return fp_canonical_nan(f);
	if (class & (INF | NEG_INF))
		return put_together(&p, f, 0, 0);
	if (class & (ZERO | NEG_ZERO)) {
		e->flags |= FP_DZ;
		return put_together(&p, f, 2 * p.bias + 1, 0);
	}
	exp = (int)(2 * p.bias) - 1 - p.exp;
	if (exp > (int)(2 * p.bias))
		return overflow(&p, f, e);
	sig = (uint64_t)rec7[p.sig >> (p.sig_bits - 7)] << (p.sig_bits - 7);
	if (exp <= 0) {
		sig = (sig | 1ull << p.sig_bits) >> (1 - exp);
		exp = 0;
	}
	return put_together(&p, f, (uint64_t)exp, sig);
}
