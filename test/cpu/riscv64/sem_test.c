/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two forms of the instruction bodies are one: random words on random states, executed by the
 * interpreter and through IR, leave the same registers, CSRs, memory and counts, faults included.
 * So do blocks of them that were optimised.
 */
#define RV_NAMES
#define RV_PATTERNS
#include <inttypes.h>

#include "core/state.h"
#include "cpu/riscv64/riscv64_dec.h"
#include "test/cpu/riscv64/step.h"

enum { SINGLE = 60000, BLOCKS = 8000, BLOCK = 12 };

#define CODE   (RIG_RAM + 0xf0000) /* also where it is mapped */
#define TABLES (RIG_RAM + 0xe0000)
#define DATA   0x40000000ull /* virtual: pages with all kinds of permissions */

struct pair {
	struct rig direct, ir;
	struct ir_block block;
	uint64_t random;
	bool seen[RV_NOPS];
};

static uint64_t rnd(struct pair *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random * 0x2545f4914f6cdd1d;
}

static unsigned below(struct pair *p, unsigned n)
{
	return (unsigned)((rnd(p) >> 33) % n);
}

static void both_put(struct pair *p, uint64_t pa, uint64_t val, unsigned size)
{
	uint8_t bytes[8];

	put_le(bytes, val, size);
	assert_int_equal(mem_write(p->direct.mem, pa, bytes, size), 0);
	assert_int_equal(mem_write(p->ir.mem, pa, bytes, size), 0);
}

/* Sv39: RAM as it is, and 32 pages at DATA whose PTEs have bits and frames by chance. */
static void make_tables(struct pair *p)
{
	unsigned i;

	both_put(p, TABLES + 8 * (DATA >> 30), (TABLES + 0x1000) >> 2 | 1, 8);
	both_put(p, TABLES + 8 * (RIG_RAM >> 30), (TABLES + 0x3000) >> 2 | 1, 8);
	both_put(p, TABLES + 0x1000, (TABLES + 0x2000) >> 2 | 1, 8);
	both_put(p, TABLES + 0x3000, RIG_RAM >> 2 | 0xff, 8);
	for (i = 0; i < 32; i++)
		both_put(p, TABLES + 0x2000 + 8 * i,
		    (RIG_RAM + 0x1000 * below(p, 64)) >> 2 | below(p, 4) * 0x100 | below(p, 256),
		    8);
}

static uint64_t random_x(struct pair *p)
{
	static const uint64_t special[] = { 0, 1, UINT64_MAX, INT64_MAX, 1ull << 63, 0x7fffffff,
		0x80000000, 0xffffffff80000000, RIG_DEV, RIG_HOLE };
	uint64_t r = rnd(p);

	switch (r & 15) {
	case 0:
	case 1:
		return special[below(p, ARRAY_LEN(special))];
	case 2:
		return below(p, 64);
	case 3:
		return r;
	case 4:
		return (uint64_t)(int64_t)(int32_t)(r >> 32);
	case 5:
	case 6:
		return RIG_RAM + below(p, 0x100) * 16;
	case 7:
		return RIG_RAM + below(p, 0x10000);
	case 8:
		return DATA + below(p, 33) * 0x1000 - below(p, 16);
	default:
		return DATA + below(p, 0x20000);
	}
}

static uint64_t random_f(struct pair *p)
{
	static const uint64_t special[] = { 0, 1ull << 63, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff0000000000001, 0x3ff0000000000000, 1, 0xffffffff00000000,
		0xffffffff7f800000, 0xffffffff7fc00000, 0xffffffff7f800001, 0xffffffff3f800000,
		0xffffffffffff0000, 0xffffffffffff7c00, 0xffffffffffff7e00, 0xffffffffffff3c00,
		0xffffffffffff0001 };

	switch (below(p, 4)) {
	case 0:
		return special[below(p, ARRAY_LEN(special))];
	case 1:
		return rnd(p);
	case 2:
		return rnd(p) | ~0ull << 32;
	default:
		return rnd(p) | ~0ull << 16;
	}
}

static void random_state(struct pair *p)
{
	static const uint8_t modes[] = { RV_U, RV_S, RV_M, RV_M };
	struct rv_regs r;
	unsigned i;

	cpu_riscv64.reset(p->direct.cpu);
	cpu_riscv64.get(p->direct.cpu, RV_REGS_ALL, &r);
	for (i = 1; i < 32; i++)
		r.x[i] = random_x(p);
	for (i = 0; i < 32; i++)
		r.f[i] = random_f(p);
	r.fcsr = below(p, 4) ? below(p, 5) << 5 | below(p, 32) : below(p, 256);
	for (i = 0; i < ARRAY_LEN(r.v); i++)
		r.v[i] = below(p, 2) ? random_f(p) : rnd(p);
	r.vtype = below(p, 8) ? below(p, 32) : rnd(p);
	r.vl = below(p, 2) ? 128 : below(p, 128);
	r.vstart = below(p, 8) ? 0 : below(p, 128);
	r.vcsr = below(p, 8);
	r.pc = CODE + 2 * (uint64_t)below(p, 2);
	r.mode = modes[below(p, 4)];
	r.mstatus |= (below(p, 8) ? rnd(p) | MSTATUS_FS : rnd(p)) & ~MSTATUS_MPRV;
	r.satp = below(p, 4) ? 8ull << 60 | TABLES >> 12 : 0;
	r.medeleg = below(p, 2) ? rnd(p) & 0xb3ff : 0;
	r.mtvec = RIG_RAM + 0x100;
	r.stvec = RIG_RAM + 0x201;
	r.mepc = r.sepc = CODE + 0x40;
	r.menvcfg = r.senvcfg = rnd(p);
	r.mcounteren = r.scounteren = rnd(p);
	r.pmpaddr[0] = UINT64_MAX;
	r.pmpcfg[0] = 0x1f;
	cpu_riscv64.reset(p->ir.cpu);
	assert_int_equal(cpu_riscv64.set(p->direct.cpu, RV_REGS_ALL, &r), 0);
	assert_int_equal(cpu_riscv64.set(p->ir.cpu, RV_REGS_ALL, &r), 0);
}

/* A word that some line of the text describes, or nearly. */
static uint32_t random_word(struct pair *p)
{
	unsigned n = below(p, ARRAY_LEN(rv_patterns));
	uint32_t word = ((uint32_t)rnd(p) & ~rv_patterns[n].mask) | rv_patterns[n].want;
	uint32_t opcode = word & 0x7f;

	if (rv_patterns[n].width == 16)
		return word & 0xffff;
	if (below(p, 32) == 0)
		word ^= 1u << (7 + below(p, 25));
	/* Mostly small offsets, so that accesses stay near what is mapped. */
	if ((opcode == 0x03 || opcode == 0x07 || opcode == 0x23 || opcode == 0x27) && below(p, 4))
		word &= opcode & 0x20 ? 0x03ffffff : 0x0fffffff;
	return word;
}

static enum rv_op op_of(uint32_t word)
{
	struct rv_args a;

	return (word & 3) == 3 ? rv_decode32(word, &a) : rv_decode16(word, &a);
}

static void compare(struct pair *p, const char *what, uint32_t word)
{
	const struct field *f;
	struct rv_regs a, b;
	unsigned i;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	cpu_riscv64.get(p->direct.cpu, RV_REGS_ALL, &a);
	cpu_riscv64.get(p->ir.cpu, RV_REGS_ALL, &b);
	for (f = cpu_riscv64.regs; f->name; f++)
		for (i = 0; i < f->count; i++) {
			size_t at = f->offset + (size_t)i * f->size;

			if (memcmp((char *)&a + at, (char *)&b + at, f->size))
				fail_msg("%s %08x (%s): %s[%u] is %" PRIx64
					 " when executed, %" PRIx64 " through IR",
				    what, word, rv_names[op_of(word)], f->name, i,
				    get_le((char *)&a + at, f->size),
				    get_le((char *)&b + at, f->size));
		}
	assert_int_equal(rv_retired(p->direct.s), rv_retired(p->ir.s));
	assert_memory_equal(p->direct.dev, p->ir.dev, sizeof p->ir.dev);
}

static void compare_memory(struct pair *p)
{
	if (memcmp(p->direct.ram, p->ir.ram, RIG_SIZE))
		fail_msg("memory differs");
}

static void single_instructions(void **state)
{
	struct pair *p = *state;
	struct exit x;
	unsigned i;

	for (i = 0; i < SINGLE; i++) {
		uint32_t word = random_word(p);

		if (i % 64 == 0) {
			compare_memory(p);
			make_tables(p);
		}
		random_state(p);
		both_put(p, p->ir.s->pc, word, 4);
		cpu_riscv64.run(p->direct.cpu, &x, 1);
		step_ir(p->ir.s, 1);
		compare(p, "word", word);
		p->seen[op_of(word)] = true;
	}
	for (i = 0; i < RV_NOPS; i++)
		if (!p->seen[i])
			fail_msg("%s never came up", rv_names[i]);
}

/* What can stand in a block and leave it only by a side exit or a fault. */
static uint32_t random_inner_word(struct pair *p)
{
	enum { INNER_next = 1, INNER_branch = 1, INNER_jump = 0, INNER_jump_to = 0, INNER_end = 0 };
	static const bool inner[] = {
#define X(op, kind) INNER_##kind,
		RV_OPS(X)
#undef X
	};
	uint32_t word;

	do
		word = random_word(p);
	while (!inner[op_of(word)]);
	return word;
}

static void run_blocks(struct pair *p, ir_pass *pass)
{
	struct exit x;
	unsigned i, n;

	for (i = 0; i < BLOCKS; i++) {
		uint32_t word = 0;
		uint64_t at;

		compare_memory(p);
		make_tables(p);
		random_state(p);
		at = p->ir.s->pc;
		for (n = 0; n < BLOCK; n++) {
			word = random_inner_word(p);
			both_put(p, at, word, 4);
			at += (word & 3) == 3 ? 4 : 2;
		}
		step_attend(p->ir.s);
		n = step_block(p->ir.s, &p->block, BLOCK, pass);
		step_attend(p->ir.s);
		p->ir.s->reserved = false;
		cpu_riscv64.run(p->direct.cpu, &x, n);
		compare(p, "block ending in", word);
	}
	compare_memory(p);
}

static void blocks(void **state)
{
	run_blocks(*state, NULL);
}

static void quickly_optimised_blocks(void **state)
{
	run_blocks(*state, ir_pass_find("quick"));
}

static void fully_optimised_blocks(void **state)
{
	run_blocks(*state, ir_pass_find("full"));
}

static int setup(void **state)
{
	struct pair *p = malloc(sizeof *p);

	assert_non_null(p);
	memset(p->seen, 0, sizeof p->seen);
	p->random = 0x9e3779b97f4a7c15;
	rig_new(&p->direct, false, false);
	rig_new(&p->ir, false, false);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	rig_free(&p->direct);
	rig_free(&p->ir);
	free(p);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(single_instructions, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(quickly_optimised_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(fully_optimised_blocks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
