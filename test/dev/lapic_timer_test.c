/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/lapic_rig.h"

enum { TPR = 0x80, SVR = 0xf0, LVT = 0x320, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0 };
enum { PERIODIC = 1 << 17, DEADLINE = 2 << 17, MASKED = 1 << 16, VECTOR = 0x61 };
enum { DIV_1 = 0xb, DIV_2 = 0, DIV_16 = 3, DIV_128 = 0xa };

static int make(void **state)
{
	struct rig *r = lapic_rig(2);

	apic_on(r, 0);
	apic_set(r, 0, DIVIDE, DIV_1);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void deadline(struct rig *r, uint64_t when)
{
	assert_true(r->intc.write_msr(r->intc.arg, 0, 0x6e0, when));
}

static uint64_t get_deadline(struct rig *r)
{
	uint64_t val;

	assert_true(r->intc.read_msr(r->intc.arg, 0, 0x6e0, &val));
	return val;
}

/* Takes and ends the timer's interrupt, if it is there. */
static bool ticked(struct rig *r)
{
	int v = apic_take(r, 0);

	assert_true(v == -1 || v == VECTOR);
	if (v >= 0)
		apic_eoi(r, 0);
	return v >= 0;
}

static void one_shot_counts_down_once(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR);
	apic_set(r, 0, INITIAL, 1000);
	rig_advance(r, 999);
	assert_int_equal(apic_get(r, 0, CURRENT), 1);
	assert_false(ticked(r));
	rig_advance(r, 1);
	assert_int_equal(apic_get(r, 0, CURRENT), 0);
	assert_int_equal(apic_get(r, 0, INITIAL), 1000);
	assert_true(ticked(r));
	rig_advance(r, 100000);
	assert_false(ticked(r));
	apic_set(r, 0, INITIAL, 10);
	apic_set(r, 0, INITIAL, 0); /* stops it */
	rig_advance(r, 100000);
	assert_false(ticked(r));
}

static void the_divider_divides(void **state)
{
	static const struct {
		unsigned bits, by;
	} t[] = { { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 },
		{ 11, 1 } };
	struct rig *r = *state;
	size_t i;

	apic_set(r, 0, LVT, VECTOR);
	for (i = 0; i < ARRAY_LEN(t); i++) {
		apic_set(r, 0, DIVIDE, t[i].bits);
		apic_set(r, 0, INITIAL, 100);
		rig_advance(r, 50 * t[i].by);
		assert_int_equal(apic_get(r, 0, CURRENT), 50);
		rig_advance(r, 50 * t[i].by - 1);
		assert_int_equal(apic_get(r, 0, CURRENT), 1);
		assert_false(ticked(r));
		rig_advance(r, 1);
		assert_true(ticked(r));
	}
}

static void a_new_divider_counts_from_there(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR);
	apic_set(r, 0, DIVIDE, DIV_2);
	apic_set(r, 0, INITIAL, 1000);
	rig_advance(r, 1000);
	apic_set(r, 0, DIVIDE, DIV_16);
	assert_int_equal(apic_get(r, 0, CURRENT), 500);
	rig_advance(r, 500 * 16 - 1);
	assert_false(ticked(r));
	rig_advance(r, 1);
	assert_true(ticked(r));
}

static void periodic_goes_on(void **state)
{
	struct rig *r = *state;
	unsigned i;

	apic_set(r, 0, LVT, VECTOR | PERIODIC);
	apic_set(r, 0, INITIAL, 1000);
	for (i = 0; i < 5; i++) {
		rig_advance(r, 999);
		assert_false(ticked(r));
		rig_advance(r, 1);
		assert_int_equal(apic_get(r, 0, CURRENT), 1000);
		assert_true(ticked(r));
	}
	rig_advance(r, 250);
	assert_int_equal(apic_get(r, 0, CURRENT), 750);
	apic_set(r, 0, INITIAL, 0);
	rig_advance(r, 10000);
	assert_false(ticked(r));
	assert_int_equal(apic_get(r, 0, CURRENT), 0);
}

static void ends_while_the_interrupt_waits_are_one(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR | PERIODIC);
	apic_set(r, 0, INITIAL, 1000);
	rig_advance(r, 1000);
	assert_true(clock_next(r->env.clock) == UINT64_MAX); /* nothing to do until it is taken */
	rig_advance(r, 5300);
	assert_int_equal(apic_take(r, 0), VECTOR);
	assert_int_equal(apic_get(r, 0, CURRENT), 700);
	rig_advance(r, 2700); /* in service: one more waits */
	apic_eoi(r, 0);
	assert_true(ticked(r));
	assert_false(ticked(r));
	rig_advance(r, 1000);
	assert_true(ticked(r));
}

static void a_period_of_nothing_does_not_hang(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR | PERIODIC);
	apic_set(r, 0, INITIAL, 1);
	rig_advance(r, 3600000000000);
	assert_true(ticked(r));
	assert_false(ticked(r));
	rig_advance(r, 1);
	assert_true(ticked(r));
}

static void ends_while_masked_are_lost(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR | PERIODIC | MASKED);
	apic_set(r, 0, INITIAL, 1000);
	rig_advance(r, 2500);
	assert_int_equal(apic_get(r, 0, CURRENT), 500);
	apic_set(r, 0, LVT, VECTOR | PERIODIC);
	assert_false(ticked(r));
	rig_advance(r, 499);
	assert_false(ticked(r));
	rig_advance(r, 1);
	assert_true(ticked(r));
	apic_set(r, 0, SVR, 0xff); /* masks all */
	rig_advance(r, 5000);
	assert_false(ticked(r));
}

static void one_shot_becomes_periodic_and_back(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR);
	apic_set(r, 0, INITIAL, 1000);
	rig_advance(r, 400);
	apic_set(r, 0, LVT, VECTOR | PERIODIC);
	assert_int_equal(apic_get(r, 0, CURRENT), 600);
	rig_advance(r, 600);
	assert_true(ticked(r));
	rig_advance(r, 1000);
	assert_true(ticked(r));
	apic_set(r, 0, LVT, VECTOR);
	rig_advance(r, 1000);
	assert_true(ticked(r));
	rig_advance(r, 1000);
	assert_false(ticked(r));
}

static void tsc_deadline(void **state)
{
	struct rig *r = *state;

	deadline(r, 100); /* not in this mode */
	assert_true(get_deadline(r) == 0);
	apic_set(r, 0, LVT, VECTOR);
	apic_set(r, 0, INITIAL, 1000);
	apic_set(r, 0, LVT, VECTOR | DEADLINE);
	apic_set(r, 0, INITIAL, 1000); /* ignored; what ran is disarmed */
	rig_advance(r, 2000);
	assert_false(ticked(r));
	assert_int_equal(apic_get(r, 0, CURRENT), 0);
	deadline(r, 5000);
	assert_true(get_deadline(r) == 5000);
	rig_advance(r, 2999);
	assert_false(ticked(r));
	rig_advance(r, 1);
	assert_true(ticked(r));
	assert_true(get_deadline(r) == 0);
	deadline(r, 4000); /* in the past */
	assert_true(ticked(r));
	deadline(r, 6000);
	deadline(r, 0);
	rig_advance(r, 5000);
	assert_false(ticked(r));
	deadline(r, 20000);
	apic_set(r, 0, LVT, VECTOR);
	assert_true(get_deadline(r) == 0);
	apic_set(r, 0, LVT, VECTOR | DEADLINE);
	rig_advance(r, 20000);
	assert_false(ticked(r));
	deadline(r, UINT64_MAX);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
}

static void a_masked_deadline_passes(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR | DEADLINE | MASKED);
	deadline(r, 1000);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
	rig_advance(r, 1000);
	assert_true(get_deadline(r) == 0);
	apic_set(r, 0, LVT, VECTOR | DEADLINE);
	assert_false(ticked(r));
}

static void the_reserved_mode_stands_still(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR | PERIODIC | DEADLINE);
	apic_set(r, 0, INITIAL, 1000);
	deadline(r, 1);
	rig_advance(r, 5000);
	assert_false(ticked(r));
	assert_int_equal(apic_get(r, 0, CURRENT), 0);
}

static void long_counts_do_not_overflow(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR | PERIODIC);
	apic_set(r, 0, DIVIDE, DIV_128);
	apic_set(r, 0, INITIAL, 0xffffffff);
	rig_advance(r, 0xffffffffull * 128 - 1);
	assert_int_equal(apic_get(r, 0, CURRENT), 1);
	assert_false(ticked(r));
	rig_advance(r, 1);
	assert_true(ticked(r));
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT, VECTOR | PERIODIC);
	apic_set(r, 0, INITIAL, 1000);
	rig_advance(r, 400);
	rig_reload(r->dev[0]);
	assert_int_equal(apic_get(r, 0, CURRENT), 600);
	rig_advance(r, 600);
	assert_true(ticked(r));
	apic_set(r, 0, LVT, VECTOR | DEADLINE);
	deadline(r, 3000);
	rig_reload(r->dev[0]);
	rig_advance(r, 2000);
	assert_true(ticked(r));
	apic_set(r, 0, LVT, VECTOR);
	apic_set(r, 0, INITIAL, 1000);
	r->intc.init(r->intc.arg, 0);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_shot_counts_down_once, make, drop),
		cmocka_unit_test_setup_teardown(the_divider_divides, make, drop),
		cmocka_unit_test_setup_teardown(a_new_divider_counts_from_there, make, drop),
		cmocka_unit_test_setup_teardown(periodic_goes_on, make, drop),
		cmocka_unit_test_setup_teardown(ends_while_the_interrupt_waits_are_one, make, drop),
		cmocka_unit_test_setup_teardown(a_period_of_nothing_does_not_hang, make, drop),
		cmocka_unit_test_setup_teardown(ends_while_masked_are_lost, make, drop),
		cmocka_unit_test_setup_teardown(one_shot_becomes_periodic_and_back, make, drop),
		cmocka_unit_test_setup_teardown(tsc_deadline, make, drop),
		cmocka_unit_test_setup_teardown(a_masked_deadline_passes, make, drop),
		cmocka_unit_test_setup_teardown(the_reserved_mode_stands_still, make, drop),
		cmocka_unit_test_setup_teardown(long_counts_do_not_overflow, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
