/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test/jit/NAME.ir: IR, and the host code that is made of it as Zydis, a disassembler, reads it:
 * for a host with all extensions, and for one with none.  HOW in a case's title is `code`.
 *
 * The guest is made up, so that no offset in its state changes with a real one.  Nothing in the
 * text depends on where code is: jumps have labels, thunks and constants names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/cmocka.h"

#if defined(__x86_64__) && defined(__has_include) && __has_include(<Zydis/Zydis.h>)
#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "jit/x86_64/fp_seq.h"
#include "jit/x86_64/gen.h"
#include "test/ir/text.h"

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
};

static uint64_t helper(void *state, uint64_t a, uint64_t b, uint64_t c)
{
	(void)state;
	return a ^ b ^ c;
}

static uint64_t (*const functions[ARRAY_LEN(helpers)])(
    void *, uint64_t, uint64_t, uint64_t) = { helper, helper, helper, helper, helper, helper,
	helper, helper, helper, helper, helper, helper, helper, helper };

static const struct ir_guest ir = {
	.slots = slots,
	.helpers = helpers,
	.nslots = ARRAY_LEN(slots),
	.nhelpers = ARRAY_LEN(helpers),
};

static const struct jit_guest guest = {
	.ir = &ir,
	.helpers = functions,
	.left = offsetof(struct state, left),
	.pc = offsetof(struct state, pc),
	.base = offsetof(struct state, base),
	.attention = offsetof(struct state, attention),
	.jumps = offsetof(struct state, jumps),
	.jump_mark = offsetof(struct state, mark),
	.fp_fast = offsetof(struct state, fp_fast),
	.fp_flags = offsetof(struct state, fp_flags),
	.pins = pins,
	.npins = ARRAY_LEN(pins),
	.fpins = fpins,
	.nfpins = ARRAY_LEN(fpins),
	.pc_shift = 1,
	.inside = 4094,
	.tlb_bits = 8,
};

/* Thunks, and how many bytes that are no code follow a call of them. */
static const struct thunk {
	size_t at;
	const char *name;
	unsigned data;
} thunks[] = {
#define THUNK(name, data)                                                                          \
	{                                                                                          \
		offsetof(struct jit, name), #name, data                                            \
	}
	THUNK(exit, sizeof(struct jit_exit)),
	THUNK(slow, sizeof(struct slow_info)),
	THUNK(slow_fp, sizeof(struct slow_info)),
	THUNK(stop, 4),
	THUNK(slow_now, 4),
	THUNK(trap, 8),
	THUNK(miss, 0),
	THUNK(fp_load, 0),
	THUNK(fp_reload, 0),
	THUNK(resume, 0),
	THUNK(call, 0),
	THUNK(call_fault, 0),
	THUNK(eval, 0),
};

enum { LABELS = 200, CODE = 1 << 16 };

struct rig {
	ZydisDecoder decoder;
	ZydisFormatter formatter;
	struct jit *jit;
	struct jit_draft *draft;
	struct ir_block ir, again;
	uint8_t code[CODE];
	uint64_t label[LABELS]; /* targets of jumps inside, in order of addresses */
	unsigned labels;
	uint64_t from, to; /* the unit, as it is executed */
};

static const struct thunk *thunk_at(const struct rig *t, uint64_t address)
{
	const uint8_t *to;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(thunks); i++) {
		memcpy(&to, (const char *)t->jit + thunks[i].at, sizeof to);
		if (address == (uintptr_t)t->jit->code.rx + (uintptr_t)(to - t->jit->code.rw))
			return &thunks[i];
	}
	return NULL;
}

static void name_of(const struct rig *t, uint64_t address, char *text, size_t size)
{
	const struct thunk *thunk = thunk_at(t, address);
	uint64_t consts = (uintptr_t)t->jit->code.rx;
	unsigned i;

	for (i = 0; i < t->labels; i++)
		if (t->label[i] == address)
			break;
	if (i < t->labels)
		snprintf(text, size, "L%u", i + 1);
	else if (thunk)
		snprintf(text, size, "<%s>", thunk->name);
	else if (address >= consts && address < consts + sizeof fp_consts)
		snprintf(text, size, "<const %" PRIu64 ">",
		    (address - consts) / sizeof(struct fp_const));
	else
		snprintf(text, size, "<elsewhere>");
}

struct insn {
	ZydisDecodedInstruction i;
	ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
};

static void decode(const struct rig *t, uint64_t at, struct insn *n)
{
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(
		&t->decoder, (const void *)(uintptr_t)at, t->to - at, &n->i, n->o)))
		fail_msg("no instruction at offset %" PRIu64, at - t->from);
}

/* Where a jump or call leads; 0: it is none, or not to a fixed place. */
static uint64_t target(const struct insn *n, uint64_t at)
{
	ZyanU64 to = 0;

	if (n->o[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && n->o[0].imm.is_relative &&
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&n->i, &n->o[0], at, &to)))
		return 0;
	return to;
}

static unsigned data_behind(const struct rig *t, const struct insn *n, uint64_t at)
{
	const struct thunk *thunk = thunk_at(t, target(n, at));

	return thunk && n->i.mnemonic == ZYDIS_MNEMONIC_CALL ? thunk->data : 0;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	return (x > y) - (x < y);
}

static void find_labels(struct rig *t)
{
	uint64_t at, to;
	unsigned i, n = 0;
	struct insn insn;

	t->labels = 0;
	for (at = t->from; at < t->to; at += insn.i.length + data_behind(t, &insn, at)) {
		decode(t, at, &insn);
		to = target(&insn, at);
		if (to < t->from || to >= t->to)
			continue;
		assert_true(t->labels < LABELS);
		t->label[t->labels++] = to;
	}
	qsort(t->label, t->labels, sizeof t->label[0], by_address);
	for (i = 0; i < t->labels; i++)
		if (i == 0 || t->label[i] != t->label[i - 1])
			t->label[n++] = t->label[i];
	t->labels = n;
}

/* A line, with the name of what an operand is the address of where Zydis has its number. */
static void print_text(
    const struct rig *t, const struct insn *n, uint64_t at, const char *text, struct buf *out)
{
	char number[24], name[40];
	const char *place;
	ZyanU64 address;
	unsigned i;

	for (i = 0; i < n->i.operand_count_visible; i++) {
		if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&n->i, &n->o[i], at, &address)))
			continue;
		snprintf(number, sizeof number, "0x%016" PRIX64, (uint64_t)address);
		place = strstr(text, number);
		if (!place)
			continue;
		name_of(t, address, name, sizeof name);
		buf_printf(
		    out, "\t%.*s%s%s", (int)(place - text), text, name, place + strlen(number));
		return;
	}
	buf_printf(out, "\t%s", text);
}

static void print(struct rig *t, struct buf *out)
{
	char text[256];
	struct insn n;
	uint64_t at;
	unsigned i, data;

	for (at = t->from; at < t->to; at += n.i.length + data) {
		for (i = 0; i < t->labels; i++)
			if (t->label[i] == at)
				buf_printf(out, "L%u:\n", i + 1);
		decode(t, at, &n);
		data = data_behind(t, &n, at);
		assert_true(ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&t->formatter, &n.i, n.o,
		    n.i.operand_count_visible, text, sizeof text, at, t)));
		print_text(t, &n, at, text, out);
		buf_printf(out, "%s\n", data ? " ; and data" : "");
	}
}

/* What comes to the same place as a draft is the same. */
static void compare_draft(struct rig *t, struct jit_unit unit, size_t at, size_t end)
{
	uint8_t *code = t->jit->code.rw;

	unit.ir = &t->again;
	assert_true(jit_draft(t->draft, &unit));
	unit.draft = t->draft;
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
	size_t at = jit_first(t->jit), end;
	unsigned n;

	(void)how;
	if (ir_parse(&t->ir, in, &ir, &e) < 0)
		fail_msg("%s\n%s", e.text, in);
	for (n = 1; n < t->ir.n; n++)
		unit.insns += t->ir.op[n].op == IR_insn;
	memset(&t->jit->has, strcmp(label, "full") == 0, sizeof t->jit->has);
	t->again = t->ir;
	end = jit_compile(t->jit, &unit, at, jit_size(t->jit));
	assert_true(end > at);
	compare_draft(t, unit, at, end);
	t->from = (uintptr_t)jit_address(t->jit, at);
	t->to = (uintptr_t)jit_address(t->jit, end);
	find_labels(t);
	print(t, out);
}

static void texts(void **state)
{
	static const char *const labels[] = { "full", "baseline", NULL };
	struct rig *t = malloc(sizeof *t);
	struct text_test test = { "test/jit/*.ir", labels, generate, t };
	struct err e = { "" };

	(void)state;
	assert_non_null(t);
	t->jit = jit_new(&guest, CODE, true, &e);
	t->draft = t->jit ? jit_draft_new(t->jit, &e) : NULL;
	if (!t->draft)
		fail_msg("%s", e.text);
	assert_true(ZYAN_SUCCESS(
	    ZydisDecoderInit(&t->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)));
	assert_true(ZYAN_SUCCESS(ZydisFormatterInit(&t->formatter, ZYDIS_FORMATTER_STYLE_INTEL)));
	text_run(&test);
	jit_draft_free(t->draft);
	jit_free(t->jit);
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
