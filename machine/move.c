/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/move.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "core/clock.h"
#include "core/mem.h"
#include "engine/list.h"
#include "machine/build.h"
#include "machine/engines.h"
#include "machine/run.h"
#include "machine/tape.h"

/* What the key engine-after asks for. */
struct move_plan {
	struct machine *machine;
	const struct engine_class *to;
	struct timer timer;
};

/* With the machine's lock. */
struct move {
	const struct engine_class *wanted; /* NULL: none is */
	struct move_status status;
	struct move_plan plan[CONFIG_AFTERS];
};

struct move *move_new(struct err *e)
{
	struct move *v = calloc(1, sizeof *v);

	if (!v)
		err_set(e, ENOMEM, "machine: no memory");
	return v;
}

void move_free(struct move *v)
{
	free(v);
}

/* The machine at the other engine, until it is all there. */
struct other {
	const struct engine_class *class;
	struct engine *engine;
	struct vcpu *vcpu[MACHINE_CPUS];
	unsigned n;
};

static int copy_state(struct machine *m, struct vcpu *to, struct other *o, struct err *e)
{
	void *regs = calloc(1, m->engine_env.cpu->regs_size);
	int rc = regs ? m->engine_class->vcpu_get(m->cpu[o->n].vcpu, UINT_MAX, regs) : -ENOMEM;

	if (rc)
		err_set(e, -rc, "engine %s does not give out CPU %u: %s", m->engine_class->name,
		    o->n, strerror(-rc));
	else if ((rc = o->class->vcpu_set(to, UINT_MAX, regs)))
		err_set(e, -rc, "engine %s does not take the state of CPU %u: %s", o->class->name,
		    o->n, strerror(-rc));
	free(regs);
	return rc;
}

static int make_vcpus(struct machine *m, struct other *o, struct err *e)
{
	struct vcpu *v;
	int rc = 0;

	while (o->n < m->ncpus && !rc) {
		v = o->class->vcpu_new(o->engine, o->n, e);
		if (!v)
			return -EIO;
		rc = copy_state(m, v, o, e);
		if (m->points)
			o->class->vcpu_debug(v, m->points);
		o->vcpu[o->n++] = v;
	}
	return rc;
}

static void free_vcpus(struct other *o)
{
	while (o->n)
		o->class->vcpu_free(o->vcpu[--o->n]);
}

static int enter(const struct engine_class *c, struct engine *engine, struct err *e)
{
	return c->enter ? c->enter(engine, e) : 0;
}

/* All of its state is ours, as long as it does not enter again. */
static int leave(const struct machine *m, struct err *e)
{
	return m->engine_class->leave ? m->engine_class->leave(m->engine, e) : 0;
}

/* What was the machine's becomes what is freed. */
static void change_places(struct machine *m, struct other *o)
{
	struct other old = { .class = m->engine_class, .engine = m->engine, .n = m->ncpus };

	for (unsigned i = 0; i < m->ncpus; i++)
		old.vcpu[i] = m->cpu[i].vcpu;
	mutex_lock(&m->lock);
	m->engine_class = o->class;
	m->engine = o->engine;
	m->move->status.moves++;
	mutex_unlock(&m->lock);
	lines_back(m, o->vcpu);
	for (unsigned i = 0; i < m->ncpus; i++) {
		m->cpu[i].exit = (struct exit){ 0 };
		/* A timer of theirs may have been about to say so. */
		atomic_store(&m->cpu[i].alerted, true);
	}
	*o = old;
}

/* No CPU runs, and the guest's time stands still. */
static int move(struct machine *m, struct other *o, struct err *e)
{
	struct err why = { "" };
	int rc = leave(m, e);

	if (rc)
		return rc;
	lines_away(m);
	rc = make_vcpus(m, o, e);
	if (!rc)
		rc = enter(o->class, o->engine, e);
	if (!rc) {
		change_places(m, o);
	} else {
		lines_back(m, NULL);
		/* It had it a moment ago. */
		if (enter(m->engine_class, m->engine, &why)) {
			log_error(m->host.log, "engine %s cannot go on: %s", m->engine_class->name,
			    why.text);
			machine_power(m, POWER_CRASH, 0);
		}
	}
	free_vcpus(o);
	if (!rc)
		mem_no_code(m->env.mem);
	return rc;
}

static bool is_debugged(struct machine *m)
{
	bool debugged;

	mutex_lock(&m->lock);
	debugged = m->debugger;
	mutex_unlock(&m->lock);
	return debugged;
}

int move_to(struct machine *m, const struct engine_class *to, struct err *e)
{
	struct other o = { .class = to };
	int rc;

	if (to == m->engine_class)
		return 0;
	if ((m->points || is_debugged(m)) && (!to->vcpu_debug || !to->vcpu_step))
		return err_set(e, ENOTSUP,
		    "engine %s: it has no breakpoints, as the machine's debugger needs", to->name);
	if (m->points && to->debug_check && (rc = to->debug_check(m->points, e)) < 0)
		return rc;
	rc = engines_have(m, to, e);
	if (rc < 0)
		return rc;
	o.engine = m->engines[rc].engine;
	return move(m, &o, e);
}

/* Requests ------------------------------------------------------------------------------------- */

bool move_is_asked(const struct machine *m)
{
	return m->move->wanted;
}

/* With the lock. */
static int ask(struct machine *m, const struct engine_class *to, struct err *e)
{
	struct move *v = m->move;

	if (v->wanted)
		return err_set(e, EBUSY, "the machine moves to engine %s already", v->wanted->name);
	if (!m->running)
		return err_set(e, EINVAL, "the machine does not run, so it cannot move");
	v->wanted = to;
	v->status.state = MOVE_RUNS;
	return 0;
}

int machine_move(struct machine *m, const char *engine, struct err *e)
{
	const struct engine_class *to = engine_find(engine);
	int rc = tape_refuse(m, "engine", e);

	if (rc)
		return rc;
	if (!to)
		return err_set(e, EINVAL, "engine \"%.60s\": there is no such engine", engine);
	mutex_lock(&m->lock);
	rc = ask(m, to, e);
	mutex_unlock(&m->lock);
	if (!rc)
		machine_leave(m);
	return rc;
}

void machine_move_status(struct machine *m, struct move_status *to)
{
	mutex_lock(&m->lock);
	*to = m->move->status;
	to->engine = m->engine_class->name;
	mutex_unlock(&m->lock);
}

void move_attend(struct machine *m)
{
	struct move *v = m->move;
	const struct engine_class *to;
	const uint64_t began = os_clock_ns();
	struct err e = { "" };
	int rc;

	mutex_lock(&m->lock);
	to = v->wanted;
	mutex_unlock(&m->lock);
	if (!to)
		return;
	clock_pause(m->env.clock);
	rc = move_to(m, to, &e);
	if (!machine_is_paused(m))
		clock_resume(m->env.clock);
	mutex_lock(&m->lock);
	v->wanted = NULL;
	v->status.state = rc ? MOVE_FAILED : MOVE_DONE;
	v->status.err = e;
	v->status.stood_ns = os_clock_ns() - began;
	mutex_unlock(&m->lock);
}

void move_end(struct machine *m)
{
	struct move *v = m->move;

	mutex_lock(&m->lock);
	if (v->wanted) {
		v->status.state = MOVE_FAILED;
		err_set(&v->status.err, ECANCELED, "the machine has ended before it could move");
	}
	v->wanted = NULL;
	mutex_unlock(&m->lock);
}

/* Plans ---------------------------------------------------------------------------------------- */

/* On the VM's thread, between two turns or while CPUs run. */
static void plan_is_due(void *arg)
{
	struct move_plan *p = arg;
	struct machine *m = p->machine;
	struct err e = { "" };
	int rc;

	mutex_lock(&m->lock);
	rc = ask(m, p->to, &e);
	mutex_unlock(&m->lock);
	if (rc)
		log_warn(m->host.log, "engine-after: %s", e.text);
	else
		machine_leave(m);
}

void move_plan(struct machine *m)
{
	const uint64_t now = clock_now(m->env.clock);
	struct config_after a;

	for (unsigned i = 0; i < m->config.nafters; i++) {
		struct move_plan *p = &m->move->plan[i];

		if (config_after(&a, m->config.after[i], NULL) < 0)
			continue;
		p->machine = m;
		p->to = engine_find(a.engine);
		timer_init(&p->timer, m->env.clock, NULL, plan_is_due, p);
		timer_set(&p->timer, now + a.ns);
	}
}
