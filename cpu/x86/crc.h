/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_CRC_H
#define CPU_X86_CRC_H

#include <stdint.h>

/* CRC32 goes on with the lowest 1, 2, 4 or 8 bytes of v. */
uint32_t x86_crc32(uint32_t crc, uint64_t v, unsigned bytes);
/* The same on any host. */
uint32_t x86_crc32_by_table(uint32_t crc, uint64_t v, unsigned bytes);

#endif
