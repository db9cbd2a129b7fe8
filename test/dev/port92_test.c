/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { PORT = 0x92 };

static void a_rising_bit_resets(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_dev_at(r, "port92", (struct dev){ .base = PORT, .port = true });
	assert_int_equal(rig_in(r, PORT, 1), 2); /* A20 is open */
	rig_out(r, PORT, 0xfe, 1);
	assert_int_equal(rig_in(r, PORT, 1), 2);
	assert_int_equal(r->powers, 0);
	rig_out(r, PORT, 3, 1);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power, POWER_RESET);
	rig_out(r, PORT, 1, 1);
	assert_int_equal(r->powers, 1);
	rig_reload(r->dev[0]);
	assert_int_equal(rig_in(r, PORT, 1), 1);
	rig_out(r, PORT, 1, 1);
	assert_int_equal(r->powers, 1);
	dev_reset(r->dev[0]);
	assert_int_equal(rig_in(r, PORT, 1), 2);
	rig_out(r, PORT, 1, 1);
	assert_int_equal(r->powers, 2);
	rig_free(r);
}

/* Each CPU's line says that bit 20 is masked. */
static bool is_masked(struct rig *r)
{
	const uint32_t masked = r->cpu_lines[0] >> INTC_A20M & 1;

	assert_int_equal(r->cpu_lines[1] >> INTC_A20M & 1, masked);
	return masked;
}

static void who_writes_last_moves_the_a20_gate(void **state)
{
	struct rig *r = rig_new();
	struct irq in;

	(void)state;
	r->env.ncpu = 2;
	rig_dev_at(r, "port92", (struct dev){ .base = PORT, .port = true });
	in = r->dev[0]->class->input(r->dev[0], 0);
	assert_false(is_masked(r));
	rig_out(r, PORT, 0, 1);
	assert_true(is_masked(r));
	irq_set(&in, true);
	assert_false(is_masked(r));
	assert_int_equal(rig_in(r, PORT, 1), 2);
	irq_set(&in, false);
	assert_true(is_masked(r));
	r->cpu_lines[0] = r->cpu_lines[1] = 0;
	rig_reload(r->dev[0]);
	assert_true(is_masked(r));
	rig_out(r, PORT, 2, 1);
	assert_false(is_masked(r));
	rig_out(r, PORT, 0, 1);
	dev_reset(r->dev[0]);
	assert_false(is_masked(r));
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rising_bit_resets),
		cmocka_unit_test(who_writes_last_moves_the_a20_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
