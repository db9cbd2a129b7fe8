/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a slice of compiled code may change of an x86 CPU.
 */
#include "cpu/x86/lockstep.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86/code.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/jit.h"

static_assert((int)X86_JMP_EXCEPTION == LOCKSTEP_EXCEPTION, "cpu/lockstep.c asks for it");

/* All of a CPU that instructions change, in ranges of struct x86.  `attention` is other threads',
 * too; `exit` is what the CPU comes out with. */
static const struct range {
	size_t from, to;
} ranges[] = {
#define RANGE(first, last)                                                                         \
	{                                                                                          \
		offsetof(struct x86, first), offsetof(struct x86, last)                            \
	}
	RANGE(left, attention),
	RANGE(mode, lines),
	RANGE(halted, answered),
	RANGE(dr6_pending, id),
	RANGE(apic_page, tlbs),
}, counts[] = {
	/* What counts of them as it is; see `same` for more. */
	RANGE(mode, fl_op),
	RANGE(r, rip),
	RANGE(seg_base, gdt),
	RANGE(cr0, v[16]),
	RANGE(halted, look),
	RANGE(shadow, shadow_end),
	RANGE(dr6_pending, delivering),
	RANGE(apic_page, tlbs),
#undef RANGE
};

/* For ranges: the others of its bytes are not used. */
struct shot {
	uint64_t flags, rip;
	uint8_t bytes[offsetof(struct x86, tlbs)];
};

/* What was added to rip in 32-bit code is not cut yet. */
static uint64_t rip_of(const struct x86 *s)
{
	return s->mode & X86_CODE64 ? s->rip : (uint32_t)s->rip;
}

/* Shadows that ended in compiled code have not gone away. */
static void take(void *cpu, void *to)
{
	struct x86 *s = cpu;
	struct shot *shot = to;
	unsigned i;

	if (s->shadow && x86_retired(s) >= s->shadow_end)
		s->shadow = 0;
	shot->flags = x86_get_flags(s);
	shot->rip = rip_of(s);
	for (i = 0; i < ARRAY_LEN(ranges); i++)
		memcpy(shot->bytes + ranges[i].from, (uint8_t *)s + ranges[i].from,
		    ranges[i].to - ranges[i].from);
}

static void put_back(void *cpu, const void *from)
{
	struct x86 *s = cpu;
	const struct shot *shot = from;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(ranges); i++)
		memcpy((uint8_t *)s + ranges[i].from, shot->bytes + ranges[i].from,
		    ranges[i].to - ranges[i].from);
	x86_jit_mode_changed(s);
}

static bool same_seg(const struct x86_seg *a, const struct x86_seg *b)
{
	return a->base == b->base && a->limit == b->limit && a->attr == b->attr &&
	       a->selector == b->selector;
}

static bool same_table(const struct x86_table *a, const struct x86_table *b)
{
	return a->base == b->base && a->limit == b->limit;
}

static bool same_segs(const struct shot *one, const struct shot *two)
{
	struct x86_seg a[X86_NSEGS + 2], b[X86_NSEGS + 2];
	unsigned i;

	memcpy(a, one->bytes + offsetof(struct x86, seg), sizeof a);
	memcpy(b, two->bytes + offsetof(struct x86, seg), sizeof b);
	for (i = 0; i < ARRAY_LEN(a); i++)
		if (!same_seg(&a[i], &b[i]))
			return false;
	return true;
}

static bool same_tables(const struct shot *one, const struct shot *two)
{
	struct x86_table a[2], b[2];

	memcpy(a, one->bytes + offsetof(struct x86, gdt), sizeof a);
	memcpy(b, two->bytes + offsetof(struct x86, gdt), sizeof b);
	return same_table(&a[0], &b[0]) && same_table(&a[1], &b[1]);
}

static_assert(
    offsetof(struct x86, ldtr) == offsetof(struct x86, seg) + X86_NSEGS * sizeof(struct x86_seg) &&
	offsetof(struct x86, tr) == offsetof(struct x86, ldtr) + sizeof(struct x86_seg) &&
	offsetof(struct x86, idt) == offsetof(struct x86, gdt) + sizeof(struct x86_table),
    "segments and tables are compared in one go");

static bool same(const void *shot, const void *other)
{
	const struct shot *a = shot, *b = other;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(counts); i++)
		if (memcmp(a->bytes + counts[i].from, b->bytes + counts[i].from,
			counts[i].to - counts[i].from))
			return false;
	return a->flags == b->flags && a->rip == b->rip && same_segs(a, b) && same_tables(a, b);
}

static uint64_t retired(const void *cpu)
{
	return x86_retired(cpu);
}

static uint64_t pc(const void *cpu)
{
	return rip_of(cpu);
}

static void slice(void *cpu, int64_t most)
{
	x86_next_slice(cpu, most);
}

static bool run(void *cpu, const void *host)
{
	return x86_jit_run(cpu, host);
}

static void step(void *cpu, int64_t most)
{
	x86_run_some(cpu, most);
}

static void stopped(void *cpu)
{
	((struct x86 *)cpu)->compiled = false;
}

static void raised(const void *cpu, struct lockstep_raised *r)
{
	const struct x86 *s = cpu;

	r->vector = s->raised_vector;
	r->kind = s->raised_kind;
	r->has_error = s->raised_has_error;
	r->error = s->raised_has_error ? s->raised_error : 0;
}

/* It is what was raised last. */
static void deliver(void *cpu, const struct lockstep_raised *r)
{
	struct x86 *s = cpu;

	(void)r;
	s->single = false;
	s->left--;
	s->count_end--;
	x86_deliver_raised(s);
}

/* Decoded and compiled code saw what was there in between. */
static void undone(void *cpu, const uint8_t *host, unsigned len)
{
	x86_vm_changed(cpu, host, len);
}

/* What the TLB for fetches knows, and only that. */
static void describe(void *cpu, uint64_t at, char *text, size_t size)
{
	struct x86 *s = cpu;
	const uint64_t base = s->mode & X86_CODE64 ? 0 : s->seg[X86_CS].base;
	uint8_t bytes[X86_INSN_LEN];
	struct x86_insn insn;
	const uint8_t *host;
	unsigned i, n;
	int at_text = 0;

	for (n = 0; n < X86_INSN_LEN; n++) {
		host = x86_code_known(s, base + at + n);
		if (!host)
			break;
		bytes[n] = *host;
	}
	if (x86_decode(&insn, s->mode, bytes, n, s->model, x86_model_executes) != X86_DECODED) {
		snprintf(text, size, "?");
		return;
	}
	for (i = 0; i < insn.len; i++)
		at_text += snprintf(text + at_text, size - (size_t)at_text, "%02x", bytes[i]);
	snprintf(text + at_text, size - (size_t)at_text, "  %s", x86_op_infos[insn.op].name);
}

extern const struct cpu_class cpu_x86_64;

static const struct lockstep_class class = {
	.cpu = &cpu_x86_64,
	.shot = sizeof(struct shot),
	.trap = offsetof(struct x86, trap),
	.take = take,
	.put_back = put_back,
	.same = same,
	.retired = retired,
	.pc = pc,
	.slice = slice,
	.run = run,
	.step = step,
	.stopped = stopped,
	.raised = raised,
	.deliver = deliver,
	.undone = undone,
	.describe = describe,
};

int x86_lockstep_new(struct x86 *s, struct err *e)
{
	if (s->env->lockstep) {
		s->stores = calloc(X86_NCTX, sizeof *s->stores);
		if (!s->stores)
			return err_set(e, ENOMEM, "x86: no memory for lockstep");
	}
	return cpu_lockstep_new(&class, s, s->env, s->id, s->jit, &s->lockstep, e);
}

void x86_lockstep_free(struct x86 *s)
{
	cpu_lockstep_free(s->lockstep);
	free(s->stores);
}
