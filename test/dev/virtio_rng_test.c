/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/virtio_rig.h"

static struct vrig *start(void)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	vr_start(vr, 0, 8);
	return vr;
}

static uint32_t ask(struct vrig *vr, uint64_t gpa, uint32_t len, unsigned flags)
{
	uint32_t got = 0;

	vr_desc(vr, 0, 0, gpa, len, flags, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, &got), 0);
	return got;
}

static void bytes_come_from_the_event_layer(void **state)
{
	struct vrig *vr = start(), *other = start();
	uint8_t expected[32];

	(void)state;
	events_random(other->r->env.events, expected, sizeof expected);
	assert_int_equal(ask(vr, VR_DATA, 32, VR_WRITE), 32);
	assert_memory_equal(vr_at(vr, VR_DATA), expected, 32);
	vrig_free(vr);
	vrig_free(other);
}

static void a_request_has_a_limit(void **state)
{
	struct vrig *vr = start();

	(void)state;
	assert_int_equal(ask(vr, VR_DATA, 0x80000, VR_WRITE), 65536);
	assert_int_equal(get_le(vr_at(vr, VR_DATA + 65536), 8), 0);
	vrig_free(vr);
}

static void nothing_to_fill_is_no_harm(void **state)
{
	struct vrig *vr = start();

	(void)state;
	assert_int_equal(ask(vr, VR_DATA, 16, 0), 0);
	assert_int_equal(get_le(vr_at(vr, VR_DATA), 8), 0);
	vrig_free(vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_from_the_event_layer),
		cmocka_unit_test(a_request_has_a_limit),
		cmocka_unit_test(nothing_to_fill_is_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
