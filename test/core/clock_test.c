/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/thread.h"
#include "core/clock.h"
#include "test/cmocka.h"

static void counted_time_is_the_count(void **state)
{
	struct clock *c = clock_new();
	uint64_t count = 0;

	(void)state;
	assert_int_equal(clock_now(c), 0);
	clock_by_count(c, &count, 2);
	count = 5;
	assert_int_equal(clock_now(c), 0); /* paused */
	count = 0;
	clock_resume(c);
	count = 1000;
	assert_int_equal(clock_now(c), 4000);
	clock_free(c);
	clock_free(NULL);
}

static uint64_t three(void *arg)
{
	return 3 + *(const uint64_t *)arg;
}

static void counted_time_has_what_is_not_added_up_yet(void **state)
{
	struct clock *c = clock_new();
	uint64_t count = 0, more = 0;

	(void)state;
	clock_by_count(c, &count, 1);
	clock_resume(c);
	clock_count_more(c, three, &more);
	count = 1000;
	assert_int_equal(clock_now(c), 2006);
	more = 5;
	assert_int_equal(clock_now(c), 2016);
	clock_count_more(c, NULL, NULL);
	assert_int_equal(clock_now(c), 2000);
	clock_free(c);
}

static void paused_time_stands_still(void **state)
{
	struct clock *c = clock_new();
	uint64_t count = 100;

	(void)state;
	clock_by_count(c, &count, 0);
	assert_int_equal(clock_now(c), 100);
	clock_resume(c);
	clock_resume(c);
	count = 150;
	clock_pause(c);
	count = 1000;
	assert_int_equal(clock_now(c), 150);
	clock_pause(c);
	clock_resume(c);
	assert_int_equal(clock_now(c), 150);
	count = 1001;
	assert_int_equal(clock_now(c), 151);
	clock_free(c);
}

static void counted_time_skips_forward_only(void **state)
{
	struct clock *c = clock_new();
	uint64_t count = 0;

	(void)state;
	clock_by_count(c, &count, 0);
	clock_resume(c);
	clock_skip_to(c, 500);
	assert_int_equal(clock_now(c), 500);
	count = 10;
	assert_int_equal(clock_now(c), 510);
	clock_skip_to(c, 100);
	clock_skip_to(c, UINT64_MAX);
	assert_int_equal(clock_now(c), 510);
	clock_pause(c);
	clock_skip_to(c, 600);
	clock_resume(c);
	assert_int_equal(clock_now(c), 600);
	clock_free(c);
}

static void host_time_goes_on_but_not_while_paused(void **state)
{
	struct clock *c = clock_new();
	uint64_t then;

	(void)state;
	clock_skip_to(c, 1000000000000);
	assert_int_equal(clock_now(c), 0);
	clock_resume(c);
	then = clock_now(c);
	while (clock_now(c) == then)
		;
	assert_true(clock_now(c) > then);
	clock_pause(c);
	then = clock_now(c);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(clock_now(c), then);
	clock_resume(c);
	assert_true(clock_now(c) >= then);
	clock_free(c);
}

static void counter_has_a_rate_and_can_be_set(void **state)
{
	struct clock *c = clock_new();
	uint64_t count = 0;

	(void)state;
	clock_by_count(c, &count, 0);
	clock_resume(c);
	assert_int_equal(clock_counter_hz(c), 10000000);
	count = 12345;
	assert_int_equal(clock_counter(c), 123);
	clock_counter_rate(c, 1000000000);
	assert_int_equal(clock_counter(c), 12345);
	clock_counter_rate(c, 1000000);
	assert_int_equal(clock_counter(c), 12);
	clock_counter_set(c, UINT64_MAX);
	assert_true(clock_counter(c) == UINT64_MAX);
	count += 1000;
	assert_int_equal(clock_counter(c), 0);
	clock_free(c);
}

static void counter_says_when_it_gets_there(void **state)
{
	struct clock *c = clock_new();
	uint64_t count = 12345;

	(void)state;
	clock_by_count(c, &count, 0);
	clock_resume(c);
	assert_true(clock_counter_when(c, 0) <= 12345);
	assert_true(clock_counter_when(c, 123) <= 12345);
	assert_int_equal(clock_counter_when(c, 124), 12400);
	assert_true(clock_counter_when(c, UINT64_MAX) == UINT64_MAX);
	assert_true(clock_counter_when(c, UINT64_MAX / 100 + 1) == UINT64_MAX);
	assert_int_equal(clock_counter_when(c, UINT64_MAX / 100), UINT64_MAX / 100 * 100);
	clock_counter_set(c, UINT64_C(1) << 63);
	assert_int_equal(clock_counter_when(c, (UINT64_C(1) << 63) + 10), 13300);
	assert_true(clock_counter_when(c, 5) <= 12345);
	count = 13299;
	assert_true(clock_counter(c) < (UINT64_C(1) << 63) + 10);
	count = 13300;
	assert_true(clock_counter(c) == (UINT64_C(1) << 63) + 10);
	clock_free(c);
}

struct record {
	char text[32];
	struct timer t[4];
	struct clock *clock;
	struct mutex lock;
};

struct named {
	struct record *r;
	char name;
};

static void fired(void *arg)
{
	struct named *n = arg;
	size_t len = strlen(n->r->text);

	n->r->text[len] = n->name;
	if (n->name == 'x')
		timer_set(&n->r->t[1], UINT64_MAX);
	if (n->name == 'p' && len < 4)
		timer_set(&n->r->t[0], clock_now(n->r->clock) + 10);
	if (n->name == 'l')
		assert_int_not_equal(pthread_mutex_trylock(&n->r->lock.m), 0);
}

static void timers_fire_in_order_once(void **state)
{
	struct record r = { .clock = clock_new() };
	struct named n[4] = { { &r, 'a' }, { &r, 'b' }, { &r, 'c' }, { &r, 'd' } };
	uint64_t count = 0;

	(void)state;
	clock_by_count(r.clock, &count, 0);
	clock_resume(r.clock);
	for (int i = 0; i < 4; i++)
		timer_init(&r.t[i], r.clock, NULL, fired, &n[i]);
	assert_true(clock_next(r.clock) == UINT64_MAX);
	clock_run(r.clock);
	timer_set(&r.t[0], 30);
	timer_set(&r.t[1], 10);
	timer_set(&r.t[2], 20);
	timer_set(&r.t[3], 20);
	assert_int_equal(clock_next(r.clock), 10);
	count = 9;
	clock_run(r.clock);
	assert_string_equal(r.text, "");
	count = 20;
	clock_run(r.clock);
	assert_string_equal(r.text, "bcd");
	assert_int_equal(clock_next(r.clock), 30);
	assert_true(r.t[1].when == UINT64_MAX);
	timer_set(&r.t[0], 25); /* moved */
	timer_set(&r.t[1], 21);
	timer_set(&r.t[1], UINT64_MAX); /* cancelled */
	timer_set(&r.t[1], UINT64_MAX);
	count = 100;
	clock_run(r.clock);
	clock_run(r.clock);
	assert_string_equal(r.text, "bcda");
	clock_free(r.clock);
}

static void callbacks_may_set_and_cancel(void **state)
{
	struct record r = { .clock = clock_new() };
	struct named n[2] = { { &r, 'x' }, { &r, 'y' } };
	uint64_t count = 0;

	(void)state;
	clock_by_count(r.clock, &count, 0);
	clock_resume(r.clock);
	mutex_init(&r.lock);
	for (int i = 0; i < 2; i++) {
		timer_init(&r.t[i], r.clock, NULL, fired, &n[i]);
		timer_set(&r.t[i], 5);
	}
	count = 5;
	clock_run(r.clock);
	assert_string_equal(r.text, "x");
	n[0].name = 'p';
	timer_set(&r.t[0], 10);
	for (count = 10; count <= 100; count += 10)
		clock_run(r.clock);
	assert_string_equal(r.text, "xpppp");
	n[0].name = 'l';
	timer_init(&r.t[0], r.clock, &r.lock, fired, &n[0]);
	timer_set(&r.t[0], 0);
	clock_run(r.clock);
	assert_string_equal(r.text, "xppppl");
	mutex_fini(&r.lock);
	clock_free(r.clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted_time_is_the_count),
		cmocka_unit_test(counted_time_has_what_is_not_added_up_yet),
		cmocka_unit_test(paused_time_stands_still),
		cmocka_unit_test(counted_time_skips_forward_only),
		cmocka_unit_test(host_time_goes_on_but_not_while_paused),
		cmocka_unit_test(counter_has_a_rate_and_can_be_set),
		cmocka_unit_test(counter_says_when_it_gets_there),
		cmocka_unit_test(timers_fire_in_order_once),
		cmocka_unit_test(callbacks_may_set_and_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
