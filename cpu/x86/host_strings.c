/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCMPxSTRx by the host's PCMPESTRM, where the host is x86-64: SDM volume 2, 4.1.  The immediate is
 * part of an instruction, so there is one for each.  Of its bits 6 says how a result is given, and
 * 7 nothing.
 */
#include "cpu/x86/simd_form.h"

#if defined(__x86_64__)

/* IntRes2, a bit for each element of b */
#define STRINGS(n)                                                                                 \
	case (n):                                                                                  \
		__asm__("movups %[a], %%xmm1\n\tmovups %[b], %%xmm2\n\t"                           \
			"pcmpestrm %[imm], %%xmm2, %%xmm1\n\tmovd %%xmm0, %k[r]\n\t"               \
			: [r] "=r"(r)                                                              \
			: [a] "m"(v->a), [b] "m"(v->b), [imm] "i"(n), "a"(na), "d"(nb)             \
			: "xmm0", "xmm1", "xmm2", "cc");                                           \
		break;
#define STRINGS4(n)  STRINGS(n) STRINGS((n) + 1) STRINGS((n) + 2) STRINGS((n) + 3)
#define STRINGS16(n) STRINGS4(n) STRINGS4((n) + 4) STRINGS4((n) + 8) STRINGS4((n) + 12)

static unsigned compare(const struct simd *v, unsigned na, unsigned nb)
{
	unsigned r = 0;

	switch (v->imm & 0x3f) {
		STRINGS16(0)
		STRINGS16(16)
		STRINGS16(32)
		STRINGS16(48)
	}
	return r;
}

void simd_host_pcmpestr(struct simd *v)
{
	if (unlikely(!__builtin_cpu_supports("sse4.2")))
		simd_pcmpestr(v);
	else
		simd_strings_found(v, compare(v, (unsigned)v->d[0], (unsigned)v->d[1]));
}

void simd_host_pcmpistr(struct simd *v)
{
	simd_strings_end(v);
	simd_host_pcmpestr(v);
}

#endif
