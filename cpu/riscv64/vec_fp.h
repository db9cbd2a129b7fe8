/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VEC_FP_H
#define CPU_RISCV64_VEC_FP_H

#include "fp/fp.h"

/* vec_estimate.c: 1 / sqrt(a) and 1 / a to seven bits, of FP_S and FP_D. */
uint64_t vec_rsqrt7(enum fp_fmt, uint64_t a, struct fp_env *);
uint64_t vec_rec7(enum fp_fmt, uint64_t a, struct fp_env *);

#endif
