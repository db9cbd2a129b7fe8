/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { PORT = 0x604 };

static void only_s5_ends_the_run(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_dev_at(r, "acpi_sleep", (struct dev){ .base = PORT, .port = true });
	rig_out(r, PORT, 5 << 2, 1);
	assert_int_equal(rig_in(r, PORT, 1), 5 << 2);
	rig_out(r, PORT, 1 << 5 | 3 << 2, 1);
	rig_out(r, PORT + 1, 1 << 5 | 5 << 2, 1);
	assert_int_equal(rig_in(r, PORT + 1, 1), 0);
	assert_int_equal(r->powers, 0);
	rig_out(r, PORT, 1 << 5 | 5 << 2, 1);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power, POWER_OFF);
	rig_reload(r->dev[0]);
	assert_int_equal(rig_in(r, PORT, 1), 5 << 2);
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_s5_ends_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
