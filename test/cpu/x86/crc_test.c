/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC32 by the host and by a table is a division of bits: SDM volume 2. */
#include "cpu/x86/crc.h"
#include "test/cmocka.h"
#include "test/random.h"

static uint32_t divide(uint32_t crc, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes * 8; i++, v >>= 1)
		crc = crc >> 1 ^ ((crc ^ v) & 1 ? 0x82f63b78 : 0);
	return crc;
}

static void of_numbers(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		const unsigned bytes = 1u << i % 4;
		const uint32_t crc = (uint32_t)random_split(&seed);
		const uint64_t v = random_split(&seed);

		assert_int_equal(x86_crc32_by_table(crc, v, bytes), divide(crc, v, bytes));
		assert_int_equal(x86_crc32(crc, v, bytes), divide(crc, v, bytes));
	}
}

/* The check value of CRC-32C (RFC 3720, B.4 has more of them). */
static void of_nine_digits(void **state)
{
	uint32_t crc = UINT32_MAX;

	(void)state;
	for (const char *p = "123456789"; *p; p++)
		crc = x86_crc32(crc, (uint8_t)*p, 1);
	assert_int_equal(~crc, 0xe3069283);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_numbers),
		cmocka_unit_test(of_nine_digits),
	};

	return cmocka_run_group_tests_name("x86 CRC32", tests, NULL, NULL);
}
