/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fixed point.  Manual: volume I, "V", "Vector Fixed-Point Arithmetic Instructions".  A result is
 * made of 128 bits in two's complement, rounded as vxrm says, and clipped, which sets vxsat.
 */
#include "cpu/riscv64/vec_int.h"

enum vxrm { RNU, RNE, RDN, ROD };

static inline u128 extended(const struct vec *v, uint64_t a, bool is_signed)
{
	return is_signed ? (u128)vec_sext(a, v->sew) : a;
}

static inline u128 shifted(u128 x, unsigned by, bool is_signed)
{
	const bool negative = is_signed && x >> 127;

	return by ? x >> by | (negative ? ~(u128)0 << (128 - by) : 0) : x;
}

/* x / 2^by, rounded. */
static u128 rounded(const struct vec *v, u128 x, unsigned by, bool is_signed)
{
	const u128 one = 1;
	bool up = false;

	if (!by)
		return x;
	switch (v->s->vxrm) {
	case RNU:
		up = x >> (by - 1) & 1;
		break;
	case RNE:
		up = (x >> (by - 1) & 1) && ((x & ((one << (by - 1)) - 1)) || (x >> by & 1));
		break;
	case RDN:
		break;
	case ROD:
		up = !(x >> by & 1) && (x & ((one << by) - 1));
		break;
	}
	return shifted(x, by, is_signed) + up;
}

/* To SEW; x is not negative where the result has no sign, unless it is to be 0. */
static uint64_t clipped(struct vec *v, u128 x, bool is_signed)
{
	const unsigned bits = 8u << v->sew;
	const bool negative = x >> 127;
	const u128 most = ((u128)1 << (is_signed ? bits - 1 : bits)) - 1;

	if (!negative && x > most) {
		v->s->vxsat = 1;
		return (uint64_t)most;
	}
	if (negative && (!is_signed || x < ~most)) {
		v->s->vxsat = 1;
		return is_signed ? (uint64_t)~most : 0;
	}
	return (uint64_t)x;
}

typedef uint64_t element_fn(struct vec *, uint64_t a, uint64_t b);

#define ELEMENT(name, expr)                                                                        \
	static uint64_t name##_element(struct vec *v, uint64_t a, uint64_t b)                      \
	{                                                                                          \
		return expr;                                                                       \
	}                                                                                          \
	static element_fn *const name[] = { name##_element };

#define U(x) extended(v, x, false)
#define S(x) extended(v, x, true)

ELEMENT(vsaddu, clipped(v, U(a) + U(b), false))
ELEMENT(vsadd, clipped(v, S(a) + S(b), true))
ELEMENT(vssubu, clipped(v, U(a) - U(b), false))
ELEMENT(vssub, clipped(v, S(a) - S(b), true))
ELEMENT(vaaddu, (uint64_t)rounded(v, U(a) + U(b), 1, false))
ELEMENT(vaadd, (uint64_t)rounded(v, S(a) + S(b), 1, true))
ELEMENT(vasubu, (uint64_t)rounded(v, U(a) - U(b), 1, true))
ELEMENT(vasub, (uint64_t)rounded(v, S(a) - S(b), 1, true))
ELEMENT(vsmul, clipped(v, rounded(v, S(a) * S(b), (8u << v->sew) - 1, true), true))
ELEMENT(vssrl, (uint64_t)rounded(v, U(a), b &((8u << v->sew) - 1), false))
ELEMENT(vssra, (uint64_t)rounded(v, S(a), b &((8u << v->sew) - 1), true))
/* a is twice as wide. */
#define SHIFT (b & ((16u << v->sew) - 1))
ELEMENT(vnclipu, clipped(v, rounded(v, a, SHIFT, false), false))
ELEMENT(vnclip, clipped(v, rounded(v, (u128)vec_sext(a, v->sew + 1), SHIFT, true), true))

static uint64_t each(struct vec *v, const struct vec_op *op, unsigned a_sew)
{
	element_fn *fn = *(element_fn *const *)op->fn;
	const void *a = vec_reg(v, vec_vs2(v)), *b;
	void *d = vec_reg(v, vec_vd(v));
	union vec_buf buf;

	b = vec_second(v, v->sew, &buf);
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, v->sew, i, fn(v, vec_get(a, a_sew, i), vec_get(b, v->sew, i)));
	return 0;
}

static uint64_t same(struct vec *v, const struct vec_op *op)
{
	vec_need_same(v);
	return each(v, op, v->sew);
}

static uint64_t narrow(struct vec *v, const struct vec_op *op)
{
	vec_need_widths(v, 0, 1);
	return each(v, op, v->sew + 1);
}

/* clang-format off */
const struct vec_op rv_vec_fixed[8][64] = {
	I_VXI(0x20, "vsaddu", same, vsaddu, 0)
	I_VXI(0x21, "vsadd", same, vsadd, 0)
	I_VX(0x22, "vssubu", same, vssubu, 0)
	I_VX(0x23, "vssub", same, vssub, 0)
	I_VX(0x27, "vsmul", same, vsmul, 0)
	I_VXI(0x2a, "vssrl", same, vssrl, VEC_UIMM)
	I_VXI(0x2b, "vssra", same, vssra, VEC_UIMM)
	I_VXI(0x2e, "vnclipu", narrow, vnclipu, VEC_UIMM)
	I_VXI(0x2f, "vnclip", narrow, vnclip, VEC_UIMM)
	M_VX(0x08, "vaaddu", same, vaaddu, 0)
	M_VX(0x09, "vaadd", same, vaadd, 0)
	M_VX(0x0a, "vasubu", same, vasubu, 0)
	M_VX(0x0b, "vasub", same, vasub, 0)
};
