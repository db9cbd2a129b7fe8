/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VM_H
#define CPU_RISCV64_VM_H

#include "cpu/riscv64/state.h"

/*
 * How the harts of a VM keep out of each other's way when each has a thread of its own
 * (env->parallel); doc/design.md tells the rules.  Everything here does nothing otherwise.
 *
 * What harts share (decoded and compiled code) is read and extended with the lock held.  What
 * another hart may be in the middle of (pages of cells, host code, its TLBs) is taken away by a
 * hart that is alone: no other one is inside, which is between rv_vm_enter and rv_vm_leave, but
 * between two instructions or waiting to be alone itself.
 */

/* Hart 0 makes it, the others share it. */
int rv_vm_new(struct rv *, struct err *);
void rv_vm_free(struct rv *);

/* Around all running of guest code.  idle: it will not run again soon. */
void rv_vm_enter(struct rv *);
void rv_vm_leave(struct rv *, bool idle);
/* Between two instructions, for RV_ATT_STOP: lets another hart be alone. */
void rv_vm_pause(struct rv *);
/* The same, for RV_ATT_SEAT: another hart may run instead, if the guest has no lock here that it
 * would wait for. */
void rv_vm_offer(struct rv *);

/* The guest says that it waits for another hart, which may be one that the host has no CPU for now.
 */
void rv_vm_spin(struct rv *);

/* Nothing that may raise between these. */
void rv_vm_lock(struct rv *);
void rv_vm_unlock(struct rv *);
/* The same, but no other hart is inside.  What others share may have changed meanwhile. */
void rv_vm_alone(struct rv *);
void rv_vm_together(struct rv *);

/* Any thread.  The hart does this before its next instruction: see rv_vm_do_fences. */
void rv_vm_fence(struct rv *, bool instructions);
void rv_vm_fenced(struct rv *); /* any thread that runs no hart: waits for that */
/* Between two instructions, for RV_ATT_FENCE. */
void rv_vm_do_fences(struct rv *);

#endif
