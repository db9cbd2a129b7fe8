/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes blocks, with constants folded on the way: what bodies compute at decode time costs nothing.
 * Everything beyond that is for passes.
 */
#include <assert.h>

#include "ir/ir.h"

const struct ir_info ir_infos[IR_NOPCODES] = {
#define OP(name, operands, result, types, k, effects)                                              \
	{ #name, operands, result, IR_TYPES_##types, IR_K_##k, effects },
#include "ir/ops.def"
};

void ir_begin(struct ir_block *b)
{
	b->ended = false;
	b->n = 1;
	b->op[0] = (struct ir_op){ .op = IR_nop, .type = IR_I64 };
}

bool ir_has_room(const struct ir_block *b)
{
	return b->n + IR_INSN_OPS < IR_BLOCK_OPS;
}

static bool is_imm(const struct ir_block *b, uint16_t v)
{
	return b->op[v].op == IR_imm;
}

/* The value itself, when the right operand of an operation is a zero that changes nothing. */
static bool keeps_left(const struct ir_block *b, const struct ir_op *o)
{
	switch (o->op) {
	case IR_add:
	case IR_sub:
	case IR_or:
	case IR_xor:
		return is_imm(b, o->b) && b->op[o->b].k == 0;
	case IR_shl:
	case IR_shr:
	case IR_sar: /* 32 bits lose what is above */
		return o->type == IR_I64 && is_imm(b, o->b) && b->op[o->b].k == 0;
	default:
		return false;
	}
}

static bool can_fold(const struct ir_block *b, const struct ir_op *o)
{
	const struct ir_info *info = &ir_infos[o->op];

	if (!info->result || info->operands == 0 || info->effects || o->op == IR_call)
		return false;
	return is_imm(b, o->a) && (info->operands < 2 || is_imm(b, o->b)) &&
	       (info->operands < 3 || is_imm(b, o->c));
}

uint16_t ir_emit(struct ir_block *b, struct ir_op o)
{
	if (b->ended)
		return 0;
	if (keeps_left(b, &o))
		return o.a;
	if (o.op == IR_choose && is_imm(b, o.a))
		return b->op[o.a].k ? o.b : o.c;
	if (can_fold(b, &o)) {
		o.k = (int64_t)ir_eval(o.op, o.type, (uint64_t)b->op[o.a].k, (uint64_t)b->op[o.b].k,
		    (uint64_t)b->op[o.c].k);
		o = (struct ir_op){ .op = IR_imm, .type = IR_I64, .k = o.k };
	}
	assert(b->n < IR_BLOCK_OPS);
	b->op[b->n] = o;
	b->ended = ir_infos[o.op].effects & IR_ENDS;
	return (uint16_t)b->n++;
}
