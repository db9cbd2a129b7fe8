/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks of NBD servers: nbdkit, and qemu-nbd.  Without the programs, or the library, tests are
 * skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/thread.h"
#include "host/image/image.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { SIZE = 1 << 20 };

struct fixture {
	char dir[40], socket[64], file[64], uri[160];
	pid_t server;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/lodge-nbd.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->socket, sizeof f->socket, "%s/socket", f->dir);
	snprintf(f->file, sizeof f->file, "%s/file", f->dir);
	snprintf(f->uri, sizeof f->uri, "nbd+unix:///?socket=%s", f->socket);
	*state = f;
	return 0;
}

static void stop(struct fixture *f)
{
	if (!f->server)
		return;
	kill(f->server, SIGKILL);
	waitpid(f->server, NULL, 0);
	f->server = 0;
	unlink(f->socket);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stop(f);
	unlink(f->file);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static bool answers(const char *socket_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	strcpy(a.sun_path, socket_path);
	ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
	close(fd);
	return ok;
}

/* Runs a server, and waits until it answers; skips the test if there is none. */
static void serve(struct fixture *f, const char *const argv[])
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	f->server = fork();
	if (f->server == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	for (int i = 0; i < 500 && !answers(f->socket); i++) {
		int status;

		if (waitpid(f->server, &status, WNOHANG) == f->server) {
			f->server = 0;
			if (WEXITSTATUS(status) == 127)
				skip();
			fail_msg("%s has ended: %#x", argv[0], status);
		}
		nanosleep(&moment, NULL);
	}
}

#define SERVE(f, ...)                                                                              \
	serve(f, (const char *const[]){ "nbdkit", "-f", "-U", (f)->socket, __VA_ARGS__, NULL })

static struct image *open_uri(const char *uri, bool readonly)
{
	struct err e = { "" };
	struct image *i = image_open(uri, &(struct image_options){ .readonly = readonly }, &e);

	if (!i && strstr(e.text, "without libnbd"))
		skip();
	if (!i)
		fail_msg("%s", e.text);
	return i;
}

static int write_at(struct image *i, uint64_t off, const void *data, uint64_t len)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };

	return image_write(i, &iov, 1, off, len);
}

static int read_at(struct image *i, uint64_t off, void *data, uint64_t len)
{
	struct iovec iov = { data, len };

	return image_read(i, &iov, 1, off, len);
}

static void expect_bytes(struct image *i, uint64_t off, uint64_t len, uint8_t byte)
{
	uint8_t *data = malloc(len), *want = malloc(len);

	memset(want, byte, len);
	assert_int_equal(read_at(i, off, data, len), 0);
	assert_memory_equal(data, want, len);
	free(data);
	free(want);
}

static void data_is_moved(void **state)
{
	struct fixture *f = *state;
	uint8_t data[8192];
	struct iovec pieces[3] = { { data, 100 }, { data + 100, 5000 }, { data + 5100, 3092 } };
	struct image *i;

	SERVE(f, "memory", "1M");
	i = open_uri(f->uri, false);
	assert_int_equal(i->size, SIZE);
	assert_true(i->can_discard);
	memset(data, 0x5a, sizeof data);
	assert_int_equal(image_write(i, pieces, 3, 4096, 8192), 0);
	expect_bytes(i, 0, 4096, 0);
	expect_bytes(i, 4096, 8192, 0x5a);
	memset(data, 0, sizeof data);
	assert_int_equal(image_read(i, pieces, 3, 4608, 8192), 0);
	assert_int_equal(data[7679], 0x5a);
	assert_int_equal(data[7680], 0);
	assert_int_equal(image_zero(i, 4608, 512, false), 0);
	assert_int_equal(image_zero(i, 8192, 512, true), 0);
	expect_bytes(i, 4608, 512, 0);
	expect_bytes(i, 8192, 512, 0);
	expect_bytes(i, 5120, 3072, 0x5a);
	assert_int_equal(image_discard(i, 0, SIZE), 0);
	assert_int_equal(image_flush(i), 0);
	assert_int_equal(write_at(i, SIZE - 512, data, 512), 0);
	assert_int_equal(write_at(i, SIZE, data, 512), -EINVAL);
	image_close(i);
}

static void holes_are_known(void **state)
{
	struct fixture *f = *state;
	uint8_t data[32768];
	uint64_t len = SIZE;
	struct image *i;

	SERVE(f, "memory", "1M");
	i = open_uri(f->uri, false);
	assert_int_equal(image_kind(i, 0, &len), IMAGE_ZERO);
	assert_int_equal(len, SIZE);
	memset(data, 1, sizeof data);
	assert_int_equal(write_at(i, 65536, data, sizeof data), 0);
	len = SIZE;
	assert_int_equal(image_kind(i, 0, &len), IMAGE_ZERO);
	assert_int_equal(len, 65536);
	len = 512;
	assert_int_equal(image_kind(i, 65536 + 4096, &len), IMAGE_DATA);
	assert_int_equal(len, 512);
	image_close(i);
}

static void a_server_without_zeroes_gets_them_written(void **state)
{
	struct fixture *f = *state;
	uint8_t data[1024];
	struct image *i;

	SERVE(f, "--filter=nozero", "--filter=noextents", "memory", "1M");
	i = open_uri(f->uri, false);
	memset(data, 1, sizeof data);
	assert_int_equal(write_at(i, 0, data, 1024), 0);
	assert_int_equal(image_zero(i, 512, 200000, true), 0);
	expect_bytes(i, 0, 512, 1);
	expect_bytes(i, 512, 512, 0);
	image_close(i);
}

static void refuse(const char *uri, bool readonly, const char *why)
{
	struct err e = { "" };

	assert_null(image_open(uri, &(struct image_options){ .readonly = readonly }, &e));
	if (strstr(e.text, "without libnbd"))
		skip();
	if (!strstr(e.text, uri) || !strstr(e.text, why))
		fail_msg("not \"%s\": %s", why, e.text);
}

static void what_cannot_be_opened_is_told(void **state)
{
	struct fixture *f = *state;
	struct image *i;

	refuse(f->uri, false, "No such file");
	SERVE(f, "-r", "memory", "1M");
	refuse(f->uri, false, "add ,ro or ,snapshot");
	i = open_uri(f->uri, true);
	assert_int_equal(write_at(i, 0, "x", 1), -EROFS);
	expect_bytes(i, 0, 512, 0);
	image_close(i);
	stop(f);
	SERVE(f, "memory", "1000");
	refuse(f->uri, true, "1000 bytes");
	stop(f);
	SERVE(f, "--filter=blocksize-policy", "memory", "1M", "blocksize-minimum=4096",
	    "blocksize-error-policy=error");
	refuse(f->uri, true, "at least 4096");
}

static void errors_of_the_server_are_told(void **state)
{
	struct fixture *f = *state;
	uint8_t data[512] = { 0 };
	struct image *i;

	SERVE(f, "--filter=error", "memory", "1M", "error=ENOSPC", "error-rate=0",
	    "error-pwrite-rate=100%");
	i = open_uri(f->uri, false);
	assert_int_equal(write_at(i, 0, data, 512), -ENOSPC);
	assert_int_equal(read_at(i, 0, data, 512), 0);
	image_close(i);
	stop(f);
	SERVE(f, "--filter=error", "memory", "1M", "error=EIO", "error-rate=0",
	    "error-pread-rate=100%");
	i = open_uri(f->uri, false);
	assert_int_equal(write_at(i, 0, data, 512), 0);
	assert_int_equal(read_at(i, 0, data, 512), -EIO);
	image_close(i);
}

static void make_file(struct fixture *f)
{
	int fd = open(f->file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
}

static void a_lost_connection_is_made_anew(void **state)
{
	struct fixture *f = *state;
	char option[80];
	struct image *i;

	make_file(f);
	snprintf(option, sizeof option, "file=%s", f->file);
	SERVE(f, "file", option);
	i = open_uri(f->uri, false);
	assert_int_equal(write_at(i, 512, "one", 3), 0);
	assert_int_equal(image_flush(i), 0);
	stop(f);
	SERVE(f, "file", option);
	assert_int_equal(write_at(i, 515, "two", 3), 0);
	stop(f);
	/* Without a server there is nothing but errors, until it comes back. */
	assert_int_equal(write_at(i, 518, "six", 3), -EIO);
	SERVE(f, "file", option);
	assert_int_equal(write_at(i, 518, "ten", 3), 0);
	/* Nobody knows whether the server still has what it was given before. */
	assert_int_equal(image_flush(i), -EIO);
	assert_int_equal(image_flush(i), 0);
	expect_bytes(i, 512 + 9, 20, 0);
	image_close(i);
}

static void qemu_nbd_serves_too(void **state)
{
	struct fixture *f = *state;
	uint8_t data[4096];
	char uri[120];
	struct image *i;
	int fd;

	make_file(f);
	snprintf(uri, sizeof uri, "nbd+unix:///disk?socket=%s", f->socket);
	serve(f, (const char *const[]){ "qemu-nbd", "-t", "-e", "4", "-f", "raw", "-x", "disk",
		     "-k", f->socket, f->file, NULL });
	i = open_uri(uri, false);
	memset(data, 7, sizeof data);
	assert_int_equal(write_at(i, 8192, data, 4096), 0);
	assert_int_equal(image_flush(i), 0);
	expect_bytes(i, 8192, 4096, 7);
	expect_bytes(i, 0, 8192, 0);
	image_close(i);
	fd = open(f->file, O_RDONLY);
	assert_int_equal(pread(fd, data, 4096, 8192), 4096);
	assert_int_equal(data[4095], 7);
	close(fd);
}

static void write_key(const char *path, const char *key)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, key, strlen(key)), strlen(key));
	close(fd);
}

static void connections_can_be_encrypted(void **state)
{
	struct fixture *f = *state;
	char option[80], other[80], uri[240];
	struct image *i;

	write_key(f->file, "guest:00112233445566778899aabbccddeeff\n");
	snprintf(option, sizeof option, "--tls-psk=%s", f->file);
	SERVE(f, "--tls=require", option, "memory", "1M");
	refuse(f->uri, false, "TLS");
	snprintf(
	    uri, sizeof uri, "nbds+unix://guest@/?socket=%s&tls-psk-file=%s", f->socket, f->file);
	i = open_uri(uri, false);
	assert_int_equal(write_at(i, 0, "secret", 6), 0);
	expect_bytes(i, 6, 1024, 0);
	image_close(i);
	snprintf(other, sizeof other, "%s/other", f->dir);
	write_key(other, "guest:ffffffffffffffffffffffffffffffff\n");
	snprintf(
	    uri, sizeof uri, "nbds+unix://guest@/?socket=%s&tls-psk-file=%s", f->socket, other);
	refuse(uri, false, "gnutls");
	unlink(other);
}

struct worker {
	struct thread thread;
	struct image *image;
	unsigned part;
	bool ok;
};

/* Each has an eighth of the disk. */
static void *work(void *arg)
{
	enum { PART = SIZE / 8 };
	struct worker *w = arg;
	uint64_t seed = w->part + 1;
	uint8_t *copy = calloc(PART, 1), *data = malloc(PART);

	w->ok = true;
	for (unsigned n = 0; n < 200; n++) {
		uint64_t x = random_split(&seed), off = x % (PART / 512) * 512;
		uint64_t len = PART - off < 20000 ? PART - off : 20000 / 512 * 512;
		uint64_t at = w->part * PART + off;

		if (x >> 20 & 1) {
			memset(copy + off, (int)(x >> 24 & 0xff), len);
			w->ok &= write_at(w->image, at, copy + off, len) == 0;
		} else {
			w->ok &=
			    read_at(w->image, at, data, len) == 0 && !memcmp(data, copy + off, len);
		}
		if (n % 50 == 0)
			w->ok &= image_flush(w->image) == 0;
	}
	free(copy);
	free(data);
	return NULL;
}

static void commands_of_many_threads_share_a_connection(void **state)
{
	struct fixture *f = *state;
	struct worker w[8];
	struct image *i;

	SERVE(f, "memory", "1M");
	i = open_uri(f->uri, false);
	for (unsigned n = 0; n < 8; n++) {
		w[n] = (struct worker){ .image = i, .part = n };
		assert_int_equal(thread_start(&w[n].thread, "nbd", work, &w[n]), 0);
	}
	for (unsigned n = 0; n < 8; n++) {
		thread_join(&w[n].thread);
		assert_true(w[n].ok);
	}
	image_close(i);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(data_is_moved),
		TEST(holes_are_known),
		TEST(a_server_without_zeroes_gets_them_written),
		TEST(what_cannot_be_opened_is_told),
		TEST(errors_of_the_server_are_told),
		TEST(a_lost_connection_is_made_anew),
		TEST(qemu_nbd_serves_too),
		TEST(connections_can_be_encrypted),
		TEST(commands_of_many_threads_share_a_connection),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
