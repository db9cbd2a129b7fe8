/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a machine: all CPUs take turns on the thread that called machine_run.  What comes from
 * outside (events, timers, requests) is looked at between turns, which are short enough for no
 * timer of a running guest to be late by more than about a millisecond.  When all CPUs are halted
 * the thread sleeps until the next timer or event.
 */
#include "machine/run.h"

#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "core/event.h"
#include "machine/build.h"

/* Reading the clock costs a microsecond or two on some hosts, so a round of all running CPUs should
 * take about ROUND_NS; `turn` follows the guest's speed. */
enum { ROUND_NS = 500000 };
enum { TURN_FIRST = 50000, TURN_MIN = 5000, TURN_MAX = 2000000 };
/* Deterministic runs: a turn must not depend on the host's speed. */
enum { TURN_FIXED = 20000 };

void machine_wake(struct machine *m)
{
	mutex_lock(&m->lock);
	m->woken = true;
	cond_broadcast(&m->wake);
	mutex_unlock(&m->lock);
	for (unsigned i = 0; i < m->ncpus; i++)
		m->engine_class->vcpu_kick(m->cpu[i].vcpu);
}

/*
 * A CPU's thread sets halted after a run that ended so, and then looks at alerted; here it is the
 * other way round, so one of the two sees what the other did.
 */
void machine_alert(struct machine *m, struct machine_cpu *c)
{
	atomic_store(&c->alerted, true);
	if (atomic_load(&c->halted))
		machine_wake(m);
}

void machine_power(struct machine *m, enum power power, unsigned code)
{
	mutex_lock(&m->lock);
	if (!m->request.made)
		m->request = (struct machine_request){ true, power, code };
	mutex_unlock(&m->lock);
	machine_wake(m);
}

void machine_stop(struct machine *m)
{
	mutex_lock(&m->lock);
	m->stop = true;
	mutex_unlock(&m->lock);
	machine_wake(m);
}

static bool can_run(struct machine_cpu *c)
{
	return !c->off && (!atomic_load(&c->halted) || atomic_load(&c->alerted));
}

int machine_boot(struct machine *m, struct err *e)
{
	m->next = 0;
	m->turn = TURN_FIRST;
	m->turn_used = false;
	return m->class->boot(m, e);
}

static int reboot(struct machine *m, struct err *e)
{
	struct machine_cpu *c;

	for (c = m->cpu; c < m->cpu + m->ncpus; c++) {
		m->engine_class->vcpu_reset(c->vcpu);
		c->off = false;
		atomic_store(&c->halted, false);
	}
	for (unsigned i = 0; i < m->ndevs; i++)
		dev_reset(m->dev[i]);
	return machine_boot(m, e);
}

static bool ends(const struct machine *m, enum power power, enum machine_end *end)
{
	switch (power) {
	case POWER_OFF:
		*end = MACHINE_OFF;
		return true;
	case POWER_CRASH:
		*end = MACHINE_CRASH;
		return true;
	case POWER_RESET:
		break;
	}
	*end = MACHINE_RESET;
	return m->config.no_reboot;
}

/* Does what was asked for: 1 when that ends the run. */
static int attend(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	struct machine_request r;
	bool stop;

	mutex_lock(&m->lock);
	r = m->request;
	stop = m->stop;
	m->request.made = m->stop = m->woken = false;
	mutex_unlock(&m->lock);
	*code = 0;
	if (r.made) {
		*code = r.code;
		return ends(m, r.power, end) ? 1 : reboot(m, e);
	}
	*end = MACHINE_STOPPED;
	return stop;
}

/* A CPU's own timer gives it an interrupt without a word to us: halted CPUs have to look. */
static void run_timers(struct machine *m, uint64_t now)
{
	if (clock_next(m->env.clock) > now)
		return;
	clock_run(m->env.clock);
	for (unsigned i = 0; i < m->ncpus; i++)
		atomic_store(&m->cpu[i].alerted, true);
}

static void fall_asleep(struct machine *m, uint64_t now)
{
	uint64_t next = clock_next(m->env.clock);

	if (m->config.deterministic && next != UINT64_MAX) {
		clock_skip_to(m->env.clock, next);
		return;
	}
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
	uint64_t next, left, took = now - m->turn_began, share = ROUND_NS / n;

	if (m->config.deterministic) {
		next = clock_next(m->env.clock);
		left = next > now ? ((next - now) >> MACHINE_COUNT_SHIFT) + 1 : 1;
		return left < TURN_FIXED ? left : TURN_FIXED;
	}
	if (m->turn_used && took > 2 * share && m->turn > TURN_MIN)
		m->turn /= 2;
	else if (m->turn_used && took < share / 2 && m->turn < TURN_MAX)
		m->turn *= 2;
	m->turn_began = now;
	return m->turn;
}

/* Does what the CPU came back for: 1 when it can never run again. */
static int answer(struct machine *m, struct machine_cpu *c, struct err *e)
{
	struct exit *x = &c->exit;

	switch (x->why) {
	case EXIT_CALL:
		if (m->class->call)
			m->class->call(m, (unsigned)(c - m->cpu));
		return 0;
	case EXIT_HALT:
		atomic_store(&c->halted, true);
		return 0;
	case EXIT_READ:
		bus_read(m->env.bus, x->addr, &x->val, x->size);
		return 0;
	case EXIT_WRITE:
		bus_write(m->env.bus, x->addr, x->val, x->size);
		return 0;
	case EXIT_SHUTDOWN:
		return 1;
	case EXIT_ERROR:
		return err_set(e, (int)-x->val, "engine %s: %s", m->engine_class->name,
		    strerror((int)-x->val));
	case EXIT_KICKED:
	case EXIT_TURN:
	case EXIT_DEBUG:
		break;
	}
	return 0;
}

static int run_cpu(struct machine *m, struct machine_cpu *c, uint64_t turn, struct err *e)
{
	const struct engine_class *engine = m->engine_class;
	uint64_t retired = engine->vcpu_retired(c->vcpu);

	atomic_store(&c->alerted, false);
	atomic_store(&c->halted, false);
	engine->vcpu_run(c->vcpu, &c->exit, turn);
	m->count += engine->vcpu_retired(c->vcpu) - retired;
	m->turn_used = c->exit.why == EXIT_TURN;
	return answer(m, c, e);
}

/* The next CPU that can run, and how many can; NULL when none can. */
static struct machine_cpu *next_cpu(struct machine *m, unsigned *n)
{
	struct machine_cpu *c, *found = NULL;

	*n = 0;
	for (unsigned i = 0; i < m->ncpus; i++) {
		c = &m->cpu[(m->next + i) % m->ncpus];
		if (!can_run(c))
			continue;
		(*n)++;
		if (!found)
			found = c;
	}
	if (found)
		m->next = (unsigned)(found - m->cpu) + 1;
	return found;
}

int machine_run(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	struct machine_cpu *c;
	uint64_t now;
	unsigned n;
	int rc;

	clock_resume(m->env.clock);
	while (!(rc = attend(m, end, code, e))) {
		now = clock_now(m->env.clock);
		run_timers(m, now);
		events_deliver(m->env.events);
		c = next_cpu(m, &n);
		if (!c) {
			fall_asleep(m, now);
			continue;
		}
		rc = run_cpu(m, c, next_turn(m, now, n), e);
		if (rc > 0)
			*end = MACHINE_CRASH;
		if (rc)
			break;
	}
	clock_pause(m->env.clock);
	return rc < 0 ? rc : 0;
}
