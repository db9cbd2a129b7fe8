/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conformance lab on the engines that every host has: nothing fails there, and
 * a lab notices what is wrong.
 */
#include <stdio.h>
#include <string.h>

#include "test/cmocka.h"
/* behind cmocka */
#include "base/compiler.h"
#include "engine/engine.h"
#include "lab/case.h"

struct counts {
	unsigned how[LAB_SKIPPED + 1];
	char first[1000]; /* what was said of the first that did not pass */
};

static void count(void *arg, const struct lab_result *r)
{
	struct counts *c = arg;

	c->how[r->how]++;
	if ((r->how == LAB_FAILED || r->how == LAB_DIFFERS) && !*c->first) {
		snprintf(
		    c->first, sizeof c->first, "%s, %s, %s: %s", r->area, r->mode, r->name, r->why);
		print_message("# %s\n", c->first);
	}
}

static unsigned run_all(const char *engine, const char *arch)
{
	const struct lab_class *const *a;
	struct counts c = { 0 };
	struct err e;

	for (a = lab_classes; *a; a++) {
		if (strcmp((*a)->arch, arch) != 0)
			continue;
		assert_int_equal(lab_run(*a, engine_find(engine), count, &c, &e), 0);
	}
	assert_int_equal(c.how[LAB_FAILED], 0);
	if (!strcmp(engine, "interp"))
		assert_int_equal(c.how[LAB_DIFFERS], 0);
	return c.how[LAB_PASSED];
}

static void test_x86_interp(void **state)
{
	(void)state;
	assert_true(run_all("interp", "x86_64") >= 500);
}

static void test_x86_soft(void **state)
{
	(void)state;
	assert_true(run_all("soft", "x86_64") >= 500);
}

static void test_riscv64_interp(void **state)
{
	(void)state;
	assert_true(run_all("interp", "riscv64") >= 500);
}

static void test_riscv64_soft(void **state)
{
	(void)state;
	assert_true(run_all("soft", "riscv64") >= 500);
}

/* Cases that are wrong, each in one way. */
static const struct lab_case bad[] = {
	{ "a register", 8, "31c0", "", "rax=1" },
	{ "a flag", 8, "31c0", "", "zf=0" },
	{ "memory", 8, "31c0", "d[data]=5", "d[data]=4" },
	{ "bytes", 8, "31c0", "x[data]=0102", "x[data]=0103" },
	{ "an exception that does not come", 8, "31c0", "", "#ud" },
	{ "an exception that nobody wants", 8, "0f0b", "", "" },
	{ "another exception", 8, "0f0b", "", "#gp" },
	{ "how it ends", 8, "31c0", "", "end=shutdown" },
	{ "a shutdown", 8, "0f0b", "idt.limit=0", "" },
	{ "devices", 8, "e504", "", "log=I4:4" },
	{ "it goes on for ever", 8, "ebfe", "", "" },
	{ "no word", 8, "31c0", "", "rxx=1" },
	{ "no place", 8, "31c0", "d[dota]=1", "" },
	{ "no code", 8, "31c", "", "" },
};

static void run_bad(struct lab *l)
{
	lab_cases(l, bad, ARRAY_LEN(bad));
}

static void test_notices(void **state)
{
	static const struct lab_class area = { .name = "bad", .arch = "x86_64", .run = run_bad };
	struct counts c = { .first = "-" };
	struct err e;

	(void)state;
	assert_int_equal(lab_run(&area, engine_find("interp"), count, &c, &e), 0);
	assert_int_equal(c.how[LAB_FAILED], ARRAY_LEN(bad));
	memset(&c, 0, sizeof c);
	c.first[0] = '-';
	assert_int_equal(lab_run(&area, engine_find("soft"), count, &c, &e), 0);
	assert_int_equal(c.how[LAB_FAILED], ARRAY_LEN(bad));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86_interp),
		cmocka_unit_test(test_x86_soft),
		cmocka_unit_test(test_riscv64_interp),
		cmocka_unit_test(test_riscv64_soft),
		cmocka_unit_test(test_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
