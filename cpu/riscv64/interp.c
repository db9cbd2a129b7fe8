/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter: a handler for each instruction, made from the bodies in sem_*.h by the words in
 * direct.h. A handler ends by calling the next cell's as a tail call (a jump), so straight-line
 * code costs one indirect jump an instruction; without tail calls it returns the next cell to the
 * loop in rv_run.
 *
 * Where taken jumps come together the handler looks at the budget and at `attention`, so no loop
 * escapes them; straight-line code ends at the page's last cell, which looks too.
 */
#include <errno.h>

#define RV_BODIES static ALWAYS_INLINE
#include "cpu/lockstep.h"
#include "cpu/riscv64/direct.h"
#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/jit.h"
#include "cpu/riscv64/sem.h"
#include "cpu/riscv64/vm.h"

#if TAIL_CALLS
#define GO(s, cell, left) MUSTTAIL return RV_CELL_FN(cell)((s), (cell), (left))
#else
#define GO(s, cell, l)                                                                             \
	do {                                                                                       \
		(s)->left = (l);                                                                   \
		return (cell);                                                                     \
	} while (0)
#endif

static ALWAYS_INLINE struct ctx begin(
    struct rv *s, const struct rv_cell *cell, int64_t left, unsigned len)
{
	return (struct ctx){ .s = s, .cell = cell, .left = left, .len = len };
}

static ALWAYS_INLINE bool must_stop(const struct rv *s, int64_t left)
{
	return unlikely(left <= 0) ||
	       unlikely(atomic_load_explicit(&s->attention, memory_order_relaxed));
}

static ALWAYS_INLINE const struct rv_cell *come_out(struct rv *s, uint64_t pc_, int64_t left)
{
	s->pc = pc_;
	s->left = left;
	return NULL;
}

/* The three ways on.  left is what remains after the instruction. */
#define GO_NEXT(s, cell, len, left) GO(s, (cell) + (len) / 2, left)

/* A relative jump inside the page; offsets are even, and a cell is 8 times as long as its code. */
#define GO_NEAR(s, cell, c, left)                                                                  \
	do {                                                                                       \
		if (must_stop(s, left))                                                            \
			return come_out(s, pc(&c) + (int64_t)(cell)->args.imm, left);              \
		cell = (const void *)((const char *)(cell) + (intptr_t)(cell)->args.imm * 8);      \
		GO(s, cell, left);                                                                 \
	} while (0)

/* To any address.  rv_code_enter may raise a fetch exception, which is the target's. */
#define GO_FAR(s, cell, to, l)                                                                     \
	do {                                                                                       \
		(s)->pc = (to);                                                                    \
		(s)->left = (l);                                                                   \
		if (must_stop(s, l))                                                               \
			return NULL;                                                               \
		cell = rv_code_enter(s, (s)->pc);                                                  \
		GO(s, cell, l);                                                                    \
	} while (0)

#define HANDLER(name)                                                                              \
	const struct rv_cell *name(struct rv *s, const struct rv_cell *cell, int64_t left)

/* For each kind of instruction (see riscv64.dec) its handlers; near and far differ for relative
 * jumps only. */
#define MAKE_next(op, len)                                                                         \
	static NOINLINE HANDLER(slow_##op##_##len)                                                 \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		sem_##op(&c, &cell->args);                                                         \
		GO_NEXT(s, cell, len, left - 1);                                                   \
	}                                                                                          \
	static HANDLER(near_##op##_##len)                                                          \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		c.fast = true;                                                                     \
		sem_##op(&c, &cell->args);                                                         \
		if (unlikely(c.miss))                                                              \
			MUSTTAIL return slow_##op##_##len(s, cell, left);                          \
		GO_NEXT(s, cell, len, left - 1);                                                   \
	}

#define MAKE_end(op, len)                                                                          \
	static HANDLER(near_##op##_##len)                                                          \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		sync_state(&c);                                                                    \
		sem_##op(&c, &cell->args);                                                         \
		return come_out(s, next_pc(&c), left - 1);                                         \
	}

#define MAKE_jump_to(op, len)                                                                      \
	static HANDLER(near_##op##_##len)                                                          \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		sem_##op(&c, &cell->args);                                                         \
		GO_FAR(s, cell, c.to, left - 1);                                                   \
	}

#define MAKE_branch(op, len)                                                                       \
	static HANDLER(near_##op##_##len)                                                          \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		sem_##op(&c, &cell->args);                                                         \
		if (!c.taken)                                                                      \
			GO_NEXT(s, cell, len, left - 1);                                           \
		GO_NEAR(s, cell, c, left - 1);                                                     \
	}                                                                                          \
	static HANDLER(far_##op##_##len)                                                           \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		sem_##op(&c, &cell->args);                                                         \
		if (!c.taken)                                                                      \
			GO_NEXT(s, cell, len, left - 1);                                           \
		GO_FAR(s, cell, pc(&c) + (int64_t)cell->args.imm, left - 1);                       \
	}

#define MAKE_jump(op, len)                                                                         \
	static HANDLER(near_##op##_##len)                                                          \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		sem_##op(&c, &cell->args);                                                         \
		GO_NEAR(s, cell, c, left - 1);                                                     \
	}                                                                                          \
	static HANDLER(far_##op##_##len)                                                           \
	{                                                                                          \
		struct ctx c = begin(s, cell, left, len);                                          \
		sem_##op(&c, &cell->args);                                                         \
		GO_FAR(s, cell, pc(&c) + (int64_t)cell->args.imm, left - 1);                       \
	}

#define MAKE_2(op, kind) MAKE_##kind(op, 2)
#define MAKE_4(op, kind) MAKE_##kind(op, 4)
RV_OPS16(MAKE_2)
RV_OPS(MAKE_4)

#define far_next(op, len)    near_##op##_##len
#define far_end(op, len)     near_##op##_##len
#define far_jump_to(op, len) near_##op##_##len
#define far_branch(op, len)  far_##op##_##len
#define far_jump(op, len)    far_##op##_##len

typedef const struct rv_cell *handler_fn(struct rv *, const struct rv_cell *, int64_t);

/* [far][op] */
static handler_fn *const handlers2[2][RV_NOPS] = {
#define X(op, kind) [RV_OP_##op] = near_##op##_2,
	{ RV_OPS16(X) },
#undef X
#define X(op, kind) [RV_OP_##op] = far_##kind(op, 2),
	{ RV_OPS16(X) },
#undef X
};

static handler_fn *const handlers4[2][RV_NOPS] = {
#define X(op, kind) [RV_OP_##op] = near_##op##_4,
	{ RV_OPS(X) },
#undef X
#define X(op, kind) [RV_OP_##op] = far_##kind(op, 4),
	{ RV_OPS(X) },
#undef X
};

static const bool is_relative[RV_NOPS] = {
#define relative_next    false
#define relative_end     false
#define relative_jump_to false
#define relative_branch  true
#define relative_jump    true
#define X(op, kind)      [RV_OP_##op] = relative_##kind,
	RV_OPS(X)
#undef X
};

static enum rv_op decode(struct rv_cell *cell, uint32_t word, unsigned len)
{
	return len == 2 ? rv_decode16((uint16_t)word, &cell->args) : rv_decode32(word, &cell->args);
}

void rv_cell_make(struct rv_cell *cell, uint32_t word, unsigned len, unsigned offset)
{
	enum rv_op op = decode(cell, word, len);
	bool far = is_relative[op] && (uint64_t)(offset + (int64_t)cell->args.imm) >= MEM_PAGE;

	atomic_store_explicit(
	    &cell->fn, (len == 2 ? handlers2 : handlers4)[far][op], memory_order_release);
}

void rv_cell_make_alone(struct rv_cell *cell, uint32_t word, unsigned len)
{
	enum rv_op op = decode(cell, word, len);

	atomic_store_explicit(
	    &cell->fn, (len == 2 ? handlers2 : handlers4)[1][op], memory_order_relaxed);
}

static HANDLER(not_decoded)
{
	s->pc = s->pc_bias + ((uintptr_t)cell >> 3);
	s->left = left;
	rv_code_decode(s, cell);
	GO(s, cell, left);
}

/* Behind the last halfword of a page, or behind a scratch cell. */
static HANDLER(cross)
{
	GO_FAR(s, cell, s->pc_bias + ((uintptr_t)cell >> 3), left);
}

/* The last halfword of a page holds the first half of an instruction. */
static HANDLER(split)
{
	s->pc = s->pc_bias + ((uintptr_t)cell >> 3);
	s->left = left;
	cell = rv_code_scratch(s, s->pc);
	GO(s, cell, left);
}

/* rv_code_attend makes it one that is not decoded. */
static HANDLER(stale)
{
	return come_out(s, s->pc_bias + ((uintptr_t)cell >> 3), left);
}

const struct rv_cell rv_special_cells[4] = {
	[RV_CELL_DECODE] = { .fn = not_decoded },
	[RV_CELL_CROSS] = { .fn = cross },
	[RV_CELL_SPLIT] = { .fn = split },
	[RV_CELL_STALE] = { .fn = stale },
};

/* What has to be done between two instructions; false: come out with *x. */
static bool attend(struct rv *s, struct exit *x)
{
	const uint64_t ssip = 1ull << RV_LINE_SSIP;
	uint32_t why = atomic_exchange_explicit(&s->attention, 0, memory_order_acquire);

	if (why & RV_ATT_STOP)
		rv_vm_pause(s);
	if (why & RV_ATT_SEAT)
		rv_vm_offer(s);
	if (why & RV_ATT_FENCE)
		rv_vm_do_fences(s);
	if (why & RV_ATT_CODE)
		rv_code_attend(s);
	why &= RV_ATT_EXIT | RV_ATT_DEBUG | RV_ATT_KICK | RV_ATT_LINES;
	if (why & RV_ATT_EXIT) {
		if (why & ~(uint32_t)RV_ATT_EXIT)
			rv_attend(s, why & ~(uint32_t)RV_ATT_EXIT);
		*x = s->exit;
		return false;
	}
	if (why & RV_ATT_DEBUG) {
		if (why & ~(uint32_t)RV_ATT_DEBUG)
			rv_attend(s, why & ~(uint32_t)RV_ATT_DEBUG);
		*x = s->hit;
		return false;
	}
	if (why & RV_ATT_KICK && !s->stepping) {
		if (why & RV_ATT_LINES)
			rv_attend(s, RV_ATT_LINES);
		x->why = EXIT_KICKED;
		return false;
	}
	if (why & RV_ATT_LINES) {
		s->mip |= atomic_fetch_and(&s->lines, ~ssip) & ssip;
		if (!s->stepping) /* which asks again behind the step */
			rv_interrupt(s);
	}
	return true;
}

/* Turns up to this many instructions are exact; longer ones may run over by the rest of a page. */
enum { EXACT = 64 };

bool rv_next_slice(struct rv *s, int64_t most)
{
	uint64_t retired = rv_retired(s);
	int64_t all = s->left + s->turn_rest;

	s->left = all > most ? most : all;
	s->turn_rest = all - s->left;
	s->count_end = retired + (uint64_t)s->left;
	return all > 0;
}

/* Between two instructions: does what waits, and begins a slice; false: come out with *x. */
static bool begin_slice(struct rv *s, struct exit *x, int64_t most)
{
	if (atomic_load_explicit(&s->attention, memory_order_relaxed) && !attend(s, x))
		return false;
	if (s->halted) {
		x->why = EXIT_HALT;
		return false;
	}
	if (!rv_next_slice(s, most)) {
		x->why = EXIT_TURN;
		return false;
	}
	return true;
}

static void run(struct rv *s, struct exit *x, bool exact)
{
	const struct rv_cell *cell;

	for (;;) {
		if (!begin_slice(s, x, INT64_MAX))
			return;
		if (exact || s->single) {
			rv_run_one(s);
			continue;
		}
		cell = rv_code_enter(s, s->pc);
		while (cell)
			cell = RV_CELL_FN(cell)(s, cell, s->left);
	}
}

void rv_run_one(struct rv *s)
{
	const struct rv_cell *cell;

	rv_next_slice(s, 1);
	s->alone = true;
	/* A scratch cell leads to the next one through `cross`, which sees the empty budget. */
	cell = rv_code_scratch(s, s->pc);
	while (cell)
		cell = RV_CELL_FN(cell)(s, cell, s->left);
	s->alone = s->single = false;
}

/* Compiled code looks at `attention` only when its instructions are used up. */
enum { SLICE = 20000 };

/* Up to where a jump was taken: how often code is come to counts there. */
static void run_cold(struct rv *s)
{
	unsigned n = 0;
	uint64_t from;

	do {
		from = s->pc;
		rv_run_one(s);
	} while (++n < EXACT && s->pc - from - 2 <= 2 && s->left + s->turn_rest > 0 && !s->halted &&
		 !atomic_load_explicit(&s->attention, memory_order_relaxed));
}

/* As run, with compiled code where there is some; the last instructions of the turn go one by one.
 */
static void run_compiled(struct rv *s, struct exit *x)
{
	const void *host;
	int64_t left;

	for (;;) {
		if (!begin_slice(s, x, SLICE))
			return;
		cpu_jit_fetch(s->jit, s);
		if (unlikely(s->single)) {
			rv_run_one(s);
			continue;
		}
		if (s->jit_side.hot) {
			cpu_jit_follow(s->jit, s);
			continue;
		}
		host = s->left < EXACT ? NULL : cpu_jit_find(s->jit, s);
		if (s->jit_side.hot)
			continue;
		left = s->left;
		if (host && rv_jit_run(s, host) && s->left != left)
			continue;
		run_cold(s);
	}
}

/* As run_compiled, with both ways compared. */
static void run_lockstep(struct rv *s, struct exit *x)
{
	for (;;) {
		if (!begin_slice(s, x, LOCKSTEP_SLICE))
			return;
		if (s->jit_side.hot) {
			cpu_jit_follow(s->jit, s);
			continue;
		}
		if (!cpu_lockstep_run(s->lockstep)) {
			exit_fail(x, -EILSEQ);
			return;
		}
	}
}

void rv_run(struct rv *s, struct exit *x, uint64_t turn)
{
	uint64_t retired = rv_retired(s);

	if ((x->why == EXIT_READ || x->why == EXIT_WRITE) && x->why == s->exit.why) {
		s->exit.val = x->val;
		s->answered = true;
	}
	s->left = turn && turn < INT64_MAX / 2 ? (int64_t)turn : INT64_MAX / 2;
	s->turn_rest = 0;
	s->count_end = retired + (uint64_t)s->left;
	/* A step before this run has kept what it had, and so has a turn that a debugger stopped.
	 */
	if (!s->stepping && x->why != EXIT_DEBUG)
		s->reserved = false;
	rv_vm_enter(s);
	rv_host_enter(s);
	switch (setjmp(s->trap)) {
	case RV_JMP_TRAP:
		rv_debug_drop(s);
		/* An exception is no retired instruction, but takes its share of the turn: a
		 * handler that faults for ever must not hang us. */
		s->left--;
		s->count_end--;
		rv_trap(s, false, s->raised_cause, s->raised_tval);
		break;
	case RV_JMP_RETRY:
		s->alone = false;
		break;
	default:
		break;
	}
	if (s->lockstep)
		run_lockstep(s, x);
	else if (s->jit && !(turn && turn <= EXACT))
		run_compiled(s, x);
	else
		run(s, x, turn && turn <= EXACT);
	rv_host_leave(s);
	rv_vm_leave(s, x->why == EXIT_HALT);
	/* The next run drops it unless it goes on with the same turn. */
	s->reserved &= s->stepping || x->why == EXIT_DEBUG || x->why == EXIT_TURN;
}
