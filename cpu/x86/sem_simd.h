/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: MMX, SSE, AVX, x87.  Included after the words of either form; see ir/ops_direct.h.
 */

#include "cpu/x86/whole.h"

/* Instructions that a C function executes as a whole, but for the address of its operand. */
static inline void whole_operand(struct ctx *c, const struct x86_insn *a, x86_whole_fn *fn)
{
	if (vector(c, a, fn))
		return;
	for (unsigned i = 0; i < a->noperands; i++) {
		if (a->o[i].kind == X86_O_MEM) {
			whole(c, a, fn, address(c, a));
			return;
		}
	}
	whole(c, a, fn, imm(c, 0));
}

static void sem_simd(struct ctx *c, const struct x86_insn *a)
{
	whole_operand(c, a, x86_simd);
}

#define SIMD_ODD(name)                                                                             \
	static void sem_simd_##name(struct ctx *c, const struct x86_insn *a)                       \
	{                                                                                          \
		whole_operand(c, a, x86_simd_##name);                                              \
	}
#include "cpu/x86/simd_odd.def"

#define FPU_INSN(name)                                                                             \
	static void sem_##name(struct ctx *c, const struct x86_insn *a)                            \
	{                                                                                          \
		whole_operand(c, a, x86_##name);                                                   \
	}
#include "cpu/x86/x87_insn.def"
