/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "core/mem.h"
#include "test/cmocka.h"

enum { P = MEM_PAGE };

/* RAM at 2 pages from BASE, 1 page behind that in other host memory, 1 page at the very top. */
enum { BASE = 0x80000000 };

struct fixture {
	struct mem *m;
	uint8_t *low, *high, *top;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->m = mem_new();
	f->low = calloc(2, P);
	f->high = calloc(1, P);
	f->top = calloc(1, P);
	assert_int_equal(mem_map(f->m, -(uint64_t)P, f->top, P, NULL), 0);
	assert_int_equal(mem_map(f->m, BASE + 2 * (uint64_t)P, f->high, P, NULL), 0);
	assert_int_equal(mem_map(f->m, BASE, f->low, 2 * P, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	mem_free(f->m);
	free(f->low);
	free(f->high);
	free(f->top);
	free(f);
	return 0;
}

static void addresses_are_found_within_one_piece(void **state)
{
	struct fixture *f = *state;

	assert_ptr_equal(mem_at(f->m, BASE, 1), f->low);
	assert_ptr_equal(mem_at(f->m, BASE + 5, 2 * P - 5), f->low + 5);
	assert_null(mem_at(f->m, BASE, 2 * P + 1));
	assert_null(mem_at(f->m, BASE + 2 * P - 1, 2));
	assert_ptr_equal(mem_at(f->m, BASE + 2 * P, P), f->high);
	assert_null(mem_at(f->m, BASE - 1, 1));
	assert_null(mem_at(f->m, BASE + 3 * P, 1));
	assert_null(mem_at(f->m, BASE, 0));
}

static void ranges_never_wrap(void **state)
{
	struct fixture *f = *state;
	uint8_t b[16] = { 0 };

	assert_ptr_equal(mem_at(f->m, UINT64_MAX, 1), f->top + P - 1);
	assert_null(mem_at(f->m, UINT64_MAX, 2));
	assert_null(mem_at(f->m, BASE, UINT64_MAX));
	assert_null(mem_at(f->m, BASE + 1, UINT64_MAX - BASE));
	assert_int_equal(mem_read(f->m, UINT64_MAX - 7, b, 8), 0);
	assert_int_equal(mem_read(f->m, UINT64_MAX - 7, b, 9), -EFAULT);
	assert_int_equal(mem_read(f->m, BASE, b, UINT64_MAX), -EFAULT);
	assert_int_equal(mem_write(f->m, UINT64_MAX, b, 2), -EFAULT);
}

static void copies_cross_pieces(void **state)
{
	struct fixture *f = *state;
	uint8_t b[8];

	assert_int_equal(mem_write(f->m, BASE + 2 * P - 4, "abcdefgh", 8), 0);
	assert_memory_equal(f->low + 2 * P - 4, "abcd", 4);
	assert_memory_equal(f->high, "efgh", 4);
	assert_int_equal(mem_read(f->m, BASE + 2 * P - 4, b, 8), 0);
	assert_memory_equal(b, "abcdefgh", 8);
	assert_int_equal(mem_read(f->m, 0, b, 0), 0);
}

static void failed_copies_do_nothing(void **state)
{
	struct fixture *f = *state;
	uint8_t b[8] = "12345678";

	assert_int_equal(mem_write(f->m, BASE + 3 * P - 4, "abcdefgh", 8), -EFAULT);
	assert_int_equal(f->high[P - 4], 0);
	assert_int_equal(mem_read(f->m, BASE + 3 * P - 4, b, 8), -EFAULT);
	assert_memory_equal(b, "12345678", 8);
}

struct written {
	int calls;
	uint64_t gpa, len;
};

static void note(void *arg, uint64_t gpa, uint64_t len)
{
	struct written *w = arg;

	if (w->calls++ == 0)
		w->gpa = gpa;
	w->len += len;
}

static void only_writes_to_code_are_told(void **state)
{
	struct fixture *f = *state;
	struct written w = { 0 };

	mem_written(f->m, BASE, 100);
	mem_on_code_write(f->m, note, &w);
	*mem_flags(f->m, BASE + P + 17) |= MEM_CODE;
	*mem_flags(f->m, BASE + 2 * P) |= MEM_CODE;
	*mem_flags(f->m, UINT64_MAX) |= MEM_CODE;
	mem_written(f->m, BASE, P);
	assert_int_equal(w.calls, 0);
	assert_int_equal(mem_write(f->m, BASE + P - 2, "abcd", 4), 0);
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.gpa, BASE + P);
	assert_int_equal(w.len, 2);
	w = (struct written){ 0 };
	mem_written(f->m, BASE + P + 1, 2 * P);
	assert_int_equal(w.calls, 2);
	assert_int_equal(w.gpa, BASE + P + 1);
	assert_int_equal(w.len, 2 * P - 1);
	w = (struct written){ 0 };
	mem_written(f->m, -(uint64_t)P, P);
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.len, P);
	assert_null(mem_flags(f->m, 0));
}

static void two_engines_are_told_of_writes_to_code(void **state)
{
	struct fixture *f = *state;
	struct written one = { 0 }, other = { 0 };

	mem_on_code_write(f->m, note, &one);
	mem_on_code_write(f->m, note, &other);
	mem_off_code_write(f->m, f);
	*mem_flags(f->m, BASE + P) |= MEM_CODE;
	mem_written(f->m, BASE + P, 1);
	assert_int_equal(one.calls, 1);
	assert_int_equal(other.calls, 1);
	mem_off_code_write(f->m, &one);
	mem_written(f->m, BASE + P, 1);
	assert_int_equal(one.calls, 1);
	assert_int_equal(other.calls, 2);
	mem_no_code(f->m);
	assert_int_equal(*mem_flags(f->m, BASE + P) & MEM_CODE, 0);
	mem_written(f->m, BASE + P, 1);
	assert_int_equal(other.calls, 2);
	mem_off_code_write(f->m, &other);
}

static void discarded_pages_are_zeroes(void **state)
{
	struct mem *m = mem_new();
	struct written w = { 0 };
	uint8_t *ram = os_ram_new(4 * P, NULL), *more = os_ram_new(P, NULL);

	(void)state;
	assert_true(ram && more);
	memset(ram, 0x55, 4 * P);
	memset(more, 0x55, P);
	assert_int_equal(mem_map(m, BASE, ram, 4 * P, NULL), 0);
	assert_int_equal(mem_map(m, BASE + 4 * P, more, P, NULL), 0);
	mem_on_code_write(m, note, &w);
	*mem_flags(m, BASE + 3 * P) |= MEM_CODE;
	assert_int_equal(mem_discard(m, BASE + 1, P), -EFAULT);
	assert_int_equal(mem_discard(m, BASE, P - 1), -EFAULT);
	assert_int_equal(mem_discard(m, BASE + 4 * P, 2 * P), -EFAULT);
	assert_int_equal(mem_discard(m, -(uint64_t)P, 2 * P), -EFAULT);
	assert_int_equal(more[0], 0x55);
	assert_int_equal(mem_discard(m, BASE + P, P), 0);
	assert_int_equal(w.calls, 0);
	assert_int_equal(ram[P - 1] | ram[2 * P], 0x55);
	assert_int_equal(ram[P] | ram[2 * P - 1], 0);
	assert_int_equal(mem_discard(m, BASE + 3 * P, 2 * P), 0);
	assert_int_equal(ram[3 * P] | more[P - 1], 0);
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.gpa, BASE + 3 * P);
	ram[P] = 1; /* it is still there */
	mem_free(m);
	os_ram_free(ram, 4 * P);
	os_ram_free(more, P);
}

static void bad_maps_are_refused(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(mem_map(f->m, 0, f->low, 0, &e), -EINVAL);
	assert_int_equal(mem_map(f->m, 1, f->low, P, &e), -EINVAL);
	assert_int_equal(mem_map(f->m, 0, f->low, P + 1, &e), -EINVAL);
	assert_int_equal(mem_map(f->m, -(uint64_t)P, f->low, 2 * P, &e), -EINVAL);
	assert_int_equal(mem_map(f->m, BASE + P, f->low, P, &e), -EEXIST);
	assert_int_equal(mem_map(f->m, BASE - P, f->low, 2 * P, &e), -EEXIST);
	assert_non_null(strstr(e.text, "0x80000000"));
}

static void check_order(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	uint64_t *seen = arg;

	assert_non_null(hva);
	assert_true(gpa >= *seen);
	*seen = gpa + len - 1;
}

static void told(void *arg, uint64_t gpa, uint64_t len)
{
	(void)len;
	*(uint64_t *)arg = gpa;
}

static void what_is_unmapped_is_no_ram(void **state)
{
	struct fixture *f = *state;
	uint64_t last = 0;

	assert_int_equal(mem_unmap(f->m, BASE, P), -ENOENT); /* not all of it */
	assert_int_equal(mem_unmap(f->m, BASE + P, P), -ENOENT);
	mem_on_code_write(f->m, told, &last);
	*mem_flags(f->m, BASE + P) = MEM_CODE;
	assert_int_equal(mem_unmap(f->m, BASE, 2 * P), 0);
	assert_int_equal(last, BASE + P);
	assert_null(mem_at(f->m, BASE, 1));
	assert_null(mem_flags(f->m, BASE + P));
	assert_ptr_equal(mem_at(f->m, BASE + 2 * P, P), f->high);
	assert_ptr_equal(mem_at(f->m, -(uint64_t)P, P), f->top);
	assert_int_equal(mem_unmap(f->m, BASE, 2 * P), -ENOENT);
	/* The same memory elsewhere, and twice. */
	assert_int_equal(mem_map(f->m, BASE - P, f->low, 2 * P, NULL), 0);
	assert_int_equal(mem_map(f->m, BASE + P, f->low, P, NULL), 0);
	assert_ptr_equal(mem_at(f->m, BASE, 1), f->low + P);
	assert_int_equal(*mem_flags(f->m, BASE), 0);
}

static void pages_can_be_protected(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mem_protect(f->m, BASE, P, MEM_NO_WRITE), -ENOENT);
	*mem_flags(f->m, BASE + P) = MEM_CODE;
	assert_int_equal(mem_protect(f->m, BASE, 2 * P, MEM_NO_WRITE | MEM_NO_EXEC), 0);
	assert_int_equal(*mem_flags(f->m, BASE), MEM_NO_WRITE | MEM_NO_EXEC);
	assert_int_equal(*mem_flags(f->m, BASE + P), MEM_NO_WRITE | MEM_NO_EXEC | MEM_CODE);
	assert_int_equal(*mem_flags(f->m, BASE + 2 * P), 0);
	assert_int_equal(mem_protect(f->m, BASE, 2 * P, 0), 0);
	assert_int_equal(*mem_flags(f->m, BASE + P), MEM_CODE);
}

static void pieces_are_listed_in_order(void **state)
{
	struct fixture *f = *state;
	uint64_t seen = 0;

	mem_each(f->m, check_order, &seen);
	assert_true(seen == UINT64_MAX);
	mem_free(NULL);
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static uint8_t *page_at(struct fixture *f, uint64_t gpa)
{
	const atomic_uchar *flags = NULL;
	uint8_t *page = mem_page(f->m, gpa, &flags);

	assert_true(!page || *flags == 0);
	return page;
}

static void windows_are_where_they_were_put(void **state)
{
	struct fixture *f = *state;
	uint8_t *memory = calloc(2, P);
	struct mem_window *w = mem_window_new(f->m, memory, 2 * P, NULL);
	unsigned moves = 0;

	assert_non_null(w);
	mem_on_move(f->m, count, &moves);
	assert_null(page_at(f, 0));
	mem_window_move(w, P);
	assert_int_equal(moves, 1);
	assert_null(page_at(f, P - 1));
	assert_ptr_equal(page_at(f, P), memory);
	assert_ptr_equal(page_at(f, 3 * P - 1), memory + P);
	assert_null(page_at(f, 3 * P));
	mem_window_move(w, P);
	assert_int_equal(moves, 1);
	mem_window_move(w, 0xfffffffff000);
	assert_int_equal(moves, 2);
	assert_null(page_at(f, P));
	assert_ptr_equal(page_at(f, 0x1000000000000), memory + P);
	mem_window_move(w, MEM_NOWHERE);
	assert_null(page_at(f, 0xfffffffff000));
	assert_int_equal(moves, 3);
	free(memory);
}

static void windows_are_no_ram(void **state)
{
	struct fixture *f = *state;
	uint8_t *memory = calloc(2, P), byte = 1;
	struct mem_window *w = mem_window_new(f->m, memory, 2 * P, NULL);

	mem_window_move(w, P);
	assert_null(mem_at(f->m, P, 1));
	assert_null(mem_flags(f->m, P));
	assert_int_equal(mem_write(f->m, P, &byte, 1), -EFAULT);
	assert_int_equal(memory[0], 0);
	/* RAM wins. */
	mem_window_move(w, BASE - P);
	assert_ptr_equal(page_at(f, BASE - P), memory);
	assert_ptr_equal(page_at(f, BASE), f->low);
	free(memory);
}

static void a_window_that_wraps_is_nowhere(void **state)
{
	struct fixture *f = *state;
	uint8_t *memory = calloc(2, P);
	struct mem_window *w = mem_window_new(f->m, memory, 2 * P, NULL);

	mem_window_move(w, -(uint64_t)P);
	assert_null(page_at(f, 0));
	mem_window_move(w, P + 16);
	assert_null(page_at(f, P + 16));
	free(memory);
}

static unsigned clean(struct fixture *f, uint64_t gpa)
{
	return *mem_flags(f->m, gpa) & MEM_CLEAN;
}

static void a_page_is_clean_until_somebody_writes(void **state)
{
	struct fixture *f = *state;
	const uint8_t byte = 1;

	assert_false(clean(f, BASE));
	mem_track(f->m, true);
	for (unsigned i = 0; i < 3; i++)
		assert_true(clean(f, BASE + i * P));
	assert_true(clean(f, -(uint64_t)P));
	assert_int_equal(mem_write(f->m, BASE + P, &byte, 1), 0);
	assert_true(clean(f, BASE));
	assert_false(clean(f, BASE + P));
	mem_dirty(f->m, BASE + P - 1);
	assert_false(clean(f, BASE));
	mem_dirty(f->m, 0); /* no RAM */
	mem_written(f->m, BASE + 2 * P, 1);
	assert_false(clean(f, BASE + 2 * P));
	mem_track(f->m, true);
	assert_true(clean(f, BASE) && clean(f, BASE + P));
	mem_track(f->m, false);
	assert_false(clean(f, BASE) || clean(f, BASE + P));
}

static void writes_are_told_while_pages_are_tracked(void **state)
{
	struct fixture *f = *state;
	struct written w = { 0 }, guarded = { 0 };

	mem_on_written(f->m, note, &w);
	mem_guard(f->m, BASE + P, 8, note, &guarded);
	mem_track(f->m, true);
	mem_written(f->m, BASE, 4);
	assert_int_equal(w.gpa, BASE);
	assert_int_equal(guarded.calls, 0);
	mem_written(f->m, BASE + P - 4, 5); /* the page was written before */
	mem_written(f->m, BASE, 0);
	mem_on_written(f->m, NULL, NULL);
	mem_written(f->m, BASE, 4);
	assert_int_equal(w.calls, 2);
	assert_int_equal(w.len, 9);
	assert_int_equal(guarded.calls, 1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(addresses_are_found_within_one_piece),
		TEST(ranges_never_wrap),
		TEST(copies_cross_pieces),
		TEST(failed_copies_do_nothing),
		TEST(only_writes_to_code_are_told),
		TEST(two_engines_are_told_of_writes_to_code),
		cmocka_unit_test(discarded_pages_are_zeroes),
		TEST(bad_maps_are_refused),
		TEST(what_is_unmapped_is_no_ram),
		TEST(pages_can_be_protected),
		TEST(pieces_are_listed_in_order),
		TEST(windows_are_where_they_were_put),
		TEST(windows_are_no_ram),
		TEST(a_window_that_wraps_is_nowhere),
		TEST(a_page_is_clean_until_somebody_writes),
		TEST(writes_are_told_while_pages_are_tracked),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
