/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_WHOLE_H
#define CPU_X86_WHOLE_H

#include "cpu/x86/insn.h"

/* What the bodies of vector and x87 instructions call, with the offset of the memory operand. */
x86_whole_fn x86_simd; /* rows of simd.def */
#define SIMD_ODD(name) x86_whole_fn x86_simd_##name;
#include "cpu/x86/simd_odd.def"
#define FPU_INSN(name) x86_whole_fn x86_##name;
#include "cpu/x86/x87_insn.def"

#endif
