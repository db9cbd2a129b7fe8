/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of a CPU as another one takes it over, in the middle of what it does. */
#include "test/cpu/x86/sys_rig.h"
#include "test/random.h"

static void move(struct rig *from, struct rig *to)
{
	struct x86_regs regs;

	memset(&regs, 0x5a, sizeof regs);
	assert_int_equal(cpu_x86_64.get(from->cpu, X86_REGS_ALL, &regs), 0);
	assert_int_equal(cpu_x86_64.set(to->cpu, X86_REGS_ALL, &regs), 0);
}

static void shadows_go_along_with_what_they_hold_back(void **state)
{
	struct rig *from = rig_new("best"), *to = rig_new("best");

	(void)state;
	x86_shadow(from->s, X86_SHADOW_SS);
	from->s->left--; /* MOV SS is done */
	from->s->dr6_pending = 5;
	move(from, to);
	assert_int_equal(to->s->shadow, X86_SHADOW_SS);
	assert_int_equal(to->s->dr6_pending, 5);
	/* One more instruction, and nobody has looked since. */
	from->s->left--;
	from->s->dr6_pending = 0;
	move(from, to);
	assert_int_equal(to->s->shadow, 0);
	assert_int_equal(to->s->dr6_pending, 0);
	rig_free(from);
	rig_free(to);
}

static void what_waits_goes_along(void **state)
{
	struct rig *from = rig_new("best"), *to = rig_new("best");

	(void)state;
	from->s->wait_sipi = true;
	from->s->nmi_masked = true;
	cpu_x86_64.irq(from->cpu, INTC_NMI, true);
	cpu_x86_64.irq(from->cpu, INTC_INIT, true);
	cpu_x86_64.irq(from->cpu, INTC_SIPI + 0x9a, true);
	cpu_x86_64.irq(from->cpu, INTC_INTR, true);
	move(from, to);
	assert_true(to->s->wait_sipi && to->s->nmi_masked);
	assert_int_equal(atomic_load(&to->s->sipi), 0x9a);
	/* Levels are told again by who drives them. */
	assert_int_equal(atomic_load(&to->s->lines), 1 << INTC_NMI | 1 << INTC_INIT);
	rig_free(from);
	rig_free(to);
}

/* Bits that a register does not have are not set in one that comes from a CPU, either. */
static void all_registers_go_along(void **state)
{
	struct rig *from = rig_new("best"), *to = rig_new("best");
	uint64_t rnd = 1;
	struct x86_regs a, b;

	(void)state;
	for (int n = 0; n < 200; n++) {
		struct x86 *s = from->s;

		for (int i = 0; i < 16; i++) {
			s->r[i] = random_split(&rnd);
			for (int k = 0; k < 4; k++)
				s->v[i][k] = random_split(&rnd);
		}
		x86_set_flags(s, random_split(&rnd) & ~(uint64_t)(FLAG_VM | FLAG_TF), UINT32_MAX);
		for (int i = 0; i < 8; i++) {
			s->st[i][0] = random_split(&rnd);
			s->st[i][1] = random_split(&rnd) & 0xffff;
		}
		s->fsw = (uint16_t)random_split(&rnd);
		s->ftw = (uint8_t)random_split(&rnd);
		s->fip = random_split(&rnd);
		s->fdp = random_split(&rnd);
		s->cr2 = random_split(&rnd);
		s->lstar = random_split(&rnd);
		s->tsc_offset = random_split(&rnd);
		s->tsc_adjust = random_split(&rnd);
		s->tsc_aux = (uint32_t)random_split(&rnd);
		s->spec_ctrl = random_split(&rnd) & 7;
		s->mtrr_fixed[n % X86_MTRR_FIXED] = random_split(&rnd);
		for (int i = 0; i < 4; i++)
			s->dr[i] = s->pdpte[i] = random_split(&rnd);
		memset(&a, 0, sizeof a);
		memset(&b, 0, sizeof b);
		cpu_x86_64.get(from->cpu, X86_REGS_ALL, &a);
		move(from, to);
		cpu_x86_64.get(to->cpu, X86_REGS_ALL, &b);
		assert_memory_equal(&a, &b, sizeof a);
	}
	rig_free(from);
	rig_free(to);
}

static void count_init(void *arg, unsigned cpu)
{
	(void)cpu;
	(*(unsigned *)arg)++;
}

static int no_interrupt(void *arg, unsigned cpu)
{
	(void)arg, (void)cpu;
	return -1;
}

static bool msr(void *arg, unsigned cpu, unsigned msr, uint64_t *val)
{
	(void)arg, (void)cpu, (void)msr;
	*val = 0xfee00900;
	return true;
}

/* It may have come to take over from another one. */
static void a_new_cpu_leaves_its_interrupt_controller_alone(void **state)
{
	struct rig *r = rig_new("best");
	unsigned inits = 0;
	const struct intc intc = {
		.arg = &inits, .take = no_interrupt, .read_msr = msr, .init = count_init
	};
	struct exit x = { 0 };
	struct cpu *cpu;
	struct err e;

	(void)state;
	r->env.intc = &intc;
	cpu = cpu_x86_64.new(&r->env, 0, NULL, &e);
	assert_non_null(cpu);
	cpu_x86_64.reset(cpu);
	assert_int_equal(inits, 0);
	cpu_x86_64.irq(cpu, INTC_INIT, true);
	cpu_x86_64.run(cpu, &x, 1);
	assert_int_equal(inits, 1);
	cpu_x86_64.free(cpu);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shadows_go_along_with_what_they_hold_back),
		cmocka_unit_test(what_waits_goes_along),
		cmocka_unit_test(all_registers_go_along),
		cmocka_unit_test(a_new_cpu_leaves_its_interrupt_controller_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
