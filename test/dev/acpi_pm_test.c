/* SPDX-License-Identifier: BSD-2-Clause */
#include "dev/acpi_pm.h"
#include "test/dev/rig.h"

enum { BASE = 0x600, IRQ = 9, SMI = 0xb2 };
enum { STS = BASE, EN = BASE + 2, CNT = BASE + 4, TMR = BASE + 8 };
enum { GPE_STS = BASE + 0x20, GPE_EN = BASE + 0x28 };
enum { TIMER = 1, BUTTON = 0x100, SCI = 1, GO = 1 << 13 };
#define SECOND 1000000000ull
#define HZ     3579545ull

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(r, "acpi_pm", (struct dev){ .base = BASE, .port = true, .irq_no = IRQ });
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

/* When the timer gets to count. */
static uint64_t when(uint64_t count)
{
	return (count * SECOND + HZ - 1) / HZ;
}

static void the_timer_has_the_right_rate(void **state)
{
	struct rig *r = *state;

	assert_int_equal(rig_in(r, TMR, 4), 0);
	rig_advance(r, SECOND);
	assert_int_equal(rig_in(r, TMR, 4), HZ);
	assert_int_equal(rig_in(r, TMR, 2), HZ & 0xffff);
	assert_int_equal(rig_in(r, TMR + 2, 1), HZ >> 16);
	rig_advance(r, when((1 << 24) + 5) - r->now);
	assert_int_equal(rig_in(r, TMR, 4), 5);
	rig_out(r, TMR, 0x1234, 4);
	assert_int_equal(rig_in(r, TMR, 4), 5);
}

static void its_highest_bit_sets_the_status(void **state)
{
	struct rig *r = *state;

	rig_out(r, CNT, SCI, 2);
	rig_advance(r, when(1 << 23) - 1);
	assert_int_equal(rig_in(r, STS, 2), 0);
	rig_advance(r, 1);
	assert_int_equal(rig_in(r, STS, 2), TIMER);
	assert_false(r->irq[IRQ]);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
	rig_out(r, EN, TIMER, 2);
	assert_true(r->irq[IRQ]);
	rig_out(r, STS, 0xffff, 2);
	assert_false(r->irq[IRQ]);
	assert_true(clock_next(r->env.clock) == when(1 << 24)); /* falling counts, too */
	rig_advance(r, when(1 << 24) - r->now);
	assert_true(r->irq[IRQ]);
}

static void a_timer_of_32_bits_is_an_option(void **state)
{
	struct rig *r = rig_new();
	struct dev bad = { .env = &r->env, .base = BASE, .port = true, .id = "timer33" };
	struct err e;

	(void)state;
	assert_null(dev_new(dev_find("acpi_pm"), &bad, &e));
	assert_non_null(strstr(e.text, "timer33"));
	rig_dev_at(r, "acpi_pm", (struct dev){ .base = BASE, .port = true, .id = "timer32" });
	rig_advance(r, when(0x7fffffff));
	assert_int_equal(rig_in(r, TMR, 4), 0x7fffffff);
	assert_int_equal(rig_in(r, STS, 2), 0);
	rig_advance(r, when(0x80000000) - r->now);
	assert_int_equal(rig_in(r, STS, 2), TIMER);
	rig_advance(r, when(0x100000007) - r->now);
	assert_int_equal(rig_in(r, TMR, 4), 7);
	rig_free(r);
}

static void the_power_button_is_an_sci(void **state)
{
	struct rig *r = *state;

	acpi_pm_power_button(r->dev[0]);
	assert_int_equal(rig_in(r, STS, 2), BUTTON);
	rig_out(r, EN, BUTTON, 2);
	assert_false(r->irq[IRQ]); /* the SCI is off */
	rig_out(r, SMI, 2, 1);
	assert_int_equal(rig_in(r, CNT, 2), SCI);
	assert_true(r->irq[IRQ]);
	rig_out(r, STS + 1, BUTTON >> 8, 1);
	assert_false(r->irq[IRQ]);
	acpi_pm_power_button(r->dev[0]);
	assert_true(r->irq[IRQ]);
	rig_out(r, SMI, 3, 1);
	assert_false(r->irq[IRQ]);
	rig_out(r, SMI + 1, 0x5a, 1);
	assert_int_equal(rig_in(r, SMI + 1, 1), 0x5a);
	assert_int_equal(rig_in(r, SMI, 1), 3);
}

static void general_events_are_an_sci(void **state)
{
	struct rig *r = *state;

	rig_out(r, CNT, SCI, 4);
	rig_out(r, GPE_EN, 0x80000000, 4);
	rig_out(r, GPE_EN + 7, 0x80, 1);
	acpi_pm_event(r->dev[0], 30);
	assert_false(r->irq[IRQ]);
	acpi_pm_event(r->dev[0], 31);
	assert_true(r->irq[IRQ]);
	assert_int_equal(rig_in(r, GPE_STS, 4), 0xc0000000);
	rig_out(r, GPE_STS, 0xffffffff, 4);
	assert_false(r->irq[IRQ]);
	acpi_pm_event(r->dev[0], 63);
	acpi_pm_event(r->dev[0], 64);
	assert_true(r->irq[IRQ]);
	assert_int_equal(rig_in(r, GPE_STS + 4, 4), 0x80000000);
	assert_int_equal(rig_in(r, GPE_EN + 4, 4), 0x80000000);
}

static void s5_ends_the_run(void **state)
{
	struct rig *r = *state;

	rig_out(r, CNT, 7 << 10, 2);
	assert_int_equal(rig_in(r, CNT, 2), 7 << 10);
	rig_out(r, CNT, 5 << 10 | GO, 2);
	assert_int_equal(r->powers, 0);
	rig_out(r, CNT, 7 << 10 | GO | SCI, 2);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power, POWER_OFF);
	assert_int_equal(rig_in(r, CNT, 2), 7 << 10 | SCI); /* SLP_EN reads as 0 */
	rig_out(r, CNT + 1, GO >> 8, 1);
	assert_int_equal(r->powers, 2);
}

static void what_is_not_there_reads_as_zero(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_out(r, EN, 0xffff, 2);
	assert_int_equal(rig_in(r, EN, 2), 0x721);
	rig_out(r, CNT, 0xdfff & ~(7 << 10), 2);
	assert_int_equal(rig_in(r, CNT, 2), 3);
	rig_out(r, BASE + 0x34, 0xffffffff, 4);
	assert_int_equal(rig_in(r, BASE + 0x34, 4), 0);
	assert_int_equal(rig_in(r, BASE + 0x7c, 4), 0);
	assert_false(bus_read(r->env.ports, BASE, &val, 8));
	assert_false(bus_read(r->env.ports, BASE + 0x80, &val, 1));
}

/* SeaBIOS 1.16, src/fw/smm.c: else it would wait for an SMI for ever. */
static void smm_seems_to_be_set_up(void **state)
{
	struct rig *r = *state;

	assert_int_equal(rig_in(r, BASE + 0x30, 4), 0x20);
	rig_out(r, BASE + 0x30, 0x12000001, 4);
	assert_int_equal(rig_in(r, BASE + 0x30, 4), 0x12000021);
}

static void it_can_be_moved(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	acpi_pm_move(r->dev[0], 0x400);
	rig_out(r, 0x402, BUTTON, 2);
	assert_int_equal(rig_in(r, 0x402, 2), BUTTON);
	assert_false(bus_read(r->env.ports, EN, &val, 2));
	acpi_pm_move(r->dev[0], BUS_NOWHERE);
	assert_false(bus_read(r->env.ports, 0x402, &val, 2));
}

static void reset_and_restore(void **state)
{
	struct rig *r = *state;

	rig_out(r, CNT, SCI, 2);
	rig_out(r, EN, TIMER | BUTTON, 2);
	rig_out(r, GPE_EN, 1, 1);
	rig_reload(r->dev[0]);
	rig_advance(r, when(1 << 23) - 1);
	assert_false(r->irq[IRQ]);
	rig_advance(r, 1);
	assert_true(r->irq[IRQ]);
	rig_reload(r->dev[0]);
	assert_true(r->irq[IRQ]);
	assert_int_equal(rig_in(r, GPE_EN, 1), 1);
	dev_reset(r->dev[0]);
	assert_false(r->irq[IRQ]);
	assert_int_equal(rig_in(r, STS, 4), 0);
	assert_true(clock_next(r->env.clock) == UINT64_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_timer_has_the_right_rate, make, drop),
		cmocka_unit_test_setup_teardown(its_highest_bit_sets_the_status, make, drop),
		cmocka_unit_test(a_timer_of_32_bits_is_an_option),
		cmocka_unit_test_setup_teardown(the_power_button_is_an_sci, make, drop),
		cmocka_unit_test_setup_teardown(general_events_are_an_sci, make, drop),
		cmocka_unit_test_setup_teardown(s5_ends_the_run, make, drop),
		cmocka_unit_test_setup_teardown(what_is_not_there_reads_as_zero, make, drop),
		cmocka_unit_test_setup_teardown(smm_seems_to_be_set_up, make, drop),
		cmocka_unit_test_setup_teardown(it_can_be_moved, make, drop),
		cmocka_unit_test_setup_teardown(reset_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
