/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads, stores and the TLBs before them: alignment, pages, devices, holes, code, flushes. */
#include "test/cpu/riscv64/rig.h"

enum { LEAF = 0xcf }; /* V R W X A D */

#define ROOT RIG_RAM
#define A    (RIG_RAM + 0x10000) /* two pages that are mapped next to each other, */
#define B    (RIG_RAM + 0x30000)
#define VA   0x40200000ull /* here and one page on */

static uint64_t *slot(struct rig *r, unsigned n)
{
	return (uint64_t *)(void *)(r->ram + 0x2000) + n;
}

/* Sv39; ROOT[1] -> [1] -> pages, and ROOT[2] -> a 2 MiB page at VA2. */
#define VA2 0x80000000ull

static void map(struct rig *r)
{
	rig_open_pmp(r);
	rig_put(r, ROOT + 8, (ROOT + 0x1000) >> 2 | 1, 8);
	rig_put(r, ROOT + 0x1008, (ROOT + 0x2000) >> 2 | 1, 8);
	*slot(r, 0) = A >> 2 | LEAF;
	*slot(r, 1) = B >> 2 | LEAF;
	rig_put(r, ROOT + 16, (ROOT + 0x3000) >> 2 | 1, 8);
	rig_put(r, ROOT + 0x3000, RIG_RAM >> 2 | LEAF, 8);
	r->s->satp = 8ull << 60 | ROOT >> 12;
	rv_flush(r->s, true, 0, true, 0);
	rig_mode(r, RV_S);
}

static bool in_tlb(struct rig *r, bool store, uint64_t va)
{
	const struct tlb *t = r->s->tlb;
	const struct tlb_entry *e = (store ? t->store : t->load) + tlb_slot(t, va);

	return e->tag == (va & ~0xfffull);
}

static void ram_takes_any_size_and_alignment(void **state)
{
	struct rig *r = *state;
	unsigned size, off;
	uint64_t val;

	for (size = 1; size <= 8; size *= 2)
		for (off = 0; off < 16; off++) {
			uint64_t want = 0x8877665544332211 & UINT64_MAX >> (64 - 8 * size);

			memset(r->ram, 0xee, 64);
			assert_int_equal(
			    rig_store(r, RIG_RAM + 8 + off, size, 0x8877665544332211), RIG_OK);
			assert_int_equal(rig_load(r, RIG_RAM + 8 + off, size, &val), RIG_OK);
			assert_int_equal(val, want);
			assert_int_equal(r->ram[7 + off], 0xee);
			assert_int_equal(r->ram[8 + off + size], 0xee);
		}
	assert_true(in_tlb(r, false, RIG_RAM));
	assert_true(in_tlb(r, true, RIG_RAM));
}

static void accesses_cross_pages(void **state)
{
	struct rig *r = *state;
	unsigned size, n;
	uint64_t val;

	map(r);
	for (size = 2; size <= 8; size *= 2)
		for (n = 1; n < size; n++) {
			assert_int_equal(
			    rig_store(r, VA + 0x1000 - n, size, 0x8877665544332211), RIG_OK);
			assert_int_equal(rig_get(r, A + 0xfff, 1), 0x11 * n);
			assert_int_equal(rig_get(r, B, 1), 0x11 * (n + 1));
			assert_int_equal(rig_load(r, VA + 0x1000 - n, size, &val), RIG_OK);
			assert_int_equal(val, 0x8877665544332211 & UINT64_MAX >> (64 - 8 * size));
		}
}

static void a_fault_in_the_second_page_stores_nothing(void **state)
{
	struct rig *r = *state;

	map(r);
	*slot(r, 1) = 0;
	assert_int_equal(rig_store(r, VA + 0xffd, 8, UINT64_MAX), RV_STORE_PAGE);
	assert_int_equal(r->s->raised_tval, VA + 0x1000);
	assert_int_equal(rig_get(r, A + 0xff8, 8), 0);
	assert_int_equal(rig_load(r, VA + 0xffd, 8, NULL), RV_LOAD_PAGE);
	assert_int_equal(r->s->raised_tval, VA + 0x1000);
	*slot(r, 1) = RIG_DEV >> 2 | LEAF;
	assert_int_equal(rig_store(r, VA + 0xffe, 4, UINT64_MAX), RV_STORE_ACCESS);
	assert_int_equal(r->s->raised_tval, VA + 0x1000);
	assert_int_equal(rig_get(r, A + 0xff8, 8), 0);
	*slot(r, 0) = 0;
	rv_flush(r->s, true, 0, true, 0);
	assert_int_equal(rig_load(r, VA + 0xffd, 8, NULL), RV_LOAD_PAGE);
	assert_int_equal(r->s->raised_tval, VA + 0xffd);
	assert_int_equal(r->touched, 0);
}

static void devices_take_aligned_accesses(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_int_equal(rig_load(r, RIG_DEV + 8, 4, &val), RIG_OK);
	assert_int_equal(val, 0x55667790);
	assert_int_equal(rig_store(r, RIG_DEV + 8, 4, 0x1ffffffff), RIG_OK);
	assert_int_equal(r->dev[1], 0xffffffff);
	assert_int_equal(r->touched, 2);
	assert_int_equal(rig_load(r, RIG_DEV + 1, 4, NULL), RV_LOAD_ACCESS);
	assert_int_equal(rig_store(r, RIG_DEV + 2, 4, 0), RV_STORE_ACCESS);
	assert_int_equal(r->s->raised_tval, RIG_DEV + 2);
	assert_int_equal(rig_load(r, RIG_DEV, 2, NULL), RV_LOAD_ACCESS); /* not its size */
	assert_int_equal(rig_load(r, RIG_HOLE, 8, NULL), RV_LOAD_ACCESS);
	assert_int_equal(rig_store(r, RIG_HOLE, 1, 0), RV_STORE_ACCESS);
	assert_int_equal(rig_load(r, UINT64_MAX - 3, 8, NULL), RV_LOAD_ACCESS);
	assert_int_equal(r->touched, 2);
	assert_false(in_tlb(r, false, RIG_DEV));
}

static void a_device_may_cover_part_of_a_page_of_ram(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_int_equal(rig_store(r, RIG_OVER, 8, 77), RIG_OK);
	assert_int_equal(r->dev[0], 77);
	assert_int_equal(rig_get(r, RIG_OVER, 8), 0);
	assert_int_equal(rig_store(r, RIG_OVER - 8, 8, 78), RIG_OK);
	assert_int_equal(rig_get(r, RIG_OVER - 8, 8), 78);
	assert_int_equal(rig_load(r, RIG_OVER - 6, 4, &val), RIG_OK);
	assert_int_equal(rig_load(r, RIG_OVER - 2, 4, NULL), RV_LOAD_ACCESS);
	assert_int_equal(r->touched, 1);
	assert_false(in_tlb(r, false, RIG_OVER));
	assert_false(in_tlb(r, true, RIG_OVER));
}

static void holes_come_out_as_exits(void **state)
{
	struct rig *r = *state;
	struct exit *x = &r->s->exit;
	uint64_t val;

	assert_int_equal(rig_load(r, RIG_HOLE + 4, 4, NULL), RIG_RETRY);
	assert_true(atomic_exchange(&r->s->attention, 0) & RV_ATT_EXIT);
	assert_int_equal(x->why, EXIT_READ);
	assert_int_equal(x->addr, RIG_HOLE + 4);
	assert_int_equal(x->size, 4);
	x->val = 0x1234567890;
	r->s->answered = true;
	assert_int_equal(rig_load(r, RIG_HOLE + 4, 4, &val), RIG_OK);
	assert_int_equal(val, 0x34567890);
	assert_false(r->s->answered);
	assert_int_equal(atomic_load(&r->s->attention), 0);
	assert_int_equal(rig_load(r, RIG_HOLE + 4, 4, NULL), RIG_RETRY); /* once only */
	atomic_store(&r->s->attention, 0);
	assert_int_equal(rig_store(r, RIG_HOLE, 2, 0xabcdef), RIG_RETRY);
	assert_true(atomic_load(&r->s->attention) & RV_ATT_EXIT);
	assert_int_equal(x->why, EXIT_WRITE);
	assert_int_equal(x->addr, RIG_HOLE);
	assert_int_equal(x->size, 2);
	assert_int_equal(x->val, 0xcdef);
	r->s->answered = true; /* it has been written */
	assert_int_equal(rig_store(r, RIG_HOLE, 2, 0xabcdef), RIG_OK);
	assert_false(r->s->answered);
	assert_int_equal(rig_load(r, RIG_HOLE + 1, 4, NULL), RV_LOAD_ACCESS);
}

static void flushing_an_address_drops_its_page(void **state)
{
	struct rig *r = *state;

	map(r);
	rig_load(r, VA, 8, NULL);
	rig_load(r, VA + 0x1000, 8, NULL);
	rv_flush(r->s, false, VA + 0xabc, false, 0);
	assert_false(in_tlb(r, false, VA));
	assert_true(in_tlb(r, false, VA + 0x1000));
	rv_flush(r->s, false, VA + 0x1000, false, 7); /* another address space's */
	assert_true(in_tlb(r, false, VA + 0x1000));
	rv_flush(r->s, true, 0, true, 0);
	assert_false(in_tlb(r, false, VA + 0x1000));
}

static void flushing_an_address_drops_all_of_its_superpage(void **state)
{
	struct rig *r = *state;

	map(r);
	rig_load(r, VA2 + 0x10000, 8, NULL);
	rig_store(r, VA2 + 0x11000, 8, 0);
	rig_load(r, VA, 8, NULL);
	rv_flush(r->s, false, VA, false, 0);
	assert_true(in_tlb(r, false, VA2 + 0x10000));
	rv_flush(r->s, false, VA2 + 0x20000, false, 0);
	assert_false(in_tlb(r, false, VA2 + 0x10000));
	assert_false(in_tlb(r, true, VA2 + 0x11000));
}

static void contexts_keep_their_entries_apart(void **state)
{
	struct rig *r = *state;

	map(r);
	rig_load(r, VA, 8, NULL);
	rig_mode(r, RV_U);
	assert_false(in_tlb(r, false, VA));
	assert_int_equal(rig_load(r, VA, 8, NULL), RV_LOAD_PAGE);
	rig_mode(r, RV_S);
	assert_true(in_tlb(r, false, VA));
	rig_mode(r, RV_M);
	rig_set_csr(r, 0x180, r->s->satp + 1);
	rig_mode(r, RV_S);
	assert_false(in_tlb(r, false, VA));
}

static void pages_that_pmp_splits_stay_out_of_the_tlb(void **state)
{
	struct rig *r = *state;

	rv_pmp_write_addr(r->s, 0, (A + 0x800) >> 2);
	rv_pmp_write_addr(r->s, 1, UINT64_MAX);
	rv_pmp_write_cfg(r->s, 0, 0x1f00 | 0x10); /* 4 bytes are closed, the rest is open */
	rig_mode(r, RV_S);
	assert_int_equal(rig_load(r, A, 8, NULL), RIG_OK);
	assert_false(in_tlb(r, false, A));
	assert_int_equal(rig_load(r, A + 0x800, 4, NULL), RV_LOAD_ACCESS);
	assert_int_equal(rig_load(r, A + 0x7fc, 8, NULL), RV_LOAD_ACCESS);
	assert_int_equal(rig_load(r, A + 0x804, 4, NULL), RIG_OK);
	assert_int_equal(rig_load(r, A + 0x1000, 4, NULL), RIG_OK);
	assert_true(in_tlb(r, false, A + 0x1000));
}

static void on_code(void *arg, uint64_t gpa, uint64_t len)
{
	struct rig *r = arg;

	r->code_writes++;
	r->code_gpa = gpa;
	r->code_len = len;
}

static void stores_to_code_are_told(void **state)
{
	struct rig *r = *state;

	map(r);
	mem_off_code_write(r->mem, r->s); /* in place of its own */
	mem_on_code_write(r->mem, on_code, r);
	rig_store(r, VA, 8, 0);
	rig_store(r, VA2 + (A - RIG_RAM), 8, 0); /* the same page elsewhere */
	rig_store(r, VA + 0x1000, 8, 0);
	*mem_flags(r->mem, A) |= MEM_CODE;
	rv_protect_code(r->s, A + 0x123);
	assert_false(in_tlb(r, true, VA));
	assert_false(in_tlb(r, true, VA2 + (A - RIG_RAM)));
	assert_true(in_tlb(r, true, VA + 0x1000));
	assert_int_equal(r->code_writes, 0);
	rig_store(r, VA + 6, 2, 0);
	assert_false(in_tlb(r, true, VA));
	assert_int_equal(r->code_writes, 1);
	assert_int_equal(r->code_gpa, A + 6);
	assert_int_equal(r->code_len, 2);
	rig_store(r, VA + 0xffd, 4, 0);
	assert_int_equal(r->code_writes, 2);
	assert_int_equal(r->code_gpa, A + 0xffd);
	assert_int_equal(r->code_len, 3);
}

static void do_atomic(struct rv *s, struct rig_call *c)
{
	void *host = rv_atomic(s, c->a, c->n, c->flag, &c->val);

	c->b = (uintptr_t)host;
}

static int atomic(struct rig *r, struct rig_call *c, uint64_t va, unsigned size, bool for_lr)
{
	*c = (struct rig_call){ do_atomic, .a = va, .n = size, .flag = for_lr };
	return rig_try(r, c);
}

static void atomics_are_aligned_and_in_ram(void **state)
{
	struct rig *r = *state;
	struct rig_call c;
	uint64_t place;

	map(r);
	mem_off_code_write(r->mem, r->s); /* in place of its own */
	mem_on_code_write(r->mem, on_code, r);
	assert_int_equal(atomic(r, &c, VA + 16, 8, true), RIG_OK);
	assert_ptr_equal((void *)(uintptr_t)c.b, mem_at(r->mem, A + 16, 8));
	place = c.val;
	assert_int_equal(atomic(r, &c, VA2 + (A - RIG_RAM) + 16, 16, false), RIG_OK);
	assert_int_equal(c.val, place);
	assert_int_equal(atomic(r, &c, VA + 16, 8, true), RIG_OK); /* from the TLB */
	assert_int_equal(c.val, place);
	assert_int_equal(atomic(r, &c, VA + 4, 8, true), RV_LOAD_MISALIGNED);
	assert_int_equal(atomic(r, &c, VA + 4, 8, false), RV_STORE_MISALIGNED);
	*slot(r, 1) = RIG_DEV >> 2 | LEAF;
	assert_int_equal(atomic(r, &c, VA + 0x1000, 8, true), RV_LOAD_ACCESS);
	assert_int_equal(atomic(r, &c, VA + 0x1000, 8, false), RV_STORE_ACCESS);
	*slot(r, 1) = B >> 2 | (LEAF & ~4); /* read-only */
	rv_flush(r->s, false, VA + 0x1000, true, 0);
	assert_int_equal(atomic(r, &c, VA + 0x1000, 8, true), RIG_OK);
	assert_int_equal(atomic(r, &c, VA + 0x1000, 8, false), RV_STORE_PAGE);
	*mem_flags(r->mem, A) |= MEM_CODE;
	rv_protect_code(r->s, A);
	assert_int_equal(atomic(r, &c, VA + 16, 8, false), RIG_OK);
	assert_int_equal(r->code_writes, 1);
}

static void do_zero(struct rv *s, struct rig_call *c)
{
	rv_cbo_zero(s, c->a);
}

static void do_check(struct rv *s, struct rig_call *c)
{
	rv_cbo_check(s, c->a);
}

static int cbo(struct rig *r, void (*fn)(struct rv *, struct rig_call *), uint64_t va)
{
	struct rig_call c = { fn, .a = va };

	return rig_try(r, &c);
}

static void cbo_acts_on_64_bytes(void **state)
{
	struct rig *r = *state;

	map(r);
	memset(r->ram + (A - RIG_RAM), 0xee, 256);
	assert_int_equal(cbo(r, do_zero, VA + 100), RIG_OK);
	assert_int_equal(rig_get(r, A + 63, 1), 0xee);
	assert_int_equal(rig_get(r, A + 64, 8), 0);
	assert_int_equal(rig_get(r, A + 120, 8), 0);
	assert_int_equal(rig_get(r, A + 128, 1), 0xee);
	assert_int_equal(cbo(r, do_check, VA + 100), RIG_OK);
	*slot(r, 1) = B >> 2 | (LEAF & ~4);
	assert_int_equal(cbo(r, do_zero, VA + 0x1000), RV_STORE_PAGE);
	assert_int_equal(cbo(r, do_check, VA + 0x1000), RIG_OK); /* reading is enough */
	*slot(r, 1) = 0;
	rv_flush(r->s, true, 0, true, 0);
	assert_int_equal(cbo(r, do_check, VA + 0x1000), RV_STORE_PAGE);
	rig_mode(r, RV_M);
	assert_int_equal(cbo(r, do_zero, RIG_DEV), RV_STORE_ACCESS);
	assert_int_equal(cbo(r, do_check, RIG_DEV), RIG_OK);
	assert_int_equal(cbo(r, do_check, RIG_HOLE), RV_STORE_ACCESS);
	assert_int_equal(r->touched, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(ram_takes_any_size_and_alignment),
		TEST(accesses_cross_pages),
		TEST(a_fault_in_the_second_page_stores_nothing),
		TEST(devices_take_aligned_accesses),
		TEST(a_device_may_cover_part_of_a_page_of_ram),
		cmocka_unit_test_setup_teardown(
		    holes_come_out_as_exits, rig_setup_holes, rig_teardown),
		TEST(flushing_an_address_drops_its_page),
		TEST(flushing_an_address_drops_all_of_its_superpage),
		TEST(contexts_keep_their_entries_apart),
		TEST(pages_that_pmp_splits_stay_out_of_the_tlb),
		TEST(stores_to_code_are_told),
		TEST(atomics_are_aligned_and_in_ram),
		TEST(cbo_acts_on_64_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
