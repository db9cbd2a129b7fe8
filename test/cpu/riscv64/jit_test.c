/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random loops do the same when they are interpreted and when they are compiled: instruction by
 * instruction, and as paths, with all that the host has, and for an old one.  They are made of what
 * the generator and the passes treat specially, on few registers, with NaNs of all kinds, accesses
 * that cross pages, and some that fault.  Once more where pages that follow each other are in no
 * such order in the host's memory, so often that code is compiled again for it.  LODGE_BLOCKS: how
 * many; LODGE_SEED.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/state.h"
#include "jit/jit.h"
#include "test/cpu/riscv64/rig.h"

enum { LOOPS = 3000, LONG = 5 /* of them one */, BODY = 24, COUNTER = 31, FEW = 64 };

#define CODE  (RIG_RAM + 0x40000)
#define DATA  (RIG_RAM + 0x8000)
#define TABLE (RIG_RAM + 0x30000)
#define STOP  (RIG_RAM + 0x100)
#define AGAIN 0x0000006f /* j . */

struct pair {
	struct rig direct, jit;
	uint64_t random;
	bool paged;
	unsigned turns; /* of the loop */
	uint32_t code[BODY + 3];
	unsigned n;
};

/* Instructions, and which bits are for registers and immediates: I: rd, rs1 and 12 bits; R: rd, rs1
 * and rs2; R4: and rs3; U: rd and rs1; S: a shift of 6 bits, W: of 5. */
enum form { R, R4, U, I, S, W, LOAD, STORE, BRANCH };

/* clang-format off */
static const struct {
	uint32_t word;
	uint8_t form;
} insns[] = {
	/* add, sub, slt, sltu, xor, or, and, addw, subw, sh1add, sh2add, sh3add */
	{ 0x33, R }, { 0x40000033, R }, { 0x2033, R }, { 0x3033, R }, { 0x4033, R }, { 0x6033, R },
	{ 0x7033, R }, { 0x3b, R }, { 0x4000003b, R }, { 0x20002033, R }, { 0x20004033, R },
	{ 0x20006033, R },
	/* mul, mulh, mulhsu, mulhu, mulw, div, divu, rem, remu; mul and mulhu again */
	{ 0x02000033, R }, { 0x02001033, R }, { 0x02002033, R }, { 0x02003033, R },
	{ 0x0200003b, R }, { 0x02004033, R }, { 0x02005033, R }, { 0x02006033, R },
	{ 0x02007033, R }, { 0x02000033, R }, { 0x02003033, R },
	/* rol, ror, rolw, rorw, sll, srl, sllw, srlw */
	{ 0x60001033, R }, { 0x60005033, R }, { 0x6000103b, R }, { 0x6000503b, R }, { 0x1033, R },
	{ 0x5033, R }, { 0x103b, R }, { 0x503b, R },
	/* addi, andi, addiw (thrice), slli, srli, srai, slliw, srliw, sraiw, rori, roriw */
	{ 0x13, I }, { 0x7013, I }, { 0x1b, I }, { 0x1b, I }, { 0x1b, I }, { 0x1013, S },
	{ 0x5013, S }, { 0x40005013, S }, { 0x101b, W }, { 0x501b, W }, { 0x4000501b, W },
	{ 0x60005013, S }, { 0x6000501b, W },
	/* lb, lw, ld, lbu, lwu, sb, sw, sd (twice), flw, fld, fsw, fsd */
	{ 0x0003, LOAD }, { 0x2003, LOAD }, { 0x3003, LOAD }, { 0x4003, LOAD }, { 0x6003, LOAD },
	{ 0x0023, STORE }, { 0x2023, STORE }, { 0x3023, STORE }, { 0x3023, STORE },
	{ 0x2007, LOAD }, { 0x3007, LOAD }, { 0x2027, STORE }, { 0x3027, STORE },
	/* fadd, fsub, fmul, fdiv of singles, of doubles; fsqrt */
	{ 0x00007053, R }, { 0x08007053, R }, { 0x10007053, R }, { 0x18007053, R },
	{ 0x02007053, R }, { 0x0a007053, R }, { 0x12007053, R }, { 0x1a007053, R },
	{ 0x58007053, U }, { 0x5a007053, U },
	/* fmadd, fmsub, fnmsub, fnmadd, of both */
	{ 0x7043, R4 }, { 0x7047, R4 }, { 0x704b, R4 }, { 0x704f, R4 }, { 0x02007043, R4 },
	{ 0x02007047, R4 }, { 0x0200704b, R4 }, { 0x0200704f, R4 },
	/* fsgnj, fsgnjn, fsgnjx, fmin, fmax, feq, flt, fle, of both */
	{ 0x20000053, R }, { 0x20001053, R }, { 0x20002053, R }, { 0x28000053, R },
	{ 0x28001053, R }, { 0xa0002053, R }, { 0xa0001053, R }, { 0xa0000053, R },
	{ 0x22000053, R }, { 0x22001053, R }, { 0x22002053, R }, { 0x2a000053, R },
	{ 0x2a001053, R }, { 0xa2002053, R }, { 0xa2001053, R }, { 0xa2000053, R },
	/* fcvt.s.d, fcvt.d.s, fcvt.w.s, fcvt.l.d, fcvt.wu.d, fcvt.s.w, fcvt.d.l, fcvt.l.d of a mode */
	{ 0x40107053, U }, { 0x42007053, U }, { 0xc0001053, U }, { 0xc2207053, U },
	{ 0xc2101053, U }, { 0xd0007053, U }, { 0xd2207053, U }, { 0xc2202053, U },
	/* fmv.x.w, fmv.x.d, fmv.w.x, fmv.d.x, fclass.d */
	{ 0xe0000053, U }, { 0xe2000053, U }, { 0xf0000053, U }, { 0xf2000053, U },
	{ 0xe2001053, U },
	/* beq, bne, blt, bgeu: over one instruction */
	{ 0x0463, BRANCH }, { 0x1463, BRANCH }, { 0x4463, BRANCH }, { 0x7463, BRANCH },
};
/* clang-format on */

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

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Some that have host registers and some that have none; x10 to x13 point to memory. */
static uint32_t reg(struct pair *p)
{
	static const uint8_t regs[] = { 8, 9, 14, 15, 5, 6, 16, 17, 28, 0 };

	return regs[below(p, ARRAY_LEN(regs))];
}

static uint32_t base(struct pair *p)
{
	return below(p, 200) ? 10 + below(p, 4) : reg(p);
}

static uint32_t random_word(struct pair *p)
{
	unsigned n = below(p, ARRAY_LEN(insns));
	uint32_t word = insns[n].word, imm = (uint32_t)rnd(p);

	if (insns[n].word == 0x13 && below(p, 2)) { /* a pointer goes on */
		n = 10 + below(p, 4);
		return word | n << 7 | n << 15 | (imm & 0x1f) << 20;
	}
	if (insns[n].form == BRANCH)
		return word | reg(p) << 15 | reg(p) << 20;
	if (insns[n].form == STORE)
		return word | (imm & 0x1f) << 7 | base(p) << 15 | reg(p) << 20;
	word |= reg(p) << 7;
	if (insns[n].form == LOAD)
		return word | base(p) << 15 | (imm & 0x3f) << 20;
	word |= (below(p, 8) ? reg(p) : 10 + below(p, 4)) << 15;
	switch (insns[n].form) {
	case R:
		return word | reg(p) << 20;
	case R4:
		return word | reg(p) << 20 | reg(p) << 27;
	case I:
		return word | imm << 20;
	case S:
		return word | (imm & 63) << 20;
	case W:
		return word | (imm & 31) << 20;
	default:
		return word;
	}
}

static void both_write(struct pair *p, uint64_t pa, const void *from, size_t len)
{
	assert_int_equal(mem_write(p->direct.mem, pa, from, len), 0);
	assert_int_equal(mem_write(p->jit.mem, pa, from, len), 0);
}

/* andi, slli, add to a base; a load or store there. */
static unsigned table_access(struct pair *p, uint32_t *to)
{
	static const uint32_t words[] = { 0x2003, 0x3003, 0x4003, 0x2023, 0x3023 };
	const uint32_t t = reg(p), d = reg(p), word = words[below(p, ARRAY_LEN(words))];

	to[0] = 0x7013 | t << 7 | reg(p) << 15 | ((1u << below(p, 8)) - 1) << 20;
	to[1] = 0x1013 | t << 7 | t << 15 | below(p, 4) << 20;
	to[2] = 0x33 | t << 7 | t << 15 | base(p) << 20;
	to[3] = word | t << 15 | (word & 0x20 ? d << 20 : d << 7);
	return 4;
}

/* The body, addi x31, x31, -1; bnez x31 to its start; j . */
static void random_loop(struct pair *p)
{
	uint8_t bytes[4 * ARRAY_LEN(p->code)];
	uint32_t back;
	unsigned i;

	p->n = 4 + below(p, BODY - 4);
	for (i = 0; i < p->n;) {
		if (i + 4 <= p->n && below(p, 16) == 0)
			i += table_access(p, &p->code[i]);
		else
			p->code[i++] = random_word(p);
	}
	back = -4 * (p->n + 1);
	p->code[p->n] = 0xffff8f93;
	p->code[p->n + 1] = 0x000f9063 | (back >> 12 & 1) << 31 | (back >> 5 & 0x3f) << 25 |
			    (back >> 1 & 15) << 8 | (back >> 11 & 1) << 7;
	p->code[p->n + 2] = AGAIN;
	for (i = 0; i < p->n + 3; i++)
		put_le(bytes + 4 * i, p->code[i], 4);
	both_write(p, CODE, bytes, 4 * (p->n + 3));
}

static uint64_t random_f(struct pair *p)
{
	static const uint64_t special[] = { 0, 1ull << 63, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff0000000000001, 0xfff8000000000123, 0x3ff0000000000000, 1,
		0xffffffff00000000, 0xffffffff7f800000, 0xffffffff7fc00000, 0xffffffff7f800001,
		0xffffffffffc12345, 0xffffffff3f800000, 0xffffffff40000001, 0x4000000000000001 };

	switch (below(p, 8)) {
	case 0:
		return rnd(p);
	case 1:
		return rnd(p) | ~0ull << 32;
	default:
		return special[below(p, ARRAY_LEN(special))];
	}
}

static uint64_t random_x(struct pair *p)
{
	switch (below(p, 4)) {
	case 0:
		return (uint64_t)(int64_t)(int32_t)rnd(p);
	case 1:
		return rnd(p) >> below(p, 64);
	default:
		return rnd(p);
	}
}

/* Mostly near the end of a page. */
static uint64_t random_base(struct pair *p)
{
	if (below(p, 40) == 0)
		return below(p, 2) ? RIG_DEV : RIG_HOLE;
	return DATA + 0x1000 * (uint64_t)below(p, 3) + (below(p, 3) ? 0x200u : 0xfc0u) +
	       (below(p, 2) ? 8 * below(p, 12) : below(p, 96));
}

static void random_state(struct pair *p)
{
	static const uint8_t modes[] = { RV_S, RV_M };
	uint8_t data[256];
	struct rv_regs r;
	unsigned i;

	cpu_riscv64.reset(p->direct.cpu);
	cpu_riscv64.get(p->direct.cpu, RV_REGS_ALL, &r);
	for (i = 1; i < 32; i++)
		r.x[i] = i >= 10 && i < 14 ? random_base(p) : random_x(p);
	for (i = 0; i < 32; i++)
		r.f[i] = random_f(p);
	for (i = 0; i < sizeof data / 8; i++)
		put_le(data + 8 * i, random_f(p), 8);
	both_write(p, DATA + 0x200, data, sizeof data);
	both_write(p, DATA + 0xf80, data, sizeof data);
	r.x[COUNTER] = p->turns;
	r.fcsr = below(p, 8) ? below(p, 4) << 5 | below(p, 32) : below(p, 256);
	for (i = 0; i < ARRAY_LEN(r.v); i++)
		r.v[i] = below(p, 2) ? random_f(p) : rnd(p);
	r.vtype = below(p, 8) ? below(p, 32) : rnd(p);
	r.vl = below(p, 2) ? 128 : below(p, 128);
	r.vstart = below(p, 8) ? 0 : below(p, 128);
	r.vcsr = below(p, 8);
	r.pc = CODE;
	r.mode = p->paged ? RV_S : modes[below(p, 2)];
	r.satp = p->paged ? 8ull << 60 | TABLE >> MEM_PAGE_BITS : 0;
	r.mstatus |= MSTATUS_FS | (below(p, 8) ? MSTATUS_VS : 0);
	r.mtvec = STOP;
	r.pmpaddr[0] = UINT64_MAX;
	r.pmpcfg[0] = 0x1f;
	cpu_riscv64.reset(p->jit.cpu);
	assert_int_equal(cpu_riscv64.set(p->direct.cpu, RV_REGS_ALL, &r), 0);
	assert_int_equal(cpu_riscv64.set(p->jit.cpu, RV_REGS_ALL, &r), 0);
}

static void differs(struct pair *p, const char *what, unsigned i, uint64_t a, uint64_t b)
{
	char text[16 * ARRAY_LEN(p->code)];
	size_t len = 0;
	unsigned n;

	for (n = 0; n < p->n + 3; n++)
		len += (size_t)snprintf(text + len, sizeof text - len, " %08x", p->code[n]);
	fail_msg("%s[%u] is %" PRIx64 " when interpreted, %" PRIx64 " when compiled:%s", what, i, a,
	    b, text);
}

static void compare(struct pair *p)
{
	const struct field *f;
	struct rv_regs a, b;
	unsigned i;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	cpu_riscv64.get(p->direct.cpu, RV_REGS_ALL, &a);
	cpu_riscv64.get(p->jit.cpu, RV_REGS_ALL, &b);
	for (f = cpu_riscv64.regs; f->name; f++)
		for (i = 0; i < f->count; i++) {
			size_t at = f->offset + (size_t)i * f->size;

			if (memcmp((char *)&a + at, (char *)&b + at, f->size))
				differs(p, f->name, i, get_le((char *)&a + at, f->size),
				    get_le((char *)&b + at, f->size));
		}
	assert_int_equal(rv_retired(p->direct.s), rv_retired(p->jit.s));
	assert_memory_equal(p->direct.dev, p->jit.dev, sizeof p->jit.dev);
	assert_memory_equal(
	    p->direct.ram + (DATA - RIG_RAM), p->jit.ram + (DATA - RIG_RAM), 0x10000);
}

/* The interpreter counts exactly if there are few. */
static void run_both(struct pair *p, unsigned turn)
{
	unsigned n, rest;
	struct exit x = { 0 };

	cpu_riscv64.run(p->jit.cpu, &x, turn);
	for (rest = turn; rest; rest -= n) {
		n = rest < FEW ? rest : FEW;
		x = (struct exit){ 0 };
		cpu_riscv64.run(p->direct.cpu, &x, n);
	}
}

static void run(struct pair *p)
{
	const uint64_t loops = number("LODGE_BLOCKS", LOOPS);
	uint64_t i;

	for (i = 0; i < loops; i++) {
		if (i % 4 == 0)
			random_loop(p);
		p->turns = p->paged && i % LONG == 0 ? 1000 : 2 + below(p, 20);
		random_state(p);
		run_both(p, FEW + 1 + below(p, (p->turns + 10) * (p->n + 2)));
		compare(p);
	}
}

/* RAM where it is, but of each two pages of the data the second one first; devices and holes. */
static void make_tables(struct pair *p)
{
	enum { V = 1, ALL = 0xcf /* D, A, X, W, R, V */ };
	uint64_t page;

	for (page = 0; page < 512; page++) {
		const uint64_t pa = RIG_RAM + page * MEM_PAGE;
		const bool data = pa >= DATA && pa < DATA + 0x8000;
		const uint64_t pte = (data ? pa ^ MEM_PAGE : pa) >> 2 | ALL;

		both_write(p, TABLE + 0x2000 + 8 * page, &pte, 8);
	}
	both_write(p, TABLE + 0, &(uint64_t){ ALL }, 8);
	both_write(p, TABLE + 8 * 2, &(uint64_t){ (TABLE + 0x1000) >> 2 | V }, 8);
	both_write(p, TABLE + 0x1000, &(uint64_t){ (TABLE + 0x2000) >> 2 | V }, 8);
}

static void start(struct pair *p, bool paths, bool baseline)
{
	struct cpu_env *env = &p->jit.env;
	struct err e = { "" };

	env->jit = true;
	env->eager = !paths;
	env->paths = paths;
	env->baseline = baseline;
	assert_true(rig_renew(&p->jit, &e));
	run(p);
}

static void units(void **state)
{
	start(*state, false, false);
}

static void paths(void **state)
{
	start(*state, true, false);
}

static void units_for_an_old_host(void **state)
{
	start(*state, false, true);
}

static void paths_for_an_old_host(void **state)
{
	start(*state, true, true);
}

static void across(void **state)
{
	struct pair *p = *state;

	p->paged = true;
	make_tables(p);
	start(p, false, false);
}

static void paths_across(void **state)
{
	struct pair *p = *state;

	p->paged = true;
	make_tables(p);
	start(p, true, false);
}

static int setup(void **state)
{
	static const uint8_t again[4] = { AGAIN };
	struct pair *p = malloc(sizeof *p);

	assert_non_null(p);
	p->paged = false;
	p->random = number("LODGE_SEED", 0x9e3779b97f4a7c15);
	rig_new(&p->direct, false, false);
	rig_new(&p->jit, false, false);
	both_write(p, STOP, again, sizeof again);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	rig_free(&p->direct);
	rig_free(&p->jit);
	free(p);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(units), TEST(paths), TEST(units_for_an_old_host),
		TEST(paths_for_an_old_host), TEST(across), TEST(paths_across) };

	if (!jit_supported())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
