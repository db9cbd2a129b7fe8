/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local APICs of the kernel's, which work in place of our device while CPUs run; IOAPICs and 8259s
 * stay ours.  Sources: Linux, Documentation/virt/kvm/api.rst (6.1), sections 4.38
 * (KVM_GET_MP_STATE), 4.52 (KVM_SET_GSI_ROUTING), 4.57 (KVM_GET_LAPIC), 4.70 (KVM_SIGNAL_MSI), 7.5
 * (KVM_CAP_SPLIT_IRQCHIP); Intel SDM volume 3, 12 (what registers hold).
 *
 * Left out, as in the kernel: LINT0 and LINT1 with other modes than those of firmware, messages of
 * mode ExtINT to CPUs whose LINT0 is masked, keeping EOIs from IOAPICs (bit 12 of SVR).
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "core/clock.h"
#include "engine/kvm_x86.h"

enum { MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0 };
/* Registers, as intc_regs numbers them. */
enum { ISR = 0x10, TMR = 0x18, IRR = 0x20, WORDS = 8, LVT_TIMER = 0x32, INITIAL = 0x38 };
enum { CURRENT = 0x39, LVT_MASK = 1 << 16 };
enum { LEGAL = 16 }; /* the first vector that an APIC delivers */
enum timer_mode { ONE_SHOT, PERIODIC, DEADLINE };
/* Messages in the form of memory writes (12.11). */
enum { MSI_LEVEL = 1 << 15 };
#define MSI_TO_ALL 0xfeeff000u

/* Messages ------------------------------------------------------------------------------------- */

/* The kernel tells us of the end of an interrupt if its vector and destination are in this table as
 * those of a level-triggered message: for each vector one, if need be to all.  (It keeps the size
 * of that table in a byte.) */
static int expect_end(struct engine *g, uint32_t addr, uint8_t vector)
{
	struct kvm_x86_vm *vm = g->of_arch;
	struct kvm_irq_routing_entry *e = vm->ends->entries;
	const struct kvm_irq_routing_entry *end;
	uint32_t was = 0;
	int rc = 0;

	mutex_lock(&vm->lock);
	end = e + vm->ends->nr;
	while (e < end && (uint8_t)e->u.msi.data != vector)
		e++;
	if (e < end)
		was = e->u.msi.address_lo;
	if (was != addr && was != MSI_TO_ALL) {
		*e = (struct kvm_irq_routing_entry){
			.gsi = (uint32_t)(e - vm->ends->entries),
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = was ? MSI_TO_ALL : addr,
			    .data = vector | MSI_LEVEL },
		};
		vm->ends->nr += !was;
		rc = kvm_ioctl(g->vm, KVM_SET_GSI_ROUTING, vm->ends);
	}
	mutex_unlock(&vm->lock);
	return rc;
}

static bool send(void *arg, uint32_t addr, uint32_t data)
{
	struct engine *g = arg;
	struct kvm_msi m = { .address_lo = addr, .data = data };

	if (data & MSI_LEVEL && (uint8_t)data >= LEGAL)
		expect_end(g, addr, (uint8_t)data);
	return kvm_ioctl(g->vm, KVM_SIGNAL_MSI, &m) > 0;
}

int kvm_x86_apics_begin(struct engine *g)
{
	struct kvm_x86_vm *vm = g->of_arch;
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP,
		.args = { KVM_X86_VECTORS - LEGAL } };

	vm->ends = calloc(1, sizeof *vm->ends + cap.args[0] * sizeof vm->ends->entries[0]);
	if (!vm->ends)
		return -ENOMEM;
	mutex_init(&vm->lock);
	vm->host = (struct intc_host){ g, send };
	vm->apics = true;
	return kvm_ioctl(g->vm, KVM_ENABLE_CAP, &cap);
}

void kvm_x86_apics_end(struct engine *g)
{
	struct kvm_x86_vm *vm = g->of_arch;

	if (vm->apics)
		mutex_fini(&vm->lock);
	free(vm->ends);
}

/* Time ----------------------------------------------------------------------------------------- */

/* Saturates; a moment that has passed is now. */
static uint64_t ahead(uint64_t when, uint64_t now, uint64_t num, uint64_t den)
{
	const u128 d = when > now ? (u128)(when - now) * num / den : 0;

	return d > UINT64_MAX ? UINT64_MAX : (uint64_t)d;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static int give_deadline(struct vcpu *v, uint64_t ns)
{
	const uint64_t now = clock_now(v->engine->env.clock), khz = kvm_x86_vm(v)->tsc_khz;
	uint64_t tsc = 0;

	if (ns && !kvm_x86_get_msr(v, MSR_TSC, &tsc))
		return -EIO;
	if (ns)
		tsc = plus(tsc, ahead(ns, now, khz, 1000000));
	return kvm_x86_set_msr(v, MSR_TSC_DEADLINE, tsc) ? 0 : -EIO;
}

/* The kernel's is over with that. */
static uint64_t take_deadline(struct vcpu *v)
{
	const uint64_t now = clock_now(v->engine->env.clock), khz = kvm_x86_vm(v)->tsc_khz;
	uint64_t tsc, when;

	if (!kvm_x86_get_msr(v, MSR_TSC, &tsc) || !kvm_x86_get_msr(v, MSR_TSC_DEADLINE, &when))
		return 0;
	kvm_x86_set_msr(v, MSR_TSC_DEADLINE, 0);
	return when ? plus(now, ahead(when, tsc, 1000000, khz)) : 0;
}

/* APICs ---------------------------------------------------------------------------------------- */

static enum timer_mode timer_mode(const struct intc_regs *r)
{
	return r->reg[LVT_TIMER] >> 17 & 3;
}

static bool has(const struct intc_regs *r, unsigned set, uint8_t vector)
{
	return r->reg[set + vector / 32] >> vector % 32 & 1;
}

/* What waits or is served from before it was lent. */
static int expect_ends(struct engine *g, const struct intc_regs *r)
{
	int rc = 0;

	for (unsigned n = LEGAL; n < KVM_X86_VECTORS && !rc; n++)
		if (has(r, TMR, (uint8_t)n) && (has(r, IRR, (uint8_t)n) || has(r, ISR, (uint8_t)n)))
			rc = expect_end(g, MSI_TO_ALL, (uint8_t)n);
	return rc;
}

static int give_mp_state(struct vcpu *v)
{
	const struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	struct kvm_mp_state s = { .mp_state = c->wait_sipi ? KVM_MP_STATE_INIT_RECEIVED
					      : c->halted  ? KVM_MP_STATE_HALTED
							   : KVM_MP_STATE_RUNNABLE };

	return kvm_ioctl(v->fd, KVM_SET_MP_STATE, &s);
}

/* The kernel would have a timer that ended long ago end once more. */
static int give(struct vcpu *v, const struct intc *i)
{
	struct kvm_lapic_state s = { { 0 } };
	struct intc_regs r;
	int rc;

	i->get(i->arg, v->id, &r);
	if (timer_mode(&r) == ONE_SHOT && !r.reg[CURRENT])
		r.reg[INITIAL] = 0;
	for (unsigned n = 0; n < INTC_REGS; n++)
		put_le((uint8_t *)s.regs + (size_t)16 * n, r.reg[n], 4);
	rc = expect_ends(v->engine, &r);
	if (!rc && !kvm_x86_set_msr(v, MSR_APIC_BASE, r.base))
		rc = -EIO;
	if (!rc)
		rc = kvm_ioctl(v->fd, KVM_SET_LAPIC, &s);
	if (!rc && timer_mode(&r) == DEADLINE)
		rc = give_deadline(v, r.deadline);
	return rc ? rc : give_mp_state(v);
}

static int take_mp_state(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	struct kvm_mp_state s;
	int rc = kvm_ioctl(v->fd, KVM_GET_MP_STATE, &s);

	if (rc < 0)
		return rc;
	c->wait_sipi =
	    s.mp_state == KVM_MP_STATE_UNINITIALIZED || s.mp_state == KVM_MP_STATE_INIT_RECEIVED;
	c->halted = s.mp_state == KVM_MP_STATE_HALTED;
	c->stale = true;
	return 0;
}

static int read_regs(struct vcpu *v, struct intc_regs *r)
{
	struct kvm_lapic_state s;
	int rc = kvm_ioctl(v->fd, KVM_GET_LAPIC, &s);

	for (unsigned n = 0; n < INTC_REGS && !rc; n++)
		r->reg[n] = (uint32_t)get_le((uint8_t *)s.regs + (size_t)16 * n, 4);
	return rc;
}

/* Whether a timer of the kernel's may have ended and not asked for its interrupt yet, which the
 * kernel does not give out; a deadline that has is still there. */
static bool may_have_ended(const struct intc_regs *r)
{
	const uint32_t lvt = r->reg[LVT_TIMER];

	if (lvt & LVT_MASK || !r->reg[INITIAL] || has(r, IRR, (uint8_t)lvt))
		return false;
	return timer_mode(r) == PERIODIC || (timer_mode(r) == ONE_SHOT && !r->reg[CURRENT]);
}

static int take(struct vcpu *v, const struct intc *i)
{
	struct intc_regs r = { 0 };
	int rc = kvm_settle(v);

	if (!rc)
		rc = read_regs(v, &r);
	if (!rc && may_have_ended(&r) && (rc = kvm_flush(v)) >= 0)
		rc = read_regs(v, &r);
	if (!rc)
		rc = take_mp_state(v);
	if (!rc && !kvm_x86_get_msr(v, MSR_APIC_BASE, &r.base))
		rc = -EIO;
	if (rc)
		return rc;
	if (timer_mode(&r) == DEADLINE)
		r.deadline = take_deadline(v);
	i->set(i->arg, v->id, &r);
	return 0;
}

int kvm_x86_apics_lend(struct engine *g)
{
	struct kvm_x86_vm *vm = g->of_arch;
	const struct intc *i = g->env.intc;
	int rc = 0;

	if (!vm->apics || !i->lend)
		return 0;
	for (struct vcpu *v = g->first; v && !rc; v = v->next)
		rc = give(v, i);
	if (rc)
		return rc;
	for (struct vcpu *v = g->first; v; v = v->next)
		kvm_x86_cpu(v)->ports = g->env.ports;
	vm->lent = true;
	i->lend(i->arg, &vm->host);
	return 0;
}

int kvm_x86_apics_back(struct engine *g)
{
	struct kvm_x86_vm *vm = g->of_arch;
	const struct intc *i = g->env.intc;
	int rc = 0;

	if (!vm->lent)
		return 0;
	vm->lent = false;
	i->lend(i->arg, NULL);
	for (struct vcpu *v = g->first; v; v = v->next)
		kvm_x86_cpu(v)->ports = NULL;
	for (struct vcpu *v = g->first; v && !rc; v = v->next)
		rc = take(v, i);
	return rc;
}

#else

typedef int no_kvm_here;

#endif
