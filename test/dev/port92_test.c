/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { PORT = 0x92 };

static void a_rising_bit_resets(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_dev_at(r, "port92", (struct dev){ .base = PORT, .port = true });
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
	assert_int_equal(rig_in(r, PORT, 1), 0);
	rig_out(r, PORT, 1, 1);
	assert_int_equal(r->powers, 2);
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rising_bit_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
