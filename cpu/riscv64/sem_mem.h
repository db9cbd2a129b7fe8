/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: loads and stores of RV64I, FENCE, Zicbom, Zicboz.  Manual volume I, 2.6, 2.7, 4.3, "CMO".
 * Included after the words of either form; see ir/ops_direct.h.
 */

static void sem_lb(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sext(c, 8, load(c, 1, address(c, a))));
}

static void sem_lh(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sext(c, 16, load(c, 2, address(c, a))));
}

static void sem_lw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sext(c, 32, load(c, 4, address(c, a))));
}

static void sem_ld(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, load(c, 8, address(c, a)));
}

static void sem_lbu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, load(c, 1, address(c, a)));
}

static void sem_lhu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, load(c, 2, address(c, a)));
}

static void sem_lwu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, load(c, 4, address(c, a)));
}

static void sem_sb(struct ctx *c, const struct rv_args *a)
{
	store(c, 1, address(c, a), get(c, a->rs2));
}

static void sem_sh(struct ctx *c, const struct rv_args *a)
{
	store(c, 2, address(c, a), get(c, a->rs2));
}

static void sem_sw(struct ctx *c, const struct rv_args *a)
{
	store(c, 4, address(c, a), get(c, a->rs2));
}

static void sem_sd(struct ctx *c, const struct rv_args *a)
{
	store(c, 8, address(c, a), get(c, a->rs2));
}

/* Stronger than any FENCE asks for: all accesses, whatever its fields say. */
/* Zihintpause: PAUSE is FENCE W, 0. */
enum { RV_PAUSE = 0x10 };

static void sem_fence(struct ctx *c, const struct rv_args *a)
{
	if (a->imm == RV_PAUSE && a->rd == RV_SINK && a->rs1 == 0)
		call(c, RV_HELP_spin, imm(c, 0), imm(c, 0), imm(c, 0));
	else
		fence(c);
}

static void sem_cbo_inval(struct ctx *c, const struct rv_args *a)
{
	call(c, RV_HELP_cbo, get(c, a->rs1), imm(c, 0), imm(c, 0));
}

static void sem_cbo_clean(struct ctx *c, const struct rv_args *a)
{
	call(c, RV_HELP_cbo, get(c, a->rs1), imm(c, 1), imm(c, 0));
}

static void sem_cbo_flush(struct ctx *c, const struct rv_args *a)
{
	call(c, RV_HELP_cbo, get(c, a->rs1), imm(c, 2), imm(c, 0));
}

static void sem_cbo_zero(struct ctx *c, const struct rv_args *a)
{
	call(c, RV_HELP_cbo_zero, get(c, a->rs1), imm(c, 0), imm(c, 0));
}
