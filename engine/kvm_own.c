/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that the kernel's CPUs are not to execute: CPUs of our own have the state meanwhile.
 * These are single steps of debuggers.  KVM's (KVM_GUESTDBG_SINGLESTEP) set the guest's TF: guests
 * see that in what PUSHF, SYSCALL and exceptions store, and programs keep it when the guest's
 * kernel leaves them in the middle; an instruction that faults is not left at its handler; and the
 * kernel's local APIC would take accesses that are our device's while CPUs stand still.  And these
 * are what is to come out before it has begun (cpu_env.vmm_exits).
 */
#if defined(__linux__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/kvm.h"

int kvm_own_new(struct vcpu *v)
{
	struct engine *g = v->engine;
	struct err e = { "" };

	if (!g->first_own) {
		g->own_env = g->env;
		g->own_env.jit = false;
	}
	v->own = g->cpu->new (&g->own_env, v->id, g->first_own, &e);
	if (!v->own)
		return -ENOMEM;
	if (!g->first_own)
		g->first_own = v->own;
	g->cpu->debug(v->own, v->points);
	return 0;
}

int kvm_own_take(struct vcpu *v)
{
	const struct cpu_class *class = v->engine->cpu;
	void *regs;
	int rc;

	if (v->away)
		return 0;
	regs = calloc(1, class->regs_size);
	rc = !regs ? -ENOMEM : v->own ? 0 : kvm_own_new(v);
	if (!rc)
		rc = v->engine->arch->get(v, UINT_MAX, regs);
	if (!rc)
		rc = class->set(v->own, UINT_MAX, regs);
	v->away = !rc;
	free(regs);
	return rc;
}

int kvm_own_back(struct vcpu *v)
{
	const struct cpu_class *class = v->engine->cpu;
	void *regs;
	int rc;

	if (!v->away)
		return 0;
	v->away = false;
	regs = calloc(1, class->regs_size);
	rc = regs ? class->get(v->own, UINT_MAX, regs) : -ENOMEM;
	if (!rc)
		rc = v->engine->arch->set(v, UINT_MAX, regs);
	free(regs);
	return rc;
}

void kvm_own_step(struct vcpu *v, struct exit *x)
{
	v->engine->cpu->step(v->own, x);
	v->runs += x->why != EXIT_HALT;
}

int kvm_own_end(struct engine *g)
{
	int rc = 0;

	if (!g->first_own)
		return 0;
	for (struct vcpu *v = g->first; v; v = v->next) {
		const int one = kvm_own_back(v);

		rc = rc ? rc : one;
		if (v->own && v->own != g->first_own)
			g->cpu->free(v->own);
		v->own = NULL;
	}
	g->cpu->free(g->first_own); /* owns what the others share */
	g->first_own = NULL;
	mem_no_code(g->env.mem);
	return rc;
}

#else

typedef int no_kvm_here;

#endif
