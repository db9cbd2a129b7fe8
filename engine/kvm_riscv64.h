/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_KVM_RISCV64_H
#define ENGINE_KVM_RISCV64_H

#include "cpu/riscv64/model.h"
#include "cpu/riscv64/regs.h"
#include "engine/kvm.h"

/*
 * riscv64 CPUs of KVM: kvm_riscv64.c runs them, kvm_riscv64_regs.c copies registers,
 * kvm_riscv64_model.c says what they are.  They have no M mode: the kernel is their firmware, but
 * for the calls that it hands on.  The numbers of its registers are here, since the headers of a
 * host may be older than its kernel.  Source: Linux 6.12, arch/riscv/include/uapi/asm/kvm.h,
 * Documentation/virt/kvm/api.rst, 4.68 (KVM_SET_ONE_REG).
 */
enum kvm_riscv64_type {
	KVM_RISCV64_CONFIG = 1 << 24,
	KVM_RISCV64_CORE = 2 << 24, /* pc, x1 to x31, mode */
	KVM_RISCV64_CSR = 3 << 24,
	KVM_RISCV64_TIMER = 4 << 24,
	KVM_RISCV64_FP_D = 6 << 24, /* f0 to f31, fcsr */
	KVM_RISCV64_ISA = 7 << 24,  /* 1: the guest has that extension */
	KVM_RISCV64_SBI = 8 << 24   /* the same of its firmware */
};

enum { KVM_RISCV64_CBOM = 1, KVM_RISCV64_CBOZ = 5, KVM_RISCV64_SATP = 6 };         /* of CONFIG */
enum { KVM_RISCV64_SSTC = 8 };                                                     /* of ISA */
enum { KVM_RISCV64_HZ, KVM_RISCV64_TIME, KVM_RISCV64_COMPARE, KVM_RISCV64_STATE }; /* TIMER */

struct kvm_riscv64_vm {
	struct rv_model model;
	struct rv_regs reset; /* of CPU 0 */
	bool sstc;            /* the kernel has the guest's timer in vstimecmp */
};

struct kvm_riscv64_cpu {
	struct rv_regs kept; /* of what these CPUs do not have: what was set last */
	struct mutex lock;   /* around telling the kernel of the external interrupt */
	bool told;           /* the kernel knows what the CPU is */
};

static inline struct kvm_riscv64_vm *kvm_riscv64_vm(const struct vcpu *v)
{
	return v->engine->of_arch;
}

static inline struct kvm_riscv64_cpu *kvm_riscv64_cpu(const struct vcpu *v)
{
	return v->of_arch;
}

/* fd: of a CPU.  0 or -errno. */
int kvm_riscv64_read(int fd, enum kvm_riscv64_type, unsigned n, uint64_t *val);
int kvm_riscv64_write(int fd, enum kvm_riscv64_type, unsigned n, uint64_t val);
/* The groups are RV_REGS_x. */
int kvm_riscv64_get(struct vcpu *, unsigned groups, void *regs);
int kvm_riscv64_set(struct vcpu *, unsigned groups, const void *regs);
/* The timer of a CPU that stands still. */
int kvm_riscv64_set_timer(struct vcpu *, uint64_t when);
/* The kernel is told of the external interrupt's level. */
int kvm_riscv64_drive(struct vcpu *);
/* engine_class.model */
int kvm_riscv64_model(int kvm, const char *wanted, struct buf *can, struct err *);
/* Takes from the model what this host does not have. */
int kvm_riscv64_limit(int kvm, struct rv_model *, struct err *);
/* Tells the kernel what a new CPU has. */
int kvm_riscv64_tell_model(struct vcpu *);

#endif
