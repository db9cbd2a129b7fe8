/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of the virtio transport, modern and legacy. */
#include <libfdt.h>

#include "test/dev/virtio_rig.h"

static void an_empty_slot_has_device_id_0(void **state)
{
	struct vrig *vr = vrig_new("", NULL);

	(void)state;
	assert_int_equal(vr_get(vr, R_MAGIC), 0x74726976);
	assert_int_equal(vr_get(vr, R_VERSION), 2);
	assert_int_equal(vr_get(vr, R_DEVICE_ID), 0);
	vr_set(vr, R_STATUS, 1);
	vr_set(vr, R_NOTIFY, 0);
	assert_int_equal(vr_get(vr, R_STATUS), 0);
	vr_reload(vr);
	vrig_free(vr);
}

static void a_device_shows_itself(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	assert_int_equal(vr_get(vr, R_VERSION), 2);
	assert_int_equal(vr_get(vr, R_DEVICE_ID), 4);
	assert_true(vr_offered(vr) & F_VERSION_1);
	vr_set(vr, R_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(vr_get(vr, R_DEVICE_FEATURES), 0);
	assert_int_equal(vr_get(vr, R_QUEUE_MAX), 64);
	vr_set(vr, R_QUEUE_SEL, 1);
	assert_int_equal(vr_get(vr, R_QUEUE_MAX), 0);
	vr_set(vr, R_QUEUE_SEL, 0xffffffff);
	assert_int_equal(vr_get(vr, R_QUEUE_MAX), 0);
	vr_set(vr, R_QUEUE_READY, 1);
	assert_int_equal(vr_get(vr, R_QUEUE_READY), 0);
	vrig_free(vr);
}

static void odd_accesses_read_ones_and_write_nothing(void **state)
{
	struct vrig *vr = vrig_new("virtio_console", NULL);

	(void)state;
	assert_int_equal(rig_read(vr->r, VR_BASE, 1), 0xff);
	assert_int_equal(rig_read(vr->r, VR_BASE, 2), 0xffff);
	assert_true(rig_read(vr->r, VR_BASE, 8) == UINT64_MAX);
	rig_write(vr->r, VR_BASE + R_STATUS, 1, 1);
	assert_int_equal(vr_get(vr, R_STATUS), 0);
	assert_int_equal(vr_get(vr, R_SHM_LEN), UINT32_MAX);
	assert_int_equal(vr_get(vr, R_SHM_LEN + 0xc), UINT32_MAX);
	assert_int_equal(vr_get(vr, R_GENERATION), 0);
	assert_int_equal(vr_config(vr, 4, 4), 1);
	assert_int_equal(vr_config(vr, 4, 1), 1);
	assert_int_equal(vr_config(vr, 4, 2), 1);
	assert_true(vr_config(vr, 8, 8) == 0xffffffff00000000u);
	assert_true(vr_config(vr, 0xef8, 8) == UINT64_MAX);
	vrig_free(vr);
}

static void features_that_were_not_offered_are_refused(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	assert_false(vr_negotiate(vr, F_VERSION_1 | 1));
	assert_false(vr_negotiate(vr, F_EVENT)); /* a modern driver needs VERSION_1 */
	vr_driver_ok(vr);
	assert_false(vr_get(vr, R_STATUS) & ST_OK);
	assert_true(vr_negotiate(vr, vr_offered(vr)));
	vr_want(vr, 0); /* too late */
	vr_driver_ok(vr);
	assert_int_equal(vr_get(vr, R_STATUS), ST_ACK | ST_DRIVER | ST_FEATURES | ST_OK);
	vrig_free(vr);
}

static void offer_bytes(struct vrig *vr, uint16_t i, uint32_t len)
{
	vr_desc(vr, 0, i, VR_DATA, len, VR_WRITE, 0);
	vr_offer(vr, 0, i);
	vr_kick(vr, 0);
}

static void nothing_happens_before_driver_ok(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);
	uint32_t len;

	(void)state;
	assert_true(vr_negotiate(vr, F_VERSION_1));
	vr_queue(vr, 0, 8);
	offer_bytes(vr, 0, 16);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	assert_false(vr->r->irq[VR_IRQ]);
	vr_driver_ok(vr);
	assert_int_equal(vr_used(vr, 0, &len), 0);
	assert_int_equal(len, 16);
	vrig_free(vr);
}

static void the_line_is_high_until_all_is_acknowledged(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	vr_start(vr, 0, 8);
	offer_bytes(vr, 3, 8);
	assert_true(vr->r->irq[VR_IRQ]);
	assert_int_equal(vr_get(vr, R_ISR), 1);
	vr_set(vr, R_ACK, 2);
	assert_true(vr->r->irq[VR_IRQ]);
	vr_set(vr, R_ACK, 1);
	assert_false(vr->r->irq[VR_IRQ]);
	assert_int_equal(vr_get(vr, R_ISR), 0);
	vrig_free(vr);
}

static void status_0_resets(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	vr_start(vr, 0, 8);
	offer_bytes(vr, 3, 8);
	vr_set(vr, R_STATUS, 0);
	assert_int_equal(vr_get(vr, R_STATUS), 0);
	assert_int_equal(vr_get(vr, R_ISR), 0);
	assert_false(vr->r->irq[VR_IRQ]);
	assert_int_equal(vr_get(vr, R_QUEUE_READY), 0);
	vr_start(vr, 0, 8);
	offer_bytes(vr, 1, 8);
	assert_int_equal(vr_used(vr, 0, NULL), 1);
	vrig_free(vr);
}

static void status_bits_stay_until_reset(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	vr_start(vr, 0, 8);
	vr_set(vr, R_STATUS, ST_ACK | ST_NEEDS_RESET);
	assert_int_equal(vr_get(vr, R_STATUS), ST_ACK | ST_DRIVER | ST_FEATURES | ST_OK);
	vrig_free(vr);
}

static void a_bad_queue_size_is_refused(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);
	static const uint32_t bad[] = { 0, 3, 128, 0x10000, 0x80000000 };
	unsigned i;

	(void)state;
	vr_negotiate(vr, F_VERSION_1);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		vr_set(vr, R_QUEUE_NUM, bad[i]);
	vr_queue(vr, 0, 16);
	vr_set(vr, R_QUEUE_NUM, 8);     /* ready: too late */
	vr_addr(vr, R_DEVICE, VR_DATA); /* also */
	vr_driver_ok(vr);
	for (i = 0; i < 40; i++) {
		offer_bytes(vr, i % 16, 1);
		assert_int_equal(vr_used(vr, 0, NULL), i % 16);
	}
	vrig_free(vr);
}

static void a_queue_can_be_taken_away(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	vr_start(vr, 0, 8);
	vr_set(vr, R_QUEUE_SEL, 0);
	assert_int_equal(vr_get(vr, R_QUEUE_READY), 1);
	vr_set(vr, R_QUEUE_READY, 0);
	assert_int_equal(vr_get(vr, R_QUEUE_READY), 0);
	offer_bytes(vr, 1, 8);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	assert_false(vr_broken(vr));
	vrig_free(vr);
}

static void a_legacy_driver_works(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng,legacy", NULL);
	uint32_t len;

	(void)state;
	assert_int_equal(vr_get(vr, R_VERSION), 1);
	assert_false(vr_offered(vr) & F_VERSION_1);
	vr_start_legacy(vr, 0, 32);
	assert_int_equal(vr_get(vr, R_QUEUE_PFN), VR_RINGS >> 12);
	offer_bytes(vr, 5, 24);
	assert_int_equal(vr_used(vr, 0, &len), 5);
	assert_int_equal(len, 24);
	vr_reload(vr);
	assert_int_equal(vr_get(vr, R_QUEUE_PFN), VR_RINGS >> 12);
	offer_bytes(vr, 6, 24);
	assert_int_equal(vr_used(vr, 0, &len), 6);
	vr_set(vr, R_QUEUE_PFN, 0);
	assert_int_equal(vr_get(vr, R_QUEUE_PFN), 0);
	offer_bytes(vr, 7, 24);
	assert_int_equal(vr_used(vr, 0, &len), -1);
	vrig_free(vr);
}

static void legacy_drivers_may_use_queues_before_driver_ok(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng,legacy", NULL);

	(void)state;
	vr_start_legacy(vr, 0, 32);
	vr_set(vr, R_STATUS, 0);
	vr_set(vr, R_QUEUE_NUM, 32);
	vr_set(vr, R_QUEUE_ALIGN, 0x1000);
	vr_set(vr, R_QUEUE_PFN, VR_RINGS >> 12); /* the page size is still known */
	offer_bytes(vr, 5, 24);
	assert_int_equal(vr_used(vr, 0, NULL), 5);
	vrig_free(vr);
}

static void state_survives_save_and_load(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	vr_start(vr, F_EVENT, 8);
	offer_bytes(vr, 3, 8);
	assert_int_equal(vr_used(vr, 0, NULL), 3);
	vr_reload(vr);
	assert_true(vr->r->irq[VR_IRQ]);
	assert_int_equal(vr_get(vr, R_ISR), 1);
	offer_bytes(vr, 4, 8);
	assert_int_equal(vr_used(vr, 0, NULL), 4);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	vrig_free(vr);
}

static void a_wrong_name_is_said(void **state)
{
	struct rig *r = rig_new();
	static const char *const bad[] = { "virtio_nothing", "virtio_rng,modern", "virtio_blk" };
	struct dev where = { .env = &r->env, .base = VR_BASE };
	struct err e;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		e.text[0] = 0;
		where.id = bad[i];
		assert_null(dev_new(dev_find("virtio_mmio"), &where, &e));
		assert_non_null(strstr(e.text, "virtio"));
	}
	assert_false(bus_covers(r->env.bus, VR_BASE, 0x1000));
	rig_free(r);
}

static void the_device_tree_has_a_node(void **state)
{
	struct vrig *vr = vrig_new("", NULL);
	struct fdt *f = fdt_new();
	const void *tree = rig_tree(f, vr->d);
	int node = fdt_path_offset(tree, "/virtio_mmio@10001000");
	const uint32_t *cell;

	(void)state;
	assert_true(node >= 0);
	assert_int_equal(fdt_node_check_compatible(tree, node, "virtio,mmio"), 0);
	cell = fdt_getprop(tree, node, "interrupts", NULL);
	assert_non_null(cell);
	assert_int_equal(fdt32_to_cpu(*cell), VR_IRQ);
	fdt_free(f);
	vrig_free(vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_slot_has_device_id_0),
		cmocka_unit_test(a_device_shows_itself),
		cmocka_unit_test(odd_accesses_read_ones_and_write_nothing),
		cmocka_unit_test(features_that_were_not_offered_are_refused),
		cmocka_unit_test(nothing_happens_before_driver_ok),
		cmocka_unit_test(the_line_is_high_until_all_is_acknowledged),
		cmocka_unit_test(status_0_resets),
		cmocka_unit_test(status_bits_stay_until_reset),
		cmocka_unit_test(a_bad_queue_size_is_refused),
		cmocka_unit_test(a_queue_can_be_taken_away),
		cmocka_unit_test(a_legacy_driver_works),
		cmocka_unit_test(legacy_drivers_may_use_queues_before_driver_ok),
		cmocka_unit_test(state_survives_save_and_load),
		cmocka_unit_test(a_wrong_name_is_said),
		cmocka_unit_test(the_device_tree_has_a_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
