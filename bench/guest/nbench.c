/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mix of small algorithms in the spirit of nbench (BYTEmark), but not that program: heap sort of
 * numbers, sort of strings, bit fields, 128-bit emulated arithmetic, a block cipher with
 * multiplications modulo 65537, Huffman codes, an assignment table, a neural net.
 * nbench N: N rounds of all.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NUMBERS = 2000,
	STRINGS = 500,
	BITS = 1 << 15,
	CIPHER = 4000,
	TEXT = 4000,
	JOBS = 40,
	NET = 24
};

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

static void sift(int32_t *v, int at, int n)
{
	int32_t x = v[at];

	for (int child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (v[child] <= x)
			break;
		v[at] = v[child];
	}
	v[at] = x;
}

static uint32_t heap_sort(uint32_t seed)
{
	static int32_t v[NUMBERS];

	for (int i = 0; i < NUMBERS; i++)
		v[i] = (int32_t)random_next(&seed);
	for (int i = NUMBERS / 2; i-- > 0;)
		sift(v, i, NUMBERS);
	for (int n = NUMBERS; n-- > 1;) {
		int32_t t = v[0];

		v[0] = v[n];
		v[n] = t;
		sift(v, 0, n);
	}
	return (uint32_t)v[NUMBERS / 2];
}

static int string_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint32_t string_sort(uint32_t seed)
{
	static char text[STRINGS][32];
	char *order[STRINGS];

	for (int i = 0; i < STRINGS; i++) {
		int n = 4 + (int)(random_next(&seed) % 27);

		for (int k = 0; k < n; k++)
			text[i][k] = (char)('a' + random_next(&seed) % 4);
		text[i][n] = 0;
		order[i] = text[i];
	}
	qsort(order, STRINGS, sizeof *order, string_compare);
	return (uint32_t)strlen(order[STRINGS / 2]);
}

static uint32_t bit_fields(uint32_t seed)
{
	static uint64_t map[BITS / 64];
	uint32_t count = 0;

	for (int i = 0; i < 400; i++) {
		uint32_t at = random_next(&seed) % BITS, n = random_next(&seed) % 200;

		for (uint32_t k = at; k < at + n && k < BITS; k++)
			if (i % 3 == 0)
				map[k / 64] |= (uint64_t)1 << k % 64;
			else if (i % 3 == 1)
				map[k / 64] &= ~((uint64_t)1 << k % 64);
			else
				map[k / 64] ^= (uint64_t)1 << k % 64;
	}
	for (int i = 0; i < BITS / 64; i++)
		for (uint64_t w = map[i]; w; w &= w - 1)
			count++;
	return count;
}

/* Numbers of eight 16-bit digits: multiply, then subtract and shift. */
static uint32_t emulated(uint32_t seed)
{
	uint16_t a[8], b[8], r[16];
	uint32_t sum = 0;

	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 8; i++) {
			a[i] = (uint16_t)random_next(&seed);
			b[i] = (uint16_t)random_next(&seed);
		}
		memset(r, 0, sizeof r);
		for (int i = 0; i < 8; i++) {
			uint32_t carry = 0;

			for (int k = 0; k < 8; k++) {
				carry += (uint32_t)a[i] * b[k] + r[i + k];
				r[i + k] = (uint16_t)carry;
				carry >>= 16;
			}
			r[i + 8] = (uint16_t)carry;
		}
		while (!(r[15] & 0x8000) && r[15])
			for (int k = 15; k >= 0; k--)
				r[k] = (uint16_t)(r[k] << 1 | (k ? r[k - 1] >> 15 : 0));
		sum = sum * 31 + r[15];
	}
	return sum;
}

static uint16_t mul65537(uint32_t a, uint32_t b)
{
	uint32_t p = a * b;

	if (!p)
		return (uint16_t)(1 - (int)a - (int)b);
	uint32_t low = p & 0xffff, high = p >> 16;
	return (uint16_t)(low - high + (low < high));
}

static uint32_t cipher(uint32_t seed)
{
	uint16_t key[52], x[4] = { 1, 2, 3, 4 };

	for (int i = 0; i < 52; i++)
		key[i] = (uint16_t)random_next(&seed);
	for (int n = 0; n < CIPHER / 8; n++)
		for (int round = 0; round < 8; round++) {
			const uint16_t *k = &key[round * 6];
			uint16_t a = mul65537(x[0], k[0]), d = mul65537(x[3], k[3]);
			uint16_t b = (uint16_t)(x[1] + k[1]), c = (uint16_t)(x[2] + k[2]);
			uint16_t e = mul65537(a ^ c, k[4]), f = (uint16_t)((b ^ d) + e);

			f = mul65537(f, k[5]);
			e = (uint16_t)(e + f);
			x[0] = a ^ f;
			x[1] = c ^ f;
			x[2] = b ^ e;
			x[3] = d ^ e;
		}
	return x[0] ^ (uint32_t)x[3] << 16;
}

struct leaf {
	uint32_t weight;
	int parent;
};

static uint32_t huffman(uint32_t seed)
{
	struct leaf node[128] = { { 0, 0 } };
	uint32_t bits = 0;
	int n = 64;

	for (int i = 0; i < TEXT; i++)
		node[(random_next(&seed) & random_next(&seed)) % 64].weight++;
	for (int left = 64; left > 1; left--, n++) {
		int low = -1, next = -1;

		for (int i = 0; i < n; i++) {
			if (node[i].parent)
				continue;
			if (low < 0 || node[i].weight < node[low].weight) {
				next = low;
				low = i;
			} else if (next < 0 || node[i].weight < node[next].weight) {
				next = i;
			}
		}
		node[low].parent = node[next].parent = n;
		node[n].weight = node[low].weight + node[next].weight;
	}
	for (int i = 0; i < 64; i++)
		for (int k = i; node[k].parent; k = node[k].parent)
			bits += node[i].weight;
	return bits;
}

/* Rows and columns reduced to zeros, then taken greedily. */
static uint32_t assignment(uint32_t seed)
{
	int32_t cost[JOBS][JOBS];
	uint32_t taken = 0, used[JOBS] = { 0 };

	for (int i = 0; i < JOBS; i++)
		for (int k = 0; k < JOBS; k++)
			cost[i][k] = (int32_t)(random_next(&seed) % 1000);
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < JOBS; i++) {
			int32_t least = INT32_MAX;

			for (int k = 0; k < JOBS; k++) {
				int32_t v = pass ? cost[k][i] : cost[i][k];

				least = v < least ? v : least;
			}
			for (int k = 0; k < JOBS; k++)
				*(pass ? &cost[k][i] : &cost[i][k]) -= least;
		}
	for (int i = 0; i < JOBS; i++)
		for (int k = 0; k < JOBS; k++)
			if (!cost[i][k] && !used[k]) {
				used[k] = 1;
				taken++;
				break;
			}
	return taken;
}

static uint32_t neural(uint32_t seed)
{
	double w[NET][NET], in[NET], out[NET], wanted[NET], error = 0;

	for (int i = 0; i < NET; i++) {
		in[i] = random_next(&seed) % 2 ? 0.9 : 0.1;
		wanted[i] = random_next(&seed) % 2 ? 0.9 : 0.1;
		for (int k = 0; k < NET; k++)
			w[i][k] = random_next(&seed) % 1000 / 1000.0 - 0.5;
	}
	for (int pass = 0; pass < 20; pass++) {
		error = 0;
		for (int i = 0; i < NET; i++) {
			double sum = 0;

			for (int k = 0; k < NET; k++)
				sum += w[i][k] * in[k];
			out[i] = 1 / (1 + exp(-sum));
			double delta = (wanted[i] - out[i]) * out[i] * (1 - out[i]);
			error += fabs(wanted[i] - out[i]);
			for (int k = 0; k < NET; k++)
				w[i][k] += 0.9 * delta * in[k];
		}
	}
	return (uint32_t)(error * 1000);
}

int main(int argc, char **argv)
{
	static uint32_t (*const parts[])(uint32_t seed) = { heap_sort, string_sort, bit_fields,
		emulated, cipher, huffman, assignment, neural };
	int n = argc > 1 ? atoi(argv[1]) : 1;
	uint32_t sum = 0;

	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
			sum = sum * 33 + parts[k]((uint32_t)i % 16 + 1);
	printf("check %u\n", sum);
	return 0;
}
