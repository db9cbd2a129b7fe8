/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two forms of the integer bodies are one: random instructions of all modes, executed at once
 * and through IR, leave the same registers, flags, memory, counts and exceptions; alone, and in
 * blocks that were optimised.  LODGE_SEED; LODGE_INSNS: how many.
 */
#include "cpu/x86/lift.h"
#include "ir/ir.h"
#include "test/cmocka.h"
#include "test/cpu/x86/int_random.h"

enum { BLOCK = 8 };

struct test {
	struct gen gen;
	struct rig direct, ir;
	struct ir_block block;
	uint64_t ran;
};

static bool has_all(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
	return f != X86_HAS_NEVER && f != X86_HAS_AMD_BRANCHES;
}

/* The same state but for modes, which they have. */
static void copy_state(struct rig *to, const struct rig *from)
{
	memcpy(to->s->r, from->s->r, sizeof to->s->r);
	memcpy(to->arena, from->arena, RIG_ARENA_SIZE);
	memcpy(to->code, from->code, RIG_CODE_SIZE);
	to->s->rip = from->s->rip;
	to->s->eflags = from->s->eflags;
	to->s->fl_op = from->s->fl_op;
	to->s->fl_a = from->s->fl_a;
	to->s->fl_b = from->s->fl_b;
	to->s->left = from->s->left;
}

static void run_block(struct rig *r, const struct ir_block *b, uint64_t base)
{
	r->vector = -1;
	r->error = r->s->cr2 = 0;
	r->s->raised_error = 0;
	if (setjmp(r->s->trap) == 0) {
		ir_run(b, &x86_ir_guest, base, r->s);
		return;
	}
	r->vector = r->s->raised_vector;
	r->error = r->s->raised_error;
}

static void compare(struct test *t, const uint64_t before[16], uint32_t flags_before)
{
	const struct rig *d = &t->direct, *r = &t->ir;
	const char *text = describe(&t->gen, before, flags_before);
	int vector = r->vector;
	unsigned i;

	/* Accesses through IR do not know the segment when an address is not canonical. */
	if (d->vector == X86_SSF && vector == X86_GP)
		vector = X86_SSF;
	if (d->vector != vector || d->error != r->error || d->s->cr2 != r->s->cr2)
		fail_msg("exception %d (%" PRIx64 ", %" PRIx64 ") at once, %d (%" PRIx64
			 ", %" PRIx64 ") through IR: %s",
		    d->vector, d->error, d->s->cr2, r->vector, r->error, r->s->cr2, text);
	for (i = 0; i < 16; i++)
		if (d->s->r[i] != r->s->r[i])
			fail_msg("r%u %" PRIx64 " at once, %" PRIx64 " through IR: %s", i,
			    d->s->r[i], r->s->r[i], text);
	if (x86_get_flags(d->s) != x86_get_flags(r->s))
		fail_msg("flags %" PRIx64 " at once, %" PRIx64 " through IR: %s",
		    x86_get_flags(d->s), x86_get_flags(r->s), text);
	if (d->s->rip != r->s->rip || d->s->left != r->s->left)
		fail_msg("rip %" PRIx64 " left %" PRId64 " at once, %" PRIx64 " %" PRId64
			 " through IR: %s",
		    d->s->rip, d->s->left, r->s->rip, r->s->left, text);
	if (memcmp(d->arena, r->arena, RIG_ARENA_SIZE))
		fail_msg("memory differs: %s", text);
}

static bool ends_block(const struct x86_insn *a)
{
	return x86_op_infos[a->op].flags & X86_OPF_END;
}

/* Instructions for a block of n, and a state for the last one that has a memory operand. */
static unsigned random_block(struct test *t, struct x86_insn *insns, unsigned n)
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

static void run_direct(struct rig *r, const struct x86_insn *insns, unsigned n)
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

static void one(struct test *t, unsigned n, ir_pass *pass)
{
	struct x86_insn insns[BLOCK];
	uint64_t before[16], base = rig_ip(&t->direct, RIG_CODE + 0x1000);
	uint32_t flags_before;
	struct err e = { "" };
	struct ctx c;
	unsigned i, ops;

	t->direct.s->rip = base + below(&t->gen, 32);
	n = random_block(t, insns, n);
	/* String instructions stop when the turn is over. */
	if (below(&t->gen, 4) == 0)
		t->direct.s->left = 1 + below(&t->gen, 20);
	copy_state(&t->ir, &t->direct);
	/* How far a string instruction goes before it looks up depends on what the TLB knows. */
	x86_flush(t->direct.s, true);
	x86_flush(t->ir.s, true);
	memcpy(before, t->direct.s->r, sizeof before);
	flags_before = x86_arith_flags(t->direct.s);
	x86_lift_begin(&c, &t->block, (int64_t)(t->direct.s->rip - base));
	for (i = 0; i < n; i++) {
		ops = t->block.n;
		if (!x86_lift(&c, &insns[i]))
			break;
		if (t->block.n - ops > IR_INSN_OPS)
			fail_msg("%s is %u operations", x86_op_infos[insns[i].op].name,
			    t->block.n - ops);
	}
	x86_lift_end(&c);
	if (pass)
		pass(&t->block, &x86_ir_guest);
	if (ir_check(&t->block, &x86_ir_guest, &e) < 0)
		fail_msg("%s: %s", e.text, describe(&t->gen, before, flags_before));
	run_block(&t->ir, &t->block, base);
	run_direct(&t->direct, insns, n);
	compare(t, before, flags_before);
	t->ran += n;
}

static void run(struct test *t, uint32_t mode, unsigned n, const char *pass)
{
	uint64_t insns = number("LODGE_INSNS", 10000);

	t->gen.mode = mode;
	rig_mode(&t->direct, mode);
	rig_mode(&t->ir, mode);
	while (t->ran < insns) {
		if (t->ran % 4096 < n)
			fill_arena(&t->gen);
		one(t, n, pass ? ir_pass_find(pass) : NULL);
	}
}

static const uint32_t modes[] = {
	X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER,
	X86_CODE64 | X86_PROTECTED | X86_FLAT,
	X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT | X86_USER,
	X86_CODE32 | X86_STACK32 | X86_PROTECTED,
	X86_CODE32 | X86_PROTECTED | X86_FLAT,
	X86_CODE16 | X86_STACK32 | X86_PROTECTED,
	X86_CODE16,
};

static void in_all_modes(struct test *t, unsigned n, const char *pass)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(modes); i++) {
		t->ran = 0;
		run(t, modes[i], n, pass);
	}
}

static void single_instructions(void **state)
{
	in_all_modes(*state, 1, NULL);
}

static void blocks(void **state)
{
	in_all_modes(*state, BLOCK, NULL);
}

static void quickly_optimised_blocks(void **state)
{
	in_all_modes(*state, BLOCK, "quick");
}

static void fully_optimised_blocks(void **state)
{
	in_all_modes(*state, BLOCK, "full");
}

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof *t);

	assert_non_null(t);
	rig_new(&t->direct);
	rig_new(&t->ir);
	gen_init(&t->gen, &t->direct, 0, has_all);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	rig_free(&t->direct);
	rig_free(&t->ir);
	free(t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(single_instructions, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(quickly_optimised_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(fully_optimised_blocks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
