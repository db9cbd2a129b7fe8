/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/thread.h"
#include "core/chr.h"
#include "core/event.h"
#include "host/chr.h"
#include "test/cmocka.h"

enum { BIG = 1 << 20 };

/* The test's thread is the VM's; the loop has its own.  The device has a FIFO of 16 bytes, which
 * the "guest" empties into `got`, unless it sleeps. */
struct fixture {
	struct loop *loop;
	struct events *events;
	struct thread thread;
	struct chr *chr;
	struct mutex lock;
	uint8_t fifo[16];
	size_t nfifo, ngot;
	bool asleep;
	char *got;
	char dir[32], path[64];
	int saved[2]; /* standard input and output */
};

static size_t dev_room(void *dev)
{
	struct fixture *f = dev;

	return sizeof f->fifo - f->nfifo;
}

static void dev_input(void *dev, const uint8_t *p, size_t n)
{
	struct fixture *f = dev;

	assert_true(n <= dev_room(dev));
	memcpy(f->fifo + f->nfifo, p, n);
	f->nfifo += n;
}

static const struct chr_sink sink = { dev_room, dev_input };

/* What a VM does in a turn. */
static void turn(struct fixture *f)
{
	events_deliver(f->events);
	mutex_lock(&f->lock);
	if (f->nfifo && !f->asleep) {
		assert_true(f->ngot + f->nfifo < BIG);
		memcpy(f->got + f->ngot, f->fifo, f->nfifo);
		f->ngot += f->nfifo;
		f->nfifo = 0;
		chr_room(f->chr);
	}
	mutex_unlock(&f->lock);
	sched_yield();
}

static void wait_for(struct fixture *f, const char *text)
{
	size_t n = strlen(text);

	while (f->ngot < n)
		turn(f);
	assert_int_equal(f->ngot, n);
	assert_memory_equal(f->got, text, n);
	f->ngot = 0;
}

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void start(struct fixture *f, const char *spec)
{
	struct err e = { "" };

	f->chr = chr_open(spec, f->loop, f->events, &e);
	if (!f->chr)
		fail_msg("%s", e.text);
	chr_attach(f->chr, &sink, f, &f->lock);
	assert_int_equal(thread_start(&f->thread, "loop", run, f->loop), 0);
}

static void finish(struct fixture *f)
{
	loop_stop(f->loop);
	thread_join(&f->thread);
	chr_close(f->chr);
	f->chr = NULL;
}

static void say(struct fixture *f, const char *text)
{
	chr_write(f->chr, (const uint8_t *)text, strlen(text));
}

/* Blocks until all of text came in from fd. */
static void hear(int fd, const char *text)
{
	char b[256];
	size_t n = 0;

	while (n < strlen(text)) {
		ssize_t got = read(fd, b + n, strlen(text) - n);

		assert_true(got > 0);
		n += (size_t)got;
	}
	assert_memory_equal(b, text, n);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	signal(SIGPIPE, SIG_IGN);
	strcpy(f->dir, "/tmp/lodge-chr.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "unix:%s/socket", f->dir);
	f->loop = loop_new(NULL);
	f->events = events_new();
	mutex_init(&f->lock);
	f->got = malloc(BIG);
	fflush(stdout);
	for (int fd = 0; fd < 2; fd++)
		f->saved[fd] = dup(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int fd = 0; fd < 2; fd++) {
		dup2(f->saved[fd], fd);
		close(f->saved[fd]);
	}
	events_free(f->events);
	loop_free(f->loop);
	mutex_fini(&f->lock);
	/* Nothing may be left behind. */
	assert_int_equal(rmdir(f->dir), 0);
	free(f->got);
	free(f);
	return 0;
}

static int connect_to(struct fixture *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, f->path + 5);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

/* A client for whom the guest's words are not dropped: the loop has accepted it. */
static int client(struct fixture *f)
{
	int fd = connect_to(f);

	assert_int_equal(write(fd, "!", 1), 1);
	wait_for(f, "!");
	return fd;
}

static void sockets_carry_both_ways(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char text[80];
	int fd;

	start(f, f->path);
	chr_describe(f->chr, text, sizeof text);
	assert_string_equal(text, f->path);
	assert_int_equal(stat(f->path + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	say(f, "nobody hears this");
	fd = client(f);
	say(f, "login: ");
	hear(fd, "login: ");
	assert_int_equal(write(fd, "root\n", 5), 5);
	wait_for(f, "root\n");
	close(fd);
	fd = client(f);
	say(f, "again");
	hear(fd, "again");
	close(fd);
	finish(f);
	assert_int_equal(stat(f->path + 5, &st), -1);
}

static void one_client_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = { .events = POLLIN };
	int first, second;

	start(f, f->path);
	first = client(f);
	second = connect_to(f);
	assert_int_equal(write(second, "2", 1), 1);
	say(f, "first");
	hear(first, "first");
	p.fd = second;
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(f->ngot, 0);
	close(first);
	wait_for(f, "2");
	say(f, "second");
	hear(second, "second");
	close(second);
	finish(f);
}

static void a_client_that_sends_no_more_still_hears(void **state)
{
	struct fixture *f = *state;
	int fd;

	start(f, f->path);
	fd = connect_to(f);
	assert_int_equal(write(fd, "ls\n", 3), 3);
	shutdown(fd, SHUT_WR);
	wait_for(f, "ls\n");
	say(f, "a b c");
	hear(fd, "a b c");
	close(fd);
	finish(f);
}

static void a_client_that_reads_nothing_stops_nobody(void **state)
{
	struct fixture *f = *state;
	int fd;

	start(f, f->path);
	fd = client(f);
	for (int i = 0; i < 20000; i++)
		say(f, "0123456789012345678901234567890123456789012345678901234567890123");
	hear(fd, "0123456789");
	close(fd);
	finish(f);
}

static void a_device_without_room_gets_all_in_time(void **state)
{
	struct fixture *f = *state;
	enum { N = 300000 };
	uint8_t *sent = malloc(N);
	size_t at = 0;
	int fd;

	for (size_t i = 0; i < N; i++)
		sent[i] = (uint8_t)(i ^ i >> 8);
	start(f, f->path);
	fd = client(f);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	f->asleep = true;
	/* Until neither we nor Lodge takes more: it does not read without bound. */
	for (int idle = 0; idle < 1000;) {
		ssize_t n = write(fd, sent + at, at < N ? N - at : 0);

		idle = n > 0 ? 0 : idle + 1;
		at += n > 0 ? (size_t)n : 0;
		turn(f);
	}
	f->asleep = false;
	while (f->ngot < N) {
		ssize_t n = write(fd, sent + at, N - at);

		at += n > 0 ? (size_t)n : 0;
		turn(f);
	}
	assert_int_equal(f->ngot, N);
	assert_memory_equal(f->got, sent, N);
	close(fd);
	finish(f);
	free(sent);
}

static void refuse(struct fixture *f, const char *spec, const char *why)
{
	struct err e = { "" };

	assert_null(chr_open(spec, f->loop, f->events, &e));
	assert_non_null(strstr(e.text, why));
	assert_null(chr_open(spec, f->loop, f->events, NULL));
}

static void only_stale_sockets_are_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	strcpy(a.sun_path, f->path + 5);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd);
	start(f, f->path);
	refuse(f, f->path, "in use by another process");
	finish(f);
	assert_int_equal(stat(f->path + 5, &st), -1);
	fd = open(f->path + 5, O_CREAT | O_WRONLY, 0600);
	close(fd);
	refuse(f, f->path, "no socket");
	unlink(f->path + 5);
}

static void bad_specs_are_refused_in_words(void **state)
{
	struct fixture *f = *state;
	char text[300];

	refuse(f, "serial", "serial: it can be stdio, pty");
	refuse(f, "", "stdio");
	refuse(f, "file:", "file:PATH");
	refuse(f, "unix:", "path");
	refuse(f, "file:/nonexistent/x", "/nonexistent/x");
	refuse(f, "unix:/nonexistent/x", "/nonexistent/x");
	memset(text, 'x', sizeof text);
	memcpy(text, "unix:", 5);
	text[sizeof text - 1] = 0;
	refuse(f, text, "bytes");
	chr_close(NULL);
}

static void terminals_carry_both_ways(void **state)
{
	struct fixture *f = *state;
	char name[64];
	int fd;

	start(f, "pty");
	chr_describe(f->chr, name, sizeof name);
	assert_memory_equal(name, "/dev/", 5);
	/* No echo: the guest does not hear itself.  What was said before is kept. */
	say(f, "hello\n");
	fd = open(name, O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	hear(fd, "hello\n");
	assert_int_equal(write(fd, "a\x03\r", 3), 3);
	wait_for(f, "a\x03\r");
	close(fd);
	/* A client that leaves is no end. */
	fd = open(name, O_RDWR | O_NOCTTY);
	assert_int_equal(write(fd, "b", 1), 1);
	wait_for(f, "b");
	for (int i = 0; i < 20000; i++)
		say(f, "01234567890123456789012345678901234567890123456789");
	close(fd);
	finish(f);
}

static void files_hold_all_that_was_said(void **state)
{
	struct fixture *f = *state;
	char spec[64], text[64];
	struct stat st;

	snprintf(spec, sizeof spec, "file:%s/out", f->dir);
	assert_int_equal(close(open(spec + 5, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(truncate(spec + 5, 100), 0);
	start(f, spec);
	chr_describe(f->chr, text, sizeof text);
	assert_string_equal(text, spec);
	for (int i = 0; i < 50000; i++)
		say(f, "0123456789");
	finish(f);
	assert_int_equal(stat(spec + 5, &st), 0);
	assert_int_equal(st.st_size, 500000);
	unlink(spec + 5);
}

static void nobody_is_fine(void **state)
{
	struct fixture *f = *state;
	char text[16];

	start(f, "none");
	chr_describe(f->chr, text, sizeof text);
	assert_string_equal(text, "none");
	say(f, "hello");
	turn(f);
	finish(f);
}

/* Reads slowly from a pipe until its end: how many bytes. */
static void *read_slowly(void *arg)
{
	int fd = *(int *)arg;
	size_t n = 0;
	char b[1000];

	for (ssize_t got; (got = read(fd, b, sizeof b)) > 0; n += (size_t)got)
		sched_yield();
	return (void *)n;
}

static void nothing_is_lost_on_standard_output(void **state)
{
	struct fixture *f = *state;
	struct thread reader;
	void *read_bytes;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	dup2(fd[1], STDOUT_FILENO);
	close(fd[1]);
	assert_int_equal(thread_start(&reader, "reader", read_slowly, &fd[0]), 0);
	start(f, "stdio");
	for (int i = 0; i < 50000; i++)
		say(f, "01234567890123456789");
	finish(f);
	dup2(f->saved[1], STDOUT_FILENO);
	pthread_join(reader.t, &read_bytes);
	assert_int_equal((size_t)read_bytes, 1000000);
	close(fd[0]);
}

static void *unblock(void *arg)
{
	struct fixture *f = arg;

	chr_unblock(f->chr);
	return NULL;
}

static void a_guest_can_be_freed_from_waiting(void **state)
{
	struct fixture *f = *state;
	struct thread t;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	dup2(fd[1], STDOUT_FILENO);
	close(fd[1]);
	start(f, "stdio");
	assert_int_equal(thread_start(&t, "unblock", unblock, f), 0);
	for (int i = 0; i < 20000; i++)
		say(f, "01234567890123456789012345678901234567890123456789");
	thread_join(&t);
	finish(f);
	dup2(f->saved[1], STDOUT_FILENO);
	close(fd[0]);
}

static void a_reader_that_leaves_stops_nobody(void **state)
{
	struct fixture *f = *state;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	dup2(fd[1], STDOUT_FILENO);
	close(fd[1]);
	close(fd[0]);
	start(f, "stdio");
	for (int i = 0; i < 20000; i++)
		say(f, "01234567890123456789012345678901234567890123456789");
	finish(f);
	dup2(f->saved[1], STDOUT_FILENO);
}

static size_t without_a(void *arg, uint8_t *data, size_t n)
{
	size_t out = 0;

	(void)arg;
	for (size_t i = 0; i < n; i++)
		if (data[i] != 'a')
			data[out++] = data[i];
	return out;
}

static void standard_input_is_filtered_and_may_end(void **state)
{
	struct fixture *f = *state;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	dup2(fd[0], STDIN_FILENO);
	close(fd[0]);
	f->chr = chr_open("stdio", f->loop, f->events, NULL);
	chr_stdio_filter(f->chr, without_a, NULL);
	chr_attach(f->chr, &sink, f, &f->lock);
	assert_int_equal(thread_start(&f->thread, "loop", run, f->loop), 0);
	assert_int_equal(write(fd[1], "aabananas", 9), 9);
	wait_for(f, "bnns");
	assert_int_equal(write(fd[1], "aaa", 3), 3);
	assert_int_equal(write(fd[1], "c", 1), 1);
	close(fd[1]);
	wait_for(f, "c");
	for (int i = 0; i < 100; i++)
		turn(f);
	assert_int_equal(f->ngot, 0);
	finish(f);
}

static void standard_input_may_be_a_file_or_closed(void **state)
{
	struct fixture *f = *state;
	char path[64];
	int fd;

	snprintf(path, sizeof path, "%s/in", f->dir);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_int_equal(pwrite(fd, "typed\n", 6, 0), 6);
	dup2(fd, STDIN_FILENO);
	close(fd);
	unlink(path);
	start(f, "stdio");
	wait_for(f, "typed\n");
	finish(f);
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, STDIN_FILENO);
	close(fd);
	start(f, "stdio");
	finish(f);
	close(STDIN_FILENO);
	start(f, "stdio");
	finish(f);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(sockets_carry_both_ways),
		TEST(one_client_at_a_time),
		TEST(a_client_that_sends_no_more_still_hears),
		TEST(a_client_that_reads_nothing_stops_nobody),
		TEST(a_device_without_room_gets_all_in_time),
		TEST(only_stale_sockets_are_replaced),
		TEST(bad_specs_are_refused_in_words),
		TEST(terminals_carry_both_ways),
		TEST(files_hold_all_that_was_said),
		TEST(nobody_is_fine),
		TEST(nothing_is_lost_on_standard_output),
		TEST(a_guest_can_be_freed_from_waiting),
		TEST(a_reader_that_leaves_stops_nobody),
		TEST(standard_input_is_filtered_and_may_end),
		TEST(standard_input_may_be_a_file_or_closed),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
