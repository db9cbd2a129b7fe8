/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The x86 CPU as a class: making CPUs, and their state as others see it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "core/clock.h"
#include "core/intc.h"
#include "core/state.h"
#include "cpu/x86/code.h"
#include "cpu/x86/jit.h"
#include "cpu/x86/lines.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/model.h"
#include "cpu/x86/system.h"

static struct x86 *x86_of(struct cpu *cpu)
{
	return (struct x86 *)cpu;
}

static void reset(struct cpu *cpu)
{
	x86_reset(x86_of(cpu));
	x86_attend(x86_of(cpu), X86_ATT_LINES);
}

static void release(struct cpu *cpu)
{
	struct x86 *s = x86_of(cpu), *at;

	for (at = s->first; at && at->next_cpu; at = at->next_cpu)
		if (at->next_cpu == s) {
			at->next_cpu = s->next_cpu;
			break;
		}
	x86_lockstep_free(s);
	x86_jit_free(s);
	x86_code_free(s);
	x86_vm_free(s);
	free(s->own_model);
	os_pages_free(s, sizeof *s);
}

static void forsake(struct cpu *cpu)
{
	struct x86 *s = x86_of(cpu);

	x86_code_free(s);
	if (s == s->first) {
		cpu_jit_forsake(s->jit);
		os_pages_free(s->vm, sizeof *s->vm);
	}
	os_pages_free(s, sizeof *s);
}

static struct x86_model *model_new(const char *text, struct err *e)
{
	struct x86_model *m = calloc(1, sizeof *m);

	if (!m) {
		err_set(e, ENOMEM, "x86: no memory for a CPU");
		return NULL;
	}
	if (x86_model_parse(m, text, e) < 0) {
		free(m);
		return NULL;
	}
	return m;
}

static struct cpu *new (const struct cpu_env *env, unsigned id, struct cpu *first, struct err *e)
{
	struct x86 *s = os_pages_new(sizeof *s), *at;

	if (!s) {
		err_set(e, ENOMEM, "x86: no memory for a CPU");
		return NULL;
	}
	s->env = env;
	s->id = id;
	s->first = first ? x86_of(first) : s;
	s->tlb_size = TLB_SIZE;
	s->tlb = &s->tlbs[X86_CTX_SUPER];
	cpu_jit_init(&x86_jit_class, s);
	if (first) {
		s->model = s->first->model;
		for (at = s->first; at->next_cpu; at = at->next_cpu)
			;
		at->next_cpu = s;
	} else {
		s->model = s->own_model = model_new(env->model, e);
	}
	if (!s->model || x86_vm_new(s, e) < 0 || x86_code_new(s, e) < 0 || x86_jit_new(s, e) < 0 ||
	    x86_lockstep_new(s, e) < 0) {
		release((struct cpu *)s);
		return NULL;
	}
	x86_reset(s);
	return (struct cpu *)s;
}

static void run(struct cpu *cpu, struct exit *x, uint64_t turn)
{
	x86_run(x86_of(cpu), x, turn);
}

static void kick(struct cpu *cpu)
{
	x86_attend(x86_of(cpu), X86_ATT_KICK);
}

static void irq(struct cpu *cpu, unsigned line, bool level)
{
	struct x86 *s = x86_of(cpu);

	x86_drive_line(&s->lines, &s->sipi, line, level);
	x86_attend(s, X86_ATT_LINES);
}

/* No firmware has such wishes on x86: it is for windows in memory that have moved, which hold no
 * code. */
static void fence(struct cpu *cpu, bool instructions)
{
	if (!instructions)
		x86_attend(x86_of(cpu), X86_ATT_PAGE);
}

static void fenced(struct cpu *cpu)
{
	(void)cpu;
}

uint64_t x86_random(struct x86 *s)
{
	uint64_t r = 0;

	if (s->env->random)
		s->env->random(s->env->machine, &r, sizeof r);
	else
		os_random(&r, sizeof r);
	return r;
}

static uint64_t retired(struct cpu *cpu)
{
	return x86_retired(x86_of(cpu));
}

static uint64_t left(struct cpu *cpu)
{
	const struct x86 *s = x86_of(cpu);
	const int64_t n = s->left + s->turn_rest;

	return n > 0 ? (uint64_t)n : 0;
}

/* State ---------------------------------------------------------------------------------------- */

static void get_msrs(const struct x86 *s, struct x86_regs *r)
{
	r->star = s->star;
	r->lstar = s->lstar;
	r->cstar = s->cstar;
	r->fmask = s->fmask;
	r->kernel_gs_base = s->kernel_gs_base;
	r->sysenter_cs = s->sysenter_cs;
	r->sysenter_esp = s->sysenter_esp;
	r->sysenter_eip = s->sysenter_eip;
	r->pat = s->pat;
	r->tsc = x86_tsc(s);
	r->tsc_adjust = s->tsc_adjust;
	r->tsc_aux = s->tsc_aux;
	r->misc_enable = s->misc_enable;
	r->spec_ctrl = s->spec_ctrl;
	r->mtrr_def = s->mtrr_def;
	memcpy(r->mtrr_fixed, s->mtrr_fixed, sizeof r->mtrr_fixed);
	memcpy(r->mtrr_var, s->mtrr_var, sizeof r->mtrr_var);
}

static void set_msrs(struct x86 *s, const struct x86_regs *r)
{
	s->star = r->star;
	s->lstar = r->lstar;
	s->cstar = r->cstar;
	s->fmask = r->fmask;
	s->kernel_gs_base = r->kernel_gs_base;
	s->sysenter_cs = r->sysenter_cs;
	s->sysenter_esp = r->sysenter_esp;
	s->sysenter_eip = r->sysenter_eip;
	s->pat = r->pat;
	s->tsc_offset += r->tsc - x86_tsc(s);
	s->tsc_adjust = r->tsc_adjust;
	s->tsc_aux = r->tsc_aux;
	s->misc_enable = r->misc_enable;
	s->spec_ctrl = r->spec_ctrl;
	s->mtrr_def = r->mtrr_def;
	memcpy(s->mtrr_fixed, r->mtrr_fixed, sizeof s->mtrr_fixed);
	memcpy(s->mtrr_var, r->mtrr_var, sizeof s->mtrr_var);
}

static void get_fp(const struct x86 *s, struct x86_regs *r)
{
	const unsigned top = s->fsw >> 11 & 7;
	unsigned i;

	r->fcw = s->fcw;
	r->fsw = s->fsw;
	r->fop = s->fop;
	r->ftw = s->ftw;
	r->fip = s->fip;
	r->fdp = s->fdp;
	r->fcs = s->fcs;
	r->fds = s->fds;
	r->mxcsr = s->mxcsr;
	for (i = 0; i < 8; i++)
		memcpy(r->st[i], s->st[(top + i) & 7], sizeof r->st[i]);
	memcpy(r->v, s->v, sizeof r->v);
}

static void set_fp(struct x86 *s, const struct x86_regs *r)
{
	const unsigned top = r->fsw >> 11 & 7;
	unsigned i;

	s->fcw = r->fcw;
	s->fsw = r->fsw;
	s->fop = r->fop;
	s->ftw = r->ftw;
	s->fip = r->fip;
	s->fdp = r->fdp;
	s->fcs = r->fcs;
	s->fds = r->fds;
	s->mxcsr = r->mxcsr;
	for (i = 0; i < 8; i++)
		memcpy(s->st[(top + i) & 7], r->st[i], sizeof r->st[i]);
	memcpy(s->v, r->v, sizeof r->v);
}

static void get_segs(const struct x86 *s, struct x86_regs *r)
{
	memcpy(r->seg, s->seg, sizeof r->seg);
	r->ldtr = s->ldtr;
	r->tr = s->tr;
	r->gdt = s->gdt;
	r->idt = s->idt;
	r->cr0 = s->cr0;
	r->cr2 = s->cr2;
	r->cr3 = s->cr3;
	r->cr4 = s->cr4;
	r->efer = s->efer;
	r->xcr0 = s->xcr0;
	memcpy(r->pdpte, s->pdpte, sizeof r->pdpte);
}

static void set_segs(struct x86 *s, const struct x86_regs *r)
{
	memcpy(s->seg, r->seg, sizeof s->seg);
	s->ldtr = r->ldtr;
	s->tr = r->tr;
	s->gdt = r->gdt;
	s->idt = r->idt;
	s->cr0 = r->cr0;
	s->cr2 = r->cr2;
	s->cr3 = r->cr3;
	s->cr4 = r->cr4;
	s->efer = r->efer;
	s->xcr0 = r->xcr0;
	memcpy(s->pdpte, r->pdpte, sizeof s->pdpte);
	x86_flush(s, true);
}

static void get_state(const struct x86 *s, struct x86_regs *r)
{
	const uint32_t lines = atomic_load(&s->lines);

	r->halted = s->halted;
	r->wait_sipi = s->wait_sipi;
	/* Nobody has looked behind the last instruction yet. */
	r->shadow = x86_retired(s) < s->shadow_end ? s->shadow : 0;
	if (r->shadow & X86_SHADOW_SS)
		r->shadow |= (uint8_t)(s->dr6_pending << X86_SHADOW_TRAPS);
	r->nmi_masked = s->nmi_masked;
	r->nmi_pending = lines >> INTC_NMI & 1;
	r->init_pending = lines >> INTC_INIT & 1;
	r->sipi = (uint16_t)(atomic_load(&s->sipi) + 1);
	r->interrupt = s->external;
	r->exception = s->exception;
	r->exception_has_error = s->exception_has_error;
	r->exception_error = s->exception_error;
}

static void set_state(struct x86 *s, const struct x86_regs *r)
{
	s->halted = r->halted;
	s->wait_sipi = r->wait_sipi;
	s->shadow = r->shadow & (X86_SHADOW_STI | X86_SHADOW_SS);
	s->shadow_end = x86_retired(s) + 1;
	s->dr6_pending = s->shadow & X86_SHADOW_SS ? r->shadow >> X86_SHADOW_TRAPS : 0;
	s->nmi_masked = r->nmi_masked;
	if (r->nmi_pending)
		atomic_fetch_or(&s->lines, 1u << INTC_NMI);
	if (r->init_pending)
		atomic_fetch_or(&s->lines, 1u << INTC_INIT);
	atomic_store(&s->sipi, r->sipi <= 256 ? r->sipi - 1 : -1);
	s->external = r->interrupt <= 256 ? r->interrupt : 0;
	s->exception = r->exception <= 32 ? r->exception : 0;
	s->exception_has_error = r->exception_has_error != 0;
	s->exception_error = r->exception_error;
}

void x86_get_regs(struct x86 *s, unsigned groups, struct x86_regs *r)
{
	if (groups & X86_REGS_INT) {
		memcpy(r->r, s->r, sizeof r->r);
		r->rip = s->rip;
		r->rflags = x86_get_flags(s);
	}
	if (groups & X86_REGS_SEG)
		get_segs(s, r);
	if (groups & X86_REGS_DEBUG)
		memcpy(r->dr, s->dr, sizeof r->dr);
	if (groups & X86_REGS_MSR)
		get_msrs(s, r);
	if (groups & X86_REGS_FP)
		get_fp(s, r);
	if (groups & X86_REGS_STATE)
		get_state(s, r);
}

void x86_set_regs(struct x86 *s, unsigned groups, const struct x86_regs *r)
{
	if (groups & X86_REGS_INT) {
		memcpy(s->r, r->r, sizeof s->r);
		s->rip = r->rip;
		x86_set_flags(s, r->rflags, UINT64_MAX);
		x86_forget_answers(s);
	}
	if (groups & X86_REGS_SEG)
		set_segs(s, r);
	if (groups & X86_REGS_DEBUG)
		memcpy(s->dr, r->dr, sizeof s->dr);
	if (groups & X86_REGS_MSR)
		set_msrs(s, r);
	if (groups & X86_REGS_FP)
		set_fp(s, r);
	if (groups & X86_REGS_STATE)
		set_state(s, r);
	x86_mode_changed(s);
	s->look = true;
}

static void where(struct cpu *cpu, struct trace_record *r)
{
	x86_where(x86_of(cpu), r);
}

/* With what its local APIC has of it. */
static int get(struct cpu *cpu, unsigned groups, void *regs)
{
	struct x86 *s = x86_of(cpu);
	const struct intc *c = x86_intc(s);
	struct x86_regs *r = regs;

	x86_get_regs(s, groups, r);
	if (groups & X86_REGS_SEG)
		r->cr8 = c ? c->get_tpr(c->arg, s->id) : 0;
	if (groups & X86_REGS_MSR)
		r->apic_base = 0;
	if (groups & X86_REGS_MSR && c)
		c->read_msr(c->arg, s->id, MSR_APIC_BASE, &r->apic_base);
	return 0;
}

static int set(struct cpu *cpu, unsigned groups, const void *regs)
{
	struct x86 *s = x86_of(cpu);
	const struct intc *c = x86_intc(s);
	const struct x86_regs *r = regs;

	x86_set_regs(s, groups, r);
	if (groups & X86_REGS_SEG && c)
		c->set_tpr(c->arg, s->id, (unsigned)r->cr8 & 15);
	if (groups & X86_REGS_MSR && c)
		x86_write_msr(s, MSR_APIC_BASE, r->apic_base);
	return 0;
}

static void debug(struct cpu *cpu, const struct debug_points *points)
{
	x86_debug_set(x86_of(cpu), points);
}

static void step(struct cpu *cpu, struct exit *x)
{
	x86_step(x86_of(cpu), x);
}

#define SEG_FIELDS(name)                                                                           \
	FIELD(struct x86_regs, name.base), FIELD(struct x86_regs, name.limit),                     \
	    FIELD(struct x86_regs, name.attr), FIELD(struct x86_regs, name.selector)
#define TABLE_FIELDS(name) FIELD(struct x86_regs, name.base), FIELD(struct x86_regs, name.limit)

static const struct field regs[] = {
	FIELD_ARRAY(struct x86_regs, r),
	FIELD(struct x86_regs, rip),
	FIELD(struct x86_regs, rflags),
	SEG_FIELDS(seg[X86_ES]),
	SEG_FIELDS(seg[X86_CS]),
	SEG_FIELDS(seg[X86_SS]),
	SEG_FIELDS(seg[X86_DS]),
	SEG_FIELDS(seg[X86_FS]),
	SEG_FIELDS(seg[X86_GS]),
	SEG_FIELDS(ldtr),
	SEG_FIELDS(tr),
	TABLE_FIELDS(gdt),
	TABLE_FIELDS(idt),
	FIELD(struct x86_regs, cr0),
	FIELD(struct x86_regs, cr2),
	FIELD(struct x86_regs, cr3),
	FIELD(struct x86_regs, cr4),
	FIELD(struct x86_regs, cr8),
	FIELD(struct x86_regs, efer),
	FIELD(struct x86_regs, xcr0),
	FIELD_ARRAY(struct x86_regs, pdpte),
	FIELD_ARRAY(struct x86_regs, dr),
	FIELD(struct x86_regs, star),
	FIELD(struct x86_regs, lstar),
	FIELD(struct x86_regs, cstar),
	FIELD(struct x86_regs, fmask),
	FIELD(struct x86_regs, kernel_gs_base),
	FIELD(struct x86_regs, sysenter_cs),
	FIELD(struct x86_regs, sysenter_esp),
	FIELD(struct x86_regs, sysenter_eip),
	FIELD(struct x86_regs, pat),
	FIELD(struct x86_regs, tsc),
	FIELD(struct x86_regs, tsc_adjust),
	FIELD(struct x86_regs, tsc_aux),
	FIELD(struct x86_regs, misc_enable),
	FIELD(struct x86_regs, spec_ctrl),
	FIELD(struct x86_regs, apic_base),
	FIELD(struct x86_regs, mtrr_def),
	FIELD_ARRAY(struct x86_regs, mtrr_fixed),
	FIELD_ARRAY(struct x86_regs, mtrr_var),
	FIELD(struct x86_regs, fcw),
	FIELD(struct x86_regs, fsw),
	FIELD(struct x86_regs, fop),
	FIELD(struct x86_regs, fcs),
	FIELD(struct x86_regs, fds),
	FIELD(struct x86_regs, ftw),
	FIELD(struct x86_regs, fip),
	FIELD(struct x86_regs, fdp),
	FIELD_ARRAY(struct x86_regs, st[0]),
	FIELD_ARRAY(struct x86_regs, st[1]),
	FIELD_ARRAY(struct x86_regs, st[2]),
	FIELD_ARRAY(struct x86_regs, st[3]),
	FIELD_ARRAY(struct x86_regs, st[4]),
	FIELD_ARRAY(struct x86_regs, st[5]),
	FIELD_ARRAY(struct x86_regs, st[6]),
	FIELD_ARRAY(struct x86_regs, st[7]),
	FIELD(struct x86_regs, mxcsr),
	FIELD_ARRAY(struct x86_regs, v[0]),
	FIELD_ARRAY(struct x86_regs, v[1]),
	FIELD_ARRAY(struct x86_regs, v[2]),
	FIELD_ARRAY(struct x86_regs, v[3]),
	FIELD_ARRAY(struct x86_regs, v[4]),
	FIELD_ARRAY(struct x86_regs, v[5]),
	FIELD_ARRAY(struct x86_regs, v[6]),
	FIELD_ARRAY(struct x86_regs, v[7]),
	FIELD_ARRAY(struct x86_regs, v[8]),
	FIELD_ARRAY(struct x86_regs, v[9]),
	FIELD_ARRAY(struct x86_regs, v[10]),
	FIELD_ARRAY(struct x86_regs, v[11]),
	FIELD_ARRAY(struct x86_regs, v[12]),
	FIELD_ARRAY(struct x86_regs, v[13]),
	FIELD_ARRAY(struct x86_regs, v[14]),
	FIELD_ARRAY(struct x86_regs, v[15]),
	FIELD(struct x86_regs, halted),
	FIELD(struct x86_regs, wait_sipi),
	FIELD(struct x86_regs, shadow),
	FIELD(struct x86_regs, nmi_masked),
	FIELD(struct x86_regs, nmi_pending),
	FIELD(struct x86_regs, init_pending),
	FIELD(struct x86_regs, sipi),
	FIELD(struct x86_regs, interrupt),
	FIELD(struct x86_regs, exception),
	FIELD(struct x86_regs, exception_has_error),
	FIELD(struct x86_regs, exception_error),
	FIELD_END,
};

const struct cpu_class cpu_x86_64 = {
	.name = "x86_64",
	.regs_size = sizeof(struct x86_regs),
	.regs = regs,
	.levels = 1 << INTC_INTR | 1 << INTC_A20M,
	.walk = &x86_walk_class,
	.text = &x86_text,
	.new = new,
	.free = release,
	.forsake = forsake,
	.reset = reset,
	.run = run,
	.kick = kick,
	.irq = irq,
	.fence = fence,
	.fenced = fenced,
	.retired = retired,
	.where = where,
	.left = left,
	.get = get,
	.set = set,
	.debug = debug,
	.step = step,
};
