/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the bodies of system instructions call; sem_sys.h has them, the other files here do the
 * work.
 */
#include "base/bytes.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/far.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/io.h"
#include "cpu/x86/system.h"

static void unused(const struct x86 *s, uint64_t a, uint64_t b, uint64_t d)
{
	(void)s;
	(void)a;
	(void)b;
	(void)d;
}

static void put_zf(struct x86 *s, bool zf)
{
	x86_set_flags(s, zf ? FLAG_ZF : 0, FLAG_ZF);
}

static void put_edx_eax(struct x86 *s, uint64_t val)
{
	s->r[X86_RAX] = (uint32_t)val;
	s->r[X86_RDX] = val >> 32;
}

static uint64_t edx_eax(const struct x86 *s)
{
	return (uint32_t)s->r[X86_RAX] | s->r[X86_RDX] << 32;
}

/* Segments ------------------------------------------------------------------------------------ */

/* a: a segment register; then LDTR, TR */
X86_HELP(selector)
{
	unused(s, a, b, d);
	if (a < X86_NSEGS)
		return s->seg[a].selector;
	return a == X86_NSEGS ? s->ldtr.selector : s->tr.selector;
}

/* a: selector; b: register; d: whether SS shadows the next instruction */
X86_HELP(load_seg)
{
	unused(s, a, b, d);
	x86_load_seg(s, (unsigned)b, (uint16_t)a);
	if (d && b == X86_SS)
		x86_shadow(s, X86_SHADOW_SS);
	return 0;
}

/* a: selector; b: destination, size << 8; d: LSL */
X86_HELP(lar)
{
	unsigned reg = b & 15, size = (unsigned)(b >> 8);
	uint32_t val;
	bool ok = d ? x86_lsl(s, (uint16_t)a, &val) : x86_lar(s, (uint16_t)a, &val);

	put_zf(s, ok);
	if (ok && size == 2)
		s->r[reg] = (s->r[reg] & ~0xffffull) | (val & 0xffff);
	else if (ok)
		s->r[reg] = val;
	return 0;
}

/* a: selector; b: VERW */
X86_HELP(verr)
{
	unused(s, a, b, d);
	put_zf(s, x86_verify(s, (uint16_t)a, b));
	return 0;
}

/* a: offset; b: segment, or X86_NSEGS for a register; d: RPL | operand << 2: the new operand */
X86_HELP(arpl)
{
	uint64_t operand = d >> 2 & 0xffff, rpl = d & 3;
	bool raises = (operand & 3) < rpl;

	if (raises) {
		operand = (operand & ~3ull) | rpl;
		if (b < X86_NSEGS)
			x86_store(s, x86_linear(s, (unsigned)b, a, 2, X86_STORE), operand, 2);
	}
	put_zf(s, raises);
	return operand;
}

/* Registers: a: the number; b: the value ------------------------------------------------------ */

X86_HELP(read_cr)
{
	unused(s, a, b, d);
	return x86_read_cr(s, (unsigned)a);
}

X86_HELP(write_cr)
{
	unused(s, a, b, d);
	x86_write_cr(s, (unsigned)a, b);
	return 0;
}

X86_HELP(read_dr)
{
	unused(s, a, b, d);
	return x86_read_dr(s, (unsigned)a);
}

X86_HELP(write_dr)
{
	unused(s, a, b, d);
	x86_write_dr(s, (unsigned)a, b);
	return 0;
}

X86_HELP(lmsw)
{
	unused(s, a, b, d);
	x86_lmsw(s, (uint16_t)a);
	return 0;
}

X86_HELP(smsw)
{
	unused(s, a, b, d);
	return s->cr0;
}

X86_HELP(clts)
{
	unused(s, a, b, d);
	x86_clts(s);
	return 0;
}

X86_HELP(rdbase)
{
	unused(s, a, b, d);
	if (!(s->cr4 & CR4_FSGSBASE))
		x86_raise(s, X86_UD);
	return s->seg[a].base;
}

X86_HELP(wrbase)
{
	unused(s, a, b, d);
	if (!(s->cr4 & CR4_FSGSBASE))
		x86_raise(s, X86_UD);
	if (!x86_is_canonical(s, b))
		x86_raise_error(s, X86_GP, 0);
	x86_set_base(s, (unsigned)a, b);
	return 0;
}

X86_HELP(swapgs)
{
	unused(s, a, b, d);
	x86_swapgs(s);
	return 0;
}

/* Transfers: all return where it goes on ------------------------------------------------------- */

/* a: selector; b: offset; d: behind the instruction */
X86_HELP(far_jump)
{
	unused(s, a, b, d);
	x86_far_jump(s, (uint16_t)a, b, d);
	return s->rip;
}

/* the same; a: size << 16, too */
X86_HELP(far_call)
{
	unused(s, a, b, d);
	x86_far_call(s, (uint16_t)a, b, (unsigned)(a >> 16), d);
	return s->rip;
}

/* a: size; b: bytes to release */
X86_HELP(far_return)
{
	unused(s, a, b, d);
	x86_far_return(s, (unsigned)a, b);
	return s->rip;
}

/* a: size; b: behind the instruction */
X86_HELP(iret)
{
	unused(s, a, b, d);
	x86_iret(s, (unsigned)a, b);
	return s->rip;
}

/* a: vector; b: enum x86_event; d: behind the instruction */
X86_HELP(interrupt)
{
	unused(s, a, b, d);
	x86_soft_interrupt(s, (unsigned)a, (enum x86_event)b, d);
	return s->rip;
}

/* a: behind the instruction */
X86_HELP(syscall)
{
	unused(s, a, b, d);
	x86_syscall(s, a);
	return s->rip;
}

/* a: size */
X86_HELP(sysret)
{
	unused(s, a, b, d);
	x86_sysret(s, (unsigned)a);
	return s->rip;
}

X86_HELP(sysenter)
{
	unused(s, a, b, d);
	x86_sysenter(s);
	return s->rip;
}

/* a: size */
X86_HELP(sysexit)
{
	unused(s, a, b, d);
	x86_sysexit(s, (unsigned)a);
	return s->rip;
}

/* What the CPU is ------------------------------------------------------------------------------ */

X86_HELP(cpuid)
{
	const uint32_t leaf = (uint32_t)s->r[X86_RAX], sub = (uint32_t)s->r[X86_RCX];
	uint32_t out[4];

	unused(s, a, b, d);
	x86_cpuid(s, leaf, sub, out);
	if (s->env->cpuid && s->env->cpuid(s->env->machine, s->id, leaf, sub, out) &&
	    s->env->vmm_exits)
		x86_ask(s, (struct exit){ .why = EXIT_CPUID, .addr = leaf });
	s->r[X86_RAX] = out[0];
	s->r[X86_RBX] = out[1];
	s->r[X86_RCX] = out[2];
	s->r[X86_RDX] = out[3];
	return 0;
}

/* a: RDTSCP */
X86_HELP(rdtsc)
{
	unused(s, a, b, d);
	x86_check_tsc(s);
	put_edx_eax(s, x86_tsc(s));
	if (a)
		s->r[X86_RCX] = s->tsc_aux;
	return 0;
}

X86_HELP(rdpid)
{
	unused(s, a, b, d);
	return s->tsc_aux;
}

/* There are no counters. */
X86_HELP(rdpmc)
{
	unused(s, a, b, d);
	x86_raise_error(s, X86_GP, 0);
}

X86_HELP(rdmsr)
{
	const uint32_t msr = (uint32_t)s->r[X86_RCX];
	uint64_t val;

	unused(s, a, b, d);
	x86_need_cpl0(s);
	if (!x86_read_msr(s, msr, &val)) {
		if (!s->env->vmm_exits)
			x86_raise_error(s, X86_GP, 0);
		val = x86_ask(s, (struct exit){ EXIT_RDMSR, 8, msr, 0 });
	}
	put_edx_eax(s, val);
	return 0;
}

/* A value that a register cannot have is a fault in any case. */
X86_HELP(wrmsr)
{
	const uint32_t msr = (uint32_t)s->r[X86_RCX];
	uint64_t old;

	unused(s, a, b, d);
	x86_need_cpl0(s);
	if (x86_write_msr(s, msr, edx_eax(s)))
		return 0;
	if (!s->env->vmm_exits || x86_read_msr(s, msr, &old))
		x86_raise_error(s, X86_GP, 0);
	x86_ask(s, (struct exit){ EXIT_WRMSR, 8, msr, edx_eax(s) });
	return 0;
}

/* I/O ------------------------------------------------------------------------------------------ */

/* a: port; b: size; d: value */
X86_HELP(in)
{
	unused(s, a, b, d);
	x86_check_io(s, (uint16_t)a, (unsigned)b);
	return x86_in(s, (uint16_t)a, (unsigned)b);
}

X86_HELP(out)
{
	unused(s, a, b, d);
	x86_check_io(s, (uint16_t)a, (unsigned)b);
	x86_out(s, (uint16_t)a, (uint32_t)d, (unsigned)b);
	return 0;
}

static void move(uint64_t *at, uint64_t by, unsigned asize)
{
	uint64_t v = *at + by;

	*at = asize == 8 ? v : asize == 4 ? (uint32_t)v : (*at & ~0xffffull) | (v & 0xffff);
}

static uint64_t address_mask(unsigned asize)
{
	return asize == 8 ? UINT64_MAX : asize == 4 ? UINT32_MAX : 0xffff;
}

/* An iteration of INS or OUTS; 1: there are more.  a: string_io in sem_sys.h */
static uint64_t string_io(struct x86 *s, uint64_t a, bool out)
{
	unsigned size = a & 0xff, asize = a >> 8 & 0xff, seg = a >> 16 & 0xff;
	unsigned pointer = out ? X86_RSI : X86_RDI;
	uint64_t mask = address_mask(asize), offset = s->r[pointer] & mask;
	bool rep = a >> 24;

	if (rep && !(s->r[X86_RCX] & mask))
		return 0;
	if (out)
		x86_outs(s, seg, offset, size);
	else
		x86_ins(s, offset, size);
	move(&s->r[pointer], s->eflags & FLAG_DF ? -(uint64_t)size : size, asize);
	if (!rep)
		return 0;
	move(&s->r[X86_RCX], UINT64_MAX, asize);
	return (s->r[X86_RCX] & mask) != 0;
}

X86_HELP(ins)
{
	unused(s, a, b, d);
	return string_io(s, a, false);
}

X86_HELP(outs)
{
	unused(s, a, b, d);
	return string_io(s, a, true);
}

/* Tables, translations ------------------------------------------------------------------------- */

/* a: base; b: limit; d: LIDT */
X86_HELP(lgdt)
{
	unused(s, a, b, d);
	if (d)
		x86_lidt(s, a, (uint16_t)b);
	else
		x86_lgdt(s, a, (uint16_t)b);
	return 0;
}

X86_HELP(check_umip)
{
	unused(s, a, b, d);
	x86_check_umip(s);
	return 0;
}

/* a: linear address; b: bytes; d: SIDT */
X86_HELP(sgdt)
{
	const struct x86_table *t = d ? &s->idt : &s->gdt;
	uint8_t image[10];

	put_le(image, t->limit, 2);
	put_le(image + 2, t->base, 8);
	x86_check_linear(s, a, (unsigned)b);
	x86_store_bytes(s, a, image, (unsigned)b);
	return 0;
}

/* a: selector; b: LTR */
X86_HELP(lldt)
{
	unused(s, a, b, d);
	if (b)
		x86_ltr(s, (uint16_t)a);
	else
		x86_lldt(s, (uint16_t)a);
	return 0;
}

/* a: offset; b: segment, whose limit does not matter */
X86_HELP(invlpg)
{
	unused(s, a, b, d);
	if (!(s->mode & X86_CODE64))
		a = (uint32_t)(a + s->seg[b].base);
	else if (b >= X86_FS)
		a += s->seg[b].base;
	x86_invlpg(s, a);
	return 0;
}

/* a: type; b: linear address of the descriptor */
X86_HELP(invpcid)
{
	uint64_t descriptor[2];

	unused(s, a, b, d);
	x86_need_cpl0(s);
	x86_check_linear(s, b, sizeof descriptor);
	descriptor[0] = x86_load(s, b, 8);
	descriptor[1] = x86_load(s, b + 8, 8);
	x86_invpcid(s, s->mode & X86_CODE64 ? a : (uint32_t)a, descriptor);
	return 0;
}

X86_HELP(check_cpl0)
{
	unused(s, a, b, d);
	x86_need_cpl0(s);
	return 0;
}

/* Others --------------------------------------------------------------------------------------- */

X86_HELP(hlt)
{
	unused(s, a, b, d);
	x86_hlt(s);
	return 0;
}

/* a: STI */
X86_HELP(cli)
{
	unused(s, a, b, d);
	if (a)
		x86_sti(s);
	else
		x86_cli(s);
	return 0;
}

/* a: STAC */
X86_HELP(clac)
{
	unused(s, a, b, d);
	if (s->cpl)
		x86_raise(s, X86_UD);
	x86_set_flags(s, a ? FLAG_AC : 0, FLAG_AC);
	return 0;
}

/* a: what rAX says; b: segment; d: MWAIT, which may end at any time, and does at once (SDM volume
 * 2, MWAIT). */
X86_HELP(monitor)
{
	if (s->cpl)
		x86_raise(s, X86_UD);
	if (s->r[X86_RCX] & (d ? UINT32_MAX - 1 : UINT32_MAX))
		x86_raise_error(s, X86_GP, 0);
	if (!d)
		x86_load(s, x86_linear(s, (unsigned)b, a, 1, X86_LOAD), 1);
	if (s->env->vmm_exits)
		x86_ask(s, (struct exit){ .why = d ? EXIT_MWAIT : EXIT_MONITOR });
	return 0;
}
