/* SPDX-License-Identifier: BSD-2-Clause */
/* What people write for engines. */
#include <errno.h>
#include <string.h>

#include "engine/list.h"
#include "test/cmocka.h"

static void names_are_taken_in_their_order(void **state)
{
	const struct cpu_class *cpu = cpu_find("riscv64");
	struct engine_list l;
	struct err e = { "" };

	(void)state;
	assert_int_equal(engine_list_read(&l, "interp", cpu, true, &e), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.engine[0]->name, "interp");
	assert_int_equal(engine_list_read(&l, "interp+soft", cpu, true, &e), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.engine[0]->name, "interp");
	assert_string_equal(l.engine[1]->name, "soft");
	assert_string_equal(l.skipped.text, "");
	assert_int_equal(engine_list_read(&l, "soft", NULL, false, NULL), 0);
	assert_string_equal(l.engine[0]->name, "soft");
}

static void auto_is_the_best_that_counts(void **state)
{
	const struct engine_class *best;
	struct engine_list l;
	struct err e = { "" };

	(void)state;
	assert_int_equal(engine_list_read(&l, "auto", cpu_find("riscv64"), true, &e), 0);
	assert_int_equal(l.n, 1);
	best = l.engine[0];
	assert_false(best->runs_free);
	for (const struct engine_class *const *c = engine_classes; *c; c++)
		if (!engine_can(*c, cpu_find("riscv64"), true, &e))
			assert_true((*c)->rank <= best->rank);
}

static void refused(const char *text, const char *why)
{
	struct engine_list l;
	struct err e = { "" };

	assert_int_equal(engine_list_read(&l, text, cpu_find("riscv64"), false, &e), -EINVAL);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void mistakes_are_refused(void **state)
{
	(void)state;
	refused("", "there is no such engine");
	refused("+", "there is no such engine");
	refused("soft+", "there is no such engine");
	refused("+soft", "there is no such engine");
	refused("sof", "there is no such engine");
	refused("soft++interp", "there is no such engine");
	refused("soft+auto", "there is no such engine");
	refused("a-name-that-is-longer-than-any-engine-has-one", "there is no such engine");
	refused("soft+interp+soft", "soft is there twice");
}

static int no_device(const struct cpu_class *cpu, struct err *e)
{
	(void)cpu;
	return err_set(e, ENODEV, "there is no /dev/walrus");
}

static int is_there(const struct cpu_class *cpu, struct err *e)
{
	(void)cpu, (void)e;
	return 0;
}

static void what_cannot_be_used_says_why(void **state)
{
	const struct engine_class walrus = { .name = "walrus", .probe = no_device };
	const struct engine_class loose = { .name = "loose", .runs_free = true, .probe = is_there };
	const struct cpu_class *cpu = cpu_find("x86_64");
	struct err e = { "" };

	(void)state;
	assert_int_equal(engine_can(&walrus, cpu, false, &e), -ENOTSUP);
	assert_string_equal(
	    e.text, "engine walrus cannot run x86_64 here: there is no /dev/walrus");
	assert_int_equal(engine_can(&loose, cpu, false, &e), 0);
	assert_int_equal(engine_can(&loose, cpu, true, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "engine loose counts no instructions"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_in_their_order),
		cmocka_unit_test(auto_is_the_best_that_counts),
		cmocka_unit_test(mistakes_are_refused),
		cmocka_unit_test(what_cannot_be_used_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
