/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: F, D, Zfh, Zfa.  Manual volume I, 20, 21, "Zfh", "Zfa".
 * Included after the words of either form; see ir/ops_direct.h.
 */

/* fd = h(fs1, fs2, rounding mode) */
static inline void fp_arith(struct ctx *c, const struct rv_args *a, enum fp_fmt f, enum rv_help h)
{
	fp_on(c);
	val rm = round_mode(c, a->imm);
	put_f(c, f, a->rd, call(c, h, get_f(c, f, a->rs1), get_f(c, f, a->rs2), rm));
}

/* fd = h(fs1, rounding mode), where fs1 has format `from`. */
static inline void fp_unary(
    struct ctx *c, const struct rv_args *a, enum fp_fmt f, enum fp_fmt from, enum rv_help h)
{
	fp_on(c);
	val rm = round_mode(c, a->imm);
	put_f(c, f, a->rd, call(c, h, get_f(c, from, a->rs1), rm, imm(c, 0)));
}

/* fd = h(fs1, fs2), without rounding. */
static inline void fp_pick(struct ctx *c, const struct rv_args *a, enum fp_fmt f, enum rv_help h)
{
	fp_on(c);
	put_f(c, f, a->rd, call(c, h, get_f(c, f, a->rs1), get_f(c, f, a->rs2), imm(c, 0)));
}

/* rd = h(fs1, fs2) */
static inline void fp_relation(
    struct ctx *c, const struct rv_args *a, enum fp_fmt f, enum rv_help h)
{
	fp_on(c);
	put(c, a->rd, call(c, h, get_f(c, f, a->rs1), get_f(c, f, a->rs2), imm(c, 0)));
}

/* rd = h(fs1, rounding mode) */
static inline void fp_to_x(struct ctx *c, const struct rv_args *a, enum fp_fmt f, enum rv_help h)
{
	fp_on(c);
	val rm = round_mode(c, a->imm);
	put(c, a->rd, call(c, h, get_f(c, f, a->rs1), rm, imm(c, 0)));
}

/* fd = h(x, rounding mode) */
static inline void fp_from_x(
    struct ctx *c, const struct rv_args *a, enum fp_fmt f, enum rv_help h, val x)
{
	fp_on(c);
	val rm = round_mode(c, a->imm);
	put_f(c, f, a->rd, call(c, h, x, rm, imm(c, 0)));
}

/* fd = x, which is exact in any mode: assemblers write RNE there, back ends know but one. */
static inline void fp_from_w(struct ctx *c, const struct rv_args *a, val x)
{
	fp_on(c);
	round_mode(c, a->imm);
	put_f(c, FP_D, a->rd, call(c, RV_HELP_from_i64_d, x, imm(c, RV_RM_DYN), imm(c, 0)));
}

/* Which helper multiplies and adds: there is no argument left for the rounding mode. */
static inline enum rv_help fma_helper(enum fp_fmt f, int rm)
{
	static const enum rv_help by_mode[][3] = {
		{ RV_HELP_fma_rne_h, RV_HELP_fma_rne_s, RV_HELP_fma_rne_d },
		{ RV_HELP_fma_rtz_h, RV_HELP_fma_rtz_s, RV_HELP_fma_rtz_d },
		{ RV_HELP_fma_rdn_h, RV_HELP_fma_rdn_s, RV_HELP_fma_rdn_d },
		{ RV_HELP_fma_rup_h, RV_HELP_fma_rup_s, RV_HELP_fma_rup_d },
		{ RV_HELP_fma_rmm_h, RV_HELP_fma_rmm_s, RV_HELP_fma_rmm_d },
		{ RV_HELP_fma_dyn_h, RV_HELP_fma_dyn_s, RV_HELP_fma_dyn_d },
	};

	return by_mode[rm > FP_RMM ? FP_RMM + 1 : rm][f];
}

static inline void fp_fused(
    struct ctx *c, const struct rv_args *a, enum fp_fmt f, bool minus_product, bool minus_addend)
{
	fp_on(c);
	round_mode(c, a->imm);
	val x = get_f(c, f, a->rs1), y = get_f(c, f, a->rs2), z = get_f(c, f, a->rs3);
	if (minus_product)
		x = sign_of(c, f, RV_SGNJN, x, x);
	if (minus_addend)
		z = sign_of(c, f, RV_SGNJN, z, z);
	put_f(c, f, a->rd, call(c, fma_helper(f, a->imm), x, y, z));
}

/* fd = fs1 with a sign that fs2 helps to choose */
static inline void fp_sign(struct ctx *c, const struct rv_args *a, enum fp_fmt f, enum rv_sign op)
{
	fp_on(c);
	val x = get_f(c, f, a->rs1);
	put_f(c, f, a->rd, sign_of(c, f, op, x, a->rs1 == a->rs2 ? x : get_f(c, f, a->rs2)));
}

/* Memory and bit moves do not look at NaN boxes. */
static inline void fp_load(struct ctx *c, const struct rv_args *a, enum fp_fmt f)
{
	fp_on(c);
	put_f(c, f, a->rd, load(c, 2u << f, address(c, a)));
}

static inline void fp_store(struct ctx *c, const struct rv_args *a, enum fp_fmt f)
{
	fp_on(c);
	store(c, 2u << f, address(c, a), get_f_raw(c, a->rs2));
}

static inline void fp_constant(struct ctx *c, const struct rv_args *a, enum fp_fmt f)
{
	static const uint64_t table[][32] = {
		{ 0xbc00, 0x400, 0x100, 0x200, 0x1c00, 0x2000, 0x2c00, 0x3000, 0x3400, 0x3500,
		    0x3600, 0x3700, 0x3800, 0x3900, 0x3a00, 0x3b00, 0x3c00, 0x3d00, 0x3e00, 0x3f00,
		    0x4000, 0x4100, 0x4200, 0x4400, 0x4800, 0x4c00, 0x5800, 0x5c00, 0x7800, 0x7c00,
		    0x7c00, 0x7e00 },
		{ 0xbf800000, 0x800000, 0x37800000, 0x38000000, 0x3b800000, 0x3c000000, 0x3d800000,
		    0x3e000000, 0x3e800000, 0x3ea00000, 0x3ec00000, 0x3ee00000, 0x3f000000,
		    0x3f200000, 0x3f400000, 0x3f600000, 0x3f800000, 0x3fa00000, 0x3fc00000,
		    0x3fe00000, 0x40000000, 0x40200000, 0x40400000, 0x40800000, 0x41000000,
		    0x41800000, 0x43000000, 0x43800000, 0x47000000, 0x47800000, 0x7f800000,
		    0x7fc00000 },
		{ 0xbff0000000000000, 0x10000000000000, 0x3ef0000000000000, 0x3f00000000000000,
		    0x3f70000000000000, 0x3f80000000000000, 0x3fb0000000000000, 0x3fc0000000000000,
		    0x3fd0000000000000, 0x3fd4000000000000, 0x3fd8000000000000, 0x3fdc000000000000,
		    0x3fe0000000000000, 0x3fe4000000000000, 0x3fe8000000000000, 0x3fec000000000000,
		    0x3ff0000000000000, 0x3ff4000000000000, 0x3ff8000000000000, 0x3ffc000000000000,
		    0x4000000000000000, 0x4004000000000000, 0x4008000000000000, 0x4010000000000000,
		    0x4020000000000000, 0x4030000000000000, 0x4060000000000000, 0x4070000000000000,
		    0x40e0000000000000, 0x40f0000000000000, 0x7ff0000000000000,
		    0x7ff8000000000000 },
	};

	fp_on(c);
	put_f(c, f, a->rd, imm(c, (int64_t)table[f][a->rs1]));
}

static void sem_flh(struct ctx *c, const struct rv_args *a)
{
	fp_load(c, a, FP_H);
}

static void sem_fsh(struct ctx *c, const struct rv_args *a)
{
	fp_store(c, a, FP_H);
}

static void sem_fmadd_h(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_H, false, false);
}

static void sem_fmsub_h(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_H, false, true);
}

static void sem_fnmsub_h(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_H, true, false);
}

static void sem_fnmadd_h(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_H, true, true);
}

static void sem_fadd_h(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_H, RV_HELP_fadd_h);
}

static void sem_fsub_h(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_H, RV_HELP_fsub_h);
}

static void sem_fmul_h(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_H, RV_HELP_fmul_h);
}

static void sem_fdiv_h(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_H, RV_HELP_fdiv_h);
}

static void sem_fsqrt_h(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_H, FP_H, RV_HELP_fsqrt_h);
}

static void sem_fround_h(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_H, FP_H, RV_HELP_fround_h);
}

static void sem_froundnx_h(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_H, FP_H, RV_HELP_froundnx_h);
}

static void sem_fcvt_h_s(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_H, FP_S, RV_HELP_from_s_h);
}

static void sem_fcvt_h_d(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_H, FP_D, RV_HELP_from_d_h);
}

static void sem_fsgnj_h(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_H, RV_SGNJ);
}

static void sem_fsgnjn_h(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_H, RV_SGNJN);
}

static void sem_fsgnjx_h(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_H, RV_SGNJX);
}

static void sem_fmin_h(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_H, RV_HELP_fmin_h);
}

static void sem_fmax_h(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_H, RV_HELP_fmax_h);
}

static void sem_fminm_h(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_H, RV_HELP_fminm_h);
}

static void sem_fmaxm_h(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_H, RV_HELP_fmaxm_h);
}

static void sem_feq_h(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_H, RV_HELP_feq_h);
}

static void sem_flt_h(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_H, RV_HELP_flt_h);
}

static void sem_fle_h(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_H, RV_HELP_fle_h);
}

static void sem_fltq_h(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_H, RV_HELP_fltq_h);
}

static void sem_fleq_h(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_H, RV_HELP_fleq_h);
}

static void sem_fclass_h(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put(c, a->rd, call(c, RV_HELP_fclass_h, get_f(c, FP_H, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_fcvt_w_h(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_H, RV_HELP_to_i32_h);
}

static void sem_fcvt_wu_h(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_H, RV_HELP_to_u32_h);
}

static void sem_fcvt_l_h(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_H, RV_HELP_to_i64_h);
}

static void sem_fcvt_lu_h(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_H, RV_HELP_to_u64_h);
}

static void sem_fcvt_h_w(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_H, RV_HELP_from_i64_h, sext(c, 32, get(c, a->rs1)));
}

static void sem_fcvt_h_wu(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_H, RV_HELP_from_u64_h, zext(c, 32, get(c, a->rs1)));
}

static void sem_fcvt_h_l(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_H, RV_HELP_from_i64_h, get(c, a->rs1));
}

static void sem_fcvt_h_lu(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_H, RV_HELP_from_u64_h, get(c, a->rs1));
}

static void sem_fmv_x_h(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put(c, a->rd, sext(c, 16, get_f_raw(c, a->rs1)));
}

static void sem_fmv_h_x(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put_f(c, FP_H, a->rd, zext(c, 16, get(c, a->rs1)));
}

static void sem_fli_h(struct ctx *c, const struct rv_args *a)
{
	fp_constant(c, a, FP_H);
}

static void sem_flw(struct ctx *c, const struct rv_args *a)
{
	fp_load(c, a, FP_S);
}

static void sem_fsw(struct ctx *c, const struct rv_args *a)
{
	fp_store(c, a, FP_S);
}

static void sem_fmadd_s(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_S, false, false);
}

static void sem_fmsub_s(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_S, false, true);
}

static void sem_fnmsub_s(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_S, true, false);
}

static void sem_fnmadd_s(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_S, true, true);
}

static void sem_fadd_s(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_S, RV_HELP_fadd_s);
}

static void sem_fsub_s(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_S, RV_HELP_fsub_s);
}

static void sem_fmul_s(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_S, RV_HELP_fmul_s);
}

static void sem_fdiv_s(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_S, RV_HELP_fdiv_s);
}

static void sem_fsqrt_s(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_S, FP_S, RV_HELP_fsqrt_s);
}

static void sem_fround_s(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_S, FP_S, RV_HELP_fround_s);
}

static void sem_froundnx_s(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_S, FP_S, RV_HELP_froundnx_s);
}

static void sem_fcvt_s_h(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_S, FP_H, RV_HELP_from_h_s);
}

static void sem_fcvt_s_d(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_S, FP_D, RV_HELP_from_d_s);
}

static void sem_fsgnj_s(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_S, RV_SGNJ);
}

static void sem_fsgnjn_s(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_S, RV_SGNJN);
}

static void sem_fsgnjx_s(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_S, RV_SGNJX);
}

static void sem_fmin_s(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_S, RV_HELP_fmin_s);
}

static void sem_fmax_s(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_S, RV_HELP_fmax_s);
}

static void sem_fminm_s(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_S, RV_HELP_fminm_s);
}

static void sem_fmaxm_s(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_S, RV_HELP_fmaxm_s);
}

static void sem_feq_s(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_S, RV_HELP_feq_s);
}

static void sem_flt_s(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_S, RV_HELP_flt_s);
}

static void sem_fle_s(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_S, RV_HELP_fle_s);
}

static void sem_fltq_s(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_S, RV_HELP_fltq_s);
}

static void sem_fleq_s(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_S, RV_HELP_fleq_s);
}

static void sem_fclass_s(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put(c, a->rd, call(c, RV_HELP_fclass_s, get_f(c, FP_S, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_fcvt_w_s(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_S, RV_HELP_to_i32_s);
}

static void sem_fcvt_wu_s(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_S, RV_HELP_to_u32_s);
}

static void sem_fcvt_l_s(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_S, RV_HELP_to_i64_s);
}

static void sem_fcvt_lu_s(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_S, RV_HELP_to_u64_s);
}

static void sem_fcvt_s_w(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_S, RV_HELP_from_i64_s, sext(c, 32, get(c, a->rs1)));
}

static void sem_fcvt_s_wu(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_S, RV_HELP_from_u64_s, zext(c, 32, get(c, a->rs1)));
}

static void sem_fcvt_s_l(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_S, RV_HELP_from_i64_s, get(c, a->rs1));
}

static void sem_fcvt_s_lu(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_S, RV_HELP_from_u64_s, get(c, a->rs1));
}

static void sem_fmv_x_w(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put(c, a->rd, sext(c, 32, get_f_raw(c, a->rs1)));
}

static void sem_fmv_w_x(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put_f(c, FP_S, a->rd, zext(c, 32, get(c, a->rs1)));
}

static void sem_fli_s(struct ctx *c, const struct rv_args *a)
{
	fp_constant(c, a, FP_S);
}

static void sem_fld(struct ctx *c, const struct rv_args *a)
{
	fp_load(c, a, FP_D);
}

static void sem_fsd(struct ctx *c, const struct rv_args *a)
{
	fp_store(c, a, FP_D);
}

static void sem_fmadd_d(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_D, false, false);
}

static void sem_fmsub_d(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_D, false, true);
}

static void sem_fnmsub_d(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_D, true, false);
}

static void sem_fnmadd_d(struct ctx *c, const struct rv_args *a)
{
	fp_fused(c, a, FP_D, true, true);
}

static void sem_fadd_d(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_D, RV_HELP_fadd_d);
}

static void sem_fsub_d(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_D, RV_HELP_fsub_d);
}

static void sem_fmul_d(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_D, RV_HELP_fmul_d);
}

static void sem_fdiv_d(struct ctx *c, const struct rv_args *a)
{
	fp_arith(c, a, FP_D, RV_HELP_fdiv_d);
}

static void sem_fsqrt_d(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_D, FP_D, RV_HELP_fsqrt_d);
}

static void sem_fround_d(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_D, FP_D, RV_HELP_fround_d);
}

static void sem_froundnx_d(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_D, FP_D, RV_HELP_froundnx_d);
}

static void sem_fcvt_d_h(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_D, FP_H, RV_HELP_from_h_d);
}

static void sem_fcvt_d_s(struct ctx *c, const struct rv_args *a)
{
	fp_unary(c, a, FP_D, FP_S, RV_HELP_from_s_d);
}

static void sem_fsgnj_d(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_D, RV_SGNJ);
}

static void sem_fsgnjn_d(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_D, RV_SGNJN);
}

static void sem_fsgnjx_d(struct ctx *c, const struct rv_args *a)
{
	fp_sign(c, a, FP_D, RV_SGNJX);
}

static void sem_fmin_d(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_D, RV_HELP_fmin_d);
}

static void sem_fmax_d(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_D, RV_HELP_fmax_d);
}

static void sem_fminm_d(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_D, RV_HELP_fminm_d);
}

static void sem_fmaxm_d(struct ctx *c, const struct rv_args *a)
{
	fp_pick(c, a, FP_D, RV_HELP_fmaxm_d);
}

static void sem_feq_d(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_D, RV_HELP_feq_d);
}

static void sem_flt_d(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_D, RV_HELP_flt_d);
}

static void sem_fle_d(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_D, RV_HELP_fle_d);
}

static void sem_fltq_d(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_D, RV_HELP_fltq_d);
}

static void sem_fleq_d(struct ctx *c, const struct rv_args *a)
{
	fp_relation(c, a, FP_D, RV_HELP_fleq_d);
}

static void sem_fclass_d(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put(c, a->rd, call(c, RV_HELP_fclass_d, get_f(c, FP_D, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_fcvt_w_d(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_D, RV_HELP_to_i32_d);
}

static void sem_fcvt_wu_d(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_D, RV_HELP_to_u32_d);
}

static void sem_fcvt_l_d(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_D, RV_HELP_to_i64_d);
}

static void sem_fcvt_lu_d(struct ctx *c, const struct rv_args *a)
{
	fp_to_x(c, a, FP_D, RV_HELP_to_u64_d);
}

static void sem_fcvt_d_w(struct ctx *c, const struct rv_args *a)
{
	fp_from_w(c, a, sext(c, 32, get(c, a->rs1)));
}

static void sem_fcvt_d_wu(struct ctx *c, const struct rv_args *a)
{
	fp_from_w(c, a, zext(c, 32, get(c, a->rs1)));
}

static void sem_fcvt_d_l(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_D, RV_HELP_from_i64_d, get(c, a->rs1));
}

static void sem_fcvt_d_lu(struct ctx *c, const struct rv_args *a)
{
	fp_from_x(c, a, FP_D, RV_HELP_from_u64_d, get(c, a->rs1));
}

static void sem_fmv_x_d(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put(c, a->rd, get_f_raw(c, a->rs1));
}

static void sem_fmv_d_x(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put_f(c, FP_D, a->rd, get(c, a->rs1));
}

static void sem_fli_d(struct ctx *c, const struct rv_args *a)
{
	fp_constant(c, a, FP_D);
}

static void sem_fcvtmod_w_d(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put(c, a->rd, call(c, RV_HELP_fcvtmod, get_f(c, FP_D, a->rs1), imm(c, 0), imm(c, 0)));
}
