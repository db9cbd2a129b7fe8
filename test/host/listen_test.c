/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets in the file system: when their files are there, and what is left of them. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "host/listen.h"
#include "test/cmocka.h"

enum { ROUNDS = 200 };

struct fixture {
	char dir[40];
	struct sockaddr_un a;
	atomic_bool stop;
	unsigned refused;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/lodge-listen.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->a.sun_family = AF_UNIX;
	snprintf(f->a.sun_path, sizeof f->a.sun_path, "%s/socket", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rmdir(f->dir), 0); /* so nothing is left in it */
	free(f);
	return 0;
}

static int connect_to(const struct fixture *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = connect(fd, (const struct sockaddr *)&f->a, sizeof f->a) < 0 ? -errno : 0;

	close(fd);
	return rc;
}

static void *connect_again_and_again(void *arg)
{
	struct fixture *f = arg;

	while (!atomic_load(&f->stop))
		f->refused += connect_to(f) == -ECONNREFUSED;
	return NULL;
}

/* At the end there is one of the two, too, so the listener is kept. */
static void a_file_that_is_there_can_be_connected_to(void **state)
{
	struct fixture *f = *state;
	struct listener l[ROUNDS];
	struct thread t;

	assert_int_equal(thread_start(&t, "client", connect_again_and_again, f), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		assert_int_equal(listener_open(&l[i], f->a.sun_path, NULL), 0);
		assert_int_equal(unlink(f->a.sun_path), 0);
	}
	atomic_store(&f->stop, true);
	thread_join(&t);
	for (unsigned i = 0; i < ROUNDS; i++)
		listener_close(&l[i]);
	assert_int_equal(f->refused, 0);
}

static void one_that_is_served_stays(void **state)
{
	struct fixture *f = *state;
	struct listener l, other;
	struct err e;

	assert_int_equal(listener_open(&l, f->a.sun_path, &e), 0);
	assert_int_equal(listener_open(&other, f->a.sun_path, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, f->a.sun_path));
	assert_int_equal(connect_to(f), 0);
	listener_close(&l);
	assert_int_equal(connect_to(f), -ENOENT);
}

static void one_of_the_dead_is_replaced(void **state)
{
	struct fixture *f = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct listener l;

	assert_int_equal(bind(fd, (struct sockaddr *)&f->a, sizeof f->a), 0);
	close(fd);
	assert_int_equal(listener_open(&l, f->a.sun_path, NULL), 0);
	assert_int_equal(connect_to(f), 0);
	listener_close(&l);
}

/* As long as a path may be there is no room for another name beside it. */
static void paths_may_be_long(void **state)
{
	struct fixture *f = *state;
	const size_t most = sizeof f->a.sun_path - 1;
	struct listener l;
	struct stat st;

	for (size_t n = most - 16; n <= most; n++) {
		memset(f->a.sun_path + strlen(f->dir) + 1, 'x', n - strlen(f->dir) - 1);
		f->a.sun_path[n] = '\0';
		assert_int_equal(listener_open(&l, f->a.sun_path, NULL), 0);
		assert_int_equal(stat(f->a.sun_path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_int_equal(connect_to(f), 0);
		listener_close(&l);
	}
}

static void folders_that_are_not_there_are_named(void **state)
{
	struct fixture *f = *state;
	struct listener l;
	struct err e;

	snprintf(f->a.sun_path, sizeof f->a.sun_path, "%s/no/socket", f->dir);
	assert_int_equal(listener_open(&l, f->a.sun_path, &e), -ENOENT);
	assert_non_null(strstr(e.text, f->a.sun_path));
	assert_int_equal(l.fd, -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_is_there_can_be_connected_to),
		TEST(one_that_is_served_stays),
		TEST(one_of_the_dead_is_replaced),
		TEST(paths_may_be_long),
		TEST(folders_that_are_not_there_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
