/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_REGS_H
#define CPU_X86_REGS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An x86 CPU's state as engines exchange it and as machines and debuggers see it.  Input lines are
 * those of core/intc.h.
 */
enum { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI };
enum { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_NSEGS };

/* attr: type and S in bits 0 to 4, DPL 5 and 6, P 7, AVL 12, L 13, D/B 14, G 15 (SDM volume 3,
 * 25.4.1), and 16: unusable, as after loading a null selector.  limit: in bytes. */
struct x86_seg {
	uint64_t base;
	uint32_t limit, attr;
	uint16_t selector;
};

#define X86_SEG_TYPE     0xfu
#define X86_SEG_S        (1u << 4)
#define X86_SEG_DPL      (3u << 5)
#define X86_SEG_P        (1u << 7)
#define X86_SEG_L        (1u << 13)
#define X86_SEG_DB       (1u << 14)
#define X86_SEG_G        (1u << 15)
#define X86_SEG_UNUSABLE (1u << 16)

struct x86_table {
	uint64_t base;
	uint16_t limit;
};

/* Groups for get and set. */
enum {
	X86_REGS_INT = 1,
	X86_REGS_SEG = 2, /* segments, tables, control registers, EFER */
	X86_REGS_DEBUG = 4,
	X86_REGS_MSR = 8,
	X86_REGS_FP = 16,
	X86_REGS_STATE = 32, /* what it waits for */
	X86_REGS_ALL = 63
};

enum { X86_MTRR_FIXED = 11, X86_MTRR_PAIRS = 8 };

struct x86_regs {
	/* X86_REGS_INT */
	uint64_t r[16], rip, rflags;
	/* X86_REGS_SEG */
	struct x86_seg seg[X86_NSEGS], ldtr, tr;
	struct x86_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer, xcr0;
	uint64_t pdpte[4]; /* of PAE paging: what was at CR3 when that was loaded */
	/* X86_REGS_DEBUG: 4 and 5 are not used */
	uint64_t dr[8];
	/* X86_REGS_MSR */
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip,
	    pat, tsc, tsc_adjust, tsc_aux, misc_enable, spec_ctrl, apic_base, mtrr_def,
	    mtrr_fixed[X86_MTRR_FIXED], mtrr_var[2 * X86_MTRR_PAIRS];
	/* X86_REGS_FP: as FXSAVE64 has them; st: 80 bits each, st[0] is ST(0); v: YMM */
	uint16_t fcw, fsw, fop, fcs, fds;
	uint8_t ftw; /* a bit a physical register: 1 = not empty */
	uint64_t fip, fdp;
	uint64_t st[8][2];
	uint32_t mxcsr;
	uint64_t v[16][4];
	/* X86_REGS_STATE */
	uint8_t halted;
	uint8_t wait_sipi;
	uint8_t shadow;     /* no interrupt is taken after this instruction: X86_SHADOW_x; from
			       X86_SHADOW_TRAPS on, the breakpoints (DR6.B0 to B3) that MOV SS
			       has met, whose #DB waits for the next instruction */
	uint8_t nmi_masked; /* until IRET */
	uint8_t nmi_pending, init_pending;
	uint16_t sipi; /* a startup message waits: its vector + 1; 0: none */
	/* This interrupt, which was acknowledged, is entered before the next instruction: + 1 */
	uint16_t interrupt;
	/* This exception + 1 is delivered before the next instruction; 0: none */
	uint8_t exception, exception_has_error;
	uint32_t exception_error;
};

enum { X86_SHADOW_STI = 1, X86_SHADOW_SS = 2, X86_SHADOW_TRAPS = 4 /* a bit number */ };

/* What power-on, INIT, and a startup message after that make of them (reset.c).  signature: EAX of
 * CPUID 1; first: CPU 0, which does not wait for such a message.  apic_base is not touched, or 0.
 */
void x86_regs_reset(struct x86_regs *, uint32_t signature, bool first);
void x86_regs_init(struct x86_regs *, uint32_t signature);
void x86_regs_startup(struct x86_regs *, uint8_t vector);

#endif
