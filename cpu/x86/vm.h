/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_VM_H
#define CPU_X86_VM_H

#include "core/mem.h"
#include "cpu/gate.h"
#include "cpu/x86/state.h"

/*
 * What the CPUs of a VM share.  Decoded instructions are each CPU's own; what is shared says
 * whether they still hold: each piece of 128 bytes of RAM has a number (pieces share numbers) that
 * grows when code in it may have been written.  A page of which something was decoded carries
 * MEM_CODE: then no CPU has a store TLB entry for it, and all stores to it come to mem_written.
 */
enum { X86_PIECE_BITS = 7, X86_PIECES = 1 << 15, X86_COUNTERS = 1 << 12, X86_SUMS = 1 << 12 };

/* A page with code, and a checksum of it as long as all that was made of it is of these bytes; 0:
 * that is not known. */
struct x86_sum {
	_Atomic uintptr_t page;
	_Atomic uint64_t sum;
};

struct x86_vm {
	struct gate gate;
	struct mutex bus; /* x86_bus_lock: recursive for nobody */
	_Atomic uint32_t piece[X86_PIECES];
	_Atomic uint32_t epoch; /* even; grows when any number does */
	/* Stores to pages with MEM_CODE since something was decoded there; pages share them. */
	_Atomic uint8_t writes[X86_COUNTERS];
	struct x86_sum
	    *sums; /* X86_SUMS of them by host page, for memory that is unwatched; or NULL */
};

static inline _Atomic uint32_t *x86_piece(struct x86_vm *vm, const uint8_t *host)
{
	return &vm->piece[(uintptr_t)host >> X86_PIECE_BITS & (X86_PIECES - 1)];
}

/* CPU 0 makes it, the others share it. */
int x86_vm_new(struct x86 *, struct err *);
void x86_vm_free(struct x86 *);
/* Around all running of guest code; nothing when only one thread runs CPUs. */
void x86_vm_enter(struct x86 *);
void x86_vm_leave(struct x86 *);
void x86_vm_pause(struct x86 *); /* between two instructions, for X86_ATT_STOP */
/* Nothing that may raise between these; nothing when only one thread runs CPUs. */
void x86_vm_lock(struct x86 *);
void x86_vm_unlock(struct x86 *);
/* The same, but no other CPU is inside.  What others share may have changed meanwhile. */
void x86_vm_alone(struct x86 *);
void x86_vm_together(struct x86 *);
/* Any thread: these bytes of a page are other ones now, so code that was made of them is stale. */
void x86_vm_changed(struct x86 *, const uint8_t *host, uint64_t len);
/* From now on stores to the page of RAM at pa are seen. */
void x86_vm_watch(struct x86 *, uint64_t pa, const uint8_t *page);
/* Before something of a page with code is executed the first time in a run: whether it was changed
 * by somebody who did not say so.  For x86_vm_changed. */
bool x86_vm_was_changed(struct x86 *, const uint8_t *page);
/* Whether the next store to code there is the last that is. */
bool x86_vm_gives_up(struct x86 *, uint64_t pa);

#endif
