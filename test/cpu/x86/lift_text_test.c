/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test/cpu/x86/NAME.lift: what becomes of x86 code.  A case has instructions as bytes, one a line,
 * with what they are behind a #; HOW in its title is `64` or `32`: the size of code.  Then come the
 * IR that the quick pipeline leaves, and the host code of that and of what the full one leaves,
 * for a host with all extensions.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/cmocka.h"

#if defined(__x86_64__) && defined(__has_include) && __has_include(<Zydis/Zydis.h>)
#include <stddef.h>
#include <string.h>

#include "cpu/x86/helpers.h"
#include "cpu/x86/lift.h"
#include "test/ir/text.h"

/* The guest has these tags, too. */
#define x86_op   host_op
#define x86_cond host_cond
#include "test/jit/disasm.h"
#undef x86_op
#undef x86_cond

/* Made up, so that no offset changes with struct x86. */
struct state {
	int64_t left;
	uint64_t base, pc;
	uint32_t attention;
	uint8_t fp_fast, fp_flags;
	uint64_t slot[X86_NSLOTS];
	uint64_t mark;
	struct jit_jump *jumps;
	struct jit_jump jump[JIT_JUMPS];
	uint64_t load[2 << 8], store[2 << 8];
};

enum { CODE = 1 << 16 };

struct rig {
	struct disasm disasm;
	struct jit *jit;
	struct ir_block ir;
	struct ir_guest guest;
	struct ir_slot slots[X86_NSLOTS];
	uint64_t (*functions[X86_NHELPERS])(void *, uint64_t, uint64_t, uint64_t);
};

static void make_guest(struct rig *t)
{
	unsigned i;

	t->guest = x86_ir_guest;
	t->guest.slots = t->slots;
	for (i = 0; i < X86_NSLOTS; i++)
		t->slots[i] = (struct ir_slot){ x86_ir_guest.slots[i].name,
			(uint32_t)(offsetof(struct state, slot) + 8 * i), 8 };
}

static void make_jit(struct rig *t)
{
	const struct jit_guest guest = {
		.ir = &t->guest,
		.helpers = t->functions,
		.left = offsetof(struct state, left),
		.pc = offsetof(struct state, pc),
		.base = offsetof(struct state, base),
		.attention = offsetof(struct state, attention),
		.jumps = offsetof(struct state, jumps),
		.jump_mark = offsetof(struct state, mark),
		.fp_fast = offsetof(struct state, fp_fast),
		.fp_flags = offsetof(struct state, fp_flags),
		.pins = x86_pins,
		.npins = X86_NPINS,
		.inside = 4096 - (X86_INSN_LEN - 1),
		.tlb_bits = 8,
	};
	struct err e = { "" };

	t->jit = jit_new(&guest, CODE, true, &e);
	if (!t->jit)
		fail_msg("%s", e.text);
	memset(&t->jit->has, 1, sizeof t->jit->has);
}

static bool has_all(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
	return f != X86_HAS_NEVER && f != X86_HAS_AMD_BRANCHES;
}

/* The bytes of a line; how many. */
static unsigned bytes_of(const char *line, uint8_t *bytes)
{
	unsigned n = 0;
	int used;

	for (; n < X86_INSN_LEN && sscanf(line, " %2hhx%n", &bytes[n], &used) == 1; n++)
		line += used;
	return n;
}

static unsigned lift(struct rig *t, uint32_t mode, const char *in)
{
	uint8_t bytes[X86_INSN_LEN];
	struct x86_insn insn;
	unsigned n, insns = 0;
	struct ctx c;

	x86_lift_begin(&c, &t->ir, 0);
	c.alone = true;
	for (; *in; in = text_line_end(in)) {
		n = bytes_of(in, bytes);
		if (!n)
			continue;
		if (x86_decode(&insn, mode, bytes, n, NULL, has_all) != X86_DECODED ||
		    insn.len != n)
			fail_msg("no instruction: %s", in);
		insns++;
		if (!x86_lift(&c, &insn))
			break;
	}
	x86_lift_end(&c);
	return insns;
}

static void generate(void *rig, const char *how, const char *label, const char *in, struct buf *out)
{
	const uint32_t common = X86_PROTECTED | X86_FLAT | X86_USER;
	struct rig *t = rig;
	struct jit_unit unit = {
		.ir = &t->ir,
		.id = 1,
		.tlb_load = offsetof(struct state, load),
		.tlb_store = offsetof(struct state, store),
		.jumps = offsetof(struct state, jump),
	};
	size_t at = jit_first(t->jit), end;

	unit.insns =
	    lift(t, common | (strcmp(how, "64") ? X86_CODE32 | X86_STACK32 : X86_CODE64), in);
	ir_optimise(&t->ir, &t->guest, strcmp(label, "full") ? IR_QUICK : IR_FULL);
	if (strcmp(label, "ir") == 0) {
		ir_print(&t->ir, &t->guest, out);
		return;
	}
	end = jit_compile(t->jit, &unit, at, jit_size(t->jit));
	assert_true(end > at);
	disasm_code(&t->disasm, at, end, out);
}

static void texts(void **state)
{
	static const char *const labels[] = { "ir", "quick", "full", NULL };
	struct rig *t = calloc(1, sizeof *t);
	struct text_test test = { "test/cpu/x86/*.lift", labels, generate, t };

	(void)state;
	assert_non_null(t);
	make_guest(t);
	make_jit(t);
	disasm_init(&t->disasm, t->jit);
	text_run(&test);
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
	puts("1..1\nok 1 - lifted x86 code as text # SKIP no x86-64, or no Zydis to read it");
	return 0;
}
#endif
