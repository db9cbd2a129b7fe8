/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/lockstep.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/mem.h"
#include "core/state.h"
#include "cpu/jit.h"

/* Stores are noted in pieces.  An instruction writes a few hundred bytes at most (XSAVE), or makes
 * as many accesses of devices. */
enum {
	WRITE_MAX = 16,
	WRITES = LOCKSTEP_SLICE * 8,
	ACCESSES = 256,
	PCS = 16,
	SHOWN = 12,
	TEXT = 128
};

/* AGAIN: compiled code once more, to find out where it differs. */
enum phase { IDLE, COMPILED, AGAIN, INTERPRETED };

enum outcome { WENT, TRAPPED, CAME_OUT };

struct write {
	uint8_t *host;
	unsigned len;
	bool code;
	uint64_t at; /* retired instructions before it */
	uint8_t before[WRITE_MAX], after[WRITE_MAX];
};

struct writes {
	unsigned n;
	struct write w[WRITES];
};

/* What one of the two did. */
struct run {
	enum outcome outcome;
	struct lockstep_raised raised;
	uint64_t count; /* of retired instructions */
	void *end;      /* a shot */
	struct writes writes;
};

struct cpu_lockstep {
	const struct lockstep_class *class;
	void *cpu;
	const struct cpu_env *env;
	struct cpu_jit *jit;
	unsigned id;
	enum phase phase;
	bool exact;     /* one by one, to know which they are */
	bool slow;      /* the interpreter is to do what comes next */
	uint64_t start; /* retired instructions */
	const void *host;
	jmp_buf outer; /* where exceptions go otherwise */
	void *begin;   /* a shot */
	void *shots;   /* room for all three */
	/* The accesses of the slice's first instruction. */
	struct lockstep_access access[ACCESSES];
	unsigned naccesses, answered;
	uint64_t note;
	const char *odd_access; /* what is wrong with one of the interpreter's */
	struct run compiled, interpreted;
	uint64_t pc[PCS];     /* that were interpreted last, */
	uint64_t npcs;        /* of so many, */
	uint64_t npcs_before; /* and those before the slice */
};

int cpu_lockstep_new(const struct lockstep_class *class, void *cpu, const struct cpu_env *env,
    unsigned id, struct cpu_jit *jit, struct cpu_lockstep **to, struct err *e)
{
	const size_t shot = (class->shot + 15) & ~(size_t)15;
	struct cpu_lockstep *l;

	*to = NULL;
	if (!env->lockstep)
		return 0;
	if (!jit)
		return err_set(
		    e, ENOTSUP, "lockstep: the engine compiles nothing here that could be checked");
	l = calloc(1, sizeof *l);
	if (l)
		l->shots = calloc(3, shot);
	if (!l || !l->shots) {
		free(l);
		return err_set(e, ENOMEM, "lockstep: no memory");
	}
	l->class = class;
	l->cpu = cpu;
	l->env = env;
	l->jit = jit;
	l->id = id;
	l->begin = l->shots;
	l->compiled.end = (char *)l->shots + shot;
	l->interpreted.end = (char *)l->shots + 2 * shot;
	*to = l;
	return 0;
}

void cpu_lockstep_free(struct cpu_lockstep *l)
{
	if (!l)
		return;
	free(l->shots);
	free(l);
}

static jmp_buf *trap_of(struct cpu_lockstep *l)
{
	return (jmp_buf *)(void *)((char *)l->cpu + l->class->trap);
}

static uint64_t retired(const struct cpu_lockstep *l)
{
	return l->class->retired(l->cpu);
}

/* Memory ------------------------------------------------------------------------------------- */

void cpu_lockstep_write(struct cpu_lockstep *l, void *host, unsigned len, bool code)
{
	struct writes *writes;
	uint8_t *at = host;
	unsigned n;

	if (!l || l->phase == IDLE)
		return;
	writes = l->phase == INTERPRETED ? &l->interpreted.writes : &l->compiled.writes;
	/* No instruction is left half done for want of room. */
	if (writes->n > WRITES / 2 && writes->w[writes->n - 1].at != retired(l))
		cpu_lockstep_alone(l);
	for (; len; at += n, len -= n) {
		struct write *w = &writes->w[writes->n++];

		assert(writes->n < WRITES);
		n = len < WRITE_MAX ? len : WRITE_MAX;
		w->host = at;
		w->len = n;
		w->code = code;
		w->at = retired(l);
		memcpy(w->before, at, n);
	}
}

static void note_after(struct writes *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		memcpy(w->w[i].after, w->w[i].host, w->w[i].len);
}

static void undo_one(struct cpu_lockstep *l, const struct write *w)
{
	memcpy(w->host, w->before, w->len);
	if (w->code && l->class->undone)
		l->class->undone(l->cpu, w->host, w->len);
}

static void undo(struct cpu_lockstep *l, const struct writes *w)
{
	unsigned i;

	for (i = w->n; i-- > 0;)
		undo_one(l, &w->w[i]);
}

/* An instruction that is to start again has not written anything. */
static void undo_unfinished(struct cpu_lockstep *l, struct writes *w)
{
	for (; w->n && w->w[w->n - 1].at == retired(l); w->n--)
		undo_one(l, &w->w[w->n - 1]);
}

static bool covers(const struct writes *w, unsigned n, const uint8_t *at)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (at >= w->w[i].host && at < w->w[i].host + w->w[i].len)
			return true;
	return false;
}

static bool same_places(const struct writes *a, const struct writes *b)
{
	unsigned i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (a->w[i].host != b->w[i].host || a->w[i].len != b->w[i].len)
			return false;
	return true;
}

/* The first byte that is not the same after both, with RAM as the interpreter left it; *compiled
 * gets what the other one left. */
static const uint8_t *differing_byte(const struct cpu_lockstep *l, uint8_t *compiled)
{
	const struct writes *a = &l->compiled.writes, *b = &l->interpreted.writes;
	unsigned i, n;

	for (i = 0; i < a->n; i++)
		for (n = 0; n < a->w[i].len; n++) {
			*compiled = a->w[i].after[n];
			if (a->w[i].host[n] != *compiled)
				return &a->w[i].host[n];
		}
	for (i = 0; i < b->n && !same_places(a, b); i++)
		for (n = 0; n < b->w[i].len; n++) {
			const uint8_t *at = &b->w[i].host[n];

			*compiled = b->w[i].before[n];
			if (*at != *compiled && !covers(a, a->n, at) && !covers(b, i, at))
				return at;
		}
	return NULL;
}

/* Devices ------------------------------------------------------------------------------------ */

void cpu_lockstep_alone(struct cpu_lockstep *l)
{
	if (!l || (l->phase != COMPILED && l->phase != AGAIN) || retired(l) == l->start)
		return;
	longjmp(*trap_of(l), LOCKSTEP_EXCEPTION + 1);
}

/* The same access as the one that was made. */
static void replay(struct cpu_lockstep *l, struct lockstep_access *a)
{
	const struct lockstep_access *was = &l->access[l->answered];

	if (l->answered == l->naccesses) {
		l->odd_access = "the interpreter accesses a device";
		a->val = 0;
		a->ok = true;
		return;
	}
	l->answered++;
	if (a->kind != was->kind || a->write != was->write || a->at != was->at ||
	    a->size != was->size)
		l->odd_access = "they access devices in different ways";
	else if (a->write && a->val != was->val)
		l->odd_access = "they write different values to a device";
	a->val = was->val;
	a->ok = was->ok;
}

void cpu_lockstep_access(
    struct cpu_lockstep *l, void *cpu, struct lockstep_access *a, lockstep_make *make)
{
	if (!l) {
		make(cpu, a);
		return;
	}
	cpu_lockstep_alone(l);
	if (l->phase == AGAIN || l->phase == INTERPRETED) {
		replay(l, a);
		return;
	}
	/* Whoever made too many finds the last ones missing when it is interpreted. */
	make(cpu, a);
	if (l->phase == IDLE || l->naccesses == ACCESSES)
		return;
	l->access[l->naccesses++] = *a;
	if (l->class->note)
		l->note = l->class->note(l->cpu);
}

/* The two ------------------------------------------------------------------------------------ */

static void begin(struct cpu_lockstep *l, struct run *r, enum phase phase)
{
	l->phase = phase;
	l->odd_access = NULL;
	l->answered = 0;
	r->outcome = WENT;
	r->writes.n = 0;
}

static void end(struct cpu_lockstep *l, struct run *r)
{
	l->phase = IDLE;
	if (l->class->stopped)
		l->class->stopped(l->cpu);
	r->count = retired(l) - l->start;
	if (r->outcome == CAME_OUT)
		undo_unfinished(l, &r->writes);
	r->raised = (struct lockstep_raised){ 0 };
	if (r->outcome == TRAPPED)
		l->class->raised(l->cpu, &r->raised);
	l->class->take(l->cpu, r->end);
	note_after(&r->writes);
}

/* No local variables change between setjmp and longjmp here and below. */
static void run_compiled(struct cpu_lockstep *l, enum phase phase)
{
	begin(l, &l->compiled, phase);
	l->slow = false;
	switch (setjmp(*trap_of(l))) {
	case 0:
		l->slow = !l->class->run(l->cpu, l->host);
		break;
	case LOCKSTEP_EXCEPTION:
		l->compiled.outcome = TRAPPED;
		break;
	default:
		l->compiled.outcome = CAME_OUT;
	}
	end(l, &l->compiled);
}

static void interpret(struct cpu_lockstep *l, int64_t most)
{
	l->pc[l->npcs++ % PCS] = l->class->pc(l->cpu);
	l->class->step(l->cpu, most);
}

/* As many instructions as were compiled, or up to the one that traps: how many are missing. */
static int64_t missing(const struct cpu_lockstep *l)
{
	const uint64_t count = retired(l) - l->start, all = l->compiled.count;

	if (count >= all)
		return l->compiled.outcome == TRAPPED && count == all;
	return l->exact ? 1 : (int64_t)(all - count);
}

static void run_interpreted(struct cpu_lockstep *l)
{
	begin(l, &l->interpreted, INTERPRETED);
	l->npcs = l->npcs_before;
	switch (setjmp(*trap_of(l))) {
	case 0:
		while (missing(l))
			interpret(l, missing(l));
		break;
	case LOCKSTEP_EXCEPTION:
		l->interpreted.outcome = TRAPPED;
		break;
	default:
		l->interpreted.outcome = CAME_OUT;
	}
	end(l, &l->interpreted);
}

/* The state and memory of the slice's begin. */
static void rewind_to_begin(struct cpu_lockstep *l, const struct run *r)
{
	undo(l, &r->writes);
	l->class->put_back(l->cpu, l->begin);
	if (l->naccesses && l->class->renew)
		l->class->renew(l->cpu, l->note);
}

/* The state before the instruction that compiled code leaves to the interpreter. */
static void allow_for_slow(struct cpu_lockstep *l)
{
	if (!l->slow || !l->class->slow)
		return;
	l->class->slow(l->cpu);
	l->class->take(l->cpu, l->interpreted.end);
}

static bool same(const struct cpu_lockstep *l)
{
	const struct run *a = &l->compiled, *b = &l->interpreted;
	uint8_t byte;

	if ((a->outcome == TRAPPED) != (b->outcome == TRAPPED) || a->count != b->count)
		return false;
	if (a->raised.vector != b->raised.vector || a->raised.error != b->raised.error ||
	    a->raised.has_error != b->raised.has_error || a->raised.kind != b->raised.kind)
		return false;
	return !l->odd_access && l->class->same(a->end, b->end) && !differing_byte(l, &byte);
}

static bool compare(struct cpu_lockstep *l)
{
	rewind_to_begin(l, &l->compiled);
	run_interpreted(l);
	allow_for_slow(l);
	return same(l);
}

/* Reports ------------------------------------------------------------------------------------ */

static void say_outcome(struct cpu_lockstep *l, const char *who, const struct run *r)
{
	if (r->outcome == TRAPPED)
		log_error(l->env->log,
		    "  %s: %" PRIu64 " instructions, then exception %u, value %#" PRIx64, who,
		    r->count, r->raised.vector, r->raised.error);
	else
		log_error(l->env->log, "  %s: %" PRIu64 " instructions", who, r->count);
}

static void say_register(struct cpu_lockstep *l, const struct field *f, unsigned i, const char *a,
    const char *b, unsigned *shown)
{
	const size_t at = f->offset + (size_t)i * f->size;
	uint64_t u = 0, v = 0;
	char index[16] = "";

	memcpy(&u, a + at, f->size);
	memcpy(&v, b + at, f->size);
	if (u == v || ++*shown > SHOWN)
		return;
	if (f->count > 1)
		snprintf(index, sizeof index, "%u", i);
	log_error(l->env->log, "  %s%s: compiled %#" PRIx64 ", interpreted %#" PRIx64, f->name,
	    index, u, v);
}

static void say_registers(struct cpu_lockstep *l, unsigned *shown)
{
	const struct cpu_class *class = l->class->cpu;
	char *a = calloc(2, class->regs_size), *b;
	const struct field *f;
	unsigned i;

	if (!a)
		return;
	b = a + class->regs_size;
	l->class->put_back(l->cpu, l->compiled.end);
	class->get(l->cpu, UINT32_MAX, a);
	l->class->put_back(l->cpu, l->interpreted.end);
	class->get(l->cpu, UINT32_MAX, b);
	for (f = class->regs; f->name; f++)
		for (i = 0; i < f->count; i++)
			say_register(l, f, i, a, b, shown);
	free(a);
}

struct finder {
	const uint8_t *host;
	uint64_t gpa;
};

static void find_piece(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	struct finder *f = arg;
	const uint8_t *from = hva;

	if (f->host >= from && f->host < from + len)
		f->gpa = gpa + (uint64_t)(f->host - from);
}

static void say_memory(struct cpu_lockstep *l)
{
	struct finder f = { NULL, 0 };
	uint8_t compiled;

	f.host = differing_byte(l, &compiled);
	if (!f.host)
		return;
	mem_each(l->env->mem, find_piece, &f);
	log_error(l->env->log, "  memory at %#" PRIx64 ": compiled 0x%02x, interpreted 0x%02x",
	    f.gpa, compiled, *f.host);
}

static void say_instruction(struct cpu_lockstep *l, uint64_t pc)
{
	char text[TEXT];

	l->class->describe(l->cpu, pc, text, sizeof text);
	log_error(l->env->log, "  %016" PRIx64 "  %s", pc, text);
}

static void report(struct cpu_lockstep *l)
{
	unsigned shown = 0;
	uint64_t i;

	l->class->put_back(l->cpu, l->begin);
	log_error(l->env->log,
	    "lockstep: cpu%u: compiled code differs from the interpreter; it began at pc %#" PRIx64
	    " after %" PRIu64 " instructions",
	    l->id, l->class->pc(l->cpu), l->start);
	say_outcome(l, "compiled", &l->compiled);
	say_outcome(l, "interpreted", &l->interpreted);
	if (l->odd_access)
		log_error(l->env->log, "  %s", l->odd_access);
	say_registers(l, &shown);
	if (shown > SHOWN)
		log_error(l->env->log, "  and %u more", shown - SHOWN);
	say_memory(l);
	log_error(l->env->log, "  interpreted last:");
	for (i = l->npcs < PCS ? 0 : l->npcs - PCS; i < l->npcs; i++)
		say_instruction(l, l->pc[i % PCS]);
	l->class->put_back(l->cpu, l->interpreted.end);
}

/* Finds the shortest part of the slice that differs: compiled code stops only between blocks. */
static void narrow(struct cpu_lockstep *l)
{
	uint64_t n, most = l->compiled.count, last = 0;

	l->exact = true;
	for (n = 1; n <= most; n++) {
		rewind_to_begin(l, &l->interpreted);
		l->class->slice(l->cpu, (int64_t)n);
		run_compiled(l, AGAIN);
		if (l->compiled.count == last && l->compiled.outcome == WENT) {
			l->interpreted.writes.n = 0;
			undo(l, &l->compiled.writes);
			continue;
		}
		last = l->compiled.count;
		if (!compare(l))
			return;
	}
	/* It does not happen again: the last attempt was the whole. */
	rewind_to_begin(l, &l->interpreted);
	l->class->slice(l->cpu, LOCKSTEP_SLICE);
	run_compiled(l, AGAIN);
	if (compare(l))
		log_error(l->env->log, "lockstep: what differed does not when it is run again");
}

static void restore_trap(struct cpu_lockstep *l)
{
	memcpy(trap_of(l), &l->outer, sizeof l->outer);
}

bool cpu_lockstep_run(struct cpu_lockstep *l)
{
	l->phase = IDLE;
	l->naccesses = 0;
	l->npcs_before = l->npcs;
	l->start = retired(l);
	l->host = cpu_jit_find(l->jit, l->cpu);
	if (!l->host) {
		if (!cpu_jit_is_hot(l->jit, l->cpu))
			interpret(l, 1);
		return true;
	}
	if (l->class->begin)
		l->class->begin(l->cpu);
	l->class->take(l->cpu, l->begin);
	memcpy(&l->outer, trap_of(l), sizeof l->outer);
	run_compiled(l, COMPILED);
	if (!l->compiled.count && l->compiled.outcome == WENT) {
		restore_trap(l);
		interpret(l, 1);
		return true;
	}
	if (!compare(l)) {
		narrow(l);
		report(l);
		return false;
	}
	restore_trap(l);
	if (l->interpreted.outcome == TRAPPED)
		l->class->deliver(l->cpu, &l->interpreted.raised);
	return true;
}
