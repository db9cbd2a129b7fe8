/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of CPUs as HAXM takes and gives them: serve.h. */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "cpu/x86/fxsave.h"
#include "cpu/x86/msr.h"
#include "test/haxm/serve.h"

enum { MSR_APIC_BASE = 0x1b, MSR_EFER = 0xc0000080 };
enum { EFER_LME = 1 << 8, EFER_LMA = 1 << 10, CR4_PAE = 1 << 5, GROUPS = 7 };
#define CR0_PG 0x80000000ull

static struct haxm_seg seg_out(const struct x86_seg *s)
{
	return (struct haxm_seg){
		.selector = s->selector, .limit = s->limit, .base = s->base, .attr = s->attr
	};
}

static struct x86_seg seg_in(const struct haxm_seg *s)
{
	return (struct x86_seg){
		.selector = s->selector, .limit = s->limit, .base = s->base, .attr = s->attr
	};
}

static const unsigned order[6] = { X86_CS, X86_SS, X86_DS, X86_ES, X86_FS, X86_GS };

int serve_get_regs(struct serve_cpu *c, struct haxm_regs *h)
{
	struct haxm_seg *segs[] = { &h->cs, &h->ss, &h->ds, &h->es, &h->fs, &h->gs };
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, X86_REGS_INT | X86_REGS_SEG | X86_REGS_DEBUG, &r);

	memcpy(h->r, r.r, sizeof h->r);
	h->rip = r.rip;
	h->rflags = r.rflags;
	for (unsigned n = 0; n < 6; n++)
		*segs[n] = seg_out(&r.seg[order[n]]);
	h->ldt = seg_out(&r.ldtr);
	h->tr = seg_out(&r.tr);
	h->gdt = (struct haxm_seg){ .base = r.gdt.base, .limit = r.gdt.limit };
	h->idt = (struct haxm_seg){ .base = r.idt.base, .limit = r.idt.limit };
	h->cr0 = r.cr0;
	h->cr2 = r.cr2;
	h->cr3 = r.cr3;
	h->cr4 = r.cr4;
	memcpy(h->dr, r.dr, 4 * sizeof *h->dr);
	h->dr[4] = r.dr[6];
	h->dr[5] = r.dr[7];
	return rc;
}

/* What follows from the rest: EFER.LMA, and the four pointers of PAE paging. */
static int complete(struct serve_cpu *c, struct x86_regs *r)
{
	r->efer &= ~(uint64_t)EFER_LMA;
	if (r->cr0 & CR0_PG && r->efer & EFER_LME)
		r->efer |= EFER_LMA;
	if (r->cr0 & CR0_PG && r->cr4 & CR4_PAE && !(r->efer & EFER_LME))
		for (unsigned n = 0; n < 4; n++) {
			uint8_t b[8] = { 0 };

			mem_read(c->vm->env.env.mem, (r->cr3 & 0xffffffe0) + 8 * n, b, sizeof b);
			r->pdpte[n] = get_le(b, sizeof b);
		}
	return engine_soft.vcpu_set(c->v, GROUPS, r);
}

int serve_set_regs(struct serve_cpu *c, const struct haxm_regs *h)
{
	const struct haxm_seg *segs[] = { &h->cs, &h->ss, &h->ds, &h->es, &h->fs, &h->gs };
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, GROUPS, &r);

	if (rc)
		return rc;
	memcpy(r.r, h->r, sizeof h->r);
	r.rip = h->rip;
	r.rflags = h->rflags;
	for (unsigned n = 0; n < 6; n++)
		r.seg[order[n]] = seg_in(segs[n]);
	r.ldtr = seg_in(&h->ldt);
	r.tr = seg_in(&h->tr);
	r.gdt = (struct x86_table){ .base = h->gdt.base, .limit = (uint16_t)h->gdt.limit };
	r.idt = (struct x86_table){ .base = h->idt.base, .limit = (uint16_t)h->idt.limit };
	r.cr0 = h->cr0;
	r.cr2 = h->cr2;
	r.cr3 = h->cr3;
	r.cr4 = h->cr4;
	memcpy(r.dr, h->dr, 4 * sizeof *h->dr);
	r.dr[6] = h->dr[4];
	r.dr[7] = h->dr[5];
	return complete(c, &r);
}

/* NULL: HAXM does not know it.  The last three are kept by nobody. */
static uint64_t *msr_of(struct serve_cpu *c, struct x86_regs *r, uint64_t msr)
{
	if (msr == MSR_APIC_BASE)
		return &c->apic_base;
	if (msr == MSR_EFER)
		return &r->efer;
	if (msr == 0x3b || msr == 0x48 || msr == 0x1a0)
		return NULL;
	return x86_msr_of(r, (uint32_t)msr);
}

int serve_get_msrs(struct serve_cpu *c, struct haxm_msrs *m)
{
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, X86_REGS_SEG | X86_REGS_MSR, &r);

	if (rc || m->n >= HAXM_MSRS)
		return rc ? rc : -EFAULT;
	for (m->done = 0; m->done < m->n; m->done++) {
		const uint64_t *at = msr_of(c, &r, m->entry[m->done].msr);

		if (!at)
			break;
		m->entry[m->done].val = *at;
	}
	return 0;
}

int serve_set_msrs(struct serve_cpu *c, struct haxm_msrs *m)
{
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, GROUPS | X86_REGS_MSR, &r);

	if (rc || m->n >= HAXM_MSRS)
		return rc ? rc : -EFAULT;
	for (m->done = 0; m->done < m->n; m->done++) {
		uint64_t *at = msr_of(c, &r, m->entry[m->done].msr);

		if (!at)
			break;
		*at = m->entry[m->done].val;
	}
	rc = engine_soft.vcpu_set(c->v, X86_REGS_MSR, &r);
	return rc ? rc : complete(c, &r);
}

int serve_get_fpu(struct serve_cpu *c, struct haxm_fpu *f)
{
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, X86_REGS_FP, &r);

	memset(f, 0, sizeof *f);
	x86_fxsave_put(&r, f->fxsave);
	return rc;
}

int serve_set_fpu(struct serve_cpu *c, const struct haxm_fpu *f)
{
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, X86_REGS_FP, &r);

	x86_fxsave_get(&r, f->fxsave);
	return rc ? rc : engine_soft.vcpu_set(c->v, X86_REGS_FP, &r);
}
