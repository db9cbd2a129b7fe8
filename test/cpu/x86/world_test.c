/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One meaning for all ways to execute: random worlds run on the interpreter, through the IR
 * interpreter, and compiled in several ways, and must come out the same: registers, counts, memory,
 * and why it ended.
 *
 * A world is two pages of random code for integers, with jumps, calls and instructions that cross
 * pages; two pages to write, one to read, holes, addresses that are not canonical; and a handler
 * that goes on somewhere behind what raised.  In many worlds the code may be written, too: stores
 * go into the block that runs, the next one, the other page, through a second mapping and by string
 * instructions, and the very next instruction may be what was written (SDM volume 3, 8.1.3).
 *
 * LODGE_SEED=N begins with that world, LODGE_COUNT=N makes so many; what fails names the seed, and
 * LODGE_STEPS=1 prints what is executed.
 */
#include "base/log.h"
#include "core/state.h"
#include "cpu/jit.h"
#include "cpu/x86/code.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/jit.h"
#include "cpu/x86/lift.h"
#include "ir/ir.h"
#include "jit/jit.h"
#include "test/cmocka.h"
/* behind cmocka */
#include "test/cpu/x86/int_random.h"

enum {
	WORLDS = 150,
	STATES = 6,
	MAX_STARTS = RIG_CODE_SIZE,
	IR_INSNS = 8,
};

/* What is in the rig's RAM besides. */
#define IDT     (RIG_BASE + 0x50000)
#define TSS     (RIG_BASE + 0x52000)
#define GDT     (RIG_BASE + 0x53000)
#define HANDLER (RIG_BASE + 0x54000) /* with an error code; 0x80 behind it: without */
#define STACK   (RIG_BASE + 0x55000) /* of the handler: a page */
#define ALIAS   (RIG_BASE + 0x70000) /* the code again, to be written */

enum { CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, CODE3_32 = 0x2b, TR = 0x30 };
enum { CODE0_32 = 0x40 };

enum way { DIRECT, IR, LOCKSTEP, JIT, BASELINE, PATHS, SPARING, WAYS };

static const char *const way_names[] = { "executed", "through IR", "compiled, in lockstep",
	"compiled", "compiled for old hosts", "compiled by paths", "with little memory" };

struct world {
	struct gen gen;
	struct rig rig[WAYS];
	struct ir_block block;
	uint64_t seed;
	bool writable; /* the code is */
	uint64_t start[MAX_STARTS];
	unsigned nstarts;
	bool steps;
	uint64_t instructions, blocks; /* blocks: through IR */
	uint64_t ended;                /* states, before their turn */
	struct exit exit[WAYS];
	struct log log; /* of lockstep */
};

static bool has_all(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
	return f != X86_HAS_NEVER && f != X86_HAS_AMD_BRANCHES;
}

/* For everybody. */
static void put(struct world *w, uint64_t at, const void *bytes, unsigned n)
{
	unsigned i;

	for (i = 0; i < WAYS; i++)
		memcpy(rig_at(&w->rig[i], at), bytes, n);
}

static void put_word(struct world *w, uint64_t at, uint64_t val)
{
	uint8_t bytes[8];

	put_le(bytes, val, 8);
	put(w, at, bytes, 8);
}

/* Code ----------------------------------------------------------------------------------------- */

static unsigned emit(struct world *w, uint64_t at, const uint8_t *bytes, unsigned n)
{
	w->start[w->nstarts++] = at;
	put(w, at, bytes, n);
	return n;
}

/* A register gets a small number, or an address. */
static unsigned put_move(struct world *w, uint64_t at, unsigned reg, uint32_t val)
{
	uint8_t b[6] = { 0x41, (uint8_t)(0xb8 | (reg & 7)) };
	unsigned first = reg < 8;

	put_le(b + 2, val, 4);
	return emit(w, at, b + first, 6 - first);
}

/* What the instruction will need: mostly its memory operand is in the arena. */
static unsigned put_operands(struct world *w, uint64_t at)
{
	struct gen *g = &w->gen;
	const struct x86_insn *a = &g->insn;
	uint64_t place = random_place(g) - (uint64_t)a->disp, from = at;
	unsigned count = 0;

	if (w->writable && below(g, 12) == 0)
		place = RIG_CODE + below(g, RIG_CODE_SIZE) - (uint64_t)a->disp;
	if (a->index < 16 && below(g, 4)) {
		count = below(g, 32);
		at += put_move(w, at, a->index, count);
	}
	if (a->base < 16 && a->base != a->index && below(g, 8))
		at += put_move(w, at, a->base, (uint32_t)(place - count * a->scale));
	if (below(g, 16) == 0)
		at += put_move(w, at, X86_RSP, (uint32_t)random_place(g));
	if (x86_op_infos[a->op].flags & X86_OPF_END && a->noperands == 0) {
		at += put_move(w, at, X86_RDI, (uint32_t)place);
		at += put_move(w, at, X86_RSI, (uint32_t)random_place(g));
		at += put_move(w, at, X86_RCX, below(g, 40));
	}
	return (unsigned)(at - from);
}

/* A store of code that is somewhere else, to here or near: MOV rAX, [from]; MOV [to], rAX of 1 to 8
 * bytes. */
static unsigned put_code_writer(struct world *w, uint64_t at)
{
	static const uint8_t ops[][2] = { { 0x88, 0 }, { 0x89, 0x66 }, { 0x89, 0 },
		{ 0x89, 0x48 } };
	struct gen *g = &w->gen;
	const unsigned how = below(g, is_64_mode(g) ? 4 : 3);
	const uint64_t base = below(g, 4) ? RIG_CODE : ALIAS;
	uint64_t from = RIG_CODE + below(g, RIG_CODE_SIZE - 8), to = base + (at - RIG_CODE);
	uint8_t b[24] = { 0 };
	unsigned n = 0;

	to = below(g, 3) ? to + below(g, 64) - 24 : base + below(g, RIG_CODE_SIZE - 8);
	b[n++] = (uint8_t)(0xb8 | X86_RDX); /* MOV EDX, from */
	put_le(b + n, from, 4);
	n += 4;
	if (how == 3)
		b[n++] = 0x48;
	b[n++] = 0x8b; /* MOV rAX, [rDX] */
	b[n++] = 2;
	b[n++] = (uint8_t)(0xb8 | X86_RDX);
	put_le(b + n, to, 4);
	n += 4;
	if (ops[how][1])
		b[n++] = ops[how][1];
	b[n++] = ops[how][0];
	b[n++] = 2; /* MOV [rDX], rAX */
	return emit(w, at, b, n);
}

static void make_code(struct world *w)
{
	static const uint8_t rest[64]; /* what another world had there may write code */
	struct gen *g = &w->gen;
	struct x86 *s = w->rig[DIRECT].s;
	uint64_t at = RIG_CODE, end = RIG_CODE + RIG_CODE_SIZE;

	w->nstarts = 0;
	while (at + 64 < end) {
		if (w->writable && below(g, 24) == 0) {
			at += put_code_writer(w, at);
			continue;
		}
		s->rip = at;
		while (!random_insn(g))
			;
		/* What it needs comes before it, so it is another one if it says where it is. */
		if (g->insn.base != X86_BASE_RIP && below(g, 4))
			at += put_operands(w, at);
		at += emit(w, at, g->bytes, g->insn.len);
	}
	put(w, at, rest, (unsigned)(end - at));
}

/* The world -------------------------------------------------------------------------------------
 */

static void map(struct world *w, uint64_t at, uint64_t to, unsigned pages, unsigned bits)
{
	for (; pages; pages--, at += 4096, to += 4096)
		put_word(w, RIG_TABLES + 0x3000 + (at >> 12 & 511) * 8, to | bits);
}

static void make_tables(struct world *w)
{
	enum { P = 1, W = 2, U = 4, A = 32, D = 64 };
	struct gen *g = &w->gen;
	const bool twice = below(g, 8) == 0; /* both pages of code are one */
	const unsigned code = P | U | A | (w->writable ? W : 0);
	unsigned used = below(g, 2) ? A | D : 0;

	map(w, RIG_CODE, RIG_CODE, 1, code | (below(g, 2) ? D : 0));
	map(w, RIG_CODE + 4096, twice ? RIG_CODE : RIG_CODE + 4096, 1, code);
	map(w, ALIAS, RIG_CODE, 1, P | U | W | A | D);
	map(w, ALIAS + 4096, twice ? RIG_CODE : RIG_CODE + 4096, 1, P | U | W);
	map(w, RIG_ARENA, RIG_ARENA, 1, P | W | U | used);
	map(w, RIG_ARENA + 4096, RIG_ARENA + 4096, 1, P | W | U | (below(g, 2) ? used : A));
	map(w, RIG_CONST, RIG_CONST, 1, P | U | (used & A));
	map(w, IDT, IDT, 6, P | W);
}

static void make_descriptors(struct world *w)
{
	enum { HANDLERS = 32, WITH_ERROR = X86_ERROR_VECTORS, GATE = 0xee, IST = 1 };
	unsigned n;
	uint64_t to;

	put_word(w, GDT + CODE0, 0x00af9b000000ffff);
	put_word(w, GDT + DATA0, 0x00cf93000000ffff);
	put_word(w, GDT + (CODE3 & 0xf8), 0x00affb000000ffff);
	put_word(w, GDT + (DATA3 & 0xf8), 0x00cff3000000ffff);
	put_word(w, GDT + (CODE3_32 & 0xf8), 0x00cffb000000ffff);
	put_word(w, GDT + CODE0_32, 0x00cf9b000000ffff);
	put_word(w, TSS + 4, STACK + 4096);
	put_word(w, TSS + 0x24, STACK + 4096);
	for (n = 0; n < 256; n++) {
		to = HANDLER + (n < HANDLERS && WITH_ERROR >> n & 1 ? 0 : 0x80);
		put_word(w, IDT + 16 * n,
		    (to & 0xffff) | CODE0 << 16 | (uint64_t)IST << 32 | (uint64_t)GATE << 40 |
			(to >> 16) << 48);
		put_word(w, IDT + 16 * n + 8, 0);
	}
}

/* Goes on 7 bytes behind the instruction, in the same page or the first; TF and NT are cleared, and
 * a bad stack is made good. */
static void make_handler(struct world *w)
{
	static const uint8_t handler[] = {
		0x50,                                                 /* push rax */
		0x48, 0x8b, 0x44, 0x24, 0x10,                         /* mov rax, [rsp + 16] */
		0x48, 0x83, 0xc0, 0x07,                               /* add rax, 7 */
		0x25, 0xff, 0x1f, 0, 0,                               /* and eax, 0x1fff */
		0x05, 0, 0, 0x01, 0x20,                               /* add eax, RIG_CODE */
		0x48, 0x89, 0x44, 0x24, 0x10,                         /* mov [rsp + 16], rax */
		0x48, 0x81, 0x64, 0x24, 0x20, 0xff, 0xbe, 0xfb, 0xff, /* and qword [rsp + 32], ~ */
		0x58,                                                 /* pop rax */
		0x48, 0x83, 0xc4, 0x08,                               /* add rsp, 8 */
		0x48, 0xcf,                                           /* iretq */
	};
	static const uint8_t without[] = { 0x6a, 0x00, 0xe9, 0x79, 0xff, 0xff, 0xff };

	put(w, HANDLER, handler, sizeof handler);
	put(w, HANDLER + 0x80, without, sizeof without);
}

static void make_world(struct world *w, uint64_t seed)
{
	static const uint32_t modes[] = {
		X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER,
		X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER,
		X86_CODE64 | X86_PROTECTED | X86_FLAT,
		X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT | X86_USER,
	};
	struct gen *g = &w->gen;
	unsigned i;

	w->seed = seed;
	g->random = seed * 0x9e3779b97f4a7c15 + 0x1234567;
	g->random += !g->random;
	for (i = 0; i < 8; i++)
		rnd(g);
	g->mode = modes[below(g, ARRAY_LEN(modes))];
	w->writable = below(g, 2);
	for (i = 0; i < WAYS; i++)
		rig_mode(&w->rig[i], g->mode);
	make_tables(w);
	make_descriptors(w);
	make_handler(w);
	make_code(w);
	for (i = 0; i < RIG_ARENA_SIZE; i += 8)
		put_word(w, RIG_ARENA + i,
		    below(g, 4) ? random_value(g) : RIG_CODE + below(g, RIG_CODE_SIZE));
	for (i = 0; i < WAYS; i++)
		mem_written(w->rig[i].env.mem, RIG_BASE, RIG_SIZE);
}

static void set_selectors(struct world *w, struct x86_regs *r)
{
	const bool user = w->gen.mode & X86_USER, code64 = is_64_mode(&w->gen);
	unsigned i;

	for (i = 0; i < X86_NSEGS; i++)
		r->seg[i].selector = user ? DATA3 : DATA0;
	r->seg[X86_CS].selector = user ? (code64 ? CODE3 : CODE3_32) : code64 ? CODE0 : CODE0_32;
	r->gdt = (struct x86_table){ GDT, 0xff };
	r->idt = (struct x86_table){ IDT, 0xfff };
	r->tr = (struct x86_seg){ .base = TSS, .limit = 0x67, .attr = 0x8b, .selector = TR };
}

static void random_world_state(struct world *w)
{
	struct gen *g = &w->gen;
	struct x86_regs r = { 0 };
	unsigned i;

	for (i = 0; i < WAYS; i++)
		cpu_x86_64.reset(w->rig[i].cpu);
	rig_mode(&w->rig[DIRECT], g->mode);
	cpu_x86_64.get(w->rig[DIRECT].cpu, X86_REGS_ALL, &r);
	set_selectors(w, &r);
	for (i = 0; i < 16; i++) {
		r.r[i] = below(g, 2) ? random_place(g) : random_value(g);
		if (!is_64_mode(g))
			r.r[i] = i < 8 ? (uint32_t)r.r[i] : 0;
	}
	r.r[X86_RSP] = random_place(g);
	if (!is_64_mode(g))
		r.r[X86_RSP] = (uint32_t)r.r[X86_RSP];
	r.rflags = 2 | FLAG_IF | (rnd(g) & (FLAGS_ARITH | FLAG_DF));
	r.rip = w->start[below(g, w->nstarts)];
	r.cr0 |= CR0_NE | CR0_MP;
	r.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	r.fcw = 0x37f;
	r.mxcsr = 0x1f80;
	for (i = 0; i < WAYS; i++) {
		w->rig[i].s->left = 0;
		w->rig[i].s->count_end = 0;
		assert_int_equal(cpu_x86_64.set(w->rig[i].cpu, X86_REGS_ALL, &r), 0);
	}
}

/* Running -------------------------------------------------------------------------------------- */

static void say(struct rig *r, const char *how)
{
	struct x86 *s = r->s;
	struct x86_insn insn;
	uint8_t bytes[X86_INSN_LEN] = { 0 };
	unsigned i;

	for (i = 0; i < X86_INSN_LEN && s->rip + i - RIG_BASE < RIG_SIZE; i++)
		bytes[i] = *rig_at(r, s->rip + i);
	x86_decode(&insn, s->mode, bytes, X86_INSN_LEN, s->model, x86_model_executes);
	print_message("%s %" PRIx64 " ", how, s->rip);
	for (i = 0; i < insn.len; i++)
		print_message("%02x", bytes[i]);
	print_message(" %s, %" PRIu64 " retired\n", x86_op_infos[insn.op].name, x86_retired(s));
}

/* Some instructions at rip as a block; the base of its addresses. */
static uint64_t lift_some(struct world *w, struct x86 *s)
{
	const uint64_t base = s->rip & ~(uint64_t)(MEM_PAGE - 1);
	const struct x86_insn *insn;
	const struct x86_block *b;
	struct ctx c;
	unsigned n, i;

	b = x86_code_block(s, &n);
	insn = x86_block_insn(b, 0);
	/* What a store changes behind it is seen. */
	if (w->writable || base - RIG_CODE >= RIG_CODE_SIZE)
		n = 1;
	if (n > IR_INSNS)
		n = IR_INSNS;
	if (n > s->left)
		n = (unsigned)s->left;
	x86_lift_begin(&c, &w->block, (int64_t)(s->rip - base));
	for (i = 0; i < n; i++)
		if (!x86_lift(&c, &insn[i]))
			break;
	x86_lift_end(&c);
	return base;
}

/* An exception takes its part of the turn; false: it was the last one. */
static bool run_block(struct world *w, struct x86 *s)
{
	w->blocks++;
	switch (setjmp(s->trap)) {
	case 0:
		ir_run(&w->block, &x86_ir_guest, lift_some(w, s), s);
		return true;
	case X86_JMP_EXCEPTION:
		s->left--;
		s->count_end--;
		x86_deliver_raised(s);
		return true;
	default:
		return false;
	}
}

/* How much of a turn one instruction takes: exceptions on the way to a handler take their part. */
static uint64_t step(struct rig *r, struct exit *x)
{
	cpu_x86_64.run(r->cpu, x, 1);
	return (uint64_t)(1 - r->s->left);
}

static uint64_t after(uint64_t left, uint64_t taken)
{
	return left > taken ? left - taken : 0;
}

/* What is more than to execute is the interpreter's. */
static void run_ir(struct world *w, struct rig *r, uint64_t turn, struct exit *x)
{
	struct x86 *s = r->s;
	uint64_t left = turn;

	x->why = EXIT_TURN;
	while (left && x->why == EXIT_TURN) {
		if (w->steps)
			say(r, "IR");
		if (!x86_is_plain(s) || s->attention) {
			left = after(left, step(r, x));
			continue;
		}
		s->count_end = x86_retired(s) + left;
		s->left = (int64_t)left;
		if (!run_block(w, s))
			x->why = EXIT_SHUTDOWN;
		left = s->left > 0 ? (uint64_t)s->left : 0;
	}
	if (x->why == EXIT_TURN && s->halted) /* by its last instruction */
		x->why = EXIT_HALT;
}

static void run(struct world *w, enum way way, uint64_t turn)
{
	struct rig *r = &w->rig[way];
	struct exit *x = &w->exit[way];

	*x = (struct exit){ 0 };
	if (way == IR) {
		run_ir(w, r, turn, x);
	} else if (way == DIRECT && w->steps) {
		x->why = EXIT_TURN;
		while (turn && x->why == EXIT_TURN) {
			say(r, "direct");
			turn = after(turn, step(r, x));
		}
	} else {
		cpu_x86_64.run(r->cpu, x, turn);
	}
}

/* Comparing ------------------------------------------------------------------------------------ */

static unsigned compare_registers(struct world *w, enum way way)
{
	const struct rig *direct = &w->rig[DIRECT], *other = &w->rig[way];
	const struct field *f;
	struct x86_regs a, b;
	unsigned i, bad = 0;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	cpu_x86_64.get(direct->cpu, X86_REGS_ALL, &a);
	cpu_x86_64.get(other->cpu, X86_REGS_ALL, &b);
	for (f = cpu_x86_64.regs; f->name; f++)
		for (i = 0; i < f->count; i++) {
			size_t at = f->offset + (size_t)i * f->size;

			if (!memcmp((char *)&a + at, (char *)&b + at, f->size))
				continue;
			bad++;
			print_error("%s[%u] is %" PRIx64 " executed, %" PRIx64 " %s\n", f->name, i,
			    get_le((char *)&a + at, f->size), get_le((char *)&b + at, f->size),
			    way_names[way]);
		}
	return bad;
}

static unsigned compare_memory(struct world *w, enum way way)
{
	static const struct {
		uint64_t at;
		unsigned size;
		const char *name;
	} parts[] = { { RIG_CODE, RIG_CODE_SIZE, "code" }, { RIG_ARENA, RIG_ARENA_SIZE, "arena" },
		{ RIG_CONST, RIG_CONST_SIZE, "constants" }, { IDT, 0x6000, "tables or stack" },
		{ RIG_TABLES, 0x4000, "page tables" } };
	unsigned i, n, bad = 0;

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		const uint8_t *a = rig_at(&w->rig[DIRECT], parts[i].at);
		const uint8_t *b = rig_at(&w->rig[way], parts[i].at);

		if (!memcmp(a, b, parts[i].size))
			continue;
		for (n = 0; a[n] == b[n]; n++)
			;
		print_error("%s at %" PRIx64 ": %02x executed, %02x %s\n", parts[i].name,
		    parts[i].at + n, a[n], b[n], way_names[way]);
		bad++;
	}
	return bad;
}

static void compare(struct world *w, enum way way, unsigned state, uint64_t turn)
{
	const uint64_t a = x86_retired(w->rig[DIRECT].s), b = x86_retired(w->rig[way].s);
	unsigned bad = compare_registers(w, way) + compare_memory(w, way);

	if (bad || a != b || w->exit[DIRECT].why != w->exit[way].why)
		fail_msg("LODGE_SEED=%" PRIu64 ", state %u, turn %" PRIu64 ", mode %x%s: %" PRIu64
			 " instructions, exit %d executed, %" PRIu64 ", exit %d %s",
		    w->seed, state, turn, w->gen.mode, w->writable ? ", code that changes" : "", a,
		    w->exit[DIRECT].why, b, w->exit[way].why, way_names[way]);
}

/* Turns of up to 64 are the interpreter's, and so is the end of others. */
static void try_state(struct world *w, unsigned state)
{
	const uint64_t turn = 65 + below(&w->gen, 600);
	unsigned way;

	random_world_state(w);
	for (way = 0; way < WAYS; way++) {
		run(w, way, turn);
		if (way != DIRECT)
			compare(w, way, state, turn);
	}
	w->instructions += x86_retired(w->rig[DIRECT].s);
	w->ended += w->exit[DIRECT].why != EXIT_TURN;
}

static void worlds(void **state)
{
	struct world *w = *state;
	uint64_t seed = number("LODGE_SEED", 1), n = number("LODGE_COUNT", WORLDS);
	const uint64_t end = seed + n;
	unsigned i;

	for (; seed != end; seed++) {
		make_world(w, seed);
		for (i = 0; i < STATES; i++)
			try_state(w, i);
	}
	print_message("%" PRIu64 " instructions, %" PRIu64 " blocks, %" PRIu64
		      " states that ended early\n",
	    w->instructions, w->blocks, w->ended);
	assert_true(w->instructions > n * STATES);
}

static void print_line(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	print_error("%s\n", line);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e = { "" };
	unsigned i;

	assert_non_null(w);
	w->log = (struct log){ .write = print_line };
	for (i = 0; i < WAYS; i++) {
		struct rig *r = &w->rig[i];

		rig_new(r);
		cpu_x86_64.free(r->cpu);
		r->env.jit = i >= LOCKSTEP;
		r->env.eager = i >= LOCKSTEP && i != SPARING;
		r->env.sparing = i == SPARING;
		r->env.lockstep = i == LOCKSTEP;
		r->env.log = i == LOCKSTEP ? &w->log : NULL;
		r->env.baseline = i == BASELINE;
		r->env.paths = i == PATHS;
		r->cpu = cpu_x86_64.new(&r->env, 0, NULL, &e);
		if (!r->cpu)
			fail_msg("%s", e.text);
		r->s = (struct x86 *)(void *)r->cpu;
	}
	gen_init(&w->gen, &w->rig[DIRECT], 0, has_all);
	w->steps = number("LODGE_STEPS", 0);
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
