/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses that nothing on the bus answers, with cpu_env.hole_exits: each comes out of the engine
 * once, and the instruction ends with what the answer was.
 */
#include "lab/x86/x86.h"

enum { IN_FLAT = IN_PROT32 | IN_PAGE32 | IN_PAE32 | IN_COMPAT | IN_LONG };

static const struct lab_case cases[] = {
	{ "load of a byte", IN_FLAT, "8a01" /* mov al, [ecx] */, "rcx=io rax=0",
	    "rax=5a log=R1:d0000=5a" },
	{ "load of a double word", IN_FLAT, "8b01" /* mov eax, [ecx] */, "rcx=io",
	    "rax=4f545d5a log=R4:d0000" },
	{ "load of a quad word", IN_LONG, "488b01" /* mov rax, [rcx] */, "rcx=io",
	    "rax=6b7079464f545d5a log=R8:d0000" },
	{ "load, not aligned", IN_FLAT, "8b01" /* mov eax, [ecx] */, "rcx=io+1", "rax=464f545d" },
	{ "store of a word", IN_FLAT, "668901" /* mov [ecx], ax */, "rcx=io rax=1234",
	    "log=W2:d0000=1234" },
	{ "store, then load", IN_FLAT, "89018b11" /* mov [ecx], eax; mov edx, [ecx] */,
	    "rcx=io rax=12345678", "edx=12345678 log=W4:d0000=12345678,R4:d0000=12345678" },
	{ "two stores of the same value", IN_FLAT, "88018801" /* mov [ecx], al; mov [ecx], al */,
	    "rcx=io rax=7", "log=W1:d0000=7,W1:d0000=7" },
	{ "two loads of the same byte", IN_FLAT, "8a018a11" /* mov al, [ecx]; mov dl, [ecx] */,
	    "rcx=io", "dl=5a log=R1:d0000=5a,R1:d0000=5a" },
	{ "add", IN_FLAT, "0101" /* add [ecx], eax */, "rcx=io rax=1",
	    "log=R4:d0000=4f545d5a,W4:d0000=4f545d5b" },
	{ "xchg", IN_FLAT, "8701" /* xchg [ecx], eax */, "rcx=io rax=1",
	    "rax=4f545d5a log=R4:d0000=4f545d5a,W4:d0000=1" },
	{ "push", IN_PROT32, "ff31", "rcx=io", "d[stack-4]=4f545d5a log=R4:d0000" },
	{ "rep movsb", IN_FLAT, "f3a4", "rcx=3 rsi=io rdi=data",
	    "rcx=0 d[data]=545d5a log=R1:d0000,R1:d0001,R1:d0002" },
	{ "rep stosw", IN_FLAT, "66f3ab", "rcx=2 rdi=io rax=1234",
	    "rcx=0 log=W2:d0000=1234,W2:d0002=1234" },
	{ "movsb from a device to itself", IN_FLAT, "a4", "rsi=io rdi=io+8",
	    "log=R1:d0000=5a,W1:d0008=5a" },
	{ "where nobody answers", IN_FLAT, "8b01" /* mov eax, [ecx] */, "rcx=io+4000",
	    "rax=ffffffff log=" },
	{ "with an interrupt that waits", IN_LONG, "8b01fb9090" /* mov eax, [rcx]; sti; nop; nop */,
	    "rcx=io irq=20", "#20 at=4 rax=4f545d5a log=R4:d0000,T20" },
	{ "a load and a port", IN_FLAT,
	    "ba000100008a01ee" /* mov edx, 0x100; mov al, [ecx]; out dx, al */, "rcx=io",
	    "log=R1:d0000=5a,O1:100=5a" },
	{ "with a fault behind it", IN_FLAT, "8a010f0b" /* mov al, [ecx]; ud2 */, "rcx=io",
	    "#ud at=2 log=R1:d0000" },
	{ "single step", IN_KERNEL, "8a0190" /* mov al, [ecx]; nop */, "tf=1 rcx=io",
	    "#db at=2 log=R1:d0000" },
};

static void run(struct lab *l)
{
	LAB_CASES(cases);
}

const struct lab_class lab_x86_hole = {
	.name = "hole",
	.arch = "x86_64",
	.about = "accesses that come out of the engine to be answered",
	.run = run,
	.holes = true,
};
