/* SPDX-License-Identifier: BSD-2-Clause */
/* Control and debug registers, tables, MSRs, and what else is the system's: SDM volume 3, 2, 9.8.5,
 * 18.2; volume 4; volume 2 for each instruction. */
#include "core/intc.h"
#include "cpu/x86/debug.h"
#include "test/cpu/x86/sys_rig.h"

/* MOV to CR0, CR3, CR4 from 32-bit and 64-bit code. */
static const struct cr_case {
	const char *what;
	bool wide;
	unsigned cr;
	uint64_t set, clear; /* of what is there */
	int vector;
} crs[] = {
	{ "PG without PE", false, 0, CR0_PG, CR0_PE, X86_GP },
	{ "NW without CD", false, 0, CR0_NW, 0, X86_GP },
	{ "NW with CD", false, 0, CR0_NW | CR0_CD, 0, RIG_DONE },
	{ "reserved", false, 0, 1 << 10, 0, RIG_DONE },
	{ "upper half", true, 0, 1ull << 32, 0, X86_GP },
	{ "PG off in 64-bit code", true, 0, 0, CR0_PG, X86_GP },
	{ "WP off", true, 0, 0, CR0_WP, RIG_DONE },
	{ "beyond MAXPHYADDR", true, 3, 1ull << 40, 0, X86_GP },
	{ "within", true, 3, 1ull << 39, 0, RIG_DONE },
	{ "bit 63 without PCIDE", true, 3, 1ull << 63, 0, X86_GP },
	{ "reserved", false, 4, 1 << 13, 0, X86_GP },
	{ "reserved, high", true, 4, 1ull << 32, 0, X86_GP },
	{ "LA57 that it has not", true, 4, CR4_LA57, 0, X86_GP },
	{ "PAE off", true, 4, 0, CR4_PAE, X86_GP },
	{ "PCIDE without long mode", false, 4, CR4_PCIDE, 0, X86_GP },
	{ "PCIDE", true, 4, CR4_PCIDE, 0, RIG_DONE },
	{ "what a kernel wants", true, 4,
	    CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE |
		CR4_SMEP | CR4_SMAP | CR4_MCE | CR4_DE | CR4_TSD,
	    0, RIG_DONE },
};

static void test_crs(void **state)
{
	const struct cr_case *c;
	char hex[16];

	(void)state;
	for (c = crs; c < crs + ARRAY_LEN(crs); c++) {
		struct rig *r = rig_new(NULL);
		struct x86 *s = r->s;
		uint64_t *cr, old;
		int got;

		if (c->wide)
			rig_long(r, 0);
		else
			rig_protect(r, 0);
		cr = c->cr == 0 ? &s->cr0 : c->cr == 3 ? &s->cr3 : &s->cr4;
		old = *cr;
		s->r[X86_RAX] = (old | c->set) & ~c->clear;
		snprintf(hex, sizeof hex, "0f22%02x", 0xc0 | c->cr << 3);
		got = rig_insn(r, hex);
		if (got != c->vector)
			fail_msg("CR%u: %s: %d", c->cr, c->what, got);
		if (got >= 0)
			assert_int_equal(*cr, old);
		else if (!(c->cr == 0 && c->set == 1 << 10))
			assert_int_equal(*cr, (old | c->set) & ~c->clear);
		snprintf(hex, sizeof hex, "0f20%02x", 0xc1 | c->cr << 3); /* mov rcx, crN */
		assert_int_equal(rig_insn(r, hex), RIG_DONE);
		assert_int_equal(s->r[X86_RCX], *cr);
		rig_free(r);
	}
}

static void test_cr_access(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 3);
	assert_int_equal(rig_insn(r, "0f22c0"), X86_GP);
	assert_int_equal(rig_insn(r, "0f20c0"), X86_GP);
	assert_int_equal(rig_insn(r, "0f06"), X86_GP);     /* clts */
	assert_int_equal(rig_insn(r, "0f01f0"), X86_GP);   /* lmsw ax */
	assert_int_equal(rig_insn(r, "0f01e0"), RIG_DONE); /* smsw eax */
	assert_int_equal(s->r[X86_RAX], s->cr0);
	rig_long(r, 0);
	s->r[X86_RAX] = CR4_PCIDE | s->cr4;
	assert_int_equal(rig_insn(r, "0f22e0"), RIG_DONE);
	s->r[X86_RAX] = s->cr3 | 1ull << 63 | 5;
	assert_int_equal(rig_insn(r, "0f22d8"), RIG_DONE);
	assert_int_equal(s->cr3, RIG_PML4 | 5);
	s->cr4 &= ~CR4_PCIDE;
	s->r[X86_RAX] = CR4_PCIDE | s->cr4; /* CR3's low bits are not 0 */
	assert_int_equal(rig_insn(r, "0f22e0"), X86_GP);
	rig_protect(r, 0);
	s->cr0 = CR0_PE | CR0_ET | CR0_TS;
	assert_int_equal(rig_insn(r, "0f06"), RIG_DONE);
	assert_int_equal(s->cr0, CR0_PE | CR0_ET);
	s->r[X86_RAX] = CR0_TS | CR0_MP; /* PE stays */
	assert_int_equal(rig_insn(r, "0f01f0"), RIG_DONE);
	assert_int_equal(s->cr0, CR0_PE | CR0_ET | CR0_TS | CR0_MP);
	rig_free(r);
}

/* 9.8.5 and 9.9: from real mode to 64-bit code and back. */
static void test_modes(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 0); /* the tables */
	s->cr0 = CR0_ET;
	s->cr4 = 0;
	s->efer = 0;
	s->seg[X86_CS] = (struct x86_seg){ 0, 0xffff, 0x9b, 0 };
	s->seg[X86_SS] = s->seg[X86_DS] = (struct x86_seg){ 0, 0xffff, 0x93, 0 };
	x86_mode_changed(s);
	assert_int_equal(s->mode & (X86_PROTECTED | X86_CODE_SIZE), X86_CODE16);
	rig_put(r, 0x6000, RIG_GDT_LIMIT, 2);
	rig_put(r, 0x6002, 0x99000000 | RIG_GDT, 4);
	assert_int_equal(rig_insn(r, "0f0116 0060"), RIG_DONE); /* lgdt [0x6000]: 24 bits */
	assert_int_equal(s->gdt.base, RIG_GDT);
	assert_int_equal(s->gdt.limit, RIG_GDT_LIMIT);
	s->r[X86_RAX] = CR0_PE;
	assert_int_equal(rig_insn(r, "0f22c0"), RIG_DONE);
	assert_true(s->mode & X86_PROTECTED);
	/* CS is what it was in real mode until the far jump, whatever loaded it. */
	s->seg[X86_CS].attr = 0x93;
	x86_mode_changed(s);
	assert_int_equal(rig_insn(r, "eb00"), RIG_DONE);
	assert_int_equal(rig_insn(r, "66ea 00500000 0800"), RIG_DONE);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE32);
	s->r[X86_RAX] = CR4_PAE;
	assert_int_equal(rig_insn(r, "0f22e0"), RIG_DONE);
	s->r[X86_RAX] = RIG_PML4;
	assert_int_equal(rig_insn(r, "0f22d8"), RIG_DONE);
	s->r[X86_RCX] = 0xc0000080;
	s->r[X86_RAX] = EFER_LME | EFER_NXE;
	s->r[X86_RDX] = 0;
	assert_int_equal(rig_insn(r, "0f30"), RIG_DONE);
	assert_false(x86_is_long(s));
	s->tr.attr = (s->tr.attr & ~15u) | DESC_TSS16_BUSY; /* a 16-bit TSS will not do */
	s->r[X86_RAX] = CR0_PE | CR0_PG;
	assert_int_equal(rig_insn(r, "0f22c0"), X86_GP);
	s->tr.attr |= DESC_TSS_BUSY;
	assert_int_equal(rig_insn(r, "0f22c0"), RIG_DONE);
	assert_true(x86_is_long(s));
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE32);
	s->r[X86_RAX] = EFER_NXE; /* LME while paging */
	assert_int_equal(rig_insn(r, "0f30"), X86_GP);
	assert_int_equal(rig_insn(r, "ea 00500000 2800"), RIG_DONE);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE64);
	/* And back. */
	rig_put(r, 0x6000, RIG_CODE, 4);
	rig_put(r, 0x6004, RIG_CODE0, 2);
	assert_int_equal(rig_insn(r, "ff2c25 00600000"), RIG_DONE);
	s->r[X86_RAX] = CR0_PE;
	assert_int_equal(rig_insn(r, "0f22c0"), RIG_DONE);
	assert_false(x86_is_long(s));
	s->r[X86_RAX] = 0;
	assert_int_equal(rig_insn(r, "0f22c0"), RIG_DONE);
	assert_int_equal(rig_insn(r, "ea 34120000 0002"), RIG_DONE);
	assert_int_equal(s->seg[X86_CS].base, 0x2000);
	assert_int_equal(s->cpl, 0);
	rig_free(r);
}

static void test_tables(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 0);
	rig_put(r, 0x6000, 0x1234, 2);
	rig_put(r, 0x6002, 0x8000000000001, 8);
	assert_int_equal(rig_insn(r, "0f011c25 00600000"), X86_GP); /* lidt: not canonical */
	rig_put(r, 0x6002, 0xffff800000002000, 8);
	assert_int_equal(rig_insn(r, "0f011c25 00600000"), RIG_DONE);
	assert_int_equal(s->idt.base, 0xffff800000002000);
	assert_int_equal(rig_insn(r, "0f010c25 00610000"), RIG_DONE); /* sidt */
	assert_memory_equal(r->ram + 0x6000, r->ram + 0x6100, 10);
	/* TR and LDTR: 16 bytes here. */
	rig_gdt(r, RIG_TR, rig_desc(RIG_TSS, 0x67, ACC_TSS, 0));
	rig_gdt(r, RIG_TR + 8, 0xffff8000);
	s->r[X86_RAX] = RIG_TR;
	assert_int_equal(rig_insn(r, "0f00d8"), RIG_DONE); /* ltr ax */
	assert_int_equal(s->tr.base, 0xffff800000000000 | RIG_TSS);
	assert_int_equal(rig_get(r, RIG_GDT + RIG_TR + 5, 1), ACC_TSS | DESC_BUSY);
	assert_int_equal(rig_insn(r, "0f00d8"), X86_GP); /* busy */
	assert_int_equal(s->raised_error, RIG_TR);
	rig_gdt(r, RIG_TR + 8, 1ull << 40);
	rig_gdt(r, RIG_TR, rig_desc(RIG_TSS, 0x67, ACC_TSS, 0));
	assert_int_equal(rig_insn(r, "0f00d8"), X86_GP); /* the upper type */
	rig_gdt(r, RIG_TR + 8, 0);
	rig_gdt(r, RIG_TR, rig_desc(RIG_TSS, 0x67, ACC_TSS16, 0));
	assert_int_equal(rig_insn(r, "0f00d8"), X86_GP); /* 16-bit */
	rig_gdt(r, RIG_TR, rig_desc(RIG_TSS, 0x67, ACC_TSS & 0x7f, 0));
	assert_int_equal(rig_insn(r, "0f00d8"), X86_NP);
	s->r[X86_RAX] = 0;
	assert_int_equal(rig_insn(r, "0f00d8"), X86_GP);
	assert_int_equal(s->raised_error, 0);
	assert_int_equal(rig_insn(r, "0f00d0"), RIG_DONE); /* lldt: null */
	assert_true(s->ldtr.attr & X86_SEG_UNUSABLE);
	s->r[X86_RAX] = RIG_LDT_SEL;
	assert_int_equal(rig_insn(r, "0f00d0"), RIG_DONE);
	assert_int_equal(s->ldtr.base, RIG_LDT);
	s->r[X86_RAX] = RIG_LDT_SEL | 4;
	assert_int_equal(rig_insn(r, "0f00d0"), X86_GP);
	assert_int_equal(rig_insn(r, "0f00c1"), RIG_DONE); /* sldt ecx */
	assert_int_equal(s->r[X86_RCX], RIG_LDT_SEL);
	rig_free(r);
}

/* UMIP: five instructions that CPL 3 may not use any more. */
static void test_umip(void **state)
{
	static const char *const insns[] = { "0f010425 00600000", "0f010c25 00600000", "0f00c0",
		"0f00c8", "0f01e0" };
	struct rig *r = rig_new(NULL);
	unsigned n;

	(void)state;
	rig_long(r, 3);
	for (n = 0; n < ARRAY_LEN(insns); n++) {
		r->s->cr4 &= ~CR4_UMIP;
		assert_int_equal(rig_insn(r, insns[n]), RIG_DONE);
		r->s->cr4 |= CR4_UMIP;
		assert_int_equal(rig_insn(r, insns[n]), X86_GP);
	}
	rig_free(r);
}

/* Instructions that only CPL 0 may execute, and those that are undefined outside 64-bit code. */
static void test_privilege(void **state)
{
	static const char *const cpl0[] = { "f4", "0f08", "0f09", "0f0138", "0f32", "0f30",
		"0f01f8", "0f0110", "0f0118", "0f00d0", "0f00d8", "0f23c0", "0f21c0" };
	static const char *const only64[] = { "f3 0faec0", "f3 0faec8", "f3 0faed0", "0f01f8" };
	struct rig *r = rig_new(NULL);
	unsigned n;

	(void)state;
	rig_long(r, 3);
	for (n = 0; n < ARRAY_LEN(cpl0); n++) {
		r->s->r[X86_RAX] = 0x6000;
		if (rig_insn(r, cpl0[n]) != X86_GP || r->s->raised_error)
			fail_msg("%s", cpl0[n]);
	}
	assert_int_equal(rig_insn(r, "0f01ca"), X86_UD); /* clac */
	assert_int_equal(rig_insn(r, "0f01cb"), X86_UD);
	assert_int_equal(rig_insn(r, "f3 0faec0"), X86_UD); /* rdfsbase without CR4.FSGSBASE */
	r->s->cr4 |= CR4_FSGSBASE;
	r->s->r[X86_RAX] = 0x123456789;
	assert_int_equal(rig_insn(r, "f3 480faed0"), RIG_DONE); /* wrfsbase rax */
	assert_int_equal(rig_insn(r, "f3 480faec1"), RIG_DONE);
	assert_int_equal(r->s->r[X86_RCX], 0x123456789);
	assert_int_equal(r->s->seg_base[X86_FS], 0x123456789);
	assert_int_equal(rig_insn(r, "f3 0faed0"), RIG_DONE); /* 32 bits */
	assert_int_equal(r->s->seg_base[X86_FS], 0x23456789);
	r->s->r[X86_RAX] = 0x800000000000;
	assert_int_equal(rig_insn(r, "f3 480faed8"), X86_GP);
	rig_long(r, 0);
	r->s->kernel_gs_base = 0x7777;
	x86_set_base(r->s, X86_GS, 0x8888);
	assert_int_equal(rig_insn(r, "0f01f8"), RIG_DONE); /* swapgs */
	assert_int_equal(r->s->seg_base[X86_GS], 0x7777);
	assert_int_equal(r->s->kernel_gs_base, 0x8888);
	assert_int_equal(rig_insn(r, "0f01cb"), RIG_DONE); /* stac */
	assert_true(r->s->eflags & FLAG_AC);
	assert_int_equal(rig_insn(r, "f4"), RIG_DONE);
	assert_true(r->s->halted);
	rig_free(r);
	r = rig_new(NULL);
	rig_protect(r, 0);
	for (n = 0; n < ARRAY_LEN(only64); n++)
		assert_int_equal(rig_insn(r, only64[n]), X86_UD);
	rig_free(r);
}

/* 18.2: DR4 and DR5, GD, reserved bits. */
static void test_debug_registers(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 0);
	s->r[X86_RAX] = UINT32_MAX & ~(unsigned)DR7_GD;
	assert_int_equal(rig_insn(r, "0f23f8"), RIG_DONE); /* mov dr7, rax */
	assert_int_equal(s->dr[7], 0xffff07ff);
	assert_int_equal(rig_insn(r, "0f21e9"), RIG_DONE); /* mov rcx, dr5 */
	assert_int_equal(s->r[X86_RCX], 0xffff07ff);
	assert_int_equal(rig_insn(r, "0f23f0"), RIG_DONE); /* mov dr6, rax */
	assert_int_equal(s->dr[6], 0xffffcfff);
	s->r[X86_RAX] = 1ull << 32;
	assert_int_equal(rig_insn(r, "0f23f8"), X86_GP);
	s->cr4 |= CR4_DE;
	assert_int_equal(rig_insn(r, "0f21e9"), X86_UD);
	s->r[X86_RAX] = DR7_GD;
	assert_int_equal(rig_insn(r, "0f23f8"), RIG_DONE);
	assert_int_equal(rig_insn(r, "0f21c0"), X86_DB);
	assert_true(s->dr[6] & DR6_BD);
	assert_false(s->dr[7] & DR7_GD);
	rig_free(r);
}

/* Breakpoints: on data, with their length; on I/O; on code, unless RF. */
static void test_breakpoints(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	s->dr[0] = 0x6000;
	s->dr[1] = 0x6006;
	x86_write_dr(s, 7, 0x3 | 0xd << 16 | 0x8 | 0x7 << 20); /* 0: stores, 4; 1: accesses, 2 */
	assert_true(s->tlb == &s->tlbs[X86_CTX_SLOW]);
	assert_int_equal(rig_insn(r, "a1 00600000"), RIG_DONE); /* mov eax, [0x6000] */
	assert_int_equal(s->dr6_pending, 0);
	assert_int_equal(rig_insn(r, "a2 03600000"), RIG_DONE); /* mov [0x6003], al */
	assert_int_equal(s->dr6_pending, 1);
	s->dr6_pending = 0;
	assert_int_equal(rig_insn(r, "a0 07600000"), RIG_DONE);
	assert_int_equal(s->dr6_pending, 2);
	s->dr6_pending = 0;
	assert_int_equal(rig_insn(r, "a2 04600000"), RIG_DONE);
	assert_int_equal(rig_insn(r, "a0 08600000"), RIG_DONE);
	assert_int_equal(s->dr6_pending, 0);
	s->dr[0] = 0x6002; /* its low bits do not count */
	assert_int_equal(rig_insn(r, "a2 00600000"), RIG_DONE);
	assert_int_equal(s->dr6_pending, 1);
	s->dr6_pending = 0;
	assert_int_equal(rig_insn(r, "a2 04600000"), RIG_DONE);
	assert_int_equal(s->dr6_pending, 0);
	x86_write_dr(s, 7, 0x1 | 0x2 << 16); /* I/O, a byte */
	s->dr[0] = 0x11;
	assert_int_equal(rig_insn(r, "e5 10"), RIG_DONE); /* in eax, 0x10 */
	assert_int_equal(s->dr6_pending, 0);              /* without CR4.DE */
	s->cr4 |= CR4_DE;
	assert_int_equal(rig_insn(r, "e4 10"), RIG_DONE); /* in al, 0x10 */
	assert_int_equal(s->dr6_pending, 0);
	assert_int_equal(rig_insn(r, "e5 10"), RIG_DONE);
	assert_int_equal(s->dr6_pending, 1);
	rig_free(r);
}

static void test_code_breakpoint(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;
	volatile int raised = 0;

	(void)state;
	rig_protect(r, 0);
	s->dr[2] = RIG_CODE;
	x86_write_dr(s, 7, 1 << 4);
	assert_true(x86_watches_code(s));
	if (!setjmp(s->trap))
		x86_debug_before(s);
	else
		raised = 1;
	assert_true(raised);
	assert_int_equal(s->raised_vector, X86_DB);
	assert_int_equal(s->dr[6] & 15, 4);
	s->eflags |= FLAG_RF;
	if (setjmp(s->trap))
		fail();
	x86_debug_before(s);
	s->eflags &= ~(uint64_t)FLAG_RF;
	s->shadow = X86_SHADOW_SS;
	x86_debug_before(s); /* Intel's CPUs do not notice it behind MOV to SS */
	s->shadow = 0;
	s->rip++;
	x86_debug_before(s);
	rig_free(r);
}

/* #AC: CPL 3, CR0.AM and EFLAGS.AC. */
static void test_alignment(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 3);
	s->cr0 |= CR0_AM;
	assert_int_equal(rig_insn(r, "a1 01600000"), RIG_DONE);
	x86_set_flags(s, FLAG_AC, FLAG_AC);
	assert_true(s->tlb == &s->tlbs[X86_CTX_SLOW]);
	assert_int_equal(rig_insn(r, "a1 01600000"), X86_AC);
	assert_int_equal(s->raised_error, 0);
	assert_int_equal(rig_insn(r, "a1 04600000"), RIG_DONE);
	assert_int_equal(rig_insn(r, "a0 01600000"), RIG_DONE);
	s->cr0 &= ~CR0_AM;
	x86_mode_changed(s);
	assert_int_equal(rig_insn(r, "a1 01600000"), RIG_DONE);
	rig_free(r);
}

/* INVLPG and INVPCID: what is left in the TLB of a page, another one, and a global one. */
enum { KEEP_PAGE = 1, KEEP_OTHER = 2, KEEP_GLOBAL = 4, KEEP_ALL = 7 };

/* Maps the first 2 MiB by pages of 4 KiB: of a large page nothing would be kept. */
static void map_small(struct rig *r)
{
	enum { TABLE = 0x100000 };
	unsigned n;

	for (n = 0; n < 512; n++)
		rig_put(r, TABLE + 8 * n, n * 0x1000 | 7, 8);
	rig_put(r, RIG_PD, TABLE | 7, 8);
	x86_flush(r->s, true);
}

static void fill(struct rig *r)
{
	unsigned n;

	for (n = 1; n <= 3; n++)
		tlb_fill(&r->s->tlbs[X86_CTX_SUPER], false, n * 0x1000, r->ram + n * 0x1000, n < 3);
}

static unsigned kept(struct rig *r)
{
	unsigned n, bits = 0;

	for (n = 1; n <= 3; n++)
		if (r->s->tlbs[X86_CTX_SUPER].load[n].tag == n * 0x1000)
			bits |= 1u << (n - 1);
	return bits;
}

static void test_invalidate(void **state)
{
	static const struct {
		uint64_t type, low, high, cr4;
		int vector;
		unsigned kept;
	} cases[] = {
		{ 0, 0, 0x1000, 0, RIG_DONE, KEEP_OTHER | KEEP_GLOBAL },
		{ 0, 1, 0x1000, 0, X86_GP, KEEP_ALL },
		{ 0, 1, 0x1000, CR4_PCIDE, RIG_DONE, KEEP_OTHER | KEEP_GLOBAL },
		{ 0, 0x1000, 0x1000, CR4_PCIDE, X86_GP, KEEP_ALL },
		{ 0, 0, 0x800000000000, 0, X86_GP, KEEP_ALL },
		{ 1, 0, 0, 0, RIG_DONE, KEEP_GLOBAL },
		{ 1, 1, 0, 0, X86_GP, KEEP_ALL },
		{ 2, 0, 0, 0, RIG_DONE, 0 },
		{ 3, 0, 0, 0, RIG_DONE, KEEP_GLOBAL },
		{ 4, 0, 0, 0, X86_GP, KEEP_ALL },
	};
	struct rig *r = rig_new(NULL);
	unsigned n;

	(void)state;
	rig_long(r, 0);
	map_small(r);
	for (n = 0; n < ARRAY_LEN(cases); n++) {
		rig_put(r, 0x6000, cases[n].low, 8);
		rig_put(r, 0x6008, cases[n].high, 8);
		r->s->cr4 = (r->s->cr4 & ~CR4_PCIDE) | cases[n].cr4;
		r->s->r[X86_RAX] = cases[n].type;
		r->s->r[X86_RCX] = 0x6000;
		fill(r);
		assert_int_equal(rig_insn(r, "66 0f3882 01"), cases[n].vector);
		assert_int_equal(kept(r), cases[n].kept);
	}
	fill(r);
	r->s->r[X86_RCX] = 0x2000;
	assert_int_equal(rig_insn(r, "0f0139"), RIG_DONE); /* invlpg [rcx] */
	assert_int_equal(kept(r), KEEP_PAGE | KEEP_GLOBAL);
	/* MOV to CR3 keeps what is global, a change of CR4.PGE nothing. */
	fill(r);
	r->s->r[X86_RAX] = r->s->cr3;
	assert_int_equal(rig_insn(r, "0f22d8"), RIG_DONE);
	assert_int_equal(kept(r), KEEP_GLOBAL);
	r->s->r[X86_RAX] = r->s->cr4 ^ CR4_PGE;
	assert_int_equal(rig_insn(r, "0f22e0"), RIG_DONE);
	assert_int_equal(kept(r), 0);
	rig_free(r);
}

/* MSRs --------------------------------------------------------------------------------------- */

static const struct msr_case {
	uint32_t msr;
	uint64_t write;
	bool ok;
	uint64_t read;
	const char *model;
} msrs[] = {
	{ 0xc0000081, 0x1234567812345678, true, 0x1234567812345678, NULL },
	{ 0xc0000082, 0xffff800000000000, true, 0xffff800000000000, NULL },
	{ 0xc0000082, 0x800000000000, false, 0, NULL },
	{ 0xc0000083, 0x800000000000, false, 0, NULL },
	{ 0xc0000084, 0x47700, true, 0x47700, NULL },
	{ 0xc0000084, 1ull << 32, false, 0, NULL },
	{ 0xc0000080, 1 << 1, false, 0, NULL },
	{ 0xc0000080, 0x901, true, 0x901, NULL },
	{ 0xc0000080, 0x100, false, 0, "i686" },
	{ 0xc0000080, 1 << 11, false, 0, "x86-64-v3,-nx" },
	{ 0xc0000100, 0x800000000000, false, 0, NULL },
	{ 0xc0000101, 0x7fffffffffff, true, 0x7fffffffffff, NULL },
	{ 0xc0000102, 0x123, true, 0x123, NULL },
	{ 0xc0000103, 7, true, 7, NULL },
	{ 0xc0000103, 1ull << 32, false, 0, NULL },
	{ 0xc0000103, 7, false, 0, "x86-64-v1" },
	{ 0x174, 0x10, true, 0x10, NULL },
	{ 0x176, 0x800000000000, false, 0, NULL },
	{ 0x174, 0x10, false, 0, "pentium" },
	{ 0x277, 0x0007010600070106, true, 0x0007010600070106, NULL },
	{ 0x277, 0x0007010600070206, false, 0x0007040600070406, NULL },
	{ 0x2ff, 0xc06, true, 0xc06, NULL },
	{ 0x2ff, 0x1c06, false, 0, NULL },
	{ 0x2ff, 2, false, 0, NULL },
	{ 0x250, 0x0606060606060606, true, 0x0606060606060606, NULL },
	{ 0x26f, 0x0606060606060706, false, 0, NULL },
	{ 0x251, 0, false, 0, NULL },
	{ 0x200, 0xf000000006, true, 0xf000000006, NULL },
	{ 0x200, 0x1f000000006, false, 0, NULL },
	{ 0x200, 0x803, false, 0, NULL },
	{ 0x201, 0xffffe00800, true, 0xffffe00800, NULL },
	{ 0x201, 0xffffe00801, false, 0, NULL },
	{ 0x20f, 0x800, true, 0x800, NULL },
	{ 0x210, 0, false, 0, NULL },
	{ 0xfe, 0, false, 0x508, NULL },
	{ 0x48, 7, true, 7, NULL },
	{ 0x48, 8, false, 0, NULL },
	{ 0x48, 0x401, true, 0x401, NULL },
	{ 0x48, 0x400, false, 0, "x86-64-v3,-bhi-ctrl" },
	{ 0x48, 1, false, 0, "x86-64-v2" },
	{ 0x10a, 0, false, 0x400000000d10e17b, NULL },
	{ 0x1a0, 0, true, 0x1800, NULL },
	{ 0x8b, 0, true, 0x2800000000, NULL },
	{ 0x3b, 0x123, true, 0x123, NULL },
	{ 0xce, 0, false, 0, NULL },
	{ 0x1d9, 0, true, 0, NULL },
	{ 0x1d9, 1, false, 0, NULL },
	{ 0x3a, 1, false, 1, NULL },
	{ 0x17a, 1, false, 0, NULL },
	{ 0xc0010015, 0, true, 1 << 24, "x86-64-v3,vendor=amd" },
};

static bool write_msr(struct rig *r, uint32_t msr, uint64_t val)
{
	r->s->r[X86_RCX] = msr;
	r->s->r[X86_RAX] = (uint32_t)val;
	r->s->r[X86_RDX] = val >> 32;
	return rig_insn(r, "0f30") == RIG_DONE;
}

static bool read_msr(struct rig *r, uint32_t msr, uint64_t *val)
{
	bool ok;

	r->s->r[X86_RCX] = msr;
	ok = rig_insn(r, "0f32") == RIG_DONE;
	*val = r->s->r[X86_RDX] << 32 | (uint32_t)r->s->r[X86_RAX];
	return ok;
}

static void test_msrs(void **state)
{
	const struct msr_case *c;

	(void)state;
	for (c = msrs; c < msrs + ARRAY_LEN(msrs); c++) {
		struct rig *r = rig_new(c->model);
		uint64_t val = 0;

		rig_protect(r, 0);
		if (write_msr(r, c->msr, c->write) != c->ok)
			fail_msg("WRMSR %#x, %#llx", c->msr, (unsigned long long)c->write);
		if (read_msr(r, c->msr, &val) && val != c->read)
			fail_msg("RDMSR %#x: %#llx", c->msr, (unsigned long long)val);
		rig_free(r);
	}
}

/* Bases are canonical for the widest addresses that there may be, before CR4.LA57 is set, too. */
static void test_bases(void **state)
{
	static const uint32_t holders[] = { 0xc0000082, 0xc0000100, 0xc0000101, 0xc0000102, 0x175 };
	static const char *const models[] = { "x86-64-v3", "x86-64-v3,+la57" };
	unsigned n, m;

	(void)state;
	for (n = 0; n < 2; n++) {
		struct rig *r = rig_new(models[n]);

		rig_long(r, 0);
		for (m = 0; m < ARRAY_LEN(holders); m++) {
			assert_true(write_msr(r, holders[m], 0xffffaaaaaaaaaaaa));
			assert_int_equal(write_msr(r, holders[m], 0xffaaaaaaaaaaaaaa), n);
			assert_false(write_msr(r, holders[m], 0xaaaaaaaaaaaaaaaa));
		}
		rig_put(r, 0x6002, 0xffaaaaaaaaaaaaaa, 8);
		assert_int_equal(
		    rig_insn(r, "0f011425 00600000"), n ? RIG_DONE : X86_GP); /* lgdt */
		rig_free(r);
	}
}

/* What is not there is #GP to read, too. */
static void test_no_msr(void **state)
{
	static const uint32_t none[] = { 0x480, 0x400, 0x4b564d00, 0x11, 0x122, 0xc0010015, 0x6e0,
		0x802, 0x1b, 0x1fc, 0xffffffff };
	struct rig *r = rig_new(NULL);
	uint64_t val;
	unsigned n;

	(void)state;
	rig_protect(r, 0);
	for (n = 0; n < ARRAY_LEN(none); n++)
		if (read_msr(r, none[n], &val))
			fail_msg("%#x", none[n]);
	rig_free(r);
}

/* 18.17: the TSC, what is written to it, and TSC_ADJUST. The clock of the rig stands still. */
static void test_tsc(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;
	uint64_t val;

	(void)state;
	rig_protect(r, 0);
	assert_int_equal(x86_tsc(s), 0);
	assert_true(write_msr(r, 0x10, 1000));
	assert_true(read_msr(r, 0x3b, &val));
	assert_int_equal(val, 1000);
	assert_true(write_msr(r, 0x3b, 400));
	assert_int_equal(x86_tsc(s), 400);
	s->tsc_aux = 5;
	assert_int_equal(rig_insn(r, "0f01f9"), RIG_DONE); /* rdtscp */
	assert_int_equal(s->r[X86_RAX], 400);
	assert_int_equal(s->r[X86_RDX], 0);
	assert_int_equal(s->r[X86_RCX], 5);
	rig_protect(r, 3);
	assert_int_equal(rig_insn(r, "0f31"), RIG_DONE);
	s->cr4 |= CR4_TSD;
	assert_int_equal(rig_insn(r, "0f31"), X86_GP);
	assert_int_equal(rig_insn(r, "f3 0fc7f8"), RIG_DONE); /* rdpid eax */
	assert_int_equal(s->r[X86_RAX], 5);
	rig_free(r);
}

/* A deadline has not passed before the counter is there, whatever is rounded. */
static void test_tsc_rate(void **state)
{
	static const uint32_t khz[] = { 500000, 999999, 1000000, 2445427, 20000000 };
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	for (unsigned n = 0; n < ARRAY_LEN(khz); n++) {
		r->model.tsc_khz = khz[n];
		assert_int_equal(x86_ns_to_ticks(s, 0), 0);
		assert_int_equal(x86_ns_to_ticks(s, 1000000), khz[n]);
		assert_true(x86_ns_to_ticks(s, 86400000000000000) == 86400000000 * khz[n]);
		assert_true(x86_ticks_to_ns(s, 86400000000 * khz[n]) == 86400000000000000);
		for (uint64_t t = 1; t < 100000; t += 7) {
			uint64_t ns = x86_ticks_to_ns(s, t);

			assert_true(x86_ns_to_ticks(s, ns) >= t);
			assert_true(x86_ns_to_ticks(s, ns - 1) < t);
		}
	}
	assert_true(x86_ticks_to_ns(s, INT64_MAX) < INT64_MAX); /* nothing wraps round */
	r->model.tsc_khz = X86_TSC_KHZ_MIN;
	assert_true(x86_ticks_to_ns(s, INT64_MAX) > INT64_MAX);
	rig_free(r);
}

/* What goes to the interrupt controller. */
struct fake_intc {
	uint64_t base, deadline, x2;
	unsigned tpr;
};

static bool fake_read(void *arg, unsigned cpu, unsigned msr, uint64_t *val)
{
	struct fake_intc *f = arg;

	(void)cpu;
	*val = msr == 0x1b ? f->base : msr == 0x6e0 ? f->deadline : f->x2;
	return msr < 0x800 || f->base & APIC_BASE_X2APIC;
}

static bool fake_write(void *arg, unsigned cpu, unsigned msr, uint64_t val)
{
	struct fake_intc *f = arg;

	(void)cpu;
	*(msr == 0x1b ? &f->base : msr == 0x6e0 ? &f->deadline : &f->x2) = val;
	return msr < 0x800 || f->base & APIC_BASE_X2APIC;
}

static unsigned fake_get_tpr(void *arg, unsigned cpu)
{
	(void)cpu;
	return ((struct fake_intc *)arg)->tpr;
}

static void fake_set_tpr(void *arg, unsigned cpu, unsigned tpr)
{
	(void)cpu;
	((struct fake_intc *)arg)->tpr = tpr;
}

static int fake_take(void *arg, unsigned cpu)
{
	(void)arg;
	(void)cpu;
	return -1;
}

static void test_apic(void **state)
{
	struct fake_intc f = { .base = 0xfee00900 };
	const struct intc intc = { .arg = &f,
		.take = fake_take,
		.read_msr = fake_read,
		.write_msr = fake_write,
		.get_tpr = fake_get_tpr,
		.set_tpr = fake_set_tpr };
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;
	uint64_t val;
	uint32_t out[4];

	(void)state;
	r->env.intc = &intc;
	x86_apic_moved(s);
	assert_int_equal(s->apic_page, 0xfee00000);
	rig_long(r, 0);
	x86_cpuid(s, 1, 0, out);
	assert_true(out[3] >> 9 & 1);
	assert_true(write_msr(r, 0x1b, 0xfee00000));
	assert_int_equal(s->apic_page, UINT64_MAX);
	x86_cpuid(s, 1, 0, out);
	assert_false(out[3] >> 9 & 1);
	assert_false(read_msr(r, 0x802, &val));
	r->model.features[X86_WORD_1_ECX] ^= 1u << X86_FEAT_X2APIC % 32;
	assert_false(write_msr(r, 0x1b, 0xfee00d00)); /* x2APIC, which is not there */
	r->model.features[X86_WORD_1_ECX] ^= 1u << X86_FEAT_X2APIC % 32;
	assert_false(write_msr(r, 0x1b, 0xfee00d00 | 1ull << r->model.phys_bits));
	assert_true(write_msr(r, 0x1b, 0xfee00d00));
	assert_int_equal(s->apic_page, UINT64_MAX);
	assert_true(write_msr(r, 0x80b, 0x77));
	assert_int_equal(f.x2, 0x77);
	/* Deadlines are in TSC ticks here, in guest time there. */
	assert_true(write_msr(r, 0x10, 1000));
	assert_true(write_msr(r, 0x6e0, 1500));
	assert_int_equal(f.deadline, 500);
	assert_true(read_msr(r, 0x6e0, &val));
	assert_int_equal(val, 1500);
	assert_true(write_msr(r, 0x6e0, 10)); /* long past */
	assert_int_equal(f.deadline, 1);
	assert_true(write_msr(r, 0x6e0, 0));
	assert_int_equal(f.deadline, 0);
	s->r[X86_RAX] = 9;
	assert_int_equal(rig_insn(r, "440f22c0"), RIG_DONE); /* mov cr8, rax */
	assert_int_equal(f.tpr, 9);
	assert_int_equal(rig_insn(r, "440f20c1"), RIG_DONE);
	assert_int_equal(s->r[X86_RCX], 9);
	s->r[X86_RAX] = 16;
	assert_int_equal(rig_insn(r, "440f22c0"), X86_GP);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crs),
		cmocka_unit_test(test_cr_access),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_umip),
		cmocka_unit_test(test_privilege),
		cmocka_unit_test(test_debug_registers),
		cmocka_unit_test(test_breakpoints),
		cmocka_unit_test(test_code_breakpoint),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_invalidate),
		cmocka_unit_test(test_msrs),
		cmocka_unit_test(test_bases),
		cmocka_unit_test(test_no_msr),
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_tsc_rate),
		cmocka_unit_test(test_apic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
