/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: RV64I without memory, and M, Zicond.  Manual volume I, 2, 4, 13, and "Zicond".
 * Included after the words of either form; see ir/ops_direct.h.
 */

/* Writes an x register with the low 32 bits, sign-extended: what the W instructions do. */
static inline void put_w(struct ctx *c, unsigned rd, val v)
{
	put(c, rd, sext(c, 32, v));
}

static inline val count(struct ctx *c, unsigned bits, val n)
{
	return and_(c, n, imm(c, bits - 1));
}

static void sem_lui(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, imm(c, a->imm));
}

static void sem_auipc(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, add(c, pc(c), imm(c, a->imm)));
}

static void sem_jal(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, next_pc(c));
	jump(c, a->imm);
}

static void sem_jalr(struct ctx *c, const struct rv_args *a)
{
	val to = and_(c, add(c, get(c, a->rs1), imm(c, a->imm)), imm(c, -2));
	put(c, a->rd, next_pc(c));
	jump_to(c, to);
}

static void sem_beq(struct ctx *c, const struct rv_args *a)
{
	branch(c, eq(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void sem_bne(struct ctx *c, const struct rv_args *a)
{
	branch(c, ne(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void sem_blt(struct ctx *c, const struct rv_args *a)
{
	branch(c, lts(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void sem_bge(struct ctx *c, const struct rv_args *a)
{
	val less = lts(c, get(c, a->rs1), get(c, a->rs2));
	branch(c, eq(c, less, imm(c, 0)), a->imm);
}

static void sem_bltu(struct ctx *c, const struct rv_args *a)
{
	branch(c, ltu(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void sem_bgeu(struct ctx *c, const struct rv_args *a)
{
	val less = ltu(c, get(c, a->rs1), get(c, a->rs2));
	branch(c, eq(c, less, imm(c, 0)), a->imm);
}

static void sem_addi(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, add(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_slti(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, lts(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_sltiu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ltu(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_xori(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, xor_(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_ori(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, or_(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_andi(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_slli(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shl(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_srli(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shr(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_srai(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sar(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_add(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, add(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_sub(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sub(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_slt(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, lts(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_sltu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ltu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_xor(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, xor_(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_or(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, or_(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_and(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_sll(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shl(c, get(c, a->rs1), count(c, 64, get(c, a->rs2))));
}

static void sem_srl(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shr(c, get(c, a->rs1), count(c, 64, get(c, a->rs2))));
}

static void sem_sra(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sar(c, get(c, a->rs1), count(c, 64, get(c, a->rs2))));
}

static void sem_addiw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, add(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_slliw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shl(c, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_srliw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shr(c, zext(c, 32, get(c, a->rs1)), imm(c, a->imm)));
}

static void sem_sraiw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, sar(c, sext(c, 32, get(c, a->rs1)), imm(c, a->imm)));
}

static void sem_addw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, add(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_subw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, sub(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_sllw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shl(c, get(c, a->rs1), count(c, 32, get(c, a->rs2))));
}

static void sem_srlw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shr(c, zext(c, 32, get(c, a->rs1)), count(c, 32, get(c, a->rs2))));
}

static void sem_sraw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, sar(c, sext(c, 32, get(c, a->rs1)), count(c, 32, get(c, a->rs2))));
}

static void sem_mul(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mul(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_mulh(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mulh(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_mulhsu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mulhsu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_mulhu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mulhu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_div(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, divs(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_divu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, divu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_rem(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, rems(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_remu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, remu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void sem_mulw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, mul(c, get(c, a->rs1), get(c, a->rs2)));
}

/* On extended operands the 64-bit operations give the 32-bit results for zero and overflow too. */
static void sem_divw(struct ctx *c, const struct rv_args *a)
{
	val x = sext(c, 32, get(c, a->rs1)), y = sext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, divs(c, x, y));
}

static void sem_divuw(struct ctx *c, const struct rv_args *a)
{
	val x = zext(c, 32, get(c, a->rs1)), y = zext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, divu(c, x, y));
}

static void sem_remw(struct ctx *c, const struct rv_args *a)
{
	val x = sext(c, 32, get(c, a->rs1)), y = sext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, rems(c, x, y));
}

static void sem_remuw(struct ctx *c, const struct rv_args *a)
{
	val x = zext(c, 32, get(c, a->rs1)), y = zext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, remu(c, x, y));
}

static void sem_czero_eqz(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, choose(c, get(c, a->rs2), get(c, a->rs1), imm(c, 0)));
}

static void sem_czero_nez(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, choose(c, get(c, a->rs2), imm(c, 0), get(c, a->rs1)));
}
