/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { BASE = 0x100000 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev(r, "sifive_test", BASE, 0, NULL);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void commands_end_the_run(void **state)
{
	static const struct {
		uint32_t val;
		enum power power;
		unsigned code;
	} command[] = {
		{ 0x5555, POWER_OFF, 0 },
		{ 0xffff5555, POWER_OFF, 0 },
		{ 0x3333, POWER_CRASH, 0 },
		{ 0x00013333, POWER_CRASH, 1 },
		{ 0xffff3333, POWER_CRASH, 0xffff },
		{ 0x7777, POWER_RESET, 0 },
	};
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(command); i++) {
		rig_write(r, BASE, command[i].val, 4);
		assert_int_equal(r->powers, i + 1);
		assert_int_equal(r->power, command[i].power);
		assert_int_equal(r->power_code, command[i].code);
	}
	rig_write(r, BASE, 0x5555, 2);
	assert_int_equal(r->powers, i + 1);
}

static void all_else_means_nothing(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_write(r, BASE, 0, 4);
	rig_write(r, BASE, 0x5556, 4);
	rig_write(r, BASE + 4, 0x5555, 4);
	rig_write(r, BASE + 0xffc, 0x5555, 4);
	assert_int_equal(rig_read(r, BASE, 4), 0);
	assert_false(bus_write(r->env.bus, BASE, 0x55, 1));
	assert_false(bus_write(r->env.bus, BASE, 0x5555, 8));
	assert_false(bus_read(r->env.bus, BASE + 0x1000, &val, 4));
	assert_int_equal(r->powers, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(commands_end_the_run, make, drop),
		cmocka_unit_test_setup_teardown(all_else_means_nothing, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
