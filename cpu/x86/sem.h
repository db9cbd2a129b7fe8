/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All instruction bodies.  Whoever includes this has defined X86_BODIES as what declares a body and
 * included the words: cpu/x86/direct.h to execute, cpu/x86/emit.h to build IR.
 */
#include "cpu/x86/sem_flags.h"

/* Where the memory operand is, in its segment (SDM volume 1, 3.7.5). */
X86_WORDS val address(struct ctx *c, const struct x86_insn *a)
{
	val at = imm(c, a->disp);

	if (a->base == X86_BASE_RIP)
		at = add(c, ip(c), at);
	else if (a->base != X86_NO_REG)
		at = add(c, get_reg(c, 8, a->base), at);
	if (a->index != X86_NO_REG && !(a->flags & X86_VSIB))
		at = add(c, at, shl(c, get_reg(c, 8, a->index), imm(c, (int64_t)ctz64(a->scale))));
	return a->asize == 8 ? at : zext(c, a->asize * 8u, at);
}

/* The linear address of a memory operand of that size. */
X86_WORDS val operand_at(
    struct ctx *c, const struct x86_insn *a, unsigned size, enum x86_access access)
{
	return linear(c, a, a->seg, address(c, a), size, access);
}

/* The value of an operand, zero-extended. */
X86_WORDS val src(struct ctx *c, const struct x86_insn *a, unsigned i)
{
	const struct x86_operand *o = &a->o[i];

	switch (o->kind) {
	case X86_O_REG:
		return get_reg(c, o->size, o->reg);
	case X86_O_HIGH:
		return get_high(c, o->reg);
	case X86_O_MEM:
		return load(c, o->size, operand_at(c, a, o->size, X86_LOAD));
	case X86_O_IMM2:
		return imm(c, a->imm2);
	default:
		return imm(c, a->imm);
	}
}

/* The same for those who do not look above its size: there may be anything. */
X86_WORDS val any_src(struct ctx *c, const struct x86_insn *a, unsigned i)
{
	const struct x86_operand *o = &a->o[i];

	if (o->kind == X86_O_REG)
		return get_any(c, o->reg);
	if (o->kind == X86_O_IMM && o->size == 4)
		return imm(c, (int32_t)a->imm);
	return src(c, a, i);
}

/* Writes an operand.  To memory it comes before what changes the CPU, since it may fault. */
X86_WORDS void dst(struct ctx *c, const struct x86_insn *a, unsigned i, val v)
{
	const struct x86_operand *o = &a->o[i];

	if (o->kind == X86_O_REG)
		put_reg(c, o->size, o->reg, v);
	else if (o->kind == X86_O_HIGH)
		put_high(c, o->reg, v);
	else
		store(c, o->size, operand_at(c, a, o->size, X86_STORE), v);
}

X86_WORDS bool is_locked(const struct ctx *c, const struct x86_insn *a)
{
	return a->flags & X86_LOCK && !is_alone(c);
}

/* The first operand, which is to be changed, as any_src gives it; with LOCK its new value is in
 * memory after this. *at is for rmw_end. */
X86_WORDS val rmw_begin(struct ctx *c, const struct x86_insn *a, val *at, enum x86_rmw how, val b)
{
	unsigned size = a->o[0].size;

	*at = imm(c, 0);
	if (a->o[0].kind != X86_O_MEM)
		return any_src(c, a, 0);
	*at = operand_at(c, a, size, X86_STORE);
	if (is_locked(c, a))
		return call(c, X86_HELP_locked, *at, b, imm(c, (int64_t)(how | size << 8)));
	return load_for_store(c, size, *at);
}

X86_WORDS void rmw_end(struct ctx *c, const struct x86_insn *a, val at, val v)
{
	if (a->o[0].kind != X86_O_MEM)
		dst(c, a, 0, v);
	else if (!is_locked(c, a))
		store(c, a->o[0].size, at, v);
}

X86_WORDS val zero_extended(struct ctx *c, unsigned size, val v)
{
	return size == 8 ? v : zext(c, size * 8, v);
}

/* Bytes of the stack pointer that count. */
X86_WORDS unsigned stack_size(const struct x86_insn *a)
{
	return is_64(a) ? 8 : a->mode & X86_STACK32 ? 4 : 2;
}

/* rSP moved by some bytes, cut to its size. */
X86_WORDS val stack_at(struct ctx *c, const struct x86_insn *a, int64_t offset)
{
	unsigned size = stack_size(a);

	return zext(c, size * 8, add(c, get_reg(c, size, X86_RSP), imm(c, offset)));
}

X86_WORDS void put_stack(struct ctx *c, const struct x86_insn *a, val sp)
{
	put_reg(c, stack_size(a), X86_RSP, sp);
}

/* Stores v below the stack pointer, and moves that. */
X86_WORDS void push(struct ctx *c, const struct x86_insn *a, unsigned size, val v)
{
	val sp = stack_at(c, a, -(int64_t)size);

	store(c, size, linear(c, a, X86_SS, sp, size, X86_STORE), v);
	put_stack(c, a, sp);
}

/* What POP would give; the stack pointer stays: the caller moves it when nothing can fault. */
X86_WORDS val top(struct ctx *c, const struct x86_insn *a, unsigned size)
{
	return load(c, size, linear(c, a, X86_SS, stack_at(c, a, 0), size, X86_LOAD));
}

#include "cpu/x86/sem_int.h"
#include "cpu/x86/sem_int_bit.h"
#include "cpu/x86/sem_int_flow.h"
#include "cpu/x86/sem_int_shift.h"
#include "cpu/x86/sem_simd.h"
#include "cpu/x86/sem_sys.h"
