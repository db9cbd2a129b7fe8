/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One meaning for all ways to execute: random worlds run on the interpreter, through the IR
 * interpreter, and compiled in several ways, one with a thread that takes its time, and must come
 * out the same: registers, CSRs, counts, memory, devices.
 *
 * A world is a few pages of random code with loops, calls, jumps from page to page and
 * instructions that cross them; data pages with all kinds of permissions, devices, holes, PMP
 * entries; handlers that go on behind what traps.  It is run from several random states, each time
 * for a random number of instructions.  Physically: data at the start of RAM, then handlers, page
 * tables, code.  Virtually: 32 pages at DATA that lead anywhere in the data, RAM as it is (for S
 * mode), code at CODE.  Code is not writable where it is executed, but through aliases at the top
 * of the address space, with a FENCE.I behind: so no old code may be seen.  (Where M mode, or S
 * mode in RAM as it is, jumps into data that was written, it may be.)
 *
 * LODGE_SEED=N begins with that world, LODGE_WORLDS=N makes so many; what fails names the seed, and
 * LODGE_STEPS=1 prints what is executed.
 */
#define RV_NAMES
#define RV_PATTERNS
#include <inttypes.h>
#include <stdio.h>

#include "core/state.h"
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/jit.h"
#include "jit/jit.h"
#include "test/cpu/riscv64/step.h"

#define HANDLERS (RIG_RAM + 0x20000) /* for M mode, and 0x100 behind it for S mode */
#define TABLES   (RIG_RAM + 0x30000)
#define FRAMES   (RIG_RAM + 0x40000) /* of code */
#define DATA     0x40000000ull
#define CODE     0x100000000ull

enum {
	WORLDS = 500, /* as many as are tried unless LODGE_WORLDS says otherwise */
	STATES = 6,   /* of a world */
	DATA_SIZE = 0x10000,
	DATA_PAGES = 32, /* virtual */
	EXECUTABLE_FRAMES = 3,
	CODE_PAGES = 3,
	TRAIL = 16,
	CODE_SIZE = CODE_PAGES * MEM_PAGE,
	NPATTERNS = ARRAY_LEN(rv_patterns),
};

enum way { DIRECT, IR, JIT, BASELINE, PATHS, BACKGROUND, SPARING, WAYS };

static const char *const way_names[] = { "direct", "IR", "compiled", "compiled for old hosts",
	"compiled by paths", "compiled by paths in the background", "with little memory" };

struct world {
	struct rig rig[WAYS];
	struct ir_block block;
	uint64_t seed, random;
	unsigned mode;
	bool paged;
	bool split; /* PMP cuts a page in two */
	struct rv_regs reset;
	bool steps;
	unsigned weight[NPATTERNS + 1]; /* sums */
	uint64_t instructions, blocks;
	uint64_t pc[TRAIL], npcs; /* executed last */
};

static uint64_t rnd(struct world *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random * 0x2545f4914f6cdd1d;
}

static unsigned below(struct world *w, unsigned n)
{
	return (unsigned)((rnd(w) >> 33) % n);
}

/* For everybody. */
static void put(struct world *w, uint64_t pa, uint64_t val, unsigned size)
{
	uint8_t bytes[8];
	unsigned i;

	put_le(bytes, val, size);
	for (i = 0; i < WAYS; i++)
		mem_write(w->rig[i].mem, pa, bytes, size);
}

/* Words -------------------------------------------------------------------------------------- */

static enum rv_op op_of(uint32_t word)
{
	struct rv_args a;

	return (word & 3) == 3 ? rv_decode32(word, &a) : rv_decode16(word, &a);
}

/* How often an opcode comes up, about as in compiled programs; the many forms of floating point and
 * of bit operations make up for small numbers. */
static unsigned weight_of(unsigned n)
{
	enum { LOAD = 0x03, LOAD_FP = 0x07, MISC_MEM = 0x0f, STORE = 0x23, STORE_FP = 0x27 };
	enum { AMO = 0x2f, BRANCH = 0x63, JALR = 0x67, JAL = 0x6f, SYSTEM = 0x73 };
	uint32_t want = rv_patterns[n].want;

	if (rv_patterns[n].width == 16)
		return 12;
	switch (want & 0x7f) {
	case LOAD:
	case STORE:
		return 14;
	case BRANCH:
		return 12;
	case LOAD_FP:
	case STORE_FP:
	case JAL:
		return 10;
	case JALR:
		return 16;
	case MISC_MEM:
		return 2;
	case AMO:
		return 2;
	case SYSTEM:
		return (want >> 12 & 7) ? 4 : 1;
	default:
		return 4;
	}
}

static void make_weights(struct world *w)
{
	unsigned n;

	w->weight[0] = 0;
	for (n = 0; n < NPATTERNS; n++)
		w->weight[n + 1] = w->weight[n] + weight_of(n);
}

static unsigned pick_pattern(struct world *w)
{
	unsigned at = below(w, w->weight[NPATTERNS]), low = 0, high = NPATTERNS;

	while (high - low > 1) {
		unsigned mid = (low + high) / 2;

		if (w->weight[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static uint32_t with_csr(struct world *w, uint32_t word)
{
	static const uint16_t csrs[] = { 1, 2, 3, 1, 2, 3, 3, 0x100, 0x300, 0x140, 0x340, 0x144,
		0xc00, 0xc02, 0xb02, 0x008, 0x009, 0x00f, 0xc20, 0xc21, 0xc01, 0x104, 0x180, 0x143,
		0x343, 0x344 };

	if (!below(w, 8))
		return word;
	return (word & 0xfffff) | (uint32_t)csrs[below(w, ARRAY_LEN(csrs))] << 20;
}

static uint32_t branch_by(uint32_t word, int32_t d)
{
	uint32_t u = (uint32_t)d;

	return (word & 0x01fff07f) | (u >> 12 & 1) << 31 | (u >> 5 & 63) << 25 |
	       (u >> 1 & 15) << 8 | (u >> 11 & 1) << 7;
}

static uint32_t jump_by(uint32_t word, int32_t d)
{
	uint32_t u = (uint32_t)d;

	return (word & 0xfff) | (u >> 20 & 1) << 31 | (u >> 1 & 0x3ff) << 21 | (u >> 11 & 1) << 20 |
	       (u >> 12 & 0xff) << 12;
}

/* A distance to somewhere in the code, mostly near and back as often as on. */
static int32_t distance(struct world *w)
{
	if (below(w, 8))
		return 2 * ((int32_t)below(w, 64) - 32);
	return 2 * ((int32_t)below(w, 2400) - 1200);
}

/* A word that some line of the text describes, or nearly. */
static uint32_t random_word(struct world *w)
{
	unsigned n = pick_pattern(w);
	uint32_t word = ((uint32_t)rnd(w) & ~rv_patterns[n].mask) | rv_patterns[n].want;

	if (rv_patterns[n].width == 16)
		return word & 0xffff;
	if (below(w, 128) == 0)
		return word ^ 1u << (7 + below(w, 25));
	switch (word & 0x7f) {
	case 0x03: /* loads and stores stay near what is mapped */
	case 0x07:
		return below(w, 8) ? word & 0x0fffffff : word;
	case 0x23:
	case 0x27:
		return below(w, 8) ? word & 0x03ffffff : word;
	case 0x63:
		return branch_by(word, distance(w));
	case 0x67:
		return below(w, 8) ? word & 0x03ffffff : word;
	case 0x6f:
		return jump_by(word, distance(w));
	case 0x73:
		return word >> 12 & 7 && (word >> 12 & 7) != 4 ? with_csr(w, word) : word;
	default:
		return word;
	}
}

/* Copies a word of code over another one, with FENCE.I; 5 words. */
static unsigned put_code_writer(struct world *w, uint64_t at)
{
	uint32_t from = 4 * below(w, 500), to = 4 * below(w, 500);
	uint32_t alias = (w->mode == RV_U ? 0xc0040 : 0x80040) + below(w, CODE_PAGES);
	const uint32_t words[] = {
		alias << 12 | 28 << 7 | 0x37,   /* lui x28, alias */
		from << 20 | 28 << 15 | 0x2e83, /* lw x29, from(x28) */
		(to >> 5) << 25 | 29 << 20 | 28 << 15 | 2 << 12 | (to & 31) << 7 | 0x23,
		0x00000e13, /* li x28, 0 */
		0x0000100f, /* fence.i */
	};
	uint64_t near = (at - FRAMES) & (MEM_PAGE - 1);
	unsigned i;

	/* Not what is between the store and the fence, in this page or the next. */
	if (to + 4 > near && to < near + sizeof words)
		return 0;
	if (to + MEM_PAGE < near + sizeof words)
		return 0;
	for (i = 0; i < ARRAY_LEN(words); i++)
		put(w, at + 4 * i, words[i], 4);
	return sizeof words;
}

static void make_code(struct world *w)
{
	uint64_t at = FRAMES, end = FRAMES + CODE_SIZE;
	uint32_t word;
	unsigned len;

	/* Not all of the pages: code that is never executed costs time, too. */
	while (at < end) {
		if (below(w, 40) == 0 && at + 32 < end) {
			at += put_code_writer(w, at);
			continue;
		}
		word = random_word(w);
		len = (word & 3) == 3 ? 4 : 2;
		if (at + len > end)
			len = 2;
		put(w, at, word, len);
		at += len;
		if ((at & (MEM_PAGE - 1)) == 0x300)
			at += 0xce2 - below(w, 2) * 2; /* the rest is what was there before */
	}
}

/* Memory ------------------------------------------------------------------------------------- */

/* Behind the instruction that trapped, somewhere in the first two pages of the code; x30 and x31
 * are the handler's. */
static void make_handlers(struct world *w)
{
	static const uint32_t handler[] = {
		0x34102ff3, /* csrr x31, mepc */
		0x004f8f93, /* addi x31, x31, 4 */
		0x033f9f93, /* slli x31, x31, 51 */
		0x033fdf93, /* srli x31, x31, 51 */
		0x34002f73, /* csrr x30, mscratch */
		0x01efefb3, /* or x31, x31, x30 */
		0x341f9073, /* csrw mepc, x31 */
		0x30200073, /* mret */
	};
	unsigned i;
	uint32_t word;

	for (i = 0; i < ARRAY_LEN(handler); i++) {
		word = handler[i];
		put(w, HANDLERS + 4 * i, word, 4);
		if ((word & 0x7f) == 0x73)
			word ^= 0x20000000; /* sepc, sscratch, sret */
		put(w, HANDLERS + 0x100 + 4 * i, word, 4);
	}
}

static void make_tables(struct world *w)
{
	enum {
		V = 1,
		R = 2,
		W = 4,
		X = 8,
		U = 16,
		G = 32,
		A = 64,
		D = 128,
		ALL = V | R | W | X | A | D
	};
	const uint64_t ram = RIG_RAM >> 2, user = w->mode == RV_U ? U : 0;
	unsigned i, bits, frame;

	put(w, TABLES + 8 * 0, ALL | user, 8); /* devices, holes */
	put(w, TABLES + 8 * 1, (TABLES + 0x1000) >> 2 | V, 8);
	put(w, TABLES + 8 * 2, ram | ALL, 8);
	put(w, TABLES + 8 * 4, (TABLES + 0x3000) >> 2 | V, 8);
	put(w, TABLES + 8 * 510, ram | ALL | G, 8); /* lui x28, 0x80040 and 0xc0040 */
	put(w, TABLES + 8 * 511, ram | ALL | U, 8);
	put(w, TABLES + 0x1000, (TABLES + 0x2000) >> 2 | V, 8);
	put(w, TABLES + 0x3000, (TABLES + 0x4000) >> 2 | V, 8);
	for (i = 0; i < DATA_PAGES; i++) {
		bits = below(w, 4) ? ALL | user : below(w, 256);
		frame = below(w, DATA_SIZE / MEM_PAGE);
		/* A jump into data executes what no FENCE.I is behind, if it can be written. */
		bits &= frame < EXECUTABLE_FRAMES ? ~(unsigned)W : ~(unsigned)X;
		put(w, TABLES + 0x2000 + 8 * i,
		    (RIG_RAM + 0x1000 * frame) >> 2 |
			(below(w, 8) ? bits : bits | below(w, 4) << 8),
		    8);
	}
	/* The frames of the code in any order, one of them perhaps twice; holes behind it. */
	for (i = 0; i < CODE_PAGES; i++) {
		bits = below(w, 16) ? V | R | X | A | user : V | R | below(w, 2) * (X | A) | user;
		put(w, TABLES + 0x4000 + 8 * i,
		    (FRAMES + 0x1000 * (below(w, 2) ? i : below(w, CODE_PAGES))) >> 2 | bits, 8);
	}
}

static uint64_t random_x(struct world *w)
{
	static const uint64_t special[] = { 0, 1, UINT64_MAX, INT64_MAX, 1ull << 63, 0x7fffffff,
		0x80000000, RIG_DEV, RIG_DEV, RIG_HOLE, RIG_OVER, RIG_OVER - 4 };
	uint64_t r = rnd(w);

	switch (r & 15) {
	case 0:
		return special[below(w, ARRAY_LEN(special))];
	case 1:
		return below(w, 64);
	case 2:
		return r;
	case 3:
		return (uint64_t)(int64_t)(int32_t)(r >> 32);
	case 4:
	case 5:
		return RIG_RAM + below(w, DATA_SIZE - 0x100) / 16 * 16;
	case 6:
	case 7:
	case 8:
		return (w->paged ? CODE : FRAMES) + 2 * below(w, CODE_SIZE / 2);
	case 9:
		return DATA + (1 + below(w, DATA_PAGES)) * 0x1000 - below(w, 16);
	case 10:
		return DATA + below(w, DATA_PAGES << MEM_PAGE_BITS);
	default:
		return DATA + below(w, DATA_PAGES << MEM_PAGE_BITS) / 8 * 8;
	}
}

static uint64_t random_f(struct world *w)
{
	static const uint64_t special[] = { 0, 1ull << 63, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff0000000000001, 0x3ff0000000000000, 1, 0x0010000000000000,
		0xffffffff00000000, 0xffffffff7f800000, 0xffffffff7fc00000, 0xffffffff7f800001,
		0xffffffff3f800000, 0xffffffff00800000, 0xffffffff00000001, 0xffffffffffff0000,
		0xffffffffffff7c00, 0xffffffffffff7e00, 0xffffffffffff3c00, 0xffffffffffff0001 };
	uint64_t r = rnd(w);

	switch (below(w, 8)) {
	case 0:
		return special[below(w, ARRAY_LEN(special))];
	case 1:
		return r;
	case 2: /* near 1, few bits */
		return 0x3fc0000000000000 + (r >> 14 << 46 & 0x00ffffffffffffff);
	case 3:
		return 0x3fe0000000000000 + (r >> 10);
	case 4:
		return ~0ull << 32 | (0x3e000000 + (r >> 38));
	case 5:
		return ~0ull << 32 | (0x3f000000 + (r >> 40 << 12 & 0x01ffffff));
	case 6:
		return r | ~0ull << 32;
	default:
		return r | ~0ull << 16;
	}
}

static void random_vectors(struct world *w, struct rv_regs *r)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(r->v); i++)
		r->v[i] = below(w, 2) ? random_f(w) : rnd(w);
	r->vtype = below(w, 8) ? below(w, 32) : rnd(w);
	r->vl = below(w, 2) ? 128 : below(w, 128);
	r->vstart = below(w, 8) ? 0 : below(w, 128);
	r->vcsr = below(w, 8);
}

/* Code cannot be written where it is executed; what is open to whom. */
static void random_pmp(struct world *w, struct rv_regs *r)
{
	const uint64_t napot_16k = 0x7ff;
	const unsigned locked = w->mode == RV_M ? 0x80 : 0;
	unsigned cfg = 0x1f;

	r->pmpaddr[1] = UINT64_MAX;
	w->split = w->paged && below(w, 32) == 0;
	if (w->split) { /* half of a page of data, or of code, is another matter */
		r->pmpaddr[0] =
		    ((below(w, 2) ? RIG_RAM : FRAMES) + 0x800 * below(w, 16)) >> 2 | 0xff;
		r->pmpcfg[0] = 0x18 | 4 | below(w, 2) | cfg << 8;
	} else {
		r->pmpaddr[0] = cfg;
		r->pmpcfg[0] = cfg << 8;
	}
	if (w->paged)
		return;
	r->pmpaddr[0] = FRAMES >> 2 | napot_16k; /* may be read and executed, even in M mode */
	r->pmpcfg[0] = (0x18 | 5 | locked) | cfg << 8;
}

static uint64_t random_mstatus(struct world *w)
{
	uint64_t m = rnd(w) & ~(MSTATUS_MPRV | MSTATUS_TSR | MSTATUS_TVM | MSTATUS_TW);

	m = (m & ~MSTATUS_MPP) | (uint64_t)w->mode << 11;
	m = w->mode == RV_U ? m & ~MSTATUS_SPP : m | MSTATUS_SPP;
	if (below(w, 8))
		m |= MSTATUS_FS;
	if (below(w, 8))
		m |= MSTATUS_VS;
	if (below(w, 16) == 0)
		m |= rnd(w) & (MSTATUS_MPRV | MSTATUS_TSR | MSTATUS_TVM | MSTATUS_TW);
	return m;
}

static void random_state(struct world *w)
{
	const uint64_t code = w->paged ? CODE : FRAMES;
	struct rv_regs r;
	unsigned i;

	r = w->reset;
	for (i = 1; i < 32; i++)
		r.x[i] = random_x(w);
	r.x[28] = 0;
	for (i = 0; i < 32; i++)
		r.f[i] = random_f(w);
	random_vectors(w, &r);
	r.fcsr = below(w, 8) ? below(w, 5) << 5 | below(w, 32) : below(w, 256);
	r.pc = code + 2 * (uint64_t)below(w, below(w, 2) ? 0x180 : CODE_SIZE / 2);
	r.mode = (uint8_t)w->mode;
	r.mstatus = random_mstatus(w);
	r.satp = w->paged ? 8ull << 60 | (uint64_t)below(w, 4) << 44 | TABLES >> MEM_PAGE_BITS : 0;
	r.medeleg = below(w, 2) ? rnd(w) & 0xb3ff : 0;
	r.mideleg = below(w, 2) ? rnd(w) & 0x222 : 0;
	r.mie = below(w, 4) ? 0 : rnd(w) & 0xaaa;
	r.mip = rnd(w) & 0x222;
	r.mtvec = HANDLERS;
	r.stvec = HANDLERS + 0x100;
	r.mscratch = r.sscratch = code;
	r.mepc = r.sepc = code + 0x40;
	r.menvcfg = r.senvcfg = rnd(w);
	r.mcounteren = r.scounteren = rnd(w);
	random_pmp(w, &r);
	for (i = 0; i < WAYS; i++) {
		w->rig[i].s->left = 0;
		w->rig[i].s->count_end = 0;
		assert_int_equal(cpu_riscv64.set(w->rig[i].cpu, RV_REGS_ALL, &r), 0);
		w->rig[i].dev[0] = w->rig[i].dev[1] = w->rig[i].touched = 0;
	}
}

static void make_world(struct world *w, uint64_t seed)
{
	static const uint8_t modes[] = { RV_U, RV_S, RV_S, RV_M };
	unsigned i;

	w->seed = seed;
	w->random = seed * 0x9e3779b97f4a7c15 + 0x1234567;
	w->random += !w->random;
	for (i = 0; i < 8; i++)
		rnd(w);
	w->mode = modes[below(w, ARRAY_LEN(modes))];
	w->paged = w->mode != RV_M && below(w, 8);
	for (i = 0; i < WAYS; i++) {
		memset(w->rig[i].ram, 0, RIG_SIZE);
		mem_written(w->rig[i].mem, RIG_RAM, RIG_SIZE);
	}
	for (i = 0; i < 64; i++)
		put(w, RIG_RAM + 8 * (uint64_t)below(w, DATA_SIZE / 8), random_x(w), 8);
	make_handlers(w);
	make_tables(w);
	make_code(w);
}

/* Running ------------------------------------------------------------------------------------ */

/* Between two instructions; false: the turn is over. */
static bool look_around(struct rv *s)
{
	uint32_t why = atomic_exchange(&s->attention, 0);

	if (why & RV_ATT_CODE)
		rv_code_attend(s);
	if (why & RV_ATT_LINES)
		rv_interrupt(s);
	return !s->halted && s->left + s->turn_rest > 0;
}

static void begin_turn(struct rv *s, uint64_t turn)
{
	uint64_t retired = rv_retired(s);

	s->left = (int64_t)turn;
	s->turn_rest = 0;
	s->count_end = retired + turn;
}

static void trapped(struct rv *s)
{
	s->left--;
	s->count_end--;
	rv_trap(s, false, s->raised_cause, s->raised_tval);
}

static void say(const char *how, struct rv *s, uint64_t left)
{
	uint32_t word = rv_word_at_pc(s);

	print_message("%s %016" PRIx64 "  %08" PRIx32 "  %-10s mode %u, %" PRIu64 " left\n", how,
	    s->pc, word, rv_names[op_of(word)], s->mode, left);
}

/* As rv_run, one by one and for as long as it says. */
static void run_direct(struct world *w, struct rv *s, uint64_t turn)
{
	begin_turn(s, turn);
	if (setjmp(s->trap) == RV_JMP_TRAP)
		trapped(s);
	while (look_around(s)) {
		uint64_t pc = w->pc[w->npcs++ % TRAIL] = s->pc;

		if (w->steps)
			say("direct", s, (uint64_t)(s->left + s->turn_rest));
		rv_run_one(s);
		w->blocks += s->pc - pc > 4;
	}
	s->reserved = false;
}

/* In blocks of a few. */
static void run_ir(struct world *w, struct rv *s, uint64_t turn)
{
	unsigned n;
	uint64_t left = turn;

	begin_turn(s, turn);
	while (look_around(s) && left) {
		n = 1 + (unsigned)(s->pc >> 1 & 7);
		if (w->split || (s->pc & (MEM_PAGE - 1)) + 4 * n > MEM_PAGE)
			n = 1;
		if (w->steps)
			say("IR    ", s, left);
		left -= step_block(s, &w->block, left < n ? (unsigned)left : n, NULL);
		s->count_end = rv_retired(s);
		s->left = 0;
		s->turn_rest = (int64_t)left; /* for look_around */
	}
	s->reserved = false;
}

static void run(struct world *w, enum way way, uint64_t turn)
{
	struct exit x = { 0 };

	if (way == DIRECT)
		run_direct(w, w->rig[way].s, turn);
	else if (way == IR)
		run_ir(w, w->rig[way].s, turn);
	else
		cpu_riscv64.run(w->rig[way].cpu, &x, turn);
}

/* Comparing ---------------------------------------------------------------------------------- */

static void differs(struct world *w, enum way way, unsigned state, const char *what)
{
	struct rv *s = w->rig[DIRECT].s;
	uint64_t i;

	for (i = w->npcs < TRAIL ? 0 : w->npcs - TRAIL; i < w->npcs; i++) {
		s->pc = w->pc[i % TRAIL];
		print_error("    %016" PRIx64 "  %08" PRIx32 "  %s\n", s->pc, rv_word_at_pc(s),
		    rv_names[op_of(rv_word_at_pc(s))]);
	}
	fail_msg("LODGE_SEED=%" PRIu64 ", state %u, mode %u: %s differ, %s from executed", w->seed,
	    state, w->mode, what, way_names[way]);
}

static void compare_registers(struct world *w, enum way way, unsigned state)
{
	const struct rig *direct = &w->rig[DIRECT], *other = &w->rig[way];
	const struct field *f;
	struct rv_regs a, b;
	unsigned i, bad = 0;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	cpu_riscv64.get(direct->cpu, RV_REGS_ALL, &a);
	cpu_riscv64.get(other->cpu, RV_REGS_ALL, &b);
	for (f = cpu_riscv64.regs; f->name && memcmp(&a, &b, sizeof a); f++)
		for (i = 0; i < f->count; i++) {
			size_t at = f->offset + (size_t)i * f->size;

			if (!memcmp((char *)&a + at, (char *)&b + at, f->size))
				continue;
			bad++;
			print_error("%s[%u] is %" PRIx64 " when executed, %" PRIx64 " %s\n",
			    f->name, i, get_le((char *)&a + at, f->size),
			    get_le((char *)&b + at, f->size), way_names[way]);
		}
	if (rv_retired(direct->s) != rv_retired(other->s))
		bad++;
	if (memcmp(direct->dev, other->dev, sizeof other->dev) || direct->touched != other->touched)
		bad++;
	if (bad)
		differs(w, way, state, "registers, counts or devices");
}

/* The slow ways, and those that differ little, have one state of each world. */
static bool is_always_tried(enum way way)
{
	return way == DIRECT || way == JIT || way == BACKGROUND;
}

static void compare_memory(struct world *w, enum way way, unsigned state)
{
	const size_t code = FRAMES - RIG_RAM, last = RIG_SIZE - MEM_PAGE;
	const uint8_t *a = w->rig[DIRECT].ram, *b = w->rig[way].ram;
	bool all = !is_always_tried(way) || state == STATES - 1;

	if (all ? memcmp(a, b, RIG_SIZE)
		: memcmp(a, b, DATA_SIZE) || memcmp(a + code, b + code, CODE_SIZE) ||
		      memcmp(a + last, b + last, MEM_PAGE))
		differs(w, way, state, "memory");
}

static bool is_tried(const struct world *w, enum way way, unsigned state)
{
	return is_always_tried(way) || (w->seed + way) % STATES == state;
}

/* Memory as the interpreter finds it. */
static void catch_up(struct world *w, enum way way)
{
	mem_write(w->rig[way].mem, RIG_RAM, w->rig[DIRECT].ram, RIG_SIZE);
}

/* Turns of up to 64 are the interpreter's. */
static void try_state(struct world *w, unsigned state)
{
	uint64_t turn = 65 + below(w, 400);
	unsigned way;

	random_state(w);
	for (way = 0; way < WAYS; way++)
		if (!is_always_tried(way) && is_tried(w, way, state))
			catch_up(w, way);
	for (way = 0; way < WAYS; way++) {
		if (!is_tried(w, way, state))
			continue;
		while (w->rig[way].s->jit && cpu_jit_wait(w->rig[way].s->jit))
			cpu_jit_fetch(w->rig[way].s->jit, w->rig[way].s);
		run(w, way, turn);
		if (way == DIRECT)
			continue;
		compare_registers(w, way, state);
		compare_memory(w, way, state);
	}
	w->instructions += rv_retired(w->rig[DIRECT].s);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void worlds(void **state)
{
	struct world *w = *state;
	uint64_t seed = number_from("LODGE_SEED", 1), n = number_from("LODGE_WORLDS", WORLDS);
	uint64_t end = seed + n;
	unsigned i, fetched;

	for (; seed != end; seed++) {
		make_world(w, seed);
		for (i = 0; i < STATES; i++)
			try_state(w, i);
	}
	fetched = cpu_jit_fetched(w->rig[BACKGROUND].s->jit);
	print_message("%" PRIu64 " instructions in %" PRIu64
		      " blocks, %u paths from the background\n",
	    w->instructions, w->blocks, fetched);
	assert_true(n < WORLDS || fetched || !jit_supported());
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e = { "" };
	unsigned i;

	assert_non_null(w);
	for (i = 0; i < WAYS; i++) {
		rig_new(&w->rig[i], false, false);
		w->rig[i].env.jit = i >= JIT;
		w->rig[i].env.eager = i >= JIT && i != SPARING;
		w->rig[i].env.sparing = i == SPARING;
		w->rig[i].env.baseline = i == BASELINE;
		w->rig[i].env.paths = i == PATHS || i == BACKGROUND;
		w->rig[i].env.background = i == BACKGROUND;
		assert_true(rig_renew(&w->rig[i], &e));
	}
	cpu_riscv64.get(w->rig[0].cpu, RV_REGS_ALL, &w->reset);
	w->steps = number_from("LODGE_STEPS", 0);
	make_weights(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < WAYS; i++)
		rig_free(&w->rig[i]);
	free(w);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(worlds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
