/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/os.h"
#include "base/thread.h"

enum { NS = 1000000000 };

/*
 * Time is source + offset while it runs, and `stands` while it does not.  Both are atomic so that
 * clock_now needs no lock; they change only while no CPU runs, so no reader can tell them apart.
 */
struct clock {
	const uint64_t *count; /* NULL: the host's clock */
	uint64_t (*more)(void *arg);
	void *more_arg;
	unsigned shift;
	_Atomic uint64_t offset;
	_Atomic uint64_t stands; /* UINT64_MAX: it runs */
	uint32_t hz, tick;       /* the counter's rate, and nanoseconds a step */
	_Atomic uint64_t counter_offset;
	struct mutex lock;   /* for the timers; taken last of all locks */
	struct timer *first; /* by when, then by the order in which they were set */
	void (*earlier)(void *arg);
	void *earlier_arg;
};

struct clock *clock_new(void)
{
	struct clock *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	mutex_init(&c->lock);
	clock_counter_rate(c, 10000000);
	return c;
}

void clock_free(struct clock *c)
{
	if (!c)
		return;
	mutex_fini(&c->lock);
	free(c);
}

static uint64_t source(const struct clock *c)
{
	if (!c->count)
		return os_clock_ns();
	return (*c->count + (c->more ? c->more(c->more_arg) : 0)) << c->shift;
}

uint64_t clock_now(const struct clock *c)
{
	uint64_t stands = atomic_load_explicit(&c->stands, memory_order_acquire);

	if (stands != UINT64_MAX)
		return stands;
	return source(c) + atomic_load_explicit(&c->offset, memory_order_relaxed);
}

void clock_pause(struct clock *c)
{
	atomic_store(&c->stands, clock_now(c));
}

void clock_resume(struct clock *c)
{
	uint64_t stands = atomic_load(&c->stands);

	if (stands == UINT64_MAX)
		return;
	atomic_store(&c->offset, stands - source(c));
	atomic_store(&c->stands, UINT64_MAX);
}

void clock_set(struct clock *c, uint64_t ns)
{
	assert(atomic_load(&c->stands) != UINT64_MAX && ns != UINT64_MAX);
	atomic_store(&c->stands, ns);
}

void clock_by_count(struct clock *c, const uint64_t *count, unsigned shift)
{
	c->count = count;
	c->shift = shift;
	atomic_store(&c->offset, 0);
	if (atomic_load(&c->stands) != UINT64_MAX)
		atomic_store(&c->stands, source(c));
}

void clock_count_more(struct clock *c, uint64_t (*more)(void *arg), void *arg)
{
	c->more = more;
	c->more_arg = arg;
}

void clock_skip_to(struct clock *c, uint64_t ns)
{
	if (!c->count || ns == UINT64_MAX || ns <= clock_now(c))
		return;
	if (atomic_load(&c->stands) != UINT64_MAX)
		atomic_store(&c->stands, ns);
	else
		atomic_store(&c->offset, ns - source(c));
}

void clock_counter_rate(struct clock *c, uint32_t hz)
{
	assert(hz && NS % hz == 0);
	c->hz = hz;
	c->tick = NS / hz;
}

uint32_t clock_counter_hz(const struct clock *c)
{
	return c->hz;
}

uint64_t clock_counter(const struct clock *c)
{
	return clock_now(c) / c->tick +
	       atomic_load_explicit(&c->counter_offset, memory_order_relaxed);
}

void clock_counter_set(struct clock *c, uint64_t value)
{
	atomic_store(&c->counter_offset, value - clock_now(c) / c->tick);
}

uint64_t clock_counter_when(const struct clock *c, uint64_t value)
{
	uint64_t now = clock_now(c), ticks = now / c->tick;
	uint64_t counter = ticks + atomic_load(&c->counter_offset);

	if (counter >= value)
		return now;
	/* Both are counted from now on, so that a counter that was set to a large value works. */
	if (value - counter > UINT64_MAX / c->tick - ticks)
		return UINT64_MAX;
	return (ticks + (value - counter)) * c->tick;
}

void timer_init(
    struct timer *t, struct clock *c, struct mutex *lock, void (*fn)(void *arg), void *arg)
{
	*t = (struct timer){ .clock = c, .lock = lock, .fn = fn, .arg = arg, .when = UINT64_MAX };
}

static void unlink_timer(struct timer *t)
{
	struct timer **p = &t->clock->first;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->when = UINT64_MAX;
}

void timer_set(struct timer *t, uint64_t when)
{
	struct clock *c = t->clock;
	struct timer **p = &c->first;
	bool earlier;

	mutex_lock(&c->lock);
	if (t->when != UINT64_MAX)
		unlink_timer(t);
	if (when != UINT64_MAX) {
		while (*p && (*p)->when <= when)
			p = &(*p)->next;
		t->when = when;
		t->next = *p;
		*p = t;
	}
	earlier = c->first == t;
	mutex_unlock(&c->lock);
	if (earlier && c->earlier)
		c->earlier(c->earlier_arg);
}

void clock_on_earlier(struct clock *c, void (*fn)(void *arg), void *arg)
{
	c->earlier = fn;
	c->earlier_arg = arg;
}

uint64_t clock_next(struct clock *c)
{
	uint64_t next;

	mutex_lock(&c->lock);
	next = c->first ? c->first->when : UINT64_MAX;
	mutex_unlock(&c->lock);
	return next;
}

static struct timer *first_due(struct clock *c, uint64_t now)
{
	struct timer *t;

	mutex_lock(&c->lock);
	t = c->first && c->first->when <= now ? c->first : NULL;
	mutex_unlock(&c->lock);
	return t;
}

/* Whether t is still due: then it is not set any more. */
static bool take(struct clock *c, struct timer *t, uint64_t now)
{
	bool due;

	mutex_lock(&c->lock);
	due = t->when <= now;
	if (due)
		unlink_timer(t);
	mutex_unlock(&c->lock);
	return due;
}

void clock_run(struct clock *c)
{
	uint64_t now = clock_now(c);
	struct timer *t;

	while ((t = first_due(c, now))) {
		if (t->lock)
			mutex_lock(t->lock);
		/* Its owner may have moved it before we had the lock. */
		if (take(c, t, now))
			t->fn(t->arg);
		if (t->lock)
			mutex_unlock(t->lock);
	}
}
