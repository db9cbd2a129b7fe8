/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_JIT_H
#define CPU_RISCV64_JIT_H

#include "cpu/riscv64/state.h"

/*
 * Compiled code of RISC-V: what the harts of a VM share.  Code that was interpreted often enough is
 * lifted (lift.h), compiled (jit/jit.h) and kept (jit/cache.h) by its physical address and what it
 * takes for granted: the mode and the context of data accesses.
 *
 * The rule that makes stores to code safe: a page with compiled code carries MEM_CODE, so no hart
 * has a store TLB entry for it.
 */

/* Hart 0 makes it, the others share it; nothing where there is no generator or env->jit is false.
 */
int rv_jit_new(struct rv *, struct err *);
void rv_jit_free(struct rv *);

/* How the compiled code at pc starts; NULL: it is to be interpreted (yet). */
const void *rv_jit_find(struct rv *);
/* Runs from there until it is not known where to go on; false: the interpreter has to.  pc and left
 * are right then. */
bool rv_jit_run(struct rv *, const void *host);

/* Between two instructions, when compiled code has used up its instructions at pc often: s->hot.
 * Compiles the path from there, or orders it (env->background).  Raises as the interpreter does. */
void rv_jit_follow(struct rv *);
/* Between two instructions: takes over a path that was ordered, if there is one. */
void rv_jit_fetch(struct rv *);
/* For tests: waits for one; false: none is ordered.  How many were taken over. */
bool rv_jit_wait(struct rv *);
unsigned rv_jit_fetched(const struct rv *);

/* With the lock of vm.h held.  [pa, pa + len) of one page was written, or is no longer watched;
 * true if there was code: then other harts that run may remember it until they unlink. */
bool rv_jit_written(struct rv *, uint64_t pa, uint64_t len);
bool rv_jit_has_page(const struct rv *, uint64_t pa);
/* Once, before the hart runs. */
void rv_jit_init_jumps(struct rv *);
/* Translations have changed: the hart forgets where virtual addresses are. */
void rv_jit_unlink(struct rv *);
void rv_jit_unlink_modes(struct rv *, unsigned modes); /* 1 << RV_U, ...: code of these */
void rv_jit_unlink_page(struct rv *, uint64_t va);
/* Code was killed: it forgets where that is, too. */
void rv_jit_forget(struct rv *);
/* After a change of mode or data context. */
void rv_jit_context_changed(struct rv *);

#endif
