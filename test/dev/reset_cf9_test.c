/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { PORT = 0xcf9 };

static void bit_2_rising_resets(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_dev_at(r, "reset_cf9", (struct dev){ .base = PORT, .port = true });
	rig_out(r, PORT, 0xfb, 1);
	assert_int_equal(rig_in(r, PORT, 1), 0x0a);
	assert_int_equal(r->powers, 0);
	rig_out(r, PORT, 0x06, 1);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power, POWER_RESET);
	rig_reload(r->dev[0]);
	rig_out(r, PORT, 0x06, 1);
	assert_int_equal(r->powers, 1);
	dev_reset(r->dev[0]);
	rig_out(r, PORT, 0x06, 1);
	assert_int_equal(r->powers, 2);
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bit_2_rising_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
