/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory: memory chase N: N million steps along a random cycle of pointers through 8 MiB;
 * memory stream N: N times copy, scale, add and triad over three arrays of 4 MiB.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 1 << 17, DOUBLES = 1 << 19 };

/* One pointer a cache line. */
struct cell {
	struct cell *next;
	char rest[56];
};

static struct cell cells[CELLS];
static double a[DOUBLES], b[DOUBLES], c[DOUBLES];

static int chase(long n)
{
	uint32_t *order = malloc(CELLS * sizeof *order), seed = 1;
	struct cell *at = cells;

	if (!order)
		return 1;
	for (uint32_t i = 0; i < CELLS; i++)
		order[i] = i;
	for (uint32_t i = CELLS - 1; i > 0; i--) {
		seed = seed * 1664525 + 1013904223;
		uint32_t k = (seed >> 8) % i, t = order[i];
		order[i] = order[k];
		order[k] = t;
	}
	for (uint32_t i = 0; i < CELLS; i++)
		cells[order[i]].next = &cells[order[(i + 1) % CELLS]];
	free(order);
	for (long i = 0; i < n * 1000000; i++)
		at = at->next;
	printf("check %ld\n", (long)(at - cells));
	return 0;
}

static int stream(long n)
{
	for (long i = 0; i < DOUBLES; i++) {
		a[i] = 1;
		b[i] = 2;
	}
	for (long r = 0; r < n; r++) {
		for (long i = 0; i < DOUBLES; i++)
			c[i] = a[i];
		for (long i = 0; i < DOUBLES; i++)
			b[i] = 0.4 * c[i];
		for (long i = 0; i < DOUBLES; i++)
			c[i] = a[i] + b[i];
		for (long i = 0; i < DOUBLES; i++)
			a[i] = b[i] + 0.4 * c[i];
	}
	printf("check %g\n", a[DOUBLES / 2]);
	return 0;
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 1;

	return argc > 1 && !strcmp(argv[1], "stream") ? stream(n) : chase(n);
}
