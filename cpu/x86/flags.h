/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_FLAGS_H
#define CPU_X86_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

struct x86;

/*
 * The six arithmetic flags of EFLAGS are lazy: struct x86 has in fl_op what the last instruction
 * that changed them did, and in fl_a and fl_b with what, zero-extended from its size.  fl_op is a
 * kind << 2 and the size's logarithm.  All zeroes: all flags clear.
 */
enum x86_flag_kind {
	X86_FL_BITS,  /* a: the flags, as in EFLAGS */
	X86_FL_ADD,   /* a + b */
	X86_FL_ADC,   /* a + b + 1 */
	X86_FL_SUB,   /* a - b */
	X86_FL_SBB,   /* a - b - 1 */
	X86_FL_LOGIC, /* a: the result; CF, OF and AF are 0 */
	X86_FL_INC,   /* a: the result; b: CF */
	X86_FL_DEC,
	X86_FL_RES, /* a: the result, which gives ZF, SF, PF; b: CF, OF, AF as in EFLAGS */
};

static inline unsigned x86_fl_op(enum x86_flag_kind kind, unsigned size)
{
	return (unsigned)kind << 2 | (size == 1 ? 0u : size == 2 ? 1u : size == 4 ? 2u : 3u);
}

/* Conditions as Jcc, SETcc and CMOVcc number them (SDM volume 1, appendix B). */
enum x86_cond {
	X86_CC_O,
	X86_CC_NO,
	X86_CC_B, /* CF */
	X86_CC_NB,
	X86_CC_Z,
	X86_CC_NZ,
	X86_CC_BE,
	X86_CC_NBE,
	X86_CC_S,
	X86_CC_NS,
	X86_CC_P,
	X86_CC_NP,
	X86_CC_L,
	X86_CC_NL,
	X86_CC_LE,
	X86_CC_NLE,
	X86_CC_A, /* AF, which no instruction has as a condition */
};

/* help_int.c: the flags that (fl_op, fl_a, fl_b) stand for, as in EFLAGS, and a condition of them.
 */
uint32_t x86_lazy_flags(unsigned fl_op, uint64_t a, uint64_t b);
bool x86_lazy_cond(unsigned fl_op, uint64_t a, uint64_t b, enum x86_cond);
/* The same of a CPU, and their replacement; bits: FLAGS_ARITH, others are not looked at. */
uint32_t x86_arith_flags(const struct x86 *);
void x86_put_arith_flags(struct x86 *, uint32_t bits);

#endif
