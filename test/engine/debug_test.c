/* SPDX-License-Identifier: BSD-2-Clause */
/* What debuggers may ask of engines: of KVM no more than the host's debug registers can do. */
#include <errno.h>
#include <string.h>

#include "core/debug.h"
#include "engine/engine.h"
#include "test/cmocka.h"

enum { MAX = 8 };

static const struct engine_class *kvm(void)
{
	const struct engine_class *c = engine_find("kvm");

	if (!c->debug_check)
		skip(); /* it is of Linux, on x86-64 */
	return c;
}

static int check(unsigned breaks, const struct debug_watch *watch, unsigned nwatches)
{
	uint64_t at[MAX];
	const struct debug_points p = {
		.at = at, .n = breaks, .watch = watch, .nwatches = nwatches
	};
	struct err e = { "" };
	int rc;

	for (unsigned i = 0; i < breaks; i++)
		at[i] = 0x1000 + i;
	rc = kvm()->debug_check(&p, &e);
	assert_int_equal(!rc, !e.text[0]);
	return rc;
}

/* How many breakpoints fit beside something that is watched. */
static unsigned room_beside(uint64_t at, uint64_t len)
{
	const struct debug_watch w = { .at = at, .len = len, .store = true };
	unsigned n = 0;

	while (n < MAX && !check(n, &w, 1))
		n++;
	return n;
}

static void there_are_four(void **state)
{
	(void)state;
	assert_int_equal(check(0, NULL, 0), 0);
	assert_int_equal(check(4, NULL, 0), 0);
	assert_int_equal(check(5, NULL, 0), -ENOSPC);
}

static void the_same_place_counts_once(void **state)
{
	const uint64_t at[] = { 1, 1, 2, 2, 3, 3, 4, 4 };
	const struct debug_points p = { .at = at, .n = 8 };
	struct err e = { "" };

	(void)state;
	assert_int_equal(kvm()->debug_check(&p, &e), 0);
}

/* A register watches 1, 2, 4 or 8 aligned bytes; room_beside finds the first number too many. */
static void watches_are_made_of_aligned_pieces(void **state)
{
	(void)state;
	assert_int_equal(room_beside(0x1000, 8), 4);
	assert_int_equal(room_beside(0x1001, 1), 4);
	assert_int_equal(room_beside(0x1001, 2), 3);
	assert_int_equal(room_beside(0x1004, 8), 3);
	assert_int_equal(room_beside(0x1001, 7), 2);
	assert_int_equal(room_beside(0x1000, 32), 1);
	assert_int_equal(room_beside(0x1000, 33), 0);
	assert_int_equal(room_beside(0, UINT64_MAX), 0);
	assert_int_equal(room_beside(UINT64_MAX - 7, 8), 4);
}

static void instructions_are_not_traced(void **state)
{
	const struct debug_points p = { .trace = DEBUG_TRACE_ALL };
	struct err e = { "" };

	(void)state;
	assert_int_equal(kvm()->debug_check(&p, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "engine kvm: it cannot trace"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_are_four),
		cmocka_unit_test(the_same_place_counts_once),
		cmocka_unit_test(watches_are_made_of_aligned_pieces),
		cmocka_unit_test(instructions_are_not_traced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
