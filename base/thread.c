/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/compiler.h"
#include "base/os.h"

static void must(int rc)
{
	assert(rc == 0);
	(void)rc;
}

void mutex_init(struct mutex *m)
{
	pthread_mutexattr_t a;

	must(pthread_mutexattr_init(&a));
	/* A thread that takes its own lock again is a bug to hear of, not to hang in. */
	must(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK));
	must(pthread_mutex_init(&m->m, &a));
	must(pthread_mutexattr_destroy(&a));
}

void mutex_fini(struct mutex *m)
{
	must(pthread_mutex_destroy(&m->m));
}

bool mutex_try(struct mutex *m)
{
	int rc = pthread_mutex_trylock(&m->m);

	assert(rc == 0 || rc == EBUSY);
	return rc == 0;
}

/* Most locks are held for less time than a thread needs to fall asleep and to wake up again. */
enum { SPINS = 200 };

static void spin(unsigned time)
{
	enum { RELAX = 16 };

	if (time >= SPINS / 2)
		sched_yield();
	else
		for (unsigned i = 0; i < RELAX; i++)
			cpu_relax();
}

void mutex_lock(struct mutex *m)
{
	for (unsigned time = 0; time < SPINS; time++) {
		if (mutex_try(m))
			return;
		spin(time);
	}
	must(pthread_mutex_lock(&m->m));
}

void mutex_unlock(struct mutex *m)
{
	must(pthread_mutex_unlock(&m->m));
}

void cond_init(struct cond *c)
{
	pthread_condattr_t a;

	must(pthread_condattr_init(&a));
	must(pthread_condattr_setclock(&a, CLOCK_MONOTONIC));
	must(pthread_cond_init(&c->c, &a));
	must(pthread_condattr_destroy(&a));
}

void cond_fini(struct cond *c)
{
	must(pthread_cond_destroy(&c->c));
}

void cond_wait(struct cond *c, struct mutex *m)
{
	must(pthread_cond_wait(&c->c, &m->m));
}

void cond_wait_soon(struct cond *c, struct mutex *m, unsigned *time)
{
	if (*time == SPINS) {
		cond_wait(c, m);
		return;
	}
	mutex_unlock(m);
	spin((*time)++);
	mutex_lock(m);
}

bool cond_wait_for(struct cond *c, struct mutex *m, uint64_t ns)
{
	const uint64_t sec = 1000000000, year = 365 * 86400 * sec;
	uint64_t until = os_clock_ns() + (ns < year ? ns : year);
	struct timespec ts = { .tv_sec = (time_t)(until / sec), .tv_nsec = (long)(until % sec) };
	int rc = pthread_cond_timedwait(&c->c, &m->m, &ts);

	assert(rc == 0 || rc == ETIMEDOUT);
	return rc == 0;
}

void cond_signal(struct cond *c)
{
	must(pthread_cond_signal(&c->c));
}

void cond_broadcast(struct cond *c)
{
	must(pthread_cond_broadcast(&c->c));
}

struct start {
	void *(*fn)(void *);
	void *arg;
	char name[16];
};

/* A thread names itself: for others that means to write to a file of /proc on Linux, which a
 * sandbox does not allow. */
static void *begin(void *arg)
{
	const struct start s = *(struct start *)arg;

	free(arg);
	os_thread_name(pthread_self(), s.name);
	return s.fn(s.arg);
}

int thread_start(struct thread *t, const char *name, void *(*fn)(void *), void *arg)
{
	struct start *s = malloc(sizeof *s);
	sigset_t all, before;
	int rc;

	if (!s)
		return -ENOMEM;
	*s = (struct start){ .fn = fn, .arg = arg };
	snprintf(s->name, sizeof s->name, "%s", name);
	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &before));
	rc = pthread_create(&t->t, NULL, begin, s);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL));
	if (rc)
		free(s);
	return -rc;
}

void thread_join(struct thread *t)
{
	must(pthread_join(t->t, NULL));
}
