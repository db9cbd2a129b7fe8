/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 8.3, 8.5; volume 2, tables of FADD to FSCALE.
 *
 * x87 arithmetic in software.
 */
#include "cpu/x86/x87_num.h"

static unsigned clz128(u128 v)
{
	return v >> 64 ? clz64((uint64_t)(v >> 64)) : 64 + clz64((uint64_t)v);
}

/* r = v / 2^127 * 2^exp, v != 0, whose lowest bit may stand for a lost rest. */
static void pack_wide(struct x87 *x, bool sign, int exp, u128 v)
{
	const unsigned shift = clz128(v);

	v <<= shift;
	x87_pack(x, sign, exp - (int)shift, (uint64_t)(v >> 64), (uint64_t)v);
}

static u128 shift_jam(u128 v, int n)
{
	if (n == 0)
		return v;
	if (n > 127)
		return v != 0;
	return v >> n | (v << (128 - n) != 0);
}

/* An operand that is the exact result still has to be rounded to the precision. */
static void pack_operand(struct x87 *x, const struct x87_num *a, bool sign)
{
	if (a->kind == X87_FINITE)
		x87_pack(x, sign, a->exp, a->sig, 0);
	else
		x->r = a->kind == X87_INF ? x87_inf(sign) : x87_zero(sign);
}

static void add(struct x87 *x, bool minus)
{
	struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	b.sign ^= minus;
	if (a.kind == X87_INF && b.kind == X87_INF && a.sign != b.sign) {
		x87_invalid(x);
		return;
	}
	if (a.kind == X87_ZERO && b.kind == X87_ZERO) {
		x->r = x87_zero(a.sign == b.sign ? a.sign : x87_rm(x) == FP_RDN);
		return;
	}
	if (a.kind == X87_INF || b.kind == X87_ZERO) {
		pack_operand(x, &a, a.sign);
		return;
	}
	if (b.kind == X87_INF || a.kind == X87_ZERO) {
		pack_operand(x, &b, b.sign);
		return;
	}
	if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
		const struct x87_num t = a;

		a = b;
		b = t;
	}
	/* A bit of room for the carry. */
	const u128 p = (u128)a.sig << 63, q = shift_jam((u128)b.sig << 63, a.exp - b.exp);
	const u128 sum = a.sign == b.sign ? p + q : p - q;

	if (sum == 0)
		x->r = x87_zero(x87_rm(x) == FP_RDN);
	else
		pack_wide(x, a.sign, a.exp + 1, sum);
}

void x87_soft_add(struct x87 *x)
{
	add(x, false);
}

void x87_soft_sub(struct x87 *x)
{
	add(x, true);
}

void x87_soft_mul(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);
	const bool sign = a.sign != b.sign;

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	if (a.kind == X87_FINITE && b.kind == X87_FINITE)
		pack_wide(x, sign, a.exp + b.exp + 1, (u128)a.sig * b.sig);
	else if (a.kind != X87_INF && b.kind != X87_INF)
		x->r = x87_zero(sign);
	else if (a.kind == X87_ZERO || b.kind == X87_ZERO)
		x87_invalid(x);
	else
		x->r = x87_inf(sign);
}

static void divide_finite(struct x87 *x, const struct x87_num *a, const struct x87_num *b)
{
	/* a / b in (1/2, 2): 64 bits, and 63 more that are enough for the rest. */
	const u128 n = (u128)a->sig << 63;
	const uint64_t q = (uint64_t)(n / b->sig), left = (uint64_t)(n % b->sig);
	const u128 m = (u128)left << 63;
	const uint64_t q2 = (uint64_t)(m / b->sig);
	const u128 v = ((u128)q << 63 | q2) << 1 | (m % b->sig != 0);

	pack_wide(x, a->sign != b->sign, a->exp - b->exp, v);
}

void x87_soft_div(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);
	const bool sign = a.sign != b.sign;

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	if (a.kind == X87_FINITE && b.kind == X87_FINITE) {
		divide_finite(x, &a, &b);
	} else if (a.kind == b.kind) {
		x87_invalid(x);
	} else if (b.kind == X87_ZERO && a.kind == X87_FINITE) {
		x->sw = X87_ZE;
		x->r = x87_inf(sign);
	} else if (a.kind == X87_ZERO || b.kind == X87_INF) {
		x->r = x87_zero(sign);
	} else {
		x->r = x87_inf(sign);
	}
}

/* The integer root of n >= 2^126, a bit at a time; *exact. */
static uint64_t root(u128 n, bool *exact)
{
	uint64_t r = 0;

	for (unsigned i = 64; i-- > 0;) {
		const uint64_t t = r | UINT64_C(1) << i;

		if ((u128)t * t <= n)
			r = t;
	}
	*exact = (u128)r * r == n;
	return r;
}

void x87_soft_sqrt(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &a))
		return;
	if (a.kind == X87_ZERO) {
		x->r = x->a;
		return;
	}
	if (a.sign) {
		x87_invalid(x);
		return;
	}
	if (a.kind == X87_INF) {
		x->r = x->a;
		return;
	}
	const unsigned odd = a.exp & 1;
	const u128 n = (u128)a.sig << (63 + odd);
	bool exact;
	const uint64_t r = root(n, &exact);
	/* The next bit: is n above (r + 1/2)^2 = r^2 + r + 1/4? */
	const bool above = n - (u128)r * r > r;

	x87_pack(
	    x, false, (a.exp - (int)odd) / 2, r, (above ? UINT64_C(1) << 63 : 0) | (exact ? 0 : 1));
}

static void compare(struct x87 *x, bool quiet)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);

	x->sw = 0;
	if (a.kind >= X87_QNAN || b.kind >= X87_QNAN) {
		if (!quiet || a.kind > X87_QNAN || b.kind > X87_QNAN)
			x->sw = X87_IE;
		x->sw |= X87_C0 | X87_C2 | X87_C3;
		return;
	}
	x->sw |= a.denormal || b.denormal ? X87_DE : 0;
	if (a.kind == X87_ZERO && b.kind == X87_ZERO) {
		x->sw |= X87_C3;
		return;
	}

	/* The order of what is larger than zero. */
	int order = (int)a.kind - (int)b.kind;

	if (order == 0 && a.kind == X87_FINITE)
		order = a.exp != b.exp ? a.exp - b.exp : (a.sig > b.sig) - (a.sig < b.sig);
	if (a.sign != b.sign)
		order = 1;
	/* Zero has no sign. */
	const bool minus = a.kind == X87_ZERO ? !b.sign : a.sign;

	if (a.kind == X87_ZERO || b.kind == X87_ZERO)
		order = 1;
	if (order == 0)
		x->sw |= X87_C3;
	else if ((order < 0) != minus)
		x->sw |= X87_C0;
}

void x87_soft_com(struct x87 *x)
{
	compare(x, false);
}

void x87_soft_ucom(struct x87 *x)
{
	compare(x, true);
}

/* a * 2^b, b rounded to zero. */
void x87_soft_scale(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	if (b.kind == X87_INF) {
		if (a.kind == (b.sign ? X87_INF : X87_ZERO))
			x87_invalid(x);
		else
			x->r = b.sign ? x87_zero(a.sign) : x87_inf(a.sign);
		return;
	}
	if (a.kind != X87_FINITE) {
		x->r = x->a;
		return;
	}

	int n = 0;

	if (b.kind == X87_FINITE && b.exp >= 0)
		n = b.exp > 16 ? 1 << 17 : (int)(b.sig >> (63 - b.exp));
	x87_pack_extended(x, a.sign, a.exp + (b.sign ? -n : n), a.sig, 0);
}

void x87_soft_xtract(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &a))
		return;
	switch (a.kind) {
	case X87_ZERO:
		x->sw |= X87_ZE;
		x->r = x->a;
		x->r2 = x87_inf(true);
		break;
	case X87_INF:
		x->r = x->a;
		x->r2 = x87_inf(false);
		break;
	default:
		x->r = (struct f80){ a.sig, (uint16_t)(a.sign << 15 | X87_BIAS) };
		x->r2 = x87_from_int(a.exp);
		break;
	}
}

/* a - b * q, exact, q an integer: rounded to zero, or (nearest) to the nearest, even.  Where the
 * exponents are too far apart only so many bits of q are made, and C2 says that more are to come.
 */
static void remainder_of(struct x87 *x, bool nearest)
{
	const struct x87_num a = x87_unpack(x->a), b = x87_unpack(x->b);

	x->sw = 0;
	if (x87_no_numbers(x, &a, &b))
		return;
	if (a.kind == X87_INF || b.kind == X87_ZERO) {
		x87_invalid(x);
		return;
	}
	if (a.kind == X87_ZERO || b.kind == X87_INF || a.exp < b.exp - 1) {
		/* Exact, but a denormal may still underflow. */
		x->r = x->a;
		if (a.kind == X87_FINITE)
			x87_pack_extended(x, a.sign, a.exp, a.sig, 0);
		return;
	}

	int d = a.exp - b.exp;
	const bool partial = d >= 64;
	/* How many bits come at a time is the implementation's choice, 32 to 63. */
	const int steps = partial ? 32 + d % 32 : d;
	u128 left = a.sig;
	uint64_t q = 0;
	bool sign = a.sign;
	int exp = b.exp + (partial ? d - steps : 0);

	if (d < 0) {
		/* Half of a's lowest bit matters to rounding alone: scale. */
		exp = a.exp;
	} else {
		for (int i = 0; i <= steps; i++) {
			q <<= 1;
			if (left >= b.sig) {
				left -= b.sig;
				q |= 1;
			}
			left <<= i < steps;
		}
	}
	if (partial) {
		x->sw |= X87_C2;
	} else if (nearest) {
		/* Both in units of half of a's, if a is the smaller. */
		const u128 twice = d < 0 ? left : left << 1;
		const u128 whole = b.sig;

		if (twice > whole || (twice == whole && (q & 1))) {
			left = d < 0 ? ((u128)b.sig << 1) - left : whole - left;
			sign = !sign;
			q++;
		}
	}
	if (!partial)
		x->sw |= (q & 4 ? X87_C0 : 0) | (q & 2 ? X87_C3 : 0) | (q & 1 ? X87_C1 : 0);

	const uint16_t conditions = x->sw & X87_CONDITIONS;

	if (left == 0) {
		x->r = x87_zero(a.sign);
		return;
	}

	const unsigned shift = clz128(left);

	left <<= shift;
	x87_pack_extended(x, sign, exp + 64 - (int)shift, (uint64_t)(left >> 64), 0);
	x->sw = (uint16_t)((x->sw & ~X87_CONDITIONS) | conditions);
}

void x87_soft_prem(struct x87 *x)
{
	remainder_of(x, false);
}

void x87_soft_prem1(struct x87 *x)
{
	remainder_of(x, true);
}
