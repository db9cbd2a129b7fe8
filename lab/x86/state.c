/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What engines and machines do to a CPU from outside: its state read back as it was set, before and
 * after it has run; reset; kicks and interrupts of other threads.  SDM volume 3, 10.1.1 (reset).
 */
#include <stdio.h>
#include <string.h>

#include "lab/x86/arch.h"

/* Every register with another value: what goes wrong with one is seen. */
static void fill(struct x86_regs *r)
{
	unsigned n, k;

	for (n = 0; n < 4; n++)
		r->dr[n] = 0x1000 + n * 0x111;
	r->dr[6] = 0xffff0ff0 | 5;
	r->dr[7] = 0x400;
	r->fcw = 0x27f;
	r->fsw = 0x2800;
	r->ftw = 0xe0;
	r->mxcsr = 0x1fa0;
	for (n = 0; n < 8; n++) {
		r->st[n][0] = 0x8000000000000000 | n << 8;
		r->st[n][1] = 0x3ff0 + n;
	}
	for (n = 0; n < 16; n++)
		for (k = 0; k < 2; k++)
			r->v[n][k] = 0x0111111111111111u * (n + 1) + k;
	r->cr2 = 0x12345678;
	r->cr8 = 5;
	r->tsc_aux = 7;
	r->kernel_gs_base = 0xffff888000001000;
	r->sysenter_cs = 0x10;
	r->pat = 0x0007040600070406;
}

/* Without what time and nobody's segments do. */
static void compare(struct lab *l, const struct x86_regs *want)
{
	struct x86_regs a = *want, b;
	unsigned n;

	l->ndiffs = 0;
	memcpy(&b, l->rig->regs, sizeof b);
	l->arch->settle(&a);
	l->arch->settle(&b);
	for (n = 0; n < l->nregs; n++) {
		const struct lab_reg *r = &l->reg[n];
		uint64_t x = 0, y = 0;

		memcpy(&x, (const char *)&b + r->at, r->size);
		memcpy(&y, (const char *)&a + r->at, r->size);
		if (x != y)
			lab_differs_from(l, r->name, NULL, x, "was set to", y);
	}
}

static void do_mode(struct lab *l, unsigned mode)
{
	static const struct lab_case set = { "state is read back as it was set", 0, "", "", "" };
	static const struct lab_case ran = { "state after an instruction", 0, "90", "", "" };
	struct lab_rig *r = l->rig;
	struct x86_regs want, *regs = r->regs;
	char what[32];

	l->mode = mode;
	if (!lab_has(l, l->arch->needs[mode], what))
		return;
	lab_rig_reset(r);
	l->arch->mode(r, mode, l->own);
	memcpy(r->ram + X86_LAB_CODE, "\x90\xf4", 2);
	fill(regs);
	l->arch->begin(r);
	want = *regs;
	lab_rig_set(r);
	memcpy(regs, r->start, sizeof *regs);
	l->at = &set;
	compare(l, &want);
	lab_conclude(l);

	if (want.seg[X86_CS].attr & X86_SEG_DPL)
		return; /* HLT is not allowed */
	lab_rig_go(r);
	want.rip = X86_LAB_CODE + 2;
	want.halted = 1;
	l->at = &ran;
	compare(l, &want);
	lab_conclude(l);
}

/* Registers that say what a CPU is doing, in the middle of it. */
static const struct lab_case middle[] = {
	{ "RSP and others of 64 bits", IN_LONG, "", "r15=123456789abcdef0 r8=8",
	    "r15=123456789abcdef0 r8=8" },
	{ "a segment that memory does not have", IN_PROT32, "8b01",
	    "rcx=10 ds=1230 ds.base=data ds.limit=fff ds.attr=93 d[data+10]=55", "rax=55 ds=1230" },
	{ "CS that memory does not have", IN_PROT32, "90", "cs=1230 cs.base=1000 rip=code-1000",
	    "rip=code-1000+2 cs=1230" },
	{ "a stack that memory does not have", IN_PROT32, "50",
	    "ss=1230 ss.base=data rsp=100 rax=7", "d[data+fc]=7 rsp=fc" },
	{ "CPL is in SS and CS", IN_USERS, "fa", "", "#gp err=0 at=0" },
	{ "big real mode", IN_REAL, "678b01", "rcx=20000 ds.limit=ffffffff w[20000]=1234",
	    "ax=1234" },
	{ "real mode with a base of its own", IN_REAL, "90", "cs=f000 cs.base=1000 rip=code-1000",
	    "rip=code-1000+2" },
	{ "page tables at once", IN_LONG, "8b01", "rcx=data q[pt+50]=data+1063 d[data+1000]=99",
	    "rax=99" },
	{ "GDT and IDT elsewhere", IN_PROT32, "0f0b",
	    "idt.base=30000 w[30030]=9080 w[30032]=8 w[30034]=8e00 w[30036]=0 b[9080]=f4", "#8" },
	{ "a debug register", IN_KERNEL, "9090", "dr1=code+1 dr7=404", "#db at=1" },
	{ "the FPU's stack", IN_32_64, "dd19" /* fstp qword ptr [ecx] */,
	    "rcx=data fsw=3000 ftw=40 st0.0=8000000000000000 st0.1=3fff",
	    "q[data]=3ff0000000000000 top=7 ?fip ?fdp ?fop ?fcs ?fds" },
	{ "XMM registers", IN_32_64, "0f1129" /* movups [ecx], xmm5 */,
	    "rcx=data xmm5.0=1 xmm5.1=2", "q[data]=1 q[data+8]=2" },
	{ "YMM registers", IN_64, "c57c1121" /* vmovups [rcx], ymm12 */, "+avx rcx=data xmm12.3=7",
	    "q[data+18]=7" },
	{ "MXCSR", IN_32_64, "0fae19" /* stmxcsr [ecx] */, "rcx=data mxcsr=7f80", "d[data]=7f80" },
	{ "CR2", IN_KERNEL, "0f20d0" /* mov eax, cr2 */, "cr2=12345678", "rax=12345678" },
	{ "CR0.TS", IN_KERNEL, "d9e8", "cr0.ts=1", "#nm at=0" },
	{ "halted, woken by an NMI", IN_KERNEL, "90", "halted=1 nmi=1", "#nmi at=0" },
	{ "halted, with shadow", IN_KERNEL, "90", "halted=1 if=1 irq=20", "#20 at=0" },
	{ "NMI that waits, and shadow", IN_KERNEL, "9090", "nmi_pending=1 shadow=2", "#nmi at=1" },
	{ "single step", IN_KERNEL | IN_USERS, "9090", "tf=1", "#db at=1" },
	{ "direction", IN_KERNEL, "a4", "df=1 rsi=data rdi=data+8", "rsi=data-1" },
	{ "the TSC", IN_KERNEL, "0f31", "+tsc tsc=123400000000", "edx=1234 ?rax" },
};

static void do_reset(struct lab *l)
{
	static const struct lab_case at_reset = { "reset", 0, "", "", "" };
	const struct x86_regs *r = l->rig->reset;

	l->mode = 0;
	l->at = &at_reset;
	l->ndiffs = 0;
	lab_rig_reset(l->rig);
	if (r->rip != 0xfff0 || r->seg[X86_CS].base != 0xffff0000 ||
	    r->seg[X86_CS].selector != 0xf000)
		lab_differs(l, "rip",
		    "starts at %x:%llx with base %llx, manual f000:fff0, ffff0000",
		    r->seg[X86_CS].selector, (unsigned long long)r->rip,
		    (unsigned long long)r->seg[X86_CS].base);
	if (r->cr0 != (CR0_CD | CR0_NW | CR0_ET))
		lab_differs(l, "cr0", "cr0: got %llx, manual 60000010", (unsigned long long)r->cr0);
	if (r->cr4 || r->efer || r->cr3)
		lab_differs(l, "cr4", "cr3, cr4 or EFER is not 0");
	if (r->rflags != 2)
		lab_differs(
		    l, "rflags", "rflags: got %llx, manual 2", (unsigned long long)r->rflags);
	if (r->dr[6] != 0xffff0ff0 || r->dr[7] != 0x400)
		lab_differs(l, "dr7", "dr6, dr7: got %llx, %llx, manual ffff0ff0, 400",
		    (unsigned long long)r->dr[6], (unsigned long long)r->dr[7]);
	if (r->mxcsr != 0x1f80 || r->fcw != 0x40)
		lab_differs(
		    l, "mxcsr", "mxcsr, fcw: got %x, %x, manual 1f80, 40", r->mxcsr, r->fcw);
	if (r->idt.base || r->idt.limit != 0xffff || r->gdt.limit != 0xffff)
		lab_differs(l, "idt", "idt or gdt is not at 0 with limit ffff");
	if (r->halted || r->wait_sipi || r->nmi_pending || r->shadow)
		lab_differs(l, "halted", "it waits for something");
	lab_conclude(l);
}

/* Other threads -------------------------------------------------------------------------------- */

enum { DELAY_NS = 3000000 };

struct other {
	struct lab_rig *rig;
	bool interrupts; /* else it kicks */
	struct mutex lock;
	struct cond never;
};

static void *act(void *arg)
{
	struct other *o = arg;

	mutex_lock(&o->lock);
	cond_wait_for(&o->never, &o->lock, DELAY_NS);
	mutex_unlock(&o->lock);
	if (o->interrupts)
		lab_rig_interrupt(o->rig, 0x20);
	else
		o->rig->class->vcpu_kick(o->rig->vcpu);
	return NULL;
}

static void prepare(struct lab *l, const char *code, size_t len, bool interrupts)
{
	struct x86_regs *r = l->rig->regs;

	lab_rig_reset(l->rig);
	l->arch->mode(l->rig, l->mode, l->own);
	memcpy(l->rig->ram + X86_LAB_CODE, code, len);
	if (interrupts)
		r->rflags |= FLAG_IF;
	lab_rig_set(l->rig);
}

static void check_end(struct lab *l, const char *want, int vector)
{
	if (strcmp(l->rig->end, want) != 0)
		lab_differs(l, "end", "ends with \"%s\", wanted \"%s\"", l->rig->end, want);
	else if (vector >= 0 && l->arch->vector(l->rig) != vector)
		lab_differs(l, "vector", "does not come to the handler");
}

static void do_thread(struct lab *l, unsigned mode, bool interrupts)
{
	static const struct lab_case kick = { "a kick ends a loop", 0, "ebfe", "", "" };
	static const struct lab_case irq = { "an interrupt ends a loop", 0, "ebfe", "if=1", "" };
	struct other o = { .rig = l->rig, .interrupts = interrupts };
	struct thread t;

	l->mode = mode;
	l->at = interrupts ? &irq : &kick;
	l->ndiffs = 0;
	prepare(l, "\xeb\xfe", 2, interrupts);
	l->rig->endless = true;
	mutex_init(&o.lock);
	cond_init(&o.never);
	if (thread_start(&t, "lab", act, &o)) {
		lab_tell(l, l->at->name, LAB_SKIPPED, "there is no thread");
		return;
	}
	lab_rig_go(l->rig);
	thread_join(&t);
	mutex_fini(&o.lock);
	cond_fini(&o.never);
	check_end(l, interrupts ? "halt" : "kicked", interrupts ? 0x20 : -1);
	lab_conclude(l);
}

/* A kick that comes before is not lost; then it goes on as if nothing had been. */
static void do_early_kick(struct lab *l)
{
	static const struct lab_case early = { "a kick before the run", 0, "90", "", "" };

	l->mode = 3;
	l->at = &early;
	l->ndiffs = 0;
	prepare(l, "\x90\xf4", 2, false);
	l->rig->class->vcpu_kick(l->rig->vcpu);
	lab_rig_go(l->rig);
	check_end(l, "kicked", -1);
	lab_rig_go(l->rig);
	check_end(l, "halt", -1);
	if (((const struct x86_regs *)l->rig->regs)->rip != X86_LAB_CODE + 2)
		lab_differs(l, "rip", "does not go on to the end");
	lab_conclude(l);
}

static void run(struct lab *l)
{
	unsigned n;

	do_reset(l);
	for (n = 0; l->arch->modes[n]; n++)
		do_mode(l, n);
	LAB_CASES(middle);
	for (n = 0; n < 2; n++) {
		do_thread(l, 0, n);
		do_thread(l, 3, n);
		do_thread(l, 11, n);
	}
	do_early_kick(l);
}

const struct lab_class lab_x86_state = {
	.name = "state",
	.arch = "x86_64",
	.about = "state that is set and read back, reset, kicks and interrupts of other threads",
	.run = run,
};
