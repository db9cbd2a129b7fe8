/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which accesses share less, from what was noted of those that could not share a translation.
 */
#include <stdlib.h>

#include "test/cmocka.h"

#ifdef __x86_64__
#include "jit/x86_64/gen.h"

enum { MANY = 10000, PAGE = 0x5000, ADDRESS = 0x7ff8 };

/* How often it was said that they are to share less from now on. */
static unsigned note(struct jit *j, unsigned entry, uint64_t step, int64_t passed)
{
	unsigned i, n = 0;

	for (i = 0; i < MANY; i++)
		n += x86_apart_note(j, entry, ADDRESS + i * step, -(int64_t)i * passed);
	return n;
}

static void the_same_address_soon_again(void **state)
{
	struct jit *j = *state;
	unsigned e = x86_apart_entry(PAGE, 0x10);

	assert_int_equal(x86_apart(j, e), 0);
	assert_int_equal(note(j, e, 0, 100), 2);
	assert_int_equal(x86_apart(j, e), 2);
	assert_int_equal(x86_apart(j, x86_apart_entry(PAGE, 0x14)), 0);
}

static void the_same_address_now_and_then(void **state)
{
	struct jit *j = *state;
	unsigned e = x86_apart_entry(PAGE, 0x10);

	assert_int_equal(note(j, e, 0, 5000), 0);
	assert_int_equal(x86_apart(j, e), 0);
}

static void one_address_after_the_other(void **state)
{
	struct jit *j = *state;
	unsigned e = x86_apart_entry(PAGE, 0x10);

	assert_int_equal(note(j, e, 64, 20), 0);
	assert_int_equal(x86_apart(j, e), 0);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct jit));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(the_same_address_soon_again),
		TEST(the_same_address_now_and_then), TEST(one_address_after_the_other) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	return 0;
}
#endif
