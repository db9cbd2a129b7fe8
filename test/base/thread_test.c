/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>

#include "base/os.h"
#include "base/thread.h"
#include "test/cmocka.h"

struct shared {
	struct mutex lock;
	struct cond changed;
	int n;
	bool term_blocked;
};

static void shared_init(struct shared *s)
{
	*s = (struct shared){ 0 };
	mutex_init(&s->lock);
	cond_init(&s->changed);
}

static void shared_fini(struct shared *s)
{
	cond_fini(&s->changed);
	mutex_fini(&s->lock);
}

static void *count(void *arg)
{
	struct shared *s = arg;
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	for (int i = 0; i < 10000; i++) {
		mutex_lock(&s->lock);
		s->n++;
		s->term_blocked = sigismember(&blocked, SIGTERM);
		mutex_unlock(&s->lock);
	}
	cond_broadcast(&s->changed);
	return NULL;
}

static void mutexes_exclude(void **state)
{
	struct shared s;
	struct thread t[2];
	sigset_t blocked;

	(void)state;
	shared_init(&s);
	for (int i = 0; i < 2; i++)
		assert_int_equal(thread_start(&t[i], "count", count, &s), 0);
	mutex_lock(&s.lock);
	while (s.n < 20000)
		cond_wait(&s.changed, &s.lock);
	mutex_unlock(&s.lock);
	for (int i = 0; i < 2; i++)
		thread_join(&t[i]);
	assert_int_equal(s.n, 20000);
	assert_true(s.term_blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGTERM));
	shared_fini(&s);
}

static void waits_end_in_time(void **state)
{
	struct shared s;
	uint64_t start;

	(void)state;
	shared_init(&s);
	mutex_lock(&s.lock);
	start = os_clock_ns();
	while (cond_wait_for(&s.changed, &s.lock, 1000000))
		;
	assert_true(os_clock_ns() - start >= 1000000);
	mutex_unlock(&s.lock);
	shared_fini(&s);
}

static void *set(void *arg)
{
	struct shared *s = arg;

	mutex_lock(&s->lock);
	s->n = 1;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
	return NULL;
}

static void endless_waits_can_be_asked_for(void **state)
{
	struct shared s;
	struct thread t;

	(void)state;
	shared_init(&s);
	mutex_lock(&s.lock);
	assert_int_equal(thread_start(&t, "set", set, &s), 0);
	while (!s.n)
		assert_true(cond_wait_for(&s.changed, &s.lock, UINT64_MAX));
	mutex_unlock(&s.lock);
	thread_join(&t);
	shared_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutexes_exclude),
		cmocka_unit_test(waits_end_in_time),
		cmocka_unit_test(endless_waits_can_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
