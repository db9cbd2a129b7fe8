/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/lapic_rig.h"

enum { FIRST = 0x20, SECOND = 0xa0, ELCR = 0x4d0, EOI = 0x20 };

/* As a PC's firmware does: vectors 0x20 and 0x28. */
static void program(struct rig *r, unsigned icw4)
{
	rig_out(r, FIRST, 0x11, 1);
	rig_out(r, FIRST + 1, 0x20, 1);
	rig_out(r, FIRST + 1, 4, 1);
	rig_out(r, FIRST + 1, icw4, 1);
	rig_out(r, SECOND, 0x11, 1);
	rig_out(r, SECOND + 1, 0x28, 1);
	rig_out(r, SECOND + 1, 2, 1);
	rig_out(r, SECOND + 1, icw4 & ~16u, 1);
}

static int make(void **state)
{
	struct rig *r = lapic_rig(1);

	rig_dev_at(r, "pic_8259", (struct dev){ .base = FIRST, .port = true });
	apic_on(r, 0);
	apic_set(r, 0, 0x350, 0x700);
	*state = r;
	return 0;
}

static int make_programmed(void **state)
{
	make(state);
	program(*state, 1);
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void wire(struct rig *r, unsigned n, bool level)
{
	struct irq i = r->dev[1]->class->input(r->dev[1], n);

	irq_set(&i, level);
}

static void pulse(struct rig *r, unsigned n)
{
	wire(r, n, false);
	wire(r, n, true);
}

static unsigned in_service(struct rig *r, unsigned port)
{
	rig_out(r, port, 0xb, 1);
	return (unsigned)rig_in(r, port, 1);
}

static unsigned requests(struct rig *r, unsigned port)
{
	rig_out(r, port, 0xa, 1);
	return (unsigned)rig_in(r, port, 1);
}

static void nothing_comes_before_it_is_programmed(void **state)
{
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < 16; i++)
		wire(r, i, true);
	assert_false(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 0), -1);
	rig_out(r, FIRST, 0x11, 1);
	rig_out(r, FIRST + 1, 0x20, 1);
	rig_out(r, FIRST + 1, 4, 1);
	pulse(r, 3);
	assert_false(apic_intr(r, 0)); /* ICW4 is to come */
	rig_out(r, FIRST + 1, 1, 1);
	assert_true(apic_intr(r, 0));
}

static void an_edge_from_wire_to_eoi(void **state)
{
	struct rig *r = *state;

	wire(r, 4, true);
	assert_true(apic_intr(r, 0));
	assert_int_equal(requests(r, FIRST), 0x10);
	assert_int_equal(apic_take(r, 0), 0x24);
	assert_false(apic_intr(r, 0));
	assert_int_equal(requests(r, FIRST), 0);
	assert_int_equal(in_service(r, FIRST), 0x10);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(in_service(r, FIRST), 0);
	assert_false(apic_intr(r, 0)); /* it is still up, but that was all */
	pulse(r, 4);
	assert_true(apic_intr(r, 0));
}

static void the_second_chip_is_behind_input_2(void **state)
{
	struct rig *r = *state;

	wire(r, 12, true);
	assert_int_equal(requests(r, FIRST), 4);
	assert_int_equal(apic_take(r, 0), 0x2c);
	assert_int_equal(in_service(r, FIRST), 4);
	assert_int_equal(in_service(r, SECOND), 0x10);
	wire(r, 3, true); /* lower than input 2 */
	wire(r, 9, true);
	assert_false(apic_intr(r, 0)); /* the second chip is locked out, too */
	wire(r, 1, true);
	assert_int_equal(apic_take(r, 0), 0x21);
	rig_out(r, FIRST, EOI, 1);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(apic_take(r, 0), 0x29);
	rig_out(r, SECOND, EOI, 1);
	rig_out(r, SECOND, EOI, 1);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(apic_take(r, 0), 0x23);
}

static void both_of_the_second_chip_come_one_after_the_other(void **state)
{
	struct rig *r = *state;

	wire(r, 12, true);
	wire(r, 8, true);
	assert_int_equal(apic_take(r, 0), 0x28);
	rig_out(r, SECOND, EOI, 1);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(apic_take(r, 0), 0x2c);
}

static void special_fully_nested_mode_lets_the_second_chip_nest(void **state)
{
	struct rig *r = *state;

	program(r, 0x11);
	wire(r, 12, true);
	assert_int_equal(apic_take(r, 0), 0x2c);
	wire(r, 9, true);
	assert_int_equal(apic_take(r, 0), 0x29);
	assert_int_equal(in_service(r, SECOND), 0x12);
	wire(r, 14, true);
	assert_int_equal(apic_take(r, 0), -1);
}

static void masks_hold_back_and_keep_the_request(void **state)
{
	struct rig *r = *state;

	rig_out(r, FIRST + 1, 0x10, 1);
	assert_int_equal(rig_in(r, FIRST + 1, 1), 0x10);
	wire(r, 4, true);
	assert_false(apic_intr(r, 0));
	assert_int_equal(requests(r, FIRST), 0x10);
	rig_out(r, FIRST + 1, 0, 1);
	assert_int_equal(apic_take(r, 0), 0x24);
}

static void elcr_makes_levels(void **state)
{
	struct rig *r = *state;

	rig_out(r, ELCR, 0xff, 1);
	rig_out(r, ELCR + 1, 0xff, 1);
	assert_int_equal(rig_in(r, ELCR, 1), 0xf8);
	assert_int_equal(rig_in(r, ELCR + 1, 1), 0xde);
	wire(r, 11, true);
	assert_int_equal(apic_take(r, 0), 0x2b);
	rig_out(r, SECOND, EOI, 1);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(apic_take(r, 0), 0x2b); /* it is still up */
	wire(r, 11, false);
	rig_out(r, SECOND, EOI, 1);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(apic_take(r, 0), -1);
}

static void a_request_that_falls_is_gone(void **state)
{
	struct rig *r = *state;

	wire(r, 4, true);
	wire(r, 4, false);
	assert_int_equal(requests(r, FIRST), 0);
	assert_false(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 0), -1);
}

/* The CPU was told, and acknowledges nothing: 7, which is not in service. */
static void an_acknowledge_of_nothing_is_interrupt_7(void **state)
{
	struct rig *r = *state;
	struct irq intr = r->dev[0]->class->input(r->dev[0], 0);

	irq_set(&intr, true);
	assert_int_equal(apic_take(r, 0), 0x27);
	assert_int_equal(in_service(r, FIRST), 0);
}

static void specific_eoi_and_priorities_rotate(void **state)
{
	struct rig *r = *state;
	unsigned i;

	for (i = 3; i < 8; i++)
		wire(r, i, true);
	assert_int_equal(apic_take(r, 0), 0x23);
	rig_out(r, FIRST, 0x63, 1);
	rig_out(r, FIRST, 0xc5, 1); /* 5 is the lowest: 6 the highest */
	assert_int_equal(apic_take(r, 0), 0x26);
	pulse(r, 3);
	rig_out(r, FIRST, 0xa0, 1); /* rotate on EOI: 6 is the lowest */
	assert_int_equal(apic_take(r, 0), 0x27);
	rig_out(r, FIRST, 0xe7, 1); /* specific: 7 is the lowest, as at first */
	assert_int_equal(apic_take(r, 0), 0x23);
	assert_int_equal(in_service(r, FIRST), 8);
	rig_out(r, FIRST, 0x40, 1); /* no operation */
	assert_int_equal(in_service(r, FIRST), 8);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
	struct rig *r = *state;

	program(r, 3);
	wire(r, 4, true);
	wire(r, 5, true);
	assert_int_equal(apic_take(r, 0), 0x24);
	assert_int_equal(in_service(r, FIRST), 0);
	assert_int_equal(apic_take(r, 0), 0x25);
	rig_out(r, FIRST, 0x80, 1); /* rotating */
	pulse(r, 4);
	assert_int_equal(apic_take(r, 0), 0x24);
	pulse(r, 4);
	pulse(r, 5);
	assert_int_equal(apic_take(r, 0), 0x25);
	rig_out(r, FIRST, 0x00, 1);
	pulse(r, 5);
	assert_int_equal(apic_take(r, 0), 0x24); /* 5 is the lowest since */
	assert_int_equal(apic_take(r, 0), 0x25);
}

static void special_mask_mode_opens_lower_levels(void **state)
{
	struct rig *r = *state;

	wire(r, 4, true);
	assert_int_equal(apic_take(r, 0), 0x24);
	wire(r, 6, true);
	assert_false(apic_intr(r, 0));
	rig_out(r, FIRST + 1, 0x10, 1);
	assert_false(apic_intr(r, 0));
	rig_out(r, FIRST, 0x68, 1);
	assert_int_equal(apic_take(r, 0), 0x26);
	rig_out(r, FIRST, EOI, 1); /* not the one that is masked */
	assert_int_equal(in_service(r, FIRST), 0x10);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(in_service(r, FIRST), 0x10);
	rig_out(r, FIRST, 0x48, 1);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(in_service(r, FIRST), 0);
}

static void a_poll_acknowledges(void **state)
{
	struct rig *r = *state;

	rig_out(r, FIRST, 0xc, 1);
	assert_int_equal(rig_in(r, FIRST, 1), 0);
	wire(r, 4, true);
	wire(r, 9, true);
	rig_out(r, FIRST, 0xc, 1);
	assert_int_equal(rig_in(r, FIRST, 1), 0x82);
	assert_int_equal(in_service(r, FIRST), 4);
	rig_out(r, SECOND, 0xc, 1);
	assert_int_equal(rig_in(r, SECOND + 1, 1), 0x81);
	assert_int_equal(in_service(r, SECOND), 2);
	assert_int_equal(rig_in(r, SECOND + 1, 1), 0); /* the mask again */
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(apic_take(r, 0), 0x24);
}

static void icw1_starts_anew(void **state)
{
	struct rig *r = *state;

	wire(r, 4, true);
	assert_int_equal(apic_take(r, 0), 0x24);
	rig_out(r, FIRST + 1, 0xff, 1);
	wire(r, 5, true);
	rig_out(r, FIRST, 0x12, 1); /* single, without ICW4 */
	rig_out(r, FIRST + 1, 0x47, 1);
	assert_int_equal(rig_in(r, FIRST + 1, 1), 0);
	assert_int_equal(rig_in(r, FIRST, 1), 0); /* edges are forgotten */
	assert_int_equal(in_service(r, FIRST), 0);
	pulse(r, 5);
	assert_int_equal(apic_take(r, 0), 0x45);
}

static void only_bytes_are_answered(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_false(bus_read(r->env.ports, FIRST, &val, 2));
	assert_false(bus_write(r->env.ports, ELCR, 0, 2));
}

static void inputs_that_do_not_exist_lead_nowhere(void **state)
{
	struct rig *r = *state;

	wire(r, 2, true);
	wire(r, 16, true);
	assert_int_equal(requests(r, FIRST), 0);
}

static void it_works_without_a_local_apic(void **state)
{
	struct rig *r = rig_new();
	struct irq in;

	(void)state;
	rig_dev_at(r, "pic_8259", (struct dev){ .base = FIRST, .port = true, .irq_no = 5 });
	program(r, 1);
	in = r->dev[0]->class->input(r->dev[0], 3);
	irq_set(&in, true);
	assert_true(r->irq[5]);
	rig_free(r);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	rig_out(r, ELCR + 1, 0x0e, 1);
	rig_out(r, FIRST + 1, 0x80, 1);
	wire(r, 11, true);
	wire(r, 12, true);
	wire(r, 4, true);
	assert_int_equal(apic_take(r, 0), 0x2b);
	rig_reload(r->dev[1]);
	assert_int_equal(rig_in(r, FIRST + 1, 1), 0x80);
	assert_int_equal(in_service(r, SECOND), 8);
	wire(r, 11, false);
	rig_out(r, SECOND, EOI, 1);
	rig_out(r, FIRST, EOI, 1);
	rig_reload(r->dev[1]);
	assert_int_equal(apic_take(r, 0), 0x2c);
	rig_out(r, FIRST, EOI, 1);
	assert_int_equal(apic_take(r, 0), 0x24);
	dev_reset(r->dev[1]);
	assert_false(apic_intr(r, 0));
	assert_int_equal(rig_in(r, FIRST + 1, 1), 0xff);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_comes_before_it_is_programmed, make, drop),
		cmocka_unit_test_setup_teardown(an_edge_from_wire_to_eoi, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    the_second_chip_is_behind_input_2, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    both_of_the_second_chip_come_one_after_the_other, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    special_fully_nested_mode_lets_the_second_chip_nest, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    masks_hold_back_and_keep_the_request, make_programmed, drop),
		cmocka_unit_test_setup_teardown(elcr_makes_levels, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    a_request_that_falls_is_gone, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    an_acknowledge_of_nothing_is_interrupt_7, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    specific_eoi_and_priorities_rotate, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    automatic_eoi_leaves_nothing_in_service, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    special_mask_mode_opens_lower_levels, make_programmed, drop),
		cmocka_unit_test_setup_teardown(a_poll_acknowledges, make_programmed, drop),
		cmocka_unit_test_setup_teardown(icw1_starts_anew, make_programmed, drop),
		cmocka_unit_test_setup_teardown(only_bytes_are_answered, make_programmed, drop),
		cmocka_unit_test_setup_teardown(
		    inputs_that_do_not_exist_lead_nowhere, make_programmed, drop),
		cmocka_unit_test(it_works_without_a_local_apic),
		cmocka_unit_test_setup_teardown(
		    state_survives_save_and_restore, make_programmed, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
