/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jumps of compiled code to where there is none.
 */
#include "jit/jit.h"
#include "test/cpu/riscv64/rig.h"

static int setup(void **state)
{
	struct rig *r = malloc(sizeof *r);
	struct err e;

	rig_new(r, false, false);
	r->env.jit = r->env.eager = true;
	assert_true(rig_renew(r, &e));
	*state = r;
	return 0;
}

/* The last address with the mark of a context was the tag of an empty entry of the jump cache. */
static void to_the_last_address(void **state)
{
	static const uint32_t code[] = {
		0xffe00513, /* li a0, -2 */
		0x00050067, /* jr a0 */
		0x00000013, /* nop */
	};
	struct rig *r = *state;
	struct exit x = { 0 };
	unsigned i;

	for (i = 0; i < ARRAY_LEN(code); i++)
		rig_put(r, RIG_RAM + 4 * i, code[i], 4);
	rig_put(r, RIG_RAM + 0x1000, 0x10500073, 4); /* wfi */
	rig_open_pmp(r);
	rig_set_csr(r, 0x300, MSTATUS_SUM);
	rig_set_csr(r, 0x305, RIG_RAM + 0x1000);
	rig_mode(r, RV_S);
	cpu_riscv64.run(r->cpu, &x, 1000);
	assert_int_equal(x.why, EXIT_HALT);
	assert_int_equal(r->s->mcause, RV_FETCH_ACCESS);
	assert_true(r->s->mepc == (uint64_t)-2);
	assert_true(r->s->mtval == (uint64_t)-2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(to_the_last_address, setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
