/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_X86_64_FEATURES_H
#define JIT_X86_64_FEATURES_H

#include <stdbool.h>

/*
 * What the host has beyond x86-64's baseline (SSE2).  Code is generated for a struct x86_features,
 * which need not be the host's: less is always right.
 */
struct x86_features {
	bool sse3, ssse3, sse41, sse42, popcnt, aes, pclmul, sha;
	bool bmi1, bmi2, lzcnt;
	bool avx, fma; /* the OS keeps the registers, too */
	bool avx2, f16c, vaes, vpclmul;
	bool avx512; /* F and VL */
};

struct x86_features x86_features_host(void);

#endif
