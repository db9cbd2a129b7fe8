/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the manual says about local APICs, seen by CPUs; the timer is in lapic_timer_test.c.
 */
#include "test/dev/lapic_rig.h"

enum {
	ID = 0x20,
	VERSION = 0x30,
	TPR = 0x80,
	APR = 0x90,
	PPR = 0xa0,
	EOI = 0xb0,
	LDR = 0xd0,
	DFR = 0xe0,
	SVR = 0xf0,
	ISR = 0x100,
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280,
	ICR = 0x300,
	ICR2 = 0x310,
	LVT_TIMER = 0x320,
	LVT_LINT0 = 0x350,
	LVT_LINT1 = 0x360,
	LVT_ERROR = 0x370
};
enum { FIXED = 0, LOWEST = 0x100, LOGICAL = 0x800, LEVEL = 0x8000, MASKED = 0x10000 };
enum { SELF = 1 << 18, ALL = 2 << 18, OTHERS = 3 << 18 };
enum { MSR_BASE = 0x1b, X2 = 0xc00, XAPIC = 0x800 };

static int make(void **state)
{
	struct rig *r = lapic_rig(4);
	unsigned i;

	for (i = 0; i < 4; i++)
		apic_on(r, i);
	*state = r;
	return 0;
}

static int make_fresh(void **state)
{
	*state = lapic_rig(4);
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static bool in(struct rig *r, unsigned cpu, unsigned set, unsigned vector)
{
	return apic_get(r, cpu, set + vector / 32 * 16) >> vector % 32 & 1;
}

static void pin(struct rig *r, unsigned n, bool level)
{
	struct irq i = r->dev[0]->class->input(r->dev[0], n);

	irq_set(&i, level);
}

static bool rdmsr(struct rig *r, unsigned cpu, unsigned msr, uint64_t *val)
{
	return r->intc.read_msr(r->intc.arg, cpu, msr, val);
}

static bool wrmsr(struct rig *r, unsigned cpu, unsigned msr, uint64_t val)
{
	return r->intc.write_msr(r->intc.arg, cpu, msr, val);
}

static uint64_t msr(struct rig *r, unsigned cpu, unsigned n)
{
	uint64_t val;

	assert_true(rdmsr(r, cpu, n, &val));
	return val;
}

static bool set_mode(struct rig *r, unsigned cpu, unsigned mode)
{
	return wrmsr(r, cpu, MSR_BASE, MSI_BASE | mode);
}

static void to_x2apic(struct rig *r, unsigned cpu)
{
	assert_true(set_mode(r, cpu, X2));
}

static void registers_after_reset(void **state)
{
	struct rig *r = *state;
	unsigned i;

	assert_int_equal(apic_get(r, 2, ID), 2 << 24);
	assert_int_equal(apic_get(r, 2, VERSION), 0x01050014);
	assert_int_equal(apic_get(r, 2, TPR), 0);
	assert_int_equal(apic_get(r, 2, PPR), 0);
	assert_int_equal(apic_get(r, 2, LDR), 0);
	assert_int_equal(apic_get(r, 2, DFR), 0xffffffff);
	assert_int_equal(apic_get(r, 2, SVR), 0xff);
	for (i = LVT_TIMER; i <= LVT_ERROR; i += 16)
		assert_int_equal(apic_get(r, 2, i), MASKED);
	assert_int_equal(apic_get(r, 2, ESR), 0);
	assert_int_equal(apic_get(r, 2, ICR), 0);
	assert_int_equal(apic_get(r, 2, 0x3e0), 0);
	assert_true(msr(r, 0, MSR_BASE) == 0xfee00900);
	assert_true(msr(r, 2, MSR_BASE) == 0xfee00800);
	assert_int_equal(apic_take(r, 2), -1);
}

static void registers_keep_the_bits_that_exist(void **state)
{
	static const uint32_t bits[] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < 6; i++) {
		apic_set(r, 0, LVT_TIMER + 16 * i, 0xffffffff);
		assert_int_equal(apic_get(r, 0, LVT_TIMER + 16 * i), bits[i]);
	}
	apic_set(r, 0, TPR, 0xffffff5a);
	assert_int_equal(apic_get(r, 0, TPR), 0x5a);
	apic_set(r, 0, LDR, 0xffffffff);
	assert_int_equal(apic_get(r, 0, LDR), 0xff000000);
	apic_set(r, 0, DFR, 0);
	assert_int_equal(apic_get(r, 0, DFR), 0x0fffffff);
	apic_set(r, 0, SVR, 0xffffffff);
	assert_int_equal(apic_get(r, 0, SVR), 0x13ff);
	apic_set(r, 0, 0x3e0, 0xffffffff);
	assert_int_equal(apic_get(r, 0, 0x3e0), 0xb);
	apic_set(r, 0, ICR2, 0xffffffff);
	assert_int_equal(apic_get(r, 0, ICR2), 0xff000000);
	apic_set(r, 0, ID, 0x55000000);
	assert_int_equal(apic_get(r, 0, ID), 0);
}

static void an_interrupt_from_ipi_to_eoi(void **state)
{
	struct rig *r = *state;

	apic_ipi(r, 0, 1, 0x4041);
	assert_false(apic_intr(r, 0));
	assert_true(apic_intr(r, 1));
	assert_true(in(r, 1, IRR, 0x41));
	assert_int_equal(apic_take(r, 1), 0x41);
	assert_false(apic_intr(r, 1));
	assert_false(in(r, 1, IRR, 0x41));
	assert_true(in(r, 1, ISR, 0x41));
	assert_int_equal(apic_get(r, 1, PPR), 0x40);
	apic_eoi(r, 1);
	assert_false(in(r, 1, ISR, 0x41));
	assert_int_equal(apic_take(r, 1), -1);
}

static void priorities_nest_by_class(void **state)
{
	struct rig *r = *state;

	apic_ipi(r, 0, 0, 0x41);
	assert_int_equal(apic_take(r, 0), 0x41);
	apic_ipi(r, 0, 0, 0x4f); /* the same class waits */
	assert_false(apic_intr(r, 0));
	apic_ipi(r, 0, 0, 0x50);
	assert_true(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 0), 0x50);
	assert_int_equal(apic_get(r, 0, PPR), 0x50);
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), -1);
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), 0x4f);
}

static void one_request_and_one_in_service_are_held(void **state)
{
	struct rig *r = *state;

	apic_ipi(r, 0, 0, 0x41);
	apic_ipi(r, 0, 0, 0x41);
	assert_int_equal(apic_take(r, 0), 0x41);
	apic_ipi(r, 0, 0, 0x41);
	apic_ipi(r, 0, 0, 0x41);
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), 0x41);
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), -1);
	apic_eoi(r, 0); /* nothing is in service */
}

static void the_task_priority_holds_interrupts_back(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, TPR, 0x4f);
	apic_ipi(r, 0, 0, 0x4f);
	assert_false(apic_intr(r, 0));
	assert_int_equal(apic_get(r, 0, PPR), 0x4f);
	assert_int_equal(apic_get(r, 0, APR), 0x4f);
	apic_set(r, 0, TPR, 0x3f);
	assert_true(apic_intr(r, 0));
	assert_int_equal(apic_get(r, 0, APR), 0x40);
	r->intc.set_tpr(r->intc.arg, 0, 4);
	assert_false(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 0), -1);
	assert_int_equal(apic_get(r, 0, TPR), 0x40);
	assert_int_equal(r->intc.get_tpr(r->intc.arg, 0), 4);
	r->intc.set_tpr(r->intc.arg, 0, 3);
	assert_int_equal(apic_take(r, 0), 0x4f);
	apic_set(r, 0, TPR, 0x45); /* of equal classes the task's priority is shown */
	assert_int_equal(apic_get(r, 0, PPR), 0x45);
}

static unsigned who(struct rig *r)
{
	unsigned i, set = 0;

	for (i = 0; i < 4; i++)
		if (apic_take(r, i) >= 0) {
			set |= 1u << i;
			apic_eoi(r, i);
		}
	return set;
}

static void physical_destinations_and_shorthands(void **state)
{
	struct rig *r = *state;

	apic_ipi(r, 1, 3, 0x60);
	assert_int_equal(who(r), 8);
	apic_ipi(r, 1, 0xff, 0x60);
	assert_int_equal(who(r), 15);
	apic_ipi(r, 1, 4, 0x60);
	assert_int_equal(who(r), 0);
	apic_ipi(r, 1, 3, 0x60 | SELF);
	assert_int_equal(who(r), 2);
	apic_ipi(r, 1, 3, 0x60 | ALL);
	assert_int_equal(who(r), 15);
	apic_ipi(r, 1, 3, 0x60 | OTHERS);
	assert_int_equal(who(r), 13);
}

static void logical_destinations_flat_and_cluster(void **state)
{
	struct rig *r = *state;
	unsigned i;

	apic_ipi(r, 1, 1, 0x60 | LOGICAL); /* nobody has a logical ID */
	assert_int_equal(who(r), 0);
	for (i = 0; i < 4; i++)
		apic_set(r, i, LDR, 1u << (24 + i));
	apic_ipi(r, 1, 0xa, 0x60 | LOGICAL);
	assert_int_equal(who(r), 10);
	for (i = 0; i < 4; i++) {
		apic_set(r, i, DFR, 0);
		apic_set(r, i, LDR, (i / 2 << 4 | 1u << i % 2) << 24);
	}
	apic_ipi(r, 1, 0x13, 0x60 | LOGICAL);
	assert_int_equal(who(r), 12);
	apic_ipi(r, 1, 0x02, 0x60 | LOGICAL);
	assert_int_equal(who(r), 2);
	apic_ipi(r, 1, 0xff, 0x60 | LOGICAL);
	assert_int_equal(who(r), 15);
}

static void lowest_priority_goes_to_one(void **state)
{
	struct rig *r = *state;
	unsigned i, v, all = 0, set;

	for (i = 0; i < 4; i++)
		apic_set(r, i, LDR, 1u << (24 + i));
	apic_set(r, 0, TPR, 0x20);
	apic_set(r, 1, TPR, 0x10);
	apic_set(r, 3, TPR, 0x20);
	apic_ipi(r, 0, 0xb, 0x60 | LOGICAL | LOWEST);
	assert_int_equal(who(r), 2);
	apic_set(r, 2, SVR, 0xff); /* not one that is off */
	apic_ipi(r, 0, 0xf, 0x60 | LOGICAL | LOWEST);
	assert_int_equal(who(r), 2);
	apic_on(r, 2);
	for (i = 0; i < 4; i++)
		apic_set(r, i, TPR, 0);
	for (v = 0x60; v < 0x64; v++) {
		apic_ipi(r, 0, 0xf, v | LOGICAL | LOWEST);
		set = who(r);
		assert_true(set && !(set & (set - 1)));
		all |= set;
	}
	assert_int_equal(all, 15); /* different vectors are spread */
}

static void nmi_init_and_sipi_are_edges_to_the_cpu(void **state)
{
	struct rig *r = *state;

	apic_ipi(r, 0, 1, 0x4400);
	assert_true(apic_edge(r, 1, NMI));
	apic_ipi(r, 0, 1, 0xc500); /* INIT, level, assert */
	assert_true(apic_edge(r, 1, INIT));
	apic_ipi(r, 0, 1, 0x8500); /* de-assert */
	assert_false(apic_edge(r, 1, INIT));
	apic_ipi(r, 0, 1, 0x4500);
	assert_true(apic_edge(r, 1, INIT));
	apic_ipi(r, 0, 1, 0x469a);
	assert_int_equal(r->cpu_high[1], INTC_SIPI + 0x9a);
	assert_int_equal(r->cpu_high[0] | r->cpu_high[2], 0);
	apic_ipi(r, 0, 0, 0x4500 | OTHERS);
	assert_false(apic_edge(r, 0, INIT));
	assert_true(apic_edge(r, 2, INIT) && apic_edge(r, 3, INIT));
	apic_ipi(r, 0, 1, 0x4200); /* SMI, reserved: nothing */
	apic_ipi(r, 0, 1, 0x4300);
	apic_ipi(r, 0, 1, 0x4700);
	assert_int_equal(r->cpu_lines[0] | r->cpu_lines[1], INIT);
}

static void what_is_off_takes_no_vectors(void **state)
{
	struct rig *r = *state;

	apic_ipi(r, 0, 1, 0x45);
	assert_int_equal(apic_get(r, 1, LVT_TIMER), MASKED);
	apic_set(r, 1, LVT_LINT0, 0x700);
	apic_set(r, 1, SVR, 0xff);
	assert_int_equal(apic_get(r, 1, LVT_LINT0), MASKED | 0x700);
	apic_set(r, 1, LVT_LINT0, 0x700); /* cannot be unmasked */
	assert_int_equal(apic_get(r, 1, LVT_LINT0), MASKED | 0x700);
	apic_ipi(r, 0, 1, 0x46);
	assert_false(in(r, 1, IRR, 0x46));
	assert_true(in(r, 1, IRR, 0x45)); /* held, and for the CPU to take */
	assert_int_equal(apic_take(r, 1), 0x45);
	apic_ipi(r, 0, 1, 0x4400);
	assert_true(apic_edge(r, 1, NMI));
}

static void errors_are_shown_after_a_write(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT_ERROR, 0xe0);
	apic_ipi(r, 0, 1, 0x0f);
	assert_int_equal(apic_get(r, 0, ESR), 0);
	assert_int_equal(apic_take(r, 0), 0xe0);
	apic_eoi(r, 0);
	apic_set(r, 0, 0x3a0, 1);
	apic_get(r, 0, 0x40);
	assert_int_equal(apic_take(r, 0), -1); /* once, until ESR is written */
	apic_set(r, 0, ESR, 0);
	assert_int_equal(apic_get(r, 0, ESR), 0xa0);
	apic_set(r, 0, LVT_LINT1, 0x5);
	pin(r, 1, true);
	assert_int_equal(apic_take(r, 0), 0xe0);
	apic_set(r, 0, ESR, 0);
	assert_int_equal(apic_get(r, 0, ESR), 0x40);
	apic_set(r, 0, ESR, 0);
	assert_int_equal(apic_get(r, 0, ESR), 0);
	apic_set(r, 0, LVT_ERROR, 3); /* an error of the error: no end of them */
	apic_set(r, 0, 0x3f0, 0x50);
	apic_set(r, 0, ESR, 0);
	assert_int_equal(apic_get(r, 0, ESR), 0xc0);
}

static void only_words_at_multiples_of_16_count(void **state)
{
	struct rig *r = *state;

	r->intc.write(r->intc.arg, 0, TPR, 0x50, 1);
	r->intc.write(r->intc.arg, 0, TPR, 0x50, 2);
	apic_set(r, 0, TPR + 4, 0x50);
	assert_int_equal(apic_get(r, 0, TPR), 0);
	r->intc.write(r->intc.arg, 0, TPR, 0xff00000050, 8);
	assert_int_equal(apic_get(r, 0, TPR), 0x50);
	assert_int_equal(apic_get(r, 0, TPR + 4), 0);
	assert_int_equal(r->intc.read(r->intc.arg, 0, VERSION, 1), 0x14);
	assert_int_equal(r->intc.read(r->intc.arg, 0, VERSION, 8), 0x01050014);
}

static void lint1_is_nmi_and_edges_only(void **state)
{
	struct rig *r = *state;

	pin(r, 1, true); /* masked */
	assert_int_equal(r->cpu_lines[0], 0);
	apic_set(r, 0, LVT_LINT1, 0x400);
	assert_int_equal(r->cpu_lines[0], 0);
	pin(r, 1, false);
	pin(r, 1, true);
	assert_true(apic_edge(r, 0, NMI));
	pin(r, 1, true);
	assert_false(apic_edge(r, 0, NMI));
	assert_int_equal(r->cpu_lines[1], 0);
	apic_set(r, 0, LVT_LINT1, LEVEL | 0x55);
	pin(r, 1, false);
	pin(r, 1, true);
	assert_int_equal(apic_take(r, 0), 0x55);
	assert_false(in(r, 0, TMR, 0x55));
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), -1);
	assert_true(set_mode(r, 0, 0));
	pin(r, 1, false);
	pin(r, 1, true);
	assert_true(apic_edge(r, 0, NMI)); /* without an APIC the pin is the CPU's own */
}

static void lint0_as_a_level_asks_again_after_eoi(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, LVT_LINT0, 0x8055);
	pin(r, 0, true);
	assert_int_equal(apic_get(r, 0, LVT_LINT0), 0xc055);
	assert_int_equal(apic_take(r, 0), 0x55);
	assert_true(in(r, 0, TMR, 0x55));
	assert_false(apic_intr(r, 0));
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), 0x55);
	pin(r, 0, false);
	apic_eoi(r, 0);
	assert_int_equal(apic_get(r, 0, LVT_LINT0), 0x8055);
	assert_int_equal(apic_take(r, 0), -1);
	apic_set(r, 0, LVT_LINT0, 0x55);
	pin(r, 0, true);
	assert_int_equal(apic_take(r, 0), 0x55);
	assert_false(in(r, 0, TMR, 0x55));
	apic_eoi(r, 0);
	assert_int_equal(apic_take(r, 0), -1);
}

static void extint_is_a_level_past_all_priorities(void **state)
{
	struct rig *r = *state;

	apic_set(r, 0, TPR, 0xff);
	pin(r, 0, true);
	assert_false(apic_intr(r, 0));
	apic_set(r, 0, LVT_LINT0, 0x700);
	assert_true(apic_intr(r, 0));
	assert_false(apic_intr(r, 1));
	pin(r, 0, false);
	assert_false(apic_intr(r, 0));
	assert_true(set_mode(r, 1, 0));
	pin(r, 0, true);
	assert_true(apic_intr(r, 1));
}

static void apic_base_changes_as_the_manual_allows(void **state)
{
	struct rig *r = *state;

	assert_false(set_mode(r, 1, 0x400));
	assert_false(wrmsr(r, 1, MSR_BASE, 0xfee00801));
	assert_false(wrmsr(r, 1, MSR_BASE, 0xfee00a00));
	assert_false(wrmsr(r, 1, MSR_BASE, 1ull << 52 | 0xfee00800));
	apic_set(r, 1, TPR, 0x30);
	assert_true(set_mode(r, 1, X2)); /* keeps the state */
	assert_true(msr(r, 1, 0x808) == 0x30);
	assert_int_equal(apic_get(r, 1, TPR), 0xffffffff);
	assert_false(set_mode(r, 1, XAPIC));
	assert_true(set_mode(r, 1, X2));
	assert_true(set_mode(r, 1, 0));
	assert_false(set_mode(r, 1, X2));
	assert_true(set_mode(r, 1, XAPIC)); /* all is forgotten */
	assert_int_equal(apic_get(r, 1, TPR), 0);
	assert_int_equal(apic_get(r, 1, SVR), 0xff);
	assert_true(msr(r, 1, MSR_BASE) == 0xfee00800);
}

static void a_disabled_apic_hears_nothing(void **state)
{
	struct rig *r = *state;

	assert_true(set_mode(r, 1, 0));
	apic_ipi(r, 0, 1, 0x4500);
	apic_ipi(r, 0, 1, 0x4400);
	apic_ipi(r, 0, 0, 0x4600 | OTHERS);
	assert_int_equal(r->cpu_lines[1], 0);
	assert_int_equal(r->cpu_high[1], 0);
	assert_int_equal(apic_get(r, 1, VERSION), 0xffffffff);
}

static void msrs_need_x2apic(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_false(rdmsr(r, 0, 0x802, &val));
	assert_false(wrmsr(r, 0, 0x808, 0));
	to_x2apic(r, 3);
	assert_true(msr(r, 3, 0x802) == 3);
	assert_true(msr(r, 3, 0x803) == 0x01050014);
	assert_true(msr(r, 3, 0x80d) == 8);
	assert_true(msr(r, 3, 0x80f) == 0x1ff);
	assert_true(rdmsr(r, 3, 0x810, &val) && rdmsr(r, 3, 0x827, &val));
}

static void msrs_that_do_not_exist_fault(void **state)
{
	static const unsigned no_read[] = { 0x800, 0x801, 0x804, 0x809, 0x80b, 0x80c, 0x80e, 0x829,
		0x82f, 0x831, 0x83a, 0x83f, 0x840, 0x8ff, 0x900, 0x7ff };
	static const unsigned no_write[] = { 0x802, 0x803, 0x809, 0x80a, 0x80d, 0x80e, 0x810, 0x818,
		0x820, 0x831, 0x839, 0x82f, 0x8ff };
	struct rig *r = *state;
	uint64_t val;
	size_t i;

	to_x2apic(r, 0);
	for (i = 0; i < ARRAY_LEN(no_read); i++)
		assert_false(rdmsr(r, 0, no_read[i], &val));
	for (i = 0; i < ARRAY_LEN(no_write); i++)
		assert_false(wrmsr(r, 0, no_write[i], 0));
}

static void reserved_bits_of_msrs_fault(void **state)
{
	static const struct {
		unsigned msr;
		uint64_t bad, good;
	} t[] = { { 0x808, 0x100, 0xff }, { 0x80b, 1, 0 }, { 0x828, 1, 0 },
		{ 0x80f, 0x400, 0x13ff }, { 0x832, 0x800, 0x700ff }, { 0x835, 0x800, 0x1a7ff },
		{ 0x837, 0x100, 0x100ff }, { 0x838, 1ull << 32, 0xffffffff }, { 0x83e, 4, 0xb },
		{ 0x83f, 0x100, 0x50 }, { 0x830, 0x2050, 0x50 }, { 0x830, 0x100050, 0x50 } };
	struct rig *r = *state;
	size_t i;

	to_x2apic(r, 0);
	for (i = 0; i < ARRAY_LEN(t); i++) {
		assert_false(wrmsr(r, 0, t[i].msr, t[i].bad));
		assert_false(wrmsr(r, 0, t[i].msr, t[i].good | 1ull << 63) && t[i].msr != 0x830);
		assert_true(wrmsr(r, 0, t[i].msr, t[i].good));
	}
}

static void x2apic_sends_to_clusters_and_itself(void **state)
{
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < 4; i++)
		to_x2apic(r, i);
	assert_true(wrmsr(r, 0, 0x830, 3ull << 32 | 0x60));
	assert_int_equal(apic_take(r, 3), 0x60);
	assert_true(wrmsr(r, 3, 0x80b, 0));
	assert_true(wrmsr(r, 0, 0x830, 0x6ull << 32 | LOGICAL | 0x61));
	assert_int_equal(apic_take(r, 0), -1);
	assert_int_equal(apic_take(r, 1), 0x61);
	assert_int_equal(apic_take(r, 2), 0x61);
	assert_int_equal(apic_take(r, 3), -1);
	assert_true(wrmsr(r, 0, 0x830, 0x1000full << 32 | LOGICAL | 0x62)); /* cluster 1 */
	assert_true(wrmsr(r, 0, 0x830, 0xffull << 32 | 0x62));              /* no broadcast */
	for (i = 0; i < 4; i++)
		assert_int_equal(apic_take(r, i), -1);
	assert_true(wrmsr(r, 0, 0x830, 0xffffffffull << 32 | 0x72));
	for (i = 0; i < 4; i++)
		assert_int_equal(apic_take(r, i), 0x72);
	assert_true(msr(r, 0, 0x830) == (0xffffffffull << 32 | 0x72));
	assert_true(wrmsr(r, 2, 0x83f, 0x85));
	assert_int_equal(apic_take(r, 2), 0x85);
	assert_true(wrmsr(r, 2, 0x83f, 0x05));
	assert_true(wrmsr(r, 2, 0x828, 0));
	assert_true(msr(r, 2, 0x828) == 0x20);
}

static void count_irq(void *machine, unsigned cpu, unsigned line, bool level)
{
	struct rig *r = machine;

	(void)cpu;
	r->irq_ups[line] += level;
}

/* The rig keeps lines of a few CPUs only: here they are counted. */
static void many_cpus_are_in_clusters(void **state)
{
	struct rig *r = rig_new();
	unsigned i;

	(void)state;
	r->env.cpu_irq = count_irq;
	r->env.ncpu = 40;
	rig_dev(r, "lapic", MSI_BASE, 0, NULL);
	for (i = 0; i < 40; i++) {
		apic_on(r, i);
		to_x2apic(r, i);
	}
	assert_true(msr(r, 33, 0x802) == 33);
	assert_true(msr(r, 33, 0x80d) == 0x20002);
	assert_true(wrmsr(r, 0, 0x830, 0x20082ull << 32 | LOGICAL | 0x60));
	for (i = 0; i < 40; i++)
		assert_int_equal(apic_take(r, i), i == 33 || i == 39 ? 0x60 : -1);
	assert_int_equal(r->irq_ups[INTC_INTR], 2);
	assert_true(wrmsr(r, 0, 0x830, 0x2ff00ull << 32 | LOGICAL | LOWEST | 0x60)); /* nobody */
	assert_true(wrmsr(r, 0, 0x830, 0x30001ull << 32 | LOGICAL | 0x60));
	assert_true(wrmsr(r, 0, 0x830, 0xfffeffffull << 32 | LOGICAL | 0x60));
	assert_true(wrmsr(r, 0, 0x830, 40ull << 32 | 0x60));
	assert_true(wrmsr(r, 0, 0x830, 0xfffffffeull << 32 | 0x60));
	assert_int_equal(r->irq_ups[INTC_INTR], 2);
	assert_true(wrmsr(r, 0, 0x830, OTHERS | 0x70));
	assert_int_equal(r->irq_ups[INTC_INTR], 2 + 39);
	rig_free(r);
}

static void too_many_cpus_are_refused(void **state)
{
	struct rig *r = rig_new();
	struct dev where = { .env = &r->env, .base = MSI_BASE };
	struct err e = { "" };

	(void)state;
	r->env.ncpu = 256;
	assert_null(dev_new(dev_find("lapic"), &where, &e));
	assert_non_null(strstr(e.text, "255"));
	rig_free(r);
}

static void messages_in_memory(void **state)
{
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < 4; i++)
		apic_set(r, i, LDR, 1u << (24 + i));
	rig_write(r, MSI_BASE + 0x2000, 0x4061, 4);
	assert_int_equal(who(r), 4);
	rig_write(r, MSI_BASE + 0xff000, 0x4061, 4);
	assert_int_equal(who(r), 15);
	rig_write(r, MSI_BASE + 0x3004, 0x4061, 4); /* logical */
	assert_int_equal(who(r), 3);
	apic_set(r, 0, TPR, 0x10);
	rig_write(r, MSI_BASE + 0x300c, 0x4061, 4); /* redirected */
	assert_int_equal(who(r), 2);
	rig_write(r, MSI_BASE + 0x300c, 0x4161, 4);
	assert_int_equal(who(r), 2);
	rig_write(r, MSI_BASE + 0x1000, 0x8061, 4); /* a level ends */
	assert_int_equal(who(r), 0);
	rig_write(r, MSI_BASE + 0x1000, 0xc061, 4);
	assert_true(in(r, 1, TMR, 0x61));
	rig_write(r, MSI_BASE + 0x1000, 0x0400, 4);
	assert_true(apic_edge(r, 1, NMI));
	rig_write(r, MSI_BASE + 0x1000, 0x0610, 4); /* reserved in messages */
	assert_int_equal(r->cpu_high[1], 0);
	rig_write(r, MSI_BASE + 0x1000, 0x0005, 4); /* an illegal vector */
	apic_set(r, 1, ESR, 0);
	assert_int_equal(apic_get(r, 1, ESR), 0x40);
	assert_false(bus_write(r->env.bus, MSI_BASE + 0x1000, 0x40, 2));
}

static void init_keeps_id_and_base(void **state)
{
	struct rig *r = *state;

	to_x2apic(r, 1);
	assert_true(wrmsr(r, 1, 0x808, 0x20));
	assert_true(wrmsr(r, 1, 0x83f, 0x55));
	assert_true(apic_intr(r, 1));
	r->intc.init(r->intc.arg, 1);
	assert_false(apic_intr(r, 1));
	assert_true(msr(r, 1, 0x808) == 0);
	assert_true(msr(r, 1, 0x80f) == 0xff);
	assert_true(msr(r, 1, MSR_BASE) == 0xfee00c00);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	apic_ipi(r, 0, 1, 0x41);
	apic_ipi(r, 0, 1, 0x51);
	assert_int_equal(apic_take(r, 1), 0x51);
	apic_set(r, 0, LVT_LINT0, 0x700);
	pin(r, 0, true);
	apic_set(r, 2, TPR, 0x77);
	rig_reload(r->dev[0]);
	assert_true(apic_intr(r, 0));
	assert_false(apic_intr(r, 1));
	assert_int_equal(apic_get(r, 1, PPR), 0x50);
	apic_eoi(r, 1);
	assert_int_equal(apic_take(r, 1), 0x41);
	assert_int_equal(apic_get(r, 2, TPR), 0x77);
	assert_int_equal(apic_get(r, 0, LVT_LINT0), 0x700);
}

static void reset_is_power_on(void **state)
{
	struct rig *r = *state;

	to_x2apic(r, 0);
	assert_true(wrmsr(r, 0, 0x83f, 0x55));
	assert_true(apic_intr(r, 0));
	dev_reset(r->dev[0]);
	assert_false(apic_intr(r, 0));
	assert_true(msr(r, 0, MSR_BASE) == 0xfee00900);
	assert_int_equal(apic_get(r, 0, SVR), 0xff);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_after_reset, make_fresh, drop),
		cmocka_unit_test_setup_teardown(registers_keep_the_bits_that_exist, make, drop),
		cmocka_unit_test_setup_teardown(an_interrupt_from_ipi_to_eoi, make, drop),
		cmocka_unit_test_setup_teardown(priorities_nest_by_class, make, drop),
		cmocka_unit_test_setup_teardown(
		    one_request_and_one_in_service_are_held, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_task_priority_holds_interrupts_back, make, drop),
		cmocka_unit_test_setup_teardown(physical_destinations_and_shorthands, make, drop),
		cmocka_unit_test_setup_teardown(logical_destinations_flat_and_cluster, make, drop),
		cmocka_unit_test_setup_teardown(lowest_priority_goes_to_one, make, drop),
		cmocka_unit_test_setup_teardown(nmi_init_and_sipi_are_edges_to_the_cpu, make, drop),
		cmocka_unit_test_setup_teardown(what_is_off_takes_no_vectors, make, drop),
		cmocka_unit_test_setup_teardown(errors_are_shown_after_a_write, make, drop),
		cmocka_unit_test_setup_teardown(only_words_at_multiples_of_16_count, make, drop),
		cmocka_unit_test_setup_teardown(lint1_is_nmi_and_edges_only, make, drop),
		cmocka_unit_test_setup_teardown(lint0_as_a_level_asks_again_after_eoi, make, drop),
		cmocka_unit_test_setup_teardown(extint_is_a_level_past_all_priorities, make, drop),
		cmocka_unit_test_setup_teardown(apic_base_changes_as_the_manual_allows, make, drop),
		cmocka_unit_test_setup_teardown(a_disabled_apic_hears_nothing, make, drop),
		cmocka_unit_test_setup_teardown(msrs_need_x2apic, make, drop),
		cmocka_unit_test_setup_teardown(msrs_that_do_not_exist_fault, make, drop),
		cmocka_unit_test_setup_teardown(reserved_bits_of_msrs_fault, make, drop),
		cmocka_unit_test_setup_teardown(x2apic_sends_to_clusters_and_itself, make, drop),
		cmocka_unit_test(many_cpus_are_in_clusters),
		cmocka_unit_test(too_many_cpus_are_refused),
		cmocka_unit_test_setup_teardown(messages_in_memory, make, drop),
		cmocka_unit_test_setup_teardown(init_keeps_id_and_base, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
		cmocka_unit_test_setup_teardown(reset_is_power_on, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
