/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where engines may differ from the model, and why: what the manuals leave to the CPU, and what an
 * engine on hardware cannot do the same way.  Each row is for names of engines, areas, modes and
 * cases; and for registers, or "ram.ADDRESS", "events", "pieces" (the same bytes in other ones),
 * "end", "vector", and there (unless that is 0) for some bits; "shutdown" is for all that is there
 * when both have shut down, and "run" is for what is not tried there at all.  Names are patterns
 * with "*" for anything and "|" between several.
 *
 * What hosts that QEMU imitates do wrong was seen with QEMU 11.1.
 */
#include <string.h>

#include "base/compiler.h"
#include "engine/x86_host.h"
#include "lab/case.h"

enum host {
	ANY,
	IN_QEMU /* the host's own CPU is one that QEMU imitates, and it is its mistake */
};

static const char canonical[] = "QEMU takes addresses that are not canonical";
static const char limits[] = "QEMU looks neither at limits of segments nor at their types";
static const char rf[] = "QEMU sets RF in what interrupts store";
static const char x87[] = "QEMU's x87 goes on where an exception that is not masked should stop it";

static const struct {
	enum host host;
	const char *engine, *area, *mode, *name, *what;
	uint64_t bits;
	const char *why;
} rows[] = {
	/* QEMU, do_vmexit: CR0 before CR4, with the guest's EFER. */
	{ IN_QEMU, "kvm", "mmu", "*", "PG with LME, without PAE", "run", 0,
	    "QEMU loses its machine when a guest comes out with LME and without PAE" },
	{ ANY, "soft", "*", "*", "out raises*", "*", 0,
	    "compiled code looks for interrupts at its end, not behind each instruction" },
	{ ANY, "kvm", "*", "*", "*", "fip|fdp|fop", 0,
	    "AMD's CPUs keep x87 pointers only of exceptions" },
	{ ANY, "kvm", "*", "*", "*", "fcs|fds", 0, "FXSAVE64 of the host has no selectors" },
	{ ANY, "kvm", "*", "*", "*", "shutdown", 0,
	    "AMD's CPUs leave no state behind a shutdown (APM volume 2, 15.14.3)" },
	{ ANY, "kvm", "*", "real", "*", "cs.attr", 0x8,
	    "in real mode the type of CS makes no difference" },
	{ IN_QEMU, "kvm", "*", "pae*", "*", "pdpte*|ram.210*", 0x20,
	    "QEMU sets the accessed bits of PAE's four pointers" },
	{ IN_QEMU, "kvm", "interrupt|state|hole", "*", "*", "ram.*", 0x10000, rf },
	{ IN_QEMU, "kvm", "debug", "*", "out raises an interrupt*", "ram.*", 0x10000, rf },
	{ IN_QEMU, "kvm", "interrupt", "*", "no RF in the frame", "frf", 0, rf },
	{ ANY, "kvm", "cpuid", "*", "*: its instruction is undefined", "vector", 0,
	    "the host's CPU executes also what CPUID hides" },
	{ ANY, "kvm", "cpuid", "*", "*: the bit of * is reserved", "vector|err", 0,
	    "KVM lets guests have bits that CPUID hides" },
	{ IN_QEMU, "kvm", "msr", "*",
	    "*star: wrmsr of*|*.base: wrmsr of*|kernel_gs_base: wrmsr of*", "*", 0, canonical },
	{ ANY, "kvm", "msr", "*", "sysenter_e*: wrmsr of*", "*", 0,
	    "KVM keeps 32 bits of it, as AMD's CPUs do" },
	{ IN_QEMU, "kvm", "msr|seg", "*", "star by wrmsr is what syscall takes|syscall", "rflags",
	    0x8d5, "QEMU's SYSCALL clears arithmetic flags" },
	{ ANY, "kvm", "io", "*",
	    "rep insb comes to a page that is not there|insb to a read-only page*", "events", 0,
	    "KVM reads a port before it looks where that goes" },
	{ IN_QEMU, "kvm", "io", "*", "read-only", "*", 0,
	    "QEMU loads before it looks whether it may store, and KVM does the rest" },
	{ ANY, "kvm", "hole", "*", "load, not aligned", "pieces|events", 0,
	    "KVM does not take accesses apart" },
	{ IN_QEMU, "kvm", "exception", "long64|user64", "les", "*", 0,
	    "QEMU loads before it looks whether there is AVX" },
	{ IN_QEMU, "kvm", "exception|debug|seg|insn", "*",
	    "*where nothing is canonical|*that is not canonical|frame with an error code|store "
	    "across the end of what is canonical",
	    "*", 0, canonical },
	{ IN_QEMU, "kvm", "exception", "long64", "#GP without a gate is #DF", "*", 0, canonical },
	{ IN_QEMU, "kvm", "debug", "long64|user64", "a fault comes instead", "*", 0, canonical },
	{ IN_QEMU, "kvm", "exception", "*", "push to where*|load by rbp*", "*", 0,
	    "QEMU has #GP where it should be #SS" },
	{ IN_QEMU, "kvm", "exception|insn", "*",
	    "* at the end of a segment|word at the end of the stack|a handler beyond its segment's "
	    "end",
	    "*", 0, limits },
	{ IN_QEMU, "kvm", "seg", "*",
	    "store to read-only data|store to code|load *|expand-down*|fetch beyond*|an "
	    "instruction across*|jump beyond*",
	    "*", 0, limits },
	{ IN_QEMU, "kvm", "exception", "*", "invd|wbinvd", "*", 0,
	    "QEMU looks for intercepts before it looks at privileges" },
	{ IN_QEMU, "kvm", "exception|interrupt|mmu", "*",
	    "*on an IST stack|*IST for #DF|*#DF on IST|push", "ss*", 0,
	    "QEMU clears SS with each IST" },
	{ IN_QEMU, "kvm", "exception|interrupt", "*",
	    "#UD without a gate is #NP|a gate that is not present", "err|ram.*", 0x1,
	    "QEMU leaves EXT out of error codes" },
	{ ANY, "kvm", "exception|mmu", "*", "#* without a gate is #DF|*#DF on IST", "ram.*",
	    0x10000, "which RF an abort stores is not said (18.3.1.1)" },
	{ IN_QEMU, "kvm", "exception", "*", "MMX with CR0.*", "*", 0,
	    "QEMU's EMMS looks neither at TS nor at EM" },
	{ IN_QEMU, "kvm", "exception", "*", "AVX with CR0.EM", "*", 0,
	    "QEMU lets AVX depend on EM" },
	{ IN_QEMU, "kvm", "exception", "*", "#MF at *|fnstsw does not wait|fnclex|stack fault", "*",
	    0, x87 },
	{ IN_QEMU, "kvm", "exception", "*", "#XM*", "*", 0, "QEMU raises no exceptions of SSE" },
	{ IN_QEMU, "kvm", "exception|fpu", "*",
	    "ldmxcsr with a reserved bit|fxrstor with a bad MXCSR", "*", 0,
	    "QEMU takes any MXCSR" },
	{ IN_QEMU, "kvm", "exception", "user32|user64", "word|double word|quad word|store|push",
	    "*", 0, "QEMU checks no alignment" },
	{ IN_QEMU, "kvm", "fpu", "*", "#MF before MMX", "*", 0, x87 },
	{ IN_QEMU, "kvm", "fpu", "*", "fdiv, inexact|fst of a single that overflows", "fsw", 0x200,
	    "QEMU's C1 does not tell of rounding" },
	{ IN_QEMU, "kvm", "fpu", "*", "fsqrt of -1", "fsw", 0x400, "QEMU's FSQRT sets C2" },
	{ IN_QEMU, "kvm", "fpu", "*", "stack overflow|stack underflow", "*", 0,
	    "QEMU's x87 has no stack faults" },
	{ IN_QEMU, "kvm", "fpu", "*", "fnstenv|fnsave, frstor", "ram.a0*", 0xffff0000,
	    "QEMU stores zeros where CPUs store ones" },
	{ IN_QEMU, "kvm", "fpu", "*", "movd|top becomes 0|paddsb|pmaddwd", "st*", 0xffff,
	    "QEMU's MMX leaves exponents alone" },
	{ IN_QEMU, "kvm", "fpu", "prot32|user32", "vzero*",
	    "xmm8.*|xmm9.*|xmm10.*|xmm11.*|xmm12.*|xmm13.*|xmm14.*|xmm15.*", 0,
	    "QEMU clears registers that 32-bit code does not have" },
	{ IN_QEMU, "kvm", "fpu", "*", "xsave with CR0.TS", "*", 0,
	    "QEMU's XSAVE does not look at TS" },
	{ ANY, "kvm", "interrupt", "*", "sti, mov to SS|sti, pop ss", "at|ram.*", 0x7,
	    "of two that hold interrupts back only the first is sure to (volume 2, MOV)" },
	{ IN_QEMU, "kvm", "mmu|la57", "*",
	    "PTE, *|PDE*|PDPTE of *|PML4E, *|PML5E, PS|4 MiB, address bits*", "err|ram.*", 0x1,
	    "QEMU leaves P out of error codes where a bit is reserved" },
	{ IN_QEMU, "kvm", "mmu", "*", "SMAP, implicit access with AC", "*", 0,
	    "QEMU takes AC for accesses that are implicit, too" },
	{ IN_QEMU, "kvm", "mmu", "*", "cr4.pge off and on", "rdx|cr4", 0x40,
	    "QEMU does not intercept loads of CR4, which show the MCE of the host's" },
	{ IN_QEMU, "kvm", "mmu", "*", "cr3 beyond MAXPHYADDR|cr3 with bit 63 without PCID", "*", 0,
	    "QEMU takes any CR3" },
	{ IN_QEMU, "kvm", "mmu", "*", "cr0, a high bit|cr4, a high bit", "*", 0,
	    "QEMU decodes nothing for KVM, whose emulator looks at 32 bits" },
	{ IN_QEMU, "kvm", "mmu", "pae32", "PDPTE, a reserved bit", "*", 0,
	    "QEMU looks at PDPTEs only when it uses them" },
	{ IN_QEMU, "kvm", "mmu", "*", "xchg", "ram.*", 0x2,
	    "QEMU loads before it looks whether it may store" },
	{ IN_QEMU, "kvm", "seg", "*", "ds of the LDT, without one", "*", 0,
	    "QEMU looks into an LDT that is none" },
	{ IN_QEMU, "kvm", "seg", "*", "lldt", "ldtr.attr", 0,
	    "QEMU keeps the rights of an LDT that is none" },
	{ IN_QEMU, "kvm", "seg", "*", "ltr, null", "*", 0, "QEMU takes a null selector" },
	{ IN_QEMU, "kvm", "seg", "*",
	    "jmp far|jmp far to code that conforms|jmp far beyond the end", "ram.108*|cs.attr", 0,
	    "QEMU's JMP leaves the accessed bit alone" },
	{ IN_QEMU, "kvm", "seg", "*", "jmp far with L and D", "*", 0,
	    "QEMU takes such a descriptor" },
	{ IN_QEMU, "kvm", "seg", "*", "jmp to one with a bad ds|jmp to one whose T bit is set",
	    "frip|ram.*", 0x40, "QEMU faults before it has loaded EIP" },
	{ IN_QEMU, "kvm", "seg", "*", "sysret drops RF and VM", "fflags|ram.*", 0x30000,
	    "QEMU's SYSRET keeps them" },
	{ ANY, "kvm", "debug|state", "*", "a code breakpoint at the next one|single step", "dr6",
	    0xf, "which other breakpoints DR6 shows is not said (18.2.3)" },
	{ ANY, "kvm", "debug", "*", "in|out|out of four bytes that reaches into it|rep outs", "*",
	    0, "KVM looks for no breakpoints on ports" },
	{ IN_QEMU, "kvm", "debug", "*", "four bytes, address in between", "*", 0,
	    "QEMU does not round a breakpoint's address down" },
	{ IN_QEMU, "kvm", "debug", "*", "two registers", "dr6", 0x4,
	    "QEMU shows one of two breakpoints" },
	{ IN_QEMU, "kvm", "debug", "*", "rep stos stops after an iteration", "*", 0,
	    "QEMU's data breakpoints wait for the end of REP" },
	{ IN_QEMU, "kvm", "debug", "*", "rep, the last iteration", "*", 0,
	    "QEMU ends REP with one step more" },
	{ IN_QEMU, "kvm", "debug", "*", "mov to SS holds a data breakpoint back", "at|ram.*", 0x1,
	    "QEMU does not hold it back" },
};

/* A pattern without "|", of that length. */
static bool matches(const char *pattern, size_t len, const char *name)
{
	for (; len && *pattern != '*'; pattern++, len--)
		if (*pattern != *name++)
			return false;
	if (!len)
		return !*name;
	for (;; name++)
		if (matches(pattern + 1, len - 1, name))
			return true;
		else if (!*name)
			return false;
}

static bool is_like(const char *patterns, const char *name)
{
	for (size_t len; *patterns; patterns += len + (patterns[len] == '|')) {
		len = strcspn(patterns, "|");
		if (matches(patterns, len, name))
			return true;
	}
	return false;
}

static bool are_shut_down(const struct lab *l)
{
	return l->model && !strcmp(l->rig->end, "shutdown") && !strcmp(l->model->end, "shutdown");
}

static bool is_for(size_t n, const struct lab *l)
{
	return is_like(rows[n].engine, l->rig->class->name) &&
	       is_like(rows[n].area, l->area->name) &&
	       is_like(rows[n].mode, l->arch->modes[l->mode]) &&
	       is_like(rows[n].name, l->at->name) && (rows[n].host == ANY || x86_host_in_qemu());
}

const char *lab_differ_why(const struct lab *l, const struct lab_diff *d)
{
	for (size_t n = 0; n < ARRAY_LEN(rows); n++)
		if ((is_like(rows[n].what, d->what) ||
			(!strcmp(rows[n].what, "shutdown") && are_shut_down(l))) &&
		    (!rows[n].bits || !(d->bits & ~rows[n].bits)) && is_for(n, l))
			return rows[n].why;
	return NULL;
}

const char *lab_skip_why(const struct lab *l)
{
	for (size_t n = 0; n < ARRAY_LEN(rows); n++)
		if (!strcmp(rows[n].what, "run") && is_for(n, l))
			return rows[n].why;
	return NULL;
}
