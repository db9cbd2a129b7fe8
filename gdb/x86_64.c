/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86 for debuggers.  Sources: Debugging with GDB (13.1), G.5.7 (i386 features); SDM (325462-080)
 * volume 3, 4 (paging).  All modes of a CPU that has a long mode are shown in one form, that of
 * 64-bit code, so that a debugger can go from one to the other.  The pc is the linear address:
 * there breakpoints are, and there gdb looks for instructions; "ip" is what is in CS.  Left out:
 * upper halves of registers that no model has, MTRRs, the A20 gate.
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "cpu/x86/regs.h"
#include "gdb/arch.h"

enum special { PC = 1, FTAG };

#define CR0_PE   (1ull << 0)
#define CR0_PG   (1ull << 31)
#define CR4_PSE  (1ull << 4)
#define CR4_PAE  (1ull << 5)
#define CR4_LA57 (1ull << 12)
#define EFER_LMA (1ull << 10)
#define FLAG_VM  (1ull << 17)
#define ADDRESS  0x000ffffffffff000ull /* of a page, in an entry of 8 bytes */

#define REG(name, type, size, kept, member, groups)                                                \
	{                                                                                          \
		name, type, size, kept, 0, (uint32_t)offsetof(struct x86_regs, member), groups     \
	}
#define R64(name, i)             REG(name, "int64", 8, 8, r[i], X86_REGS_INT)
#define P64(name, i)             REG(name, "data_ptr", 8, 8, r[i], X86_REGS_INT)
#define R32(name, i)             REG(name, "int", 4, 8, r[i], X86_REGS_INT)
#define P32(name, i)             REG(name, "data_ptr", 4, 8, r[i], X86_REGS_INT)
#define SEG(name, i)             REG(name, "int", 4, 2, seg[i].selector, X86_REGS_SEG)
#define ST(i)                    REG("st" #i, "i387_ext", 10, 16, st[i], X86_REGS_FP)
#define FP(name, kept, member)   REG(name, "int", 4, kept, member, X86_REGS_FP)
#define XMM(i)                   REG("xmm" #i, "vec128", 16, 16, v[i][0], X86_REGS_FP)
#define YMMH(i)                  REG("ymm" #i "h", "uint128", 16, 16, v[i][2], X86_REGS_FP)
#define SYS(name, size, kept, m) REG(name, size == 8 ? "int64" : "int", size, kept, m, X86_REGS_SEG)
#define CR(name, type)           REG(#name, type, 8, 8, name, X86_REGS_SEG)
#define MSR(name)                REG(#name, "int64", 8, 8, name, X86_REGS_MSR)
#define DR(i)                    REG("dr" #i, "int64", 8, 8, dr[i], X86_REGS_DEBUG)
#define SEGS                                                                                       \
	SEG("cs", X86_CS), SEG("ss", X86_SS), SEG("ds", X86_DS), SEG("es", X86_ES),                \
	    SEG("fs", X86_FS), SEG("gs", X86_GS)
#define X87                                                                                        \
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7), FP("fctrl", 2, fcw),               \
	    FP("fstat", 2, fsw), { "ftag", "int", 4, 0, FTAG, 0, X86_REGS_FP },                    \
	    FP("fiseg", 2, fcs), FP("fioff", 8, fip), FP("foseg", 2, fds), FP("fooff", 8, fdp),    \
	    FP("fop", 2, fop)
#define EFLAGS REG("eflags", "i386_eflags", 4, 8, rflags, X86_REGS_INT)
#define MXCSR  REG("mxcsr", "i386_mxcsr", 4, 4, mxcsr, X86_REGS_FP)

static const struct gdb_reg core64[] = {
	R64("rax", X86_RAX),
	R64("rbx", X86_RBX),
	R64("rcx", X86_RCX),
	R64("rdx", X86_RDX),
	R64("rsi", X86_RSI),
	R64("rdi", X86_RDI),
	P64("rbp", X86_RBP),
	P64("rsp", X86_RSP),
	R64("r8", 8),
	R64("r9", 9),
	R64("r10", 10),
	R64("r11", 11),
	R64("r12", 12),
	R64("r13", 13),
	R64("r14", 14),
	R64("r15", 15),
	{ "rip", "code_ptr", 8, 0, PC, 0, X86_REGS_INT },
	EFLAGS,
	SEGS,
	X87,
};

static const struct gdb_reg core32[] = {
	R32("eax", X86_RAX),
	R32("ecx", X86_RCX),
	R32("edx", X86_RDX),
	R32("ebx", X86_RBX),
	P32("esp", X86_RSP),
	P32("ebp", X86_RBP),
	R32("esi", X86_RSI),
	R32("edi", X86_RDI),
	{ "eip", "code_ptr", 4, 0, PC, 0, X86_REGS_INT },
	EFLAGS,
	SEGS,
	X87,
};

static const struct gdb_reg sse64[] = {
	XMM(0),
	XMM(1),
	XMM(2),
	XMM(3),
	XMM(4),
	XMM(5),
	XMM(6),
	XMM(7),
	XMM(8),
	XMM(9),
	XMM(10),
	XMM(11),
	XMM(12),
	XMM(13),
	XMM(14),
	XMM(15),
	MXCSR,
};

static const struct gdb_reg sse32[] = {
	XMM(0),
	XMM(1),
	XMM(2),
	XMM(3),
	XMM(4),
	XMM(5),
	XMM(6),
	XMM(7),
	MXCSR,
};

static const struct gdb_reg avx[] = {
	YMMH(0),
	YMMH(1),
	YMMH(2),
	YMMH(3),
	YMMH(4),
	YMMH(5),
	YMMH(6),
	YMMH(7),
	YMMH(8),
	YMMH(9),
	YMMH(10),
	YMMH(11),
	YMMH(12),
	YMMH(13),
	YMMH(14),
	YMMH(15),
};

static const struct gdb_reg segments[] = {
	SYS("fs_base", 8, 8, seg[X86_FS].base),
	SYS("gs_base", 8, 8, seg[X86_GS].base),
};

static const struct gdb_reg sys[] = {
	MSR(kernel_gs_base),
	CR(cr0, "x86_cr0"),
	CR(cr2, "int64"),
	CR(cr3, "int64"),
	CR(cr4, "x86_cr4"),
	CR(cr8, "int64"),
	CR(efer, "x86_efer"),
	CR(xcr0, "int64"),
	REG("ip", "int64", 8, 8, rip, X86_REGS_INT),
	SYS("cs_base", 8, 8, seg[X86_CS].base),
	SYS("ss_base", 8, 8, seg[X86_SS].base),
	SYS("ds_base", 8, 8, seg[X86_DS].base),
	SYS("es_base", 8, 8, seg[X86_ES].base),
	SYS("gdtr_base", 8, 8, gdt.base),
	SYS("gdtr_limit", 4, 2, gdt.limit),
	SYS("idtr_base", 8, 8, idt.base),
	SYS("idtr_limit", 4, 2, idt.limit),
	SYS("ldtr", 4, 2, ldtr.selector),
	SYS("ldtr_base", 8, 8, ldtr.base),
	SYS("tr", 4, 2, tr.selector),
	SYS("tr_base", 8, 8, tr.base),
	DR(0),
	DR(1),
	DR(2),
	DR(3),
	DR(6),
	DR(7),
	MSR(star),
	MSR(lstar),
	MSR(cstar),
	MSR(fmask),
	MSR(sysenter_cs),
	MSR(sysenter_esp),
	MSR(sysenter_eip),
	MSR(pat),
	MSR(tsc),
	MSR(tsc_aux),
	MSR(misc_enable),
	MSR(apic_base),
};

#define BIT(name, n) "<field name=\"" name "\" start=\"" #n "\" end=\"" #n "\"/>"

static const char core_types[] = "<flags id=\"i386_eflags\" size=\"4\">" BIT("CF", 0) BIT("", 1)
    BIT("PF", 2) BIT("AF", 4) BIT("ZF", 6) BIT("SF", 7) BIT("TF", 8) BIT("IF", 9) BIT("DF", 10)
	BIT("OF", 11) BIT("NT", 14) BIT("RF", 16) BIT("VM", 17) BIT("AC", 18) BIT("VIF", 19)
	    BIT("VIP", 20) BIT("ID", 21) "</flags>\n";

static const char sse_types[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>\n"
    "<flags id=\"i386_mxcsr\" size=\"4\">" BIT("IE", 0) BIT("DE", 1) BIT("ZE", 2) BIT("OE", 3)
	BIT("UE", 4) BIT("PE", 5) BIT("DAZ", 6) BIT("IM", 7) BIT("DM", 8) BIT("ZM", 9) BIT("OM", 10)
	    BIT("UM", 11) BIT("PM", 12) BIT("FZ", 15) "</flags>\n";

static const char sys_types[] =
    "<flags id=\"x86_cr0\" size=\"8\">" BIT("PE", 0) BIT("MP", 1) BIT("EM", 2) BIT("TS", 3)
	BIT("ET", 4) BIT("NE", 5) BIT("WP", 16) BIT("AM", 18) BIT("NW", 29) BIT("CD", 30) BIT("PG",
	    31) "</flags>\n"
		"<flags id=\"x86_cr4\" size=\"8\">" BIT("VME", 0) BIT("PVI", 1) BIT("TSD", 2) BIT(
		    "DE", 3) BIT("PSE", 4) BIT("PAE", 5) BIT("MCE", 6) BIT("PGE", 7) BIT("PCE", 8)
		    BIT("OSFXSR", 9) BIT("OSXMMEXCPT", 10) BIT("UMIP", 11) BIT("LA57", 12)
			BIT("VMXE", 13) BIT("SMXE", 14) BIT("FSGSBASE", 16) BIT("PCIDE", 17)
			    BIT("OSXSAVE", 18) BIT("SMEP", 20) BIT("SMAP", 21)
				BIT("PKE", 22) "</flags>\n"
					       "<flags id=\"x86_efer\" size=\"8\">" BIT("SCE", 0)
						   BIT("LME", 8) BIT("LMA", 10)
						       BIT("NXE", 11) "</flags>\n";

static const struct gdb_feature features64[] = {
	{ "org.gnu.gdb.i386.core", core_types, core64, ARRAY_LEN(core64) },
	{ "org.gnu.gdb.i386.sse", sse_types, sse64, ARRAY_LEN(sse64) },
	{ "org.gnu.gdb.i386.segments", NULL, segments, ARRAY_LEN(segments) },
	{ "org.gnu.gdb.i386.avx", NULL, avx, ARRAY_LEN(avx) },
	{ "org.lodge.x86.system", sys_types, sys, ARRAY_LEN(sys) },
};

static const struct gdb_feature features32[] = {
	{ "org.gnu.gdb.i386.core", core_types, core32, ARRAY_LEN(core32) },
	{ "org.gnu.gdb.i386.sse", sse_types, sse32, ARRAY_LEN(sse32) },
	{ "org.gnu.gdb.i386.avx", NULL, avx, 8 },
	{ "org.lodge.x86.segments", NULL, segments, ARRAY_LEN(segments) },
	{ "org.lodge.x86.system", sys_types, sys, ARRAY_LEN(sys) },
};

enum { LONG, I386, I8086 };

static const struct gdb_layout layouts[] = {
	[LONG] = { "x86-64", "i386:x86-64", features64, ARRAY_LEN(features64), 16, 7, 6 },
	[I386] = { "i386", "i386", features32, ARRAY_LEN(features32), 8, 4, 5 },
	[I8086] = { "i8086", "i8086", features32, ARRAY_LEN(features32), 8, 4, 5 },
};

static bool is_code64(const struct x86_regs *r)
{
	return r->efer & EFER_LMA && r->seg[X86_CS].attr & X86_SEG_L;
}

/* Linear addresses of other code have 32 bits. */
static uint64_t pc(const void *regs)
{
	const struct x86_regs *r = regs;

	return is_code64(r) ? r->rip : (uint32_t)(r->rip + r->seg[X86_CS].base);
}

/* A bit a register becomes two: valid, zero, special, empty (SDM volume 1, 8.1.7). */
static uint64_t full_tags(const struct x86_regs *r)
{
	const unsigned top = r->fsw >> 11 & 7;
	uint64_t tags = 0, tag, low;
	unsigned exponent;

	for (unsigned i = 0; i < 8; i++) {
		low = r->st[(i - top) & 7][0];
		exponent = r->st[(i - top) & 7][1] & 0x7fff;
		if (!(r->ftw >> i & 1))
			tag = 3;
		else if (exponent == 0x7fff || (exponent ? !(low >> 63) : low != 0))
			tag = 2;
		else
			tag = exponent ? 0 : 1;
		tags |= tag << 2 * i;
	}
	return tags;
}

static void get(const struct gdb_reg *reg, const void *regs, uint8_t *to)
{
	put_le(to, reg->special == PC ? pc(regs) : full_tags(regs), reg->size);
}

static void put(const struct gdb_reg *reg, void *regs, const uint8_t *from)
{
	struct x86_regs *r = regs;
	const uint64_t v = get_le(from, reg->size);

	if (reg->special == PC) {
		r->rip = is_code64(r) ? v : (uint32_t)(v - r->seg[X86_CS].base);
		return;
	}
	r->ftw = 0;
	for (unsigned i = 0; i < 8; i++)
		r->ftw |= (uint8_t)((v >> 2 * i & 3) != 3) << i;
}

static unsigned fits(const void *regs)
{
	const struct x86_regs *r = regs;

	if (is_code64(r))
		return LONG;
	return r->seg[X86_CS].attr & X86_SEG_DB ? I386 : I8086;
}

static uint64_t own_page(const void *regs)
{
	const struct x86_regs *r = regs;

	return r->apic_base & 1 << 11 ? r->apic_base & ADDRESS : UINT64_MAX;
}

static void mode(const void *regs, char *text, size_t size)
{
	const struct x86_regs *r = regs;
	const char *bits = is_code64(r) ? "64" : r->seg[X86_CS].attr & X86_SEG_DB ? "32" : "16";
	const char *what = "real mode";

	if (r->cr0 & CR0_PE)
		what = r->rflags & FLAG_VM ? "virtual 8086" : "protected mode";
	if (r->efer & EFER_LMA)
		what = "long mode";
	snprintf(text, size, "%s, %s-bit, ring %u%s", what, bits,
	    r->cr0 & CR0_PE ? (r->seg[X86_SS].attr & X86_SEG_DPL) >> 5 : 0,
	    r->wait_sipi ? ", waits for SIPI"
	    : r->halted  ? ", halted"
			 : "");
}

const struct gdb_arch gdb_x86_64 = {
	.cpu = "x86_64",
	.layout = layouts,
	.nlayouts = ARRAY_LEN(layouts),
	.groups = X86_REGS_INT | X86_REGS_SEG,
	.all = X86_REGS_ALL,
	.pc = pc,
	.get = get,
	.put = put,
	.fits = fits,
	.own_page = own_page,
	.mode = mode,
};
