/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "test/dev/rig.h"

enum { PORT = 0x80 };

static void keep_line(void *arg, enum log_level level, const char *line)
{
	assert_int_equal(level, LOG_TRACE);
	snprintf(arg, 64, "%s", line);
}

static void the_last_code_is_readable_and_traced(void **state)
{
	char line[64] = "";
	const struct log log = { .write = keep_line, .arg = line, .trace = 1u << TRACE_device };
	struct rig *r = rig_new();

	(void)state;
	r->env.log = &log;
	rig_dev_at(r, "post_port", (struct dev){ .base = PORT, .port = true });
	assert_int_equal(rig_in(r, PORT, 1), 0);
	rig_out(r, PORT, 0xa5, 1);
	assert_non_null(strstr(line, "post_port: a5"));
	assert_int_equal(rig_in(r, PORT, 1), 0xa5);
	rig_reload(r->dev[0]);
	assert_int_equal(rig_in(r, PORT, 1), 0xa5);
	dev_reset(r->dev[0]);
	assert_int_equal(rig_in(r, PORT, 1), 0);
	assert_false(bus_write(r->env.ports, PORT, 0, 2));
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_code_is_readable_and_traced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
