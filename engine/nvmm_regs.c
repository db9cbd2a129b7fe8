/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of CPUs, between NVMM's state and cpu/x86/regs.h.  Source: libnvmm(3) of NetBSD 10.
 * What NVMM does not have is as it was set last; it counts an interrupt that is half delivered as
 * its own, and gives it out nowhere.
 */
#ifdef HAVE_NVMM

#include <errno.h>
#include <string.h>

#include "core/intc.h"
#include "cpu/x86/fxsave.h"
#include "cpu/x86/msr.h"
#include "engine/nvmm.h"

_Static_assert(sizeof(((struct nvmm_vcpu_state *)0)->fpu) == X86_FXSAVE_SIZE,
    "the FPU's state is what FXSAVE stores");

enum { MSR_APIC_BASE = 0x1b, RFLAGS_IF = 1 << 9, NMI = 2 };

/* Segments ------------------------------------------------------------------------------------- */

static struct x86_seg seg_from(const struct nvmm_x64_state_seg *s)
{
	return (struct x86_seg){
		.base = s->base,
		.limit = s->limit,
		.attr = s->attrib.type | (uint32_t)s->attrib.s << 4 | (uint32_t)s->attrib.dpl << 5 |
			(uint32_t)s->attrib.p << 7 | (uint32_t)s->attrib.avl << 12 |
			(uint32_t)s->attrib.l << 13 | (uint32_t)s->attrib.def << 14 |
			(uint32_t)s->attrib.g << 15 | (s->attrib.p ? 0 : X86_SEG_UNUSABLE),
		.selector = s->selector,
	};
}

static void seg_to(struct nvmm_x64_state_seg *to, const struct x86_seg *s)
{
	memset(to, 0, sizeof *to);
	to->selector = s->selector;
	to->attrib.type = s->attr & X86_SEG_TYPE;
	to->attrib.s = s->attr >> 4 & 1;
	to->attrib.dpl = s->attr >> 5 & 3;
	to->attrib.p = (s->attr & (X86_SEG_P | X86_SEG_UNUSABLE)) == X86_SEG_P;
	to->attrib.avl = s->attr >> 12 & 1;
	to->attrib.l = s->attr >> 13 & 1;
	to->attrib.def = s->attr >> 14 & 1;
	to->attrib.g = s->attr >> 15 & 1;
	to->limit = s->limit;
	to->base = s->base;
}

static void segs_from(const struct nvmm_vcpu_state *s, struct x86_regs *r)
{
	for (unsigned n = 0; n < X86_NSEGS; n++)
		r->seg[n] = seg_from(&s->segs[n]);
	r->ldtr = seg_from(&s->segs[NVMM_X64_SEG_LDT]);
	r->tr = seg_from(&s->segs[NVMM_X64_SEG_TR]);
	r->gdt = (struct x86_table){ .base = s->segs[NVMM_X64_SEG_GDT].base,
		.limit = (uint16_t)s->segs[NVMM_X64_SEG_GDT].limit };
	r->idt = (struct x86_table){ .base = s->segs[NVMM_X64_SEG_IDT].base,
		.limit = (uint16_t)s->segs[NVMM_X64_SEG_IDT].limit };
}

static void table_to(struct nvmm_x64_state_seg *to, const struct x86_table *t)
{
	memset(to, 0, sizeof *to);
	to->base = t->base;
	to->limit = t->limit;
}

static void segs_to(struct nvmm_vcpu_state *s, const struct x86_regs *r)
{
	for (unsigned n = 0; n < X86_NSEGS; n++)
		seg_to(&s->segs[n], &r->seg[n]);
	seg_to(&s->segs[NVMM_X64_SEG_LDT], &r->ldtr);
	seg_to(&s->segs[NVMM_X64_SEG_TR], &r->tr);
	table_to(&s->segs[NVMM_X64_SEG_GDT], &r->gdt);
	table_to(&s->segs[NVMM_X64_SEG_IDT], &r->idt);
}

/* The order of NVMM's general registers is the instruction set's, and ours. */
_Static_assert(NVMM_X64_GPR_RSP == X86_RSP && NVMM_X64_GPR_RDI == X86_RDI &&
		   NVMM_X64_SEG_GS == X86_GS && NVMM_X64_SEG_ES == X86_ES,
    "registers have the numbers that instructions have for them");

/* MSRs ----------------------------------------------------------------------------------------- */

static const struct {
	uint32_t msr;
	unsigned at;
} theirs[] = {
	{ 0xc0000081, NVMM_X64_MSR_STAR },
	{ 0xc0000082, NVMM_X64_MSR_LSTAR },
	{ 0xc0000083, NVMM_X64_MSR_CSTAR },
	{ 0xc0000084, NVMM_X64_MSR_SFMASK },
	{ 0xc0000102, NVMM_X64_MSR_KERNELGSBASE },
	{ 0x174, NVMM_X64_MSR_SYSENTER_CS },
	{ 0x175, NVMM_X64_MSR_SYSENTER_ESP },
	{ 0x176, NVMM_X64_MSR_SYSENTER_EIP },
	{ 0x277, NVMM_X64_MSR_PAT },
	{ 0x010, NVMM_X64_MSR_TSC },
};

enum { THEIRS = sizeof theirs / sizeof *theirs };

static void msrs_from(const struct vcpu *v, struct x86_regs *r)
{
	struct x86_regs kept = v->kept;

	for (const struct x86_msr_field *f = x86_msr_fields; f->offset; f++)
		*x86_msr_of(r, f->msr) = *x86_msr_of(&kept, f->msr);
	memcpy(r->mtrr_var, kept.mtrr_var, sizeof r->mtrr_var);
	r->apic_base = kept.apic_base;
	for (unsigned n = 0; n < THEIRS; n++)
		*x86_msr_of(r, theirs[n].msr) = v->cpu.state->msrs[theirs[n].at];
}

static void msrs_to(struct vcpu *v, const struct x86_regs *r)
{
	const struct intc *i = nvmm_intc(v);

	v->kept = *r;
	for (unsigned n = 0; n < THEIRS; n++)
		v->cpu.state->msrs[theirs[n].at] = *x86_msr_of(&v->kept, theirs[n].msr);
	if (i)
		i->write_msr(i->arg, v->id, MSR_APIC_BASE, r->apic_base);
}

/* All ------------------------------------------------------------------------------------------ */

/* What of NVMM's state holds a group. */
static uint64_t parts_of(unsigned groups)
{
	return (groups & X86_REGS_INT ? NVMM_X64_STATE_GPRS : 0) |
	       (groups & X86_REGS_SEG
		       ? NVMM_X64_STATE_SEGS | NVMM_X64_STATE_CRS | NVMM_X64_STATE_MSRS
		       : 0) |
	       (groups & X86_REGS_DEBUG ? NVMM_X64_STATE_DRS : 0) |
	       (groups & X86_REGS_MSR ? NVMM_X64_STATE_MSRS : 0) |
	       (groups & X86_REGS_FP ? NVMM_X64_STATE_FPU : 0) |
	       (groups & X86_REGS_STATE ? NVMM_X64_STATE_INTR : 0);
}

static void state_from(const struct vcpu *v, struct x86_regs *r)
{
	const struct nvmm_x64_state_intr *n = &v->cpu.state->intr;

	r->halted = v->halted;
	r->wait_sipi = v->wait_sipi;
	r->shadow = n->int_shadow ? X86_SHADOW_STI : 0;
	r->nmi_masked = n->nmi_window_exiting;
	r->nmi_pending = atomic_load(&v->lines) >> INTC_NMI & 1;
	r->init_pending = atomic_load(&v->lines) >> INTC_INIT & 1;
	r->sipi = (uint16_t)(atomic_load(&v->sipi) + 1);
	if (v->has_event && v->event.type == NVMM_VCPU_EVENT_EXCP) {
		r->exception = (uint8_t)(v->event.vector + 1);
		r->exception_error = (uint32_t)v->event.u.excp.error;
		r->exception_has_error = 1;
	} else if (v->has_event) {
		r->interrupt = (uint16_t)(v->event.vector + 1);
	}
}

static void seg_group_from(const struct vcpu *v, struct x86_regs *r)
{
	const struct nvmm_vcpu_state *s = v->cpu.state;

	segs_from(s, r);
	r->cr0 = s->crs[NVMM_X64_CR_CR0];
	r->cr2 = s->crs[NVMM_X64_CR_CR2];
	r->cr3 = s->crs[NVMM_X64_CR_CR3];
	r->cr4 = s->crs[NVMM_X64_CR_CR4];
	r->cr8 = s->crs[NVMM_X64_CR_CR8];
	r->xcr0 = s->crs[NVMM_X64_CR_XCR0];
	r->efer = s->msrs[NVMM_X64_MSR_EFER];
	memset(r->pdpte, 0, sizeof r->pdpte); /* the CPU reads them from memory again */
}

int nvmm_get(struct vcpu *v, unsigned groups, void *regs)
{
	const struct nvmm_vcpu_state *s = v->cpu.state;
	struct x86_regs *r = regs;
	int rc = nvmm_get_ready(v);

	if (rc < 0)
		return rc;
	if (nvmm_vcpu_getstate(&v->engine->machine, &v->cpu, parts_of(groups)) < 0)
		return -errno;
	if (groups & X86_REGS_INT) {
		memcpy(r->r, s->gprs, sizeof r->r);
		r->rip = s->gprs[NVMM_X64_GPR_RIP];
		r->rflags = s->gprs[NVMM_X64_GPR_RFLAGS];
	}
	if (groups & X86_REGS_SEG)
		seg_group_from(v, r);
	if (groups & X86_REGS_DEBUG) {
		memset(r->dr, 0, sizeof r->dr);
		memcpy(r->dr, s->drs, 4 * sizeof *r->dr);
		r->dr[6] = s->drs[NVMM_X64_DR_DR6];
		r->dr[7] = s->drs[NVMM_X64_DR_DR7];
	}
	if (groups & X86_REGS_MSR)
		msrs_from(v, r);
	if (groups & X86_REGS_FP) {
		memset(r->v, 0, sizeof r->v);
		x86_fxsave_get(r, (const uint8_t *)&s->fpu);
	}
	if (groups & X86_REGS_STATE)
		state_from(v, r);
	return 0;
}

static void seg_group_to(struct vcpu *v, const struct x86_regs *r)
{
	const struct intc *i = nvmm_intc(v);
	struct nvmm_vcpu_state *s = v->cpu.state;

	segs_to(s, r);
	s->crs[NVMM_X64_CR_CR0] = r->cr0;
	s->crs[NVMM_X64_CR_CR2] = r->cr2;
	s->crs[NVMM_X64_CR_CR3] = r->cr3;
	s->crs[NVMM_X64_CR_CR4] = r->cr4;
	s->crs[NVMM_X64_CR_CR8] = v->cr8 = r->cr8 & 15;
	s->crs[NVMM_X64_CR_XCR0] = r->xcr0;
	s->msrs[NVMM_X64_MSR_EFER] = r->efer;
	if (i)
		i->set_tpr(i->arg, v->id, (unsigned)r->cr8 & 15);
}

static void state_to(struct vcpu *v, const struct x86_regs *r)
{
	struct nvmm_x64_state_intr *n = &v->cpu.state->intr;

	n->int_shadow = v->shadow = r->shadow & (X86_SHADOW_STI | X86_SHADOW_SS);
	n->nmi_window_exiting = v->nmi_masked = r->nmi_masked;
	n->int_window_exiting = 0;
	v->halted = r->halted;
	v->wait_sipi = r->wait_sipi;
	v->has_event = false;
	if (r->exception && r->exception <= 32) {
		nvmm_raise(v, r->exception - 1u, r->exception_has_error, r->exception_error);
	} else if (r->interrupt && r->interrupt <= 256) {
		v->event = (struct nvmm_vcpu_event){ .type = NVMM_VCPU_EVENT_INTR,
			.vector = (uint8_t)(r->interrupt - 1) };
		v->has_event = true;
	}
	if (r->nmi_pending)
		atomic_fetch_or(&v->lines, 1u << INTC_NMI);
	if (r->init_pending)
		atomic_fetch_or(&v->lines, 1u << INTC_INIT);
	atomic_store(&v->sipi, r->sipi <= 256 ? r->sipi - 1 : -1);
}

int nvmm_set(struct vcpu *v, unsigned groups, const void *regs)
{
	struct nvmm_machine *m = &v->engine->machine;
	struct nvmm_vcpu_state *s = v->cpu.state;
	const struct x86_regs *r = regs;
	int rc = nvmm_get_ready(v);

	if (rc < 0)
		return rc;
	/* Parts hold more than a group does. */
	if (nvmm_vcpu_getstate(m, &v->cpu, parts_of(groups)) < 0)
		return -errno;
	if (groups & X86_REGS_INT) {
		memcpy(s->gprs, r->r, sizeof r->r);
		s->gprs[NVMM_X64_GPR_RIP] = r->rip;
		s->gprs[NVMM_X64_GPR_RFLAGS] = r->rflags | 2;
		v->interrupts = r->rflags & RFLAGS_IF;
	}
	if (groups & X86_REGS_MSR)
		msrs_to(v, r);
	if (groups & X86_REGS_SEG)
		seg_group_to(v, r);
	if (groups & X86_REGS_DEBUG) {
		memcpy(s->drs, r->dr, 4 * sizeof *r->dr);
		s->drs[NVMM_X64_DR_DR6] = r->dr[6];
		s->drs[NVMM_X64_DR_DR7] = r->dr[7];
	}
	if (groups & X86_REGS_FP)
		x86_fxsave_put(r, (uint8_t *)&s->fpu);
	if (groups & X86_REGS_STATE)
		state_to(v, r);
	return nvmm_vcpu_setstate(m, &v->cpu, parts_of(groups)) < 0 ? -errno : 0;
}

#else

typedef int no_nvmm_here;

#endif
