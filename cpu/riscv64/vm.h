/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VM_H
#define CPU_RISCV64_VM_H

#include "base/thread.h"
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

/* Reservations are of 64 bytes; several lines may share one of these. */
enum { RV_LINES = 512, RV_LINE_BITS = 6 };

struct rv_line {
	_Alignas(64) _Atomic uint32_t version; /* odd while somebody writes */
};

struct rv_vm {
	struct mutex lock;
	struct cond changed; /* of what follows */
	unsigned inside;
	bool closed;         /* a hart is alone, or about to be */
	struct seats *seats; /* cpu/seat.h; NULL: there is one for each */
	struct rv_line line[RV_LINES];
};

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

/*
 * LR and SC.  Every atomic write of RAM bumps the version of its line, with the line locked; SC
 * succeeds when the version is still LR's and the value, too.  So no atomic write in between stays
 * unseen, whatever it wrote.  Plain stores, which know nothing of versions, are seen by the value.
 */
static inline _Atomic uint32_t *rv_line_of(const struct rv *s, uint64_t place)
{
	return &s->vm->line[place >> RV_LINE_BITS & (RV_LINES - 1)].version;
}

uint32_t rv_line_read(_Atomic uint32_t *); /* the version, when nobody writes */
/* Locks the line; false: its version is not this one. */
bool rv_line_lock_if(_Atomic uint32_t *, uint32_t version);
void rv_line_lock(_Atomic uint32_t *);
void rv_line_unlock(_Atomic uint32_t *);

/* Around an atomic write. */
static inline void rv_line_begin(const struct rv *s, uint64_t place)
{
	if (s->env->parallel)
		rv_line_lock(rv_line_of(s, place));
}

static inline void rv_line_end(const struct rv *s, uint64_t place)
{
	if (s->env->parallel)
		rv_line_unlock(rv_line_of(s, place));
}

#endif
