/* SPDX-License-Identifier: BSD-2-Clause */
/* insn.h on inputs by chance, so that it keeps working: LODGE_SEED, LODGE_INPUTS. */
#define RV_PATTERNS
#include <stdlib.h>

#include "cpu/riscv64/riscv64_dec.h"
#include "test/fuzz/insn.h"

enum { INPUTS = 400, MOST = 512 };

static uint64_t rnd(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r * 0x2545f4914f6cdd1d >> 16;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Some are noise, most are instructions. */
static size_t make_input(uint64_t *r, uint8_t *to)
{
	size_t len = INSN_HEAD + rnd(r) % (MOST - INSN_HEAD - 4) + 1, at;
	bool noise = rnd(r) % 4 == 0;

	for (at = 0; at < len; at++)
		to[at] = (uint8_t)rnd(r);
	for (at = INSN_HEAD; at < len && !noise; at += 2) {
		unsigned n = (unsigned)(rnd(r) % ARRAY_LEN(rv_patterns));
		uint32_t word = (uint32_t)rnd(r);

		word = (word & ~rv_patterns[n].mask) | rv_patterns[n].want;
		put_le(to + at, word, rv_patterns[n].width / 8);
		at += rv_patterns[n].width == 32 ? 2 : 0;
	}
	return len;
}

static void inputs(void **state)
{
	uint64_t seed = number_from("LODGE_SEED", 1), n = number_from("LODGE_INPUTS", INPUTS), r;
	uint8_t input[MOST + 4];
	struct insn insn;
	size_t len;

	(void)state;
	insn_new(&insn);
	for (; n--; seed++) {
		r = seed * 0x9e3779b97f4a7c15 + 1;
		len = make_input(&r, input);
		insn_run(&insn, input, len);
	}
	insn_free(&insn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
