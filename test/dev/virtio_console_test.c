/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/virtio_rig.h"

enum { RX = 0, TX = 1 };

static struct vrig *start(void)
{
	struct vrig *vr = vrig_new("virtio_console", NULL);

	vr_start(vr, 0, 16);
	return vr;
}

static void offer_room(struct vrig *vr, uint16_t i, uint32_t len)
{
	vr_desc(vr, RX, i, VR_DATA + 64u * i, len, VR_WRITE, 0);
	vr_offer(vr, RX, i);
}

static void output_reaches_the_host(void **state)
{
	struct vrig *vr = start();
	uint32_t len;

	(void)state;
	strcpy((char *)vr_at(vr, VR_DATA), "hello, world");
	vr_desc(vr, TX, 0, VR_DATA, 7, VR_NEXT, 1);
	vr_desc(vr, TX, 1, VR_DATA + 7, 5, 0, 0);
	vr_offer(vr, TX, 0);
	vr_kick(vr, TX);
	assert_string_equal(vr->r->chr.out, "hello, world");
	assert_int_equal(vr_used(vr, TX, &len), 0);
	assert_int_equal(len, 0);
	vrig_free(vr);
}

static void input_fills_the_drivers_buffers(void **state)
{
	struct vrig *vr = start();
	uint32_t len;

	(void)state;
	assert_int_equal(rig_type(vr->r, "early"), 0);
	offer_room(vr, 0, 4);
	offer_room(vr, 1, 0); /* of no use: goes back empty */
	offer_room(vr, 2, 8);
	vr_kick(vr, RX);
	assert_int_equal(rig_type(vr->r, "soon"), 0); /* Linux would drop it now */
	assert_int_equal(vr->r->chr.rooms, 0);
	rig_advance(vr->r, 10000000);
	assert_int_equal(vr->r->chr.rooms, 1);
	assert_int_equal(vr_used(vr, RX, NULL), -1);
	assert_int_equal(rig_type(vr->r, "abcdef"), 6);
	assert_int_equal(vr_used(vr, RX, &len), 0);
	assert_int_equal(len, 4);
	assert_int_equal(vr_used(vr, RX, &len), 1);
	assert_int_equal(len, 0);
	assert_int_equal(vr_used(vr, RX, &len), 2);
	assert_int_equal(len, 2);
	assert_memory_equal(vr_at(vr, VR_DATA), "abcd", 4);
	assert_memory_equal(vr_at(vr, VR_DATA + 128), "ef", 2);
	assert_true(vr->r->irq[VR_IRQ]);
	assert_int_equal(rig_type(vr->r, "late"), 0);
	vrig_free(vr);
}

static void buffers_survive_save_and_load(void **state)
{
	struct vrig *vr = start();

	(void)state;
	offer_room(vr, 0, 4);
	vr_kick(vr, RX);
	vr_reload(vr);
	assert_int_equal(rig_type(vr->r, "abc"), 0);
	rig_advance(vr->r, 10000000);
	vr_reload(vr);
	assert_int_equal(rig_type(vr->r, "abc"), 3);
	assert_int_equal(vr_used(vr, RX, NULL), 0);
	vrig_free(vr);
}

static void emergency_writes_work_at_once(void **state)
{
	struct vrig *vr = vrig_new("virtio_console", NULL);

	(void)state;
	assert_true(vr_offered(vr) & 4);
	rig_write(vr->r, VR_BASE + R_CONFIG + 8, '!', 4);
	rig_write(vr->r, VR_BASE + R_CONFIG + 8, '?', 1);
	rig_write(vr->r, VR_BASE + R_CONFIG + 4, '.', 4);
	assert_string_equal(vr->r->chr.out, "!?");
	vrig_free(vr);
}

static void a_console_without_a_host_side_swallows(void **state)
{
	struct vrig *vr = start();

	(void)state;
	vr->d->back = NULL;
	vr_desc(vr, TX, 0, VR_DATA, 7, 0, 0);
	vr_offer(vr, TX, 0);
	vr_kick(vr, TX);
	offer_room(vr, 0, 4);
	vr_kick(vr, RX);
	assert_int_equal(vr_used(vr, TX, NULL), 0);
	vrig_free(vr);
}

static void a_broken_queue_has_no_room(void **state)
{
	struct vrig *vr = start();

	(void)state;
	offer_room(vr, 0, 4);
	vr_desc(vr, RX, 0, 0x1000, 4, VR_WRITE, 0);
	vr_kick(vr, RX);
	assert_true(vr_broken(vr));
	assert_int_equal(rig_type(vr->r, "abc"), 0);
	vrig_free(vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_reaches_the_host),
		cmocka_unit_test(input_fills_the_drivers_buffers),
		cmocka_unit_test(buffers_survive_save_and_load),
		cmocka_unit_test(emergency_writes_work_at_once),
		cmocka_unit_test(a_console_without_a_host_side_swallows),
		cmocka_unit_test(a_broken_queue_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
