/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/os.h"

/*
 * The event loop of a VM's I/O thread: descriptors and calls from other threads.  Callbacks run
 * on the thread that calls loop_run and may add, change and remove descriptors, themselves
 * included. Only loop_post and loop_stop may be called from other threads.
 */
struct loop;
struct loop_io; /* one descriptor; the loop owns it, loop_remove frees it (and does not close fd) */

struct loop *loop_new(struct err *);
void loop_free(struct loop *); /* after loop_run came back */

/* events: OS_POLL_IN, OS_POLL_OUT; a callback also gets OS_POLL_HUP. */
struct loop_io *loop_add(struct loop *, int fd, unsigned events,
    void (*fn)(void *arg, unsigned events), void *arg, struct err *);
int loop_change(struct loop_io *, unsigned events);
void loop_remove(struct loop_io *);

/* Runs until loop_stop.  loop_stop before loop_run makes it come back at once. */
void loop_run(struct loop *);
void loop_stop(struct loop *);
/* fn(arg) on the loop's thread, soon, in the order posted. -ENOMEM or 0. */
int loop_post(struct loop *, void (*fn)(void *arg), void *arg);

/* On the loop's thread, or while it does not run: fn(arg) there, once, when os_clock_ns() has
 * reached `when`; fn may set it again, to a time that is to come.  UINT64_MAX: never, as whoever
 * embeds it sets it before it goes. */
struct loop_timer {
	struct loop *loop;
	struct loop_timer *next; /* of those that are set */
	uint64_t when;
	void (*fn)(void *arg);
	void *arg;
};
void loop_timer_init(struct loop_timer *, struct loop *, void (*fn)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *, uint64_t when);

#endif
