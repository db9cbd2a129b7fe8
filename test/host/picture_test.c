/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures as files: which form they have, and what is said of those that cannot be written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "core/display.h"
#include "host/picture.h"
#include "test/cmocka.h"

static const struct picture two = { 2, 1, (uint32_t[]){ 0x123456, 0xfedcba } };

static void the_name_says_which_form(void **state)
{
	const struct picture_format *png = picture_format("png", ""),
				    *ppm = picture_format("ppm", "");

	(void)state;
	assert_non_null(png);
	assert_non_null(ppm);
	assert_true(picture_format(NULL, "a.ppm") == ppm);
	assert_true(picture_format(NULL, "a.png") == png);
	assert_true(picture_format(NULL, "/a.b/ppm") == png);
	assert_true(picture_format("png", "a.ppm") == png);
	assert_null(picture_format("jpeg", "a.png"));
}

static void files_are_written(void **state)
{
	static const char ppm[] = "P6\n2 1\n255\n\x12\x34\x56\xfe\xdc\xba";
	char path[] = "/tmp/lodge-test-XXXXXX";
	struct buf b = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(
	    picture_write(mkstemp(path), path, picture_format("ppm", path), &two, &e), 0);
	assert_int_equal(buf_read_file(&b, path, 1000, &e), 0);
	assert_int_equal(b.len, sizeof ppm - 1);
	assert_memory_equal(b.data, ppm, b.len);
	buf_free(&b);
	unlink(path);
}

static void or_it_is_said_why(void **state)
{
	struct err e;

	(void)state;
	if (access("/dev/full", W_OK) < 0)
		return;
	assert_int_equal(picture_write(open("/dev/full", O_WRONLY), "x.png",
			     picture_format("png", ""), &two, &e),
	    -ENOSPC);
	assert_non_null(strstr(e.text, "x.png"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_says_which_form),
		cmocka_unit_test(files_are_written),
		cmocka_unit_test(or_it_is_said_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
