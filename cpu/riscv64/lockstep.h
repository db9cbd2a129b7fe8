/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_LOCKSTEP_H
#define CPU_RISCV64_LOCKSTEP_H

#include "cpu/lockstep.h"
#include "cpu/riscv64/state.h"

/* What cpu/lockstep.h has to know about RISC-V: s->lockstep, NULL without env->lockstep. */
int rv_lockstep_new(struct rv *, struct err *);

/* In place of bus_read and bus_write. */
bool rv_lockstep_bus_read(struct rv *, uint64_t pa, uint64_t *val, unsigned size);
bool rv_lockstep_bus_write(struct rv *, uint64_t pa, uint64_t val, unsigned size);

#endif
