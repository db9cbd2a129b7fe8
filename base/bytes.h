/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

/*
 * Little-endian numbers in memory of any alignment; size is 1, 2, 4 or 8 and best a constant.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LE16(x) (x)
#define LE32(x) (x)
#define LE64(x) (x)
#else
#define LE16(x) __builtin_bswap16(x)
#define LE32(x) __builtin_bswap32(x)
#define LE64(x) __builtin_bswap64(x)
#endif

static ALWAYS_INLINE uint64_t get_le(const void *p, unsigned size)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (size) {
	case 1:
		return *(const uint8_t *)p;
	case 2:
		memcpy(&v16, p, 2);
		return LE16(v16);
	case 4:
		memcpy(&v32, p, 4);
		return LE32(v32);
	default:
		memcpy(&v64, p, 8);
		return LE64(v64);
	}
}

static ALWAYS_INLINE void put_le(void *p, uint64_t v, unsigned size)
{
	uint16_t v16 = LE16((uint16_t)v);
	uint32_t v32 = LE32((uint32_t)v);
	uint64_t v64 = LE64(v);

	switch (size) {
	case 1:
		*(uint8_t *)p = (uint8_t)v;
		break;
	case 2:
		memcpy(p, &v16, 2);
		break;
	case 4:
		memcpy(p, &v32, 4);
		break;
	default:
		memcpy(p, &v64, 8);
	}
}

/* Big-endian ones. */
static ALWAYS_INLINE uint64_t get_be(const void *p, unsigned size)
{
	return bswap64(get_le(p, size)) >> (64 - 8 * size);
}

static ALWAYS_INLINE void put_be(void *p, uint64_t v, unsigned size)
{
	put_le(p, bswap64(v) >> (64 - 8 * size), size);
}

static inline uint16_t get_be16(const void *p)
{
	return (uint16_t)get_be(p, 2);
}

static inline uint32_t get_be32(const void *p)
{
	return (uint32_t)get_be(p, 4);
}

static inline uint64_t get_be64(const void *p)
{
	return get_be(p, 8);
}

static inline void put_be16(void *p, uint16_t v)
{
	put_be(p, v, 2);
}

static inline void put_be32(void *p, uint32_t v)
{
	put_be(p, v, 4);
}

static inline void put_be64(void *p, uint64_t v)
{
	put_be(p, v, 8);
}

/* The same in the host's order: fields of structs, whose sizes tables tell. */
static inline uint64_t get_uint(const void *p, unsigned size)
{
	const uint64_t v = get_le(p, size);

	assert(size == 1 || size == 2 || size == 4 || size == 8);
	return LE16(1) == 1 ? v : LE64(v) >> (64 - 8 * size);
}

static inline void put_uint(void *p, uint64_t v, unsigned size)
{
	assert(size == 1 || size == 2 || size == 4 || size == 8);
	put_le(p, LE16(1) == 1 ? v : LE64(v) >> (64 - 8 * size), size);
}

#endif
