/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2, chapter 4, "Operation" of each instruction.
 *
 * Operations that move, repeat, widen, narrow and choose elements.
 */
#include "cpu/x86/simd.h"

static void done(struct simd *v, const uint64_t r[2])
{
	v->d[0] = r[0];
	v->d[1] = r[1];
}

void simd_copy(struct simd *v)
{
	done(v, v->b);
}

/* Narrowing: a's elements, then b's. */
#define PACK(name, bits, saturate)                                                                 \
	void simd_##name(struct simd *v)                                                           \
	{                                                                                          \
		const unsigned n = v->bytes * 8 / (bits);                                          \
		uint64_t r[2] = { 0, 0 };                                                          \
                                                                                                   \
		for (unsigned i = 0; i < 2 * n; i++)                                               \
			simd_put(r, (bits) / 2, i,                                                 \
			    saturate(simd_s(i < n ? v->a : v->b, bits, i % n), (bits) / 2));       \
		done(v, r);                                                                        \
	}

PACK(packsswb, 16, simd_sat_s)
PACK(packssdw, 32, simd_sat_s)
PACK(packuswb, 16, simd_sat_u)
PACK(packusdw, 32, simd_sat_u)

/* Interleaves elements from the low or high halves. */
static void unpack(struct simd *v, unsigned bits, bool high)
{
	const unsigned n = v->bytes * 8 / bits, from = high ? n / 2 : 0;
	uint64_t r[2] = { 0, 0 };

	for (unsigned i = 0; i < n; i++)
		simd_put(r, bits, i, simd_u(i & 1 ? v->b : v->a, bits, from + i / 2));
	done(v, r);
}

#define UNPACK(name, bits)                                                                         \
	void simd_punpckl##name(struct simd *v)                                                    \
	{                                                                                          \
		unpack(v, bits, false);                                                            \
	}                                                                                          \
	void simd_punpckh##name(struct simd *v)                                                    \
	{                                                                                          \
		unpack(v, bits, true);                                                             \
	}

UNPACK(bw, 8)
UNPACK(wd, 16)
UNPACK(dq, 32)
UNPACK(qdq, 64)

/* Widening: b holds the elements that this lane needs from bit 0 on. */
#define WIDEN(name, from, to)                                                                      \
	void simd_pmovsx##name(struct simd *v)                                                     \
	{                                                                                          \
		for (unsigned i = 0; i < 128 / (to); i++)                                          \
			simd_put(v->d, to, i, (uint64_t)simd_s(v->b, from, i));                    \
	}                                                                                          \
	void simd_pmovzx##name(struct simd *v)                                                     \
	{                                                                                          \
		for (unsigned i = 0; i < 128 / (to); i++)                                          \
			simd_put(v->d, to, i, simd_u(v->b, from, i));                              \
	}

WIDEN(bw, 8, 16)
WIDEN(bd, 8, 32)
WIDEN(bq, 8, 64)
WIDEN(wd, 16, 32)
WIDEN(wq, 16, 64)
WIDEN(dq, 32, 64)

void simd_pshufb(struct simd *v)
{
	uint64_t r[2] = { 0, 0 };

	for (unsigned i = 0; i < v->bytes; i++) {
		const uint64_t which = simd_u(v->b, 8, i);

		if (!(which & 0x80))
			simd_put(r, 8, i, simd_u(v->a, 8, which & (v->bytes - 1)));
	}
	done(v, r);
}

/* b, then a, as one number; shifted right by imm bytes. */
void simd_palignr(struct simd *v)
{
	uint64_t r[2] = { 0, 0 };

	for (unsigned i = 0; i < v->bytes; i++) {
		const unsigned at = i + v->imm;

		if (at < 2 * v->bytes)
			simd_put(
			    r, 8, i, simd_u(at < v->bytes ? v->b : v->a, 8, at & (v->bytes - 1)));
	}
	done(v, r);
}

/* Four elements from `from` on, each chosen by two bits of imm. */
static void shuffle4(
    const struct simd *v, uint64_t r[2], const uint64_t from[2], unsigned bits, unsigned base)
{
	for (unsigned i = 0; i < 4; i++)
		simd_put(r, bits, base + i, simd_u(from, bits, base + (v->imm >> 2 * i & 3)));
}

void simd_pshufd(struct simd *v)
{
	uint64_t r[2] = { 0, 0 };

	shuffle4(v, r, v->b, 32, 0);
	done(v, r);
}

void simd_pshuflw(struct simd *v)
{
	uint64_t r[2] = { 0, v->b[1] };

	shuffle4(v, r, v->b, 16, 0);
	done(v, r);
}

void simd_pshufhw(struct simd *v)
{
	uint64_t r[2] = { v->b[0], 0 };

	shuffle4(v, r, v->b, 16, 4);
	done(v, r);
}

void simd_shufps(struct simd *v)
{
	uint64_t r[2] = { 0, 0 };

	for (unsigned i = 0; i < 4; i++)
		simd_put(r, 32, i, simd_u(i < 2 ? v->a : v->b, 32, v->imm >> 2 * i & 3));
	done(v, r);
}

/* Two bits of imm for each lane. */
void simd_shufpd(struct simd *v)
{
	const unsigned imm = v->imm >> 2 * v->lane;
	const uint64_t r[2] = { v->a[imm & 1], v->b[imm >> 1 & 1] };

	done(v, r);
}

/* VPERMILPS and PD: by imm, and by the elements of b. */
void simd_permilpd_imm(struct simd *v)
{
	const unsigned imm = v->imm >> 2 * v->lane;
	const uint64_t r[2] = { v->b[imm & 1], v->b[imm >> 1 & 1] };

	done(v, r);
}

void simd_permilps(struct simd *v)
{
	uint64_t r[2] = { 0, 0 };

	for (unsigned i = 0; i < 4; i++)
		simd_put(r, 32, i, simd_u(v->a, 32, simd_u(v->b, 32, i) & 3));
	done(v, r);
}

void simd_permilpd(struct simd *v)
{
	const uint64_t r[2] = { v->a[v->b[0] >> 1 & 1], v->a[v->b[1] >> 1 & 1] };

	done(v, r);
}

void simd_movddup(struct simd *v)
{
	const uint64_t r[2] = { v->b[0], v->b[0] };

	done(v, r);
}

void simd_movsldup(struct simd *v)
{
	for (unsigned i = 0; i < 2; i++)
		v->d[i] = (v->b[i] & UINT32_MAX) * 0x100000001u;
}

void simd_movshdup(struct simd *v)
{
	for (unsigned i = 0; i < 2; i++)
		v->d[i] = (v->b[i] >> 32) * 0x100000001u;
}

/* Blends: a bit of imm an element says b. */
static void blend(struct simd *v, unsigned bits, unsigned imm)
{
	for (unsigned i = 0; i < 128 / bits; i++)
		simd_put(v->d, bits, i, simd_u(imm >> i & 1 ? v->b : v->a, bits, i));
}

void simd_pblendw(struct simd *v)
{
	blend(v, 16, v->imm);
}

void simd_blendps(struct simd *v)
{
	blend(v, 32, v->imm >> 4 * v->lane);
}

void simd_blendpd(struct simd *v)
{
	blend(v, 64, v->imm >> 2 * v->lane);
}

/* Here it is the top bit of each element of d. */
static void blend_by_mask(struct simd *v, unsigned bits)
{
	unsigned imm = 0;

	for (unsigned i = 0; i < 128 / bits; i++)
		imm |= (unsigned)(simd_u(v->d, bits, i) >> (bits - 1)) << i;
	blend(v, bits, imm);
}

void simd_pblendvb(struct simd *v)
{
	blend_by_mask(v, 8);
}

void simd_blendvps(struct simd *v)
{
	blend_by_mask(v, 32);
}

void simd_blendvpd(struct simd *v)
{
	blend_by_mask(v, 64);
}

/* b's element imm[7:6] goes to place imm[5:4]; bits 0 to 3 clear elements.  From memory, the form
 * has set bits 6 and 7 to 0. */
void simd_insertps(struct simd *v)
{
	uint64_t r[2] = { v->a[0], v->a[1] };

	simd_put(r, 32, v->imm >> 4 & 3, simd_u(v->b, 32, v->imm >> 6 & 3));
	for (unsigned i = 0; i < 4; i++) {
		if (v->imm >> i & 1)
			simd_put(r, 32, i, 0);
	}
	done(v, r);
}
