/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: what vector operations compute in software is, in results and MXCSR's flags, what this
 * host's own instructions give (host_simd.c), for random operands that are biased to what hurts, in
 * all rounding modes, with and without DAZ and FTZ.  LODGE_SEED and LODGE_RUNS choose others and
 * more.
 */
#include <stdlib.h>

#include "cpu/x86/simd_form.h"
#include "test/fp/ref.h"

static const char *const names[SIMD_OPS] = {
#define SIMD(op, form, fn, flags) [SIMD_OP_##op] = #op,
#include "cpu/x86/simd.def"
};

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

/* 64 bits of small integers, extreme ones, or floating-point numbers. */
static uint64_t some_bits(uint64_t *seed)
{
	const uint64_t r = ref_random(seed);

	switch (r % 8) {
	case 0:
		return ref_random(seed);
	case 1:
		return (uint64_t)((int64_t)ref_random(seed) >> (r >> 8 & 63));
	case 2:
		return (r >> 8 & 0x0101010101010101) * 0xff ^ (r & 0x8080808080808080);
	case 3:
		return ref_operand(FP_D, seed);
	default:
		return ref_operand(FP_S, seed) << 32 | ref_operand(FP_S, seed);
	}
}

static void some_operands(struct simd *v, uint64_t *seed)
{
	const uint64_t r = ref_random(seed);

	for (unsigned i = 0; i < 2; i++) {
		v->a[i] = some_bits(seed);
		v->b[i] = r & 3 ? some_bits(seed)
				: ref_neighbour(FP_S, v->a[i], seed) |
				      ref_neighbour(FP_S, v->a[i] >> 32, seed) << 32;
		v->d[i] = some_bits(seed);
	}
	if (!(r & 12)) {
		v->b[0] &= 63;
		v->b[1] &= 0x0000003f0000003f;
	}
	v->imm = r >> 8 & 0xff;
	v->mxcsr = MXCSR_MASKS | (uint32_t)(r >> 16 & (MXCSR_RC | MXCSR_FTZ));
	if (r >> 40 & 1)
		v->mxcsr |= MXCSR_DAZ;
}

static unsigned form_bytes(const struct simd_row *row)
{
	return row->flags & SIMD_S32 ? 4 : row->flags & SIMD_S64 ? 8 : 16;
}

static bool same(const struct simd_row *row, const struct simd *x, const struct simd *y)
{
	const unsigned bytes = form_bytes(row);
	const bool is_number = row->form == SIMD_TO_INT || row->form == SIMD_FLAGS;
	const uint64_t mask = row->form == SIMD_TO_INT && x->imm == 32 ? UINT32_MAX
			      : bytes == 4 && !is_number               ? UINT32_MAX
								       : UINT64_MAX;

	if ((x->pre | x->post) != (y->pre | y->post) || ((x->d[0] ^ y->d[0]) & mask))
		return false;
	return bytes < 16 || x->d[1] == y->d[1];
}

static void check(enum simd_op op, struct simd v)
{
	struct simd soft = v, host = v;

	simd_rows[op].fn(&soft);
	simd_host[op](&host);
	if (!same(&simd_rows[op], &soft, &host))
		fail_msg(
		    "%s mxcsr %x imm %x\na %016llx %016llx\nb %016llx %016llx\nd %016llx %016llx\n"
		    "soft %016llx %016llx flags %x\nhost %016llx %016llx flags %x",
		    names[op], v.mxcsr, v.imm, (unsigned long long)v.a[1],
		    (unsigned long long)v.a[0], (unsigned long long)v.b[1],
		    (unsigned long long)v.b[0], (unsigned long long)v.d[1],
		    (unsigned long long)v.d[0], (unsigned long long)soft.d[1],
		    (unsigned long long)soft.d[0], soft.pre | soft.post,
		    (unsigned long long)host.d[1], (unsigned long long)host.d[0],
		    host.pre | host.post);
}

static bool is_estimate(enum simd_op op)
{
	return simd_rows[op].fn == simd_rcpps || simd_rows[op].fn == simd_rsqrtps;
}

/* Few different letters, lengths up to a full vector, any immediate. */
static void some_strings(struct simd *v, uint64_t *seed)
{
	const uint64_t r = ref_random(seed), few = 0x0101010101010101 * (r & 1 ? 3 : 1);

	for (unsigned i = 0; i < 2; i++) {
		v->a[i] &= r & 2 ? few : few | UINT64_MAX << 40;
		v->b[i] &= few;
		v->d[i] = (r >> (8 + 8 * i) & 0xff) % 17;
	}
	v->imm = r >> 32 & 0xff;
}

static void software_is_host(void **state)
{
	uint64_t seed = number("LODGE_SEED", 1), runs = number("LODGE_RUNS", 2000), done = 0;
	unsigned ops = 0;

	(void)state;
	for (unsigned op = 0; op < SIMD_OPS; op++) {
		if (!simd_host[op] || is_estimate(op))
			continue;
		ops++;
		for (uint64_t i = 0; i < runs; i++, done++) {
			struct simd v = { .bytes = form_bytes(&simd_rows[op]) };

			some_operands(&v, &seed);
			if (simd_rows[op].form == SIMD_TO_INT ||
			    simd_rows[op].form == SIMD_FROM_INT)
				v.imm = i & 1 ? 32 : 64;
			if (simd_rows[op].form == SIMD_STRI || simd_rows[op].form == SIMD_STRM)
				some_strings(&v, &seed);
			check(op, v);
		}
	}
	print_message("%u instructions, %llu comparisons\n", ops, (unsigned long long)done);
	if (!ops)
		skip(); /* not an x86-64 host */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(software_is_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
