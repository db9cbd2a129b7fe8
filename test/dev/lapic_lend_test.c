/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local APICs whose work an engine does: what they hold goes there and comes back, messages go
 * where they are, and nothing of what is left here moves meanwhile.
 */
#include "dev/lapic.h"
#include "test/dev/pc_rig.h"

enum { ID = 0x20, TPR = 0x80, LDR = 0xd0, SVR = 0xf0, ISR = 0x100, TMR = 0x180, IRR = 0x200 };
enum { LVT_TIMER = 0x320, LVT_LINT0 = 0x350, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0 };
enum { BY_1 = 0xb, PERIODIC = 1 << 17, DEADLINE = 2 << 17, EXTINT = 0x700, LEVEL = 0x8000 };
enum { MSR_DEADLINE = 0x6e0, MS = 1000000 };

struct seen {
	uint32_t addr, data;
	unsigned n;
	bool takes;
};

static bool hear(void *arg, uint32_t addr, uint32_t data)
{
	struct seen *s = arg;

	s->addr = addr;
	s->data = data;
	s->n++;
	return s->takes;
}

static int make(void **state)
{
	struct rig *r = pc_rig(2);

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

static void get(struct rig *r, unsigned cpu, struct intc_regs *to)
{
	r->intc.get(r->intc.arg, cpu, to);
}

static void set(struct rig *r, unsigned cpu, const struct intc_regs *from)
{
	r->intc.set(r->intc.arg, cpu, from);
}

static void lend(struct rig *r, const struct intc_host *to)
{
	r->intc.lend(r->intc.arg, to);
}

static void what_one_holds_makes_another_the_same(void **state)
{
	struct rig *r = *state;
	struct intc_regs a, b;

	apic_set(r, 0, TPR, 0x35);
	apic_set(r, 0, LDR, 0x01000000);
	apic_set(r, 0, LVT_LINT0, EXTINT);
	apic_ipi(r, 0, 0, 0x51);
	assert_int_equal(apic_take(r, 0), 0x51);
	apic_ipi(r, 0, 0, 0x62);
	rig_write(r, MSI_BASE, LEVEL | 0x4000 | 0x43, 4);
	apic_set(r, 0, DIVIDE, BY_1);
	apic_set(r, 0, LVT_TIMER, PERIODIC | 0x70);
	apic_set(r, 0, INITIAL, 5 * MS);
	rig_advance(r, 2 * MS);
	get(r, 0, &a);
	assert_int_equal(a.base, 0xfee00900);
	assert_int_equal(a.reg[CURRENT / 16], 3 * MS);
	assert_int_equal(a.reg[ISR / 16 + 2], 1 << 17);
	assert_int_equal(a.reg[IRR / 16 + 3], 1 << 2);
	assert_int_equal(a.reg[TMR / 16 + 2], 1 << 3);
	dev_reset(r->dev[PC_LAPIC]);
	set(r, 0, &a);
	get(r, 0, &b);
	assert_memory_equal(&a, &b, sizeof a);
	assert_true(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 0), 0x62);
	rig_advance(r, 3 * MS);
	assert_int_equal(apic_take(r, 0), 0x70);
	rig_advance(r, 5 * MS); /* and the period is the old one */
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), 0x70);
}

static void an_x2apic_keeps_its_mode_and_its_deadline(void **state)
{
	struct rig *r = *state;
	struct intc_regs a, b;

	assert_true(r->intc.write_msr(r->intc.arg, 1, 0x1b, 0xfee00c00));
	assert_true(r->intc.write_msr(r->intc.arg, 1, 0x832, DEADLINE | 0x70));
	assert_true(r->intc.write_msr(r->intc.arg, 1, MSR_DEADLINE, 3 * MS));
	assert_true(r->intc.write_msr(r->intc.arg, 1, 0x830, 7ull << 32 | 0x51));
	get(r, 1, &a);
	assert_int_equal(a.base, 0xfee00c00);
	assert_int_equal(a.deadline, 3 * MS);
	assert_int_equal(a.reg[ID / 16], 1 << 24);
	assert_int_equal(a.reg[0x31], 7);
	dev_reset(r->dev[PC_LAPIC]);
	set(r, 1, &a);
	get(r, 1, &b);
	assert_memory_equal(&a, &b, sizeof a);
	rig_advance(r, 3 * MS);
	assert_int_equal(apic_take(r, 1), 0x70);
}

/* A deadline that has passed there and was not served, and a period that is just about to end. */
static void timers_that_end_on_the_way_fire(void **state)
{
	struct rig *r = *state;
	struct intc_regs a;

	apic_set(r, 0, LVT_TIMER, DEADLINE | 0x70);
	rig_advance(r, 5 * MS);
	get(r, 0, &a);
	a.deadline = 4 * MS;
	set(r, 0, &a);
	assert_int_equal(apic_take(r, 0), 0x70);
	apic_eoi(r, 0);
	get(r, 0, &a);
	assert_int_equal(a.deadline, 0);
	a.reg[LVT_TIMER / 16] = PERIODIC | 0x71;
	a.reg[DIVIDE / 16] = BY_1;
	a.reg[INITIAL / 16] = MS;
	a.reg[CURRENT / 16] = 0;
	set(r, 0, &a);
	rig_advance(r, 1);
	assert_int_equal(apic_take(r, 0), 0x71);
}

static void messages_go_to_the_host(void **state)
{
	struct rig *r = *state;
	struct seen s = { .takes = true };
	const struct intc_host host = { &s, hear };
	const struct lapic_msg to_1 = { .dest = 1, .vector = 0x41 };

	lend(r, &host);
	assert_true(lapic_send(&r->env, &to_1));
	assert_int_equal(s.addr, 0xfee01000);
	assert_int_equal(s.data, 0x4041);
	s.takes = false;
	assert_false(lapic_send_msi(&r->env, 0xfeeff00c, 0x4152));
	assert_int_equal(s.addr, 0xfeeff004);
	assert_int_equal(s.data, 0x4152);
	rig_write(r, MSI_BASE | 0x1004, LEVEL | 0x4000 | 0x43, 4);
	assert_int_equal(s.addr, 0xfee01004);
	assert_int_equal(s.data, 0xc043);
	assert_int_equal(s.n, 3);
	assert_false(apic_intr(r, 0) || apic_intr(r, 1));
	lend(r, NULL);
	assert_true(lapic_send(&r->env, &to_1));
	assert_int_equal(s.n, 3);
	assert_int_equal(apic_take(r, 1), 0x41);
}

/* Nor is anything taken here of what had been asked for before. */
static void timers_and_requests_rest_here(void **state)
{
	struct rig *r = *state;
	struct seen s = { .takes = true };
	const struct intc_host host = { &s, hear };

	apic_set(r, 0, LVT_TIMER, 0x70);
	apic_set(r, 0, DIVIDE, BY_1);
	apic_set(r, 0, INITIAL, MS);
	apic_ipi(r, 0, 0, 0x51);
	assert_true(apic_intr(r, 0));
	lend(r, &host);
	assert_false(apic_intr(r, 0));
	rig_advance(r, 2 * MS);
	assert_false(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 0), -1);
	lend(r, NULL);
	assert_int_equal(apic_take(r, 0), 0x51);
}

static void the_8259s_still_ask_and_answer(void **state)
{
	struct rig *r = *state;
	struct seen s = { .takes = true };
	const struct intc_host host = { &s, hear };
	struct irq wire = r->dev[PC_IRQ]->class->input(r->dev[PC_IRQ], 4);

	pc_program_pic(r, 1 << 4);
	lend(r, &host);
	assert_false(apic_intr(r, 0));
	irq_set(&wire, true); /* what LINT0 is, is known elsewhere */
	assert_true(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 0), 0x24);
	assert_false(apic_intr(r, 0));
	assert_int_equal(s.n, 0);
}

static void the_end_of_a_level_lets_the_ioapic_ask_again(void **state)
{
	struct rig *r = *state;
	struct seen s = { .takes = true };
	const struct intc_host host = { &s, hear };
	struct irq wire = r->dev[PC_IRQ]->class->input(r->dev[PC_IRQ], 10);

	lend(r, &host);
	pc_set_entry(r, 10, LEVEL | 0x3a, 1);
	irq_set(&wire, true);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.addr, 0xfee01000);
	assert_int_equal(s.data, 0xc03a);
	irq_set(&wire, true);
	assert_int_equal(s.n, 1);
	r->intc.end(r->intc.arg, 0x3b);
	assert_int_equal(s.n, 1);
	r->intc.end(r->intc.arg, 0x3a);
	assert_int_equal(s.n, 2);
	irq_set(&wire, false);
	r->intc.end(r->intc.arg, 0x3a);
	assert_int_equal(s.n, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_one_holds_makes_another_the_same, make, drop),
		cmocka_unit_test_setup_teardown(
		    an_x2apic_keeps_its_mode_and_its_deadline, make, drop),
		cmocka_unit_test_setup_teardown(timers_that_end_on_the_way_fire, make, drop),
		cmocka_unit_test_setup_teardown(messages_go_to_the_host, make, drop),
		cmocka_unit_test_setup_teardown(timers_and_requests_rest_here, make, drop),
		cmocka_unit_test_setup_teardown(the_8259s_still_ask_and_answer, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_end_of_a_level_lets_the_ioapic_ask_again, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
