/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "test/cmocka.h"

static void buffers_grow(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_put(&b, "abcdefg", 7);
	assert_int_equal(b.len, 7000);
	assert_memory_equal(b.data + 6993, "abcdefg", 7);
	buf_put(&b, NULL, 0);
	assert_false(b.failed);
	buf_free(&b);
	assert_null(b.data);
	buf_printf(&b, "%s=%d", "answer", 42);
	buf_printf(&b, "%0200d", 7);
	assert_int_equal(b.len, 209);
	assert_memory_equal(b.data, "answer=42000", 12);
	buf_free(&b);
}

static void failure_sticks(void **state)
{
	struct buf b = { .failed = 1 };

	(void)state;
	buf_put(&b, "x", 1);
	assert_int_equal(b.len, 0);
	b = (struct buf){ 0 };
	buf_put(&b, "x", 1);
	buf_put(&b, "x", SIZE_MAX - 10);
	assert_true(b.failed);
	assert_int_equal(b.len, 1);
	buf_free(&b);
}

static void files_are_read_whole(void **state)
{
	char path[] = "/tmp/lodge-buf.XXXXXX";
	static char big[200000];
	struct buf b = { 0 };
	struct err e;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	memset(big, 'a', sizeof big);
	assert_int_equal(write(fd, big, sizeof big), sizeof big);
	assert_int_equal(buf_read_file(&b, path, sizeof big, &e), 0);
	assert_int_equal(b.len, sizeof big);
	assert_memory_equal(b.data, big, sizeof big);
	assert_int_equal(b.data[b.len], 0);
	buf_free(&b);
	assert_int_equal(buf_read_file(&b, path, sizeof big - 1, &e), -EFBIG);
	assert_non_null(strstr(e.text, path));
	buf_free(&b);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(buf_read_file(&b, path, 0, &e), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.data[0], 0);
	buf_free(&b);
	close(fd);
	unlink(path);
	assert_int_equal(buf_read_file(&b, path, 10, &e), -ENOENT);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(buf_read_file(&b, "/", 10, NULL), -EISDIR);
	buf_free(&b);
}

static void numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "-1", "+1", "0x", "1 ", "a", "1x",
		"18446744073709551616", "0x10000000000000000" };
	uint64_t v = 7;

	(void)state;
	assert_int_equal(parse_u64("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse_u64("010", &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(parse_u64("0xFfffffffffffffff", &v), 0);
	assert_true(v == UINT64_MAX);
	v = 7;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse_u64(bad[i], &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void sizes(void **state)
{
	static const char *const bad[] = { "", "M", "1MB", "1P", "-1M", "16777216T", "1 M" };
	uint64_t v = 7;

	(void)state;
	assert_int_equal(parse_size("512M", &v), 0);
	assert_int_equal(v, 512 << 20);
	assert_int_equal(parse_size("64k", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(parse_size("0x1000", &v), 0);
	assert_int_equal(v, 4096);
	assert_int_equal(parse_size("0x10G", &v), 0);
	assert_true(v == UINT64_C(16) << 30);
	assert_int_equal(parse_size("16777215T", &v), 0);
	v = 7;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse_size(bad[i], &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void durations(void **state)
{
	static const char *const bad[] = { "", "s", "1d", "1ss", "18446744074", "-1s" };
	uint64_t v = 7;

	(void)state;
	assert_int_equal(parse_duration("60", &v), 0);
	assert_true(v == 60 * UINT64_C(1000000000));
	assert_int_equal(parse_duration("500ms", &v), 0);
	assert_int_equal(v, 500000000);
	assert_int_equal(parse_duration("5m", &v), 0);
	assert_true(v == 300 * UINT64_C(1000000000));
	assert_int_equal(parse_duration("1h", &v), 0);
	assert_true(v == 3600 * UINT64_C(1000000000));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse_duration(bad[i], &v), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_grow),
		cmocka_unit_test(failure_sticks),
		cmocka_unit_test(files_are_read_whole),
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
