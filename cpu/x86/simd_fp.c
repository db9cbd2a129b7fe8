/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 4.8, 4.9, 11.5 and appendix E; volume 2, "Operation" of each instruction.
 *
 * Floating-point arithmetic of SSE to AVX2, in software, exact in results and flags.  Scalars are
 * packed operations of 4 or 8 bytes (simd.bytes).  RCPPS and RSQRTPS are the correctly rounded
 * quotients, which is within the manual's bounds; the host's (host_simd.c) are coarser.
 */
#include "cpu/x86/simd_fp.h"

/* SDM volume 1, 4.9.1.5: tiny results are found after rounding; a masked underflow is one only if
 * it is inexact, an unmasked one always.  Flush-to-zero needs a masked one (10.2.3.3). */
uint64_t sse_result(struct simd *v, enum fp_fmt f, uint64_t r, unsigned flags, bool denormal)
{
	const bool masked = v->mxcsr & MXCSR_UE << MXCSR_MASK_SHIFT;

	if (flags & FP_NV)
		return sse_invalid(v, f);
	v->pre |= (flags & FP_DZ ? MXCSR_ZE : denormal ? MXCSR_DE : 0);
	v->post |= (flags & FP_OF ? MXCSR_OE : 0) | (flags & FP_NX ? MXCSR_PE : 0);
	if (likely(!(flags & FP_UF) && !sse_is_denormal(f, r)))
		return r;
	if (masked && (v->mxcsr & MXCSR_FTZ)) {
		v->post |= MXCSR_UE | MXCSR_PE;
		return r & fp_sign_bit(f);
	}
	if (!masked || (flags & FP_UF))
		v->post |= MXCSR_UE;
	return r;
}

bool sse_is_open(const struct simd *v, enum fp_fmt f, uint64_t r, unsigned flags)
{
	const uint32_t open = ~(v->mxcsr >> MXCSR_MASK_SHIFT);
	const bool tiny = (flags & FP_UF) || sse_is_denormal(f, r);

	return ((flags & FP_OF) && (open & MXCSR_OE)) || (tiny && (open & MXCSR_UE));
}

/* Where the exponent of a number is, and the same number with another one. */
static int exponent(enum fp_fmt f, uint64_t a)
{
	const struct fp_num n = fp_unpack(f, a);

	return n.kind == NUM_FINITE ? n.exp : 0;
}

uint64_t sse_with_exponent(enum fp_fmt f, uint64_t a, int exp)
{
	const struct fp_num n = fp_unpack(f, a);
	struct fp_env env = { 0 };

	/* Out of range: no result is exact with such an operand beside another. */
	if (exp < 3 - fp_bias(f))
		exp = 3 - fp_bias(f);
	if (exp > fp_bias(f) - 3)
		exp = fp_bias(f) - 3;
	return n.kind == NUM_FINITE ? fp_pack(f, n.sign, exp, n.sig, &env) : a;
}

typedef uint64_t binary_fn(enum fp_fmt, uint64_t, uint64_t, struct fp_env *);

static ALWAYS_INLINE uint64_t binary(
    struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b, binary_fn *fn)
{
	struct fp_env env = { .rm = sse_rm(v->mxcsr) };
	bool denormal = false;

	if (unlikely(sse_is_nan(f, a) || sse_is_nan(f, b)))
		return sse_nan(v, f, a, b);
	a = sse_operand(v, f, a, &denormal);
	b = sse_operand(v, f, b, &denormal);

	const uint64_t r = fn(f, a, b, &env);

	if (unlikely(sse_is_open(v, f, r, env.flags))) {
		const bool sum = fn == fp_add || fn == fp_sub;
		struct fp_env wide = { .rm = env.rm };

		/* Only sums that overflow may be inexact. */
		if (sum && (env.flags & FP_OF))
			fn(f, sse_with_exponent(f, a, exponent(f, a) - 4),
			    sse_with_exponent(f, b, exponent(f, b) - 4), &wide);
		else if (!sum)
			fn(f, sse_with_exponent(f, a, 0), sse_with_exponent(f, b, 0), &wide);
		env.flags = (uint8_t)((env.flags & ~FP_NX) | (wide.flags & FP_NX));
	}
	return sse_result(v, f, r, env.flags, denormal);
}

uint64_t sse_add(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	return binary(v, f, a, b, fp_add);
}

uint64_t sse_sub(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	return binary(v, f, a, b, fp_sub);
}

uint64_t sse_mul(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	return binary(v, f, a, b, fp_mul);
}

static uint64_t sse_div(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	return binary(v, f, a, b, fp_div);
}

static uint64_t sse_sqrt(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	struct fp_env env = { .rm = sse_rm(v->mxcsr) };
	bool denormal = false;

	(void)a;
	if (unlikely(sse_is_nan(f, b)))
		return sse_nan(v, f, b, b);
	b = sse_operand(v, f, b, &denormal);

	const uint64_t r = fp_sqrt(f, b, &env);

	return sse_result(v, f, r, env.flags, denormal);
}

/* The second operand unless the first one is less (greater): for NaNs and zeros, too. */
static ALWAYS_INLINE uint64_t choose(
    struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b, bool want_less)
{
	struct fp_env env = { 0 };
	bool denormal = false;

	a = sse_operand(v, f, a, &denormal);
	b = sse_operand(v, f, b, &denormal);
	if (unlikely(sse_is_nan(f, a) || sse_is_nan(f, b))) {
		v->pre |= MXCSR_IE;
		return b;
	}
	if (denormal)
		v->pre |= MXCSR_DE;
	return (want_less ? fp_lt(f, a, b, &env) : fp_lt(f, b, a, &env)) ? a : b;
}

static uint64_t sse_min(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	return choose(v, f, a, b, true);
}

static uint64_t sse_max(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	return choose(v, f, a, b, false);
}

/* The order of a and b: 0 less, 1 equal, 2 greater, 3 unordered.  `all`: quiet NaNs are invalid. */
static unsigned order(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b, bool all)
{
	struct fp_env env = { 0 };
	bool denormal = false;

	if (unlikely(sse_is_nan(f, a) || sse_is_nan(f, b))) {
		if (all || sse_is_snan(f, a) || sse_is_snan(f, b))
			v->pre |= MXCSR_IE;
		return 3;
	}
	a = sse_operand(v, f, a, &denormal);
	b = sse_operand(v, f, b, &denormal);
	if (denormal)
		v->pre |= MXCSR_DE;
	return fp_lt(f, a, b, &env) ? 0 : fp_eq(f, a, b, &env) ? 1 : 2;
}

/* SDM volume 2, CMPPD, table 3-1: for each predicate, a bit for each order that makes it true, and
 * whether quiet NaNs are invalid (16). */
static uint64_t sse_cmp(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	enum { LT = 1, EQ = 2, GT = 4, UN = 8, ALL = 16 };
	static const uint8_t table[16] = {
		EQ, LT | ALL, LT | EQ | ALL, UN,                               /* 0 to 3 */
		LT | GT | UN, EQ | GT | UN | ALL, GT | UN | ALL, LT | EQ | GT, /* to 7 */
		EQ | UN, LT | UN | ALL, LT | EQ | UN | ALL, 0,                 /* to 11 */
		LT | GT, EQ | GT | ALL, GT | ALL, LT | EQ | GT | UN,           /* to 15 */
	};
	const unsigned row = table[v->imm & 15];
	/* From 16 on: the same with the other rule for quiet NaNs. */
	const bool all = ((row & ALL) != 0) != ((v->imm & 16) != 0);

	return row >> order(v, f, a, b, all) & 1 ? UINT64_MAX : 0;
}

/* ROUNDPS: bit 2 of imm takes MXCSR's mode, bit 3 keeps PE quiet. */
static uint64_t sse_round(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	struct fp_env env = { .rm = sse_rm(v->imm & 4 ? v->mxcsr : v->imm << MXCSR_RC_SHIFT) };
	bool denormal = false;

	(void)a;
	if (unlikely(sse_is_nan(f, b)))
		return sse_nan(v, f, b, b);

	const uint64_t r = fp_round(f, sse_operand(v, f, b, &denormal), true, &env);

	if ((env.flags & FP_NX) && !(v->imm & 8))
		v->post |= MXCSR_PE;
	return r;
}

/* Approximations: no exceptions, denormals are zeros on both sides. */
static ALWAYS_INLINE uint64_t approximate(
    enum fp_fmt f, uint64_t b, uint64_t (*fn)(enum fp_fmt, uint64_t))
{
	if (sse_is_nan(f, b))
		return sse_quiet(f, b);
	if (sse_is_denormal(f, b))
		b &= fp_sign_bit(f);

	const uint64_t r = fn(f, b);

	return sse_is_denormal(f, r) ? r & fp_sign_bit(f) : r;
}

static uint64_t one(enum fp_fmt f)
{
	return (uint64_t)fp_bias(f) << fp_shapes[f].frac;
}

static uint64_t reciprocal(enum fp_fmt f, uint64_t b)
{
	struct fp_env env = { .rm = FP_RNE };

	return fp_div(f, one(f), b, &env);
}

static uint64_t reciprocal_root(enum fp_fmt f, uint64_t b)
{
	struct fp_env env = { .rm = FP_RNE };
	const uint64_t r = fp_div(f, one(f), fp_sqrt(f, b, &env), &env);

	return sse_is_nan(f, r) ? sse_default_nan(f) : r;
}

static uint64_t sse_rcp(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	(void)v, (void)a;
	return approximate(f, b, reciprocal);
}

static uint64_t sse_rsqrt(struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b)
{
	(void)v, (void)a;
	return approximate(f, b, reciprocal_root);
}

/* An operation on each element at the same place. */
#define EACH(name, bits, fmt, fn)                                                                  \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < v->bytes * 8 / (bits); i++)                               \
			simd_put(v->d, bits, i,                                                    \
			    fn(v, fmt, simd_u(v->a, bits, i), simd_u(v->b, bits, i)));             \
	}

#define BOTH(name) EACH(name##ps, 32, FP_S, sse_##name) EACH(name##pd, 64, FP_D, sse_##name)

BOTH(add)
BOTH(sub)
BOTH(mul)
BOTH(div)
BOTH(sqrt)
BOTH(min)
BOTH(max)
BOTH(cmp)
BOTH(round)
EACH(rcpps, 32, FP_S, sse_rcp)
EACH(rsqrtps, 32, FP_S, sse_rsqrt)

/* Even elements are differences, odd ones sums. */
#define ADDSUB(name, bits, fmt)                                                                    \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < 128 / (bits); i++) {                                      \
			const uint64_t a = simd_u(v->a, bits, i), b = simd_u(v->b, bits, i);       \
                                                                                                   \
			simd_put(                                                                  \
			    v->d, bits, i, i & 1 ? sse_add(v, fmt, a, b) : sse_sub(v, fmt, a, b)); \
		}                                                                                  \
	}

ADDSUB(addsubps, 32, FP_S)
ADDSUB(addsubpd, 64, FP_D)

/* Neighbours of a, then of b. */
#define PAIRS(name, bits, fmt, fn)                                                                 \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		uint64_t r[2] = { 0, 0 };                                                          \
                                                                                                   \
		for (unsigned i = 0; i < 128 / (bits); i++) {                                      \
			const uint64_t *from = i < 64 / (bits) ? v->a : v->b;                      \
			const unsigned at = 2 * (i % (64 / (bits)));                               \
                                                                                                   \
			simd_put(r, bits, i,                                                       \
			    fn(v, fmt, simd_u(from, bits, at), simd_u(from, bits, at + 1)));       \
		}                                                                                  \
		v->d[0] = r[0];                                                                    \
		v->d[1] = r[1];                                                                    \
	}

PAIRS(haddps, 32, FP_S, sse_add)
PAIRS(haddpd, 64, FP_D, sse_add)
PAIRS(hsubps, 32, FP_S, sse_sub)
PAIRS(hsubpd, 64, FP_D, sse_sub)

/* Between two steps of one instruction: what the next one finds comes after what this one met. */
static void step(struct simd *v, unsigned i)
{
	v->step_pre[i] = v->pre;
	v->step_post[i] = v->post;
	v->pre = v->post = 0;
}

/* Products that bits 4 to 7 of imm choose, their sum in the elements that bits 0 to 3 choose. */
void simd_dpps(struct simd *v)
{
	uint64_t t[4] = { 0, 0, 0, 0 };

	for (unsigned i = 0; i < 4; i++) {
		if (v->imm >> (4 + i) & 1)
			t[i] = sse_mul(v, FP_S, simd_u(v->a, 32, i), simd_u(v->b, 32, i));
	}
	step(v, 0);

	const uint64_t low = sse_add(v, FP_S, t[0], t[1]);
	const uint64_t high = sse_add(v, FP_S, t[2], t[3]);

	step(v, 1);

	const uint64_t sum = sse_add(v, FP_S, low, high);

	for (unsigned i = 0; i < 4; i++)
		simd_put(v->d, 32, i, v->imm >> i & 1 ? sum : 0);
}

void simd_dppd(struct simd *v)
{
	uint64_t t[2] = { 0, 0 };

	for (unsigned i = 0; i < 2; i++) {
		if (v->imm >> (4 + i) & 1)
			t[i] = sse_mul(v, FP_D, v->a[i], v->b[i]);
	}
	step(v, 0);

	const uint64_t sum = sse_add(v, FP_D, t[0], t[1]);

	for (unsigned i = 0; i < 2; i++)
		v->d[i] = v->imm >> i & 1 ? sum : 0;
}

/* d: 0 less, 1 equal, 2 greater, 3 unordered; COMISS and UCOMISS. */
#define COMPARE(name, bits, fmt, all)                                                              \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		v->d[0] = order(v, fmt, simd_u(v->a, bits, 0), simd_u(v->b, bits, 0), all);        \
	}

COMPARE(comiss, 32, FP_S, true)
COMPARE(comisd, 64, FP_D, true)
COMPARE(ucomiss, 32, FP_S, false)
COMPARE(ucomisd, 64, FP_D, false)

/* a * b + d with one rounding: SDM volume 1, 14.5; NaNs: table 14-16. */
static uint64_t fused(
    struct simd *v, enum fp_fmt f, uint64_t a, uint64_t b, uint64_t d, bool minus, bool minus_d)
{
	struct fp_env env = { .rm = sse_rm(v->mxcsr) };
	const uint64_t sign = fp_sign_bit(f);
	bool denormal = false;

	if (unlikely(sse_is_nan(f, a) || sse_is_nan(f, b) || sse_is_nan(f, d))) {
		if (sse_is_snan(f, a) || sse_is_snan(f, b) || sse_is_snan(f, d))
			v->pre |= MXCSR_IE;
		return sse_quiet(f, sse_is_nan(f, a) ? a : sse_is_nan(f, b) ? b : d);
	}
	a = sse_operand(v, f, a, &denormal);
	b = sse_operand(v, f, b, &denormal);
	d = sse_operand(v, f, d, &denormal);

	a ^= minus ? sign : 0;
	d ^= minus_d ? sign : 0;

	const uint64_t r = fp_fma(f, a, b, d, &env);

	if (unlikely(sse_is_open(v, f, r, env.flags))) {
		struct fp_env wide = { .rm = env.rm };
		const int exp = exponent(f, d) - exponent(f, a) - exponent(f, b);

		fp_fma(f, sse_with_exponent(f, a, 0), sse_with_exponent(f, b, 0),
		    sse_with_exponent(f, d, exp), &wide);
		env.flags = (uint8_t)((env.flags & ~FP_NX) | (wide.flags & FP_NX));
	}

	return sse_result(v, f, r, env.flags, denormal);
}

#define FUSED(name, bits, fmt, minus, minus_d)                                                     \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < v->bytes * 8 / (bits); i++)                               \
			simd_put(v->d, bits, i,                                                    \
			    fused(v, fmt, simd_u(v->a, bits, i), simd_u(v->b, bits, i),            \
				simd_u(v->d, bits, i), minus, minus_d));                           \
	}

FUSED(fmaddps, 32, FP_S, false, false)
FUSED(fmaddpd, 64, FP_D, false, false)
FUSED(fmsubps, 32, FP_S, false, true)
FUSED(fmsubpd, 64, FP_D, false, true)
FUSED(fnmaddps, 32, FP_S, true, false)
FUSED(fnmaddpd, 64, FP_D, true, false)
FUSED(fnmsubps, 32, FP_S, true, true)
FUSED(fnmsubpd, 64, FP_D, true, true)
FUSED(fmaddsubps, 32, FP_S, false, !(i & 1))
FUSED(fmaddsubpd, 64, FP_D, false, !(i & 1))
FUSED(fmsubaddps, 32, FP_S, false, i & 1)
FUSED(fmsubaddpd, 64, FP_D, false, i & 1)
