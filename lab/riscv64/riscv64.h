/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAB_RISCV64_RISCV64_H
#define LAB_RISCV64_RISCV64_H

#include "base/compiler.h"
#include "cpu/riscv64/regs.h"
#include "lab/case.h"

/*
 * The machine that riscv64 cases find.  Everything is below 256 KiB, and virtual addresses are
 * physical ones.  Register n holds n times 0101010101010101H, but for x2, which is at the top of a
 * page.  All traps of M mode come to one handler, those of S mode, if any are delegated, to
 * another; both switch interrupts off (mie, sie) and wait for ever.  PMP allows everything.  With
 * tables code ends in WFI, which U mode does not have: there the trap is the end.
 */
enum {
	RV_LAB_CODE = 0x7000,    /* two pages */
	RV_LAB_HANDLER = 0x9000, /* of M mode */
	RV_LAB_SHANDLER = 0x9400,
	RV_LAB_DATA = 0xa000,  /* three pages */
	RV_LAB_STACK = 0xf000, /* its top */
	RV_LAB_ROOT = 0x20000, /* of Sv39 */
	RV_LAB_L1 = 0x21000,
	RV_LAB_PT = 0x22000, /* of 4 KiB pages, for the first 2 MiB */
	RV_LAB_ROOT48 = 0x23000
};

/* Modes, a bit each. */
enum {
	IN_M = 1,
	IN_S = 2,
	IN_U = 4,
	IN_S39 = 8,
	IN_U39 = 0x10,
	IN_S48 = 0x20,
	IN_U48 = 0x40,

	IN_BARE = IN_M | IN_S | IN_U,
	IN_ANY = 0x7f,
	IN_SUPER = IN_S39 | IN_S48,
	IN_USER = IN_U39 | IN_U48
};

/* All of a table. */
#define LAB_CASES(list) lab_cases(l, list, ARRAY_LEN(list))

#endif
