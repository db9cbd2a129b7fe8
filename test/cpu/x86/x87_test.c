/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: x87 arithmetic in software gives the results, exceptions and conditions of this host's
 * FPU, for random operands that are biased to what hurts, all rounding modes, precisions and masks;
 * transcendental instructions to within a unit in the last place.  LODGE_SEED and LODGE_RUNS.
 */
#include <stdlib.h>

#include "cpu/x86/x87.h"
#include "test/fp/ref.h"

enum kind { ONE, TWO, NONE, MEM };

static const struct {
	const char *name;
	enum kind kind;
} ops[X87_OPS] = {
#define X87(op, text, kind) { #op, kind },
#include "cpu/x86/x87.def"
};

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

static struct f80 some_number(uint64_t *seed)
{
	const uint64_t r = ref_random(seed);
	struct f80 a = { ref_random(seed), (uint16_t)ref_random(seed) };
	bool denormal;

	switch (r & 7) {
	case 0:
		return x87_from_f64(ref_operand(FP_D, seed), &denormal);
	case 1:
		return x87_from_f32((uint32_t)ref_operand(FP_S, seed), &denormal);
	case 2:
		return x87_from_int((int64_t)ref_random(seed) >> (r >> 8 & 63));
	case 3:
		a.sig = UINT64_C(1) << (r >> 8 & 63);
		break;
	case 4:
		a.sig = UINT64_MAX << (r >> 8 & 63);
		break;
	case 5:
		a.sig = (UINT64_MAX << (r >> 8 & 63)) ^ (r >> 16 & 3);
		break;
	default:
		break;
	}
	switch (r >> 20 & 7) {
	case 0:
		a.se &= 0x8000 | 3;
		break;
	case 1:
		a.se |= 0x7ffc;
		break;
	case 2:
	case 3:
	case 4:
		a.se = (uint16_t)((a.se & 0x803f) + 0x3fdf);
		break;
	default:
		break;
	}
	/* Mostly such as an FPU makes. */
	if (r >> 24 & 15)
		a.sig =
		    (a.se & 0x7fff) == 0 ? a.sig & ~(UINT64_C(1) << 63) : a.sig | UINT64_C(1) << 63;
	return a;
}

static bool same(struct f80 a, struct f80 b)
{
	return a.sig == b.sig && a.se == b.se;
}

static void complain(unsigned op, const struct x87 *soft, const struct x87 *host)
{
	fail_msg("%s cw %x of %04x %016llx, %04x %016llx:\nsoft %04x %016llx, %04x %016llx sw %04x "
		 "mem %llx %llx\n"
		 "host %04x %016llx, %04x %016llx sw %04x mem %llx %llx",
	    ops[op].name, soft->cw, soft->a.se, (unsigned long long)soft->a.sig, soft->b.se,
	    (unsigned long long)soft->b.sig, soft->r.se, (unsigned long long)soft->r.sig,
	    soft->r2.se, (unsigned long long)soft->r2.sig, soft->sw, (unsigned long long)soft->i[0],
	    (unsigned long long)soft->i[1], host->r.se, (unsigned long long)host->r.sig,
	    host->r2.se, (unsigned long long)host->r2.sig, host->sw, (unsigned long long)host->i[0],
	    (unsigned long long)host->i[1]);
}

static void check(unsigned op, struct x87 *x)
{
	struct x87 soft = *x, host = *x;
	unsigned unmasked;

	x87_soft[op](&soft);
	x87_host[op](&host);
	unmasked = x87_unmasked(&host);
	if (soft.sw != host.sw)
		complain(op, &soft, &host);
	/* There may be no result. */
	if (unmasked & X87_BEFORE || (ops[op].kind == MEM && unmasked & (X87_OE | X87_UE)))
		return;
	if (ops[op].kind == MEM ? memcmp(soft.i, host.i, sizeof(soft.i)) != 0
				: ops[op].kind != NONE && !same(soft.r, host.r))
		complain(op, &soft, &host);
	if (ops[op].kind == TWO && !same(soft.r2, host.r2))
		complain(op, &soft, &host);
}

static bool is_transcendental(unsigned op)
{
	return op >= X87_f2xm1 && op <= X87_sincos;
}

static void software_is_host(void **state)
{
	uint64_t seed = number("LODGE_SEED", 1), runs = number("LODGE_RUNS", 20000), done = 0;

	(void)state;
	for (unsigned op = 0; op < X87_OPS; op++) {
		if (!x87_host[op] || is_transcendental(op))
			continue;
		for (uint64_t i = 0; i < runs; i++, done++) {
			const uint64_t r = ref_random(&seed);
			struct x87 x = { .cw = (uint16_t)(0x7f | (r & 0xf00)) };

			if (r >> 16 & 1)
				x.cw ^= r >> 24 & 0x3f;
			x.a = some_number(&seed);
			x.b = some_number(&seed);
			if (r >> 32 & 1)
				x.b.se =
				    (uint16_t)((x.a.se + (r >> 33 & 63) - 32) ^ (r >> 48 & 0x8000));
			if (r >> 40 & 1)
				x.b.sig = x.a.sig + (r >> 41 & 7) - 3;
			check(op, &x);
		}
	}
	print_message("%llu comparisons\n", (unsigned long long)done);
	if (!done)
		skip(); /* not an x86-64 host */
}

/* As an integer whose steps are units in the last place. */
static int64_t steps(struct f80 a, struct f80 b)
{
	const u128 x = (u128)(a.se & 0x7fff) << 63 | (a.sig & INT64_MAX);
	const u128 y = (u128)(b.se & 0x7fff) << 63 | (b.sig & INT64_MAX);
	const u128 d = x > y ? x - y : y - x;

	if (same(a, b))
		return 0;
	return (a.se ^ b.se) & 0x8000 || d > 1000 ? 1000 : (int64_t)d;
}

/* Where the manual defines a result, and the reduction by 66 bits of pi does not show. */
static bool is_defined(unsigned op, const struct x87 *x)
{
	const unsigned exp = x->a.se & 0x7fff;

	/* Denormals are not precise on all hosts. */
	if ((exp == 0 && x->a.sig != 0) || ((x->b.se & 0x7fff) == 0 && x->b.sig != 0))
		return false;
	if (op == X87_f2xm1)
		return exp < 0x3fff || exp == 0x7fff;
	if (op == X87_yl2xp1)
		return exp < 0x3ffd; /* below 1 - sqrt(1/2) */
	if (op >= X87_ptan)
		return exp < 0x3ffe || exp > 0x3fff + 62;
	return true;
}

static void transcendentals_are_close(void **state)
{
	enum { SAME = X87_IE | X87_DE | X87_ZE };
	uint64_t seed = number("LODGE_SEED", 1), runs = number("LODGE_RUNS", 20000), done = 0;
	int64_t worst[X87_OPS] = { 0 };

	(void)state;
	for (unsigned op = X87_f2xm1; op <= X87_sincos; op++) {
		for (uint64_t i = 0; x87_host[op] && i < runs; i++) {
			struct x87 soft = { .cw = X87_CW_RESET }, host;
			int64_t n;

			soft.a = some_number(&seed);
			soft.b = some_number(&seed);
			host = soft;
			if (!is_defined(op, &soft))
				continue;
			x87_soft[op](&soft);
			x87_host[op](&host);
			done++;
			if ((soft.sw ^ host.sw) & (op >= X87_ptan ? SAME | X87_C2 : SAME))
				complain(op, &soft, &host);
			n = steps(soft.r, host.r);
			if (ops[op].kind == TWO && steps(soft.r2, host.r2) > n)
				n = steps(soft.r2, host.r2);
			worst[op] = n > worst[op] ? n : worst[op];
			if (n > 2)
				complain(op, &soft, &host);
		}
	}
	for (unsigned op = X87_f2xm1; op <= X87_sincos; op++)
		print_message("%s: %lld\n", ops[op].name, (long long)worst[op]);
	if (!done)
		skip(); /* not an x86-64 host */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcendentals_are_close),
		cmocka_unit_test(software_is_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
