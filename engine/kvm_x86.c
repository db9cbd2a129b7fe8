/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running x86 CPUs on KVM.  Sources: Linux, Documentation/virt/kvm/api.rst (6.1), sections 4.10
 * (KVM_RUN), 4.17 (KVM_INTERRUPT), 4.97 (KVM_X86_SET_MSR_FILTER), 5 (struct kvm_run); Intel SDM
 * volume 3, 6.9 (priority of what waits), 8.4 (INIT and SIPI).  Left out: the A20 gate (the kernel
 * knows none).
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include "engine/kvm_x86.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "core/bus.h"
#include "core/intc.h"
#include "cpu/x86/lines.h"
#include "engine/x86_host.h"
#include "engine/x86_start.h"

enum { MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800 };
enum { APIC_X2APIC = 1 << 10, APIC_ENABLE = 1 << 11, PAGE_MASK = 0xfff };

/* What the kernel needs for Intel's real mode: a page, and three behind it, that no guest uses:
 * below the largest ROM. */
#define IDENTITY_MAP_ADDR 0xfeffc000ull
#define TSS_ADDR          0xfeffd000ull

/* VMX (SDM volume 2A, CPUID 1), SVM (AMD64 APM volume 3, CPUID 80000001H). */
static bool has_virtualization(void)
{
	unsigned a, b, c, d;

	return (__get_cpuid(1, &a, &b, &c, &d) && c & 1u << 5) ||
	       (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1u << 2);
}

static int probe(int kvm, struct err *e)
{
	static const struct {
		int number;
		const char *name;
	} need[] = { { KVM_CAP_XSAVE, "XSAVE" }, { KVM_CAP_XCRS, "XCRS" },
		{ KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS" }, { KVM_CAP_DEBUGREGS, "DEBUGREGS" },
		{ KVM_CAP_EXT_CPUID, "EXT_CPUID" }, { KVM_CAP_GET_TSC_KHZ, "GET_TSC_KHZ" },
		{ KVM_CAP_X86_USER_SPACE_MSR, "X86_USER_SPACE_MSR" },
		{ KVM_CAP_X86_MSR_FILTER, "X86_MSR_FILTER" },
		{ KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP" }, { KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
		{ KVM_CAP_MP_STATE, "MP_STATE" } };

	/* Some hosts have a /dev/kvm that works without: it cannot run what this engine needs. */
	if (!has_virtualization())
		return err_set(e, ENOTSUP,
		    "kvm: this machine's CPU has no virtualization (it is a guest whose host does "
		    "not give it any, or the firmware has turned it off)");
	for (size_t i = 0; i < ARRAY_LEN(need); i++)
		if (!kvm_has(kvm, need[i].number))
			return err_set(e, ENOTSUP,
			    "kvm: the host's kernel lacks KVM_CAP_%s (Linux 5.10 has it)",
			    need[i].name);
	return 0;
}

/* MSRs that are our local APIC's come out, as do those that the kernel does not know; and where
 * that is so, the APIC's base, which is whoever's the APIC is. */
static int filter_msrs(struct engine *g)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = { KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
			  KVM_MSR_EXIT_REASON_FILTER } };
	uint8_t none = 0;
	struct kvm_msr_filter f = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] = { .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
		    .base = MSR_TSC_DEADLINE,
		    .nmsrs = 1,
		    .bitmap = &none },
		.ranges[1] = { .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
		    .base = MSR_APIC_BASE,
		    .nmsrs = g->env.vmm_exits,
		    .bitmap = &none },
	};
	const struct kvm_x86_vm *vm = g->of_arch;
	int rc = kvm_ioctl(g->vm, KVM_ENABLE_CAP, &cap);

	return rc < 0 || vm->apics ? rc : kvm_ioctl(g->vm, KVM_X86_SET_MSR_FILTER, &f);
}

/* Linux 5.17: what else guests find that no CPU does: OUT to port 7EH is over when it comes out;
 * and (6.0) MONITOR and MWAIT do nothing where CPUID has none. */
static void drop_quirks(struct engine *g)
{
#if defined(KVM_CAP_DISABLE_QUIRKS2) && defined(KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DISABLE_QUIRKS2,
		.args = { KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS } };

	cap.args[0] &= (unsigned)kvm_has(g->vm, KVM_CAP_DISABLE_QUIRKS2);
	if (cap.args[0])
		kvm_ioctl(g->vm, KVM_ENABLE_CAP, &cap);
#else
	(void)g;
#endif
}

/* Linux 5.14; before that the guest has a #UD, and the VM an error. */
static void have_unknown_come_out(struct engine *g)
{
#ifdef KVM_CAP_EXIT_ON_EMULATION_FAILURE
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };

	g->hands_over = kvm_ioctl(g->vm, KVM_ENABLE_CAP, &cap) == 0;
#else
	(void)g;
#endif
}

static int vm_begin(struct engine *g, struct err *e)
{
	struct kvm_x86_vm *vm = calloc(1, sizeof *vm);
	uint64_t identity = IDENTITY_MAP_ADDR;
	int rc;

	if (!vm)
		return err_set(e, ENOMEM, "kvm: no memory for the engine");
	g->of_arch = vm;
	vm->in_qemu = x86_host_in_qemu();
	vm->stands = g->starts;
	rc = x86_model_parse(&vm->model, g->env.model, e);
	if (!rc)
		rc = kvm_x86_limit(g->kvm, &vm->model, e);
	if (rc < 0)
		return rc;
	/* Where our device works: on some CPUs kernels take writes of the deadline's MSR for their
	 * own APIC, be there one or not. */
	if (!g->starts)
		x86_host_no_deadline(&vm->model);
	rc = kvm_ioctl(g->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (!rc)
		rc = kvm_ioctl(g->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)TSS_ADDR);
	if (!rc && g->starts)
		rc = kvm_x86_apics_begin(g);
	if (!rc)
		rc = filter_msrs(g);
	have_unknown_come_out(g);
	drop_quirks(g);
	return rc < 0 ? err_set(e, -rc, "kvm: cannot set up a PC's CPUs: %s", strerror(-rc)) : 0;
}

static void vm_end(struct engine *g)
{
	kvm_x86_apics_end(g);
	free(g->of_arch);
}

static int vcpu_new(struct vcpu *v, struct err *e)
{
	struct kvm_x86_cpu *c = calloc(1, sizeof *c);

	if (!c)
		return err_set(e, ENOMEM, "kvm: no memory for CPU %u", v->id);
	v->of_arch = c;
	atomic_init(&c->sipi, -1);
	c->stale = true;
	return kvm_x86_set_rate(v, e);
}

static void vcpu_free(struct vcpu *v)
{
	free(v->of_arch);
}

/* For CPUs whose local APIC is our device. */
static struct x86_start start_of(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);

	return (struct x86_start){ .v = v,
		.id = v->id,
		.signature = kvm_x86_vm(v)->model.signature,
		.intc = kvm_x86_intc(v),
		.get = kvm_x86_get,
		.set = kvm_x86_set,
		.lines = &v->lines,
		.sipi = &c->sipi,
		.halted = &c->halted,
		.wait_sipi = &c->wait_sipi };
}

static int vcpu_reset(struct vcpu *v)
{
	const struct x86_start s = start_of(v);

	return x86_start_reset(&s);
}

static int vcpu_begin(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	int rc = c->told ? 0 : kvm_x86_tell_cpuid(v);

	if (rc < 0)
		return rc;
	c->told = true;
	atomic_store(&c->sipi, -1);
	return vcpu_reset(v);
}

/* Interrupts ----------------------------------------------------------------------------------- */

static void irq(struct vcpu *v, unsigned line, bool level)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);

	x86_drive_line(&v->lines, &c->sipi, line, level);
	if (level)
		kvm_poke(v);
}

static int look_at_init(struct vcpu *v)
{
	const struct x86_start s = start_of(v);
	int rc = kvm_settle(v);

	return rc ? rc : x86_start_look(&s);
}

/* Whether an interrupt can be taken; asks the kernel, where the last run does not say. */
static bool is_open(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);

	if (c->stale)
		kvm_refresh(v);
	return v->run->ready_for_interrupt_injection && v->run->if_flag;
}

/* NMI and INTR; they stay where they are while they cannot be taken. */
static int look_at_lines(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	const struct intc *i = kvm_x86_intc(v);
	struct kvm_interrupt in;
	bool nmi = false;
	int vector, rc = 0;

	v->run->request_interrupt_window = 0;
	if (x86_take_line(&v->lines, INTC_NMI)) { /* the kernel holds it back while it is masked */
		c->halted = false;
		nmi = true;
		rc = kvm_ioctl(v->fd, KVM_NMI, NULL);
	}
	if (rc || !i || !(atomic_load(&v->lines) >> INTC_INTR & 1))
		return rc;
	if (nmi || !is_open(v)) { /* the kernel would have an interrupt go before the NMI */
		v->run->request_interrupt_window = 1;
		return 0;
	}
	vector = i->take(i->arg, v->id);
	if (vector < 0)
		return 0;
	c->halted = false;
	in.irq = (uint32_t)vector;
	rc = kvm_ioctl(v->fd, KVM_INTERRUPT, &in);
	if (atomic_load(&v->lines) >> INTC_INTR & 1) /* there is another behind it */
		v->run->request_interrupt_window = 1;
	return rc;
}

/* Whether the CPU is to run; while APICs are lent the kernel knows. */
static int look_at_all(struct vcpu *v, bool *runs)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	const struct intc *i = kvm_x86_intc(v);
	int rc = 0;

	*runs = true;
	if (kvm_x86_vm(v)->lent)
		return look_at_lines(v);
	if (i)
		v->run->cr8 = c->cr8 = i->get_tpr(i->arg, v->id);
	if (atomic_load(&v->lines) >> INTC_INIT & 1 || c->wait_sipi)
		rc = look_at_init(v);
	if (!rc && !c->wait_sipi)
		rc = look_at_lines(v);
	*runs = !c->halted && !c->wait_sipi;
	return rc;
}

/* What CPUID says may be set until the first run (cpu_env.cpuid). */
static int tell_again(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);

	if (c->ran)
		return 0;
	c->ran = true;
	return v->engine->env.cpuid ? kvm_x86_tell_cpuid(v) : 0;
}

static bool before(struct vcpu *v, struct exit *x)
{
	bool runs = false;
	int rc = tell_again(v);

	if (!rc)
		rc = look_at_all(v, &runs);
	if (rc < 0)
		exit_fail(x, rc);
	else if (!runs)
		x->why = EXIT_HALT;
	return rc >= 0 && runs;
}

static void after(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	const bool lent = kvm_x86_vm(v)->lent;
	const struct intc *i;

	c->stale = false;
	if (lent && v->run->apic_base == c->apic_base)
		return;
	i = kvm_x86_intc(v);
	if (i && !lent && v->run->cr8 != c->cr8)
		i->set_tpr(i->arg, v->id, (unsigned)(c->cr8 = v->run->cr8));
	if (i && v->run->apic_base != c->apic_base) {
		c->apic_base = v->run->apic_base;
		if (!lent)
			i->write_msr(i->arg, v->id, MSR_APIC_BASE, c->apic_base);
	}
}

/* What waits at our device goes before: nothing is raised there afterwards. */
static int start(struct engine *g)
{
	int rc = 0;

	for (struct vcpu *v = g->first; v && !rc; v = v->next)
		rc = look_at_init(v);
	if (!rc)
		rc = kvm_x86_tsc_start(g);
	return rc ? rc : kvm_x86_apics_lend(g);
}

static int stop(struct engine *g)
{
	const int rc = kvm_x86_apics_back(g), late = kvm_x86_tsc_stop(g);

	return rc ? rc : late;
}

/* Accesses ------------------------------------------------------------------------------------- */

/* SDM volume 3, 12.4.1: the page of the local APIC's registers. */
static uint64_t intc_page(const struct vcpu *v)
{
	const struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	const bool there = kvm_x86_intc(v) && !v->engine->env.vmm_exits &&
			   (c->apic_base & (APIC_ENABLE | APIC_X2APIC)) == APIC_ENABLE;

	return there ? c->apic_base & ~(uint64_t)PAGE_MASK : UINT64_MAX;
}

/* KVM_RUN, 0 or -errno, without the C library, whose ioctl takes as many instructions as an answer
 * does. */
static inline long enter(struct vcpu *v)
{
	long rc;

	v->runs++;
	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "0"((long)SYS_ioctl), "D"((long)v->fd), "S"((long)KVM_RUN), "d"(0L)
			 : "rcx", "r11", "cc", "memory");
	return rc;
}

/* Most accesses by far.  The fields of struct kvm_run.io stand in one word. */
static inline bool is_byte_out(const struct kvm_run *r)
{
	return r->exit_reason == KVM_EXIT_IO && r->io.direction == KVM_EXIT_IO_OUT &&
	       r->io.size == 1 && r->io.count == 1;
}

/* While the kernel's APICs work stores to ports change nothing for which the CPU has to be looked
 * at, or they poke it. */
static int run(struct vcpu *v)
{
	const struct kvm_run *r = v->run;
	struct bus *ports = kvm_x86_cpu(v)->ports;
	long rc;

	do {
		rc = enter(v);
		if (unlikely(rc))
			return (int)-rc;
		if (!ports || !is_byte_out(r))
			return 0;
		bus_out_byte(ports, r->io.port, ((const uint8_t *)r)[r->io.data_offset]);
	} while (!atomic_load(&v->poked));
	return KVM_ANSWERED;
}

/* As many accesses as the kernel has made one of INS or OUTS. */
static void answer_port(struct vcpu *v)
{
	struct bus *ports = v->engine->env.ports;
	const unsigned size = v->run->io.size;
	const uint16_t port = v->run->io.port;
	uint8_t *data = (uint8_t *)v->run + v->run->io.data_offset;

	for (uint32_t n = 0; n < v->run->io.count; n++, data += size) {
		if (v->run->io.direction == KVM_EXIT_IO_IN)
			put_le(data, ports ? bus_in(ports, port, size) : UINT32_MAX, size);
		else if (ports)
			bus_out(ports, port, (uint32_t)get_le(data, size), size);
	}
}

/* Of those that come out here only the APIC's are there; the others are #GP. */
static void answer_msr(struct vcpu *v, bool write)
{
	const struct intc *i = kvm_x86_vm(v)->lent ? NULL : kvm_x86_intc(v);
	const uint32_t msr = v->run->msr.index;
	uint64_t val = v->run->msr.data;
	bool ok = i && msr >> 8 == MSR_X2APIC >> 8;

	if (ok && write)
		ok = i->write_msr(i->arg, v->id, msr, val);
	else if (ok)
		ok = i->read_msr(i->arg, v->id, msr, &val);
	v->run->msr.data = val;
	v->run->msr.error = !ok;
}

/* A single step of the guest's own, which ends HLT. */
static bool has_exception(struct vcpu *v)
{
	struct kvm_vcpu_events k;

	return kvm_ioctl(v->fd, KVM_GET_VCPU_EVENTS, &k) == 0 &&
	       (k.exception.injected || k.exception.pending);
}

static bool answer(struct vcpu *v, struct exit *x)
{
	const struct intc *i;

	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		answer_port(v);
		return true;
	case KVM_EXIT_HLT:
		kvm_x86_cpu(v)->halted = !has_exception(v);
		return true;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		answer_msr(v, v->run->exit_reason == KVM_EXIT_X86_WRMSR);
		return true;
	case KVM_EXIT_SET_TPR:
		return true;
	case KVM_EXIT_IOAPIC_EOI:
		i = kvm_x86_intc(v);
		if (i)
			i->end(i->arg, v->run->eoi.vector);
		return true;
	case KVM_EXIT_DEBUG:
		return kvm_x86_met(v, x);
	default:
		return exit_fail(x, -EIO);
	}
}

const struct kvm_arch kvm_x86 = {
	.cpu = "x86_64",
	.program = X86_REGS_INT,
	.probe = probe,
	.model = kvm_x86_model,
	.vm_begin = vm_begin,
	.vm_end = vm_end,
	.start = start,
	.stop = stop,
	.vcpu_new = vcpu_new,
	.vcpu_free = vcpu_free,
	.vcpu_begin = vcpu_begin,
	.vcpu_reset = vcpu_reset,
	.before = before,
	.after = after,
	.run = run,
	.answer = answer,
	.intc_page = intc_page,
	.irq = irq,
	.get = kvm_x86_get,
	.set = kvm_x86_set,
	.debug = kvm_x86_debug,
	.debug_check = kvm_x86_debug_check,
	.pass = kvm_x86_pass,
	.undo = kvm_x86_undo,
	.cpuid = kvm_x86_cpuid,
};

#else

typedef int no_kvm_here;

#endif
