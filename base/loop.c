/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"

struct loop_io {
	struct loop *loop;
	struct loop_io *next; /* in loop.ios or loop.dead */
	int fd;
	unsigned events;
	bool always; /* the poller cannot wait for it: a regular file, /dev/null */
	bool dead;
	void (*fn)(void *arg, unsigned events);
	void *arg;
};

struct call {
	struct call *next;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	int poll;
	int wake[2]; /* a pipe: one byte in it when calls were posted or stop was set */
	struct loop_io *ios;
	struct loop_io *dead; /* removed; the poller may just have named them, so freed later */
	struct loop_timer *timers;
	struct mutex lock; /* for calls and asleep */
	struct call *calls, **calls_end;
	bool asleep; /* or about to be: who posts a call has to wake it */
	atomic_bool stop;
};

struct loop *loop_new(struct err *e)
{
	struct loop *l = calloc(1, sizeof *l);
	int rc;

	if (!l) {
		err_set(e, ENOMEM, "no memory for an event loop");
		return NULL;
	}
	mutex_init(&l->lock);
	l->calls_end = &l->calls;
	l->wake[0] = l->wake[1] = -1;
	rc = l->poll = os_poll_new();
	if (rc >= 0 && pipe2(l->wake, O_NONBLOCK | O_CLOEXEC) < 0)
		rc = -errno;
	/* A NULL ptr is the pipe. */
	if (rc >= 0)
		rc = os_poll_set(l->poll, l->wake[0], 0, OS_POLL_IN, NULL);
	if (rc < 0) {
		err_set(e, -rc, "cannot make an event loop: %s", strerror(-rc));
		loop_free(l);
		return NULL;
	}
	return l;
}

static void free_ios(struct loop_io **list)
{
	struct loop_io *io;

	while ((io = *list)) {
		*list = io->next;
		free(io);
	}
}

static struct call *take_calls(struct loop *l)
{
	struct call *c;

	mutex_lock(&l->lock);
	c = l->calls;
	l->calls = NULL;
	l->calls_end = &l->calls;
	mutex_unlock(&l->lock);
	return c;
}

void loop_free(struct loop *l)
{
	struct call *c, *next;

	if (!l)
		return;
	for (c = take_calls(l); c; c = next) {
		next = c->next;
		free(c);
	}
	free_ios(&l->ios);
	free_ios(&l->dead);
	if (l->wake[0] >= 0) {
		close(l->wake[0]);
		close(l->wake[1]);
	}
	if (l->poll >= 0)
		close(l->poll);
	mutex_fini(&l->lock);
	free(l);
}

struct loop_io *loop_add(struct loop *l, int fd, unsigned events,
    void (*fn)(void *arg, unsigned events), void *arg, struct err *e)
{
	struct loop_io *io = calloc(1, sizeof *io);
	int rc;

	if (!io) {
		err_set(e, ENOMEM, "no memory for a descriptor in an event loop");
		return NULL;
	}
	*io = (struct loop_io){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
	rc = loop_change(io, events);
	if (rc < 0) {
		err_set(e, -rc, "cannot wait for descriptor %d: %s", fd, strerror(-rc));
		free(io);
		return NULL;
	}
	io->next = l->ios;
	l->ios = io;
	return io;
}

int loop_change(struct loop_io *io, unsigned events)
{
	int rc = 0;

	if (!io->always)
		rc = os_poll_set(io->loop->poll, io->fd, io->events, events, io);
	if (rc == -EPERM) {
		io->always = true;
		rc = 0;
	}
	if (rc == 0)
		io->events = events;
	return rc;
}

void loop_remove(struct loop_io *io)
{
	struct loop *l = io->loop;
	struct loop_io **p;

	loop_change(io, 0);
	for (p = &l->ios; *p != io; p = &(*p)->next)
		;
	*p = io->next;
	io->next = l->dead;
	io->dead = true;
	l->dead = io;
}

/* A callback before it may have removed it, or may no longer want the event. */
static void run_one(struct loop_io *io, unsigned events)
{
	if (!io->dead && io->events && events & (io->events | OS_POLL_HUP))
		io->fn(io->arg, events & (io->events | OS_POLL_HUP));
}

/* One for which the poller cannot wait, so nothing may be waited for. */
static bool is_ready(const struct loop_io *io)
{
	return io->always && io->events && !io->dead;
}

static bool any_ready(const struct loop *l)
{
	for (const struct loop_io *io = l->ios; io; io = io->next)
		if (is_ready(io))
			return true;
	return false;
}

static void run_ready(struct loop *l)
{
	/* A callback may remove any of them.  If `next` goes, the walk ends among the dead ones,
	 * and the rest get their turn in the next round. */
	for (struct loop_io *io = l->ios, *next; io; io = next) {
		next = io->next;
		if (is_ready(io))
			io->fn(io->arg, io->events);
	}
}

static void run_calls(struct loop *l)
{
	struct call *c, *next;

	for (c = take_calls(l); c; c = next) {
		next = c->next;
		c->fn(c->arg);
		free(c);
	}
}

static void drain(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof bytes) > 0)
		;
}

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fn)(void *arg), void *arg)
{
	*t = (struct loop_timer){ .loop = l, .when = UINT64_MAX, .fn = fn, .arg = arg };
}

void loop_timer_set(struct loop_timer *t, uint64_t when)
{
	struct loop_timer **p = &t->loop->timers;

	if (t->when != UINT64_MAX) {
		while (*p != t)
			p = &(*p)->next;
		*p = t->next;
	}
	t->when = when;
	if (when != UINT64_MAX) {
		t->next = t->loop->timers;
		t->loop->timers = t;
	}
}

static struct loop_timer *first_timer(const struct loop *l)
{
	struct loop_timer *first = l->timers;

	for (struct loop_timer *t = first; t; t = t->next)
		if (t->when < first->when)
			first = t;
	return first;
}

static void run_timers(struct loop *l)
{
	const uint64_t now = l->timers ? os_clock_ns() : 0;
	struct loop_timer *t;

	while ((t = first_timer(l)) && t->when <= now) {
		loop_timer_set(t, UINT64_MAX);
		t->fn(t->arg);
	}
}

enum { LONGEST_MS = 60000 };

static int timeout_ms(const struct loop *l)
{
	const struct loop_timer *first = first_timer(l);
	uint64_t now;

	if (any_ready(l))
		return 0;
	if (!first)
		return -1;
	now = os_clock_ns();
	if (first->when <= now)
		return 0;
	if (first->when - now > LONGEST_MS * UINT64_C(1000000))
		return LONGEST_MS;
	return (int)((first->when - now + 999999) / 1000000);
}

/* How long the poller may wait; from now on, who posts a call wakes it. */
static int fall_asleep(struct loop *l)
{
	int ms = timeout_ms(l);

	mutex_lock(&l->lock);
	l->asleep = !l->calls;
	if (!l->asleep)
		ms = 0;
	mutex_unlock(&l->lock);
	return ms;
}

void loop_run(struct loop *l)
{
	struct os_event ev[32];

	while (!atomic_load(&l->stop)) {
		int n = os_poll_wait(l->poll, ev, ARRAY_LEN(ev), fall_asleep(l));

		mutex_lock(&l->lock);
		l->asleep = false;
		mutex_unlock(&l->lock);
		for (int i = 0; i < n; i++) {
			struct loop_io *io = ev[i].ptr;

			if (io)
				run_one(io, ev[i].events);
			else
				drain(l->wake[0]);
		}
		run_ready(l);
		run_timers(l);
		run_calls(l);
		free_ios(&l->dead);
	}
	atomic_store(&l->stop, false);
}

static void wake(struct loop *l)
{
	ssize_t n;

	/* A full pipe wakes as well. */
	do
		n = write(l->wake[1], "", 1);
	while (n < 0 && errno == EINTR);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	wake(l);
}

int loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct call *c = malloc(sizeof *c);
	bool asleep;

	if (!c)
		return -ENOMEM;
	*c = (struct call){ .fn = fn, .arg = arg };
	mutex_lock(&l->lock);
	*l->calls_end = c;
	l->calls_end = &c->next;
	asleep = l->asleep;
	l->asleep = false;
	mutex_unlock(&l->lock);
	if (asleep)
		wake(l);
	return 0;
}
