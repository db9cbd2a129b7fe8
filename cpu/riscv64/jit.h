/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_JIT_H
#define CPU_RISCV64_JIT_H

#include "cpu/jit.h"
#include "cpu/riscv64/state.h"

/* Compiled code of RISC-V, by cpu/jit.h: s->jit, NULL where nothing is compiled. */
extern const struct cpu_jit_class rv_jit_class;

/* Hart 0 makes it, the others share it; nothing where there is no generator or env->jit is false.
 */
int rv_jit_new(struct rv *, struct err *);
void rv_jit_free(struct rv *);
/* As cpu_jit_run. */
bool rv_jit_run(struct rv *, const void *host);
/* What that has done to FS where it says false. */
void rv_jit_slow(struct rv *);
/* With the lock of vm.h held.  As cpu_jit_written and cpu_jit_has_page; also without s->jit. */
bool rv_jit_written(struct rv *, uint64_t pa, uint64_t len);
bool rv_jit_has_page(const struct rv *, uint64_t pa);
/* Translations of these modes (1 << RV_U, ...) have changed: the hart forgets where virtual
 * addresses are. */
void rv_jit_unlink_modes(struct rv *, unsigned modes);
/* After a change of mode or data context. */
void rv_jit_context_changed(struct rv *);

#endif
