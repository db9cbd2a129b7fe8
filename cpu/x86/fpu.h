/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_FPU_H
#define CPU_X86_FPU_H

#include "cpu/x86/whole.h"
#include "cpu/x86/x87.h"

/*
 * The x87 stack and state, and what is saved with it, for those who execute instructions on it.
 * Only the thread that runs the CPU.
 */
enum { X86_XCR0_X87 = 1, X86_XCR0_SSE = 2, X86_XCR0_AVX = 4 };

/* What instructions that wait do first: #MF for an exception that is pending (SDM volume 1, 8.7),
 * or FERR# where CR0.NE is clear. */
void x86_fpu_wait(struct x86 *);
/* FERR# goes up: what PCs wire to IRQ 13.  There is no such line yet: doc/gaps.md. */
void x86_fpu_ferr(struct x86 *);
/* What FNINIT does. */
void x86_fpu_init_control(struct x86 *);
/* As FNINIT does, registers too (XRSTOR). */
void x86_fpu_init_x87(struct x86 *);
/* ES and B follow from the exceptions that are not masked. */
void x86_fpu_summary(struct x86 *);

static inline unsigned x86_fpu_tos(const struct x86 *s)
{
	return s->fsw >> X87_TOP_SHIFT & 7;
}

/* The physical register of ST(i). */
static inline unsigned x86_fpu_reg(const struct x86 *s, unsigned i)
{
	return (x86_fpu_tos(s) + i) & 7;
}

/* #NM, for instructions that use the FPU; and those that wait do that. */
void x86_fpu_enter(struct x86 *, bool waits);

/* The tag word of FSTENV: two bits a physical register (SDM volume 1, 8.1.7). */
uint16_t x86_fpu_tags(const struct x86 *);
void x86_fpu_set_tags(struct x86 *, uint16_t);

#endif
