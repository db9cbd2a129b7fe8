/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two forms of the integer bodies are one: random instructions of all modes, executed at once
 * and through IR, leave the same registers, flags, memory, counts and exceptions; alone, and in
 * blocks that were optimised.  LODGE_SEED; LODGE_INSNS: how many.
 */
#include "test/cpu/x86/int_block.h"

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

static void one(struct both *t, unsigned n, ir_pass *pass)
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

static void run(struct both *t, uint32_t mode, unsigned n, const char *pass)
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

static void in_all_modes(struct both *t, unsigned n, const char *pass)
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
	struct both *t = calloc(1, sizeof *t);

	assert_non_null(t);
	both_init(t);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct both *t = *state;

	both_fini(t);
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
