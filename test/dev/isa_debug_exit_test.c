/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { PORT = 0xf4 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(r, "isa_debug_exit", (struct dev){ .base = PORT, .port = true });
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void each_write_ends_the_run_with_its_code(void **state)
{
	static const struct {
		unsigned port, size;
		uint32_t val;
		unsigned code;
	} w[] = {
		{ PORT, 4, 0, 1 },
		{ PORT, 4, 0x10, 0x21 },
		{ PORT, 1, 0xff, 0x1ff },
		{ PORT + 2, 2, 0x8000, 0x10001 },
		{ PORT, 4, 0x80000001, 3 },
	};
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(w); i++) {
		rig_out(r, w[i].port, w[i].val, w[i].size);
		assert_int_equal(r->powers, i + 1);
		assert_int_equal(r->power, POWER_OFF);
		assert_int_equal(r->power_code, w[i].code);
	}
}

static void reads_do_nothing(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_int_equal(rig_in(r, PORT, 4), 0);
	assert_int_equal(r->powers, 0);
	assert_false(bus_read(r->env.ports, PORT + 4, &val, 1));
	assert_false(bus_read(r->env.bus, PORT, &val, 1));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_write_ends_the_run_with_its_code, make, drop),
		cmocka_unit_test_setup_teardown(reads_do_nothing, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
