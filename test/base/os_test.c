/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/os.h"
#include "test/cmocka.h"

static int temp_file(char path[32])
{
	strcpy(path, "/tmp/lodge-os.XXXXXX");
	return mkstemp(path);
}

static void clocks_go_on(void **state)
{
	uint64_t a = os_clock_ns();

	(void)state;
	while (os_clock_ns() == a)
		;
	assert_true(os_clock_ns() > a);
	assert_true(os_wall_ns() > UINT64_C(1700000000) * 1000000000);
}

static void random_fills_all(void **state)
{
	uint8_t a[1000] = { 0 }, b[1000] = { 0 };

	(void)state;
	os_random(a, sizeof a);
	os_random(b, sizeof b);
	os_random(b, 0);
	assert_memory_not_equal(a, b, 500);
	assert_memory_not_equal(a + 500, b + 500, 500);
}

static void ram_reads_as_zeroes_after_discard(void **state)
{
	size_t len = 1 << 20;
	uint8_t *p = os_ram_new(len, NULL);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p[len - 1], 0);
	memset(p, 0xff, len);
	os_ram_discard(p + 65536, 131072);
	assert_int_equal(p[65535], 0xff);
	assert_int_equal(p[65536], 0);
	assert_int_equal(p[65536 + 131071], 0);
	assert_int_equal(p[65536 + 131072], 0xff);
	os_ram_free(p, len);
	os_ram_free(NULL, 0);
}

static void impossible_ram_is_refused_in_words(void **state)
{
	struct err e = { "" };

	(void)state;
	assert_null(os_ram_new((size_t)1 << 62, &e));
	assert_non_null(strstr(e.text, "MiB"));
}

static void locks_hold_between_descriptors(void **state)
{
	char path[32];
	int a = temp_file(path), b = open(path, O_RDWR), c = open(path, O_RDWR);

	(void)state;
	assert_int_equal(os_file_lock(a, 0), 0);
	assert_int_equal(os_file_lock(b, 0), 0);
	assert_int_equal(os_file_lock(c, 1), -EAGAIN);
	close(a);
	close(b);
	assert_int_equal(os_file_lock(c, 1), 0);
	a = open(path, O_RDWR);
	assert_int_equal(os_file_lock(a, 0), -EAGAIN);
	close(a);
	close(c);
	unlink(path);
}

static void zeroed_files_keep_their_size(void **state)
{
	char path[32], data[16384];
	int fd = temp_file(path);
	struct stat st;

	(void)state;
	for (int punch = 0; punch < 2; punch++) {
		int rc;

		memset(data, 'x', sizeof data);
		assert_int_equal(pwrite(fd, data, sizeof data, 0), sizeof data);
		rc = os_file_zero(fd, 4000, 20000, punch);
		assert_true(rc == 0 || rc == -ENOTSUP);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, sizeof data);
		if (rc)
			continue;
		assert_int_equal(pread(fd, data, sizeof data, 0), sizeof data);
		assert_int_equal(data[3999], 'x');
		for (size_t i = 4000; i < sizeof data; i++)
			assert_int_equal(data[i], 0);
	}
	close(fd);
	unlink(path);
}

static void terminals_are_restored(void **state)
{
	struct termios first, now, before;
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	(void)state;
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		skip();
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_int_equal(tcgetattr(slave, &first), 0);
	assert_int_equal(os_tty_raw(slave, &before), 0);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG), 0);
	os_tty_restore(slave, &before);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_lflag, first.c_lflag);
	close(slave);
	close(master);
	slave = open("/dev/null", O_RDWR);
	assert_int_equal(os_tty_raw(slave, &before), -ENOTTY);
	close(slave);
}

static void there_is_a_cpu(void **state)
{
	(void)state;
	assert_true(os_cpus() >= 1);
	os_thread_lower();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_go_on),
		cmocka_unit_test(random_fills_all),
		cmocka_unit_test(ram_reads_as_zeroes_after_discard),
		cmocka_unit_test(impossible_ram_is_refused_in_words),
		cmocka_unit_test(locks_hold_between_descriptors),
		cmocka_unit_test(zeroed_files_keep_their_size),
		cmocka_unit_test(terminals_are_restored),
		cmocka_unit_test(there_is_a_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
