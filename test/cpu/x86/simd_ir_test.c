/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector instructions as operations of IR: random ones, alone and in blocks with integer
 * instructions between them, leave the same registers, MXCSR, flags, memory, counts and exceptions
 * whether bodies are executed at once, their IR is interpreted, or compiled for this host, or for
 * one without extensions.  LODGE_SEED; LODGE_INSNS: how many.
 */
#include <stddef.h>

#include "cpu/x86/fpu.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/lift.h"
#include "cpu/x86/simd.h"
#include "cpu/x86/simd_vec.h"
#include "ir/ir.h"
#include "jit/jit.h"
#include "test/cmocka.h"
#include "test/cpu/x86/int_random.h"

enum { BLOCK = 8, CODE = 1 << 18, START = 0x1000 };
enum how { DIRECT, INTERPRETED, COMPILED, BASELINE, NHOW };

struct test {
	struct gen gen; /* of the DIRECT rig */
	struct rig rig[NHOW];
	struct jit *jit[NHOW];
	struct ir_block block, copy;
	struct x86_insn insns[BLOCK];
	unsigned n;
	uint64_t ran, compiled, slow, trapped;
	bool seen[X86_NOPS];
	char text[2000];
};

/* A guest for the generator -------------------------------------------------------------------- */

static uint64_t (*const helpers[X86_NHELPERS])(void *, uint64_t, uint64_t, uint64_t) = {
#define HELPER(name, effects)                                                                      \
	(uint64_t(*)(void *, uint64_t, uint64_t, uint64_t))(void (*)(void)) x86_help_##name,
#include "cpu/x86/helpers.def"
};

/* Half of the time, so that both ways are gone. */
static void *refill(void *state, uint64_t va, unsigned size, bool store)
{
	struct x86 *s = state;
	const struct tlb_entry *e = (store ? s->tlb->store : s->tlb->load) + tlb_slot(s->tlb, va);

	if (va < RIG_ARENA || va > RIG_ARENA + RIG_ARENA_SIZE - size || va >> 4 & 1 ||
	    (va & 4095) + size > 4096)
		return NULL;
	if (store)
		x86_store(s, va, x86_load(s, va, 1), 1);
	else
		x86_load(s, va, 1);
	return e->tag == (va & ~4095ull) ? (void *)(uintptr_t)(va + e->addend) : NULL;
}

static const void *jump(void *state)
{
	(void)state;
	return NULL;
}

static unsigned level(void *state)
{
	return x86_vec_level(state);
}

static const uint8_t pins[] = { 0, 1, 2, 3, 6, 7, 8, X86_SLOT_FL_OP, X86_SLOT_FL_A };

static const struct jit_guest guest = {
	.ir = &x86_ir_guest,
	.helpers = helpers,
	.refill = refill,
	.jump = jump,
	.left = offsetof(struct x86, left),
	.pc = offsetof(struct x86, rip),
	.base = offsetof(struct x86, base),
	.attention = offsetof(struct x86, attention),
	.vec_level = level,
	.vregs = offsetof(struct x86, v),
	.mxcsr = offsetof(struct x86, mxcsr),
	.pins = pins,
	.npins = sizeof pins,
	.inside = 4096 - 14,
	.tlb_bits = TLB_BITS,
};

/* Instructions --------------------------------------------------------------------------------- */

static bool is_ours(unsigned op)
{
	return op >= X86_OP_paddb && op <= X86_OP_vstmxcsr;
}

/* A register, or memory at a register and a small offset, mostly a multiple of 16. */
static void random_modrm(struct gen *g, uint8_t *b)
{
	static const uint8_t bases[] = { 0, 1, 2, 3, 6, 7 };

	if (below(g, 2)) {
		b[0] |= 0xc0;
		return;
	}
	b[0] = (uint8_t)(0x40 | (b[0] & 0x38) | bases[below(g, sizeof bases)]);
	if (below(g, 8))
		b[1] &= 0x30;
}

/* Bytes in the shape of a vector instruction. */
static void random_vector(struct gen *g)
{
	static const uint8_t mandatory[] = { 0, 0x66, 0xf3, 0xf2 };
	uint8_t *b = g->bytes;
	unsigned n = 0, i, map = below(g, 3);

	for (i = 0; i < sizeof g->bytes; i++)
		b[i] = (uint8_t)rnd(g);
	if (below(g, 2)) {
		b[n++] = 0xc4;
		b[n] = (uint8_t)((b[n] & (is_64_mode(g) ? 0xe0 : 0)) | (is_64_mode(g) ? 0 : 0xe0) |
				 (map + 1));
		n++;
		if (below(g, 4) == 0)
			b[n] |= 0x78; /* vvvv: no register */
		if (!is_64_mode(g))
			b[n] |= 0x40;
		n += 2;
	} else {
		if (below(g, 4))
			b[n++] = mandatory[below(g, 4)];
		if (is_64_mode(g) && below(g, 2))
			b[n++] = (uint8_t)(0x40 | below(g, 16));
		b[n++] = 0x0f;
		if (map)
			b[n++] = map == 1 ? 0x38 : 0x3a;
		n++;
	}
	random_modrm(g, b + n);
}

static bool random_one(struct gen *g)
{
	random_vector(g);
	return x86_decode(&g->insn, g->mode, g->bytes, 15, NULL, g->has) == X86_DECODED &&
	       is_ours(g->insn.op);
}

static void random_instruction(struct gen *g, bool mixed)
{
	if (mixed && below(g, 8) == 0)
		do
			while (!random_insn(g))
				;
		while (x86_op_infos[g->insn.op].flags & X86_OPF_END);
	else
		while (!random_one(g))
			;
}

static bool has_all(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
	return f != X86_HAS_NEVER && f != X86_HAS_AMD_BRANCHES && f != X86_HAS_GFNI &&
	       f != X86_HAS_SSE4A;
}

/* State ---------------------------------------------------------------------------------------- */

static uint64_t random_number(struct gen *g)
{
	static const uint64_t doubles[] = { 0, 1ull << 63, 0x3ff0000000000000, 0xbff8000000000000,
		0x7ff0000000000000, 0x7ff8000000000001, 0x7ff0000000000001, 0x0010000000000000,
		0x000fffffffffffff, 0x41dfffffffc00000, 0x43e0000000000000, 0x4008000000000000 };
	static const uint32_t singles[] = { 0, 1u << 31, 0x3f800000, 0xbfc00000, 0x7f800000,
		0x7fc00001, 0x7f800001, 0x00800000, 0x007fffff, 0x4f000000, 0x40400000 };

	switch (below(g, 4)) {
	case 0:
		return doubles[below(g, ARRAY_LEN(doubles))] ^ (below(g, 2) ? rnd(g) & 0xffff : 0);
	case 1:
		return singles[below(g, ARRAY_LEN(singles))] |
		       (uint64_t)singles[below(g, ARRAY_LEN(singles))] << 32;
	default:
		return random_value(g);
	}
}

static void random_vectors(struct gen *g)
{
	struct x86 *s = g->rig->s;
	unsigned i, k;

	for (i = 0; i < 16; i++)
		for (k = 0; k < 4; k++)
			s->v[i][k] = random_number(g);
	for (i = 0; i < 8; i++)
		if (below(g, 8))
			s->r[i] = RIG_ARENA + 256 + 16 * below(g, (RIG_ARENA_SIZE - 512) / 16) +
				  (below(g, 8) ? 0 : below(g, 16));
	s->mxcsr = MXCSR_DEFAULT | (uint32_t)(rnd(g) & (MXCSR_RC | MXCSR_FLAGS));
	if (below(g, 4) == 0)
		s->mxcsr |= (uint32_t)(rnd(g) & (MXCSR_FTZ | MXCSR_DAZ));
	if (below(g, 16) == 0)
		s->mxcsr ^= (uint32_t)(rnd(g) & MXCSR_MASKS);
	s->fsw = s->fcw = 0;
}

/* Whether these are allowed at all. */
static void random_control(struct gen *g)
{
	struct x86 *s = g->rig->s;

	s->cr0 = (s->cr0 | CR0_NE) & ~(CR0_TS | CR0_EM);
	s->cr4 |= CR4_OSFXSR | CR4_OSXSAVE | CR4_OSXMMEXCPT;
	s->xcr0 = 7;
	if (below(g, 64) == 0)
		s->cr0 |= below(g, 2) ? CR0_TS : CR0_EM;
	if (below(g, 64) == 0)
		s->cr4 &= ~(below(g, 2) ? CR4_OSFXSR : CR4_OSXSAVE);
	if (below(g, 64) == 0)
		s->xcr0 = 3;
}

/* The same state but for modes, which they have. */
static void copy_state(struct rig *to, const struct rig *from)
{
	memcpy(to->s->r, from->s->r, sizeof to->s->r);
	memcpy(to->s->v, from->s->v, sizeof to->s->v);
	memcpy(to->s->st, from->s->st, sizeof to->s->st);
	memcpy(to->arena, from->arena, RIG_ARENA_SIZE);
	memcpy(to->code, from->code, RIG_CODE_SIZE);
	mem_written(to->env.mem, RIG_CODE + START, 512);
	to->s->rip = from->s->rip;
	to->s->eflags = from->s->eflags;
	to->s->fl_op = from->s->fl_op;
	to->s->fl_a = from->s->fl_a;
	to->s->fl_b = from->s->fl_b;
	to->s->left = from->s->left;
	to->s->mxcsr = from->s->mxcsr;
	to->s->cr0 = from->s->cr0;
	to->s->cr4 = from->s->cr4;
	to->s->xcr0 = from->s->xcr0;
	to->s->fsw = from->s->fsw;
	to->s->fcw = from->s->fcw;
	to->s->ftw = from->s->ftw;
}

/* Ways ----------------------------------------------------------------------------------------- */

/* From the instruction at rip on. */
static void run_direct(struct rig *r, const struct test *t, uint64_t start)
{
	unsigned i;

	for (i = 0; i < t->n; start += t->insns[i++].len) {
		if (start != r->s->rip)
			continue;
		rig_run(r, &t->insns[i]);
		if (r->vector >= 0)
			return;
		r->s->left--;
	}
}

static void run_ir(struct rig *r, const struct ir_block *b, uint64_t base)
{
	if (setjmp(r->s->trap) == 0) {
		ir_run(b, &x86_ir_guest, base, r->s);
		return;
	}
	r->vector = r->s->raised_vector;
	r->error = r->s->raised_error;
}

static void run_compiled(struct test *t, enum how how, uint64_t base, uint64_t start)
{
	struct rig *r = &t->rig[how];
	size_t table = sizeof(struct tlb) * (size_t)(r->s->tlb - r->s->tlbs), end;
	struct jit_unit unit = {
		.ir = &t->copy,
		.insns = t->n,
		.id = 1,
		.tlb_load = (uint32_t)(offsetof(struct x86, tlbs[0].load) + table),
		.tlb_store = (uint32_t)(offsetof(struct x86, tlbs[0].store) + table),
		.plain = below(&t->gen, 2),
	};
	volatile uintptr_t why = 0;
	struct jit_exit x;

	t->copy = t->block;
	ir_pass_forward(&t->copy, &x86_ir_guest); /* which the generator asks for */
	end = jit_compile(t->jit[how], &unit, jit_first(t->jit[how]), jit_size(t->jit[how]));
	assert_true(end != 0);
	r->s->base = base;
	if (setjmp(r->s->trap)) {
		r->vector = r->s->raised_vector;
		r->error = r->s->raised_error;
		return;
	}
	why = jit_enter(t->jit[how], r->s, jit_address(t->jit[how], jit_first(t->jit[how])));
	t->compiled += why != JIT_SLOW;
	t->slow += why == JIT_SLOW;
	if (why == JIT_SLOW) {
		run_direct(r, t, start);
		return;
	}
	assert_true(why > 15);
	x = jit_exit_at(why);
	if (x.site & JIT_PLAIN) /* accesses that share a page do not: others are as good here */
		run_direct(r, t, start);
}

/* All -------------------------------------------------------------------------------------------
 */

static const char *describe_block(struct test *t, const struct rig *before, uint64_t start)
{
	const uint8_t *code = before->code + (start - rig_ip(before, RIG_CODE));
	size_t n = 0;
	unsigned i, k;

	for (i = 0; i < t->n; i++) {
		n += (size_t)snprintf(
		    t->text + n, sizeof t->text - n, " %s", x86_op_infos[t->insns[i].op].name);
		for (k = 0; k < t->insns[i].len; k++)
			n += (size_t)snprintf(t->text + n, sizeof t->text - n, " %02x", *code++);
		n += (size_t)snprintf(t->text + n, sizeof t->text - n, ";");
	}
	return t->text;
}

static void compare(struct test *t, enum how how, uint64_t start)
{
	static const char *const names[NHOW] = { "at once", "by IR", "compiled", "for baseline" };
	const struct rig *d = &t->rig[DIRECT], *r = &t->rig[how];
	const char *text = describe_block(t, d, start), *name = names[how];
	int vector = r->vector;
	unsigned i, k;

	/* Accesses through IR do not know the segment when an address is not canonical. */
	if (d->vector == X86_SSF && vector == X86_GP)
		vector = X86_SSF;
	if (d->vector != vector || d->error != r->error || d->s->cr2 != r->s->cr2)
		fail_msg("exception %d (%" PRIx64 ", %" PRIx64 ") at once, %d (%" PRIx64
			 ", %" PRIx64 ") %s:%s",
		    d->vector, d->error, d->s->cr2, r->vector, r->error, r->s->cr2, name, text);
	if (d->s->rip != r->s->rip || d->s->left != r->s->left)
		fail_msg("rip %" PRIx64 " left %" PRId64 " at once, %" PRIx64 " %" PRId64 " %s:%s",
		    d->s->rip, d->s->left, r->s->rip, r->s->left, name, text);
	for (i = 0; i < 16; i++)
		if (d->s->r[i] != r->s->r[i])
			fail_msg("r%u %" PRIx64 " at once, %" PRIx64 " %s:%s", i, d->s->r[i],
			    r->s->r[i], name, text);
	for (i = 0; i < 64; i++)
		if (d->s->v[i / 4][i % 4] != r->s->v[i / 4][i % 4])
			fail_msg("v%u[%u] %" PRIx64 " at once, %" PRIx64 " %s:%s", i / 4, i % 4,
			    d->s->v[i / 4][i % 4], r->s->v[i / 4][i % 4], name, text);
	for (i = 0; i < 8; i++)
		for (k = 0; k < 2; k++)
			if (d->s->st[i][k] != r->s->st[i][k])
				fail_msg("st%u differs %s:%s", i, name, text);
	if (d->s->mxcsr != r->s->mxcsr)
		fail_msg("mxcsr %x at once, %x %s:%s", d->s->mxcsr, r->s->mxcsr, name, text);
	if (x86_get_flags(d->s) != x86_get_flags(r->s))
		fail_msg("flags %" PRIx64 " at once, %" PRIx64 " %s:%s", x86_get_flags(d->s),
		    x86_get_flags(r->s), name, text);
	if (memcmp(d->arena, r->arena, RIG_ARENA_SIZE))
		fail_msg("memory differs %s:%s", name, text);
}

static void make_block(struct test *t, unsigned n)
{
	struct rig *d = &t->rig[DIRECT];
	const uint64_t start = d->s->rip;
	unsigned i;

	for (i = 0; i < n; i++) {
		random_instruction(&t->gen, n > 1);
		t->insns[i] = t->gen.insn;
		t->seen[t->gen.insn.op] = true;
		memcpy(d->code + (d->s->rip - rig_ip(d, RIG_CODE)), t->gen.bytes, t->gen.insn.len);
		d->s->rip += t->gen.insn.len;
	}
	t->n = n;
	d->s->rip = start;
}

static void lift(struct test *t, int64_t at, ir_pass *pass)
{
	struct err e = { "" };
	struct ctx c;
	unsigned i, ops;
	bool more = true;

	x86_lift_begin(&c, &t->block, at);
	for (i = 0; i < t->n && more; i++) {
		ops = t->block.n;
		more = x86_lift(&c, &t->insns[i]);
		assert_true(t->block.n - ops <= IR_INSN_OPS);
	}
	t->n = i;
	x86_lift_end(&c);
	if (pass)
		pass(&t->block, &x86_ir_guest);
	if (ir_check(&t->block, &x86_ir_guest, &e) < 0)
		fail_msg("%s", e.text);
}

static void one(struct test *t, unsigned n, ir_pass *pass)
{
	struct rig *d = &t->rig[DIRECT];
	const uint64_t base = rig_ip(d, RIG_CODE + START);
	uint64_t start;
	enum how how;

	d->s->rip = start = base + below(&t->gen, 32);
	make_block(t, n);
	random_state(&t->gen);
	random_vectors(&t->gen);
	random_control(&t->gen);
	for (how = INTERPRETED; how < NHOW; how++)
		copy_state(&t->rig[how], d);
	for (how = DIRECT; how < NHOW; how++) {
		struct rig *r = &t->rig[how];

		r->vector = -1;
		r->error = r->s->cr2 = 0;
		r->s->raised_error = 0;
		if (below(&t->gen, 2))
			x86_flush(r->s, true);
	}
	lift(t, (int64_t)(start - base), pass);
	run_direct(d, t, start);
	t->trapped += d->vector >= 0;
	run_ir(&t->rig[INTERPRETED], &t->block, base);
	compare(t, INTERPRETED, start);
	for (how = COMPILED; how < NHOW && t->jit[COMPILED]; how++) {
		run_compiled(t, how, base, start);
		compare(t, how, start);
	}
	t->ran += n;
}

static void run(struct test *t, uint32_t mode, unsigned n, const char *pass)
{
	uint64_t insns = number("LODGE_INSNS", 20000);
	enum how how;

	t->gen.mode = mode;
	for (how = DIRECT; how < NHOW; how++)
		rig_mode(&t->rig[how], mode);
	t->ran = 0;
	while (t->ran < insns) {
		if (t->ran % 4096 < n)
			fill_arena(&t->gen);
		one(t, n, pass ? ir_pass_find(pass) : NULL);
	}
}

static void in_all_modes(struct test *t, unsigned n, const char *pass)
{
	static const uint32_t modes[] = {
		X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER,
		X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT | X86_USER,
	};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(modes); i++)
		run(t, modes[i], n, pass);
	print_message("compiled %" PRIu64 " times, left to the interpreter %" PRIu64
		      "; exceptions %" PRIu64 "\n",
	    t->compiled, t->slow, t->trapped);
	assert_true(t->trapped < t->ran);
}

static void single_instructions(void **state)
{
	struct test *t = *state;
	unsigned op, missed = 0;

	in_all_modes(t, 1, NULL);
	for (op = 0; op < X86_NOPS && number("LODGE_INSNS", 20000) >= 20000; op++)
		missed += is_ours(op) && !t->seen[op];
	/* The rarest comes once in some 10,000. */
	assert_true(missed < 20);
}

static void blocks(void **state)
{
	in_all_modes(*state, BLOCK, NULL);
}

static void optimised_blocks(void **state)
{
	in_all_modes(*state, BLOCK, "quick");
	in_all_modes(*state, BLOCK, "full");
}

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof *t);
	struct err e = { "" };
	enum how how;

	assert_non_null(t);
	for (how = DIRECT; how < NHOW; how++)
		rig_new(&t->rig[how]);
	for (how = COMPILED; how < NHOW && jit_supported(); how++) {
		t->jit[how] = jit_new(&guest, CODE, how == BASELINE, &e);
		if (!t->jit[how])
			fail_msg("%s", e.text);
	}
	gen_init(&t->gen, &t->rig[DIRECT], 0, has_all);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;
	enum how how;

	for (how = DIRECT; how < NHOW; how++) {
		rig_free(&t->rig[how]);
		jit_free(t->jit[how]);
	}
	free(t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(single_instructions, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(optimised_blocks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
