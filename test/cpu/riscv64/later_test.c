/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths that are compiled on a thread of its own: which of them come in, when the code may have
 * changed between the order and the fetching.
 */
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/jit.h"
#include "jit/jit.h"
#include "test/cpu/riscv64/rig.h"

enum { LOOP = 5, ROUND = 5 * LOOP * 20, A0 = 10 };

/* Four additions to a0, and back. */
static const uint32_t code[LOOP] = { 0x00150513, 0x00150513, 0x00150513, 0x00150513, 0xff1ff06f };
static const uint32_t other = 0x00250513; /* addi a0, a0, 2 */

static int setup(void **state)
{
	struct rig *r = malloc(sizeof *r);
	struct err e;
	unsigned i;

	rig_new(r, false, false);
	r->env.jit = r->env.paths = r->env.background = true;
	assert_true(rig_renew(r, &e));
	for (i = 0; i < LOOP; i++)
		rig_put(r, RIG_RAM + 4 * i, code[i], 4);
	*state = r;
	return 0;
}

/* Some turns of the loop, with what they add. */
static void run(struct rig *r, unsigned adds)
{
	uint64_t before = r->s->x[A0];
	struct exit x = { 0 };

	cpu_riscv64.run(r->cpu, &x, ROUND);
	assert_int_equal(x.why, EXIT_TURN);
	assert_int_equal(r->s->pc, RIG_RAM);
	assert_int_equal(r->s->x[A0] - before, ROUND / LOOP * adds);
}

static void follow(struct rv *s, struct rig_call *c)
{
	(void)c;
	cpu_jit_follow(s->jit, s);
}

/* The path is made, and nobody has fetched it. */
static void make(struct rig *r)
{
	struct rig_call c = { .fn = follow };

	if (!jit_supported())
		skip();
	r->s->left = ROUND;
	assert_int_equal(rig_try(r, &c), RIG_OK);
	assert_int_equal(r->s->pc, RIG_RAM);
	assert_true(cpu_jit_wait(r->s->jit));
	assert_int_equal(cpu_jit_fetched(r->s->jit), 0);
}

static void the_same_code(void **state)
{
	struct rig *r = *state;

	make(r);
	run(r, 4);
	assert_int_equal(cpu_jit_fetched(r->s->jit), 1);
	run(r, 4);
	assert_int_equal(rig_store(r, RIG_RAM + 8, 4, other), RIG_OK);
	run(r, 5);
}

static void code_that_a_hart_wrote(void **state)
{
	struct rig *r = *state;

	make(r);
	assert_int_equal(rig_store(r, RIG_RAM + 8, 4, other), RIG_OK);
	cpu_jit_fetch(r->s->jit, r->s);
	assert_false(cpu_jit_wait(r->s->jit));
	assert_int_equal(cpu_jit_fetched(r->s->jit), 0);
	run(r, 5);
}

static void code_that_a_device_wrote(void **state)
{
	struct rig *r = *state;
	uint8_t word[4];

	put_le(word, other, 4);
	make(r);
	assert_int_equal(mem_write(r->mem, RIG_RAM, word, 4), 0);
	cpu_jit_fetch(r->s->jit, r->s);
	assert_int_equal(cpu_jit_fetched(r->s->jit), 0);
	run(r, 5);
}

/* What is there counts, not how it came. */
static void code_that_is_what_it_was(void **state)
{
	struct rig *r = *state;

	make(r);
	assert_int_equal(rig_store(r, RIG_RAM + 8, 4, other), RIG_OK);
	assert_int_equal(rig_store(r, RIG_RAM + 8, 4, code[2]), RIG_OK);
	cpu_jit_fetch(r->s->jit, r->s);
	assert_int_equal(cpu_jit_fetched(r->s->jit), 1);
	run(r, 4);
	assert_int_equal(rig_store(r, RIG_RAM + 8, 4, other), RIG_OK);
	run(r, 5);
}

/* Nobody would see what is written to it. */
static void a_page_that_was_given_up(void **state)
{
	struct rig *r = *state;

	make(r);
	rv_code_doom(r->s, RIG_RAM);
	rv_code_attend(r->s);
	assert_false(*mem_flags(r->mem, RIG_RAM) & MEM_CODE);
	cpu_jit_fetch(r->s->jit, r->s);
	assert_int_equal(cpu_jit_fetched(r->s->jit), 0);
	assert_int_equal(rig_store(r, RIG_RAM + 8, 4, other), RIG_OK);
	run(r, 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = { TEST(the_same_code), TEST(code_that_a_hart_wrote),
		TEST(code_that_a_device_wrote), TEST(code_that_is_what_it_was),
		TEST(a_page_that_was_given_up) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
