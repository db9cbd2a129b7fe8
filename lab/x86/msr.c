/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model-specific registers: those of struct x86_regs are what RDMSR reads and WRMSR writes; values
 * that the manual forbids, and registers that there are not, are #GP.  SDM volume 4; volume
 * 3, 2.2.1 (EFER), 11.11 (MTRRs), 11.12 (PAT), 5.8.7 and 5.8.8 (SYSENTER, SYSCALL).
 */
#include <stdio.h>

#include "lab/x86/x86.h"

#define NOT_CANONICAL 0x8000000000000000u

static const struct {
	const char *reg, *needs;
	uint32_t msr;
	uint64_t good, bad; /* 0: no value is bad */
} msrs[] = {
	{ "star", "+syscall", 0xc0000081, 0x0023001000000000, 0 },
	{ "lstar", "+lm", 0xc0000082, 0xffffffff81000000, NOT_CANONICAL },
	{ "cstar", "+lm", 0xc0000083, 0xffffffff82000000, NOT_CANONICAL },
	{ "fmask", "+syscall", 0xc0000084, 0x47700, 0 },
	{ "fs.base", "+lm", 0xc0000100, 0x00007f0012345678, NOT_CANONICAL },
	{ "gs.base", "+lm", 0xc0000101, 0xffff888012345678, NOT_CANONICAL },
	{ "kernel_gs_base", "+lm", 0xc0000102, 0xffff888087654321, NOT_CANONICAL },
	{ "tsc_aux", "+rdtscp", 0xc0000103, 0x12345678, 0x100000000 },
	{ "sysenter_cs", "+sep", 0x174, 0x10, 0 },
	{ "sysenter_esp", "+sep", 0x175, 0x12345678, NOT_CANONICAL },
	{ "sysenter_eip", "+sep", 0x176, 0x87654321, NOT_CANONICAL },
	{ "pat", "+pat", 0x277, 0x0007010600070406, 0x0007040600070402 },
	{ "mtrr_def", "+mtrr", 0x2ff, 0xc06, 2 },
	{ "mtrr_fixed0", "+mtrr", 0x250, 0x0606060606060606, 0x0206060606060606 },
	{ "mtrr_fixed1", "+mtrr", 0x258, 0x0101010101010101, 0x0301010101010101 },
	{ "mtrr_fixed3", "+mtrr", 0x268, 0x0505050505050505, 0x0707070707070707 },
	{ "mtrr_fixed10", "+mtrr", 0x26f, 0x0404040404040404, 0x08 },
	{ "mtrr_var0", "+mtrr", 0x200, 0x80000006, 2 },
	{ "mtrr_var1", "+mtrr", 0x201, 0xff80000800, 0x8000000000000000 },
	{ "mtrr_var15", "+mtrr", 0x20f, 0xff80000800, 0 },
	{ "spec_ctrl", "+spec-ctrl", 0x48, 1, 0x8000000000000000 },
	{ "efer", "+syscall", 0xc0000080, 1, 0x10000 },
	{ "apic_base", "+apic", 0x1b, 0xfee00900, 0 },
};

struct words {
	char name[60], in[200], out[200];
};

static void do_case(struct lab *l, const struct words *w, const char *code, unsigned modes)
{
	const struct lab_case c = { w->name, modes, code, w->in, w->out };

	lab_do(l, &c);
}

static void do_msr(struct lab *l, unsigned n)
{
	const uint64_t good = msrs[n].good, bad = msrs[n].bad;
	/* EFER has bits that hold in 64-bit code alone. */
	const unsigned modes = msrs[n].msr == 0xc0000080 ? IN_PROT32 : IN_KERNEL;
	struct words w;

	snprintf(w.name, sizeof w.name, "%s: rdmsr", msrs[n].reg);
	snprintf(w.in, sizeof w.in, "%s rcx=%x %s=%llx", msrs[n].needs, msrs[n].msr, msrs[n].reg,
	    (unsigned long long)good);
	snprintf(w.out, sizeof w.out, "rax=%x rdx=%x", (unsigned)good, (unsigned)(good >> 32));
	do_case(l, &w, "0f32", modes);

	snprintf(w.name, sizeof w.name, "%s: wrmsr, rdmsr", msrs[n].reg);
	snprintf(w.in, sizeof w.in, "%s rcx=%x rax=%x rdx=%x", msrs[n].needs, msrs[n].msr,
	    (unsigned)good, (unsigned)(good >> 32));
	snprintf(w.out, sizeof w.out, "%s=%llx rax=%x rdx=%x", msrs[n].reg,
	    (unsigned long long)good, (unsigned)good, (unsigned)(good >> 32));
	do_case(l, &w, "0f30 31c0 31d2 0f32", modes); /* xor eax, eax; xor edx, edx between */

	if (!bad)
		return;
	snprintf(w.name, sizeof w.name, "%s: wrmsr of %llx", msrs[n].reg, (unsigned long long)bad);
	snprintf(w.in, sizeof w.in, "%s rcx=%x rax=%x rdx=%x", msrs[n].needs, msrs[n].msr,
	    (unsigned)bad, (unsigned)(bad >> 32));
	snprintf(w.out, sizeof w.out, "#gp err=0 at=0");
	do_case(l, &w, "0f30", modes);
}

static const struct lab_case others[] = {
	{ "rdmsr of none", IN_KERNEL, "0f32", "rcx=4242", "#gp err=0 at=0" },
	{ "wrmsr to none", IN_KERNEL, "0f30", "rcx=4242 rax=0 rdx=0", "#gp err=0 at=0" },
	{ "rdmsr of none, beyond", IN_KERNEL, "0f32", "rcx=c0004242", "#gp err=0 at=0" },
	{ "rdmsr takes ecx alone", IN_LONG, "0f32", "rcx=1234567800000277 pat=7040600070406",
	    "rax=70406 rdx=70406" },
	{ "rdmsr clears upper halves", IN_LONG, "0f32", "rcx=277 rax=-1 rdx=-1 pat=7040600070406",
	    "rax=70406 rdx=70406" },
	{ "rdmsr in real mode", IN_REAL, "0f32", "rcx=277 pat=7040600070406", "rax=70406" },
	{ "wrmsr to MTRRCAP", IN_KERNEL, "0f30", "+mtrr rcx=fe rax=0 rdx=0", "#gp err=0 at=0" },
	{ "rdmsr of MTRRCAP", IN_KERNEL, "0f32", "+mtrr rcx=fe", "?rax rdx=0" },
	{ "the TSC can be set", IN_KERNEL, "0f300f31" /* wrmsr; rdtsc */,
	    "+tsc rcx=10 rax=0 rdx=1234", "rdx=1234 ?rax ?tsc_adjust" },
	{ "rdmsr of the TSC", IN_KERNEL, "0f300f32" /* wrmsr; rdmsr */,
	    "+tsc rcx=10 rax=0 rdx=1234", "rdx=1234 ?rax ?tsc_adjust" },
	{ "a change of the TSC shows in TSC_ADJUST", IN_KERNEL,
	    "b93b00000031c0ba000100000f300f31c1ea08" /* mov ecx, 0x3b; xor eax, eax; mov edx, 0x100;
							wrmsr; rdtsc; shr edx, 8 */
	    ,
	    "+tsc-adjust tsc=0 tsc_adjust=0", "rdx=1 tsc_adjust=10000000000 ?rax ?arith" },
	{ "EFER.LME cannot change while paging", IN_LONG, "0f30", "rcx=c0000080 rax=1 rdx=0",
	    "#gp err=0 at=0" },
	{ "IA32_PRED_CMD", IN_KERNEL, "0f30", "+spec-ctrl rcx=49 rax=1 rdx=0", "" },
	{ "gs base by wrmsr is what gs adds", IN_LONG,
	    "0f30658b042510000000" /* wrmsr; mov eax, gs:[0x10] */,
	    "rcx=c0000101 rax=data rdx=0 d[data+10]=77", "rax=77" },
	{ "star by wrmsr is what syscall takes", IN_LONG, "0f300f05" /* wrmsr; syscall */,
	    "rcx=c0000082 rax=handler+800 rdx=0 rflags=46 fmask=0",
	    "?# rip=handler+801 r11=46 ?lstar" },
};

static void run(struct lab *l)
{
	unsigned n;

	for (n = 0; n < ARRAY_LEN(msrs); n++)
		do_msr(l, n);
	LAB_CASES(others);
}

const struct lab_class lab_x86_msr = {
	.name = "msr",
	.arch = "x86_64",
	.about = "model-specific registers: what they read, and what may be written",
	.run = run,
};
