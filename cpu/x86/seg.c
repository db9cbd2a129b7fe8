/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments.  Manual: SDM volume 3, 3.4 and 3.5 (registers, descriptors), 5 (checks), 7.7 (64-bit
 * TSS); volume 2, MOV, LAR, LSL, VERR.  Where the manual leaves open whether an access that wraps
 * at 4 GiB faults (3.5.1, 5.3): it does.
 */
#include "cpu/x86/seg.h"

#include "cpu/x86/code.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/jit.h"

enum { VM86_ATTR = 0xf3 }; /* volume 3, 21.2: present, DPL 3, data, writable, accessed */
enum { REAL_ATTR = 0x93 };

bool x86_seg_holds(const struct x86_seg *g, uint64_t offset, unsigned size)
{
	uint64_t last = offset + size - 1;

	if (last < offset)
		return false;
	if ((g->attr & (X86_SEG_S | SEG_CODE | SEG_EXPAND_DOWN)) == (X86_SEG_S | SEG_EXPAND_DOWN))
		return offset > g->limit && last <= (g->attr & X86_SEG_DB ? UINT32_MAX : 0xffff);
	return last <= g->limit;
}

static bool type_allows(uint32_t attr, enum x86_access access)
{
	switch (access) {
	case X86_STORE:
		return x86_is_writable_data(attr);
	case X86_LOAD:
		return !(attr & SEG_CODE) || attr & SEG_READABLE;
	default: /* CS may have come from real mode */
		return true;
	}
}

uint64_t x86_linear(
    struct x86 *s, unsigned seg, uint64_t offset, unsigned size, enum x86_access access)
{
	const struct x86_seg *g = &s->seg[seg];
	uint64_t linear;

	if (s->mode & X86_CODE64) {
		linear = seg < X86_FS ? offset : offset + g->base;
		if (likely(x86_is_canonical(s, linear) && x86_is_canonical(s, linear + size - 1)))
			return linear;
	} else if (likely(!(g->attr & X86_SEG_UNUSABLE) && x86_seg_holds(g, offset, size) &&
			  (!x86_is_protected(s) || type_allows(g->attr, access)))) {
		return (uint32_t)(g->base + offset);
	}
	x86_raise_error(s, seg == X86_SS ? X86_SSF : X86_GP, 0);
}

/* Descriptor tables -------------------------------------------------------------------------- */

static bool find_entry(const struct x86 *s, uint16_t selector, struct x86_entry *e)
{
	uint32_t at = selector & 0xfff8u;
	bool local = selector & 4;

	e->selector = selector;
	if (local && s->ldtr.attr & X86_SEG_UNUSABLE)
		return false;
	e->at = (local ? s->ldtr.base : s->gdt.base) + at;
	if (!x86_is_long(s))
		e->at = (uint32_t)e->at;
	return at + 7 <= (local ? s->ldtr.limit : s->gdt.limit);
}

struct x86_entry x86_read_entry(
    struct x86 *s, uint16_t selector, enum x86_vector vector, unsigned ext)
{
	struct x86_entry e;

	if (!find_entry(s, selector, &e))
		x86_raise_error(s, vector, (selector & 0xfffcu) | ext);
	e.raw = x86_load_system(s, e.at, 8);
	return e;
}

uint32_t x86_read_upper(
    struct x86 *s, const struct x86_entry *e, enum x86_vector vector, unsigned ext)
{
	bool local = e->selector & 4;
	uint64_t upper;

	if ((e->selector & 0xfff8u) + 15u > (local ? s->ldtr.limit : s->gdt.limit))
		x86_raise_error(s, vector, (e->selector & 0xfffcu) | ext);
	upper = x86_load_system(s, e->at + 8, 8);
	if (upper >> 40 & 0x1f)
		x86_raise_error(s, vector, (e->selector & 0xfffcu) | ext);
	return (uint32_t)upper;
}

void x86_touch_entry(struct x86 *s, struct x86_entry *e)
{
	const uint64_t accessed = (uint64_t)SEG_ACCESSED << 40;

	if (e->raw & accessed)
		return;
	e->raw |= accessed;
	x86_store_system(s, e->at + 5, e->raw >> 40 & 0xff, 1);
}

struct x86_seg x86_check_data(
    struct x86 *s, uint16_t selector, unsigned cpl, enum x86_vector vector, unsigned ext)
{
	struct x86_entry e;
	unsigned dpl;
	uint32_t attr;

	if (x86_is_null(selector))
		return x86_null_seg(selector, 0);
	e = x86_read_entry(s, selector, vector, ext);
	attr = x86_entry_attr(e.raw);
	dpl = x86_dpl(attr);
	if (!(attr & X86_SEG_S) || (x86_is_code(attr) && !(attr & SEG_READABLE)) ||
	    (!x86_is_conforming(attr) && ((selector & 3u) > dpl || cpl > dpl)))
		x86_raise_error(s, vector, (selector & 0xfffcu) | ext);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_NP, (selector & 0xfffcu) | ext);
	x86_touch_entry(s, &e);
	return x86_seg_of(&e);
}

struct x86_seg x86_check_stack(
    struct x86 *s, uint16_t selector, unsigned cpl, enum x86_vector vector, unsigned ext)
{
	struct x86_entry e;
	uint32_t attr;

	if (x86_is_null(selector))
		x86_raise_error(s, vector, ext);
	e = x86_read_entry(s, selector, vector, ext);
	attr = x86_entry_attr(e.raw);
	if ((selector & 3u) != cpl || !x86_is_writable_data(attr) || x86_dpl(attr) != cpl)
		x86_raise_error(s, vector, (selector & 0xfffcu) | ext);
	if (!(attr & X86_SEG_P))
		x86_raise_error(s, X86_SSF, (selector & 0xfffcu) | ext);
	x86_touch_entry(s, &e);
	return x86_seg_of(&e);
}

/* Limit, and what else a segment has from protected mode, stays ("unreal mode"). */
struct x86_seg x86_real_seg(const struct x86 *s, unsigned seg, uint16_t selector)
{
	struct x86_seg g = s->seg[seg];

	g.selector = selector;
	g.base = (uint32_t)selector << 4;
	g.attr = (g.attr & (X86_SEG_DB | X86_SEG_G)) | REAL_ATTR;
	return g;
}

struct x86_seg x86_vm86_seg(uint16_t selector)
{
	return (struct x86_seg){ (uint32_t)selector << 4, 0xffff, VM86_ATTR, selector };
}

void x86_load_seg(struct x86 *s, unsigned seg, uint16_t selector)
{
	struct x86_seg g;

	if (s->mode & X86_VM86)
		g = x86_vm86_seg(selector);
	else if (!x86_is_protected(s))
		g = x86_real_seg(s, seg, selector);
	else if (seg != X86_SS)
		g = x86_check_data(s, selector, s->cpl, X86_GP, 0);
	else if (x86_is_null(selector) && s->mode & X86_CODE64 && s->cpl < 3 &&
		 (selector & 3u) == s->cpl)
		g = x86_null_seg(selector, s->cpl);
	else
		g = x86_check_stack(s, selector, s->cpl, X86_GP, 0);
	s->seg[seg] = g;
	x86_mode_changed(s);
}

void x86_check_rip(struct x86 *s, const struct x86_seg *cs, uint64_t rip, unsigned ext)
{
	bool good =
	    x86_is_long(s) && x86_is_code64(cs->attr) ? x86_is_canonical(s, rip) : rip <= cs->limit;

	if (!good)
		x86_raise_error(s, X86_GP, ext);
}

void x86_drop_inner_segs(struct x86 *s)
{
	static const uint8_t segs[] = { X86_ES, X86_DS, X86_FS, X86_GS };
	unsigned n;

	for (n = 0; n < ARRAY_LEN(segs); n++) {
		struct x86_seg *g = &s->seg[segs[n]];
		const uint64_t base = g->base;

		/* A null one has nothing to hide but its base, which WRMSR may have set. */
		if (!(g->attr & X86_SEG_UNUSABLE) && !x86_is_conforming(g->attr) &&
		    x86_dpl(g->attr) < s->cpl) {
			*g = x86_null_seg(0, 0);
			g->base = base; /* 64-bit code goes on with it */
		}
	}
	x86_mode_changed(s);
}

/* Mode --------------------------------------------------------------------------------------- */

static bool is_flat(const struct x86 *s)
{
	static const uint8_t data[] = { X86_ES, X86_SS, X86_DS };
	const struct x86_seg *g = &s->seg[X86_CS];
	unsigned n;

	if (g->base || g->limit != UINT32_MAX || !(g->attr & SEG_READABLE))
		return false;
	for (n = 0; n < ARRAY_LEN(data); n++) {
		g = &s->seg[data[n]];
		if (g->base || g->limit != UINT32_MAX || g->attr & X86_SEG_UNUSABLE ||
		    !x86_is_writable_data(g->attr) || g->attr & SEG_EXPAND_DOWN)
			return false;
	}
	return true;
}

/* The CPL is SS's DPL, whatever the mode (SDM volume 3, 25.4.1). */
void x86_mode_changed(struct x86 *s)
{
	const uint32_t cs = s->seg[X86_CS].attr, ss = s->seg[X86_SS].attr;
	bool protected = s->cr0 & CR0_PE, vm86 = protected && s->eflags & FLAG_VM;
	uint32_t mode;
	unsigned n;

	s->cpl = vm86 ? 3 : protected ? (uint8_t)x86_dpl(ss) : 0;
	if (x86_is_long(s) && x86_is_code64(cs))
		mode = X86_CODE64 | X86_FLAT;
	else
		mode = (cs & X86_SEG_DB ? X86_CODE32 : X86_CODE16) |
		       (ss & X86_SEG_DB ? X86_STACK32 : 0) | (is_flat(s) ? X86_FLAT : 0);
	if (protected)
		mode |= vm86 ? X86_VM86 : X86_PROTECTED;
	if (s->cpl == 3)
		mode |= X86_USER;
	s->mode = mode;
	s->tlb = &s->tlbs[x86_looks_at_data(s) ? X86_CTX_SLOW : x86_data_context(s)];
	tlb_begin(s->tlb, s->tlb_size, true);
	tlb_begin(&s->code->fetch[!!(mode & X86_USER)], s->tlb_size, false);
	for (n = 0; n < X86_NSEGS; n++)
		s->seg_base[n] = s->seg[n].base;
	x86_jit_mode_changed(s);
}

/* Stacks ------------------------------------------------------------------------------------- */

struct x86_stack x86_stack_now(const struct x86 *s, unsigned ext)
{
	return (
	    struct x86_stack){ s->seg[X86_SS], s->r[X86_RSP], s->mode & X86_CODE64, false, ext };
}

static uint64_t sp_mask(const struct x86_stack *st)
{
	return st->code64 ? UINT64_MAX : st->ss.attr & X86_SEG_DB ? UINT32_MAX : 0xffff;
}

static uint64_t stack_linear(struct x86 *s, const struct x86_stack *st, uint64_t sp, unsigned size)
{
	if (st->code64) {
		if (likely(x86_is_canonical(s, sp) && x86_is_canonical(s, sp + size - 1)))
			return sp;
	} else if (likely(!(st->ss.attr & X86_SEG_UNUSABLE) && x86_seg_holds(&st->ss, sp, size))) {
		return (uint32_t)(st->ss.base + sp);
	}
	x86_raise_error(s, X86_SSF, st->error);
}

void x86_stack_push(struct x86 *s, struct x86_stack *st, uint64_t val, unsigned size)
{
	uint64_t mask = sp_mask(st), sp = (st->sp - size) & mask;
	uint64_t linear = stack_linear(s, st, sp, size);

	if (st->inner)
		x86_store_system(s, linear, val, size);
	else
		x86_store(s, linear, val, size);
	st->sp = (st->sp & ~mask) | sp;
}

uint64_t x86_stack_pop(struct x86 *s, struct x86_stack *st, unsigned size)
{
	uint64_t linear = stack_linear(s, st, st->sp & sp_mask(st), size);

	x86_stack_skip(st, size);
	return x86_load(s, linear, size);
}

void x86_stack_skip(struct x86_stack *st, uint64_t bytes)
{
	uint64_t mask = sp_mask(st);

	st->sp = (st->sp & ~mask) | ((st->sp + bytes) & mask);
}

void x86_stack_commit(struct x86 *s, const struct x86_stack *st)
{
	uint64_t mask = sp_mask(st);

	if (mask == 0xffff)
		s->r[X86_RSP] = (s->r[X86_RSP] & ~mask) | (st->sp & mask);
	else
		s->r[X86_RSP] = st->sp & mask;
}

/* Reads the TSS itself, below its limit. */
static uint64_t tss_field(struct x86 *s, unsigned at, unsigned size, unsigned ext)
{
	if (at + size - 1 > s->tr.limit)
		x86_raise_error(s, X86_TS, (s->tr.selector & 0xfffcu) | ext);
	return x86_load_system(s, s->tr.base + at, size);
}

struct x86_stack x86_tss_stack(struct x86 *s, unsigned dpl, unsigned ext)
{
	bool wide = (s->tr.attr & X86_SEG_TYPE & ~(unsigned)DESC_BUSY) == DESC_TSS;
	unsigned size = wide ? 4 : 2, at = size + dpl * 2 * size;
	struct x86_stack st = { .inner = true };
	uint16_t selector;

	st.sp = tss_field(s, at, size, ext);
	selector = (uint16_t)tss_field(s, at + size, 2, ext);
	st.error = (selector & 0xfffcu) | ext;
	st.ss = x86_check_stack(s, selector, dpl, X86_TS, ext);
	return st;
}

struct x86_stack x86_tss_stack64(struct x86 *s, unsigned dpl, unsigned slot, unsigned ext)
{
	struct x86_stack st = { .code64 = true, .error = ext };

	st.sp = tss_field(s, 4 + 8 * slot, 8, ext);
	st.inner = dpl < s->cpl;
	st.ss = st.inner ? x86_null_seg((uint16_t)dpl, dpl) : s->seg[X86_SS];
	return st;
}

/* LAR, LSL, VERR, VERW ----------------------------------------------------------------------- */

/* The entry, if this CPL and RPL may see it. */
static bool visible(struct x86 *s, uint16_t selector, struct x86_entry *e)
{
	uint32_t attr;

	if (x86_is_null(selector) || !find_entry(s, selector, e))
		return false;
	e->raw = x86_load_system(s, e->at, 8);
	attr = x86_entry_attr(e->raw);
	return x86_is_conforming(attr) ||
	       (x86_dpl(attr) >= s->cpl && x86_dpl(attr) >= (selector & 3u));
}

static bool valid_for(const struct x86 *s, uint32_t attr, uint32_t types, uint32_t long_types)
{
	if (attr & X86_SEG_S)
		return true;
	return (x86_is_long(s) ? long_types : types) >> (attr & X86_SEG_TYPE) & 1;
}

bool x86_lar(struct x86 *s, uint16_t selector, uint32_t *val)
{
	const uint32_t types = 1 << DESC_TSS16 | 1 << DESC_LDT | 1 << DESC_TSS16_BUSY |
			       1 << DESC_CALL16 | 1 << DESC_TASK_GATE | 1 << DESC_TSS |
			       1 << DESC_TSS_BUSY | 1 << DESC_CALL;
	const uint32_t long_types =
	    1 << DESC_LDT | 1 << DESC_TSS | 1 << DESC_TSS_BUSY | 1 << DESC_CALL;
	struct x86_entry e;

	if (!visible(s, selector, &e) || !valid_for(s, x86_entry_attr(e.raw), types, long_types))
		return false;
	*val = e.raw >> 32 & 0xf0ff00;
	return true;
}

bool x86_lsl(struct x86 *s, uint16_t selector, uint32_t *val)
{
	const uint32_t types = 1 << DESC_TSS16 | 1 << DESC_LDT | 1 << DESC_TSS16_BUSY |
			       1 << DESC_TSS | 1 << DESC_TSS_BUSY;
	const uint32_t long_types = 1 << DESC_LDT | 1 << DESC_TSS | 1 << DESC_TSS_BUSY;
	struct x86_entry e;

	if (!visible(s, selector, &e) || !valid_for(s, x86_entry_attr(e.raw), types, long_types))
		return false;
	*val = x86_entry_limit(e.raw);
	return true;
}

bool x86_verify(struct x86 *s, uint16_t selector, bool write)
{
	struct x86_entry e;
	uint32_t attr;

	if (!visible(s, selector, &e))
		return false;
	attr = x86_entry_attr(e.raw);
	if (!(attr & X86_SEG_S))
		return false;
	return write ? x86_is_writable_data(attr) : !x86_is_code(attr) || attr & SEG_READABLE;
}
