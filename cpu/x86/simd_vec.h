/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_SIMD_VEC_H
#define CPU_X86_SIMD_VEC_H

#include "cpu/x86/whole.h"
#include "ir/vec.h"

/*
 * Vector instructions as vector operations of IR, which hosts with the same instructions execute as
 * they are.  Any thread may look at instructions; what takes a CPU is for the thread that runs it.
 */

/* The operation for an instruction whose body calls fn; false: there is none. */
bool x86_vec_of(const struct x86_insn *, x86_whole_fn *fn, enum ir_opcode *, struct ir_vec *);
/* What compiled code may do: 0: nothing, 1: what has no VEX prefix, 2: all.  Where an exception is
 * not masked it is nothing, since the host would have it, too. */
unsigned x86_vec_level(const struct x86 *);

#endif
