/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { BASE = 0x40, CONTROL = 0x43, PORT61 = 0x61, IRQ = 5, GATE = 1, OUT = 0x20 };
enum { TICKS = 21, TICKS_NS = 17600 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(r, "pit_8254", (struct dev){ .base = BASE, .port = true, .irq_no = IRQ });
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

/* To the first moment of CLK t since the start. */
static void go(struct rig *r, uint64_t t)
{
	uint64_t when = (t * TICKS_NS + TICKS - 1) / TICKS;

	assert_true(when >= r->now);
	rig_advance(r, when - r->now);
}

static void program(struct rig *r, unsigned n, unsigned mode, unsigned count)
{
	rig_out(r, CONTROL, n << 6 | 0x30 | mode << 1, 1);
	rig_out(r, BASE + n, count & 0xff, 1);
	rig_out(r, BASE + n, count >> 8, 1);
}

static unsigned read2(struct rig *r, unsigned n)
{
	unsigned low = (unsigned)rig_in(r, BASE + n, 1);

	return low | (unsigned)rig_in(r, BASE + n, 1) << 8;
}

static unsigned status(struct rig *r, unsigned n)
{
	rig_out(r, CONTROL, 0xe0 | 2u << n, 1);
	return (unsigned)rig_in(r, BASE + n, 1);
}

static bool out(struct rig *r, unsigned n)
{
	return status(r, n) & 0x80;
}

static void gate2(struct rig *r, bool gate)
{
	rig_out(r, PORT61, gate, 1);
}

/* The output at each CLK from `from` on, a bit each. */
static uint64_t wave(struct rig *r, unsigned n, uint64_t from, unsigned len)
{
	uint64_t set = 0;
	unsigned i;

	for (i = 0; i < len; i++) {
		go(r, from + i);
		set |= (uint64_t)out(r, n) << i;
	}
	return set;
}

/* Figure 15 and on: a count written at CLK 0 is loaded at 1. */
static void mode_0_rises_at_the_end(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x10, 1);
	assert_false(out(r, 0));
	rig_out(r, BASE, 4, 1);
	assert_true(wave(r, 0, 0, 10) == 0x3e0);
	assert_true(r->irq[IRQ]);
	go(r, 11);
	assert_int_equal(rig_in(r, BASE, 1), 0xfa); /* it goes on */
	rig_out(r, BASE, 3, 1);
	assert_false(r->irq[IRQ]);
	assert_true(wave(r, 0, 11, 6) == 0x30);
	assert_int_equal(r->irq_ups[IRQ], 2);
}

static void mode_0_stops_between_two_bytes(void **state)
{
	struct rig *r = *state;

	program(r, 0, 0, 0x110);
	go(r, 17);
	assert_int_equal(read2(r, 0), 0x100);
	rig_out(r, BASE, 0x20, 1);
	go(r, 600);
	assert_false(out(r, 0));
	assert_int_equal(read2(r, 0), 0x100);
	rig_out(r, BASE, 0, 1);
	go(r, 600 + 0x20);
	assert_false(r->irq[IRQ]);
	go(r, 601 + 0x20);
	assert_true(r->irq[IRQ]);
}

static void mode_0_waits_for_its_gate(void **state)
{
	struct rig *r = *state;

	gate2(r, true);
	program(r, 2, 0, 10);
	go(r, 5);
	gate2(r, false);
	assert_int_equal(read2(r, 2), 6);
	go(r, 100);
	assert_int_equal(read2(r, 2), 6);
	gate2(r, true);
	go(r, 105);
	assert_false(rig_in(r, PORT61, 1) & OUT);
	go(r, 106);
	assert_true(rig_in(r, PORT61, 1) & OUT);
}

static void mode_1_is_started_by_its_gate(void **state)
{
	struct rig *r = *state;

	program(r, 2, 1, 4);
	assert_true(wave(r, 2, 0, 10) == 0x3ff);
	assert_int_equal(status(r, 2), 0xf2); /* OUT, null count */
	gate2(r, true);
	assert_true(wave(r, 2, 10, 8) == 0xf0);
	gate2(r, false); /* the level does not matter */
	gate2(r, true);
	go(r, 20);
	gate2(r, false);
	gate2(r, true); /* again from the start */
	assert_true(wave(r, 2, 21, 6) == 0x30);
	assert_int_equal(status(r, 2), 0xb2);
}

static void mode_2_is_low_for_one_clk_a_period(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x14, 1);
	rig_out(r, BASE, 3, 1);
	assert_true(wave(r, 0, 0, 11) == 0x5b7);
	assert_int_equal(r->irq_ups[IRQ], 1 + 3);
}

static void mode_2_counts_and_interrupts(void **state)
{
	struct rig *r = *state;

	program(r, 0, 2, 1000);
	assert_true(r->irq[IRQ]);
	assert_int_equal(r->irq_ups[IRQ], 1);
	go(r, 1);
	assert_int_equal(read2(r, 0), 1000);
	go(r, 1000);
	assert_int_equal(read2(r, 0), 1);
	assert_int_equal(r->irq_ups[IRQ], 1);
	go(r, 1001);
	assert_int_equal(read2(r, 0), 1000);
	assert_int_equal(r->irq_ups[IRQ], 2);
	go(r, 10001);
	assert_int_equal(r->irq_ups[IRQ], 3); /* those that nobody could see are one */
	go(r, 11000);
	assert_int_equal(r->irq_ups[IRQ], 3);
	go(r, 11001);
	assert_int_equal(r->irq_ups[IRQ], 4);
}

static void mode_2_takes_a_new_count_with_the_next_period(void **state)
{
	struct rig *r = *state;

	program(r, 0, 2, 1000);
	go(r, 501);
	rig_out(r, BASE, 200, 1);
	assert_int_equal(status(r, 0) & 0x40, 0); /* half of it is not one */
	rig_out(r, BASE, 0, 1);
	assert_int_equal(status(r, 0) & 0x40, 0x40);
	assert_int_equal(read2(r, 0), 500);
	go(r, 1001);
	assert_int_equal(status(r, 0) & 0x40, 0);
	assert_int_equal(read2(r, 0), 200);
	go(r, 1200);
	assert_int_equal(r->irq_ups[IRQ], 2);
	go(r, 1201);
	assert_int_equal(r->irq_ups[IRQ], 3);
}

static void the_gate_holds_and_restarts_mode_2(void **state)
{
	struct rig *r = *state;

	gate2(r, true);
	rig_out(r, CONTROL, 0x94, 1);
	rig_out(r, BASE + 2, 10, 1);
	go(r, 10);
	assert_false(out(r, 2));
	gate2(r, false);
	assert_true(out(r, 2));
	go(r, 100);
	assert_int_equal(rig_in(r, BASE + 2, 1), 1);
	gate2(r, true);
	go(r, 101);
	assert_int_equal(rig_in(r, BASE + 2, 1), 10);
	go(r, 110);
	assert_false(out(r, 2));
}

static void mode_3_is_a_square(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x16, 1);
	rig_out(r, BASE, 4, 1);
	assert_true(wave(r, 0, 1, 12) == 0x333);
	go(r, 13);
	assert_int_equal(rig_in(r, BASE, 1), 4);
	go(r, 14);
	assert_int_equal(rig_in(r, BASE, 1), 2);
	go(r, 15);
	assert_int_equal(rig_in(r, BASE, 1), 4);
}

static void mode_3_is_longer_high_for_odd_counts(void **state)
{
	static const unsigned counts[] = { 4, 2, 0, 4, 2, 4, 2, 0, 4, 2 };
	struct rig *r = *state;
	unsigned i;

	rig_out(r, CONTROL, 0x1e, 1); /* 7 is 3 */
	rig_out(r, BASE, 5, 1);
	assert_true(wave(r, 0, 1, 10) == 0xe7);
	for (i = 0; i < 10; i++) {
		go(r, 11 + i);
		assert_int_equal(rig_in(r, BASE, 1), counts[i]);
	}
}

static void mode_3_takes_a_new_count_with_the_next_half(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x16, 1);
	rig_out(r, BASE, 8, 1);
	go(r, 2);
	rig_out(r, BASE, 4, 1);
	assert_true(wave(r, 0, 2, 9) == 0x67); /* 3 more high, then 2 low, 2 high, 2 low */
	assert_int_equal(r->irq_ups[IRQ], 2);
}

static void mode_3_interrupts_once_a_period(void **state)
{
	struct rig *r = *state;

	program(r, 0, 3, 0);
	go(r, 65536);
	assert_int_equal(r->irq_ups[IRQ], 1);
	go(r, 65537);
	assert_int_equal(r->irq_ups[IRQ], 2);
	go(r, 2 * 65536 + 1);
	assert_int_equal(r->irq_ups[IRQ], 3);
}

static void mode_4_strobes_once(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x18, 1);
	rig_out(r, BASE, 3, 1);
	assert_true(wave(r, 0, 0, 10) == 0x3ef);
	assert_int_equal(r->irq_ups[IRQ], 2);
	go(r, 1000);
	assert_int_equal(r->irq_ups[IRQ], 2);
	rig_out(r, BASE, 100, 1);
	go(r, 1101);
	assert_int_equal(r->irq_ups[IRQ], 2);
	go(r, 1102);
	assert_int_equal(r->irq_ups[IRQ], 3);
}

static void mode_5_strobes_after_its_gate(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x9a, 1);
	gate2(r, true); /* nothing to start */
	rig_out(r, BASE + 2, 3, 1);
	gate2(r, false);
	assert_true(wave(r, 2, 0, 10) == 0x3ff);
	gate2(r, true);
	assert_true(wave(r, 2, 10, 8) == 0xf7);
	gate2(r, false);
	go(r, 30);
	gate2(r, true);
	go(r, 33);
	assert_true(out(r, 2));
	go(r, 34);
	assert_false(out(r, 2));
	go(r, 35);
	assert_true(out(r, 2));
}

static void bcd_counts_in_tens(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x35, 1);
	rig_out(r, BASE, 0x00, 1);
	rig_out(r, BASE, 0x20, 1);
	go(r, 2);
	assert_int_equal(read2(r, 0), 0x1999);
	go(r, 2000);
	assert_int_equal(read2(r, 0), 0x0001);
	go(r, 2001);
	assert_int_equal(read2(r, 0), 0x2000);
	assert_int_equal(r->irq_ups[IRQ], 2);
	rig_out(r, CONTROL, 0x31, 1); /* mode 0, 10000 */
	rig_out(r, BASE, 0, 1);
	rig_out(r, BASE, 0, 1);
	go(r, 2003);
	assert_int_equal(read2(r, 0), 0x9999);
	go(r, 2001 + 10003);
	assert_int_equal(read2(r, 0), 0x9998); /* past 0 */
}

static void latches_hold_until_they_are_read(void **state)
{
	struct rig *r = *state;

	program(r, 0, 2, 0x1000);
	go(r, 1);
	rig_out(r, CONTROL, 0x00, 1);
	go(r, 0x101);
	rig_out(r, CONTROL, 0x00, 1); /* ignored */
	assert_int_equal(rig_in(r, BASE, 1), 0x00);
	go(r, 0x201);
	assert_int_equal(rig_in(r, BASE, 1), 0x10);
	assert_int_equal(read2(r, 0), 0x0e00);
	rig_out(r, CONTROL, 0x00, 1);
	rig_out(r, CONTROL, 0x34, 1); /* a control word forgets it */
	rig_out(r, BASE, 0x34, 1);
	rig_out(r, BASE, 0x12, 1);
	go(r, 0x202);
	assert_int_equal(read2(r, 0), 0x1234);
}

static void read_back_latches_several(void **state)
{
	struct rig *r = *state;

	program(r, 0, 2, 1000);
	program(r, 2, 3, 2000);
	rig_out(r, CONTROL, 0xca, 1); /* count and status of 0 and 2 */
	go(r, 500);
	rig_out(r, CONTROL, 0xee, 1); /* status again: ignored where there is one */
	assert_int_equal(rig_in(r, BASE, 1), 0xf4);
	assert_int_equal(read2(r, 0), 1000);
	assert_int_equal(rig_in(r, BASE, 1), 501 & 0xff);
	assert_int_equal(rig_in(r, BASE, 1), 501 >> 8);
	assert_int_equal(rig_in(r, BASE + 1, 1), 0x70);
	assert_int_equal(rig_in(r, BASE + 2, 1), 0xf6);
	assert_int_equal(read2(r, 2), 2000);
}

static void single_bytes_can_be_chosen(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x24, 1); /* the high byte */
	rig_out(r, BASE, 2, 1);
	go(r, 1);
	assert_int_equal(rig_in(r, BASE, 1), 2);
	go(r, 2);
	assert_int_equal(rig_in(r, BASE, 1), 1);
	go(r, 513);
	assert_int_equal(r->irq_ups[IRQ], 2);
	assert_int_equal(rig_in(r, CONTROL, 1), 0xff);
}

static void port_61_tells_refresh_and_output(void **state)
{
	struct rig *r = *state;

	rig_out(r, PORT61, 0xff, 1);
	assert_int_equal(rig_in(r, PORT61, 1) & 0xcf, 0x0f);
	go(r, 18);
	assert_int_equal(rig_in(r, PORT61, 1) & 0x10, 0x10);
	go(r, 36);
	assert_int_equal(rig_in(r, PORT61, 1) & 0x10, 0);
}

/* How a PC measures its CPU: counter 2, mode 0, 50 ms. */
static void a_time_by_counter_2_is_exact(void **state)
{
	struct rig *r = *state;
	uint64_t from, ns;

	rig_advance(r, 12345);
	rig_out(r, PORT61, 1, 1);
	program(r, 2, 0, 59659);
	from = r->now;
	while (!(rig_in(r, PORT61, 1) & OUT))
		rig_advance(r, 100);
	ns = r->now - from;
	assert_in_range(ns, 50000000, 50002000);
}

static void illegal_counts_do_not_hang(void **state)
{
	struct rig *r = *state;

	rig_out(r, CONTROL, 0x14, 1);
	rig_out(r, BASE, 1, 1);
	rig_advance(r, 1000000000);
	rig_out(r, BASE, 100, 1);
	rig_out(r, CONTROL, 0x16, 1);
	rig_out(r, BASE, 1, 1);
	rig_advance(r, 1000000000);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
	rig_out(r, BASE, 100, 1);
	assert_true(clock_next(r->env.clock) != UINT64_MAX);
	rig_out(r, CONTROL, 0x14, 1);
	rig_out(r, BASE, 2, 1);
	rig_advance(r, 3600000000000);
	assert_true(clock_next(r->env.clock) > r->now);
}

static void only_bytes_are_answered(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_false(bus_read(r->env.ports, BASE, &val, 2));
	assert_false(bus_write(r->env.ports, PORT61, 0, 2));
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	program(r, 0, 2, 1000);
	rig_out(r, PORT61, 3, 1);
	program(r, 2, 3, 500);
	go(r, 400);
	rig_out(r, CONTROL, 0x80, 1);
	rig_out(r, BASE, 0x34, 1); /* half a count */
	rig_reload(r->dev[0]);
	assert_int_equal(read2(r, 0), 601);
	rig_out(r, BASE, 0x12, 1);
	assert_int_equal(rig_in(r, PORT61, 1) & 0xf, 3);
	r->irq_ups[IRQ] = 0;
	go(r, 1001);
	assert_int_equal(r->irq_ups[IRQ], 1);
	assert_int_equal(read2(r, 0), 0x1234);
	assert_int_equal(read2(r, 2), 500 - 2 * (399 % 250));
	dev_reset(r->dev[0]);
	assert_false(r->irq[IRQ]);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mode_0_rises_at_the_end, make, drop),
		cmocka_unit_test_setup_teardown(mode_0_stops_between_two_bytes, make, drop),
		cmocka_unit_test_setup_teardown(mode_0_waits_for_its_gate, make, drop),
		cmocka_unit_test_setup_teardown(mode_1_is_started_by_its_gate, make, drop),
		cmocka_unit_test_setup_teardown(mode_2_is_low_for_one_clk_a_period, make, drop),
		cmocka_unit_test_setup_teardown(mode_2_counts_and_interrupts, make, drop),
		cmocka_unit_test_setup_teardown(
		    mode_2_takes_a_new_count_with_the_next_period, make, drop),
		cmocka_unit_test_setup_teardown(the_gate_holds_and_restarts_mode_2, make, drop),
		cmocka_unit_test_setup_teardown(mode_3_is_a_square, make, drop),
		cmocka_unit_test_setup_teardown(mode_3_is_longer_high_for_odd_counts, make, drop),
		cmocka_unit_test_setup_teardown(
		    mode_3_takes_a_new_count_with_the_next_half, make, drop),
		cmocka_unit_test_setup_teardown(mode_3_interrupts_once_a_period, make, drop),
		cmocka_unit_test_setup_teardown(mode_4_strobes_once, make, drop),
		cmocka_unit_test_setup_teardown(mode_5_strobes_after_its_gate, make, drop),
		cmocka_unit_test_setup_teardown(bcd_counts_in_tens, make, drop),
		cmocka_unit_test_setup_teardown(latches_hold_until_they_are_read, make, drop),
		cmocka_unit_test_setup_teardown(read_back_latches_several, make, drop),
		cmocka_unit_test_setup_teardown(single_bytes_can_be_chosen, make, drop),
		cmocka_unit_test_setup_teardown(port_61_tells_refresh_and_output, make, drop),
		cmocka_unit_test_setup_teardown(a_time_by_counter_2_is_exact, make, drop),
		cmocka_unit_test_setup_teardown(illegal_counts_do_not_hang, make, drop),
		cmocka_unit_test_setup_teardown(only_bytes_are_answered, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
