/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT.  Manual: SDM volume 2 and volume 3, 5.8.7 and 5.8.8; where
 * the model is AMD's: AMD64 APM volume 3 (SYSCALL in compatibility and legacy mode, no SYSENTER in
 * long mode, SYSRET keeps what SS has and checks no address).
 */
#include "cpu/x86/debug.h"
#include "cpu/x86/far.h"
#include "cpu/x86/model.h"

enum {
	FLAT_CODE = SEG_CODE | SEG_READABLE | SEG_ACCESSED,
	FLAT_DATA = SEG_WRITABLE | SEG_ACCESSED
};

/* The segments that these instructions make without looking into a table. */
static struct x86_seg flat(uint16_t selector, unsigned type, unsigned dpl, bool code64)
{
	const uint32_t attr = X86_SEG_S | X86_SEG_P | X86_SEG_G | type | dpl << 5;

	return (
	    struct x86_seg){ 0, UINT32_MAX, attr | (code64 ? X86_SEG_L : X86_SEG_DB), selector };
}

static void set_segs(struct x86 *s, uint16_t cs, uint16_t ss, unsigned cpl, bool code64)
{
	s->seg[X86_CS] = flat((uint16_t)((cs & ~3u) | cpl), FLAT_CODE, cpl, code64);
	s->seg[X86_SS] = flat((uint16_t)((ss & ~3u) | cpl), FLAT_DATA, cpl, false);
	x86_mode_changed(s);
}

static bool is_amd(const struct x86 *s)
{
	return s->model->vendor == X86_AMD;
}

void x86_syscall(struct x86 *s, uint64_t next)
{
	uint64_t flags = x86_get_flags(s);
	uint16_t cs = s->star >> 32 & 0xfffc;

	if (!(s->efer & EFER_SCE) || !x86_is_protected(s) ||
	    (!is_amd(s) && !(s->mode & X86_CODE64)))
		x86_raise(s, X86_UD);
	s->r[X86_RCX] = next;
	if (x86_is_long(s)) {
		s->r[11] = flags & ~(uint64_t)FLAG_RF;
		s->rip = s->mode & X86_CODE64 ? s->lstar : s->cstar;
		x86_set_flags(s, flags & ~(s->fmask | FLAG_RF), UINT32_MAX & ~(uint32_t)FLAG_VM);
	} else {
		s->rip = (uint32_t)s->star;
		s->eflags &= ~(uint64_t)(FLAG_IF | FLAG_RF | FLAG_VM);
	}
	s->step_over = flags & FLAG_TF && !(s->eflags & FLAG_TF);
	set_segs(s, cs, (uint16_t)(cs + 8), 0, x86_is_long(s));
}

/* RFLAGS that SYSRET takes from R11. */
#define SYSRET_FLAGS                                                                               \
	(FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_VIF |    \
	    FLAG_VIP | FLAG_ID)

void x86_sysret(struct x86 *s, unsigned size)
{
	uint16_t base = (uint16_t)(s->star >> 48);
	uint64_t to = size == 8 ? s->r[X86_RCX] : (uint32_t)s->r[X86_RCX];
	bool amd = is_amd(s);
	struct x86_seg ss;

	if (!(s->efer & EFER_SCE) || !x86_is_protected(s) || (!amd && !(s->mode & X86_CODE64)))
		x86_raise(s, X86_UD);
	if (s->cpl || (!amd && !x86_is_canonical(s, to)))
		x86_raise_error(s, X86_GP, 0);
	if (x86_is_long(s))
		x86_set_flags(s, s->r[11], SYSRET_FLAGS);
	else
		x86_set_flags(s, FLAG_IF, FLAG_IF);
	s->rip = to;
	ss = s->seg[X86_SS];
	set_segs(s, (uint16_t)(size == 8 ? base + 16 : base), (uint16_t)(base + 8), 3, size == 8);
	if (amd) { /* base, limit and attributes stay, whatever they are */
		ss.selector = s->seg[X86_SS].selector;
		ss.attr |= X86_SEG_DPL;
		s->seg[X86_SS] = ss;
		x86_mode_changed(s);
	}
	/* The trap comes right behind it, before an instruction of the program (APM volume 3). */
	if (s->eflags & FLAG_TF)
		x86_raise_debug(s, DR6_BS);
}

void x86_sysenter(struct x86 *s)
{
	uint16_t cs = s->sysenter_cs & 0xfffc;
	bool wide = x86_is_long(s);
	bool tf = s->eflags & FLAG_TF;

	if (wide && is_amd(s))
		x86_raise(s, X86_UD);
	if (!(s->cr0 & CR0_PE) || !cs)
		x86_raise_error(s, X86_GP, 0);
	s->r[X86_RSP] = wide ? s->sysenter_esp : (uint32_t)s->sysenter_esp;
	s->rip = wide ? s->sysenter_eip : (uint32_t)s->sysenter_eip;
	s->eflags &= ~(uint64_t)(FLAG_VM | FLAG_IF | FLAG_RF);
	s->step_over = tf && !(s->eflags & FLAG_TF);
	set_segs(s, cs, (uint16_t)(cs + 8), 0, wide);
}

void x86_sysexit(struct x86 *s, unsigned size)
{
	uint16_t cs = s->sysenter_cs & 0xfffc;
	uint64_t rip = s->r[X86_RDX], sp = s->r[X86_RCX];

	if (x86_is_long(s) && is_amd(s))
		x86_raise(s, X86_UD);
	if (!x86_is_protected(s) || !cs || s->cpl)
		x86_raise_error(s, X86_GP, 0);
	if (size == 8) {
		if (!x86_is_canonical(s, rip) || !x86_is_canonical(s, sp))
			x86_raise_error(s, X86_GP, 0);
		cs = (uint16_t)(cs + 32);
	} else {
		rip = (uint32_t)rip;
		sp = (uint32_t)sp;
		cs = (uint16_t)(cs + 16);
	}
	s->r[X86_RSP] = sp;
	s->rip = rip;
	set_segs(s, cs, (uint16_t)(cs + 8), 3, size == 8);
}
