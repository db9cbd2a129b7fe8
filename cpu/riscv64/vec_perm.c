/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reductions, masks, permutations.  Manual: volume I, "V", "Vector Integer Reduction Operations",
 * "Vector Mask Instructions", "Vector Permutation Instructions".
 */
#include "cpu/riscv64/vec_perm.h"

/* Reductions --------------------------------------------------------------------------------------
 */

typedef uint64_t reduce_fn(uint64_t acc, uint64_t x);

#define REDUCE(name, expr)                                                                         \
	static uint64_t name##_step(uint64_t acc, uint64_t x)                                      \
	{                                                                                          \
		return expr;                                                                       \
	}                                                                                          \
	static reduce_fn *const name[] = { name##_step };

REDUCE(vredsum, acc + x)
REDUCE(vredand, acc &x)
REDUCE(vredor, acc | x)
REDUCE(vredxor, acc ^ x)
REDUCE(vredmaxu, acc > x ? acc : x)
REDUCE(vredminu, acc < x ? acc : x)
REDUCE(vredmax, (int64_t)acc > (int64_t)x ? acc : x)
REDUCE(vredmin, (int64_t)acc < (int64_t)x ? acc : x)

void vec_need_reduction(const struct vec *v, unsigned wider)
{
	const int sew = (int)v->sew;

	vec_need(v, !v->vstart && v->sew + wider <= 3);
	vec_need_source(v, vec_vs2(v), v->lmul);
	vec_need_source(v, vec_vs1(v), 0);
	vec_need_one_width(v, vec_vs2(v), sew, v->lmul, vec_vs1(v), sew + (int)wider, 0);
}

static uint64_t reduce_to(struct vec *v, const struct vec_op *op, unsigned wider)
{
	reduce_fn *step = *(reduce_fn *const *)op->fn;
	const void *a = vec_reg(v, vec_vs2(v));
	const unsigned sew = v->sew + wider;
	uint64_t acc = vec_get(vec_reg(v, vec_vs1(v)), sew, 0), x;

	vec_need_reduction(v, wider);
	if (op->flags & VEC_SIGNED)
		acc = (uint64_t)vec_sext(acc, sew);
	for (unsigned i = 0; i < v->vl; i++) {
		if (!vec_active(v, i))
			continue;
		x = vec_get(a, v->sew, i);
		acc = step(acc, op->flags & VEC_SIGNED ? (uint64_t)vec_sext(x, v->sew) : x);
	}
	if (v->vl)
		vec_put(vec_reg(v, vec_vd(v)), sew, 0, acc);
	return 0;
}

static uint64_t reduce(struct vec *v, const struct vec_op *op)
{
	return reduce_to(v, op, 0);
}

static uint64_t reduce_wide(struct vec *v, const struct vec_op *op)
{
	return reduce_to(v, op, 1);
}

/* Masks -------------------------------------------------------------------------------------------
 */

/* The bits from vstart to vl of one of the two words of a mask. */
static uint64_t taking_part(const struct vec *v, unsigned word)
{
	const unsigned from = 64 * word;
	uint64_t bits = UINT64_MAX;

	if (v->vl <= from || v->vstart >= from + 64)
		return 0;
	if (v->vl < from + 64)
		bits = (1ull << (v->vl - from)) - 1;
	if (v->vstart > from)
		bits &= UINT64_MAX << (v->vstart - from);
	return bits;
}

static uint64_t mask_logic(struct vec *v, const struct vec_op *op)
{
	const uint64_t *a = vec_reg(v, vec_vs2(v)), *b = vec_reg(v, vec_vs1(v));
	uint64_t *d = vec_reg(v, vec_vd(v)), r, take;

	(void)op;
	vec_need(v, !v->masked);
	for (unsigned i = 0; i < 2; i++) {
		switch (v->word >> 26 & 3) {
		case 0: /* VMANDN, VMORN */
			r = v->word >> 28 & 1 ? a[i] | ~b[i] : a[i] & ~b[i];
			break;
		case 1: /* VMAND, VMNAND */
			r = a[i] & b[i];
			break;
		case 2: /* VMOR, VMNOR */
			r = a[i] | b[i];
			break;
		default: /* VMXOR, VMXNOR */
			r = a[i] ^ b[i];
		}
		if (v->word >> 28 & 1 && v->word >> 26 & 3)
			r = ~r;
		take = taking_part(v, i);
		d[i] = (d[i] & ~take) | (r & take);
	}
	return 0;
}

/* The active bits of vs2. */
static uint64_t active_bits(const struct vec *v, unsigned word)
{
	const uint64_t *a = vec_reg(v, vec_vs2(v));

	return a[word] & taking_part(v, word) & (v->masked ? v->s->v[word] : UINT64_MAX);
}

/* VMV.X.S, VCPOP.M, VFIRST.M */
static uint64_t vwxunary0(struct vec *v, const struct vec_op *op)
{
	uint64_t low, high;

	(void)op;
	if (vec_vs1(v) == 0) {
		vec_need(v, !v->masked);
		return (uint64_t)vec_sext(vec_get(vec_reg(v, vec_vs2(v)), v->sew, 0), v->sew);
	}
	vec_need(v, (vec_vs1(v) == 16 || vec_vs1(v) == 17) && !v->vstart);
	low = active_bits(v, 0);
	high = active_bits(v, 1);
	if (vec_vs1(v) == 16)
		return popcnt64(low) + popcnt64(high);
	if (low)
		return ctz64(low);
	return high ? 64 + ctz64(high) : UINT64_MAX;
}

uint64_t vec_move_to_first(struct vec *v, const struct vec_op *op)
{
	(void)op;
	vec_need(v, !v->masked && !vec_vs2(v));
	if (v->vstart < v->vl)
		vec_put(vec_reg(v, vec_vd(v)), v->sew, 0, v->x);
	return 0;
}

/* VMSBF, VMSOF, VMSIF: before, only, and including the first one. */
enum first { BEFORE = 1, ONLY = 2, INCLUDING = 3 };

static uint64_t set_first(struct vec *v, enum first how)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));
	bool seen = false, bit;

	vec_need(v, vec_vd(v) != vec_vs2(v));
	for (unsigned i = 0; i < v->vl; i++) {
		if (!vec_active(v, i))
			continue;
		bit = !seen && vec_bit(a, i);
		vec_put_bit(d, i, how == ONLY ? bit : !seen && (!bit || how == INCLUDING));
		seen |= bit;
	}
	return 0;
}

static uint64_t iota(struct vec *v)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));
	uint64_t n = 0;

	vec_need_dest(v, vec_vd(v), v->lmul);
	vec_need(v, !vec_overlap(vec_vd(v), v->lmul, vec_vs2(v), 0));
	for (unsigned i = 0; i < v->vl; i++)
		if (vec_active(v, i)) {
			vec_put(d, v->sew, i, n);
			n += vec_bit(a, i);
		}
	return 0;
}

static uint64_t vmunary0(struct vec *v, const struct vec_op *op)
{
	enum { VIOTA = 16, VID = 17 };
	void *d = vec_reg(v, vec_vd(v));
	const unsigned how = vec_vs1(v);

	(void)op;
	if (how == VID) {
		vec_need(v, !vec_vs2(v));
		vec_need_dest(v, vec_vd(v), v->lmul);
		for (unsigned i = v->vstart; i < v->vl; i++)
			if (vec_active(v, i))
				vec_put(d, v->sew, i, i);
		return 0;
	}
	vec_need(v, !v->vstart);
	if (how == VIOTA)
		return iota(v);
	vec_need(v, how >= BEFORE && how <= INCLUDING);
	vec_need(v, !v->masked || vec_vd(v));
	return set_first(v, how);
}

/* Permutations ------------------------------------------------------------------------------------
 */

static void need_apart(const struct vec *v)
{
	vec_need_dest(v, vec_vd(v), v->lmul);
	vec_need_source(v, vec_vs2(v), v->lmul);
	vec_need(v, vec_vd(v) != vec_vs2(v));
}

static uint64_t slide_up(struct vec *v, const struct vec_op *op)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));
	const uint64_t from = v->x > v->vstart ? v->x : v->vstart;

	(void)op;
	need_apart(v);
	for (uint64_t i = from; i < v->vl; i++)
		if (vec_active(v, (unsigned)i))
			vec_put(d, v->sew, (unsigned)i, vec_get(a, v->sew, (unsigned)(i - v->x)));
	return 0;
}

/* Element i of a group; beyond it there are zeroes. */
static uint64_t pick(const struct vec *v, const void *group, uint64_t i)
{
	return i < vec_vlmax(v) ? vec_get(group, v->sew, (unsigned)i) : 0;
}

/* Ascending, so vd may be vs2. */
static uint64_t slide_down(struct vec *v, const struct vec_op *op)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));

	(void)op;
	vec_need_dest(v, vec_vd(v), v->lmul);
	vec_need_source(v, vec_vs2(v), v->lmul);
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, v->sew, i, v->x < VEC_MOST ? pick(v, a, v->x + i) : 0);
	return 0;
}

uint64_t vec_slide1up(struct vec *v, const struct vec_op *op)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));

	(void)op;
	need_apart(v);
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, v->sew, i, i ? vec_get(a, v->sew, i - 1) : v->x);
	return 0;
}

uint64_t vec_slide1down(struct vec *v, const struct vec_op *op)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));

	(void)op;
	vec_need_dest(v, vec_vd(v), v->lmul);
	vec_need_source(v, vec_vs2(v), v->lmul);
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, v->sew, i, i + 1 < v->vl ? vec_get(a, v->sew, i + 1) : v->x);
	return 0;
}

static uint64_t gather_by(struct vec *v, unsigned index_sew)
{
	const void *a = vec_reg(v, vec_vs2(v)), *index = vec_reg(v, vec_vs1(v));
	void *d = vec_reg(v, vec_vd(v));

	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, v->sew, i,
			    pick(v, a, vec_is_vv(v) ? vec_get(index, index_sew, i) : v->x));
	return 0;
}

static uint64_t gather(struct vec *v, const struct vec_op *op)
{
	(void)op;
	need_apart(v);
	if (vec_is_vv(v)) {
		vec_need_source(v, vec_vs1(v), v->lmul);
		vec_need(v, vec_vd(v) != vec_vs1(v));
	}
	return gather_by(v, v->sew);
}

static uint64_t gather16(struct vec *v, const struct vec_op *op)
{
	const int sew = (int)v->sew, emul = v->lmul + 1 - sew;

	(void)op;
	need_apart(v);
	vec_need_source(v, vec_vs1(v), emul);
	vec_need(v, !vec_overlap(vec_vd(v), v->lmul, vec_vs1(v), emul));
	vec_need_one_width(v, vec_vs2(v), sew, v->lmul, vec_vs1(v), 1, emul);
	return gather_by(v, 1);
}

static uint64_t compress(struct vec *v, const struct vec_op *op)
{
	const void *a = vec_reg(v, vec_vs2(v)), *mask = vec_reg(v, vec_vs1(v));
	void *d = vec_reg(v, vec_vd(v));
	unsigned n = 0;

	(void)op;
	vec_need(v, !v->masked && !v->vstart);
	need_apart(v);
	vec_need(v, !vec_overlap(vec_vd(v), v->lmul, vec_vs1(v), 0));
	vec_need_one_width(v, vec_vs2(v), (int)v->sew, v->lmul, vec_vs1(v), -1, 0);
	for (unsigned i = 0; i < v->vl; i++)
		if (vec_bit(mask, i))
			vec_put(d, v->sew, n++, vec_get(a, v->sew, i));
	return 0;
}

/* VMVnR.V: whole registers, from vstart on. */
static uint64_t move_whole(struct vec *v, const struct vec_op *op)
{
	const unsigned n = vec_vs1(v) + 1;
	const size_t from = (size_t)v->vstart << v->sew;

	(void)op;
	vec_need(v, !v->masked && (n == 1 || n == 2 || n == 4 || n == 8));
	vec_need(v, !((vec_vd(v) | vec_vs2(v)) & (n - 1)));
	vec_need(v, from < (size_t)n * VEC_BYTES);
	memmove((uint8_t *)vec_reg(v, vec_vd(v)) + from,
	    (const uint8_t *)vec_reg(v, vec_vs2(v)) + from, n * VEC_BYTES - from);
	return 0;
}

/* clang-format off */
const struct vec_op rv_vec_perm[8][64] = {
	I_VXI(0x0c, "vrgather", gather, NULL, VEC_UIMM)
	I_V(0x0e, "vrgatherei16", gather16, NULL, 0)
	I_XI(0x0e, "vslideup", slide_up, NULL, VEC_UIMM)
	I_XI(0x0f, "vslidedown", slide_down, NULL, VEC_UIMM)
	I_I(0x27, "vmvr", move_whole, NULL, VEC_UIMM)
	I_V(0x30, "vwredsumu", reduce_wide, vredsum, 0)
	I_V(0x31, "vwredsum", reduce_wide, vredsum, VEC_SIGNED)
	M_V(0x00, "vredsum", reduce, vredsum, 0)
	M_V(0x01, "vredand", reduce, vredand, 0)
	M_V(0x02, "vredor", reduce, vredor, 0)
	M_V(0x03, "vredxor", reduce, vredxor, 0)
	M_V(0x04, "vredminu", reduce, vredminu, 0)
	M_V(0x05, "vredmin", reduce, vredmin, VEC_SIGNED)
	M_V(0x06, "vredmaxu", reduce, vredmaxu, 0)
	M_V(0x07, "vredmax", reduce, vredmax, VEC_SIGNED)
	M_X(0x0e, "vslide1up", vec_slide1up, NULL, 0)
	M_X(0x0f, "vslide1down", vec_slide1down, NULL, 0)
	M_V(0x10, "vwxunary0", vwxunary0, NULL, 0)
	M_X(0x10, "vmv.s.x", vec_move_to_first, NULL, 0)
	M_V(0x14, "vmunary0", vmunary0, NULL, 0)
	M_V(0x17, "vcompress", compress, NULL, 0)
	M_V(0x18, "vmandn", mask_logic, NULL, 0)
	M_V(0x19, "vmand", mask_logic, NULL, 0)
	M_V(0x1a, "vmor", mask_logic, NULL, 0)
	M_V(0x1b, "vmxor", mask_logic, NULL, 0)
	M_V(0x1c, "vmorn", mask_logic, NULL, 0)
	M_V(0x1d, "vmnand", mask_logic, NULL, 0)
	M_V(0x1e, "vmnor", mask_logic, NULL, 0)
	M_V(0x1f, "vmxnor", mask_logic, NULL, 0)
};
