/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_LOCKSTEP_H
#define CPU_X86_LOCKSTEP_H

#include "cpu/lockstep.h"
#include "cpu/x86/state.h"

/*
 * What cpu/lockstep.h has to know about x86: s->lockstep, NULL without env->lockstep.  Stores have
 * a TLB of their own then (s->stores), which only access.c looks into.
 */
int x86_lockstep_new(struct x86 *, struct err *);
void x86_lockstep_free(struct x86 *);

/* Who answers from outside: memory that is no RAM, ports, the local APIC by MSRs and by CR8, and
 * RDRAND. */
enum {
	X86_LOCKSTEP_MEMORY,
	X86_LOCKSTEP_PORT,
	X86_LOCKSTEP_MSR,
	X86_LOCKSTEP_TPR,
	X86_LOCKSTEP_RANDOM
};

#endif
