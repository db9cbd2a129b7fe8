/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test/ir/NAME.ir: IR of RISC-V code, and what passes make of it.  HOW in a case's title is the
 * names of passes in their order; `quick` and `full` are the pipelines.
 */
#include "cpu/riscv64/lift.h"
#include "ir/ir.h"
#include "test/ir/text.h"

static void run_passes(
    void *rig, const char *how, const char *label, const char *in, struct buf *out)
{
	struct ir_block *b = rig;
	struct err e = { "" };
	char name[20];
	ir_pass *pass;
	int n;

	(void)label;
	if (ir_parse(b, in, &rv_ir_guest, &e) < 0)
		fail_msg("%s\n%s", e.text, in);
	for (; sscanf(how, "%19s%n", name, &n) == 1; how += n) {
		pass = ir_pass_find(name);
		if (!pass)
			fail_msg("no pass is named \"%s\"", name);
		pass(b, &rv_ir_guest);
		if (ir_check(b, &rv_ir_guest, &e) < 0)
			fail_msg("%s: %s", name, e.text);
	}
	ir_print(b, &rv_ir_guest, out);
}

static void texts(void **state)
{
	static const char *const labels[] = { "", NULL };
	struct text_test t = { "test/ir/*.ir", labels, run_passes,
		malloc(sizeof(struct ir_block)) };

	(void)state;
	assert_non_null(t.rig);
	text_run(&t);
	free(t.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(texts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
