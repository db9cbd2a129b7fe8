/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_EMIT_H
#define CPU_X86_EMIT_H

#include <string.h>

#include "base/compiler.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/lift.h"
#include "ir/ops_ir.h"

/*
 * The guest words of x86 in the form that builds IR; cpu/x86/direct.h says what each means.
 */
static inline val get_slot(struct ctx *c, unsigned slot)
{
	if (!c->have[slot])
		c->have[slot] =
		    emit(c, (struct ir_op){ .op = IR_get, .type = IR_I64, .k = slot }).n;
	return (val){ c->have[slot] };
}

static inline void put_slot(struct ctx *c, unsigned slot, val v)
{
	emit(c, (struct ir_op){ .op = IR_put, .type = IR_I64, .a = v.n, .k = slot });
	c->have[slot] = v.n;
}

static inline bool is_imm(const struct ctx *c, val v)
{
	return c->ir->op[v.n].op == IR_imm;
}

static inline val get_reg(struct ctx *c, unsigned size, unsigned r)
{
	val v = get_slot(c, X86_SLOT_R + r);

	return size == 8 ? v : zext(c, size * 8, v);
}

static inline val get_any(struct ctx *c, unsigned r)
{
	return get_slot(c, X86_SLOT_R + r);
}

/* Bits of a register that are not the first ones stay. */
static inline void put_part(struct ctx *c, unsigned r, uint64_t mask, val v)
{
	val old = and_(c, get_slot(c, X86_SLOT_R + r), imm(c, (int64_t)~mask));

	put_slot(c, X86_SLOT_R + r, or_(c, old, v));
}

static inline void put_reg(struct ctx *c, unsigned size, unsigned r, val v)
{
	if (size == 8)
		put_slot(c, X86_SLOT_R + r, v);
	else if (size == 4)
		put_slot(c, X86_SLOT_R + r, zext(c, 32, v));
	else
		put_part(c, r, size == 2 ? 0xffff : 0xff, zext(c, size * 8, v));
}

static inline val get_high(struct ctx *c, unsigned r)
{
	return zext(c, 8, shr(c, get_slot(c, X86_SLOT_R + r), imm(c, 8)));
}

static inline void put_high(struct ctx *c, unsigned r, val v)
{
	put_part(c, r, 0xff00, shl(c, zext(c, 8, v), imm(c, 8)));
}

static inline val shift_left(struct ctx *c, unsigned size, val v, val n)
{
	if (size >= 4)
		return emit2(c, IR_shl, size * 8, v, n);
	return zext(c, size * 8, shl(c, v, n));
}

static inline val shift_right(struct ctx *c, unsigned size, val v, val n)
{
	if (size >= 4)
		return emit2(c, IR_shr, size * 8, v, n);
	return shr(c, zext(c, size * 8, v), n);
}

static inline val shift_right_signed(struct ctx *c, unsigned size, val v, val n)
{
	if (size >= 4)
		return emit2(c, IR_sar, size * 8, v, n);
	return zext(c, size * 8, sar(c, sext(c, size * 8, v), n));
}

static inline val at_pc(struct ctx *c, int64_t k)
{
	return emit(c, (struct ir_op){ .op = IR_pc, .type = IR_I64, .k = k });
}

static inline val ip(struct ctx *c)
{
	return at_pc(c, c->pc);
}

static inline val next_ip(struct ctx *c, const struct x86_insn *a)
{
	val to = at_pc(c, c->pc + a->len);

	return is_64(a) ? to : zext(c, 32, to);
}

static inline void raise(struct ctx *c, enum x86_vector v)
{
	emit(c, (struct ir_op){ .op = IR_trap, .type = IR_I64, .a = imm(c, 0).n, .k = v });
}

static inline void raise_if(struct ctx *c, val cond, enum x86_vector v)
{
	emit(c, (struct ir_op){
		    .op = IR_trap_if, .type = IR_I64, .a = cond.n, .b = imm(c, 0).n, .k = v });
}

static inline val call(struct ctx *c, enum x86_help h, val a, val b, val d)
{
	if (x86_helpers[h].effects == X86_HELP_G) {
		memset(c->have, 0, sizeof c->have);
		c->flags = (struct x86_known_flags){ 0 };
	}
	return emit(c,
	    (struct ir_op){ .op = IR_call, .type = IR_I64, .a = a.n, .b = b.n, .c = d.n, .k = h });
}

/* Interprets the instruction, which knows the function and the operand. */
static inline void whole(struct ctx *c, const struct x86_insn *a, x86_whole_fn *fn, val offset)
{
	(void)a;
	(void)fn;
	(void)offset;
	call(c, X86_HELP_interpret, imm(c, 0), imm(c, 0), imm(c, 0));
}

/* vec_emit.h: whether the instruction became an operation of its own. */
static bool vector(struct ctx *c, const struct x86_insn *a, x86_whole_fn *fn);

/* In 64-bit code accesses find out themselves whether an address is canonical. */
static inline val linear(struct ctx *c, const struct x86_insn *a, unsigned seg, val offset,
    unsigned size, enum x86_access access)
{
	if (is_64(a)) {
		if (seg < X86_FS)
			return offset;
		return add(c, offset, get_slot(c, X86_SLOT_FS_BASE + (seg - X86_FS)));
	}
	if (a->mode & X86_FLAT && seg < X86_FS && (seg != X86_CS || access != X86_STORE))
		return offset;
	return call(c, X86_HELP_linear, offset,
	    imm(c, (int64_t)(seg | (unsigned)access << 8 | size << 16)), imm(c, 0));
}

static inline val load(struct ctx *c, unsigned size, val at)
{
	return emit1(c, IR_ld, size * 8, at);
}

static inline void store(struct ctx *c, unsigned size, val at, val v)
{
	emit2(c, IR_st, size * 8, at, v);
}

static inline val load_for_store(struct ctx *c, unsigned size, val at)
{
	return emit1(c, IR_ldw, size * 8, at);
}

/* Where execution was seen to go on the block does, too; other ways lead out. */
static inline void jump_to(struct ctx *c, val to)
{
	if (c->follow) {
		c->next = c->follow_to;
		emit2(c, IR_side_to, 64, ne(c, to, at_pc(c, c->next)), to);
		return;
	}
	emit(c, (struct ir_op){ .op = IR_exit_to, .type = IR_I64, .a = to.n });
}

static inline void resume(struct ctx *c, val to)
{
	emit(c, (struct ir_op){ .op = IR_resume, .type = IR_I64, .a = to.n });
}

static inline val target(struct ctx *c, const struct x86_insn *a)
{
	val to = at_pc(c, c->pc + a->imm);

	return a->size == 8 ? to : zext(c, a->size * 8u, to);
}

/* In 64-bit code it is only about targets that come from registers or memory: of those of 48 bits
 * the upper 17 are equal, and it is the helper that knows about longer ones. */
static inline void check_target_if(struct ctx *c, const struct x86_insn *a, val cond, val to)
{
	val odd;

	if (is_64(a)) {
		if (c->ir->op[to.n].op == IR_pc)
			return;
		odd = add(c, ror(c, 64, to, imm(c, 47)), imm(c, 1));
		call(c, X86_HELP_check_target, to, and_(c, odd, imm(c, 0x1fffe)), imm(c, 0));
	} else if (!(a->mode & X86_FLAT)) {
		call(c, X86_HELP_check_target, to, cond, imm(c, 0));
	}
}

static inline void check_target(struct ctx *c, const struct x86_insn *a, val to)
{
	check_target_if(c, a, imm(c, 1), to);
}

/* Whether the instruction goes where the sum of base and offset says. */
static inline bool is_exact(const struct x86_insn *a)
{
	return a->size == 8 || (a->size == 4 && (a->mode & X86_CODE_SIZE) == X86_CODE32);
}

/* In 64-bit code a relative jump does not leave what is canonical, or its fetch finds out. */
static inline void branch(struct ctx *c, const struct x86_insn *a, val cond)
{
	int64_t out = c->pc + a->imm;
	val to;

	if (is_exact(a) && (is_64(a) || a->mode & X86_FLAT)) {
		if (c->follow && c->follow_to == out) {
			out = c->next;
			c->next = c->follow_to;
			cond = eq(c, cond, imm(c, 0));
		}
		emit(c, (struct ir_op){ .op = IR_side, .type = IR_I64, .a = cond.n, .k = out });
		return;
	}
	to = target(c, a);
	check_target_if(c, a, cond, to);
	emit2(c, IR_side_to, 64, cond, to);
}

static inline void jump(struct ctx *c, const struct x86_insn *a)
{
	val to;

	if (is_exact(a) && (is_64(a) || a->mode & X86_FLAT)) {
		if (c->follow)
			c->next = c->pc + a->imm;
		else
			emit(c,
			    (struct ir_op){ .op = IR_exit, .type = IR_I64, .k = c->pc + a->imm });
		return;
	}
	to = target(c, a);
	check_target(c, a, to);
	jump_to(c, to);
}

static inline void repeat_if(struct ctx *c, val cond)
{
	emit(c, (struct ir_op){ .op = IR_side, .type = IR_I64, .a = cond.n, .k = c->pc });
}

static inline void put_fl(struct ctx *c, val op, val a, val b)
{
	put_slot(c, X86_SLOT_FL_OP, op);
	put_slot(c, X86_SLOT_FL_A, a);
	put_slot(c, X86_SLOT_FL_B, b);
}

static inline void know_flags(
    struct ctx *c, enum x86_flag_kind kind, unsigned size, unsigned count, val a, val b)
{
	c->flags = (struct x86_known_flags){ .known = true,
		.kind = (uint8_t)kind,
		.size = (uint8_t)size,
		.count = (uint8_t)count,
		.a = a.n,
		.b = b.n };
}

static inline void put_flags(struct ctx *c, enum x86_flag_kind kind, unsigned size, val a, val b)
{
	put_slot(c, X86_SLOT_FL_OP, imm(c, x86_fl_op(kind, size)));
	put_slot(c, X86_SLOT_FL_A, a);
	if (kind != X86_FL_LOGIC && kind != X86_FL_BITS)
		put_slot(c, X86_SLOT_FL_B, b);
	know_flags(c, kind, size, 0, a, b);
}

static inline void put_chosen(struct ctx *c, val cond, val op, val a, val b)
{
	put_fl(c, choose(c, cond, op, get_slot(c, X86_SLOT_FL_OP)),
	    choose(c, cond, a, get_slot(c, X86_SLOT_FL_A)),
	    choose(c, cond, b, get_slot(c, X86_SLOT_FL_B)));
	c->flags = (struct x86_known_flags){ 0 };
}

static inline void put_flags_if(
    struct ctx *c, val cond, enum x86_flag_kind kind, unsigned size, val a, val b)
{
	put_chosen(c, cond, imm(c, x86_fl_op(kind, size)), a, b);
}

static inline void put_flags_shift(
    struct ctx *c, enum x86_flag_kind kind, val count, unsigned size, val r, val old)
{
	val op = or_(c, shl(c, count, imm(c, X86_FL_COUNT)), imm(c, x86_fl_op(kind, size)));

	if (!is_imm(c, count)) {
		put_chosen(c, count, op, r, old);
	} else if (c->ir->op[count.n].k) {
		put_fl(c, op, r, old);
		know_flags(c, kind, size, (unsigned)c->ir->op[count.n].k, r, old);
	}
}

static inline void put_flags_carry(
    struct ctx *c, enum x86_flag_kind kind, val carry, unsigned size, val a, val b)
{
	put_fl(c, add(c, shl(c, carry, imm(c, 2)), imm(c, x86_fl_op(kind, size))), a, b);
	know_flags(c, kind, size, 0, a, b);
	c->flags.carry = carry.n;
}

static inline void put_flags_then(struct ctx *c, enum x86_flag_kind kind, unsigned size, val r)
{
	val op = and_(c, get_slot(c, X86_SLOT_FL_OP), imm(c, (int64_t)x86_fl_kept()));

	op = or_(c, op, imm(c, (int64_t)x86_fl_then(kind, size) << X86_FL_THEN));
	put_slot(c, X86_SLOT_FL_OP, op);
	put_slot(c, X86_SLOT_FL_R, r);
	c->flags.then = (uint8_t)kind;
	c->flags.then_size = (uint8_t)size;
	c->flags.r = r.n;
	c->flags.changed &= FLAG_CF;
	c->flags.flag[X86_CC_O / 2] = c->flags.flag[X86_CC_Z / 2] = 0;
}

/* new: bits of the flags, where fl_op has them. */
static inline val changed_op(struct ctx *c, uint32_t mask, val new)
{
	static const uint16_t flags[] = { FLAG_OF, FLAG_CF, FLAG_ZF, 0, FLAG_SF };
	val op = get_slot(c, X86_SLOT_FL_OP);
	unsigned i;

	op = and_(c, op, imm(c, (int64_t)~x86_fl_all_of(mask)));
	c->flags.changed |= mask;
	for (i = 0; i < ARRAY_LEN(flags); i++)
		if (mask & flags[i])
			c->flags.flag[i] = 0;
	return or_(c, new, or_(c, op, imm(c, (int64_t)x86_fl_changes(mask))));
}

static inline void change_flags(struct ctx *c, uint32_t mask, val bits)
{
	bits = shl(c, bits, imm(c, X86_FL_TO));
	put_slot(c, X86_SLOT_FL_OP, changed_op(c, mask, bits));
}

static inline void change_flags_if(struct ctx *c, val cond, uint32_t mask, val bits)
{
	val old = get_slot(c, X86_SLOT_FL_OP), op;

	op = changed_op(c, mask, shl(c, bits, imm(c, X86_FL_TO)));
	put_slot(c, X86_SLOT_FL_OP, choose(c, cond, op, old));
}

static inline void change_flag(struct ctx *c, uint32_t flag, val bit)
{
	val new = shl(c, bit, imm(c, X86_FL_TO + ctz64(flag)));

	put_slot(c, X86_SLOT_FL_OP, changed_op(c, flag, new));
	c->flags.flag[(flag == FLAG_CF      ? X86_CC_B
			  : flag == FLAG_ZF ? X86_CC_Z
					    : X86_CC_O) /
		      2] = bit.n;
}

static inline void change_carry_overflow(struct ctx *c, val bit)
{
	const uint64_t both = (uint64_t)(FLAG_CF | FLAG_OF) << X86_FL_TO;

	put_slot(c, X86_SLOT_FL_OP,
	    changed_op(c, FLAG_CF | FLAG_OF, mul(c, bit, imm(c, (int64_t)both))));
	c->flags.flag[X86_CC_B / 2] = c->flags.flag[X86_CC_O / 2] = bit.n;
}

/* sem_flags.h: of what is known, if that says it; else 0. */
static inline val known_cond(struct ctx *c, enum x86_cond cc);

/* By a helper.  What says all flags but CF: fl_a or fl_r. */
static inline val look_up(struct ctx *c, enum x86_help h, val op, bool carry)
{
	val a = get_slot(c, X86_SLOT_FL_A), then;

	if (!carry) {
		then = and_(c, op, imm(c, 15 << X86_FL_THEN));
		a = choose(c, then, get_slot(c, X86_SLOT_FL_R), a);
	}
	return call(c, h, op, a, get_slot(c, X86_SLOT_FL_B));
}

static inline val cond(struct ctx *c, enum x86_cond cc)
{
	val r = known_cond(c, cc), op;

	if (r.n)
		return r;
	if (cc / 2 == X86_CC_BE / 2) {
		r = or_(c, cond(c, X86_CC_B), cond(c, X86_CC_Z));
		return cc & 1 ? eq(c, r, imm(c, 0)) : r;
	}
	op = or_(c, get_slot(c, X86_SLOT_FL_OP), imm(c, (int64_t)cc << X86_COND));
	return look_up(c, X86_HELP_lazy_cond, op, cc / 2 == X86_CC_B / 2);
}

static inline val flags(struct ctx *c)
{
	val all = look_up(c, X86_HELP_lazy_flags, get_slot(c, X86_SLOT_FL_OP), false);

	return or_(c, and_(c, all, imm(c, FLAGS_ARITH & ~FLAG_CF)), cond(c, X86_CC_B));
}

/* Division: what is known of the upper half of the dividend, rDX. */
static inline void note_sign(struct ctx *c, unsigned size)
{
	c->sign_size = (uint8_t)size;
	c->sign_of = c->have[X86_SLOT_R + X86_RAX];
	c->sign = c->have[X86_SLOT_R + X86_RDX];
}

static inline bool high_is_sign(struct ctx *c, unsigned size)
{
	return c->sign && c->sign_size == size && c->sign_of == c->have[X86_SLOT_R + X86_RAX] &&
	       c->sign == c->have[X86_SLOT_R + X86_RDX];
}

static inline bool high_is_zero(struct ctx *c, unsigned size)
{
	val high = get_reg(c, size, X86_RDX);

	return is_imm(c, high) && c->ir->op[high.n].k == 0;
}

static inline bool is_alone(const struct ctx *c)
{
	return c->alone;
}

#endif
