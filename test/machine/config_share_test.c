/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "machine/config.h"
#include "test/cmocka.h"

static void shares_are_read(void **state)
{
	static const struct {
		const char *value, *dir, *tag;
		bool ro, mapped;
	} good[] = {
		{ "/srv:data", "/srv", "data", false, false },
		{ "a:b:c", "a:b", "c", false, false },
		{ "/srv:data,ro", "/srv", "data", true, false },
		{ "/srv:data,mapped,ro", "/srv", "data", true, true },
		{ "/a,,b:data,mapped", "/a,b", "data", false, true },
		{ ".:x", ".", "x", false, false },
	};
	static const char *const bad[] = { "", "/srv", "/srv:", ":data", ":", "/srv:data,rw",
		"a:b/c", "/srv:0123456789012345678901234567890123456789012345678901234567890123",
		"/srv:data,a-long-option-that-is-none" };
	struct config_share s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(config_share(&s, good[i].value, &e), 0);
		assert_string_equal(s.dir, good[i].dir);
		assert_string_equal(s.tag, good[i].tag);
		assert_int_equal(s.readonly, good[i].ro);
		assert_int_equal(s.mapped, good[i].mapped);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(config_share(&s, bad[i], &e), -EINVAL);
		assert_non_null(strstr(e.text, "FOLDER:TAG"));
	}
}

static void shares_are_added(void **state)
{
	struct config c;
	struct buf b = { 0 };
	char value[20];
	struct err e;

	(void)state;
	config_init(&c);
	assert_int_equal(config_set(&c, "share", "/a:t0,ro", &e), 0);
	assert_int_equal(config_set(&c, "share", "/b:t0", &e), -EINVAL); /* its tag is taken */
	for (unsigned i = 1; i < CONFIG_SHARES; i++) {
		snprintf(value, sizeof value, "/a:t%u", i);
		assert_int_equal(config_set(&c, "share", value, &e), 0);
	}
	assert_int_equal(config_set(&c, "share", "/a:more", &e), -EINVAL);
	assert_int_equal(c.nshares, CONFIG_SHARES);
	assert_int_equal(config_set(&c, "vsock", "/run/v,cid=9", &e), 0);
	config_print(&c, &b);
	buf_put(&b, "", 1);
	assert_non_null(strstr((char *)b.data, "share \"/a:t0,ro\"\n"));
	assert_non_null(strstr((char *)b.data, "share \"/a:t7\"\n"));
	assert_non_null(strstr((char *)b.data, "vsock \"/run/v,cid=9\"\n"));
	buf_free(&b);
	config_free(&c);
}

static void sockets_are_read(void **state)
{
	struct config_vsock v;
	struct err e;

	(void)state;
	assert_int_equal(config_vsock(&v, "/run/v", &e), 0);
	assert_string_equal(v.path, "/run/v");
	assert_int_equal(v.cid, 3);
	assert_int_equal(config_vsock(&v, "v,,1,cid=4294967294", &e), 0);
	assert_string_equal(v.path, "v,1");
	assert_int_equal(v.cid, 4294967294);
	assert_int_equal(config_vsock(&v, "", &e), -EINVAL);
	assert_int_equal(config_vsock(&v, "v,cid=2", &e), -EINVAL);
	assert_int_equal(config_vsock(&v, "v,cid=4294967295", &e), -EINVAL);
	assert_int_equal(config_vsock(&v, "v,cid=", &e), -EINVAL);
	assert_int_equal(config_vsock(&v, "v,port=3", &e), -EINVAL);
	assert_non_null(strstr(e.text, "cid=N"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_read),
		cmocka_unit_test(shares_are_added),
		cmocka_unit_test(sockets_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
