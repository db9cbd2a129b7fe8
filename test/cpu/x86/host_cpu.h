/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_HOST_CPU_H
#define TEST_CPU_X86_HOST_CPU_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

/* Which CPU the host has, where what the manuals leave open counts. */

/* AMD's Zen 3, whose undefined flags are ours: family 19H but for Zen 4 (models 10H to 1FH, 60H to
 * 7FH and A0H to AFH), whose BSF and BSR leave others. */
static inline bool host_is_zen3(void)
{
	unsigned a, b, c, d, vendor, model;

	__cpuid(0, a, vendor, c, d);
	__cpuid(1, a, b, c, d);
	model = (a >> 4 & 15) + (a >> 12 & 0xf0);
	return vendor == signature_AMD_ebx && (a >> 8 & 15) + (a >> 20 & 255) == 0x19 &&
	       (model < 0x10 || (model >= 0x20 && model < 0x60));
}

/* XCR0; CR4.OSXSAVE is set wherever AVX may be used. */
static inline uint64_t host_xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

#endif
