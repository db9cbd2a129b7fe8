/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the printer writes the parser reads as the same block, and what is no block it refuses with
 * the line that is wrong.
 */
#include <stdio.h>

#include "base/buf.h"
#include "test/ir/random.h"

enum { BLOCKS = 2000 };

struct pair {
	struct ir_block was, is;
};

static int setup(void **state)
{
	*state = malloc(sizeof(struct pair));
	return *state == NULL;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void printed_blocks_are_read_as_they_were(void **state)
{
	struct pair *p = *state;
	struct random r = { .seed = 0x9e3779b97f4a7c15 };
	struct err e = { "" };
	unsigned i;

	for (i = 0; i < BLOCKS; i++) {
		struct buf a = { 0 }, b = { 0 };

		random_block(&r, &p->was);
		ir_print(&p->was, &toy_guest, &a);
		buf_put(&a, "", 1);
		if (ir_parse(&p->is, (char *)a.data, &toy_guest, &e) < 0)
			fail_msg("%s\n%s", e.text, (char *)a.data);
		ir_print(&p->is, &toy_guest, &b);
		buf_put(&b, "", 1);
		assert_string_equal((char *)a.data, (char *)b.data);
		assert_int_equal(p->was.n, p->is.n);
		assert_memory_equal(p->was.op, p->is.op, p->was.n * sizeof p->was.op[0]);
		buf_free(&a);
		buf_free(&b);
	}
}

static void people_may_leave_gaps(void **state)
{
	static const char text[] = "# how it began\n"
				   "\n"
				   "insn 4096\n"
				   "  %10 = imm -2\r\n"
				   "%7=get r3\n"
				   "\t%30 = add %10 , %7\n"
				   "\tput word, %30\n"
				   "\texit 0x1004";
	static const char want[] = "insn 0x1000\n"
				   "\t%2 = imm 0xfffffffffffffffe\n"
				   "\t%3 = get r3\n"
				   "\t%4 = add %2, %3\n"
				   "\tput word, %4\n"
				   "\texit 0x1004\n";
	struct pair *p = *state;
	struct err e = { "" };
	struct buf b = { 0 };

	if (ir_parse(&p->is, text, &toy_guest, &e) < 0)
		fail_msg("%s", e.text);
	ir_print(&p->is, &toy_guest, &b);
	buf_put(&b, "", 1);
	assert_string_equal((char *)b.data, want);
	buf_free(&b);
}

static void bad_text_is_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "%1 = frob %2, %3", "line 2: \"frob\" is no operation" },
		{ "%1 = add32 %2, %3", "line 2: \"add32\" is no operation" },
		{ "%1 = sext %2", "line 2: \"sext\" is no operation" },
		{ "%1 = sext12 %2", "line 2: \"sext12\" is no operation" },
		{ "%1 = get r9", "line 2: the guest has no register \"r9\"" },
		{ "%1 = call sum, %1, %1, %1", "line 2: the guest has no helper \"sum\"" },
		{ "%1 = not %1", "line 2: there is no %1 yet" },
		{ "%1 = imm", "line 2: \"\" is no number" },
		{ "%1 = imm 1x", "line 2: \"1x\" is no number" },
		{ "%1 = imm 1 2", "line 2: nothing should follow imm" },
		{ "imm 1", "line 2: imm makes a value" },
		{ "%1 = fence", "line 2: fence makes no value" },
		{ "%1 imm 1", "line 2: = is missing behind %1" },
		{ "%x = imm 1", "line 2: %x is no value's number" },
		{ "put r1", "line 2: put has 2 operands" },
		{ "put r1, 5", "line 2: a value, as %5, is missing" },
		{ "%1 = imm 1\n%1 = imm 2", "line 3: %1 is made twice" },
		{ "%1 = imm 1", "an end must be at the end" },
		{ "exit 0\nexit 0", "an end must be at the end" },
	};
	struct pair *p = *state;
	char text[100];
	unsigned i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { "" };

		snprintf(text, sizeof text, "insn 0\n%s\n", cases[i].line);
		assert_int_equal(ir_parse(&p->is, text, &toy_guest, &e), -22);
		if (!strstr(e.text, cases[i].why))
			fail_msg("\"%s\": %s", cases[i].line, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    printed_blocks_are_read_as_they_were, setup, teardown),
		cmocka_unit_test_setup_teardown(people_may_leave_gaps, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_text_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
