/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts: when they are taken, and what holds them back.  SDM volume 3, 6.3, 6.6 to 6.9 (NMIs,
 * masking, priorities), 12.8 (task priority); volume 2, STI, MOV, POP, HLT.
 */
#include "lab/x86/x86.h"

enum {
	IN_CPL0 = IN_REAL | IN_PROT16 | IN_PROT32 | IN_PAGE32 | IN_PAE32 | IN_COMPAT | IN_LONG,
	IN_FLAT0 = IN_PROT32 | IN_PAGE32 | IN_PAE32,
};

static const struct lab_case windows[] = {
	{ "pending with IF", IN_ALL, "90", "if=1 irq=20", "#20 at=0 log=T20" },
	{ "pending without IF", IN_ALL, "9090", "if=0 irq=20", "log=" },
	{ "sti shadows one instruction", IN_CPL0, "fb9090" /* sti; nop; nop */, "irq=20",
	    "#20 at=2 log=T20" },
	{ "a second sti does not", IN_CPL0, "fbfb9090" /* sti; sti; nop; nop */, "irq=20",
	    "#20 at=2" },
	{ "out raises one: sti with IF shadows nothing", IN_CPL0,
	    "b020e6e0fb90" /* mov al, 0x20; out 0xe0, al; sti; nop */, "if=1", "#20 at=4" },
	{ "sti, cli", IN_CPL0, "fbfa9090" /* sti; cli; nop; nop */, "irq=20", "log=" },
	{ "sti, hlt", IN_CPL0, "fbf490" /* sti; hlt; nop */, "irq=20", "#20 at=2" },
	{ "sti, mov to SS", IN_FLAT0, "fb8ed09090" /* sti; mov ss, eax; nop; nop */,
	    "irq=20 rax=10", "#20 at=4" },
	{ "sti, pop ss", IN_FLAT0, "fb179090" /* sti; pop ss; nop; nop */,
	    "irq=20 rsp=stack-4 d[stack-4]=10", "#20 at=3" },
	{ "sti, lss", IN_FLAT0, "fb0fb2239090" /* sti; lss esp, [ebx]; nop; nop */,
	    "irq=20 rbx=data d[data]=stack w[data+4]=10", "?# log=T20" },
	{ "a shadow of sti when the case begins", IN_CPL0, "9090", "if=1 irq=20 shadow=1",
	    "#20 at=1" },
	{ "a shadow of mov to SS when the case begins", IN_CPL0, "9090", "if=1 irq=20 shadow=2",
	    "#20 at=1" },
	{ "an NMI in the shadow of mov to SS", IN_CPL0, "9090", "nmi=1 shadow=2", "#nmi at=1" },
	{ "popf shadows nothing", IN_PROT32 | IN_PAGE32 | IN_COMPAT | IN_LONG,
	    "9d9090" /* popf; nop; nop */, "irq=20 rsp=stack-8 q[stack-8]=202", "#20 at=1" },
	{ "iret shadows nothing", IN_PROT32, "cf" /* iret */,
	    "irq=20 rsp=stack-c d[stack-c]=code+10 d[stack-8]=8 d[stack-4]=202 b[code+10]=90",
	    "#20 at=10" },
	{ "iretq shadows nothing", IN_LONG, "48cf" /* iretq */,
	    "irq=20 rsp=stack-28 q[stack-28]=code+10 q[stack-20]=38 q[stack-18]=202 "
	    "q[stack-10]=stack q[stack-8]=40 b[code+10]=90",
	    "#20 at=10" },
	{ "out raises one: it is taken behind it", IN_CPL0,
	    "b020e6e09090" /* mov al, 0x20; out 0xe0, al; nop; nop */, "if=1",
	    "#20 at=4 log=O1:e0=20,T20" },
	{ "one that comes with out waits for sti", IN_CPL0,
	    "b020e6e090fb9090" /* mov al, 0x20; out 0xe0, al; nop; sti; nop; nop */, "if=0",
	    "#20 at=7" },
	{ "one that is withdrawn", IN_CPL0,
	    "b020e6e0e6e2fb9090" /* mov al, 0x20; out 0xe0, al; out 0xe2, al; sti; nop; nop */,
	    "if=0", "log=O1:e0=20,O1:e2=20" },
	{ "the higher vector first", IN_CPL0, "90", "if=1 irq=20 irq=45", "#45 at=0 log=T45" },
	{ "then the other one", IN_PROT32, "90", "if=1 irq=20 irq=45 x[handler+450]=cf",
	    "#20 at=0 log=T45,T20" },
	{ "then the other one", IN_LONG, "90", "if=1 irq=20 irq=45 x[handler+450]=48cf",
	    "#20 at=0 log=T45,T20" },
	{ "an interrupt gate keeps others out", IN_CPL0, "90",
	    "if=1 irq=20 irq=45 x[handler+450]=9090f4", "#45 if=0 log=T45" },
	{ "a trap gate does not", IN_PROT32, "90", "if=1 irq=20 irq=45 b[idt+22d]=8f",
	    "#20 log=T45,T20 ?d[stack-18]" },
	{ "a trap gate does not", IN_LONG, "90", "if=1 irq=20 irq=45 b[idt+455]=8f",
	    "#20 log=T45,T20 ?q[stack-58]" },
	{ "from CPL 3 to the stack of CPL 0", IN_USER32, "90", "if=1 irq=20",
	    "#20 at=0 rsp=stack0-14 d[stack0-10]=1b d[stack0-8]=stack" },
	{ "from CPL 3 to the stack of CPL 0", IN_USER64, "90", "if=1 irq=20",
	    "#20 at=0 rsp=stack0-28 q[stack0-20]=2b q[stack0-10]=stack" },
	{ "a gate's DPL does not matter", IN_USER32, "90", "if=1 irq=20 b[idt+105]=8e",
	    "#20 at=0" },
	{ "a gate's DPL does not matter", IN_USER64, "90", "if=1 irq=20 b[idt+205]=8e",
	    "#20 at=0" },
	{ "a gate that is not present", IN_PROT32 | IN_USER32, "90", "if=1 irq=20 b[idt+105]=e",
	    "#np err=103 at=0 log=T20" },
	{ "a gate that is not present", IN_64, "90", "if=1 irq=20 b[idt+205]=e",
	    "#np err=103 at=0 log=T20" },
	{ "no RF in the frame", IN_PROTECTED, "90", "if=1 irq=20", "#20 frf=0" },
	{ "out raises one between iterations of rep", IN_KERNEL, "f36e" /* rep outsb */,
	    "if=1 rcx=3 rdx=e0 rsi=data x[data]=304050",
	    "#30 at=0 rcx=2 rsi=data+1 log=O1:e0=30,T30" },
	{ "rep with an interrupt that waits", IN_KERNEL, "f3a4" /* rep movsb */,
	    "irq=20 rcx=3 rsi=data rdi=data+100 x[data]=010203", "rcx=0 x[data+100]=010203" },
};

static const struct lab_case nmi[] = {
	{ "NMI", IN_ALL, "90", "nmi=1", "#nmi at=0 nmi_masked=1 nmi_pending=0" },
	{ "NMI before an interrupt", IN_ALL, "90", "nmi=1 if=1 irq=20", "#nmi at=0 log=" },
	{ "then the interrupt", IN_PROT32, "90", "nmi=1 if=1 irq=20 x[handler+20]=cf",
	    "#20 at=0 nmi_masked=0" },
	{ "then the interrupt", IN_LONG, "90", "nmi=1 if=1 irq=20 x[handler+20]=48cf",
	    "#20 at=0 nmi_masked=0" },
	{ "out raises an NMI", IN_CPL0, "e6e19090" /* out 0xe1, al; nop; nop */, "", "#nmi at=2" },
	{ "another waits in the handler", IN_CPL0, "90", "nmi=1 x[handler+20]=e6e19090f4",
	    "#nmi at=0 nmi_masked=1 nmi_pending=1" },
	{ "until iret", IN_PROT32, "90", "nmi=1 rcx=2 x[handler+20]=497402e6e1cf",
	    "rcx=0 nmi_masked=0 nmi_pending=0" },
	{ "until iret", IN_LONG, "90", "nmi=1 rcx=2 x[handler+20]=ffc97402e6e148cf",
	    "rcx=0 nmi_masked=0 nmi_pending=0" },
	{ "an interrupt in its handler leaves NMIs masked", IN_PROT32, "90",
	    "nmi=1 x[handler+20]=e6e1cd40f4 x[handler+400]=90f4",
	    "#40 nmi_masked=1 nmi_pending=1" },
	{ "iret from it does not", IN_PROT32, "90",
	    "nmi=1 rcx=2 x[handler+20]=497404e6e1cd40f4 x[handler+400]=cf",
	    "#nmi rcx=0 frip=handler+27 nmi_masked=1" },
	{ "masked when the case begins", IN_ALL, "9090", "nmi_masked=1 nmi=1",
	    "nmi_pending=1 nmi_masked=1" },
	{ "pending when the case begins", IN_ALL, "90", "nmi_pending=1", "#nmi at=0" },
	{ "pending and masked", IN_CPL0, "90", "nmi_pending=1 nmi_masked=1",
	    "nmi_pending=1 nmi_masked=1" },
	{ "NMI on an IST stack", IN_64, "90", "nmi=1 b[idt+24]=1", "#nmi rsp=ist1-28" },
};

static const struct lab_case halt[] = {
	{ "woken by an interrupt", IN_CPL0, "f490" /* hlt; nop */, "if=1 wake=20",
	    "#20 at=1 log=T20" },
	{ "not woken without IF", IN_CPL0, "f490" /* hlt; nop */, "if=0 wake=20",
	    "rip=code+1 log=" },
	{ "woken by an NMI", IN_CPL0, "f490" /* hlt; nop */, "if=0 wake=100", "#nmi at=1" },
	{ "woken twice", IN_PROT32, "f4f490" /* hlt; hlt; nop */,
	    "if=1 wake=20 wake=31 x[handler+200]=cf", "#31 at=2 log=T20,T31" },
	{ "woken twice", IN_LONG, "f4f490" /* hlt; hlt; nop */,
	    "if=1 wake=20 wake=31 x[handler+200]=48cf", "#31 at=2 log=T20,T31" },
	{ "woken by what was masked, with sti", IN_CPL0, "fbf490" /* sti; hlt; nop */, "wake=20",
	    "#20 at=2" },
	{ "halted when the case begins", IN_CPL0, "90", "halted=1 if=1 wake=20", "#20 at=0" },
	{ "halted when the case begins, and pending", IN_CPL0, "90", "halted=1 if=1 irq=20",
	    "#20 at=0" },
	{ "halted for ever", IN_CPL0, "90", "halted=1 if=0 irq=20", "rip=code" },
};

/* 12.8.3.1, 12.8.6; volume 2, MOV to control registers. */
static const struct lab_case priority[] = {
	{ "below the task priority", IN_CPL0, "90", "if=1 cr8=2 irq=2f", "log=" },
	{ "above the task priority", IN_CPL0, "90", "if=1 cr8=2 irq=30", "#30 at=0" },
	{ "of two the one above", IN_CPL0, "90", "if=1 cr8=3 irq=30 irq=41", "#41 log=T41" },
	{ "mov from cr8", IN_LONG, "440f20c0", "cr8=5", "rax=5" },
	{ "mov to cr8", IN_LONG, "440f22c0", "rax=7", "cr8=7" },
	{ "mov to cr8 of too much", IN_LONG, "440f22c0", "rax=10", "#gp err=0 at=0" },
	{ "mov to cr8 with CPL 3", IN_USER64, "440f22c0", "rax=1", "#gp err=0 at=0" },
	{ "mov from cr8 with CPL 3", IN_USER64, "440f20c0", "", "#gp err=0 at=0" },
	{ "mov to cr8 lets it in", IN_LONG, "440f22c09090", "if=1 cr8=f irq=51 rax=4",
	    "#51 at=4 cr8=4" },
	{ "mov to cr8 keeps it out", IN_LONG, "440f22c0b045e6e0fb9090", "rax=f",
	    "cr8=f log=O1:e0=45" },
	{ "an NMI is above all", IN_CPL0, "90", "cr8=f nmi=1", "#nmi" },
};

/* Devices ask for the CPU: SDM has no such thing, all engines have. */
static const struct lab_case kicks[] = {
	{ "a kick ends the run", IN_CPL0, "e6e3ebfe" /* out 0xe3, al; 1: jmp 1b */, "",
	    "end=kicked rip=code+2" },
	{ "a kick with an interrupt", IN_CPL0,
	    "b020e6e0e6e3ebfe" /* mov al, 0x20; out 0xe0, al; out 0xe3, al; 1: jmp 1b */, "",
	    "end=kicked rip=code+6 log=O1:e0=20,O1:e3=20" },
};

static void run(struct lab *l)
{
	LAB_CASES(windows);
	LAB_CASES(nmi);
	LAB_CASES(halt);
	LAB_CASES(priority);
	LAB_CASES(kicks);
}

const struct lab_class lab_x86_interrupt = {
	.name = "interrupt",
	.arch = "x86_64",
	.about = "interrupts and NMIs: when they are taken, shadows, priorities, halts",
	.run = run,
};
