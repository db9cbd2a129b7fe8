/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_IR_RANDOM_H
#define TEST_IR_RANDOM_H

#include "test/ir/toy.h"

/*
 * Random blocks for the toy: any operation with any operands, and what lifted instructions look
 * like, with constants near those that passes know something about.
 */
struct random {
	uint64_t seed;
	struct ir_block *b;
	bool fold; /* as ir_emit does */
	unsigned pc;
};

static inline uint64_t rnd(struct random *r)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed * 0x2545f4914f6cdd1d;
}

static inline unsigned below(struct random *r, unsigned n)
{
	return (unsigned)((rnd(r) >> 33) % n);
}

static inline uint64_t random_const(struct random *r)
{
	static const uint64_t special[] = { 0, 1, 2, UINT64_MAX, 0xff, 0xffff, 0xffffffff,
		0x7fffffff, 0x80000000, 0xffffffff80000000, INT64_MAX, 1ull << 63, 31, 32, 63, 64,
		255 };
	uint64_t v = rnd(r);

	switch (below(r, 6)) {
	case 0:
		return 1ull << below(r, 64);
	case 1:
		return ~0ull >> below(r, 64);
	case 2:
		return (uint64_t)((int64_t)v >> 52);
	case 3:
		return v >> below(r, 64);
	default:
		return special[below(r, ARRAY_LEN(special))];
	}
}

static inline uint16_t put_op(struct random *r, struct ir_op o)
{
	if (r->fold)
		return ir_emit(r->b, o);
	r->b->op[r->b->n] = o;
	r->b->ended = ir_infos[o.op].effects & IR_ENDS;
	return (uint16_t)r->b->n++;
}

static inline uint16_t r_imm(struct random *r, uint64_t k)
{
	return put_op(r, (struct ir_op){ .op = IR_imm, .type = IR_I64, .k = (int64_t)k });
}

static inline uint16_t r_op(
    struct random *r, enum ir_opcode op, enum ir_type type, uint16_t a, uint16_t b)
{
	return put_op(
	    r, (struct ir_op){ .op = (uint8_t)op, .type = (uint8_t)type, .a = a, .b = b });
}

static inline uint16_t r_get(struct random *r)
{
	return put_op(
	    r, (struct ir_op){ .op = IR_get, .type = IR_I64, .k = below(r, ARRAY_LEN(toy_slots)) });
}

static inline void r_put(struct random *r, uint16_t v)
{
	put_op(r, (struct ir_op){
		      .op = IR_put, .type = IR_I64, .a = v, .k = below(r, ARRAY_LEN(toy_slots)) });
}

/* Some value: mostly one of the last. */
static inline uint16_t r_value(struct random *r)
{
	unsigned n = r->b->n, i, from;

	if (below(r, 8) == 0)
		return r_imm(r, random_const(r));
	if (below(r, 8) == 0)
		return r_get(r);
	from = below(r, 3) && n > 8 ? n - 1 - below(r, 7) : below(r, n);
	for (i = from; i > 0; i--)
		if (ir_infos[r->b->op[i].op].result)
			return (uint16_t)i;
	return r_get(r);
}

static inline uint16_t r_ext(struct random *r, uint16_t v)
{
	if (below(r, 3) == 0)
		return v;
	return r_op(r, below(r, 2) ? IR_sext : IR_zext,
	    below(r, 4) ? IR_I32 : (enum ir_type)below(r, 4), v, 0);
}

/* A shift, as they come in instructions; its count is k or a value. */
static inline uint16_t r_shift(struct random *r, enum ir_opcode op, uint16_t v, unsigned k)
{
	uint16_t n;

	if (below(r, 8))
		n = r_imm(r, k);
	else
		n = r_op(r, IR_and, IR_I64, r_value(r), r_imm(r, below(r, 2) ? 63 : 31));
	return r_op(r, op, below(r, 4) ? IR_I64 : IR_I32, v, n);
}

/* Two shifts of a value, which are a rotation or an extension now and then. */
static inline void r_shifts(struct random *r)
{
	uint16_t x = r_value(r), y, z;
	unsigned bits = below(r, 2) ? 32 : 64, k = 1 + below(r, bits - 1);
	enum ir_opcode right = below(r, 4) ? IR_shr : IR_sar;

	if (below(r, 3) == 0) {
		y = r_shift(r, IR_shl, x, k);
		if (bits == 32)
			y = r_ext(r, y);
		r_put(r, r_shift(r, right, y, below(r, 2) ? k : below(r, 64)));
		return;
	}
	y = r_ext(r, r_shift(r, IR_shl, r_ext(r, x), k));
	if (below(r, 2))
		r_put(r, y);
	z = r_ext(r, r_shift(r, right, r_ext(r, x), below(r, 8) ? bits - k : below(r, 64)));
	if (below(r, 2))
		r_put(r, z);
	if (below(r, 2))
		z = r_op(r, below(r, 4) ? IR_or : IR_add, IR_I64, y, z);
	else
		z = r_op(r, below(r, 4) ? IR_or : IR_xor, IR_I64, z, y);
	r_put(r, r_ext(r, z));
}

static inline void r_any(struct random *r)
{
	struct ir_op o = { 0 };
	const struct ir_info *info;

	do
		o.op = (uint8_t)below(r, IR_NOPCODES);
	while (!ir_infos[o.op].result || ir_infos[o.op].effects || o.op == IR_call ||
	       ir_infos[o.op].operands == 0);
	info = &ir_infos[o.op];
	o.type = (uint8_t)(info->types == IR_TYPES_ALL ? below(r, 4) : IR_I64);
	if (info->types == IR_TYPES_ROT)
		o.type = below(r, 2) ? IR_I32 : IR_I64;
	o.a = r_value(r);
	if (info->operands > 1)
		o.b = below(r, 3) ? r_value(r) : r_imm(r, random_const(r));
	if (info->operands > 2)
		o.c = r_value(r);
	put_op(r, o);
}

static inline uint16_t r_call(struct random *r, unsigned helper, uint16_t a)
{
	return put_op(r, (struct ir_op){ .op = IR_call,
			     .type = IR_I64,
			     .a = a,
			     .b = r_value(r),
			     .c = r_value(r),
			     .k = helper });
}

static inline void r_floats(struct random *r)
{
	uint16_t x = r_call(r, TOY_UNBOX, r_value(r));

	x = r_call(r, TOY_SIGN + below(r, 5), x);
	x = r_call(r, TOY_BOX, x);
	r_put(r, x);
	if (below(r, 2))
		r_call(r, TOY_UNBOX, x);
}

static inline uint16_t r_cond(struct random *r)
{
	uint16_t x = r_op(
	    r, (enum ir_opcode)(IR_eq + below(r, 4)), IR_I64, r_value(r), r_ext(r, r_value(r)));

	if (below(r, 3) == 0)
		x = r_op(r, below(r, 2) ? IR_eq : IR_ne, IR_I64, x, r_imm(r, 0));
	if (below(r, 3) == 0)
		x = r_op(r, IR_xor, IR_I64, x, r_imm(r, 1));
	return x;
}

static inline uint16_t r_choose(struct random *r, uint16_t a, uint16_t b, uint16_t c)
{
	return put_op(r, (struct ir_op){ .op = IR_choose, .type = IR_I64, .a = a, .b = b, .c = c });
}

/* czero.eqz, czero.nez, and or, or nearly. */
static inline void r_choices(struct random *r)
{
	uint16_t cond = below(r, 2) ? r_cond(r) : r_value(r), zero, one, x;

	if (below(r, 2)) {
		one = r_imm(r, below(r, 3));
		zero = r_imm(r, below(r, 2));
		r_put(r, r_choose(r, cond, one, zero));
		return;
	}
	zero = r_imm(r, below(r, 8) == 0);
	x = r_choose(r, cond, r_value(r), zero);
	one = r_choose(r, cond, zero, r_value(r));
	r_put(r, below(r, 2) ? r_op(r, IR_or, IR_I64, x, one) : r_op(r, IR_or, IR_I64, one, x));
}

static inline void r_effect(struct random *r)
{
	struct ir_op o = { .type = IR_I64 };

	switch (below(r, 8)) {
	case 0:
		o.op = IR_side;
		o.a = r_cond(r);
		o.k = below(r, 4096);
		break;
	case 1:
		o.op = IR_trap_if;
		o.b = r_value(r);
		o.a = r_cond(r);
		o.k = below(r, 16);
		break;
	case 2:
		r_call(r, below(r, TOY_NHELPERS), r_value(r));
		return;
	case 3:
	case 4:
		o.op = IR_st;
		o.type = (uint8_t)below(r, 4);
		o.a = r_value(r);
		o.b = r_value(r);
		break;
	case 5:
		o.op = IR_fence;
		break;
	default:
		o.op = below(r, 4) ? IR_ld : IR_ldw;
		o.type = (uint8_t)below(r, 4);
		o.a = r_value(r);
		r_put(r, r_ext(r, put_op(r, o)));
		return;
	}
	put_op(r, o);
}

/* add rd, rs1, rs2 and the like, often of 32 bits. */
static inline void r_arith(struct random *r)
{
	static const uint8_t ops[] = { IR_add, IR_sub, IR_mul, IR_and, IR_or, IR_xor };
	uint16_t x = r_get(r), y = below(r, 2) ? r_get(r) : r_imm(r, random_const(r));

	x = r_op(r, (enum ir_opcode)ops[below(r, ARRAY_LEN(ops))], IR_I64, x, y);
	r_put(r, r_ext(r, x));
}

/* Parts of what hosts make at once, with something in between now and then. */
static inline void r_parts(struct random *r)
{
	static const uint8_t ops[] = { IR_mul, IR_mulh, IR_mulhu, IR_divs, IR_rems, IR_divu,
		IR_remu };
	uint16_t x = r_value(r), y = r_value(r);
	unsigned from = below(r, 2) ? 0 : 3, n = 2 + below(r, 2);

	while (n--) {
		r_put(r, r_op(r, (enum ir_opcode)ops[from + below(r, from ? 4 : 3)], IR_I64, x, y));
		if (below(r, 3) == 0)
			r_arith(r);
	}
}

/* A pointer that goes on a bit, with accesses. */
static inline void r_walk(struct random *r)
{
	const unsigned slot = below(r, ARRAY_LEN(toy_slots));
	uint16_t v = put_op(r, (struct ir_op){ .op = IR_get, .type = IR_I64, .k = slot }), x;
	unsigned n = 1 + below(r, 4);

	while (n--) {
		v = r_op(r, IR_add, IR_I64, v, r_imm(r, random_const(r) >> below(r, 60)));
		put_op(r, (struct ir_op){ .op = IR_put, .type = IR_I64, .a = v, .k = slot });
		x = below(r, 2) ? v : r_op(r, IR_add, IR_I64, v, r_imm(r, below(r, 64)));
		if (below(r, 3) == 0)
			r_op(r, IR_st, IR_I64, x, r_value(r));
		else if (below(r, 3))
			r_put(r, r_op(r, IR_ld, IR_I64, x, 0));
	}
}

static inline void r_pc(struct random *r)
{
	uint16_t x = put_op(r, (struct ir_op){ .op = IR_pc, .type = IR_I64, .k = (int64_t)r->pc });

	r_put(r, r_op(r, IR_add, IR_I64, x, r_imm(r, random_const(r))));
}

static inline void r_insn(struct random *r)
{
	put_op(r, (struct ir_op){ .op = IR_insn, .type = IR_I64, .k = (int64_t)r->pc });
	r->pc += 4;
	switch (below(r, 15)) {
	case 0:
	case 1:
	case 2:
		r_arith(r);
		break;
	case 3:
	case 4:
		r_shifts(r);
		break;
	case 5:
		r_put(r, r_cond(r));
		break;
	case 6:
		r_floats(r);
		break;
	case 10:
		r_choices(r);
		break;
	case 11:
		r_parts(r);
		break;
	case 12:
		r_walk(r);
		break;
	case 7:
		r_pc(r);
		break;
	case 8:
	case 9:
		r_any(r);
		r_put(r, r_value(r));
		break;
	default:
		r_effect(r);
	}
}

static inline void random_block(struct random *r, struct ir_block *b)
{
	unsigned n = 1 + below(r, 14);

	r->b = b;
	r->fold = below(r, 2);
	r->pc = below(r, 1024) * 4;
	ir_begin(b);
	while (n--)
		r_insn(r);
	switch (below(r, 4)) {
	case 0:
		put_op(r, (struct ir_op){ .op = IR_exit_to, .type = IR_I64, .a = r_value(r) });
		break;
	case 1:
		put_op(r, (struct ir_op){ .op = IR_trap, .type = IR_I64, .a = r_value(r), .k = 5 });
		break;
	default:
		put_op(r, (struct ir_op){ .op = IR_exit, .type = IR_I64, .k = (int64_t)r->pc });
	}
}

#endif
