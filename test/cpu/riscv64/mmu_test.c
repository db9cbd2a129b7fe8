/* SPDX-License-Identifier: BSD-2-Clause */
/* Address translation: volume II, 10.3 to 10.6, Svnapot, Svpbmt, Svadu. */
#include "test/cpu/riscv64/rig.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, RWX = R | W | X };
#define N       (1ull << 63)
#define PBMT(n) ((uint64_t)(n) << 61)

enum { SATP = 0x180, SV39 = 8, SV48 = 9, SV57 = 10 };

#define ROOT   RIG_RAM /* the page tables: one page a level */
#define TARGET (RIG_RAM + 0x40000)
#define VA     0x12345678ull

static unsigned levels(unsigned mode)
{
	return mode - 5;
}

static uint64_t pte_of(uint64_t pa, uint64_t bits)
{
	return pa >> 12 << 10 | bits;
}

static uint64_t pte_pa(unsigned mode, uint64_t va, unsigned level)
{
	unsigned depth = levels(mode) - 1 - level;

	return ROOT + depth * 0x1000 + (va >> (12 + 9 * level) & 511) * 8;
}

/* Translation on, in S mode, with the leaf for va at that level. */
static void map(struct rig *r, unsigned mode, uint64_t va, unsigned level, uint64_t leaf)
{
	unsigned at;

	for (at = levels(mode) - 1; at > level; at--)
		rig_put(r, pte_pa(mode, va, at), pte_of(ROOT + (levels(mode) - at) * 0x1000, V), 8);
	rig_put(r, pte_pa(mode, va, level), leaf, 8);
	r->s->satp = (uint64_t)mode << 60 | ROOT >> 12;
	rv_flush(r->s, true, 0, true, 0);
	rig_open_pmp(r);
	rig_mode(r, RV_S);
}

static int translate(
    struct rig *r, enum rv_context ctx, uint64_t va, enum rv_access access, struct rv_where *w)
{
	return rv_translate(r->s, ctx, va, 1, access, w);
}

static int fault(struct rig *r, enum rv_context ctx, enum rv_access access)
{
	struct rv_where w;

	return translate(r, ctx, VA, access, &w);
}

static void leaves_at_every_level_translate(void **state)
{
	struct rig *r = *state;
	unsigned mode, level;
	struct rv_where w;

	for (mode = SV39; mode <= SV57; mode++)
		for (level = 0; level < levels(mode); level++) {
			unsigned bits = 12 + 9 * level;
			uint64_t page = 0x5ull << bits, va = 0x2dbeefull << bits | 0x123;

			va &= (1ull << (levels(mode) * 9 + 11)) - 1;
			map(r, mode, va, level, pte_of(page, V | RWX | A | D));
			assert_int_equal(translate(r, RV_CTX_S, va, RV_LOAD, &w), 0);
			assert_int_equal(w.pa, page | (va & ((1ull << bits) - 1)));
			assert_int_equal(w.bits, bits);
			assert_true(w.whole);
			va |= ((1ull << bits) - 1) & 0x3ffffff000; /* its last page */
			assert_int_equal(translate(r, RV_CTX_S, va, RV_FETCH, &w), 0);
			assert_int_equal(w.pa, page | (va & ((1ull << bits) - 1)));
			memset(r->ram, 0, 0x8000);
		}
}

static void the_upper_half_translates(void **state)
{
	struct rig *r = *state;
	uint64_t va = 0xffffffff80000123;
	unsigned mode;
	struct rv_where w;

	for (mode = SV39; mode <= SV57; mode++) {
		map(r, mode, va, 0, pte_of(TARGET, V | RWX | A | D));
		assert_int_equal(translate(r, RV_CTX_S, va, RV_STORE, &w), 0);
		assert_int_equal(w.pa, TARGET + 0x123);
		memset(r->ram, 0, 0x8000);
	}
}

static void addresses_must_be_canonical(void **state)
{
	struct rig *r = *state;
	unsigned mode, top;
	struct rv_where w;

	for (mode = SV39; mode <= SV57; mode++) {
		top = levels(mode) * 9 + 11; /* the sign bit */
		map(r, mode, VA, 0, pte_of(TARGET, V | RWX | A | D));
		assert_int_equal(translate(r, RV_CTX_S, VA, RV_LOAD, &w), 0);
		assert_int_equal(
		    translate(r, RV_CTX_S, VA | 1ull << (top + 1), RV_LOAD, &w), RV_LOAD_PAGE);
		assert_int_equal(
		    translate(r, RV_CTX_S, VA | 1ull << 63, RV_STORE, &w), RV_STORE_PAGE);
		assert_int_equal(
		    translate(r, RV_CTX_S, VA | 1ull << top, RV_FETCH, &w), RV_FETCH_PAGE);
		memset(r->ram, 0, 0x8000);
	}
}

/* What loads, stores and fetches from S mode get from a leaf at level 0: OK or a page fault. */
static void leaf_encodings(void **state)
{
	static const struct {
		uint64_t pte;
		bool load, store, fetch;
	} cases[] = {
		{ V | R | A | D, 1, 0, 0 }, { V | X | A | D, 0, 0, 1 },
		{ V | R | X | A | D, 1, 0, 1 }, { V | R | W | A | D, 1, 1, 0 },
		{ V | RWX | A | D, 1, 1, 1 },
		{ V | RWX | G | A | D | 3 << 8, 1, 1, 1 },      /* G and RSW mean nothing here */
		{ RWX | A | D, 0, 0, 0 },                       /* not valid */
		{ V | W | A | D, 0, 0, 0 },                     /* reserved */
		{ V | W | X | A | D, 0, 0, 0 }, { V, 0, 0, 0 }, /* a pointer at the last level */
		{ V | RWX | A | D | 1ull << 54, 0, 0, 0 },
		{ V | RWX | A | D | 1ull << 60, 0, 0, 0 },
		{ V | RWX | A | D | PBMT(1), 0, 0, 0 }, /* without menvcfg.PBMTE */
		{ V | RWX | A | D | N, 0, 0, 0 },       /* TARGET does not end in 1000 */
		{ V | RWX | U | A | D, 0, 0, 0 },
		{ V | RWX | D, 0, 0, 0 }, /* A without menvcfg.ADUE */
		{ V | RWX | A, 1, 0, 1 }, /* D */
	};
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		map(r, SV39, VA, 0, pte_of(TARGET, cases[i].pte));
		assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), cases[i].load ? 0 : RV_LOAD_PAGE);
		assert_int_equal(fault(r, RV_CTX_S, RV_STORE), cases[i].store ? 0 : RV_STORE_PAGE);
		assert_int_equal(fault(r, RV_CTX_S, RV_FETCH), cases[i].fetch ? 0 : RV_FETCH_PAGE);
		assert_int_equal(rig_get(r, pte_pa(SV39, VA, 0), 8), pte_of(TARGET, cases[i].pte));
	}
}

static void pointers_have_no_other_bits(void **state)
{
	static const uint64_t bad[] = { A, D, U, N, PBMT(1), 1ull << 54, 1ull << 60 };
	struct rig *r = *state;
	unsigned i;

	r->s->menvcfg |= MENVCFG_PBMTE;
	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX | A | D));
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), 0);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		rig_put(r, pte_pa(SV39, VA, 1), pte_of(ROOT + 0x2000, V) | bad[i], 8);
		rv_flush(r->s, true, 0, true, 0);
		assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
	}
	rig_put(r, pte_pa(SV39, VA, 1), pte_of(ROOT + 0x2000, V | G), 8);
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), 0);
}

static void superpages_must_be_aligned(void **state)
{
	struct rig *r = *state;
	unsigned bit;

	for (bit = 12; bit < 30; bit++) {
		map(r, SV39, VA, 2, pte_of(1ull << 31 | 1ull << bit, V | RWX | A | D));
		assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
		map(r, SV39, VA, 1, pte_of(1ull << 31 | 1ull << bit, V | RWX | A | D));
		assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), bit < 21 ? RV_LOAD_PAGE : 0);
	}
}

static void napot_pages_are_64_kib(void **state)
{
	struct rig *r = *state;
	struct rv_where w;
	unsigned low;

	for (low = 0; low < 16; low++) {
		map(r, SV39, VA, 0, pte_of(TARGET + low * 0x1000, V | RWX | A | D | N));
		assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), low == 8 ? 0 : RV_LOAD_PAGE);
	}
	map(r, SV39, VA, 0, pte_of(TARGET + 0x8000, V | RWX | A | D | N));
	assert_int_equal(translate(r, RV_CTX_S, VA, RV_LOAD, &w), 0);
	assert_int_equal(w.pa, TARGET | (VA & 0xffff));
	assert_int_equal(w.bits, 16);
	map(r, SV39, VA, 1, pte_of(1ull << 31, V | RWX | A | D | N)); /* only at level 0 */
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
}

static void memory_types_need_pbmte(void **state)
{
	struct rig *r = *state;
	unsigned type;

	for (type = 0; type < 4; type++) {
		map(r, SV39, VA, 0, pte_of(TARGET, V | RWX | A | D | PBMT(type)));
		r->s->menvcfg = 0;
		assert_int_equal(fault(r, RV_CTX_S, RV_STORE), type ? RV_STORE_PAGE : 0);
		r->s->menvcfg = MENVCFG_PBMTE;
		assert_int_equal(fault(r, RV_CTX_S, RV_STORE), type == 3 ? RV_STORE_PAGE : 0);
	}
}

static void user_pages_and_sum(void **state)
{
	static const struct {
		enum rv_context ctx;
		bool user, data, fetch;
	} cases[] = {
		{ RV_CTX_U, false, false, false },
		{ RV_CTX_U, true, true, true },
		{ RV_CTX_S, false, true, true },
		{ RV_CTX_S, true, false, false },
		{ RV_CTX_S_SUM, false, true, true },
		{ RV_CTX_S_SUM, true, true, false },
	};
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		map(r, SV39, VA, 0, pte_of(TARGET, V | RWX | A | D | (cases[i].user ? U : 0)));
		assert_int_equal(fault(r, cases[i].ctx, RV_LOAD), cases[i].data ? 0 : RV_LOAD_PAGE);
		assert_int_equal(
		    fault(r, cases[i].ctx, RV_STORE), cases[i].data ? 0 : RV_STORE_PAGE);
		assert_int_equal(
		    fault(r, cases[i].ctx, RV_FETCH), cases[i].fetch ? 0 : RV_FETCH_PAGE);
	}
}

static void mxr_makes_code_readable(void **state)
{
	struct rig *r = *state;

	map(r, SV39, VA, 0, pte_of(TARGET, V | X | A | D));
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
	r->s->mstatus |= MSTATUS_MXR;
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), 0);
	assert_int_equal(fault(r, RV_CTX_S, RV_STORE), RV_STORE_PAGE);
}

static void svadu_sets_a_and_d(void **state)
{
	struct rig *r = *state;
	uint64_t at = pte_pa(SV39, VA, 0);

	r->s->menvcfg = MENVCFG_ADUE;
	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX));
	assert_int_equal(fault(r, RV_CTX_U, RV_STORE), RV_STORE_PAGE); /* no use, no bits */
	assert_int_equal(rig_get(r, at, 8), pte_of(TARGET, V | RWX));
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), 0);
	assert_int_equal(rig_get(r, at, 8), pte_of(TARGET, V | RWX | A));
	assert_int_equal(fault(r, RV_CTX_S, RV_STORE), 0);
	assert_int_equal(rig_get(r, at, 8), pte_of(TARGET, V | RWX | A | D));
	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX));
	assert_int_equal(fault(r, RV_CTX_S, RV_FETCH), 0);
	assert_int_equal(rig_get(r, at, 8), pte_of(TARGET, V | RWX | A));
}

/* Entry 0: one page that S mode may only read (cfg 1) or not touch (0); 1: the rest, open. */
static void restrict_page(struct rig *r, uint64_t pa, uint8_t cfg)
{
	rv_pmp_write_cfg(r->s, 0, 0);
	rv_pmp_write_addr(r->s, 0, pa >> 2 | 0x1ff);
	rv_pmp_write_addr(r->s, 1, UINT64_MAX);
	rv_pmp_write_cfg(r->s, 0, 0x1f00 | 0x18 | cfg);
}

static void pmp_covers_the_walk(void **state)
{
	struct rig *r = *state;
	unsigned level;

	r->s->menvcfg = MENVCFG_ADUE;
	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX));
	for (level = 0; level < 3; level++) {
		restrict_page(r, ROOT + level * 0x1000, 0);
		assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_ACCESS);
		assert_int_equal(fault(r, RV_CTX_S, RV_STORE), RV_STORE_ACCESS);
		assert_int_equal(fault(r, RV_CTX_S, RV_FETCH), RV_FETCH_ACCESS);
	}
	restrict_page(r, ROOT + 0x2000, 1); /* the PTE can be read, but not get its A */
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_ACCESS);
	restrict_page(r, TARGET, 1);
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), 0);
	assert_int_equal(fault(r, RV_CTX_S, RV_STORE), RV_STORE_ACCESS);
}

static void page_tables_must_be_in_ram(void **state)
{
	struct rig *r = *state;

	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX | A | D));
	rig_put(r, pte_pa(SV39, VA, 1), pte_of(RIG_DEV, V), 8);
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_ACCESS);
	rig_put(r, pte_pa(SV39, VA, 1), pte_of(UINT64_MAX << 20 >> 8, V), 8);
	assert_int_equal(fault(r, RV_CTX_S, RV_STORE), RV_STORE_ACCESS);
	assert_int_equal(r->touched, 0);
}

static void m_mode_and_bare_do_not_translate(void **state)
{
	struct rig *r = *state;
	struct rv_where w;

	map(r, SV39, VA, 0, 0);
	assert_int_equal(translate(r, RV_CTX_M, VA, RV_FETCH, &w), 0);
	assert_int_equal(w.pa, VA);
	r->s->satp = 0;
	assert_int_equal(translate(r, RV_CTX_U, 1ull << 55 | VA, RV_LOAD, &w), 0);
	assert_int_equal(w.pa, 1ull << 55 | VA);
}

static void mprv_takes_the_context_of_mpp(void **state)
{
	static const struct {
		uint64_t mstatus;
		enum rv_context data;
	} cases[] = {
		{ 0, RV_CTX_M },
		{ MSTATUS_MPRV, RV_CTX_U },
		{ MSTATUS_MPRV | RV_S << 11, RV_CTX_S },
		{ MSTATUS_MPRV | RV_S << 11 | MSTATUS_SUM, RV_CTX_S_SUM },
		{ MSTATUS_MPRV | RV_M << 11, RV_CTX_M },
	};
	struct rig *r = *state;
	unsigned i;

	rig_mode(r, RV_M);
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		rig_set_csr(r, 0x300, cases[i].mstatus);
		assert_int_equal(rv_data_context(r->s), cases[i].data);
		assert_int_equal(rv_fetch_context(r->s), RV_CTX_M);
		assert_ptr_equal(r->s->tlb, &r->s->tlbs[cases[i].data]);
	}
	rig_mode(r, RV_U);
	assert_int_equal(rv_data_context(r->s), RV_CTX_U); /* only M mode heeds MPRV */
}

/* Makes the leaf for VA say something else, without a fence. */
static void change_leaf(struct rig *r, uint64_t leaf)
{
	rig_put(r, pte_pa(SV39, VA, 0), leaf, 8);
}

static uint64_t where_is_va(struct rig *r)
{
	struct rv_where w = { 0 };

	assert_int_equal(translate(r, RV_CTX_S, VA, RV_LOAD, &w), 0);
	return w.pa;
}

static void enter_space(struct rig *r, uint64_t asid)
{
	rv_csr(
	    r->s, SATP, RV_CSR_WRITE, (uint64_t)SV39 << 60 | asid << 44 | ROOT >> 12, false, true);
}

#define OTHER  (TARGET + 0x1000)
#define OFFSET (VA & 0xfff)

static void leaves_are_remembered_until_a_fence(void **state)
{
	struct rig *r = *state;

	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX | A | D));
	assert_int_equal(where_is_va(r), TARGET + OFFSET);
	change_leaf(r, pte_of(OTHER, V | RWX | A | D));
	assert_int_equal(where_is_va(r), TARGET + OFFSET);
	rv_flush(r->s, false, VA + 0x1000, true, 0);
	assert_int_equal(where_is_va(r), TARGET + OFFSET);
	rv_flush(r->s, false, VA, false, 1); /* of another address space */
	assert_int_equal(where_is_va(r), TARGET + OFFSET);
	rv_flush(r->s, false, VA, false, 0);
	assert_int_equal(where_is_va(r), OTHER + OFFSET);
}

static void address_spaces_are_remembered_side_by_side(void **state)
{
	struct rig *r = *state;
	uint64_t asid;

	map(r, SV39, VA, 0, 0);
	for (asid = 0; asid < 4; asid++) {
		enter_space(r, asid);
		change_leaf(r, pte_of(TARGET + (asid << 12), V | RWX | A | D));
		assert_int_equal(where_is_va(r), TARGET + (asid << 12) + OFFSET);
	}
	change_leaf(r, 0);
	for (asid = 0; asid < 4; asid++) {
		enter_space(r, asid);
		assert_int_equal(where_is_va(r), TARGET + (asid << 12) + OFFSET);
	}
	rv_flush(r->s, true, 0, false, 2);
	enter_space(r, 2);
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
	enter_space(r, 3);
	assert_int_equal(where_is_va(r), TARGET + 0x3000 + OFFSET);
	rv_flush(r->s, false, VA, true, 0);
	for (asid = 0; asid < 4; asid++) {
		enter_space(r, asid);
		assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
	}
}

static void global_pages_are_in_all_address_spaces(void **state)
{
	struct rig *r = *state;

	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX | A | D | G));
	assert_int_equal(where_is_va(r), TARGET + OFFSET);
	change_leaf(r, 0);
	enter_space(r, 5);
	assert_int_equal(where_is_va(r), TARGET + OFFSET);
	rv_flush(r->s, true, 0, false, 5); /* is not about global pages */
	assert_int_equal(where_is_va(r), TARGET + OFFSET);
	rv_flush(r->s, true, 0, true, 0);
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
}

static void numbers_of_address_spaces_can_run_out(void **state)
{
	struct rig *r = *state;
	unsigned i;

	map(r, SV39, VA, 0, pte_of(TARGET, V | RWX | A | D));
	for (i = 0; i < 20000; i++) {
		change_leaf(r, pte_of(TARGET + ((i & 7) << 12), V | RWX | A | D));
		rv_flush(r->s, true, 0, i & 1, 0);
		assert_int_equal(where_is_va(r), TARGET + ((i & 7) << 12) + OFFSET);
	}
}

static void what_is_remembered_keeps_its_permissions(void **state)
{
	struct rig *r = *state;

	map(r, SV39, VA, 0, pte_of(TARGET, V | R | X | U | A));
	assert_int_equal(fault(r, RV_CTX_U, RV_LOAD), 0);
	assert_int_equal(fault(r, RV_CTX_U, RV_FETCH), 0);
	assert_int_equal(fault(r, RV_CTX_U, RV_STORE), RV_STORE_PAGE);
	assert_int_equal(fault(r, RV_CTX_S, RV_LOAD), RV_LOAD_PAGE);
	assert_int_equal(fault(r, RV_CTX_S_SUM, RV_LOAD), 0);
	assert_int_equal(fault(r, RV_CTX_S_SUM, RV_FETCH), RV_FETCH_PAGE);
	rv_pmp_write_cfg(r->s, 0, 0x19); /* R of everything */
	assert_int_equal(fault(r, RV_CTX_U, RV_LOAD), 0);
	assert_int_equal(fault(r, RV_CTX_U, RV_FETCH), RV_FETCH_ACCESS);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(leaves_at_every_level_translate),
		TEST(the_upper_half_translates),
		TEST(addresses_must_be_canonical),
		TEST(leaf_encodings),
		TEST(pointers_have_no_other_bits),
		TEST(superpages_must_be_aligned),
		TEST(napot_pages_are_64_kib),
		TEST(memory_types_need_pbmte),
		TEST(user_pages_and_sum),
		TEST(mxr_makes_code_readable),
		TEST(svadu_sets_a_and_d),
		TEST(pmp_covers_the_walk),
		TEST(page_tables_must_be_in_ram),
		TEST(m_mode_and_bare_do_not_translate),
		TEST(mprv_takes_the_context_of_mpp),
		TEST(leaves_are_remembered_until_a_fence),
		TEST(address_spaces_are_remembered_side_by_side),
		TEST(global_pages_are_in_all_address_spaces),
		TEST(numbers_of_address_spaces_can_run_out),
		TEST(what_is_remembered_keeps_its_permissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
