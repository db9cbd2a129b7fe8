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

static NOINLINE uint64_t any(struct rv *s, uint32_t word, uint64_t x)
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

static uint32_t swapped(uint32_t x)
{
	return (uint32_t)(bswap64(x) >> 32);
}

/* a, or where v0 has a bit, b. */
static void merged(const struct rv *s, uint32_t a[4], const uint32_t b[4])
{
	static const uint32_t bits[4] = { 1, 2, 4, 8 };
	const uint32_t mask = (uint32_t)s->v[0];

	for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
		a[i] ^= (a[i] ^ b[i]) & -(uint32_t)((mask & bits[i]) != 0);
}

/* Whole registers of 32 bits, not under a mask: what SHA-2 and AES are made of besides their own
 * instructions.  false: it is another one. */
static inline bool simple(struct rv *s, uint32_t word)
{
	enum { VADD_VV = 0x02000057, VXOR_VV = 0x2e000057, VMERGE_VVM = 0x5c000057 };
	enum { VXUNARY0 = 0x4a002057, VREV8 = 9 };
	const unsigned vd = word >> 7 & 31, vs1 = word >> 15 & 31, vs2 = word >> 20 & 31;
	uint32_t a[4], b[4];

	if (!vec_is_e32_m1(s) || s->vl != ARRAY_LEN(a))
		return false;
	memcpy(a, s->v + 2 * vs2, sizeof a);
	memcpy(b, s->v + 2 * vs1, sizeof b);
	switch (word & 0xfe00707f) {
	case VADD_VV:
		for (unsigned i = 0; i < ARRAY_LEN(a); i++)
			a[i] += b[i];
		break;
	case VXOR_VV:
		for (unsigned i = 0; i < ARRAY_LEN(a); i++)
			a[i] ^= b[i];
		break;
	case VMERGE_VVM:
		if (!vd || !vs1 || !vs2)
			return false;
		merged(s, a, b);
		break;
	case VXUNARY0:
		if (vs1 != VREV8)
			return false;
		for (unsigned i = 0; i < ARRAY_LEN(a); i++)
			a[i] = swapped(a[i]);
		break;
	default:
		return false;
	}
	memcpy(s->v + 2 * vd, a, sizeof a);
	return true;
}

uint64_t rv_vec_arith(struct rv *s, uint32_t word, uint64_t x)
{
	return likely(simple(s, word)) ? 0 : any(s, word, x);
}
