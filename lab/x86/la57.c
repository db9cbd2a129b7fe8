/* SPDX-License-Identifier: BSD-2-Clause */
/* 5-level paging, on CPUs that have it.  SDM volume 3, 4.5; Intel's white paper 335252. */
#include "lab/x86/x86.h"

#define ON "+la57 cr4.la57=1 cr3=pml5 "

static const struct lab_case cases[] = {
	{ "load", IN_64, "8b01" /* mov eax, [rcx] */, ON "rcx=data d[data]=1234", "rax=1234" },
	{ "bit 48, not present", IN_LONG, "8b01" /* mov eax, [rcx] */, ON "rcx=1000000000123",
	    "#pf err=0 cr2=1000000000123" },
	{ "bit 48, not present, with CPL 3", IN_USER64, "8b01" /* mov eax, [rcx] */,
	    ON "rcx=1000000000123", "#pf err=4 cr2=1000000000123" },
	{ "bit 48", IN_64, "8b01" /* mov eax, [rcx] */,
	    ON "rcx=1000000000000+data q[pml5+8]=pml4+67 d[data]=1234", "rax=1234" },
	{ "the upper half", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    ON "rcx=ff00000000000000+data q[pml5+800]=pml4+67 d[data]=1234", "rax=1234" },
	{ "bit 56: not canonical", IN_64, "8b01" /* mov eax, [rcx] */, ON "rcx=100000000000000",
	    "#gp err=0 at=0" },
	{ "bit 47 is canonical", IN_LONG, "8b01" /* mov eax, [rcx] */, ON "rcx=800000000000",
	    "#pf err=0 cr2=800000000000" },
	{ "bit 47 without CR4.LA57", IN_LONG, "8b01" /* mov eax, [rcx] */, "+la57 rcx=800000000000",
	    "#gp err=0 at=0" },
	{ "PML5E read-only", IN_LONG, "8901" /* mov [rcx], eax */,
	    ON "rcx=1000000000000+data q[pml5+8]=pml4+61", "#pf err=3" },
	{ "PML5E of the supervisor", IN_USER64, "8b01" /* mov eax, [rcx] */,
	    ON "rcx=1000000000000+data q[pml5+8]=pml4+63", "#pf err=5" },
	{ "PML5E no-execute", IN_LONG, "ffe1" /* jmp rcx */,
	    ON "+nx efer.nxe=1 rcx=1000000000000+code+10 q[pml5+8]=8000000000000063+pml4",
	    "#pf err=11" },
	{ "PML5E, PS", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    ON "rcx=1000000000000+data q[pml5+8]=pml4+e7", "#pf err=9" },
	{ "PML5E, A", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    ON "rcx=1000000000000+data q[pml5+8]=pml4+3", "q[pml5+8]=pml4+23" },
	{ "it cannot be switched on in long mode", IN_LONG, "0f22e0", "+la57 rax=1620",
	    "#gp err=0 at=0" },
	{ "it cannot be switched off in long mode", IN_LONG, "0f22e0", ON "rax=620",
	    "#gp err=0 at=0" },
	{ "jump to where it is canonical", IN_LONG, "ffe1" /* jmp rcx */,
	    ON "rcx=1000000000000+code+10 q[pml5+8]=pml4+67 b[code+10]=f4",
	    "?# rip=1000000000000+code+11" },
	{ "invlpg", IN_LONG, "8b01c70763b000000f01398b19" /* mov eax, [rcx]; mov dword ptr [rdi],
							     0xb063; invlpg [rcx]; mov ebx, [rcx] */
	    ,
	    ON "rcx=data rdi=pt+50 d[data]=1 d[data+1000]=2", "rax=1 rbx=2" },
};

static void run(struct lab *l)
{
	if (l->cpu)
		LAB_CASES(cases);
}

static const char *const models[] = { "x86-64-v3,+la57", NULL };

const struct lab_class lab_x86_la57 = {
	.name = "la57",
	.arch = "x86_64",
	.about = "5-level paging",
	.run = run,
	.models = models,
};
