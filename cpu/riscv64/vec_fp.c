/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point on vectors, with elements of 32 and 64 bits, element by element in software (fp/).
 * Manual: volume I, "V", "Vector Floating-Point Instructions".  Left out: elements of 16 bits
 * (Zvfh, Zvfhmin).
 */
#include "cpu/riscv64/vec_fp.h"

#include "cpu/riscv64/vec_perm.h"

/* a is of vs2, b the second operand, d of vd. */
typedef uint64_t fp_fn(enum fp_fmt f, uint64_t a, uint64_t b, uint64_t d, struct fp_env *e);

#define FP(name, expr)                                                                             \
	static uint64_t name##_element(                                                            \
	    enum fp_fmt f, uint64_t a, uint64_t b, uint64_t d, struct fp_env *e)                   \
	{                                                                                          \
		(void)a;                                                                           \
		(void)b;                                                                           \
		(void)d;                                                                           \
		(void)e;                                                                           \
		return expr;                                                                       \
	}                                                                                          \
	static fp_fn *const name[] = { name##_element };

static inline uint64_t sign_bit(enum fp_fmt f)
{
	return 1ull << ((16u << f) - 1);
}

#define NEG(x) ((x) ^ sign_bit(f))

FP(vfadd, fp_add(f, a, b, e))
FP(vfsub, fp_sub(f, a, b, e))
FP(vfrsub, fp_sub(f, b, a, e))
FP(vfmul, fp_mul(f, a, b, e))
FP(vfdiv, fp_div(f, a, b, e))
FP(vfrdiv, fp_div(f, b, a, e))
FP(vfmin, fp_min(f, a, b, false, e))
FP(vfmax, fp_max(f, a, b, false, e))
FP(vfsgnj, (a & ~sign_bit(f)) | (b & sign_bit(f)))
FP(vfsgnjn, (a & ~sign_bit(f)) | (~b & sign_bit(f)))
FP(vfsgnjx, a ^ (b & sign_bit(f)))
FP(vfmacc, fp_fma(f, b, a, d, e))
FP(vfnmacc, fp_fma(f, NEG(b), a, NEG(d), e))
FP(vfmsac, fp_fma(f, b, a, NEG(d), e))
FP(vfnmsac, fp_fma(f, NEG(b), a, d, e))
FP(vfmadd, fp_fma(f, b, d, a, e))
FP(vfnmadd, fp_fma(f, NEG(b), d, NEG(a), e))
FP(vfmsub, fp_fma(f, b, d, NEG(a), e))
FP(vfnmsub, fp_fma(f, NEG(b), d, a, e))
FP(vmfeq, fp_eq(f, a, b, e))
FP(vmfne, !fp_eq(f, a, b, e))
FP(vmflt, fp_lt(f, a, b, e))
FP(vmfle, fp_le(f, a, b, e))
FP(vmfgt, fp_lt(f, b, a, e))
FP(vmfge, fp_le(f, b, a, e))
FP(vfsqrt, fp_sqrt(f, a, e))
FP(vfrsqrt7, vec_rsqrt7(f, a, e))
FP(vfrec7, vec_rec7(f, a, e))
FP(vfclass, fp_class(f, a))

static fp_fn *fn_of(const struct vec_op *op)
{
	return *(fp_fn *const *)op->fn;
}

static enum fp_fmt format(const struct vec *v, unsigned sew)
{
	vec_need(v, sew == 2 || sew == 3);
	return sew == 2 ? FP_S : FP_D;
}

static struct fp_env begin(const struct vec *v)
{
	return (struct fp_env){ .rm = v->s->frm };
}

static uint64_t done(struct vec *v, const struct fp_env *e)
{
	v->s->fflags |= e->flags;
	return 0;
}

/* The second operand. */
static uint64_t second(const struct vec *v, unsigned i)
{
	return vec_is_vv(v) ? vec_get(vec_reg(v, vec_vs1(v)), v->sew, i) : v->x;
}

/* One width
 * ---------------------------------------------------------------------------------------- */

static void each(struct vec *v, const struct vec_op *op, enum fp_fmt f, bool two)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));
	struct fp_env e = begin(v);
	fp_fn *fn = fn_of(op);

	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, v->sew, i,
			    fn(f, vec_get(a, v->sew, i), two ? second(v, i) : 0,
				vec_get(d, v->sew, i), &e));
	done(v, &e);
}

static uint64_t same(struct vec *v, const struct vec_op *op)
{
	const enum fp_fmt f = format(v, v->sew);

	vec_need_same(v);
	each(v, op, f, true);
	return 0;
}

static uint64_t unary(struct vec *v, const struct vec_op *op)
{
	const enum fp_fmt f = format(v, v->sew);

	vec_need_dest(v, vec_vd(v), v->lmul);
	vec_need_source(v, vec_vs2(v), v->lmul);
	each(v, op, f, false);
	return 0;
}

static uint64_t compare(struct vec *v, const struct vec_op *op)
{
	const enum fp_fmt f = format(v, v->sew);
	const int sew = (int)v->sew;
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));
	struct fp_env e = begin(v);
	uint8_t out[VEC_BYTES];

	vec_need_source(v, vec_vs2(v), v->lmul);
	vec_need_apart(v, vec_vd(v), -1, 0, vec_vs2(v), sew, v->lmul);
	if (vec_is_vv(v)) {
		vec_need_source(v, vec_vs1(v), v->lmul);
		vec_need_apart(v, vec_vd(v), -1, 0, vec_vs1(v), sew, v->lmul);
	}
	memcpy(out, d, sizeof out);
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put_bit(
			    out, i, fn_of(op)(f, vec_get(a, v->sew, i), second(v, i), 0, &e));
	memcpy(d, out, sizeof out);
	return done(v, &e);
}

/* Twice as wide
 * ------------------------------------------------------------------------------------ */

/* An operand of SEW as one of 2*SEW: exact, but signalling. */
static uint64_t widened(uint64_t a, struct fp_env *e)
{
	return fp_convert(FP_D, FP_S, a, e);
}

static uint64_t wide_from(struct vec *v, const struct vec_op *op, bool wide_a)
{
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));
	struct fp_env e = begin(v);
	uint64_t x, y;

	vec_need(v, v->sew == 2);
	vec_need_widths(v, 1, wide_a);
	for (unsigned i = v->vstart; i < v->vl; i++) {
		if (!vec_active(v, i))
			continue;
		x = wide_a ? vec_get(a, 3, i) : widened(vec_get(a, 2, i), &e);
		y = widened(second(v, i), &e);
		vec_put(d, 3, i, fn_of(op)(FP_D, x, y, vec_get(d, 3, i), &e));
	}
	return done(v, &e);
}

static uint64_t wide(struct vec *v, const struct vec_op *op)
{
	return wide_from(v, op, false);
}

static uint64_t wide_acc(struct vec *v, const struct vec_op *op)
{
	vec_need_accumulator(v);
	return wide(v, op);
}

static uint64_t wide_a(struct vec *v, const struct vec_op *op)
{
	return wide_from(v, op, true);
}

/* Reductions --------------------------------------------------------------------------------------
 */

/* Those that are not ordered go by the order of elements, too. */
static uint64_t reduce(struct vec *v, const struct vec_op *op)
{
	const enum fp_fmt f = format(v, v->sew);
	const void *a = vec_reg(v, vec_vs2(v));
	struct fp_env e = begin(v);
	uint64_t acc;

	vec_need_reduction(v, 0);
	acc = vec_get(vec_reg(v, vec_vs1(v)), v->sew, 0);
	for (unsigned i = 0; i < v->vl; i++)
		if (vec_active(v, i))
			acc = fn_of(op)(f, acc, vec_get(a, v->sew, i), 0, &e);
	if (v->vl)
		vec_put(vec_reg(v, vec_vd(v)), v->sew, 0, acc);
	return done(v, &e);
}

static uint64_t reduce_wide(struct vec *v, const struct vec_op *op)
{
	const void *a = vec_reg(v, vec_vs2(v));
	struct fp_env e = begin(v);
	uint64_t acc;

	vec_need(v, v->sew == 2);
	vec_need_reduction(v, 1);
	acc = vec_get(vec_reg(v, vec_vs1(v)), 3, 0);
	for (unsigned i = 0; i < v->vl; i++)
		if (vec_active(v, i))
			acc = fn_of(op)(FP_D, acc, widened(vec_get(a, 2, i), &e), 0, &e);
	if (v->vl)
		vec_put(vec_reg(v, vec_vd(v)), 3, 0, acc);
	return done(v, &e);
}

/* Conversions
 * -------------------------------------------------------------------------------------- */

/* By the low bits of vs1; +8: to 2*SEW, +16: from it. */
enum { TO_XU, TO_X, FROM_XU, FROM_X, TO_F, TO_F_ODD, RTZ_XU, RTZ_X };

/* An integer of 16 bits: that of 32 bits, and then those that do not fit are invalid. */
static uint64_t to_int16(enum fp_fmt f, uint64_t a, bool is_signed, struct fp_env *e)
{
	struct fp_env own = { .rm = e->rm };
	const int64_t r = (int64_t)fp_to_int(f, a, 32, is_signed, &own);
	const int64_t wide = is_signed ? r : (int64_t)(uint32_t)r;
	const int64_t most = is_signed ? INT16_MAX : UINT16_MAX, least = is_signed ? INT16_MIN : 0;

	if (wide > most || wide < least) {
		e->flags |= FP_NV;
		return (uint64_t)(wide > most ? most : least);
	}
	e->flags |= own.flags;
	return (uint64_t)wide;
}

static uint64_t to_int(
    enum fp_fmt f, uint64_t a, unsigned sew, bool is_signed, bool truncate, struct fp_env *e)
{
	const uint8_t rm = e->rm;
	uint64_t r;

	if (truncate)
		e->rm = FP_RTZ;
	r = sew == 1 ? to_int16(f, a, is_signed, e) : fp_to_int(f, a, 8u << sew, is_signed, e);
	e->rm = rm;
	return r;
}

/* Round to odd: what is not exact has its last bit set. */
static uint64_t narrowed(uint64_t a, bool odd, struct fp_env *e)
{
	struct fp_env own = { .rm = FP_RTZ };
	uint64_t r;

	if (!odd)
		return fp_convert(FP_S, FP_D, a, e);
	r = fp_convert(FP_S, FP_D, a, &own);
	e->flags |= own.flags;
	return own.flags & FP_NX ? r | 1 : r;
}

/* One element from a width to another. */
static uint64_t convert(
    const struct vec *v, unsigned how, unsigned to, unsigned from, uint64_t a, struct fp_env *e)
{
	const enum fp_fmt to_f = to == 2 ? FP_S : FP_D, from_f = from == 2 ? FP_S : FP_D;

	(void)v;
	switch (how) {
	case TO_XU:
	case TO_X:
		return to_int(from_f, a, to, how == TO_X, false, e);
	case RTZ_XU:
	case RTZ_X:
		return to_int(from_f, a, to, how == RTZ_X, true, e);
	case FROM_XU:
		return fp_from_u64(to_f, a, e);
	case FROM_X:
		return fp_from_i64(to_f, vec_sext(a, from), e);
	default:
		return to > from ? widened(a, e) : narrowed(a, how == TO_F_ODD, e);
	}
}

static uint64_t vfunary0(struct vec *v, const struct vec_op *op)
{
	const unsigned how = vec_vs1(v) & 7, to = v->sew + (vec_vs1(v) >> 3 == 1),
		       from = v->sew + (vec_vs1(v) >> 3 == 2);
	const bool from_int = how == FROM_XU || how == FROM_X;
	const bool to_int = !from_int && how != TO_F && how != TO_F_ODD;
	const void *a = vec_reg(v, vec_vs2(v));
	void *d = vec_reg(v, vec_vd(v));
	struct fp_env e = begin(v);

	(void)op;
	vec_need(v, vec_vs1(v) < 24);
	vec_need(v, how != TO_F || to != from);
	vec_need(v, how != TO_F_ODD || from > to);
	vec_need(v, (from_int || from == 2 || from == 3) && (to_int || to == 2 || to == 3));
	vec_need_dest(v, vec_vd(v), v->lmul + (int)(to - v->sew));
	vec_need_source(v, vec_vs2(v), v->lmul + (int)(from - v->sew));
	vec_need(v, to <= 3 && from <= 3);
	vec_need_apart(v, vec_vd(v), (int)to, v->lmul + (int)(to - v->sew), vec_vs2(v), (int)from,
	    v->lmul + (int)(from - v->sew));
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, to, i, convert(v, how, to, from, vec_get(a, from, i), &e));
	return done(v, &e);
}

static uint64_t vfunary1(struct vec *v, const struct vec_op *op)
{
	static const struct vec_op ops[32] = {
		[0] = { "vfsqrt", unary, vfsqrt, 0 },
		[4] = { "vfrsqrt7", unary, vfrsqrt7, 0 },
		[5] = { "vfrec7", unary, vfrec7, 0 },
		[16] = { "vfclass", unary, vfclass, 0 },
	};
	const struct vec_op *one = &ops[vec_vs1(v)];

	(void)op;
	vec_need(v, one->run != NULL);
	return one->run(v, one);
}

/* Moves
 * -------------------------------------------------------------------------------------------- */

/* VFMV.F.S: boxed by whoever stores it. */
static uint64_t to_scalar(struct vec *v, const struct vec_op *op)
{
	const enum fp_fmt f = format(v, v->sew);
	const uint64_t a = vec_get(vec_reg(v, vec_vs2(v)), v->sew, 0);

	(void)op;
	vec_need(v, !v->masked && !vec_vs1(v));
	return f == FP_S ? a | ~0ull << 32 : a;
}

static uint64_t from_scalar(struct vec *v, const struct vec_op *op)
{
	format(v, v->sew);
	return vec_move_to_first(v, op);
}

static uint64_t merge(struct vec *v, const struct vec_op *op)
{
	format(v, v->sew);
	return vec_merge(v, op);
}

static uint64_t slide1up(struct vec *v, const struct vec_op *op)
{
	format(v, v->sew);
	return vec_slide1up(v, op);
}

static uint64_t slide1down(struct vec *v, const struct vec_op *op)
{
	format(v, v->sew);
	return vec_slide1down(v, op);
}

/* clang-format off */
const struct vec_op rv_vec_fp[8][64] = {
	F_VF(0x00, "vfadd", same, vfadd, 0)
	F_V(0x01, "vfredusum", reduce, vfadd, 0)
	F_VF(0x02, "vfsub", same, vfsub, 0)
	F_V(0x03, "vfredosum", reduce, vfadd, 0)
	F_VF(0x04, "vfmin", same, vfmin, 0)
	F_V(0x05, "vfredmin", reduce, vfmin, 0)
	F_VF(0x06, "vfmax", same, vfmax, 0)
	F_V(0x07, "vfredmax", reduce, vfmax, 0)
	F_VF(0x08, "vfsgnj", same, vfsgnj, 0)
	F_VF(0x09, "vfsgnjn", same, vfsgnjn, 0)
	F_VF(0x0a, "vfsgnjx", same, vfsgnjx, 0)
	F_F(0x0e, "vfslide1up", slide1up, NULL, 0)
	F_F(0x0f, "vfslide1down", slide1down, NULL, 0)
	F_V(0x10, "vfmv.f.s", to_scalar, NULL, 0)
	F_F(0x10, "vfmv.s.f", from_scalar, NULL, 0)
	F_V(0x12, "vfunary0", vfunary0, NULL, 0)
	F_V(0x13, "vfunary1", vfunary1, NULL, 0)
	F_F(0x17, "vfmerge", merge, NULL, 0)
	F_VF(0x18, "vmfeq", compare, vmfeq, 0)
	F_VF(0x19, "vmfle", compare, vmfle, 0)
	F_VF(0x1b, "vmflt", compare, vmflt, 0)
	F_VF(0x1c, "vmfne", compare, vmfne, 0)
	F_F(0x1d, "vmfgt", compare, vmfgt, 0)
	F_F(0x1f, "vmfge", compare, vmfge, 0)
	F_VF(0x20, "vfdiv", same, vfdiv, 0)
	F_F(0x21, "vfrdiv", same, vfrdiv, 0)
	F_VF(0x24, "vfmul", same, vfmul, 0)
	F_F(0x27, "vfrsub", same, vfrsub, 0)
	F_VF(0x28, "vfmadd", same, vfmadd, 0)
	F_VF(0x29, "vfnmadd", same, vfnmadd, 0)
	F_VF(0x2a, "vfmsub", same, vfmsub, 0)
	F_VF(0x2b, "vfnmsub", same, vfnmsub, 0)
	F_VF(0x2c, "vfmacc", same, vfmacc, 0)
	F_VF(0x2d, "vfnmacc", same, vfnmacc, 0)
	F_VF(0x2e, "vfmsac", same, vfmsac, 0)
	F_VF(0x2f, "vfnmsac", same, vfnmsac, 0)
	F_VF(0x30, "vfwadd", wide, vfadd, 0)
	F_V(0x31, "vfwredusum", reduce_wide, vfadd, 0)
	F_VF(0x32, "vfwsub", wide, vfsub, 0)
	F_V(0x33, "vfwredosum", reduce_wide, vfadd, 0)
	F_VF(0x34, "vfwadd.w", wide_a, vfadd, 0)
	F_VF(0x36, "vfwsub.w", wide_a, vfsub, 0)
	F_VF(0x38, "vfwmul", wide, vfmul, 0)
	F_VF(0x3c, "vfwmacc", wide_acc, vfmacc, 0)
	F_VF(0x3d, "vfwnmacc", wide_acc, vfnmacc, 0)
	F_VF(0x3e, "vfwmsac", wide_acc, vfmsac, 0)
	F_VF(0x3f, "vfwnmsac", wide_acc, vfnmsac, 0)
};
