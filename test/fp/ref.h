/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_FP_REF_H
#define TEST_FP_REF_H

/*
 * What fp/ is tested against: operands that are likely to hurt, a slow rounder that finds a result
 * by bisection over all values of the format, and the host's own arithmetic. Each test gives a seed
 * of its own; the sequence is the same at each run.
 */
#include <fenv.h>
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* After those that it needs. */
#include <cmocka.h>

#include "base/compiler.h"
#include "fp/fp.h"

static const struct {
	const char *name;
	int frac, bits, bias;
} ref_fmt[] = {
	[FP_H] = { "H", 10, 16, 15 },
	[FP_S] = { "S", 23, 32, 127 },
	[FP_D] = { "D", 52, 64, 1023 },
};

static inline uint64_t ref_sign(enum fp_fmt fmt)
{
	return UINT64_C(1) << (ref_fmt[fmt].bits - 1);
}

static inline uint64_t ref_inf(enum fp_fmt fmt)
{
	return (UINT64_C(2) * (uint64_t)ref_fmt[fmt].bias + 1) << ref_fmt[fmt].frac;
}

static inline uint64_t ref_qnan(enum fp_fmt fmt)
{
	return ref_inf(fmt) | UINT64_C(1) << (ref_fmt[fmt].frac - 1);
}

static inline uint64_t ref_snan(enum fp_fmt fmt)
{
	return ref_inf(fmt) | 1;
}

static inline uint64_t ref_one(enum fp_fmt fmt)
{
	return (uint64_t)ref_fmt[fmt].bias << ref_fmt[fmt].frac;
}

static inline uint64_t ref_magnitude(enum fp_fmt fmt, uint64_t a)
{
	return a & (ref_sign(fmt) - 1);
}

static inline bool ref_finite(enum fp_fmt fmt, uint64_t a)
{
	return ref_magnitude(fmt, a) < ref_inf(fmt);
}

/* splitmix64 */
static inline uint64_t ref_random(uint64_t *seed)
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Any bits, or such as end a format or a carry: few bits set or clear, extreme exponents. */
static inline uint64_t ref_operand(enum fp_fmt fmt, uint64_t *seed)
{
	const int width = ref_fmt[fmt].frac;
	const uint64_t all = UINT64_C(1) << width, r = ref_random(seed);
	const uint64_t bit = all >> (r >> 8 & 63) % (uint64_t)(width + 1);
	uint64_t exp = r >> 40, frac = ref_random(seed);

	switch (r & 7) {
	case 0:
		frac = 0;
		break;
	case 1:
		frac = bit;
		break;
	case 2:
		frac = all - bit;
		break;
	case 3:
		frac = bit - 1;
		break;
	case 4:
		frac = bit ^ frac % 4;
		break;
	default:
		break;
	}
	switch (r >> 3 & 7) {
	case 0:
		exp = 0;
		break;
	case 1:
		exp = ref_inf(fmt) >> width;
		break;
	case 2:
		exp %= 4;
		break;
	case 3:
		exp = (ref_inf(fmt) >> width) - exp % 4;
		break;
	case 4:
		exp = (uint64_t)ref_fmt[fmt].bias - 3 + exp % 8;
		break;
	default:
		break;
	}
	const uint64_t mag = (exp << width | (frac & (all - 1))) & (ref_sign(fmt) - 1);
	return mag | (r >> 63 ? ref_sign(fmt) : 0);
}

static inline uint64_t ref_finite_operand(enum fp_fmt fmt, uint64_t *seed)
{
	uint64_t a;

	do
		a = ref_operand(fmt, seed);
	while (!ref_finite(fmt, a));
	return a;
}

/* One that may meet `a` closely in a sum, or any other. May be infinite if `a` is large. */
static inline uint64_t ref_neighbour(enum fp_fmt fmt, uint64_t a, uint64_t *seed)
{
	const uint64_t r = ref_random(seed), ulp = UINT64_C(1) << ref_fmt[fmt].frac;
	const uint64_t all = 2 * ref_sign(fmt) - 1;

	switch (r & 3) {
	case 0:
		return ((a ^ ref_sign(fmt)) + (r >> 4) % 8 - 4) & all;
	case 1:
		return ((a ^ (r >> 32 & ref_sign(fmt))) + ((r >> 4) % 8 - 4) * ulp) & all;
	default:
		return ref_operand(fmt, seed);
	}
}

/* The exact value (sig + x) * 2^exp, 0 < x < 1 if `more`, else x = 0. */
struct ref_val {
	bool sign, more;
	int exp;
	u128 sig;
};

static inline struct ref_val ref_value(enum fp_fmt fmt, uint64_t a)
{
	const int width = ref_fmt[fmt].frac;
	const uint64_t mag = ref_magnitude(fmt, a), exp = mag >> width;
	const uint64_t frac = mag - (exp << width);

	return (struct ref_val){
		.sign = (a & ref_sign(fmt)) != 0,
		.exp = (exp ? (int)exp : 1) - ref_fmt[fmt].bias - width,
		.sig = exp ? frac + (UINT64_C(1) << width) : frac,
	};
}

/* The same value with bit 125 of sig set, which takes no bit away; zero stays. */
static inline struct ref_val ref_normal(struct ref_val v)
{
	for (int step = 64; step != 0 && v.sig != 0; step /= 2) {
		while (v.sig >> (126 - step) == 0) {
			v.sig <<= step;
			v.exp -= step;
		}
	}
	return v;
}

/* The order of |v| and m * 2^exp: less than, equal to or greater than zero. */
static inline int ref_compare(struct ref_val v, uint64_t m, int exp)
{
	const struct ref_val w = ref_normal((struct ref_val){ .sig = m, .exp = exp });

	v = ref_normal(v);
	if (v.sig == 0 || m == 0)
		return (v.sig != 0) - (m != 0);
	if (v.exp != w.exp)
		return v.exp < w.exp ? -1 : 1;
	if (v.sig != w.sig)
		return v.sig < w.sig ? -1 : 1;
	return v.more;
}

/* IEEE 754-2008, 4.3. v.sig has at least 60 bits, unless v is exact. Sets FP_NX and FP_OF. */
static inline uint64_t ref_nearest(enum fp_fmt fmt, struct ref_val v, unsigned rm, unsigned *flags)
{
	const uint64_t sign = v.sign ? ref_sign(fmt) : 0;
	uint64_t low = 0, high = ref_inf(fmt);

	v = ref_normal(v);
	while (high - low > 1) {
		const uint64_t mid = (low + high) / 2;
		const struct ref_val w = ref_value(fmt, mid);
		if (ref_compare(v, (uint64_t)w.sig, w.exp) < 0)
			high = mid;
		else
			low = mid;
	}
	const struct ref_val w = ref_value(fmt, low);
	const uint64_t m = (uint64_t)w.sig;
	if (ref_compare(v, m, w.exp) == 0)
		return sign | low;
	*flags |= FP_NX;

	const int half = ref_compare(v, 2 * m + 1, w.exp - 1);
	const bool away[] = {
		[FP_RNE] = half > 0 || (half == 0 && low % 2 == 1),
		[FP_RTZ] = false,
		[FP_RDN] = v.sign,
		[FP_RUP] = !v.sign,
		[FP_RMM] = half >= 0,
	};
	/* Infinity stands for the next value with an unbounded exponent. */
	const bool beyond = ref_compare(v, m + 1, w.exp) >= 0;
	if (low + 1 == ref_inf(fmt) && (beyond || away[rm]))
		*flags |= FP_OF;
	return sign | (low + away[rm]);
}

static inline uint64_t ref_round(enum fp_fmt fmt, struct ref_val v, unsigned rm, unsigned *flags)
{
	const uint64_t result = ref_nearest(fmt, v, rm, flags);
	const uint64_t least = UINT64_C(1) << ref_fmt[fmt].frac;
	unsigned ignored = 0;

	/* IEEE 754-2008, 7.5 a: four times the value has the precision of an unbounded exponent
	 * where it matters. */
	v.exp += 2;
	if (*flags & FP_NX && ref_magnitude(fmt, ref_nearest(fmt, v, rm, &ignored)) < 3 * least)
		*flags |= FP_UF;
	return result;
}

/* FP_UF where the host detects tininess after rounding, as RISC-V does; else no bit. */
static inline unsigned ref_host_underflow(void)
{
	volatile double x = 1 + DBL_EPSILON, y = DBL_MIN - DBL_MIN * DBL_EPSILON, z;

	feclearexcept(FE_ALL_EXCEPT);
	z = x * y;
	(void)z;
	return fetestexcept(FE_UNDERFLOW) ? 0 : FP_UF;
}

/* The flags that the host raised since feclearexcept(). */
static inline unsigned ref_host_flags(void)
{
	const int e = fetestexcept(FE_ALL_EXCEPT);

	return (e & FE_INEXACT ? FP_NX : 0u) | (e & FE_UNDERFLOW ? FP_UF : 0u) |
	       (e & FE_OVERFLOW ? FP_OF : 0u) | (e & FE_DIVBYZERO ? FP_DZ : 0u) |
	       (e & FE_INVALID ? FP_NV : 0u);
}

static const int ref_host_rm[] = {
	[FP_RNE] = FE_TONEAREST,
	[FP_RTZ] = FE_TOWARDZERO,
	[FP_RDN] = FE_DOWNWARD,
	[FP_RUP] = FE_UPWARD,
};

static inline double ref_to_double(uint64_t a)
{
	double d;

	memcpy(&d, &a, sizeof(d));
	return d;
}

static inline float ref_to_float(uint64_t a)
{
	const uint32_t low = (uint32_t)a;
	float f;

	memcpy(&f, &low, sizeof(f));
	return f;
}

/* The bits of a result, any NaN made canonical. */
static inline uint64_t ref_from_double(double d)
{
	uint64_t a;

	memcpy(&a, &d, sizeof(a));
	return d != d ? ref_qnan(FP_D) : a;
}

static inline uint64_t ref_from_float(float f)
{
	uint32_t a;

	memcpy(&a, &f, sizeof(a));
	return f != f ? ref_qnan(FP_S) : a;
}

#endif
