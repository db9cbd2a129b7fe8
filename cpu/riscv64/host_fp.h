/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_HOST_FP_H
#define CPU_RISCV64_HOST_FP_H

#include "cpu/riscv64/state.h"
#include "fp/fp.h"

/*
 * The floating-point environment of the host while a hart runs.  Compiled code computes with the
 * host's own instructions, under the guest's rounding mode; the flags that they raise stay in the
 * host's register and count as part of fflags.  Nothing in C computes with floating point meanwhile
 * (fp/ uses integers), so only rv_run's entry and exit and accesses to fcsr have to care.
 */
#if defined(__x86_64__)
/* Intel's manual, volume 1, 10.2.3: all exceptions masked, no flag, denormals as they are. */
enum { MXCSR_RESET = 0x1f80, MXCSR_RC = 13 };

/* RMM, which the host does not have, and what is reserved: compiled code does not run then. */
static inline uint32_t rv_host_mode(unsigned frm)
{
	static const uint8_t rc[] = { 0, 3, 1, 2, 0, 0, 0, 0 };

	return MXCSR_RESET | (uint32_t)rc[frm & 7] << MXCSR_RC;
}

static inline uint8_t rv_host_flags(void)
{
	uint32_t m = __builtin_ia32_stmxcsr();

	return (uint8_t)((m & 0x01) << 4 | (m & 0x04) << 1 | (m & 0x08) >> 1 | (m & 0x10) >> 3 |
			 (m & 0x20) >> 5);
}

static inline void rv_host_enter(struct rv *s)
{
	s->host_mxcsr = __builtin_ia32_stmxcsr();
	s->host_fp = true;
	__builtin_ia32_ldmxcsr(rv_host_mode(s->frm));
}

static inline void rv_host_leave(struct rv *s)
{
	s->fflags |= rv_host_flags();
	s->host_fp = false;
	__builtin_ia32_ldmxcsr(s->host_mxcsr);
}

/* After a write of fflags or frm. */
static inline void rv_host_set(const struct rv *s)
{
	if (s->host_fp)
		__builtin_ia32_ldmxcsr(rv_host_mode(s->frm));
}
#else
static inline uint8_t rv_host_flags(void)
{
	return 0;
}

static inline void rv_host_enter(struct rv *s)
{
	(void)s;
}

static inline void rv_host_leave(struct rv *s)
{
	(void)s;
}

static inline void rv_host_set(const struct rv *s)
{
	(void)s;
}
#endif

/* fflags as a CSR read gives it. */
static inline uint8_t rv_fflags(const struct rv *s)
{
	return s->host_fp ? s->fflags | rv_host_flags() : s->fflags;
}

/* After a change of mstatus.FS or frm. */
static inline void rv_fp_changed(struct rv *s)
{
	s->fp_fast = (s->mstatus & MSTATUS_FS) == MSTATUS_FS && s->frm <= FP_RUP;
}

#endif
