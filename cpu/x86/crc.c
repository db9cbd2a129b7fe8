/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC32 of SDM volume 2: CRC-32C, of which bits are reversed, so the polynomial 11EDC6F41H is
 * 82F63B78H here.
 */
#include "cpu/x86/crc.h"

#include "base/compiler.h"

/* Of four bits. */
static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc,
	0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

uint32_t x86_crc32_by_table(uint32_t crc, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes * 2; i++, v >>= 4)
		crc = crc >> 4 ^ table[(crc ^ v) & 15];
	return crc;
}

#if defined(__x86_64__)

uint32_t x86_crc32(uint32_t crc, uint64_t v, unsigned bytes)
{
	uint64_t r = crc;

	if (unlikely(!__builtin_cpu_supports("sse4.2")))
		return x86_crc32_by_table(crc, v, bytes);
	if (bytes == 8)
		__asm__("crc32q %[v], %q[r]" : [r] "+r"(r) : [v] "r"(v));
	else if (bytes == 4)
		__asm__("crc32l %k[v], %k[r]" : [r] "+r"(r) : [v] "r"(v));
	else if (bytes == 2)
		__asm__("crc32w %w[v], %k[r]" : [r] "+r"(r) : [v] "r"(v));
	else
		__asm__("crc32b %b[v], %k[r]" : [r] "+r"(r) : [v] "r"(v));
	return (uint32_t)r;
}

#else

uint32_t x86_crc32(uint32_t crc, uint64_t v, unsigned bytes)
{
	return x86_crc32_by_table(crc, v, bytes);
}

#endif
