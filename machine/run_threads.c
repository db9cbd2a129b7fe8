/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each CPU runs on a thread of its own, and sleeps there while it is off or halted.  The VM's
 * thread runs timers, delivers events and waits for a request; then all CPUs come back and their
 * threads end, so that whoever deals with the request has the machine to himself.
 */
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "core/clock.h"
#include "core/event.h"
#include "machine/build.h"
#include "machine/debug.h"
#include "machine/run.h"

/* Nobody waits for the end of a turn. */
enum { TURN = 4 << 20 };

/* Sleeps until the CPU can run; false: it has to leave. */
static bool wait_to_run(struct machine *m, struct machine_cpu *c)
{
	if (!machine_can_run(c)) {
		mutex_lock(&m->lock);
		while (!atomic_load(&m->leave) && !machine_can_run(c))
			cond_wait(&c->wake, &m->lock);
		mutex_unlock(&m->lock);
	}
	return !atomic_load(&m->leave);
}

static void *run_cpu(void *arg)
{
	struct machine_cpu *c = arg;
	struct machine *m = c->machine;

	atomic_store(&c->tid, os_thread_id());
	while (!c->ended && wait_to_run(m, c))
		c->ended = machine_run_cpu(m, c, TURN, &c->err);
	if (c->ended)
		machine_leave(m);
	return NULL;
}

/* Until there is a timer, an event or a request to look at. */
static void sleep_until(struct machine *m, uint64_t when)
{
	uint64_t now = clock_now(m->env.clock);

	mutex_lock(&m->lock);
	if (m->woken || atomic_load(&m->leave))
		;
	else if (when == UINT64_MAX)
		cond_wait(&m->wake, &m->lock);
	else if (when > now)
		cond_wait_for(&m->wake, &m->lock, when - now);
	m->woken = false;
	mutex_unlock(&m->lock);
}

static void serve(struct machine *m)
{
	while (!atomic_load(&m->leave)) {
		clock_run(m->env.clock);
		events_deliver(m->env.events);
		sleep_until(m, clock_next(m->env.clock));
	}
}

static int start(struct machine_cpu *c, struct err *e)
{
	char name[16];
	int rc;

	c->ended = 0;
	snprintf(name, sizeof name, "lodge-cpu%u", (unsigned)(c - c->machine->cpu));
	rc = thread_start(&c->thread, name, run_cpu, c);
	return rc ? err_set(e, -rc, "cannot start a thread: %s", strerror(-rc)) : 0;
}

static int tell_engine(struct machine *m, int (*tell)(struct engine *, struct err *), struct err *e)
{
	return tell ? tell(m->engine, e) : 0;
}

/* Of which CPUs are off, the engine knows from now on, or we do again. */
static uint64_t lend_off(struct machine *m)
{
	uint64_t lent = 0;

	for (unsigned i = 0; i < m->ncpus && m->engine_class->vcpu_hold; i++) {
		struct machine_cpu *c = &m->cpu[i];

		if (!m->engine_class->vcpu_hold(c->vcpu, atomic_load(&c->off)))
			continue;
		atomic_store(&c->off, false);
		lent |= 1ull << i;
	}
	return lent;
}

static void off_back(struct machine *m, uint64_t lent)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		if (lent >> i & 1)
			atomic_store(&m->cpu[i].off, m->engine_class->vcpu_is_held(m->cpu[i].vcpu));
}

/* Runs all CPUs until somebody asks for something. */
static int run_all(struct machine *m, enum machine_end *end, struct err *e)
{
	unsigned n = 0, i;
	int rc = tell_engine(m, m->engine_class->start, e), stopped;
	const uint64_t lent = rc ? 0 : lend_off(m);

	while (n < m->ncpus && !rc) {
		rc = start(&m->cpu[n], e);
		n += !rc;
	}
	if (rc)
		machine_leave(m);
	serve(m);
	for (i = 0; i < n; i++)
		thread_join(&m->cpu[i].thread);
	off_back(m, lent);
	stopped = tell_engine(m, m->engine_class->stop, e);
	for (i = 0; i < n && !rc; i++) {
		rc = m->cpu[i].ended;
		if (rc > 0)
			*end = MACHINE_CRASH;
		if (rc < 0)
			*e = m->cpu[i].err;
	}
	return rc ? rc : stopped;
}

/* Instructions that their CPUs cannot execute while they run (EXIT_ALONE). */
static int step_alone(struct machine *m, enum machine_end *end, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; i < m->ncpus && !rc; i++)
		if (m->cpu[i].exit.why == EXIT_ALONE)
			rc = machine_step_alone(m, i, e);
	if (rc > 0)
		*end = MACHINE_CRASH;
	return rc;
}

int run_threads(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	int rc;

	do {
		rc = machine_attend(m, end, code, e);
		if (!rc)
			rc = step_alone(m, end, e);
		if (!rc)
			rc = run_all(m, end, e);
	} while (!rc);
	return rc;
}
