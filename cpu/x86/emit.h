/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_EMIT_H
#define CPU_X86_EMIT_H

#include "cpu/x86/flags.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/lift.h"
#include "ir/ops_ir.h"

/*
 * The guest words of x86 in the form that builds IR; cpu/x86/direct.h says what each means.
 */
static inline val get_slot(struct ctx *c, unsigned slot)
{
	return emit(c, (struct ir_op){ .op = IR_get, .type = IR_I64, .k = slot });
}

static inline void put_slot(struct ctx *c, unsigned slot, val v)
{
	emit(c, (struct ir_op){ .op = IR_put, .type = IR_I64, .a = v.n, .k = slot });
}

static inline val get_reg(struct ctx *c, unsigned size, unsigned r)
{
	val v = get_slot(c, X86_SLOT_R + r);

	return size == 8 ? v : zext(c, size * 8, v);
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
	if (x86_helpers[h].effects == X86_HELP_G)
		c->flags_known = false;
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
	call(c, X86_HELP_probe_store, at, imm(c, size), imm(c, 0));
	return load(c, size, at);
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

static inline void check_target_if(struct ctx *c, const struct x86_insn *a, val cond, val to)
{
	if (is_64(a) || !(a->mode & X86_FLAT))
		call(c, X86_HELP_check_target, to, cond, imm(c, 0));
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

static inline void put_flags(struct ctx *c, enum x86_flag_kind kind, unsigned size, val a, val b)
{
	put_fl(c, imm(c, x86_fl_op(kind, size)), a, b);
	c->flags_known = true;
	c->flags_kind = (uint8_t)kind;
	c->flags_size = (uint8_t)size;
	c->flags_a = a.n;
	c->flags_b = b.n;
}

static inline void put_flags_if(
    struct ctx *c, val cond, enum x86_flag_kind kind, unsigned size, val a, val b)
{
	val op = imm(c, x86_fl_op(kind, size));

	put_fl(c, choose(c, cond, op, get_slot(c, X86_SLOT_FL_OP)),
	    choose(c, cond, a, get_slot(c, X86_SLOT_FL_A)),
	    choose(c, cond, b, get_slot(c, X86_SLOT_FL_B)));
	c->flags_known = false;
}

static inline void put_flags_carry(
    struct ctx *c, enum x86_flag_kind kind, val carry, unsigned size, val a, val b)
{
	val op = add(c, imm(c, x86_fl_op(kind, size)), shl(c, carry, imm(c, 2)));

	put_fl(c, op, a, b);
	c->flags_known = false;
}

static inline val fl_cond(
    struct ctx *c, unsigned kind, unsigned bits, val a, val b, enum x86_cond cc);

static inline val cond(struct ctx *c, enum x86_cond cc)
{
	val op;

	if (c->flags_known)
		return fl_cond(c, c->flags_kind, c->flags_size * 8u, (val){ c->flags_a },
		    (val){ c->flags_b }, cc);
	op = or_(c, get_slot(c, X86_SLOT_FL_OP), imm(c, (int64_t)cc << 8));
	return call(
	    c, X86_HELP_lazy_cond, op, get_slot(c, X86_SLOT_FL_A), get_slot(c, X86_SLOT_FL_B));
}

static inline val flags(struct ctx *c)
{
	return call(c, X86_HELP_lazy_flags, get_slot(c, X86_SLOT_FL_OP), get_slot(c, X86_SLOT_FL_A),
	    get_slot(c, X86_SLOT_FL_B));
}

#endif
