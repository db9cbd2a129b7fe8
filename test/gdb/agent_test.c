/* SPDX-License-Identifier: BSD-2-Clause */
/* Expressions, as in Debugging with GDB (13.1), F.2. */
#include <string.h>

#include "gdb/agent.h"
#include "test/cmocka.h"
#include "test/random.h"

static bool reg(void *arg, unsigned n, uint64_t *val)
{
	(void)arg;
	*val = 1000 + n;
	return n < 10;
}

static bool mem(void *arg, uint64_t at, void *to, unsigned len)
{
	static const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 0x88 };

	(void)arg;
	if (at > sizeof bytes || len > sizeof bytes - at)
		return false;
	memcpy(to, bytes + at, len);
	return true;
}

static const struct gdb_agent_env env = { reg, mem, NULL };

static bool eval(const void *code, size_t len, uint64_t *result)
{
	const struct gdb_agent a = { (uint8_t *)(uintptr_t)code, len };

	return gdb_agent_eval(&a, &env, result);
}

static void each_does_what_it_says(void **state)
{
	static const struct {
		const char *code;
		size_t len;
		uint64_t result;
	} good[] = {
#define CODE(text, result) { text, sizeof(text) - 1, result }
		CODE("\x22\x07\x27", 7),
		CODE("\x23\x01\x02\x27", 0x102),
		CODE("\x24\x01\x02\x03\x04\x27", 0x1020304),
		CODE("\x25\x01\x02\x03\x04\x05\x06\x07\x08\x27", 0x102030405060708),
		CODE("\x22\x07\x22\x03\x02\x27", 10),
		CODE("\x22\x07\x22\x03\x03\x27", 4),
		CODE("\x22\x07\x22\x03\x04\x27", 21),
		CODE("\x22\xf9\x16\x08\x22\x02\x05\x27", (uint64_t)-3), /* -7 / 2 */
		CODE("\x22\x07\x22\x02\x06\x27", 3),
		CODE("\x22\xf9\x16\x08\x22\x02\x07\x27", (uint64_t)-1),
		CODE("\x22\x07\x22\x04\x08\x27", 3),
		CODE("\x22\x07\x22\x04\x09\x27", 0x70),
		CODE("\x22\xf0\x16\x08\x22\x02\x0a\x27", (uint64_t)-4),
		CODE("\x22\xf0\x22\x02\x0b\x27", 0x3c),
		CODE("\x22\x07\x0e\x27", 0),
		CODE("\x22\x0c\x22\x0a\x0f\x27", 8),
		CODE("\x22\x0c\x22\x0a\x10\x27", 14),
		CODE("\x22\x0c\x22\x0a\x11\x27", 6),
		CODE("\x22\x00\x12\x27", UINT64_MAX),
		CODE("\x22\x07\x22\x07\x13\x27", 1),
		CODE("\x22\xff\x16\x08\x22\x07\x14\x27", 1),
		CODE("\x22\xff\x16\x08\x22\x07\x15\x27", 0),
		CODE("\x22\x00\x1a\x27", 0x8807060504030201),
		CODE("\x22\x01\x19\x27", 0x5040302),
		CODE("\x22\x06\x18\x27", 0x8807),
		CODE("\x22\x07\x17\x16\x08\x27", 0xffffffffffffff88),
		CODE("\x25\xff\xff\xff\xff\xff\xff\xff\xff\x2a\x0c\x27", 0xfff),
		CODE("\x26\x00\x09\x27", 1009),
		CODE("\x22\x05\x28\x04\x27", 25),
		CODE("\x22\x05\x22\x06\x29\x27", 5),
		CODE("\x22\x05\x22\x07\x2b\x03\x27", 2),
		CODE("\x22\x05\x22\x07\x32\x01\x27", 5),
		CODE("\x22\x01\x22\x02\x22\x03\x33\x03\x27", (uint64_t)-1), /* 3 1 2 */
		CODE("\x22\x01\x20\x00\x08\x22\x09\x27\x22\x04\x27", 4),
		CODE("\x21\x00\x05\x22\x09\x22\x08\x27", 8),
	};
	uint64_t result;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (!eval(good[i].code, good[i].len, &result))
			fail_msg("expression %zu has no value", i);
		if (result != good[i].result)
			fail_msg("expression %zu is %llx", i, (unsigned long long)result);
	}
}

static void what_cannot_be_has_no_value(void **state)
{
	static const struct {
		const char *code;
		size_t len;
	} bad[] = {
#define BAD(text) { text, sizeof(text) - 1 }
		BAD(""),
		BAD("\x22\x07"),                 /* no end */
		BAD("\x27"),                     /* nothing on the stack */
		BAD("\x22\x07\x22\x00\x06\x27"), /* division by 0 */
		BAD("\x26\x00\x0a\x27"),         /* no such register */
		BAD("\x22\x08\x17\x27"),         /* no such memory */
		BAD("\x25\x00\x27"),             /* half a constant */
		BAD("\x21\x00\x00\x27"),         /* for ever */
		BAD("\x22\x01\x21\x00\x00\x27"), /* until the stack is full */
		BAD("\x22\x01\x32\x09\x27"),
		BAD("\x00\x27"),
	};
	uint64_t result;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (eval(bad[i].code, bad[i].len, &result))
			fail_msg("expression %zu has a value", i);
	/* The least number divided by -1. */
	assert_true(eval("\x25\x80\0\0\0\0\0\0\0\x22\xff\x16\x08\x05\x27", 15, &result));
	assert_int_equal(result, 1ull << 63);
}

static void any_bytes_come_to_an_end(void **state)
{
	uint64_t seed = 1, result;
	uint8_t code[64];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		for (size_t j = 0; j < sizeof code; j++)
			code[j] = random_split(&seed) % 0x34;
		eval(code, sizeof code, &result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_does_what_it_says),
		cmocka_unit_test(what_cannot_be_has_no_value),
		cmocka_unit_test(any_bytes_come_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
