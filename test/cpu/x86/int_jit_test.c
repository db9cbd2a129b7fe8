/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random blocks of integer instructions do the same when they are executed at once and when they
 * are compiled, with all that the host has, and for an old one.  LODGE_SEED; LODGE_INSNS: how many.
 */
#include "test/cpu/x86/int_block.h"

#ifdef __x86_64__
#include <stddef.h>

#include "base/buf.h"
#include "base/os.h"
#include "cpu/x86/helpers.h"
#include "jit/jit.h"

enum { CODE = 1 << 20 };

/* What compiled code reaches from the CPU that is no part of it. */
struct extra {
	struct jit_jump *jumps;
	uint64_t mark;
	uint8_t fp_fast, fp_flags;
	struct jit_jump jump[JIT_JUMPS];
};

struct test {
	struct both both;
	struct extra *extra;
	struct jit *jit;
	struct x86_insn insns[BLOCK];
	bool alone;
	ir_pass *pass;
	uint64_t plain; /* blocks that went on so */
};

static uint64_t (*const helpers[X86_NHELPERS])(void *, uint64_t, uint64_t, uint64_t) = {
#define HELPER(name, effects)                                                                      \
	(uint64_t(*)(void *, uint64_t, uint64_t, uint64_t))(void (*)(void)) x86_help_##name,
#include "cpu/x86/helpers.def"
};

/* Accesses that cannot fault fill the TLB. */
static void *refill(void *state, uint64_t va, unsigned size, bool store)
{
	const enum x86_access access = store ? X86_STORE : X86_LOAD;
	struct x86 *s = state;
	const struct tlb_entry *e;
	struct x86_where where;
	uint32_t error;

	if (va + (1ull << 47) >= 1ull << 48 || (va & 4095) + size > 4096 ||
	    x86_translate(s, x86_data_context(s), va, access, &where, &error))
		return NULL;
	if (store)
		x86_probe_store(s, va, size);
	else
		x86_load(s, va, size);
	e = &(store ? s->tlb->store : s->tlb->load)[tlb_slot(s->tlb, va)];
	return e->tag == (va & ~4095ull) ? (void *)(uintptr_t)(va + e->addend) : NULL;
}

static const void *jump(void *state)
{
	(void)state;
	return NULL;
}

static uint32_t offset_of(const struct test *t, const void *at)
{
	const intptr_t offset = (const char *)at - (const char *)t->both.ir.s;

	assert_int_equal(offset, (int32_t)offset);
	return (uint32_t)offset;
}

static void make_jit(struct test *t, bool baseline)
{
	struct jit_guest guest = {
		.ir = &x86_ir_guest,
		.helpers = helpers,
		.refill = refill,
		.jump = jump,
		.left = offsetof(struct x86, left),
		.pc = offsetof(struct x86, rip),
		.base = offsetof(struct x86, base),
		.attention = offsetof(struct x86, attention),
		.jumps = offset_of(t, &t->extra->jumps),
		.jump_mark = offset_of(t, &t->extra->mark),
		.fp_fast = offset_of(t, &t->extra->fp_fast),
		.fp_flags = offset_of(t, &t->extra->fp_flags),
		.pins = x86_pins,
		.npins = X86_NPINS,
		.inside = 4096 - 14,
		.tlb_bits = TLB_BITS,
	};
	struct err e = { "" };

	t->jit = jit_new(&guest, CODE, baseline, &e);
	if (!t->jit)
		fail_msg("%s", e.text);
}

/* The instructions from `first` on, which is at offset pc. */
static void lift(struct test *t, unsigned first, unsigned n, int64_t pc)
{
	struct err e = { "" };
	struct ctx c;
	unsigned i;

	x86_lift_begin(&c, &t->both.block, pc);
	c.alone = t->alone;
	for (i = first; i < n; i++)
		if (!x86_lift(&c, &t->insns[i]))
			break;
	x86_lift_end(&c);
	if (t->pass)
		t->pass(&t->both.block, &x86_ir_guest);
	if (ir_check(&t->both.block, &x86_ir_guest, &e) < 0)
		fail_msg("%s", e.text);
}

static void does_not_fit(const struct ir_block *b)
{
	struct buf text = { 0 };

	ir_print(b, &x86_ir_guest, &text);
	fail_msg("a block does not fit:\n%.*s", (int)text.len, (char *)text.data);
}

static size_t compile(struct test *t, bool plain)
{
	const struct ir_block *b = &t->both.block;
	const size_t at = jit_first(t->jit);
	const struct tlb *tlb = t->both.ir.s->tlb;
	struct jit_unit unit = { .ir = &t->both.block,
		.id = 1,
		.tlb_load = offset_of(t, tlb->load),
		.tlb_store = offset_of(t, tlb->store),
		.jumps = offset_of(t, t->extra->jump),
		.plain = plain };
	unsigned i;

	for (i = 1; i < b->n; i++)
		unit.insns += b->op[i].op == IR_insn;
	if (!jit_compile(t->jit, &unit, at, jit_size(t->jit)))
		does_not_fit(b);
	return at;
}

/* From the instruction at rip on. */
static void run_compiled(struct test *t, unsigned n, uint64_t base)
{
	struct x86 *s = t->both.ir.s;
	uint64_t pc = s->rip, at;
	unsigned first = 0;
	bool plain = false;
	uintptr_t exit;

	for (;;) {
		for (at = pc; at != s->rip; at += t->insns[first++].len)
			assert_true(first < n);
		pc = s->rip;
		lift(t, first, n, (int64_t)(pc - base));
		s->base = base;
		exit = jit_enter(t->jit, s, jit_address(t->jit, compile(t, plain)));
		if (exit < 16 || !(jit_exit_at(exit).site & JIT_PLAIN))
			return;
		assert_false(plain);
		plain = true;
		t->plain++;
	}
}

static void run_block(struct test *t, unsigned n, uint64_t base)
{
	struct rig *r = &t->both.ir;

	r->vector = -1;
	r->error = r->s->cr2 = 0;
	r->s->raised_error = 0;
	if (setjmp(r->s->trap) == 0) {
		run_compiled(t, n, base);
		return;
	}
	r->vector = r->s->raised_vector;
	r->error = r->s->raised_error;
}

static void one(struct test *t)
{
	struct both *b = &t->both;
	uint64_t before[16], base = rig_ip(&b->direct, RIG_CODE + 0x1000);
	uint32_t flags_before;
	unsigned n;

	b->direct.s->rip = base + below(&b->gen, 32);
	n = random_block(b, t->insns, 1 + below(&b->gen, BLOCK));
	if (below(&b->gen, 4) == 0)
		b->direct.s->left = n + below(&b->gen, 20);
	copy_state(&b->ir, &b->direct);
	x86_flush(b->direct.s, true);
	x86_flush(b->ir.s, true);
	memcpy(before, b->direct.s->r, sizeof before);
	flags_before = x86_arith_flags(b->direct.s);
	run_block(t, n, base);
	run_direct(&b->direct, t->insns, n);
	compare(b, before, flags_before);
	b->ran += n;
}

static void run(struct test *t, uint32_t mode, const char *pass)
{
	uint64_t insns = number("LODGE_INSNS", 10000);

	t->pass = pass ? ir_pass_find(pass) : NULL;
	t->both.gen.mode = mode;
	t->both.ran = 0;
	rig_mode(&t->both.direct, mode);
	rig_mode(&t->both.ir, mode);
	while (t->both.ran < insns) {
		if (t->both.ran % 4096 < BLOCK)
			fill_arena(&t->both.gen);
		t->alone = below(&t->both.gen, 2);
		one(t);
	}
}

static void in_modes(struct test *t, const char *pass)
{
	static const uint32_t modes[] = {
		X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER,
		X86_CODE64 | X86_PROTECTED | X86_FLAT,
		X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT | X86_USER,
	};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(modes); i++)
		run(t, modes[i], pass);
}

static void as_lifted(void **state)
{
	in_modes(*state, NULL);
}

static void quickly_optimised(void **state)
{
	in_modes(*state, "quick");
}

static void fully_optimised(void **state)
{
	in_modes(*state, "full");
}

static void on_an_old_host(void **state)
{
	struct test *t = *state;

	jit_free(t->jit);
	make_jit(t, true);
	in_modes(t, "quick");
}

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof *t);
	unsigned i;

	assert_non_null(t);
	t->extra = os_pages_new(sizeof *t->extra); /* near to the CPU, which is made of pages too */
	assert_non_null(t->extra);
	both_init(&t->both);
	t->extra->jumps = t->extra->jump;
	for (i = 0; i < JIT_JUMPS; i++)
		t->extra->jump[i].tag = JIT_NO_TAG(i);
	make_jit(t, false);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	jit_free(t->jit);
	both_fini(&t->both);
	os_pages_free(t->extra, sizeof *t->extra);
	free(t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(as_lifted, setup, teardown),
		cmocka_unit_test_setup_teardown(quickly_optimised, setup, teardown),
		cmocka_unit_test_setup_teardown(fully_optimised, setup, teardown),
		cmocka_unit_test_setup_teardown(on_an_old_host, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..1\nok 1 - compiled blocks # SKIP no x86-64");
	return 0;
}
#endif
