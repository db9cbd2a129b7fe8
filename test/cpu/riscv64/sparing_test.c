/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hart that is expected to have little to do: nothing is compiled before it has.
 */
#include "cpu/riscv64/jit.h"
#include "test/cpu/riscv64/rig.h"

/* The clock is looked at each time that a little more pieces of code were come to. */
enum { MANY = 60000, SECOND = 1000000000 };

static int setup(void **state)
{
	struct rig *r = malloc(sizeof *r);
	struct err e;

	rig_new(r, false, false);
	r->env.jit = r->env.sparing = true;
	assert_true(rig_renew(r, &e));
	rig_put(r, RIG_RAM, 0x0000006f, 4); /* j . */
	r->ns = SECOND;
	*state = r;
	return 0;
}

static bool is_compiled(struct rig *r)
{
	return rv_jit_has_page(r->s, RIG_RAM);
}

static void run(struct rig *r)
{
	struct exit x = { 0 };

	cpu_riscv64.run(r->cpu, &x, MANY);
	assert_int_equal(x.why, EXIT_TURN);
}

static void idle_code_is_interpreted(void **state)
{
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < 20; i++) {
		run(r);
		rig_advance(r, SECOND);
	}
	assert_false(is_compiled(r));
}

static void busy_code_is_compiled(void **state)
{
	struct rig *r = *state;
	unsigned i;

	run(r);
	assert_false(is_compiled(r));
	for (i = 0; i < 3; i++) {
		run(r);
		rig_advance(r, SECOND / 1000);
	}
	assert_true(is_compiled(r));
	run(r); /* and runs */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(idle_code_is_interpreted, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(busy_code_is_compiled, setup, rig_teardown),
	};

	if (!jit_supported())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
