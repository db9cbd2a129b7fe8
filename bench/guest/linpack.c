/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dense linear equations by Gaussian elimination with partial pivoting, column by column, as the
 * LINPACK benchmark solves them, but not that program.  linpack N: N systems of 200 unknowns.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 200 };

static double a[SIZE][SIZE], b[SIZE];
static int pivot[SIZE];

/* y += f * x */
static __attribute__((noinline)) void axpy(int n, double f, const double *x, double *y)
{
	for (int i = 0; i < n; i++)
		y[i] += f * x[i];
}

/* a[j] is column j; every x[i] of the solution is near 1. */
static void fill(void)
{
	unsigned seed = 1325;

	for (int i = 0; i < SIZE; i++)
		b[i] = 0;
	for (int j = 0; j < SIZE; j++)
		for (int i = 0; i < SIZE; i++) {
			seed = 3125 * seed % 65536;
			a[j][i] = ((int)seed - 32768) / 16384.0;
			b[i] += a[j][i];
		}
}

static void factor(void)
{
	for (int k = 0; k < SIZE - 1; k++) {
		int p = k;

		for (int i = k + 1; i < SIZE; i++)
			if (fabs(a[k][i]) > fabs(a[k][p]))
				p = i;
		pivot[k] = p;
		double t = a[k][p];
		a[k][p] = a[k][k];
		a[k][k] = t;
		for (int i = k + 1; i < SIZE; i++)
			a[k][i] /= -t;
		for (int j = k + 1; j < SIZE; j++) {
			t = a[j][p];
			a[j][p] = a[j][k];
			a[j][k] = t;
			axpy(SIZE - k - 1, t, &a[k][k + 1], &a[j][k + 1]);
		}
	}
}

static void solve(void)
{
	for (int k = 0; k < SIZE - 1; k++) {
		double t = b[pivot[k]];

		b[pivot[k]] = b[k];
		b[k] = t;
		axpy(SIZE - k - 1, t, &a[k][k + 1], &b[k + 1]);
	}
	for (int k = SIZE - 1; k >= 0; k--) {
		b[k] /= a[k][k];
		axpy(k, -b[k], a[k], b);
	}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	double worst = 0;

	for (int i = 0; i < n; i++) {
		fill();
		factor();
		solve();
		for (int k = 0; k < SIZE; k++)
			worst = fmax(worst, fabs(b[k] - 1));
	}
	printf("check %d\n", worst < 1e-6);
	return worst < 1e-6 ? 0 : 1;
}
