/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: conversions between formats and from and to integers, and rounding to integral values,
 * give the result and the flags of IEEE 754 in all rounding modes (against exact integers, and the
 * host's FPU); and RISC-V's results where the value does not fit.
 */
#include <math.h>

#include "test/fp/ref.h"

enum { RUNS = 60000 };

static void expect(const char *what, enum fp_fmt fmt, unsigned rm, uint64_t a, uint64_t got,
    unsigned got_flags, uint64_t result, unsigned flags)
{
	if (got != result || got_flags != flags)
		fail_msg("%s %s rm %u of %llx: %llx flags %x, expected %llx flags %x", what,
		    ref_fmt[fmt].name, rm, (unsigned long long)a, (unsigned long long)got,
		    got_flags, (unsigned long long)result, flags);
}

static void formats_match_exact_rounder(void **state)
{
	uint64_t seed = 3;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < RUNS; i++) {
		const enum fp_fmt from = i % 3, to = i / 3 % 3;
		const uint64_t a = ref_finite_operand(from, &seed);
		for (unsigned rm = FP_RNE; rm <= FP_RMM; rm++) {
			struct fp_env env = { .rm = (uint8_t)rm };
			unsigned flags = 0;
			const uint64_t result = ref_round(to, ref_value(from, a), rm, &flags);
			const uint64_t got = fp_convert(to, from, a, &env);
			expect("convert to", to, rm, a, got, env.flags, result, flags);
		}
	}
}

static void formats_match_host(void **state)
{
	const unsigned ignore = ref_host_underflow();
	uint64_t seed = 4;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned rm = FP_RNE; rm < FP_RMM; rm++) {
		fesetround(ref_host_rm[rm]);
		for (int i = 0; i < RUNS; i++) {
			struct fp_env env = { .rm = (uint8_t)rm };
			uint64_t a = ref_operand(FP_D, &seed);
			/* Into the exponents of S. */
			if (i % 2)
				a = (a & ~(UINT64_C(7) << 59)) | UINT64_C(7) << 59;
			const volatile double d = ref_to_double(a);
			feclearexcept(FE_ALL_EXCEPT);
			volatile float f = (float)d;
			unsigned flags = ref_host_flags() | ignore;
			uint64_t got = fp_convert(FP_S, FP_D, a, &env);
			expect("convert to", FP_S, rm, a, got, env.flags | ignore,
			    ref_from_float(f), flags);

			env.flags = 0;
			a = ref_operand(FP_S, &seed);
			f = ref_to_float(a);
			feclearexcept(FE_ALL_EXCEPT);
			const volatile double r = f;
			flags = ref_host_flags();
			got = fp_convert(FP_D, FP_S, a, &env);
			expect(
			    "convert to", FP_D, rm, a, got, env.flags, ref_from_double(r), flags);
		}
	}
	fesetround(FE_TONEAREST);
}

static void special_values_keep_their_kind(void **state)
{
	(void)state;
	for (enum fp_fmt from = FP_H; from <= FP_D; from++) {
		for (enum fp_fmt to = FP_H; to <= FP_D; to++) {
			const uint64_t minus = ref_sign(from);
			struct fp_env env = { 0 };
			assert_int_equal(fp_convert(to, from, 0, &env), 0);
			assert_int_equal(fp_convert(to, from, minus, &env), ref_sign(to));
			assert_int_equal(fp_convert(to, from, ref_inf(from), &env), ref_inf(to));
			assert_int_equal(fp_convert(to, from, minus | ref_inf(from), &env),
			    ref_sign(to) | ref_inf(to));
			assert_int_equal(
			    fp_convert(to, from, minus | ref_qnan(from) | 1, &env), ref_qnan(to));
			assert_int_equal(env.flags, 0);
			assert_int_equal(fp_convert(to, from, ref_snan(from), &env), ref_qnan(to));
			assert_int_equal(env.flags, FP_NV);
		}
	}
}

/* An integer of any length, or near a power of two. */
static uint64_t integer(uint64_t *seed)
{
	const uint64_t r = ref_random(seed), x = ref_random(seed) >> r % 64;

	return r >> 6 & 1 ? x : (UINT64_C(1) << r % 64) + (r >> 7 & 3) - 2;
}

static void integers_match_exact_rounder(void **state)
{
	uint64_t seed = 5;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < RUNS; i++) {
		const enum fp_fmt fmt = i % 3;
		const uint64_t u = integer(&seed);
		const int64_t s = (int64_t)u;
		const struct ref_val uv = { .sig = u };
		const struct ref_val sv = { .sign = s < 0, .sig = s < 0 ? -u : u };
		for (unsigned rm = FP_RNE; rm <= FP_RMM; rm++) {
			struct fp_env env = { .rm = (uint8_t)rm };
			unsigned flags = 0;
			uint64_t r = ref_round(fmt, uv, rm, &flags);
			uint64_t got = fp_from_u64(fmt, u, &env);
			expect("from u64", fmt, rm, u, got, env.flags, r, flags);

			env.flags = 0;
			flags = 0;
			r = ref_round(fmt, sv, rm, &flags);
			got = fp_from_i64(fmt, s, &env);
			expect("from i64", fmt, rm, u, got, env.flags, r, flags);
		}
	}
}

/* The magnitude of v rounded to an integer, at most 2^64 of them: enough to see that it is large.
 */
static u128 whole(struct ref_val v, unsigned rm, bool *inexact)
{
	const u128 limit = (u128)1 << 64;
	u128 low = v.sig, rest = 0, half = 0;

	for (int i = 0; i < v.exp && low < limit; i++)
		low *= 2;
	/* What falls out is kept exactly, above a sticky bit. */
	for (int i = v.exp; i < 0; i++) {
		rest = (rest >> 1 | (rest & 1)) | (low & 1) << 120;
		low >>= 1;
	}
	half = (u128)1 << 120;
	*inexact = rest != 0;

	const bool away[] = {
		[FP_RNE] = rest > half || (rest == half && low % 2 == 1),
		[FP_RTZ] = false,
		[FP_RDN] = v.sign && rest != 0,
		[FP_RUP] = !v.sign && rest != 0,
		[FP_RMM] = rest >= half,
	};
	return low + away[rm];
}

static uint64_t extend32(uint64_t x)
{
	return (uint64_t)(int64_t)(int32_t)(uint32_t)x;
}

/* RISC-V unprivileged manual 20191213, table 11.4. */
static uint64_t integer_of(
    enum fp_fmt fmt, uint64_t a, unsigned bits, bool is_signed, unsigned rm, unsigned *flags)
{
	const struct ref_val v = ref_value(fmt, a);
	const u128 one = 1;
	const u128 upper = (one << (bits - is_signed)) - 1, lower = is_signed ? upper + 1 : 0;
	const bool nan = ref_magnitude(fmt, a) > ref_inf(fmt), minus = v.sign && !nan;
	bool inexact = false;
	u128 mag = ref_finite(fmt, a) ? whole(v, rm, &inexact) : one << 64;

	*flags = inexact ? FP_NX : 0;
	if (mag > (minus ? lower : upper)) {
		mag = minus ? lower : upper;
		*flags = FP_NV;
	}
	const uint64_t x = minus ? -(uint64_t)mag : (uint64_t)mag;
	return bits == 32 ? extend32(x) : x;
}

/* Mostly near what fits into integers. */
static uint64_t number(enum fp_fmt fmt, uint64_t *seed)
{
	const uint64_t ulp = UINT64_C(1) << ref_fmt[fmt].frac;
	const uint64_t a = ref_operand(fmt, seed), r = ref_random(seed);
	const uint64_t exp = ref_one(fmt) - 4 * ulp + r % (fmt == FP_H ? 20 : 72) * ulp;

	if (r >> 62 == 0)
		return a;
	return (a & (ref_sign(fmt) | (ulp - 1))) | (exp & ~(ulp - 1));
}

static void to_integers_matches_exact_integers(void **state)
{
	uint64_t seed = 6;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 4 * RUNS; i++) {
		const enum fp_fmt fmt = i % 3;
		const unsigned bits = i / 3 % 2 ? 32 : 64;
		const bool is_signed = i / 6 % 2;
		const uint64_t a = number(fmt, &seed);
		for (unsigned rm = FP_RNE; rm <= FP_RMM; rm++) {
			struct fp_env env = { .rm = (uint8_t)rm };
			unsigned flags;
			const uint64_t result = integer_of(fmt, a, bits, is_signed, rm, &flags);
			const uint64_t got = fp_to_int(fmt, a, bits, is_signed, &env);
			expect(is_signed ? "to signed" : "to unsigned", fmt, rm, a, got, env.flags,
			    result, flags);
		}
	}
}

static void integers_match_host(void **state)
{
	uint64_t seed = 7;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned rm = FP_RNE; rm < FP_RMM; rm++) {
		fesetround(ref_host_rm[rm]);
		for (int i = 0; i < RUNS; i++) {
			struct fp_env env = { .rm = (uint8_t)rm };
			const uint64_t a = number(FP_D, &seed);
			const volatile double d = ref_to_double(a);
			const uint64_t x = fp_to_int(FP_D, a, 64, true, &env);
			/* What llrint() of others returns is the host's choice. */
			if (!(env.flags & FP_NV)) {
				feclearexcept(FE_ALL_EXCEPT);
				const volatile long long n = llrint(d);
				expect("to i64", FP_D, rm, a, x, env.flags, (uint64_t)n,
				    ref_host_flags());
			}
			const volatile long long n = (long long)integer(&seed);
			feclearexcept(FE_ALL_EXCEPT);
			const volatile double r = (double)n;
			const unsigned flags = ref_host_flags();
			env.flags = 0;
			const uint64_t got = fp_from_i64(FP_D, n, &env);
			expect("from i64", FP_D, rm, (uint64_t)n, got, env.flags,
			    ref_from_double(r), flags);
		}
	}
	fesetround(FE_TONEAREST);
}

static void values_that_do_not_fit_give_the_nearest_bound(void **state)
{
	static const struct {
		double value;
		unsigned bits;
		bool is_signed;
		uint64_t result;
		unsigned flags;
	} cases[] = {
		{ NAN, 32, true, 0x7fffffff, FP_NV },
		{ NAN, 32, false, UINT64_MAX, FP_NV },
		{ NAN, 64, true, INT64_MAX, FP_NV },
		{ -NAN, 64, false, UINT64_MAX, FP_NV },
		{ INFINITY, 32, true, 0x7fffffff, FP_NV },
		{ -INFINITY, 32, true, 0xffffffff80000000, FP_NV },
		{ -INFINITY, 64, false, 0, FP_NV },
		{ 4294967295.0, 32, false, UINT64_MAX, 0 },
		{ 4294967295.5, 32, false, UINT64_MAX, FP_NV },
		{ 2147483648.0, 32, false, 0xffffffff80000000, 0 },
		{ 2147483648.0, 32, true, 0x7fffffff, FP_NV },
		{ -2147483648.5, 32, true, 0xffffffff80000000, FP_NX },
		{ -2147483649.0, 32, true, 0xffffffff80000000, FP_NV },
		{ -0.5, 64, false, 0, FP_NX },
		{ -1.0, 64, false, 0, FP_NV },
		{ -0.0, 64, false, 0, 0 },
		{ 0x1p64, 64, false, UINT64_MAX, FP_NV },
		{ -0x1p63, 64, true, UINT64_C(1) << 63, 0 },
		{ 0x1p63, 64, true, INT64_MAX, FP_NV },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fp_env env = { .rm = FP_RNE };
		uint64_t a;
		memcpy(&a, &cases[i].value, sizeof(a));
		const uint64_t got = fp_to_int(FP_D, a, cases[i].bits, cases[i].is_signed, &env);
		expect(
		    "to integer", FP_D, FP_RNE, a, got, env.flags, cases[i].result, cases[i].flags);
	}
}

/* FCVTMOD.W.D: the low 32 bits of the truncated value, with the flags of FCVT.W.D. */
static void modular_conversion_keeps_the_low_bits(void **state)
{
	uint64_t seed = 8;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < RUNS; i++) {
		const uint64_t a = number(FP_D, &seed);
		struct fp_env env = { .rm = FP_RUP };
		const struct ref_val v = ref_value(FP_D, a);
		unsigned flags;
		uint64_t result = 0;
		bool inexact;
		integer_of(FP_D, a, 32, true, FP_RTZ, &flags);
		if (ref_finite(FP_D, a) && v.exp < 32)
			result =
			    (uint64_t)(v.exp < 0 ? whole(v, FP_RTZ, &inexact) : v.sig << v.exp);
		result = extend32(v.sign ? -result : result);
		const uint64_t got = fp_to_int_mod(a, &env);
		expect("to int mod", FP_D, FP_RTZ, a, got, env.flags, result, flags);
	}
}

static void integral_values_match_exact_integers(void **state)
{
	uint64_t seed = 9;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < RUNS; i++) {
		const enum fp_fmt fmt = i % 3;
		const uint64_t a = number(fmt, &seed), sign = a & ref_sign(fmt);
		struct ref_val v = ref_value(fmt, a);
		if (!ref_finite(fmt, a) || v.exp >= 0)
			continue;
		for (unsigned rm = FP_RNE; rm <= FP_RMM; rm++) {
			struct fp_env env = { .rm = (uint8_t)rm };
			unsigned flags = 0;
			bool inexact;
			const struct ref_val n = { .sig = whole(v, rm, &inexact) };
			const uint64_t result = sign | ref_round(fmt, n, FP_RTZ, &flags);
			assert_int_equal(flags, 0);
			uint64_t got = fp_round(fmt, a, false, &env);
			expect("round", fmt, rm, a, got, env.flags, result, 0);
			got = fp_round(fmt, a, true, &env);
			expect("round", fmt, rm, a, got, env.flags, result, inexact ? FP_NX : 0);
		}
	}
}

static void integral_values_match_host(void **state)
{
	/* Not inlined: gcc's own sequence is right for rounding to nearest only. */
	double (*const volatile host_rint)(double) = rint;
	float (*const volatile host_rintf)(float) = rintf;
	uint64_t seed = 10;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned rm = FP_RNE; rm < FP_RMM; rm++) {
		fesetround(ref_host_rm[rm]);
		for (int i = 0; i < RUNS; i++) {
			struct fp_env env = { .rm = (uint8_t)rm };
			uint64_t a = number(FP_D, &seed);
			const volatile double d = ref_to_double(a);
			feclearexcept(FE_ALL_EXCEPT);
			const volatile double r = host_rint(d);
			unsigned flags = ref_host_flags();
			uint64_t got = fp_round(FP_D, a, true, &env);
			expect("round", FP_D, rm, a, got, env.flags, ref_from_double(r), flags);

			env.flags = 0;
			a = number(FP_S, &seed);
			const volatile float f = ref_to_float(a);
			feclearexcept(FE_ALL_EXCEPT);
			const volatile float s = host_rintf(f);
			flags = ref_host_flags();
			got = fp_round(FP_S, a, true, &env);
			expect("round", FP_S, rm, a, got, env.flags, ref_from_float(s), flags);
		}
	}
	fesetround(FE_TONEAREST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_match_exact_rounder),
		cmocka_unit_test(formats_match_host),
		cmocka_unit_test(special_values_keep_their_kind),
		cmocka_unit_test(integers_match_exact_rounder),
		cmocka_unit_test(to_integers_matches_exact_integers),
		cmocka_unit_test(integers_match_host),
		cmocka_unit_test(values_that_do_not_fit_give_the_nearest_bound),
		cmocka_unit_test(modular_conversion_keeps_the_low_bits),
		cmocka_unit_test(integral_values_match_exact_integers),
		cmocka_unit_test(integral_values_match_host),
	};

	return cmocka_run_group_tests_name("fp convert", tests, NULL, NULL);
}
