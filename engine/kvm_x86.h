/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_KVM_X86_H
#define ENGINE_KVM_X86_H

#include "core/debug.h"
#include "core/intc.h"
#include "cpu/x86/model.h"
#include "cpu/x86/regs.h"
#include "engine/kvm.h"

/*
 * x86 CPUs of KVM: kvm_x86.c runs them, kvm_x86_regs.c copies registers, kvm_x86_cpuid.c says what
 * they are, kvm_x86_debug.c stops them for debuggers.  Local APICs are the machine's device
 * (core/intc.h); between start and stop the kernel's do their work (kvm_x86_apic.c).  Without these
 * two (engine_env.starts) the device does, all the time.
 */
enum { KVM_X86_VECTORS = 256, KVM_X86_POINTS = 4 };

/* What one of the CPU's debug registers is for. */
struct kvm_x86_point {
	uint64_t at;
	unsigned len;
	enum debug_why why;
};

struct kvm_x86_vm {
	struct x86_model model; /* without what the host lacks */
	uint32_t tsc_khz;
	bool stands;  /* CPUs stand still, and know their TSCs themselves (kvm_x86_tsc.c) */
	bool in_qemu; /* the host's CPU is one that QEMU imitates */
	bool apics;   /* the kernel has local APICs, */
	bool lent;    /* and they work now */
	struct intc_host host;
	struct mutex lock;            /* for: */
	struct kvm_irq_routing *ends; /* the level-triggered interrupts whose end we are told of */
};

struct kvm_x86_cpu {
	struct x86_regs kept;   /* of registers that this kernel does not have: what was set last */
	_Atomic int32_t sipi;   /* a startup message: its vector, or -1 */
	bool told;              /* the kernel knows what CPUID says */
	bool ran;               /* and cannot be told anything else */
	bool halted, wait_sipi; /* as in regs.h */
	bool stale;             /* run->if_flag and its like are from before registers were set */
	uint64_t apic_base, cr8; /* as the kernel has them */
	struct bus *ports;       /* while APICs are lent, else NULL */
	struct kvm_x86_point point[KVM_X86_POINTS];
	unsigned npoints;
	bool single;          /* it comes out behind the next instruction */
	uint64_t tsc, tsc_ns; /* while it stands: what the TSC was at this guest time */
};

/* The base of an APIC that whoever asked for cpu_env.vmm_exits has himself: CPUID says that it is
 * there as long as the kernel takes it to be on. */
#define APIC_OF_OTHERS 0xfee00800u

static inline struct kvm_x86_vm *kvm_x86_vm(const struct vcpu *v)
{
	return v->engine->of_arch;
}

static inline struct kvm_x86_cpu *kvm_x86_cpu(const struct vcpu *v)
{
	return v->of_arch;
}

/* The machine's local APICs, or NULL. */
static inline const struct intc *kvm_x86_intc(const struct vcpu *v)
{
	const struct intc *c = v->engine->env.intc;

	return c && c->take ? c : NULL;
}

/* 0 or -errno; the groups are X86_REGS_x. */
int kvm_x86_get(struct vcpu *, unsigned groups, void *regs);
int kvm_x86_set(struct vcpu *, unsigned groups, const void *regs);
/* False: the kernel does not know it, or refuses. */
bool kvm_x86_get_msr(struct vcpu *, uint32_t msr, uint64_t *val);
bool kvm_x86_set_msr(struct vcpu *, uint32_t msr, uint64_t val);
/* Before the first vcpu: the kernel is to have local APICs; 0 or -errno, as the others. */
int kvm_x86_apics_begin(struct engine *);
void kvm_x86_apics_end(struct engine *);
/* They work from now on; our device does again. */
int kvm_x86_apics_lend(struct engine *);
int kvm_x86_apics_back(struct engine *);
/* kvm_x86_tsc.c.  The only rate that TSCs can have here; 0: they can have any.  0 or -errno. */
int kvm_x86_only_rate(int kvm, uint32_t *khz, struct err *);
bool kvm_x86_is_rate(uint32_t khz, uint32_t wanted); /* as near as the kernel wants it */
/* Of a new vcpu, as the model says. */
int kvm_x86_set_rate(struct vcpu *, struct err *);
int kvm_x86_tsc_start(struct engine *);
int kvm_x86_tsc_stop(struct engine *);
/* While CPUs stand still. */
uint64_t kvm_x86_tsc_get(const struct vcpu *);
void kvm_x86_tsc_set(struct vcpu *, uint64_t tsc);
/* kvm_x86_debug.c: for struct kvm_arch; and a #DB has come out: as its answer. */
int kvm_x86_debug(struct vcpu *, bool single);
int kvm_x86_debug_check(const struct debug_points *, struct err *);
int kvm_x86_pass(struct vcpu *);
bool kvm_x86_met(struct vcpu *, struct exit *x);
/* kvm_x86_vmm.c: as undo of struct kvm_arch. */
int kvm_x86_undo(struct vcpu *);
/* The same, as cpuid. */
int kvm_x86_cpuid(struct vcpu *);
/* Takes from the model what this host does not have. */
int kvm_x86_limit(int kvm, struct x86_model *, struct err *);
/* engine_class.model */
int kvm_x86_model(int kvm, const char *wanted, struct buf *can, struct err *);
/* Tells the kernel what CPUID says. */
int kvm_x86_tell_cpuid(struct vcpu *);

#endif
