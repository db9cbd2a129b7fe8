/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of CPUs, between HAXM's structs and cpu/x86/regs.h.  Source: HAXM 7.8, docs/api.md
 * (engine/haxm_abi.h).  What HAXM does not have is as it was set last; shadows of STI and MOV SS,
 * and whether NMIs are masked, it gives out nowhere.
 */
#include "engine/haxm.h"

#ifdef HAVE_HAXM

#include <errno.h>
#include <string.h>

#include "core/intc.h"
#include "cpu/x86/fxsave.h"
#include "cpu/x86/msr.h"

_Static_assert(sizeof(struct haxm_fpu) == X86_FXSAVE_SIZE, "the FPU's state is what FXSAVE stores");

enum { MSR_APIC_BASE = 0x1b, MSR_EFER = 0xc0000080, RFLAGS_IF = 1 << 9 };

/* Segments, control and debug registers -------------------------------------------------------- */

static struct x86_seg seg_from(const struct haxm_seg *s)
{
	return (struct x86_seg){
		.base = s->base, .limit = s->limit, .attr = s->attr, .selector = s->selector
	};
}

static struct haxm_seg seg_to(const struct x86_seg *s)
{
	return (struct haxm_seg){
		.base = s->base, .limit = s->limit, .attr = s->attr, .selector = s->selector
	};
}

static struct x86_table table_from(const struct haxm_seg *s)
{
	return (struct x86_table){ .base = s->base, .limit = (uint16_t)s->limit };
}

static struct haxm_seg table_to(const struct x86_table *t)
{
	return (struct haxm_seg){ .base = t->base, .limit = t->limit };
}

static void segs_from(const struct haxm_regs *h, struct x86_regs *r)
{
	r->seg[X86_ES] = seg_from(&h->es);
	r->seg[X86_CS] = seg_from(&h->cs);
	r->seg[X86_SS] = seg_from(&h->ss);
	r->seg[X86_DS] = seg_from(&h->ds);
	r->seg[X86_FS] = seg_from(&h->fs);
	r->seg[X86_GS] = seg_from(&h->gs);
	r->ldtr = seg_from(&h->ldt);
	r->tr = seg_from(&h->tr);
	r->gdt = table_from(&h->gdt);
	r->idt = table_from(&h->idt);
	r->cr0 = h->cr0;
	r->cr2 = h->cr2;
	r->cr3 = h->cr3;
	r->cr4 = h->cr4;
	memset(r->pdpte, 0, sizeof r->pdpte); /* the CPU reads them from memory again */
}

static void segs_to(struct haxm_regs *h, const struct x86_regs *r)
{
	h->es = seg_to(&r->seg[X86_ES]);
	h->cs = seg_to(&r->seg[X86_CS]);
	h->ss = seg_to(&r->seg[X86_SS]);
	h->ds = seg_to(&r->seg[X86_DS]);
	h->fs = seg_to(&r->seg[X86_FS]);
	h->gs = seg_to(&r->seg[X86_GS]);
	h->ldt = seg_to(&r->ldtr);
	h->tr = seg_to(&r->tr);
	h->gdt = table_to(&r->gdt);
	h->idt = table_to(&r->idt);
	h->cr0 = r->cr0;
	h->cr2 = r->cr2;
	h->cr3 = r->cr3;
	h->cr4 = r->cr4;
}

/* MSRs ----------------------------------------------------------------------------------------- */

enum { MSRS_MAX = 64 };

struct msrs {
	struct haxm_msr entry[MSRS_MAX];
	unsigned n;
};

static void add(struct msrs *m, uint32_t msr, uint64_t val)
{
	m->entry[m->n++] = (struct haxm_msr){ .msr = msr, .val = val };
}

/* Of these groups, with the values that are there. */
static void list(struct msrs *m, struct x86_regs *r, unsigned groups)
{
	m->n = 0;
	if (groups & X86_REGS_SEG)
		add(m, MSR_EFER, r->efer);
	if (!(groups & X86_REGS_MSR))
		return;
	add(m, MSR_APIC_BASE, r->apic_base);
	for (const struct x86_msr_field *f = x86_msr_fields; f->offset; f++)
		add(m, f->msr, *x86_msr_of(r, f->msr));
	for (uint32_t i = 0; i < 2 * X86_MTRR_PAIRS; i++)
		add(m, X86_MSR_MTRR_VAR + i, r->mtrr_var[i]);
}

/* What HAXM does not know, or refuses, stays as it is. */
static int pass(struct vcpu *v, unsigned long request, struct msrs *m)
{
	struct haxm_msrs h;
	int rc;

	for (unsigned at = 0; at < m->n; at += h.done + (h.done < h.n)) {
		h = (struct haxm_msrs){ .n = (uint16_t)(m->n - at) };
		if (h.n >= HAXM_MSRS)
			h.n = HAXM_MSRS - 1;
		memcpy(h.entry, m->entry + at, h.n * sizeof *h.entry);
		rc = haxm_ioctl(v->fd, request, &h);
		if (rc < 0)
			return rc;
		memcpy(m->entry + at, h.entry, h.done * sizeof *h.entry);
	}
	return 0;
}

static int get_msrs(struct vcpu *v, unsigned groups, struct x86_regs *r)
{
	struct msrs m;
	int rc;

	list(&m, &v->kept, groups);
	rc = pass(v, HAXM_GET_MSRS, &m);
	for (unsigned n = 0; n < m.n && !rc; n++) {
		const uint32_t msr = (uint32_t)m.entry[n].msr;

		if (msr == MSR_EFER)
			r->efer = m.entry[n].val;
		else if (msr == MSR_APIC_BASE)
			r->apic_base = m.entry[n].val;
		else
			*x86_msr_of(r, msr) = m.entry[n].val;
	}
	return rc;
}

static int set_msrs(struct vcpu *v, unsigned groups, const struct x86_regs *r)
{
	const struct intc *i = haxm_intc(v);
	struct x86_regs now = *r;
	struct msrs m;

	if (groups & X86_REGS_MSR) {
		const struct x86_regs was = v->kept;

		v->kept = *r;
		v->kept.efer = was.efer;
		v->kept.xcr0 = was.xcr0;
		v->kept.cr8 = was.cr8;
		v->apic_base = r->apic_base;
		if (i)
			i->write_msr(i->arg, v->id, MSR_APIC_BASE, r->apic_base);
	}
	list(&m, &now, groups);
	return pass(v, HAXM_SET_MSRS, &m);
}

/* What it waits for ---------------------------------------------------------------------------- */

static void get_state(const struct vcpu *v, struct x86_regs *r)
{
	r->halted = v->halted;
	r->wait_sipi = v->wait_sipi;
	r->shadow = 0;
	r->nmi_masked = 0;
	r->nmi_pending = atomic_load(&v->lines) >> INTC_NMI & 1;
	r->init_pending = atomic_load(&v->lines) >> INTC_INIT & 1;
	r->sipi = (uint16_t)(atomic_load(&v->sipi) + 1);
	r->interrupt = 0;
	r->exception = r->exception_has_error = 0;
	r->exception_error = 0;
}

static int set_state(struct vcpu *v, const struct x86_regs *r)
{
	uint32_t vector = r->interrupt - 1u;

	if (r->exception && r->exception <= 32)
		return -ENOTSUP;
	v->halted = r->halted;
	v->wait_sipi = r->wait_sipi;
	if (r->nmi_pending)
		atomic_fetch_or(&v->lines, 1u << INTC_NMI);
	if (r->init_pending)
		atomic_fetch_or(&v->lines, 1u << INTC_INIT);
	atomic_store(&v->sipi, r->sipi <= 256 ? r->sipi - 1 : -1);
	if (!r->interrupt || r->interrupt > 256)
		return 0;
	v->takes = false;
	return haxm_ioctl(v->fd, HAXM_INTERRUPT, &vector);
}

/* All ------------------------------------------------------------------------------------------ */

enum { OF_REGS = X86_REGS_INT | X86_REGS_SEG | X86_REGS_DEBUG };

static int get_regs(struct vcpu *v, unsigned groups, struct x86_regs *r)
{
	const struct intc *i = haxm_intc(v);
	struct haxm_regs h;
	int rc = haxm_ioctl(v->fd, HAXM_GET_REGS, &h);

	if (rc < 0)
		return rc;
	if (groups & X86_REGS_INT) {
		memcpy(r->r, h.r, sizeof r->r);
		r->rip = h.rip;
		r->rflags = h.rflags;
	}
	if (groups & X86_REGS_SEG) {
		segs_from(&h, r);
		r->cr8 = i ? i->get_tpr(i->arg, v->id) : v->kept.cr8;
		r->xcr0 = v->kept.xcr0;
	}
	if (groups & X86_REGS_DEBUG) {
		memset(r->dr, 0, sizeof r->dr);
		memcpy(r->dr, h.dr, 4 * sizeof *r->dr);
		r->dr[6] = h.dr[4];
		r->dr[7] = h.dr[5];
	}
	return 0;
}

static int set_regs(struct vcpu *v, unsigned groups, const struct x86_regs *r)
{
	const struct intc *i = haxm_intc(v);
	struct haxm_regs h;
	int rc = haxm_ioctl(v->fd, HAXM_GET_REGS, &h);

	if (rc < 0)
		return rc;
	if (groups & X86_REGS_INT) {
		memcpy(h.r, r->r, sizeof r->r);
		h.rip = r->rip;
		h.rflags = r->rflags | 2;
		v->takes = r->rflags & RFLAGS_IF;
	}
	if (groups & X86_REGS_SEG) {
		segs_to(&h, r);
		v->kept.cr8 = r->cr8;
		v->kept.xcr0 = r->xcr0;
		if (i)
			i->set_tpr(i->arg, v->id, (unsigned)r->cr8 & 15);
	}
	if (groups & X86_REGS_DEBUG) {
		memcpy(h.dr, r->dr, 4 * sizeof *r->dr);
		h.dr[4] = r->dr[6];
		h.dr[5] = r->dr[7];
	}
	return haxm_ioctl(v->fd, HAXM_SET_REGS, &h);
}

static int get_fpu(struct vcpu *v, struct x86_regs *r)
{
	struct haxm_fpu f;
	int rc = haxm_ioctl(v->fd, HAXM_GET_FPU, &f);

	if (rc < 0)
		return rc;
	memset(r->v, 0, sizeof r->v);
	x86_fxsave_get(r, f.fxsave);
	return 0;
}

/* MXCSR_MASK is not ours to say. */
static int set_fpu(struct vcpu *v, const struct x86_regs *r)
{
	struct haxm_fpu f;
	int rc = haxm_ioctl(v->fd, HAXM_GET_FPU, &f);

	if (rc < 0)
		return rc;
	x86_fxsave_put(r, f.fxsave);
	return haxm_ioctl(v->fd, HAXM_SET_FPU, &f);
}

int haxm_get(struct vcpu *v, unsigned groups, void *regs)
{
	int rc = haxm_get_ready(v);

	if (!rc)
		rc = haxm_settle(v);
	if (!rc && groups & OF_REGS)
		rc = get_regs(v, groups, regs);
	if (!rc && groups & (X86_REGS_SEG | X86_REGS_MSR))
		rc = get_msrs(v, groups, regs);
	if (!rc && groups & X86_REGS_FP)
		rc = get_fpu(v, regs);
	if (!rc && groups & X86_REGS_STATE)
		get_state(v, regs);
	return rc;
}

/* EFER behind CR0, of which LMA follows. */
int haxm_set(struct vcpu *v, unsigned groups, const void *regs)
{
	int rc = haxm_get_ready(v);

	if (!rc)
		rc = haxm_settle(v);
	if (!rc && groups & OF_REGS)
		rc = set_regs(v, groups, regs);
	if (!rc && groups & (X86_REGS_SEG | X86_REGS_MSR))
		rc = set_msrs(v, groups, regs);
	if (!rc && groups & X86_REGS_FP)
		rc = set_fpu(v, regs);
	if (!rc && groups & X86_REGS_STATE)
		rc = set_state(v, regs);
	return rc;
}

#else

typedef int no_haxm_here;

#endif
