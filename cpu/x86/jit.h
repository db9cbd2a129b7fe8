/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_JIT_H
#define CPU_X86_JIT_H

#include "cpu/jit.h"
#include "cpu/x86/state.h"

/*
 * Compiled code of x86, by cpu/jit.h: s->jit, NULL where nothing is compiled.  64-bit code is, and
 * 32-bit code with flat segments; what is rare is interpreted: 16-bit code, single steps, data
 * breakpoints, alignment checks.
 *
 * Self-modifying code is exact: a store that would hit compiled code gives up compiled execution at
 * its instruction, which the interpreter does then.
 */
extern const struct cpu_jit_class x86_jit_class;

/* CPU 0 makes it, the others share it; nothing where there is no generator or env->jit is false. */
int x86_jit_new(struct x86 *, struct err *);
void x86_jit_free(struct x86 *);
/* As cpu_jit_run. */
bool x86_jit_run(struct x86 *, const void *host);
/* After a change of mode or data context. */
void x86_jit_mode_changed(struct x86 *);
/* Any thread: [host, host + len) of one page was written, or is no longer watched. */
void x86_jit_written(struct x86 *, const uint8_t *host, uint64_t len);
/* Before a store to a page with code: does not come back where compiled code is about to hit some,
 * or to have stores there not watched any more. */
void x86_jit_before_store(struct x86 *, uint64_t pa, const uint8_t *host, uint64_t len);

#endif
