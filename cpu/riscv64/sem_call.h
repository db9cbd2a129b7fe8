/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies that are calls of C and nothing else: A, Zacas, Zawrs; vectors.  Manual volume I, 14, and
 * "Zacas", "Zawrs", "V", "Vector cryptography".  The aq and rl bits need nothing: helpers use
 * sequentially consistent accesses of the host.
 * Included after the words of either form; see ir/ops_direct.h.
 */

static inline void atomic(struct ctx *c, const struct rv_args *a, enum rv_help h)
{
	put(c, a->rd, call(c, h, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static inline void compare_and_swap(struct ctx *c, const struct rv_args *a, enum rv_help h)
{
	put(c, a->rd, call(c, h, get(c, a->rs1), get(c, a->rs3), get(c, a->rs2)));
}

static void sem_lr_w(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_lr_w, get(c, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_sc_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_sc_w);
}

static void sem_amoswap_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoswap_w);
}

static void sem_amoadd_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoadd_w);
}

static void sem_amoxor_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoxor_w);
}

static void sem_amoand_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoand_w);
}

static void sem_amoor_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoor_w);
}

static void sem_amomin_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amomin_w);
}

static void sem_amomax_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amomax_w);
}

static void sem_amominu_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amominu_w);
}

static void sem_amomaxu_w(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amomaxu_w);
}

static void sem_amocas_w(struct ctx *c, const struct rv_args *a)
{
	compare_and_swap(c, a, RV_HELP_amocas_w);
}

static void sem_lr_d(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_lr_d, get(c, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_sc_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_sc_d);
}

static void sem_amoswap_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoswap_d);
}

static void sem_amoadd_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoadd_d);
}

static void sem_amoxor_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoxor_d);
}

static void sem_amoand_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoand_d);
}

static void sem_amoor_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amoor_d);
}

static void sem_amomin_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amomin_d);
}

static void sem_amomax_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amomax_d);
}

static void sem_amominu_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amominu_d);
}

static void sem_amomaxu_d(struct ctx *c, const struct rv_args *a)
{
	atomic(c, a, RV_HELP_amomaxu_d);
}

static void sem_amocas_d(struct ctx *c, const struct rv_args *a)
{
	compare_and_swap(c, a, RV_HELP_amocas_d);
}

/* Register pairs: the helper reads and writes them. */
static void sem_amocas_q(struct ctx *c, const struct rv_args *a)
{
	call(c, RV_HELP_amocas_q, get(c, a->rs1), imm(c, a->rs3), imm(c, a->rs2));
}

/* The bounded wait that both may have is short, so WRS.NTO never sees its limit pass. */
static void sem_wrs_nto(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	call(c, RV_HELP_spin, imm(c, 0), imm(c, 0), imm(c, 0));
}

static void sem_wrs_sto(struct ctx *c, const struct rv_args *a)
{
	sem_wrs_nto(c, a);
}

/* Vectors: the helper goes on from the word; x and f registers are read and written here. */
static inline val vector(struct ctx *c, const struct rv_args *a, enum rv_help h, val x, val y)
{
	return call(c, h, x, imm(c, (uint32_t)a->imm), y);
}

static void sem_vsetvli(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, vector(c, a, RV_HELP_vset, get(c, a->rs1), imm(c, 0)));
}

static void sem_vsetivli(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, vector(c, a, RV_HELP_vset, imm(c, 0), imm(c, 0)));
}

static void sem_vsetvl(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, vector(c, a, RV_HELP_vset, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_v_load(struct ctx *c, const struct rv_args *a)
{
	vector(c, a, RV_HELP_vload, get(c, a->rs1), get(c, a->rs2));
}

static void sem_v_store(struct ctx *c, const struct rv_args *a)
{
	vector(c, a, RV_HELP_vstore, get(c, a->rs1), get(c, a->rs2));
}

static void sem_v_vector(struct ctx *c, const struct rv_args *a)
{
	vector(c, a, RV_HELP_varith, imm(c, 0), imm(c, 0));
}

static void sem_v_scalar(struct ctx *c, const struct rv_args *a)
{
	vector(c, a, RV_HELP_varith, get(c, a->rs1), imm(c, 0));
}

static void sem_v_to_x(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, vector(c, a, RV_HELP_varith, imm(c, 0), imm(c, 0)));
}

static void sem_v_fp(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	vector(c, a, RV_HELP_varith, imm(c, 0), imm(c, 0));
}

static void sem_v_fp_scalar(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	vector(c, a, RV_HELP_varith, get_f_raw(c, a->rs1), imm(c, 0));
}

static void sem_v_to_f(struct ctx *c, const struct rv_args *a)
{
	fp_on(c);
	put_f_raw(c, a->rd, vector(c, a, RV_HELP_varith, imm(c, 0), imm(c, 0)));
}

static void sem_v_crypto(struct ctx *c, const struct rv_args *a)
{
	vector(c, a, RV_HELP_vcrypto, imm(c, 0), imm(c, 0));
}
