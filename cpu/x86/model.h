/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_MODEL_H
#define CPU_X86_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Which CPU to be: what CPUID says, and what is an undefined instruction or a reserved bit.  Named
 * models are const tables; a person may change one: "x86-64-v2,vendor=amd,+rdtscp,-pcid".  Any
 * thread; whoever embeds a struct x86_model owns it, and it does not change once a CPU has it.
 */
enum x86_feature_word {
	X86_WORD_1_EDX,
	X86_WORD_1_ECX,
	X86_WORD_6_EAX,
	X86_WORD_7_EBX,
	X86_WORD_7_ECX,
	X86_WORD_7_EDX,
	X86_WORD_72_EDX, /* leaf 7, subleaf 2 */
	X86_WORD_D_EAX,  /* subleaf 1 */
	X86_WORD_EXT1_ECX,
	X86_WORD_EXT1_EDX,
	X86_WORD_EXT7_EDX,
	X86_NWORDS
};

enum x86_cpuid_bit {
#define FEATURE(symbol, name, word, bit) X86_FEAT_##symbol = X86_WORD_##word * 32 + (bit),
#include "cpu/x86/features.def"
};

/* Guest nanoseconds; what may be chosen. */
enum { X86_TSC_KHZ = 1000000, X86_TSC_KHZ_MIN = 500000, X86_TSC_KHZ_MAX = 20000000 };

enum x86_vendor { X86_INTEL, X86_AMD };
enum x86_identity { X86_ID_NONE, X86_ID_KVM, X86_ID_NVMM }; /* leaves from 0x40000000 on */

struct x86_model {
	char name[48]; /* as chosen, without changes */
	enum x86_vendor vendor;
	enum x86_identity identity;
	uint32_t signature;              /* leaf 1, EAX */
	uint32_t max_leaf, max_extended; /* 0: no extended leaves */
	uint8_t phys_bits;               /* MAXPHYADDR */
	uint32_t tsc_khz;                /* 0: nobody has chosen, so X86_TSC_KHZ */
	uint32_t features[X86_NWORDS];
};

/* text: NAME[,+FEATURE][,-FEATURE][,vendor=intel|amd][,identity=none|kvm|nvmm][,tsc=KHZ]...;
 * NULL, "" and "best": all that we execute.  -EINVAL with the reason. */
int x86_model_parse(struct x86_model *, const char *text, struct err *);
/* The names of models and of features, in order; NULL behind the last. */
const char *x86_model_name(unsigned n);
const char *x86_feature_name(unsigned n);
enum x86_cpuid_bit x86_feature_bit(unsigned n); /* of one that has a name */

static inline uint32_t x86_model_tsc_khz(const struct x86_model *m)
{
	return m->tsc_khz ? m->tsc_khz : X86_TSC_KHZ;
}

static inline bool x86_model_has(const struct x86_model *m, enum x86_cpuid_bit f)
{
	return m->features[f / 32] >> f % 32 & 1;
}

#endif
