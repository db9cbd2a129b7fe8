/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/trace.h"
#include "core/clock.h"
#include "core/debug.h"
#include "cpu/trace.h"
#include "machine/build.h"
#include "machine/run.h"

struct machine_trace {
	atomic_uint exec;                     /* DEBUG_TRACE_x that are wanted */
	const struct debug_points *debuggers; /* or NULL */
	struct debug_points points;           /* both together */
};

static void on_access(void *arg, const struct bus_access *a)
{
	struct machine *m = arg;
	const size_t len = strlen(a->name);
	struct trace_record r = { .cat = TRACE_device,
		.kind = TRACE_KIND_ACCESS,
		.cpu = TRACE_NO_CPU,
		.nargs = TRACE_NACCESS,
		.len = (uint8_t)(len < TRACE_TEXT ? len : TRACE_TEXT) };

	r.arg[TRACE_OFFSET] = a->off;
	r.arg[TRACE_DATA] = a->val;
	r.arg[TRACE_SIZE] = a->size;
	r.arg[TRACE_WRITE] = a->write;
	r.arg[TRACE_ADDRESS] = a->addr;
	memcpy(r.text, a->name, r.len);
	trace_log(m->env.log, &r);
}

/* Wires of a PC lead to both of its controllers. */
static bool leads_to(const struct dev *d, const struct dev *pic)
{
	return d->pic && (d->pic == pic || !strcmp(d->pic->class->name, "pc_irq"));
}

/* Several devices may share an input; the first one is told. */
static const struct dev *wired(void *machine, const struct dev *pic, unsigned n)
{
	struct machine *m = machine;

	for (unsigned i = 0; i < m->ndevs; i++)
		if (leads_to(m->dev[i], pic) && m->dev[i]->irq_no == n)
			return m->dev[i];
	return NULL;
}

struct machine_trace *machine_trace_new(struct machine *m, struct err *e)
{
	struct machine_trace *t = calloc(1, sizeof *t);

	if (!t) {
		err_set(e, ENOMEM, "machine: no memory");
		return NULL;
	}
	m->env.wired = wired;
	bus_on_access(m->env.bus, on_access, m);
	bus_on_access(m->env.ports, on_access, m);
	return t;
}

void machine_trace_free(struct machine_trace *t)
{
	free(t);
}

static bool watch(struct machine *m, const char *name, bool watched)
{
	const bool memory = bus_watch(m->env.bus, name, watched);

	return bus_watch(m->env.ports, name, watched) || memory;
}

static void put_name(void *arg, const char *name, uint64_t base, uint64_t size)
{
	struct buf *b = arg;
	char word[64];

	(void)base, (void)size;
	snprintf(word, sizeof word, " %.*s", (int)strcspn(name, " "), name);
	buf_put(b, "", 1);
	if (b->failed)
		return;
	b->len--;
	if (!strstr((const char *)b->data, word))
		buf_printf(b, "%s", word);
}

static int no_device(struct machine *m, const char *name, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	bus_each(m->env.bus, put_name, &b);
	bus_each(m->env.ports, put_name, &b);
	buf_put(&b, "", 1);
	rc = err_set(e, EINVAL, "trace device=%s: this machine has%s", name,
	    b.failed ? " no such device" : (const char *)b.data);
	buf_free(&b);
	return rc;
}

int machine_trace(struct machine *m, const struct config_trace *t, struct err *e)
{
	const struct debug_points points = { .trace = t->exec };
	int rc = 0;

	if (t->exec && (!m->engine_class->vcpu_debug || m->config.lockstep))
		return err_set(e, EINVAL, "trace exec: %s",
		    m->config.lockstep ? "not with lockstep"
				       : "this engine cannot tell; soft and interp can");
	if (t->exec && m->engine_class->debug_check &&
	    (rc = m->engine_class->debug_check(&points, e)) < 0)
		return rc;
	watch(m, NULL, false);
	for (unsigned i = 0; i < t->ndevices && !rc; i++)
		if (!watch(m, strcmp(t->device[i], "all") ? t->device[i] : NULL, true))
			rc = no_device(m, t->device[i], e);
	if (atomic_exchange(&m->trace->exec, t->exec) != t->exec)
		machine_leave(m);
	return rc;
}

bool machine_tells(const struct machine *m)
{
	return m->engine_class->vcpu_where;
}

const struct debug_points *trace_points(struct machine *m, const struct debug_points *wanted)
{
	struct machine_trace *t = m->trace;
	const struct debug_points *const before = t->debuggers;
	const unsigned exec = atomic_load(&t->exec);

	t->debuggers = wanted;
	t->points = wanted ? *wanted : (struct debug_points){ 0 };
	t->points.trace = exec;
	m->points = wanted || exec ? &t->points : NULL;
	for (unsigned i = 0; i < m->ncpus; i++)
		m->engine_class->vcpu_debug(m->cpu[i].vcpu, m->points);
	return before;
}

void trace_attend(struct machine *m)
{
	if (atomic_load(&m->trace->exec) != m->trace->points.trace)
		trace_points(m, m->trace->debuggers);
}

/* For struct trace_host ------------------------------------------------------------------------ */

uint64_t machine_trace_now(void *machine)
{
	struct machine *m = machine;

	return clock_now(m->env.clock);
}

void machine_trace_who(void *machine, struct trace_record *r)
{
	struct machine *m = machine;
	const uint64_t thread = os_thread_id();

	for (unsigned i = 0; i < m->ncpus; i++) {
		if (!atomic_load(&m->cpu[i].inside) || atomic_load(&m->cpu[i].tid) != thread)
			continue;
		if (m->engine_class->vcpu_where)
			m->engine_class->vcpu_where(m->cpu[i].vcpu, r);
		else
			r->cpu = (uint8_t)i;
		return;
	}
}

static const struct dev_class *class_of(const struct trace_record *r)
{
	char name[TRACE_TEXT + 1];

	memcpy(name, r->text, r->len);
	name[r->len] = '\0';
	name[strcspn(name, " ")] = '\0';
	return dev_find(name);
}

static void put_access(const struct trace_record *r, struct buf *out)
{
	const struct dev_class *class = class_of(r);
	const char *reg = class ? dev_reg_name(class, r->arg[TRACE_OFFSET]) : NULL;

	buf_printf(out, "%.*s: %s %s", r->len, r->text, r->arg[TRACE_WRITE] ? "write" : "read",
	    reg ? reg : "");
	buf_printf(out, "%s+%#" PRIx64 " (%#" PRIx64 "), %" PRIu64 " byte%s: %#" PRIx64,
	    reg ? " " : "", r->arg[TRACE_OFFSET], r->arg[TRACE_ADDRESS], r->arg[TRACE_SIZE],
	    r->arg[TRACE_SIZE] == 1 ? "" : "s", r->arg[TRACE_DATA]);
}

bool trace_describe(void *cpu, const struct trace_record *r, struct buf *out)
{
	if (r->kind == TRACE_KIND_ACCESS && r->nargs >= TRACE_NACCESS) {
		put_access(r, out);
		return true;
	}
	return cpu && cpu_describe(cpu, r, out);
}

bool machine_trace_describe(void *machine, const struct trace_record *r, struct buf *out)
{
	struct machine *m = machine;

	return trace_describe((void *)(uintptr_t)m->engine_env.cpu, r, out);
}
