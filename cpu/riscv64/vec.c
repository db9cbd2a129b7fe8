/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which vector instruction a word is, and what all of them have in common.  Manual: volume I, "V",
 * "Vector Instruction Formats", "Vector Operands".
 */
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/vec_int.h"

void rv_vec_begin(struct vec *v, struct rv *s, uint32_t word)
{
	const unsigned vlmul = s->vtype & 7;

	rv_vec_on(s);
	v->s = s;
	v->word = word;
	vec_need(v, !(s->vtype >> 63));
	v->sew = s->vtype >> 3 & 3;
	v->lmul = vlmul & 4 ? (int)vlmul - 8 : (int)vlmul;
	v->vl = (unsigned)s->vl;
	v->vstart = (unsigned)s->vstart;
	v->masked = !(word >> 25 & 1);
}

static bool is_fp(unsigned kind)
{
	return kind == OPFVV || kind == OPFVF;
}

const struct vec_op *rv_vec_op(uint32_t word)
{
	const unsigned kind = word >> 12 & 7, number = word >> 26;
	const struct vec_op *op = &(is_fp(kind) ? rv_vec_fp : rv_vec_int)[kind][number];

	if (!op->run && !is_fp(kind))
		op = &rv_vec_perm[kind][number];
	if (!op->run && !is_fp(kind))
		op = &rv_vec_fixed[kind][number];
	return op->run ? op : NULL;
}

uint64_t rv_vec_arith(struct rv *s, uint32_t word, uint64_t x)
{
	const struct vec_op *op = rv_vec_op(word);
	const unsigned kind = word >> 12 & 7;
	struct vec v;

	rv_vec_begin(&v, s, word);
	vec_need(&v, op != NULL);
	v.x = x;
	if (kind == OPIVI)
		v.x = op->flags & VEC_UIMM ? vec_vs1(&v)
					   : (uint64_t)(int64_t)((int32_t)(word << 12) >> 27);
	if (is_fp(kind)) {
		vec_need(&v, s->mstatus & MSTATUS_FS && s->frm <= FP_RMM);
		if (v.sew == 2)
			v.x = rv_unbox(FP_S, x);
	}
	x = op->run(&v, op);
	vec_end(&v);
	return x;
}
