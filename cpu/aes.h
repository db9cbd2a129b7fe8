/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_AES_H
#define CPU_AES_H

#include <stdint.h>

/*
 * What instructions of guest CPUs do of AES (FIPS 197), in software.  Of a state, byte n of the
 * standard's input is byte n of the halves, the low one first; a half has two columns.
 */
enum aes_round { AES_ENC, AES_ENC_LAST, AES_DEC, AES_DEC_LAST };

/* A round without its key: 5.1 to ShiftRows and (not the last one) MixColumns, or 5.3. */
void aes_round(uint64_t out[2], const uint64_t in[2], enum aes_round);
/* InvMixColumns of two columns: 5.3.3. */
uint64_t aes_unmix(uint64_t columns);
/* SubWord: 5.2. */
uint32_t aes_sub_word(uint32_t);

#endif
