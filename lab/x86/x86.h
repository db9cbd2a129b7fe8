/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAB_X86_X86_H
#define LAB_X86_X86_H

#include "base/compiler.h"
#include "cpu/x86/regs.h"
#include "cpu/x86/seg.h"
#include "lab/case.h"

/*
 * The machine that x86 cases find.  Everything is below 256 KiB, and linear addresses are physical
 * ones.  Code, stacks and data are flat; all handlers halt; the general registers hold 01010101,
 * 02020202 and so on, twice in 64-bit modes, but for RSP, which is at the top of a page.
 */
enum {
	X86_LAB_GDT = 0x1000,
	X86_LAB_IDT = 0x2000,
	X86_LAB_TSS = 0x3000,
	X86_LAB_TSS2 = 0x3800, /* of another task */
	X86_LAB_LDT = 0x4000,
	X86_LAB_CODE = 0x7000,     /* two pages */
	X86_LAB_HANDLERS = 0x9000, /* 16 bytes each */
	X86_LAB_DATA = 0xa000,     /* three pages */
	X86_LAB_STACK = 0xf000,    /* tops; a page each */
	X86_LAB_STACK0 = 0x11000,
	X86_LAB_IST1 = 0x12000,
	X86_LAB_PML5 = 0x1f000,
	X86_LAB_PML4 = 0x20000,
	X86_LAB_PDPT = 0x21000,
	X86_LAB_PD = 0x22000,
	X86_LAB_PT = 0x23000, /* of 4 KiB pages for the first 2 MiB */
	X86_LAB_PD32 = 0x24000,
	X86_LAB_PT32 = 0x25000
};

/* Of the GDT, in the orders that SYSENTER, SYSEXIT, SYSCALL and SYSRET want. */
enum {
	X86_LAB_CODE32 = 0x08,
	X86_LAB_DATA32 = 0x10,
	X86_LAB_USER_CODE32 = 0x1b,
	X86_LAB_USER_DATA = 0x23,
	X86_LAB_USER_CODE64 = 0x2b,
	X86_LAB_USER_DATA64 = 0x33,
	X86_LAB_CODE64 = 0x38,
	X86_LAB_DATA64 = 0x40,
	X86_LAB_TR = 0x48, /* 16 bytes, as the next ones are */
	X86_LAB_LDTR = 0x58,
	X86_LAB_CODE16 = 0x68,
	X86_LAB_DATA16 = 0x70,
	X86_LAB_TR2 = 0x78,
	X86_LAB_FREE = 0x88 /* from here on: cases' own */
};

/* Modes, a bit each. */
enum {
	IN_REAL = 1,
	IN_VM86 = 2,
	IN_PROT16 = 4,
	IN_PROT32 = 8, /* without paging; and with CPL 3 */
	IN_USER32 = 0x10,
	IN_PAGE32 = 0x20, /* with tables of two levels */
	IN_PAGE_USER32 = 0x40,
	IN_PAE32 = 0x80,
	IN_PAE_USER32 = 0x100,
	IN_COMPAT = 0x200,
	IN_COMPAT_USER = 0x400,
	IN_LONG = 0x800,
	IN_USER64 = 0x1000,

	IN_32 = IN_PROT32 | IN_USER32,
	IN_64 = IN_LONG | IN_USER64,
	IN_32_64 = IN_32 | IN_64, /* what is encoded the same way in both */
	IN_KERNEL = IN_PROT32 | IN_LONG,
	IN_USERS = IN_USER32 | IN_USER64,
	IN_PAGED = IN_PAGE32 | IN_PAE32 | IN_LONG,
	IN_PAGED_USERS = IN_PAGE_USER32 | IN_PAE_USER32 | IN_USER64,
	IN_ALL = 0x1fff,
	IN_PROTECTED = IN_ALL & ~IN_REAL,
};

/* All of a table. */
#define LAB_CASES(list) lab_cases(l, list, ARRAY_LEN(list))

#endif
