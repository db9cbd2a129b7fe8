/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_FLAGS_H
#define CPU_X86_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/x86/state.h"

/*
 * The six arithmetic flags of EFLAGS are lazy: struct x86 has in fl_op what the last instruction
 * that changed them all did, and in fl_a and fl_b with what.  Of fl_op, the low 6 bits are a kind
 * << 2 and the size's logarithm; in the 6 above them shifts have their count.  What fl_a and fl_b
 * have above that size means nothing, unless they are flags.
 *
 * INC and DEC, which leave CF as it is, note what they are in bits 12 to 15, and the result in
 * fl_r. Other instructions that change only some flags note in bits 16 to 27 to what, as in EFLAGS,
 * and beside them which (x86_fl_changes); that comes last.  All zeroes: all flags clear.
 *
 * What is noted costs compiled code least: what it has in registers anyway, and constants of 32
 * bits.
 */
enum x86_flag_kind {
	X86_FL_BITS, /* a: the flags, as in EFLAGS */
	X86_FL_SUB,  /* a - b */
	X86_FL_SBB,  /* a - b - 1 */
	X86_FL_TEST, /* a & b; CF, OF and AF are 0 */
	/* Those of which a is the result. */
	X86_FL_ADD,  /* x + b */
	X86_FL_ADC,  /* x + b + 1 */
	X86_FL_DIFF, /* x - b */
	X86_FL_LOGIC,
	X86_FL_INC,
	X86_FL_DEC,
	X86_FL_RES, /* ZF, SF, PF are as a says; b: CF, OF, AF as in EFLAGS */
	X86_FL_SHL, /* of b, by a count that is not 0; AF is 1 */
	X86_FL_SHR,
	X86_FL_SAR,
};

enum { X86_FL_COUNT = 6, X86_FL_THEN = 12, X86_FL_TO = 16 };

/* Says that these flags have changed: between the places of those that bits 16 to 27 have. */
static inline uint64_t x86_fl_changes(uint32_t flags)
{
	return (uint64_t)((flags & (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_OF)) << 1 |
			  (flags & (FLAG_ZF | FLAG_SF)) << 2)
	       << X86_FL_TO;
}

static inline uint32_t x86_fl_changed(uint64_t fl_op)
{
	const uint32_t at = (uint32_t)(fl_op >> X86_FL_TO);

	return (at >> 1 & (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_OF)) |
	       (at >> 2 & (FLAG_ZF | FLAG_SF));
}

/* All that is said of these flags. */
static inline uint64_t x86_fl_all_of(uint32_t flags)
{
	return x86_fl_changes(flags) | (uint64_t)flags << X86_FL_TO;
}

static inline unsigned x86_fl_op(enum x86_flag_kind kind, unsigned size)
{
	return (unsigned)kind << 2 | (size == 1 ? 0u : size == 2 ? 1u : size == 4 ? 2u : 3u);
}

/* Of INC and DEC: their 4 bits. */
static inline unsigned x86_fl_then(enum x86_flag_kind kind, unsigned size)
{
	return 1 | (kind == X86_FL_DEC) << 1 | (x86_fl_op(kind, size) & 3) << 2;
}

/* What INC and DEC leave of fl_op. */
static inline uint64_t x86_fl_kept(void)
{
	return ((1 << X86_FL_THEN) - 1) | x86_fl_all_of(FLAG_CF);
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

/* help_int.c: the flags that a CPU has, as in EFLAGS, a condition of them, and their replacement;
 * bits: FLAGS_ARITH, others are not looked at. */
uint32_t x86_arith_flags(const struct x86 *);
bool x86_cond(const struct x86 *, enum x86_cond);
void x86_put_arith_flags(struct x86 *, uint32_t bits);

#endif
