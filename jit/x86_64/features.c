/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel's manual, volume 2, CPUID; volume 1, 14.3 (AVX) and 15.2 (AVX-512).
 */
#include "jit/x86_64/features.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <stdint.h>

/* XCR0: SSE and AVX state; those and the three of AVX-512. */
enum { XCR0_AVX = 0x06, XCR0_AVX512 = 0xe6 };

static uint32_t xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo;
}

static bool bit(uint32_t reg, unsigned n)
{
	return reg >> n & 1;
}

struct x86_features x86_features_host(void)
{
	struct x86_features f = { 0 };
	uint32_t a, b, c, d, kept;

	if (!__get_cpuid(1, &a, &b, &c, &d))
		return f;
	kept = bit(c, 27) ? xcr0() : 0;
	f.sse3 = bit(c, 0);
	f.pclmul = bit(c, 1);
	f.ssse3 = bit(c, 9);
	f.sse41 = bit(c, 19);
	f.sse42 = bit(c, 20);
	f.popcnt = bit(c, 23);
	f.aes = bit(c, 25);
	f.avx = bit(c, 28) && (kept & XCR0_AVX) == XCR0_AVX;
	f.fma = f.avx && bit(c, 12);
	f.f16c = f.avx && bit(c, 29);
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		f.bmi1 = bit(b, 3);
		f.sha = bit(b, 29);
		f.avx2 = f.avx && bit(b, 5);
		f.vaes = f.avx2 && bit(c, 9);
		f.vpclmul = f.avx2 && bit(c, 10);
		f.bmi2 = bit(b, 8);
		f.avx512 = f.avx && bit(b, 16) && bit(b, 31) && (kept & XCR0_AVX512) == XCR0_AVX512;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		f.lzcnt = bit(c, 5);
	return f;
}
#else
struct x86_features x86_features_host(void)
{
	return (struct x86_features){ 0 };
}
#endif
