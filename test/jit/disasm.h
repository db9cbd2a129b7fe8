/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_JIT_DISASM_H
#define TEST_JIT_DISASM_H

#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "jit/x86_64/fp_seq.h"
#include "jit/x86_64/gen.h"
#include "test/cmocka.h"

/*
 * Host code of x86-64 as text, by Zydis.  Nothing in it depends on where the code is: jumps have
 * labels, thunks and constants names.
 */
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
	THUNK(vec_enter, 0),
};

enum { LABELS = 200 };

struct disasm {
	ZydisDecoder decoder;
	ZydisFormatter formatter;
	const struct jit *jit;
	uint64_t label[LABELS]; /* targets of jumps inside, in order of addresses */
	unsigned labels;
	uint64_t from, to; /* the code, as it is executed */
};

static const struct thunk *thunk_at(const struct disasm *t, uint64_t address)
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

static void name_of(const struct disasm *t, uint64_t address, char *text, size_t size)
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

static void decode(const struct disasm *t, uint64_t at, struct insn *n)
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

static unsigned data_behind(const struct disasm *t, const struct insn *n, uint64_t at)
{
	const struct thunk *thunk = thunk_at(t, target(n, at));
	struct slow_info info;

	if (!thunk || n->i.mnemonic != ZYDIS_MNEMONIC_CALL)
		return 0;
	if (strncmp(thunk->name, "slow", 4) || !thunk->data || thunk->data == 4)
		return thunk->data;
	memcpy(&info, (const void *)(uintptr_t)(at + n->i.length), sizeof info);
	return info.size;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	return (x > y) - (x < y);
}

static void find_labels(struct disasm *t)
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
    const struct disasm *t, const struct insn *n, uint64_t at, const char *text, struct buf *out)
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

static inline void disasm_print(struct disasm *t, struct buf *out)
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

static inline void disasm_init(struct disasm *t, const struct jit *j)
{
	t->jit = j;
	assert_true(ZYAN_SUCCESS(
	    ZydisDecoderInit(&t->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)));
	assert_true(ZYAN_SUCCESS(ZydisFormatterInit(&t->formatter, ZYDIS_FORMATTER_STYLE_INTEL)));
}

/* What is at [at, end) of code memory. */
static inline void disasm_code(struct disasm *t, size_t at, size_t end, struct buf *out)
{
	t->from = (uintptr_t)jit_address(t->jit, at);
	t->to = (uintptr_t)jit_address(t->jit, end);
	find_labels(t);
	disasm_print(t, out);
}

#endif
