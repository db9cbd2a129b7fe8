/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * POSIX threads, with the failures that only a bug of ours can cause made into asserts.
 * Lock order in the whole project: bus, then a device, then an interrupt controller.
 */
struct mutex {
	pthread_mutex_t m;
};

struct cond {
	pthread_cond_t c;
};

struct thread {
	pthread_t t;
};

void mutex_init(struct mutex *);
void mutex_fini(struct mutex *);
void mutex_lock(struct mutex *);
bool mutex_try(struct mutex *); /* false: somebody has it */
void mutex_unlock(struct mutex *);

void cond_init(struct cond *); /* times are of the monotonic clock */
void cond_fini(struct cond *);
void cond_wait(struct cond *, struct mutex *);
/* For what mostly comes in less time than it takes to fall asleep and to wake up again, which on a
 * busy host includes that others run first: the first times that a loop comes here, from *time 0
 * on, it does not sleep. */
void cond_wait_soon(struct cond *, struct mutex *, unsigned *time);
/* Waits for at most ns nanoseconds; false when they are over. */
bool cond_wait_for(struct cond *, struct mutex *, uint64_t ns);
void cond_signal(struct cond *); /* wakes one of those who wait */
void cond_broadcast(struct cond *);

/* 0 or -errno.  Signals are blocked in the new thread. name is for debuggers, at most 15 bytes. */
int thread_start(struct thread *, const char *name, void *(*fn)(void *), void *arg);
void thread_join(struct thread *);

#endif
