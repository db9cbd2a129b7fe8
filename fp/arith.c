/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: IEEE 754-2008, sections 4, 5.4.1, 6 and 7; RISC-V unprivileged manual 20191213, chapters
 * 11 and 12, for NaNs. Each operation is written once and specialised by the switch of its public
 * function.
 */
#include "fp/num.h"

/* The result of an operation that has at least one NaN among its operands. */
static uint64_t pick_nan(enum fp_fmt fmt, enum fp_kind a, enum fp_kind b, struct fp_env *env)
{
	if (a == NUM_SNAN || b == NUM_SNAN)
		env->flags |= FP_NV;
	return fp_nan(fmt);
}

/* x - x, and sums of zeros of unlike sign: IEEE 754-2008, 6.3. */
static ALWAYS_INLINE uint64_t cancelled(enum fp_fmt fmt, const struct fp_env *env)
{
	return fp_zero(fmt, env->rm == FP_RDN);
}

/* Sums with an operand that is not finite or is zero; abits and bbits are the operands. */
static ALWAYS_INLINE uint64_t add_edge(enum fp_fmt fmt, struct fp_num a, uint64_t abits,
    struct fp_num b, uint64_t bbits, struct fp_env *env)
{
	if (fp_kind_is_nan(a.kind) || fp_kind_is_nan(b.kind))
		return pick_nan(fmt, a.kind, b.kind, env);
	if (a.kind == NUM_INF && b.kind == NUM_INF && a.sign != b.sign)
		return fp_invalid(fmt, env);
	if (a.kind == NUM_ZERO && b.kind == NUM_ZERO && a.sign != b.sign)
		return cancelled(fmt, env);
	return (a.kind == NUM_INF || b.kind == NUM_ZERO ? abits : bbits) &
	       (2 * fp_sign_bit(fmt) - 1);
}

static ALWAYS_INLINE uint64_t add(
    enum fp_fmt fmt, uint64_t abits, uint64_t bbits, struct fp_env *env)
{
	struct fp_num a = fp_unpack(fmt, abits), b = fp_unpack(fmt, bbits);

	if (unlikely(a.kind != NUM_FINITE || b.kind != NUM_FINITE))
		return add_edge(fmt, a, abits, b, bbits, env);
	if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
		const struct fp_num t = a;
		a = b;
		b = t;
	}
	/*
	 * One bit of room for the carry. A difference loses more than one leading bit only if the
	 * exponents differ by at most one, and then nothing was jammed.
	 */
	const uint64_t x = a.sig >> 1, y = fp_shift_jam(b.sig >> 1, a.exp - b.exp);
	const uint64_t sum = a.sign == b.sign ? x + y : x - y;

	if (unlikely(sum == 0))
		return cancelled(fmt, env);
	const int shift = (int)clz64(sum);
	return fp_pack(fmt, a.sign, a.exp + 1 - shift, sum << shift, env);
}

static ALWAYS_INLINE uint64_t mul(
    enum fp_fmt fmt, uint64_t abits, uint64_t bbits, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(fmt, abits), b = fp_unpack(fmt, bbits);
	const bool sign = a.sign != b.sign;

	if (unlikely(a.kind != NUM_FINITE || b.kind != NUM_FINITE)) {
		if (fp_kind_is_nan(a.kind) || fp_kind_is_nan(b.kind))
			return pick_nan(fmt, a.kind, b.kind, env);
		if (a.kind != NUM_INF && b.kind != NUM_INF)
			return fp_zero(fmt, sign);
		if (a.kind == NUM_ZERO || b.kind == NUM_ZERO)
			return fp_invalid(fmt, env);
		return fp_inf(fmt, sign);
	}
	const u128 product = (u128)a.sig * b.sig;
	const uint64_t sig = (uint64_t)(product >> 64) | ((uint64_t)product != 0);
	const int carry = (int)(sig >> 63);

	return fp_pack(fmt, sign, a.exp + b.exp + carry, sig << (1 - carry), env);
}

/* a / b for b / 2 <= a < b, as a fraction of 2^64 with the rest jammed. */
static ALWAYS_INLINE uint64_t divide(enum fp_fmt fmt, uint64_t a, uint64_t b)
{
	if (fmt == FP_D) {
		const u128 n = (u128)a << 64;
		const uint64_t q = (uint64_t)(n / b);
		return q | ((u128)q * b != n);
	}
	/* 32 bits are enough, and the lower half of b is zero. */
	const uint64_t d = b >> 32, q = a / d;
	return q << 32 | (q * d != a);
}

static ALWAYS_INLINE uint64_t div(
    enum fp_fmt fmt, uint64_t abits, uint64_t bbits, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(fmt, abits), b = fp_unpack(fmt, bbits);
	const bool sign = a.sign != b.sign;

	if (unlikely(a.kind != NUM_FINITE || b.kind != NUM_FINITE)) {
		if (fp_kind_is_nan(a.kind) || fp_kind_is_nan(b.kind))
			return pick_nan(fmt, a.kind, b.kind, env);
		if (a.kind == b.kind)
			return fp_invalid(fmt, env);
		if (a.kind == NUM_ZERO || b.kind == NUM_INF)
			return fp_zero(fmt, sign);
		if (b.kind == NUM_ZERO && a.kind != NUM_INF)
			env->flags |= FP_DZ;
		return fp_inf(fmt, sign);
	}
	const int less = a.sig < b.sig;

	return fp_pack(
	    fmt, sign, a.exp - b.exp - less, divide(fmt, a.sig >> (1 - less), b.sig), env);
}

/*
 * The integer part of the root of n >= 2^62. Newton's step never falls below that from any start;
 * the start is a tangent at most a twelfth too high, so three steps come within a few units.
 */
static uint64_t root32(uint64_t n)
{
	uint64_t r = (n >> 31) / 3 + (UINT64_C(3) << 29);

	for (int i = 0; i < 3; i++)
		r = (r + n / r) / 2;
	while ((u128)r * r > n)
		r--;
	return r;
}

/* The root of n / 2^126, which is below 4, as a fraction of 2^63 with the rest jammed. */
static ALWAYS_INLINE uint64_t root(enum fp_fmt fmt, u128 n)
{
	const uint64_t high = root32((uint64_t)(n >> 64));

	if (fmt != FP_D)
		return high << 32 | (high * high != (uint64_t)(n >> 64));
	/* Less than 2^32 from the root, which is at least 2^63: one step comes within one. */
	const uint64_t start = high << 32 | UINT32_MAX;
	uint64_t r = (uint64_t)((start + n / start) / 2);
	r -= (u128)r * r > n;
	return r | ((u128)r * r != n);
}

static ALWAYS_INLINE uint64_t square_root(enum fp_fmt fmt, uint64_t bits, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(fmt, bits);

	if (unlikely(a.kind != NUM_FINITE)) {
		if (fp_kind_is_nan(a.kind))
			return pick_nan(fmt, a.kind, a.kind, env);
		if (a.kind == NUM_ZERO)
			return fp_zero(fmt, a.sign);
	}
	if (a.sign)
		return fp_invalid(fmt, env);
	if (a.kind == NUM_INF)
		return fp_inf(fmt, false);

	const int odd = a.exp & 1;
	return fp_pack(fmt, false, (a.exp - odd) / 2, root(fmt, (u128)a.sig << (63 + odd)), env);
}

static ALWAYS_INLINE u128 shift_jam_wide(u128 x, int n)
{
	if (n == 0)
		return x;
	if (n > 127)
		return x != 0;
	return x >> n | (x << (128 - n) != 0);
}

/* fp_fma() with an operand that is not finite or is zero, but a * b finite and not zero if c is
 * zero: that one needs rounding. */
static ALWAYS_INLINE uint64_t fma_edge(enum fp_fmt fmt, struct fp_num a, struct fp_num b,
    struct fp_num c, uint64_t cbits, struct fp_env *env)
{
	const bool sign = a.sign != b.sign;
	const bool inf = a.kind == NUM_INF || b.kind == NUM_INF;

	/* The manual chooses to signal here whatever c is. */
	if (inf && (a.kind == NUM_ZERO || b.kind == NUM_ZERO))
		return fp_invalid(fmt, env);
	if (fp_kind_is_nan(a.kind) || fp_kind_is_nan(b.kind) || fp_kind_is_nan(c.kind)) {
		pick_nan(fmt, a.kind, b.kind, env);
		return pick_nan(fmt, c.kind, c.kind, env);
	}
	if (inf && c.kind == NUM_INF && sign != c.sign)
		return fp_invalid(fmt, env);
	if (inf)
		return fp_inf(fmt, sign);
	if (c.kind == NUM_ZERO && sign != c.sign)
		return cancelled(fmt, env);
	return cbits & (2 * fp_sign_bit(fmt) - 1);
}

static ALWAYS_INLINE uint64_t fused(
    enum fp_fmt fmt, uint64_t abits, uint64_t bbits, uint64_t cbits, struct fp_env *env)
{
	const struct fp_num a = fp_unpack(fmt, abits), b = fp_unpack(fmt, bbits);
	const struct fp_num c = fp_unpack(fmt, cbits);

	if (unlikely(a.kind != NUM_FINITE || b.kind != NUM_FINITE || c.kind != NUM_FINITE)) {
		if (a.kind == NUM_FINITE && b.kind == NUM_FINITE && c.kind == NUM_ZERO)
			return mul(fmt, abits, bbits, env);
		return fma_edge(fmt, a, b, c, cbits, env);
	}
	/*
	 * Fractions of 2^125, which leaves a bit for the carry; nothing is lost, as a product ends
	 * in 22 zero bits. A difference that loses many leading bits has had nothing jammed: the
	 * exponents then differ by at most two.
	 */
	const bool sign = a.sign != b.sign;
	const int exp = a.exp + b.exp;
	const int top = exp > c.exp ? exp : c.exp;
	const u128 x = shift_jam_wide((u128)a.sig * b.sig >> 1, top - exp);
	const u128 y = shift_jam_wide((u128)c.sig << 62, top - c.exp);
	const bool minus = sign != c.sign && x < y;
	const u128 sum = sign == c.sign ? x + y : minus ? y - x : x - y;

	if (unlikely(sum == 0))
		return cancelled(fmt, env);
	const int shift =
	    (int)(sum >> 64 ? clz64((uint64_t)(sum >> 64)) : 64 + clz64((uint64_t)sum));
	const u128 norm = sum << shift;
	const uint64_t sig = (uint64_t)(norm >> 64) | ((uint64_t)norm != 0);

	return fp_pack(fmt, sign != minus, top + 2 - shift, sig, env);
}

uint64_t fp_add(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	switch (fmt) {
	case FP_H:
		return add(FP_H, a, b, env);
	case FP_S:
		return add(FP_S, a, b, env);
	default:
		return add(FP_D, a, b, env);
	}
}

uint64_t fp_sub(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	return fp_add(fmt, a, b ^ fp_sign_bit(fmt), env);
}

uint64_t fp_mul(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	switch (fmt) {
	case FP_H:
		return mul(FP_H, a, b, env);
	case FP_S:
		return mul(FP_S, a, b, env);
	default:
		return mul(FP_D, a, b, env);
	}
}

uint64_t fp_div(enum fp_fmt fmt, uint64_t a, uint64_t b, struct fp_env *env)
{
	switch (fmt) {
	case FP_H:
		return div(FP_H, a, b, env);
	case FP_S:
		return div(FP_S, a, b, env);
	default:
		return div(FP_D, a, b, env);
	}
}

uint64_t fp_sqrt(enum fp_fmt fmt, uint64_t a, struct fp_env *env)
{
	switch (fmt) {
	case FP_H:
		return square_root(FP_H, a, env);
	case FP_S:
		return square_root(FP_S, a, env);
	default:
		return square_root(FP_D, a, env);
	}
}

uint64_t fp_fma(enum fp_fmt fmt, uint64_t a, uint64_t b, uint64_t c, struct fp_env *env)
{
	switch (fmt) {
	case FP_H:
		return fused(FP_H, a, b, c, env);
	case FP_S:
		return fused(FP_S, a, b, c, env);
	default:
		return fused(FP_D, a, b, c, env);
	}
}
