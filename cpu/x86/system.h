/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_SYSTEM_H
#define CPU_X86_SYSTEM_H

#include "cpu/x86/model.h"
#include "cpu/x86/state.h"

/* What system instructions do, behind sem_sys.h.  All of these check privilege and raise. */

enum { MSR_APIC_BASE = 0x1b };
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)

#define XCR0_X87 1ull
#define XCR0_SSE 2ull
#define XCR0_AVX 4ull

static inline bool x86_has(const struct x86 *s, enum x86_cpuid_bit f)
{
	return x86_model_has(s->model, f);
}

/* Whether it may be the base of a segment or table, or be in an MSR for addresses: canonical for
 * the widest addresses that the CPU has, whatever CR4.LA57 says (Intel's white paper on 5-level
 * paging, 335252). */
static inline bool x86_is_base(const struct x86 *s, uint64_t linear)
{
	unsigned shift = x86_has(s, X86_FEAT_LA57) ? 7 : 16;

	return (uint64_t)((int64_t)(linear << shift) >> shift) == linear;
}

/* Raises #GP(0) unless CPL is 0. */
static inline void x86_need_cpl0(struct x86 *s)
{
	if (s->cpl)
		x86_raise_error(s, X86_GP, 0);
}

/* system.c */
void x86_lgdt(struct x86 *, uint64_t base, uint16_t limit);
void x86_lidt(struct x86 *, uint64_t base, uint16_t limit);
void x86_lldt(struct x86 *, uint16_t selector);
void x86_ltr(struct x86 *, uint16_t selector);
void x86_lmsw(struct x86 *, uint16_t val);
void x86_clts(struct x86 *);
/* SGDT, SIDT, SLDT, STR, SMSW: raises where CR4.UMIP forbids them. */
void x86_check_umip(struct x86 *);
void x86_invlpg(struct x86 *, uint64_t linear);
void x86_invpcid(struct x86 *, uint64_t type, const uint64_t descriptor[2]);
void x86_hlt(struct x86 *);
void x86_cli(struct x86 *);
void x86_sti(struct x86 *);
void x86_swapgs(struct x86 *);
void x86_check_tsc(struct x86 *);                             /* RDTSC, RDTSCP: CR4.TSD */
void x86_set_base(struct x86 *, unsigned seg, uint64_t base); /* FS, GS; canonical */

/* msr.c: after IA32_APIC_BASE may have changed */
void x86_apic_moved(struct x86 *);

#endif
