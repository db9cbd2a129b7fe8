/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2, "Operation" of each instruction; FIPS 197 (AES), FIPS 180-4 (SHA).
 *
 * AES, SHA and carry-less multiplication in software.  Tables are looked up by secret bytes here:
 * on x86 hosts their own instructions are used instead (host_simd.c).
 */
#include <stddef.h>

#include "cpu/aes.h"
#include "cpu/x86/simd.h"

/* With b as the key. */
static void round_of(struct simd *v, enum aes_round kind)
{
	uint64_t s[2];

	aes_round(s, v->a, kind);
	v->d[0] = s[0] ^ v->b[0];
	v->d[1] = s[1] ^ v->b[1];
}

void simd_aesenc(struct simd *v)
{
	round_of(v, AES_ENC);
}

void simd_aesenclast(struct simd *v)
{
	round_of(v, AES_ENC_LAST);
}

void simd_aesdec(struct simd *v)
{
	round_of(v, AES_DEC);
}

void simd_aesdeclast(struct simd *v)
{
	round_of(v, AES_DEC_LAST);
}

void simd_aesimc(struct simd *v)
{
	for (unsigned i = 0; i < 2; i++)
		v->d[i] = aes_unmix(v->b[i]);
}

static uint32_t ror(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t rol(uint32_t x, unsigned n)
{
	return ror(x, 32 - n);
}

void simd_aeskeygenassist(struct simd *v)
{
	for (unsigned i = 0; i < 2; i++) {
		const uint32_t w = aes_sub_word((uint32_t)(v->b[i] >> 32));

		v->d[i] = (uint64_t)(ror(w, 8) ^ v->imm) << 32 | w;
	}
}

/* imm: which half of a (bit 0) and of b (bit 4). */
void simd_pclmulqdq(struct simd *v)
{
	const uint64_t a = v->a[v->imm & 1], b = v->b[v->imm >> 4 & 1];
	uint64_t low = 0, high = 0;

	for (unsigned i = 0; i < 64; i++) {
		if (!(b >> i & 1))
			continue;
		low ^= a << i;
		high ^= i != 0 ? a >> (64 - i) : 0;
	}
	v->d[0] = low;
	v->d[1] = high;
}

/* SHA-1: element 3 of a vector is the first word. */
static uint32_t word(const uint64_t v[2], unsigned i)
{
	return (uint32_t)simd_u(v, 32, i);
}

static void words(uint64_t v[2], uint32_t w3, uint32_t w2, uint32_t w1, uint32_t w0)
{
	v[0] = (uint64_t)w1 << 32 | w0;
	v[1] = (uint64_t)w3 << 32 | w2;
}

void simd_sha1rnds4(struct simd *v)
{
	static const uint32_t k[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	const unsigned kind = v->imm & 3;
	uint32_t a = word(v->a, 3), b = word(v->a, 2), c = word(v->a, 1), d = word(v->a, 0), e = 0;

	for (unsigned i = 0; i < 4; i++) {
		const uint32_t f = kind == 0   ? (b & c) ^ (~b & d)
				   : kind == 2 ? (b & c) ^ (b & d) ^ (c & d)
					       : b ^ c ^ d;
		const uint32_t next = f + rol(a, 5) + word(v->b, 3 - i) + e + k[kind];

		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = next;
	}
	words(v->d, a, b, c, d);
}

void simd_sha1nexte(struct simd *v)
{
	const uint32_t e = rol(word(v->a, 3), 30);

	words(v->d, word(v->b, 3) + e, word(v->b, 2), word(v->b, 1), word(v->b, 0));
}

void simd_sha1msg1(struct simd *v)
{
	const uint64_t r[2] = { v->a[0] ^ v->b[1], v->a[1] ^ v->a[0] };

	v->d[0] = r[0];
	v->d[1] = r[1];
}

void simd_sha1msg2(struct simd *v)
{
	const uint32_t w16 = rol(word(v->a, 3) ^ word(v->b, 2), 1);
	const uint32_t w17 = rol(word(v->a, 2) ^ word(v->b, 1), 1);
	const uint32_t w18 = rol(word(v->a, 1) ^ word(v->b, 0), 1);

	words(v->d, w16, w17, w18, rol(word(v->a, 0) ^ w16, 1));
}

/* Two rounds; a is C D G H, b is A B E F, d holds the words with their constants. */
void simd_sha256rnds2(struct simd *v)
{
	uint32_t a = word(v->b, 3), b = word(v->b, 2), c = word(v->a, 3), d = word(v->a, 2);
	uint32_t e = word(v->b, 1), f = word(v->b, 0), g = word(v->a, 1), h = word(v->a, 0);

	for (unsigned i = 0; i < 2; i++) {
		const uint32_t t1 = h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) +
				    ((e & f) ^ (~e & g)) + word(v->d, i);
		const uint32_t t2 =
		    (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));

		h = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	words(v->d, a, b, e, f);
}

static uint32_t sigma0(uint32_t x)
{
	return ror(x, 7) ^ ror(x, 18) ^ x >> 3;
}

static uint32_t sigma1(uint32_t x)
{
	return ror(x, 17) ^ ror(x, 19) ^ x >> 10;
}

void simd_sha256msg1(struct simd *v)
{
	const uint32_t w[5] = { word(v->a, 0), word(v->a, 1), word(v->a, 2), word(v->a, 3),
		word(v->b, 0) };

	words(v->d, w[3] + sigma0(w[4]), w[2] + sigma0(w[3]), w[1] + sigma0(w[2]),
	    w[0] + sigma0(w[1]));
}

void simd_sha256msg2(struct simd *v)
{
	const uint32_t w16 = word(v->a, 0) + sigma1(word(v->b, 2));
	const uint32_t w17 = word(v->a, 1) + sigma1(word(v->b, 3));

	words(v->d, word(v->a, 3) + sigma1(w17), word(v->a, 2) + sigma1(w16), w17, w16);
}
