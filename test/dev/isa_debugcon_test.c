/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { PORT = 0x402 };

static void what_is_written_comes_out(void **state)
{
	struct rig *r = rig_new();
	const char *text = "SeaBIOS\n";

	(void)state;
	rig_dev_at(
	    r, "isa_debugcon", (struct dev){ .base = PORT, .port = true, .back = &r->chr.chr });
	assert_int_equal(rig_in(r, PORT, 1), 0xe9);
	for (const char *c = text; *c; c++)
		rig_out(r, PORT, (uint8_t)*c, 1);
	assert_string_equal(r->chr.out, text);
	assert_false(bus_write(r->env.ports, PORT, 0, 2));
	rig_free(r);
}

static void nobody_need_listen(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_dev_at(r, "isa_debugcon", (struct dev){ .base = PORT, .port = true });
	rig_out(r, PORT, 'x', 1);
	assert_int_equal(rig_in(r, PORT, 1), 0xe9);
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_comes_out),
		cmocka_unit_test(nobody_need_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
