/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: add, sub, mul, div, sqrt and fma give the result and the flags of IEEE 754 in all formats
 * and rounding modes (against a slow exact rounder) and those of the host's FPU; and RISC-V's rules
 * for NaNs, infinities and zeros.
 */
#include <math.h>

#include "test/fp/ref.h"

enum { EXACT_RUNS = 8000, HOST_RUNS = 60000 };

enum op { ADD, SUB, MUL, DIV, SQRT, FMA, OPS };

static const char *const op_name[] = { "add", "sub", "mul", "div", "sqrt", "fma" };

/* One operation with its operands; a, b and c are used as it needs. */
struct work {
	enum op op;
	enum fp_fmt fmt;
	unsigned rm;
	uint64_t a, b, c;
};

static uint64_t ours(const struct work *w, unsigned *flags)
{
	struct fp_env env = { .rm = (uint8_t)w->rm };
	uint64_t r = 0;

	switch (w->op) {
	case ADD:
		r = fp_add(w->fmt, w->a, w->b, &env);
		break;
	case SUB:
		r = fp_sub(w->fmt, w->a, w->b, &env);
		break;
	case MUL:
		r = fp_mul(w->fmt, w->a, w->b, &env);
		break;
	case DIV:
		r = fp_div(w->fmt, w->a, w->b, &env);
		break;
	case SQRT:
		r = fp_sqrt(w->fmt, w->a, &env);
		break;
	default:
		r = fp_fma(w->fmt, w->a, w->b, w->c, &env);
		break;
	}
	*flags = env.flags;
	return r;
}

static void expect(const struct work *w, uint64_t result, unsigned flags, unsigned ignore)
{
	unsigned got_flags;
	const uint64_t got = ours(w, &got_flags);

	if (got != result || (got_flags | ignore) != (flags | ignore))
		fail_msg("%s.%s rm %u of %llx %llx %llx: %llx flags %x, expected %llx flags %x",
		    op_name[w->op], ref_fmt[w->fmt].name, w->rm, (unsigned long long)w->a,
		    (unsigned long long)w->b, (unsigned long long)w->c, (unsigned long long)got,
		    got_flags, (unsigned long long)result, flags);
}

/* x + y, not both zero. */
static struct ref_val exact_sum(struct ref_val x, struct ref_val y)
{
	x = ref_normal(x);
	y = ref_normal(y);
	if (y.sig == 0)
		return x;
	if (x.sig == 0 || x.exp < y.exp || (x.exp == y.exp && x.sig < y.sig)) {
		const struct ref_val t = x;
		x = y;
		y = t;
	}
	if (y.sig == 0)
		return x;
	/* Bits are lost only where the sum keeps nearly all of x. */
	for (; y.exp < x.exp && y.sig != 0; y.exp++) {
		y.more |= y.sig & 1;
		y.sig >>= 1;
	}
	x.more = y.more;
	x.sig = x.sign == y.sign ? x.sig + y.sig : x.sig - y.sig - y.more;
	if (x.sig >> 126) {
		x.more |= x.sig & 1;
		x.sig >>= 1;
		x.exp++;
	}
	return x;
}

static struct ref_val exact_product(struct ref_val x, struct ref_val y)
{
	return (
	    struct ref_val){ .sign = x.sign != y.sign, .exp = x.exp + y.exp, .sig = x.sig * y.sig };
}

static struct ref_val exact_quotient(struct ref_val x, struct ref_val y)
{
	x = ref_normal(x);
	return (struct ref_val){
		.sign = x.sign != y.sign,
		.exp = x.exp - y.exp,
		.sig = x.sig / y.sig,
		.more = x.sig % y.sig != 0,
	};
}

static struct ref_val exact_root(struct ref_val x)
{
	x = ref_normal(x);
	if (x.exp % 2 != 0) {
		x.sig *= 2;
		x.exp--;
	}
	u128 low = 0, high = UINT64_MAX;
	while (high - low > 1) {
		const u128 mid = (low + high) / 2;
		if (mid * mid > x.sig)
			high = mid;
		else
			low = mid;
	}
	return (struct ref_val){ .exp = x.exp / 2, .sig = low, .more = low * low != x.sig };
}

/* For finite operands with a result that is exact in struct ref_val and is not zero: else false. */
static bool exact(const struct work *w, struct ref_val *v)
{
	const struct ref_val a = ref_value(w->fmt, w->a), c = ref_value(w->fmt, w->c);
	struct ref_val b = ref_value(w->fmt, w->b);

	switch (w->op) {
	case ADD:
	case SUB:
		b.sign ^= w->op == SUB;
		*v = exact_sum(a, b);
		break;
	case MUL:
		*v = exact_product(a, b);
		break;
	case DIV:
		if (b.sig == 0)
			return false;
		*v = exact_quotient(a, b);
		break;
	case SQRT:
		if (a.sign)
			return false;
		*v = exact_root(a);
		break;
	default:
		*v = exact_sum(exact_product(a, b), c);
		break;
	}
	return v->sig != 0;
}

static void matches_exact_rounder(void **state)
{
	uint64_t seed = 1;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < EXACT_RUNS * 3 * OPS; i++) {
		struct work w = { .op = i % OPS, .fmt = i / OPS % 3 };
		w.a = ref_finite_operand(w.fmt, &seed);
		w.b = ref_neighbour(w.fmt, w.a, &seed);
		struct fp_env env = { 0 };
		const uint64_t product = fp_mul(w.fmt, w.a, w.b, &env);
		w.c = ref_neighbour(w.fmt, product, &seed);
		if (!ref_finite(w.fmt, w.b) || !ref_finite(w.fmt, w.c))
			continue;
		struct ref_val v;
		if (!exact(&w, &v))
			continue;
		for (w.rm = FP_RNE; w.rm <= FP_RMM; w.rm++) {
			unsigned flags = 0;
			const uint64_t r = ref_round(w.fmt, v, w.rm, &flags);
			expect(&w, r, flags, 0);
		}
	}
}

static void half_roots_are_all_exact(void **state)
{
	struct work w = { .op = SQRT, .fmt = FP_H };

	(void)state;
	for (w.a = 1; w.a < ref_inf(FP_H); w.a++) {
		struct ref_val v;
		assert_true(exact(&w, &v));
		for (w.rm = FP_RNE; w.rm <= FP_RMM; w.rm++) {
			unsigned flags = 0;
			const uint64_t r = ref_round(FP_H, v, w.rm, &flags);
			expect(&w, r, flags, 0);
		}
	}
}

/* Volatile: between feclearexcept() and fetestexcept(), and not at compile time. */
static uint64_t host_double(const struct work *w)
{
	const volatile double a = ref_to_double(w->a), b = ref_to_double(w->b);
	const volatile double c = ref_to_double(w->c);
	volatile double r;

	feclearexcept(FE_ALL_EXCEPT);
	switch (w->op) {
	case ADD:
		r = a + b;
		break;
	case SUB:
		r = a - b;
		break;
	case MUL:
		r = a * b;
		break;
	case DIV:
		r = a / b;
		break;
	case SQRT:
		r = sqrt(a);
		break;
	default:
		r = fma(a, b, c);
		break;
	}
	return ref_from_double(r);
}

static uint64_t host_float(const struct work *w)
{
	const volatile float a = ref_to_float(w->a), b = ref_to_float(w->b);
	const volatile float c = ref_to_float(w->c);
	volatile float r;

	feclearexcept(FE_ALL_EXCEPT);
	switch (w->op) {
	case ADD:
		r = a + b;
		break;
	case SUB:
		r = a - b;
		break;
	case MUL:
		r = a * b;
		break;
	case DIV:
		r = a / b;
		break;
	case SQRT:
		r = sqrtf(a);
		break;
	default:
		r = fmaf(a, b, c);
		break;
	}
	return ref_from_float(r);
}

static void matches_host(void **state)
{
	const unsigned ignore = ref_host_underflow();
	uint64_t seed = 2;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned rm = FP_RNE; rm < FP_RMM; rm++) {
		fesetround(ref_host_rm[rm]);
		for (int i = 0; i < HOST_RUNS * OPS; i++) {
			struct work w = {
				.op = i % OPS, .fmt = i / OPS % 2 ? FP_S : FP_D, .rm = rm
			};
			struct fp_env env = { 0 };
			w.a = ref_operand(w.fmt, &seed);
			w.b = ref_neighbour(w.fmt, w.a, &seed);
			const uint64_t product = fp_mul(w.fmt, w.a, w.b, &env);
			w.c = ref_neighbour(w.fmt, product, &seed);
			/* Infinity times zero plus a NaN signals on some hosts only. */
			if (w.op == FMA && env.flags & FP_NV && fp_is_nan(w.fmt, w.c))
				continue;
			const uint64_t r = w.fmt == FP_D ? host_double(&w) : host_float(&w);
			const unsigned flags = ref_host_flags();
			expect(&w, r, flags, ignore);
		}
	}
	fesetround(FE_TONEAREST);
}

/* Values that each format has, for tables that hold for all. */
enum sym { P0, M0, P1, M1, PMIN, PMAX, MMAX, PI, MI, QN, SN };

static uint64_t bits(enum fp_fmt fmt, enum sym s)
{
	const uint64_t minus = ref_sign(fmt);
	const uint64_t value[] = {
		[P0] = 0,
		[M0] = minus,
		[P1] = ref_one(fmt),
		[M1] = minus | ref_one(fmt),
		[PMIN] = 1,
		[PMAX] = ref_inf(fmt) - 1,
		[MMAX] = minus | (ref_inf(fmt) - 1),
		[PI] = ref_inf(fmt),
		[MI] = minus | ref_inf(fmt),
		[QN] = ref_qnan(fmt),
		[SN] = ref_snan(fmt),
	};

	return value[s];
}

static const struct special {
	enum op op;
	unsigned rm;
	enum sym a, b, c, result;
	unsigned flags;
} specials[] = {
	{ ADD, FP_RNE, PI, MI, P0, QN, FP_NV },
	{ ADD, FP_RNE, PI, PI, P0, PI, 0 },
	{ ADD, FP_RNE, P1, MI, P0, MI, 0 },
	{ ADD, FP_RNE, P1, M1, P0, P0, 0 },
	{ ADD, FP_RDN, P1, M1, P0, M0, 0 },
	{ ADD, FP_RNE, P0, M0, P0, P0, 0 },
	{ ADD, FP_RDN, P0, M0, P0, M0, 0 },
	{ ADD, FP_RUP, M0, M0, P0, M0, 0 },
	{ ADD, FP_RNE, M0, PMIN, P0, PMIN, 0 },
	{ ADD, FP_RNE, QN, P1, P0, QN, 0 },
	{ ADD, FP_RNE, QN, SN, P0, QN, FP_NV },
	{ ADD, FP_RNE, PMAX, PMAX, P0, PI, FP_OF | FP_NX },
	{ ADD, FP_RTZ, PMAX, PMAX, P0, PMAX, FP_OF | FP_NX },
	{ ADD, FP_RDN, PMAX, PMAX, P0, PMAX, FP_OF | FP_NX },
	{ ADD, FP_RDN, MMAX, MMAX, P0, MI, FP_OF | FP_NX },
	{ ADD, FP_RUP, MMAX, MMAX, P0, MMAX, FP_OF | FP_NX },
	{ ADD, FP_RMM, MMAX, MMAX, P0, MI, FP_OF | FP_NX },
	{ ADD, FP_RUP, PMAX, PMIN, P0, PI, FP_OF | FP_NX },
	{ ADD, FP_RNE, PMAX, PMIN, P0, PMAX, FP_NX },
	{ SUB, FP_RNE, PI, PI, P0, QN, FP_NV },
	{ SUB, FP_RNE, M0, P0, P0, M0, 0 },
	{ SUB, FP_RNE, P0, SN, P0, QN, FP_NV },
	{ MUL, FP_RNE, PI, M0, P0, QN, FP_NV },
	{ MUL, FP_RNE, PI, M1, P0, MI, 0 },
	{ MUL, FP_RNE, M1, P0, P0, M0, 0 },
	{ MUL, FP_RNE, PMIN, PMIN, P0, P0, FP_UF | FP_NX },
	{ MUL, FP_RUP, PMIN, PMIN, P0, PMIN, FP_UF | FP_NX },
	{ MUL, FP_RNE, QN, PI, P0, QN, 0 },
	{ MUL, FP_RNE, P1, SN, P0, QN, FP_NV },
	{ DIV, FP_RNE, P1, M0, P0, MI, FP_DZ },
	{ DIV, FP_RNE, PI, M0, P0, MI, 0 },
	{ DIV, FP_RNE, P0, P0, P0, QN, FP_NV },
	{ DIV, FP_RNE, PI, MI, P0, QN, FP_NV },
	{ DIV, FP_RNE, M1, PI, P0, M0, 0 },
	{ DIV, FP_RNE, M0, P1, P0, M0, 0 },
	{ DIV, FP_RNE, QN, P0, P0, QN, 0 },
	{ DIV, FP_RNE, SN, P0, P0, QN, FP_NV },
	{ SQRT, FP_RNE, M0, P0, P0, M0, 0 },
	{ SQRT, FP_RNE, P0, P0, P0, P0, 0 },
	{ SQRT, FP_RNE, M1, P0, P0, QN, FP_NV },
	{ SQRT, FP_RNE, MI, P0, P0, QN, FP_NV },
	{ SQRT, FP_RNE, PI, P0, P0, PI, 0 },
	{ SQRT, FP_RNE, QN, P0, P0, QN, 0 },
	{ SQRT, FP_RNE, SN, P0, P0, QN, FP_NV },
	{ FMA, FP_RNE, PI, P0, QN, QN, FP_NV },
	{ FMA, FP_RNE, M0, MI, P1, QN, FP_NV },
	{ FMA, FP_RNE, PI, P1, MI, QN, FP_NV },
	{ FMA, FP_RNE, PI, P1, M1, PI, 0 },
	{ FMA, FP_RNE, PMAX, PMAX, MI, MI, 0 },
	{ FMA, FP_RNE, QN, PI, MI, QN, 0 },
	{ FMA, FP_RNE, P1, QN, SN, QN, FP_NV },
	{ FMA, FP_RNE, SN, P1, P1, QN, FP_NV },
	{ FMA, FP_RNE, P1, P1, M1, P0, 0 },
	{ FMA, FP_RDN, P1, P1, M1, M0, 0 },
	{ FMA, FP_RDN, P0, P1, M0, M0, 0 },
	{ FMA, FP_RNE, M0, P1, M0, M0, 0 },
	{ FMA, FP_RNE, P0, P1, M1, M1, 0 },
	{ FMA, FP_RNE, PMIN, PMIN, P0, P0, FP_UF | FP_NX },
	{ FMA, FP_RTZ, PMAX, PMAX, P1, PMAX, FP_OF | FP_NX },
};

static void special_values_follow_riscv(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
		const struct special *s = &specials[i];
		for (enum fp_fmt fmt = FP_H; fmt <= FP_D; fmt++) {
			const struct work w = {
				.op = s->op,
				.fmt = fmt,
				.rm = s->rm,
				.a = bits(fmt, s->a),
				.b = bits(fmt, s->b),
				.c = bits(fmt, s->c),
			};
			expect(&w, bits(fmt, s->result), s->flags, 0);
		}
	}
}

static void nan_payload_and_sign_are_dropped(void **state)
{
	struct fp_env env = { 0 };

	(void)state;
	assert_int_equal(fp_add(FP_S, 0xffc12345, 0x3f800000, &env), 0x7fc00000);
	assert_int_equal(fp_fma(FP_H, 0xfe01, 0x3c00, 0xffff, &env), 0x7e00);
	assert_int_equal(env.flags, 0);
	assert_int_equal(fp_canonical_nan(FP_D), 0x7ff8000000000000);
}

static void bits_above_the_format_are_ignored(void **state)
{
	struct fp_env env = { 0 };

	(void)state;
	/* 1 + 0, -1 + -inf and 2 * 2 under a coat of other bits. */
	assert_int_equal(fp_add(FP_S, 0x123456783f800000, 0xffffffff00000000, &env), 0x3f800000);
	assert_int_equal(fp_add(FP_H, 0xffffffffffffbc00, 0x111111111111fc00, &env), 0xfc00);
	assert_int_equal(fp_fma(FP_H, 0x4444444444444000, 0x4000, 0x99990000, &env), 0x4400);
	assert_int_equal(fp_sub(FP_H, 0xabcd0000, 0xabcd3c00, &env), 0xbc00);
	assert_int_equal(env.flags, 0);
}

static void flags_are_sticky(void **state)
{
	struct fp_env env = { .flags = FP_OF };

	(void)state;
	fp_div(FP_D, ref_one(FP_D), 0, &env);
	fp_add(FP_D, ref_one(FP_D), ref_one(FP_D), &env);
	assert_int_equal(env.flags, FP_OF | FP_DZ);
}

/* The largest subnormal times one and a bit: tiny before rounding, not after it. */
static void tininess_is_detected_after_rounding(void **state)
{
	struct fp_env env = { .rm = FP_RNE };

	(void)state;
	assert_int_equal(fp_mul(FP_S, 0x007fffff, 0x3f800001, &env), 0x00800000);
	assert_int_equal(env.flags, FP_NX);
	/* As near to the least normal number, but reached only by the shorter subnormal. */
	env.flags = 0;
	assert_int_equal(fp_mul(FP_S, 0x00ffffff, 0x3f000000, &env), 0x00800000);
	assert_int_equal(env.flags, FP_NX | FP_UF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_exact_rounder),
		cmocka_unit_test(half_roots_are_all_exact),
		cmocka_unit_test(matches_host),
		cmocka_unit_test(special_values_follow_riscv),
		cmocka_unit_test(nan_payload_and_sign_are_dropped),
		cmocka_unit_test(bits_above_the_format_are_ignored),
		cmocka_unit_test(flags_are_sticky),
		cmocka_unit_test(tininess_is_detected_after_rounding),
	};

	return cmocka_run_group_tests_name("fp arith", tests, NULL, NULL);
}
