/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_X86_64_FP_SEQ_H
#define JIT_X86_64_FP_SEQ_H

#include "fp/fp.h"
#include "ir/ir.h"
#include "jit/x86_64/encode.h"
#include "jit/x86_64/features.h"

/*
 * What one floating-point operation of enum ir_inline becomes, once its values are in registers:
 * the same result and flags as fp/fp.h, under the rounding mode and flags of MXCSR.  Where it
 * cannot be so, the code jumps away.  Operands are left alone unless the result goes there; what is
 * above a single in its register means nothing, but in a result with AVX it is what was above a (of
 * FMA: c), so that NaN boxes stay.
 */
enum { FP_SCRATCH = 15 }; /* sequences destroy this xmm register */

struct fp_seq {
	struct x86_code *c;
	const struct x86_features *has;
	const uint8_t *consts; /* fp_consts, where code goes, 16-byte aligned */
	/* After each: where the displacement of the jump away is, or NULL.  To fp_seq_nan (or
	 * fp_seq_fma_nan), and back, if nan; else the interpreter does the instruction again. */
	uint8_t *jump;
	bool nan;
};

/* 16 bytes each because SSE asks for that. */
struct fp_const {
	uint64_t lo, hi;
};
enum fp_const_name {
	FP_SIGN_D,
	FP_SIGN_S,
	FP_REST_D,
	FP_REST_S,
	FP_BOX_S, /* ones above a single */
	FP_NAN_D,
	FP_NAN_S, /* boxed */
	FP_NCONSTS
};
extern const struct fp_const fp_consts[FP_NCONSTS];

enum { FP_DYN = 7 }; /* rm: as MXCSR has it; else one of fp/fp.h */

/* Whether these features allow the operation at all. */
bool fp_seq_can(const struct x86_features *, enum ir_inline, unsigned bits, unsigned rm);

/* d = a op b: FADD ... FDIV, FMIN, FMAX, FSGNJ ...; FSQRT, FWIDEN, FNARROW, FROUND ..., FBOX
 * without b. */
void fp_seq_xmm(struct fp_seq *, enum ir_inline, unsigned bits, unsigned rm, unsigned d, unsigned a,
    unsigned b);
/* d = a * b + c, with the product or the addend negated. */
void fp_seq_fma(struct fp_seq *, unsigned bits, unsigned d, unsigned a, unsigned b, unsigned c,
    bool minus_product, bool minus_addend);
/* r = a op b; r and rax are destroyed first. */
void fp_seq_compare(
    struct fp_seq *, enum ir_inline, unsigned bits, unsigned r, unsigned a, unsigned b);
void fp_seq_from_int(struct fp_seq *, enum ir_inline, unsigned bits, unsigned d, unsigned r);
/* Destroys rax. */
void fp_seq_to_int(
    struct fp_seq *, enum ir_inline, unsigned bits, unsigned rm, unsigned r, unsigned a);
/* Away unless the register holds a NaN-boxed single.  Destroys rax. */
void fp_seq_unbox(struct fp_seq *, unsigned a);
void fp_seq_move(struct fp_seq *, unsigned d, unsigned a);
/* d = the canonical NaN, a single with its box. */
void fp_seq_nan(struct fp_seq *, unsigned bits, unsigned d);
/* The same after fp_seq_fma, with its registers. */
void fp_seq_fma_nan(struct fp_seq *, unsigned bits, unsigned d, unsigned a, unsigned b);

#endif
