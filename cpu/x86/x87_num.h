/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_X87_NUM_H
#define CPU_X86_X87_NUM_H

#include "base/compiler.h"
#include "cpu/x86/x87.h"
#include "fp/fp.h"

/*
 * What the files of x87 arithmetic in software share: a number taken apart, the rules for operands
 * that are no numbers, and rounding.
 */
enum x87_kind { X87_ZERO, X87_FINITE, X87_INF, X87_QNAN, X87_SNAN, X87_BAD };

enum { X87_BIAS = 16383, X87_EMIN = -16382, X87_EMAX = 16383, X87_ADJUST = 24576 };

/* X87_FINITE: sig / 2^63 * 2^exp, with bit 63 of sig set. */
struct x87_num {
	enum x87_kind kind;
	bool sign, denormal;
	int exp;
	uint64_t sig;
};

struct x87_num x87_unpack(struct f80);

/* Checks operands (the same twice for one): true if r is decided by a NaN or an unsupported
 * encoding.  Else notes denormals, which the caller takes back where something else is invalid. */
bool x87_no_numbers(struct x87 *, const struct x87_num *a, const struct x87_num *b);
void x87_invalid(struct x87 *);

/* Formats that numbers are rounded to. */
struct x87_format {
	int bits; /* of the significand */
	int emin, emax;
};

/* r or i = the value (sig + rest / 2^64) / 2^63 * 2^exp, rounded. */
void x87_pack(struct x87 *, bool sign, int exp, uint64_t sig, uint64_t rest);          /* by PC */
void x87_pack_extended(struct x87 *, bool sign, int exp, uint64_t sig, uint64_t rest); /* 64 bits */

static inline struct f80 x87_zero(bool sign)
{
	return (struct f80){ 0, sign ? 0x8000 : 0 };
}

static inline struct f80 x87_inf(bool sign)
{
	return (struct f80){ UINT64_C(1) << 63, sign ? 0xffff : 0x7fff };
}

static inline unsigned x87_rm(const struct x87 *x)
{
	static const uint8_t rm[] = { FP_RNE, FP_RDN, FP_RUP, FP_RTZ };

	return rm[x->cw >> X87_RC_SHIFT & 3];
}

/* Does a magnitude that ends in `odd`, with rest / 2^64 after it, round away from zero? */
static inline bool x87_rounds_away(const struct x87 *x, bool sign, bool odd, uint64_t rest)
{
	const uint64_t half = UINT64_C(1) << 63;

	switch (x87_rm(x)) {
	case FP_RNE:
		return rest > half || (rest == half && odd);
	case FP_RDN:
		return sign && rest != 0;
	case FP_RUP:
		return !sign && rest != 0;
	default:
		return false;
	}
}

/* One function for each operation that is done in software. */
#define X87(op, text, kind) x87_fn x87_soft_##op;
#include "cpu/x86/x87.def"

#endif
