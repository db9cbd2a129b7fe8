/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions and interrupts.  Manual: SDM volume 3: 6 (interrupts and exceptions), 6.14 (64-bit),
 * 21.1.4 (real mode), 21.2 and 21.3 (virtual-8086 mode, and its extensions); volume 2, INT n.
 * Left out: shadow stacks, machine checks, FRED.  Pushes on an inner stack are looked at as
 * implicit supervisor accesses: with CR4.SMAP they may not be to user pages, even if EFLAGS.AC is
 * set.
 */
#include <string.h>

#include "base/log.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/far.h"

/* Bits of an error code that names an entry of the IDT (6.13). */
enum { ERROR_IDT = 2 };

enum { TSS_IO_BASE = 0x66, REDIRECTION_BYTES = 32 };

/* What is being delivered. */
struct event {
	unsigned vector;
	enum x86_event kind;
	bool has_error;
	uint32_t error;
	uint64_t rip; /* to be pushed */
	unsigned ext;
	bool soft; /* the gate's DPL counts */
};

static _Noreturn void raise(struct x86 *s, enum x86_vector vector, bool has_error, uint32_t error)
{
	s->raised_vector = (uint8_t)vector;
	s->raised_kind = X86_EVENT_FAULT;
	s->raised_has_error = has_error;
	s->raised_error = error;
	longjmp(s->trap, X86_JMP_EXCEPTION);
}

void x86_raise(struct x86 *s, enum x86_vector vector)
{
	raise(s, vector, false, 0);
}

void x86_raise_error(struct x86 *s, enum x86_vector vector, uint32_t error)
{
	raise(s, vector, true, error);
}

void x86_page_fault(struct x86 *s, uint64_t linear, uint32_t error)
{
	s->cr2 = linear;
	raise(s, X86_PF, true, error);
}

static _Noreturn void bad_gate(struct x86 *s, const struct event *e, enum x86_vector vector)
{
	x86_raise_error(s, vector, e->vector * 8 + ERROR_IDT + e->ext);
}

/* EFLAGS as a handler's caller finds it: faults set RF, so that what comes back does not meet its
 * code breakpoint again (18.3.1.1). */
static uint64_t pushed_flags(const struct x86 *s, const struct event *e)
{
	uint64_t flags = x86_get_flags(s);

	if (e->kind == X86_EVENT_FAULT && e->vector != X86_DB)
		flags |= FLAG_RF;
	return flags;
}

/* Real mode, and virtual-8086 mode with redirection: through a table of far pointers ------------
 */

static void enter_8086(struct x86 *s, const struct event *e, uint64_t table, uint64_t flags)
{
	uint64_t pointer = x86_load_system(s, table + 4ull * e->vector, 4);
	struct x86_stack st = x86_stack_now(s, 0);

	x86_stack_push(s, &st, flags & 0xffff, 2);
	x86_stack_push(s, &st, s->seg[X86_CS].selector, 2);
	x86_stack_push(s, &st, e->rip & 0xffff, 2);
	x86_stack_commit(s, &st);
	if (s->mode & X86_VM86)
		s->seg[X86_CS] = x86_vm86_seg((uint16_t)(pointer >> 16));
	else
		s->seg[X86_CS] = x86_real_seg(s, X86_CS, (uint16_t)(pointer >> 16));
	s->rip = pointer & 0xffff;
}

static void enter_real(struct x86 *s, const struct event *e)
{
	if (e->vector * 4 + 3 > s->idt.limit)
		bad_gate(s, e, X86_GP);
	enter_8086(s, e, s->idt.base, x86_get_flags(s));
	s->eflags &= ~(uint64_t)(FLAG_IF | FLAG_TF | FLAG_RF | FLAG_AC);
	x86_mode_changed(s);
}

static bool is_redirected(struct x86 *s, unsigned vector)
{
	uint64_t map = x86_load_system(s, s->tr.base + TSS_IO_BASE, 2);

	if (map < REDIRECTION_BYTES || map > s->tr.limit + 1ull)
		x86_raise_error(s, X86_GP, 0);
	map = s->tr.base + map - REDIRECTION_BYTES;
	return !(x86_load_system(s, map + vector / 8, 1) >> vector % 8 & 1);
}

/* INT n in virtual-8086 mode (table 21-2); false: it goes through the IDT. */
static bool enter_redirected(struct x86 *s, const struct event *e)
{
	bool iopl3 = (s->eflags & FLAG_IOPL) == FLAG_IOPL;
	uint64_t flags = x86_get_flags(s);

	if (!(s->cr4 & CR4_VME) || !is_redirected(s, e->vector)) {
		if (!iopl3)
			x86_raise_error(s, X86_GP, 0);
		return false;
	}
	if (!iopl3) {
		flags = (flags & ~(uint64_t)FLAG_IF) | FLAG_IOPL;
		if (flags & FLAG_VIF)
			flags |= FLAG_IF;
	}
	enter_8086(s, e, 0, flags);
	s->eflags &= ~(uint64_t)(FLAG_TF | FLAG_RF | (iopl3 ? FLAG_IF : FLAG_VIF));
	x86_mode_changed(s);
	return true;
}

/* Protected mode ----------------------------------------------------------------------------- */

struct gate {
	uint16_t selector;
	uint8_t type, ist;
	uint64_t offset;
};

static struct gate read_gate(struct x86 *s, const struct event *e)
{
	const unsigned legacy = 1 << DESC_TASK_GATE | 1 << DESC_INT16 | 1 << DESC_TRAP16;
	const unsigned types = 1 << DESC_INT | 1 << DESC_TRAP | (x86_is_long(s) ? 0 : legacy);
	unsigned size = x86_is_long(s) ? 16 : 8;
	uint64_t at = s->idt.base + (uint64_t)size * e->vector, raw;
	uint32_t attr;
	struct gate g;

	if (size * e->vector + size - 1 > s->idt.limit)
		bad_gate(s, e, X86_GP);
	raw = x86_load_system(s, size == 8 ? (uint32_t)at : at, 8);
	attr = x86_entry_attr(raw);
	if (!(types >> x86_system_type(attr) & 1) || (e->soft && x86_dpl(attr) < s->cpl))
		bad_gate(s, e, X86_GP);
	if (!(attr & X86_SEG_P))
		bad_gate(s, e, X86_NP);
	g.type = (uint8_t)x86_system_type(attr);
	g.selector = (uint16_t)(raw >> 16);
	g.ist = raw >> 32 & 7;
	g.offset = (raw & 0xffff) | (raw >> 32 & 0xffff0000);
	if (g.type == DESC_INT16 || g.type == DESC_TRAP16)
		g.offset &= 0xffff;
	if (x86_is_long(s))
		g.offset |= x86_load_system(s, at + 8, 4) << 32;
	return g;
}

/* The handler's code segment, with the CPL that it will have as RPL. */
static struct x86_seg handler_cs(struct x86 *s, const struct event *e, const struct gate *g)
{
	const uint32_t l_db = X86_SEG_L | X86_SEG_DB;
	uint32_t error = (g->selector & 0xfffcu) | e->ext, attr;
	struct x86_entry entry;
	struct x86_seg cs;
	unsigned cpl;

	if (x86_is_null(g->selector))
		x86_raise_error(s, X86_GP, e->ext);
	entry = x86_read_entry(s, g->selector, X86_GP, e->ext);
	attr = x86_entry_attr(entry.raw);
	if (!x86_is_code(attr) || x86_dpl(attr) > s->cpl)
		x86_raise_error(s, X86_GP, error);
	if (x86_is_long(s) && (attr & l_db) != X86_SEG_L)
		x86_raise_error(s, X86_GP, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	cpl = x86_is_conforming(attr) ? s->cpl : x86_dpl(attr);
	if (s->mode & X86_VM86 && cpl)
		x86_raise_error(s, X86_GP, error);
	x86_touch_entry(s, &entry);
	cs = x86_seg_of(&entry);
	cs.selector = (uint16_t)((cs.selector & ~3u) | cpl);
	return cs;
}

static struct x86_stack handler_stack(
    struct x86 *s, const struct event *e, const struct gate *g, unsigned cpl)
{
	struct x86_stack st;

	if (x86_is_long(s)) {
		if (g->ist)
			st = x86_tss_stack64(s, cpl, 3u + g->ist, e->ext);
		else if (cpl < s->cpl)
			st = x86_tss_stack64(s, cpl, cpl, e->ext);
		else
			st = x86_stack_now(s, e->ext);
		st.code64 = true; /* whatever the interrupted code is (6.14.2) */
		st.sp &= ~15ull;
		return st;
	}
	return cpl < s->cpl ? x86_tss_stack(s, cpl, e->ext) : x86_stack_now(s, e->ext);
}

static void null_data_segs(struct x86 *s)
{
	static const uint8_t segs[] = { X86_ES, X86_DS, X86_FS, X86_GS };
	unsigned n;

	for (n = 0; n < ARRAY_LEN(segs); n++)
		s->seg[segs[n]] = x86_null_seg(0, 0);
}

static void enter_gate(struct x86 *s, const struct event *e, const struct gate *g)
{
	static const uint8_t segs[] = { X86_GS, X86_FS, X86_DS, X86_ES };
	bool vm86 = s->mode & X86_VM86, wide = x86_is_long(s);
	unsigned size = wide ? 8 : g->type & 8 ? 4 : 2, n;
	struct x86_seg cs = handler_cs(s, e, g);
	unsigned cpl = cs.selector & 3;
	struct x86_stack st = handler_stack(s, e, g, cpl);

	x86_check_rip(s, &cs, g->offset, e->ext);
	for (n = 0; vm86 && n < ARRAY_LEN(segs); n++)
		x86_stack_push(s, &st, s->seg[segs[n]].selector, size);
	if (wide || st.inner) {
		x86_stack_push(s, &st, s->seg[X86_SS].selector, size);
		x86_stack_push(s, &st, s->r[X86_RSP], size);
	}
	x86_stack_push(s, &st, pushed_flags(s, e), size);
	x86_stack_push(s, &st, s->seg[X86_CS].selector, size);
	x86_stack_push(s, &st, e->rip, size);
	if (e->has_error)
		x86_stack_push(s, &st, e->error, size);

	s->seg[X86_SS] = st.ss;
	s->seg[X86_CS] = cs;
	x86_stack_commit(s, &st);
	s->rip = g->offset;
	if (vm86)
		null_data_segs(s);
	s->eflags &= ~(uint64_t)(FLAG_TF | FLAG_NT | FLAG_VM | FLAG_RF);
	if (!(g->type & 1))
		s->eflags &= ~(uint64_t)FLAG_IF;
	x86_mode_changed(s);
}

static void enter_protected(struct x86 *s, const struct event *e)
{
	struct gate g = read_gate(s, e);
	struct x86_task task = { X86_TASK_CALL, e->ext, e->rip, e->has_error, e->error };

	if (g.type == DESC_TASK_GATE)
		x86_task_gate(s, &task, g.selector);
	else
		enter_gate(s, e, &g);
}

/* On the way out all that belonged to the interrupted code is done with. */
static void enter(struct x86 *s, const struct event *e)
{
	bool stepping = s->eflags & FLAG_TF;

	if (log_traces(s->env->log, e->kind == X86_EVENT_EXTERNAL ? TRACE_irq : TRACE_exceptions))
		x86_trace_event(s, e->vector, e->kind, e->has_error, e->error);
	if (!(s->cr0 & CR0_PE))
		enter_real(s, e);
	else if (!(s->mode & X86_VM86) || e->kind != X86_EVENT_SOFT || !enter_redirected(s, e))
		enter_protected(s, e);
	s->halted = false;
	if (e->kind == X86_EVENT_SOFT || e->kind == X86_EVENT_INT1_INT3)
		s->step_over = stepping;
	else
		s->shadow = 0;
	if (e->kind == X86_EVENT_EXTERNAL && e->vector == X86_NMI)
		s->nmi_masked = true;
}

/* Whether the event is the program's own, for the EXT bit and the gate's DPL: INT1 is not. */
static bool is_soft(unsigned vector, enum x86_event kind)
{
	return kind == X86_EVENT_SOFT || (kind == X86_EVENT_INT1_INT3 && vector != X86_DB);
}

void x86_interrupt(
    struct x86 *s, unsigned vector, enum x86_event kind, bool has_error, uint32_t error)
{
	bool soft = is_soft(vector, kind);
	struct event e = { vector, kind, has_error, error, s->rip, !soft, soft };

	enter(s, &e);
}

void x86_soft_interrupt(struct x86 *s, unsigned vector, enum x86_event kind, uint64_t next)
{
	bool soft = is_soft(vector, kind);
	struct event e = { vector, kind, false, 0, next, !soft, soft };

	/* INT1 is a debug exception: what MOV to SS held back comes with it. */
	if (vector == X86_DB && kind == X86_EVENT_INT1_INT3 && s->dr6_pending) {
		s->dr[6] = (s->dr[6] & ~15ull) | s->dr6_pending;
		s->dr6_pending = 0;
	}
	enter(s, &e);
}

/* Classes of exceptions, and what becomes of two (tables 6-4 and 6-5). */
static bool is_contributory(unsigned vector)
{
	return vector == X86_DE || (vector >= X86_TS && vector <= X86_GP);
}

static bool doubles(unsigned first, unsigned second)
{
	if (first == X86_PF)
		return second == X86_PF || is_contributory(second);
	return is_contributory(first) && is_contributory(second);
}

/* A fault on the way to the handler raises, too, and comes here again by way of x86_run. */
void x86_deliver_raised(struct x86 *s)
{
	unsigned vector = s->raised_vector, first = s->delivering - 1u;
	bool has_error = s->raised_has_error;
	uint32_t error = s->raised_error;

	if (s->delivering) {
		if (first == X86_DF && (vector == X86_PF || is_contributory(vector)))
			longjmp(s->trap, X86_JMP_SHUTDOWN);
		if (doubles(first, vector)) {
			vector = X86_DF;
			has_error = true;
			error = 0;
		}
	}
	s->delivering = (uint8_t)(vector + 1);
	x86_interrupt(s, vector, (enum x86_event)s->raised_kind, has_error, error);
	s->delivering = 0;
	s->dr6_pending = 0;
}
