/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All CPUs take turns on the VM's thread.  What comes from outside (events, timers, requests) is
 * looked at between turns, which are short enough for no timer of a running guest to be late by
 * more than about a millisecond.  When all CPUs are halted the thread sleeps until the next timer
 * or event.
 */
#include "core/clock.h"
#include "core/event.h"
#include "machine/build.h"
#include "machine/run.h"

/* Reading the clock costs a microsecond or two on some hosts, so a round of all running CPUs should
 * take about ROUND_NS; `turn` follows the guest's speed. */
enum { ROUND_NS = 500000 };
enum { TURN_MIN = 5000, TURN_MAX = 2000000 };

static void fall_asleep(struct machine *m, uint64_t now)
{
	uint64_t next = clock_next(m->env.clock);

	mutex_lock(&m->lock);
	if (next == UINT64_MAX)
		while (!m->woken)
			cond_wait(&m->wake, &m->lock);
	else if (!m->woken && next > now)
		cond_wait_for(&m->wake, &m->lock, next - now);
	mutex_unlock(&m->lock);
}

/* How many instructions the next turn may have when n CPUs share a round. */
static uint64_t next_turn(struct machine *m, uint64_t now, unsigned n)
{
	uint64_t took = now - m->turn_began, share = ROUND_NS / n;

	if (m->turn_used && took > 2 * share && m->turn > TURN_MIN)
		m->turn /= 2;
	else if (m->turn_used && took < share / 2 && m->turn < TURN_MAX)
		m->turn *= 2;
	m->turn_began = now;
	return m->turn;
}

int run_turns(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	struct machine_cpu *c;
	uint64_t now;
	unsigned n;
	int rc;

	while (!(rc = machine_attend(m, end, code, e))) {
		now = clock_now(m->env.clock);
		if (clock_next(m->env.clock) <= now)
			clock_run(m->env.clock);
		if (atomic_load(&m->leave)) /* a timer asked for something */
			continue;
		events_deliver(m->env.events);
		c = machine_next_cpu(m, &n);
		if (!c) {
			fall_asleep(m, now);
			continue;
		}
		rc = machine_run_cpu(m, c, next_turn(m, now, n), e);
		m->turn_used = c->exit.why == EXIT_TURN;
		if (rc > 0)
			*end = MACHINE_CRASH;
		if (rc)
			break;
	}
	return rc;
}
