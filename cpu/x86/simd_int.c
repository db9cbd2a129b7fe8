/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2, chapter 4, "Operation" of each instruction.
 *
 * Integer operations on elements that stay where they are.
 */
#include "cpu/x86/simd.h"

/* An operation that makes each element from those at the same place: x and y, or as signed numbers
 * sx and sy. */
#define EACH(name, bits, expr)                                                                     \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < 128 / (bits); i++) {                                      \
			const uint64_t x = simd_u(v->a, bits, i), y = simd_u(v->b, bits, i);       \
			const int64_t sx = simd_s(v->a, bits, i), sy = simd_s(v->b, bits, i);      \
                                                                                                   \
			(void)x, (void)y, (void)sx, (void)sy;                                      \
			simd_put(v->d, bits, i, (uint64_t)(expr));                                 \
		}                                                                                  \
	}

EACH(paddb, 8, x + y)
EACH(paddw, 16, x + y)
EACH(paddd, 32, x + y)
EACH(paddq, 64, x + y)
EACH(psubb, 8, x - y)
EACH(psubw, 16, x - y)
EACH(psubd, 32, x - y)
EACH(psubq, 64, x - y)
EACH(paddsb, 8, simd_sat_s(sx + sy, 8))
EACH(paddsw, 16, simd_sat_s(sx + sy, 16))
EACH(paddusb, 8, simd_sat_u((int64_t)(x + y), 8))
EACH(paddusw, 16, simd_sat_u((int64_t)(x + y), 16))
EACH(psubsb, 8, simd_sat_s(sx - sy, 8))
EACH(psubsw, 16, simd_sat_s(sx - sy, 16))
EACH(psubusb, 8, simd_sat_u((int64_t)(x - y), 8))
EACH(psubusw, 16, simd_sat_u((int64_t)(x - y), 16))

EACH(pmullw, 16, x *y)
EACH(pmulld, 32, x *y)
EACH(pmulhw, 16, sx *sy >> 16)
EACH(pmulhuw, 16, x *y >> 16)
EACH(pmulhrsw, 16, ((sx * sy >> 14) + 1) >> 1)
EACH(pmuludq, 64, (x & UINT32_MAX) * (y & UINT32_MAX))
EACH(pmuldq, 64, (int64_t)(int32_t)(uint32_t)x *(int32_t)(uint32_t)y)

EACH(pand, 64, x &y)
EACH(pandn, 64, ~x &y)
EACH(por, 64, x | y)
EACH(pxor, 64, x ^ y)

EACH(pcmpeqb, 8, -(uint64_t)(x == y))
EACH(pcmpeqw, 16, -(uint64_t)(x == y))
EACH(pcmpeqd, 32, -(uint64_t)(x == y))
EACH(pcmpeqq, 64, -(uint64_t)(x == y))
EACH(pcmpgtb, 8, -(uint64_t)(sx > sy))
EACH(pcmpgtw, 16, -(uint64_t)(sx > sy))
EACH(pcmpgtd, 32, -(uint64_t)(sx > sy))
EACH(pcmpgtq, 64, -(uint64_t)(sx > sy))

EACH(pminub, 8, x < y ? x : y)
EACH(pminuw, 16, x < y ? x : y)
EACH(pminud, 32, x < y ? x : y)
EACH(pminsb, 8, sx < sy ? sx : sy)
EACH(pminsw, 16, sx < sy ? sx : sy)
EACH(pminsd, 32, sx < sy ? sx : sy)
EACH(pmaxub, 8, x > y ? x : y)
EACH(pmaxuw, 16, x > y ? x : y)
EACH(pmaxud, 32, x > y ? x : y)
EACH(pmaxsb, 8, sx > sy ? sx : sy)
EACH(pmaxsw, 16, sx > sy ? sx : sy)
EACH(pmaxsd, 32, sx > sy ? sx : sy)
EACH(pavgb, 8, (x + y + 1) >> 1)
EACH(pavgw, 16, (x + y + 1) >> 1)

EACH(pabsb, 8, sy < 0 ? -sy : sy)
EACH(pabsw, 16, sy < 0 ? -sy : sy)
EACH(pabsd, 32, sy < 0 ? -sy : sy)
EACH(psignb, 8, sy < 0 ? -x : sy == 0 ? 0 : x)
EACH(psignw, 16, sy < 0 ? -x : sy == 0 ? 0 : x)
EACH(psignd, 32, sy < 0 ? -x : sy == 0 ? 0 : x)

/* Shifts: one count for all, the low 64 bits of b; a count too large gives zeros, or signs. */
#define SHIFT(name, bits, inside, outside)                                                         \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		const uint64_t n = v->b[0];                                                        \
                                                                                                   \
		for (unsigned i = 0; i < 128 / (bits); i++) {                                      \
			const uint64_t x = simd_u(v->a, bits, i);                                  \
			const int64_t sx = simd_s(v->a, bits, i);                                  \
                                                                                                   \
			(void)x, (void)sx;                                                         \
			simd_put(v->d, bits, i, (uint64_t)(n < (bits) ? (inside) : (outside)));    \
		}                                                                                  \
	}

SHIFT(psllw, 16, x << n, 0)
SHIFT(pslld, 32, x << n, 0)
SHIFT(psllq, 64, x << n, 0)
SHIFT(psrlw, 16, x >> n, 0)
SHIFT(psrld, 32, x >> n, 0)
SHIFT(psrlq, 64, x >> n, 0)
SHIFT(psraw, 16, sx >> n, sx >> 15)
SHIFT(psrad, 32, sx >> n, sx >> 31)

EACH(psllvd, 32, y < 32 ? x << y : 0)
EACH(psllvq, 64, y < 64 ? x << y : 0)
EACH(psrlvd, 32, y < 32 ? x >> y : 0)
EACH(psrlvq, 64, y < 64 ? x >> y : 0)
EACH(psravd, 32, sx >> (y < 32 ? y : 31))

static uint64_t wide_shift(const uint64_t v[2], unsigned half, unsigned left, unsigned right)
{
	if (half == 1)
		return left < 64    ? (v[1] << left) | (left != 0 ? v[0] >> (64 - left) : 0)
		       : left < 128 ? v[0] << (left - 64)
				    : 0;
	return right < 64    ? (v[0] >> right) | (right != 0 ? v[1] << (64 - right) : 0)
	       : right < 128 ? v[1] >> (right - 64)
			     : 0;
}

void simd_pslldq(struct simd *v)
{
	const unsigned n = v->b[0] < 16 ? (unsigned)v->b[0] * 8 : 128;
	const uint64_t low = n < 64 ? v->a[0] << n : 0;

	v->d[1] = wide_shift(v->a, 1, n, 0);
	v->d[0] = low;
}

void simd_psrldq(struct simd *v)
{
	const unsigned n = v->b[0] < 16 ? (unsigned)v->b[0] * 8 : 128;
	const uint64_t high = n < 64 ? v->a[1] >> n : 0;

	v->d[0] = wide_shift(v->a, 0, 0, n);
	v->d[1] = high;
}

/* Sums of neighbours. */

void simd_pmaddwd(struct simd *v)
{
	for (unsigned i = 0; i < 4; i++)
		simd_put(v->d, 32, i,
		    (uint64_t)(simd_s(v->a, 16, 2 * i) * simd_s(v->b, 16, 2 * i) +
			       simd_s(v->a, 16, 2 * i + 1) * simd_s(v->b, 16, 2 * i + 1)));
}

void simd_pmaddubsw(struct simd *v)
{
	for (unsigned i = 0; i < 8; i++)
		simd_put(v->d, 16, i,
		    simd_sat_s((int64_t)simd_u(v->a, 8, 2 * i) * simd_s(v->b, 8, 2 * i) +
				   (int64_t)simd_u(v->a, 8, 2 * i + 1) * simd_s(v->b, 8, 2 * i + 1),
			16));
}

void simd_psadbw(struct simd *v)
{
	for (unsigned half = 0; half < 2; half++) {
		uint64_t sum = 0;

		for (unsigned i = 8 * half; i < 8 * half + 8; i++) {
			const uint64_t x = simd_u(v->a, 8, i), y = simd_u(v->b, 8, i);

			sum += x < y ? y - x : x - y;
		}
		v->d[half] = sum;
	}
}

/* Element i of the result of an operation on neighbours is made from two of a, or of b in the upper
 * half of the result. */
static const uint64_t *pair(const struct simd *v, unsigned bits, unsigned i, unsigned *at)
{
	const unsigned half = v->bytes * 4 / bits;

	*at = 2 * (i % half);
	return i < half ? v->a : v->b;
}

#define PAIRS(name, bits, expr)                                                                    \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		uint64_t r[2] = { 0, 0 };                                                          \
                                                                                                   \
		for (unsigned i = 0; i < v->bytes * 8 / (bits); i++) {                             \
			unsigned at;                                                               \
			const uint64_t *from = pair(v, bits, i, &at);                              \
			const int64_t x = simd_s(from, bits, at), y = simd_s(from, bits, at + 1);  \
                                                                                                   \
			simd_put(r, bits, i, (uint64_t)(expr));                                    \
		}                                                                                  \
		v->d[0] = r[0];                                                                    \
		v->d[1] = r[1];                                                                    \
	}

PAIRS(phaddw, 16, x + y)
PAIRS(phaddd, 32, x + y)
PAIRS(phaddsw, 16, simd_sat_s(x + y, 16))
PAIRS(phsubw, 16, x - y)
PAIRS(phsubd, 32, x - y)
PAIRS(phsubsw, 16, simd_sat_s(x - y, 16))

/* imm: the block of b in bits 0 and 1, that of a in bit 2; three bits more for the upper lane. */
void simd_mpsadbw(struct simd *v)
{
	const unsigned imm = v->imm >> 3 * v->lane, from = (imm & 3) * 4, at = (imm >> 2 & 1) * 4;
	uint64_t r[2] = { 0, 0 };

	for (unsigned i = 0; i < 8; i++) {
		uint64_t sum = 0;

		for (unsigned k = 0; k < 4; k++) {
			const uint64_t x = simd_u(v->a, 8, at + i + k);
			const uint64_t y = simd_u(v->b, 8, from + k);

			sum += x < y ? y - x : x - y;
		}
		simd_put(r, 16, i, sum);
	}
	v->d[0] = r[0];
	v->d[1] = r[1];
}

void simd_phminposuw(struct simd *v)
{
	uint64_t least = UINT64_MAX, at = 0;

	for (unsigned i = 0; i < 8; i++) {
		if (simd_u(v->b, 16, i) < least) {
			least = simd_u(v->b, 16, i);
			at = i;
		}
	}
	v->d[0] = least | at << 16;
	v->d[1] = 0;
}
