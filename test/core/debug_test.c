/* SPDX-License-Identifier: BSD-2-Clause */
/* What debuggers wait for: guards of physical memory, and sets of pages. */
#include <stdlib.h>
#include <string.h>

#include "core/debug.h"
#include "core/mem.h"
#include "test/cmocka.h"
#include "test/random.h"

static void a_guard_is_met_by_its_bytes_alone(void **state)
{
	const struct debug_points p = { .guard = { 0x1ffe, 4 } }, none = { .n = 0 };
	uint64_t first = 0;

	(void)state;
	assert_false(debug_guards(&p, 0x1ffd, 1, &first));
	assert_true(debug_guards(&p, 0x1ff8, 8, &first));
	assert_int_equal(first, 0x1ffe);
	assert_true(debug_guards(&p, 0x2001, 1, &first));
	assert_int_equal(first, 0x2001);
	assert_false(debug_guards(&p, 0x2002, 8, &first));
	assert_true(debug_guards_page(&p, 0x1000));
	assert_true(debug_guards_page(&p, 0x2fff));
	assert_false(debug_guards_page(&p, 0x3000));
	assert_false(debug_guards_page(&p, 0xfff));
	assert_false(debug_guards(&none, 0, UINT64_MAX, &first));
	assert_false(debug_guards_page(&none, 0));
}

static void a_guard_may_be_at_the_top(void **state)
{
	const struct debug_points p = { .guard = { UINT64_MAX, 1 } };
	uint64_t first = 0;

	(void)state;
	assert_true(debug_guards(&p, UINT64_MAX - 7, 8, &first));
	assert_int_equal(first, UINT64_MAX);
	assert_false(debug_guards(&p, UINT64_MAX - 8, 8, &first));
	assert_true(debug_guards_page(&p, UINT64_MAX));
}

static void a_set_has_all_that_was_put_there(void **state)
{
	struct debug_pages *p = calloc(1, sizeof *p);
	const uint64_t seed = 20261126;
	uint64_t s = seed;
	unsigned more = 0;

	(void)state;
	assert_non_null(p);
	for (unsigned i = 0; i < 2000; i++)
		debug_set_add(&p->stores, random_split(&s) >> 12);
	for (s = seed; more < 2000; more++)
		assert_true(debug_set_has(&p->stores, random_split(&s) >> 12));
	more = 0;
	for (unsigned i = 0; i < 10000; i++)
		more += debug_set_has(&p->stores, random_split(&s) >> 12);
	assert_true(more < 500); /* some 1.4% are to be expected */
	free(p);
}

static void pages_that_are_near_each_other_are_different(void **state)
{
	struct debug_set *set = calloc(1, sizeof *set);
	unsigned more = 0;

	(void)state;
	assert_non_null(set);
	for (uint64_t page = 0; page < 1000; page++)
		debug_set_add(set, 0xffff888000000 + 2 * page);
	for (uint64_t page = 0; page < 1000; page++)
		more += debug_set_has(set, 0xffff888000000 + 2 * page + 1);
	assert_true(more < 50);
	free(set);
}

static void what_is_watched_meets_its_kind_of_access(void **state)
{
	struct debug_watch w = { .at = 0x5ff0, .len = 32, .store = true };
	struct debug_points p = { .watch = &w, .nwatches = 1 };
	struct debug_pages *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);

	(void)state;
	assert_true(a && b);
	assert_false(debug_pages_meet(a, &p));
	debug_set_add(&a->loads, 6);
	assert_false(debug_pages_meet(a, &p));
	w.load = true;
	assert_true(debug_pages_meet(a, &p));
	w.load = false;
	debug_set_add(&b->stores, 5);
	assert_false(debug_pages_meet(b, &p)); /* which words is not said */
	debug_set_add(&b->whole, 5);
	assert_true(debug_pages_meet(b, &p));
	debug_pages_add(a, b);
	assert_true(debug_pages_meet(a, &p));
	w.len = 1ull << 40; /* too much to ask for each page */
	assert_true(debug_pages_meet(a, &p));
	free(a);
	free(b);
}

static bool may_be_stored(const struct debug_pages *s, uint64_t at, uint64_t len)
{
	const struct debug_watch w = { .at = at, .len = len, .store = true };
	const struct debug_points p = { .watch = &w, .nwatches = 1 };

	return debug_pages_meet(s, &p);
}

static bool stores(struct debug_notes *n, uint64_t at, uint64_t len)
{
	return may_be_stored(debug_notes_end(n), at, len);
}

static bool store(struct debug_notes *n, uint64_t at, unsigned len)
{
	return debug_note_store(n, at, at & 0xffffffff, len);
}

static const uint64_t some_page = 0xffff888000123000;

/* Up to max; the words are noted until then. */
static unsigned stores_to_one_word(struct debug_notes *n, uint64_t at, unsigned max)
{
	unsigned i = 0;

	while (i < max && !store(n, at, 1))
		i++;
	return i;
}

static void rounds(struct debug_notes *n, unsigned times, uint64_t written)
{
	for (unsigned i = 0; i < times; i++)
		for (unsigned stretch = 0; stretch < 8; stretch++) {
			debug_notes_begin(n, false);
			if (written)
				store(n, written, 1);
		}
	debug_notes_begin(n, false);
}

static void a_few_stores_are_noted_by_word(void **state)
{
	struct debug_notes *n = calloc(1, sizeof *n);
	const uint64_t page = some_page;

	(void)state;
	assert_non_null(n);
	debug_notes_begin(n, false);
	assert_false(store(n, page + 12, 8));
	assert_false(store(n, page + 4064, 32));
	assert_true(stores(n, page + 8, 8) && stores(n, page + 16, 1) && stores(n, page + 23, 1));
	assert_false(stores(n, page, 8) || stores(n, page + 24, 4040));
	assert_true(stores(n, page + 4060, 5) && stores(n, page + 4095, 1));
	assert_true(stores(n, page - 4096, 8192) && stores(n, page + 4095, 4096));
	assert_false(stores(n, page - 4096, 4096) || stores(n, page + 4096, 4096));
	assert_true(store(n, page, 0)); /* somewhere */
	assert_true(stores(n, page + 32, 8));
	debug_notes_begin(n, true);
	assert_true(store(n, page, 1));
	assert_true(stores(n, page + 32, 8));
	free(n);
}

static void more_are_where_they_are_expected(void **state)
{
	struct debug_notes *n = calloc(1, sizeof *n);
	const unsigned all = 100000;
	unsigned first, many, tried = 0;

	(void)state;
	assert_non_null(n);
	debug_notes_begin(n, false);
	first = stores_to_one_word(n, some_page, all);
	assert_true(first && first < all);
	assert_true(stores(n, some_page + 32, 8)); /* any of it may have been */
	rounds(n, 1, 0);
	many = stores_to_one_word(n, some_page, all);
	assert_true(many > first && many < all);
	debug_notes_begin(n, false);
	assert_false(stores_to_one_word(n, some_page, all)); /* it is known by that now */
	/* Where there are too many all the time they soon are seldom noted. */
	for (unsigned i = 0; i < 200; i++) {
		debug_notes_begin(n, false);
		tried += stores_to_one_word(n, some_page, all) != 0;
	}
	assert_true(tried && tried < 10);
	rounds(n, 40, some_page);
	assert_int_equal(stores_to_one_word(n, some_page, all), many);
	debug_notes_begin(n, false);
	for (unsigned i = 0; !store(n, some_page + 8 * i, 8); i++)
		assert_true(i < 400); /* it seems to be filled */
	rounds(n, 40, 0);
	assert_int_equal(stores_to_one_word(n, some_page, all), first); /* forgotten */
	free(n);
}

static void notes_of_two_stretches_are_added(void **state)
{
	struct debug_notes *n = calloc(1, sizeof *n);
	struct debug_pages *sum = calloc(1, sizeof *sum);
	const uint64_t pages = 3000;
	uint64_t page;
	unsigned more = 0;

	(void)state;
	assert_true(n && sum);
	debug_notes_begin(n, false);
	for (page = 0; page < pages; page++)
		store(n, page << 12 | 8, 8);
	debug_pages_add(sum, debug_notes_end(n));
	debug_notes_begin(n, false);
	for (page = pages; page--;)
		store(n, page << 12 | 16, 8);
	debug_pages_add(sum, debug_notes_end(n));
	for (page = 0; page < pages; page++) {
		assert_true(may_be_stored(sum, page << 12 | 8, 8));
		assert_true(may_be_stored(sum, page << 12 | 16, 8));
		more += may_be_stored(sum, page << 12 | 24, 8);
	}
	assert_true(more < pages / 2); /* of two pages that share a place one has no words */
	free(n);
	free(sum);
}

static bool writes(struct debug_notes *n, uint64_t at, uint64_t len)
{
	const struct debug_points p = { .guard = { at, len } };

	return debug_pages_meet(debug_notes_end(n), &p);
}

static void guards_meet_what_was_written_by_whomever(void **state)
{
	struct debug_notes *n = calloc(1, sizeof *n);

	(void)state;
	assert_non_null(n);
	debug_notes_begin(n, false);
	assert_false(debug_note_store(n, some_page + 16, 0x80001010, 8));
	assert_true(writes(n, 0x80001010, 1) && writes(n, 0x80001017, 1));
	assert_false(writes(n, 0x80001018, 8) || writes(n, some_page + 16, 8));
	assert_false(stores(n, 0x80001010, 8));
	debug_note_written(n, 0x80003ffc, 8);
	assert_true(writes(n, 0x80003000, 8) && writes(n, 0x80004800, 8));
	assert_false(writes(n, 0x80002ff8, 8) || writes(n, 0x80005000, 8));
	/* Somewhere else, as another process has it: both may have been written anywhere. */
	assert_true(debug_note_store(n, some_page + 32, 0x80006020, 8));
	assert_true(writes(n, 0x80001800, 8) && writes(n, 0x80006800, 8));
	assert_true(stores(n, some_page + 48, 8));
	free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guard_is_met_by_its_bytes_alone),
		cmocka_unit_test(a_guard_may_be_at_the_top),
		cmocka_unit_test(a_set_has_all_that_was_put_there),
		cmocka_unit_test(pages_that_are_near_each_other_are_different),
		cmocka_unit_test(what_is_watched_meets_its_kind_of_access),
		cmocka_unit_test(a_few_stores_are_noted_by_word),
		cmocka_unit_test(more_are_where_they_are_expected),
		cmocka_unit_test(notes_of_two_stretches_are_added),
		cmocka_unit_test(guards_meet_what_was_written_by_whomever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
