/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

/* Random numbers that are the same in each run: the next one of a state, which is their seed. */

/* Of a test: LODGE_SEED.  Without, it is the same each time, so that the suite can be repeated;
 * tools/fuzz.py has others. */
static inline uint64_t random_seed(void)
{
	const char *text = getenv("LODGE_SEED");

	return text ? strtoull(text, NULL, 0) : 20261127;
}

/* splitmix64; any state. */
static inline uint64_t random_split(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* xorshift64*, by S. Vigna; not from 0. */
static inline uint64_t random_shift(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

#endif
