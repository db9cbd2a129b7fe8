/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/lapic_rig.h"

enum { BASE = 0xfec00000, SELECT = 0, WINDOW = 0x10, EOI = 0x40 };
enum { LOGICAL = 1 << 11, LOW_ACTIVE = 1 << 13, REMOTE_IRR = 1 << 14, LEVEL = 1 << 15 };
enum { MASK = 1 << 16 };

static int make(void **state)
{
	struct rig *r = lapic_rig(2);

	rig_dev(r, "ioapic", BASE, 0, NULL);
	apic_on(r, 0);
	apic_on(r, 1);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static uint32_t get(struct rig *r, unsigned index)
{
	rig_write(r, BASE + SELECT, index, 4);
	return (uint32_t)rig_read(r, BASE + WINDOW, 4);
}

static void set(struct rig *r, unsigned index, uint32_t val)
{
	rig_write(r, BASE + SELECT, index, 4);
	rig_write(r, BASE + WINDOW, val, 4);
}

static void entry(struct rig *r, unsigned pin, uint32_t low, unsigned dest)
{
	set(r, 0x11 + 2 * pin, dest << 24);
	set(r, 0x10 + 2 * pin, low);
}

static bool remote_irr(struct rig *r, unsigned pin)
{
	return get(r, 0x10 + 2 * pin) & REMOTE_IRR;
}

static void wire(struct rig *r, unsigned n, bool level)
{
	struct irq i = r->dev[1]->class->input(r->dev[1], n);

	irq_set(&i, level);
}

static void registers_after_reset(void **state)
{
	struct rig *r = *state;
	unsigned i;

	assert_int_equal(rig_read(r, BASE, 4), 0);
	assert_int_equal(get(r, 0), 0);
	assert_int_equal(get(r, 1), 0x00170020);
	assert_int_equal(get(r, 2), 0);
	for (i = 0; i < 24; i++) {
		assert_int_equal(get(r, 0x10 + 2 * i), MASK);
		assert_int_equal(get(r, 0x11 + 2 * i), 0);
	}
}

static void registers_keep_the_bits_that_exist(void **state)
{
	struct rig *r = *state;

	set(r, 0, 0xffffffff);
	assert_int_equal(get(r, 0), 0x0f000000);
	assert_int_equal(get(r, 2), 0x0f000000); /* arbitration follows the ID */
	set(r, 1, 0xffffffff);
	assert_int_equal(get(r, 1), 0x00170020);
	entry(r, 5, 0xffffffff, 0xff);
	assert_int_equal(get(r, 0x1a), 0x1afff);
	assert_int_equal(get(r, 0x1b), 0xff000000);
	set(r, 0x1b, 0x00ffffff);
	assert_int_equal(get(r, 0x1b), 0);
	set(r, 0x40, 0xffffffff);
	assert_int_equal(get(r, 0x40), 0);
	set(r, 3, 0xffffffff);
	assert_int_equal(get(r, 3), 0);
	assert_int_equal(get(r, 0xff), 0);
	rig_write(r, BASE + SELECT, 0x1ff, 4);
	assert_int_equal(rig_read(r, BASE + SELECT, 4), 0xff);
}

static void the_window_is_for_words(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_write(r, BASE + SELECT, 0x10, 1);
	rig_write(r, BASE + WINDOW, 0x31, 1);
	rig_write(r, BASE + WINDOW, 0x31, 2);
	assert_int_equal(get(r, 0x10), MASK);
	assert_int_equal(rig_read(r, BASE + WINDOW, 1), 0);
	assert_int_equal(rig_read(r, BASE + 0x20, 4), 0);
	rig_write(r, BASE + 0x20, 1, 4);
	assert_false(bus_read(r->env.bus, BASE + WINDOW, &val, 8));
}

static void an_edge_interrupts_once(void **state)
{
	struct rig *r = *state;

	entry(r, 4, 0x51, 1);
	wire(r, 4, true);
	assert_int_equal(apic_take(r, 1), 0x51);
	assert_false(remote_irr(r, 4));
	apic_eoi(r, 1);
	assert_int_equal(apic_take(r, 1), -1);
	wire(r, 4, true);
	assert_int_equal(apic_take(r, 1), -1);
	wire(r, 4, false);
	wire(r, 4, true);
	assert_int_equal(apic_take(r, 1), 0x51);
}

static void an_edge_while_masked_is_forgotten(void **state)
{
	struct rig *r = *state;

	entry(r, 4, MASK | 0x51, 0);
	wire(r, 4, true);
	entry(r, 4, 0x51, 0);
	assert_int_equal(apic_take(r, 0), -1);
}

static void a_level_interrupts_until_it_falls(void **state)
{
	struct rig *r = *state;

	entry(r, 16, LEVEL | LOW_ACTIVE | 0x61, 0);
	wire(r, 16, true);
	assert_true(remote_irr(r, 16));
	assert_int_equal(apic_take(r, 0), 0x61);
	assert_false(apic_intr(r, 0));
	apic_eoi(r, 0);
	assert_true(remote_irr(r, 16)); /* again */
	assert_int_equal(apic_take(r, 0), 0x61);
	wire(r, 16, false);
	assert_true(remote_irr(r, 16));
	apic_eoi(r, 0);
	assert_false(remote_irr(r, 16));
	assert_int_equal(apic_take(r, 0), -1);
}

static void a_level_waits_behind_its_mask(void **state)
{
	struct rig *r = *state;

	entry(r, 16, LEVEL | MASK | 0x61, 0);
	wire(r, 16, true);
	assert_false(remote_irr(r, 16));
	entry(r, 16, LEVEL | 0x61, 0);
	assert_int_equal(apic_take(r, 0), 0x61);
	entry(r, 16, LEVEL | MASK | 0x61, 0);
	apic_eoi(r, 0);
	assert_false(remote_irr(r, 16));
	assert_int_equal(apic_take(r, 0), -1);
}

static void an_eoi_ends_every_input_with_that_vector(void **state)
{
	struct rig *r = *state;

	entry(r, 16, LEVEL | 0x61, 0);
	entry(r, 17, LEVEL | 0x61, 0);
	entry(r, 18, LEVEL | 0x71, 0);
	wire(r, 16, true);
	wire(r, 17, true);
	wire(r, 18, true);
	assert_int_equal(apic_take(r, 0), 0x71);
	wire(r, 16, false);
	wire(r, 17, false);
	wire(r, 18, false);
	rig_write(r, BASE + EOI, 0x61, 4);
	assert_false(remote_irr(r, 16) || remote_irr(r, 17));
	assert_true(remote_irr(r, 18));
	rig_write(r, BASE + EOI, 0x71, 1);
	assert_false(remote_irr(r, 18));
}

static void eoi_can_be_directed(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, 0xf0, 0x11ff);
	entry(r, 16, LEVEL | 0x61, 0);
	wire(r, 16, true);
	assert_int_equal(apic_take(r, 0), 0x61);
	apic_eoi(r, 0);
	assert_true(remote_irr(r, 16));
	assert_int_equal(apic_take(r, 0), -1);
	rig_write(r, BASE + EOI, 0x61, 4);
	assert_int_equal(apic_take(r, 0), 0x61);
}

static void turning_to_edge_ends_a_level(void **state)
{
	struct rig *r = *state;

	entry(r, 16, LEVEL | 0x61, 0);
	wire(r, 16, true);
	assert_true(remote_irr(r, 16));
	entry(r, 16, MASK | 0x61, 0);
	assert_false(remote_irr(r, 16));
	wire(r, 16, false);
	entry(r, 16, LEVEL | 0x61, 0);
	assert_false(remote_irr(r, 16));
}

static void a_level_that_nobody_takes_is_not_held(void **state)
{
	struct rig *r = *state;

	apic_set(r, 1, 0xf0, 0xff);
	entry(r, 16, LEVEL | 0x61, 1);
	wire(r, 16, true);
	assert_false(remote_irr(r, 16));
	apic_on(r, 1);
	set(r, 0x10 + 2 * 16, LEVEL | 0x61);
	assert_true(remote_irr(r, 16));
	assert_int_equal(apic_take(r, 1), 0x61);
}

static void destinations_and_delivery_modes(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, 0xd0, 1 << 24);
	apic_set(r, 1, 0xd0, 2 << 24);
	entry(r, 3, LOGICAL | 0x41, 2);
	wire(r, 3, true);
	assert_int_equal(apic_take(r, 0), -1);
	assert_int_equal(apic_take(r, 1), 0x41);
	apic_eoi(r, 1);
	entry(r, 4, 0x42, 0xff);
	wire(r, 4, true);
	assert_int_equal(apic_take(r, 0), 0x42);
	assert_int_equal(apic_take(r, 1), 0x42);
	apic_eoi(r, 0);
	apic_eoi(r, 1);
	apic_set(r, 0, 0x80, 0x10);
	entry(r, 5, LOGICAL | 0x143, 3);
	wire(r, 5, true);
	assert_int_equal(apic_take(r, 0), -1);
	assert_int_equal(apic_take(r, 1), 0x43);
	entry(r, 6, 0x400, 1);
	wire(r, 6, true);
	assert_true(apic_edge(r, 1, NMI));
	entry(r, 7, 0x500, 1);
	wire(r, 7, true);
	assert_true(apic_edge(r, 1, INIT));
	entry(r, 8, 0x610, 1); /* reserved */
	wire(r, 8, true);
	assert_int_equal(r->cpu_high[1], 0);
	entry(r, 9, LEVEL | 0x400, 1); /* an NMI has no level */
	wire(r, 9, true);
	assert_false(remote_irr(r, 9));
}

static void inputs_that_do_not_exist_lead_nowhere(void **state)
{
	struct rig *r = *state;

	wire(r, 24, true);
	wire(r, 1000, true);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	set(r, 0, 0x05000000);
	entry(r, 16, LEVEL | 0x61, 0);
	wire(r, 16, true);
	rig_reload(r->dev[1]);
	assert_int_equal(get(r, 0), 0x05000000);
	assert_true(remote_irr(r, 16));
	assert_int_equal(apic_take(r, 0), 0x61);
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), 0x61); /* the input is still up */
	dev_reset(r->dev[1]);
	assert_int_equal(get(r, 0x10 + 2 * 16), MASK);
	entry(r, 16, LEVEL | 0x71, 0);
	assert_int_equal(apic_take(r, 0), 0x71);
}

static void without_local_apics_it_is_refused(void **state)
{
	struct rig *r = rig_new();
	struct dev where = { .env = &r->env, .base = BASE };
	struct err e = { "" };

	(void)state;
	assert_null(dev_new(dev_find("ioapic"), &where, &e));
	assert_non_null(strstr(e.text, "local APIC"));
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_after_reset, make, drop),
		cmocka_unit_test_setup_teardown(registers_keep_the_bits_that_exist, make, drop),
		cmocka_unit_test_setup_teardown(the_window_is_for_words, make, drop),
		cmocka_unit_test_setup_teardown(an_edge_interrupts_once, make, drop),
		cmocka_unit_test_setup_teardown(an_edge_while_masked_is_forgotten, make, drop),
		cmocka_unit_test_setup_teardown(a_level_interrupts_until_it_falls, make, drop),
		cmocka_unit_test_setup_teardown(a_level_waits_behind_its_mask, make, drop),
		cmocka_unit_test_setup_teardown(
		    an_eoi_ends_every_input_with_that_vector, make, drop),
		cmocka_unit_test_setup_teardown(eoi_can_be_directed, make, drop),
		cmocka_unit_test_setup_teardown(turning_to_edge_ends_a_level, make, drop),
		cmocka_unit_test_setup_teardown(a_level_that_nobody_takes_is_not_held, make, drop),
		cmocka_unit_test_setup_teardown(destinations_and_delivery_modes, make, drop),
		cmocka_unit_test_setup_teardown(inputs_that_do_not_exist_lead_nowhere, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
		cmocka_unit_test(without_local_apics_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
