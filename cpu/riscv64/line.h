/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_LINE_H
#define CPU_RISCV64_LINE_H

#include "cpu/gate.h"
#include "cpu/riscv64/state.h"

/* Reservations are of 64 bytes; several lines may share one of these. */
enum { RV_LINES = 512, RV_LINE_BITS = 6 };

struct rv_line {
	_Alignas(64) _Atomic uint32_t version; /* odd while somebody writes */
};

/* What the harts of a VM share: vm.h. */
struct rv_vm {
	struct gate gate;    /* its lock is rv_vm_lock's; changed: harts' running and fences, too */
	struct seats *seats; /* cpu/seat.h; NULL: there is one for each */
	struct rv_line line[RV_LINES];
};

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
