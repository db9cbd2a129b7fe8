/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random vector instructions on random states: interpreted and compiled, with the host's
 * instructions for cryptography and without, they leave the same registers, memory and exceptions.
 *
 * LODGE_SEED=N begins with that case, LODGE_CASES=N makes so many; LODGE_DUMP=FILE writes each case
 * with what came out of it (struct record), for comparison with another emulator.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/state.h"
#include "cpu/riscv64/vec.h"
#include "cpu/riscv64/vec_crypto.h"
#include "jit/jit.h"
#include "test/cpu/riscv64/rig.h"

enum {
	CASES = 20000,
	REGS = 6, /* x10 and f10, and those behind them, are what instructions use */
	FIRST = 10,
	DATA_SIZE = 0x2000,
	TURN = 70, /* what is longer than 64 is compiled */
};

/* Physical, and where U mode has it; behind the data there is nothing. */
#define DATA_PA (RIG_RAM + 0x10000)
#define CODE_PA (RIG_RAM + 0x20000)
#define HANDLER (RIG_RAM + 0x30000)
#define TABLES  (RIG_RAM + 0x40000)
#define DATA    0x40000000ull
#define CODE    0x40100000ull

/* What a case begins with, and what it ends with. */
struct state {
	uint64_t x[REGS], f[REGS], v[32 * RV_VLENB / 8], vtype, vl, vstart, vcsr, fcsr;
};

struct record {
	uint32_t word, cause; /* cause: 8 is the ECALL behind it, so there was none */
	uint64_t seed, tval, memory;
	struct state before, after;
};

enum way { DIRECT, JIT, BASELINE, WAYS };

struct all {
	struct rig rig[WAYS];
	struct rv_regs reset;
	struct record r;
	uint64_t random;
	unsigned legal;
	FILE *dump;
};

static uint64_t rnd(struct all *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return a->random * 0x2545f4914f6cdd1d;
}

static unsigned below(struct all *a, unsigned n)
{
	return (unsigned)((rnd(a) >> 33) % n);
}

/* Words -------------------------------------------------------------------------------------------
 */

static unsigned lmul_regs(uint64_t vtype)
{
	return vtype & 4 ? 1 : 1u << (vtype & 3);
}

/* A register, mostly one that a group can begin with. */
static unsigned reg(struct all *a)
{
	const unsigned most = lmul_regs(a->r.before.vtype), by = below(a, 4) ? most : 2 * most;
	const unsigned r = below(a, 32);

	return below(a, 16) ? r & ~(by < 8 ? by - 1 : 7) : r;
}

static uint32_t arith_word(struct all *a)
{
	uint32_t word, kind, number;
	unsigned tries = 0;

	do {
		kind = below(a, OPCFG);
		number = below(a, 64);
		word = 0x57 | kind << 12 | number << 26;
	} while (!rv_vec_op(word) && ++tries < 1000);
	word |= reg(a) << 7 | reg(a) << 20 | (below(a, 3) ? 1u << 25 : 0);
	/* Those that v0 is an operand of. */
	if ((number == 0x10 || number == 0x12) && (kind == OPIVV || kind >= OPIVI))
		word &= ~(1u << 25);
	if (kind == OPIVX || kind == OPMVX || kind == OPFVF)
		return word | (FIRST + below(a, REGS)) << 15;
	if (kind == OPIVI)
		return word | below(a, 32) << 15;
	if (number == 0x10 && kind != OPIVV) /* to x or f; VCPOP, VFIRST */
		return (word & ~(31u << 7)) | (FIRST + below(a, REGS)) << 7 |
		       (kind == OPMVV && below(a, 2) ? 16 + below(a, 2) : 0) << 15 | 1u << 25;
	if (number == 0x17 && kind == OPMVV)
		word |= 1u << 25;
	if (number == 0x12 || number == 0x13 || (number == 0x14 && kind == OPMVV))
		return word | below(a, 24) << 15;
	return word | reg(a) << 15;
}

static uint32_t memory_word(struct all *a)
{
	static const uint32_t widths[] = { 0, 5, 6, 7 };
	static const uint32_t odd[] = { 8, 11, 16, 16 };
	const uint32_t mop = below(a, 4), fields = below(a, 3) ? 0 : below(a, 8);
	uint32_t word = (below(a, 2) ? 0x07u : 0x27u) | widths[below(a, 4)] << 12 | mop << 26;

	word |= reg(a) << 7 | (FIRST + below(a, REGS)) << 15 | fields << 29;
	word |= below(a, 3) ? 1u << 25 : 0;
	if (mop == 0)
		return word | (below(a, 2) ? 0 : odd[below(a, ARRAY_LEN(odd))]) << 20;
	if (mop == 2)
		return word | (FIRST + below(a, REGS)) << 20;
	return word | reg(a) << 20;
}

static uint32_t crypto_word(struct all *a)
{
	uint32_t word;

	do
		word = 0x2077 | below(a, 64) << 26 | below(a, 32) << 15 | 1u << 25;
	while (!rv_vec_crypto_name(word));
	word |= reg(a) << 7 | reg(a) << 20;
	if (word >> 26 >= 0x2c)
		word = (word & ~(31u << 15)) | reg(a) << 15;
	return word;
}

static uint32_t set_word(struct all *a)
{
	const uint32_t word = 0x7057 | (FIRST + below(a, REGS)) << 7;

	switch (below(a, 3)) {
	case 0:
		return word | below(a, 64) << 20 | (FIRST + below(a, REGS)) << 15;
	case 1:
		return word | 3u << 30 | below(a, 64) << 20 | below(a, 32) << 15;
	default:
		return word | 1u << 31 | (FIRST + below(a, REGS)) << 20 |
		       (FIRST + below(a, REGS)) << 15;
	}
}

static uint32_t random_word(struct all *a)
{
	const unsigned what = below(a, 20);

	if (what < 12)
		return arith_word(a);
	if (what < 17)
		return memory_word(a);
	return what < 19 ? crypto_word(a) : set_word(a);
}

/* States ------------------------------------------------------------------------------------------
 */

static uint64_t random_x(struct all *a)
{
	switch (below(a, 8)) {
	case 0:
		return rnd(a);
	case 1:
		return below(a, 32);
	case 2:
		return -(uint64_t)below(a, 32);
	case 3:
		return DATA + DATA_SIZE - below(a, 256);
	case 4:
		return DATA + 0x1000 - below(a, 128);
	case 5:
		return DATA + 0x1000 - 8 * (uint64_t)below(a, 32);
	default:
		return DATA + 8 * (uint64_t)below(a, DATA_SIZE / 8);
	}
}

static uint64_t random_number(struct all *a)
{
	static const uint64_t special[] = { 0, 1ull << 63, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff0000000000001, 0x3ff0000000000000, 1, 0x0010000000000000,
		0x7f80000000000000, 0x7f8000007fc00000, 0xff8000007f800001, 0x3f8000003f800000,
		0x0080000000000001, 0x7fffffff80000000, 0x7fefffffffffffff, 0x8000000000800000,
		0xffffffffffffffff, 0x7f7fffff00400000, 0x0008000000000000, 0x0004000000000000 };

	switch (below(a, 8)) {
	case 0:
	case 1:
		return special[below(a, ARRAY_LEN(special))];
	case 2: /* near 1 */
		return 0x3fe0000000000000 + (rnd(a) >> 11);
	case 3:
		return 0x3f0000003f000000 + (rnd(a) & 0x00ffffff00ffffff);
	case 4: /* small indices */
		return rnd(a) & 0x001f001f001f001f;
	default:
		return rnd(a);
	}
}

/* Whole groups of SEW, and what fits in LMUL, more often than chance has it. */
static void random_vtype(struct all *a, struct state *s)
{
	uint64_t most;

	do
		s->vtype = below(a, 8) ? below(a, 32) : below(a, 256);
	while (rv_vec_vtype(s->vtype) >> 63);
	if (!below(a, 3))
		s->vtype = (s->vtype & 7 & ~4u) | 2 << 3 | (s->vtype & 0xc0);
	most = rv_vec_vlmax(s->vtype);
	s->vl = below(a, 2) ? most : below(a, (unsigned)most + 1);
	if (!below(a, 3))
		s->vl &= ~3ull;
	s->vstart = 0;
	if (!below(a, 8))
		s->vstart = below(a, (unsigned)most);
	if (!below(a, 64))
		s->vtype = 1ull << 63, s->vl = 0;
}

static void random_state(struct all *a, struct state *s)
{
	memset(s, 0, sizeof *s);
	random_vtype(a, s);
	for (unsigned i = 0; i < REGS; i++) {
		s->x[i] = random_x(a);
		s->f[i] = random_number(a) | (below(a, 2) ? ~0ull << 32 : 0);
	}
	for (unsigned i = 0; i < ARRAY_LEN(s->v); i++)
		s->v[i] = random_number(a);
	if (below(a, 4) == 0) /* indices that lead into the data */
		for (unsigned i = 0; i < ARRAY_LEN(s->v); i++)
			s->v[i] &= 0x000000ff000000ff;
	s->vcsr = below(a, 8);
	s->fcsr = below(a, 5) << 5 | below(a, 32);
}

/* As whoever reads a dump makes it, too: from the seed. */
static void make_data(uint64_t seed, uint8_t *data)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;

	for (unsigned i = 0; i < DATA_SIZE; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		put_le(data + i, x, 8);
	}
}

static uint64_t sum_of(const uint8_t *data)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (unsigned i = 0; i < DATA_SIZE; i += 8)
		sum = (sum ^ get_le(data + i, 8)) * 0x100000001b3;
	return sum;
}

/* Running -----------------------------------------------------------------------------------------
 */

static void put(struct rig *r, uint64_t pa, uint64_t val, unsigned size)
{
	uint8_t bytes[8];

	put_le(bytes, val, size);
	mem_write(r->mem, pa, bytes, size);
}

static void make_tables(struct rig *r)
{
	enum { V = 1, ALL = 0xdf };

	put(r, TABLES + 8, (TABLES + 0x1000) >> 2 | V, 8);
	put(r, TABLES + 0x1000, (TABLES + 0x2000) >> 2 | V, 8);
	put(r, TABLES + 0x2000, DATA_PA >> 2 | ALL, 8);
	put(r, TABLES + 0x2000 + 8, (DATA_PA + 0x1000) >> 2 | ALL, 8);
	put(r, TABLES + 0x2000 + 8 * 0x100, CODE_PA >> 2 | ALL, 8);
	put(r, HANDLER, 0x0000006f, 4);     /* j . */
	put(r, CODE_PA + 4, 0x00000073, 4); /* ecall */
}

static void load(struct all *a, struct rig *r, const uint8_t *data)
{
	const struct state *b = &a->r.before;
	struct rv_regs regs = a->reset;

	for (unsigned i = 0; i < REGS; i++) {
		regs.x[FIRST + i] = b->x[i];
		regs.f[FIRST + i] = b->f[i];
	}
	memcpy(regs.v, b->v, sizeof regs.v);
	regs.vtype = b->vtype;
	regs.vl = b->vl;
	regs.vstart = b->vstart;
	regs.vcsr = (uint32_t)b->vcsr;
	regs.fcsr = (uint32_t)b->fcsr;
	regs.pc = CODE;
	regs.mode = RV_U;
	regs.mstatus |= MSTATUS_FS | MSTATUS_VS;
	regs.satp = 8ull << 60 | TABLES >> MEM_PAGE_BITS;
	regs.mtvec = HANDLER;
	regs.pmpaddr[0] = UINT64_MAX;
	regs.pmpcfg[0] = 0x1f;
	r->s->left = 0;
	r->s->count_end = 0;
	assert_int_equal(cpu_riscv64.set(r->cpu, RV_REGS_ALL, &regs), 0);
	mem_write(r->mem, DATA_PA, data, DATA_SIZE);
	put(r, CODE_PA, a->r.word, 4);
}

static void result(struct record *to, struct rig *r)
{
	struct rv_regs regs;
	struct state *s = &to->after;

	cpu_riscv64.get(r->cpu, RV_REGS_ALL, &regs);
	memset(s, 0, sizeof *s);
	for (unsigned i = 0; i < REGS; i++) {
		s->x[i] = regs.x[FIRST + i];
		s->f[i] = regs.f[FIRST + i];
	}
	memcpy(s->v, regs.v, sizeof s->v);
	s->vtype = regs.vtype;
	s->vl = regs.vl;
	s->vstart = regs.vstart;
	s->vcsr = regs.vcsr;
	s->fcsr = regs.fcsr;
	to->cause = (uint32_t)regs.mcause;
	to->tval = regs.mtval;
	to->memory = sum_of(r->ram + (DATA_PA - RIG_RAM));
}

static void compare(struct all *a, enum way way)
{
	static const char *const names[] = { "interpreted", "compiled", "for old hosts" };
	struct record other = a->r;
	const uint64_t *p = (const uint64_t *)&a->r, *q = (const uint64_t *)&other;

	result(&other, &a->rig[way]);
	if (!memcmp(&other, &a->r, sizeof other))
		return;
	for (unsigned i = 0; i < sizeof other / 8; i++)
		if (p[i] != q[i])
			print_error("%u: %" PRIx64 ", %" PRIx64 "\n", i, p[i], q[i]);
	fail_msg("LODGE_SEED=%" PRIu64 ": %08" PRIx32 " is something else %s", a->r.seed, a->r.word,
	    names[way]);
}

static void try_case(struct all *a, uint64_t seed)
{
	static const struct record none;
	uint8_t data[DATA_SIZE];
	struct exit x;

	a->random = seed * 0x9e3779b97f4a7c15 + 0x1234567;
	for (unsigned i = 0; i < 8; i++)
		rnd(a);
	a->r = none;
	a->r.seed = seed;
	random_state(a, &a->r.before);
	a->r.word = random_word(a);
	make_data(seed, data);
	for (unsigned way = 0; way < WAYS; way++) {
		load(a, &a->rig[way], data);
		memset(&x, 0, sizeof x);
		cpu_riscv64.run(a->rig[way].cpu, &x, TURN);
		if (way == DIRECT)
			result(&a->r, &a->rig[way]);
		else
			compare(a, way);
	}
	a->legal += a->r.cause != RV_ILLEGAL;
	if (a->dump)
		assert_int_equal(fwrite(&a->r, sizeof a->r, 1, a->dump), 1);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void cases_are_the_same(void **state)
{
	struct all *a = *state;
	const uint64_t seed = number_from("LODGE_SEED", 1), n = number_from("LODGE_CASES", CASES);

	for (uint64_t i = 0; i < n; i++)
		try_case(a, seed + i);
	print_message("%u of %" PRIu64 " are legal\n", a->legal, n);
	assert_true(n < CASES || a->legal > n / 2);
}

static int setup(void **state)
{
	struct all *a = calloc(1, sizeof *a);
	struct err e = { "" };

	assert_non_null(a);
	for (unsigned i = 0; i < WAYS; i++) {
		rig_new(&a->rig[i], false, false);
		a->rig[i].env.jit = a->rig[i].env.eager = i != DIRECT;
		a->rig[i].env.baseline = i == BASELINE;
		assert_true(rig_renew(&a->rig[i], &e));
		make_tables(&a->rig[i]);
	}
	cpu_riscv64.get(a->rig[0].cpu, RV_REGS_ALL, &a->reset);
	if (getenv("LODGE_DUMP"))
		a->dump = fopen(getenv("LODGE_DUMP"), "wb");
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	struct all *a = *state;

	for (unsigned i = 0; i < WAYS; i++)
		rig_free(&a->rig[i]);
	if (a->dump)
		fclose(a->dump);
	free(a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cases_are_the_same, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
