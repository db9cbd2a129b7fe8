/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: Zba, Zbb, Zbc, Zbs, Zbkb, Zbkx, Zknd, Zkne, Zknh, Zksh.  Manual volume I, "B" and "Scalar
 * cryptography", 3.
 * Included after the words of either form; see ir/ops_direct.h.
 */

static inline val shifted_add(struct ctx *c, val x, unsigned n, val y)
{
	return add(c, shl(c, x, imm(c, n)), y);
}

static inline val one_bit(struct ctx *c, val n)
{
	return shl(c, imm(c, 1), and_(c, n, imm(c, 63)));
}

static void sem_add_uw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, add(c, zext(c, 32, get(c, a->rs1)), get(c, a->rs2)));
}

static void sem_slli_uw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shl(c, zext(c, 32, get(c, a->rs1)), imm(c, a->imm)));
}

static void sem_sh1add(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shifted_add(c, get(c, a->rs1), 1, get(c, a->rs2)));
}

static void sem_sh1add_uw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shifted_add(c, zext(c, 32, get(c, a->rs1)), 1, get(c, a->rs2)));
}

static void sem_sh2add(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shifted_add(c, get(c, a->rs1), 2, get(c, a->rs2)));
}

static void sem_sh2add_uw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shifted_add(c, zext(c, 32, get(c, a->rs1)), 2, get(c, a->rs2)));
}

static void sem_sh3add(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shifted_add(c, get(c, a->rs1), 3, get(c, a->rs2)));
}

static void sem_sh3add_uw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, shifted_add(c, zext(c, 32, get(c, a->rs1)), 3, get(c, a->rs2)));
}

static void sem_andn(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, get(c, a->rs1), not_(c, get(c, a->rs2))));
}

static void sem_orn(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, or_(c, get(c, a->rs1), not_(c, get(c, a->rs2))));
}

static void sem_xnor(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, xor_(c, get(c, a->rs1), not_(c, get(c, a->rs2))));
}

static void sem_clz(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, clz(c, 64, get(c, a->rs1)));
}

static void sem_clzw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, clz(c, 32, get(c, a->rs1)));
}

static void sem_ctz(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ctz(c, 64, get(c, a->rs1)));
}

static void sem_ctzw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ctz(c, 32, get(c, a->rs1)));
}

static void sem_cpop(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, popcnt(c, 64, get(c, a->rs1)));
}

static void sem_cpopw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, popcnt(c, 32, get(c, a->rs1)));
}

static void sem_sext_b(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sext(c, 8, get(c, a->rs1)));
}

static void sem_sext_h(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sext(c, 16, get(c, a->rs1)));
}

static void sem_min(struct ctx *c, const struct rv_args *a)
{
	val x = get(c, a->rs1), y = get(c, a->rs2);
	put(c, a->rd, choose(c, lts(c, x, y), x, y));
}

static void sem_minu(struct ctx *c, const struct rv_args *a)
{
	val x = get(c, a->rs1), y = get(c, a->rs2);
	put(c, a->rd, choose(c, ltu(c, x, y), x, y));
}

static void sem_max(struct ctx *c, const struct rv_args *a)
{
	val x = get(c, a->rs1), y = get(c, a->rs2);
	put(c, a->rd, choose(c, lts(c, x, y), y, x));
}

static void sem_maxu(struct ctx *c, const struct rv_args *a)
{
	val x = get(c, a->rs1), y = get(c, a->rs2);
	put(c, a->rd, choose(c, ltu(c, x, y), y, x));
}

static void sem_rol(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, rol(c, 64, get(c, a->rs1), and_(c, get(c, a->rs2), imm(c, 63))));
}

static void sem_rolw(struct ctx *c, const struct rv_args *a)
{
	val n = and_(c, get(c, a->rs2), imm(c, 31));
	put(c, a->rd, sext(c, 32, rol(c, 32, get(c, a->rs1), n)));
}

static void sem_ror(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ror(c, 64, get(c, a->rs1), and_(c, get(c, a->rs2), imm(c, 63))));
}

static void sem_rorw(struct ctx *c, const struct rv_args *a)
{
	val n = and_(c, get(c, a->rs2), imm(c, 31));
	put(c, a->rd, sext(c, 32, ror(c, 32, get(c, a->rs1), n)));
}

static void sem_rori(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, ror(c, 64, get(c, a->rs1), imm(c, a->imm)));
}

static void sem_roriw(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sext(c, 32, ror(c, 32, get(c, a->rs1), imm(c, a->imm))));
}

static void sem_rev8(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, bswap(c, 64, get(c, a->rs1)));
}

static void sem_orc_b(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_orc_b, get(c, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_brev8(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_brev8, get(c, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_xperm4(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_xperm4, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_xperm8(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_xperm8, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_clmul(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_clmul, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_clmulr(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_clmulr, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_clmulh(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_clmulh, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_pack(struct ctx *c, const struct rv_args *a)
{
	val high = shl(c, get(c, a->rs2), imm(c, 32));
	put(c, a->rd, or_(c, zext(c, 32, get(c, a->rs1)), high));
}

static void sem_packh(struct ctx *c, const struct rv_args *a)
{
	val high = shl(c, zext(c, 8, get(c, a->rs2)), imm(c, 8));
	put(c, a->rd, or_(c, zext(c, 8, get(c, a->rs1)), high));
}

static void sem_packw(struct ctx *c, const struct rv_args *a)
{
	val high = shl(c, get(c, a->rs2), imm(c, 16));
	put(c, a->rd, sext(c, 32, or_(c, zext(c, 16, get(c, a->rs1)), high)));
}

static void sem_bclr(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, get(c, a->rs1), not_(c, one_bit(c, get(c, a->rs2)))));
}

static void sem_bclri(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, get(c, a->rs1), not_(c, one_bit(c, imm(c, a->imm)))));
}

static void sem_bset(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, or_(c, get(c, a->rs1), one_bit(c, get(c, a->rs2))));
}

static void sem_bseti(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, or_(c, get(c, a->rs1), one_bit(c, imm(c, a->imm))));
}

static void sem_binv(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, xor_(c, get(c, a->rs1), one_bit(c, get(c, a->rs2))));
}

static void sem_binvi(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, xor_(c, get(c, a->rs1), one_bit(c, imm(c, a->imm))));
}

static void sem_bext(struct ctx *c, const struct rv_args *a)
{
	val at = shr(c, get(c, a->rs1), and_(c, get(c, a->rs2), imm(c, 63)));
	put(c, a->rd, and_(c, at, imm(c, 1)));
}

static void sem_bexti(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, and_(c, shr(c, get(c, a->rs1), imm(c, a->imm)), imm(c, 1)));
}

/* AES: rs1 and rs2 are the halves of a state, whose low half after a round is the result. */
static void sem_aes64es(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_aes_enc_last, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_aes64esm(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_aes_enc, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_aes64ds(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_aes_dec_last, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_aes64dsm(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_aes_dec, get(c, a->rs1), get(c, a->rs2), imm(c, 0)));
}

static void sem_aes64im(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, call(c, RV_HELP_aes_unmix, get(c, a->rs1), imm(c, 0), imm(c, 0)));
}

static void sem_aes64ks1i(struct ctx *c, const struct rv_args *a)
{
	static const uint8_t rcon[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b,
		0x36 };
	val w = call(c, RV_HELP_aes_sub_high, get(c, a->rs1), imm(c, 0), imm(c, 0));

	if (a->imm < (int)sizeof rcon)
		w = xor_(c, ror(c, 32, w, imm(c, 8)), imm(c, rcon[a->imm]));
	put(c, a->rd, or_(c, w, shl(c, w, imm(c, 32))));
}

/* The low word of the result is the high one of rs1 with the low one of rs2, the high word that
 * with the high one of rs2. */
static void sem_aes64ks2(struct ctx *c, const struct rv_args *a)
{
	val keys = get(c, a->rs2), w = shr(c, get(c, a->rs1), imm(c, 32));

	w = xor_(c, w, zext(c, 32, keys));
	put(c, a->rd, xor_(c, w, shl(c, xor_(c, w, shr(c, keys, imm(c, 32))), imm(c, 32))));
}

static inline val three(struct ctx *c, val x, val y, val z)
{
	return xor_(c, xor_(c, x, y), z);
}

/* Rotations to the right, and of a sig the last one is a shift. */
static inline val sum256(struct ctx *c, val x, unsigned i, unsigned j, unsigned k)
{
	return sext(c, 32,
	    three(c, ror(c, 32, x, imm(c, i)), ror(c, 32, x, imm(c, j)), ror(c, 32, x, imm(c, k))));
}

static inline val sig256(struct ctx *c, val x, unsigned i, unsigned j, unsigned k)
{
	return sext(c, 32,
	    three(c, ror(c, 32, x, imm(c, i)), ror(c, 32, x, imm(c, j)),
		shr(c, zext(c, 32, x), imm(c, k))));
}

static inline val sum512(struct ctx *c, val x, unsigned i, unsigned j, unsigned k)
{
	return three(
	    c, ror(c, 64, x, imm(c, i)), ror(c, 64, x, imm(c, j)), ror(c, 64, x, imm(c, k)));
}

static inline val sig512(struct ctx *c, val x, unsigned i, unsigned j, unsigned k)
{
	return three(c, ror(c, 64, x, imm(c, i)), ror(c, 64, x, imm(c, j)), shr(c, x, imm(c, k)));
}

static void sem_sha256sum0(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sum256(c, get(c, a->rs1), 2, 13, 22));
}

static void sem_sha256sum1(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sum256(c, get(c, a->rs1), 6, 11, 25));
}

static void sem_sha256sig0(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sig256(c, get(c, a->rs1), 7, 18, 3));
}

static void sem_sha256sig1(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sig256(c, get(c, a->rs1), 17, 19, 10));
}

static void sem_sha512sum0(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sum512(c, get(c, a->rs1), 28, 34, 39));
}

static void sem_sha512sum1(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sum512(c, get(c, a->rs1), 14, 18, 41));
}

static void sem_sha512sig0(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sig512(c, get(c, a->rs1), 1, 8, 7));
}

static void sem_sha512sig1(struct ctx *c, const struct rv_args *a)
{
	put(c, a->rd, sig512(c, get(c, a->rs1), 19, 61, 6));
}

static void sem_sm3p0(struct ctx *c, const struct rv_args *a)
{
	val x = get(c, a->rs1);

	put(c, a->rd,
	    sext(c, 32, three(c, x, rol(c, 32, x, imm(c, 9)), rol(c, 32, x, imm(c, 17)))));
}

static void sem_sm3p1(struct ctx *c, const struct rv_args *a)
{
	val x = get(c, a->rs1);

	put(c, a->rd,
	    sext(c, 32, three(c, x, rol(c, 32, x, imm(c, 15)), rol(c, 32, x, imm(c, 23)))));
}
