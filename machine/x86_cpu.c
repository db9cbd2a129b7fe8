/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPU 0 as kernels want to find it.  Sources: machine/x86_boot.h, and for the values of registers
 * Intel SDM volume 3: 2.5 (CR0, CR4), 2.2.1 (EFER), 3.4.5 (segments), 12.11.2.1 (MTRRs).
 */
#include "cpu/x86/model.h"
#include "cpu/x86/regs.h"
#include "machine/build.h"
#include "machine/x86_board.h"

enum { CR0_PE = 1, CR0_ET = 0x10, CR4_PAE = 0x20, EFER_LME = 0x100, EFER_LMA = 0x400 };
#define CR0_PG 0x80000000u
enum { TYPE_CODE = 0xb, TYPE_DATA = 3, TYPE_TSS = 0xb, TYPE_LDT = 2 }; /* accessed, busy */
enum { TSS_LIMIT = 0x67, REAL_LIMIT = 0xffff, RFLAGS = 2 };
enum { MTRR_ENABLE = 0x800, MTRR_WRITE_BACK = 6 };

bool x86_has_64(const struct machine *m)
{
	struct x86_model model;

	/* The CPUs were made, so it is one that there is. */
	return x86_model_parse(&model, m->config.cpu_model, NULL) == 0 &&
	       x86_model_has(&model, X86_FEAT_LM);
}

static struct x86_seg segment(enum x86_mode mode, uint16_t selector, bool code)
{
	const uint32_t attr = (code ? TYPE_CODE : TYPE_DATA) | X86_SEG_S | X86_SEG_P;

	if (mode == X86_START_REAL)
		return (struct x86_seg){ (uint64_t)selector << 4, REAL_LIMIT, attr, selector };
	return (struct x86_seg){
		.limit = UINT32_MAX,
		.attr =
		    attr | X86_SEG_G | (code && mode == X86_START_LONG ? X86_SEG_L : X86_SEG_DB),
		.selector = selector,
	};
}

static void set_mode(struct x86_regs *r, const struct x86_start *s)
{
	for (unsigned i = 0; i < X86_NSEGS; i++)
		r->seg[i] = segment(s->mode, i == X86_CS ? s->cs : s->ds, i == X86_CS);
	if (s->mode == X86_START_REAL)
		return; /* the rest is as after reset */
	r->gdt = (struct x86_table){ s->gdt, s->gdt_limit };
	r->idt = (struct x86_table){ 0 };
	r->ldtr = (struct x86_seg){ .attr = TYPE_LDT | X86_SEG_P | X86_SEG_UNUSABLE };
	r->tr = (struct x86_seg){ .limit = TSS_LIMIT, .attr = TYPE_TSS | X86_SEG_P };
	r->cr0 = CR0_PE | CR0_ET;
	r->cr4 = 0;
	if (s->mode != X86_START_LONG)
		return;
	r->cr0 |= CR0_PG;
	r->cr3 = s->cr3;
	r->cr4 = CR4_PAE;
	r->efer = EFER_LME | EFER_LMA;
}

/* As firmware leaves it: all memory is write-back. */
static void set_mtrrs(struct machine *m)
{
	const struct engine_class *c = m->engine_class;
	struct x86_regs r;

	for (unsigned i = 0; i < m->ncpus; i++) {
		c->vcpu_get(m->cpu[i].vcpu, X86_REGS_MSR, &r);
		r.mtrr_def = MTRR_ENABLE | MTRR_WRITE_BACK;
		c->vcpu_set(m->cpu[i].vcpu, X86_REGS_MSR, &r);
	}
}

void x86_set_start(struct machine *m, const struct x86_start *s)
{
	const struct engine_class *c = m->engine_class;
	const unsigned groups = X86_REGS_INT | X86_REGS_SEG;
	struct x86_regs r;

	set_mtrrs(m);
	c->vcpu_get(m->cpu[0].vcpu, groups, &r);
	for (unsigned i = 0; i < 16; i++)
		r.r[i] = 0;
	r.r[X86_RAX] = s->rax;
	r.r[X86_RBX] = s->rbx;
	r.r[X86_RSI] = s->rsi;
	r.r[X86_RSP] = s->rsp;
	r.rip = s->rip;
	r.rflags = RFLAGS;
	set_mode(&r, s);
	c->vcpu_set(m->cpu[0].vcpu, groups, &r);
}
