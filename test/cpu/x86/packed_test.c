/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed blocks (cpu/x86/packed.h) are what they were, and are forgotten together.  LODGE_SEED. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86/code.h"
#include "cpu/x86/packed.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { MANY = 20000, MODES = 2 };

struct fixture {
	uint64_t random;
	struct x86_packed *packed;
	union x86_line made[1 + X86_BLOCK_INSNS], found[1 + X86_BLOCK_INSNS];
	uint8_t code[MANY]; /* only its addresses count */
};

static int set_up(void **state)
{
	const char *text = getenv("LODGE_SEED");
	struct fixture *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);

	assert_non_null(f);
	memset(f, 0, sizeof *f);
	f->random = text ? strtoull(text, NULL, 0) : 1;
	print_message("LODGE_SEED=%llu\n", (unsigned long long)f->random);
	f->packed = x86_packed_new();
	assert_non_null(f->packed);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	x86_packed_free(f->packed);
	free(f);
	return 0;
}

static unsigned below(struct fixture *f, unsigned n)
{
	return (unsigned)(random_split(&f->random) % n);
}

/* Instructions that are like the one before in most bytes, or in none.  The same again for the same
 * place and mode. */
static void make(struct fixture *f, unsigned place, unsigned mode, uint64_t salt)
{
	uint64_t r = place * MODES + mode + salt * 0x9e3779b97f4a7c15;
	struct x86_block *b = &f->made[0].block;
	uint8_t *bytes;

	*b = (struct x86_block){
		.host = f->code + place,
		.mode = mode,
		.n = (uint16_t)(1 + random_split(&r) % X86_BLOCK_INSNS),
		.len = (uint16_t)(1 + random_split(&r) % 100),
		.version = (uint32_t)random_split(&r),
		.last = f->code + place + random_split(&r) % X86_BLOCK_BYTES,
	};
	for (unsigned i = 1; i <= b->n; i++) {
		f->made[i] = f->made[i - 1];
		bytes = (uint8_t *)&f->made[i];
		for (uint64_t n = random_split(&r) % 8 ? random_split(&r) % 12 : 64; n; n--)
			bytes[random_split(&r) % 64] = (uint8_t)random_split(&r);
	}
}

static bool find(struct fixture *f, unsigned place, unsigned mode)
{
	memset(f->found, 0xa5, sizeof f->found);
	return x86_packed_find(f->packed, f->code + place, mode, &f->found[0].block);
}

static void expect(struct fixture *f, unsigned place, unsigned mode, uint64_t salt)
{
	const struct x86_block *found = &f->found[0].block, *made = &f->made[0].block;

	make(f, place, mode, salt);
	assert_ptr_equal(found->host, made->host);
	assert_int_equal(found->mode, made->mode);
	assert_int_equal(found->n, made->n);
	assert_int_equal(found->len, made->len);
	assert_int_equal(found->version, made->version);
	assert_ptr_equal(found->last, made->last);
	assert_null(found->host2);
	assert_null(found->to[0]);
	assert_null(found->to[1]);
	assert_memory_equal(&f->found[1], &f->made[1], made->n * sizeof f->made[1]);
}

static void what_is_found_is_what_was_added(void **state)
{
	enum { BLOCKS = 100 };
	struct fixture *f = *state;

	assert_false(find(f, 0, 0));
	for (unsigned i = 0; i < BLOCKS; i++) {
		make(f, i, i % MODES, 0);
		x86_packed_add(f->packed, &f->made[0].block);
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		assert_true(find(f, i, i % MODES));
		expect(f, i, i % MODES, 0);
		assert_false(find(f, i, (i + 1) % MODES));
	}
	x86_packed_forget(f->packed);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_false(find(f, i, i % MODES));
}

static void the_latest_counts(void **state)
{
	struct fixture *f = *state;

	for (uint64_t salt = 0; salt < 20; salt++) {
		make(f, 7, 1, salt);
		x86_packed_add(f->packed, &f->made[0].block);
		assert_true(find(f, 7, 1));
		expect(f, 7, 1, salt);
	}
}

/* Whoever comes again is there or is not; if it is it is right. */
static void a_full_one_keeps_what_it_has_and_then_forgets(void **state)
{
	struct fixture *f = *state;
	unsigned kept = 0, lost = 0, forgot = 0;

	for (unsigned i = 0; i < MANY; i++) {
		unsigned place = below(f, MANY), mode = below(f, MODES);

		if (find(f, place, mode)) {
			expect(f, place, mode, 0);
		} else {
			make(f, place, mode, 0);
			x86_packed_add(f->packed, &f->made[0].block);
			lost += !find(f, place, mode);
		}
		if (find(f, 0, 0)) {
			kept++;
		} else {
			make(f, 0, 0, 0);
			x86_packed_add(f->packed, &f->made[0].block);
			forgot += find(f, 0, 0);
		}
	}
	assert_true(kept && lost);
	assert_true(forgot >= 2); /* the first time it was not there yet */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_found_is_what_was_added),
		TEST(the_latest_counts),
		TEST(a_full_one_keeps_what_it_has_and_then_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
