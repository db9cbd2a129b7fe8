/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 8.3.7 to 8.3.10; volume 2, tables of F2XM1 to FSINCOS.
 *
 * Transcendental instructions in software: special operands by the manual's tables, all others by
 * the C library's functions on long double.  Where that has at least the 64 bits of the x87 the
 * results are as good as the manual promises (a unit in the last place); where it is a double they
 * have its 53 bits.  The argument of FSIN and the like is reduced by the true pi, not by the
 * manual's 66 bits.
 */
#include <float.h>
#include <math.h>

#include "cpu/x86/x87_num.h"

/* The number without its exponent, and with it. */
static long double mantissa(const struct x87_num *n)
{
	const long double mag = ldexpl((long double)n->sig, -63);

	return n->sign ? -mag : mag;
}

static long double value(const struct x87_num *n)
{
	return n->kind == X87_ZERO ? 0 : ldexpl(mantissa(n), n->exp);
}

/* r = y * 2^exp, where y is neither zero nor huge nor tiny, and inexact. */
static void give_scaled(struct x87 *x, long double y, int exp)
{
	int e;
	/* In [2^63, 2^64). */
	const long double m = ldexpl(frexpl(fabsl(y), &e), 64);
	const uint64_t sig = (uint64_t)m;
	const uint64_t rest = (uint64_t)ldexpl(m - (long double)sig, 64);

	x87_pack_extended(x, signbit(y), exp + e - 1, sig, rest | 1);
}

static void give(struct x87 *x, long double y)
{
	give_scaled(x, y, 0);
}

/* r = a, but for a little that is taken away, or added. */
static void give_near(struct x87 *x, const struct x87_num *a, bool less)
{
	if (less && a->sig << 1 == 0)
		x87_pack_extended(x, a->sign, a->exp - 1, UINT64_MAX, UINT64_MAX);
	else
		x87_pack_extended(x, a->sign, a->exp, a->sig - less, less ? UINT64_MAX : 1);
}

/* Below this, what comes after the first term of a series is nothing. */
enum { TINY = -66 };

static void set(struct x87 *x, struct f80 r)
{
	x->r = r;
}

/* A constant of the manual's tables: k * pi / 4. */
static void give_angle(struct x87 *x, bool sign, int quarters)
{
	static const long double quarter = 0.785398163397448309615660845819875721L;

	give(x, (sign ? -quarter : quarter) * quarters);
}

void x87_soft_f2xm1(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &a))
		return;
	if (a.kind == X87_ZERO)
		set(x, x->a);
	else if (a.kind == X87_INF)
		set(x, a.sign ? (struct f80){ UINT64_C(1) << 63, 0xbfff } : x->a);
	else if (a.exp < TINY)
		give_scaled(x, mantissa(&a) * 0.693147180559945309417232121458176568L, a.exp);
	else
		give(x, expm1l(value(&a) * 0.693147180559945309417232121458176568L));
}

/* b * log2(a), a > 0 */
void x87_soft_yl2x(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);
	const bool one = a.kind == X87_FINITE && a.exp == 0 && a.sig == UINT64_C(1) << 63;
	const bool below_one = a.kind == X87_ZERO || (a.kind == X87_FINITE && a.exp < 0);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	if (a.sign && a.kind != X87_ZERO) {
		x87_invalid(x);
	} else if (a.kind == X87_ZERO && b.kind != X87_INF) {
		if (b.kind == X87_ZERO) {
			x87_invalid(x);
			return;
		}
		x->sw = X87_ZE;
		set(x, x87_inf(!b.sign));
	} else if (a.kind == X87_INF || b.kind == X87_INF) {
		if (b.kind == X87_ZERO || one)
			x87_invalid(x);
		else
			set(x, x87_inf(b.sign != below_one));
	} else if (b.kind == X87_ZERO || one) {
		set(x, x87_zero(b.sign != below_one));
	} else {
		give_scaled(x, mantissa(&b) * log2l(value(&a)), b.exp);
	}
}

/* b * log2(a + 1) */
void x87_soft_yl2xp1(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	if (a.kind == X87_INF || b.kind == X87_INF) {
		if (a.kind == X87_ZERO || b.kind == X87_ZERO || (a.kind == X87_INF && a.sign))
			x87_invalid(x);
		else
			set(x, x87_inf(a.sign != b.sign));
	} else if (a.kind == X87_ZERO || b.kind == X87_ZERO) {
		set(x, x87_zero(a.sign != b.sign));
	} else {
		give(x, value(&b) * (log1pl(value(&a)) * 1.442695040888963407359924681001892137L));
	}
}

/* The angle of the point (a, b). */
void x87_soft_patan(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	if (b.kind == X87_INF)
		give_angle(x, b.sign, a.kind == X87_INF ? a.sign ? 3 : 1 : 2);
	else if (b.kind == X87_ZERO || a.kind == X87_INF)
		a.sign ? give_angle(x, b.sign, 4) : set(x, x87_zero(b.sign));
	else if (a.kind == X87_ZERO)
		give_angle(x, b.sign, 2);
	else if (!a.sign && b.exp - a.exp < TINY)
		give_scaled(x, mantissa(&b) / mantissa(&a), b.exp - a.exp);
	else
		give(x, atan2l(value(&b), value(&a)));
}

/* For FSIN and the like: false if there is nothing left to do. */
static bool angle(struct x87 *x, struct x87_num *a)
{
	*a = x87_unpack(x->a);
	x->sw = 0;
	if (x87_no_numbers(x, a, a))
		return false;
	if (a->kind == X87_INF) {
		x87_invalid(x);
		return false;
	}
	if (a->kind == X87_FINITE && a->exp >= 63) {
		x->sw = X87_C2;
		x->r = x->a;
		x->r2 = x->b;
		return false;
	}
	return true;
}

static const struct f80 one = { UINT64_C(1) << 63, X87_BIAS };

static void sine(struct x87 *x, const struct x87_num *a)
{
	if (a->kind == X87_ZERO)
		x->r = x->a;
	else if (a->exp < TINY / 2)
		give_near(x, a, true);
	else
		give(x, sinl(value(a)));
}

static void cosine(struct x87 *x, const struct x87_num *a)
{
	if (a->kind == X87_ZERO)
		x->r = one;
	else
		give(x, a->exp < TINY / 2 ? 1 : cosl(value(a)));
}

void x87_soft_sin(struct x87 *x)
{
	struct x87_num a;

	if (angle(x, &a))
		sine(x, &a);
}

void x87_soft_cos(struct x87 *x)
{
	struct x87_num a;

	if (angle(x, &a))
		cosine(x, &a);
}

void x87_soft_sincos(struct x87 *x)
{
	struct x87_num a;

	if (!angle(x, &a))
		return;
	sine(x, &a);
	x->r2 = x->r;
	cosine(x, &a);
}

void x87_soft_ptan(struct x87 *x)
{
	struct x87_num a;

	if (!angle(x, &a))
		return;
	if (a.kind == X87_ZERO)
		x->r = x->a;
	else if (a.exp < TINY / 2)
		give_near(x, &a, false);
	else
		give(x, tanl(value(&a)));
	x->r2 = x->r;
	x->r = one;
}

/* Exceptions that are found first, and are not masked, leave no others, and conditions only of
 * comparisons (SDM volume 1, 8.5). */
enum { KEEP_ONE = 0, KEEP_TWO = 0, KEEP_MEM = 0, KEEP_NONE = X87_C0 | X87_C2 | X87_C3 };

#define X87(op, text, kind)                                                                        \
	static void soft_##op(struct x87 *x)                                                       \
	{                                                                                          \
		x87_soft_##op(x);                                                                  \
		if (x87_unmasked(x) & X87_BEFORE)                                                  \
			x->sw &= X87_BEFORE | KEEP_##kind;                                         \
	}
#include "cpu/x86/x87.def"

x87_fn *const x87_soft[X87_OPS] = {
#define X87(op, text, kind) [X87_##op] = soft_##op,
#include "cpu/x86/x87.def"
};
