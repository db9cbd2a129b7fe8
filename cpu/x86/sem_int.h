/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: moves, arithmetic and logic.  SDM volume 2.  Flags that the manual leaves undefined are
 * as AMD's CPUs of family 19H have them. Included after the words of either form; see
 * cpu/x86/direct.h.
 */

static void sem_ud(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	raise(c, X86_UD);
}

/* More than 15 bytes (SDM volume 3, 6.15, #GP). */
static void sem_too_long(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	raise(c, X86_GP);
}

static void sem_nop(struct ctx *c, const struct x86_insn *a)
{
	(void)c;
	(void)a;
}

static void sem_mov(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, any_src(c, a, 1));
}

static void sem_movzx(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, src(c, a, 1));
}

static void sem_movsx(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, sext(c, a->o[1].size * 8u, any_src(c, a, 1)));
}

static void sem_movsxd(struct ctx *c, const struct x86_insn *a)
{
	sem_movsx(c, a);
}

static void sem_lea(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, address(c, a));
}

X86_WORDS val swap_bytes(struct ctx *c, unsigned size, val v)
{
	if (size == 2)
		return shr(c, bswap(c, 32, v), imm(c, 16));
	return bswap(c, size * 8, v);
}

/* BSWAP of 16 bits is undefined; it clears the register's low half. */
static void sem_bswap(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;

	dst(c, a, 0, size == 2 ? imm(c, 0) : swap_bytes(c, size, src(c, a, 0)));
}

static void sem_movbe(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, swap_bytes(c, a->o[0].size, src(c, a, 1)));
}

static void sem_cmov(struct ctx *c, const struct x86_insn *a)
{
	val from = any_src(c, a, 1);

	dst(c, a, 0, choose(c, cond(c, a->arg), from, any_src(c, a, 0)));
}

static void sem_setcc(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, cond(c, a->arg));
}

/* CBW, CWDE, CDQE: arg bytes are extended to twice as many. */
static void sem_extend_a(struct ctx *c, const struct x86_insn *a)
{
	put_reg(c, a->arg * 2u, X86_RAX, sext(c, a->arg * 8u, get_reg(c, a->arg, X86_RAX)));
}

/* CWD, CDQ, CQO. */
static void sem_sign_d(struct ctx *c, const struct x86_insn *a)
{
	val wide = sext(c, a->arg * 8u, get_reg(c, a->arg, X86_RAX));

	put_reg(c, a->arg, X86_RDX, sar(c, wide, imm(c, 63)));
	note_sign(c, a->arg);
}

static void sem_xchg(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size, mem = a->o[1].kind == X86_O_MEM;
	val at, first, second;

	if (a->o[0].kind != X86_O_MEM && !mem) {
		first = any_src(c, a, 0);
		second = any_src(c, a, 1);
		dst(c, a, 0, second);
		dst(c, a, 1, first);
		return;
	}
	/* With memory it is locked, prefix or not. */
	at = operand_at(c, a, size, X86_STORE);
	second = src(c, a, !mem);
	if (is_alone(c)) {
		first = load_for_store(c, size, at);
		store(c, size, at, second);
		dst(c, a, !mem, first);
		return;
	}
	first = call(c, X86_HELP_locked, at, second, imm(c, (int64_t)(X86_RMW_XCHG | size << 8)));
	dst(c, a, !mem, first);
}

/* With itself: TEST looks at all of it, XOR clears it. */
X86_WORDS bool is_same_register(const struct x86_insn *a)
{
	return a->o[0].kind == X86_O_REG && a->o[1].kind == X86_O_REG && a->o[0].reg == a->o[1].reg;
}

static void sem_add(struct ctx *c, const struct x86_insn *a)
{
	val b = any_src(c, a, 1), at, old = rmw_begin(c, a, &at, X86_RMW_ADD, b);

	old = zero_extended(c, a->o[0].size, add(c, old, b));
	rmw_end(c, a, at, old);
	put_flags(c, X86_FL_ADD, a->o[0].size, old, b);
}

static void sem_sub(struct ctx *c, const struct x86_insn *a)
{
	val b = any_src(c, a, 1), at, old = rmw_begin(c, a, &at, X86_RMW_SUB, b);

	old = zero_extended(c, a->o[0].size, sub(c, old, b));
	rmw_end(c, a, at, old);
	put_flags(c, X86_FL_DIFF, a->o[0].size, old, b);
}

static void sem_adc(struct ctx *c, const struct x86_insn *a)
{
	val b = any_src(c, a, 1), carry = cond(c, X86_CC_B), both = add(c, b, carry), at;
	val old = rmw_begin(c, a, &at, X86_RMW_ADD, both), r;

	r = zero_extended(c, a->o[0].size, add(c, old, both));
	rmw_end(c, a, at, r);
	put_flags_carry(c, X86_FL_ADD, carry, a->o[0].size, r, b);
}

static void sem_sbb(struct ctx *c, const struct x86_insn *a)
{
	val b = any_src(c, a, 1), carry = cond(c, X86_CC_B), both = add(c, b, carry), at;
	val old = rmw_begin(c, a, &at, X86_RMW_SUB, both);

	rmw_end(c, a, at, sub(c, old, both));
	put_flags_carry(c, X86_FL_SUB, carry, a->o[0].size, old, b);
}

X86_WORDS void put_logic(struct ctx *c, const struct x86_insn *a, val at, val r)
{
	r = zero_extended(c, a->o[0].size, r);
	rmw_end(c, a, at, r);
	put_flags(c, X86_FL_LOGIC, a->o[0].size, r, imm(c, 0));
}

static void sem_and(struct ctx *c, const struct x86_insn *a)
{
	val b = any_src(c, a, 1), at, old = rmw_begin(c, a, &at, X86_RMW_AND, b);

	put_logic(c, a, at, and_(c, old, b));
}

static void sem_or(struct ctx *c, const struct x86_insn *a)
{
	val b = any_src(c, a, 1), at, old = rmw_begin(c, a, &at, X86_RMW_OR, b);

	put_logic(c, a, at, or_(c, old, b));
}

static void sem_xor(struct ctx *c, const struct x86_insn *a)
{
	val b, at, old;

	if (is_same_register(a)) {
		put_logic(c, a, imm(c, 0), imm(c, 0));
		return;
	}
	b = any_src(c, a, 1);
	old = rmw_begin(c, a, &at, X86_RMW_XOR, b);
	put_logic(c, a, at, xor_(c, old, b));
}

static void sem_cmp(struct ctx *c, const struct x86_insn *a)
{
	val x = any_src(c, a, 0), y;

	if (a->o[1].kind == X86_O_IMM && a->imm == 0) {
		put_flags(c, X86_FL_LOGIC, a->o[0].size, x, imm(c, 0));
		return;
	}
	y = any_src(c, a, 1);
	put_flags(c, X86_FL_SUB, a->o[0].size, x, y);
}

static void sem_test(struct ctx *c, const struct x86_insn *a)
{
	val x = any_src(c, a, 0);

	if (is_same_register(a))
		put_flags(c, X86_FL_LOGIC, a->o[0].size, x, imm(c, 0));
	else
		put_flags(c, X86_FL_TEST, a->o[0].size, x, any_src(c, a, 1));
}

static void sem_inc(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val at, r = rmw_begin(c, a, &at, X86_RMW_ADD, imm(c, 1));

	r = zext(c, size * 8, add(c, r, imm(c, 1)));
	rmw_end(c, a, at, r);
	put_flags_then(c, X86_FL_INC, size, r);
}

static void sem_dec(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val at, r = rmw_begin(c, a, &at, X86_RMW_SUB, imm(c, 1));

	r = zext(c, size * 8, sub(c, r, imm(c, 1)));
	rmw_end(c, a, at, r);
	put_flags_then(c, X86_FL_DEC, size, r);
}

static void sem_not(struct ctx *c, const struct x86_insn *a)
{
	val at, old = rmw_begin(c, a, &at, X86_RMW_XOR, imm(c, -1));

	rmw_end(c, a, at, not_(c, old));
}

/* 0 - x cannot be said as one of x86_rmw, so LOCK NEG is a loop of compare and exchange. */
static void sem_neg(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val at, old;

	if (is_locked(c, a)) {
		at = operand_at(c, a, size, X86_STORE);
		old = call(c, X86_HELP_locked_neg, at, imm(c, size), imm(c, 0));
	} else {
		old = rmw_begin(c, a, &at, X86_RMW_SUB, imm(c, 0));
	}
	rmw_end(c, a, at, sub(c, imm(c, 0), old));
	put_flags(c, X86_FL_SUB, size, imm(c, 0), old);
}

static void sem_xadd(struct ctx *c, const struct x86_insn *a)
{
	val b = any_src(c, a, 1), at, old = rmw_begin(c, a, &at, X86_RMW_ADD, b);
	val sum = zero_extended(c, a->o[0].size, add(c, old, b));

	/* When both are one register the sum stays. */
	if (a->o[0].kind == X86_O_MEM)
		rmw_end(c, a, at, sum);
	dst(c, a, 1, old);
	if (a->o[0].kind != X86_O_MEM)
		dst(c, a, 0, sum);
	put_flags(c, X86_FL_ADD, a->o[0].size, sum, b);
}

X86_WORDS val locked_cas(struct ctx *c, unsigned size, val at, val old, val new)
{
	enum x86_help h = size == 1   ? X86_HELP_cas_1
			  : size == 2 ? X86_HELP_cas_2
			  : size == 4 ? X86_HELP_cas_4
				      : X86_HELP_cas_8;

	return call(c, h, at, old, new);
}

/* A register that is not written keeps its upper half, too. */
X86_WORDS void put_reg_if(struct ctx *c, val cond, const struct x86_operand *o, val v)
{
	unsigned size = o->size == 4 ? 8 : o->size;

	if (o->kind == X86_O_HIGH)
		put_high(c, o->reg, choose(c, cond, v, get_high(c, o->reg)));
	else
		put_reg(c, size, o->reg, choose(c, cond, v, get_reg(c, size, o->reg)));
}

/* Memory is written in any case. */
static void sem_cmpxchg(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	const struct x86_operand accumulator = { X86_O_REG, X86_RAX, (uint16_t)size };
	val want = get_reg(c, size, X86_RAX), new = src(c, a, 1), at, old, same;

	if (a->o[0].kind == X86_O_MEM && is_locked(c, a)) {
		at = operand_at(c, a, size, X86_STORE);
		old = locked_cas(c, size, at, want, new);
		same = eq(c, old, want);
	} else {
		old = zero_extended(c, size, rmw_begin(c, a, &at, X86_RMW_XCHG, new));
		same = eq(c, old, want);
		if (a->o[0].kind == X86_O_MEM)
			rmw_end(c, a, at, choose(c, same, new, old));
		else
			put_reg_if(c, same, &a->o[0], new);
	}
	put_reg_if(c, xor_(c, same, imm(c, 1)), &accumulator, old);
	put_flags(c, X86_FL_SUB, size, want, old);
}

static void sem_cmpxchg8b(struct ctx *c, const struct x86_insn *a)
{
	val at = operand_at(c, a, 8, X86_STORE);

	call(c, X86_HELP_cmpxchg8b, at, imm(c, a->flags & X86_LOCK), imm(c, 0));
}

/* The alignment comes before the segment. */
static void sem_cmpxchg16b(struct ctx *c, const struct x86_insn *a)
{
	val at = address(c, a);

	if (a->seg < X86_FS)
		raise_if(c, and_(c, at, imm(c, 15)), X86_GP);
	at = linear(c, a, a->seg, at, 16, X86_STORE);
	if (a->seg >= X86_FS)
		raise_if(c, and_(c, at, imm(c, 15)), X86_GP);
	call(c, X86_HELP_cmpxchg16b, at, imm(c, a->flags & X86_LOCK), imm(c, 0));
}

X86_WORDS void put_product(struct ctx *c, unsigned size, val low, val high)
{
	if (size == 1) {
		put_reg(c, 2, X86_RAX, low);
		return;
	}
	put_reg(c, size, X86_RAX, low);
	put_reg(c, size, X86_RDX, high);
}

/* MUL and IMUL: CF and OF say that the product does not fit in its low half.  The other flags are
 * undefined, and stay. */
static void sem_mul(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val x = get_reg(c, size, X86_RAX), y = src(c, a, 0), low = mul(c, x, y), high;

	high = size == 8 ? mulhu(c, x, y) : shr(c, low, imm(c, size * 8));
	put_product(c, size, low, high);
	change_carry_overflow(c, ne(c, high, imm(c, 0)));
}

X86_WORDS val sign_extended(struct ctx *c, unsigned size, val v)
{
	return size == 8 ? v : sext(c, size * 8, v);
}

static void sem_imul(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size, first = a->noperands == 3;
	val x, y, low, high;

	if (a->noperands == 1) {
		x = get_any(c, X86_RAX);
		y = any_src(c, a, 0);
	} else {
		x = any_src(c, a, first);
		y = any_src(c, a, first + 1);
	}
	x = sign_extended(c, size, x);
	y = sign_extended(c, size, y);
	low = mul(c, x, y);
	high = size == 8 ? mulh(c, x, y) : sar(c, low, imm(c, size * 8));
	if (a->noperands == 1)
		put_product(c, size, low, high);
	else
		dst(c, a, 0, low);
	if (size == 8)
		change_carry_overflow(c, ne(c, high, sar(c, low, imm(c, 63))));
	else
		change_carry_overflow(c, ne(c, low, sext(c, size * 8, low)));
}

/* All flags are undefined: CF and OF stay. */
X86_WORDS void put_quotient_flags(struct ctx *c)
{
	change_flags(c, FLAGS_ARITH & ~(FLAG_CF | FLAG_OF), imm(c, FLAG_AF));
}

X86_WORDS void put_quotient(struct ctx *c, unsigned size, val q, val r)
{
	put_quotient_flags(c);
	if (size == 1) {
		put_reg(c, 2, X86_RAX, or_(c, zext(c, 8, q), shl(c, zext(c, 8, r), imm(c, 8))));
		return;
	}
	put_reg(c, size, X86_RAX, q);
	put_reg(c, size, X86_RDX, r);
}

/* The dividend where 64 bits hold it. */
X86_WORDS val dividend(struct ctx *c, unsigned size)
{
	val high;

	if (size == 1)
		return get_reg(c, 2, X86_RAX);
	high = get_reg(c, size, X86_RDX);
	return or_(c, shl(c, high, imm(c, size * 8)), get_reg(c, size, X86_RAX));
}

static void sem_div(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	bool narrow = size > 1 && high_is_zero(c, size);
	val y = src(c, a, 0), x, q, r;

	if (size == 8 && !narrow) {
		x = get_reg(c, 8, X86_RAX);
		q = call(c, X86_HELP_div_64, get_reg(c, 8, X86_RDX), x, y);
		put_quotient(c, 8, q, sub(c, x, mul(c, q, y)));
		return;
	}
	x = narrow ? get_reg(c, size, X86_RAX) : dividend(c, size);
	raise_if(c, eq(c, y, imm(c, 0)), X86_DE);
	q = divu(c, x, y);
	r = remu(c, x, y);
	if (!narrow)
		raise_if(c, ne(c, shr(c, q, imm(c, size * 8)), imm(c, 0)), X86_DE);
	put_quotient(c, size, q, r);
}

/* 64 bits by 64: only the smallest number by -1 does not fit. */
X86_WORDS void divide_sign_extended(struct ctx *c, val x, val y)
{
	val q;

	raise_if(c, eq(c, y, imm(c, 0)), X86_DE);
	raise_if(c, and_(c, eq(c, y, imm(c, -1)), eq(c, x, imm(c, INT64_MIN))), X86_DE);
	q = divs(c, x, y);
	put_quotient(c, 8, q, rems(c, x, y));
}

static void sem_idiv(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	bool narrow = high_is_sign(c, size);
	val y = sign_extended(c, size, src(c, a, 0)), x, q, r;

	if (size == 8) {
		x = get_reg(c, 8, X86_RAX);
		if (narrow) {
			divide_sign_extended(c, x, y);
			return;
		}
		q = call(c, X86_HELP_idiv_64, get_reg(c, 8, X86_RDX), x, y);
		put_quotient(c, 8, q, sub(c, x, mul(c, q, y)));
		return;
	}
	x = narrow && size == 4 ? sext(c, 32, get_reg(c, 4, X86_RAX)) : dividend(c, size);
	if (size < 4)
		x = sext(c, size * 16, x);
	raise_if(c, eq(c, y, imm(c, 0)), X86_DE);
	q = divs(c, x, y);
	r = rems(c, x, y);
	raise_if(c, ne(c, sext(c, size * 8, q), q), X86_DE);
	put_quotient(c, size, q, r);
}

static void sem_xlat(struct ctx *c, const struct x86_insn *a)
{
	val at = add(c, get_reg(c, 8, X86_RBX), get_reg(c, 1, X86_RAX));

	if (a->asize != 8)
		at = zext(c, a->asize * 8u, at);
	put_reg(c, 1, X86_RAX, load(c, 1, linear(c, a, a->seg, at, 1, X86_LOAD)));
}

/* DAA, DAS, AAA, AAS, AAM, AAD: a helper does it all. */
X86_WORDS void bcd(struct ctx *c, const struct x86_insn *a, enum x86_bcd op)
{
	call(c, X86_HELP_bcd, imm(c, op), imm(c, a->imm & 0xff), imm(c, 0));
}

static void sem_daa(struct ctx *c, const struct x86_insn *a)
{
	bcd(c, a, X86_DAA);
}

static void sem_das(struct ctx *c, const struct x86_insn *a)
{
	bcd(c, a, X86_DAS);
}

static void sem_aaa(struct ctx *c, const struct x86_insn *a)
{
	bcd(c, a, X86_AAA);
}

static void sem_aas(struct ctx *c, const struct x86_insn *a)
{
	bcd(c, a, X86_AAS);
}

static void sem_aam(struct ctx *c, const struct x86_insn *a)
{
	if (!(a->imm & 0xff)) {
		raise(c, X86_DE);
		return;
	}
	bcd(c, a, X86_AAM);
}

static void sem_aad(struct ctx *c, const struct x86_insn *a)
{
	bcd(c, a, X86_AAD);
}

/* Undocumented by Intel: AL becomes CF in each bit. */
static void sem_salc(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	put_reg(c, 1, X86_RAX, sub(c, imm(c, 0), cond(c, X86_CC_B)));
}

enum { X86_SAHF_FLAGS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF };

static void sem_lahf(struct ctx *c, const struct x86_insn *a)
{
	val all = and_(c, flags(c), imm(c, X86_SAHF_FLAGS));

	(void)a;
	put_high(c, X86_RAX, or_(c, all, imm(c, 2)));
}

static void sem_sahf(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	change_flags(c, X86_SAHF_FLAGS, and_(c, get_high(c, X86_RAX), imm(c, X86_SAHF_FLAGS)));
}

static void sem_clc(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	change_flag(c, FLAG_CF, imm(c, 0));
}

static void sem_stc(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	change_flag(c, FLAG_CF, imm(c, 1));
}

static void sem_cmc(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	change_flag(c, FLAG_CF, cond(c, X86_CC_NB));
}

static void sem_cld(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call(c, X86_HELP_direction, imm(c, 0), imm(c, 0), imm(c, 0));
}

static void sem_std(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call(c, X86_HELP_direction, imm(c, FLAG_DF), imm(c, 0), imm(c, 0));
}
