/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of x86 CPUs, between KVM's structs and cpu/x86/regs.h.  Sources: Linux,
 * Documentation/virt/kvm/api.rst (6.1), sections 4.11 to 4.32 and 4.42; Intel SDM volume 1, 10.5.1
 * (FXSAVE), 13.4 (XSAVE).
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "core/intc.h"
#include "core/mem.h"
#include "cpu/x86/fxsave.h"
#include "cpu/x86/msr.h"
#include "engine/kvm_x86.h"

/* Integers ------------------------------------------------------------------------------------- */

static int get_int(struct vcpu *v, struct x86_regs *r)
{
	struct kvm_regs k;
	int rc = kvm_ioctl(v->fd, KVM_GET_REGS, &k);
	const uint64_t all[16] = { k.rax, k.rcx, k.rdx, k.rbx, k.rsp, k.rbp, k.rsi, k.rdi, k.r8,
		k.r9, k.r10, k.r11, k.r12, k.r13, k.r14, k.r15 };

	if (rc < 0)
		return rc;
	memcpy(r->r, all, sizeof r->r);
	r->rip = k.rip;
	r->rflags = k.rflags;
	return 0;
}

static int set_int(struct vcpu *v, const struct x86_regs *r)
{
	struct kvm_regs k = {
		.rax = r->r[X86_RAX],
		.rcx = r->r[X86_RCX],
		.rdx = r->r[X86_RDX],
		.rbx = r->r[X86_RBX],
		.rsp = r->r[X86_RSP],
		.rbp = r->r[X86_RBP],
		.rsi = r->r[X86_RSI],
		.rdi = r->r[X86_RDI],
		.r8 = r->r[8],
		.r9 = r->r[9],
		.r10 = r->r[10],
		.r11 = r->r[11],
		.r12 = r->r[12],
		.r13 = r->r[13],
		.r14 = r->r[14],
		.r15 = r->r[15],
		.rip = r->rip,
		.rflags = r->rflags | 2,
	};

	return kvm_ioctl(v->fd, KVM_SET_REGS, &k);
}

/* Segments and control registers --------------------------------------------------------------- */

static struct x86_seg seg_from(const struct kvm_segment *k)
{
	return (struct x86_seg){
		.base = k->base,
		.limit = k->limit,
		.attr = k->type | (uint32_t)k->s << 4 | (uint32_t)k->dpl << 5 |
			(uint32_t)k->present << 7 | (uint32_t)k->avl << 12 | (uint32_t)k->l << 13 |
			(uint32_t)k->db << 14 | (uint32_t)k->g << 15 |
			(k->unusable ? X86_SEG_UNUSABLE : 0),
		.selector = k->selector,
	};
}

static struct kvm_segment seg_to(const struct x86_seg *s)
{
	return (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->attr & X86_SEG_TYPE,
		.s = s->attr >> 4 & 1,
		.dpl = s->attr >> 5 & 3,
		.present = s->attr >> 7 & 1,
		.avl = s->attr >> 12 & 1,
		.l = s->attr >> 13 & 1,
		.db = s->attr >> 14 & 1,
		.g = s->attr >> 15 & 1,
		.unusable = s->attr >> 16 & 1,
	};
}

static struct x86_table table_from(const struct kvm_dtable *k)
{
	return (struct x86_table){ .base = k->base, .limit = k->limit };
}

static struct kvm_dtable table_to(const struct x86_table *t)
{
	return (struct kvm_dtable){ .base = t->base, .limit = t->limit };
}

enum { TSS_BUSY = 2 }; /* of the type: SDM volume 3, 7.2.2 */
enum { CR4_PAE = 1 << 5, EFER_LMA = 1 << 10 };
#define CR0_PG    (1ull << 31)
#define PDPT_MASK 0xffffffe0ull

/* What the CPU has taken from the table at CR3, as PAE paging without long mode does (SDM volume 3,
 * 4.4.1).  The kernel does not give it out, but reads it again where it matters; so does this. */
static void get_pdptes(const struct vcpu *v, struct x86_regs *r)
{
	uint8_t table[sizeof r->pdpte];

	memset(r->pdpte, 0, sizeof r->pdpte);
	if (!(r->cr0 & CR0_PG) || !(r->cr4 & CR4_PAE) || r->efer & EFER_LMA ||
	    mem_read(v->engine->env.mem, r->cr3 & PDPT_MASK, table, sizeof table) < 0)
		return;
	for (unsigned n = 0; n < ARRAY_LEN(r->pdpte); n++)
		r->pdpte[n] = get_le(table + 8 * n, 8);
}

static int get_seg(struct vcpu *v, struct x86_regs *r)
{
	const struct intc *i = kvm_x86_intc(v);
	struct kvm_xcrs x = { 0 };
	struct kvm_sregs k;
	int rc = kvm_ioctl(v->fd, KVM_GET_SREGS, &k);

	if (!rc)
		rc = kvm_ioctl(v->fd, KVM_GET_XCRS, &x);
	if (rc < 0)
		return rc;
	r->seg[X86_ES] = seg_from(&k.es);
	r->seg[X86_CS] = seg_from(&k.cs);
	r->seg[X86_SS] = seg_from(&k.ss);
	r->seg[X86_DS] = seg_from(&k.ds);
	r->seg[X86_FS] = seg_from(&k.fs);
	r->seg[X86_GS] = seg_from(&k.gs);
	r->ldtr = seg_from(&k.ldt);
	r->tr = seg_from(&k.tr);
	r->tr.attr |= TSS_BUSY;
	r->gdt = table_from(&k.gdt);
	r->idt = table_from(&k.idt);
	r->cr0 = k.cr0;
	r->cr2 = k.cr2;
	r->cr3 = k.cr3;
	r->cr4 = k.cr4;
	r->cr8 = i ? i->get_tpr(i->arg, v->id) : k.cr8;
	r->efer = k.efer;
	r->xcr0 = x.nr_xcrs ? x.xcrs[0].value : 1;
	get_pdptes(v, r);
	return 0;
}

static int set_seg(struct vcpu *v, const struct x86_regs *r)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	const struct intc *i = kvm_x86_intc(v);
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs[0] = { .value = r->xcr0 } };
	struct kvm_sregs k = {
		.es = seg_to(&r->seg[X86_ES]),
		.cs = seg_to(&r->seg[X86_CS]),
		.ss = seg_to(&r->seg[X86_SS]),
		.ds = seg_to(&r->seg[X86_DS]),
		.fs = seg_to(&r->seg[X86_FS]),
		.gs = seg_to(&r->seg[X86_GS]),
		.ldt = seg_to(&r->ldtr),
		.tr = seg_to(&r->tr),
		.gdt = table_to(&r->gdt),
		.idt = table_to(&r->idt),
		.cr0 = r->cr0,
		.cr2 = r->cr2,
		.cr3 = r->cr3,
		.cr4 = r->cr4,
		.cr8 = r->cr8,
		.efer = r->efer,
		.apic_base = v->engine->env.vmm_exits ? APIC_OF_OTHERS : c->apic_base,
	};
	int rc;

	/* QEMU ends itself where a TSS that is in use is marked as that, as on real CPUs. */
	if (kvm_x86_vm(v)->in_qemu)
		k.tr.type &= (uint8_t)~TSS_BUSY;
	if (i)
		i->set_tpr(i->arg, v->id, (unsigned)r->cr8 & 15);
	rc = kvm_ioctl(v->fd, KVM_SET_SREGS, &k);
	return rc < 0 ? rc : kvm_ioctl(v->fd, KVM_SET_XCRS, &x);
}

/* Debug registers ------------------------------------------------------------------------------ */

static int get_debug(struct vcpu *v, struct x86_regs *r)
{
	struct kvm_debugregs k;
	int rc = kvm_ioctl(v->fd, KVM_GET_DEBUGREGS, &k);

	if (rc < 0)
		return rc;
	memset(r->dr, 0, sizeof r->dr);
	memcpy(r->dr, k.db, sizeof k.db);
	r->dr[6] = k.dr6;
	r->dr[7] = k.dr7;
	return 0;
}

static int set_debug(struct vcpu *v, const struct x86_regs *r)
{
	struct kvm_debugregs k = { .dr6 = r->dr[6], .dr7 = r->dr[7] };

	memcpy(k.db, r->dr, sizeof k.db);
	return kvm_ioctl(v->fd, KVM_SET_DEBUGREGS, &k);
}

/* MSRs ----------------------------------------------------------------------------------------- */

enum { MSR_APIC_BASE = 0x1b };

/* One entry, behind its head. */
union one_msr {
	struct kvm_msrs m;
	uint64_t room[(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)) / 8];
};

bool kvm_x86_get_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	union one_msr one = { .m.nmsrs = 1 };

	one.m.entries[0] = (struct kvm_msr_entry){ .index = msr };
	if (kvm_ioctl(v->fd, KVM_GET_MSRS, &one) != 1)
		return false;
	*val = one.m.entries[0].data;
	return true;
}

bool kvm_x86_set_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	union one_msr one = { .m.nmsrs = 1 };

	one.m.entries[0] = (struct kvm_msr_entry){ .index = msr, .data = val };
	return kvm_ioctl(v->fd, KVM_SET_MSRS, &one) == 1;
}

enum { MSRS_MAX = 64 };

struct many_msrs {
	struct kvm_msr_entry entry[MSRS_MAX];
	unsigned n;
};

/* All of X86_REGS_MSR, in the order in which they are to be set. */
static void list_msrs(struct many_msrs *m, struct x86_regs *r)
{
	m->n = 0;
	for (const struct x86_msr_field *f = x86_msr_fields; f->offset; f++)
		m->entry[m->n++] =
		    (struct kvm_msr_entry){ .index = f->msr, .data = *x86_msr_of(r, f->msr) };
	for (uint32_t i = 0; i < 2 * X86_MTRR_PAIRS; i++)
		m->entry[m->n++] =
		    (struct kvm_msr_entry){ .index = X86_MSR_MTRR_VAR + i, .data = r->mtrr_var[i] };
}

/* How many from the first on the kernel has done: the next one it does not know, or refuses. */
static unsigned pass_msrs(
    struct vcpu *v, unsigned long request, struct kvm_msr_entry *e, unsigned n)
{
	union {
		struct kvm_msrs m;
		uint64_t room[(sizeof(struct kvm_msrs) + MSRS_MAX * sizeof *e) / 8];
	} some = { .m.nmsrs = n };
	int rc;

	memcpy(some.m.entries, e, n * sizeof *e);
	rc = kvm_ioctl(v->fd, request, &some);
	if (rc <= 0)
		return 0;
	memcpy(e, some.m.entries, (unsigned)rc * sizeof *e);
	return (unsigned)rc;
}

/* What the kernel does not have is as it was set last. */
static int get_msrs(struct vcpu *v, struct x86_regs *r)
{
	struct many_msrs m;

	list_msrs(&m, &kvm_x86_cpu(v)->kept);
	for (unsigned n = 0; n < m.n; n++) /* but for one that it does not */
		n += pass_msrs(v, KVM_GET_MSRS, m.entry + n, m.n - n);
	for (unsigned n = 0; n < m.n; n++)
		*x86_msr_of(r, m.entry[n].index) = m.entry[n].data;
	r->apic_base = kvm_x86_cpu(v)->apic_base;
	if (kvm_x86_vm(v)->stands)
		r->tsc = kvm_x86_tsc_get(v);
	return 0;
}

static int set_apic_base(struct vcpu *v, uint64_t val)
{
	const struct intc *i = kvm_x86_intc(v);
	struct kvm_sregs k;
	int rc;

	if (!i || !i->write_msr(i->arg, v->id, MSR_APIC_BASE, val))
		return 0;
	rc = kvm_ioctl(v->fd, KVM_GET_SREGS, &k);
	k.apic_base = val;
	if (!rc)
		rc = kvm_ioctl(v->fd, KVM_SET_SREGS, &k);
	if (!rc)
		kvm_x86_cpu(v)->apic_base = val;
	return rc;
}

static int set_msrs(struct vcpu *v, const struct x86_regs *r)
{
	struct x86_regs *kept = &kvm_x86_cpu(v)->kept;
	struct many_msrs m;

	*kept = *r;
	list_msrs(&m, kept);
	for (unsigned n = 0; n < m.n; n++)
		n += pass_msrs(v, KVM_SET_MSRS, m.entry + n, m.n - n);
	if (kvm_x86_vm(v)->stands)
		kvm_x86_tsc_set(v, r->tsc);
	return set_apic_base(v, r->apic_base);
}

/* Floating point and vectors ------------------------------------------------------------------- */

enum { XSAVE_BV = 512, XSAVE_YMM = 576 }; /* behind what FXSAVE stores */
enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4 };

static int get_fp(struct vcpu *v, struct x86_regs *r)
{
	struct kvm_xsave k;
	uint8_t *b = (uint8_t *)&k;
	uint64_t there;
	int rc = kvm_ioctl(v->fd, KVM_GET_XSAVE, &k);

	if (rc < 0)
		return rc;
	memset(r->v, 0, sizeof r->v);
	x86_fxsave_get(r, b);
	there = get_le(b + XSAVE_BV, 8);
	for (unsigned i = 0; i < 16 && there & XSTATE_AVX; i++)
		memcpy(&r->v[i][2], b + XSAVE_YMM + 16 * i, 16);
	return 0;
}

static int set_fp(struct vcpu *v, const struct x86_regs *r)
{
	const bool avx = x86_model_has(&kvm_x86_vm(v)->model, X86_FEAT_AVX);
	struct kvm_xsave k = { 0 };
	uint8_t *b = (uint8_t *)&k;

	x86_fxsave_put(r, b);
	put_le(b + XSAVE_BV, XSTATE_X87 | XSTATE_SSE | (avx ? XSTATE_AVX : 0), 8);
	for (unsigned i = 0; i < 16 && avx; i++)
		memcpy(b + XSAVE_YMM + 16 * i, &r->v[i][2], 16);
	return kvm_ioctl(v->fd, KVM_SET_XSAVE, &k);
}

/* What it waits for ---------------------------------------------------------------------------- */

static int get_state(struct vcpu *v, struct x86_regs *r)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	struct kvm_vcpu_events k;
	int rc = kvm_ioctl(v->fd, KVM_GET_VCPU_EVENTS, &k);

	if (rc < 0)
		return rc;
	r->halted = c->halted;
	r->wait_sipi = c->wait_sipi;
	r->shadow = (k.interrupt.shadow & KVM_X86_SHADOW_INT_STI ? X86_SHADOW_STI : 0) |
		    (k.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? X86_SHADOW_SS : 0);
	r->nmi_masked = k.nmi.masked;
	r->nmi_pending = k.nmi.pending || k.nmi.injected || atomic_load(&v->lines) >> INTC_NMI & 1;
	r->init_pending = atomic_load(&v->lines) >> INTC_INIT & 1;
	r->sipi = (uint16_t)(atomic_load(&c->sipi) + 1);
	/* What a signal, or an access in the midst of it, has kept from being delivered; INT, INT3
	 * and INTO, of which the kernel says nothing, are executed again. */
	r->interrupt = k.interrupt.injected && !k.interrupt.soft ? k.interrupt.nr + 1 : 0;
	r->exception = k.exception.injected ? k.exception.nr + 1 : 0;
	r->exception_has_error = k.exception.injected && k.exception.has_error_code;
	r->exception_error = r->exception_has_error ? k.exception.error_code : 0;
	return 0;
}

static int set_state(struct vcpu *v, const struct x86_regs *r)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	struct kvm_vcpu_events k;
	int rc = kvm_ioctl(v->fd, KVM_GET_VCPU_EVENTS, &k);

	if (rc < 0)
		return rc;
	memset(&k.exception, 0, sizeof k.exception);
	memset(&k.interrupt, 0, sizeof k.interrupt);
	memset(&k.nmi, 0, sizeof k.nmi);
	if (r->shadow & X86_SHADOW_STI)
		k.interrupt.shadow |= KVM_X86_SHADOW_INT_STI;
	if (r->shadow & X86_SHADOW_SS)
		k.interrupt.shadow |= KVM_X86_SHADOW_INT_MOV_SS;
	k.nmi.masked = r->nmi_masked;
	k.interrupt.injected = r->interrupt > 0 && r->interrupt <= 256;
	k.interrupt.nr = (uint8_t)(r->interrupt - 1);
	k.exception.injected = r->exception > 0 && r->exception <= 32;
	k.exception.nr = (uint8_t)(r->exception - 1);
	k.exception.has_error_code = r->exception_has_error != 0;
	k.exception.error_code = r->exception_error;
	k.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (r->nmi_pending)
		atomic_fetch_or(&v->lines, 1u << INTC_NMI);
	if (r->init_pending)
		atomic_fetch_or(&v->lines, 1u << INTC_INIT);
	atomic_store(&c->sipi, r->sipi <= 256 ? r->sipi - 1 : -1);
	c->halted = r->halted;
	c->wait_sipi = r->wait_sipi;
	return kvm_ioctl(v->fd, KVM_SET_VCPU_EVENTS, &k);
}

/* All ------------------------------------------------------------------------------------------ */

static const struct group {
	unsigned bit;
	int (*get)(struct vcpu *, struct x86_regs *);
	int (*set)(struct vcpu *, const struct x86_regs *);
} groups[] = {
	/* MSRs before segments, which hold CR8 and so look at the APIC. */
	{ X86_REGS_MSR, get_msrs, set_msrs },
	{ X86_REGS_SEG, get_seg, set_seg },
	{ X86_REGS_INT, get_int, set_int },
	{ X86_REGS_DEBUG, get_debug, set_debug },
	{ X86_REGS_FP, get_fp, set_fp },
	{ X86_REGS_STATE, get_state, set_state },
};

int kvm_x86_get(struct vcpu *v, unsigned wanted, void *regs)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(groups) && !rc; i++)
		if (wanted & groups[i].bit)
			rc = groups[i].get(v, regs);
	return rc;
}

int kvm_x86_set(struct vcpu *v, unsigned wanted, const void *regs)
{
	int rc = 0;

	kvm_x86_cpu(v)->stale = true;
	for (size_t i = 0; i < ARRAY_LEN(groups) && !rc; i++)
		if (wanted & groups[i].bit)
			rc = groups[i].set(v, regs);
	return rc;
}

#else

typedef int no_kvm_here;

#endif
