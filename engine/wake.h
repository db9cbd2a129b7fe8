/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_WAKE_H
#define ENGINE_WAKE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/thread.h"

/*
 * The signal by which engines bring a thread that is inside the host's kernel out of it.  Its
 * handler has nothing to do.
 */
int wake_signal(void);
/* For the process; flags: of sigaction(2).  0 or -errno. */
int wake_begin(int flags);
/* how: of pthread_sigmask(3), for the calling thread. */
void wake_mask(int how);

/* A CPU, and the thread that runs it. */
struct wake {
	struct mutex lock; /* for the rest */
	bool inside;
	pthread_t thread;
};

void wake_init(struct wake *);
void wake_fini(struct wake *);
/* The calling thread is inside from now on, or no more. */
void wake_enter(struct wake *);
void wake_leave(struct wake *);
/* Whether it is the calling thread that is inside. */
bool wake_is_here(const struct wake *);
/* With the lock: signals the thread that is inside, if that is another one. */
void wake_send(struct wake *);

#endif
