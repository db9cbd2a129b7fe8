/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_CODE_H
#define CPU_X86_CODE_H

#include "cpu/x86/insn.h"
#include "cpu/x86/vm.h"

/*
 * Decoded instructions of one CPU, found by where their first byte is in the host's memory and the
 * mode in which they were decoded.  Each is checked before it is executed (vm.h), so code that the
 * instruction before has changed is seen, as the manual wants it (SDM volume 3, 8.1.3).
 */
enum { X86_SLOT_BITS = 15, X86_SLOTS = 1 << X86_SLOT_BITS };
#define X86_NO_PAGE UINT64_MAX
#define X86_NO_MODE UINT32_MAX

/* What each execution looks at comes first, in a cache line of its own with the instruction's body.
 */
struct x86_slot {
	_Alignas(64) const uint8_t *host; /* NULL: none */
	uint32_t mode;                    /* X86_NO_MODE: none */
	uint32_t epoch; /* the VM's when it was last sure that this holds; odd: look each time */
	struct x86_insn insn;
	const uint8_t *host2; /* of the first byte in a second page; NULL: all is in one */
	const uint8_t *last;  /* the last byte that decoding looked at */
	uint32_t version;     /* the sum of the numbers of the pieces that these are in */
};

struct x86_code {
	struct tlb fetch[2]; /* of supervisor and user code: loads alone */
	/* The page that code was last in: its linear address | 1 for user code. */
	uint64_t page;
	uintptr_t addend;
	struct x86_slot slot[X86_SLOTS];
};

int x86_code_new(struct x86 *, struct err *);
void x86_code_free(struct x86 *);
/* The instruction at rip; raises fetch exceptions. */
const struct x86_insn *x86_code_at(struct x86 *);

#endif
