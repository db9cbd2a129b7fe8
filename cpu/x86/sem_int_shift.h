/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: shifts and rotations.  SDM volume 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD.  A
 * count of 0 changes no flag.  OF is defined for counts of 1 only; for others it is what the same
 * rule gives, as CPUs have it. Included after the words of either form; see cpu/x86/direct.h.
 */

/* The count, which is the last operand, modulo 32 or 64. */
X86_WORDS val shift_count(struct ctx *c, const struct x86_insn *a)
{
	int64_t mask = a->o[0].size == 8 ? 63 : 31;
	const struct x86_operand *o = &a->o[a->noperands - 1];

	if (o->kind == X86_O_IMM)
		return imm(c, a->imm & mask);
	return and_(c, get_any(c, X86_RCX), imm(c, mask));
}

/* Bit n of v at the place of a flag. */
X86_WORDS val to_flag(struct ctx *c, val v, unsigned n, unsigned flag)
{
	unsigned to = ctz64(flag);

	if (n > to)
		v = shr(c, v, imm(c, n - to));
	else if (n < to)
		v = shl(c, v, imm(c, to - n));
	return and_(c, v, imm(c, flag));
}

/* Whether bit n of v differs from the one below, as OF. */
X86_WORDS val turn_to_overflow(struct ctx *c, val v, unsigned n)
{
	return to_flag(c, xor_(c, v, shl(c, v, imm(c, 1))), n, FLAG_OF);
}

/* Of double shifts.  Whether the count may be 0 is known for immediates.  bits: CF and OF.  AF is
 * undefined, and set. */
X86_WORDS void put_shift_flags(struct ctx *c, const struct x86_insn *a, val count, val r, val bits)
{
	unsigned size = a->o[0].size;

	bits = or_(c, bits, imm(c, FLAG_AF));
	if (a->o[a->noperands - 1].kind != X86_O_IMM)
		put_flags_if(c, ne(c, count, imm(c, 0)), X86_FL_RES, size, r, bits);
	else if (a->imm & (size == 8 ? 63 : 31))
		put_flags(c, X86_FL_RES, size, r, bits);
}

static void sem_shl(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val n = shift_count(c, a), at, old, r;

	old = rmw_begin(c, a, &at, X86_RMW_XCHG, n);
	r = shift_left(c, size, old, n);
	rmw_end(c, a, at, r);
	put_flags_shift(c, X86_FL_SHL, n, size, r, old);
}

static void sem_shr(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val n = shift_count(c, a), at, old, r;

	old = rmw_begin(c, a, &at, X86_RMW_XCHG, n);
	r = shift_right(c, size, old, n);
	rmw_end(c, a, at, r);
	put_flags_shift(c, X86_FL_SHR, n, size, r, old);
}

static void sem_sar(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size;
	val n = shift_count(c, a), at, old, r;

	old = rmw_begin(c, a, &at, X86_RMW_XCHG, n);
	r = shift_right_signed(c, size, old, n);
	rmw_end(c, a, at, r);
	put_flags_shift(c, X86_FL_SAR, n, size, r, old);
}

/* CF and OF of rotations, in their places; the other flags stay. */
X86_WORDS void put_rotate_flags(
    struct ctx *c, const struct x86_insn *a, val count, val carry_overflow)
{
	if (a->o[a->noperands - 1].kind != X86_O_IMM)
		change_flags_if(c, ne(c, count, imm(c, 0)), FLAG_CF | FLAG_OF, carry_overflow);
	else if (a->imm & (a->o[0].size == 8 ? 63 : 31))
		change_flags(c, FLAG_CF | FLAG_OF, carry_overflow);
}

/* v, of size bytes, turned left. */
X86_WORDS val turn_left(struct ctx *c, unsigned size, val v, val n)
{
	unsigned bits = size * 8;

	if (size >= 4)
		return rol(c, bits, v, n);
	/* Several copies beside each other. */
	v = zext(c, bits, v);
	if (size == 1)
		v = mul(c, v, imm(c, 0x01010101));
	else
		v = mul(c, v, imm(c, 0x00010001));
	return zext(c, bits, rol(c, 32, v, n));
}

static void sem_rol(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size, top = size * 8 - 1;
	val n = shift_count(c, a), at, r, out;

	r = turn_left(c, size, rmw_begin(c, a, &at, X86_RMW_XCHG, n), n);
	out = to_flag(c, r, 0, FLAG_CF);
	rmw_end(c, a, at, r);
	r = xor_(c, shr(c, r, imm(c, top)), out);
	put_rotate_flags(c, a, n, or_(c, out, to_flag(c, r, 0, FLAG_OF)));
}

static void sem_ror(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size, top = size * 8 - 1;
	val n = shift_count(c, a), at, r, out;

	r = rmw_begin(c, a, &at, X86_RMW_XCHG, n);
	r = turn_left(c, size, r, sub(c, imm(c, 64), n));
	out = to_flag(c, r, top, FLAG_CF);
	rmw_end(c, a, at, r);
	put_rotate_flags(c, a, n, or_(c, out, turn_to_overflow(c, r, top)));
}

/* Through carry: one helper gives the result, another the two flags. */
X86_WORDS void rotate_through(struct ctx *c, const struct x86_insn *a, bool right)
{
	val n = shift_count(c, a), at;
	val how = imm(c, (int64_t)(a->o[0].size | (unsigned)right << 8));
	val what = or_(c, n, shl(c, cond(c, X86_CC_B), imm(c, 8)));
	val old = zero_extended(c, a->o[0].size, rmw_begin(c, a, &at, X86_RMW_XCHG, n));

	rmw_end(c, a, at, call(c, X86_HELP_rotate_carry, old, what, how));
	put_rotate_flags(c, a, n, call(c, X86_HELP_rotate_flags, old, what, how));
}

static void sem_rcl(struct ctx *c, const struct x86_insn *a)
{
	rotate_through(c, a, false);
}

static void sem_rcr(struct ctx *c, const struct x86_insn *a)
{
	rotate_through(c, a, true);
}

/* The double shifts of 16 bits with counts above 16 are undefined; CPUs go on with the second
 * operand again, while CF, and OF of SHLD, see the first one alone. */
static void sem_shld(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size, bits = size * 8;
	val n = shift_count(c, a), fill = src(c, a, 1), at, old, r, before, out;

	old = zero_extended(c, size, rmw_begin(c, a, &at, X86_RMW_XCHG, n));
	if (size == 2) {
		r = call(c, X86_HELP_shld_16, old, fill, n);
	} else {
		r = shr(c, shr(c, fill, imm(c, 1)), sub(c, imm(c, bits - 1), n));
		r = zext(c, bits, or_(c, shl(c, old, n), r));
	}
	before = shl(c, old, sub(c, n, imm(c, 1)));
	out = to_flag(c, before, bits - 1, FLAG_CF);
	rmw_end(c, a, at, r);
	put_shift_flags(c, a, n, r, or_(c, out, turn_to_overflow(c, before, bits - 1)));
}

static void sem_shrd(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->o[0].size, bits = size * 8;
	val n = shift_count(c, a), fill = src(c, a, 1), at, old, r, out;

	old = zero_extended(c, size, rmw_begin(c, a, &at, X86_RMW_XCHG, n));
	if (size == 2) {
		r = call(c, X86_HELP_shrd_16, old, fill, n);
	} else {
		r = shl(c, shl(c, fill, imm(c, 1)), sub(c, imm(c, bits - 1), n));
		r = zext(c, bits, or_(c, shr(c, old, n), r));
	}
	out = to_flag(c, shr(c, old, sub(c, n, imm(c, 1))), 0, FLAG_CF);
	rmw_end(c, a, at, r);
	put_shift_flags(c, a, n, r, or_(c, out, turn_to_overflow(c, r, bits - 1)));
}

/* BMI2: no flags. */
X86_WORDS val wide_count(struct ctx *c, const struct x86_insn *a)
{
	return and_(c, src(c, a, 2), imm(c, a->o[0].size == 8 ? 63 : 31));
}

static void sem_shlx(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, shift_left(c, a->o[0].size, any_src(c, a, 1), wide_count(c, a)));
}

static void sem_shrx(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, shift_right(c, a->o[0].size, any_src(c, a, 1), wide_count(c, a)));
}

static void sem_sarx(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, shift_right_signed(c, a->o[0].size, any_src(c, a, 1), wide_count(c, a)));
}

static void sem_rorx(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, ror(c, a->o[0].size * 8u, src(c, a, 1), imm(c, a->imm)));
}
