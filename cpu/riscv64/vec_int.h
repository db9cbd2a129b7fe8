/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VEC_INT_H
#define CPU_RISCV64_VEC_INT_H

#include "cpu/riscv64/vec.h"

/*
 * Loops over elements, which the host's compiler makes vectors of.  They are pure: elements that
 * take no part are computed, too, and dropped.
 */

/* d[i] = expr in a, b and d, of n elements of these types. */
#define VEC_LOOP(name, D, A, B, expr)                                                              \
	static void name(void *to, const void *from_a, const void *from_b, unsigned n)             \
	{                                                                                          \
		enum { BITS = 8 * sizeof(A) };                                                     \
		const A *pa = from_a;                                                              \
		const B *pb = from_b;                                                              \
		D *pd = to;                                                                        \
                                                                                                   \
		(void)BITS;                                                                        \
		for (unsigned i = 0; i < n; i++) {                                                 \
			const A a = pa[i];                                                         \
			const B b = pb[i];                                                         \
			const D d = pd[i];                                                         \
                                                                                                   \
			(void)a;                                                                   \
			(void)b;                                                                   \
			(void)d;                                                                   \
			pd[i] = (D)(expr);                                                         \
		}                                                                                  \
	}

/* For SEW of 8, 16, 32 and 64, all operands of type S##N. */
#define VEC_SAME(name, D, S, expr)                                                                 \
	VEC_LOOP(name##_8, D##8_t, S##8_t, S##8_t, expr)                                           \
	VEC_LOOP(name##_16, D##16_t, S##16_t, S##16_t, expr)                                       \
	VEC_LOOP(name##_32, D##32_t, S##32_t, S##32_t, expr)                                       \
	VEC_LOOP(name##_64, D##64_t, S##64_t, S##64_t, expr)                                       \
	static vec_loop *const name[4] = { name##_8, name##_16, name##_32, name##_64 };

/* For three of them, where something is twice as wide. */
#define VEC_LOOP3(name, D8, A8, B8, D16, A16, B16, D32, A32, B32, expr)                            \
	VEC_LOOP(name##_8, D8, A8, B8, expr)                                                       \
	VEC_LOOP(name##_16, D16, A16, B16, expr)                                                   \
	VEC_LOOP(name##_32, D32, A32, B32, expr)                                                   \
	static vec_loop *const name[4] = { name##_8, name##_16, name##_32, NULL };

/* The results of loop(d, a, b) for the elements that take part; a and b have as many elements. */
static inline void vec_apply(
    struct vec *v, vec_loop *loop, unsigned sew, void *d, const void *a, const void *b)
{
	union vec_buf buf;

	if (likely(!v->masked && !v->vstart)) {
		loop(d, a, b, v->vl);
		return;
	}
	memcpy(buf.b, d, (size_t)v->vl << sew);
	loop(buf.b, a, b, v->vl);
	for (unsigned i = v->vstart; i < v->vl; i++)
		if (vec_active(v, i))
			vec_put(d, sew, i, vec_get(buf.b, sew, i));
}

/* The second operand: vs1, or as many of the scalar. */
static inline const void *vec_second(const struct vec *v, unsigned sew, union vec_buf *buf)
{
	if (vec_is_vv(v))
		return vec_reg(v, vec_vs1(v));
	for (unsigned i = 0; i < v->vl; i++)
		vec_put(buf->b, sew, i, v->x);
	return buf->b;
}

/* The operands of an instruction with those of one width. */
static inline void vec_need_same(const struct vec *v)
{
	vec_need_dest(v, vec_vd(v), v->lmul);
	vec_need_source(v, vec_vs2(v), v->lmul);
	if (vec_is_vv(v))
		vec_need_source(v, vec_vs1(v), v->lmul);
}

/* vd and vs2 have other widths than SEW, and what belongs to it: by this many powers of two. */
static inline void vec_need_widths(const struct vec *v, int wider_d, int wider_a)
{
	const int sew = (int)v->sew, d_eew = sew + wider_d, a_eew = sew + wider_a;

	vec_need(v, d_eew <= 3 && a_eew <= 3 && a_eew >= 0);
	vec_need_dest(v, vec_vd(v), v->lmul + wider_d);
	vec_need_source(v, vec_vs2(v), v->lmul + wider_a);
	vec_need_apart(
	    v, vec_vd(v), d_eew, v->lmul + wider_d, vec_vs2(v), a_eew, v->lmul + wider_a);
	if (!vec_is_vv(v) || wider_a < 0)
		return;
	vec_need_source(v, vec_vs1(v), v->lmul);
	vec_need_apart(v, vec_vd(v), d_eew, v->lmul + wider_d, vec_vs1(v), sew, v->lmul);
	vec_need_one_width(v, vec_vs2(v), a_eew, v->lmul + wider_a, vec_vs1(v), sew, v->lmul);
}

/* vd is twice as wide, and a source besides: so it is apart from the others. */
static inline void vec_need_accumulator(const struct vec *v)
{
	vec_need_widths(v, 1, 0);
	vec_need(v, !vec_overlap(vec_vd(v), v->lmul + 1, vec_vs2(v), v->lmul));
	vec_need(v, !vec_is_vv(v) || !vec_overlap(vec_vd(v), v->lmul + 1, vec_vs1(v), v->lmul));
}

extern const struct vec_op rv_vec_int[8][64], rv_vec_fixed[8][64], rv_vec_perm[8][64],
    rv_vec_fp[8][64];

/* A line for each of the kinds that an instruction has. */
#define VEC_ROW(kind, number, name, run, fn, flags) [kind][number] = { name, run, fn, flags },
#define I_V(number, ...)                            VEC_ROW(OPIVV, number, __VA_ARGS__)
#define I_X(number, ...)                            VEC_ROW(OPIVX, number, __VA_ARGS__)
#define I_I(number, ...)                            VEC_ROW(OPIVI, number, __VA_ARGS__)
#define I_VX(number, ...)                           I_V(number, __VA_ARGS__) I_X(number, __VA_ARGS__)
#define I_XI(number, ...)                           I_X(number, __VA_ARGS__) I_I(number, __VA_ARGS__)
#define I_VXI(number, ...)                          I_V(number, __VA_ARGS__) I_XI(number, __VA_ARGS__)
#define M_V(number, ...)                            VEC_ROW(OPMVV, number, __VA_ARGS__)
#define M_X(number, ...)                            VEC_ROW(OPMVX, number, __VA_ARGS__)
#define M_VX(number, ...)                           M_V(number, __VA_ARGS__) M_X(number, __VA_ARGS__)
#define F_V(number, ...)                            VEC_ROW(OPFVV, number, __VA_ARGS__)
#define F_F(number, ...)                            VEC_ROW(OPFVF, number, __VA_ARGS__)
#define F_VF(number, ...)                           F_V(number, __VA_ARGS__) F_F(number, __VA_ARGS__)

#endif
