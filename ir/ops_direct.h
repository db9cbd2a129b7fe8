/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IR_OPS_DIRECT_H
#define IR_OPS_DIRECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * The words of which instruction bodies are made, in the form that computes at once: the
 * interpreter's.  ir/ops_ir.h has the same words in the form that builds IR; a body is compiled
 * against either and cannot tell.  All values are 64 bits wide.  Words about registers, memory and
 * control belong to the guest CPU (cpu/ARCH/direct.h, cpu/ARCH/lift.h).
 */
struct ctx; /* the guest CPU's */
typedef uint64_t val;

static inline val imm(struct ctx *c, int64_t k)
{
	(void)c;
	return (uint64_t)k;
}

static inline val add(struct ctx *c, val a, val b)
{
	(void)c;
	return a + b;
}

static inline val sub(struct ctx *c, val a, val b)
{
	(void)c;
	return a - b;
}

static inline val mul(struct ctx *c, val a, val b)
{
	(void)c;
	return a * b;
}

/* The high halves of products: unsigned, signed, signed by unsigned. */
static inline val mulhu(struct ctx *c, val a, val b)
{
	(void)c;
	return (uint64_t)((u128)a * b >> 64);
}

static inline val mulh(struct ctx *c, val a, val b)
{
	uint64_t neg_a = (int64_t)a < 0 ? b : 0, neg_b = (int64_t)b < 0 ? a : 0;
	return mulhu(c, a, b) - neg_a - neg_b;
}

static inline val mulhsu(struct ctx *c, val a, val b)
{
	return mulhu(c, a, b) - ((int64_t)a < 0 ? b : 0);
}

/* Division by RISC-V's rule: by zero gives all ones and the dividend, overflow the dividend and 0.
 */
static inline val divs(struct ctx *c, val a, val b)
{
	(void)c;
	if (b == 0)
		return UINT64_MAX;
	return b == UINT64_MAX ? -a : (uint64_t)((int64_t)a / (int64_t)b);
}

static inline val rems(struct ctx *c, val a, val b)
{
	(void)c;
	if (b == 0)
		return a;
	return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static inline val divu(struct ctx *c, val a, val b)
{
	(void)c;
	return b ? a / b : UINT64_MAX;
}

static inline val remu(struct ctx *c, val a, val b)
{
	(void)c;
	return b ? a % b : a;
}

static inline val and_(struct ctx *c, val a, val b)
{
	(void)c;
	return a & b;
}

static inline val or_(struct ctx *c, val a, val b)
{
	(void)c;
	return a | b;
}

static inline val xor_(struct ctx *c, val a, val b)
{
	(void)c;
	return a ^ b;
}

static inline val not_(struct ctx *c, val a)
{
	(void)c;
	return ~a;
}

/* Shift counts are modulo 64. */
static inline val shl(struct ctx *c, val a, val n)
{
	(void)c;
	return a << (n & 63);
}

static inline val shr(struct ctx *c, val a, val n)
{
	(void)c;
	return a >> (n & 63);
}

static inline val sar(struct ctx *c, val a, val n)
{
	(void)c;
	return (uint64_t)((int64_t)a >> (n & 63));
}

/* The low `bits` (8, 16, 32 or 64) of a, extended. */
static inline val sext(struct ctx *c, unsigned bits, val a)
{
	(void)c;
	return (uint64_t)((int64_t)(a << (64 - bits)) >> (64 - bits));
}

static inline val zext(struct ctx *c, unsigned bits, val a)
{
	(void)c;
	return a << (64 - bits) >> (64 - bits);
}

/* Rotations of the low `bits` (32 or 64) by n modulo bits; the result is zero-extended. */
static inline val ror(struct ctx *c, unsigned bits, val a, val n)
{
	n &= bits - 1;
	a = zext(c, bits, a);
	return zext(c, bits, a >> n | a << ((bits - n) & (bits - 1)));
}

static inline val rol(struct ctx *c, unsigned bits, val a, val n)
{
	return ror(c, bits, a, (bits - n) & (bits - 1));
}

/* Comparisons give 1 or 0. */
static inline val eq(struct ctx *c, val a, val b)
{
	(void)c;
	return a == b;
}

static inline val ne(struct ctx *c, val a, val b)
{
	(void)c;
	return a != b;
}

static inline val lts(struct ctx *c, val a, val b)
{
	(void)c;
	return (int64_t)a < (int64_t)b;
}

static inline val ltu(struct ctx *c, val a, val b)
{
	(void)c;
	return a < b;
}

/* a if cond is not zero, else b. */
static inline val choose(struct ctx *c, val cond, val a, val b)
{
	(void)c;
	return cond ? a : b;
}

/* Of the low `bits` (32 or 64) of a; `bits` when they are all zero. */
static inline val clz(struct ctx *c, unsigned bits, val a)
{
	a = zext(c, bits, a);
	return a ? clz64(a) - (64 - bits) : bits;
}

static inline val ctz(struct ctx *c, unsigned bits, val a)
{
	a = zext(c, bits, a);
	return a ? ctz64(a) : bits;
}

static inline val popcnt(struct ctx *c, unsigned bits, val a)
{
	return popcnt64(zext(c, bits, a));
}

static inline val bswap(struct ctx *c, unsigned bits, val a)
{
	(void)c;
	return bswap64(a) >> (64 - bits);
}

/* All earlier accesses before all later ones. */
static inline void fence(struct ctx *c)
{
	(void)c;
	atomic_thread_fence(memory_order_seq_cst);
}

#endif
