/* SPDX-License-Identifier: BSD-2-Clause */
/* Split rings, with what drivers may do and what they must not.  The device behind is virtio_rng,
 * which fills what it gets, or virtio_console, which shows what it reads. */
#include <sys/mman.h>

#include "test/dev/virtio_rig.h"

enum { TX = 1 };

static struct vrig *start(const char *id, uint64_t features)
{
	struct vrig *vr = vrig_new(id, NULL);

	vr_start(vr, features, 8);
	return vr;
}

static void offer_simple(struct vrig *vr, uint16_t i)
{
	vr_desc(vr, 0, i, VR_DATA, 4, VR_WRITE, 0);
	vr_offer(vr, 0, i);
}

/* The chain at 0 breaks the ring: it is not used, the driver is told, and a reset helps. */
static void expect_break(struct vrig *vr)
{
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_true(vr_broken(vr));
	assert_int_equal(vr_get(vr, R_ISR), 2);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	vr_start(vr, F_INDIRECT, 8);
	assert_false(vr_broken(vr));
	offer_simple(vr, 2);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, NULL), 2);
	vrig_free(vr);
}

static void a_chain_is_followed(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);
	uint32_t len;

	(void)state;
	vr_desc(vr, 0, 7, VR_DATA, 10, VR_WRITE | VR_NEXT, 2);
	vr_desc(vr, 0, 2, VR_DATA + 100, 0, VR_WRITE | VR_NEXT, 5);
	vr_desc(vr, 0, 5, VR_DATA + 50, 20, VR_WRITE, 5);
	vr_offer(vr, 0, 7);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, &len), 7);
	assert_int_equal(len, 30);
	assert_true(get_le(vr_at(vr, VR_DATA + 2), 8) && get_le(vr_at(vr, VR_DATA + 62), 8));
	assert_int_equal(*vr_at(vr, VR_DATA + 10), 0);
	assert_int_equal(*vr_at(vr, VR_DATA + 70), 0);
	vrig_free(vr);
}

static void a_loop_breaks(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);

	(void)state;
	vr_desc(vr, 0, 0, VR_DATA, 4, VR_WRITE | VR_NEXT, 1);
	vr_desc(vr, 0, 1, VR_DATA, 4, VR_WRITE | VR_NEXT, 0);
	expect_break(vr);
}

static void a_next_outside_breaks(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);

	(void)state;
	vr_desc(vr, 0, 0, VR_DATA, 4, VR_WRITE | VR_NEXT, 8);
	expect_break(vr);
}

static void a_head_outside_breaks(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);

	(void)state;
	vr_offer(vr, 0, 8);
	vr_kick(vr, 0);
	assert_true(vr_broken(vr));
	vrig_free(vr);
}

static void an_index_too_far_breaks(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);

	(void)state;
	vr->q[0].avail_idx = 8;
	vr_desc(vr, 0, 0, VR_DATA, 4, VR_WRITE, 0);
	expect_break(vr);
}

static void a_buffer_in_a_hole_breaks(void **state)
{
	static const uint64_t bad[] = { 0, VR_BASE, RIG_RAM - 1, RIG_RAM + RIG_RAM_SIZE - 3,
		UINT64_MAX - 1, UINT64_MAX, 1ull << 63 };
	struct vrig *vr;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		vr = start("virtio_rng", 0);
		vr_desc(vr, 0, 0, bad[i], 4, VR_WRITE, 0);
		expect_break(vr);
	}
	vr = start("virtio_rng", 0);
	vr_desc(vr, 0, 0, VR_DATA, UINT32_MAX, VR_WRITE, 0);
	expect_break(vr);
}

static void a_buffer_to_read_behind_one_to_write_breaks(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);

	(void)state;
	vr_desc(vr, 0, 0, VR_DATA, 4, VR_WRITE | VR_NEXT, 1);
	vr_desc(vr, 0, 1, VR_DATA, 4, 0, 0);
	expect_break(vr);
}

static void rings_outside_of_ram_break(void **state)
{
	static const struct {
		unsigned reg;
		uint64_t addr;
	} bad[] = { { R_DESC, 0x1000 }, { R_DRIVER, RIG_RAM + RIG_RAM_SIZE - 8 },
		{ R_DEVICE, UINT64_MAX - 3 }, { R_DESC, RIG_RAM + 8 }, { R_DRIVER, RIG_RAM + 1 },
		{ R_DEVICE, RIG_RAM + 2 } };
	struct vrig *vr;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		vr = start("virtio_rng", 0);
		vr_set(vr, R_QUEUE_SEL, 0);
		vr_set(vr, R_QUEUE_READY, 0);
		vr_addr(vr, bad[i].reg, bad[i].addr);
		vr_set(vr, R_QUEUE_READY, 1);
		expect_break(vr);
	}
}

static void an_indirect_chain_is_followed(void **state)
{
	struct vrig *vr = start("virtio_console", F_INDIRECT);
	uint8_t *table = vr_at(vr, VR_DATA + 0x1000);
	struct rig_chr *chr = &vr->r->chr;

	(void)state;
	memcpy(vr_at(vr, VR_DATA), "one two", 7);
	vr_desc(vr, TX, 3, VR_DATA, 4, VR_NEXT, 4);
	vr_desc(vr, TX, 4, VR_DATA + 0x1000, 32, VR_INDIRECT | VR_WRITE, 0);
	vr_put_desc(table, 0, VR_DATA + 4, 2, VR_NEXT, 1);
	vr_put_desc(table, 1, VR_DATA + 6, 1, 0, 0);
	vr_offer(vr, TX, 3);
	vr_kick(vr, TX);
	assert_int_equal(vr_used(vr, TX, NULL), 3);
	assert_string_equal(chr->out, "one two");
	vrig_free(vr);
}

static void an_indirect_chain_may_be_longer_than_the_queue(void **state)
{
	struct vrig *vr = start("virtio_rng", F_INDIRECT);
	uint8_t *table = vr_at(vr, VR_DATA + 0x1000);
	uint32_t len;
	unsigned i;

	(void)state;
	vr_desc(vr, 0, 0, VR_DATA + 0x1000, 16 * 256, VR_INDIRECT, 0);
	for (i = 0; i < 256; i++)
		vr_put_desc(table, i, VR_DATA, 1, VR_WRITE | (i < 255 ? VR_NEXT : 0), i + 1);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, &len), 0);
	assert_int_equal(len, 256);
	vr_desc(vr, 0, 0, VR_DATA + 0x1000, 16 * 257, VR_INDIRECT, 0);
	vr_put_desc(table, 255, VR_DATA, 1, VR_WRITE | VR_NEXT, 256);
	vr_put_desc(table, 256, VR_DATA, 1, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_true(vr_broken(vr));
	vrig_free(vr);
}

static void bad_indirect_descriptors_break(void **state)
{
	const uint64_t table = VR_DATA + 0x1000;
	struct vrig *vr = start("virtio_rng", F_INDIRECT);

	(void)state;
	vr_desc(vr, 0, 0, table, 16, VR_INDIRECT | VR_NEXT, 1);
	expect_break(vr);
	vr = start("virtio_rng", F_INDIRECT);
	vr_desc(vr, 0, 0, table, 17, VR_INDIRECT, 0);
	expect_break(vr);
	vr = start("virtio_rng", F_INDIRECT);
	vr_desc(vr, 0, 0, table, 0, VR_INDIRECT, 0);
	expect_break(vr);
	vr = start("virtio_rng", F_INDIRECT);
	vr_desc(vr, 0, 0, 0x1000, 16, VR_INDIRECT, 0);
	expect_break(vr);
	vr = start("virtio_rng", 0); /* not negotiated */
	vr_desc(vr, 0, 0, table, 16, VR_INDIRECT, 0);
	vr_put_desc(vr_at(vr, table), 0, VR_DATA, 4, VR_WRITE, 0);
	expect_break(vr);
}

static void indirect_in_indirect_breaks(void **state)
{
	struct vrig *vr = start("virtio_rng", F_INDIRECT);

	(void)state;
	vr_desc(vr, 0, 0, VR_DATA + 0x1000, 32, VR_INDIRECT, 0);
	vr_put_desc(vr_at(vr, VR_DATA + 0x1000), 0, VR_DATA, 4, VR_WRITE | VR_NEXT, 1);
	vr_put_desc(vr_at(vr, VR_DATA + 0x1000), 1, VR_DATA + 0x1000, 32, VR_INDIRECT, 0);
	expect_break(vr);
	/* The queue's own table, again and again. */
	vr = start("virtio_rng", F_INDIRECT);
	vr_desc(vr, 0, 0, vr->q[0].desc, 128, VR_INDIRECT, 0);
	expect_break(vr);
	/* A loop inside of the table. */
	vr = start("virtio_rng", F_INDIRECT);
	vr_desc(vr, 0, 0, VR_DATA + 0x1000, 16, VR_INDIRECT, 0);
	vr_put_desc(vr_at(vr, VR_DATA + 0x1000), 0, VR_DATA, 4, VR_WRITE | VR_NEXT, 0);
	expect_break(vr);
}

static void indices_wrap(void **state)
{
	struct vrig *vr = start("virtio_rng", F_EVENT);
	unsigned i;

	(void)state;
	for (i = 0; i < 70000; i++) {
		offer_simple(vr, i % 8);
		put_le(vr_at(vr, vr->q[0].avail) + 4 + 16, i, 2); /* interrupt for this one */
		vr_set(vr, R_ACK, 1);
		vr_kick(vr, 0);
		assert_int_equal(vr_used(vr, 0, NULL), i % 8);
		assert_int_equal(vr_get(vr, R_ISR), 1);
		/* The device asks for a notification of the next one. */
		assert_int_equal(get_le(vr_at(vr, vr->q[0].used) + 4 + 64, 2), (i + 1) & 0xffff);
	}
	vrig_free(vr);
}

static void many_at_once_make_one_interrupt(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++)
		offer_simple(vr, i);
	vr_kick(vr, 0);
	assert_int_equal(vr->r->irq_ups[VR_IRQ], 1);
	for (i = 0; i < 8; i++)
		assert_int_equal(vr_used(vr, 0, NULL), i);
	vr_set(vr, R_ACK, 1);
	vr_kick(vr, 0); /* nothing new */
	assert_int_equal(vr->r->irq_ups[VR_IRQ], 1);
	vrig_free(vr);
}

static void drivers_may_refuse_interrupts(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);

	(void)state;
	put_le(vr_at(vr, vr->q[0].avail), 1, 2);
	offer_simple(vr, 0);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, NULL), 0);
	assert_int_equal(vr_get(vr, R_ISR), 0);
	vrig_free(vr);

	vr = start("virtio_rng", F_EVENT);
	put_le(vr_at(vr, vr->q[0].avail) + 4 + 16, 2, 2); /* only after the third */
	offer_simple(vr, 0);
	offer_simple(vr, 1);
	vr_kick(vr, 0);
	assert_int_equal(vr_get(vr, R_ISR), 0);
	offer_simple(vr, 2);
	vr_kick(vr, 0);
	assert_int_equal(vr_get(vr, R_ISR), 1);
	vrig_free(vr);
}

static void a_buffer_may_lie_in_two_pieces_of_ram(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);
	uint8_t *more = aligned_alloc(MEM_PAGE, MEM_PAGE);
	uint32_t len;

	(void)state;
	assert_non_null(more);
	memset(more, 0, MEM_PAGE);
	assert_int_equal(mem_map(vr->r->env.mem, RIG_RAM + RIG_RAM_SIZE, more, MEM_PAGE, NULL), 0);
	vr_desc(vr, 0, 0, RIG_RAM + RIG_RAM_SIZE - 8, 16, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, &len), 0);
	assert_int_equal(len, 16);
	assert_true(get_le(vr_at(vr, RIG_RAM + RIG_RAM_SIZE - 8), 8) && get_le(more, 8));
	assert_int_equal(get_le(more + 8, 8), 0);
	vrig_free(vr);
	free(more);
}

static void a_chain_of_4_gib_breaks(void **state)
{
	enum { SIZE = 1 << 30 };
	struct vrig *vr = start("virtio_rng", 0);
	void *big = mmap(
	    NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned i;

	(void)state;
	assert_ptr_not_equal(big, MAP_FAILED);
	assert_int_equal(mem_map(vr->r->env.mem, 1ull << 40, big, SIZE, NULL), 0);
	for (i = 0; i < 4; i++)
		vr_desc(vr, 0, i, 1ull << 40, SIZE, VR_WRITE | (i < 3 ? VR_NEXT : 0), i + 1);
	expect_break(vr);
	assert_int_equal(munmap(big, SIZE), 0);
}

static void note_write(void *arg, uint64_t gpa, uint64_t len)
{
	uint64_t *range = arg;

	if (gpa == VR_DATA + 0x3ffc) {
		range[0] = gpa;
		range[1] = len;
	}
}

static void code_that_is_written_over_is_told(void **state)
{
	struct vrig *vr = start("virtio_rng", 0);
	uint64_t range[2] = { 0, 0 };

	(void)state;
	mem_on_code_write(vr->r->env.mem, note_write, range);
	*mem_flags(vr->r->env.mem, VR_DATA + 0x3000) |= MEM_CODE;
	vr_desc(vr, 0, 0, VR_DATA + 0x3ffc, 4, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_int_equal(range[0], VR_DATA + 0x3ffc);
	assert_int_equal(range[1], 4);
	vrig_free(vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_followed),
		cmocka_unit_test(a_loop_breaks),
		cmocka_unit_test(a_next_outside_breaks),
		cmocka_unit_test(a_head_outside_breaks),
		cmocka_unit_test(an_index_too_far_breaks),
		cmocka_unit_test(a_buffer_in_a_hole_breaks),
		cmocka_unit_test(a_buffer_to_read_behind_one_to_write_breaks),
		cmocka_unit_test(rings_outside_of_ram_break),
		cmocka_unit_test(an_indirect_chain_is_followed),
		cmocka_unit_test(an_indirect_chain_may_be_longer_than_the_queue),
		cmocka_unit_test(bad_indirect_descriptors_break),
		cmocka_unit_test(indirect_in_indirect_breaks),
		cmocka_unit_test(indices_wrap),
		cmocka_unit_test(many_at_once_make_one_interrupt),
		cmocka_unit_test(drivers_may_refuse_interrupts),
		cmocka_unit_test(a_buffer_may_lie_in_two_pieces_of_ram),
		cmocka_unit_test(a_chain_of_4_gib_breaks),
		cmocka_unit_test(code_that_is_written_over_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
