/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model-specific registers.  Manual: SDM volume 4, and volume 3: 2.2.1 (EFER), 11.11 and 11.12
 * (MTRRs, PAT), 17 (machine check), 18.17 (TSC); AMD64 APM volume 2, appendix A.  Which there are
 * besides the architectural ones is in msr_table.c; others are #GP.  MTRRs and PAT are kept, and
 * make no difference. Left out: performance counters, branch records, machine check banks,
 * microcode, MONITOR filters, all that concerns speculation but for its bits.  A change of the TSC
 * leaves a deadline that is already set where it is.
 */
#include "cpu/x86/msr.h"

#include <string.h>

#include "core/clock.h"
#include "core/intc.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/system.h"

enum {
	MSR_TSC = 0x10,
	MSR_TSC_ADJUST = 0x3b,
	MSR_SPEC_CTRL = 0x48,
	MSR_PRED_CMD = 0x49,
	MSR_UCODE_REV = 0x8b,
	MSR_MTRRCAP = 0xfe,
	MSR_ARCH_CAPABILITIES = 0x10a,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS = 0x17a,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_MTRR_VAR = 0x200, /* to 0x20f */
	MSR_PAT = 0x277,
	MSR_MTRR_DEF = 0x2ff,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC = 0x800, /* to 0x8ff */
	MSR_EFER = (int)0xc0000080,
	MSR_STAR,
	MSR_LSTAR,
	MSR_CSTAR,
	MSR_FMASK,
	MSR_FS_BASE = (int)0xc0000100,
	MSR_GS_BASE,
	MSR_KERNEL_GS_BASE,
	MSR_TSC_AUX
};

enum { MTRRCAP_FIXED = 1 << 8, MTRRCAP_WC = 1 << 10 };
#define MTRR_DEF_BITS 0xcffull
#define MTRR_MASK_V   (1ull << 11)

#define MISC_ENABLE_WRITABLE (1ull << 0 | 1ull << 18)

/* RDCL_NO, IBRS_ALL, SKIP_L1DFL, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO: what these guard from is no property of this
 * CPU, which does not speculate; the host has its own defences. */
#define ARCH_CAPABILITIES 0x400000000d10e17bull

/* IBRS, STIBP, SSBD, BHI_DIS_S: kept. */
enum { SPEC_CTRL_BITS = 7, SPEC_CTRL_BHI = 1 << 10 };

/* What a group of registers needs to be there; AMD and Intel have the same ones. */
static bool is_there(const struct x86 *s, uint32_t msr)
{
	static const struct {
		uint32_t first, last;
		uint16_t feature;
	} need[] = {
		{ MSR_TSC, MSR_TSC, X86_FEAT_TSC },
		{ MSR_APIC_BASE, MSR_APIC_BASE, X86_FEAT_APIC },
		{ MSR_TSC_ADJUST, MSR_TSC_ADJUST, X86_FEAT_TSC_ADJUST },
		{ MSR_SPEC_CTRL, MSR_PRED_CMD, X86_FEAT_SPEC_CTRL },
		{ MSR_MTRRCAP, MSR_MTRRCAP, X86_FEAT_MTRR },
		{ MSR_ARCH_CAPABILITIES, MSR_ARCH_CAPABILITIES, X86_FEAT_ARCH_CAPABILITIES },
		{ MSR_SYSENTER_CS, MSR_SYSENTER_EIP, X86_FEAT_SEP },
		{ MSR_MCG_CAP, MSR_MCG_STATUS, X86_FEAT_MCA },
		{ MSR_MTRR_VAR, MSR_PAT - 1, X86_FEAT_MTRR },
		{ MSR_PAT, MSR_PAT, X86_FEAT_PAT },
		{ MSR_MTRR_DEF, MSR_MTRR_DEF, X86_FEAT_MTRR },
		{ MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, X86_FEAT_TSC_DEADLINE },
		{ MSR_X2APIC, MSR_X2APIC + 0xff, X86_FEAT_X2APIC },
		{ (uint32_t)MSR_STAR, (uint32_t)MSR_FMASK, X86_FEAT_SYSCALL },
		{ (uint32_t)MSR_FS_BASE, (uint32_t)MSR_KERNEL_GS_BASE, X86_FEAT_LM },
	};
	unsigned n;

	for (n = 0; n < ARRAY_LEN(need); n++)
		if (msr >= need[n].first && msr <= need[n].last)
			return x86_has(s, (enum x86_cpuid_bit)need[n].feature);
	if (msr == (uint32_t)MSR_EFER)
		return x86_has(s, X86_FEAT_SYSCALL) || x86_has(s, X86_FEAT_NX);
	if (msr == (uint32_t)MSR_TSC_AUX)
		return x86_has(s, X86_FEAT_RDTSCP) || x86_has(s, X86_FEAT_RDPID);
	return true;
}

/* MTRRs -------------------------------------------------------------------------------------- */

static bool is_memory_type(uint64_t type)
{
	return type < 7 && type != 2 && type != 3;
}

/* 11.11.2.2: eleven registers with eight types each. */
static int fixed_mtrr(uint32_t msr)
{
	static const uint16_t at[X86_MTRR_FIXED] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
		0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
	int n;

	for (n = 0; n < X86_MTRR_FIXED; n++)
		if (at[n] == msr)
			return n;
	return -1;
}

static bool is_variable_mtrr(uint32_t msr)
{
	return msr >= MSR_MTRR_VAR && msr < MSR_MTRR_VAR + 2 * X86_MTRR_PAIRS;
}

static bool are_types(uint64_t val, bool pat)
{
	unsigned n;

	for (n = 0; n < 8; n++, val >>= 8)
		if (!is_memory_type(val & 0xff) && !(pat && (val & 0xff) == 7))
			return false;
	return true;
}

static bool write_variable_mtrr(struct x86 *s, uint32_t msr, uint64_t val)
{
	uint64_t frame = ((1ull << s->model->phys_bits) - 1) & ~0xfffull;
	bool mask = msr & 1;

	if (val & ~(frame | (mask ? MTRR_MASK_V : 0xff)) || (!mask && !is_memory_type(val & 0xff)))
		return false;
	s->mtrr_var[msr - MSR_MTRR_VAR] = val;
	return true;
}

/* Time and APIC ------------------------------------------------------------------------------ */

static void set_tsc(struct x86 *s, uint64_t val)
{
	uint64_t change = val - x86_tsc(s);

	s->tsc_offset += change;
	s->tsc_adjust += change;
}

static void set_tsc_adjust(struct x86 *s, uint64_t val)
{
	s->tsc_offset += val - s->tsc_adjust;
	s->tsc_adjust = val;
}

/* The controller counts guest time; 0 means that no deadline is set. */
static uint64_t deadline_to_ns(const struct x86 *s, uint64_t tsc)
{
	uint64_t ticks = tsc - s->tsc_offset;

	if (!tsc)
		return 0;
	return (int64_t)ticks > 0 ? x86_ticks_to_ns(s, ticks) : 1;
}

void x86_apic_moved(struct x86 *s)
{
	const struct intc *i = x86_intc(s);
	uint64_t base = 0;
	bool mapped = i && i->read_msr(i->arg, s->id, MSR_APIC_BASE, &base) &&
		      (base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == APIC_BASE_ENABLE;

	s->apic_page = mapped ? base & ~0xfffull : UINT64_MAX;
}

static bool is_apic(uint32_t msr)
{
	return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE || msr >> 8 == MSR_X2APIC >> 8;
}

static void make(void *cpu, struct lockstep_access *a)
{
	struct x86 *s = cpu;
	const struct intc *i = x86_intc(s);

	if (!i)
		a->ok = false;
	else if (a->write)
		a->ok = i->write_msr(i->arg, s->id, (unsigned)a->at, a->val);
	else
		a->ok = i->read_msr(i->arg, s->id, (unsigned)a->at, &a->val);
}

static bool read_apic(struct x86 *s, uint32_t msr, uint64_t *val)
{
	struct lockstep_access a = { .kind = X86_LOCKSTEP_MSR, .at = msr };

	cpu_lockstep_access(s->lockstep, s, &a, make);
	if (!a.ok)
		return false;
	*val = a.val;
	if (msr == MSR_TSC_DEADLINE && *val)
		*val = x86_ns_to_ticks(s, *val) + s->tsc_offset;
	return true;
}

static bool write_apic(struct x86 *s, uint32_t msr, uint64_t val)
{
	struct lockstep_access a = { .kind = X86_LOCKSTEP_MSR, .write = true, .at = msr };

	if (msr == MSR_APIC_BASE && val & APIC_BASE_X2APIC && !x86_has(s, X86_FEAT_X2APIC))
		return false;
	if (msr == MSR_APIC_BASE && val >> s->model->phys_bits)
		return false;
	a.val = msr == MSR_TSC_DEADLINE ? deadline_to_ns(s, val) : val;
	cpu_lockstep_access(s->lockstep, s, &a, make);
	if (!a.ok)
		return false;
	if (msr == MSR_APIC_BASE) {
		x86_apic_moved(s);
		x86_flush(s, true);
	}
	return true;
}

/* Others ------------------------------------------------------------------------------------- */

static bool write_efer(struct x86 *s, uint64_t val)
{
	uint64_t allowed = EFER_LMA, old = s->efer;

	if (x86_has(s, X86_FEAT_SYSCALL))
		allowed |= EFER_SCE;
	if (x86_has(s, X86_FEAT_LM))
		allowed |= EFER_LME;
	if (x86_has(s, X86_FEAT_NX))
		allowed |= EFER_NXE;
	if (val & ~allowed || ((val ^ old) & EFER_LME && s->cr0 & CR0_PG))
		return false;
	s->efer = (val & ~EFER_LMA) | (old & EFER_LMA);
	if ((s->efer ^ old) & EFER_NXE)
		x86_flush(s, true);
	return true;
}

/* false: not one of these. */
static uint64_t *plain(struct x86 *s, uint32_t msr)
{
	switch (msr) {
	case MSR_SPEC_CTRL:
		return &s->spec_ctrl;
	case MSR_SYSENTER_CS:
		return &s->sysenter_cs;
	case MSR_SYSENTER_ESP:
		return &s->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &s->sysenter_eip;
	case MSR_MISC_ENABLE:
		return &s->misc_enable;
	case MSR_PAT:
		return &s->pat;
	case MSR_MTRR_DEF:
		return &s->mtrr_def;
	case (uint32_t)MSR_STAR:
		return &s->star;
	case (uint32_t)MSR_LSTAR:
		return &s->lstar;
	case (uint32_t)MSR_CSTAR:
		return &s->cstar;
	case (uint32_t)MSR_FMASK:
		return &s->fmask;
	case (uint32_t)MSR_FS_BASE:
		return &s->seg[X86_FS].base;
	case (uint32_t)MSR_GS_BASE:
		return &s->seg[X86_GS].base;
	case (uint32_t)MSR_KERNEL_GS_BASE:
		return &s->kernel_gs_base;
	case (uint32_t)MSR_TSC_AUX:
		return &s->tsc_aux;
	default:
		if (fixed_mtrr(msr) >= 0)
			return &s->mtrr_fixed[fixed_mtrr(msr)];
		if (is_variable_mtrr(msr))
			return &s->mtrr_var[msr - MSR_MTRR_VAR];
		return NULL;
	}
}

bool x86_read_msr(struct x86 *s, uint32_t msr, uint64_t *val)
{
	const struct x86_msr *f = x86_msr_fixed(s->model, msr);

	if (f) {
		*val = f->val;
		return true;
	}
	if (!is_there(s, msr))
		return false;
	if (is_apic(msr))
		return read_apic(s, msr, val);
	if (plain(s, msr)) {
		*val = *plain(s, msr);
		return true;
	}
	switch (msr) {
	case MSR_TSC:
		*val = x86_tsc(s);
		return true;
	case MSR_TSC_ADJUST:
		*val = s->tsc_adjust;
		return true;
	case MSR_UCODE_REV: /* late enough for what guests know to be broken before */
		*val = s->model->vendor == X86_AMD ? 0x08001250 : 0x28ull << 32;
		return true;
	case MSR_MTRRCAP:
		*val = MTRRCAP_WC | MTRRCAP_FIXED | X86_MTRR_PAIRS;
		return true;
	case MSR_ARCH_CAPABILITIES:
		*val = ARCH_CAPABILITIES;
		return true;
	case MSR_MCG_CAP: /* no banks */
	case MSR_MCG_STATUS:
		*val = 0;
		return true;
	case (uint32_t)MSR_EFER:
		*val = s->efer;
		return true;
	default:
		return false;
	}
}

/* Whether a plain register may have this value. */
static bool is_legal(const struct x86 *s, uint32_t msr, uint64_t val)
{
	switch (msr) {
	case MSR_SPEC_CTRL:
		if (x86_has(s, X86_FEAT_BHI_CTRL))
			val &= ~(uint64_t)SPEC_CTRL_BHI;
		return !(val & ~(uint64_t)SPEC_CTRL_BITS);
	case MSR_PAT:
		return are_types(val, true);
	case MSR_MTRR_DEF:
		return !(val & ~MTRR_DEF_BITS) && is_memory_type(val & 0xff);
	case (uint32_t)MSR_LSTAR:
	case (uint32_t)MSR_CSTAR:
	case (uint32_t)MSR_FS_BASE:
	case (uint32_t)MSR_GS_BASE:
	case (uint32_t)MSR_KERNEL_GS_BASE:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		return x86_is_base(s, val);
	case (uint32_t)MSR_FMASK:
	case (uint32_t)MSR_TSC_AUX:
		return !(val >> 32);
	default:
		return fixed_mtrr(msr) < 0 || are_types(val, false);
	}
}

static bool write_plain(struct x86 *s, uint32_t msr, uint64_t val)
{
	if (is_variable_mtrr(msr))
		return write_variable_mtrr(s, msr, val);
	if (!is_legal(s, msr, val))
		return false;
	if (msr == MSR_MISC_ENABLE)
		val = (s->misc_enable & ~MISC_ENABLE_WRITABLE) | (val & MISC_ENABLE_WRITABLE);
	*plain(s, msr) = val;
	x86_mode_changed(s); /* bases */
	return true;
}

bool x86_write_msr(struct x86 *s, uint32_t msr, uint64_t val)
{
	const struct x86_msr *f = x86_msr_fixed(s->model, msr);

	cpu_lockstep_alone(s->lockstep);
	if (f)
		return x86_msr_takes(f, val);
	if (!is_there(s, msr))
		return false;
	if (is_apic(msr))
		return write_apic(s, msr, val);
	if (plain(s, msr))
		return write_plain(s, msr, val);
	switch (msr) {
	case MSR_TSC:
		set_tsc(s, val);
		return true;
	case MSR_TSC_ADJUST:
		set_tsc_adjust(s, val);
		return true;
	case MSR_PRED_CMD:
		return !(val & ~1ull);
	case MSR_UCODE_REV:
		return true;
	case MSR_MCG_STATUS:
		return !val;
	case (uint32_t)MSR_EFER:
		return write_efer(s, val);
	default:
		return false;
	}
}
