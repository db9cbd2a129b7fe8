/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FP_FP_H
#define FP_FP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * IEEE 754-2008 binary arithmetic in software, exact in all rounding modes and flags, with RISC-V's
 * choices where the standard leaves one: results that are NaN are the canonical NaN (positive,
 * quiet, payload zero), tininess is detected after rounding, invalid conversions saturate. Values
 * are bit patterns in the low bits of a uint64_t (no NaN boxing); the bits above the format are
 * ignored in operands and zero in results.  No state but the caller's struct fp_env; any thread.
 */
enum fp_fmt { FP_H, FP_S, FP_D }; /* binary16, 32, 64 */

/* The numbers are RISC-V's frm. */
enum fp_rm { FP_RNE, FP_RTZ, FP_RDN, FP_RUP, FP_RMM };

/* Bits of fp_env.flags: RISC-V's fflags. */
enum { FP_NX = 1, FP_UF = 2, FP_OF = 4, FP_DZ = 8, FP_NV = 16 };

struct fp_env {
	uint8_t rm;    /* enum fp_rm */
	uint8_t flags; /* sticky: functions only set bits */
};

uint64_t fp_add(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
uint64_t fp_sub(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
uint64_t fp_mul(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
uint64_t fp_div(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
uint64_t fp_sqrt(enum fp_fmt, uint64_t a, struct fp_env *);
/* a * b + c with one rounding. Inf * 0 is invalid even when c is a quiet NaN. */
uint64_t fp_fma(enum fp_fmt, uint64_t a, uint64_t b, uint64_t c, struct fp_env *);

/* minimumNumber and maximumNumber (FMIN, FMAX); with nan: minimum and maximum of 2019 (FMINM,
 * FMAXM). */
uint64_t fp_min(enum fp_fmt, uint64_t a, uint64_t b, bool nan, struct fp_env *);
uint64_t fp_max(enum fp_fmt, uint64_t a, uint64_t b, bool nan, struct fp_env *);
/* 1 or 0.  eq and the quiet forms signal only for signalling NaNs; lt and le for all NaNs. */
bool fp_eq(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
bool fp_lt(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
bool fp_le(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
bool fp_lt_quiet(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
bool fp_le_quiet(enum fp_fmt, uint64_t a, uint64_t b, struct fp_env *);
/* FCLASS's mask: bit 0 -inf ... 7 +inf, 8 signalling, 9 quiet NaN. */
unsigned fp_class(enum fp_fmt, uint64_t a);

uint64_t fp_convert(enum fp_fmt to, enum fp_fmt from, uint64_t a, struct fp_env *);
uint64_t fp_from_i64(enum fp_fmt, int64_t, struct fp_env *);
uint64_t fp_from_u64(enum fp_fmt, uint64_t, struct fp_env *);
/* To an integer of 32 or 64 bits; out of range and NaN: NV and the nearest bound (NaN: the upper).
 * 32-bit results are sign-extended to 64 bits, unsigned ones too. */
uint64_t fp_to_int(enum fp_fmt, uint64_t a, unsigned bits, bool is_signed, struct fp_env *);
/* FCVTMOD.W.D: modulo 2^32, rounding to zero, sign-extended. */
uint64_t fp_to_int_mod(uint64_t a, struct fp_env *);
/* To an integral value in the same format; exact: raises NX (FROUNDNX). */
uint64_t fp_round(enum fp_fmt, uint64_t a, bool exact, struct fp_env *);

uint64_t fp_canonical_nan(enum fp_fmt);
bool fp_is_nan(enum fp_fmt, uint64_t a);
bool fp_is_snan(enum fp_fmt, uint64_t a);

#endif
