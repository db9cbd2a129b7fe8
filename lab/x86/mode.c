/* SPDX-License-Identifier: BSD-2-Clause */
/* Modes of x86: their tables and registers as cases find them (lab/x86/x86.h). */
#include <string.h>

#include "base/bytes.h"
#include "lab/x86/arch.h"

static bool is_user(unsigned mode)
{
	return mode & (IN_USER32 | IN_PAGE_USER32 | IN_PAE_USER32 | IN_COMPAT_USER | IN_USER64);
}

static bool is_long(unsigned mode)
{
	return mode & (IN_COMPAT | IN_COMPAT_USER | IN_LONG | IN_USER64);
}

static uint64_t desc(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 |
	       (uint64_t)(base >> 24) << 56;
}

static void make_gdt(uint8_t *ram)
{
	static const struct {
		uint16_t selector;
		uint32_t base, limit;
		uint8_t access, flags;
	} rows[] = {
		{ X86_LAB_CODE32, 0, 0xfffff, 0x9b, 0xc },
		{ X86_LAB_DATA32, 0, 0xfffff, 0x93, 0xc },
		{ X86_LAB_USER_CODE32, 0, 0xfffff, 0xfb, 0xc },
		{ X86_LAB_USER_DATA, 0, 0xfffff, 0xf3, 0xc },
		{ X86_LAB_USER_CODE64, 0, 0xfffff, 0xfb, 0xa },
		{ X86_LAB_USER_DATA64, 0, 0xfffff, 0xf3, 0xc },
		{ X86_LAB_CODE64, 0, 0xfffff, 0x9b, 0xa },
		{ X86_LAB_DATA64, 0, 0xfffff, 0x93, 0xc },
		{ X86_LAB_TR, X86_LAB_TSS, 0x108, 0x8b, 0 },
		{ X86_LAB_LDTR, X86_LAB_LDT, 0xff, 0x82, 0 },
		{ X86_LAB_CODE16, 0, 0xffff, 0x9b, 0 },
		{ X86_LAB_DATA16, 0, 0xffff, 0x93, 0 },
		{ X86_LAB_TR2, X86_LAB_TSS2, 0x67, 0x89, 0 },
	};
	unsigned n;

	for (n = 0; n < ARRAY_LEN(rows); n++)
		put_le(ram + X86_LAB_GDT + (rows[n].selector & 0xfff8),
		    desc(rows[n].base, rows[n].limit, rows[n].access, rows[n].flags), 8);
	/* In the LDT: data, code and data of CPL 3. */
	put_le(ram + X86_LAB_LDT + 8, desc(0, 0xfffff, 0x93, 0xc), 8);
	put_le(ram + X86_LAB_LDT + 0x10, desc(0, 0xfffff, 0xfb, 0xc), 8);
	put_le(ram + X86_LAB_LDT + 0x18, desc(0, 0xfffff, 0xf3, 0xc), 8);
}

/* INT n may be used by all with 3, 4, and from 20H on. */
static void make_idt(uint8_t *ram, unsigned mode)
{
	unsigned n, access, selector = is_long(mode) ? X86_LAB_CODE64 : X86_LAB_CODE32;
	uint64_t at, gate;

	for (n = 0; n < 256; n++) {
		at = X86_LAB_HANDLERS + 16 * n;
		ram[at] = 0xf4;
		access = n == X86_BP || n == X86_OF || n >= 0x20 ? 0xee : 0x8e;
		gate = at | (uint64_t)selector << 16 | (uint64_t)access << 40;
		if (mode & IN_REAL)
			put_le(ram + 4 * n, at, 4);
		else
			put_le(ram + X86_LAB_IDT + (is_long(mode) ? 16 : 8) * n, gate, 8);
	}
}

/* The permission map has ports 100H to 13FH. */
static void make_tss(uint8_t *ram, unsigned mode)
{
	uint8_t *tss = ram + X86_LAB_TSS;

	if (is_long(mode)) {
		put_le(tss + 4, X86_LAB_STACK0, 8);
		put_le(tss + 0x24, X86_LAB_IST1, 8);
	} else {
		put_le(tss + 4, X86_LAB_STACK0, 4);
		put_le(tss + 8, X86_LAB_DATA32, 2);
	}
	put_le(tss + 0x66, 0x88, 2);
	memset(tss + 0x88, 0xff, 0x81);
	memset(tss + 0x88 + LAB_PORT / 8, 0, 0x40 / 8);
}

static void make_pages(uint8_t *ram, unsigned mode)
{
	const uint64_t rights = is_user(mode) ? 0x67 : 0x63, tables = 0x67;
	unsigned n;

	for (n = 0; n < 512; n++)
		put_le(ram + X86_LAB_PT + 8 * n, (uint64_t)n << 12 | rights, 8);
	for (n = 0; n < 1024; n++)
		put_le(ram + X86_LAB_PT32 + 4 * n, (uint64_t)n << 12 | rights, 4);
	put_le(ram + X86_LAB_PML5, X86_LAB_PML4 | tables, 8);
	put_le(ram + X86_LAB_PML4, X86_LAB_PDPT | tables, 8);
	put_le(ram + X86_LAB_PDPT, X86_LAB_PD | (is_long(mode) ? tables : 1), 8);
	put_le(ram + X86_LAB_PD, X86_LAB_PT | tables, 8);
	put_le(ram + X86_LAB_PD32, X86_LAB_PT32 | tables, 4);
}

static void set_paging(struct x86_regs *r, unsigned mode)
{
	if (mode & (IN_PAGE32 | IN_PAGE_USER32)) {
		r->cr3 = X86_LAB_PD32;
	} else if (mode & (IN_PAE32 | IN_PAE_USER32)) {
		r->cr3 = X86_LAB_PDPT;
		r->cr4 |= CR4_PAE;
	} else if (is_long(mode)) {
		r->cr3 = X86_LAB_PML4;
		r->cr4 |= CR4_PAE;
		r->efer |= EFER_LME | EFER_LMA | EFER_SCE;
	} else {
		return;
	}
	r->cr0 |= CR0_PG | CR0_WP;
}

static void load(const struct lab_rig *rig, struct x86_seg *seg, unsigned selector)
{
	struct x86_entry e = { 0, get_le(rig->ram + X86_LAB_GDT + (selector & 0xfff8), 8),
		(uint16_t)selector };

	*seg = x86_seg_of(&e);
}

static void set_segments(const struct lab_rig *rig, struct x86_regs *r, unsigned mode)
{
	unsigned cs, ds, n;

	for (n = 0; n < X86_NSEGS; n++)
		r->seg[n] = (struct x86_seg){ 0, 0xffff, mode & IN_VM86 ? 0xf3 : 0x93, 0 };
	if (mode & IN_REAL) {
		r->seg[X86_CS].attr = 0x9b;
		return;
	}
	load(rig, &r->tr, X86_LAB_TR);
	load(rig, &r->ldtr, X86_LAB_LDTR);
	if (mode & IN_VM86)
		return;
	cs = mode & IN_PROT16   ? X86_LAB_CODE16
	     : mode & IN_LONG   ? X86_LAB_CODE64
	     : mode & IN_USER64 ? X86_LAB_USER_CODE64
	     : is_user(mode)    ? X86_LAB_USER_CODE32
				: X86_LAB_CODE32;
	ds = mode & IN_PROT16 ? X86_LAB_DATA16
	     : mode & IN_LONG ? X86_LAB_DATA64
	     : is_user(mode)  ? X86_LAB_USER_DATA
			      : X86_LAB_DATA32;
	for (n = 0; n < X86_NSEGS; n++)
		load(rig, &r->seg[n], n == X86_CS ? cs : ds);
}

static void set_registers(struct x86_regs *r, unsigned mode, const uint32_t *features)
{
	const bool xsave = lab_x86_feature(features, X86_FEAT_XSAVE);
	const bool avx = xsave && lab_x86_feature(features, X86_FEAT_AVX);
	unsigned n;

	for (n = 0; n < 16; n++)
		r->r[n] = (n + 1) * (mode & IN_64 ? 0x0101010101010101u : 0x01010101u);
	if (!is_long(mode))
		memset(r->r + 8, 0, 8 * sizeof r->r[0]);
	r->r[X86_RSP] = X86_LAB_STACK;
	r->rip = X86_LAB_CODE;
	r->rflags = mode & IN_VM86 ? FLAG_VM | 2 : 2;
	r->cr0 = CR0_ET | CR0_NE | CR0_MP | (mode & IN_REAL ? 0 : CR0_PE);
	r->cr4 = xsave ? CR4_OSXSAVE : 0;
	if (lab_x86_feature(features, X86_FEAT_FXSR))
		r->cr4 |= CR4_OSFXSR;
	if (lab_x86_feature(features, X86_FEAT_SSE))
		r->cr4 |= CR4_OSXMMEXCPT;
	r->xcr0 = xsave ? avx ? 7 : 3 : 1;
	r->mxcsr = 0x1f80;
	r->fcw = 0x37f;
	r->fsw = r->ftw = 0;
	r->star = (uint64_t)(X86_LAB_USER_CODE32) << 48 | (uint64_t)X86_LAB_CODE64 << 32;
	r->lstar = X86_LAB_HANDLERS + 16 * 0xf0;
	r->cstar = X86_LAB_HANDLERS + 16 * 0xf1;
	r->sysenter_cs = X86_LAB_CODE32;
	r->sysenter_esp = X86_LAB_STACK0;
	r->sysenter_eip = X86_LAB_HANDLERS + 16 * 0xf2;
	for (n = 0; n < 16; n++) {
		r->v[n][0] = 0x4000000000000000u + (n + 1) * 0x0001020304050607u;
		r->v[n][1] = 0x3ff0000000000000u + (n + 1) * 0x0000111122223333u;
		r->v[n][2] = avx ? (n + 1) * 0x0102030405060708u : 0;
		r->v[n][3] = avx ? (n + 1) * 0x1111111111111111u : 0;
	}
}

void lab_x86_mode(struct lab_rig *rig, unsigned bit, const uint32_t *features)
{
	struct x86_regs *r = rig->regs;
	const unsigned mode = 1u << bit;

	make_gdt(rig->ram);
	make_idt(rig->ram, mode);
	make_tss(rig->ram, mode);
	make_pages(rig->ram, mode);
	set_registers(r, mode, features);
	set_segments(rig, r, mode);
	set_paging(r, mode);
	r->gdt = (struct x86_table){ X86_LAB_GDT, 0x1ff };
	r->idt = (struct x86_table){ X86_LAB_IDT, 0xfff };
	if (mode & IN_REAL)
		r->idt = (struct x86_table){ 0, 0x3ff };
}

/* What follows from what a case asks for: PAE's directory pointers are in registers. */
void lab_x86_begin(struct lab_rig *rig)
{
	struct x86_regs *r = rig->regs;
	unsigned n;

	if (!(r->cr4 & CR4_PAE) || r->efer & EFER_LMA || !(r->cr0 & CR0_PG))
		return;
	for (n = 0; n < 4; n++)
		r->pdpte[n] = get_le(rig->ram + (r->cr3 & 0x3ffe0) + 8 * n, 8);
}
