/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block as text: `%5 = add %3, %4`; operations on part of a value have its width behind the name.
 */
#include <inttypes.h>

#include "base/buf.h"
#include "ir/ir.h"

static void print_k(const struct ir_op *o, const struct ir_guest *g, struct buf *out)
{
	switch (ir_infos[o->op].k) {
	case IR_K_SLOT:
		buf_printf(out, "%s", g->slots[o->k].name);
		break;
	case IR_K_HELPER:
		buf_printf(out, "%s", g->helpers[o->k].name);
		break;
	case IR_K_CAUSE:
		buf_printf(out, "%" PRId64, o->k);
		break;
	default:
		buf_printf(out, "0x%" PRIx64, (uint64_t)o->k);
	}
}

static void print_op(const struct ir_op *o, unsigned n, const struct ir_guest *g, struct buf *out)
{
	const struct ir_info *info = &ir_infos[o->op];
	const uint16_t v[3] = { o->a, o->b, o->c };
	const char *comma = " ";
	unsigned i;

	buf_printf(out, o->op == IR_insn ? "" : "\t");
	if (info->result)
		buf_printf(out, "%%%u = ", n);
	buf_printf(out, "%s", info->name);
	if (info->types != IR_TYPES_W64)
		buf_printf(out, "%u", ir_bits(o->type));
	if (info->k != IR_K_NONE) {
		buf_printf(out, "%s", comma);
		print_k(o, g, out);
		comma = ", ";
	}
	for (i = 0; i < info->operands; i++) {
		buf_printf(out, "%s%%%u", comma, v[i]);
		comma = ", ";
	}
	buf_printf(out, "\n");
}

void ir_print(const struct ir_block *b, const struct ir_guest *g, struct buf *out)
{
	unsigned n;

	for (n = 1; n < b->n; n++)
		print_op(&b->op[n], n, g, out);
}
