/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches.  Manual: SDM volume 3, 8 (task management), with its table 8-1 for the
 * order of checks.  All that may fault without having changed anything is done first; faults from
 * loading the new task's segments are the new task's.
 */
#include "cpu/x86/debug.h"
#include "cpu/x86/far.h"
#include "cpu/x86/lockstep.h"

/* Where the TSS has what (figures 8-2 and 8-10); general registers are in the order of their
 * numbers, segments in that of theirs. */
struct layout {
	uint8_t size, cr3, ip, flags, regs, segs, nsegs, ldt, last;
};

static const struct layout tss16 = { 2, 0, 0x0e, 0x10, 0x12, 0x22, 4, 0x2a, 0x2b };
static const struct layout tss32 = { 4, 0x1c, 0x20, 0x24, 0x28, 0x48, 6, 0x60, 0x67 };
enum { TSS_TRAP = 0x64 };

/* What a TSS says of a task. */
struct task {
	uint64_t cr3, ip, flags, r[8];
	uint16_t seg[X86_NSEGS], ldt;
	bool trap;
};

static bool is_wide(uint32_t attr)
{
	return (attr & X86_SEG_TYPE & ~(uint32_t)DESC_BUSY) == DESC_TSS;
}

static bool is_tss(uint32_t attr, bool busy)
{
	unsigned type = x86_system_type(attr);

	return busy ? type == DESC_TSS16_BUSY || type == DESC_TSS_BUSY
		    : type == DESC_TSS16 || type == DESC_TSS;
}

static void read_task(struct x86 *s, uint64_t base, bool wide, struct task *t)
{
	const struct layout *l = wide ? &tss32 : &tss16;
	unsigned n;

	t->cr3 = wide ? x86_load_system(s, base + l->cr3, 4) : s->cr3;
	t->ip = x86_load_system(s, base + l->ip, l->size);
	t->flags = x86_load_system(s, base + l->flags, l->size);
	for (n = 0; n < 8; n++) {
		t->r[n] = x86_load_system(s, base + l->regs + n * l->size, l->size);
		if (!wide) /* volume 3, 8.6: the upper halves are undefined */
			t->r[n] |= 0xffff0000;
	}
	for (n = 0; n < X86_NSEGS; n++)
		t->seg[n] = n < l->nsegs
				? (uint16_t)x86_load_system(s, base + l->segs + n * l->size, 2)
				: 0;
	t->ldt = (uint16_t)x86_load_system(s, base + l->ldt, 2);
	t->trap = wide && x86_load_system(s, base + TSS_TRAP, 2) & 1;
}

/* Into the TSS that TR has.  If a later page faults, it is only early. */
static void save_task(struct x86 *s, uint64_t next, uint64_t flags)
{
	const struct layout *l = is_wide(s->tr.attr) ? &tss32 : &tss16;
	uint64_t base = s->tr.base;
	unsigned n;

	x86_store_system(s, base + l->ip, next, l->size);
	x86_store_system(s, base + l->flags, flags, l->size);
	for (n = 0; n < 8; n++)
		x86_store_system(s, base + l->regs + n * l->size, s->r[n], l->size);
	for (n = 0; n < l->nsegs; n++)
		x86_store_system(s, base + l->segs + n * l->size, s->seg[n].selector, 2);
}

static void set_busy(struct x86 *s, uint64_t at, bool busy)
{
	uint64_t type = x86_load_system(s, at + 5, 1) & ~(uint64_t)DESC_BUSY;

	x86_store_system(s, at + 5, type | (busy ? DESC_BUSY : 0), 1);
}

/* The GDT's entry of the current task. */
static uint64_t own_entry(const struct x86 *s)
{
	return (uint32_t)(s->gdt.base + (s->tr.selector & 0xfff8u));
}

static void load_ldt(struct x86 *s, uint16_t selector)
{
	uint32_t error = selector & 0xfffcu;
	struct x86_entry e;

	s->ldtr = x86_null_seg(selector, 0);
	if (x86_is_null(selector))
		return;
	if (selector & 4)
		x86_raise_error(s, X86_TS, error);
	e = x86_read_entry(s, selector, X86_TS, 0);
	if (x86_system_type(x86_entry_attr(e.raw)) != DESC_LDT ||
	    !(x86_entry_attr(e.raw) & X86_SEG_P))
		x86_raise_error(s, X86_TS, error);
	s->ldtr = x86_seg_of(&e);
}

static struct x86_seg check_cs(struct x86 *s, uint16_t selector)
{
	uint32_t error = selector & 0xfffcu, attr;
	struct x86_entry e;
	unsigned dpl;

	if (x86_is_null(selector))
		x86_raise_error(s, X86_TS, 0);
	e = x86_read_entry(s, selector, X86_TS, 0);
	attr = x86_entry_attr(e.raw);
	dpl = x86_dpl(attr);
	if (!x86_is_code(attr) ||
	    (x86_is_conforming(attr) ? dpl > (selector & 3u) : dpl != (selector & 3u)))
		x86_raise_error(s, X86_TS, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	x86_touch_entry(s, &e);
	return x86_seg_of(&e);
}

/* Segment registers have their selectors, but nothing else until it is checked. */
static void load_segs(struct x86 *s, const struct task *t)
{
	unsigned cpl = t->seg[X86_CS] & 3, n;

	for (n = 0; n < X86_NSEGS; n++)
		s->seg[n] =
		    s->eflags & FLAG_VM ? x86_vm86_seg(t->seg[n]) : x86_null_seg(t->seg[n], cpl);
	x86_mode_changed(s);
	load_ldt(s, t->ldt);
	if (s->eflags & FLAG_VM)
		return;
	s->seg[X86_CS] = check_cs(s, t->seg[X86_CS]);
	x86_mode_changed(s);
	s->seg[X86_SS] = x86_check_stack(s, t->seg[X86_SS], cpl, X86_TS, 0);
	x86_mode_changed(s);
	for (n = 0; n < X86_NSEGS; n++)
		if (n != X86_CS && n != X86_SS)
			s->seg[n] = x86_check_data(s, t->seg[n], cpl, X86_TS, 0);
	x86_mode_changed(s);
}

static void load_task(struct x86 *s, const struct task *t, uint64_t flags)
{
	unsigned n;

	if (s->cr0 & CR0_PG && t->cr3 != s->cr3) {
		s->cr3 = t->cr3;
		if (s->cr4 & CR4_PAE)
			x86_load_pdptes(s, s->cr3);
		x86_flush(s, false);
	}
	s->rip = t->ip;
	for (n = 0; n < 8; n++)
		s->r[n] = (uint32_t)t->r[n];
	x86_set_flags(s, flags, UINT32_MAX);
	s->dr[7] &= ~(uint64_t)DR7_LOCAL;
	load_segs(s, t);
}

static void push_error(struct x86 *s, const struct x86_task *how)
{
	struct x86_stack st = x86_stack_now(s, how->ext);

	x86_stack_push(s, &st, how->error, is_wide(s->tr.attr) ? 4 : 2);
	x86_stack_commit(s, &st);
}

/* entry: its type is right and it is present. */
static void switch_to(struct x86 *s, const struct x86_task *how, const struct x86_entry *entry)
{
	struct x86_seg tss = x86_seg_of(entry);
	bool wide = is_wide(tss.attr), iret = how->reason == X86_TASK_IRET;
	uint64_t flags = x86_get_flags(s);
	struct task t;

	/* From some point on there is no way back. */
	cpu_lockstep_alone(s->lockstep);
	if (tss.limit < (wide ? tss32.last : tss16.last))
		x86_raise_error(s, X86_TS, (entry->selector & 0xfffcu) | how->ext);
	read_task(s, tss.base, wide, &t);
	save_task(s, how->next, iret ? flags & ~(uint64_t)FLAG_NT : flags);
	if (how->reason == X86_TASK_CALL) {
		x86_store_system(s, tss.base, s->tr.selector, 2);
		t.flags |= FLAG_NT;
	}
	if (!iret)
		set_busy(s, entry->at, true);
	if (how->reason != X86_TASK_CALL)
		set_busy(s, own_entry(s), false);
	tss.attr |= DESC_BUSY;
	s->tr = tss;
	s->cr0 |= CR0_TS;
	load_task(s, &t, t.flags);
	if (how->has_error)
		push_error(s, how);
	x86_check_rip(s, &s->seg[X86_CS], s->rip, 0);
	if (t.trap) /* before the task's first instruction (18.3.1.5) */
		x86_raise_debug(s, DR6_BT);
}

void x86_switch_task(struct x86 *s, const struct x86_task *how, const struct x86_entry *tss)
{
	switch_to(s, how, tss);
}

void x86_task_gate(struct x86 *s, const struct x86_task *how, uint16_t selector)
{
	uint32_t error = (selector & 0xfffcu) | how->ext, attr;
	struct x86_entry e;

	if (selector & 4 || x86_is_null(selector))
		x86_raise_error(s, X86_GP, error);
	e = x86_read_entry(s, selector, X86_GP, how->ext);
	attr = x86_entry_attr(e.raw);
	if (!is_tss(attr, false))
		x86_raise_error(s, X86_GP, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	switch_to(s, how, &e);
}

void x86_task_return(struct x86 *s, uint64_t next)
{
	const struct x86_task how = { .reason = X86_TASK_IRET, .next = next };
	uint16_t selector = (uint16_t)x86_load_system(s, s->tr.base, 2);
	uint32_t error = selector & 0xfffcu, attr;
	struct x86_entry e;

	if (selector & 4 || x86_is_null(selector))
		x86_raise_error(s, X86_TS, error);
	e = x86_read_entry(s, selector, X86_TS, 0);
	attr = x86_entry_attr(e.raw);
	if (!is_tss(attr, true))
		x86_raise_error(s, X86_TS, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	switch_to(s, &how, &e);
}
