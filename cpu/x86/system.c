/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers, tables, and other system instructions.  Manual: SDM volume 3, 2 (registers),
 * 4.1 (changes of the paging mode), 9.8.5 (IA-32e mode), 21.3 and 21.4 (virtual interrupts); volume
 * 2 for each instruction.  PCIDs are taken and make no difference: every change of CR3 forgets all
 * but global translations, INVPCID whatever it may mean.
 */
#include "cpu/x86/system.h"

#include <inttypes.h>

#include "base/log.h"
#include "core/clock.h"
#include "core/intc.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/seg.h"

static _Noreturn void gp0(struct x86 *s)
{
	x86_raise_error(s, X86_GP, 0);
}

/* EFLAGS ------------------------------------------------------------------------------------- */

#define FLAGS_ALL                                                                                  \
	(FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM |     \
	    FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID)

uint64_t x86_get_flags(const struct x86 *s)
{
	return s->eflags | 2 | x86_arith_flags(s);
}

/* An interrupt that has waited is taken now; single steps and RF are for the run loop. */
void x86_flags_changed(struct x86 *s)
{
	if (s->eflags & (FLAG_TF | FLAG_RF) ||
	    (s->eflags & FLAG_IF && atomic_load_explicit(&s->lines, memory_order_relaxed)))
		x86_attend(s, X86_ATT_LINES);
}

void x86_set_flags(struct x86 *s, uint64_t val, uint64_t mask)
{
	const uint64_t old = s->eflags; /* without those that have to be computed */
	uint64_t flags, kept = 0;

	mask &= FLAGS_ALL;
	flags = (old & ~mask) | (val & mask);
	if (mask & FLAGS_ARITH && ~mask & FLAGS_ARITH)
		kept = x86_arith_flags(s) & ~mask;
	if (mask & FLAGS_ARITH)
		x86_put_arith_flags(s, (uint32_t)(flags | kept) & FLAGS_ARITH);
	s->eflags = (flags & ~(uint64_t)FLAGS_ARITH) | 2;
	if ((flags ^ old) & (FLAG_VM | FLAG_AC))
		x86_mode_changed(s);
	x86_flags_changed(s);
}

/* Control registers -------------------------------------------------------------------------- */

static bool is_pae(const struct x86 *s, uint64_t cr0, uint64_t cr4)
{
	return cr0 & CR0_PG && cr4 & CR4_PAE && !x86_is_long(s);
}

/* CR0.PG becomes 1 with EFER.LME, or 0 (9.8.5). */
static void switch_paging(struct x86 *s, bool on)
{
	unsigned tss = s->tr.attr & X86_SEG_TYPE & ~(unsigned)DESC_BUSY;

	if (on && s->efer & EFER_LME) {
		if (!(s->cr4 & CR4_PAE) || x86_is_code64(s->seg[X86_CS].attr) || tss == DESC_TSS16)
			gp0(s);
		s->efer |= EFER_LMA;
	} else if (!on) {
		if (s->mode & X86_CODE64 || s->cr4 & CR4_PCIDE)
			gp0(s);
		s->efer &= ~EFER_LMA;
	}
}

static void write_cr0(struct x86 *s, uint64_t val)
{
	const uint64_t all =
	    CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
	const uint64_t reload = CR0_PG | CR0_NW | CR0_CD;
	uint64_t old = s->cr0;

	if (val >> 32 || (val & (CR0_PG | CR0_PE)) == CR0_PG || (val & (CR0_NW | CR0_CD)) == CR0_NW)
		gp0(s);
	val = (val & all) | CR0_ET;
	/* PDPTEs first: with bad ones nothing may have changed. */
	if ((val ^ old) & reload && val & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LME) &&
	    !x86_load_pdptes(s, s->cr3))
		gp0(s);
	if ((val ^ old) & CR0_PG)
		switch_paging(s, val & CR0_PG);
	s->cr0 = val;
	if ((val ^ old) & (CR0_PG | CR0_PE | CR0_WP))
		x86_flush(s, true);
	x86_mode_changed(s);
}

static void write_cr3(struct x86 *s, uint64_t val)
{
	const uint64_t keep = 1ull << 63; /* with PCIDE: no need to flush */
	uint64_t phys = (1ull << s->model->phys_bits) - 1;

	if (x86_is_long(s)) {
		if (s->cr4 & CR4_PCIDE)
			val &= ~keep;
		if (val & ~phys)
			gp0(s);
	} else {
		val = (uint32_t)val;
		if (is_pae(s, s->cr0, s->cr4) && !x86_load_pdptes(s, val))
			gp0(s);
	}
	TRACE(s->env->log, mmu, "cr3 is %#" PRIx64 " now", val);
	s->cr3 = val;
	x86_flush(s, false);
}

static uint64_t cr4_allowed(const struct x86 *s)
{
	static const struct {
		uint16_t feature;
		uint32_t bits;
	} by_feature[] = {
		{ X86_FEAT_VME, CR4_VME | CR4_PVI },
		{ X86_FEAT_TSC, CR4_TSD },
		{ X86_FEAT_DE, CR4_DE },
		{ X86_FEAT_PSE, CR4_PSE },
		{ X86_FEAT_PAE, CR4_PAE },
		{ X86_FEAT_MCE, CR4_MCE },
		{ X86_FEAT_PGE, CR4_PGE },
		{ X86_FEAT_MMX, CR4_PCE },
		{ X86_FEAT_FXSR, CR4_OSFXSR },
		{ X86_FEAT_SSE, CR4_OSXMMEXCPT },
		{ X86_FEAT_UMIP, CR4_UMIP },
		{ X86_FEAT_LA57, CR4_LA57 },
		{ X86_FEAT_FSGSBASE, CR4_FSGSBASE },
		{ X86_FEAT_PCID, CR4_PCIDE },
		{ X86_FEAT_XSAVE, CR4_OSXSAVE },
		{ X86_FEAT_SMEP, CR4_SMEP },
		{ X86_FEAT_SMAP, CR4_SMAP },
	};
	uint64_t bits = 0;
	unsigned n;

	for (n = 0; n < ARRAY_LEN(by_feature); n++)
		if (x86_has(s, (enum x86_cpuid_bit)by_feature[n].feature))
			bits |= by_feature[n].bits;
	return bits;
}

static void write_cr4(struct x86 *s, uint64_t val)
{
	const uint64_t paging =
	    CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LA57;
	uint64_t changed = val ^ s->cr4;

	if (val & ~cr4_allowed(s))
		gp0(s);
	if (x86_is_long(s) && changed & (CR4_PAE | CR4_LA57))
		gp0(s);
	if (changed & val & CR4_PCIDE && (!x86_is_long(s) || s->cr3 & 0xfff))
		gp0(s);
	if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) && is_pae(s, s->cr0, val) &&
	    !x86_load_pdptes(s, s->cr3))
		gp0(s);
	s->cr4 = val;
	if (changed & paging)
		x86_flush(s, true);
	x86_mode_changed(s);
}

static void make_tpr(void *cpu, struct lockstep_access *a)
{
	struct x86 *s = cpu;
	const struct intc *i = x86_intc(s);

	if (i && a->write)
		i->set_tpr(i->arg, s->id, (unsigned)a->val);
	else
		a->val = i ? i->get_tpr(i->arg, s->id) : 0;
}

static void write_cr8(struct x86 *s, uint64_t val)
{
	struct lockstep_access a = { .kind = X86_LOCKSTEP_TPR, .write = true, .val = val };

	if (val & ~15ull)
		gp0(s);
	cpu_lockstep_access(s->lockstep, s, &a, make_tpr);
}

static uint64_t read_cr8(struct x86 *s)
{
	struct lockstep_access a = { .kind = X86_LOCKSTEP_TPR };

	cpu_lockstep_access(s->lockstep, s, &a, make_tpr);
	return a.val;
}

/* MOV with a control register that is not there is undefined; before any other check. */
static void check_cr(struct x86 *s, unsigned n)
{
	const unsigned there = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4;

	if (n > 8 || !((there | (s->mode & X86_CODE64 ? 1 << 8 : 0)) >> n & 1))
		x86_raise(s, X86_UD);
	x86_need_cpl0(s);
}

void x86_write_cr(struct x86 *s, unsigned n, uint64_t val)
{
	check_cr(s, n);
	cpu_lockstep_alone(s->lockstep);
	if (!(s->mode & X86_CODE64))
		val = (uint32_t)val;
	switch (n) {
	case 0:
		write_cr0(s, val);
		break;
	case 2:
		s->cr2 = val;
		break;
	case 3:
		write_cr3(s, val);
		break;
	case 4:
		write_cr4(s, val);
		break;
	default:
		write_cr8(s, val);
	}
}

uint64_t x86_read_cr(struct x86 *s, unsigned n)
{
	check_cr(s, n);
	switch (n) {
	case 0:
		return s->cr0;
	case 2:
		return s->cr2;
	case 3:
		return s->cr3;
	case 4:
		return s->cr4;
	default:
		return read_cr8(s);
	}
}

/* Sets PE, but never clears it. */
void x86_lmsw(struct x86 *s, uint16_t val)
{
	const uint64_t bits = CR0_MP | CR0_EM | CR0_TS;

	x86_need_cpl0(s);
	cpu_lockstep_alone(s->lockstep);
	write_cr0(s, (s->cr0 & ~bits) | (val & (bits | CR0_PE)));
}

void x86_clts(struct x86 *s)
{
	x86_need_cpl0(s);
	s->cr0 &= ~CR0_TS;
}

/* Tables ------------------------------------------------------------------------------------- */

static void load_table(struct x86 *s, struct x86_table *t, uint64_t base, uint16_t limit)
{
	x86_need_cpl0(s);
	if (s->mode & X86_CODE64 && !x86_is_base(s, base))
		gp0(s);
	t->base = base;
	t->limit = limit;
}

void x86_lgdt(struct x86 *s, uint64_t base, uint16_t limit)
{
	load_table(s, &s->gdt, base, limit);
}

void x86_lidt(struct x86 *s, uint64_t base, uint16_t limit)
{
	load_table(s, &s->idt, base, limit);
}

void x86_check_umip(struct x86 *s)
{
	if (s->cr4 & CR4_UMIP)
		x86_need_cpl0(s);
}

/* An entry of the GDT for LDTR or TR; its base has 64 bits in long mode. */
static struct x86_seg system_seg(
    struct x86 *s, uint16_t selector, unsigned types, struct x86_entry *e)
{
	uint32_t error = selector & 0xfffcu, attr;
	struct x86_seg g;

	if (selector & 4)
		x86_raise_error(s, X86_GP, error);
	*e = x86_read_entry(s, selector, X86_GP, 0);
	attr = x86_entry_attr(e->raw);
	if (!(types >> x86_system_type(attr) & 1))
		x86_raise_error(s, X86_GP, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	g = x86_seg_of(e);
	if (x86_is_long(s)) {
		g.base |= (uint64_t)x86_read_upper(s, e, X86_GP, 0) << 32;
		if (!x86_is_base(s, g.base))
			x86_raise_error(s, X86_GP, error);
	}
	return g;
}

void x86_lldt(struct x86 *s, uint16_t selector)
{
	struct x86_entry e;

	if (!x86_is_protected(s))
		x86_raise(s, X86_UD);
	x86_need_cpl0(s);
	s->ldtr = x86_is_null(selector) ? x86_null_seg(selector, 0)
					: system_seg(s, selector, 1 << DESC_LDT, &e);
}

void x86_ltr(struct x86 *s, uint16_t selector)
{
	const unsigned types = 1 << DESC_TSS | (x86_is_long(s) ? 0 : 1 << DESC_TSS16);
	struct x86_entry e;
	struct x86_seg tr;

	if (!x86_is_protected(s))
		x86_raise(s, X86_UD);
	x86_need_cpl0(s);
	if (x86_is_null(selector))
		gp0(s);
	tr = system_seg(s, selector, types, &e);
	tr.attr |= DESC_BUSY;
	x86_store_system(s, e.at + 5, tr.attr & 0xff, 1);
	s->tr = tr;
}

/* Translations ------------------------------------------------------------------------------- */

void x86_invlpg(struct x86 *s, uint64_t linear)
{
	x86_need_cpl0(s);
	if (s->mode & X86_CODE64 && !x86_is_canonical(s, linear))
		return;
	cpu_lockstep_alone(s->lockstep);
	TRACE(s->env->log, mmu, "invlpg %#" PRIx64, linear);
	x86_flush_page(s, linear);
}

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL, INVPCID_ALL_LOCAL };

void x86_invpcid(struct x86 *s, uint64_t type, const uint64_t descriptor[2])
{
	uint64_t pcid = descriptor[0];

	x86_need_cpl0(s);
	if (type > INVPCID_ALL_LOCAL || pcid >> 12)
		gp0(s);
	if (type <= INVPCID_CONTEXT && pcid && !(s->cr4 & CR4_PCIDE))
		gp0(s);
	cpu_lockstep_alone(s->lockstep);
	TRACE(s->env->log, mmu, "invpcid type %u of %#" PRIx64, (unsigned)type, descriptor[1]);
	if (type == INVPCID_ADDRESS) {
		if (!x86_is_base(s, descriptor[1]))
			gp0(s);
		x86_flush_page(s, descriptor[1]);
	} else {
		x86_flush(s, type == INVPCID_ALL);
	}
}

/* Interrupts --------------------------------------------------------------------------------- */

void x86_hlt(struct x86 *s)
{
	x86_need_cpl0(s);
	s->halted = true;
	x86_attend(s, X86_ATT_LINES);
}

/* Whether IF itself is CLI's and STI's; false: VIF is (21.3.2, 21.4). */
static bool owns_if(struct x86 *s)
{
	bool vm86 = s->mode & X86_VM86;

	if (s->cpl <= (s->eflags & FLAG_IOPL) >> 12)
		return true;
	if (!(s->cr4 & (vm86 ? CR4_VME : CR4_PVI)) || s->cpl != 3)
		gp0(s);
	return false;
}

void x86_cli(struct x86 *s)
{
	s->eflags &= ~(uint64_t)(owns_if(s) ? FLAG_IF : FLAG_VIF);
}

void x86_sti(struct x86 *s)
{
	if (owns_if(s)) {
		if (!(s->eflags & FLAG_IF))
			x86_shadow(s, X86_SHADOW_STI);
		s->eflags |= FLAG_IF;
		x86_flags_changed(s);
		return;
	}
	if (s->eflags & FLAG_VIP)
		gp0(s);
	s->eflags |= FLAG_VIF;
}

/* Others ------------------------------------------------------------------------------------- */

void x86_set_base(struct x86 *s, unsigned seg, uint64_t base)
{
	s->seg[seg].base = s->seg_base[seg] = base;
}

void x86_swapgs(struct x86 *s)
{
	uint64_t base = s->kernel_gs_base;

	x86_need_cpl0(s);
	s->kernel_gs_base = s->seg[X86_GS].base;
	x86_set_base(s, X86_GS, base);
}

void x86_check_tsc(struct x86 *s)
{
	if (s->cr4 & CR4_TSD)
		x86_need_cpl0(s);
}

enum { NS_PER_MS = 1000000 };

/* n * to / from without a wider type: both fit in 32 bits. */
static uint64_t convert(uint64_t n, uint64_t to, uint64_t from, uint64_t round)
{
	return to == from ? n : n / from * to + (n % from * to + round) / from;
}

uint64_t x86_ns_to_ticks(const struct x86 *s, uint64_t ns)
{
	return convert(ns, x86_model_tsc_khz(s->model), NS_PER_MS, 0);
}

uint64_t x86_ticks_to_ns(const struct x86 *s, uint64_t ticks)
{
	const uint64_t khz = x86_model_tsc_khz(s->model);

	return convert(ticks, NS_PER_MS, khz, khz - 1);
}

uint64_t x86_tsc(const struct x86 *s)
{
	return x86_ns_to_ticks(s, clock_now(s->env->clock)) + s->tsc_offset;
}
