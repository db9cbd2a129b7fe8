/* SPDX-License-Identifier: BSD-2-Clause */
/* Where JSON values end in a stream of bytes, whatever comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mon/frame.h"
#include "test/cmocka.h"
#include "test/random.h"

/* The first end that is not FRAME_MORE, and how many bytes it took. */
static enum frame_end feed(struct frame *f, const char *text, size_t *n)
{
	enum frame_end end = FRAME_MORE;

	for (*n = 0; text[*n] && end == FRAME_MORE; ++*n)
		end = frame_put(f, (uint8_t)text[*n]);
	return end;
}

static void values_end_where_their_brackets_do(void **state)
{
	static const char *const values[] = { "{}", "[]", "{\"a\": [1, {\"b\": 2}]}", "[\"}\"]",
		"{\"\\\"}\": \"\\\\\"}", "{\n\"x\"\n:\n1}" };
	struct frame f = { 0 };
	char text[100];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(text, sizeof text, " \r\n\t%s{", values[i]);
		assert_int_equal(feed(&f, text, &n), FRAME_VALUE);
		assert_int_equal(n, 4 + strlen(values[i]));
		assert_int_equal(f.text.len, strlen(values[i]));
		assert_memory_equal(f.text.data, values[i], f.text.len);
		frame_next(&f);
	}
	frame_free(&f);
}

static void rubbish_goes_to_the_end_of_its_line(void **state)
{
	struct frame f = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(feed(&f, "GET / HTTP/1.1 {}\n", &n), FRAME_RUBBISH);
	assert_int_equal(n, 18);
	assert_int_equal(feed(&f, "{}", &n), FRAME_VALUE);
	frame_free(&f);
}

static void too_much_is_lost(void **state)
{
	struct frame f = { 0 };
	enum frame_end end = FRAME_MORE;
	size_t n;

	(void)state;
	for (n = 0; end == FRAME_MORE; n++)
		end = frame_put(&f, '[');
	assert_int_equal(end, FRAME_LOST);
	assert_int_equal(n, FRAME_DEPTH + 1);
	frame_next(&f);
	end = frame_put(&f, '{');
	for (n = 0; end == FRAME_MORE; n++)
		end = frame_put(&f, ' ');
	assert_int_equal(end, FRAME_LOST);
	assert_int_equal(n, FRAME_MAX);
	frame_free(&f);
}

static void any_bytes_do_no_harm(void **state)
{
	static const char common[] = "{}[]\"\\:,\n e1";
	unsigned seed = (unsigned)random_seed();
	struct frame f = { 0 };

	(void)state;
	print_message("LODGE_SEED=%u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < 1000000; i++) {
		uint8_t c =
		    (uint8_t)(rand() % 8 ? common[(size_t)rand() % strlen(common)] : rand());
		enum frame_end end = frame_put(&f, c);

		assert_true(f.depth <= FRAME_DEPTH + 1 && f.text.len <= FRAME_MAX + 1);
		if (end == FRAME_VALUE || end == FRAME_LOST)
			frame_next(&f);
	}
	frame_free(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_end_where_their_brackets_do),
		cmocka_unit_test(rubbish_goes_to_the_end_of_its_line),
		cmocka_unit_test(too_much_is_lost),
		cmocka_unit_test(any_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
