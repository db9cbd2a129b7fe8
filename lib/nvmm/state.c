/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A processor's state, as NVMM has it and as engines have it.  A program sets parts one by one, so
 * whether they fit together is looked at when the processor is to run: APM volume 2, 15.5.1
 * ("canonicalization and consistency checks"), SDM volume 3, 27.3.1.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/x86/fxsave.h"
#include "lib/nvmm/vmm.h"

#define CR0_PE     (1ull << 0)
#define CR0_ET     (1ull << 4)
#define CR0_NW     (1ull << 29)
#define CR0_CD     (1ull << 30)
#define CR0_PG     (1ull << 31)
#define CR4_PAE    (1ull << 5)
#define CR4_PCIDE  (1ull << 17)
#define CR4_VALID  0x371fffull /* all that our processors have */
#define EFER_LME   (1ull << 8)
#define EFER_LMA   (1ull << 10)
#define EFER_VALID 0xd01ull
#define RFLAGS_VM  (1ull << 17)
#define DR6_ONES   0xffff0ff0ull
#define DR7_ONES   0x400ull
#define PHYS_BITS  40

enum { PDPTE_P = 1 };

int vmm_fetch(struct nvmm_comm_page *p, unsigned groups)
{
	const unsigned need = groups & ~p->have;
	int rc;

	if (!need)
		return 0;
	rc = p->vmm->class->vcpu_get(p->vcpu, need, &p->regs);
	if (!rc)
		p->have |= need;
	return rc;
}

/* Out ------------------------------------------------------------------------------------------ */

static struct nvmm_x64_state_seg seg_out(const struct x86_seg *s)
{
	return (struct nvmm_x64_state_seg){
		.selector = s->selector,
		.attrib = { .type = s->attr & 15,
		    .s = s->attr >> 4 & 1,
		    .dpl = s->attr >> 5 & 3,
		    .p = (s->attr & (X86_SEG_P | X86_SEG_UNUSABLE)) == X86_SEG_P,
		    .avl = s->attr >> 12 & 1,
		    .l = s->attr >> 13 & 1,
		    .def = s->attr >> 14 & 1,
		    .g = s->attr >> 15 & 1 },
		.limit = s->limit,
		.base = s->base,
	};
}

static struct nvmm_x64_state_seg table_out(const struct x86_table *t)
{
	return (struct nvmm_x64_state_seg){ .limit = t->limit, .base = t->base };
}

static void segs_out(const struct x86_regs *r, struct nvmm_vcpu_state *to)
{
	unsigned n;

	for (n = 0; n < X86_NSEGS; n++)
		to->segs[n] = seg_out(&r->seg[n]);
	to->segs[NVMM_X64_SEG_GDT] = table_out(&r->gdt);
	to->segs[NVMM_X64_SEG_IDT] = table_out(&r->idt);
	to->segs[NVMM_X64_SEG_LDT] = seg_out(&r->ldtr);
	to->segs[NVMM_X64_SEG_TR] = seg_out(&r->tr);
}

static void gprs_out(const struct x86_regs *r, struct nvmm_vcpu_state *to)
{
	memcpy(to->gprs, r->r, sizeof r->r);
	to->gprs[NVMM_X64_GPR_RIP] = r->rip;
	to->gprs[NVMM_X64_GPR_RFLAGS] = r->rflags;
}

static void crs_out(const struct x86_regs *r, struct nvmm_vcpu_state *to)
{
	to->crs[NVMM_X64_CR_CR0] = r->cr0;
	to->crs[NVMM_X64_CR_CR2] = r->cr2;
	to->crs[NVMM_X64_CR_CR3] = r->cr3;
	to->crs[NVMM_X64_CR_CR4] = r->cr4;
	to->crs[NVMM_X64_CR_CR8] = r->cr8;
	to->crs[NVMM_X64_CR_XCR0] = r->xcr0;
}

static void drs_out(const struct x86_regs *r, struct nvmm_vcpu_state *to)
{
	memcpy(to->drs, r->dr, 4 * sizeof *r->dr);
	to->drs[NVMM_X64_DR_DR6] = r->dr[6];
	to->drs[NVMM_X64_DR_DR7] = r->dr[7];
}

static void msrs_out(struct nvmm_comm_page *p)
{
	const struct x86_regs *r = &p->regs;
	uint64_t *to = p->state.msrs;

	to[NVMM_X64_MSR_EFER] = r->efer;
	to[NVMM_X64_MSR_STAR] = r->star;
	to[NVMM_X64_MSR_LSTAR] = r->lstar;
	to[NVMM_X64_MSR_CSTAR] = r->cstar;
	to[NVMM_X64_MSR_SFMASK] = r->fmask;
	to[NVMM_X64_MSR_KERNELGSBASE] = r->kernel_gs_base;
	to[NVMM_X64_MSR_SYSENTER_CS] = r->sysenter_cs;
	to[NVMM_X64_MSR_SYSENTER_ESP] = r->sysenter_esp;
	to[NVMM_X64_MSR_SYSENTER_EIP] = r->sysenter_eip;
	to[NVMM_X64_MSR_PAT] = r->pat;
	to[NVMM_X64_MSR_TSC] = p->tsc_shown = r->tsc;
}

static void fpu_out(const struct x86_regs *r, struct fxsave *to)
{
	memset(to, 0, sizeof *to);
	to->fx_mxcsr_mask = 0xffff;
	x86_fxsave_put(r, (uint8_t *)to);
}

static void intr_out(struct nvmm_comm_page *p)
{
	p->state.intr = (struct nvmm_x64_state_intr){ .int_shadow = p->regs.shadow != 0,
		.int_window_exiting = p->int_window,
		.nmi_window_exiting = p->nmi_window,
		.evt_pending = p->vector >= 0 || p->regs.exception };
}

static unsigned groups_of(uint64_t flags)
{
	return (flags & NVMM_X64_STATE_GPRS ? X86_REGS_INT : 0u) |
	       (flags & (NVMM_X64_STATE_SEGS | NVMM_X64_STATE_CRS | NVMM_X64_STATE_MSRS)
		       ? X86_REGS_SEG
		       : 0u) |
	       (flags & NVMM_X64_STATE_DRS ? X86_REGS_DEBUG : 0u) |
	       (flags & NVMM_X64_STATE_MSRS ? X86_REGS_MSR : 0u) |
	       (flags & NVMM_X64_STATE_INTR ? X86_REGS_STATE : 0u) |
	       (flags & NVMM_X64_STATE_FPU ? X86_REGS_FP : 0u);
}

int nvmm_vcpu_getstate(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, uint64_t flags)
{
	struct nvmm_comm_page *p = vmm_cpu(mach, vcpu);
	int rc;

	if (!p)
		return -1;
	rc = vmm_fetch(p, groups_of(flags));
	if (rc)
		return vmm_fail(-rc);
	if (flags & NVMM_X64_STATE_SEGS)
		segs_out(&p->regs, &p->state);
	if (flags & NVMM_X64_STATE_GPRS)
		gprs_out(&p->regs, &p->state);
	if (flags & NVMM_X64_STATE_CRS)
		crs_out(&p->regs, &p->state);
	if (flags & NVMM_X64_STATE_DRS)
		drs_out(&p->regs, &p->state);
	if (flags & NVMM_X64_STATE_MSRS)
		msrs_out(p);
	if (flags & NVMM_X64_STATE_INTR)
		intr_out(p);
	if (flags & NVMM_X64_STATE_FPU)
		fpu_out(&p->regs, &p->state.fpu);
	return 0;
}

/* In ------------------------------------------------------------------------------------------- */

static struct x86_seg seg_in(const struct nvmm_x64_state_seg *s)
{
	const uint32_t attr = s->attrib.type | (uint32_t)s->attrib.s << 4 |
			      (uint32_t)s->attrib.dpl << 5 | (uint32_t)s->attrib.p << 7 |
			      (uint32_t)s->attrib.avl << 12 | (uint32_t)s->attrib.l << 13 |
			      (uint32_t)s->attrib.def << 14 | (uint32_t)s->attrib.g << 15;

	return (struct x86_seg){ .base = s->base,
		.limit = s->limit,
		.attr = attr | (s->attrib.p ? 0 : X86_SEG_UNUSABLE),
		.selector = s->selector };
}

static struct x86_table table_in(const struct nvmm_x64_state_seg *s)
{
	return (struct x86_table){ .base = s->base, .limit = (uint16_t)s->limit };
}

static void segs_in(const struct nvmm_vcpu_state *from, struct x86_regs *r)
{
	unsigned n;

	for (n = 0; n < X86_NSEGS; n++)
		r->seg[n] = seg_in(&from->segs[n]);
	r->gdt = table_in(&from->segs[NVMM_X64_SEG_GDT]);
	r->idt = table_in(&from->segs[NVMM_X64_SEG_IDT]);
	r->ldtr = seg_in(&from->segs[NVMM_X64_SEG_LDT]);
	r->tr = seg_in(&from->segs[NVMM_X64_SEG_TR]);
}

static void gprs_in(const struct nvmm_vcpu_state *from, struct x86_regs *r)
{
	memcpy(r->r, from->gprs, sizeof r->r);
	r->rip = from->gprs[NVMM_X64_GPR_RIP];
	r->rflags = from->gprs[NVMM_X64_GPR_RFLAGS] | 2;
}

static void crs_in(const struct nvmm_vcpu_state *from, struct x86_regs *r)
{
	r->cr0 = from->crs[NVMM_X64_CR_CR0] | CR0_ET;
	r->cr2 = from->crs[NVMM_X64_CR_CR2];
	r->cr3 = from->crs[NVMM_X64_CR_CR3];
	r->cr4 = from->crs[NVMM_X64_CR_CR4];
	r->cr8 = from->crs[NVMM_X64_CR_CR8] & 15;
	r->xcr0 = (from->crs[NVMM_X64_CR_XCR0] & 7) | 1;
	if (!(r->xcr0 & 2)) /* AVX needs SSE */
		r->xcr0 = 1;
}

static void drs_in(const struct nvmm_vcpu_state *from, struct x86_regs *r)
{
	memcpy(r->dr, from->drs, 4 * sizeof *r->dr);
	r->dr[6] = from->drs[NVMM_X64_DR_DR6] | DR6_ONES;
	r->dr[7] = from->drs[NVMM_X64_DR_DR7] | DR7_ONES;
}

static void msrs_in(struct nvmm_comm_page *p)
{
	const uint64_t *from = p->state.msrs;
	struct x86_regs *r = &p->regs;

	r->efer = from[NVMM_X64_MSR_EFER];
	r->star = from[NVMM_X64_MSR_STAR];
	r->lstar = from[NVMM_X64_MSR_LSTAR];
	r->cstar = from[NVMM_X64_MSR_CSTAR];
	r->fmask = from[NVMM_X64_MSR_SFMASK];
	r->kernel_gs_base = from[NVMM_X64_MSR_KERNELGSBASE];
	r->sysenter_cs = from[NVMM_X64_MSR_SYSENTER_CS];
	r->sysenter_esp = from[NVMM_X64_MSR_SYSENTER_ESP];
	r->sysenter_eip = from[NVMM_X64_MSR_SYSENTER_EIP];
	r->pat = from[NVMM_X64_MSR_PAT];
	if (from[NVMM_X64_MSR_TSC] == p->tsc_shown)
		return; /* it was read, and has gone on since */
	r->tsc = p->tsc_shown = from[NVMM_X64_MSR_TSC];
	p->tsc_set = true;
}

static void intr_in(struct nvmm_comm_page *p)
{
	const struct nvmm_x64_state_intr *from = &p->state.intr;

	if (!from->int_shadow)
		p->regs.shadow = 0;
	else if (!p->regs.shadow)
		p->regs.shadow = X86_SHADOW_STI;
	if (from->nmi_window_exiting && !p->nmi_window)
		p->nmi_steps = 0;
	p->nmi_window = from->nmi_window_exiting;
	p->int_window = from->int_window_exiting;
	if (!p->int_window)
		p->int_ready = false;
	p->vmm->class->vcpu_irq(p->vcpu, INTC_INTR, p->int_window || p->vector >= 0);
}

int nvmm_vcpu_setstate(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, uint64_t flags)
{
	struct nvmm_comm_page *p = vmm_cpu(mach, vcpu);
	struct x86_regs old;
	int rc;

	if (!p)
		return -1;
	rc = vmm_fetch(p, groups_of(flags));
	if (rc)
		return vmm_fail(-rc);
	old = p->regs;
	if (flags & NVMM_X64_STATE_SEGS)
		segs_in(&p->state, &p->regs);
	if (flags & NVMM_X64_STATE_GPRS)
		gprs_in(&p->state, &p->regs);
	if (flags & NVMM_X64_STATE_CRS)
		crs_in(&p->state, &p->regs);
	if (flags & NVMM_X64_STATE_DRS)
		drs_in(&p->state, &p->regs);
	if (flags & NVMM_X64_STATE_MSRS)
		msrs_in(p);
	if (flags & NVMM_X64_STATE_INTR)
		intr_in(p);
	if (flags & NVMM_X64_STATE_FPU)
		x86_fxsave_get(&p->regs, (const uint8_t *)&p->state.fpu);
	/* To set what is there would forget translations for nothing. */
	if (memcmp(&old, &p->regs, sizeof old) != 0)
		p->dirty |= groups_of(flags);
	return 0;
}

/* To the engine -------------------------------------------------------------------------------- */

static bool is_consistent(const struct x86_regs *r, unsigned groups)
{
	const bool paging = r->cr0 & CR0_PG, lme = r->efer & EFER_LME;
	const uint32_t l_db = X86_SEG_L | X86_SEG_DB;

	if (groups & X86_REGS_DEBUG && (r->dr[6] | r->dr[7]) >> 32)
		return false;
	if (!(groups & X86_REGS_SEG))
		return true;
	if (r->cr0 >> 32 || (r->cr0 & (CR0_CD | CR0_NW)) == CR0_NW || r->cr4 & ~CR4_VALID ||
	    r->efer & ~EFER_VALID || (paging && !(r->cr0 & CR0_PE)))
		return false;
	if (!paging || !lme)
		return !(r->cr4 & CR4_PCIDE);
	return r->cr4 & CR4_PAE && (r->seg[X86_CS].attr & l_db) != l_db && !(r->cr3 >> PHYS_BITS);
}

/* PAE paging has its first level in registers, which are loaded when the processor starts to run.
 */
static bool load_pdptes(struct nvmm_comm_page *p)
{
	const uint64_t reserved = 0x1e6 | ~((1ull << PHYS_BITS) - 1);
	struct x86_regs *r = &p->regs;
	uint64_t pdpte[4];
	unsigned n;

	if (!(r->cr0 & CR0_PG) || !(r->cr4 & CR4_PAE) || r->efer & EFER_LMA)
		return true;
	if (!vmm_read(p->vmm, r->cr3 & 0xffffffe0, pdpte, sizeof pdpte))
		return false;
	for (n = 0; n < 4; n++) {
		r->pdpte[n] = LE64(pdpte[n]);
		if (r->pdpte[n] & PDPTE_P && r->pdpte[n] & reserved)
			return false;
	}
	return true;
}

/* What follows from the rest, and what the engine takes with it: INT and SEG together say whether
 * virtual-8086 mode is possible. */
static int complete(struct nvmm_comm_page *p)
{
	struct x86_regs *r = &p->regs, now;
	int rc = vmm_fetch(p, X86_REGS_INT | X86_REGS_SEG);

	if (rc)
		return rc;
	if (!is_consistent(r, p->dirty))
		return -EINVAL;
	if (p->dirty & X86_REGS_SEG) {
		r->efer &= ~EFER_LMA;
		if (r->cr0 & CR0_PG && r->efer & EFER_LME)
			r->efer |= EFER_LMA;
		if (!load_pdptes(p))
			return -EINVAL;
	}
	if (r->efer & EFER_LMA && r->rflags & RFLAGS_VM)
		return -EINVAL;
	if (p->dirty & X86_REGS_MSR && !p->tsc_set) {
		rc = p->vmm->class->vcpu_get(p->vcpu, X86_REGS_MSR, &now);
		r->tsc = now.tsc;
	}
	return rc;
}

int vmm_push(struct nvmm_comm_page *p)
{
	int rc;

	if (!p->dirty)
		return 0;
	rc = complete(p);
	if (!rc)
		rc = p->vmm->class->vcpu_set(p->vcpu, p->dirty, &p->regs);
	if (rc)
		return rc;
	/* The instruction that asked something is not the next one any more. */
	if (p->dirty & X86_REGS_INT)
		p->asked = false;
	if (p->dirty & X86_REGS_MSR)
		p->tsc_set = false;
	p->dirty = 0;
	return 0;
}
