/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: bits, BMI1, BMI2, ADX, CRC32, random numbers.  SDM volume 2.  Flags that the manual
 * leaves undefined are as AMD's CPUs of family 19H have them. Included after the words of either
 * form; see cpu/x86/direct.h.
 */

enum { X86_BT, X86_BTS, X86_BTR, X86_BTC };

/* A bit offset in a register reaches beyond the operand in memory (SDM volume 2, BT). */
static inline val bit_string_at(
    struct ctx *c, const struct x86_insn *a, val offset, enum x86_access access)
{
	unsigned size = a->o[0].size;
	val at = sar(c, sign_extended(c, size, offset), imm(c, 3));

	at = add(c, address(c, a), and_(c, at, imm(c, -(int64_t)size)));
	if (a->asize != 8)
		at = zext(c, a->asize * 8u, at);
	return linear(c, a, a->seg, at, size, access);
}

static inline val bit_changed(struct ctx *c, unsigned how, val old, val mask)
{
	if (how == X86_BTS)
		return or_(c, old, mask);
	if (how == X86_BTR)
		return and_(c, old, not_(c, mask));
	return xor_(c, old, mask);
}

static inline val locked_bit(struct ctx *c, const struct x86_insn *a, val at, val mask)
{
	unsigned size = a->o[0].size;
	enum x86_rmw how = a->arg == X86_BTS   ? X86_RMW_OR
			   : a->arg == X86_BTR ? X86_RMW_AND
					       : X86_RMW_XOR;

	if (a->arg == X86_BTR)
		mask = not_(c, mask);
	return call(c, X86_HELP_locked, at, mask, imm(c, (int64_t)(how | size << 8)));
}

static void sem_bt(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size, mem = a->o[0].kind == X86_O_MEM;
	enum x86_access access = a->arg == X86_BT ? X86_LOAD : X86_STORE;
	val offset = src(c, a, 1), n, mask, at = imm(c, 0), old;

	n = and_(c, offset, imm(c, size * 8 - 1));
	mask = shl(c, imm(c, 1), n);
	if (mem && a->o[1].kind == X86_O_IMM)
		at = operand_at(c, a, size, access);
	else if (mem)
		at = bit_string_at(c, a, offset, access);
	if (!mem)
		old = src(c, a, 0);
	else if (is_locked(c, a))
		old = locked_bit(c, a, at, mask);
	else
		old = a->arg == X86_BT ? load(c, size, at) : load_for_store(c, size, at);
	if (a->arg != X86_BT && !mem)
		dst(c, a, 0, bit_changed(c, a->arg, old, mask));
	else if (a->arg != X86_BT && !is_locked(c, a))
		store(c, size, at, bit_changed(c, a->arg, old, mask));
	change_flag(c, FLAG_CF, and_(c, shr(c, old, n), imm(c, 1)));
}

/* Of 0 they leave the destination; and so does the other half of a register then. */
static inline void put_scan(struct ctx *c, const struct x86_insn *a, val from, val found)
{
	val none = eq(c, from, imm(c, 0));

	put_reg_if(c, xor_(c, none, imm(c, 1)), &a->o[0], found);
	change_flag(c, FLAG_ZF, none);
}

static void sem_bsf(struct ctx *c, const struct x86_insn *a)
{
	val from = src(c, a, 1);

	put_scan(c, a, from, ctz(c, 64, from));
}

static void sem_bsr(struct ctx *c, const struct x86_insn *a)
{
	val from = src(c, a, 1);

	put_scan(c, a, from, sub(c, imm(c, 63), clz(c, 64, from)));
}

static void sem_popcnt(struct ctx *c, const struct x86_insn *a)
{
	val from = src(c, a, 1);

	dst(c, a, 0, popcnt(c, 64, from));
	put_flags(c, X86_FL_BITS, 1, at_flag(c, eq(c, from, imm(c, 0)), FLAG_ZF), imm(c, 0));
}

/* LZCNT, TZCNT: CF says that there is none, ZF that the first one is. */
static inline void put_count(struct ctx *c, const struct x86_insn *a, val from, val n)
{
	val none = eq(c, from, imm(c, 0)), first = eq(c, n, imm(c, 0));

	dst(c, a, 0, n);
	change_flags(c, FLAGS_ARITH & ~FLAG_OF, or_(c, none, at_flag(c, first, FLAG_ZF)));
}

static void sem_lzcnt(struct ctx *c, const struct x86_insn *a)
{
	unsigned bits = a->o[0].size * 8u;
	val from = src(c, a, 1);

	put_count(c, a, from, sub(c, clz(c, 64, from), imm(c, 64 - bits)));
}

static void sem_tzcnt(struct ctx *c, const struct x86_insn *a)
{
	unsigned bits = a->o[0].size * 8u;
	val from = src(c, a, 1), n = ctz(c, 64, from);

	put_count(c, a, from, choose(c, eq(c, from, imm(c, 0)), imm(c, bits), n));
}

static void sem_crc32(struct ctx *c, const struct x86_insn *a)
{
	val crc = get_reg(c, 4, a->o[0].reg), from = src(c, a, 1);

	dst(c, a, 0, call(c, X86_HELP_crc32, crc, from, imm(c, a->o[1].size)));
}

static inline void put_bmi(struct ctx *c, const struct x86_insn *a, val r, val carry)
{
	unsigned size = a->o[0].size;

	r = zext(c, size * 8, r);
	dst(c, a, 0, r);
	put_flags(c, X86_FL_RES, size, r, carry);
}

static void sem_andn(struct ctx *c, const struct x86_insn *a)
{
	val y = src(c, a, 2), x = src(c, a, 1);

	put_bmi(c, a, and_(c, not_(c, x), y), imm(c, 0));
}

static void sem_blsi(struct ctx *c, const struct x86_insn *a)
{
	val x = src(c, a, 1);

	put_bmi(c, a, and_(c, x, sub(c, imm(c, 0), x)), ne(c, x, imm(c, 0)));
}

static void sem_blsr(struct ctx *c, const struct x86_insn *a)
{
	val x = src(c, a, 1);

	put_bmi(c, a, and_(c, x, sub(c, x, imm(c, 1))), eq(c, x, imm(c, 0)));
}

static void sem_blsmsk(struct ctx *c, const struct x86_insn *a)
{
	val x = src(c, a, 1);

	put_bmi(c, a, xor_(c, x, sub(c, x, imm(c, 1))), eq(c, x, imm(c, 0)));
}

/* The low n bits of v; n to 255. */
static inline val low_bits(struct ctx *c, val v, val n)
{
	val mask = sub(c, shl(c, imm(c, 1), n), imm(c, 1));

	return choose(c, ltu(c, n, imm(c, 64)), and_(c, v, mask), v);
}

static void sem_bzhi(struct ctx *c, const struct x86_insn *a)
{
	unsigned bits = a->o[0].size * 8u;
	val x = src(c, a, 1), n = zext(c, 8, src(c, a, 2));

	put_bmi(c, a, low_bits(c, x, n), ltu(c, imm(c, bits - 1), n));
}

static void sem_bextr(struct ctx *c, const struct x86_insn *a)
{
	val x = src(c, a, 1), control = src(c, a, 2);
	val from = zext(c, 8, control), n = zext(c, 8, shr(c, control, imm(c, 8))), bits;
	struct fl result;

	x = choose(c, ltu(c, from, imm(c, 64)), shr(c, x, from), imm(c, 0));
	x = low_bits(c, x, n);
	result = (struct fl){ X86_FL_RES, 8, x, x, x };
	bits = at_flag(c, eq(c, x, imm(c, 0)), FLAG_ZF);
	bits = or_(c, bits, at_flag(c, fl_parity(c, result), FLAG_PF));
	dst(c, a, 0, x);
	put_flags(c, X86_FL_BITS, 1, or_(c, bits, imm(c, FLAG_AF)), imm(c, 0));
}

static void sem_mulx(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val x = get_reg(c, size, X86_RDX), y = src(c, a, 2), low = mul(c, x, y), high;

	high = size == 8 ? mulhu(c, x, y) : shr(c, low, imm(c, 32));
	/* The high half stays if both go to one register. */
	dst(c, a, 1, low);
	dst(c, a, 0, high);
}

static void sem_pdep(struct ctx *c, const struct x86_insn *a)
{
	val mask = src(c, a, 2), from = src(c, a, 1);

	dst(c, a, 0, call(c, X86_HELP_pdep, from, mask, imm(c, 0)));
}

static void sem_pext(struct ctx *c, const struct x86_insn *a)
{
	val mask = src(c, a, 2), from = src(c, a, 1);

	dst(c, a, 0, call(c, X86_HELP_pext, from, mask, imm(c, 0)));
}

/* ADCX and ADOX: one flag in, the same out. */
static inline void add_with(
    struct ctx *c, const struct x86_insn *a, enum x86_cond cc, uint32_t flag)
{
	unsigned size = a->o[0].size;
	val y = src(c, a, 1), x = src(c, a, 0), in = cond(c, cc), r, out;

	r = zext(c, size * 8, add(c, add(c, x, y), in));
	out = or_(c, ltu(c, r, x), and_(c, in, eq(c, r, x)));
	change_flag(c, flag, out);
	dst(c, a, 0, r);
}

static void sem_adcx(struct ctx *c, const struct x86_insn *a)
{
	add_with(c, a, X86_CC_B, FLAG_CF);
}

static void sem_adox(struct ctx *c, const struct x86_insn *a)
{
	add_with(c, a, X86_CC_O, FLAG_OF);
}

/* There is always a random number: CF is 1. */
static void sem_rdrand(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, call(c, X86_HELP_random, imm(c, a->arg), imm(c, 0), imm(c, 0)));
	put_flags(c, X86_FL_BITS, 1, imm(c, FLAG_CF), imm(c, 0));
}
