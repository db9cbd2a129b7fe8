/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All instruction bodies.  Whoever includes this has defined RV_BODIES as what declares a body and
 * included the words: cpu/riscv64/direct.h to execute, cpu/riscv64/lift.h to build IR.
 */

/* The address of a memory operand with an offset. */
static inline val address(struct ctx *c, const struct rv_args *a)
{
	return add(c, get(c, a->rs1), imm(c, a->imm));
}

#include "cpu/riscv64/sem_bit.h"
#include "cpu/riscv64/sem_call.h"
#include "cpu/riscv64/sem_fp.h"
#include "cpu/riscv64/sem_int.h"
#include "cpu/riscv64/sem_mem.h"
#include "cpu/riscv64/sem_sys.h"
