/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/xxh64.h"

#include "base/bytes.h"

#define P1 0x9e3779b185ebca87ull
#define P2 0xc2b2ae3d27d4eb4full
#define P3 0x165667b19e3779f9ull
#define P4 0x85ebca77c2b2ae63ull
#define P5 0x27d4eb2f165667c5ull

enum { LANES = 4, STRIPE = 32 };

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static uint64_t mix(uint64_t lane, uint64_t input)
{
	return rotate(lane + input * P2, 31) * P1;
}

static const uint8_t *take_stripes(const uint8_t *p, const uint8_t *end, uint64_t *h)
{
	static const unsigned turn[LANES] = { 1, 7, 12, 18 };
	uint64_t lane[LANES] = { P1 + P2, P2, 0, 0 - P1 };

	for (; end - p >= STRIPE; p += STRIPE)
		for (unsigned i = 0; i < LANES; i++)
			lane[i] = mix(lane[i], get_le(p + 8 * i, 8));
	*h = 0;
	for (unsigned i = 0; i < LANES; i++)
		*h += rotate(lane[i], turn[i]);
	for (unsigned i = 0; i < LANES; i++)
		*h = (*h ^ mix(0, lane[i])) * P1 + P4;
	return p;
}

uint64_t xxh64(const void *data, size_t len)
{
	const uint8_t *p = data, *end = p + len;
	uint64_t h = P5;

	if (len >= STRIPE)
		p = take_stripes(p, end, &h);
	h += len;
	for (; end - p >= 8; p += 8)
		h = rotate(h ^ mix(0, get_le(p, 8)), 27) * P1 + P4;
	if (end - p >= 4) {
		h = rotate(h ^ get_le(p, 4) * P1, 23) * P2 + P3;
		p += 4;
	}
	for (; p < end; p++)
		h = rotate(h ^ *p * P5, 11) * P1;
	h = (h ^ h >> 33) * P2;
	h = (h ^ h >> 29) * P3;
	return h ^ h >> 32;
}
