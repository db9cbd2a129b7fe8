/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_IO_H
#define CPU_X86_IO_H

#include "cpu/x86/state.h"

/* An iteration of INS to ES:offset and of OUTS from seg:offset, with all checks. */
void x86_ins(struct x86 *, uint64_t offset, unsigned size);
void x86_outs(struct x86 *, unsigned seg, uint64_t offset, unsigned size);

#endif
