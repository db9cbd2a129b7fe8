/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_SIMD_H
#define CPU_X86_SIMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * Vector operations: what an instruction computes from 128 bits, or from the 64 of MMX, apart from
 * where operands come from and where the result goes (simd_form.c).  PADDB of MMX registers, PADDB
 * and VPADDB of 128 and 256 bits are one function; 256 bits are two calls.  No function changes
 * anything but its struct; any thread.  Element 0 is in the low bits of [0].
 */
struct simd {
	uint64_t d[2];       /* the result; before it, the third operand of those that have one */
	uint64_t a[2], b[2]; /* first and second source; b alone if there is one */
	unsigned imm;
	unsigned bytes; /* 16, or 8 for MMX: d[1] means nothing then */
	unsigned lane;  /* 0, or 1: the upper half of 256 bits */
	/* Floating point: MXCSR's control bits, and the exceptions that were met: those that are
	 * found before an element is computed (IE, DE, ZE), and after that (OE, UE, PE). */
	uint32_t mxcsr;
	uint32_t pre, post;
	/* The same of steps before, in instructions that have more than one. */
	uint32_t step_pre[2], step_post[2];
};

typedef void simd_fn(struct simd *);

/* MXCSR (SDM volume 1, 10.2.3): flags, their masks 7 bits further up, control. */
enum {
	MXCSR_IE = 1 << 0,
	MXCSR_DE = 1 << 1,
	MXCSR_ZE = 1 << 2,
	MXCSR_OE = 1 << 3,
	MXCSR_UE = 1 << 4,
	MXCSR_PE = 1 << 5,
	MXCSR_FLAGS = 0x3f,
	MXCSR_DAZ = 1 << 6,
	MXCSR_MASK_SHIFT = 7,
	MXCSR_MASKS = MXCSR_FLAGS << MXCSR_MASK_SHIFT,
	MXCSR_RC_SHIFT = 13,
	MXCSR_RC = 3 << MXCSR_RC_SHIFT,
	MXCSR_FTZ = 1 << 15,
	MXCSR_ALL = 0xffff,
	MXCSR_DEFAULT = 0x1f80,
};

/* Elements of `bits` bits, unsigned and signed. */
static ALWAYS_INLINE uint64_t simd_u(const uint64_t v[2], unsigned bits, unsigned i)
{
	const unsigned per = 64 / bits;

	return v[i / per] >> (i % per * bits) & (UINT64_MAX >> (64 - bits));
}

static ALWAYS_INLINE int64_t simd_s(const uint64_t v[2], unsigned bits, unsigned i)
{
	return (int64_t)(simd_u(v, bits, i) << (64 - bits)) >> (64 - bits);
}

static ALWAYS_INLINE void simd_put(uint64_t v[2], unsigned bits, unsigned i, uint64_t x)
{
	const unsigned per = 64 / bits, at = i % per * bits;
	const uint64_t mask = UINT64_MAX >> (64 - bits) << at;

	v[i / per] = (v[i / per] & ~mask) | (x << at & mask);
}

/* x kept within the signed, or unsigned, numbers of `bits` bits. */
static ALWAYS_INLINE uint64_t simd_sat_s(int64_t x, unsigned bits)
{
	const int64_t top = INT64_C(1) << (bits - 1);

	return (uint64_t)(x >= top ? top - 1 : x < -top ? -top : x);
}

static ALWAYS_INLINE uint64_t simd_sat_u(int64_t x, unsigned bits)
{
	const int64_t top = (INT64_C(1) << bits) - 1;

	return (uint64_t)(x > top ? top : x < 0 ? 0 : x);
}

/* One function for each operation: simd.def lists the instructions. */
#define SIMD(op, form, fn, flags) simd_fn simd_##fn;
#include "cpu/x86/simd.def"

#endif
