/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point as in Whetstone, but not that program: array elements, elements through a
 * pointer, sines and arc tangents, calls with three results, roots, exponentials and logarithms.
 * whetstone N: N thousand rounds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static __attribute__((noinline)) void elements(double *e, double t)
{
	for (int i = 0; i < 6; i++) {
		e[0] = (e[0] + e[1] + e[2] - e[3]) * t;
		e[1] = (e[0] + e[1] - e[2] + e[3]) * t;
		e[2] = (e[0] - e[1] + e[2] + e[3]) * t;
		e[3] = (e[1] + e[2] + e[3] - e[0]) / 2.000025;
	}
}

static __attribute__((noinline)) void call3(double x, double y, double *z, double t)
{
	double a = t * (x + y), b = t * (a + y);

	*z = (a + b) / 2.000025;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) * 1000 : 1000;
	double t = 0.49999975, e[4] = { 1.0, -1.0, -1.0, -1.0 }, x = 0.5, y = 0.5, z = 1.0,
	       r = 0.75;
	long k = 1;

	for (long i = 0; i < rounds; i++) {
		elements(e, t);
		x = t * atan(2.0 * sin(x) * cos(x) / (cos(x + y) + cos(x - y) + 1.001));
		y = x + 0.25;
		for (int j = 0; j < 30; j++)
			call3(x + j, y, &z, t);
		for (int j = 0; j < 4; j++)
			r = sqrt(exp(log(r + 0.01) / 1.01));
		for (int j = 0; j < 10; j++)
			k = (k * 7 + j) % 1009 > 500 ? k + 2 : k - j + 3;
		if (i % 64 == 0) { /* before anything gets too small */
			x = 0.5;
			e[0] = 1.0;
			e[1] = e[2] = e[3] = -1.0;
		}
	}
	printf("check %.9f %.9f %.9f %.9f %ld\n", e[0], x, z, r, k % 1000);
	return 0;
}
