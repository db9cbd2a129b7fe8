/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAB_X86_ARCH_H
#define LAB_X86_ARCH_H

#include "cpu/x86/model.h"
#include "lab/x86/x86.h"

/* What the files behind lab_arch_x86_64 share. */

static inline bool lab_x86_feature(const uint32_t *features, enum x86_cpuid_bit f)
{
	return features[f / 32] >> f % 32 & 1;
}

/* mode.c */
void lab_x86_mode(struct lab_rig *, unsigned bit, const uint32_t *features);
void lab_x86_begin(struct lab_rig *);

/* CPUID as the guest finds it, by code in RAM. */
void lab_x86_ask_cpuid(struct lab_rig *, uint32_t leaf, uint32_t sub, uint32_t out[4]);

#endif
