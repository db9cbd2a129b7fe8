/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_CPUID_H
#define CPU_X86_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/x86/model.h"

/* What CPUID's answers follow from, on whatever engine the CPU is. */
struct x86_cpuid {
	const struct x86_model *model;
	unsigned id, ncpus; /* APIC ID, and how many there are */
	uint32_t tsc_khz;
	uint64_t xcr0;
	bool osxsave; /* CR4.OSXSAVE */
	bool code64;  /* it executes 64-bit code */
	bool apic;    /* the local APIC is enabled */
};

/* out: EAX, EBX, ECX, EDX.  Any thread. */
void x86_cpuid_leaf(const struct x86_cpuid *, uint32_t leaf, uint32_t sub, uint32_t out[4]);

#endif
