/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_XXH64_H
#define BASE_XXH64_H

#include <stddef.h>
#include <stdint.h>

/* The checksum XXH64 with seed 0 (xxHash fast digest algorithm, version 0.1.1, section "XXH64
 * algorithm description"): finds damage, keeps no secrets. */
uint64_t xxh64(const void *, size_t);

#endif
