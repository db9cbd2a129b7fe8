/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VEC_TEXT_H
#define CPU_RISCV64_VEC_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct buf;

/* A vector instruction as text; false: the word is none. */
bool rv_vec_text(uint32_t word, struct buf *);

#endif
