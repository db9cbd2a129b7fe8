/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "core/clock.h"
#include "core/event.h"
#include "test/cmocka.h"

struct got {
	char text[64];
	size_t calls, bytes;
	struct mutex *lock;
	struct events *again;
};

static void deliver(void *arg, const void *data, size_t len)
{
	struct got *g = arg;

	if (g->lock)
		assert_int_not_equal(pthread_mutex_trylock(&g->lock->m), 0);
	if (g->bytes + len < sizeof g->text && len)
		memcpy(g->text + g->bytes, data, len);
	g->bytes += len;
	g->calls++;
	if (g->again)
		events_post(g->again, 0, "again", 5);
	g->again = NULL;
}

static void delivered_in_order_with_the_lock_held(void **state)
{
	struct events *ev = events_new();
	struct mutex m;
	struct got g = { .lock = &m };
	int a, b;

	(void)state;
	mutex_init(&m);
	a = events_source(ev, "a", &m, deliver, &g);
	b = events_source(ev, "b", &m, deliver, &g);
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	assert_false(events_pending(ev));
	events_post(ev, a, "one ", 4);
	events_post(ev, b, "two ", 4);
	events_post(ev, a, NULL, 0);
	events_post(ev, a, "three", 5);
	assert_true(events_pending(ev));
	assert_int_equal(g.calls, 0);
	events_deliver(ev);
	assert_false(events_pending(ev));
	assert_string_equal(g.text, "one two three");
	assert_int_equal(g.calls, 4);
	events_deliver(ev);
	assert_int_equal(g.calls, 4);
	assert_int_equal(pthread_mutex_trylock(&m.m), 0);
	mutex_unlock(&m);
	events_free(ev);
	events_free(NULL);
	mutex_fini(&m);
}

static void blocks_are_delivered_without_a_copy(void **state)
{
	struct events *ev = events_new();
	struct event_block *e = events_alloc(100);
	struct got g = { .again = NULL };

	(void)state;
	events_source(ev, "a", NULL, deliver, &g);
	memcpy(events_data(e), "block", 5);
	events_post_block(ev, 0, e, 5);
	events_drop(events_alloc(100));
	events_drop(NULL);
	events_post(ev, 0, " and copy", 9);
	events_deliver(ev);
	assert_string_equal(g.text, "block and copy");
	events_free(ev);
}

static void posts_while_delivering_come_next_time(void **state)
{
	struct events *ev = events_new();
	struct got g = { .again = ev };

	(void)state;
	events_source(ev, "a", NULL, deliver, &g);
	events_post(ev, 0, "x", 1);
	events_deliver(ev);
	assert_string_equal(g.text, "x");
	assert_true(events_pending(ev));
	events_deliver(ev);
	assert_string_equal(g.text, "xagain");
	events_post(ev, 0, "dropped", 7);
	events_free(ev);
}

enum { POSTS = 10000 };

struct poster {
	struct events *ev;
	atomic_int woken;
};

static void woken(void *arg)
{
	struct poster *p = arg;

	atomic_fetch_add(&p->woken, 1);
}

static void *post(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < POSTS; i++)
		events_post(p->ev, 0, "1234567", 7);
	return NULL;
}

static void threads_may_post(void **state)
{
	struct poster p = { .ev = events_new() };
	struct got g = { .calls = 0 };
	struct thread t[2];

	(void)state;
	events_source(p.ev, "a", NULL, deliver, &g);
	events_on_post(p.ev, woken, &p);
	for (int i = 0; i < 2; i++)
		assert_int_equal(thread_start(&t[i], "post", post, &p), 0);
	while (g.calls < 2 * POSTS)
		events_deliver(p.ev);
	for (int i = 0; i < 2; i++)
		thread_join(&t[i]);
	assert_int_equal(g.bytes, 2 * POSTS * 7);
	assert_int_equal(atomic_load(&p.woken), 2 * POSTS);
	assert_false(events_pending(p.ev));
	events_free(p.ev);
}

static void fixed_runs_repeat(void **state)
{
	struct clock *c = clock_new();
	uint64_t count = 0;
	uint8_t a[2][21], b[21];

	(void)state;
	clock_by_count(c, &count, 0);
	clock_resume(c);
	for (int i = 0; i < 2; i++) {
		struct events *ev = events_new();

		count = 0;
		events_fix(ev, 42, 1000, c);
		events_random(ev, a[i], sizeof a[i]);
		assert_int_equal(events_wall_ns(ev), 1000);
		count = 77;
		assert_int_equal(events_wall_ns(ev), 1077);
		events_fix(ev, 43, 1000, c);
		events_random(ev, b, sizeof b);
		assert_memory_not_equal(a[i], b, sizeof b);
		events_free(ev);
	}
	assert_memory_equal(a[0], a[1], sizeof a[0]);
	clock_free(c);
}

static void the_generator_is_splitmix64(void **state)
{
	/* The first number after seed 1234567 (rosettacode.org, "Pseudo-random
	 * numbers/Splitmix64").
	 */
	uint64_t v = 6457827717110365317;
	struct events *ev = events_new();
	struct clock *c = clock_new();
	uint8_t b[8];

	(void)state;
	events_fix(ev, 1234567, 0, c);
	events_random(ev, b, sizeof b);
	for (int i = 0; i < 8; i++)
		assert_int_equal(b[i], v >> 8 * i & 0xff);
	clock_free(c);
	events_free(ev);
}

static void the_host_is_asked_otherwise(void **state)
{
	struct events *ev = events_new();
	uint8_t a[32], b[32];

	(void)state;
	events_random(ev, a, sizeof a);
	events_random(ev, b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	assert_true(events_wall_ns(ev) > UINT64_C(1700000000) * 1000000000);
	events_free(ev);
}

static void sources_can_end(void **state)
{
	struct events *ev = events_new();
	struct got g = { .calls = 0 }, h = { .calls = 0 };
	int a = events_source(ev, "a", NULL, deliver, &g);
	int b = events_source(ev, "b", NULL, deliver, &h);

	(void)state;
	events_post(ev, a, "one", 3);
	events_post(ev, b, "two", 3);
	events_forget(ev, a);
	events_deliver(ev);
	assert_int_equal(g.calls, 0);
	assert_int_equal(h.calls, 1);
	assert_int_equal(events_source(ev, "c", NULL, deliver, &g), 2);
	events_free(ev);
}

struct tape {
	struct got *got;
	unsigned left;
	size_t answered;
};

static void tap_delivered(void *arg, int source, const void *data, size_t len)
{
	struct tape *t = arg;

	assert_int_equal(source, 0);
	assert_memory_equal(data, "live", len);
	t->left++;
}

static void tap_answered(void *arg, void *buf, size_t len)
{
	((struct tape *)arg)->answered += len;
	(void)buf;
}

static void what_enters_is_told_to_who_records(void **state)
{
	static const struct events_tap tap = { .delivered = tap_delivered,
		.answered = tap_answered };
	struct events *ev = events_new();
	struct got g = { .calls = 0 };
	struct tape t = { .got = &g };

	(void)state;
	events_source(ev, "a", NULL, deliver, &g);
	events_answer(ev, NULL, 0); /* nobody listens */
	events_set_tap(ev, &tap, &t);
	assert_false(events_replays(ev));
	events_post(ev, 0, "live", 4);
	events_answer(ev, &t, 3);
	events_deliver(ev);
	assert_int_equal(t.left, 1);
	assert_int_equal(t.answered, 3);
	assert_string_equal(g.text, "live");
	events_free(ev);
}

static bool tap_next(void *arg, int *source, void **data, size_t *len)
{
	static char again[] = "again";
	struct tape *t = arg;

	if (!t->left)
		return false;
	t->left--;
	*source = 0;
	*data = again;
	*len = 5;
	return true;
}

static void tap_answer(void *arg, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 'x', len);
}

static void who_replays_is_the_only_source(void **state)
{
	static const struct events_tap tap = { .next = tap_next, .answered = tap_answer };
	struct events *ev = events_new();
	struct got g = { .calls = 0 };
	struct tape t = { .left = 2 };
	char answer[2] = { 0 };

	(void)state;
	assert_int_equal(events_source(ev, "a", NULL, deliver, &g), 0);
	assert_string_equal(events_source_name(ev, 0), "a");
	assert_null(events_source_name(ev, 1));
	assert_null(events_source_name(ev, -1));
	events_set_tap(ev, &tap, &t);
	assert_true(events_replays(ev));
	events_post(ev, 0, "live", 4);
	assert_false(events_pending(ev));
	events_deliver(ev);
	events_deliver(ev);
	assert_string_equal(g.text, "againagain");
	events_answer(ev, answer, 1);
	assert_int_equal(answer[0], 'x');
	assert_int_equal(answer[1], 0);
	events_set_tap(ev, NULL, NULL);
	events_post(ev, 0, "live", 4);
	events_deliver(ev);
	assert_string_equal(g.text, "againagainlive");
	events_free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivered_in_order_with_the_lock_held),
		cmocka_unit_test(blocks_are_delivered_without_a_copy),
		cmocka_unit_test(posts_while_delivering_come_next_time),
		cmocka_unit_test(threads_may_post),
		cmocka_unit_test(sources_can_end),
		cmocka_unit_test(fixed_runs_repeat),
		cmocka_unit_test(the_generator_is_splitmix64),
		cmocka_unit_test(the_host_is_asked_otherwise),
		cmocka_unit_test(what_enters_is_told_to_who_records),
		cmocka_unit_test(who_replays_is_the_only_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
