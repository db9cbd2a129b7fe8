/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_HELPERS_H
#define CPU_RISCV64_HELPERS_H

#include "cpu/riscv64/state.h"
#include "fp/fp.h"

/*
 * What instruction bodies call instead of spelling it out: functions of the hart and up to three
 * values, listed in helpers.def.  Shared by everybody who executes instructions.
 */
enum rv_help_effects {
	RV_HELP_P = 0,
	RV_HELP_S = 1,
	RV_HELP_F = 2,
	RV_HELP_G = 4,
};

typedef uint64_t rv_help_fn(struct rv *, uint64_t a, uint64_t b, uint64_t d);

#define HELPER(name, effects) rv_help_fn rv_help_##name;
#include "cpu/riscv64/helpers.def"

enum rv_help {
#define HELPER(name, effects) RV_HELP_##name,
#include "cpu/riscv64/helpers.def"
	RV_NHELPERS
};

/* In a header, so that a call with a constant number is a direct one. */
static const struct {
	rv_help_fn *fn;
	unsigned flags; /* enum rv_help_effects */
} rv_helpers[] = {
#define HELPER(name, effects) { rv_help_##name, RV_HELP_##effects },
#include "cpu/riscv64/helpers.def"
};

/* The instruction's rm field that means frm; helpers take either this or a mode. */
enum { RV_RM_DYN = 7 };

/* Floating-point registers hold NaN-boxed values (unprivileged ISA, 20.2): the value of a narrow
 * one, and back. */
static ALWAYS_INLINE uint64_t rv_unbox(enum fp_fmt fmt, uint64_t v)
{
	if (fmt == FP_S)
		return v >> 32 == UINT32_MAX ? (uint32_t)v : 0x7fc00000;
	if (fmt == FP_H)
		return v >> 16 == UINT64_MAX >> 16 ? (uint16_t)v : 0x7e00;
	return v;
}

static ALWAYS_INLINE uint64_t rv_box(enum fp_fmt fmt, uint64_t v)
{
	return fmt == FP_D ? v : v | ~0ull << (16u << fmt);
}

/* FSGNJ, FSGNJN, FSGNJX. */
enum rv_sign { RV_SGNJ, RV_SGNJN, RV_SGNJX };

static ALWAYS_INLINE uint64_t rv_sign(enum fp_fmt fmt, enum rv_sign op, uint64_t a, uint64_t b)
{
	uint64_t bit = 1ull << ((16u << fmt) - 1);

	if (op == RV_SGNJX)
		return a ^ (b & bit);
	return (a & (bit - 1)) | ((op == RV_SGNJ ? b : ~b) & bit);
}

/* How RV_HELP_csr gets its b: the number and these. */
enum { RV_HELP_CSR_OP = 12, RV_HELP_CSR_READ = 1 << 14, RV_HELP_CSR_WRITE = 1 << 15 };

#endif
