/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/log.h"
#include "test/cmocka.h"

struct seen {
	int lines;
	enum log_level level;
	char text[600];
};

static void keep(void *arg, enum log_level level, const char *line)
{
	struct seen *s = arg;

	s->lines++;
	s->level = level;
	strncpy(s->text, line, sizeof s->text - 1);
}

static void levels_reach_the_embedder(void **state)
{
	struct seen s = { 0 };
	struct log l = { .write = keep, .arg = &s };

	(void)state;
	log_error(&l, "disk %d", 1);
	assert_int_equal(s.level, LOG_ERROR);
	assert_string_equal(s.text, "disk 1");
	log_warn(&l, "w");
	assert_int_equal(s.level, LOG_WARN);
	log_info(&l, "i");
	assert_int_equal(s.level, LOG_INFO);
	assert_int_equal(s.lines, 3);
}

static void no_log_is_fine(void **state)
{
	struct log silent = { .trace = ~0u };

	(void)state;
	log_error(NULL, "x");
	log_trace(NULL, TRACE_irq, "x");
	TRACE((struct log *)NULL, irq, "x");
	log_info(&silent, "x");
	TRACE(&silent, irq, "x");
}

static void only_wanted_categories_are_traced(void **state)
{
	struct seen s = { 0 };
	struct log l = { .write = keep, .arg = &s, .trace = 1u << TRACE_device };

	(void)state;
	TRACE(&l, irq, "no");
	log_trace(&l, TRACE_exec, "no");
	assert_int_equal(s.lines, 0);
	TRACE(&l, device, "uart: thr %02x", 0x41);
	assert_int_equal(s.lines, 1);
	assert_int_equal(s.level, LOG_TRACE);
	assert_string_equal(s.text, "uart: thr 41");
}

static void long_lines_are_cut(void **state)
{
	struct seen s = { 0 };
	struct log l = { .write = keep, .arg = &s };

	(void)state;
	log_info(&l, "%01000d", 1);
	assert_int_equal(s.lines, 1);
	assert_true(strlen(s.text) > 400);
}

static void names_go_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < TRACE_NCATS; i++)
		assert_int_equal(trace_find(trace_name(i)), i);
	assert_string_equal(trace_name(TRACE_sbi), "sbi");
	assert_int_equal(trace_find("nothing"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_reach_the_embedder),
		cmocka_unit_test(no_log_is_fine),
		cmocka_unit_test(only_wanted_categories_are_traced),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
