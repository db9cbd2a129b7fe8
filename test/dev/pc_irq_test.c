/* SPDX-License-Identifier: BSD-2-Clause */
#include "dev/pc_irq.h"
#include "test/dev/rig.h"

/* Controllers that remember: the 8259s at the rig's inputs from PIC on, the IOAPIC from IOAPIC on.
 */
enum { PIC = 0, IOAPIC = 64 };

struct board {
	struct rig *r;
	struct dev pic, ioapic;
	struct dev_class pic_class, ioapic_class;
};

static struct board *board_of(struct dev *d, size_t offset)
{
	return (struct board *)(void *)((char *)d - offset);
}

static struct irq pic_input(struct dev *d, unsigned n)
{
	assert_true(n < 16);
	return (struct irq){ rig_set_irq, board_of(d, offsetof(struct board, pic))->r, PIC + n };
}

static struct irq ioapic_input(struct dev *d, unsigned n)
{
	assert_true(n < 24);
	return (
	    struct irq){ rig_set_irq, board_of(d, offsetof(struct board, ioapic))->r, IOAPIC + n };
}

static int make(void **state)
{
	struct board *b = calloc(1, sizeof *b);

	assert_non_null(b);
	b->r = rig_new();
	b->pic_class.input = pic_input;
	b->ioapic_class.input = ioapic_input;
	b->pic.class = &b->pic_class;
	b->ioapic.class = &b->ioapic_class;
	rig_dev(b->r, "pc_irq", 0, 0, NULL);
	pc_irq_connect(b->r->dev[0], &b->pic, &b->ioapic);
	*state = b;
	return 0;
}

static int drop(void **state)
{
	struct board *b = *state;

	rig_free(b->r);
	free(b);
	return 0;
}

static void wire(struct board *b, unsigned n, bool level)
{
	struct irq i = b->r->dev[0]->class->input(b->r->dev[0], n);

	irq_set(&i, level);
}

/* Bit n: pin n of the controller is up. */
static uint32_t pins(struct board *b, unsigned first)
{
	uint32_t set = 0, n;

	for (n = 0; n < 24; n++)
		set |= (uint32_t)b->r->irq[first + n] << n;
	return set;
}

static void isa_irqs_lead_to_both(void **state)
{
	struct board *b = *state;
	unsigned n;

	for (n = 0; n < 16; n++) {
		wire(b, n, true);
		assert_int_equal(pins(b, PIC), n == 2 ? 0 : 1u << n);
		assert_int_equal(pins(b, IOAPIC), n == 0 ? 4 : n == 2 ? 0 : 1u << n);
		wire(b, n, false);
		assert_int_equal(pins(b, PIC) | pins(b, IOAPIC), 0);
	}
}

static void others_lead_to_the_ioapic(void **state)
{
	struct board *b = *state;

	wire(b, 16, true);
	wire(b, 23, true);
	assert_int_equal(pins(b, PIC), 0);
	assert_int_equal(pins(b, IOAPIC), 0x810000);
	wire(b, 16, false);
	wire(b, 23, false);
	assert_int_equal(pins(b, IOAPIC), 0);
}

static void pins_can_be_shared(void **state)
{
	struct board *b = *state;
	unsigned n;

	for (n = 0; n < 24; n++) {
		wire(b, PC_IRQ_IOAPIC + n, true);
		assert_int_equal(pins(b, IOAPIC), 1u << n);
		wire(b, PC_IRQ_IOAPIC + n, false);
	}
	assert_int_equal(pins(b, IOAPIC) | pins(b, PIC), 0);
	wire(b, 0, true);
	wire(b, PC_IRQ_IOAPIC + 2, true);
	wire(b, 0, false);
	assert_int_equal(pins(b, IOAPIC), 4);
	wire(b, PC_IRQ_IOAPIC + 2, false);
	assert_int_equal(pins(b, IOAPIC), 0);
}

static void the_hpet_replaces_timer_and_clock(void **state)
{
	struct board *b = *state;

	wire(b, PC_IRQ_HPET_0, true);
	wire(b, PC_IRQ_HPET_1, true);
	wire(b, 0, true);
	assert_int_equal(pins(b, PIC), 1);
	wire(b, 0, false);
	assert_int_equal(pins(b, PIC), 0);
	wire(b, PC_IRQ_HPET, true);
	assert_int_equal(pins(b, PIC), 0x101);
	assert_int_equal(pins(b, IOAPIC), 0x104);
	wire(b, PC_IRQ_HPET_0, false);
	wire(b, 0, true);
	wire(b, 8, false);
	assert_int_equal(pins(b, PIC), 0x100);
	wire(b, PC_IRQ_HPET, false);
	assert_int_equal(pins(b, PIC), 1);
}

static void inputs_that_do_not_exist_lead_nowhere(void **state)
{
	struct board *b = *state;
	unsigned n;

	for (n = PC_IRQ_HPET_1 + 1; n < PC_IRQ_IOAPIC; n++)
		wire(b, n, true);
	wire(b, PC_IRQ_IOAPIC + 24, true);
	wire(b, 1000, true);
	assert_int_equal(pins(b, PIC) | pins(b, IOAPIC), 0);
}

static void one_controller_is_enough(void **state)
{
	struct rig *r = rig_new();
	struct irq in;

	(void)state;
	rig_dev(r, "pc_irq", 0, 0, NULL);
	in = r->dev[0]->class->input(r->dev[0], 4);
	irq_set(&in, true);
	pc_irq_connect(r->dev[0], NULL, &r->pic);
	assert_true(r->irq[4]); /* what was up before is up */
	rig_free(r);
}

static void state_survives_save_and_restore(void **state)
{
	struct board *b = *state;

	wire(b, 5, true);
	wire(b, PC_IRQ_HPET, true);
	wire(b, PC_IRQ_HPET_1, true);
	memset(b->r->irq, 0, sizeof b->r->irq);
	rig_reload(b->r->dev[0]);
	assert_int_equal(pins(b, PIC), 0x120);
	assert_int_equal(pins(b, IOAPIC), 0x120);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(isa_irqs_lead_to_both, make, drop),
		cmocka_unit_test_setup_teardown(others_lead_to_the_ioapic, make, drop),
		cmocka_unit_test_setup_teardown(pins_can_be_shared, make, drop),
		cmocka_unit_test_setup_teardown(the_hpet_replaces_timer_and_clock, make, drop),
		cmocka_unit_test_setup_teardown(inputs_that_do_not_exist_lead_nowhere, make, drop),
		cmocka_unit_test(one_controller_is_enough),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
