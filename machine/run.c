/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a machine: what both ways of running its CPUs share.
 */
#include "machine/run.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "core/clock.h"
#include "core/debug.h"
#include "core/event.h"
#include "machine/build.h"
#include "machine/debug.h"
#include "machine/history.h"
#include "machine/move.h"
#include "machine/tape.h"
#include "machine/trace.h"

/* The first turn of CPUs that take turns. */
enum { TURN_FIRST = 50000 };

/* The VM's thread runs the CPUs, if they have none of their own. */
void machine_wake(struct machine *m)
{
	mutex_lock(&m->lock);
	m->woken = true;
	cond_broadcast(&m->wake);
	mutex_unlock(&m->lock);
	if (m->parallel || m->config.deterministic)
		return;
	for (unsigned i = 0; i < m->ncpus; i++)
		lines_kick(m, i);
}

static void wake_cpu(struct machine *m, struct machine_cpu *c)
{
	mutex_lock(&m->lock);
	m->woken |= !m->parallel;
	cond_broadcast(m->parallel ? &c->wake : &m->wake);
	mutex_unlock(&m->lock);
}

/*
 * A CPU's thread sets halted after a run that ended so, and then looks at alerted; here it is the
 * other way round, so one of the two sees what the other did.
 */
void machine_alert(struct machine *m, struct machine_cpu *c)
{
	atomic_store(&c->alerted, true);
	if (atomic_load(&c->halted))
		wake_cpu(m, c);
}

void machine_cpu_on(struct machine *m, unsigned cpu)
{
	struct machine_cpu *c = &m->cpu[cpu];

	atomic_store(&c->suspended, false);
	atomic_store(&c->halted, false);
	atomic_store(&c->off, false);
	wake_cpu(m, c);
}

void machine_leave(struct machine *m)
{
	atomic_store(&m->leave, true);
	for (unsigned i = 0; i < m->ncpus; i++) {
		if (!m->config.deterministic)
			lines_kick(m, i);
		wake_cpu(m, &m->cpu[i]);
	}
	machine_wake(m);
}

/* The first one counts. */
static void request(struct machine *m, struct machine_request r)
{
	mutex_lock(&m->lock);
	if (!m->request.made)
		m->request = r;
	mutex_unlock(&m->lock);
	machine_leave(m);
}

void machine_power(struct machine *m, enum power power, unsigned code)
{
	request(m, (struct machine_request){ .made = true, .power = power, .code = code });
	/* It is the guest who asks. */
	for (unsigned i = 0; i < m->ncpus && m->config.deterministic; i++)
		lines_kick(m, i);
}

void machine_press_reset(struct machine *m)
{
	request(m, (struct machine_request){ .made = true, .power = POWER_RESET, .pressed = true });
}

void machine_reset_button(struct machine *m)
{
	if (!tape_takes(m, TAPE_RESET_BUTTON, 0, false))
		machine_press_reset(m);
}

void machine_stop(struct machine *m)
{
	mutex_lock(&m->lock);
	m->stop = true;
	mutex_unlock(&m->lock);
	machine_leave(m);
}

void machine_pause(struct machine *m)
{
	mutex_lock(&m->lock);
	m->pause = true;
	if (m->debugger)
		m->debugger->paused(m->debugger->arg);
	mutex_unlock(&m->lock);
	machine_leave(m);
}

void machine_resume(struct machine *m)
{
	mutex_lock(&m->lock);
	m->pause = false;
	mutex_unlock(&m->lock);
	machine_wake(m);
}

bool machine_is_paused(struct machine *m)
{
	bool pause;

	mutex_lock(&m->lock);
	pause = m->pause;
	mutex_unlock(&m->lock);
	return pause;
}

bool machine_can_run(struct machine_cpu *c)
{
	return !atomic_load(&c->off) && !atomic_load(&c->held) &&
	       (!atomic_load(&c->halted) || atomic_load(&c->alerted));
}

void machine_begin(struct machine *m)
{
	m->next = 0;
	m->turn = TURN_FIRST;
	m->turn_used = false;
	if (m->fixed.left)
		fixed_end(m);
}

struct machine_cpu *machine_next_cpu(struct machine *m, unsigned *n)
{
	struct machine_cpu *c, *found = NULL;

	*n = 0;
	for (unsigned i = 0; i < m->ncpus; i++) {
		c = &m->cpu[(m->next + i) % m->ncpus];
		if (!machine_can_run(c))
			continue;
		(*n)++;
		if (!found)
			found = c;
	}
	if (found)
		m->next = (unsigned)(found - m->cpu) + 1;
	return found;
}

int machine_boot(struct machine *m, struct err *e)
{
	machine_begin(m);
	return m->class->boot(m, e);
}

int machine_reboot(struct machine *m, struct err *e)
{
	struct machine_cpu *c;

	/* Nothing may be written to memory that is loaded anew. */
	machine_drain(m);
	for (c = m->cpu; c < m->cpu + m->ncpus; c++) {
		m->engine_class->vcpu_reset(c->vcpu);
		atomic_store(&c->off, false);
		atomic_store(&c->suspended, false);
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

/* With the lock: something that is done while no CPU runs. */
static bool is_asked(struct machine *m)
{
	return rest_is_asked(m) || move_is_asked(m) || clone_is_asked(m) || hotplug_is_asked(m);
}

/* Until it is resumed, or something else is asked for. */
static void wait_while_paused(struct machine *m)
{
	if (!machine_is_paused(m)) {
		clock_resume(m->env.clock);
		return;
	}
	clock_pause(m->env.clock);
	machine_drain(m);
	mutex_lock(&m->lock);
	while (m->pause && !m->stop && !m->request.made && !is_asked(m))
		cond_wait(&m->wake, &m->lock);
	mutex_unlock(&m->lock);
	/* What is done meanwhile takes no time of the guest's. */
	if (!machine_is_paused(m))
		clock_resume(m->env.clock);
}

static int do_request(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	struct machine_request r;
	bool stop;

	atomic_store(&m->leave, false);
	mutex_lock(&m->lock);
	r = m->request;
	stop = m->stop;
	m->request.made = m->stop = m->woken = false;
	mutex_unlock(&m->lock);
	*code = 0;
	if (r.made) {
		*code = r.code;
		if (ends(m, r.power, end))
			return stop || !history_ends(m);
	}
	/* Also when the guest resets at the same moment. */
	if (stop) {
		*end = MACHINE_STOPPED;
		return 1;
	}
	if (!r.made)
		return 0;
	if (r.pressed)
		history_touch(m);
	else if (m->host.on_reset)
		m->host.on_reset(m->host.arg);
	return machine_reboot(m, e);
}

/* Whether CPUs may not run yet. */
static bool must_stand(struct machine *m)
{
	bool stand;

	mutex_lock(&m->lock);
	stand = m->pause || is_asked(m);
	mutex_unlock(&m->lock);
	return stand;
}

int machine_attend(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	int rc;

	do {
		hotplug_attend(m);
		rest_attend(m);
		trace_attend(m);
		move_attend(m);
		if (clone_attend(m)) {
			*end = MACHINE_CLONED;
			return 1;
		}
		wait_while_paused(m);
		rc = do_request(m, end, code, e);
		/* What was asked for since then must not wait for the next request. */
	} while (!rc && must_stand(m));
	return rc;
}

/* Does what the CPU came back for: 1 when it can never run again. */
int machine_answer(struct machine *m, struct machine_cpu *c, struct err *e)
{
	struct exit *x = &c->exit;

	switch (x->why) {
	case EXIT_CALL:
		if (m->class->call)
			m->class->call(m, (unsigned)(c - m->cpu));
		return 0;
	case EXIT_READ:
		bus_read(m->env.bus, x->addr, &x->val, x->size);
		return 0;
	case EXIT_WRITE:
		bus_write(m->env.bus, x->addr, x->val, x->size);
		return 0;
	case EXIT_SHUTDOWN:
		TRACE(m->env.log, exceptions, "cpu%u: shut down", (unsigned)(c - m->cpu));
		if (!m->class->shutdown_resets)
			return 1;
		machine_power(m, POWER_RESET, 0);
		return 0;
	case EXIT_ERROR:
		return err_set(e, (int)-x->val, "engine %s: %s", m->engine_class->name,
		    strerror((int)-x->val));
	case EXIT_DEBUG:
		return debug_stop(m, c, e);
	case EXIT_ALONE:
		machine_leave(m);
		return 0;
	default: /* asks nothing, or nothing that a machine has asked for */
		break;
	}
	return 0;
}

int machine_run_cpu(struct machine *m, struct machine_cpu *c, uint64_t turn, struct err *e)
{
	const struct engine_class *engine = m->engine_class;
	uint64_t retired = engine->vcpu_retired(c->vcpu);

	if (atomic_load(&c->stops))
		turn = 1;
	if (m->config.deterministic)
		fixed_runs(m, c);
	else
		atomic_store(&c->alerted, false);
	atomic_store(&c->halted, false);
	atomic_store(&c->inside, true);
	engine->vcpu_run(c->vcpu, &c->exit, turn);
	atomic_store(&c->inside, false);
	retired = engine->vcpu_retired(c->vcpu) - retired;
	if (retired)
		atomic_store(&c->suspended, false);
	if (c->exit.why == EXIT_HALT)
		atomic_store(&c->halted, true);
	if (!m->parallel)
		m->count += retired;
	if (m->config.deterministic)
		fixed_ran(m, c, turn);
	if (atomic_load(&c->stops) && retired && c->exit.why == EXIT_TURN)
		c->exit = (struct exit){ .why = EXIT_DEBUG, .size = DEBUG_STEP };
	return machine_answer(m, c, e);
}

int machine_run(struct machine *m, enum machine_end *end, unsigned *code, struct err *e)
{
	int rc;

	for (unsigned i = 0; i < m->ncpus; i++)
		atomic_store(&m->cpu[i].tid, os_thread_id());
	mutex_lock(&m->lock);
	m->running = true;
	mutex_unlock(&m->lock);
	if (!machine_is_paused(m))
		clock_resume(m->env.clock);
	*end = MACHINE_STOPPED;
	if (m->tape)
		tape_run(m);
	if (m->parallel)
		rc = run_threads(m, end, code, e);
	else if (m->config.deterministic)
		rc = run_fixed(m, end, code, e);
	else
		rc = run_turns(m, end, code, e);
	if (*end == MACHINE_CLONED)
		return 0;
	clock_pause(m->env.clock);
	if (m->tape)
		tape_ended(m, end, code);
	rest_end(m);
	clone_end(m);
	move_end(m);
	return rc < 0 ? rc : 0;
}
