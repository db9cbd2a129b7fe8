/* SPDX-License-Identifier: BSD-2-Clause */
/* Points in the past of memory, against whole copies of it: any order of what can be done. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "machine/pages.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { PAGES = 70, WINDOW = 3, SIZE = PAGES * MEM_PAGE, LATER = WINDOW * MEM_PAGE, POINTS = 12 };

struct fixture {
	struct mem *m;
	struct mem_window *w;
	uint8_t *ram, *window;
	struct pages *p;
	uint8_t *point[POINTS + 1]; /* what was there: RAM, window */
	uint64_t seed;
};

static unsigned any(struct fixture *f, unsigned n)
{
	return (unsigned)(random_split(&f->seed) % n);
}

static uint8_t *copy(const struct fixture *f)
{
	uint8_t *c = malloc(SIZE + LATER);

	assert_non_null(c);
	memcpy(c, f->ram, SIZE);
	memcpy(c + SIZE, f->window, LATER);
	return c;
}

static struct fixture start(void)
{
	struct fixture f = { .m = mem_new(), .seed = random_seed() };

	print_message("LODGE_SEED=%llu\n", (unsigned long long)f.seed);
	f.ram = aligned_alloc(MEM_PAGE, SIZE);
	f.window = aligned_alloc(MEM_PAGE, LATER);
	assert_true(f.m && f.ram && f.window);
	for (unsigned i = 0; i < SIZE; i++)
		f.ram[i] = i < SIZE / 2 ? (uint8_t)any(&f, 256) : 0;
	memset(f.window, 1, LATER);
	assert_int_equal(mem_map(f.m, 0x80000000, f.ram, SIZE, NULL), 0);
	f.w = mem_window_new(f.m, f.window, LATER, NULL);
	assert_non_null(f.w);
	f.p = pages_new(f.m, NULL);
	assert_non_null(f.p);
	f.point[0] = copy(&f);
	return f;
}

static void end(struct fixture *f)
{
	for (unsigned i = 0; i < pages_count(f->p); i++)
		free(f->point[i]);
	pages_free(f->p);
	mem_free(f->m);
	free(f->ram);
	free(f->window);
}

/* Some words here and there, or all of a page, or none of it any more; or the same once more. */
static void write_some(struct fixture *f)
{
	for (unsigned n = any(f, 40); n--;) {
		const unsigned page = any(f, PAGES + WINDOW), how = any(f, 6);
		uint8_t *at =
		    page < PAGES ? f->ram + page * MEM_PAGE : f->window + (page - PAGES) * MEM_PAGE;

		for (unsigned i = 0; i < MEM_PAGE; i++) {
			if (how == 0)
				at[i] = (uint8_t)any(f, 256);
			else if (how == 1)
				at[i] = 0;
			else if (how < 5 && !any(f, 1000))
				at[i] ^= (uint8_t)any(f, 256);
		}
		if (page < PAGES)
			mem_written(f->m, 0x80000000 + (uint64_t)page * MEM_PAGE, MEM_PAGE);
	}
}

static void check(struct fixture *f)
{
	const uint8_t *c = f->point[pages_at(f->p)];

	assert_memory_equal(f->ram, c, SIZE);
	assert_memory_equal(f->window, c + SIZE, LATER);
}

static void mark(struct fixture *f)
{
	const unsigned at = pages_at(f->p), n = pages_count(f->p);

	if (n > POINTS)
		return;
	assert_true(pages_mark(f->p));
	memmove(&f->point[at + 2], &f->point[at + 1], (n - 1 - at) * sizeof *f->point);
	f->point[at + 1] = copy(f);
	assert_int_equal(pages_at(f->p), at + 1);
	assert_int_equal(pages_count(f->p), n + 1);
	check(f);
}

static void drop(struct fixture *f)
{
	const unsigned n = pages_count(f->p), which = any(f, n);

	if (!which || which == pages_at(f->p))
		return;
	assert_true(pages_drop(f->p, which));
	free(f->point[which]);
	memmove(&f->point[which], &f->point[which + 1], (n - 1 - which) * sizeof *f->point);
}

static void cut(struct fixture *f)
{
	for (unsigned i = pages_at(f->p) + 1; i < pages_count(f->p); i++)
		free(f->point[i]);
	pages_cut(f->p);
	assert_int_equal(pages_count(f->p), pages_at(f->p) + 1);
}

static void all_points_stay_what_they_were(void **state)
{
	struct fixture f = start();

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		write_some(&f);
		switch (any(&f, 20)) {
		case 0:
			cut(&f);
			break;
		case 1:
		case 2:
			drop(&f);
			break;
		case 3:
		case 4:
		case 5:
		case 6:
		case 7:
		case 8:
			mark(&f);
			break;
		default:
			pages_go(f.p, any(&f, pages_count(f.p)));
			check(&f);
			break;
		}
	}
	for (unsigned i = pages_count(f.p); i--;) {
		pages_go(f.p, i);
		check(&f);
	}
	cut(&f);
	assert_int_equal(pages_size(f.p), 0);
	end(&f);
}

/* What changed and changed back is no difference. */
static void what_cancels_out_is_not_kept(void **state)
{
	struct fixture f = start();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		f.ram[5] ^= 1;
		mem_written(f.m, 0x80000000, 1);
		assert_true(pages_mark(f.p));
	}
	assert_in_range(pages_size(f.p), 2 * 8, 2 * 32);
	assert_true(pages_drop(f.p, 1));
	assert_int_equal(pages_size(f.p), 0);
	pages_go(f.p, 0);
	check(&f);
	pages_cut(f.p);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_points_stay_what_they_were),
		cmocka_unit_test(what_cancels_out_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
