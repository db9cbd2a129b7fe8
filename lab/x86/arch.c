/* SPDX-License-Identifier: BSD-2-Clause */
/* x86 for the lab: names, features, and how runs end. */
#include "lab/x86/arch.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* Names --------------------------------------------------------------------------------------- */

static const char *const modes[] = { "real", "vm86", "prot16", "prot32", "user32", "page32",
	"page-user32", "pae32", "pae-user32", "compat", "compat-user", "long64", "user64", NULL };

static const char *const needs[] = { "", "", "", "", "", "", "", "+pae", "+pae", "+lm", "+lm",
	"+lm", "+lm", NULL };

static const char *const exceptions[] = { "de", "db", "nmi", "bp", "of", "br", "ud", "nm", "df",
	"9", "ts", "np", "ss", "gp", "pf", "f", "mf", "ac", "mc", "xm", NULL };

static const struct lab_bits bits[] = {
	{ "cf", "rflags", FLAG_CF },
	{ "pf", "rflags", FLAG_PF },
	{ "af", "rflags", FLAG_AF },
	{ "zf", "rflags", FLAG_ZF },
	{ "sf", "rflags", FLAG_SF },
	{ "of", "rflags", FLAG_OF },
	{ "df", "rflags", FLAG_DF },
	{ "if", "rflags", FLAG_IF },
	{ "tf", "rflags", FLAG_TF },
	{ "rf", "rflags", FLAG_RF },
	{ "nt", "rflags", FLAG_NT },
	{ "ac", "rflags", FLAG_AC },
	{ "vm", "rflags", FLAG_VM },
	{ "vif", "rflags", FLAG_VIF },
	{ "vip", "rflags", FLAG_VIP },
	{ "iopl", "rflags", FLAG_IOPL },
	{ "arith", "rflags", FLAGS_ARITH },
	{ "lar", "rax", 0xf0ff00 },
	{ "al", "rax", 0xff },
	{ "ah", "rax", 0xff00 },
	{ "ax", "rax", 0xffff },
	{ "eax", "rax", 0xffffffff },
	{ "cl", "rcx", 0xff },
	{ "cx", "rcx", 0xffff },
	{ "ecx", "rcx", 0xffffffff },
	{ "dl", "rdx", 0xff },
	{ "dx", "rdx", 0xffff },
	{ "edx", "rdx", 0xffffffff },
	{ "bl", "rbx", 0xff },
	{ "bx", "rbx", 0xffff },
	{ "ebx", "rbx", 0xffffffff },
	{ "esp", "rsp", 0xffffffff },
	{ "esi", "rsi", 0xffffffff },
	{ "edi", "rdi", 0xffffffff },
	{ "top", "fsw", 7 << 11 },
	{ "cr0.pe", "cr0", CR0_PE },
	{ "cr0.mp", "cr0", CR0_MP },
	{ "cr0.em", "cr0", CR0_EM },
	{ "cr0.ts", "cr0", CR0_TS },
	{ "cr0.ne", "cr0", CR0_NE },
	{ "cr0.wp", "cr0", CR0_WP },
	{ "cr0.am", "cr0", CR0_AM },
	{ "cr4.vme", "cr4", CR4_VME },
	{ "cr4.pvi", "cr4", CR4_PVI },
	{ "cr4.tsd", "cr4", CR4_TSD },
	{ "cr4.de", "cr4", CR4_DE },
	{ "cr4.pse", "cr4", CR4_PSE },
	{ "cr4.pae", "cr4", CR4_PAE },
	{ "cr4.pge", "cr4", CR4_PGE },
	{ "cr4.fxsr", "cr4", CR4_OSFXSR },
	{ "cr4.xmm", "cr4", CR4_OSXMMEXCPT },
	{ "cr4.umip", "cr4", CR4_UMIP },
	{ "cr4.fsgsbase", "cr4", CR4_FSGSBASE },
	{ "cr4.pcide", "cr4", CR4_PCIDE },
	{ "cr4.osxsave", "cr4", CR4_OSXSAVE },
	{ "cr4.la57", "cr4", CR4_LA57 },
	{ "cr4.smep", "cr4", CR4_SMEP },
	{ "cr4.smap", "cr4", CR4_SMAP },
	{ "efer.sce", "efer", EFER_SCE },
	{ "efer.nxe", "efer", EFER_NXE },
	{ NULL, NULL, 0 },
};

static const struct lab_symbol symbols[] = {
	{ "gdt", X86_LAB_GDT },
	{ "idt", X86_LAB_IDT },
	{ "tss", X86_LAB_TSS },
	{ "tss2", X86_LAB_TSS2 },
	{ "ldt", X86_LAB_LDT },
	{ "code", X86_LAB_CODE },
	{ "handler", X86_LAB_HANDLERS },
	{ "data", X86_LAB_DATA },
	{ "stack", X86_LAB_STACK },
	{ "stack0", X86_LAB_STACK0 },
	{ "ist1", X86_LAB_IST1 },
	{ "pml5", X86_LAB_PML5 },
	{ "pml4", X86_LAB_PML4 },
	{ "pdpt", X86_LAB_PDPT },
	{ "pd", X86_LAB_PD },
	{ "pt", X86_LAB_PT },
	{ "pd32", X86_LAB_PD32 },
	{ "pt32", X86_LAB_PT32 },
	{ "io", LAB_IO },
	{ "port", LAB_PORT },
	{ NULL, 0 },
};

static void rename_register(const char *field, int index, char name[20])
{
	static const char *const gpr[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi" };
	static const char *const seg[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
	unsigned n;

	for (n = 0; n < ARRAY_LEN(seg); n++)
		if (!strncmp(field, "seg[X86_", 8) && !strncmp(field + 8, seg[n], 2)) {
			snprintf(name, 20, "%c%c%s", seg[n][0] | 0x20, seg[n][1] | 0x20,
			    strcmp(field + 11, ".selector") ? field + 11 : "");
			return;
		}
	if (!strcmp(field, "r") && index >= 8)
		snprintf(name, 20, "r%d", index);
	else if (!strcmp(field, "r"))
		snprintf(name, 20, "%s", gpr[index]);
	else if (!strncmp(field, "st[", 3))
		snprintf(name, 20, "st%c.%d", field[3], index);
	else if (!strncmp(field, "v[", 2))
		snprintf(name, 20, "xmm%d.%d",
		    field[3] == ']' ? field[2] - '0' : 10 + field[3] - '0', index);
	else if (!strcmp(field, "tr.selector") || !strcmp(field, "ldtr.selector"))
		snprintf(name, 20, "%.*s", (int)strcspn(field, "."), field);
	else if (index >= 0)
		snprintf(name, 20, "%.12s%u", field, (uint8_t)index);
	else
		snprintf(name, 20, "%.19s", field);
}

/* Features ------------------------------------------------------------------------------------- */

static const char *const features[32 * LAB_FEATURES] = {
#define FEATURE(symbol, name, word, bit) [X86_FEAT_##symbol] = name,
#include "cpu/x86/features.def"
};

_Static_assert((int)X86_NWORDS <= (int)LAB_FEATURES, "room for all features");

void lab_x86_ask_cpuid(struct lab_rig *rig, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	static const uint32_t none[LAB_FEATURES];
	static const uint8_t code[] = { 0x0f, 0xa2, 0xf4 }; /* cpuid; hlt */
	const struct x86_regs *r = rig->regs;
	struct x86_regs *set = rig->regs;

	lab_rig_reset(rig);
	memcpy(rig->ram + X86_LAB_CODE, code, sizeof code);
	lab_x86_mode(rig, 3, none); /* prot32 */
	set->r[X86_RAX] = leaf;
	set->r[X86_RCX] = sub;
	lab_rig_set(rig);
	lab_rig_go(rig);
	out[0] = (uint32_t)r->r[X86_RAX];
	out[1] = (uint32_t)r->r[X86_RBX];
	out[2] = (uint32_t)r->r[X86_RCX];
	out[3] = (uint32_t)r->r[X86_RDX];
}

/* SYSCALL is where Intel's CPUs have it in 64-bit code alone: with long mode there is one. */
static void probe(struct lab_rig *rig, uint32_t *to)
{
	static const struct {
		uint8_t word, reg;
		uint32_t leaf, sub;
	} rows[] = {
		{ X86_WORD_1_EDX, 3, 1, 0 },
		{ X86_WORD_1_ECX, 2, 1, 0 },
		{ X86_WORD_6_EAX, 0, 6, 0 },
		{ X86_WORD_7_EBX, 1, 7, 0 },
		{ X86_WORD_7_ECX, 2, 7, 0 },
		{ X86_WORD_7_EDX, 3, 7, 0 },
		{ X86_WORD_72_EDX, 3, 7, 2 },
		{ X86_WORD_D_EAX, 0, 0xd, 1 },
		{ X86_WORD_EXT1_ECX, 2, 0x80000001, 0 },
		{ X86_WORD_EXT1_EDX, 3, 0x80000001, 0 },
		{ X86_WORD_EXT7_EDX, 3, 0x80000007, 0 },
	};
	uint32_t max[4], max_extended[4], out[4];
	unsigned n;

	lab_x86_ask_cpuid(rig, 0, 0, max);
	lab_x86_ask_cpuid(rig, 0x80000000, 0, max_extended);
	for (n = 0; n < ARRAY_LEN(rows); n++) {
		if (rows[n].leaf > (rows[n].leaf >> 31 ? max_extended : max)[0])
			continue;
		lab_x86_ask_cpuid(rig, rows[n].leaf, rows[n].sub, out);
		to[rows[n].word] = out[rows[n].reg];
	}
	if (lab_x86_feature(to, X86_FEAT_LM))
		to[X86_WORD_EXT1_EDX] |= 1u << X86_FEAT_SYSCALL % 32;
}

/* Ends ---------------------------------------------------------------------------------------- */

static bool has_error_code(int vector)
{
	return vector == X86_DF || (vector >= X86_TS && vector <= X86_PF) || vector == X86_AC;
}

static bool in_handler(const struct x86_regs *r, int *vector)
{
	uint64_t at = r->rip + r->seg[X86_CS].base - 1;

	if (at < X86_LAB_HANDLERS || at >= X86_LAB_HANDLERS + 16 * 256)
		return false;
	*vector = (int)(at - X86_LAB_HANDLERS) / 16;
	return true;
}

/* Where the n-th word of the handler's frame is, behind an error code. */
static uint64_t frame_at(const struct lab_rig *rig, int vector, unsigned n, unsigned *size)
{
	const struct x86_regs *r = rig->regs;
	const bool real = !(r->cr0 & CR0_PE);
	const uint64_t at = r->r[X86_RSP] + r->seg[X86_SS].base;

	*size = r->efer & EFER_LMA ? 8 : real ? 2 : 4;
	return at + (n + (!real && has_error_code(vector))) * *size;
}

static uint64_t frame(const struct lab_rig *rig, int vector, unsigned n)
{
	unsigned size;
	const uint64_t at = frame_at(rig, vector, n, &size);

	return at < LAB_RAM - 8 ? get_le(rig->ram + at, size) : 0;
}

static int find_vector(const struct lab_rig *rig)
{
	const struct x86_regs *r = rig->regs;
	uint64_t at;
	int vector;

	if (!in_handler(r, &vector))
		return r->halted && r->rip ? LAB_DONE : LAB_LOST;
	/* With CPL 3 the HLT behind the code is a #GP. */
	at = frame(rig, vector, 0);
	if (vector == X86_GP && at >= X86_LAB_CODE && at < X86_LAB_HANDLERS &&
	    rig->ram[at] == 0xf4 && frame(rig, vector, 1) & 3)
		return LAB_DONE;
	if (vector == X86_GP && at >= X86_LAB_CODE && at < X86_LAB_HANDLERS &&
	    rig->ram[at] == 0xf4 && r->cr0 & CR0_PE && frame(rig, vector, 2) & FLAG_VM)
		return LAB_DONE;
	return vector;
}

/* With CPL 3 the code ends in #GP. */
static void left(struct lab_rig *rig)
{
	struct x86_regs *r = rig->left;
	int vector;

	memcpy(rig->left, rig->regs, sizeof *r);
	if (!in_handler(r, &vector) || find_vector(rig) != LAB_DONE)
		return;
	r->rip = frame(rig, vector, 0) + 1;
	r->seg[X86_CS].selector = (uint16_t)frame(rig, vector, 1);
	r->rflags = frame(rig, vector, 2) & ~(uint64_t)FLAG_RF;
	r->r[X86_RSP] = frame(rig, vector, 3);
	r->seg[X86_SS].selector = (uint16_t)frame(rig, vector, 4);
}

/* With CPL 3 the flags are in the last handler's frame, too. */
static void mask_ram(struct lab_rig *rig, const uint8_t *care)
{
	int vector;
	unsigned size;
	uint64_t at;

	if (!in_handler(rig->regs, &vector) || find_vector(rig) != LAB_DONE)
		return;
	at = frame_at(rig, vector, 2, &size);
	for (unsigned n = 0; n < size && at < LAB_RAM - 8; n++)
		rig->ram[at + n] &= care[offsetof(struct x86_regs, rflags) + n];
}

/* err: the error code; at: how far from the code's start the frame's RIP is; frip, fcs, fflags,
 * frsp, fss: the frame; frf: RF in it. */
static bool get(const struct lab_rig *rig, const char *name, uint64_t *val)
{
	static const char *const words[] = { "frip", "fcs", "fflags", "frsp", "fss" };
	const struct x86_regs *r = rig->regs;
	unsigned n;
	int vector = -1;

	in_handler(r, &vector);
	for (n = 0; n < ARRAY_LEN(words); n++)
		if (!strcmp(name, words[n])) {
			*val = frame(rig, vector, n);
			return true;
		}
	if (!strcmp(name, "at"))
		*val = frame(rig, vector, 0) - X86_LAB_CODE;
	else if (!strcmp(name, "frf"))
		*val = frame(rig, vector, 2) >> 16 & 1;
	else if (!strcmp(name, "err"))
		*val = has_error_code(vector)
			   ? get_le(rig->ram + (r->r[X86_RSP] & (LAB_RAM - 4)), 4)
			   : UINT64_MAX;
	else
		return false;
	return true;
}

/* What is in a segment that cannot be used is nobody's; time goes on. */
static void settle_segment(struct x86_seg *s)
{
	if (s->attr & X86_SEG_UNUSABLE)
		*s = (struct x86_seg){ .attr = X86_SEG_UNUSABLE, .selector = s->selector };
}

static void settle(void *regs)
{
	struct x86_regs *r = regs;
	unsigned n;

	for (n = 0; n < X86_NSEGS; n++)
		settle_segment(&r->seg[n]);
	settle_segment(&r->ldtr);
	settle_segment(&r->tr);
	r->tsc = 0;
	if (!(r->cr4 & CR4_PAE) || r->efer & EFER_LMA || !(r->cr0 & CR0_PG))
		memset(r->pdpte, 0, sizeof r->pdpte);
}

const struct lab_arch lab_arch_x86_64 = {
	.name = "x86_64",
	.modes = modes,
	.needs = needs,
	.stop = "f4",
	.code_at = X86_LAB_CODE,
	.bits = bits,
	.symbols = symbols,
	.features = features,
	.probe = probe,
	.mode = lab_x86_mode,
	.begin = lab_x86_begin,
	.rename = rename_register,
	.get = get,
	.left = left,
	.mask_ram = mask_ram,
	.vector = find_vector,
	.exceptions = exceptions,
	.settle = settle,
};
