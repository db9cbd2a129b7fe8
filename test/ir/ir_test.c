/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IR without a guest CPU: what the builder folds, what the checker refuses, what the printer
 * writes, and that the interpreter takes every way out with state, pc and counts right.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ir/vec.h"
#include "test/cmocka.h"

/* A guest with two registers, 64 bytes of memory, a sum for a helper, and vector operations: ADD
 * adds what is in the place rm to `vector` (SEVEN for a register), MOVE puts it there. */
struct toy {
	uint64_t r[2];
	uint8_t small;
	uint64_t pc, retired;
	uint8_t mem[64];
	uint64_t vector, scratch;
	unsigned cause;
	uint64_t trap_value;
	jmp_buf trap;
};

enum { R0, R1, SMALL, NSLOTS };
enum { SUM, VEC, VEC_LOAD, VEC_STORE, NHELPERS };
enum { ADD, MOVE, NVECS, SEVEN = 7 };

static uint64_t toy_load(void *state, uint64_t addr, unsigned size)
{
	struct toy *t = state;
	uint64_t v = 0;

	if (addr > sizeof t->mem - size)
		longjmp(t->trap, 1);
	memcpy(&v, t->mem + addr, size);
	return v;
}

static void toy_store(void *state, uint64_t addr, uint64_t val, unsigned size)
{
	struct toy *t = state;

	if (addr > sizeof t->mem - size)
		longjmp(t->trap, 1);
	memcpy(t->mem + addr, &val, size);
}

static uint64_t toy_vec(struct toy *t, struct ir_vec v, uint64_t value, uint64_t how)
{
	if (how == IR_VEC_VALUE)
		t->scratch = value;
	if (v.insn == MOVE)
		t->scratch = t->vector;
	else
		t->vector += how == IR_VEC_REGS ? SEVEN : t->scratch;
	return t->vector;
}

static uint64_t toy_call(void *state, unsigned helper, uint64_t a, uint64_t b, uint64_t c)
{
	struct toy *t = state;

	switch (helper) {
	case VEC:
		return toy_vec(t, ir_vec_of((int64_t)a), b, c);
	case VEC_LOAD:
		assert_int_equal(b, 8 | 1 << 8);
		t->scratch = toy_load(t, a, 8);
		return 0;
	case VEC_STORE:
		assert_int_equal(b, 8 | 1 << 8);
		toy_store(t, a, t->scratch, 8);
		return 0;
	default:
		assert_int_equal(helper, SUM);
		return a + 10 * b + 100 * c;
	}
}

static void toy_trap(void *state, unsigned cause, uint64_t value)
{
	struct toy *t = state;

	t->cause = cause;
	t->trap_value = value;
	longjmp(t->trap, 2);
}

static void toy_at(void *state, uint64_t pc, unsigned retired)
{
	struct toy *t = state;

	t->pc = pc;
	t->retired += retired;
}

static const struct ir_slot slots[NSLOTS] = {
	{ "r0", offsetof(struct toy, r[0]), 8 },
	{ "r1", offsetof(struct toy, r[1]), 8 },
	{ "small", offsetof(struct toy, small), 1 },
};
static const struct ir_helper helpers[NHELPERS] = {
	{ .name = "sum", .effects = IR_CALL_PURE },
	{ .name = "vec", .effects = IR_CALL_FAULT },
	{ .name = "vec_load", .effects = IR_CALL_FAULT },
	{ .name = "vec_store", .effects = IR_CALL_FAULT },
};
static const struct ir_guest guest = { slots, helpers, NSLOTS, NHELPERS, toy_load, toy_load,
	toy_store, toy_call, toy_trap, toy_at, NVECS, VEC, VEC_LOAD, VEC_STORE };

static uint16_t op(
    struct ir_block *b, enum ir_opcode o, uint16_t x, uint16_t y, uint16_t z, int64_t k)
{
	return ir_emit(
	    b, (struct ir_op){ .op = o, .type = IR_I64, .a = x, .b = y, .c = z, .k = k });
}

static uint16_t op_of(
    struct ir_block *b, enum ir_opcode o, enum ir_type type, uint16_t x, uint16_t y)
{
	return ir_emit(b, (struct ir_op){ .op = o, .type = type, .a = x, .b = y });
}

static uint16_t imm(struct ir_block *b, int64_t k)
{
	return op(b, IR_imm, 0, 0, 0, k);
}

static void begin(struct ir_block *b)
{
	ir_begin(b);
	op(b, IR_insn, 0, 0, 0, 0x1000);
}

/* Runs a block from a state of zeroes; 0, or how it trapped. */
static int run(struct ir_block *b, struct toy *t)
{
	struct err e;
	int how;

	if (ir_check(b, &guest, &e) < 0)
		fail_msg("%s", e.text);
	how = setjmp(t->trap);
	if (!how)
		ir_run(b, &guest, 0, t);
	return how;
}

static void constants_are_folded(void **state)
{
	struct ir_block *b = *state;
	uint16_t x, y;

	begin(b);
	x = op(b, IR_add, imm(b, 40), imm(b, 2), 0, 0);
	assert_int_equal(b->op[x].op, IR_imm);
	assert_int_equal(b->op[x].k, 42);
	x = op_of(b, IR_sext, IR_I8, imm(b, 0x80), 0);
	assert_int_equal(b->op[x].k, -128);
	x = op(b, IR_divs, imm(b, 7), imm(b, 0), 0, 0);
	assert_int_equal(b->op[x].k, -1);
	y = op(b, IR_get, 0, 0, 0, R0);
	assert_int_equal(op(b, IR_add, y, imm(b, 0), 0, 0), y);
	assert_int_equal(op(b, IR_shl, y, imm(b, 0), 0, 0), y);
	assert_int_equal(op(b, IR_choose, imm(b, 1), y, x, 0), y);
	assert_int_equal(op(b, IR_choose, imm(b, 0), x, y, 0), y);
	assert_int_not_equal(op(b, IR_and, y, imm(b, 0), 0, 0), y);
	/* Calls are not, whatever they are called with. */
	x = op(b, IR_call, imm(b, 1), imm(b, 2), imm(b, 3), SUM);
	assert_int_equal(b->op[x].op, IR_call);
}

static void nothing_follows_the_end(void **state)
{
	struct ir_block *b = *state;
	unsigned n;

	begin(b);
	op(b, IR_exit, 0, 0, 0, 0x2000);
	n = b->n;
	assert_int_equal(imm(b, 5), 0);
	op(b, IR_exit, 0, 0, 0, 0x3000);
	assert_int_equal(b->n, n);
	assert_int_equal(ir_check(b, &guest, NULL), 0);
}

static void blocks_say_when_they_are_full(void **state)
{
	struct ir_block *b = *state;
	unsigned i;

	begin(b);
	while (ir_has_room(b))
		for (i = 0; i < IR_INSN_OPS - 1; i++)
			op(b, IR_get, 0, 0, 0, R0);
	op(b, IR_exit, 0, 0, 0, 0);
	assert_true(b->n <= IR_BLOCK_OPS);
	assert_int_equal(ir_check(b, &guest, NULL), 0);
}

static void refuse(struct ir_block *b, const char *why)
{
	struct err e = { "" };

	assert_int_equal(ir_check(b, &guest, &e), -22);
	if (!strstr(e.text, why))
		fail_msg("%s: not because of '%s'", e.text, why);
}

static void good(struct ir_block *b)
{
	begin(b);
	op(b, IR_get, 0, 0, 0, R0);      /* 2 */
	op(b, IR_add, 2, 2, 0, 0);       /* 3 */
	op(b, IR_put, 3, 0, 0, R1);      /* 4 */
	op(b, IR_call, 2, 3, 2, SUM);    /* 5 */
	op(b, IR_exit, 0, 0, 0, 0x1004); /* 6 */
	assert_int_equal(ir_check(b, &guest, NULL), 0);
}

static void bad_blocks_are_refused(void **state)
{
	struct ir_block *b = *state;

	good(b);
	b->op[3].op = IR_NOPCODES;
	refuse(b, "no opcode");
	good(b);
	b->op[3].a = 4;
	refuse(b, "comes later");
	good(b);
	b->op[5].a = 4;
	refuse(b, "no value");
	good(b);
	b->op[2].c = 1;
	refuse(b, "too many");
	good(b);
	b->op[3].type = IR_I32;
	refuse(b, "type");
	good(b);
	b->op[2].k = NSLOTS;
	refuse(b, "out of range");
	good(b);
	b->op[5].k = -1;
	refuse(b, "out of range");
	good(b);
	b->op[1].op = IR_imm;
	refuse(b, "instruction must come first");
	good(b);
	b->n--;
	refuse(b, "end");
	good(b);
	b->op[2] = b->op[6];
	refuse(b, "end");
	good(b);
	b->n = 2;
	refuse(b, "cannot be one");
}

static void blocks_print(void **state)
{
	static const char want[] = "insn 0x1000\n"
				   "\t%2 = get r0\n"
				   "\t%3 = add %2, %2\n"
				   "\tput r1, %3\n"
				   "\t%5 = call sum, %2, %3, %2\n"
				   "\texit 0x1004\n";
	struct ir_block *b = *state;
	struct buf out = { 0 };

	good(b);
	ir_print(b, &guest, &out);
	buf_put(&out, "", 1);
	assert_string_equal((char *)out.data, want);
	buf_free(&out);

	begin(b);
	op_of(b, IR_st, IR_I16, op_of(b, IR_ld, IR_I32, imm(b, 8), 0), imm(b, -1));
	op(b, IR_trap, imm(b, 7), 0, 0, 3);
	out = (struct buf){ 0 };
	ir_print(b, &guest, &out);
	buf_put(&out, "", 1);
	assert_string_equal((char *)out.data, "insn 0x1000\n"
					      "\t%2 = imm 0xffffffffffffffff\n"
					      "\t%3 = imm 0x8\n"
					      "\t%4 = ld32 %3\n"
					      "\tst16 %4, %2\n"
					      "\t%6 = imm 0x7\n"
					      "\ttrap 3, %6\n");
	buf_free(&out);
}

static void state_and_memory(void **state)
{
	struct ir_block *b = *state;
	struct toy t = { .r = { 5, 0 }, .small = 0x80, .mem = { 1, 2, 3, 4 } };
	uint16_t x;

	begin(b);
	x = op_of(b, IR_ld, IR_I32, imm(b, 0), 0);
	op_of(b, IR_st, IR_I16, imm(b, 8), x);
	op(b, IR_put,
	    op(b, IR_add, op(b, IR_get, 0, 0, 0, R0), op(b, IR_get, 0, 0, 0, SMALL), 0, 0), 0, 0,
	    R1);
	op(b, IR_put, imm(b, 0x1ff), 0, 0, SMALL);
	op(b, IR_put, op(b, IR_call, imm(b, 1), imm(b, 2), imm(b, 3), SUM), 0, 0, R0);
	op(b, IR_exit, 0, 0, 0, 0x2000);
	assert_int_equal(run(b, &t), 0);
	assert_int_equal(t.r[0], 321);
	assert_int_equal(t.r[1], 0x85);
	assert_int_equal(t.small, 0xff);
	assert_memory_equal(t.mem + 8, "\1\2\0", 3);
	assert_int_equal(t.pc, 0x2000);
	assert_int_equal(t.retired, 1);
}

static uint16_t vec(struct ir_block *b, enum ir_opcode o, uint16_t a, unsigned insn)
{
	const struct ir_vec v = { .insn = insn & 0xfff, .size = 3, .aligned = 1 };

	return op(b, o, a, 0, 0, ir_vec_k(v));
}

static void vectors(void **state)
{
	struct ir_block *b = *state;
	struct toy t = { .mem = { [8] = 100 } };

	begin(b);
	vec(b, IR_vec, 0, ADD);
	vec(b, IR_vec_in, imm(b, 1000), ADD);
	op(b, IR_put, vec(b, IR_vec_out, 0, ADD), 0, 0, R0);
	vec(b, IR_vec_ld, imm(b, 8), ADD);
	op(b, IR_put, vec(b, IR_vec_ld_out, imm(b, 8), ADD), 0, 0, R1);
	vec(b, IR_vec_st, imm(b, 16), MOVE);
	op(b, IR_insn, 0, 0, 0, 0x1004);
	vec(b, IR_vec_ld, imm(b, 60), ADD);
	op(b, IR_exit, 0, 0, 0, 0x2000);
	assert_int_equal(run(b, &t), 1);
	assert_int_equal(t.r[0], 7 + 1000 + 7);
	assert_int_equal(t.r[1], 7 + 1000 + 7 + 200);
	assert_int_equal(t.vector, t.r[1]);
	assert_memory_equal(t.mem + 16, "\xbe\4\0", 3);
	assert_int_equal(t.pc, 0x1004);
	assert_int_equal(t.retired, 1);
	b->op[2].k |= NVECS;
	refuse(b, "out of range");
}

/* Three instructions, the middle one of which may leave. */
static void three(struct ir_block *b, enum ir_opcode middle, uint64_t cond)
{
	uint16_t x;

	begin(b);
	op(b, IR_put, imm(b, 1), 0, 0, R0);
	op(b, IR_insn, 0, 0, 0, 0x1004);
	x = imm(b, (int64_t)cond);
	if (middle == IR_side)
		op(b, IR_side, x, 0, 0, 0x5000);
	else if (middle == IR_trap_if)
		op(b, IR_trap_if, x, imm(b, 77), 0, 9);
	else
		op_of(b, IR_ld, IR_I64, x, 0);
	op(b, IR_insn, 0, 0, 0, 0x1008);
	op(b, IR_put, imm(b, 2), 0, 0, R0);
	op(b, IR_exit_to, op(b, IR_get, 0, 0, 0, R1), 0, 0, 0);
}

static void ways_out(void **state)
{
	struct ir_block *b = *state;
	const struct {
		enum ir_opcode middle;
		uint64_t cond;
		int how;
		uint64_t pc, retired, r0;
	} cases[] = {
		{ IR_side, 0, 0, 0x3000, 3, 2 },
		{ IR_side, 1, 0, 0x5000, 2, 1 },
		{ IR_trap_if, 0, 0, 0x3000, 3, 2 },
		{ IR_trap_if, 8, 2, 0x1004, 1, 1 },
		{ IR_ld, 0, 0, 0x3000, 3, 2 },
		{ IR_ld, 60, 1, 0x1004, 1, 1 },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct toy t = { .r = { 0, 0x3000 } };

		three(b, cases[i].middle, cases[i].cond);
		assert_int_equal(run(b, &t), cases[i].how);
		assert_int_equal(t.pc, cases[i].pc);
		assert_int_equal(t.retired, cases[i].retired);
		assert_int_equal(t.r[0], cases[i].r0);
		if (cases[i].how == 2) {
			assert_int_equal(t.cause, 9);
			assert_int_equal(t.trap_value, 77);
		}
	}
}

/* Each operation without effects has a result in the interpreter, known for one set of operands. */
static void operations(void **state)
{
	const uint64_t a = 0xfedcba9876543210, c = 8;
	const struct {
		enum ir_opcode op;
		enum ir_type type;
		uint64_t want;
	} cases[] = {
		{ IR_add, IR_I64, 0xfedcba9876543218 },
		{ IR_sub, IR_I64, 0xfedcba9876543208 },
		{ IR_mul, IR_I64, 0xf6e5d4c3b2a19080 },
		{ IR_mulh, IR_I64, UINT64_MAX },
		{ IR_mulhu, IR_I64, 7 },
		{ IR_mulhsu, IR_I64, UINT64_MAX },
		{ IR_divs, IR_I64, 0xffdb97530eca8642 },
		{ IR_divu, IR_I64, 0x1fdb97530eca8642 },
		{ IR_rems, IR_I64, 0 },
		{ IR_remu, IR_I64, 0 },
		{ IR_and, IR_I64, 0 },
		{ IR_or, IR_I64, 0xfedcba9876543218 },
		{ IR_xor, IR_I64, 0xfedcba9876543218 },
		{ IR_not, IR_I64, 0x0123456789abcdef },
		{ IR_shl, IR_I64, 0xdcba987654321000 },
		{ IR_shr, IR_I64, 0x00fedcba98765432 },
		{ IR_sar, IR_I64, 0xfffedcba98765432 },
		{ IR_shl, IR_I32, 0x54321000 },
		{ IR_shr, IR_I32, 0x00765432 },
		{ IR_sar, IR_I32, 0x00765432 },
		{ IR_rol, IR_I64, 0xdcba9876543210fe },
		{ IR_rol, IR_I32, 0x54321076 },
		{ IR_ror, IR_I64, 0x10fedcba98765432 },
		{ IR_ror, IR_I32, 0x10765432 },
		{ IR_eq, IR_I64, 0 },
		{ IR_ne, IR_I64, 1 },
		{ IR_lts, IR_I64, 1 },
		{ IR_ltu, IR_I64, 0 },
		{ IR_choose, IR_I64, 8 },
		{ IR_sext, IR_I16, 0x3210 },
		{ IR_zext, IR_I32, 0x76543210 },
		{ IR_clz, IR_I64, 0 },
		{ IR_clz, IR_I32, 1 },
		{ IR_ctz, IR_I64, 4 },
		{ IR_ctz, IR_I32, 4 },
		{ IR_popcnt, IR_I64, 32 },
		{ IR_popcnt, IR_I32, 12 },
		{ IR_bswap, IR_I64, 0x1032547698badcfe },
		{ IR_bswap, IR_I32, 0x10325476 },
	};
	bool seen[IR_NOPCODES] = { false };
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		seen[cases[i].op] = true;
		assert_int_equal(
		    ir_eval(cases[i].op, cases[i].type, a, c, cases[i].op == IR_choose),
		    cases[i].want);
	}
	for (i = 0; i < IR_NOPCODES; i++)
		if (ir_infos[i].result && ir_infos[i].operands && !ir_infos[i].effects &&
		    i != IR_call && !seen[i])
			fail_msg("no case for %s", ir_infos[i].name);
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct ir_block));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(constants_are_folded, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_follows_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_say_when_they_are_full, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_blocks_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_print, setup, teardown),
		cmocka_unit_test_setup_teardown(state_and_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(ways_out, setup, teardown),
		cmocka_unit_test(operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
