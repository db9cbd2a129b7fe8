/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_HAXM_H
#define ENGINE_HAXM_H

#include <stdatomic.h>

#include "base/thread.h"
#include "cpu/x86/model.h"
#include "cpu/x86/regs.h"
#include "engine/engine.h"
#include "engine/haxm_abi.h"
#include "engine/pieces.h"
#include "engine/wake.h"

/*
 * The engine on HAXM, a hypervisor of Intel's that NetBSD and Linux have as a module, from the
 * inside: haxm.c is the VM and its memory, haxm_run.c runs CPUs, haxm_exit.c answers what they come
 * out for, haxm_regs.c copies registers.
 */
struct engine {
	struct cpu_env env;
	struct x86_model model;
	int hax, vm; /* descriptors */
	uint32_t vm_id;
	struct vcpu *first;
	struct vcpu *spare; /* that were freed: a sandbox lets nobody open their devices again */
	unsigned ncpus;
	bool told; /* what CPUID says; it is the VM's */
	struct pieces memory;
};

struct vcpu {
	struct engine *engine;
	struct vcpu *next;
	unsigned id;
	int fd;
	struct haxm_tunnel *tunnel, none; /* none: while there is no other */
	uint8_t *io;
	bool dead;              /* it has shut down: HAXM never runs it again */
	struct x86_regs kept;   /* of registers that HAXM does not have: what was set last */
	_Atomic uint32_t lines; /* of core/intc.h: those that are high, or wait */
	_Atomic int32_t sipi;   /* a startup message: its vector, or -1 */
	bool halted, wait_sipi; /* as in regs.h */
	bool ready;             /* it has been reset, after the VM was complete */
	bool takes;             /* an interrupt can be entered before the next instruction */
	bool owed;              /* the next run ends the access that was answered */
	uint64_t apic_base;     /* as the kernel has it */
	uint64_t runs;          /* counts HAXM_RUN */
	/* How others make it come out: a mark for the kernel, and a signal for what runs by then.
	 */
	struct wake wake;
	atomic_bool kicked;
};

/* The machine's local APICs, or NULL. */
static inline const struct intc *haxm_intc(const struct vcpu *v)
{
	return v->engine->env.intc;
}

/* haxm.c: 0 or -errno.  The kernel is told where memory is; any thread. */
int haxm_ioctl(int fd, unsigned long request, void *arg);
int haxm_remap(struct engine *);
int haxm_tell_cpuid(struct vcpu *);
/* Makes a dead one again, if nothing keeps the process from opening its device. */
int haxm_renew(struct vcpu *);
/* haxm_run.c */
int haxm_get_ready(struct vcpu *);
void haxm_reset(struct vcpu *);
void haxm_run(struct vcpu *, struct exit *, uint64_t turn);
void haxm_kick(struct vcpu *);
void haxm_irq(struct vcpu *, unsigned line, bool level);
/* Ends the access that the last run came out for, without running on: 0 or -errno. */
int haxm_settle(struct vcpu *);
/* haxm_exit.c: false: come out with *x. */
bool haxm_answer(struct vcpu *, struct exit *x);
/* haxm_regs.c: 0 or -errno; the groups are X86_REGS_x. */
int haxm_get(struct vcpu *, unsigned groups, void *regs);
int haxm_set(struct vcpu *, unsigned groups, const void *regs);

#if defined(__x86_64__) && (defined(__linux__) || defined(__NetBSD__))
#define HAVE_HAXM
#endif

#endif
