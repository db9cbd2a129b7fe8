/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs of random instructions in user mode against the host's CPU: integer, vector and x87
 * instructions with jumps and loops leave the same registers, flags, memory and exception on our
 * CPU, run as guests run, interpreted and compiled.  Needs a CPU whose undefined flags are as ours.
 * LODGE_SEED; LODGE_STREAMS: how many; LODGE_FIRST: which one first; LODGE_TELL: how many
 * differences; LODGE_ONLY: a pattern for names of tests.
 */
#include "test/cmocka.h"
#include "test/cpu/x86/stream_native.h"
#include "test/cpu/x86/stream_random.h"
#include "test/fp/ref.h"

#if HAS_NATIVE
#include "test/cpu/x86/host_cpu.h"

enum { TURN = 4000, CODE_AT = 0x400, FILL_EVERY = 16 };

struct test {
	struct rig rig;
	struct stream stream;
	struct native *native;
	unsigned bits;
	uint64_t empty; /* what is executed around programs */
	uint64_t streams, executed, faults[VECTORS], endless, left_out, wrong, tell;
	struct outcome before, ours, host;
	uint8_t arena[RIG_ARENA_SIZE], after[RIG_ARENA_SIZE];
	char what[200];
};

/* Their CPU's flags are ours, and it has what we have. */
static bool is_like_ours(void)
{
	return host_is_19h() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	       __builtin_cpu_supports("bmi2");
}

/* States --------------------------------------------------------------------------------------- */

static uint64_t some_vector(struct test *t)
{
	struct gen *g = &t->stream.g;
	uint64_t r = rnd(g);

	switch (r & 3) {
	case 0:
		return random_value(g);
	case 1:
		return ref_operand(FP_D, &g->random);
	case 2:
		return ref_operand(FP_S, &g->random) << 32 | ref_operand(FP_S, &g->random);
	default:
		return rnd(g);
	}
}

static void some_number(struct test *t, uint64_t st[2])
{
	struct gen *g = &t->stream.g;
	const uint64_t r = rnd(g);

	st[0] = some_vector(t);
	if (r & 7)
		st[0] |= 1ull << 63;
	st[1] = r & 8 ? (r >> 16 & 0x801f) + 0x3ff0 : r >> 16 & 0xffff;
}

static void random_start(struct test *t)
{
	struct gen *g = &t->stream.g;
	struct x86 *s = t->rig.s;
	const uint64_t r = rnd(g);
	unsigned i, k;

	for (i = 0; i < 16; i++)
		s->r[i] = is_64_mode(g) ? random_value(g) : (uint32_t)random_value(g);
	s->r[X86_RSP] = RIG_ARENA + 0x1000 + 8 * below(g, 64);
	x86_set_flags(s, 2 | FLAG_IF | (r & FLAGS_ARITH) | (r & 7 ? 0 : FLAG_DF), UINT64_MAX);
	for (i = 0; i < 16; i++)
		for (k = 0; k < 4; k++)
			s->v[i][k] = some_vector(t);
	for (i = 0; i < 8; i++)
		some_number(t, s->st[i]);
	s->fcw = (uint16_t)(0x37f ^ (r >> 24 & 3 ? 0 : r >> 16 & 0xc00));
	if (!(r >> 26 & 31))
		s->fcw ^= r >> 32 & 0x3f;
	s->fsw = (uint16_t)(r >> 41 & 0x3800);
	s->ftw = (uint8_t)(r >> 48 & r >> 56);
	s->mxcsr = 0x1f80 | (r >> 27 & 3 ? 0 : r >> 33 & 0xe07f);
	if (!(r >> 29 & 31))
		s->mxcsr ^= r >> 40 & 0x1f80;
	memcpy(t->before.r, s->r, sizeof s->r);
	t->before.flags = x86_get_flags(s);
	area_from_cpu(s, t->before.area);
}

static void put_back(struct test *t)
{
	struct x86 *s = t->rig.s;
	const uint8_t *a = t->before.area;
	unsigned i, top;

	memcpy(s->r, t->before.r, sizeof s->r);
	x86_set_flags(s, t->before.flags, UINT64_MAX);
	s->fcw = (uint16_t)get_le(a + AREA_FCW, 2);
	s->fsw = (uint16_t)get_le(a + AREA_FSW, 2);
	s->ftw = a[AREA_FTW];
	s->mxcsr = (uint32_t)get_le(a + AREA_MXCSR, 4);
	top = s->fsw >> 11 & 7;
	for (i = 0; i < 8; i++) {
		s->st[(top + i) & 7][0] = get_le(a + AREA_ST + 16 * i, 8);
		s->st[(top + i) & 7][1] = get_le(a + AREA_ST + 16 * i + 8, 2);
	}
	for (i = 0; i < 16; i++) {
		memcpy(s->v[i], a + AREA_XMM + 16 * i, 16);
		memcpy(s->v[i] + 2, a + AREA_YMMH + 16 * i, 16);
	}
	memcpy(t->rig.arena, t->arena, RIG_ARENA_SIZE);
	memcpy((void *)(uintptr_t)RIG_ARENA, t->arena, RIG_ARENA_SIZE);
}

static void fill_constants(struct test *t)
{
	struct gen *g = &t->stream.g;
	unsigned i;

	for (i = 0; i < RIG_CONST_SIZE; i += 8)
		put_le(t->rig.constant + i, some_vector(t), 8);
	for (i = 0; i < 8; i++)
		put_le(t->rig.constant + STREAM_DWORDS + 4 * i, below(g, 32), 4);
	for (i = 0; i < 4; i++)
		put_le(t->rig.constant + STREAM_QWORDS + 8 * i, below(g, 32), 8);
}

/* Comparing ------------------------------------------------------------------------------------ */

static bool differs(struct test *t, const char *what, uint64_t ours, uint64_t host)
{
	snprintf(t->what, sizeof t->what,
	    "%s is %" PRIx64 ", on the host %" PRIx64 " (%" PRIx64 ")", what, ours, host,
	    ours ^ host);
	return true;
}

/* The instruction that raised it. */
static const struct x86_insn *culprit(struct test *t)
{
	struct gen *g = &t->stream.g;
	const struct outcome *o = t->ours.vector >= 0 ? &t->ours : &t->host;
	uint64_t at = o->rip - RIG_CODE;

	g->insn.op = X86_OP_ud;
	if (o->vector >= 0 && at < RIG_CODE_SIZE - 15)
		x86_decode(
		    &g->insn, g->mode, t->rig.code + at, 15, t->stream.model, x86_model_executes);
	return &g->insn;
}

static bool is_mmx(const struct x86_insn *a)
{
	unsigned i;

	for (i = 0; i < a->noperands; i++)
		if (a->o[i].kind == X86_O_MMX)
			return true;
	return false;
}

static bool areas_differ(struct test *t)
{
	const uint8_t *a = t->ours.area, *b = t->host.area;
	char name[16];
	unsigned k;

	/* Some hosts leave the stack full where an MMX instruction faults. */
	if (!(t->ours.vector >= 0 && is_mmx(culprit(t)))) {
		if (memcmp(a, b, AREA_FTW + 1))
			return differs(t, "FCW, FSW", get_le(a, 4), get_le(b, 4));
		for (k = AREA_ST; k < AREA_XMM; k += 16)
			if (memcmp(a + k, b + k, 10)) {
				snprintf(name, sizeof name, "ST(%u)", (k - AREA_ST) / 16);
				return differs(t, name, get_le(a + k, 8), get_le(b + k, 8));
			}
	}
	if (get_le(a + AREA_MXCSR, 4) != get_le(b + AREA_MXCSR, 4))
		return differs(t, "MXCSR", get_le(a + AREA_MXCSR, 4), get_le(b + AREA_MXCSR, 4));
	for (k = AREA_XMM; k < AREA_SIZE; k += 8) {
		if ((k >= AREA_XMM + 256 && k < AREA_YMMH) || get_le(a + k, 8) == get_le(b + k, 8))
			continue;
		snprintf(name, sizeof name, "area+%u", k);
		return differs(t, name, get_le(a + k, 8), get_le(b + k, 8));
	}
	return false;
}

static bool are_different(struct test *t)
{
	const uint64_t mask = FLAGS_ARITH | FLAG_DF | FLAG_ID;
	const uint64_t part = t->bits == 64 ? UINT64_MAX : UINT32_MAX;
	const struct outcome *a = &t->ours, *b = &t->host;
	char name[8];
	unsigned i;

	if (a->vector != b->vector)
		return differs(t, "vector", (unsigned)a->vector, (unsigned)b->vector);
	if (a->rip != b->rip)
		return differs(t, "rip", a->rip, b->rip);
	if (a->vector == X86_PF && a->error != b->error)
		return differs(t, "error code", a->error, b->error);
	if (a->vector == X86_PF && a->cr2 != b->cr2)
		return differs(t, "CR2", a->cr2, b->cr2);
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof name, "r%u", i);
		if (((a->r[i] ^ b->r[i]) & part) && (t->bits == 64 || i < 8))
			return differs(t, name, a->r[i], b->r[i]);
	}
	if ((a->flags ^ b->flags) & mask)
		return differs(t, "flags", a->flags & mask, b->flags & mask);
	for (i = 0; i < RIG_ARENA_SIZE; i += 8) {
		const uint64_t x = get_le(t->rig.arena + i, 8);
		const uint64_t y = get_le((void *)(uintptr_t)(RIG_ARENA + i), 8);

		if (x != y)
			return differs(t, "memory", x, y);
	}
	return areas_differ(t);
}

/* Runs ----------------------------------------------------------------------------------------- */

/* What may not be tried on the host: it would touch its process. */
static bool is_harmful(struct test *t)
{
	const struct outcome *o = &t->ours;
	const uint8_t *b;
	unsigned i;

	if (o->vector == X86_PF && !(o->cr2 - RIG_BASE < RIG_END - RIG_BASE || o->cr2 < 0x10000))
		return true;
	if (o->vector == X86_PF && (o->cr2 + 512 - RIG_STATE < 4096 + 1024 ||
				       o->cr2 + 512 - KERNEL < KERNEL_PAGES * 4096 + 1024))
		return true;
	if (o->rip - RIG_CODE >= RIG_CODE_SIZE - 15)
		return o->vector >= 0 && o->vector != X86_PF && o->vector != X86_GP;
	/* Calls of the kernel. */
	b = t->rig.code + (o->rip - RIG_CODE);
	for (i = 0; o->vector >= 0 && i < 13; i++)
		if ((b[i] == 0x0f && (b[i + 1] == 0x05 || b[i + 1] == 0x34)) ||
		    (b[i] == 0xcd && b[i + 1] == 0x80))
			return true;
	return false;
}

/* Where AMD's CPUs are known to do otherwise (doc/gaps.md). */
static bool is_known(struct test *t)
{
	const struct x86_insn *a = culprit(t);

	/* Bytes that are not stored may fault, too. */
	if (t->ours.vector < 0)
		return t->host.vector == X86_PF &&
		       strstr(x86_op_infos[a->op].name, "maskmov") != NULL;
	/* Where an operand is not aligned and not there, either may come first. */
	if (a->op >= X86_OP_paddb && ((t->ours.vector == X86_GP && t->host.vector == X86_PF) ||
					 (t->ours.vector == X86_SSF && t->host.vector == X86_GP)))
		return true;
	if (a->op == X86_OP_popa || a->op == X86_OP_popad)
		return true;
	return strstr(x86_op_infos[a->op].name, "maskmov") != NULL;
}

static bool run_ours(struct test *t)
{
	return kernel_run(&t->rig, t->stream.start, t->bits, TURN, &t->ours);
}

/* The first n pieces on both; true: they differ.  *ran: they ran on both. */
static bool run_both(struct test *t, unsigned n, bool *ran)
{
	struct stream *st = &t->stream;
	const unsigned at = (unsigned)(st->start - RIG_CODE);

	*ran = false;
	stream_lay_out(st, n);
	memcpy(t->native->code + at, st->code, st->len);
	assert_int_equal(mem_write(t->rig.env.mem, st->start, st->code, st->len), 0);
	if (!run_ours(t)) {
		t->endless++;
		return false;
	}
	if (is_harmful(t)) {
		t->left_out++;
		return false;
	}
	t->host = t->before;
	stream_run(t->native, st->start, t->bits, &t->host);
	*ran = true;
	return are_different(t) && !is_known(t);
}

static void print_piece(const struct stream *st, unsigned i)
{
	struct x86_insn a;
	unsigned k;

	x86_decode(&a, st->g.mode, st->code + st->at[i], 15, st->model, x86_model_executes);
	print_error("  %" PRIx64 ":", st->start + st->at[i]);
	for (k = 0; k < st->piece[i].len; k++)
		print_error(" %02x", st->code[st->at[i] + k]);
	print_error("  %s%s\n", x86_op_infos[a.op].name, st->piece[i].joined ? " +" : "");
}

/* Finds the shortest beginning that differs. */
static void tell(struct test *t, uint64_t number)
{
	unsigned n, i, all = t->stream.n;
	bool ran;

	if (t->wrong++ >= t->tell)
		return;
	print_error("program %" PRIu64 ": %s\n", number, t->what);
	for (n = 1; n < all; n++) {
		put_back(t);
		if (run_both(t, n, &ran))
			break;
	}
	if (n == all) {
		put_back(t);
		run_both(t, n, &ran);
	}
	print_error("its first %u pieces: %s; vector %d at %" PRIx64 "\n", n, t->what,
	    t->ours.vector, t->ours.rip);
	for (i = 0; i < n; i++)
		print_piece(&t->stream, i);
}

static void count(struct test *t)
{
	t->streams++;
	t->executed += t->ours.retired - (t->ours.vector < 0 ? t->empty : 2);
	if (t->ours.vector >= 0)
		t->faults[t->ours.vector]++;
}

/* A program's random numbers follow from its own number and those of the memory that it finds. */
static void one(struct test *t, uint64_t number, uint64_t seed)
{
	struct gen *g = &t->stream.g;
	bool ran, wrong;

	g->random = (seed * 2 + 1) * 0x9e3779b97f4a7c15 ^ (number + 1) * 0xd1342543de82ef95;
	rnd(g);
	if (number % FILL_EVERY == 0) {
		fill_arena(g);
		memcpy((void *)(uintptr_t)RIG_ARENA, t->rig.arena, RIG_ARENA_SIZE);
	}
	stream_make(&t->stream, RIG_CODE + CODE_AT + below(g, 64));
	random_start(t);
	memcpy(t->arena, t->rig.arena, RIG_ARENA_SIZE);
	wrong = run_both(t, t->stream.n, &ran);
	if (ran)
		count(t);
	memcpy(t->after, t->rig.arena, RIG_ARENA_SIZE);
	if (wrong)
		tell(t, number);
	memcpy(t->rig.arena, t->after, RIG_ARENA_SIZE);
	memcpy((void *)(uintptr_t)RIG_ARENA, t->after, RIG_ARENA_SIZE);
}

static void print_counts(const struct test *t)
{
	unsigned i, kinds = 0;

	for (i = 0; i < X86_NOPS; i++)
		kinds += t->stream.seen[i] != 0;
	print_message("%u bits: %" PRIu64 " programs, %" PRIu64
		      " instructions executed, of %u kinds; %" PRIu64 " left out, %" PRIu64
		      " without end; exceptions:",
	    t->bits, t->streams, t->executed, kinds, t->left_out, t->endless);
	for (i = 0; i < VECTORS; i++)
		if (t->faults[i])
			print_message(" %u: %" PRIu64, i, t->faults[i]);
	print_message("\n");
}

static void against_the_host(struct test *t, uint32_t mode)
{
	const uint64_t n = number("LODGE_STREAMS", 5000), seed = number("LODGE_SEED", 1);
	uint64_t first = number("LODGE_FIRST", 0), i;
	const char *why = "no page for exits";
	bool ran;

	if (!is_like_ours()) {
		print_message("the host is no CPU of AMD's family 19H\n");
		skip();
	}
	print_message("LODGE_SEED=%" PRIu64 "\n", seed);
	t->tell = number("LODGE_TELL", 3);
	t->bits = 16u << (mode & X86_CODE_SIZE);
	t->native = stream_open(t->bits, &why);
	if (!t->native)
		fail_msg("%s", why);
	kernel_build(&t->rig);
	kernel_enter(&t->rig);
	t->stream.g = (struct gen){ .rig = &t->rig, .mode = mode, .random = seed * 2 + 1 };
	t->stream.model = t->rig.s->model;
	t->stream.less = !host_is_zen3();
	fill_constants(t);
	mprotect((void *)(uintptr_t)RIG_CONST, RIG_CONST_SIZE, PROT_READ | PROT_WRITE);
	memcpy((void *)(uintptr_t)RIG_CONST, t->rig.constant, RIG_CONST_SIZE);
	mprotect((void *)(uintptr_t)RIG_CONST, RIG_CONST_SIZE, PROT_READ);
	t->stream.start = RIG_CODE + CODE_AT;
	random_start(t);
	assert_false(run_both(t, 0, &ran));
	assert_true(ran);
	t->empty = t->ours.retired;
	first -= first % FILL_EVERY;
	for (i = first; i < first + n; i++)
		one(t, i, seed);
	native_close(t->native);
	print_counts(t);
	assert_int_equal(t->wrong, 0);
	assert_true(t->streams > n / 2);
}

static void in_64_bit_code(void **state)
{
	against_the_host(*state, X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER);
}

static void in_32_bit_code(void **state)
{
	const uint32_t mode = X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT | X86_USER;

	against_the_host(*state, mode);
}

static int setup_like(void **state, const struct cpu_env *like)
{
	struct test *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);

	assert_non_null(t);
	memset(t, 0, sizeof *t);
	rig_new_like(&t->rig, like);
	*state = t;
	return 0;
}

static int interpreted(void **state)
{
	return setup_like(state, &(struct cpu_env){ 0 });
}

static int compiled(void **state)
{
	return setup_like(state, &(struct cpu_env){ .jit = true, .eager = true });
}

/* And paths through all that is executed more than once. */
static int by_paths(void **state)
{
	return setup_like(state, &(struct cpu_env){ .jit = true, .eager = true, .paths = true });
}

static int teardown(void **state)
{
	struct test *t = *state;

	rig_free(&t->rig);
	free(t);
	return 0;
}

int main(void)
{
#define TEST(what, how)                                                                            \
	{                                                                                          \
#what ", " #how, what, how, teardown, NULL                                         \
	}
	const struct CMUnitTest tests[] = {
		TEST(in_64_bit_code, interpreted),
		TEST(in_32_bit_code, interpreted),
		TEST(in_64_bit_code, compiled),
		TEST(in_32_bit_code, compiled),
		TEST(in_64_bit_code, by_paths),
		TEST(in_32_bit_code, by_paths),
	};

#undef TEST

	cmocka_set_test_filter(getenv("LODGE_ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..1\nok 1 - programs # SKIP no x86-64 Linux host");
	return 0;
}
#endif
