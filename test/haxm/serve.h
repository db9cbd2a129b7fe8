/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_HAXM_SERVE_H
#define TEST_HAXM_SERVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/exit.h"
#include "core/intc.h"
#include "engine/engine.h"
#include "engine/haxm_abi.h"

/*
 * HAXM, as far as programs see it, by the engine soft in the same process: preloaded, it answers
 * what is opened and asked of HAXM's devices (serve.c); cpu.c runs CPUs, regs.c has their
 * registers.  What CPUs do is as in HAXM's core/vcpu.c and core/intr_exc.c.
 */
enum { SERVE_VMS = 8 };

struct serve_cpu {
	struct serve_vm *vm;
	unsigned id;
	struct vcpu *v;
	struct haxm_tunnel *tunnel;
	uint8_t *io;
	struct exit x; /* what it has come out with, until that is over */
	bool open;
	bool closed, panicked; /* its file; it never runs again */
	uint64_t apic_base;
	/* Vectors that wait; take, irq and they are the thread's that runs the CPU. */
	uint8_t waits[256];
	bool window; /* an interrupt could be taken, and the program wants to know */
};

struct serve_vm {
	bool used;
	struct engine_env env;
	struct engine *engine;
	struct intc intc;
	pthread_rwlock_t memory; /* read: CPUs that run; write: it changes */
	struct serve_cpu *cpu[HAXM_MAX_CPUS];
	struct haxm_cpuid cpuid;
};

/* All: 0 or -errno. */
int serve_cpu_new(struct serve_vm *, unsigned id);
int serve_cpu_ioctl(struct serve_cpu *, unsigned long request, void *arg);
int serve_run(struct serve_cpu *);
void serve_intc(struct serve_vm *);
bool serve_cpuid(void *vm, unsigned id, uint32_t leaf, uint32_t sub, uint32_t out[4]);
void serve_interrupt(struct serve_cpu *, uint8_t vector);
int serve_get_regs(struct serve_cpu *, struct haxm_regs *);
int serve_set_regs(struct serve_cpu *, const struct haxm_regs *);
int serve_get_msrs(struct serve_cpu *, struct haxm_msrs *);
int serve_set_msrs(struct serve_cpu *, struct haxm_msrs *);
int serve_get_fpu(struct serve_cpu *, struct haxm_fpu *);
int serve_set_fpu(struct serve_cpu *, const struct haxm_fpu *);

extern const struct engine_class engine_soft;

#endif
