/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID against the CPU that it describes: instructions are undefined if and only if it does not
 * offer them, and so are bits of CR4, EFER and XCR0; sizes of saved state.  SDM volume 2, CPUID.
 * Each engine's CPU is held to its own word, and old ones are asked for, too.
 */
#include <stdio.h>
#include <string.h>

#include "lab/x86/arch.h"

static const char *const models[] = { "x86-64-v2", "x86-64-v1", "i686", "pentium", "486", NULL };

/* An instruction of a feature: its operands are registers, or RAM by ECX, or RCX. */
static const struct {
	const char *feature, *code;
	unsigned modes;
	const char *out; /* where the feature is there */
} insns[] = {
	{ "fpu", "d9e8", IN_PROT32, "" },
	{ "tsc", "0f31", IN_PROT32, "" },
	{ "msr", "b9 10000000 0f32", IN_PROT32, "" },
	{ "cx8", "0fc709", IN_PROT32, "" },
	{ "sep", "0f35", IN_USER32, "#gp" },
	{ "cmov", "0f44c1", IN_PROT32, "" },
	{ "mmx", "0f77", IN_PROT32, "" },
	{ "fxsr", "0fae01", IN_PROT32, "" },
	{ "sse", "0f57c1", IN_PROT32, "" },
	{ "sse2", "660fefc1", IN_PROT32, "" },
	{ "sse3", "f20f7cc1", IN_PROT32, "" },
	{ "pclmulqdq", "660f3a44c100", IN_PROT32, "" },
	{ "monitor", "b900000000 0f01c8", IN_PROT32, "" },
	{ "ssse3", "660f3800c1", IN_PROT32, "" },
	{ "fma", "c4e2f1b8c2", IN_PROT32, "" },
	{ "cx16", "480fc709", IN_LONG, "" },
	{ "sse4.1", "660f3817c1", IN_PROT32, "" },
	{ "sse4.2", "660f3837c1", IN_PROT32, "" },
	{ "movbe", "0f38f001", IN_PROT32, "" },
	{ "popcnt", "f30fb8c1", IN_PROT32, "" },
	{ "aes", "660f38dcc1", IN_PROT32, "" },
	{ "xsave", "0fae21", IN_PROT32, "" },
	{ "avx", "c5f057c2", IN_PROT32, "" },
	{ "f16c", "c4e27913c1", IN_PROT32, "" },
	{ "rdrand", "0fc7f0", IN_PROT32, "" },
	{ "fsgsbase", "f3480faec0", IN_LONG, "" },
	{ "bmi1", "c4e278f2c1", IN_PROT32, "" },
	{ "avx2", "c5f5fec2", IN_PROT32, "" },
	{ "bmi2", "c4e37bf0c108", IN_PROT32, "" },
	{ "invpcid", "660f388211", IN_PROT32, "#gp" },
	{ "rdseed", "0fc7f8", IN_PROT32, "" },
	{ "adx", "660f38f6c1", IN_PROT32, "" },
	{ "smap", "0f01cb", IN_PROT32, "" },
	{ "clflush", "0fae39", IN_PROT32, "" },
	{ "clflushopt", "660fae39", IN_PROT32, "" },
	{ "sha", "0f38c8c1", IN_PROT32, "" },
	{ "rdpid", "f30fc7f8", IN_PROT32, "" },
	{ "xsaveopt", "0fae31", IN_PROT32, "" },
	{ "xsavec", "0fc721", IN_PROT32, "" },
	{ "lahf-lm", "9f", IN_LONG, "" },
	{ "syscall", "0f05", IN_LONG, "?#" },
	{ "rdtscp", "0f01f9", IN_PROT32, "" },
};

/* Bits that registers take if there is a feature, and else are #GP. */
static const struct {
	const char *feature, *reg;
	uint64_t bit;
} bits[] = {
	{ "vme", "cr4", CR4_VME },
	{ "de", "cr4", CR4_DE },
	{ "pse", "cr4", CR4_PSE },
	{ "pae", "cr4", CR4_PAE },
	{ "pge", "cr4", CR4_PGE },
	{ "fxsr", "cr4", CR4_OSFXSR },
	{ "sse", "cr4", CR4_OSXMMEXCPT },
	{ "umip", "cr4", CR4_UMIP },
	{ "fsgsbase", "cr4", CR4_FSGSBASE },
	{ "xsave", "cr4", CR4_OSXSAVE },
	{ "smep", "cr4", CR4_SMEP },
	{ "smap", "cr4", CR4_SMAP },
	{ "la57", "cr4", CR4_LA57 },
	{ "nx", "efer", EFER_NXE },
	{ "lm", "efer", EFER_LME },
	{ "syscall", "efer", EFER_SCE },
	{ "avx", "xcr0", 7 },
};

static void do_one(struct lab *l, const char *name, unsigned modes, const char *code,
    const char *in, const char *out)
{
	const struct lab_case c = { name, modes, code, in, out };

	lab_do_alone(l, &c);
}

/* Names of what is done to other models begin with "as". */
static const char *as(const struct lab *l)
{
	return l->cpu ? "as " : "";
}

static const char *of(const struct lab *l)
{
	return l->cpu ? l->cpu : "CPUID";
}

static bool has(const struct lab *l, const char *feature)
{
	unsigned n;

	for (n = 0; n < 32 * LAB_FEATURES; n++)
		if (l->arch->features[n] && !strcmp(l->arch->features[n], feature))
			return l->own[n / 32] >> n % 32 & 1;
	return false;
}

static void do_insn(struct lab *l, unsigned n)
{
	const bool there = has(l, insns[n].feature);
	char name[100];

	snprintf(name, sizeof name, "%s%s %s: its instruction is %s", as(l), of(l),
	    insns[n].feature, there ? "there" : "undefined");
	do_one(l, name, insns[n].modes, insns[n].code,
	    !strcmp(insns[n].feature, "fsgsbase") && there ? "cr4.fsgsbase=1" : "rcx=data",
	    there ? insns[n].out : "#ud");
}

static void do_bit(struct lab *l, unsigned n)
{
	const bool there = has(l, bits[n].feature);
	char name[100], in[80];

	snprintf(name, sizeof name, "%s%s %s: the bit of %s is %s", as(l), of(l), bits[n].feature,
	    bits[n].reg, there ? "there" : "reserved");
	if (!strcmp(bits[n].reg, "cr4")) {
		snprintf(in, sizeof in, "rax=%x", (unsigned)bits[n].bit);
		do_one(l, name, IN_PROT32, "0f22e0", in, there ? "" : "#gp err=0");
	} else if (!strcmp(bits[n].reg, "efer")) {
		/* A machine that QEMU imitates is lost when a guest comes out with LME and without
		 * PAE; so nobody has the one without the other. */
		snprintf(in, sizeof in, "+msr rcx=c0000080 rdx=0 rax=%x%s", (unsigned)bits[n].bit,
		    there && bits[n].bit == EFER_LME ? " cr4.pae=1" : "");
		do_one(l, name, IN_PROT32, "0f30", in, there ? "" : "#gp err=0");
	} else {
		snprintf(in, sizeof in, "+xsave rcx=0 rdx=0 rax=%x", (unsigned)bits[n].bit);
		do_one(l, name, IN_PROT32, "0f01d1", in, there ? "" : "#gp err=0");
	}
}

static void tell(
    struct lab *l, const char *name, bool right, const char *fmt, uint32_t got, uint32_t want)
{
	char why[120];

	snprintf(why, sizeof why, fmt, got, want);
	lab_tell(l, name, right ? LAB_PASSED : LAB_FAILED, right ? "" : why);
}

/* Leaf DH: sizes of what is on, and of all; where the upper halves of YMM are. */
static void do_sizes(struct lab *l)
{
	uint32_t leaf0[4], one[4], two[4];
	const bool avx = has(l, "avx");

	if (!has(l, "xsave")) {
		lab_tell(l, "sizes of saved state", LAB_SKIPPED, "this CPU does not have xsave");
		return;
	}
	lab_x86_ask_cpuid(l->rig, 0xd, 0, leaf0);
	lab_x86_ask_cpuid(l->rig, 0xd, 1, one);
	lab_x86_ask_cpuid(l->rig, 0xd, 2, two);
	tell(l, "XCR0 offers x87 and SSE", (leaf0[0] & 3) == 3, "got %x, wanted %x", leaf0[0], 3);
	tell(l, "XCR0 offers AVX if CPUID does", (leaf0[0] >> 2 & 1) == avx, "got %x, wanted %x",
	    leaf0[0] >> 2 & 1, avx);
	tell(l, "the size at first", leaf0[1] == 576, "got %u, wanted %u", leaf0[1], 576);
	tell(l, "the size of all", leaf0[2] >= (avx ? 832u : 576u), "got %u, wanted %u or more",
	    leaf0[2], avx ? 832 : 576);
	if (avx) {
		tell(l, "the size of AVX", two[0] == 256, "got %u, wanted %u", two[0], 256);
		tell(l, "where AVX is", two[1] == 576, "got %u, wanted %u", two[1], 576);
	}
}

static void do_leaves(struct lab *l)
{
	uint32_t zero[4], extended[4], sizes[4];

	lab_x86_ask_cpuid(l->rig, 0, 0, zero);
	lab_x86_ask_cpuid(l->rig, 0x80000000, 0, extended);
	tell(l, "there is leaf 1", zero[0] >= 1, "got %x, wanted %x or more", zero[0], 1);
	if (!has(l, "lm"))
		return;
	lab_x86_ask_cpuid(l->rig, 0x80000008, 0, sizes);
	tell(l, "there is leaf 80000008", extended[0] >= 0x80000008, "got %x, wanted %x or more",
	    extended[0], 0x80000008);
	tell(l, "physical addresses", (sizes[0] & 0xff) >= 36 && (sizes[0] & 0xff) <= 52,
	    "got %u bits, wanted %u to 52", sizes[0] & 0xff, 36);
	tell(l, "linear addresses", (sizes[0] >> 8 & 0xff) == (has(l, "la57") ? 57u : 48u),
	    "got %u bits, wanted %u", sizes[0] >> 8 & 0xff, has(l, "la57") ? 57 : 48);
}

static const struct lab_case state[] = {
	{ "CPUID changes four registers alone", IN_KERNEL | IN_USERS | IN_REAL, "0fa2",
	    "rax=1 rflags=ad7", "rflags=ad7 ?rax ?rbx ?rcx ?rdx" },
	{ "CPUID clears upper halves", IN_64, "0fa2 48c1e820 48c1eb20 48c1e920 48c1ea20",
	    "rax=ffffffff00000000 rcx=-1 rdx=-1 rbx=-1", "rax=0 rbx=0 rcx=0 rdx=0 ?arith" },
	{ "CPUID takes eax alone", IN_64, "0fa2", "rax=ffffffff40004242 rcx=0",
	    "?rax ?rbx ?rcx ?rdx" },
	{ "OSXSAVE shows CR4's bit", IN_KERNEL, "0fa2 0fbae11b", "+xsave rax=1 cr4.osxsave=1",
	    "cf=1 ?rax ?rbx ?rcx ?rdx ?of ?sf ?af ?pf" },
	{ "OSXSAVE shows CR4's bit when it is clear", IN_KERNEL, "0fa2 0fbae11b",
	    "+xsave rax=1 cr4.osxsave=0", "cf=0 ?rax ?rbx ?rcx ?rdx ?of ?sf ?af ?pf" },
	{ "the size of saved state follows XCR0", IN_KERNEL, "0fa2", "+avx rax=d rcx=0 xcr0=3",
	    "ebx=240 ?rax ?rcx ?rdx" },
	{ "the size of saved state follows XCR0, with AVX", IN_KERNEL, "0fa2",
	    "+avx rax=d rcx=0 xcr0=7", "ebx=340 ?rax ?rcx ?rdx" },
	{ "APIC shows IA32_APIC_BASE's bit", IN_KERNEL, "0fa2 0fbae209", "rax=1 apic_base=fee00900",
	    "cf=1 ?rax ?rbx ?rcx ?rdx ?of ?sf ?af ?pf" },
	{ "APIC shows IA32_APIC_BASE's bit when it is clear", IN_KERNEL, "0fa2 0fbae209",
	    "rax=1 apic_base=fee00100", "cf=0 ?rax ?rbx ?rcx ?rdx ?of ?sf ?af ?pf" },
};

static void run(struct lab *l)
{
	unsigned n;

	for (n = 0; n < ARRAY_LEN(insns); n++)
		do_insn(l, n);
	for (n = 0; n < ARRAY_LEN(bits); n++)
		do_bit(l, n);
	do_sizes(l);
	do_leaves(l);
	if (!l->cpu)
		LAB_CASES(state);
}

const struct lab_class lab_x86_cpuid = {
	.name = "cpuid",
	.arch = "x86_64",
	.about = "CPUID against what the CPU does: instructions, bits, sizes",
	.run = run,
	.models = models,
};
