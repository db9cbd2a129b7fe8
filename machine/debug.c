/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/debug.h"

#include <errno.h>

#include "base/buf.h"
#include "core/debug.h"
#include "machine/build.h"
#include "machine/history.h"
#include "machine/run.h"
#include "machine/tape.h"
#include "machine/trace.h"

static bool has_breakpoints(const struct engine_class *c)
{
	return c->vcpu_debug && c->vcpu_step;
}

static int refuse(const struct engine_class *wanted, struct err *e)
{
	struct buf names = { 0 };
	int rc;

	for (const struct engine_class *const *c = engine_classes; *c; c++)
		if (has_breakpoints(*c))
			buf_printf(&names, "%s%s", names.len ? ", " : "", (*c)->name);
	buf_put(&names, "", 1);
	rc = err_set(e, ENOTSUP, "engine %s: it has no breakpoints; these have: %s", wanted->name,
	    names.failed ? "" : (const char *)names.data);
	buf_free(&names);
	return rc;
}

int machine_debug_check(const struct machine *m, struct err *e)
{
	if (!has_breakpoints(m->engine_class))
		return refuse(m->engine_class, e);
	if (m->config.lockstep)
		return err_set(e, EINVAL, "lockstep: a machine that is checked has no breakpoints");
	if (m->tape && m->tape->replay && !m->history)
		return err_set(e, ENOTSUP,
		    "replay: a debugger has to be expected from the start, by --gdb or "
		    "--reverse, on engine soft");
	return 0;
}

int machine_debug_fits(const struct machine *m, const struct debug_points *points, struct err *e)
{
	return m->engine_class->debug_check ? m->engine_class->debug_check(points, e) : 0;
}

void machine_debug_attach(struct machine *m, const struct machine_debugger *d)
{
	mutex_lock(&m->lock);
	m->debugger = d;
	mutex_unlock(&m->lock);
}

const struct debug_points *machine_debug_points(
    struct machine *m, const struct debug_points *points)
{
	return trace_points(m, points);
}

/* An access that nobody on the bus answers is made anew with its answer. */
static int step(struct machine *m, struct machine_cpu *c, struct err *e)
{
	const struct engine_class *engine = m->engine_class;
	uint64_t retired;
	int rc;

	do {
		retired = engine->vcpu_retired(c->vcpu);
		if (m->config.deterministic)
			fixed_runs(m, c);
		atomic_store(&c->inside, true);
		engine->vcpu_step(c->vcpu, &c->exit);
		atomic_store(&c->inside, false);
		retired = engine->vcpu_retired(c->vcpu) - retired;
		if (retired)
			atomic_store(&c->suspended, false);
		if (!m->parallel)
			m->count += retired;
		if (m->config.deterministic)
			fixed_ran(m, c, 1);
		rc = c->exit.why == EXIT_DEBUG ? 0 : machine_answer(m, c, e);
	} while (!rc && (c->exit.why == EXIT_READ || c->exit.why == EXIT_WRITE));
	return rc;
}

int machine_step_alone(struct machine *m, unsigned cpu, struct err *e)
{
	struct machine_cpu *c = &m->cpu[cpu];
	const int rc = step(m, c, e);

	if (rc || c->exit.why != EXIT_DEBUG)
		return rc;
	return c->exit.size != DEBUG_STEP || atomic_load(&c->stops) ? debug_stop(m, c, e) : 0;
}

int machine_debug_step(
    struct machine *m, unsigned cpu, struct history_search *s, struct exit *x, struct err *e)
{
	struct machine_cpu *c = &m->cpu[cpu];
	int rc = 0;

	if (m->history)
		return history_step(m, cpu, s, x, e);
	*x = (struct exit){ .why = EXIT_HALT };
	if (atomic_load(&c->off))
		return 0;
	rc = step(m, c, e);
	*x = c->exit;
	return rc;
}

void machine_debug_hold(struct machine *m, unsigned cpu, bool held, bool stops)
{
	/* Who can go back does again what was done, with all CPUs. */
	atomic_store(&m->cpu[cpu].held, held && !m->history);
	atomic_store(&m->cpu[cpu].stops, stops);
}

/* The debugger does not change while a CPU runs, but it may leave when the machine ends. */
int debug_stop(struct machine *m, struct machine_cpu *c, struct err *e)
{
	const unsigned cpu = (unsigned)(c - m->cpu);
	const struct machine_debugger *d;
	bool met;
	int rc;

	mutex_lock(&m->lock);
	d = m->debugger;
	mutex_unlock(&m->lock);
	if (!d || !d->wants(d->arg, cpu, &c->exit)) {
		if (c->exit.size != DEBUG_BREAK)
			return 0;
		if (m->engine_class->vcpu_pass) {
			m->engine_class->vcpu_pass(c->vcpu);
			return 0;
		}
		rc = step(m, c, e);
		met = !rc && c->exit.why == EXIT_DEBUG && c->exit.size != DEBUG_STEP;
		return met ? debug_stop(m, c, e) : rc;
	}
	atomic_store(&c->stops, false);
	mutex_lock(&m->lock);
	m->pause = true;
	d->hit(d->arg, cpu, &c->exit);
	mutex_unlock(&m->lock);
	machine_leave(m);
	return 0;
}
