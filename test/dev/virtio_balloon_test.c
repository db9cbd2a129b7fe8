/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "core/balloon.h"
#include "test/dev/virtio_rig.h"

enum { INFLATE, DEFLATE, STATS, HINTS, REPORTS };
enum { WANTED = 0, ACTUAL = 4, POISON = 12, PAGE = 4096 };

#define F_STATS     (1u << 1)
#define F_OOM       (1u << 2)
#define F_POISON    (1u << 4)
#define F_REPORTING (1u << 5)
#define PAGES       (RIG_RAM + 0x80000u) /* of which the guest has no need */

struct fixture {
	struct balloon b;
	struct vrig *vr;
	unsigned changes;
};

static void note_change(void *arg)
{
	((struct fixture *)arg)->changes++;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	balloon_init(&f->b);
	f->b.changed = note_change;
	f->b.changed_arg = f;
	f->vr = vrig_new("virtio_balloon", &f->b);
	memset(vr_at(f->vr, PAGES), 0x55, 16 * PAGE);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vrig_free(f->vr);
	balloon_fini(&f->b);
	free(f);
	return 0;
}

static void write_actual(struct fixture *f, uint32_t pages)
{
	rig_write(f->vr->r, VR_BASE + R_CONFIG + ACTUAL, pages, 4);
}

/* Whether the i-th page of PAGES was given back. */
static bool is_gone(struct fixture *f, unsigned i)
{
	const uint8_t *p = vr_at(f->vr, PAGES + i * PAGE);

	return !p[0] && !p[PAGE - 1];
}

static void what_is_wanted_is_told(void **state)
{
	struct fixture *f = *state;
	struct vrig *vr = f->vr;

	assert_int_equal(vr_get(vr, R_DEVICE_ID), 5);
	vr_start(vr, F_STATS, 16);
	assert_int_equal(balloon_want(&f->b, 1000, NULL), 0);
	assert_int_equal(vr_config(vr, WANTED, 4), 0);
	rig_advance(vr->r, 0); /* it comes as an event */
	assert_int_equal(vr_config(vr, WANTED, 4), 1000);
	assert_int_equal(vr_get(vr, R_ISR), 2);
	assert_int_equal(vr_get(vr, R_GENERATION), 1);
	write_actual(f, 300);
	assert_int_equal(balloon_pages(&f->b), 300);
	assert_int_equal(f->changes, 1);
	write_actual(f, 300);
	assert_int_equal(f->changes, 1);
	/* It can be saved, and what is wanted outlives a reset. */
	vr_reload(vr);
	assert_int_equal(vr_config(vr, WANTED, 4), 1000);
	assert_int_equal(vr_config(vr, ACTUAL, 4), 300);
	assert_int_equal(balloon_pages(&f->b), 300);
	vr_set(vr, R_STATUS, 0);
	assert_int_equal(balloon_pages(&f->b), 0);
	assert_int_equal(vr_config(vr, WANTED, 4), 1000);
	/* Drivers may not write what is not theirs. */
	rig_write(vr->r, VR_BASE + R_CONFIG + WANTED, 7, 4);
	rig_write(vr->r, VR_BASE + R_CONFIG + POISON, 7, 4);
	assert_int_equal(vr_config(vr, WANTED, 4), 1000);
	assert_int_equal(vr_config(vr, POISON, 4), 0);
}

static void pages_are_given_back(void **state)
{
	static const unsigned pages[] = { 1, 2, 3, 7, 6, 5, 9 };
	struct fixture *f = *state;
	struct vrig *vr = f->vr;
	unsigned i;

	vr_start(vr, 0, 16);
	for (i = 0; i < ARRAY_LEN(pages); i++)
		put_le(vr_at(vr, VR_DATA + 4 * i), PAGES / PAGE + pages[i], 4);
	put_le(vr_at(vr, VR_DATA + 4 * i++), 5, 4); /* no RAM there */
	put_le(vr_at(vr, VR_DATA + 4 * i++), UINT32_MAX, 4);
	put_le(vr_at(vr, VR_DATA + 4 * i++), PAGES / PAGE + 11, 4);
	vr_desc(vr, INFLATE, 0, VR_DATA, 6, VR_NEXT, 1);
	vr_desc(vr, INFLATE, 1, VR_DATA + 6, 4 * i - 6 + 3, 0, 0); /* and three bytes more */
	vr_offer(vr, INFLATE, 0);
	vr_kick(vr, INFLATE);
	assert_int_equal(vr_used(vr, INFLATE, NULL), 0);
	for (i = 0; i < 16; i++)
		assert_int_equal(
		    is_gone(f, i), (i >= 1 && i <= 3) || (i >= 5 && i <= 7) || i == 9 || i == 11);
	assert_false(vr_broken(vr));
	/* And taken out. */
	vr_desc(vr, DEFLATE, 0, VR_DATA, 8, 0, 0);
	vr_offer(vr, DEFLATE, 0);
	vr_kick(vr, DEFLATE);
	assert_int_equal(vr_used(vr, DEFLATE, NULL), 0);
	assert_false(is_gone(f, 4));
}

static void report(struct fixture *f, unsigned queue)
{
	vr_desc(f->vr, queue, 0, PAGES + PAGE, 2 * PAGE, VR_WRITE | VR_NEXT, 1);
	vr_desc(f->vr, queue, 1, PAGES + 4 * PAGE + 5, 3 * PAGE, VR_WRITE, 0);
	vr_offer(f->vr, queue, 0);
	vr_kick(f->vr, queue);
	assert_int_equal(vr_used(f->vr, queue, NULL), 0);
}

static void free_pages_that_are_reported_are_given_back(void **state)
{
	struct fixture *f = *state;

	vr_start(f->vr, F_REPORTING, 16);
	report(f, HINTS); /* where Linux has it */
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(is_gone(f, i), i == 1 || i == 2 || i == 5 || i == 6);
	memset(vr_at(f->vr, PAGES), 0x55, 16 * PAGE);
	vr_start(f->vr, F_REPORTING, 16);
	report(f, REPORTS);
	assert_true(is_gone(f, 1) && is_gone(f, 6));
}

static void pages_with_a_value_keep_it(void **state)
{
	struct fixture *f = *state;

	assert_true(vr_negotiate(f->vr, F_VERSION_1 | F_REPORTING | F_POISON));
	rig_write(f->vr->r, VR_BASE + R_CONFIG + POISON, 0x55555555, 4);
	vr_queue(f->vr, HINTS, 16);
	vr_driver_ok(f->vr);
	report(f, HINTS);
	for (unsigned i = 0; i < 16; i++)
		assert_false(is_gone(f, i));
	assert_true(vr_negotiate(f->vr, F_VERSION_1 | F_REPORTING | F_POISON));
	vr_queue(f->vr, HINTS, 16);
	vr_driver_ok(f->vr);
	report(f, HINTS); /* zeroes are what the driver wants */
	assert_true(is_gone(f, 1));
}

static void put_stat(struct vrig *vr, unsigned i, uint16_t tag, uint64_t val)
{
	put_le(vr_at(vr, VR_DATA + 10 * i), tag, 2);
	put_le(vr_at(vr, VR_DATA + 10 * i + 2), val, 8);
}

static void offer_stats(struct vrig *vr, uint64_t free)
{
	put_stat(vr, 0, BALLOON_FREE, free);
	put_stat(vr, 1, 1234, 1); /* nobody knows it */
	put_stat(vr, 2, BALLOON_TOTAL, 1 << 20);
	vr_desc(vr, STATS, 0, VR_DATA, 35, 0, 0);
	vr_offer(vr, STATS, 0);
	vr_kick(vr, STATS);
}

static void statistics_are_asked_for(void **state)
{
	struct fixture *f = *state;
	struct vrig *vr = f->vr;
	struct balloon_stats s;

	balloon_stats(&f->b, &s);
	assert_int_equal(s.when_s, 0);
	vr_start(vr, F_STATS | F_EVENT, 4);
	offer_stats(vr, 1000);
	balloon_stats(&f->b, &s);
	assert_int_equal(s.when_s, RIG_WALL_NS / 1000000000);
	assert_int_equal(s.value[BALLOON_FREE], 1000);
	assert_int_equal(s.value[BALLOON_TOTAL], 1 << 20);
	assert_true(s.value[BALLOON_CACHES] == UINT64_MAX);
	assert_int_equal(vr_used(vr, STATS, NULL), -1); /* it stays there */
	vr_reload(vr);
	balloon_poll(&f->b, 2, NULL);
	for (unsigned i = 0; i < 9; i++) {
		rig_advance(vr->r, i ? 2000000000 : 0);
		assert_int_equal(vr_used(vr, STATS, NULL), 0);
		/* It wants to be told of the next ones. */
		assert_int_equal(get_le(vr_at(vr, vr->q[STATS].used) + 4 + 8 * 4, 2), i + 1);
		rig_advance(vr->r, 2000000000); /* it is late, but comes */
		assert_int_equal(vr_used(vr, STATS, NULL), -1);
		offer_stats(vr, i);
		balloon_stats(&f->b, &s);
		assert_int_equal(s.value[BALLOON_FREE], i);
	}
	balloon_poll(&f->b, 0, NULL);
	rig_advance(vr->r, 0);
	rig_advance(vr->r, 10000000000);
	assert_int_equal(vr_used(vr, STATS, NULL), -1);
}

static void a_legacy_drivers_first_statistics_are_nothing(void **state)
{
	struct balloon b;
	struct balloon_stats s;
	struct vrig *vr;

	(void)state;
	balloon_init(&b);
	vr = vrig_new("virtio_balloon,legacy,oom=deflate", &b);
	assert_true(vr_offered(vr) & F_OOM);
	vr_set(vr, R_PAGE_SIZE, 0x1000);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER);
	vr_want(vr, F_STATS);
	vr->q[STATS] = (struct vring){ .size = 16, .desc = VR_RINGS };
	vr->q[STATS].avail = VR_RINGS + 16 * 16;
	vr->q[STATS].used = VR_RINGS + 0x1000;
	vr_set(vr, R_QUEUE_SEL, STATS);
	vr_set(vr, R_QUEUE_NUM, 16);
	vr_set(vr, R_QUEUE_ALIGN, 0x1000);
	vr_set(vr, R_QUEUE_PFN, VR_RINGS >> 12);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER | ST_OK);
	offer_stats(vr, 77);
	balloon_stats(&b, &s);
	assert_int_equal(s.when_s, 0);
	balloon_poll(&b, 1, NULL);
	rig_advance(vr->r, 0);
	assert_int_equal(vr_used(vr, STATS, NULL), 0);
	offer_stats(vr, 78);
	balloon_stats(&b, &s);
	assert_int_equal(s.value[BALLOON_FREE], 78);
	/* Bytes of `actual`: the last one counts. */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(balloon_pages(&b), 0);
		rig_write(vr->r, VR_BASE + R_CONFIG + ACTUAL + i, i + 1, 1);
	}
	assert_int_equal(balloon_pages(&b), 0x04030201);
	vrig_free(vr);
	balloon_fini(&b);
}

static void nobody_may_want_anything_of_it(void **state)
{
	struct vrig *vr = vrig_new("virtio_balloon", NULL);
	struct balloon b;
	struct err e = { "" };

	(void)state;
	vr_start(vr, F_STATS, 4);
	offer_stats(vr, 1);
	rig_write(vr->r, VR_BASE + R_CONFIG + ACTUAL, 3, 4);
	vrig_free(vr);
	balloon_init(&b);
	assert_int_equal(balloon_want(&b, 1, &e), -ENODEV);
	assert_non_null(strstr(e.text, "no balloon"));
	balloon_fini(&b);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(what_is_wanted_is_told),
		TEST(pages_are_given_back),
		TEST(free_pages_that_are_reported_are_given_back),
		TEST(pages_with_a_value_keep_it),
		TEST(statistics_are_asked_for),
		cmocka_unit_test(a_legacy_drivers_first_statistics_are_nothing),
		cmocka_unit_test(nobody_may_want_anything_of_it),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
