/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helpers of floating-point instructions: fp/fp.h with the hart's flags and rounding mode.
 * Manual volume I, 20, 21, "Zfh", "Zfa".
 */
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/host_fp.h"

/* Takes the flags of a finished operation: FS is dirty already. */
static uint64_t done(struct rv *s, const struct fp_env *e, uint64_t r)
{
	s->fflags |= e->flags;
	return r;
}

/* A rounding mode as the instruction has it. */
static uint8_t mode_of(const struct rv *s, uint64_t rm)
{
	return rm == RV_RM_DYN ? s->frm : (uint8_t)rm;
}

/* The helper for one format: rounds by mode, gives expr, an expression in a, b, d, f and &e. */
#define ONE(name, format, fmt, mode, expr)                                                         \
	uint64_t rv_help_##name##_##format(struct rv *s, uint64_t a, uint64_t b, uint64_t d)       \
	{                                                                                          \
		const enum fp_fmt f = fmt;                                                         \
		struct fp_env e = { .rm = mode_of(s, mode) };                                      \
		uint64_t r = (expr);                                                               \
                                                                                                   \
		(void)b;                                                                           \
		(void)d;                                                                           \
		return done(s, &e, r);                                                             \
	}

/* A function for each format, so that the format is a constant below it. */
#define EACH(name, mode, expr)                                                                     \
	ONE(name, h, FP_H, mode, expr)                                                             \
	ONE(name, s, FP_S, mode, expr)                                                             \
	ONE(name, d, FP_D, mode, expr)

EACH(fadd, d, fp_add(f, a, b, &e))
EACH(fsub, d, fp_sub(f, a, b, &e))
EACH(fmul, d, fp_mul(f, a, b, &e))
EACH(fdiv, d, fp_div(f, a, b, &e))
EACH(fsqrt, b, fp_sqrt(f, a, &e))

EACH(fma_dyn, s->frm, fp_fma(f, a, b, d, &e))
EACH(fma_rne, FP_RNE, fp_fma(f, a, b, d, &e))
EACH(fma_rtz, FP_RTZ, fp_fma(f, a, b, d, &e))
EACH(fma_rdn, FP_RDN, fp_fma(f, a, b, d, &e))
EACH(fma_rup, FP_RUP, fp_fma(f, a, b, d, &e))
EACH(fma_rmm, FP_RMM, fp_fma(f, a, b, d, &e))

EACH(fmin, 0, fp_min(f, a, b, false, &e))
EACH(fmax, 0, fp_max(f, a, b, false, &e))
EACH(fminm, 0, fp_min(f, a, b, true, &e))
EACH(fmaxm, 0, fp_max(f, a, b, true, &e))
EACH(feq, 0, fp_eq(f, a, b, &e))
EACH(flt, 0, fp_lt(f, a, b, &e))
EACH(fle, 0, fp_le(f, a, b, &e))
EACH(fltq, 0, fp_lt_quiet(f, a, b, &e))
EACH(fleq, 0, fp_le_quiet(f, a, b, &e))
EACH(fclass, 0, fp_class(f, a))

EACH(fround, b, fp_round(f, a, false, &e))
EACH(froundnx, b, fp_round(f, a, true, &e))

EACH(from_i64, b, fp_from_i64(f, (int64_t)a, &e))
EACH(from_u64, b, fp_from_u64(f, a, &e))
EACH(to_i32, b, fp_to_int(f, a, 32, true, &e))
EACH(to_u32, b, fp_to_int(f, a, 32, false, &e))
EACH(to_i64, b, fp_to_int(f, a, 64, true, &e))
EACH(to_u64, b, fp_to_int(f, a, 64, false, &e))

ONE(from_h, s, FP_S, b, fp_convert(f, FP_H, a, &e))
ONE(from_h, d, FP_D, b, fp_convert(f, FP_H, a, &e))
ONE(from_s, h, FP_H, b, fp_convert(f, FP_S, a, &e))
ONE(from_s, d, FP_D, b, fp_convert(f, FP_S, a, &e))
ONE(from_d, h, FP_H, b, fp_convert(f, FP_D, a, &e))
ONE(from_d, s, FP_S, b, fp_convert(f, FP_D, a, &e))

uint64_t rv_help_fcvtmod(struct rv *s, uint64_t a, uint64_t b, uint64_t d)
{
	struct fp_env e = { .rm = FP_RTZ };
	uint64_t r = fp_to_int_mod(a, &e);

	(void)b;
	(void)d;
	return done(s, &e, r);
}

uint64_t rv_help_fp_on(struct rv *s, uint64_t a, uint64_t b, uint64_t d)
{
	(void)a;
	(void)b;
	(void)d;
	if (!(s->mstatus & MSTATUS_FS))
		rv_illegal(s);
	s->mstatus |= MSTATUS_FS;
	rv_fp_changed(s);
	return 0;
}

uint64_t rv_help_fp_dyn(struct rv *s, uint64_t a, uint64_t b, uint64_t d)
{
	(void)a;
	(void)b;
	(void)d;
	if (s->frm > FP_RMM)
		rv_illegal(s);
	return 0;
}

#define PURE(name, format, fmt, expr)                                                              \
	uint64_t rv_help_##name##_##format(struct rv *s, uint64_t a, uint64_t b, uint64_t d)       \
	{                                                                                          \
		const enum fp_fmt f = fmt;                                                         \
                                                                                                   \
		(void)s;                                                                           \
		(void)b;                                                                           \
		(void)d;                                                                           \
		return expr;                                                                       \
	}

#define EACH_PURE(name, expr)                                                                      \
	PURE(name, h, FP_H, expr)                                                                  \
	PURE(name, s, FP_S, expr)                                                                  \
	PURE(name, d, FP_D, expr)

EACH_PURE(sgnj, rv_sign(f, RV_SGNJ, a, b))
EACH_PURE(sgnjn, rv_sign(f, RV_SGNJN, a, b))
EACH_PURE(sgnjx, rv_sign(f, RV_SGNJX, a, b))
PURE(unbox, h, FP_H, rv_unbox(f, a))
PURE(unbox, s, FP_S, rv_unbox(f, a))
PURE(box, h, FP_H, rv_box(f, a))
PURE(box, s, FP_S, rv_box(f, a))
