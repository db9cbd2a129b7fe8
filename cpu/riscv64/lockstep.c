/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a slice of compiled code may change of a hart.
 */
#include "cpu/riscv64/lockstep.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/bus.h"
#define RV_NAMES
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/jit.h"

static_assert((int)RV_JMP_TRAP == LOCKSTEP_EXCEPTION, "cpu/lockstep.c asks for it");

/* All of a hart that instructions change. */
struct shot {
	uint8_t bytes[offsetof(struct rv, lines)];
	int64_t turn_rest;
	bool halted;
};

enum { ATTENTION = offsetof(struct rv, attention), BEHIND = ATTENTION + sizeof(uint32_t) };

static void take(void *cpu, void *to)
{
	struct rv *s = cpu;
	struct shot *shot = to;

	s->fflags = rv_fflags(s);
	rv_host_set(s);
	memcpy(shot->bytes, s, sizeof shot->bytes);
	shot->turn_rest = s->turn_rest;
	shot->halted = s->halted;
}

/* `attention` is other threads', too. */
static void put_back(void *cpu, const void *from)
{
	struct rv *s = cpu;
	const struct shot *shot = from;

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

static bool same(const void *shot, const void *other)
{
	const struct shot *a = shot, *b = other;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(counts); i++)
		if (memcmp(a->bytes + counts[i].from, b->bytes + counts[i].from,
			counts[i].to - counts[i].from))
			return false;
	return a->halted == b->halted;
}

static uint64_t retired(const void *cpu)
{
	return rv_retired(cpu);
}

static uint64_t pc(const void *cpu)
{
	return ((const struct rv *)cpu)->pc;
}

static void slice(void *cpu, int64_t most)
{
	rv_next_slice(cpu, most);
}

static bool run(void *cpu, const void *host)
{
	return rv_jit_run(cpu, host);
}

static void step(void *cpu, int64_t most)
{
	(void)most;
	rv_run_one(cpu);
}

static void raised(const void *cpu, struct lockstep_raised *r)
{
	const struct rv *s = cpu;

	r->vector = s->raised_cause;
	r->error = s->raised_tval;
}

static void deliver(void *cpu, const struct lockstep_raised *r)
{
	struct rv *s = cpu;

	s->left--;
	s->count_end--;
	rv_trap(s, false, (enum rv_cause)r->vector, r->error);
}

/* Takes SSIP out of the lines. */
static void begin(void *cpu)
{
	rv_mip(cpu);
}

/* FS is dirty before the instruction that compiled code leaves to the interpreter. */
static void slow(void *cpu)
{
	rv_jit_slow(cpu);
}

/* A device may set SSIP, and whoever reads mip takes it out of the lines. */
static uint64_t note(void *cpu)
{
	return atomic_load(&((struct rv *)cpu)->lines) & 1ull << RV_LINE_SSIP;
}

static void renew(void *cpu, uint64_t lines)
{
	atomic_fetch_or(&((struct rv *)cpu)->lines, lines);
}

static void describe(void *cpu, uint64_t at, char *text, size_t size)
{
	struct rv *s = cpu;
	struct rv_args args;
	uint32_t word;
	enum rv_op op;

	s->pc = at;
	word = rv_word_at_pc(s);
	op = (word & 3) == 3 ? rv_decode32(word, &args) : rv_decode16(word, &args);
	snprintf(text, size, "%0*" PRIx32 "  %s", (word & 3) == 3 ? 8 : 4, word, rv_names[op]);
}

extern const struct cpu_class cpu_riscv64;

static const struct lockstep_class class = {
	.cpu = &cpu_riscv64,
	.shot = sizeof(struct shot),
	.trap = offsetof(struct rv, trap),
	.take = take,
	.put_back = put_back,
	.same = same,
	.retired = retired,
	.pc = pc,
	.slice = slice,
	.run = run,
	.step = step,
	.raised = raised,
	.deliver = deliver,
	.begin = begin,
	.slow = slow,
	.note = note,
	.renew = renew,
	.describe = describe,
};

int rv_lockstep_new(struct rv *s, struct err *e)
{
	return cpu_lockstep_new(&class, s, s->env, s->id, s->jit, &s->lockstep, e);
}

/* Devices ------------------------------------------------------------------------------------ */

static void make(void *cpu, struct lockstep_access *a)
{
	const struct rv *s = cpu;

	if (a->write)
		a->ok = bus_write(s->env->bus, a->at, a->val, a->size);
	else
		a->ok = bus_read(s->env->bus, a->at, &a->val, a->size);
}

bool rv_lockstep_bus_read(struct rv *s, uint64_t pa, uint64_t *val, unsigned size)
{
	struct lockstep_access a = { .at = pa, .size = size };

	cpu_lockstep_access(s->lockstep, s, &a, make);
	*val = a.val;
	return a.ok;
}

bool rv_lockstep_bus_write(struct rv *s, uint64_t pa, uint64_t val, unsigned size)
{
	struct lockstep_access a = { .write = true, .at = pa, .val = val, .size = size };

	cpu_lockstep_access(s->lockstep, s, &a, make);
	return a.ok;
}
