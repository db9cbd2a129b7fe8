/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory protection: volume II, 3.7. */
#include "test/cpu/riscv64/rig.h"

enum { R = 1, W = 2, X = 4, TOR = 8, NA4 = 16, NAPOT = 24, L = 128 };

static void entry(struct rig *r, unsigned n, uint64_t addr, uint8_t cfg)
{
	unsigned shift = n % 8 * 8;
	uint64_t all = rv_pmp_read_cfg(r->s, n / 8 * 2);

	rv_pmp_write_addr(r->s, n, addr);
	all = (all & ~(0xffull << shift)) | (uint64_t)cfg << shift;
	rv_pmp_write_cfg(r->s, n / 8 * 2, all);
}

static bool allows(struct rig *r, uint64_t pa, unsigned len, enum rv_access access, unsigned mode)
{
	bool whole;

	return rv_pmp_allows(r->s, pa, len, access, mode, &whole);
}

static bool is_whole(struct rig *r, uint64_t pa)
{
	bool whole;

	rv_pmp_allows(r->s, pa, 1, RV_LOAD, RV_M, &whole);
	return whole;
}

static void without_entries_only_m_mode_has_access(void **state)
{
	struct rig *r = *state;

	assert_true(allows(r, RIG_RAM, 8, RV_STORE, RV_M));
	assert_false(allows(r, RIG_RAM, 8, RV_LOAD, RV_S));
	assert_false(allows(r, RIG_RAM, 8, RV_FETCH, RV_U));
	assert_true(is_whole(r, RIG_RAM));
}

static void each_permission_is_its_own(void **state)
{
	static const uint8_t need[] = { [RV_FETCH] = X, [RV_LOAD] = R, [RV_STORE] = W };
	struct rig *r = *state;
	unsigned cfg, access;

	for (cfg = 0; cfg < 8; cfg++) {
		if ((cfg & (R | W)) == W)
			continue;
		entry(r, 0, UINT64_MAX, (uint8_t)(cfg | NAPOT));
		for (access = RV_FETCH; access <= RV_STORE; access++) {
			bool want = cfg & need[access];

			assert_int_equal(allows(r, RIG_RAM, 4, access, RV_S), want);
			assert_int_equal(allows(r, RIG_RAM, 4, access, RV_U), want);
			assert_true(allows(r, RIG_RAM, 4, access, RV_M));
		}
	}
}

static void na4_is_four_bytes(void **state)
{
	struct rig *r = *state;

	entry(r, 0, 0x1000 >> 2, NA4 | R);
	assert_true(allows(r, 0x1000, 4, RV_LOAD, RV_S));
	assert_true(allows(r, 0x1003, 1, RV_LOAD, RV_S));
	assert_false(allows(r, 0x1004, 1, RV_LOAD, RV_S));
	assert_false(allows(r, 0xfff, 1, RV_LOAD, RV_S));
}

static void napot_has_the_size_of_its_trailing_ones(void **state)
{
	struct rig *r = *state;
	unsigned ones;

	for (ones = 0; ones < 53; ones++) {
		uint64_t size = 8ull << ones, base = ones < 52 ? size : 0;

		entry(r, 0, base >> 2 | ((1ull << ones) - 1), NAPOT | R);
		assert_true(allows(r, base, 1, RV_LOAD, RV_S));
		assert_true(allows(r, base + size - 1, 1, RV_LOAD, RV_S));
		assert_false(allows(r, base + size, 1, RV_LOAD, RV_S));
		assert_false(allows(r, base - 1, 1, RV_LOAD, RV_S));
	}
	entry(r, 0, UINT64_MAX, NAPOT | R);
	assert_true(allows(r, 0, 8, RV_LOAD, RV_S));
	assert_true(allows(r, (1ull << 56) - 8, 8, RV_LOAD, RV_S));
}

static void tor_begins_where_the_entry_before_ends(void **state)
{
	struct rig *r = *state;

	entry(r, 0, 0x2000 >> 2, TOR | R);
	entry(r, 1, 0x3000 >> 2, TOR | R | W);
	entry(r, 2, 0x2800 >> 2, TOR | R | W | X); /* empty: ends before it begins */
	assert_true(allows(r, 0, 8, RV_LOAD, RV_S));
	assert_false(allows(r, 0, 8, RV_STORE, RV_S));
	assert_true(allows(r, 0x1ff8, 8, RV_LOAD, RV_S));
	assert_true(allows(r, 0x2000, 8, RV_STORE, RV_S));
	assert_true(allows(r, 0x2ff8, 8, RV_STORE, RV_S));
	assert_false(allows(r, 0x3000, 1, RV_LOAD, RV_S));
	assert_false(allows(r, 0x2900, 1, RV_FETCH, RV_S));
}

static void an_access_that_straddles_fails_even_in_m_mode(void **state)
{
	struct rig *r = *state;

	entry(r, 0, 0x1100 >> 2, NA4 | R | W | X);
	entry(r, 1, UINT64_MAX, NAPOT | R | W | X);
	assert_false(allows(r, 0x1100, 8, RV_LOAD, RV_S));
	assert_false(allows(r, 0x10fe, 4, RV_LOAD, RV_S));
	assert_false(allows(r, 0x1100, 8, RV_LOAD, RV_M));
	assert_true(allows(r, 0x1104, 8, RV_LOAD, RV_S));
}

static void the_lowest_entry_decides(void **state)
{
	struct rig *r = *state;

	entry(r, 3, UINT64_MAX, NAPOT | R | W | X);
	entry(r, 2, 0x2000 >> 2 | 0x1ff, NAPOT | R);
	assert_false(allows(r, 0x2000, 8, RV_STORE, RV_U));
	assert_true(allows(r, 0x3000, 8, RV_STORE, RV_U));
}

static void locked_entries_bind_m_mode_and_stay(void **state)
{
	struct rig *r = *state;

	rv_pmp_write_addr(r->s, 4, 0x1000 >> 2);
	entry(r, 5, 0x2000 >> 2, TOR | R | L);
	assert_true(allows(r, 0x1000, 8, RV_LOAD, RV_M));
	assert_false(allows(r, 0x1000, 8, RV_STORE, RV_M));
	entry(r, 5, 0, 0);
	assert_int_equal(r->s->pmpcfg[5], TOR | R | L);
	assert_int_equal(r->s->pmpaddr[5], 0x2000 >> 2);
	rv_pmp_write_addr(r->s, 4, 0); /* where the locked TOR entry begins */
	assert_int_equal(r->s->pmpaddr[4], 0x1000 >> 2);
	rv_pmp_write_addr(r->s, 3, 7);
	assert_int_equal(r->s->pmpaddr[3], 7);
	rv_csr_reset(r->s);
	assert_int_equal(r->s->pmpcfg[5], 0);
}

static void whole_says_whether_the_page_is_of_one_kind(void **state)
{
	struct rig *r = *state;

	entry(r, 0, 0x5800 >> 2, NA4 | R);
	entry(r, 1, 0x6000 >> 2 | 0x1ff, NAPOT | R);
	assert_false(is_whole(r, 0x5000)); /* matches no entry, but others of its page do */
	assert_false(is_whole(r, 0x5800));
	assert_true(is_whole(r, 0x4000));
	assert_true(is_whole(r, 0x6000));
	entry(r, 0, 0x7000 >> 2, TOR | R);
	assert_true(is_whole(r, 0x5000));
}

static void fields_are_warl(void **state)
{
	struct rig *r = *state;
	unsigned n;

	for (n = 0; n < 16; n += 2)
		rv_pmp_write_cfg(r->s, n, 0x7f7f7f7f7f7f7f7f);
	for (n = 0; n < 64; n++)
		rv_pmp_write_addr(r->s, n, UINT64_MAX);
	for (n = 0; n < 16; n += 2)
		assert_int_equal(rv_pmp_read_cfg(r->s, n), n < 4 ? 0x1f1f1f1f1f1f1f1f : 0);
	for (n = 0; n < 64; n++)
		assert_int_equal(r->s->pmpaddr[n], n < 16 ? UINT64_MAX >> 10 : 0);
	entry(r, 0, 0, W | X); /* reserved */
	assert_int_equal(r->s->pmpcfg[0], X);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(without_entries_only_m_mode_has_access),
		TEST(each_permission_is_its_own),
		TEST(na4_is_four_bytes),
		TEST(napot_has_the_size_of_its_trailing_ones),
		TEST(tor_begins_where_the_entry_before_ends),
		TEST(an_access_that_straddles_fails_even_in_m_mode),
		TEST(the_lowest_entry_decides),
		TEST(locked_entries_bind_m_mode_and_stay),
		TEST(whole_says_whether_the_page_is_of_one_kind),
		TEST(fields_are_warl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
