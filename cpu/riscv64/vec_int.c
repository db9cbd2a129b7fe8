/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integer arithmetic on vectors.  Manual: volume I, "V", "Vector Integer Arithmetic Instructions";
 * "Vector cryptography", Zvbb and Zvbc.
 */
#include "cpu/riscv64/vec_perm.h"

/* SEW as it is ------------------------------------------------------------------------------------
 */

#define SHIFT (b & (BITS - 1))

VEC_SAME(vadd, uint, uint, (uint64_t)a + b)
VEC_SAME(vsub, uint, uint, (uint64_t)a - b)
VEC_SAME(vrsub, uint, uint, (uint64_t)b - a)
VEC_SAME(vminu, uint, uint, a < b ? a : b)
VEC_SAME(vmin, uint, int, a < b ? a : b)
VEC_SAME(vmaxu, uint, uint, a > b ? a : b)
VEC_SAME(vmax, uint, int, a > b ? a : b)
VEC_SAME(vand, uint, uint, a &b)
VEC_SAME(vor, uint, uint, a | b)
VEC_SAME(vxor, uint, uint, a ^ b)
VEC_SAME(vandn, uint, uint, a & ~b)
VEC_SAME(vsll, uint, uint, (uint64_t)a << SHIFT)
VEC_SAME(vsrl, uint, uint, a >> SHIFT)
VEC_SAME(vsra, uint, int, a >> SHIFT)
VEC_SAME(vror, uint, uint, a >> SHIFT | (uint64_t)a << (-(uint64_t)b & (BITS - 1)))
VEC_SAME(vrol, uint, uint, (uint64_t)a << SHIFT | a >> (-(uint64_t)b & (BITS - 1)))
VEC_SAME(move, uint, uint, b)

VEC_SAME(vmul, uint, uint, (uint64_t)a *b)
VEC_SAME(vmacc, uint, uint, d + (uint64_t)a * b)
VEC_SAME(vnmsac, uint, uint, d - (uint64_t)a * b)
VEC_SAME(vmadd, uint, uint, (uint64_t)b *d + a)
VEC_SAME(vnmsub, uint, uint, a - (uint64_t)b * d)

/* The halves of products; of signed numbers, corrected for what their signs count. */
static inline uint64_t high_u(uint64_t a, uint64_t b, unsigned bits)
{
	return (uint64_t)((u128)a * b >> bits);
}

static inline uint64_t high_su(int64_t a, uint64_t b, unsigned bits)
{
	const uint64_t low = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;

	return high_u((uint64_t)a & low, b, bits) - (a < 0 ? b : 0);
}

static inline uint64_t high_s(int64_t a, int64_t b, unsigned bits)
{
	const uint64_t low = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;

	return high_su(a, (uint64_t)b & low, bits) - (b < 0 ? (uint64_t)a : 0);
}

VEC_SAME(vmulhu, uint, uint, high_u(a, b, BITS))
VEC_SAME(vmulh, uint, int, high_s(a, b, BITS))
#define UNSIGNED_B ((uint64_t)b & UINT64_MAX >> (64 - BITS))
VEC_SAME(vmulhsu, uint, int, high_su(a, UNSIGNED_B, BITS))

/* By zero, and the quotient that does not fit (M, 13.2): computed as 64 bits it is cut to that. */
static inline int64_t quotient(int64_t a, int64_t b)
{
	if (!b)
		return -1;
	return b == -1 ? (int64_t) - (uint64_t)a : a / b;
}

static inline int64_t rest(int64_t a, int64_t b)
{
	if (!b)
		return a;
	return b == -1 ? 0 : a % b;
}

VEC_SAME(vdivu, uint, uint, b ? a / b : UINT64_MAX)
VEC_SAME(vdiv, uint, int, quotient(a, b))
VEC_SAME(vremu, uint, uint, b ? a % b : a)
VEC_SAME(vrem, uint, int, rest(a, b))

static uint64_t same(struct vec *v, const struct vec_op *op)
{
	vec_loop *const *loops = op->fn;
	union vec_buf buf;

	vec_need_same(v);
	vec_apply(v, loops[v->sew], v->sew, vec_reg(v, vec_vd(v)), vec_reg(v, vec_vs2(v)),
	    vec_second(v, v->sew, &buf));
	return 0;
}

/* VMERGE, in which the mask chooses; VMV.V.x, where vs2 has to be 0. */
uint64_t vec_merge(struct vec *v, const struct vec_op *op)
{
	const void *a = vec_reg(v, vec_vs2(v)), *b;
	void *d = vec_reg(v, vec_vd(v));
	union vec_buf buf;

	(void)op;
	vec_need(v, v->masked || !vec_vs2(v));
	vec_need_same(v);
	b = vec_second(v, v->sew, &buf);
	if (!v->masked)
		vec_apply(v, move[v->sew], v->sew, d, b, b);
	for (unsigned i = v->vstart; v->masked && i < v->vl; i++)
		vec_put(d, v->sew, i, vec_get(vec_active(v, i) ? b : a, v->sew, i));
	return 0;
}

/* Twice as wide, and half -------------------------------------------------------------------------
 */

/* D twice as wide as a and b. */
#define U_WIDE(name, expr)                                                                         \
	VEC_LOOP3(name, uint16_t, uint8_t, uint8_t, uint32_t, uint16_t, uint16_t, uint64_t,        \
	    uint32_t, uint32_t, expr)
#define S_WIDE(name, expr)                                                                         \
	VEC_LOOP3(name, uint16_t, int8_t, int8_t, uint32_t, int16_t, int16_t, uint64_t, int32_t,   \
	    int32_t, expr)
#define SU_WIDE(name, expr)                                                                        \
	VEC_LOOP3(name, uint16_t, int8_t, uint8_t, uint32_t, int16_t, uint16_t, uint64_t, int32_t, \
	    uint32_t, expr)
#define US_WIDE(name, expr)                                                                        \
	VEC_LOOP3(name, uint16_t, uint8_t, int8_t, uint32_t, uint16_t, int16_t, uint64_t,          \
	    uint32_t, int32_t, expr)
/* And a, too. */
#define U_WIDE_A(name, expr)                                                                       \
	VEC_LOOP3(name, uint16_t, uint16_t, uint8_t, uint32_t, uint32_t, uint16_t, uint64_t,       \
	    uint64_t, uint32_t, expr)
#define S_WIDE_A(name, expr)                                                                       \
	VEC_LOOP3(name, uint16_t, uint16_t, int8_t, uint32_t, uint32_t, int16_t, uint64_t,         \
	    uint64_t, int32_t, expr)
/* a twice as wide as d and b. */
#define U_NARROW(name, expr)                                                                       \
	VEC_LOOP3(name, uint8_t, uint16_t, uint8_t, uint16_t, uint32_t, uint16_t, uint32_t,        \
	    uint64_t, uint32_t, expr)
#define S_NARROW(name, expr)                                                                       \
	VEC_LOOP3(name, uint8_t, int16_t, uint8_t, uint16_t, int32_t, uint16_t, uint32_t, int64_t, \
	    uint32_t, expr)

U_WIDE(vwaddu, (uint64_t)a + b)
S_WIDE(vwadd, (int64_t)a + b)
U_WIDE(vwsubu, (uint64_t)a - b)
S_WIDE(vwsub, (int64_t)a - b)
U_WIDE_A(vwaddu_w, (uint64_t)a + b)
S_WIDE_A(vwadd_w, (uint64_t)a + (uint64_t)(int64_t)b)
U_WIDE_A(vwsubu_w, (uint64_t)a - b)
S_WIDE_A(vwsub_w, (uint64_t)a - (uint64_t)(int64_t)b)
U_WIDE(vwmulu, (uint64_t)a *b)
S_WIDE(vwmul, (int64_t)a *b)
SU_WIDE(vwmulsu, (int64_t)a *b)
U_WIDE(vwmaccu, d + (uint64_t)a * b)
S_WIDE(vwmacc, d + (uint64_t)((int64_t)a * b))
/* vs2 is unsigned, and vs1 is; the other one has a sign. */
US_WIDE(vwmaccsu, d + (uint64_t)((int64_t)a * b))
SU_WIDE(vwmaccus, d + (uint64_t)((int64_t)a * b))
U_WIDE(vwsll, (uint64_t)a << (b & (2 * BITS - 1)))
U_NARROW(vnsrl, a >> SHIFT)
S_NARROW(vnsra, a >> SHIFT)

static uint64_t widths(struct vec *v, const struct vec_op *op, int wider_d, int wider_a)
{
	vec_loop *const *loops = op->fn;
	union vec_buf buf;

	vec_need_widths(v, wider_d, wider_a);
	vec_apply(v, loops[v->sew], v->sew + (unsigned)wider_d, vec_reg(v, vec_vd(v)),
	    vec_reg(v, vec_vs2(v)), vec_second(v, v->sew, &buf));
	return 0;
}

static uint64_t wide(struct vec *v, const struct vec_op *op)
{
	return widths(v, op, 1, 0);
}

static uint64_t wide_acc(struct vec *v, const struct vec_op *op)
{
	vec_need_accumulator(v);
	return wide(v, op);
}

static uint64_t wide_a(struct vec *v, const struct vec_op *op)
{
	return widths(v, op, 1, 1);
}

static uint64_t narrow(struct vec *v, const struct vec_op *op)
{
	return widths(v, op, 0, 1);
}

/* One operand: VXUNARY0 ---------------------------------------------------------------------------
 */

/* By the fraction that the source is of SEW, from 2 to 8; what does not fit is never called. */
#define EXTEND(name, D, S2, S4, S8)                                                                \
	VEC_LOOP(name##2_16, D##16_t, S2##8_t, uint8_t, a)                                         \
	VEC_LOOP(name##2_32, D##32_t, S2##16_t, uint8_t, a)                                        \
	VEC_LOOP(name##2_64, D##64_t, S2##32_t, uint8_t, a)                                        \
	VEC_LOOP(name##4_32, D##32_t, S4##8_t, uint8_t, a)                                         \
	VEC_LOOP(name##4_64, D##64_t, S4##16_t, uint8_t, a)                                        \
	VEC_LOOP(name##8_64, D##64_t, S8##8_t, uint8_t, a)                                         \
	static vec_loop *const name##2 [4] = { NULL, name##2_16, name##2_32, name##2_64 };         \
	static vec_loop *const name##4 [4] = { NULL, NULL, name##4_32, name##4_64 };               \
	static vec_loop *const name##8 [4] = { NULL, NULL, NULL, name##8_64 };

EXTEND(vzext_vf, uint, uint, uint, uint)
EXTEND(vsext_vf, uint, int, int, int)

static uint64_t extend(struct vec *v, const struct vec_op *op, int narrower)
{
	vec_loop *const *loops = op->fn;
	const void *a = vec_reg(v, vec_vs2(v));

	vec_need_widths(v, 0, -narrower);
	vec_apply(v, loops[v->sew], v->sew, vec_reg(v, vec_vd(v)), a, a);
	return 0;
}

static uint64_t extend2(struct vec *v, const struct vec_op *op)
{
	return extend(v, op, 1);
}

static uint64_t extend4(struct vec *v, const struct vec_op *op)
{
	return extend(v, op, 2);
}

static uint64_t extend8(struct vec *v, const struct vec_op *op)
{
	return extend(v, op, 3);
}

static inline uint64_t brev8(uint64_t a)
{
	a = (a & 0x5555555555555555) << 1 | (a >> 1 & 0x5555555555555555);
	a = (a & 0x3333333333333333) << 2 | (a >> 2 & 0x3333333333333333);
	return (a & 0x0f0f0f0f0f0f0f0f) << 4 | (a >> 4 & 0x0f0f0f0f0f0f0f0f);
}

VEC_SAME(vbrev8, uint, uint, brev8(a))
VEC_SAME(vrev8, uint, uint, bswap64(a) >> (64 - BITS))
VEC_SAME(vbrev, uint, uint, bswap64(brev8(a)) >> (64 - BITS))
VEC_SAME(vclz, uint, uint, a ? clz64(a) - (64 - BITS) : BITS)
VEC_SAME(vctz, uint, uint, a ? ctz64(a) : BITS)
VEC_SAME(vcpop, uint, uint, popcnt64(a))

static uint64_t unary(struct vec *v, const struct vec_op *op)
{
	vec_loop *const *loops = op->fn;
	const void *a = vec_reg(v, vec_vs2(v));

	vec_need_dest(v, vec_vd(v), v->lmul);
	vec_need_source(v, vec_vs2(v), v->lmul);
	vec_apply(v, loops[v->sew], v->sew, vec_reg(v, vec_vd(v)), a, a);
	return 0;
}

static uint64_t vxunary0(struct vec *v, const struct vec_op *op)
{
	static const struct vec_op ops[32] = {
		[2] = { "vzext.vf8", extend8, vzext_vf8, 0 },
		[3] = { "vsext.vf8", extend8, vsext_vf8, 0 },
		[4] = { "vzext.vf4", extend4, vzext_vf4, 0 },
		[5] = { "vsext.vf4", extend4, vsext_vf4, 0 },
		[6] = { "vzext.vf2", extend2, vzext_vf2, 0 },
		[7] = { "vsext.vf2", extend2, vsext_vf2, 0 },
		[8] = { "vbrev8", unary, vbrev8, 0 },
		[9] = { "vrev8", unary, vrev8, 0 },
		[10] = { "vbrev", unary, vbrev, 0 },
		[12] = { "vclz", unary, vclz, 0 },
		[13] = { "vctz", unary, vctz, 0 },
		[14] = { "vcpop", unary, vcpop, 0 },
	};
	const struct vec_op *one = &ops[vec_vs1(v)];

	(void)op;
	vec_need(v, one->run != NULL);
	return one->run(v, one);
}

/* Results that are masks --------------------------------------------------------------------------
 */

/* Bytes that are 0 or 1. */
#define COMPARE(name, S, expr)                                                                     \
	VEC_LOOP(name##_8, uint8_t, S##8_t, S##8_t, expr)                                          \
	VEC_LOOP(name##_16, uint8_t, S##16_t, S##16_t, expr)                                       \
	VEC_LOOP(name##_32, uint8_t, S##32_t, S##32_t, expr)                                       \
	VEC_LOOP(name##_64, uint8_t, S##64_t, S##64_t, expr)                                       \
	static vec_loop *const name[4] = { name##_8, name##_16, name##_32, name##_64 };

COMPARE(vmseq, uint, a == b)
COMPARE(vmsne, uint, a != b)
COMPARE(vmsltu, uint, a < b)
COMPARE(vmslt, int, a < b)
COMPARE(vmsleu, uint, a <= b)
COMPARE(vmsle, int, a <= b)
COMPARE(vmsgtu, uint, a > b)
COMPARE(vmsgt, int, a > b)

static void need_mask_dest(const struct vec *v)
{
	const int sew = (int)v->sew;

	vec_need_source(v, vec_vs2(v), v->lmul);
	vec_need_apart(v, vec_vd(v), -1, 0, vec_vs2(v), sew, v->lmul);
	if (!vec_is_vv(v))
		return;
	vec_need_source(v, vec_vs1(v), v->lmul);
	vec_need_apart(v, vec_vd(v), -1, 0, vec_vs1(v), sew, v->lmul);
}

static uint64_t compare(struct vec *v, const struct vec_op *op)
{
	vec_loop *const *loops = op->fn;
	union vec_buf buf, bytes;
	void *d = vec_reg(v, vec_vd(v));

	need_mask_dest(v);
	memset(&bytes, 0, sizeof bytes);
	loops[v->sew](bytes.b, vec_reg(v, vec_vs2(v)), vec_second(v, v->sew, &buf), v->vl);
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put_bit(d, i, bytes.b[i]);
	return 0;
}

/* VADC, VSBC: v0 is what is carried in, and all elements take part.  VMADC, VMSBC: what is carried
 * out, with nothing carried in where vm is 1. */
enum carry { CARRY_ADD, CARRY_SUB };

static bool carries(unsigned sew, enum carry how, uint64_t a, uint64_t b, bool in)
{
	if (how == CARRY_SUB)
		return a < b || (in && a == b);
	return vec_zext(a + b + in, sew) < a || (in && vec_zext(a + b + in, sew) == a);
}

static uint64_t with_carry(struct vec *v, enum carry how)
{
	const void *a = vec_reg(v, vec_vs2(v)), *b;
	void *d = vec_reg(v, vec_vd(v));
	union vec_buf buf;
	uint64_t x, y;

	vec_need(v, v->masked);
	vec_need_same(v);
	b = vec_second(v, v->sew, &buf);
	for (unsigned i = v->vstart; i < v->vl; i++) {
		x = vec_get(a, v->sew, i);
		y = vec_get(b, v->sew, i) + vec_bit(v->s->v, i);
		vec_put(d, v->sew, i, how == CARRY_ADD ? x + y : x - y);
	}
	return 0;
}

static uint64_t carry_out(struct vec *v, enum carry how)
{
	const void *a = vec_reg(v, vec_vs2(v)), *b;
	void *d = vec_reg(v, vec_vd(v));
	union vec_buf buf, in, out;

	need_mask_dest(v);
	b = vec_second(v, v->sew, &buf);
	memset(&in, 0, sizeof in);
	if (v->masked)
		memcpy(in.b, v->s->v, VEC_BYTES);
	memcpy(out.b, d, VEC_BYTES);
	for (unsigned i = v->vstart; i < v->vl; i++)
		vec_put_bit(out.b, i,
		    carries(v->sew, how, vec_get(a, v->sew, i), vec_get(b, v->sew, i),
			vec_bit(in.b, i)));
	memcpy(d, out.b, VEC_BYTES);
	return 0;
}

static uint64_t vadc(struct vec *v, const struct vec_op *op)
{
	(void)op;
	return with_carry(v, CARRY_ADD);
}

static uint64_t vsbc(struct vec *v, const struct vec_op *op)
{
	(void)op;
	return with_carry(v, CARRY_SUB);
}

static uint64_t vmadc(struct vec *v, const struct vec_op *op)
{
	(void)op;
	return carry_out(v, CARRY_ADD);
}

static uint64_t vmsbc(struct vec *v, const struct vec_op *op)
{
	(void)op;
	return carry_out(v, CARRY_SUB);
}

/* Carry-less products of 64 bits. */
static uint64_t clmul(uint64_t a, uint64_t b, bool high)
{
	u128 r = 0;

	for (unsigned i = 0; i < 64; i++)
		r ^= (b >> i & 1 ? (u128)a : 0) << i;
	return (uint64_t)(high ? r >> 64 : r);
}

VEC_LOOP(vclmul_64, uint64_t, uint64_t, uint64_t, clmul(a, b, false))
VEC_LOOP(vclmulh_64, uint64_t, uint64_t, uint64_t, clmul(a, b, true))
static vec_loop *const vclmul[4] = { NULL, NULL, NULL, vclmul_64 };
static vec_loop *const vclmulh[4] = { NULL, NULL, NULL, vclmulh_64 };

static uint64_t same_64(struct vec *v, const struct vec_op *op)
{
	vec_need(v, v->sew == 3);
	return same(v, op);
}

/* VROR.VI has an immediate of six bits, the highest one in funct6. */
static uint64_t rotate_more(struct vec *v, const struct vec_op *op)
{
	v->x += 32;
	return same(v, op);
}

/* clang-format off */
const struct vec_op rv_vec_int[8][64] = {
	I_VXI(0x00, "vadd", same, vadd, 0)
	I_VX(0x01, "vandn", same, vandn, 0)
	I_VX(0x02, "vsub", same, vsub, 0)
	I_XI(0x03, "vrsub", same, vrsub, 0)
	I_VX(0x04, "vminu", same, vminu, 0)
	I_VX(0x05, "vmin", same, vmin, 0)
	I_VX(0x06, "vmaxu", same, vmaxu, 0)
	I_VX(0x07, "vmax", same, vmax, 0)
	I_VXI(0x09, "vand", same, vand, 0)
	I_VXI(0x0a, "vor", same, vor, 0)
	I_VXI(0x0b, "vxor", same, vxor, 0)
	I_VXI(0x10, "vadc", vadc, NULL, 0)
	I_VXI(0x11, "vmadc", vmadc, NULL, 0)
	I_VX(0x12, "vsbc", vsbc, NULL, 0)
	I_VX(0x13, "vmsbc", vmsbc, NULL, 0)
	I_VX(0x14, "vror", same, vror, 0)
	I_I(0x14, "vror", same, vror, VEC_UIMM)
	I_I(0x15, "vror", rotate_more, vror, VEC_UIMM)
	I_VX(0x15, "vrol", same, vrol, 0)
	I_VXI(0x17, "vmerge", vec_merge, NULL, 0)
	I_VXI(0x18, "vmseq", compare, vmseq, 0)
	I_VXI(0x19, "vmsne", compare, vmsne, 0)
	I_VX(0x1a, "vmsltu", compare, vmsltu, 0)
	I_VX(0x1b, "vmslt", compare, vmslt, 0)
	I_VXI(0x1c, "vmsleu", compare, vmsleu, 0)
	I_VXI(0x1d, "vmsle", compare, vmsle, 0)
	I_XI(0x1e, "vmsgtu", compare, vmsgtu, 0)
	I_XI(0x1f, "vmsgt", compare, vmsgt, 0)
	I_VXI(0x25, "vsll", same, vsll, VEC_UIMM)
	I_VXI(0x28, "vsrl", same, vsrl, VEC_UIMM)
	I_VXI(0x29, "vsra", same, vsra, VEC_UIMM)
	I_VXI(0x2c, "vnsrl", narrow, vnsrl, VEC_UIMM)
	I_VXI(0x2d, "vnsra", narrow, vnsra, VEC_UIMM)
	I_VXI(0x35, "vwsll", wide, vwsll, VEC_UIMM)
	M_VX(0x0c, "vclmul", same_64, vclmul, 0)
	M_VX(0x0d, "vclmulh", same_64, vclmulh, 0)
	M_V(0x12, "vxunary0", vxunary0, NULL, 0)
	M_VX(0x20, "vdivu", same, vdivu, 0)
	M_VX(0x21, "vdiv", same, vdiv, 0)
	M_VX(0x22, "vremu", same, vremu, 0)
	M_VX(0x23, "vrem", same, vrem, 0)
	M_VX(0x24, "vmulhu", same, vmulhu, 0)
	M_VX(0x25, "vmul", same, vmul, 0)
	M_VX(0x26, "vmulhsu", same, vmulhsu, 0)
	M_VX(0x27, "vmulh", same, vmulh, 0)
	M_VX(0x29, "vmadd", same, vmadd, 0)
	M_VX(0x2b, "vnmsub", same, vnmsub, 0)
	M_VX(0x2d, "vmacc", same, vmacc, 0)
	M_VX(0x2f, "vnmsac", same, vnmsac, 0)
	M_VX(0x30, "vwaddu", wide, vwaddu, 0)
	M_VX(0x31, "vwadd", wide, vwadd, 0)
	M_VX(0x32, "vwsubu", wide, vwsubu, 0)
	M_VX(0x33, "vwsub", wide, vwsub, 0)
	M_VX(0x34, "vwaddu.w", wide_a, vwaddu_w, 0)
	M_VX(0x35, "vwadd.w", wide_a, vwadd_w, 0)
	M_VX(0x36, "vwsubu.w", wide_a, vwsubu_w, 0)
	M_VX(0x37, "vwsub.w", wide_a, vwsub_w, 0)
	M_VX(0x38, "vwmulu", wide, vwmulu, 0)
	M_VX(0x3a, "vwmulsu", wide, vwmulsu, 0)
	M_VX(0x3b, "vwmul", wide, vwmul, 0)
	M_VX(0x3c, "vwmaccu", wide_acc, vwmaccu, 0)
	M_VX(0x3d, "vwmacc", wide_acc, vwmacc, 0)
	M_X(0x3e, "vwmaccus", wide_acc, vwmaccus, 0)
	M_VX(0x3f, "vwmaccsu", wide_acc, vwmaccsu, 0)
};
