/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bodies in sem_*.h, compiled to execute at once: what x86_insn.body points to.  A body leaves
 * rip at the next instruction.
 */
#define X86_BODIES static ALWAYS_INLINE
#define X86_WORDS  static ALWAYS_INLINE
#include "cpu/x86/direct.h"
#include "cpu/x86/sem.h"

#define X(body)                                                                                    \
	static void do_##body(struct x86 *s, const struct x86_insn *a)                             \
	{                                                                                          \
		struct ctx c = { .s = s };                                                         \
		c.to = next_ip(&c, a);                                                             \
		sem_##body(&c, a);                                                                 \
		s->rip = c.to;                                                                     \
	}
X86_SEMS(X)
#undef X

x86_body *const x86_bodies[X86_NOPS] = {
#define X(op, body) [X86_OP_##op] = do_##body,
	X86_OPS(X)
#undef X
};
