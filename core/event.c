/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/event.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/thread.h"
#include "core/clock.h"

struct source {
	const char *name;
	struct mutex *lock;
	void (*deliver)(void *arg, const void *data, size_t len);
	void *arg;
};

struct event_block {
	struct event_block *next;
	int source;
	size_t len;
	_Alignas(max_align_t) uint8_t data[];
};

struct events {
	struct source *sources;
	int nsources;
	struct mutex lock; /* for the queue */
	struct event_block *first, **end;
	atomic_bool pending; /* there is a first */
	void (*wake)(void *arg);
	void *wake_arg;
	const struct events_tap *tap; /* NULL: there is none */
	void *tap_arg;
	atomic_bool replays;
	/* Deterministic runs: the generator's state, and the wall clock at guest time 0. */
	const struct clock *fixed; /* NULL: the host's */
	uint64_t random, wall_ns;
};

struct events *events_new(void)
{
	struct events *ev = calloc(1, sizeof *ev);

	if (!ev)
		return NULL;
	mutex_init(&ev->lock);
	ev->end = &ev->first;
	return ev;
}

static struct event_block *take_all(struct events *ev)
{
	struct event_block *first;

	mutex_lock(&ev->lock);
	first = ev->first;
	ev->first = NULL;
	ev->end = &ev->first;
	atomic_store(&ev->pending, false);
	mutex_unlock(&ev->lock);
	return first;
}

void events_free(struct events *ev)
{
	struct event_block *e, *next;

	if (!ev)
		return;
	for (e = take_all(ev); e; e = next) {
		next = e->next;
		free(e);
	}
	mutex_fini(&ev->lock);
	free(ev->sources);
	free(ev);
}

int events_source(struct events *ev, const char *name, struct mutex *lock,
    void (*deliver)(void *arg, const void *data, size_t len), void *arg)
{
	struct source *s = realloc(ev->sources, ((size_t)ev->nsources + 1) * sizeof *s);

	if (!s)
		return -ENOMEM;
	ev->sources = s;
	s[ev->nsources] = (struct source){ name, lock, deliver, arg };
	return ev->nsources++;
}

void events_forget(struct events *ev, int source)
{
	ev->sources[source].deliver = NULL;
}

struct event_block *events_alloc(size_t room)
{
	return malloc(sizeof(struct event_block) + room);
}

void events_drop(struct event_block *e)
{
	free(e);
}

uint8_t *events_data(struct event_block *e)
{
	return e->data;
}

void events_post_block(struct events *ev, int source, struct event_block *e, size_t len)
{
	if (events_replays(ev)) {
		free(e);
		return;
	}
	e->next = NULL;
	e->source = source;
	e->len = len;
	mutex_lock(&ev->lock);
	*ev->end = e;
	ev->end = &e->next;
	atomic_store(&ev->pending, true);
	mutex_unlock(&ev->lock);
	if (ev->wake)
		ev->wake(ev->wake_arg);
}

int events_post(struct events *ev, int source, const void *data, size_t len)
{
	struct event_block *e = events_alloc(len);

	if (!e)
		return -ENOMEM;
	if (len)
		memcpy(e->data, data, len);
	events_post_block(ev, source, e, len);
	return 0;
}

void events_on_post(struct events *ev, void (*wake)(void *arg), void *arg)
{
	ev->wake = wake;
	ev->wake_arg = arg;
}

static void deliver(struct events *ev, int source, const void *data, size_t len)
{
	struct source s; /* a copy: deliver may make new ones */

	assert(source >= 0 && source < ev->nsources);
	s = ev->sources[source];
	if (!s.deliver)
		return;
	if (s.lock)
		mutex_lock(s.lock);
	s.deliver(s.arg, data, len);
	if (s.lock)
		mutex_unlock(s.lock);
}

static void deliver_again(struct events *ev)
{
	void *data;
	size_t len;
	int source;

	while (ev->tap->next(ev->tap_arg, &source, &data, &len))
		deliver(ev, source, data, len);
}

void events_deliver(struct events *ev)
{
	struct event_block *e, *next;

	if (events_replays(ev)) {
		deliver_again(ev);
		return;
	}
	if (!events_pending(ev))
		return;
	for (e = take_all(ev); e; e = next) {
		if (ev->tap)
			ev->tap->delivered(ev->tap_arg, e->source, e->data, e->len);
		deliver(ev, e->source, e->data, e->len);
		next = e->next;
		free(e);
	}
}

void events_answer(struct events *ev, void *buf, size_t len)
{
	if (ev->tap)
		ev->tap->answered(ev->tap_arg, buf, len);
}

void events_set_tap(struct events *ev, const struct events_tap *tap, void *arg)
{
	ev->tap = tap;
	ev->tap_arg = arg;
	atomic_store(&ev->replays, tap && tap->next);
}

bool events_replays(const struct events *ev)
{
	return atomic_load_explicit(&ev->replays, memory_order_relaxed);
}

const char *events_source_name(const struct events *ev, int source)
{
	return source >= 0 && source < ev->nsources ? ev->sources[source].name : NULL;
}

bool events_pending(const struct events *ev)
{
	return atomic_load_explicit(&ev->pending, memory_order_acquire);
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next_random(struct events *ev)
{
	uint64_t z = ev->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void events_random(struct events *ev, void *buf, size_t len)
{
	uint8_t *p = buf;
	uint64_t r = 0;

	if (!ev->fixed) {
		os_random(buf, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		r = i % 8 ? r >> 8 : next_random(ev);
		p[i] = (uint8_t)r;
	}
}

uint64_t events_wall_ns(struct events *ev)
{
	return ev->fixed ? ev->wall_ns + clock_now(ev->fixed) : os_wall_ns();
}

uint64_t events_seed(const struct events *ev)
{
	return ev->random;
}

void events_fix(struct events *ev, uint64_t seed, uint64_t wall_ns, const struct clock *c)
{
	ev->fixed = c;
	ev->random = seed;
	ev->wall_ns = wall_ns;
}
