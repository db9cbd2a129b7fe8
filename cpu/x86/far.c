/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Far CALL, JMP, RET, and IRET.  Manual: SDM volume 2, CALL, JMP, RET, IRET; volume 3, 5.8
 * (transfers between code segments), 6.12, 21.2.  Left out: shadow stacks and indirect branch
 * tracking.
 */
#include "cpu/x86/far.h"

#include "base/log.h"

/* A code segment that is gone to without a gate, at the CPL that stays. */
static struct x86_seg plain_target(struct x86 *s, struct x86_entry *e)
{
	const uint32_t l_db = X86_SEG_L | X86_SEG_DB;
	uint32_t attr = x86_entry_attr(e->raw), error = e->selector & 0xfffcu;
	unsigned dpl = x86_dpl(attr);
	struct x86_seg cs;

	if (x86_is_conforming(attr) ? dpl > s->cpl : dpl != s->cpl || (e->selector & 3u) > s->cpl)
		x86_raise_error(s, X86_GP, error);
	if (x86_is_long(s) && (attr & l_db) == l_db)
		x86_raise_error(s, X86_GP, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	x86_touch_entry(s, e);
	cs = x86_seg_of(e);
	cs.selector = (uint16_t)((cs.selector & ~3u) | s->cpl);
	return cs;
}

static struct x86_seg gate_target(
    struct x86 *s, const struct x86_entry *gate, bool call, uint64_t *offset)
{
	const uint32_t l_db = X86_SEG_L | X86_SEG_DB;
	uint16_t selector = (uint16_t)(gate->raw >> 16);
	uint32_t error = selector & 0xfffcu, attr;
	struct x86_entry e;
	struct x86_seg cs;
	bool ok;

	*offset = (gate->raw & 0xffff) | (gate->raw >> 32 & 0xffff0000);
	if (x86_is_long(s))
		*offset |= (uint64_t)x86_read_upper(s, gate, X86_GP, 0) << 32;
	else if (x86_system_type(x86_entry_attr(gate->raw)) == DESC_CALL16)
		*offset &= 0xffff;
	if (x86_is_null(selector))
		x86_raise_error(s, X86_GP, 0);
	e = x86_read_entry(s, selector, X86_GP, 0);
	attr = x86_entry_attr(e.raw);
	ok = call || x86_is_conforming(attr) ? x86_dpl(attr) <= s->cpl : x86_dpl(attr) == s->cpl;
	if (!x86_is_code(attr) || !ok || (x86_is_long(s) && (attr & l_db) != X86_SEG_L))
		x86_raise_error(s, X86_GP, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	x86_touch_entry(s, &e);
	cs = x86_seg_of(&e);
	cs.selector =
	    (uint16_t)((selector & ~3u) | (x86_is_conforming(attr) ? s->cpl : x86_dpl(attr)));
	return cs;
}

/* What a far pointer names: a code segment, or a gate or TSS whose DPL lets this CPL and RPL in. */
static struct x86_entry read_target(struct x86 *s, uint16_t selector)
{
	const unsigned legacy =
	    1 << DESC_TSS16 | 1 << DESC_CALL16 | 1 << DESC_TASK_GATE | 1 << DESC_TSS;
	const unsigned types = 1 << DESC_CALL | (x86_is_long(s) ? 0 : legacy);
	struct x86_entry e;
	uint32_t attr;

	if (x86_is_null(selector))
		x86_raise_error(s, X86_GP, 0);
	e = x86_read_entry(s, selector, X86_GP, 0);
	attr = x86_entry_attr(e.raw);
	if (x86_is_code(attr))
		return e;
	if (!(types >> x86_system_type(attr) & 1) || x86_dpl(attr) < s->cpl ||
	    x86_dpl(attr) < (selector & 3u))
		x86_raise_error(s, X86_GP, selector & 0xfffcu);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, selector & 0xfffcu);
	return e;
}

/* Tasks; false: it is a call gate. */
static bool switches_task(
    struct x86 *s, const struct x86_entry *e, enum x86_task_reason reason, uint64_t next)
{
	struct x86_task task = { .reason = reason, .next = next };

	switch (x86_system_type(x86_entry_attr(e->raw))) {
	case DESC_TASK_GATE:
		x86_task_gate(s, &task, (uint16_t)(e->raw >> 16));
		return true;
	case DESC_TSS16:
	case DESC_TSS:
		x86_switch_task(s, &task, e);
		return true;
	default:
		return false;
	}
}

static void enter_code(struct x86 *s, const struct x86_seg *cs, uint64_t rip)
{
	s->seg[X86_CS] = *cs;
	s->rip = rip;
	x86_mode_changed(s);
}

/* CS in real and virtual-8086 mode; its limit counts. */
static struct x86_seg real_target(struct x86 *s, uint16_t selector, uint64_t offset)
{
	struct x86_seg cs =
	    s->mode & X86_VM86 ? x86_vm86_seg(selector) : x86_real_seg(s, X86_CS, selector);

	if (offset > cs.limit)
		x86_raise_error(s, X86_GP, 0);
	return cs;
}

void x86_far_jump(struct x86 *s, uint16_t selector, uint64_t offset, uint64_t next)
{
	struct x86_entry e;
	struct x86_seg cs;

	if (!x86_is_protected(s)) {
		cs = real_target(s, selector, offset);
		enter_code(s, &cs, offset);
		return;
	}
	e = read_target(s, selector);
	if (x86_is_code(x86_entry_attr(e.raw))) {
		cs = plain_target(s, &e);
	} else {
		if (switches_task(s, &e, X86_TASK_JUMP, next))
			return;
		cs = gate_target(s, &e, false, &offset);
	}
	x86_check_rip(s, &cs, offset, 0);
	enter_code(s, &cs, offset);
}

/* Through a gate to an inner level: parameters are copied to the new stack. */
static void call_inner(struct x86 *s, const struct x86_entry *gate, const struct x86_seg *cs,
    uint64_t offset, unsigned size, uint64_t next)
{
	unsigned cpl = cs->selector & 3, count = gate->raw >> 32 & 31;
	struct x86_stack st =
	    size == 8 ? x86_tss_stack64(s, cpl, cpl, 0) : x86_tss_stack(s, cpl, 0);
	struct x86_stack from = x86_stack_now(s, 0);
	uint64_t word[32];
	unsigned n;

	if (size == 8)
		count = 0;
	for (n = 0; n < count; n++)
		word[n] = x86_stack_pop(s, &from, size);
	x86_check_rip(s, cs, offset, 0);
	x86_stack_push(s, &st, s->seg[X86_SS].selector, size);
	x86_stack_push(s, &st, s->r[X86_RSP], size);
	while (n)
		x86_stack_push(s, &st, word[--n], size);
	x86_stack_push(s, &st, s->seg[X86_CS].selector, size);
	x86_stack_push(s, &st, next, size);
	s->seg[X86_SS] = st.ss;
	x86_stack_commit(s, &st);
	enter_code(s, cs, offset);
}

/* On the stack that there is, which a 64-bit gate may enlarge. */
static void call_same(
    struct x86 *s, const struct x86_seg *cs, uint64_t offset, unsigned size, uint64_t next)
{
	struct x86_stack st = x86_stack_now(s, 0);

	x86_stack_push(s, &st, s->seg[X86_CS].selector, size);
	x86_stack_push(s, &st, next, size);
	x86_check_rip(s, cs, offset, 0);
	x86_stack_commit(s, &st);
	enter_code(s, cs, offset);
}

void x86_far_call(struct x86 *s, uint16_t selector, uint64_t offset, unsigned size, uint64_t next)
{
	struct x86_entry e;
	struct x86_seg cs;

	if (!x86_is_protected(s)) {
		cs = real_target(s, selector, offset);
		call_same(s, &cs, offset, size, next);
		return;
	}
	e = read_target(s, selector);
	if (x86_is_code(x86_entry_attr(e.raw))) {
		cs = plain_target(s, &e);
		call_same(s, &cs, offset, size, next);
		return;
	}
	if (switches_task(s, &e, X86_TASK_CALL, next))
		return;
	cs = gate_target(s, &e, true, &offset);
	if (x86_is_long(s))
		size = 8;
	else
		size = x86_system_type(x86_entry_attr(e.raw)) == DESC_CALL ? 4 : 2;
	if ((cs.selector & 3u) < s->cpl)
		call_inner(s, &e, &cs, offset, size, next);
	else
		call_same(s, &cs, offset, size, next);
}

/* Returns ------------------------------------------------------------------------------------ */

/* What RET and IRET popped, and where that leads. */
struct back {
	uint64_t rip, flags;
	uint16_t selector;
	struct x86_seg cs;
	struct x86_stack st; /* the new one */
};

static void check_back_cs(struct x86 *s, struct back *b)
{
	const uint32_t l_db = X86_SEG_L | X86_SEG_DB;
	unsigned rpl = b->selector & 3, dpl;
	uint32_t error = b->selector & 0xfffcu, attr;
	struct x86_entry e;

	if (x86_is_null(b->selector))
		x86_raise_error(s, X86_GP, 0);
	e = x86_read_entry(s, b->selector, X86_GP, 0);
	attr = x86_entry_attr(e.raw);
	dpl = x86_dpl(attr);
	if (!x86_is_code(attr) || rpl < s->cpl ||
	    (x86_is_conforming(attr) ? dpl > rpl : dpl != rpl) ||
	    (x86_is_long(s) && (attr & l_db) == l_db))
		x86_raise_error(s, X86_GP, error);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, error);
	x86_touch_entry(s, &e);
	b->cs = x86_seg_of(&e);
}

/* Pops the stack pointer and SS of the level that is returned to. */
static void pop_stack(struct x86 *s, struct x86_stack *from, struct back *b, unsigned size)
{
	unsigned rpl = b->selector & 3;
	uint16_t selector;

	b->st = (struct x86_stack){ .sp = x86_stack_pop(s, from, size) };
	selector = (uint16_t)x86_stack_pop(s, from, size);
	b->st.code64 = x86_is_long(s) && x86_is_code64(b->cs.attr);
	if (b->st.code64 && x86_is_null(selector) && rpl != 3 && (selector & 3u) == rpl)
		b->st.ss = x86_null_seg(selector, rpl);
	else
		b->st.ss = x86_check_stack(s, selector, rpl, X86_GP, 0);
}

static void commit_back(struct x86 *s, const struct back *b, bool outer)
{
	s->seg[X86_CS] = b->cs;
	s->seg[X86_SS] = b->st.ss;
	x86_stack_commit(s, &b->st);
	s->rip = b->rip;
	x86_mode_changed(s);
	if (outer)
		x86_drop_inner_segs(s);
}

static void return_8086(struct x86 *s, unsigned size, uint64_t release)
{
	struct x86_stack st = x86_stack_now(s, 0);
	uint64_t offset = x86_stack_pop(s, &st, size);
	uint16_t selector = (uint16_t)x86_stack_pop(s, &st, size);
	struct x86_seg cs = real_target(s, selector, offset);

	x86_stack_skip(&st, release);
	x86_stack_commit(s, &st);
	enter_code(s, &cs, offset);
}

void x86_far_return(struct x86 *s, unsigned size, uint64_t release)
{
	struct x86_stack st = x86_stack_now(s, 0);
	struct back b = { 0 };
	bool outer;

	if (!x86_is_protected(s)) {
		return_8086(s, size, release);
		return;
	}
	b.rip = x86_stack_pop(s, &st, size);
	b.selector = (uint16_t)x86_stack_pop(s, &st, size);
	check_back_cs(s, &b);
	outer = (b.selector & 3u) > s->cpl;
	x86_stack_skip(&st, release);
	if (outer) {
		pop_stack(s, &st, &b, size);
		x86_stack_skip(&b.st, release);
	} else {
		b.st = st;
	}
	x86_check_rip(s, &b.cs, b.rip, 0);
	commit_back(s, &b, outer);
}

/* What IRET may change of EFLAGS. */
static uint32_t flags_mask(const struct x86 *s, unsigned size)
{
	uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;

	if (size > 2)
		mask |= FLAG_RF | FLAG_AC | FLAG_ID;
	if (s->cpl <= (s->eflags & FLAG_IOPL) >> 12)
		mask |= FLAG_IF;
	if (s->cpl == 0) {
		mask |= FLAG_IOPL;
		if (size > 2)
			mask |= FLAG_VIF | FLAG_VIP;
	}
	return mask;
}

static void iret_real(struct x86 *s, unsigned size)
{
	struct x86_stack st = x86_stack_now(s, 0);
	uint64_t offset = x86_stack_pop(s, &st, size);
	uint16_t selector = (uint16_t)x86_stack_pop(s, &st, size);
	uint64_t flags = x86_stack_pop(s, &st, size);
	struct x86_seg cs = real_target(s, selector, offset);

	x86_stack_commit(s, &st);
	enter_code(s, &cs, offset);
	x86_set_flags(s, flags, flags_mask(s, size) & ~(uint32_t)(FLAG_VIF | FLAG_VIP));
}

/* In virtual-8086 mode (21.2.7, 21.3.3.5): IOPL 3, or 16 bits with VME. */
static void iret_vm86(struct x86 *s, unsigned size)
{
	bool iopl3 = (s->eflags & FLAG_IOPL) == FLAG_IOPL;
	struct x86_stack st = x86_stack_now(s, 0);
	uint32_t mask = flags_mask(s, size);
	uint64_t offset, flags;
	struct x86_seg cs;

	if (!iopl3 && (!(s->cr4 & CR4_VME) || size != 2))
		x86_raise_error(s, X86_GP, 0);
	offset = x86_stack_pop(s, &st, size);
	cs = real_target(s, (uint16_t)x86_stack_pop(s, &st, size), offset);
	flags = x86_stack_pop(s, &st, size);
	if (!iopl3) {
		if (flags & FLAG_TF || (flags & FLAG_IF && s->eflags & FLAG_VIP))
			x86_raise_error(s, X86_GP, 0);
		mask |= FLAG_VIF;
		flags &= ~(uint64_t)FLAG_VIF;
		if (flags & FLAG_IF)
			flags |= FLAG_VIF;
	}
	x86_stack_commit(s, &st);
	enter_code(s, &cs, offset);
	x86_set_flags(s, flags, mask);
}

static void iret_to_vm86(struct x86 *s, struct x86_stack *st, const struct back *b)
{
	static const uint8_t segs[] = { X86_ES, X86_DS, X86_FS, X86_GS };
	uint64_t sp = x86_stack_pop(s, st, 4);
	uint16_t ss = (uint16_t)x86_stack_pop(s, st, 4), selector[ARRAY_LEN(segs)];
	struct x86_seg cs = x86_vm86_seg(b->selector);
	unsigned n;

	for (n = 0; n < ARRAY_LEN(segs); n++)
		selector[n] = (uint16_t)x86_stack_pop(s, st, 4);
	x86_check_rip(s, &cs, b->rip, 0);
	for (n = 0; n < ARRAY_LEN(segs); n++)
		s->seg[segs[n]] = x86_vm86_seg(selector[n]);
	s->seg[X86_SS] = x86_vm86_seg(ss);
	s->seg[X86_CS] = cs;
	s->r[X86_RSP] = sp;
	s->rip = b->rip;
	x86_set_flags(s, b->flags, flags_mask(s, 4) | FLAG_VM);
	x86_mode_changed(s);
}

static void iret_protected(struct x86 *s, unsigned size)
{
	struct x86_stack st = x86_stack_now(s, 0);
	struct back b = { 0 };
	uint32_t mask;
	bool outer;

	b.rip = x86_stack_pop(s, &st, size);
	b.selector = (uint16_t)x86_stack_pop(s, &st, size);
	b.flags = x86_stack_pop(s, &st, size);
	if (b.flags & FLAG_VM && size == 4 && s->cpl == 0 && !x86_is_long(s)) {
		iret_to_vm86(s, &st, &b);
		return;
	}
	check_back_cs(s, &b);
	outer = (b.selector & 3u) > s->cpl;
	if (outer || s->mode & X86_CODE64)
		pop_stack(s, &st, &b, size);
	else
		b.st = st;
	x86_check_rip(s, &b.cs, b.rip, 0);
	mask = flags_mask(s, size);
	commit_back(s, &b, outer);
	x86_set_flags(s, b.flags, mask);
}

void x86_iret(struct x86 *s, unsigned size, uint64_t next)
{
	if (s->mode & X86_VM86)
		iret_vm86(s, size);
	else if (!x86_is_protected(s))
		iret_real(s, size);
	else if (!(s->eflags & FLAG_NT))
		iret_protected(s, size);
	else if (x86_is_long(s))
		x86_raise_error(s, X86_GP, 0);
	else
		x86_task_return(s, next);
	if (s->cpl == 0 && log_traces(s->env->log, TRACE_returns))
		x86_trace_return(s);
	s->nmi_masked = false;
	if (atomic_load_explicit(&s->lines, memory_order_relaxed) >> INTC_NMI & 1)
		x86_attend(s, X86_ATT_LINES);
	x86_flags_changed(s);
}
