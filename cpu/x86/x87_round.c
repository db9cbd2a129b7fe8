/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 4.8.4, 4.9.1, 8.1.5, 8.2, 8.5.
 *
 * x87 arithmetic in software: operands, rounding, and what goes to memory.
 */
#include "cpu/x86/x87_num.h"

static const struct x87_format extended = { 64, X87_EMIN, X87_EMAX };
static const struct x87_format single = { 24, -126, 127 };
static const struct x87_format dbl = { 53, -1022, 1023 };

struct x87_num x87_unpack(struct f80 a)
{
	const int exp = a.se & 0x7fff;
	struct x87_num n = { .sign = a.se >> 15, .sig = a.sig, .exp = exp - X87_BIAS };

	if (exp != 0 && !(a.sig >> 63)) {
		n.kind = X87_BAD;
	} else if (exp == 0x7fff) {
		n.kind = a.sig << 1 == 0 ? X87_INF : a.sig >> 62 & 1 ? X87_QNAN : X87_SNAN;
	} else if (a.sig == 0) {
		n.kind = X87_ZERO;
	} else {
		n.kind = X87_FINITE;
		if (exp == 0) {
			const unsigned shift = clz64(a.sig);

			n.denormal = true;
			n.sig <<= shift;
			n.exp = X87_EMIN - (int)shift;
		}
	}
	return n;
}

void x87_invalid(struct x87 *x)
{
	x->sw = (uint16_t)((x->sw & ~X87_DE) | X87_IE);
	x->r = x->r2 = x87_default_nan();
}

static struct f80 quiet_nan(const struct x87_num *n)
{
	return (struct f80){ n->sig | UINT64_C(1) << 62, n->sign ? 0xffff : 0x7fff };
}

/* SDM volume 1, table 4-7. */
bool x87_no_numbers(struct x87 *x, const struct x87_num *a, const struct x87_num *b)
{
	if (a->kind == X87_BAD || b->kind == X87_BAD) {
		x87_invalid(x);
		return true;
	}
	if (a->kind < X87_QNAN && b->kind < X87_QNAN) {
		x->sw |= a->denormal || b->denormal ? X87_DE : 0;
		return false;
	}
	if (a->kind == X87_SNAN || b->kind == X87_SNAN)
		x->sw |= X87_IE;

	const struct x87_num *from = a;

	if (a->kind < X87_QNAN || (a->kind == X87_SNAN && b->kind == X87_QNAN))
		from = b;
	else if (b->kind >= X87_QNAN && !(a->kind == X87_QNAN && b->kind == X87_SNAN) &&
		 (b->sig > a->sig || (b->sig == a->sig && !b->sign)))
		from = b;
	x->r = x->r2 = quiet_nan(from);
	return true;
}

/* A significand rounded to `bits` bits; true: it became 2^64, which is kept as 2^63. */
static bool round_to(
    const struct x87 *x, bool sign, int bits, uint64_t *sig, uint64_t rest, bool *inexact, bool *up)
{
	const int drop = 64 - bits;
	const uint64_t unit = UINT64_C(1) << drop;

	if (drop != 0)
		rest = *sig << bits | (rest != 0);
	*inexact = rest != 0;
	*sig &= -unit;
	*up = x87_rounds_away(x, sign, *sig >> drop & 1, rest);
	if (!*up)
		return false;
	*sig += unit;
	if (*sig != 0)
		return false;
	*sig = UINT64_C(1) << 63;
	return true;
}

/* (sig, rest) / 2^n, with what is lost kept in the lowest bit of rest. */
static void shift_right(uint64_t *sig, uint64_t *rest, int n)
{
	if (n >= 128) {
		*rest = (*sig | *rest) != 0;
		*sig = 0;
	} else if (n >= 64) {
		const bool lost = *rest != 0 || (n > 64 && *sig << (128 - n) != 0);

		*rest = *sig >> (n - 64) | lost;
		*sig = 0;
	} else if (n > 0) {
		const bool lost = *rest << (64 - n) != 0;

		*rest = *rest >> n | *sig << (64 - n) | lost;
		*sig >>= n;
	}
}

struct rounded {
	uint64_t sig; /* bit 63 clear: a denormal, or zero, of the exponent emin */
	int exp;
	bool inf;
};

static void overflow(struct x87 *x, const struct x87_format *f, bool sign, struct rounded *r)
{
	const bool away = x87_rounds_away(x, sign, true, UINT64_MAX);

	x->sw |= X87_OE | X87_PE | (away ? X87_C1 : 0);
	*r = (struct rounded){
		.inf = away, .exp = f->emax, .sig = -(UINT64_C(1) << (64 - f->bits))
	};
}

/* Rounds to a format; what is too large or tiny, and is not masked, keeps its exponent. */
static struct rounded round_format(
    struct x87 *x, const struct x87_format *f, bool sign, int exp, uint64_t sig, uint64_t rest)
{
	struct rounded r = { .sig = sig, .exp = exp };
	bool inexact, up;

	r.exp += round_to(x, sign, f->bits, &r.sig, rest, &inexact, &up);
	if (r.exp < f->emin) {
		if (!(x->cw & X87_UE)) {
			x->sw |= X87_UE;
		} else {
			shift_right(&sig, &rest, f->emin - exp);
			r.sig = sig;
			r.exp = f->emin;
			round_to(x, sign, f->bits, &r.sig, rest, &inexact, &up);
			x->sw |= inexact ? X87_UE : 0;
		}
	} else if (r.exp > f->emax) {
		if (x->cw & X87_OE) {
			overflow(x, f, sign, &r);
			return r;
		}
		x->sw |= X87_OE;
	}
	x->sw |= (inexact ? X87_PE : 0) | (up ? X87_C1 : 0);
	return r;
}

static void pack(
    struct x87 *x, const struct x87_format *f, bool sign, int exp, uint64_t sig, uint64_t rest)
{
	struct rounded r = round_format(x, f, sign, exp, sig, rest);

	if (r.exp > X87_EMAX)
		r.exp -= X87_ADJUST;
	else if (r.exp < X87_EMIN)
		r.exp += X87_ADJUST;
	/* FSCALE gets where that does not help. */
	if (r.exp > X87_EMAX || r.exp < X87_EMIN) {
		x->sw = (uint16_t)((x->sw & ~X87_C1) | X87_PE);
		r.inf = r.exp > X87_EMAX;
		r.sig = 0;
		x->sw |= r.inf ? X87_C1 : 0;
	}
	if (r.inf)
		x->r = x87_inf(sign);
	else
		x->r = (struct f80){ r.sig,
			(uint16_t)(sign << 15 | (r.sig >> 63 ? r.exp + X87_BIAS : 0)) };
}

void x87_pack_extended(struct x87 *x, bool sign, int exp, uint64_t sig, uint64_t rest)
{
	pack(x, &extended, sign, exp, sig, rest);
}

void x87_pack(struct x87 *x, bool sign, int exp, uint64_t sig, uint64_t rest)
{
	static const uint8_t bits[] = { 24, 64, 53, 64 };
	const struct x87_format f = { bits[x->cw >> X87_PC_SHIFT & 3], X87_EMIN, X87_EMAX };

	pack(x, &f, sign, exp, sig, rest);
}

/* To 32 or 64 bits.  Denormals are no exception here. */
static void store(struct x87 *x, const struct x87_format *f, int frac, uint64_t exp_ones)
{
	const struct x87_num a = x87_unpack(x->a);
	const uint64_t sign = (uint64_t)a.sign << 63, inf = exp_ones << frac;
	uint64_t bits = 0;

	x->sw = 0;
	switch (a.kind) {
	case X87_ZERO:
		break;
	case X87_INF:
		bits = inf;
		break;
	case X87_BAD:
		x->sw |= X87_IE;
		x->i[0] = (UINT64_C(1) << 63 >> (63 - frac - (frac == 52 ? 11 : 8))) | inf |
			  UINT64_C(1) << (frac - 1);
		return;
	case X87_QNAN:
	case X87_SNAN:
		x->sw |= a.kind == X87_SNAN ? X87_IE : 0;
		bits = inf | UINT64_C(1) << (frac - 1) | a.sig << 1 >> (64 - frac);
		break;
	default: {
		const struct rounded r = round_format(x, f, a.sign, a.exp, a.sig, 0);

		/* Nothing is stored, nothing was rounded. */
		if (x87_unmasked(x) & (X87_OE | X87_UE))
			x->sw &= X87_OE | X87_UE;

		bits = r.sig << 1 >> (64 - frac);
		if (r.inf)
			bits = inf;
		else if (r.sig >> 63)
			bits |= (uint64_t)(r.exp - f->emin + 1) << frac;
		else
			bits = r.sig >> (63 - frac);
		break;
	}
	}
	x->i[0] = bits | sign >> (frac == 52 ? 0 : 32);
}

void x87_soft_st32(struct x87 *x)
{
	store(x, &single, 23, 0xff);
}

void x87_soft_st64(struct x87 *x)
{
	store(x, &dbl, 52, 0x7ff);
}

/* The magnitude as an integer below 2^64; false: it is larger. */
static bool integer(
    const struct x87 *x, const struct x87_num *a, uint64_t *mag, bool *inexact, bool *up)
{
	uint64_t sig = a->sig, rest = 0;

	*mag = 0;
	*inexact = *up = false;
	if (a->kind == X87_ZERO)
		return true;
	if (a->exp > 63)
		return false;
	shift_right(&sig, &rest, 63 - a->exp);
	*inexact = rest != 0;
	*up = x87_rounds_away(x, a->sign, sig & 1, rest);
	*mag = sig + *up;
	return *up == 0 || *mag != 0;
}

static void store_int(struct x87 *x, unsigned bits)
{
	const struct x87_num a = x87_unpack(x->a);
	const uint64_t indefinite = UINT64_C(1) << (bits - 1);
	uint64_t mag;
	bool inexact, up;

	x->sw = 0;
	if (a.kind > X87_FINITE || !integer(x, &a, &mag, &inexact, &up) ||
	    mag > indefinite - !a.sign) {
		x->sw = X87_IE;
		x->i[0] = indefinite;
		return;
	}
	x->sw = (uint16_t)((inexact ? X87_PE : 0) | (up ? X87_C1 : 0));
	x->i[0] = (a.sign ? -mag : mag) & (UINT64_MAX >> (64 - bits));
}

void x87_soft_ist16(struct x87 *x)
{
	store_int(x, 16);
}

void x87_soft_ist32(struct x87 *x)
{
	store_int(x, 32);
}

void x87_soft_ist64(struct x87 *x)
{
	store_int(x, 64);
}

/* 18 decimal digits, two a byte, and a byte with the sign. */
void x87_soft_bstp(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a);
	uint64_t mag, low = 0;
	bool inexact, up;

	x->sw = 0;
	if (a.kind > X87_FINITE || !integer(x, &a, &mag, &inexact, &up) ||
	    mag > UINT64_C(999999999999999999)) {
		x->sw = X87_IE;
		x->i[0] = UINT64_C(0xc000000000000000);
		x->i[1] = 0xffff;
		return;
	}
	x->sw = (uint16_t)((inexact ? X87_PE : 0) | (up ? X87_C1 : 0));
	for (unsigned i = 0; i < 16; i++, mag /= 10)
		low |= mag % 10 << 4 * i;
	x->i[0] = low;
	x->i[1] = mag % 10 | mag / 10 << 4 | (a.sign ? 0x8000 : 0);
}

void x87_soft_rndint(struct x87 *x)
{
	const struct x87_num a = x87_unpack(x->a);
	uint64_t mag;
	bool inexact, up;

	x->sw = 0;
	if (x87_no_numbers(x, &a, &a))
		return;
	x->r = x->a;
	if (a.kind != X87_FINITE || a.exp >= 63)
		return;
	integer(x, &a, &mag, &inexact, &up);
	x->sw |= (inexact ? X87_PE : 0) | (up ? X87_C1 : 0);
	x->r = x87_from_int((int64_t)mag);
	if (mag >> 63)
		x->r = (struct f80){ mag, 63 + X87_BIAS };
	x->r.se |= (uint16_t)(a.sign << 15);
}

/* Loads. */
static struct f80 load(bool sign, int exp, int ones, uint64_t frac, int bits, bool *denormal)
{
	const uint16_t s = (uint16_t)(sign << 15);

	*denormal = exp == 0 && frac != 0;
	if (exp == ones)
		return (struct f80){ UINT64_C(1) << 63 | frac << (63 - bits), s | 0x7fff };
	if (exp != 0)
		return (struct f80){ UINT64_C(1) << 63 | frac << (63 - bits),
			(uint16_t)(s | (exp - ones / 2 + X87_BIAS)) };
	if (frac == 0)
		return (struct f80){ 0, s };

	const int shift = (int)clz64(frac);

	return (struct f80){ frac << shift,
		(uint16_t)(s | (1 - ones / 2 + X87_BIAS + 63 - bits - shift)) };
}

struct f80 x87_from_f32(uint32_t a, bool *denormal)
{
	return load(a >> 31, a >> 23 & 0xff, 0xff, a & 0x7fffff, 23, denormal);
}

struct f80 x87_from_f64(uint64_t a, bool *denormal)
{
	return load(a >> 63, a >> 52 & 0x7ff, 0x7ff, a & ((UINT64_C(1) << 52) - 1), 52, denormal);
}

struct f80 x87_from_int(int64_t a)
{
	const uint64_t mag = a < 0 ? -(uint64_t)a : (uint64_t)a;

	if (mag == 0)
		return x87_zero(false);

	const unsigned shift = clz64(mag);

	return (
	    struct f80){ mag << shift, (uint16_t)((a < 0 ? 0x8000 : 0) | (63 - shift + X87_BIAS)) };
}

/* Digits above 9 are undefined: they count as they are. */
struct f80 x87_from_bcd(const uint64_t bcd[2])
{
	uint64_t mag = 0;

	for (unsigned i = 18; i-- > 0;)
		mag = mag * 10 + (bcd[i / 16] >> 4 * (i % 16) & 15);

	struct f80 r = x87_from_int((int64_t)mag);

	r.se |= bcd[1] & 0x8000;
	return r;
}
