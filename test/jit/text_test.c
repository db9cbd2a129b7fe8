/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test/jit/NAME.ir: IR, and the host code that is made of it as Zydis, a disassembler, reads it:
 * for a host with all extensions, and for one with none.  HOW in a case's title is `code`, or
 * `vectors` for a guest with vector registers in place of floating-point ones.
 *
 * The guest is made up, so that no offset in its state changes with a real one.  Nothing in the
 * text depends on where code is: jumps have labels, thunks and constants names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/cmocka.h"

#if defined(__x86_64__) && defined(__has_include) && __has_include(<Zydis/Zydis.h>)
#include <stddef.h>
#include <string.h>

#include "test/ir/text.h"
#include "test/jit/disasm.h"

struct state {
	uint64_t r[16], f[14];
	int64_t left;
	uint64_t pc, base;
	uint32_t attention;
	uint8_t fp_fast, fp_flags;
	uint64_t mark;
	struct jit_jump *jumps;
	struct jit_jump jump[JIT_JUMPS];
	uint64_t load[2 << 8], store[2 << 8];
	uint32_t mxcsr;
	_Alignas(32) uint64_t v[17][4];
};

#define R(n)                                                                                       \
	{                                                                                          \
		"r" #n, offsetof(struct state, r[n]), 8                                            \
	}
#define F(n)                                                                                       \
	{                                                                                          \
		"f" #n, offsetof(struct state, f[n]), 8                                            \
	}

enum { SLOT_F = 16 };
static const struct ir_slot slots[] = { R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8), R(9),
	R(10), R(11), R(12), R(13), R(14), R(15), F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7),
	F(8), F(9), F(10), F(11), F(12), F(13) };

/* r0 to r8 have host registers, and f0 to f9. */
static const uint8_t pins[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t fpins[] = { 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 };

static const struct ir_helper helpers[] = {
	{ "pure", IR_CALL_PURE, IR_INLINE_NONE, 0 },
	{ "state", IR_CALL_STATE, IR_INLINE_NONE, 0 },
	{ "fault", IR_CALL_FAULT, IR_INLINE_NONE, 0 },
	{ "regs", IR_CALL_REGS, IR_INLINE_NONE, 0 },
	{ "fp_on", IR_CALL_FAULT, IR_INLINE_FP_GUARD, 0 },
	{ "box", IR_CALL_PURE, IR_INLINE_FBOX, 32 },
	{ "unbox", IR_CALL_PURE, IR_INLINE_FUNBOX, 32 },
	{ "fadd_s", IR_CALL_STATE, IR_INLINE_FADD, 32 },
	{ "fadd_d", IR_CALL_STATE, IR_INLINE_FADD, 64 },
	{ "fmul_d", IR_CALL_STATE, IR_INLINE_FMUL, 64 },
	{ "fma_d", IR_CALL_STATE, IR_INLINE_FMA, 64 },
	{ "flt_d", IR_CALL_STATE, IR_INLINE_FLT, 64 },
	{ "to_i64_d", IR_CALL_STATE, IR_INLINE_TO_I64, 64 },
	{ "from_i64_d", IR_CALL_STATE, IR_INLINE_FROM_I64, 64 },
	{ "rare", IR_CALL_FAULT, IR_INLINE_IF, 0 },
	{ "clmul", IR_CALL_PURE, IR_INLINE_CLMUL, 64 },
	{ "clmulh", IR_CALL_PURE, IR_INLINE_CLMULH, 64 },
	{ "clmulr", IR_CALL_PURE, IR_INLINE_CLMULR, 64 },
	{ "aes_enc", IR_CALL_PURE, IR_INLINE_AES_ENC, 64 },
	{ "aes_dec_last", IR_CALL_PURE, IR_INLINE_AES_DEC_LAST, 64 },
	{ "aes_unmix", IR_CALL_PURE, IR_INLINE_AES_UNMIX, 64 },
	{ "aes_sub_high", IR_CALL_PURE, IR_INLINE_AES_SUB_HIGH, 64 },
	{ "vec_enter", IR_CALL_FAULT, IR_INLINE_VEC_GUARD, 0 },
	{ "vec", IR_CALL_FAULT, IR_INLINE_NONE, 0 },
	{ "vec_load", IR_CALL_FAULT, IR_INLINE_NONE, 0 },
	{ "vec_store", IR_CALL_FAULT, IR_INLINE_NONE, 0 },
};

enum { HELPER_VEC = ARRAY_LEN(helpers) - 3, HELPER_VEC_LOAD, HELPER_VEC_STORE };

static uint64_t helper(void *state, uint64_t a, uint64_t b, uint64_t c)
{
	(void)state;
	return a ^ b ^ c;
}

static uint64_t (*const functions[ARRAY_LEN(helpers)])(
    void *, uint64_t, uint64_t, uint64_t) = { helper, helper, helper, helper, helper, helper,
	helper, helper, helper, helper, helper, helper, helper, helper, helper, helper, helper,
	helper, helper, helper, helper, helper, helper, helper, helper, helper };

static unsigned vec_level(void *state)
{
	(void)state;
	return 2;
}

static const struct ir_guest ir = {
	.slots = slots,
	.helpers = helpers,
	.nslots = ARRAY_LEN(slots),
	.nhelpers = ARRAY_LEN(helpers),
	.nvecs = 1,
	.vec = HELPER_VEC,
	.vec_load = HELPER_VEC_LOAD,
	.vec_store = HELPER_VEC_STORE,
};

/* What guests with floating-point registers of their own and with vectors have in common. */
#define GUEST                                                                                      \
	.ir = &ir, .helpers = functions, .left = offsetof(struct state, left),                     \
	.pc = offsetof(struct state, pc), .base = offsetof(struct state, base),                    \
	.attention = offsetof(struct state, attention), .jumps = offsetof(struct state, jumps),    \
	.jump_mark = offsetof(struct state, mark), .pins = pins, .npins = ARRAY_LEN(pins),         \
	.pc_shift = 1, .inside = 4094, .tlb_bits = 8

static const struct jit_guest guest = {
	GUEST,
	.fp_fast = offsetof(struct state, fp_fast),
	.fp_flags = offsetof(struct state, fp_flags),
	.fpins = fpins,
	.nfpins = ARRAY_LEN(fpins),
};

static const struct jit_guest vector_guest = {
	GUEST,
	.vec_level = vec_level,
	.vregs = offsetof(struct state, v),
	.mxcsr = offsetof(struct state, mxcsr),
};

enum { CODE = 1 << 16 };

struct rig {
	struct disasm disasm[2];
	struct jit *jits[2]; /* of guest and vector_guest */
	struct jit_draft *drafts[2];
	struct jit *jit; /* one of them */
	struct ir_block ir, again;
	uint8_t code[CODE];
};

/* What comes to the same place as a draft is the same. */
static void compare_draft(struct rig *t, struct jit_unit unit, size_t at, size_t end)
{
	uint8_t *code = t->jit->code.rw;

	unit.ir = &t->again;
	unit.draft = t->drafts[t->jit == t->jits[1]];
	assert_true(jit_draft(unit.draft, &unit));
	memcpy(t->code, code + at, end - at);
	memset(code + at, 0xcc, end - at);
	assert_int_equal(jit_compile(t->jit, &unit, at, end - 1), 0);
	assert_int_equal(jit_compile(t->jit, &unit, at, end), end);
	assert_memory_equal(t->code, code + at, end - at);
}

static void generate(void *rig, const char *how, const char *label, const char *in, struct buf *out)
{
	struct rig *t = rig;
	struct jit_unit unit = {
		.ir = &t->ir,
		.id = 1,
		.tlb_load = offsetof(struct state, load),
		.tlb_store = offsetof(struct state, store),
		.jumps = offsetof(struct state, jump),
	};
	struct err e = { "" };
	size_t at, end;
	unsigned n;

	t->jit = t->jits[strcmp(how, "vectors") == 0];
	at = jit_first(t->jit);
	if (ir_parse(&t->ir, in, &ir, &e) < 0)
		fail_msg("%s\n%s", e.text, in);
	for (n = 1; n < t->ir.n; n++)
		unit.insns += t->ir.op[n].op == IR_insn;
	memset(&t->jit->has, strcmp(label, "full") == 0, sizeof t->jit->has);
	t->again = t->ir;
	end = jit_compile(t->jit, &unit, at, jit_size(t->jit));
	assert_true(end > at);
	compare_draft(t, unit, at, end);
	disasm_code(&t->disasm[t->jit == t->jits[1]], at, end, out);
}

static void texts(void **state)
{
	static const char *const labels[] = { "full", "baseline", NULL };
	struct rig *t = malloc(sizeof *t);
	struct text_test test = { "test/jit/*.ir", labels, generate, t };
	struct err e = { "" };
	unsigned i;

	(void)state;
	assert_non_null(t);
	for (i = 0; i < 2; i++) {
		t->jits[i] = jit_new(i ? &vector_guest : &guest, CODE, true, &e);
		t->drafts[i] = t->jits[i] ? jit_draft_new(t->jits[i], &e) : NULL;
		if (!t->drafts[i])
			fail_msg("%s", e.text);
		disasm_init(&t->disasm[i], t->jits[i]);
	}
	text_run(&test);
	for (i = 0; i < 2; i++) {
		jit_draft_free(t->drafts[i]);
		jit_free(t->jits[i]);
	}
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(texts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..1\nok 1 - host code as text # SKIP no x86-64, or no Zydis to read it");
	return 0;
}
#endif
