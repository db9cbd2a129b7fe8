/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a block is one: what every executor may rely on.
 */
#include <errno.h>
#include <stddef.h>

#include "ir/vec.h"

static bool type_fits(enum ir_types types, unsigned type)
{
	switch (types) {
	case IR_TYPES_ALL:
		return type <= IR_I64;
	case IR_TYPES_ROT:
		return type == IR_I32 || type == IR_I64;
	default:
		return type == IR_I64;
	}
}

static bool k_fits(const struct ir_op *o, const struct ir_guest *g)
{
	switch (ir_infos[o->op].k) {
	case IR_K_NONE:
		return o->k == 0;
	case IR_K_SLOT:
		return o->k >= 0 && o->k < g->nslots;
	case IR_K_HELPER:
		return o->k >= 0 && o->k < g->nhelpers;
	case IR_K_VEC:
		return ir_vec_of(o->k).insn < g->nvecs && ir_vec_of(o->k).size <= 5;
	case IR_K_CAUSE:
		return o->k >= 0 && o->k < 64;
	default:
		return true;
	}
}

/* What is wrong with operation n, or NULL. */
static const char *wrong(const struct ir_block *b, unsigned n, const struct ir_guest *g)
{
	const struct ir_op *o = &b->op[n];
	const struct ir_info *info = &ir_infos[o->op];
	const uint16_t v[3] = { o->a, o->b, o->c };
	unsigned i;

	for (i = 0; i < 3; i++) {
		if (i >= info->operands && v[i])
			return "an operand too many";
		if (i < info->operands && v[i] >= n)
			return "an operand that comes later";
		if (i < info->operands && !ir_infos[b->op[v[i]].op].result)
			return "an operand that is no value";
	}
	if (!type_fits(info->types, o->type))
		return "not of that type";
	if (!k_fits(o, g))
		return "a constant out of range";
	if (n == 1 && o->op != IR_insn)
		return "an instruction must come first";
	if ((n == b->n - 1) != !!(info->effects & IR_ENDS))
		return "an end must be at the end";
	return NULL;
}

int ir_check(const struct ir_block *b, const struct ir_guest *g, struct err *e)
{
	const char *why;
	unsigned n;

	if (b->n < 3 || b->n > IR_BLOCK_OPS || b->op[0].op != IR_nop)
		return err_set(e, EINVAL, "IR block: %u operations cannot be one", b->n);
	for (n = 1; n < b->n; n++) {
		if (b->op[n].op >= IR_NOPCODES)
			return err_set(e, EINVAL, "IR operation %u: no opcode %u", n, b->op[n].op);
		why = wrong(b, n, g);
		if (why)
			return err_set(e, EINVAL, "IR operation %u (%s): %s", n,
			    ir_infos[b->op[n].op].name, why);
	}
	return 0;
}
