/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mutex;

/*
 * Everything that enters a VM from outside, so that it can be recorded and replayed: bytes typed at
 * a console, completions of disk requests (posted, delivered on the VM's thread between two
 * instructions), and entropy and wall-clock time (pulled by a device during a guest access).
 * Nothing else in dev/ or cpu/ asks the host for anything.
 */
struct events;

struct events *events_new(void);
void events_free(struct events *); /* drops what was not delivered */

/* A kind of input: deliver runs on the VM's thread with lock held.  Returns its number (>= 0),
 * given out in the order of calls, or -ENOMEM.  name is kept, not owned. */
int events_source(struct events *, const char *name, struct mutex *lock,
    void (*deliver)(void *arg, const void *data, size_t len), void *arg);
/* VM's thread: it ends; what was posted is not delivered any more, and nobody posts to it again. */
void events_forget(struct events *, int source);
/* Any thread: copies data, queues it, and wakes the VM.  -ENOMEM or 0. */
int events_post(struct events *, int source, const void *data, size_t len);
/* The same in two steps, for much data: events_alloc gives memory for at most `room` bytes, to be
 * filled in, and events_post_block takes it over with the first len of them; it never fails. */
struct event_block;
struct event_block *events_alloc(size_t room); /* NULL without memory */
void events_drop(struct event_block *);        /* instead of posting it; NULL is fine */
uint8_t *events_data(struct event_block *);    /* aligned like malloc's */
void events_post_block(struct events *, int source, struct event_block *, size_t len);
/* Called (on the posting thread) after each post; set once by the machine. */
void events_on_post(struct events *, void (*wake)(void *arg), void *arg);
/* VM's thread: delivers all that is queued, in order. */
void events_deliver(struct events *);
bool events_pending(const struct events *); /* any thread; cheap */

/*
 * What a device was told by the host at once, and not by a post: data of a disk, whether a frame
 * could be sent.  On the VM's thread of a machine that is deterministic, or else nobody listens.
 * Who replays finds in buf what it was then.
 */
void events_answer(struct events *, void *buf, size_t len);
/* Whoever records all that enters, or plays it again: one or the other, on the VM's thread. */
struct events_tap {
	/* This is delivered now. */
	void (*delivered)(void *arg, int source, const void *data, size_t len);
	/* What is delivered next, whatever anybody posts; false: nothing, for now.  data stays
	 * until the next call, and whom it is delivered to may change it. */
	bool (*next)(void *arg, int *source, void **data, size_t *len);
	void (*answered)(void *arg, void *buf, size_t len);
};
/* VM's thread, or before there is one; NULL ends it. */
void events_set_tap(struct events *, const struct events_tap *, void *arg);
bool events_replays(const struct events *); /* any thread: the host is not asked for anything */
/* VM's thread: its name; NULL: there are not so many. */
const char *events_source_name(const struct events *, int source);

/* Any thread that runs a CPU; after events_fix CPUs take turns on one. */
void events_random(struct events *, void *buf, size_t len);
uint64_t events_wall_ns(struct events *); /* since 1970-01-01 UTC */
/* From now on random bytes come from a fixed generator with this seed and the wall clock stands at
 * wall_ns + guest time: for deterministic runs. */
struct clock;
void events_fix(struct events *, uint64_t seed, uint64_t wall_ns, const struct clock *);
/* With which seed events_fix would go on here; of no use where nothing is fixed. */
uint64_t events_seed(const struct events *);

#endif
