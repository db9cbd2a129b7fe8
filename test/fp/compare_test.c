/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: comparisons order values as the host does and signal as IEEE 754 says; minimum and
 * maximum treat NaNs and zeros as RISC-V does; classes are FCLASS's.
 */
#include <math.h>

#include "test/fp/ref.h"

enum { RUNS = 100000 };

/* H and S as doubles with all that a comparison sees, but which NaNs signal. */
static double value(enum fp_fmt fmt, uint64_t a)
{
	struct fp_env env = { 0 };

	return ref_to_double(fmt == FP_D ? a : fp_convert(FP_D, fmt, a, &env));
}

static bool signals(enum fp_fmt fmt, uint64_t a)
{
	const uint64_t mag = ref_magnitude(fmt, a);

	return mag > ref_inf(fmt) && mag < ref_qnan(fmt);
}

static void comparisons_match_host(void **state)
{
	uint64_t seed = 11;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < RUNS; i++) {
		const enum fp_fmt fmt = i % 3;
		const uint64_t a = ref_operand(fmt, &seed), b = ref_neighbour(fmt, a, &seed);
		const double x = value(fmt, a), y = value(fmt, b);
		const unsigned quiet = signals(fmt, a) || signals(fmt, b) ? FP_NV : 0;
		const unsigned all = isunordered(x, y) ? FP_NV : 0;
		struct fp_env env[5] = { 0 };

		assert_int_equal(fp_eq(fmt, a, b, &env[0]), x == y);
		assert_int_equal(fp_lt(fmt, a, b, &env[1]), isless(x, y));
		assert_int_equal(fp_le(fmt, a, b, &env[2]), islessequal(x, y));
		assert_int_equal(fp_lt_quiet(fmt, a, b, &env[3]), isless(x, y));
		assert_int_equal(fp_le_quiet(fmt, a, b, &env[4]), islessequal(x, y));
		assert_int_equal(env[0].flags, quiet);
		assert_int_equal(env[1].flags, all);
		assert_int_equal(env[2].flags, all);
		assert_int_equal(env[3].flags, quiet);
		assert_int_equal(env[4].flags, quiet);
	}
}

static void extremes_of_numbers_are_one_of_them(void **state)
{
	uint64_t seed = 12;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < RUNS; i++) {
		const enum fp_fmt fmt = i % 3;
		const uint64_t a = ref_finite_operand(fmt, &seed);
		const uint64_t b = ref_finite_operand(fmt, &seed);
		const double x = value(fmt, a), y = value(fmt, b);
		const bool less = x < y || (x == y && signbit(x));
		struct fp_env env = { 0 };

		assert_int_equal(fp_min(fmt, a, b, i % 2, &env), less ? a : b);
		assert_int_equal(fp_max(fmt, a, b, i % 2, &env), less ? b : a);
		assert_int_equal(env.flags, 0);
	}
}

static void extremes_with_nans_and_zeros(void **state)
{
	(void)state;
	for (enum fp_fmt fmt = FP_H; fmt <= FP_D; fmt++) {
		const uint64_t one = ref_one(fmt), quiet = ref_qnan(fmt), odd = quiet | 1;
		const uint64_t minus = ref_sign(fmt), signalling = ref_snan(fmt);
		struct fp_env env = { 0 };

		assert_int_equal(fp_min(fmt, 0, minus, false, &env), minus);
		assert_int_equal(fp_min(fmt, minus, 0, true, &env), minus);
		assert_int_equal(fp_max(fmt, 0, minus, false, &env), 0);
		assert_int_equal(fp_max(fmt, minus, 0, true, &env), 0);
		assert_int_equal(fp_min(fmt, one, odd, false, &env), one);
		assert_int_equal(fp_max(fmt, odd, one, false, &env), one);
		assert_int_equal(fp_max(fmt, minus | odd, odd, false, &env), quiet);
		assert_int_equal(fp_min(fmt, one, odd, true, &env), quiet);
		assert_int_equal(fp_max(fmt, odd, one, true, &env), quiet);
		assert_int_equal(env.flags, 0);

		assert_int_equal(fp_min(fmt, signalling, one, false, &env), one);
		assert_int_equal(env.flags, FP_NV);
		env.flags = 0;
		assert_int_equal(fp_max(fmt, one, signalling, true, &env), quiet);
		assert_int_equal(env.flags, FP_NV);
		env.flags = 0;
		assert_int_equal(fp_min(fmt, signalling, quiet, false, &env), quiet);
		assert_int_equal(env.flags, FP_NV);
	}
}

static void classes_are_those_of_fclass(void **state)
{
	(void)state;
	for (enum fp_fmt fmt = FP_H; fmt <= FP_D; fmt++) {
		const uint64_t minus = ref_sign(fmt), least = UINT64_C(1) << ref_fmt[fmt].frac;

		assert_int_equal(fp_class(fmt, minus | ref_inf(fmt)), 1 << 0);
		assert_int_equal(fp_class(fmt, minus | least), 1 << 1);
		assert_int_equal(fp_class(fmt, minus | (ref_inf(fmt) - 1)), 1 << 1);
		assert_int_equal(fp_class(fmt, minus | (least - 1)), 1 << 2);
		assert_int_equal(fp_class(fmt, minus), 1 << 3);
		assert_int_equal(fp_class(fmt, 0), 1 << 4);
		assert_int_equal(fp_class(fmt, 1), 1 << 5);
		assert_int_equal(fp_class(fmt, least - 1), 1 << 5);
		assert_int_equal(fp_class(fmt, least), 1 << 6);
		assert_int_equal(fp_class(fmt, ref_inf(fmt)), 1 << 7);
		assert_int_equal(fp_class(fmt, minus | ref_snan(fmt)), 1 << 8);
		assert_int_equal(fp_class(fmt, ref_qnan(fmt) - 1), 1 << 8);
		assert_int_equal(fp_class(fmt, ref_qnan(fmt)), 1 << 9);
	}
}

static void bits_above_the_format_are_ignored(void **state)
{
	struct fp_env env = { 0 };

	(void)state;
	assert_true(fp_eq(FP_S, 0x123400000000, 0xffff00000000, &env));
	assert_true(fp_lt(FP_H, 0xffff3c00, 0x00004000, &env));
	assert_int_equal(fp_min(FP_H, 0xffff3c00, 0xaaaa4000, false, &env), 0x3c00);
	assert_int_equal(
	    fp_max(FP_S, 0xaaaaaaaa7fc00000, 0xbbbbbbbb3f800000, false, &env), 0x3f800000);
	assert_int_equal(fp_class(FP_S, 0xffffffff00000000), 1 << 4);
	assert_int_equal(env.flags, 0);
	assert_false(fp_is_nan(FP_H, 0x17c00));
	assert_true(fp_is_nan(FP_H, 0x17c01));
	assert_true(fp_is_snan(FP_H, 0x17c01));
	assert_false(fp_is_snan(FP_H, 0x17e01));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparisons_match_host),
		cmocka_unit_test(extremes_of_numbers_are_one_of_them),
		cmocka_unit_test(extremes_with_nans_and_zeros),
		cmocka_unit_test(classes_are_those_of_fclass),
		cmocka_unit_test(bits_above_the_format_are_ignored),
	};

	return cmocka_run_group_tests_name("fp compare", tests, NULL, NULL);
}
