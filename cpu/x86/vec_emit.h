/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The word `vector` in the form that builds IR, after all others: a vector instruction as one
 * operation, if there is one for it.
 */
#include "cpu/x86/simd_vec.h"

static bool vector(struct ctx *c, const struct x86_insn *a, x86_whole_fn *fn)
{
	struct ir_op o = { .type = IR_I64 };
	enum ir_opcode op;
	struct ir_vec v;
	val r;

	if (!x86_vec_of(a, fn, &op, &v))
		return false;
	call(c, X86_HELP_vec_enter, imm(c, v.vex ? 2 : 1), imm(c, 0), imm(c, 0));
	o.op = (uint8_t)op;
	o.k = ir_vec_k(v);
	if (op == IR_vec_in)
		o.a = src(c, a, v.has_vreg ? 2 : 1).n;
	else if (op != IR_vec && op != IR_vec_out)
		o.a = operand_at(c, a, ir_vec_size(v), op == IR_vec_st ? X86_STORE : X86_LOAD).n;
	r = emit(c, o);
	if (v.out == IR_VEC_OUT_FLAGS)
		put_flags(c, X86_FL_BITS, 1, r, imm(c, 0));
	else if (v.out)
		put_reg(c, a->o[0].size < 4 ? 4 : a->o[0].size, a->o[0].reg, r);
	return true;
}
