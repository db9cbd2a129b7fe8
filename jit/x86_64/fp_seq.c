/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a host instruction computes what RISC-V's does, but for NaNs: x86 gives on the payload of
 * an operand, RISC-V always the canonical NaN; the flags are the same.  Both detect tininess after
 * rounding.  Intel's manual, volume 1, 4.8.3.5, 11.5; RISC-V's, volume I, 20.3, 20.8.
 */
#include "jit/x86_64/fp_seq.h"

#include <stddef.h>

const struct fp_const fp_consts[FP_NCONSTS] = {
	[FP_SIGN_D] = { 0x8000000000000000, 0 },
	[FP_SIGN_S] = { 0x80000000, 0 },
	[FP_REST_D] = { 0x7fffffffffffffff, ~0ull },
	[FP_REST_S] = { 0xffffffff7fffffff, ~0ull },
	[FP_BOX_S] = { 0xffffffff00000000, 0 },
	[FP_NAN_D] = { 0x7ff8000000000000, 0 },
	[FP_NAN_S] = { 0xffffffff7fc00000, 0 },
};

static void with_const(struct fp_seq *s, uint32_t op, unsigned d, enum fp_const_name name)
{
	x86_rip(s->c, false, op, d, s->consts + name * sizeof(struct fp_const));
}

static void away(struct fp_seq *s, enum x86_cond cc, bool nan)
{
	s->nan = nan;
	s->jump = x86_jcc(s->c, cc, s->c->at);
}

/* The operation for doubles (64) or singles. */
static uint32_t of(unsigned bits, uint32_t d, uint32_t s)
{
	return bits == 64 ? d : s;
}

void fp_seq_move(struct fp_seq *s, unsigned d, unsigned a)
{
	if (d != a)
		x86_rr(s->c, false, OP_MOVAPS, d, a);
}

/* d = a op b; what is above a scalar is a's. */
static void binary(struct fp_seq *s, uint32_t op, unsigned d, unsigned a, unsigned b)
{
	if (s->has->avx) {
		x86_vex_xmm(s->c, op, d, a, b);
		return;
	}
	if (d == b && d != a) {
		fp_seq_move(s, FP_SCRATCH, a);
		x86_rr(s->c, false, op, FP_SCRATCH, b);
		fp_seq_move(s, d, FP_SCRATCH);
		return;
	}
	fp_seq_move(s, d, a);
	x86_rr(s->c, false, op, d, b);
}

static void binary_const(
    struct fp_seq *s, uint32_t op, unsigned d, unsigned a, enum fp_const_name name)
{
	fp_seq_move(s, d, a);
	with_const(s, op, d, name);
}

static void check_nan(struct fp_seq *s, unsigned bits, unsigned d)
{
	x86_rr(s->c, false, of(bits, OP_UCOMISD, OP_UCOMISS), d, d);
	away(s, CC_P, true);
}

/* Equal numbers may be zeroes of different signs, for which bits decide: -0 < +0. */
static void pick(struct fp_seq *s, bool max, unsigned bits, unsigned d, unsigned a, unsigned b)
{
	uint32_t op = max ? of(bits, OP_MAXSD, OP_MAXSS) : of(bits, OP_MINSD, OP_MINSS);

	x86_rr(s->c, false, of(bits, OP_UCOMISD, OP_UCOMISS), a, b);
	away(s, CC_P, false);
	fp_seq_move(s, FP_SCRATCH, d == b ? a : b);
	x86_rr(s->c, false, op, FP_SCRATCH, d == b ? b : a);
	fp_seq_move(s, d, d == b ? b : a);
	x86_rr(s->c, false, op, d, d == b ? a : b);
	x86_rr(s->c, false, max ? OP_ANDPS : OP_ORPS, d, FP_SCRATCH);
}

static void sign(
    struct fp_seq *s, enum ir_inline inl, unsigned bits, unsigned d, unsigned a, unsigned b)
{
	enum fp_const_name bit = bits == 64 ? FP_SIGN_D : FP_SIGN_S;
	enum fp_const_name rest = bits == 64 ? FP_REST_D : FP_REST_S;

	if (a == b) {
		if (inl == IR_INLINE_FSGNJ)
			fp_seq_move(s, d, a);
		else if (inl == IR_INLINE_FSGNJN)
			binary_const(s, OP_XORPS, d, a, bit);
		else
			binary_const(s, OP_ANDPS, d, a, rest);
		return;
	}
	binary_const(s, OP_ANDPS, FP_SCRATCH, b, bit);
	if (inl == IR_INLINE_FSGNJX) {
		binary(s, OP_XORPS, d, a, FP_SCRATCH);
		return;
	}
	if (inl == IR_INLINE_FSGNJN)
		with_const(s, OP_XORPS, FP_SCRATCH, bit);
	binary_const(s, OP_ANDPS, d, a, rest);
	x86_rr(s->c, false, OP_ORPS, d, FP_SCRATCH);
}

/* One operand; in legacy SSE the result depends on the old d. */
static void unary(struct fp_seq *s, uint32_t op, unsigned d, unsigned a)
{
	if (s->has->avx)
		x86_vex_xmm(s->c, op, d, a, a);
	else
		x86_rr(s->c, false, op, d, a);
}

/* ROUNDSD's immediate: 4: MXCSR's mode, 8: no inexact; else MXCSR's encoding of a mode. */
static void to_integral(
    struct fp_seq *s, bool exact, unsigned bits, unsigned rm, unsigned d, unsigned a)
{
	static const uint8_t modes[] = { 0, 3, 1, 2, 0, 0, 0, 4 };

	x86_3a(s->c, bits == 64 ? 0x0b : 0x0a, d, a, modes[rm & 7] | (exact ? 0u : 8u));
}

static uint32_t arithmetic(enum ir_inline inl, unsigned bits)
{
	static const uint32_t ops[][2] = {
		{ OP_ADDSS, OP_ADDSD },
		{ OP_SUBSS, OP_SUBSD },
		{ OP_MULSS, OP_MULSD },
		{ OP_DIVSS, OP_DIVSD },
	};

	return ops[inl - IR_INLINE_FADD][bits == 64];
}

bool fp_seq_can(const struct x86_features *has, enum ir_inline inl, unsigned bits, unsigned rm)
{
	if (bits != 32 && bits != 64)
		return false;
	switch (inl) {
	case IR_INLINE_FADD:
	case IR_INLINE_FSUB:
	case IR_INLINE_FMUL:
	case IR_INLINE_FDIV:
	case IR_INLINE_FSQRT:
	case IR_INLINE_FNARROW:
	case IR_INLINE_FROM_I64:
	case IR_INLINE_FROM_U64:
		return rm == FP_DYN;
	case IR_INLINE_TO_I32:
	case IR_INLINE_TO_U32:
	case IR_INLINE_TO_I64:
	case IR_INLINE_TO_U64:
		return rm == FP_DYN || rm == FP_RTZ;
	case IR_INLINE_FROUND:
	case IR_INLINE_FROUNDNX:
		return has->sse41 && rm != FP_RMM;
	case IR_INLINE_FMA:
		return has->fma;
	case IR_INLINE_FMIN:
	case IR_INLINE_FMAX:
	case IR_INLINE_FEQ:
	case IR_INLINE_FLT:
	case IR_INLINE_FLE:
	case IR_INLINE_FLTQ:
	case IR_INLINE_FLEQ:
	case IR_INLINE_FSGNJ:
	case IR_INLINE_FSGNJN:
	case IR_INLINE_FSGNJX:
	case IR_INLINE_FWIDEN:
	case IR_INLINE_FBOX:
	case IR_INLINE_FUNBOX:
		return true;
	default:
		return false;
	}
}

void fp_seq_xmm(struct fp_seq *s, enum ir_inline inl, unsigned bits, unsigned rm, unsigned d,
    unsigned a, unsigned b)
{
	s->jump = NULL;
	switch (inl) {
	case IR_INLINE_FADD:
	case IR_INLINE_FSUB:
	case IR_INLINE_FMUL:
	case IR_INLINE_FDIV:
		binary(s, arithmetic(inl, bits), d, a, b);
		check_nan(s, bits, d);
		break;
	case IR_INLINE_FSQRT:
		unary(s, of(bits, OP_SQRTSD, OP_SQRTSS), d, a);
		check_nan(s, bits, d);
		break;
	case IR_INLINE_FWIDEN:
		unary(s, OP_CVTSS2SD, d, a);
		check_nan(s, 64, d);
		break;
	case IR_INLINE_FNARROW:
		unary(s, OP_CVTSD2SS, d, a);
		check_nan(s, 32, d);
		break;
	case IR_INLINE_FROUND:
	case IR_INLINE_FROUNDNX:
		to_integral(s, inl == IR_INLINE_FROUNDNX, bits, rm, d, a);
		check_nan(s, bits, d);
		break;
	case IR_INLINE_FMIN:
	case IR_INLINE_FMAX:
		pick(s, inl == IR_INLINE_FMAX, bits, d, a, b);
		break;
	case IR_INLINE_FBOX:
		binary_const(s, OP_ORPS, d, a, FP_BOX_S);
		break;
	default:
		sign(s, inl, bits, d, a, b);
	}
}

void fp_seq_fma(struct fp_seq *s, unsigned bits, unsigned d, unsigned a, unsigned b, unsigned c,
    bool minus_product, bool minus_addend)
{
	/* VFMADD231, VFMSUB231, VFNMADD231, VFNMSUB231. */
	static const uint8_t ops[2][2] = { { 0xb9, 0xbb }, { 0xbd, 0xbf } };
	/* fp_seq_fma_nan asks for the factors. */
	unsigned sum = d == a || d == b ? (unsigned)FP_SCRATCH : d;

	fp_seq_move(s, sum, c);
	x86_vex(s->c, bits == 64, 2, 1, ops[minus_product][minus_addend], sum, a, b);
	check_nan(s, bits, sum);
	fp_seq_move(s, d, sum);
}

/* Infinity times zero plus a quiet NaN is invalid on RISC-V and not on x86 (Intel's manual, volume
 * 1, 14.5.3): where a factor is zero, the product alone raises just that. */
void fp_seq_fma_nan(struct fp_seq *s, unsigned bits, unsigned d, unsigned a, unsigned b)
{
	uint32_t compare = of(bits, OP_UCOMISD, OP_UCOMISS);
	uint8_t *zero, *none;

	x86_rr(s->c, false, OP_XORPS, FP_SCRATCH, FP_SCRATCH);
	x86_rr(s->c, false, compare, a, FP_SCRATCH);
	zero = x86_jcc8(s->c, CC_E); /* or NaN */
	x86_rr(s->c, false, compare, b, FP_SCRATCH);
	none = x86_jcc8(s->c, CC_NE);
	x86_here8(s->c, zero);
	binary(s, of(bits, OP_MULSD, OP_MULSS), FP_SCRATCH, a, b);
	x86_here8(s->c, none);
	fp_seq_nan(s, bits, d);
}

/* With the operands exchanged "above" is false for NaNs, as it has to be. */
void fp_seq_compare(
    struct fp_seq *s, enum ir_inline inl, unsigned bits, unsigned r, unsigned a, unsigned b)
{
	uint32_t quiet = of(bits, OP_UCOMISD, OP_UCOMISS);
	uint32_t op =
	    inl == IR_INLINE_FLT || inl == IR_INLINE_FLE ? of(bits, OP_COMISD, OP_COMISS) : quiet;

	s->jump = NULL;
	if (inl == IR_INLINE_FEQ) {
		x86_rr(s->c, false, op, a, b);
		x86_setcc(s->c, CC_NP, RAX);
		x86_rr8(s->c, false, OP_MOVZX8, r, RAX);
		x86_mov_ri(s->c, RAX, 0);
		x86_cmov(s->c, false, CC_NE, r, RAX);
		return;
	}
	x86_rr(s->c, false, op, b, a);
	x86_setcc(s->c, inl == IR_INLINE_FLT || inl == IR_INLINE_FLTQ ? CC_A : CC_AE, RAX);
	x86_rr8(s->c, false, OP_MOVZX8, r, RAX);
}

void fp_seq_from_int(struct fp_seq *s, enum ir_inline inl, unsigned bits, unsigned d, unsigned r)
{
	s->jump = NULL;
	if (inl == IR_INLINE_FROM_U64) {
		x86_rr(s->c, true, OP_TEST, r, r);
		away(s, CC_S, false);
	}
	x86_rr(s->c, false, OP_XORPS, d, d); /* the rest of d would be an operand */
	x86_rr(s->c, true, of(bits, OP_CVTSI2SD, OP_CVTSI2SS), d, r);
}

/* Unsigned ones are exact as signed 64-bit ones below a power of two, which the exponent tells;
 * whatever is above, or negative, might raise flags that RISC-V does not. */
static void check_unsigned(struct fp_seq *s, unsigned bits, unsigned log2, unsigned a)
{
	unsigned width = bits == 64 ? 52 : 23, bias = bits == 64 ? 1023 : 127;

	x86_rr(s->c, bits == 64, OP_MOVD_TO, a, RAX);
	x86_shift_ri(s->c, bits == 64, SHIFT_SHR, RAX, width);
	x86_alu_ri(s->c, false, ALU_CMP, RAX, (int32_t)(bias + log2));
	away(s, CC_AE, false);
}

void fp_seq_to_int(
    struct fp_seq *s, enum ir_inline inl, unsigned bits, unsigned rm, unsigned r, unsigned a)
{
	bool rtz = rm == FP_RTZ, wide = inl != IR_INLINE_TO_I32;
	uint32_t op =
	    rtz ? of(bits, OP_CVTTSD2SI, OP_CVTTSS2SI) : of(bits, OP_CVTSD2SI, OP_CVTSS2SI);

	s->jump = NULL;
	/* Rounding can reach the power of two. */
	if (inl == IR_INLINE_TO_U32)
		check_unsigned(s, bits, 31, a);
	if (inl == IR_INLINE_TO_U64)
		check_unsigned(s, bits, 63 - !rtz, a);
	x86_rr(s->c, wide, op, RAX, a);
	if (inl == IR_INLINE_TO_I32 || inl == IR_INLINE_TO_I64) {
		/* The lowest number stands for "invalid". */
		x86_alu_ri(s->c, wide, ALU_CMP, RAX, 1);
		away(s, CC_O, false);
	}
	if (inl == IR_INLINE_TO_I32 || inl == IR_INLINE_TO_U32)
		x86_rr(s->c, true, OP_MOVSXD, r, RAX);
	else
		x86_mov_rr(s->c, r, RAX);
}

void fp_seq_unbox(struct fp_seq *s, unsigned a)
{
	x86_rr(s->c, true, OP_MOVD_TO, a, RAX);
	x86_shift_ri(s->c, true, SHIFT_SAR, RAX, 32);
	x86_alu_ri(s->c, false, ALU_CMP, RAX, -1);
	away(s, CC_NE, false);
}

void fp_seq_nan(struct fp_seq *s, unsigned bits, unsigned d)
{
	with_const(s, OP_MOVQ, d, bits == 64 ? FP_NAN_D : FP_NAN_S);
}
