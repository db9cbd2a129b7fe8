/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_NVMM_H
#define ENGINE_NVMM_H

#include <nvmm.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "cpu/x86/model.h"
#include "cpu/x86/regs.h"
#include "engine/engine.h"
#include "engine/pieces.h"
#include "engine/wake.h"

/*
 * The engine on NVMM, the hypervisor of NetBSD and DragonFly, from the inside: nvmm.c is the VM and
 * its memory, nvmm_run.c runs CPUs, nvmm_exit.c answers what they come out for, nvmm_regs.c copies
 * registers.  Source: libnvmm(3) of NetBSD 10.
 */
struct engine {
	struct cpu_env env;
	struct nvmm_machine machine;
	struct x86_model model;
	struct vcpu *first;
	unsigned ncpus;
	struct pieces memory;
};

struct vcpu {
	struct engine *engine;
	struct vcpu *next;
	unsigned id;
	struct nvmm_vcpu cpu;
	struct x86_regs kept;   /* of registers that NVMM does not have: what was set last */
	_Atomic uint32_t lines; /* of core/intc.h: those that are high, or wait */
	_Atomic int32_t sipi;   /* a startup message: its vector, or -1 */
	bool halted, wait_sipi; /* as in regs.h */
	bool ready;             /* it has been reset, after the VM was complete */
	/* From the last exit, or what was set since: */
	bool interrupts; /* RFLAGS.IF */
	bool shadow, busy, nmi_masked;
	uint64_t cr8;
	/* Waits for the next run: an exception, or an interrupt that was acknowledged. */
	bool has_event;
	struct nvmm_vcpu_event event;
	uint64_t runs; /* counts nvmm_vcpu_run */
	/* How others make it come out: nvmm_vcpu_stop, and a signal for what runs by then. */
	struct wake wake;
	atomic_bool kicked;
};

/* The machine's local APICs, or NULL. */
static inline const struct intc *nvmm_intc(const struct vcpu *v)
{
	return v->engine->env.intc;
}

/* nvmm.c: the kernel is told where memory is; any thread.  0 or -errno. */
int nvmm_remap(struct engine *);
/* nvmm_run.c */
int nvmm_get_ready(struct vcpu *);
void nvmm_reset(struct vcpu *);
void nvmm_run(struct vcpu *, struct exit *, uint64_t turn);
void nvmm_kick(struct vcpu *);
void nvmm_irq(struct vcpu *, unsigned line, bool level);
/* An exception before the next instruction. */
void nvmm_raise(struct vcpu *, unsigned vector, bool has_error, uint32_t error);
/* nvmm_exit.c: false: come out with *x. */
bool nvmm_answer(struct vcpu *, struct exit *x);
void nvmm_io_callback(struct nvmm_io *);
void nvmm_mem_callback(struct nvmm_mem *);
/* nvmm_regs.c: 0 or -errno; the groups are X86_REGS_x. */
int nvmm_get(struct vcpu *, unsigned groups, void *regs);
int nvmm_set(struct vcpu *, unsigned groups, const void *regs);

#endif
