/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_X86_START_H
#define ENGINE_X86_START_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Reset, INIT and startup messages of x86 CPUs that a kernel runs, and that know nothing of them:
 * their local APICs are the machine's device (core/intc.h).  Intel SDM volume 3, 8.4.  On the
 * thread that runs the CPU.
 */
struct intc;
struct vcpu;

struct x86_start {
	struct vcpu *v;
	unsigned id;
	uint32_t signature;      /* EAX of CPUID 1 */
	const struct intc *intc; /* or NULL */
	int (*get)(struct vcpu *, unsigned groups, void *regs);
	int (*set)(struct vcpu *, unsigned groups, const void *regs);
	/* What the engine keeps of it: cpu/x86/lines.h, and as in cpu/x86/regs.h. */
	_Atomic uint32_t *lines;
	_Atomic int32_t *sipi;
	bool *halted, *wait_sipi;
};

/* Both: 0 or -errno, of get and set. */
int x86_start_reset(const struct x86_start *);
/* Takes INIT, and behind that a startup message, if they are there. */
int x86_start_look(const struct x86_start *);

#endif
