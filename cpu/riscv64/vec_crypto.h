/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VEC_CRYPTO_H
#define CPU_RISCV64_VEC_CRYPTO_H

#include <stdint.h>

struct rv;

/* An instruction of OP-VE.  0. */
uint64_t rv_vec_crypto(struct rv *, uint32_t word);
/* What it is called; NULL: it is none. */
const char *rv_vec_crypto_name(uint32_t word);

#endif
