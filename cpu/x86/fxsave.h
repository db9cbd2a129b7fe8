/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_FXSAVE_H
#define CPU_X86_FXSAVE_H

#include <stdint.h>

#include "cpu/x86/regs.h"

/* X86_REGS_FP as FXSAVE64 stores it (Intel SDM volume 1, 10.5.1), which is how kernels exchange it:
 * all but the upper halves of YMM registers, which `get` leaves alone, and MXCSR_MASK, which `put`
 * does. */
enum { X86_FXSAVE_SIZE = 512 };

void x86_fxsave_get(struct x86_regs *, const uint8_t from[X86_FXSAVE_SIZE]);
void x86_fxsave_put(const struct x86_regs *, uint8_t to[X86_FXSAVE_SIZE]);

#endif
