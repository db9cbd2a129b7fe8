/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: Zicsr, Zifencei, calls, privileged instructions.  Manual volume I, 2.8, 5, 6; volume II,
 * 3.3, 10.6, "Svinval".
 * Included after the words of either form; see ir/ops_direct.h.
 */

static void sem_illegal(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	illegal(c);
}

static void sem_ecall(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	call(c, RV_HELP_ecall, imm(c, 0), imm(c, 0), imm(c, 0));
}

static void sem_ebreak(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	trap(c, RV_BREAKPOINT, pc(c));
}

static void sem_fence_i(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	call(c, RV_HELP_fence_i, imm(c, 0), imm(c, 0), imm(c, 0));
}

/* 6.1: no write happens with CSRRS and CSRRC from x0 (or 0), no read with CSRRW to x0. */
static inline void csr(
    struct ctx *c, const struct rv_args *a, enum rv_csr_op op, val operand, bool write)
{
	int what = a->imm | (int)op << RV_HELP_CSR_OP;

	if (op != RV_CSR_WRITE || a->rd != RV_SINK)
		what |= RV_HELP_CSR_READ;
	if (write)
		what |= RV_HELP_CSR_WRITE;
	put(c, a->rd, call(c, RV_HELP_csr, operand, imm(c, what), imm(c, 0)));
}

static void sem_csrrw(struct ctx *c, const struct rv_args *a)
{
	csr(c, a, RV_CSR_WRITE, get(c, a->rs1), true);
}

static void sem_csrrwi(struct ctx *c, const struct rv_args *a)
{
	csr(c, a, RV_CSR_WRITE, imm(c, a->rs1), true);
}

static void sem_csrrs(struct ctx *c, const struct rv_args *a)
{
	csr(c, a, RV_CSR_SET, get(c, a->rs1), a->rs1 != 0);
}

static void sem_csrrsi(struct ctx *c, const struct rv_args *a)
{
	csr(c, a, RV_CSR_SET, imm(c, a->rs1), a->rs1 != 0);
}

static void sem_csrrc(struct ctx *c, const struct rv_args *a)
{
	csr(c, a, RV_CSR_CLEAR, get(c, a->rs1), a->rs1 != 0);
}

static void sem_csrrci(struct ctx *c, const struct rv_args *a)
{
	csr(c, a, RV_CSR_CLEAR, imm(c, a->rs1), a->rs1 != 0);
}

static void sem_mret(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	resume(c, call(c, RV_HELP_mret, imm(c, 0), imm(c, 0), imm(c, 0)));
}

static void sem_sret(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	resume(c, call(c, RV_HELP_sret, imm(c, 0), imm(c, 0), imm(c, 0)));
}

static void sem_wfi(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	call(c, RV_HELP_wfi, imm(c, 0), imm(c, 0), imm(c, 0));
}

static void sem_sfence_vma(struct ctx *c, const struct rv_args *a)
{
	int all = (a->rs1 == 0) | (a->rs2 == 0) << 1;
	call(c, RV_HELP_sfence_vma, get(c, a->rs1), get(c, a->rs2), imm(c, all));
}

/* Invalidates at once, so the two fences around it have nothing to order. */
static void sem_sinval_vma(struct ctx *c, const struct rv_args *a)
{
	sem_sfence_vma(c, a);
}

static void sem_sfence_w_inval(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	call(c, RV_HELP_sfence_inval, imm(c, 0), imm(c, 0), imm(c, 0));
}

static void sem_sfence_inval_ir(struct ctx *c, const struct rv_args *a)
{
	(void)a;
	call(c, RV_HELP_sfence_inval, imm(c, 0), imm(c, 0), imm(c, 0));
}
