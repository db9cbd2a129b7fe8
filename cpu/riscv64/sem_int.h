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

static void rv_lui(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, imm(c, a->imm));
}

static void rv_auipc(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, add(c, pc(c), imm(c, a->imm)));
}

static void rv_jal(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, next_pc(c));
	jump(c, a->imm);
}

static void rv_jalr(struct ctx *c, const struct rv_args *a)
{
	val to = and_(c, add(c, get(c, a->rs1), imm(c, a->imm)), imm(c, -2));
	put(c, a->rd, next_pc(c));
	jump_to(c, to);
}

static void rv_beq(struct ctx *c, const struct rv_args *a)
{
	branch(c, eq(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void rv_bne(struct ctx *c, const struct rv_args *a)
{
	branch(c, ne(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void rv_blt(struct ctx *c, const struct rv_args *a)
{
	branch(c, lts(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void rv_bge(struct ctx *c, const struct rv_args *a)
{
	val less = lts(c, get(c, a->rs1), get(c, a->rs2));
	branch(c, eq(c, less, imm(c, 0)), a->imm);
}

static void rv_bltu(struct ctx *c, const struct rv_args *a)
{
	branch(c, ltu(c, get(c, a->rs1), get(c, a->rs2)), a->imm);
}

static void rv_bgeu(struct ctx *c, const struct rv_args *a)
{
	val less = ltu(c, get(c, a->rs1), get(c, a->rs2));
	branch(c, eq(c, less, imm(c, 0)), a->imm);
}

static void rv_addi(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, add(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_slti(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, lts(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_sltiu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ltu(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_xori(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, xor_(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_ori(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, or_(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_andi(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_slli(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shl(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_srli(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shr(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_srai(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sar(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_add(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, add(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_sub(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sub(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_slt(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, lts(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_sltu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ltu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_xor(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, xor_(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_or(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, or_(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_and(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_sll(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shl(c, get(c, a->rs1), count(c, 64, get(c, a->rs2))));
}

static void rv_srl(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shr(c, get(c, a->rs1), count(c, 64, get(c, a->rs2))));
}

static void rv_sra(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sar(c, get(c, a->rs1), count(c, 64, get(c, a->rs2))));
}

static void rv_addiw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, add(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_slliw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shl(c, get(c, a->rs1), imm(c, a->imm)));
}

static void rv_srliw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shr(c, zext(c, 32, get(c, a->rs1)), imm(c, a->imm)));
}

static void rv_sraiw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, sar(c, sext(c, 32, get(c, a->rs1)), imm(c, a->imm)));
}

static void rv_addw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, add(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_subw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, sub(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_sllw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shl(c, get(c, a->rs1), count(c, 32, get(c, a->rs2))));
}

static void rv_srlw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, shr(c, zext(c, 32, get(c, a->rs1)), count(c, 32, get(c, a->rs2))));
}

static void rv_sraw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, sar(c, sext(c, 32, get(c, a->rs1)), count(c, 32, get(c, a->rs2))));
}

static void rv_mul(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mul(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_mulh(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mulh(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_mulhsu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mulhsu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_mulhu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, mulhu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_div(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, divs(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_divu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, divu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_rem(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, rems(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_remu(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, remu(c, get(c, a->rs1), get(c, a->rs2)));
}

static void rv_mulw(struct ctx *c, const struct rv_args *a)
{
	put_w(c, a->rd, mul(c, get(c, a->rs1), get(c, a->rs2)));
}

/* On extended operands the 64-bit operations give the 32-bit results for zero and overflow too. */
static void rv_divw(struct ctx *c, const struct rv_args *a)
{
	val x = sext(c, 32, get(c, a->rs1)), y = sext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, divs(c, x, y));
}

static void rv_divuw(struct ctx *c, const struct rv_args *a)
{
	val x = zext(c, 32, get(c, a->rs1)), y = zext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, divu(c, x, y));
}

static void rv_remw(struct ctx *c, const struct rv_args *a)
{
	val x = sext(c, 32, get(c, a->rs1)), y = sext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, rems(c, x, y));
}

static void rv_remuw(struct ctx *c, const struct rv_args *a)
{
	val x = zext(c, 32, get(c, a->rs1)), y = zext(c, 32, get(c, a->rs2));
	put_w(c, a->rd, remu(c, x, y));
}

static void rv_czero_eqz(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, select(c, get(c, a->rs2), get(c, a->rs1), imm(c, 0)));
}

static void rv_czero_nez(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, select(c, get(c, a->rs2), imm(c, 0), get(c, a->rs1)));
}
