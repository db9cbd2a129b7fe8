/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs of a deterministic machine take turns on the VM's thread, whose lengths in instructions
 * depend on nothing but the guest.  All that comes from outside (events, timers) is looked at on
 * the boundaries between them, which m->fixed.turns counts; nobody outside cuts a turn short, for
 * it is over soon.  One that a debugger has stopped goes on with what is left of it.
 *
 * Guest time is what instructions take, a nanosecond each, to the very one that asks.  A turn ends
 * where the next timer is due; behind an instruction that sets one for an earlier moment it is
 * over, so that the next one ends in time.
 */
#include "core/clock.h"
#include "core/event.h"
#include "machine/build.h"
#include "machine/history.h"
#include "machine/run.h"
#include "machine/tape.h"

/* Of one CPU: so long that what is between turns costs nothing, and short enough for whoever types,
 * stops the machine, or goes back to a place in a turn.  Of several, which wait for each other:
 * with 20,000 two CPUs took 10 to 25 % more time, with 200,000 nothing less. */
enum { TURN_ALONE = 500000, TURN = 100000 };

bool fixed_sleep(struct machine *m)
{
	uint64_t next = clock_next(m->env.clock);

	if (m->tape) {
		tape_sleep(m);
		return true;
	}
	if (next != UINT64_MAX)
		clock_skip_to(m->env.clock, next);
	return next != UINT64_MAX;
}

/* All CPUs are halted: time goes on to the next timer, or somebody outside has to do something. */
static void fall_asleep(struct machine *m)
{
	if (fixed_sleep(m) || history_is_past(m))
		return;
	mutex_lock(&m->lock);
	while (!m->woken)
		cond_wait(&m->wake, &m->lock);
	mutex_unlock(&m->lock);
}

void fixed_end(struct machine *m)
{
	m->fixed.rest = m->fixed.left;
	m->fixed.left = 0;
	m->fixed.cut = false;
}

bool fixed_settle(struct machine *m)
{
	/* A debugger holds its CPU, or has stopped it behind the instruction that cut the turn. */
	const bool over = m->fixed.left && (m->fixed.cut || !machine_can_run(m->fixed.cpu));

	if (over)
		fixed_end(m);
	return over;
}

uint64_t fixed_more(void *machine)
{
	const struct machine *m = machine;
	const struct machine_cpu *c = m->fixed.inside;

	return c ? m->engine_class->vcpu_retired(c->vcpu) - m->fixed.before : 0;
}

void fixed_earlier(void *machine)
{
	struct machine *m = machine;
	struct machine_cpu *c = m->fixed.inside;

	if (!c || c != m->fixed.cpu || clock_next(m->env.clock) >= m->fixed.until)
		return;
	m->fixed.cut = true;
	lines_kick(m, (unsigned)(c - m->cpu));
}

bool fixed_boundary(struct machine *m)
{
	if (!m->tape)
		return true;
	m->fixed.turns++;
	if (!tape_boundary(m)) {
		m->fixed.turns--;
		return false;
	}
	if (m->history)
		history_heard(m);
	return true;
}

bool fixed_begin(struct machine *m)
{
	const uint64_t most = m->ncpus > 1 ? TURN : TURN_ALONE, now = clock_now(m->env.clock);
	uint64_t next, left;
	unsigned n;

	if (!m->tape)
		m->fixed.turns++;
	if (clock_next(m->env.clock) <= now)
		clock_run(m->env.clock);
	if (!m->history || m->tape) /* else it has taken what there was */
		events_deliver(m->env.events);
	m->fixed.cpu = machine_next_cpu(m, &n);
	if (!m->fixed.cpu)
		return false;
	next = clock_next(m->env.clock);
	left = next > now ? next - now : 1;
	m->fixed.left = m->fixed.length = left < most ? left : most;
	m->fixed.until = now + m->fixed.length;
	m->fixed.begun = m->fixed.cut = false;
	m->fixed.cpu->exit = (struct exit){ .why = EXIT_TURN };
	return true;
}

static bool goes_on(const struct machine_cpu *c)
{
	switch (c->exit.why) {
	case EXIT_HALT:
	case EXIT_CALL:
	case EXIT_SHUTDOWN:
	case EXIT_ERROR:
		return false;
	default:
		return true;
	}
}

/* What is so from turn to turn does not happen from piece to piece of one. */
void fixed_runs(struct machine *m, struct machine_cpu *c)
{
	m->fixed.before = m->engine_class->vcpu_retired(c->vcpu);
	m->fixed.inside = c;
	if (c != m->fixed.cpu)
		return;
	if (!m->fixed.begun)
		atomic_store(&c->alerted, false);
	else if (c->exit.why == EXIT_TURN)
		c->exit.why = EXIT_DEBUG;
	m->fixed.begun = true;
}

void fixed_ran(struct machine *m, const struct machine_cpu *c, uint64_t most)
{
	const uint64_t used = most - m->engine_class->vcpu_left(c->vcpu);

	m->fixed.inside = NULL;
	if (c != m->fixed.cpu)
		return;
	m->fixed.left -= used < m->fixed.left ? used : m->fixed.left;
	/* What a debugger waits for has its place in the turn. */
	if (!m->fixed.left || !goes_on(c) || (m->fixed.cut && c->exit.why != EXIT_DEBUG))
		fixed_end(m);
}

static void end_replay(struct machine *m)
{
	if (m->history && !history_ends(m))
		machine_stop(m);
}

int run_fixed(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	int rc;

	while (!(rc = machine_attend(m, end, code, e))) {
		fixed_settle(m);
		if (m->history && (rc = history_boundary(m, e)))
			break;
		if (history_is_over(m) || (!m->fixed.left && !fixed_boundary(m))) {
			end_replay(m);
			continue;
		}
		if (!m->fixed.left) {
			if (!fixed_begin(m))
				fall_asleep(m);
			if (!m->fixed.left || history_is_past(m)) /* a checkpoint may be there */
				continue;
		}
		rc = machine_run_cpu(
		    m, m->fixed.cpu, m->history ? history_most(m) : m->fixed.left, e);
		if (rc > 0 && history_ends(m))
			continue;
		if (rc > 0)
			*end = MACHINE_CRASH;
		if (rc)
			break;
	}
	return rc;
}
