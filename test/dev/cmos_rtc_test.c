/* SPDX-License-Identifier: BSD-2-Clause */
#include "dev/cmos_rtc.h"
#include "test/dev/rig.h"

enum { INDEX = 0x70, DATA = 0x71, IRQ = 8 };
enum {
	SEC = 0,
	SEC_ALARM,
	MIN,
	MIN_ALARM,
	HOUR,
	HOUR_ALARM,
	WEEKDAY,
	DAY,
	MONTH,
	YEAR,
	A,
	B,
	C,
	D
};
enum { CENTURY = 0x32 };
enum { UIE = 0x10, AIE = 0x20, PIE = 0x40, SET = 0x80, H24 = 2, BINARY = 4 };
enum { UF = 0x10, AF = 0x20, PF = 0x40, IRQF = 0x80, UIP = 0x80 };
#define SECOND  1000000000ull
#define TO_TICK (SECOND - RIG_WALL_NS % SECOND) /* from the start to the next whole second */

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(r, "cmos_rtc", (struct dev){ .base = INDEX, .port = true, .irq_no = IRQ });
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static unsigned get(struct rig *r, unsigned reg)
{
	rig_out(r, INDEX, reg, 1);
	return (unsigned)rig_in(r, DATA, 1);
}

static void set(struct rig *r, unsigned reg, unsigned val)
{
	rig_out(r, INDEX, reg, 1);
	rig_out(r, DATA, val, 1);
}

/* century ... seconds, as the registers show them. */
static void time_is(struct rig *r, unsigned date, unsigned year, unsigned time, unsigned weekday)
{
	assert_int_equal(get(r, CENTURY) << 8 | get(r, YEAR), year);
	assert_int_equal(get(r, MONTH) << 8 | get(r, DAY), date);
	assert_int_equal(get(r, HOUR) << 16 | get(r, MIN) << 8 | get(r, SEC), time);
	assert_int_equal(get(r, WEEKDAY), weekday);
}

static void set_time(struct rig *r, unsigned date, unsigned year, unsigned time, unsigned weekday)
{
	unsigned b = get(r, B);

	set(r, B, b | SET);
	set(r, CENTURY, year >> 8);
	set(r, YEAR, year & 0xff);
	set(r, MONTH, date >> 8);
	set(r, DAY, date & 0xff);
	set(r, HOUR, time >> 16);
	set(r, MIN, time >> 8 & 0xff);
	set(r, SEC, time & 0xff);
	set(r, WEEKDAY, weekday);
	set(r, B, b);
}

static void the_time_is_the_wall_clocks(void **state)
{
	struct rig *r = *state;

	/* date -u -d @1700000000: Tuesday, 14 November 2023, 22:13:20 */
	time_is(r, 0x1114, 0x2023, 0x221320, 3);
	assert_int_equal(get(r, D), 0x80);
	assert_int_equal(get(r, B), H24);
	assert_int_equal(rig_in(r, INDEX, 1), 0xff);
	rig_advance(r, TO_TICK - 1);
	assert_int_equal(get(r, SEC), 0x20);
	rig_advance(r, 1);
	assert_int_equal(get(r, SEC), 0x21);
	rig_advance(r, 3 * 3600 * SECOND);
	time_is(r, 0x1115, 0x2023, 0x011321, 4);
}

static void it_starts_when_the_guest_first_looks(void **state)
{
	struct rig *r = *state;

	rig_advance(r, 100 * SECOND);
	time_is(r, 0x1114, 0x2023, 0x221500, 3);
}

static void days_months_and_years_carry(void **state)
{
	static const struct {
		unsigned date, year, weekday, next, next_year, next_weekday;
	} c[] = {
		{ 0x0228, 0x2023, 3, 0x0301, 0x2023, 4 },
		{ 0x0228, 0x2024, 7, 0x0229, 0x2024, 1 },
		{ 0x0229, 0x2000, 3, 0x0301, 0x2000, 4 },
		{ 0x0228, 0x2100, 1, 0x0301, 0x2100, 2 },
		{ 0x0430, 0x2024, 3, 0x0501, 0x2024, 4 },
		{ 0x1231, 0x1999, 6, 0x0101, 0x2000, 7 },
		{ 0x1231, 0x2024, 3, 0x0101, 0x2025, 4 },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		set_time(r, c[i].date, c[i].year, 0x235959, c[i].weekday);
		rig_advance(r, SECOND);
		time_is(r, c[i].next, c[i].next_year, 0, c[i].next_weekday);
	}
	/* Many years at once: 146097 days are 400 years. */
	set_time(r, 0x0305, 0x2024, 0x120000, 3);
	rig_advance(r, 100 * 365 * 86400ull * SECOND);
	time_is(r, 0x0210, 0x2124, 0x120000, (3 + 100 * 365 - 1) % 7 + 1);
}

static void formats_are_those_of_register_b(void **state)
{
	struct rig *r = *state;

	set(r, B, BINARY | H24);
	set_time(r, 0x0c1f, 0x1417, 0x173b3b, 1);
	rig_advance(r, SECOND);
	time_is(r, 0x0101, 0x1418, 0, 2);
	set(r, B, 0); /* BCD, 12 hours */
	set_time(r, 0x0101, 0x2024, 0x115959, 2);
	rig_advance(r, SECOND);
	assert_int_equal(get(r, HOUR), 0x92);
	rig_advance(r, 3600 * SECOND);
	assert_int_equal(get(r, HOUR), 0x81);
	rig_advance(r, 11 * 3600 * SECOND);
	assert_int_equal(get(r, HOUR), 0x12);
	assert_int_equal(get(r, DAY), 0x02);
	rig_advance(r, 3600 * SECOND);
	assert_int_equal(get(r, HOUR), 0x01);
}

static void set_holds_the_time_but_not_its_phase(void **state)
{
	struct rig *r = *state;

	set(r, B, H24 | UIE | SET);
	assert_int_equal(get(r, B), H24 | SET); /* SET clears UIE */
	rig_advance(r, 10 * SECOND);
	assert_int_equal(get(r, SEC), 0x20);
	assert_int_equal(get(r, C) & (UF | AF), 0);
	set(r, B, H24);
	rig_advance(r, TO_TICK - 1);
	assert_int_equal(get(r, SEC), 0x20);
	rig_advance(r, 1);
	assert_int_equal(get(r, SEC), 0x21);
}

static void the_divider_starts_with_half_a_second(void **state)
{
	struct rig *r = *state;

	set(r, A, 0x60);
	rig_advance(r, 100 * SECOND);
	assert_int_equal(get(r, SEC), 0x20);
	assert_int_equal(get(r, C), 0);
	set(r, A, 0x26);
	rig_advance(r, SECOND / 2 - 1);
	assert_int_equal(get(r, SEC), 0x20);
	rig_advance(r, 1);
	assert_int_equal(get(r, SEC), 0x21);
}

static void an_update_shows_before_it_ends(void **state)
{
	enum { AHEAD = (244 + 1984) * 1000 };
	struct rig *r = *state;

	get(r, A);
	rig_advance(r, TO_TICK - AHEAD - 1);
	assert_int_equal(get(r, A), 0x26);
	rig_advance(r, 1);
	assert_int_equal(get(r, A), 0x26 | UIP);
	rig_advance(r, AHEAD - 1);
	assert_int_equal(get(r, A), 0x26 | UIP);
	set(r, B, H24 | SET);
	assert_int_equal(get(r, A), 0x26);
	set(r, B, H24);
	rig_advance(r, 1);
	assert_int_equal(get(r, A), 0x26);
	set(r, A, 0xff); /* UIP cannot be written */
	assert_int_equal(get(r, A), 0x7f);
}

static void updates_interrupt(void **state)
{
	struct rig *r = *state;

	set(r, B, H24 | UIE);
	get(r, C);
	rig_advance(r, TO_TICK - 1);
	assert_false(r->irq[IRQ]);
	rig_advance(r, 1);
	assert_true(r->irq[IRQ]);
	rig_advance(r, 5 * SECOND);
	assert_int_equal(r->irq_ups[IRQ], 1); /* not again before C is read */
	assert_int_equal(get(r, C) & ~PF, IRQF | UF);
	assert_false(r->irq[IRQ]);
	assert_int_equal(get(r, C), 0);
	rig_advance(r, SECOND);
	assert_int_equal(r->irq_ups[IRQ], 2);
	set(r, B, H24);
	assert_false(r->irq[IRQ]);
	assert_int_equal(get(r, C) & ~PF, UF); /* flags do not need their enable bits */
}

static void alarms_interrupt(void **state)
{
	struct rig *r = *state;

	set(r, SEC_ALARM, 0x05);
	set(r, MIN_ALARM, 0x14);
	set(r, HOUR_ALARM, 0x22);
	set(r, B, H24 | AIE);
	rig_advance(r, TO_TICK + 44 * SECOND - 1);
	assert_false(r->irq[IRQ]);
	rig_advance(r, 1);
	assert_true(r->irq[IRQ]);
	time_is(r, 0x1114, 0x2023, 0x221405, 3);
	assert_int_equal(get(r, C) & ~PF, IRQF | AF | UF);
	rig_advance(r, 86399 * SECOND);
	assert_int_equal(get(r, C) & AF, 0);
	rig_advance(r, SECOND);
	assert_int_equal(get(r, C) & AF, AF);
	/* Every hour, at any minute that ends at 30 s. */
	set(r, HOUR_ALARM, 0xc0);
	set(r, MIN_ALARM, 0xff);
	set(r, SEC_ALARM, 0x30);
	rig_advance(r, 25 * SECOND);
	assert_int_equal(get(r, C) & AF, AF);
	rig_advance(r, 60 * SECOND);
	assert_int_equal(get(r, C) & AF, AF);
	set(r, SEC_ALARM, 0x77); /* never */
	rig_advance(r, 2 * 86400 * SECOND);
	assert_int_equal(get(r, C) & AF, 0);
}

static void periods_are_exact(void **state)
{
	static const unsigned hz[] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32,
		16, 8, 4, 2 };
	struct rig *r = *state;
	uint64_t begin, next;
	unsigned rate, i;

	get(r, A);
	rig_advance(r, TO_TICK);
	set(r, B, H24 | PIE);
	for (rate = 1; rate < 16; rate++) {
		set(r, A, 0x20 | rate);
		get(r, C);
		begin = r->now;
		for (i = 1; i <= hz[rate]; i++) {
			next = (i * SECOND + hz[rate] - 1) / hz[rate];
			assert_true(clock_next(r->env.clock) == begin + next);
			rig_advance(r, begin + next - r->now);
			assert_true(r->irq[IRQ]);
			assert_int_equal(get(r, C) & (IRQF | PF), IRQF | PF);
		}
		assert_true(r->now == begin + SECOND);
	}
	set(r, A, 0x20); /* none */
	get(r, C);
	rig_advance(r, 10 * SECOND);
	assert_int_equal(get(r, C) & PF, 0);
}

static void flags_come_without_interrupts_too(void **state)
{
	struct rig *r = *state;

	get(r, C);
	rig_advance(r, 900000); /* 1024 Hz: there may be none yet */
	rig_advance(r, 1000000);
	assert_int_equal(get(r, C), PF);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
	rig_advance(r, SECOND);
	assert_int_equal(get(r, C) & (PF | UF), PF | UF);
}

static void what_is_no_date_becomes_one(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 256; i++) {
		for (unsigned reg = 0; reg < A; reg++)
			set(r, reg, i);
		set(r, CENTURY, i);
		set(r, B, i & ~(SET | UIE | AIE | PIE));
		rig_advance(r, 86400 * SECOND);
		set(r, B, (i & BINARY) | H24);
		rig_advance(r, 86400 * SECOND);
		assert_in_range(get(r, MONTH), 1, 0x12);
		assert_in_range(get(r, WEEKDAY), 1, 7);
	}
}

static void memory_is_the_machines_and_the_guests(void **state)
{
	struct rig *r = *state;

	cmos_rtc_memory(r->dev[0], 0xc0000000, 0x140000000);
	assert_int_equal(get(r, 0x15) | get(r, 0x16) << 8, 640);
	assert_int_equal(get(r, 0x17) | get(r, 0x18) << 8, 0xffff);
	assert_int_equal(get(r, 0x34) | get(r, 0x35) << 8, 0xbf00);
	assert_int_equal(get(r, 0x5b) | get(r, 0x5c) << 8 | get(r, 0x5d) << 16, 0x14000);
	cmos_rtc_memory(r->dev[0], 32 << 20, 0);
	assert_int_equal(get(r, 0x30) | get(r, 0x31) << 8, 31 << 10);
	assert_int_equal(get(r, 0x34) | get(r, 0x35) << 8, 256);
	cmos_rtc_set(r->dev[0], 0x38, 0x21);
	assert_int_equal(get(r, 0x38), 0x21);
	set(r, 0x7f, 0xa5);
	assert_int_equal(get(r, 0x80 | 0x7f), 0xa5); /* the top bit is the NMI mask */
	set(r, C, 0xff);
	set(r, D, 0);
	assert_int_equal(get(r, D), 0x80);
}

static void the_battery_outlives_a_reset(void **state)
{
	struct rig *r = *state;

	set_time(r, 0x0203, 0x2011, 0x040506, 1);
	set(r, 0x40, 0x99);
	set(r, B, H24 | UIE | PIE | AIE | 8);
	rig_advance(r, SECOND);
	assert_true(r->irq[IRQ]);
	dev_reset(r->dev[0]);
	assert_false(r->irq[IRQ]);
	assert_int_equal(get(r, B), H24);
	assert_int_equal(get(r, 0x40), 0x99);
	time_is(r, 0x0203, 0x2011, 0x040507, 1);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	set_time(r, 0x0203, 0x2011, 0x040506, 1);
	set(r, B, H24 | UIE);
	rig_reload(r->dev[0]);
	assert_false(r->irq[IRQ]);
	rig_advance(r, SECOND);
	assert_true(r->irq[IRQ]);
	rig_reload(r->dev[0]);
	assert_true(r->irq[IRQ]);
	time_is(r, 0x0203, 0x2011, 0x040507, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_time_is_the_wall_clocks, make, drop),
		cmocka_unit_test_setup_teardown(it_starts_when_the_guest_first_looks, make, drop),
		cmocka_unit_test_setup_teardown(days_months_and_years_carry, make, drop),
		cmocka_unit_test_setup_teardown(formats_are_those_of_register_b, make, drop),
		cmocka_unit_test_setup_teardown(set_holds_the_time_but_not_its_phase, make, drop),
		cmocka_unit_test_setup_teardown(the_divider_starts_with_half_a_second, make, drop),
		cmocka_unit_test_setup_teardown(an_update_shows_before_it_ends, make, drop),
		cmocka_unit_test_setup_teardown(updates_interrupt, make, drop),
		cmocka_unit_test_setup_teardown(alarms_interrupt, make, drop),
		cmocka_unit_test_setup_teardown(periods_are_exact, make, drop),
		cmocka_unit_test_setup_teardown(flags_come_without_interrupts_too, make, drop),
		cmocka_unit_test_setup_teardown(what_is_no_date_becomes_one, make, drop),
		cmocka_unit_test_setup_teardown(memory_is_the_machines_and_the_guests, make, drop),
		cmocka_unit_test_setup_teardown(the_battery_outlives_a_reset, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
