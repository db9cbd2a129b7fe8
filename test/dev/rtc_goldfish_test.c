/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { BASE = 0x101000, IRQ = 11 };
enum {
	TIME_LOW = 0,
	TIME_HIGH = 4,
	ALARM_LOW = 8,
	ALARM_HIGH = 0xc,
	IRQ_ENABLED = 0x10,
	CLEAR_ALARM = 0x14,
	ALARM_STATUS = 0x18,
	CLEAR_INTERRUPT = 0x1c
};

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev(r, "rtc_goldfish", BASE, IRQ, NULL);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static uint32_t get(struct rig *r, unsigned off)
{
	return (uint32_t)rig_read(r, BASE + off, 4);
}

static void set(struct rig *r, unsigned off, uint64_t val)
{
	rig_write(r, BASE + off, (uint32_t)val, 4);
}

static uint64_t get_time(struct rig *r)
{
	uint64_t low = get(r, TIME_LOW);

	return low | (uint64_t)get(r, TIME_HIGH) << 32;
}

static void set_alarm(struct rig *r, uint64_t when)
{
	set(r, ALARM_HIGH, when >> 32);
	set(r, ALARM_LOW, when);
}

static void the_time_is_the_wall_clocks(void **state)
{
	struct rig *r = *state;

	assert_true(get_time(r) == RIG_WALL_NS);
	rig_advance(r, 5000000000);
	assert_true(get_time(r) == RIG_WALL_NS + 5000000000);
}

static void the_high_half_stands_still_until_the_low_is_read(void **state)
{
	struct rig *r = *state;
	uint32_t high;

	get(r, TIME_LOW);
	high = get(r, TIME_HIGH);
	rig_advance(r, 1ull << 33);
	assert_int_equal(get(r, TIME_HIGH), high);
	get(r, TIME_LOW);
	assert_int_equal(get(r, TIME_HIGH), high + 2);
}

static void the_time_can_be_set(void **state)
{
	struct rig *r = *state;

	set(r, TIME_HIGH, 0x12345678);
	set(r, TIME_LOW, 0x9abcdef0);
	assert_true(get_time(r) == 0x123456789abcdef0);
	rig_advance(r, 10);
	assert_true(get_time(r) == 0x123456789abcdefa);
}

static void the_alarm_goes_off_at_its_time(void **state)
{
	struct rig *r = *state;

	set(r, IRQ_ENABLED, 1);
	set_alarm(r, RIG_WALL_NS + 1000);
	assert_int_equal(get(r, ALARM_STATUS), 1);
	rig_advance(r, 999);
	assert_false(r->irq[IRQ]);
	rig_advance(r, 1);
	assert_true(r->irq[IRQ]);
	assert_int_equal(get(r, ALARM_STATUS), 0);
	set(r, CLEAR_INTERRUPT, 1);
	assert_false(r->irq[IRQ]);
	rig_advance(r, 10000);
	assert_int_equal(r->irq_ups[IRQ], 1);
}

static void an_alarm_in_the_past_goes_off_at_once(void **state)
{
	struct rig *r = *state;

	set(r, IRQ_ENABLED, 1);
	set_alarm(r, RIG_WALL_NS);
	assert_true(r->irq[IRQ]);
	assert_int_equal(get(r, ALARM_STATUS), 0);
}

static void a_cleared_alarm_stays_quiet(void **state)
{
	struct rig *r = *state;

	set(r, IRQ_ENABLED, 1);
	set_alarm(r, RIG_WALL_NS + 1000);
	set(r, CLEAR_ALARM, 1);
	assert_int_equal(get(r, ALARM_STATUS), 0);
	rig_advance(r, 5000);
	assert_false(r->irq[IRQ]);
}

static void a_disabled_interrupt_waits(void **state)
{
	struct rig *r = *state;

	set_alarm(r, RIG_WALL_NS + 1000);
	rig_advance(r, 1000);
	assert_false(r->irq[IRQ]);
	set(r, IRQ_ENABLED, 0xffffffff);
	assert_int_equal(get(r, IRQ_ENABLED), 1);
	assert_true(r->irq[IRQ]);
	set(r, IRQ_ENABLED, 0);
	assert_false(r->irq[IRQ]);
}

static void the_alarm_is_in_the_guests_own_time(void **state)
{
	struct rig *r = *state;

	set(r, IRQ_ENABLED, 1);
	set(r, TIME_HIGH, 1);
	set(r, TIME_LOW, 0);
	set_alarm(r, 0x100000064);
	assert_int_equal(get(r, ALARM_LOW), 0x64);
	assert_int_equal(get(r, ALARM_HIGH), 1);
	rig_advance(r, 99);
	assert_false(r->irq[IRQ]);
	rig_advance(r, 1);
	assert_true(r->irq[IRQ]);
}

static void an_alarm_at_the_end_of_time_never_comes(void **state)
{
	struct rig *r = *state;

	rig_advance(r, 1ull << 62);
	set(r, TIME_HIGH, 0);
	set(r, TIME_LOW, 0);
	set_alarm(r, UINT64_MAX);
	assert_int_equal(get(r, ALARM_STATUS), 1);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
}

static void holes_read_as_zero(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_int_equal(get(r, 0x14), 0);
	assert_int_equal(get(r, 0x20), 0);
	assert_int_equal(get(r, 0xffc), 0);
	set(r, 0x20, 1);
	set(r, ALARM_STATUS, 1);
	assert_int_equal(get(r, ALARM_STATUS), 0);
	assert_false(bus_read(r->env.bus, BASE, &val, 8));
	assert_false(bus_read(r->env.bus, BASE, &val, 1));
}

static void reset_forgets_all(void **state)
{
	struct rig *r = *state;

	set(r, IRQ_ENABLED, 1);
	set_alarm(r, 0);
	assert_true(r->irq[IRQ]);
	set_alarm(r, RIG_WALL_NS + 10);
	set(r, TIME_LOW, 0);
	dev_reset(r->dev[0]);
	assert_false(r->irq[IRQ]);
	assert_true(get_time(r) == RIG_WALL_NS);
	rig_advance(r, 100);
	set(r, IRQ_ENABLED, 1);
	assert_false(r->irq[IRQ]);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	set(r, IRQ_ENABLED, 1);
	set(r, TIME_HIGH, 2);
	set(r, TIME_LOW, 0);
	set_alarm(r, 0x200000100);
	rig_reload(r->dev[0]);
	assert_true(get_time(r) == 0x200000000);
	assert_int_equal(get(r, ALARM_STATUS), 1);
	rig_advance(r, 0xff);
	assert_false(r->irq[IRQ]);
	rig_advance(r, 1);
	assert_true(r->irq[IRQ]);
	rig_reload(r->dev[0]);
	assert_true(r->irq[IRQ]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_time_is_the_wall_clocks, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_high_half_stands_still_until_the_low_is_read, make, drop),
		cmocka_unit_test_setup_teardown(the_time_can_be_set, make, drop),
		cmocka_unit_test_setup_teardown(the_alarm_goes_off_at_its_time, make, drop),
		cmocka_unit_test_setup_teardown(an_alarm_in_the_past_goes_off_at_once, make, drop),
		cmocka_unit_test_setup_teardown(a_cleared_alarm_stays_quiet, make, drop),
		cmocka_unit_test_setup_teardown(a_disabled_interrupt_waits, make, drop),
		cmocka_unit_test_setup_teardown(the_alarm_is_in_the_guests_own_time, make, drop),
		cmocka_unit_test_setup_teardown(
		    an_alarm_at_the_end_of_time_never_comes, make, drop),
		cmocka_unit_test_setup_teardown(holes_read_as_zero, make, drop),
		cmocka_unit_test_setup_teardown(reset_forgets_all, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
