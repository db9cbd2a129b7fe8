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

/* How RV_HELP_csr gets its b: the number and these. */
enum { RV_HELP_CSR_OP = 12, RV_HELP_CSR_READ = 1 << 14, RV_HELP_CSR_WRITE = 1 << 15 };

#endif
