/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of a PC from the device to the CPU, as guests set them up; a mad guest; and several
 * CPUs' threads at once.  LODGE_SEED repeats the mad guest.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/thread.h"
#include "test/dev/pc_rig.h"
#include "test/random.h"

enum { LINT0 = 0x350, LVT_TIMER = 0x320, EXTINT = 0x700, MASK = 1 << 16, LEVEL = 1 << 15 };
enum { MS = 1000000, CLK = 839 };

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

static void wire(struct rig *r, unsigned n, bool level)
{
	struct irq i = r->dev[PC_IRQ]->class->input(r->dev[PC_IRQ], n);

	irq_set(&i, level);
}

/* Before the guest knows of APICs: virtual wire mode. */
static void the_timer_through_8259_and_lint0(void **state)
{
	struct rig *r = *state;
	unsigned i;

	apic_set(r, 0, LINT0, EXTINT);
	pc_program_pic(r, 1);
	pc_start_pit(r, 1193); /* 0.99985 ms; the output's first rise was the control word's */
	assert_int_equal(apic_take(r, 0), 0x20);
	rig_out(r, PIC, 0x20, 1);
	rig_advance(r, CLK); /* the count is loaded */
	for (i = 0; i < 10; i++) {
		assert_int_equal(apic_take(r, 0), -1);
		assert_false(apic_intr(r, 0) || apic_intr(r, 1));
		rig_advance(r, MS);
		assert_true(apic_intr(r, 0));
		assert_false(apic_intr(r, 1));
		assert_int_equal(apic_take(r, 0), 0x20);
		rig_out(r, PIC, 0x20, 1);
	}
}

static void without_apics_the_8259_has_the_cpu(void **state)
{
	struct rig *r = *state;

	assert_true(r->intc.write_msr(r->intc.arg, 0, 0x1b, 0xfee00100));
	pc_program_pic(r, 0x1004);
	wire(r, 12, true);
	assert_int_equal(apic_take(r, 0), 0x2c);
	assert_false(apic_intr(r, 0));
}

static void the_timer_through_the_ioapic(void **state)
{
	struct rig *r = *state;
	unsigned i;

	pc_set_entry(r, 2, 0x30, 1);
	pc_start_pit(r, 1193);
	assert_int_equal(apic_take(r, 1), 0x30);
	apic_eoi(r, 1);
	rig_advance(r, CLK);
	for (i = 0; i < 10; i++) {
		rig_advance(r, MS);
		assert_int_equal(apic_take(r, 1), 0x30);
		apic_eoi(r, 1);
		assert_int_equal(apic_take(r, 1), -1);
	}
}

static void the_hpet_takes_the_place_of_the_timer(void **state)
{
	struct rig *r = *state;

	pc_set_entry(r, 2, 0x30, 0);
	pc_start_pit(r, 1193);
	assert_int_equal(apic_take(r, 0), 0x30);
	apic_eoi(r, 0);
	rig_write(r, HPET_BASE + 0x100, 4 | 8 | 0x40, 8);
	rig_write(r, HPET_BASE + 0x108, 200000, 8); /* 2 ms */
	rig_write(r, HPET_BASE + 0x10, 3, 8);
	rig_advance(r, 1500000);
	assert_int_equal(apic_take(r, 0), -1);
	rig_advance(r, 500000);
	assert_int_equal(apic_take(r, 0), 0x30);
	apic_eoi(r, 0);
	rig_advance(r, 2 * MS);
	assert_int_equal(apic_take(r, 0), 0x30);
}

static void an_extint_by_message_takes_from_the_8259(void **state)
{
	struct rig *r = *state;

	pc_program_pic(r, 1 << 4);
	pc_set_entry(r, 4, EXTINT, 1);
	wire(r, 4, true);
	assert_true(apic_intr(r, 1));
	assert_false(apic_intr(r, 0));
	assert_int_equal(apic_take(r, 1), 0x24);
	assert_false(apic_intr(r, 1));
	assert_int_equal(apic_take(r, 1), -1);
}

static void a_level_shared_by_both_controllers(void **state)
{
	struct rig *r = *state;

	rig_out(r, 0x4d1, 8, 1);
	pc_program_pic(r, 1 << 11 | 4);
	apic_set(r, 0, LINT0, EXTINT);
	pc_set_entry(r, 11, LEVEL | 0x51, 1);
	wire(r, 11, true);
	assert_int_equal(apic_take(r, 0), 0x2b);
	assert_int_equal(apic_take(r, 1), 0x51);
	wire(r, 11, false);
	apic_eoi(r, 1);
	assert_int_equal(apic_take(r, 1), -1);
}

/* splitmix64 */
static uint64_t any(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void mad_cpu(struct rig *r, uint64_t *random)
{
	static const unsigned msrs[] = { 0x1b, 0x6e0 };
	const struct intc *c = &r->intc;
	unsigned cpu = any(random) % 2, size = 1u << any(random) % 4;
	uint64_t val = any(random) >> any(random) % 64, got;
	unsigned msr = any(random) % 4 ? 0x800 + any(random) % 0x40 : msrs[any(random) % 2];

	switch (any(random) % 8) {
	case 0:
		c->take(c->arg, cpu);
		break;
	case 1:
		c->read(c->arg, cpu, any(random) % 0x1000, size);
		break;
	case 2:
		c->write(c->arg, cpu, any(random) % 0x1000, val, size);
		break;
	case 3:
		c->write(c->arg, cpu, any(random) % 0x40 * 16, val, 4);
		break;
	case 4:
		c->read_msr(c->arg, cpu, msr, &got);
		break;
	case 5:
		if (msr == 0x1b)
			val = MSI_BASE | (any(random) & 0xd00);
		c->write_msr(c->arg, cpu, msr, val);
		break;
	case 6:
		c->set_tpr(c->arg, cpu, val & 0xf);
		c->get_tpr(c->arg, cpu);
		break;
	default:
		if (val % 16 == 0)
			c->init(c->arg, cpu);
		apic_on(r, cpu);
	}
}

static void mad_access(struct rig *r, uint64_t *random)
{
	static const uint64_t place[] = { PIC, PIC + 0x80, 0x4d0, PIT, 0x61, IOAPIC_BASE, HPET_BASE,
		HPET_BASE + 0x100, MSI_BASE };
	unsigned at = any(random) % ARRAY_LEN(place), size = 1u << any(random) % 4;
	struct bus *b = place[at] < 0x10000 ? r->env.ports : r->env.bus;
	uint64_t addr = place[at], val = any(random) >> any(random) % 64;

	if (addr < 0x10000)
		addr += any(random) % 4;
	else if (addr == MSI_BASE)
		addr += any(random) % 0x100000;
	else
		addr += any(random) % 16 * 4;
	if (any(random) % 3)
		bus_write(b, addr, val, size);
	else
		bus_read(b, addr, &val, size);
}

static void mad_step(struct rig *r, uint64_t *random)
{
	switch (any(random) % 16) {
	case 0:
		rig_advance(r, any(random) >> (24 + any(random) % 40));
		break;
	case 1:
	case 2:
		wire(r, any(random) % 64, any(random) % 2);
		break;
	case 3:
		if (any(random) % 64 == 0)
			rig_reload(r->dev[any(random) % PC_DEVS]);
		if (any(random) % 64 == 0)
			dev_reset(r->dev[any(random) % PC_DEVS]);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		mad_cpu(r, random);
		break;
	default:
		mad_access(r, random);
	}
}

/* What the lines tell is what the CPUs can take. */
static void check_lines(struct rig *r)
{
	unsigned cpu;
	bool intr;

	for (cpu = 0; cpu < 2; cpu++) {
		intr = apic_intr(r, cpu);
		assert_int_equal(intr, apic_take(r, cpu) >= 0);
	}
}

static void controllers_survive_a_mad_guest(void **state)
{
	uint64_t seed = random_seed(), random;
	unsigned round, i;
	struct rig *r;

	(void)state;
	print_message("LODGE_SEED=%llu\n", (unsigned long long)seed);
	for (round = 0; round < 40; round++) {
		random = seed + round;
		r = pc_rig(2);
		for (i = 0; i < 4000; i++) {
			mad_step(r, &random);
			if (i % 8 == 0)
				check_lines(r);
		}
		rig_free(r);
	}
}

/*
 * Threads.  CPUs send each other IPIs and take what comes, while a device raises a level at the
 * IOAPIC that only the EOI's broadcast can let through again, and the VM's thread runs timers.
 */
enum { THREADS = 4, ROUNDS = 1000, VECTOR_IPI = 0x40, VECTOR_LEVEL = 0x30, VECTOR_TIMER = 0x60 };

struct crowd {
	struct rig *r;
	atomic_bool intr[THREADS], done;
	atomic_uint sent[THREADS], got[THREADS], levels, ticks;
	struct irq level;
};

struct cpu {
	struct crowd *crowd;
	unsigned n;
	struct thread thread;
};

static void crowd_irq(void *machine, unsigned cpu, unsigned line, bool level)
{
	struct crowd *c = machine;

	assert_int_equal(line, INTC_INTR);
	atomic_store(&c->intr[cpu], level);
}

static void serve(struct crowd *c, unsigned cpu)
{
	int v;

	if (!atomic_load(&c->intr[cpu])) {
		sched_yield();
		return;
	}
	v = apic_take(c->r, cpu);
	if (v == VECTOR_LEVEL) {
		atomic_fetch_add(&c->levels, 1);
		irq_set(&c->level, false);
	} else if (v == VECTOR_TIMER) {
		atomic_fetch_add(&c->ticks, 1);
	} else if (v == VECTOR_IPI) {
		atomic_fetch_add(&c->got[cpu], 1);
	}
	if (v < 0)
		return;
	apic_eoi(c->r, cpu);
	if (v == VECTOR_LEVEL)
		irq_set(&c->level, true);
}

static void *run_cpu(void *arg)
{
	struct cpu *u = arg;
	struct crowd *c = u->crowd;
	unsigned i, to = (u->n + 1) % THREADS;

	for (i = 0; i < ROUNDS; i++) {
		/* One at a time, so that none is merged with the one before. */
		while (atomic_load(&c->sent[to]) != atomic_load(&c->got[to]))
			serve(c, u->n);
		atomic_fetch_add(&c->sent[to], 1);
		apic_ipi(c->r, u->n, to, VECTOR_IPI);
		serve(c, u->n);
	}
	while (!atomic_load(&c->done))
		serve(c, u->n);
	return NULL;
}

static bool all_got(struct crowd *c)
{
	unsigned i;

	for (i = 0; i < THREADS; i++)
		if (atomic_load(&c->got[i]) != ROUNDS)
			return false;
	return atomic_load(&c->levels) > 10 && atomic_load(&c->ticks) > 10;
}

static void no_interrupt_is_lost_among_threads(void **state)
{
	struct crowd *c = calloc(1, sizeof *c);
	struct cpu cpu[THREADS];
	unsigned i;

	(void)state;
	assert_non_null(c);
	c->r = lapic_rig(THREADS);
	rig_dev(c->r, "ioapic", IOAPIC_BASE, 0, NULL);
	c->r->env.cpu_irq = crowd_irq;
	c->r->env.machine = c;
	c->level = c->r->dev[1]->class->input(c->r->dev[1], 16);
	for (i = 0; i < THREADS; i++) {
		apic_on(c->r, i);
		apic_set(c->r, i, 0xd0, 1u << (24 + i));
		apic_set(c->r, i, LVT_TIMER, VECTOR_TIMER | 1 << 17);
		apic_set(c->r, i, 0x3e0, 0xb);
		apic_set(c->r, i, 0x380, 200000);
	}
	pc_set_entry(c->r, 16, LEVEL | 0x900 | VECTOR_LEVEL, 0xf);
	irq_set(&c->level, true);
	clock_by_count(c->r->env.clock, NULL, 0); /* the host's clock */
	for (i = 0; i < THREADS; i++) {
		cpu[i].crowd = c;
		cpu[i].n = i;
		assert_int_equal(thread_start(&cpu[i].thread, "cpu", run_cpu, &cpu[i]), 0);
	}
	while (!all_got(c))
		clock_run(c->r->env.clock);
	atomic_store(&c->done, true);
	for (i = 0; i < THREADS; i++)
		thread_join(&cpu[i].thread);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(atomic_load(&c->sent[i]), ROUNDS);
	rig_free(c->r);
	free(c);
}

/* The same guest as above on two CPUs at once, for the sanitizers. */
enum { MAD_STEPS = 20000 };

struct mad {
	struct rig *r;
	uint64_t random;
	atomic_uint *running;
	struct thread thread;
};

static void ignore_irq(void *machine, unsigned cpu, unsigned line, bool level)
{
	(void)machine;
	(void)cpu;
	(void)line;
	(void)level;
}

static void *run_mad(void *arg)
{
	struct mad *m = arg;
	unsigned i;

	for (i = 0; i < MAD_STEPS; i++) {
		if (any(&m->random) % 8 == 0)
			wire(m->r, any(&m->random) % 64, any(&m->random) % 2);
		else if (any(&m->random) % 2)
			mad_cpu(m->r, &m->random);
		else
			mad_access(m->r, &m->random);
	}
	atomic_fetch_sub(m->running, 1);
	return NULL;
}

static void controllers_survive_mad_threads(void **state)
{
	struct rig *r = pc_rig(2);
	atomic_uint running = 2;
	struct mad mad[2];
	unsigned i;

	(void)state;
	r->env.cpu_irq = ignore_irq;
	clock_by_count(r->env.clock, NULL, 0);
	for (i = 0; i < 2; i++) {
		mad[i] = (struct mad){ .r = r, .random = i, .running = &running };
		assert_int_equal(thread_start(&mad[i].thread, "cpu", run_mad, &mad[i]), 0);
	}
	while (atomic_load(&running)) {
		clock_run(r->env.clock);
		sched_yield();
	}
	for (i = 0; i < 2; i++)
		thread_join(&mad[i].thread);
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_timer_through_8259_and_lint0, make, drop),
		cmocka_unit_test_setup_teardown(without_apics_the_8259_has_the_cpu, make, drop),
		cmocka_unit_test_setup_teardown(the_timer_through_the_ioapic, make, drop),
		cmocka_unit_test_setup_teardown(the_hpet_takes_the_place_of_the_timer, make, drop),
		cmocka_unit_test_setup_teardown(
		    an_extint_by_message_takes_from_the_8259, make, drop),
		cmocka_unit_test_setup_teardown(a_level_shared_by_both_controllers, make, drop),
		cmocka_unit_test(controllers_survive_a_mad_guest),
		cmocka_unit_test(no_interrupt_is_lost_among_threads),
		cmocka_unit_test(controllers_survive_mad_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
