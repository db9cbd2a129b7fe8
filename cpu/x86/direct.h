/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_DIRECT_H
#define CPU_X86_DIRECT_H

#include "base/bytes.h"
#include "core/mem.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/insn.h"

/*
 * The guest words of x86, executed at once: what instruction bodies (sem_*.h) call when they are
 * compiled into the interpreter; cpu/x86/emit.h has the same words as IR.  Words that can fault do
 * not come back when they do, so a body uses all of them before the first word that changes the
 * CPU (put_reg, put of flags, a jump).  While a body runs, s->rip is its instruction.
 */
struct ctx {
	struct x86 *s;
	uint64_t to; /* where it goes on */
};

#include "ir/ops_direct.h"

/* General registers: r is 0 to 15, size 1, 2, 4 or 8.  Values of any size are zero-extended; 32-bit
 * results clear the high half of the register, smaller ones leave what is above. */
static ALWAYS_INLINE val get_reg(struct ctx *c, unsigned size, unsigned r)
{
	return zext(c, size * 8, c->s->r[r]);
}

/* All of it. */
static ALWAYS_INLINE val get_any(struct ctx *c, unsigned r)
{
	return c->s->r[r];
}

static ALWAYS_INLINE void put_reg(struct ctx *c, unsigned size, unsigned r, val v)
{
	uint64_t *at = &c->s->r[r];

	if (size >= 4)
		*at = zext(c, size * 8, v);
	else if (size == 2)
		*at = (*at & ~0xffffull) | (v & 0xffff);
	else
		*at = (*at & ~0xffull) | (v & 0xff);
}

/* AH, CH, DH, BH. */
static ALWAYS_INLINE val get_high(struct ctx *c, unsigned r)
{
	return c->s->r[r] >> 8 & 0xff;
}

static ALWAYS_INLINE void put_high(struct ctx *c, unsigned r, val v)
{
	c->s->r[r] = (c->s->r[r] & ~0xff00ull) | (v & 0xff) << 8;
}

/* The low `size` bytes of v, shifted by what is less than 32, of 8 bytes 64; zero-extended. */
static ALWAYS_INLINE val shift_left(struct ctx *c, unsigned size, val v, val n)
{
	return zext(c, size * 8, shl(c, v, n));
}

static ALWAYS_INLINE val shift_right(struct ctx *c, unsigned size, val v, val n)
{
	return shr(c, zext(c, size * 8, v), n);
}

static ALWAYS_INLINE val shift_right_signed(struct ctx *c, unsigned size, val v, val n)
{
	return zext(c, size * 8, sar(c, sext(c, size * 8, v), n));
}

/* rip, and that of the next instruction. */
static ALWAYS_INLINE val ip(const struct ctx *c)
{
	return c->s->rip;
}

static ALWAYS_INLINE val next_ip(const struct ctx *c, const struct x86_insn *a)
{
	uint64_t to = c->s->rip + a->len;

	return is_64(a) ? to : (uint32_t)to;
}

/* Exceptions; those that have an error code get 0. */
static ALWAYS_INLINE void raise(const struct ctx *c, enum x86_vector v)
{
	if (X86_ERROR_VECTORS >> v & 1)
		x86_raise_error(c->s, v, 0);
	x86_raise(c->s, v);
}

static ALWAYS_INLINE void raise_if(const struct ctx *c, val cond, enum x86_vector v)
{
	if (unlikely(cond))
		raise(c, v);
}

static ALWAYS_INLINE val call(const struct ctx *c, enum x86_help h, val a, val b, val d)
{
	return x86_helpers[h].fn(c->s, a, b, d);
}

/* Whether there is a better way than to call a C function for the whole instruction. */
static ALWAYS_INLINE bool vector(const struct ctx *c, const struct x86_insn *a, x86_whole_fn *fn)
{
	(void)c;
	(void)a;
	(void)fn;
	return false;
}

/* An instruction that a C function executes, but for the offset of its memory operand. */
static ALWAYS_INLINE void whole(
    const struct ctx *c, const struct x86_insn *a, x86_whole_fn *fn, val offset)
{
	fn(c->s, a, offset);
}

/* The linear address of [offset, offset + size) in a segment, which may be accessed so. */
static ALWAYS_INLINE val linear(struct ctx *c, const struct x86_insn *a, unsigned seg, val offset,
    unsigned size, enum x86_access access)
{
	uint64_t at = offset;

	if (is_64(a)) {
		if (seg >= X86_FS)
			at += c->s->seg_base[seg];
		/* Canonical from end to end: 48 bits, the two halves beside each other. */
		if (likely(at + (1ull << 47) <= (1ull << 48) - size))
			return at;
	} else if (a->mode & X86_FLAT && seg < X86_FS && (seg != X86_CS || access != X86_STORE)) {
		if (likely(at <= (1ull << 32) - size))
			return at;
	}
	return x86_linear(c->s, seg, offset, size, access);
}

/* Memory at linear addresses: the TLB in line, the rest in access.c.  size: 1, 2, 4, 8. */
static ALWAYS_INLINE val load(struct ctx *c, unsigned size, val at)
{
	const struct tlb_entry *e = &c->s->tlb->load[tlb_slot(c->s->tlb, at)];

	if (likely((at ^ e->tag) <= MEM_PAGE - size))
		return get_le((const void *)(uintptr_t)(at + e->addend), size);
	return x86_load(c->s, at, size);
}

static ALWAYS_INLINE void store(struct ctx *c, unsigned size, val at, val v)
{
	const struct tlb_entry *e = &c->s->tlb->store[tlb_slot(c->s->tlb, at)];

	if (likely((at ^ e->tag) <= MEM_PAGE - size))
		put_le((void *)(uintptr_t)(at + e->addend), v, size);
	else
		x86_store(c->s, at, v, size);
}

/* A load of what a store to the same place follows: it faults as that would. */
static ALWAYS_INLINE val load_for_store(struct ctx *c, unsigned size, val at)
{
	const struct tlb_entry *e = &c->s->tlb->store[tlb_slot(c->s->tlb, at)];

	if (likely((at ^ e->tag) <= MEM_PAGE - size))
		return get_le((const void *)(uintptr_t)(at + e->addend), size);
	x86_probe_store(c->s, at, size);
	return x86_load(c->s, at, size);
}

/* Control: where to go on, instead of behind the instruction. */
static ALWAYS_INLINE void jump_to(struct ctx *c, val to)
{
	c->to = to;
}

/* The same for a target that the instruction tells (X86_O_REL): cut to the operand size. */
static ALWAYS_INLINE val target(const struct ctx *c, const struct x86_insn *a)
{
	uint64_t to = c->s->rip + (uint64_t)a->imm;

	return a->size == 2 ? (uint16_t)to : a->size == 4 ? (uint32_t)to : to;
}

/* Raises #GP(0) if code cannot go on there. */
static ALWAYS_INLINE void check_target(struct ctx *c, const struct x86_insn *a, val to)
{
	if (is_64(a)) {
		if (likely((uint64_t)((int64_t)(to << 16) >> 16) == to))
			return;
	} else if (a->mode & X86_FLAT) {
		return;
	}
	x86_linear(c->s, X86_CS, to, 1, X86_FETCH);
}

static ALWAYS_INLINE void check_target_if(struct ctx *c, const struct x86_insn *a, val cond, val to)
{
	if (cond)
		check_target(c, a, to);
}

static ALWAYS_INLINE void jump(struct ctx *c, const struct x86_insn *a)
{
	uint64_t to = target(c, a);

	check_target(c, a, to);
	c->to = to;
}

static ALWAYS_INLINE void branch(struct ctx *c, const struct x86_insn *a, val cond)
{
	if (cond)
		jump(c, a);
}

/* The instruction is not done: it goes on with itself, if cond. */
static ALWAYS_INLINE void repeat_if(struct ctx *c, val cond)
{
	if (cond)
		c->to = c->s->rip;
}

/* As jump_to; mode, segments, anything may have changed. */
static ALWAYS_INLINE void resume(struct ctx *c, val to)
{
	c->to = to;
}

/* Flags: see flags.h. */
static ALWAYS_INLINE void put_flags(
    struct ctx *c, enum x86_flag_kind kind, unsigned size, val a, val b)
{
	c->s->fl_op = (uint8_t)x86_fl_op(kind, size);
	c->s->fl_a = a;
	c->s->fl_b = b;
}

/* Only if cond. */
static ALWAYS_INLINE void put_flags_if(
    struct ctx *c, val cond, enum x86_flag_kind kind, unsigned size, val a, val b)
{
	if (cond)
		put_flags(c, kind, size, a, b);
}

/* Of a shift, with its result and what was shifted; a count of 0 changes none. */
static ALWAYS_INLINE void put_flags_shift(
    struct ctx *c, enum x86_flag_kind kind, val count, unsigned size, val r, val old)
{
	if (!count)
		return;
	put_flags(c, kind, size, r, old);
	c->s->fl_op |= count << X86_FL_COUNT;
}

/* ADC and SBB: kind, or the one after it if carry is 1. */
static ALWAYS_INLINE void put_flags_carry(
    struct ctx *c, enum x86_flag_kind kind, val carry, unsigned size, val a, val b)
{
	c->s->fl_op = (uint8_t)(x86_fl_op(kind, size) + (carry << 2));
	c->s->fl_a = a;
	c->s->fl_b = b;
}

/* INC and DEC. */
static ALWAYS_INLINE void put_flags_then(
    struct ctx *c, enum x86_flag_kind kind, unsigned size, val r)
{
	c->s->fl_op = (c->s->fl_op & x86_fl_kept()) | x86_fl_then(kind, size) << X86_FL_THEN;
	c->s->fl_r = r;
}

/* Some of the six flags, of which there is one at least; bits: they alone, in their places. */
static ALWAYS_INLINE void change_flags(struct ctx *c, uint32_t mask, val bits)
{
	c->s->fl_op =
	    (c->s->fl_op & ~x86_fl_all_of(mask)) | x86_fl_changes(mask) | bits << X86_FL_TO;
}

static ALWAYS_INLINE void change_flags_if(struct ctx *c, val cond, uint32_t mask, val bits)
{
	if (cond)
		change_flags(c, mask, bits);
}

/* One flag: bit is 1 or 0. */
static ALWAYS_INLINE void change_flag(struct ctx *c, uint32_t flag, val bit)
{
	change_flags(c, flag, bit << ctz64(flag));
}

/* CF and OF, from which the same follows. */
static ALWAYS_INLINE void change_carry_overflow(struct ctx *c, val bit)
{
	change_flags(c, FLAG_CF | FLAG_OF, bit | bit << ctz64(FLAG_OF));
}

/* What most conditions are about: comparisons, and results. */
static ALWAYS_INLINE val cond(struct ctx *c, enum x86_cond cc)
{
	const uint64_t op = c->s->fl_op;
	const unsigned kind = (op & 63) >> 2, unused = 64 - (8u << (op & 3));
	/* What is above the size goes away. */
	const uint64_t a = c->s->fl_a << unused, b = c->s->fl_b << unused;
	val r;

	if (unlikely(op >> X86_FL_THEN)) {
		if (!(op >> X86_FL_TO) && cc >> 1 == X86_CC_Z >> 1)
			return (c->s->fl_r == 0) ^ (cc & 1);
		return x86_cond(c->s, cc);
	}
	if (kind == X86_FL_SUB && cc >> 1 == X86_CC_Z >> 1)
		r = a == b;
	else if (kind == X86_FL_SUB && cc >> 1 == X86_CC_B >> 1)
		r = a < b;
	else if (kind == X86_FL_SUB && cc >> 1 == X86_CC_BE >> 1)
		r = a <= b;
	else if (kind == X86_FL_SUB && cc >> 1 == X86_CC_L >> 1)
		r = (int64_t)a < (int64_t)b;
	else if (kind == X86_FL_SUB && cc >> 1 == X86_CC_LE >> 1)
		r = (int64_t)a <= (int64_t)b;
	else if (kind == X86_FL_TEST && cc >> 1 == X86_CC_Z >> 1)
		r = (a & b) == 0;
	else if (kind >= X86_FL_ADD && cc >> 1 == X86_CC_Z >> 1)
		r = a == 0;
	else if (kind >= X86_FL_ADD && cc >> 1 == X86_CC_S >> 1)
		r = a >> 63;
	else if (kind == X86_FL_LOGIC && cc >> 1 == X86_CC_LE >> 1)
		r = (int64_t)a <= 0;
	else
		return x86_cond(c->s, cc);
	return r ^ (cc & 1);
}

/* All six as in EFLAGS. */
static ALWAYS_INLINE val flags(struct ctx *c)
{
	return x86_arith_flags(c->s);
}

/* Division: CWD and the like have made rDX of rAX; whether it is known that they were the last who
 * did, or that rDX is 0. */
static ALWAYS_INLINE void note_sign(struct ctx *c, unsigned size)
{
	(void)c;
	(void)size;
}

static ALWAYS_INLINE bool high_is_sign(struct ctx *c, unsigned size)
{
	(void)c;
	(void)size;
	return false;
}

static ALWAYS_INLINE bool high_is_zero(struct ctx *c, unsigned size)
{
	(void)c;
	(void)size;
	return false;
}

/* Whether LOCK means nothing, since it is known that there is no other CPU. */
static ALWAYS_INLINE bool is_alone(const struct ctx *c)
{
	(void)c;
	return false;
}

#endif
