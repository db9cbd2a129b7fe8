/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_MSR_H
#define CPU_X86_MSR_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/x86/model.h"
#include "cpu/x86/regs.h"

/* Tables of model-specific registers, for whatever engine the CPU is on.  Any thread. */

/* What comes of writing a register that says the same thing all the time. */
enum x86_msr_write {
	X86_MSR_REFUSE, /* #GP */
	X86_MSR_IGNORE,
	X86_MSR_SAME /* #GP but for the same value */
};

struct x86_msr {
	uint32_t first, last;
	uint8_t vendors; /* bits by enum x86_vendor */
	enum x86_msr_write write;
	uint64_t val;
};

/* NULL: it is none of them. */
const struct x86_msr *x86_msr_fixed(const struct x86_model *, uint32_t msr);

static inline bool x86_msr_takes(const struct x86_msr *f, uint64_t val)
{
	return f->write == X86_MSR_IGNORE || (f->write == X86_MSR_SAME && val == f->val);
}

/* Those that struct x86_regs has in X86_REGS_MSR, but for variable MTRRs and the local APIC's: in
 * the order in which they are to be set.  Ends with offset 0. */
struct x86_msr_field {
	uint32_t msr;
	uint16_t offset;
};

extern const struct x86_msr_field x86_msr_fields[];

enum { X86_MSR_MTRR_VAR = 0x200 }; /* to 0x20f */

/* One of these, or a variable MTRR; NULL: it is none of them. */
uint64_t *x86_msr_of(struct x86_regs *, uint32_t msr);

#endif
