/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_INT_BLOCK_H
#define TEST_CPU_X86_INT_BLOCK_H

#include "cpu/x86/lift.h"
#include "ir/ir.h"
#include "test/cmocka.h"
#include "test/cpu/x86/int_random.h"

/*
 * Random blocks, executed by their bodies at once and in another way, which leaves the same state.
 */
enum { BLOCK = 8 };

/* What executes a random block at once, and in another way. */
struct both {
	struct gen gen;
	struct rig direct, ir;
	struct ir_block block;
	uint64_t ran;
};

static inline bool has_all(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
	return f != X86_HAS_NEVER && f != X86_HAS_AMD_BRANCHES;
}

/* The same state but for modes, which they have. */
static inline void copy_state(struct rig *to, const struct rig *from)
{
	memcpy(to->s->r, from->s->r, sizeof to->s->r);
	memcpy(to->arena, from->arena, RIG_ARENA_SIZE);
	memcpy(to->code, from->code, RIG_CODE_SIZE);
	mem_written(to->env.mem, RIG_CODE, RIG_CODE_SIZE);
	to->s->rip = from->s->rip;
	to->s->eflags = from->s->eflags;
	to->s->fl_op = from->s->fl_op;
	to->s->fl_a = from->s->fl_a;
	to->s->fl_b = from->s->fl_b;
	to->s->fl_r = from->s->fl_r;
	to->s->left = from->s->left;
	/* An earlier POPF may have asked for what the run loop does. */
	atomic_store(&to->s->attention, 0);
	atomic_store(&from->s->attention, 0);
}

static inline void compare(struct both *t, const uint64_t before[16], uint32_t flags_before)
{
	const struct rig *d = &t->direct, *r = &t->ir;
	const char *text = describe(&t->gen, before, flags_before);
	unsigned i;

	if (d->vector != r->vector || d->error != r->error || d->s->cr2 != r->s->cr2)
		fail_msg("exception %d (%" PRIx64 ", %" PRIx64 ") at once, %d (%" PRIx64
			 ", %" PRIx64 ") otherwise: %s",
		    d->vector, d->error, d->s->cr2, r->vector, r->error, r->s->cr2, text);
	for (i = 0; i < 16; i++)
		if (d->s->r[i] != r->s->r[i])
			fail_msg("r%u %" PRIx64 " at once, %" PRIx64 " otherwise: %s", i,
			    d->s->r[i], r->s->r[i], text);
	if (x86_get_flags(d->s) != x86_get_flags(r->s))
		fail_msg("flags %" PRIx64 " at once, %" PRIx64 " otherwise: %s",
		    x86_get_flags(d->s), x86_get_flags(r->s), text);
	if (d->s->rip != r->s->rip || d->s->left != r->s->left)
		fail_msg("rip %" PRIx64 " left %" PRId64 " at once, %" PRIx64 " %" PRId64
			 " otherwise: %s",
		    d->s->rip, d->s->left, r->s->rip, r->s->left, text);
	if (memcmp(d->arena, r->arena, RIG_ARENA_SIZE))
		fail_msg("memory differs: %s", text);
}

static inline bool ends_block(const struct x86_insn *a)
{
	return x86_op_infos[a->op].flags & X86_OPF_END;
}

/* Instructions for a block of n, and a state for the last one that has a memory operand. */
static inline unsigned random_block(struct both *t, struct x86_insn *insns, unsigned n)
{
	uint64_t start = t->direct.s->rip;
	struct x86_insn state_of = { 0 };
	unsigned i;

	for (i = 0; i < n; i++) {
		while (!random_insn(&t->gen))
			;
		if (i + 1 < n && ends_block(&t->gen.insn) && below(&t->gen, 8)) {
			i--;
			continue;
		}
		insns[i] = t->gen.insn;
		if (i == 0 || (t->gen.insn.base < 16 && below(&t->gen, 2)))
			state_of = t->gen.insn;
		memcpy(t->direct.code + (t->direct.s->rip - rig_ip(&t->direct, RIG_CODE)),
		    t->gen.bytes, t->gen.insn.len);
		t->direct.s->rip += t->gen.insn.len;
		if (ends_block(&t->gen.insn)) {
			i++;
			break;
		}
	}
	t->direct.s->rip = start;
	t->gen.insn = state_of;
	random_state(&t->gen);
	plant_values(&t->gen);
	t->gen.insn = insns[i - 1];
	return i;
}

static inline void run_direct(struct rig *r, const struct x86_insn *insns, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		uint64_t next = r->s->rip + insns[i].len;

		rig_run(r, &insns[i]);
		if (r->vector >= 0)
			return;
		r->s->left--;
		if (r->s->rip != next)
			return;
	}
}

static inline void both_init(struct both *t)
{
	rig_new(&t->direct);
	rig_new(&t->ir);
	gen_init(&t->gen, &t->direct, 0, has_all);
}

static inline void both_fini(struct both *t)
{
	rig_free(&t->direct);
	rig_free(&t->ir);
}

#endif
