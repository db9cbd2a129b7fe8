/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/thread.h"
#include "test/cmocka.h"

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void stop_before_run_comes_back(void **state)
{
	struct loop *l = loop_new(NULL);

	(void)state;
	loop_stop(l);
	loop_run(l);
	/* And it can run again. */
	assert_int_equal(loop_post(l, stop, l), 0);
	loop_run(l);
	loop_free(l);
	loop_free(NULL);
}

struct order {
	struct loop *loop;
	int next;
	bool right;
};

struct posted {
	struct order *order;
	int n;
};

static void called(void *arg)
{
	struct posted *p = arg;

	p->order->right &= p->order->next++ == p->n;
}

static void posts_from_another_thread_keep_their_order(void **state)
{
	enum { N = 20000 };
	struct posted *p = calloc(N, sizeof *p);
	struct order o = { loop_new(NULL), 0, true };
	struct thread t;

	(void)state;
	assert_int_equal(thread_start(&t, "loop", run, o.loop), 0);
	for (int i = 0; i < N; i++) {
		p[i] = (struct posted){ &o, i };
		assert_int_equal(loop_post(o.loop, called, &p[i]), 0);
	}
	assert_int_equal(loop_post(o.loop, stop, o.loop), 0);
	thread_join(&t);
	assert_int_equal(o.next, N);
	assert_true(o.right);
	loop_free(o.loop);
	free(p);
}

static void what_was_not_run_is_dropped(void **state)
{
	struct loop *l = loop_new(NULL);

	(void)state;
	assert_int_equal(loop_post(l, stop, l), 0);
	assert_int_equal(loop_post(l, stop, l), 0);
	loop_free(l);
}

struct reader {
	struct loop *loop;
	struct loop_io *io, *victim;
	int fd, calls;
	unsigned events;
	char text[64];
};

static void read_text(void *arg, unsigned events)
{
	struct reader *r = arg;
	ssize_t n = read(r->fd, r->text + strlen(r->text), 8);

	r->calls++;
	r->events |= events;
	if (n == 0) {
		loop_remove(r->io);
		loop_stop(r->loop);
	}
}

static void pipes_are_read_to_their_end(void **state)
{
	struct reader r = { .loop = loop_new(NULL) };
	struct thread t;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	r.fd = fd[0];
	r.io = loop_add(r.loop, fd[0], OS_POLL_IN, read_text, &r, NULL);
	assert_non_null(r.io);
	assert_int_equal(thread_start(&t, "loop", run, r.loop), 0);
	assert_int_equal(write(fd[1], "hello, ", 7), 7);
	assert_int_equal(write(fd[1], "world", 5), 5);
	close(fd[1]);
	thread_join(&t);
	assert_string_equal(r.text, "hello, world");
	assert_true(r.events & OS_POLL_IN);
	assert_true(r.calls >= 3);
	close(fd[0]);
	loop_free(r.loop);
}

static void remove_both(void *arg, unsigned events)
{
	struct reader *r = arg;

	assert_true(events & OS_POLL_IN);
	r->calls++;
	loop_remove(r->io);
	loop_remove(r->victim);
	assert_int_equal(loop_post(r->loop, stop, r->loop), 0);
}

static void callbacks_may_remove_others_that_are_ready(void **state)
{
	struct reader r[2] = { { 0 } };
	struct loop *l = loop_new(NULL);
	int fd[2][2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(fd[i]), 0);
		assert_int_equal(write(fd[i][1], "x", 1), 1);
		r[i].loop = l;
		r[i].io = loop_add(l, fd[i][0], OS_POLL_IN, remove_both, &r[i], NULL);
	}
	r[0].victim = r[1].io;
	r[1].victim = r[0].io;
	loop_run(l);
	assert_int_equal(r[0].calls + r[1].calls, 1);
	loop_free(l);
	for (int i = 0; i < 4; i++)
		close(fd[i / 2][i % 2]);
}

static void count_to_three(void *arg, unsigned events)
{
	struct reader *r = arg;

	r->events |= events;
	if (++r->calls < 3)
		return;
	assert_int_equal(loop_change(r->io, 0), 0);
	assert_int_equal(loop_post(r->loop, stop, r->loop), 0);
}

static void interest_can_be_changed(void **state)
{
	struct reader r = { .loop = loop_new(NULL) };
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	r.io = loop_add(r.loop, fd[1], 0, count_to_three, &r, NULL);
	assert_int_equal(loop_post(r.loop, stop, r.loop), 0);
	loop_run(r.loop);
	assert_int_equal(r.calls, 0);
	assert_int_equal(loop_change(r.io, OS_POLL_OUT), 0);
	loop_run(r.loop);
	assert_int_equal(r.calls, 3);
	assert_int_equal(r.events, OS_POLL_OUT);
	loop_free(r.loop);
	close(fd[0]);
	close(fd[1]);
}

static void plain_files_are_always_ready(void **state)
{
	char path[] = "/tmp/lodge-loop.XXXXXX";
	struct reader r = { .loop = loop_new(NULL), .fd = mkstemp(path) };

	(void)state;
	unlink(path);
	assert_int_equal(pwrite(r.fd, "ten bytes.", 10, 0), 10);
	r.io = loop_add(r.loop, r.fd, OS_POLL_IN, read_text, &r, NULL);
	assert_non_null(r.io);
	loop_run(r.loop);
	assert_string_equal(r.text, "ten bytes.");
	close(r.fd);
	loop_free(r.loop);
}

struct ticker {
	struct loop *loop;
	struct loop_timer slow, fast, never;
	uint64_t began;
	unsigned fasts, slows;
};

static void tick(void *arg)
{
	struct ticker *t = arg;

	assert_true(os_clock_ns() >= t->began + ++t->fasts * 1000000);
	if (t->fasts < 5)
		loop_timer_set(&t->fast, t->began + (t->fasts + 1) * 1000000);
	else
		loop_timer_set(&t->never, UINT64_MAX);
}

static void tock(void *arg)
{
	struct ticker *t = arg;

	t->slows++;
	assert_int_equal(t->fasts, 5);
	loop_stop(t->loop);
}

static void unwanted(void *arg)
{
	(void)arg;
	fail();
}

static void timers_fire_in_time_and_once(void **state)
{
	struct ticker t = { .loop = loop_new(NULL), .began = os_clock_ns() };

	(void)state;
	loop_timer_init(&t.slow, t.loop, tock, &t);
	loop_timer_init(&t.fast, t.loop, tick, &t);
	loop_timer_init(&t.never, t.loop, unwanted, &t);
	loop_timer_set(&t.slow, t.began + 50000000);
	loop_timer_set(&t.never, t.began + 40000000000);
	loop_timer_set(&t.fast, t.began + 1000000);
	loop_timer_set(&t.slow, t.began + 30000000);
	loop_run(t.loop);
	assert_int_equal(t.slows, 1);
	assert_true(os_clock_ns() >= t.began + 30000000);
	loop_free(t.loop);
}

static void bad_descriptors_are_refused(void **state)
{
	struct loop *l = loop_new(NULL);
	struct err e;

	(void)state;
	assert_null(loop_add(l, 1000000, OS_POLL_IN, read_text, NULL, &e));
	assert_non_null(strstr(e.text, "1000000"));
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_before_run_comes_back),
		cmocka_unit_test(posts_from_another_thread_keep_their_order),
		cmocka_unit_test(what_was_not_run_is_dropped),
		cmocka_unit_test(pipes_are_read_to_their_end),
		cmocka_unit_test(callbacks_may_remove_others_that_are_ready),
		cmocka_unit_test(interest_can_be_changed),
		cmocka_unit_test(plain_files_are_always_ready),
		cmocka_unit_test(timers_fire_in_time_and_once),
		cmocka_unit_test(bad_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
