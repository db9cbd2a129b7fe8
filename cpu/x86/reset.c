/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers after power-on, INIT and a startup message.  Manual: SDM volume 3, table 9-1 and 8.4;
 * AMD's CPUs differ in nothing that is kept here.
 */
#include <string.h>

#include "cpu/x86/system.h"

#define PAT_RESET 0x0007040600070406ull

enum { RFLAGS = 2, FCW = 0x40, FTW = 0xff, MXCSR = 0x1f80 };
enum { TYPE_DATA = 3, TYPE_CODE = 0xb, TYPE_LDT = 2, TYPE_TSS = 0xb };
enum { DR6 = (int)0xffff0ff0, DR7 = 0x400 };
enum { MISC_ENABLE = 0x1801 }; /* fast strings; no branch traces, no precise events */

static void reset_segments(struct x86_regs *r)
{
	unsigned i;

	for (i = 0; i < X86_NSEGS; i++)
		r->seg[i] =
		    (struct x86_seg){ .limit = 0xffff, .attr = X86_SEG_P | X86_SEG_S | TYPE_DATA };
	r->seg[X86_CS] = (struct x86_seg){ .base = 0xffff0000,
		.limit = 0xffff,
		.attr = X86_SEG_P | X86_SEG_S | TYPE_CODE,
		.selector = 0xf000 };
	r->ldtr = (struct x86_seg){ .limit = 0xffff, .attr = X86_SEG_P | TYPE_LDT };
	r->tr = (struct x86_seg){ .limit = 0xffff, .attr = X86_SEG_P | TYPE_TSS };
	r->gdt = r->idt = (struct x86_table){ .limit = 0xffff };
}

void x86_regs_init(struct x86_regs *r, uint32_t signature)
{
	memset(r->r, 0, sizeof r->r);
	r->r[X86_RDX] = signature;
	r->rip = 0xfff0;
	r->rflags = RFLAGS;
	reset_segments(r);
	r->cr0 = (r->cr0 & (CR0_NW | CR0_CD)) | CR0_ET;
	r->cr2 = r->cr3 = r->cr4 = r->efer = 0;
	memset(r->dr, 0, sizeof r->dr);
	r->dr[6] = (uint32_t)DR6;
	r->dr[7] = DR7;
	r->halted = r->nmi_masked = r->shadow = r->exception = 0;
}

void x86_regs_reset(struct x86_regs *r, uint32_t signature, bool first)
{
	memset(r, 0, sizeof *r);
	r->cr0 = CR0_NW | CR0_CD;
	x86_regs_init(r, signature);
	r->xcr0 = XCR0_X87;
	r->pat = PAT_RESET;
	r->misc_enable = MISC_ENABLE;
	r->fcw = FCW;
	r->ftw = FTW;
	r->mxcsr = MXCSR;
	r->wait_sipi = !first;
}

void x86_regs_startup(struct x86_regs *r, uint8_t vector)
{
	r->seg[X86_CS].selector = (uint16_t)(vector << 8);
	r->seg[X86_CS].base = (uint64_t)vector << 12;
	r->rip = 0;
	r->wait_sipi = 0;
}
