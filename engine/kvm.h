/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_KVM_H
#define ENGINE_KVM_H

#include <signal.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "engine/engine.h"
#include "engine/wake.h"

/*
 * The engine on Linux's KVM, from the inside: engine/kvm.c is for any guest CPU, with kvm_mem.c for
 * its memory; kvm_ARCH.c knows one.  Source: Linux, Documentation/virt/kvm/api.rst (6.1).
 */
struct kvm_run;
struct kvm_arch;
struct kvm_slots;

struct engine {
	const struct kvm_arch *arch;
	const struct cpu_class *cpu;
	struct cpu_env env;
	bool starts;     /* as in engine_env */
	bool hands_over; /* what the kernel's emulator cannot execute comes out, untouched */
	int kvm, vm;     /* descriptors */
	size_t run_size; /* of struct kvm_run */
	struct vcpu *first, **last;
	struct vcpu *spare; /* that were freed: the kernel makes none twice */
	unsigned ncpus;
	unsigned nothers; /* CPUs that others have taken the place of: kvm_another */
	struct kvm_slots *slots;
	struct cpu_env own_env; /* of our own CPUs, which do what the kernel's cannot */
	struct cpu *first_own;
	void *of_arch; /* what kvm_ARCH.c keeps for the VM */
};

/* What the CPU has come out with, and the kernel waits for. */
enum kvm_io { KVM_IO_NONE, KVM_IO_READ, KVM_IO_OTHER };

struct vcpu {
	struct engine *engine;
	struct vcpu *next;
	unsigned id;
	int fd;
	struct kvm_run *run;
	uint64_t runs;       /* counts KVM_RUN */
	bool ready;          /* arch->vcpu_begin was called */
	enum kvm_io waiting; /* an access that is not over: the next KVM_RUN ends it */
	const struct debug_points *points; /* as vcpu_debug says */
	struct cpu *own;                   /* NULL: there is none now */
	bool away;                         /* its state is there */
	/* How others make it come out of KVM_RUN: a signal that only that lets in. */
	struct wake wake;
	atomic_bool poked;      /* look again at all that others can change */
	atomic_bool kicked;     /* and come out */
	_Atomic uint32_t lines; /* input lines that are high, or wait: bits of that CPU's numbers */
	void *of_arch;
};

/* Of run: it has come out for something that is answered already, and was poked meanwhile. */
enum { KVM_ANSWERED = -1 };

/* What a guest CPU needs of its own.  All are for the thread that runs the CPU, but irq. */
struct kvm_arch {
	const char *cpu;  /* as cpu_class has it */
	unsigned program; /* the group of registers that has the program counter */
	int (*probe)(int kvm, struct err *);
	int (*model)(
	    int kvm, const char *wanted, struct buf *can, struct err *); /* engine_class.model */
	int (*vm_begin)(struct engine *, struct err *);
	void (*vm_end)(struct engine *);
	int (*start)(struct engine *); /* engine_class.start, .stop; 0 or -errno */
	int (*stop)(struct engine *);
	/* engine_class.vcpu_hold, vcpu_is_held: 0 or -errno; NULL: no such thing. */
	int (*hold)(struct vcpu *, bool off);
	bool (*is_held)(struct vcpu *);
	int (*vcpu_new)(struct vcpu *, struct err *);
	void (*vcpu_free)(struct vcpu *);
	int (*vcpu_begin)(struct vcpu *); /* all CPUs of the VM are there; 0 or -errno */
	int (*vcpu_reset)(struct vcpu *);
	/* Before KVM_RUN: false: come out with *x. */
	bool (*before)(struct vcpu *, struct exit *x);
	void (*after)(
	    struct vcpu *); /* after each KVM_RUN, before what it came out for is answered */
	/* KVM_RUN, again and again while what it comes out for is quickly answered and nobody
	 * pokes: 0, KVM_ANSWERED, or what was in the way, as errno has it. */
	int (*run)(struct vcpu *);
	/* What engine/kvm.c does not know: false: come out. */
	bool (*answer)(struct vcpu *, struct exit *x);
	uint64_t (*intc_page)(const struct vcpu *); /* as in engine/access.h; NULL: no such thing */
	void (*irq)(struct vcpu *, unsigned line, bool level); /* any thread */
	int (*get)(struct vcpu *, unsigned groups, void *regs);
	int (*set)(struct vcpu *, unsigned groups, const void *regs);
	/* Comes out for its points, and behind the next instruction if that is wanted; -ENOTSUP:
	 * there is no such thing. */
	int (*debug)(struct vcpu *, bool single);
	int (*debug_check)(const struct debug_points *, struct err *); /* as in engine_class */
	/* Registers are as before the instruction that it has come out in the middle of, which may
	 * end (kvm_drop) without effect on memory. */
	int (*undo)(struct vcpu *);
	int (*pass)(struct vcpu *);  /* as vcpu_pass */
	int (*cpuid)(struct vcpu *); /* as vcpu_cpuid */
};

extern const struct kvm_arch kvm_x86, kvm_riscv64; /* each where the host is one */

/* Any thread: the CPU looks again at its lines before its next instruction. */
void kvm_poke(struct vcpu *);
/* Goes in, and out again before the next instruction, so that what *run says of the CPU is true:
 * 1, or as kvm_settle; 0: an access has more parts. */
int kvm_refresh(struct vcpu *);
/* The same, and timers of the kernel's that are over have asked for their interrupts; no access may
 * be open. */
int kvm_flush(struct vcpu *);
/* Ends an access that the kernel waits for, without running on; registers are right after it. */
int kvm_settle(struct vcpu *); /* 0 or -errno */
/* The same, without doing what it asks for. */
int kvm_drop(struct vcpu *);
/* Another of the kernel's CPUs is this one from now on, as if it were new: 0 or -errno. */
int kvm_another(struct vcpu *);
/* ioctl, again when a signal was in the way: 0 or more, or -errno. */
int kvm_ioctl(int fd, unsigned long request, void *arg);
/* Has the device's capability; 0: not. */
int kvm_has(int fd, int capability);

/* kvm_own.c: there is a CPU of our own; where several run at a time, before that. */
int kvm_own_new(struct vcpu *);
/* It has the state; or the kernel's has it again.  0 or -errno. */
int kvm_own_take(struct vcpu *);
int kvm_own_back(struct vcpu *);
/* One instruction there, as engine_class.vcpu_step. */
void kvm_own_step(struct vcpu *, struct exit *);
/* While no CPU runs: the kernel has all of them again, and there are none of our own. */
int kvm_own_end(struct engine *);

/* kvm_mem.c: the guest's memory as slots of the kernel's. */
struct kvm_slots *kvm_slots_new(struct engine *, struct err *);
void kvm_slots_free(struct kvm_slots *);
/* Tells the kernel where memory is now; any thread.  0 or -errno. */
int kvm_slots_update(struct kvm_slots *);
/* engine_class.track */
int kvm_slots_track(struct kvm_slots *);

#endif
