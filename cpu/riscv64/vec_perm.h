/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VEC_PERM_H
#define CPU_RISCV64_VEC_PERM_H

#include "cpu/riscv64/vec_int.h"

/* What instructions on integers and those on floating point share. */
vec_run vec_merge, vec_move_to_first, vec_slide1up, vec_slide1down;
/* Of a reduction into what is wider by this power of two. */
void vec_need_reduction(const struct vec *, unsigned wider);

#endif
