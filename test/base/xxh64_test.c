/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/xxh64.h"
#include "test/cmocka.h"

/* From the C library of xxHash 0.8.1. */
static void known_sums_come_out(void **state)
{
	static const struct {
		size_t len;
		uint64_t sum;
	} of_bytes[] = {
		{ 1, 0xe934a84adb052768 },
		{ 14, 0x5cda8b69bbfc1d45 },
		{ 31, 0xc346d2b59b4d8ee1 },
		{ 32, 0xcbf59c5116ff32b4 },
		{ 33, 0xc535d1acafb8ead },
		{ 63, 0xe26aa9e2a95f8e4f },
		{ 101, 0xe99038495f85381e },
	};
	uint8_t data[101];

	(void)state;
	assert_true(xxh64("", 0) == 0xef46db3751d8e999);
	assert_true(xxh64("abc", 3) == 0x44bc2cf5ad770999);
	for (uint8_t i = 0; i < sizeof data; i++)
		data[i] = i;
	for (size_t i = 0; i < sizeof of_bytes / sizeof *of_bytes; i++)
		assert_true(xxh64(data, of_bytes[i].len) == of_bytes[i].sum);
}

static void each_bit_counts(void **state)
{
	uint8_t data[77] = { 0 };
	const uint64_t before = xxh64(data, sizeof data);

	(void)state;
	for (unsigned bit = 0; bit < 8 * sizeof data; bit++) {
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(xxh64(data, sizeof data) != before);
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(xxh64(data, sizeof data) == before);
	assert_true(xxh64(data, sizeof data - 1) != before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sums_come_out),
		cmocka_unit_test(each_bit_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
