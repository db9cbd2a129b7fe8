/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/lockstep.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/bus.h"
#include "core/mem.h"
#include "core/state.h"
#define RV_NAMES
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/jit.h"

/* An instruction writes at most 64 bytes: CBO.ZERO. */
enum { WRITE_MAX = 16, WRITES = RV_LOCKSTEP_SLICE * 4, PCS = 16, SHOWN = 12 };

/* AGAIN: compiled code once more, to find out where it differs. */
enum phase { IDLE, COMPILED, AGAIN, INTERPRETED };

enum outcome { WENT, TRAPPED, CAME_OUT };

struct write {
	uint8_t *host;
	unsigned len;
	uint8_t before[WRITE_MAX], after[WRITE_MAX];
};

struct writes {
	unsigned n;
	struct write w[WRITES];
};

/* The access of a device that the first instruction of the slice makes. */
struct access {
	bool made, write, ok;
	unsigned size;
	uint64_t pa, val;
	uint64_t lines; /* of the hart, after it */
};

/* All of a hart that instructions change. */
struct shot {
	uint8_t bytes[offsetof(struct rv, lines)];
	int64_t turn_rest;
	bool halted;
};

/* What one of the two did. */
struct run {
	enum outcome outcome;
	enum rv_cause cause;
	uint64_t tval;
	uint64_t count; /* of retired instructions */
	struct shot end;
	struct writes writes;
};

struct rv_lockstep {
	enum phase phase;
	bool slow;      /* the interpreter is to do what comes next */
	uint64_t start; /* retired instructions */
	const void *host;
	jmp_buf outer; /* rv_run's */
	struct shot begin;
	struct access access;
	const char *odd_access; /* what is wrong with one of the interpreter's */
	struct run compiled, interpreted;
	uint64_t pc[PCS];     /* that were interpreted last, */
	uint64_t npcs;        /* of so many, */
	uint64_t npcs_before; /* and those before the slice */
};

int rv_lockstep_new(struct rv *s, struct err *e)
{
	if (!s->env->lockstep)
		return 0;
	if (!s->jit)
		return err_set(
		    e, ENOTSUP, "lockstep: the engine compiles nothing here that could be checked");
	s->lockstep = calloc(1, sizeof *s->lockstep);
	return s->lockstep ? 0 : err_set(e, ENOMEM, "riscv64: no memory for lockstep");
}

void rv_lockstep_free(struct rv *s)
{
	free(s->lockstep);
}

/* State -------------------------------------------------------------------------------------- */

enum { ATTENTION = offsetof(struct rv, attention), BEHIND = ATTENTION + sizeof(uint32_t) };

static void take(struct rv *s, struct shot *shot)
{
	s->fflags = rv_fflags(s);
	rv_host_set(s);
	memcpy(shot->bytes, s, sizeof shot->bytes);
	shot->turn_rest = s->turn_rest;
	shot->halted = s->halted;
}

/* `attention` is other threads', too. */
static void put_back(struct rv *s, const struct shot *shot)
{
	memcpy(s, shot->bytes, ATTENTION);
	memcpy((uint8_t *)s + BEHIND, shot->bytes + BEHIND, sizeof shot->bytes - BEHIND);
	s->turn_rest = shot->turn_rest;
	s->halted = shot->halted;
	rv_host_set(s);
}

/* What counts of a shot; the rest follows from it, or is how the hart gets on. */
static const struct {
	size_t from, to;
} counts[] = {
#define RANGE(first, last)                                                                         \
	{                                                                                          \
		offsetof(struct rv, first), offsetof(struct rv, last)                              \
	}
	RANGE(mode, fp_fast),
	RANGE(x[0], x[RV_SINK]),
	RANGE(pc, tlb),
	RANGE(f, page),
	RANGE(reserved, reserved_at),
	RANGE(mstatus, lines),
#undef RANGE
};

static bool same_state(const struct shot *a, const struct shot *b)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(counts); i++)
		if (memcmp(a->bytes + counts[i].from, b->bytes + counts[i].from,
			counts[i].to - counts[i].from))
			return false;
	return a->halted == b->halted;
}

/* Memory ------------------------------------------------------------------------------------- */

void rv_lockstep_write(struct rv *s, void *host, unsigned len)
{
	struct rv_lockstep *l = s->lockstep;
	struct run *r = l->phase == INTERPRETED ? &l->interpreted : &l->compiled;
	uint8_t *at = host;
	unsigned n;

	if (l->phase == IDLE)
		return;
	for (; len && r->writes.n < WRITES; at += n, len -= n) {
		struct write *w = &r->writes.w[r->writes.n++];

		n = len < WRITE_MAX ? len : WRITE_MAX;
		w->host = at;
		w->len = n;
		memcpy(w->before, at, n);
	}
}

static void note_after(struct writes *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		memcpy(w->w[i].after, w->w[i].host, w->w[i].len);
}

static void undo(const struct writes *w)
{
	unsigned i;

	for (i = w->n; i-- > 0;)
		memcpy(w->w[i].host, w->w[i].before, w->w[i].len);
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
static const uint8_t *differing_byte(const struct rv_lockstep *l, uint8_t *compiled)
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

void rv_lockstep_alone(struct rv *s)
{
	const struct rv_lockstep *l = s->lockstep;

	if (!l || (l->phase != COMPILED && l->phase != AGAIN) || rv_retired(s) == l->start)
		return;
	longjmp(s->trap, RV_JMP_RETRY);
}

/* The same access as the one that was made. */
static bool replay(struct rv *s, const struct access *want, uint64_t *val)
{
	struct rv_lockstep *l = s->lockstep;
	const struct access *a = &l->access;

	if (!a->made)
		l->odd_access = "the interpreter accesses a device";
	else if (a->write != want->write || a->pa != want->pa || a->size != want->size)
		l->odd_access = "they access devices in different ways";
	else if (a->write && a->val != want->val)
		l->odd_access = "they write different values to a device";
	if (val)
		*val = a->val;
	return a->ok;
}

static bool access_device(struct rv *s, struct access a, uint64_t *val)
{
	struct rv_lockstep *l = s->lockstep;

	rv_lockstep_alone(s);
	if (l->phase == AGAIN || l->phase == INTERPRETED)
		return replay(s, &a, val);
	if (a.write)
		a.ok = bus_write(s->env->bus, a.pa, a.val, a.size);
	else
		a.ok = bus_read(s->env->bus, a.pa, &a.val, a.size);
	a.made = true;
	a.lines = atomic_load(&s->lines);
	if (val)
		*val = a.val;
	l->access = a;
	return a.ok;
}

bool rv_lockstep_bus_read(struct rv *s, uint64_t pa, uint64_t *val, unsigned size)
{
	return access_device(s, (struct access){ .pa = pa, .size = size }, val);
}

bool rv_lockstep_bus_write(struct rv *s, uint64_t pa, uint64_t val, unsigned size)
{
	return access_device(
	    s, (struct access){ .write = true, .pa = pa, .val = val, .size = size }, NULL);
}

/* The two ------------------------------------------------------------------------------------ */

static void begin(struct rv *s, struct run *r, enum phase phase)
{
	struct rv_lockstep *l = s->lockstep;

	l->phase = phase;
	l->odd_access = NULL;
	r->outcome = WENT;
	r->writes.n = 0;
}

static void end(struct rv *s, struct run *r)
{
	struct rv_lockstep *l = s->lockstep;

	l->phase = IDLE;
	r->count = rv_retired(s) - l->start;
	if (r->outcome == TRAPPED) {
		r->cause = s->raised_cause;
		r->tval = s->raised_tval;
	}
	take(s, &r->end);
	note_after(&r->writes);
}

/* No local variables live across setjmp here and below. */
static void run_compiled(struct rv *s, enum phase phase)
{
	struct rv_lockstep *l = s->lockstep;

	begin(s, &l->compiled, phase);
	switch (setjmp(s->trap)) {
	case 0:
		s->lockstep->slow = !rv_jit_run(s, s->lockstep->host);
		break;
	case RV_JMP_TRAP:
		s->lockstep->compiled.outcome = TRAPPED;
		break;
	default:
		s->lockstep->compiled.outcome = CAME_OUT;
	}
	end(s, &s->lockstep->compiled);
}

static void interpret_one(struct rv *s)
{
	struct rv_lockstep *l = s->lockstep;

	l->pc[l->npcs++ % PCS] = s->pc;
	rv_run_one(s);
}

/* As many instructions as were compiled, or up to the one that traps. */
static void run_interpreted(struct rv *s)
{
	struct rv_lockstep *l = s->lockstep;

	begin(s, &l->interpreted, INTERPRETED);
	l->npcs = l->npcs_before;
	switch (setjmp(s->trap)) {
	case 0:
		while (rv_retired(s) - s->lockstep->start < s->lockstep->compiled.count ||
		       (s->lockstep->compiled.outcome == TRAPPED &&
			   rv_retired(s) - s->lockstep->start == s->lockstep->compiled.count))
			interpret_one(s);
		break;
	case RV_JMP_TRAP:
		s->lockstep->interpreted.outcome = TRAPPED;
		break;
	default:
		s->lockstep->interpreted.outcome = CAME_OUT;
	}
	end(s, &s->lockstep->interpreted);
}

/* The state and memory of the slice's begin. */
static void rewind_to_begin(struct rv *s, const struct run *r)
{
	const struct rv_lockstep *l = s->lockstep;
	const uint64_t ssip = 1ull << RV_LINE_SSIP;

	undo(&r->writes);
	put_back(s, &l->begin);
	/* Whoever read mip took this one out of the lines. */
	if (l->access.made)
		atomic_fetch_or(&s->lines, l->access.lines & ssip);
}

/* FS is dirty before the instruction that compiled code leaves to the interpreter. */
static void allow_for_fs(struct rv *s)
{
	struct rv_lockstep *l = s->lockstep;

	if (!l->slow || !(s->mstatus & MSTATUS_FS))
		return;
	s->mstatus |= MSTATUS_FS;
	rv_fp_changed(s);
	take(s, &l->interpreted.end);
}

static bool same(const struct rv_lockstep *l)
{
	const struct run *a = &l->compiled, *b = &l->interpreted;
	uint8_t byte;

	if ((a->outcome == TRAPPED) != (b->outcome == TRAPPED) || a->count != b->count)
		return false;
	if (a->outcome == TRAPPED && (a->cause != b->cause || a->tval != b->tval))
		return false;
	return !l->odd_access && same_state(&a->end, &b->end) && !differing_byte(l, &byte);
}

static bool compare(struct rv *s)
{
	rewind_to_begin(s, &s->lockstep->compiled);
	run_interpreted(s);
	allow_for_fs(s);
	return same(s->lockstep);
}

/* Reports ------------------------------------------------------------------------------------ */

static void say_instruction(struct rv *s, uint64_t pc)
{
	struct rv_args args;
	uint32_t word;
	enum rv_op op;

	s->pc = pc;
	word = rv_word_at_pc(s);
	op = (word & 3) == 3 ? rv_decode32(word, &args) : rv_decode16(word, &args);
	log_error(s->env->log, "  %016" PRIx64 "  %0*" PRIx32 "  %s", pc, (word & 3) == 3 ? 8 : 4,
	    word, rv_names[op]);
}

static void say_outcome(struct rv *s, const char *who, const struct run *r)
{
	if (r->outcome == TRAPPED)
		log_error(s->env->log,
		    "  %s: %" PRIu64 " instructions, then exception %d, tval %#" PRIx64, who,
		    r->count, r->cause, r->tval);
	else
		log_error(s->env->log, "  %s: %" PRIu64 " instructions", who, r->count);
}

static void say_registers(struct rv *s, unsigned *shown)
{
	extern const struct cpu_class cpu_riscv64;
	struct rv_lockstep *l = s->lockstep;
	struct rv_regs a = { 0 }, b = { 0 };
	const struct field *f;
	char index[16];
	unsigned i;

	put_back(s, &l->compiled.end);
	cpu_riscv64.get((struct cpu *)s, RV_REGS_ALL, &a);
	put_back(s, &l->interpreted.end);
	cpu_riscv64.get((struct cpu *)s, RV_REGS_ALL, &b);
	for (f = cpu_riscv64.regs; f->name; f++)
		for (i = 0; i < f->count; i++) {
			uint64_t u = 0, v = 0;

			memcpy(&u, (char *)&a + f->offset + (size_t)i * f->size, f->size);
			memcpy(&v, (char *)&b + f->offset + (size_t)i * f->size, f->size);
			if (u == v || ++*shown > SHOWN)
				continue;
			index[0] = 0;
			if (f->count > 1)
				snprintf(index, sizeof index, "%u", i);
			log_error(s->env->log,
			    "  %s%s: compiled %#" PRIx64 ", interpreted %#" PRIx64, f->name, index,
			    u, v);
		}
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

static void say_memory(struct rv *s)
{
	struct finder f = { NULL, 0 };
	uint8_t compiled;

	f.host = differing_byte(s->lockstep, &compiled);
	if (!f.host)
		return;
	mem_each(s->env->mem, find_piece, &f);
	log_error(s->env->log, "  memory at %#" PRIx64 ": compiled 0x%02x, interpreted 0x%02x",
	    f.gpa, compiled, *f.host);
}

static void report(struct rv *s)
{
	const struct rv_lockstep *l = s->lockstep;
	unsigned shown = 0;
	uint64_t i, pc;

	put_back(s, &l->begin);
	pc = s->pc;
	log_error(s->env->log,
	    "lockstep: cpu%u: compiled code differs from the interpreter; it began at pc %#" PRIx64
	    " in mode %u after %" PRIu64 " instructions",
	    s->id, pc, s->mode, l->start);
	say_outcome(s, "compiled", &l->compiled);
	say_outcome(s, "interpreted", &l->interpreted);
	if (l->odd_access)
		log_error(s->env->log, "  %s", l->odd_access);
	say_registers(s, &shown);
	if (shown > SHOWN)
		log_error(s->env->log, "  and %u more", shown - SHOWN);
	say_memory(s);
	log_error(s->env->log, "  interpreted last:");
	for (i = l->npcs < PCS ? 0 : l->npcs - PCS; i < l->npcs; i++)
		say_instruction(s, l->pc[i % PCS]);
	put_back(s, &l->interpreted.end);
}

/* Finds the shortest part of the slice that differs: compiled code stops only between blocks. */
static void narrow(struct rv *s)
{
	struct rv_lockstep *l = s->lockstep;
	uint64_t n, most = l->compiled.count, last = 0;

	for (n = 1; n <= most; n++) {
		rewind_to_begin(s, &l->interpreted);
		rv_next_slice(s, (int64_t)n);
		run_compiled(s, AGAIN);
		if (l->compiled.count == last && l->compiled.outcome == WENT) {
			l->interpreted.writes.n = 0;
			undo(&l->compiled.writes);
			continue;
		}
		last = l->compiled.count;
		if (!compare(s))
			return;
	}
	/* It does not happen again: the last attempt was the whole. */
	rewind_to_begin(s, &l->interpreted);
	rv_next_slice(s, RV_LOCKSTEP_SLICE);
	run_compiled(s, AGAIN);
	if (compare(s))
		log_error(s->env->log, "lockstep: what differed does not when it is run again");
}

static void finish(struct rv *s)
{
	const struct run *r = &s->lockstep->interpreted;

	memcpy(&s->trap, &s->lockstep->outer, sizeof s->trap);
	if (r->outcome != TRAPPED)
		return;
	s->left--;
	s->count_end--;
	rv_trap(s, false, r->cause, r->tval);
}

bool rv_lockstep_run(struct rv *s)
{
	struct rv_lockstep *l = s->lockstep;

	l->phase = IDLE;
	l->access.made = false;
	l->npcs_before = l->npcs;
	l->start = rv_retired(s);
	l->host = cpu_jit_find(s->jit, s);
	if (!l->host) {
		interpret_one(s);
		return true;
	}
	rv_mip(s); /* takes SSIP out of the lines */
	take(s, &l->begin);
	memcpy(&l->outer, &s->trap, sizeof s->trap);
	run_compiled(s, COMPILED);
	if (!l->compiled.count && l->compiled.outcome == WENT) {
		memcpy(&s->trap, &l->outer, sizeof s->trap);
		interpret_one(s);
		return true;
	}
	if (!compare(s)) {
		narrow(s);
		report(s);
		return false;
	}
	finish(s);
	return true;
}
