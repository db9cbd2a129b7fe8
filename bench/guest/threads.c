/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads N COUNT: N million rounds of integer and memory work, shared by COUNT threads, which
 * meet at an atomic counter every thousand rounds: how well more harts help.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 16, CELLS = 4096, ROUNDS = 1000 };

struct load {
	atomic_long left; /* thousands of rounds */
	atomic_ulong sum;
};

static void *work(void *arg)
{
	struct load *load = arg;
	uint64_t *cells = calloc(CELLS, sizeof *cells), x = 88172645463325252, sum = 0;

	while (cells && atomic_fetch_sub(&load->left, 1) > 0)
		for (int i = 0; i < ROUNDS; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			cells[x % CELLS] += x >> 11;
			sum += cells[(x >> 20) % CELLS] * 3;
		}
	atomic_fetch_add(&load->sum, (unsigned long)sum & 1);
	free(cells);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 1;
	pthread_t thread[THREADS];
	struct load load;

	if (n < 1 || n > THREADS)
		return 2;
	atomic_init(&load.left, (argc > 1 ? atol(argv[1]) : 1) * 1000);
	atomic_init(&load.sum, 0);
	for (int i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, work, &load))
			return 1;
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	printf("check %d\n", atomic_load(&load.left) <= 0);
	return 0;
}
