/* SPDX-License-Identifier: BSD-2-Clause */
#include "dev/pc_irq.h"
#include "test/dev/rig.h"

enum { BASE = 0xfed00000, CAPABILITIES = 0, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0 };
enum { ENABLE = 1, LEGACY = 2 };
enum { LEVEL = 2, INT = 4, PERIODIC = 8, SET = 0x40, SHORT = 0x100 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(r, "hpet", (struct dev){ .base = BASE, .pic = &r->pic });
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static uint64_t get(struct rig *r, unsigned off)
{
	return rig_read(r, BASE + off, 8);
}

static void set(struct rig *r, unsigned off, uint64_t val)
{
	rig_write(r, BASE + off, val, 8);
}

static unsigned config(unsigned n)
{
	return 0x100 + 0x20 * n;
}

static unsigned comparator(unsigned n)
{
	return 0x108 + 0x20 * n;
}

static unsigned route(unsigned pin)
{
	return pin << 9;
}

static void advance(struct rig *r, uint64_t ticks)
{
	rig_advance(r, ticks * 10);
}

static bool up(struct rig *r, unsigned pin)
{
	return r->irq[PC_IRQ_IOAPIC + pin];
}

static unsigned ups(struct rig *r, unsigned pin)
{
	return r->irq_ups[PC_IRQ_IOAPIC + pin];
}

static void registers_after_reset(void **state)
{
	struct rig *r = *state;
	unsigned n;

	assert_true(get(r, CAPABILITIES) == 0x009896808086a201);
	assert_true(get(r, CONFIG) == 0 && get(r, STATUS) == 0 && get(r, COUNTER) == 0);
	for (n = 0; n < 3; n++) {
		assert_true(get(r, config(n)) == 0x00ff010400000030);
		assert_true(get(r, comparator(n)) == UINT64_MAX);
		assert_true(get(r, comparator(n) + 8) == 0); /* no FSB */
	}
	assert_true(get(r, config(3)) == 0 && get(r, 0x3f8) == 0);
}

static void registers_keep_the_bits_that_exist(void **state)
{
	struct rig *r = *state;

	set(r, CONFIG, UINT64_MAX);
	assert_true(get(r, CONFIG) == 3);
	set(r, CONFIG, 0);
	set(r, config(1), ~(uint64_t)route(31));
	assert_true(get(r, config(1)) == 0x00ff01040000017e);
	set(r, config(1), route(20));
	assert_true(get(r, config(1)) == (0x00ff010400000030 | route(20)));
	set(r, config(1), route(4) | INT); /* not one of its routes */
	assert_true(get(r, config(1)) == (0x00ff010400000030 | route(20) | INT));
	set(r, CAPABILITIES, 0);
	set(r, 0x110, UINT64_MAX);
	assert_true(get(r, 0x110) == 0);
	set(r, 0x28, UINT64_MAX);
	assert_true(get(r, 0x28) == 0);
}

static void the_counter_runs_while_enabled(void **state)
{
	struct rig *r = *state;

	advance(r, 100);
	assert_true(get(r, COUNTER) == 0);
	set(r, COUNTER, 0xfffffffe);
	set(r, CONFIG, ENABLE);
	advance(r, 5);
	assert_true(get(r, COUNTER) == 0x100000003);
	assert_true(rig_read(r, BASE + COUNTER, 4) == 3);
	assert_true(rig_read(r, BASE + COUNTER + 4, 4) == 1);
	set(r, CONFIG, 0);
	advance(r, 5);
	assert_true(get(r, COUNTER) == 0x100000003);
	rig_write(r, BASE + COUNTER + 4, 7, 4);
	assert_true(get(r, COUNTER) == 0x700000003);
	rig_write(r, BASE + COUNTER, 9, 4);
	assert_true(get(r, COUNTER) == 0x700000009);
}

static void an_edge_comes_once(void **state)
{
	struct rig *r = *state;

	set(r, config(0), INT | route(20));
	set(r, comparator(0), 1000);
	set(r, CONFIG, ENABLE);
	advance(r, 999);
	assert_int_equal(ups(r, 20), 0);
	advance(r, 1);
	assert_int_equal(ups(r, 20), 1);
	assert_true(get(r, STATUS) == 0);
	advance(r, 1000000);
	assert_int_equal(ups(r, 20), 1);
	set(r, comparator(0), get(r, COUNTER) + 50);
	advance(r, 50);
	assert_int_equal(ups(r, 20), 2); /* the wire was up until now */
	set(r, config(0), route(20));
	assert_false(up(r, 20));
}

static void a_level_stays_until_its_status_is_cleared(void **state)
{
	struct rig *r = *state;

	set(r, config(2), INT | LEVEL | route(23));
	set(r, comparator(2), 1000);
	set(r, CONFIG, ENABLE);
	advance(r, 1000);
	assert_true(up(r, 23));
	assert_true(get(r, STATUS) == 4);
	set(r, STATUS, 3);
	assert_true(up(r, 23));
	set(r, STATUS, 4);
	assert_false(up(r, 23));
	assert_true(get(r, STATUS) == 0);
}

static void status_tells_levels_that_do_not_interrupt(void **state)
{
	struct rig *r = *state;

	set(r, config(0), LEVEL | route(16));
	set(r, comparator(0), 1000);
	set(r, CONFIG, ENABLE);
	advance(r, 1000);
	assert_true(get(r, STATUS) == 1);
	assert_false(up(r, 16));
	set(r, config(0), LEVEL | INT | route(16));
	assert_true(up(r, 16));
	set(r, config(0), LEVEL | INT | route(17)); /* moves with its route */
	assert_false(up(r, 16));
	assert_true(up(r, 17));
	set(r, CONFIG, 0);
	assert_false(up(r, 17));
}

/* As Linux does: the comparator, then the period. */
static void periodic_goes_on(void **state)
{
	struct rig *r = *state;
	unsigned i;

	set(r, CONFIG, ENABLE);
	advance(r, 12345);
	set(r, config(1), INT | PERIODIC | SET | route(20));
	set(r, comparator(1), 12345 + 700);
	assert_true(!(get(r, config(1)) & SET));
	set(r, comparator(1), 1000);
	assert_true(get(r, comparator(1)) == 13045);
	advance(r, 700);
	assert_int_equal(ups(r, 20), 1);
	assert_true(get(r, comparator(1)) == 14045);
	for (i = 0; i < 4; i++) {
		advance(r, 999);
		assert_int_equal(ups(r, 20), 1 + i);
		advance(r, 1);
		assert_int_equal(ups(r, 20), 2 + i);
	}
	advance(r, 10500); /* late: one for all */
	assert_int_equal(ups(r, 20), 6);
	assert_true(get(r, comparator(1)) == 28045);
	advance(r, 500);
	assert_int_equal(ups(r, 20), 7);
}

static void a_comparator_that_is_passed_waits_for_the_next_turn(void **state)
{
	struct rig *r = *state;

	set(r, config(0), INT | SHORT | route(20));
	set(r, COUNTER, 0xffffff00);
	set(r, comparator(0), 0xff00000010);
	assert_true(get(r, comparator(0)) == 0x10);
	set(r, CONFIG, ENABLE);
	advance(r, 0x10f);
	assert_int_equal(ups(r, 20), 0);
	advance(r, 1);
	assert_int_equal(ups(r, 20), 1);
	advance(r, 0xffffffff);
	assert_int_equal(ups(r, 20), 1);
	advance(r, 1);
	assert_int_equal(ups(r, 20), 2);
	set(r, config(0), INT | route(20));
	set(r, comparator(0), 0); /* of 64 bits: not in this life */
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
}

static void legacy_replacement(void **state)
{
	struct rig *r = *state;

	set(r, CONFIG, LEGACY);
	assert_false(r->irq[PC_IRQ_HPET]); /* not before it is enabled */
	set(r, config(0), INT | route(20));
	set(r, config(1), INT | route(21));
	set(r, config(2), INT | route(22));
	set(r, comparator(0), 100);
	set(r, comparator(1), 200);
	set(r, comparator(2), 300);
	set(r, CONFIG, ENABLE | LEGACY);
	assert_true(r->irq[PC_IRQ_HPET]);
	advance(r, 100);
	assert_true(r->irq[PC_IRQ_HPET_0]);
	advance(r, 100);
	assert_true(r->irq[PC_IRQ_HPET_1]);
	advance(r, 100);
	assert_true(up(r, 22));
	assert_int_equal(ups(r, 20) + ups(r, 21), 0);
	set(r, CONFIG, ENABLE);
	assert_false(r->irq[PC_IRQ_HPET] || r->irq[PC_IRQ_HPET_0] || r->irq[PC_IRQ_HPET_1]);
}

static void halves_of_registers_can_be_written(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_write(r, BASE + comparator(0), 0x11111111, 4);
	rig_write(r, BASE + comparator(0) + 4, 0x22222222, 4);
	assert_true(get(r, comparator(0)) == 0x2222222211111111);
	rig_write(r, BASE + config(0), PERIODIC | SET, 4);
	rig_write(r, BASE + comparator(0), 5, 4);
	assert_true(get(r, comparator(0)) == 0x2222222200000005);
	rig_write(r, BASE + comparator(0) + 4, 6, 4); /* the period's only */
	assert_true(get(r, comparator(0)) == 0x2222222200000005);
	assert_true(rig_read(r, BASE + 4, 4) == 10000000);
	assert_false(bus_read(r->env.bus, BASE, &val, 2));
}

static void a_period_of_nothing_does_not_hang(void **state)
{
	struct rig *r = *state;

	set(r, config(0), INT | PERIODIC | SET | route(20));
	set(r, comparator(0), 1);
	set(r, CONFIG, ENABLE);
	rig_advance(r, 3600000000000);
	assert_true(clock_next(r->env.clock) > r->now);
	set(r, comparator(0), 0); /* no period at all */
	rig_advance(r, 3600000000000);
	assert_true(clock_next(r->env.clock) > r->now);
	set(r, config(0), INT | PERIODIC | SET | SHORT | route(20));
	set(r, comparator(0), UINT64_MAX);
	rig_advance(r, 3600000000000);
	assert_true(clock_next(r->env.clock) > r->now);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	set(r, config(0), INT | LEVEL | route(20));
	set(r, config(1), INT | PERIODIC | SET | route(21));
	set(r, comparator(0), 100);
	set(r, comparator(1), 1000);
	set(r, CONFIG, ENABLE | LEGACY);
	set(r, CONFIG, ENABLE);
	advance(r, 500);
	rig_reload(r->dev[0]);
	assert_true(get(r, COUNTER) == 500);
	assert_true(up(r, 20));
	assert_true(get(r, STATUS) == 1);
	advance(r, 500);
	assert_int_equal(ups(r, 21), 1);
	rig_reload(r->dev[0]);
	assert_true(up(r, 21));
	advance(r, 1000);
	assert_true(get(r, comparator(1)) == 3000);
	dev_reset(r->dev[0]);
	assert_false(up(r, 20) || up(r, 21));
	assert_true(get(r, COUNTER) == 0);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
}

static void it_needs_no_controller(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_dev(r, "hpet", BASE, 0, NULL);
	set(r, config(0), INT | route(20));
	set(r, comparator(0), 100);
	set(r, CONFIG, ENABLE | LEGACY);
	advance(r, 100);
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_after_reset, make, drop),
		cmocka_unit_test_setup_teardown(registers_keep_the_bits_that_exist, make, drop),
		cmocka_unit_test_setup_teardown(the_counter_runs_while_enabled, make, drop),
		cmocka_unit_test_setup_teardown(an_edge_comes_once, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_level_stays_until_its_status_is_cleared, make, drop),
		cmocka_unit_test_setup_teardown(
		    status_tells_levels_that_do_not_interrupt, make, drop),
		cmocka_unit_test_setup_teardown(periodic_goes_on, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_comparator_that_is_passed_waits_for_the_next_turn, make, drop),
		cmocka_unit_test_setup_teardown(legacy_replacement, make, drop),
		cmocka_unit_test_setup_teardown(halves_of_registers_can_be_written, make, drop),
		cmocka_unit_test_setup_teardown(a_period_of_nothing_does_not_hang, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
		cmocka_unit_test(it_needs_no_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
