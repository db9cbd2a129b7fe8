/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_LOCKSTEP_H
#define CPU_RISCV64_LOCKSTEP_H

#include "base/err.h"
#include "cpu/riscv64/state.h"

/*
 * The interpreter beside compiled code (env->lockstep): a short run of compiled code, a slice, is
 * undone and interpreted, and registers, CSRs, memory and counts have to be the same afterwards.
 * Both run on the same hart with the same TLBs, so this is about instructions and not about what
 * translations a hart may remember.
 *
 * What cannot be undone is the first instruction of its slice: accesses of devices, which are done
 * once and answered from memory when they are interpreted; page walks and what forgets their
 * results, so that translations are the same for both all through a slice.  For VMs whose CPUs take
 * turns on one thread.
 */
enum { RV_LOCKSTEP_SLICE = 256 };

struct rv_lockstep;

/* Does nothing without env->lockstep; refuses where nothing is compiled. */
int rv_lockstep_new(struct rv *, struct err *);
void rv_lockstep_free(struct rv *);

/* Runs a slice of at most `left` instructions, or interprets one that is not compiled; false when
 * the two differ: that has been reported to env->log.  Raises as the interpreter does. */
bool rv_lockstep_run(struct rv *);

/* The slice ends here unless the current instruction is its first.  pc and left must be right. */
void rv_lockstep_alone(struct rv *);
/* The hart is about to write these bytes of RAM. */
void rv_lockstep_write(struct rv *, void *host, unsigned len);
/* In place of bus_read and bus_write. */
bool rv_lockstep_bus_read(struct rv *, uint64_t pa, uint64_t *val, unsigned size);
bool rv_lockstep_bus_write(struct rv *, uint64_t pa, uint64_t val, unsigned size);

#endif
