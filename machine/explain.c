/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "core/mem.h"
#include "core/walk.h"
#include "cpu/trace.h"
#include "machine/build.h"
#include "machine/trace.h"

enum {
	OPEN_MAX = 32, /* exceptions whose handlers have not returned: nested, or of many stacks */
	RECENT = 16,   /* events that are shown */
	BEFORE = 24,   /* bytes of code that are looked at before pc, and */
	BEHIND = 32    /* behind */
};

/* What was found when it was met. */
struct scene {
	struct trace_record event;
	void *regs; /* of the CPU's class */
	struct page_walk walk;
	bool walked, is_fatal;
	uint8_t code[BEFORE + BEHIND];
	uint64_t code_at;
	size_t code_len;
};

struct explain {
	struct machine *machine;
	const struct cpu_class *cpu;
	struct mutex lock;
	struct scene open[OPEN_MAX]; /* the oldest first */
	unsigned nopen;
	struct scene fatal; /* the first one that is so by itself */
	bool ended;         /* the machine was told to stop */
	struct trace_record recent[RECENT];
	uint64_t nrecent;
};

struct explain *explain_new(struct machine *m, struct err *e)
{
	struct explain *x = calloc(1, sizeof *x);

	if (!x) {
		err_set(e, ENOMEM, "explain: no memory");
		return NULL;
	}
	x->machine = m;
	x->cpu = m->engine_env.cpu;
	mutex_init(&x->lock);
	return x;
}

static void drop(struct explain *x, unsigned i)
{
	free(x->open[i].regs);
	x->nopen--;
	memmove(&x->open[i], &x->open[i + 1], (x->nopen - i) * sizeof x->open[0]);
}

void explain_forget(struct explain *x)
{
	mutex_lock(&x->lock);
	while (x->nopen)
		drop(x, x->nopen - 1);
	free(x->fatal.regs);
	x->fatal = (struct scene){ 0 };
	x->nrecent = 0;
	mutex_unlock(&x->lock);
}

void explain_free(struct explain *x)
{
	if (!x)
		return;
	explain_forget(x);
	mutex_fini(&x->lock);
	free(x);
}

/* As much of the code there as can be had. */
static void read_code(struct explain *x, struct scene *s, const struct walk_paging *paging)
{
	const uint64_t pc = x->cpu->text->pc(s->regs);
	struct page_walk w;

	s->code_at = pc - BEFORE;
	for (s->code_len = 0; s->code_len < sizeof s->code; s->code_len++) {
		if (walk_at(
			x->cpu->walk, paging, x->machine->env.mem, s->code_at + s->code_len, &w) &&
		    !mem_read(x->machine->env.mem, w.pa, &s->code[s->code_len], 1))
			continue;
		if (s->code_at + s->code_len >= pc)
			break;
		s->code_at += s->code_len + 1; /* what is before cannot be read */
		s->code_len = (size_t)-1;
	}
}

/* On the CPU's own thread, which has just met it. */
static bool look(struct explain *x, struct scene *s, const struct trace_record *r)
{
	const struct engine_class *engine = x->machine->engine_class;
	struct walk_paging paging;
	uint64_t va;

	*s = (struct scene){ .event = *r, .regs = calloc(1, x->cpu->regs_size) };
	if (!s->regs || r->cpu >= x->machine->ncpus ||
	    engine->vcpu_get(x->machine->cpu[r->cpu].vcpu, UINT32_MAX, s->regs)) {
		free(s->regs);
		return false;
	}
	paging = x->cpu->walk->paging(s->regs);
	s->walked = x->cpu->text->address(r, &va);
	if (s->walked)
		walk_at(x->cpu->walk, &paging, x->machine->env.mem, va, &s->walk);
	read_code(x, s, &paging);
	s->is_fatal = x->cpu->text->is_fatal(r);
	return true;
}

/* One that is met again where it was met before has not come to its end. */
static void note(struct explain *x, const struct trace_record *r)
{
	struct scene s;

	if (x->cpu->text->is_fatal(r) && !x->fatal.regs && look(x, &s, r))
		x->fatal = s;
	if (!x->cpu->text->in_kernel(r) || x->nopen == OPEN_MAX)
		return;
	for (unsigned i = 0; i < x->nopen; i++)
		if (x->open[i].event.arg[TRACE_SP] == r->arg[TRACE_SP] &&
		    x->open[i].event.pc == r->pc)
			return;
	if (look(x, &s, r))
		x->open[x->nopen++] = s;
}

/* The handler is back on the stack where that was. */
static void close(struct explain *x, uint64_t sp)
{
	for (unsigned i = x->nopen; i--;)
		if (x->open[i].event.arg[TRACE_SP] == sp) {
			drop(x, i);
			return;
		}
}

static void keep(struct explain *x, const struct trace_record *r)
{
	if (r->kind != TRACE_KIND_RETURN && r->cat != TRACE_returns)
		x->recent[x->nrecent++ % RECENT] = *r;
}

void explain_watch(struct explain *x, const struct trace_record *r)
{
	const uint64_t limit = EXPLAIN_SECONDS * 1000000000ull;
	bool end;

	mutex_lock(&x->lock);
	if (!x->nopen && !x->fatal.regs)
		keep(x, r);
	if (r->kind == TRACE_KIND_EXCEPTION)
		note(x, r);
	else if (r->kind == TRACE_KIND_RETURN)
		close(x, r->arg[1]);
	end = !x->ended && x->nopen && r->time > x->open[0].event.time + limit;
	x->ended |= end;
	mutex_unlock(&x->lock);
	if (end)
		machine_power(x->machine, POWER_CRASH, 0);
}

/* In words ------------------------------------------------------------------------------------- */

/* Where instructions begin, so that one of them begins at pc. */
static size_t begin_of_code(const struct explain *x, const struct scene *s, unsigned mode)
{
	const size_t pc = (size_t)(x->cpu->text->pc(s->regs) - s->code_at);
	struct buf none = { 0 };
	size_t from, at = 0;
	unsigned len;

	for (from = 0; from < pc; from++) {
		for (at = from; at < pc; at += len) {
			none.len = 0;
			len = x->cpu->text->disasm(mode, 0, s->code + at, s->code_len - at, &none);
			if (!len)
				break;
		}
		if (at == pc)
			break;
	}
	buf_free(&none);
	return from;
}

static void print_code(const struct explain *x, const struct scene *s, struct buf *out)
{
	const uint64_t pc = x->cpu->text->pc(s->regs);
	const unsigned mode = x->cpu->text->mode(s->regs);
	struct cpu_code c = { .mode = mode, .mark = pc };
	size_t from;

	if (pc - s->code_at >= s->code_len) {
		buf_printf(out, "code: there is none at %#" PRIx64 "\n", pc);
		return;
	}
	from = begin_of_code(x, s, mode);
	c.bytes = s->code + from;
	c.n = s->code_len - from;
	c.pc = s->code_at + from;
	cpu_list(x->cpu, &c, out);
}

static void print_record(const struct explain *x, const struct trace_record *r, struct buf *out)
{
	trace_format(r, trace_describe, (void *)(uintptr_t)x->cpu, out);
	buf_printf(out, "\n");
}

static void print_scene(const struct explain *x, const struct scene *s, struct buf *out)
{
	const uint64_t first = x->nrecent < RECENT ? 0 : x->nrecent - RECENT;

	print_record(x, &s->event, out);
	x->cpu->text->regs(s->regs, out);
	print_code(x, s, out);
	if (s->walked)
		walk_print(x->cpu->walk, &s->walk, out);
	if (x->nrecent)
		buf_printf(out, "before:\n");
	for (uint64_t i = first; i < x->nrecent; i++)
		print_record(x, &x->recent[i % RECENT], out);
}

bool explain_print(struct explain *x, struct buf *out)
{
	const struct scene *s;

	mutex_lock(&x->lock);
	s = x->nopen ? &x->open[0] : x->fatal.regs ? &x->fatal : NULL;
	if (s) {
		buf_printf(out, "the first exception in the kernel that nobody returned from:\n");
		print_scene(x, s, out);
	} else {
		buf_printf(out, "the kernel has returned from every exception that it met\n");
	}
	for (unsigned i = 1; i < x->nopen; i++) {
		if (i == 1)
			buf_printf(out, "after that:\n");
		print_record(x, &x->open[i].event, out);
	}
	if (s && x->fatal.regs && s != &x->fatal)
		print_record(x, &x->fatal.event, out);
	mutex_unlock(&x->lock);
	return s;
}
