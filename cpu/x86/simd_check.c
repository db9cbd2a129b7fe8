/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2, "Operation" of PTEST, VTESTPS, PMOVMSKB, and 4.1 (string comparison).
 *
 * Operations whose result is no vector.
 */
#include "cpu/x86/simd_form.h"
#include "cpu/x86/state.h"

/* d: bit 0 for ZF, bit 1 for CF, as far as this lane goes. */
static void test(struct simd *v, uint64_t mask)
{
	const uint64_t both = (v->a[0] & v->b[0]) | (v->a[1] & v->b[1]);
	const uint64_t rest = (~v->a[0] & v->b[0]) | (~v->a[1] & v->b[1]);

	v->d[0] = (uint64_t)((both & mask) == 0) | (uint64_t)((rest & mask) == 0) << 1;
}

void simd_ptest(struct simd *v)
{
	test(v, UINT64_MAX);
}

void simd_testps(struct simd *v)
{
	test(v, 0x8000000080000000);
}

void simd_testpd(struct simd *v)
{
	test(v, 0x8000000000000000);
}

/* d: the sign of each element of b. */
static void signs(struct simd *v, unsigned bits)
{
	uint64_t r = 0;

	for (unsigned i = 0; i < v->bytes * 8 / bits; i++)
		r |= simd_u(v->b, bits, i) >> (bits - 1) << i;
	v->d[0] = r;
}

void simd_pmovmskb(struct simd *v)
{
	signs(v, 8);
}

void simd_movmskps(struct simd *v)
{
	signs(v, 32);
}

void simd_movmskpd(struct simd *v)
{
	signs(v, 64);
}

/* Element i of a string of PCMPxSTRx: imm bit 0: words, bit 1: signed. */
static int64_t element(const struct simd *v, const uint64_t s[2], unsigned i)
{
	const unsigned bits = v->imm & 1 ? 16 : 8;

	return v->imm & 2 ? simd_s(s, bits, i) : (int64_t)simd_u(s, bits, i);
}

static unsigned count(const struct simd *v)
{
	return v->imm & 1 ? 8 : 16;
}

/* Table 4-6: what a comparison counts as if one of the elements, or both, are past the end. */
static bool compare(const struct simd *v, unsigned i, unsigned j, unsigned na, unsigned nb)
{
	const int64_t a = element(v, v->a, i), b = element(v, v->b, j);
	const bool a_in = i < na, b_in = j < nb;

	switch (v->imm >> 2 & 3) {
	case 0:
		return a_in && b_in && a == b;
	case 1:
		return a_in && b_in && (i & 1 ? b <= a : b >= a);
	case 2:
		return a_in && b_in ? a == b : !a_in && !b_in;
	default:
		return a_in ? b_in && a == b : true;
	}
}

/* Bit j of the intermediate result: 4.1.6. */
static bool aggregate(const struct simd *v, unsigned j, unsigned na, unsigned nb)
{
	const unsigned n = count(v);

	switch (v->imm >> 2 & 3) {
	case 0:
		for (unsigned i = 0; i < n; i++) {
			if (compare(v, i, j, na, nb))
				return true;
		}
		return false;
	case 1:
		for (unsigned i = 0; i < n; i += 2) {
			if (compare(v, i, j, na, nb) && compare(v, i + 1, j, na, nb))
				return true;
		}
		return false;
	case 2:
		return compare(v, j, j, na, nb);
	default:
		for (unsigned i = 0; i + j < n; i++) {
			if (!compare(v, i, i + j, na, nb))
				return false;
		}
		return true;
	}
}

static unsigned length(const struct simd *v, const uint64_t s[2])
{
	const unsigned bits = v->imm & 1 ? 16 : 8;
	const uint64_t ones = v->imm & 1 ? 0x0001000100010001 : 0x0101010101010101;
	uint64_t zero;

	/* The lowest element that is 0 sets its highest bit; others above it may, too. */
	for (unsigned i = 0; i < 2; i++) {
		zero = (s[i] - ones) & ~s[i] & ones << (bits - 1);
		if (zero)
			return (i * 64 + ctz64(zero)) / bits;
	}
	return count(v);
}

void simd_strings_end(struct simd *v)
{
	v->d[0] = length(v, v->a);
	v->d[1] = length(v, v->b);
}

void simd_strings_found(struct simd *v, unsigned r)
{
	const unsigned n = count(v);

	v->d[1] = (r != 0 ? FLAG_CF : 0) | (v->d[1] < n ? FLAG_ZF : 0) |
		  (v->d[0] < n ? FLAG_SF : 0) | (r & 1 ? FLAG_OF : 0);
	v->d[0] = r;
}

/* PCMPISTRx.  d: the bits of the result, and EFLAGS. */
void simd_pcmpistr(struct simd *v)
{
	simd_strings_end(v);
	simd_pcmpestr(v);
}

/* PCMPESTRx: the same, with the lengths in d, at most 16. */
void simd_pcmpestr(struct simd *v)
{
	const unsigned n = count(v), all = (1u << n) - 1;
	const unsigned na = v->d[0] < n ? (unsigned)v->d[0] : n;
	const unsigned nb = v->d[1] < n ? (unsigned)v->d[1] : n;
	unsigned r = 0;

	for (unsigned j = 0; j < n; j++)
		r |= (unsigned)aggregate(v, j, na, nb) << j;
	if (v->imm & 0x10)
		r ^= v->imm & 0x20 ? (1u << nb) - 1 : all;
	simd_strings_found(v, r);
}
