/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a configuration when a running machine is copied. */
#include <errno.h>
#include <string.h>

#include "machine/config.h"
#include "test/cmocka.h"

static void set(struct config *c, const char *key, const char *value)
{
	struct err e = { "" };

	if (config_set(c, key, value, &e))
		fail_msg("%s", e.text);
}

static void what_others_know_a_machine_by_is_its_own(void **state)
{
	struct config_vsock first, v;
	struct err e = { "" };
	struct config c;

	(void)state;
	config_init(&c);
	set(&c, "name", "one");
	set(&c, "net",
	    "user,mac=52:54:00:00:00:07,fwd=tcp:127.0.0.1:2222:22,mtu=1400,dump=/tmp/a,,b");
	set(&c, "net", "unix:/run/a,,b,listen");
	set(&c, "net", "unix:/run/c,mtu=1400");
	set(&c, "port", "agent,unix:/run/agent");
	set(&c, "port", "log,file:/tmp/log");
	set(&c, "vsock", "/run/v,cid=33");
	assert_int_equal(config_vsock(&first, c.vsock, &e), 0);
	assert_int_equal(config_twin(&c, "two", &e), 0);
	assert_string_equal(c.name, "two");
	assert_string_equal(c.net[0], "user,mtu=1400");
	assert_string_equal(c.net[1], "unix:/run/a,,b.two,listen");
	assert_string_equal(c.net[2], "unix:/run/c,mtu=1400");
	assert_string_equal(c.port[0], "agent,unix:/run/agent.two");
	assert_string_equal(c.port[1], "log,file:/tmp/log.two");
	assert_int_equal(config_vsock(&v, c.vsock, &e), 0);
	assert_string_equal(v.path, "/run/v.two");
	assert_int_not_equal(v.cid, first.cid);
	/* A copy of the copy, too. */
	assert_int_equal(config_twin(&c, "three", &e), 0);
	assert_string_equal(c.port[0], "agent,unix:/run/agent.two.three");
	config_free(&c);
}

static void a_path_that_gets_too_long_is_refused(void **state)
{
	char path[104] = "/", name[] = "a-name-of-some-length";
	struct err e = { "" };
	struct config c;

	(void)state;
	memset(path + 1, 'x', sizeof path - 2);
	path[sizeof path - 1] = '\0';
	config_init(&c);
	set(&c, "vsock", path);
	assert_int_equal(config_twin(&c, name, &e), -EINVAL);
	assert_non_null(strstr(e.text, "vsock"));
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_others_know_a_machine_by_is_its_own),
		cmocka_unit_test(a_path_that_gets_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
