/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "test/cmocka.h"

/* return 42 (+ n) */
static size_t write_function(uint8_t *to, uint8_t n)
{
#if defined(__x86_64__)
	const uint8_t code[] = { 0xb8, (uint8_t)(42 + n), 0, 0, 0, 0xc3 };
#elif defined(__aarch64__)
	const uint32_t code[] = { 0x52800000 | (42u + n) << 5, 0xd65f03c0 };
#elif defined(__riscv)
	const uint32_t code[] = { 0x00000513 | (42u + n) << 20, 0x00008067 };
#else
	const uint8_t code[1] = { n };
#endif

	memcpy(to, code, sizeof code);
	return sizeof code;
}

static int call(const uint8_t *code, size_t len)
{
#if defined(__x86_64__) || defined(__aarch64__) || defined(__riscv)
	int (*fn)(void);

	__builtin___clear_cache((char *)(uintptr_t)code, (char *)(uintptr_t)code + len);
	memcpy(&fn, &code, sizeof fn);
	return fn();
#else
	return len ? code[0] + 42 : 0;
#endif
}

static void what_is_written_runs(void **state)
{
	struct os_code c;
	size_t at[] = { 0, 4096, (1 << 20) - 64 };

	(void)state;
	assert_int_equal(os_code_new(1 << 20, &c, NULL), 0);
	assert_int_equal(c.size, 1 << 20);
	assert_int_equal(c.rx[12345], 0);
	for (uint8_t i = 0; i < 3; i++) {
		size_t len = write_function(c.rw + at[i], i);

		assert_memory_equal(c.rw + at[i], c.rx + at[i], len);
		assert_int_equal(call(c.rx + at[i], len), 42 + i);
		write_function(c.rw + at[i], (uint8_t)(i + 1));
		assert_int_equal(call(c.rx + at[i], len), 43 + i);
	}
	os_code_discard(&c);
	assert_int_equal(call(c.rx + at[1], write_function(c.rw + at[1], 9)), 51);
	os_code_free(&c);
	assert_null(c.rw);
	os_code_free(&c);
}

static void sizes_are_whole_pages(void **state)
{
	struct os_code c;

	(void)state;
	assert_int_equal(os_code_new(1, &c, NULL), 0);
	assert_true(c.size >= 4096 && c.size % 4096 == 0);
	os_code_free(&c);
}

static void nothing_is_writable_and_executable(void **state)
{
	struct os_code c;
	char line[512];
	unsigned seen = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	(void)state;
	if (!maps)
		skip();
	fclose(maps);
	assert_int_equal(os_code_new(1 << 20, &c, NULL), 0);
	maps = fopen("/proc/self/maps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char rights[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3)
			continue;
		assert_false(rights[1] == 'w' && rights[2] == 'x');
		seen += from <= (uintptr_t)c.rw && (uintptr_t)c.rw < to && rights[1] == 'w';
		seen += from <= (uintptr_t)c.rx && (uintptr_t)c.rx < to && rights[2] == 'x';
	}
	fclose(maps);
	assert_int_equal(seen, 2);
	os_code_free(&c);
}

static void impossible_sizes_are_refused_in_words(void **state)
{
	struct os_code c;
	struct err e = { "" };

	(void)state;
	assert_true(os_code_new((size_t)1 << 62, &c, &e) < 0);
	assert_non_null(strstr(e.text, "MiB"));
	assert_null(c.rw);
	assert_true(os_code_new(0, &c, &e) < 0);
	assert_true(os_code_new(SIZE_MAX, &c, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_runs),
		cmocka_unit_test(sizes_are_whole_pages),
		cmocka_unit_test(nothing_is_writable_and_executable),
		cmocka_unit_test(impossible_sizes_are_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
