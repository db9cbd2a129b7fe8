/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Fourier transforms of 4096 complex numbers, there and back.  fft N: N times. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BITS = 12, SIZE = 1 << BITS };

struct complex {
	double re, im;
};

static struct complex data[SIZE], root[SIZE / 2];

static void reorder(void)
{
	for (unsigned i = 0, j = 0; i < SIZE; i++) {
		if (i < j) {
			struct complex t = data[i];

			data[i] = data[j];
			data[j] = t;
		}
		unsigned bit = SIZE >> 1;
		while (bit && j & bit) {
			j ^= bit;
			bit >>= 1;
		}
		j |= bit;
	}
}

static void transform(double sign)
{
	reorder();
	for (int half = 1; half < SIZE; half *= 2)
		for (int start = 0; start < SIZE; start += 2 * half)
			for (int k = 0; k < half; k++) {
				struct complex w = root[k * (SIZE / 2 / half)];
				struct complex *p = &data[start + k], *q = p + half, t;

				t.re = w.re * q->re - sign * w.im * q->im;
				t.im = w.re * q->im + sign * w.im * q->re;
				q->re = p->re - t.re;
				q->im = p->im - t.im;
				p->re += t.re;
				p->im += t.im;
			}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	double worst = 0;

	for (int i = 0; i < SIZE / 2; i++) {
		root[i].re = cos(2 * M_PI * i / SIZE);
		root[i].im = sin(2 * M_PI * i / SIZE);
	}
	for (int i = 0; i < SIZE; i++)
		data[i].re = i % 97 / 97.0;
	for (int r = 0; r < n; r++) {
		transform(1);
		transform(-1);
		for (int i = 0; i < SIZE; i++) {
			data[i].re /= SIZE;
			data[i].im /= SIZE;
		}
	}
	for (int i = 0; i < SIZE; i++)
		worst = fmax(worst, fabs(data[i].re - i % 97 / 97.0));
	printf("check %d\n", worst < 1e-9);
	return worst < 1e-9 ? 0 : 1;
}
