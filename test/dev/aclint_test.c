/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { BASE = 0x2000000, MTIMECMP = 0x4000, MTIME = 0xbff8, MSIP = 1 << 3, MTIP = 1 << 7 };
enum { TICK = 100 }; /* ns: 10 MHz */

static int make(void **state)
{
	struct rig *r = rig_new();

	r->env.ncpu = 2;
	rig_dev(r, "aclint", BASE, 0, NULL);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void software_interrupts_follow_msip(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->cpu_lines[0] | r->cpu_lines[1], 0);
	rig_write(r, BASE + 4, 0xffffffff, 4);
	assert_int_equal(r->cpu_lines[0], 0);
	assert_int_equal(r->cpu_lines[1], MSIP);
	assert_int_equal(rig_read(r, BASE + 4, 4), 1); /* the other bits are zero */
	rig_write(r, BASE + 4, 0xfffffffe, 4);
	assert_int_equal(r->cpu_lines[1], 0);
	rig_write(r, BASE, 0x100000001, 8); /* two at once */
	assert_int_equal(r->cpu_lines[0] & r->cpu_lines[1], MSIP);
	assert_true(rig_read(r, BASE, 8) == 0x100000001);
}

static void harts_that_are_not_there_read_as_zero(void **state)
{
	struct rig *r = *state;

	rig_write(r, BASE + 8, 1, 4);
	rig_write(r, BASE + 0x3ff8, ~0ull, 8);
	rig_write(r, BASE + MTIMECMP + 16, 0, 8);
	rig_write(r, BASE + 0xbff0, 0, 8);
	rig_write(r, BASE + 0xc000, 0, 8);
	assert_int_equal(rig_read(r, BASE + 8, 4), 0);
	assert_int_equal(rig_read(r, BASE + 0x3ff8, 8), 0);
	assert_int_equal(rig_read(r, BASE + MTIMECMP + 16, 8), 0);
	assert_int_equal(rig_read(r, BASE + 0xbff0, 8), 0);
	assert_int_equal(rig_read(r, BASE + 0xc000, 8), 0);
	assert_int_equal(rig_read(r, BASE + 0xfffc, 4), 0);
	assert_int_equal(r->cpu_lines[0] | r->cpu_lines[1], 0);
}

static void mtime_counts(void **state)
{
	struct rig *r = *state;

	assert_int_equal(rig_read(r, BASE + MTIME, 8), 0);
	rig_advance(r, 1000 * TICK);
	assert_int_equal(rig_read(r, BASE + MTIME, 8), 1000);
	rig_advance(r, TICK - 1);
	assert_int_equal(rig_read(r, BASE + MTIME, 8), 1000);
	rig_advance(r, 1);
	assert_int_equal(rig_read(r, BASE + MTIME, 8), 1001);
	assert_int_equal(rig_read(r, BASE + MTIME, 4), 1001);
	assert_int_equal(rig_read(r, BASE + MTIME + 4, 4), 0);
}

static void mtime_can_be_set_whole_and_by_halves(void **state)
{
	struct rig *r = *state;

	rig_write(r, BASE + MTIME, 0x123456789abcdef0, 8);
	assert_true(rig_read(r, BASE + MTIME, 8) == 0x123456789abcdef0);
	assert_int_equal(rig_read(r, BASE + MTIME + 4, 4), 0x12345678);
	rig_write(r, BASE + MTIME, 5, 4);
	rig_write(r, BASE + MTIME + 4, 6, 4);
	assert_true(rig_read(r, BASE + MTIME, 8) == 0x600000005);
	rig_advance(r, TICK);
	assert_true(rig_read(r, BASE + MTIME, 8) == 0x600000006);
}

static void the_timer_fires_when_mtime_reaches_mtimecmp(void **state)
{
	struct rig *r = *state;

	rig_write(r, BASE + MTIMECMP + 8, 100, 8);
	rig_advance(r, 100 * TICK - 1);
	assert_int_equal(r->cpu_lines[1], 0);
	rig_advance(r, 1);
	assert_int_equal(r->cpu_lines[1], MTIP);
	assert_int_equal(r->cpu_lines[0], 0);
	rig_write(r, BASE + MTIMECMP + 8, 200, 8); /* a later one takes it back */
	assert_int_equal(r->cpu_lines[1], 0);
	rig_write(r, BASE + MTIMECMP + 8, 100, 8); /* and one in the past is there at once */
	assert_int_equal(r->cpu_lines[1], MTIP);
	rig_write(r, BASE + MTIMECMP + 8, 101, 8);
	assert_int_equal(r->cpu_lines[1], 0);
	assert_int_equal(clock_next(r->env.clock), 101 * TICK);
}

static void mtimecmp_can_be_set_by_halves(void **state)
{
	struct rig *r = *state;

	rig_advance(r, 50 * TICK);
	rig_write(r, BASE + MTIMECMP, 0xffffffff, 4); /* as the manual tells a 32-bit hart to */
	rig_write(r, BASE + MTIMECMP + 4, 0, 4);
	assert_int_equal(r->cpu_lines[0], 0);
	rig_write(r, BASE + MTIMECMP, 60, 4);
	assert_int_equal(rig_read(r, BASE + MTIMECMP, 8), 60);
	assert_int_equal(rig_read(r, BASE + MTIMECMP + 4, 4), 0);
	rig_advance(r, 10 * TICK);
	assert_int_equal(r->cpu_lines[0], MTIP);
}

static void setting_mtime_moves_the_timers(void **state)
{
	struct rig *r = *state;

	rig_write(r, BASE + MTIMECMP, 1000, 8);
	rig_write(r, BASE + MTIME, 999, 8);
	assert_int_equal(r->cpu_lines[0], 0);
	rig_advance(r, TICK);
	assert_int_equal(r->cpu_lines[0], MTIP);
	rig_write(r, BASE + MTIME, 0, 8);
	assert_int_equal(r->cpu_lines[0], 0);
	rig_advance(r, 999 * TICK);
	assert_int_equal(r->cpu_lines[0], 0);
	rig_advance(r, TICK);
	assert_int_equal(r->cpu_lines[0], MTIP);
}

static void a_time_beyond_all_clocks_never_comes(void **state)
{
	struct rig *r = *state;

	rig_write(r, BASE + MTIMECMP, UINT64_MAX - 1, 8);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
	rig_write(r, BASE + MTIME, UINT64_MAX - 2, 8);
	rig_advance(r, TICK);
	assert_int_equal(r->cpu_lines[0], MTIP);
}

static void reset_stops_all(void **state)
{
	struct rig *r = *state;

	rig_advance(r, 7 * TICK);
	rig_write(r, BASE, 1, 4);
	rig_write(r, BASE + MTIMECMP, 0, 8);
	rig_write(r, BASE + MTIMECMP + 8, 100, 8);
	dev_reset(r->dev[0]);
	assert_int_equal(r->cpu_lines[0], 0);
	assert_int_equal(rig_read(r, BASE + MTIME, 8), 0);
	rig_advance(r, 1000 * TICK);
	assert_int_equal(r->cpu_lines[0] | r->cpu_lines[1], 0);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	rig_write(r, BASE, 1, 4);
	rig_write(r, BASE + MTIMECMP, 0, 8);
	rig_write(r, BASE + MTIMECMP + 8, 100, 8);
	rig_reload(r->dev[0]);
	assert_int_equal(r->cpu_lines[0], MSIP | MTIP);
	assert_int_equal(r->cpu_lines[1], 0);
	rig_advance(r, 100 * TICK);
	assert_int_equal(r->cpu_lines[1], MTIP);
}

static void only_4_and_8_bytes_are_answered(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_false(bus_read(r->env.bus, BASE, &val, 1));
	assert_false(bus_read(r->env.bus, BASE + MTIME, &val, 2));
	assert_false(bus_write(r->env.bus, BASE + MTIME + 4, 0, 8));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(software_interrupts_follow_msip, make, drop),
		cmocka_unit_test_setup_teardown(harts_that_are_not_there_read_as_zero, make, drop),
		cmocka_unit_test_setup_teardown(mtime_counts, make, drop),
		cmocka_unit_test_setup_teardown(mtime_can_be_set_whole_and_by_halves, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_timer_fires_when_mtime_reaches_mtimecmp, make, drop),
		cmocka_unit_test_setup_teardown(mtimecmp_can_be_set_by_halves, make, drop),
		cmocka_unit_test_setup_teardown(setting_mtime_moves_the_timers, make, drop),
		cmocka_unit_test_setup_teardown(a_time_beyond_all_clocks_never_comes, make, drop),
		cmocka_unit_test_setup_teardown(reset_stops_all, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
		cmocka_unit_test_setup_teardown(only_4_and_8_bytes_are_answered, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
