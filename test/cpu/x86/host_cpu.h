/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_HOST_CPU_H
#define TEST_CPU_X86_HOST_CPU_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

/* Which CPU the host has, where what the manuals leave open counts. */

static inline unsigned host_amd_family(unsigned *model)
{
	unsigned a, b, c, d, vendor;

	__cpuid(0, a, vendor, c, d);
	__cpuid(1, a, b, c, d);
	*model = (a >> 4 & 15) + (a >> 12 & 0xf0);
	return vendor == signature_AMD_ebx ? (a >> 8 & 15) + (a >> 20 & 255) : 0;
}

/* Family 19H, Zen 3 and Zen 4, whose undefined flags are ours. */
static inline bool host_is_19h(void)
{
	unsigned model;

	return host_amd_family(&model) == 0x19;
}

/* But for those of BSF and BSR on Zen 4 (models 10H to 1FH, 60H to 7FH, A0H to AFH). */
static inline bool host_is_zen3(void)
{
	unsigned model;

	return host_amd_family(&model) == 0x19 && (model < 0x10 || (model >= 0x20 && model < 0x60));
}

/* XCR0; CR4.OSXSAVE is set wherever AVX may be used. */
static inline uint64_t host_xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

#endif
