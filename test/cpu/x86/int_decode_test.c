/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding: what becomes of prefixes, operands, lengths and features. */
#include <string.h>

#include "cpu/x86/insn.h"
#include "test/cmocka.h"

/* What the CPU lacks. */
static enum x86_feature lacks;

static bool has(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
	if (f == X86_HAS_NOTHING)
		return true;
	return f != lacks && f != X86_HAS_NEVER &&
	       (f != X86_HAS_AMD_BRANCHES || lacks == X86_HAS_NEVER);
}

enum {
	REAL = X86_CODE16,
	CODE16 = X86_CODE16 | X86_PROTECTED,
	CODE32 = X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT,
	CODE64 = X86_CODE64 | X86_PROTECTED | X86_FLAT
};

static struct x86_insn decode_n(uint32_t mode, const char *bytes, size_t n, enum x86_decoded want)
{
	struct x86_insn i;

	assert_int_equal(x86_decode(&i, mode, bytes, n, NULL, has), want);
	return i;
}

/* All bytes of a string belong to the instruction, or to an undefined one. */
#define DECODE(mode, bytes) decode_all(mode, bytes, sizeof(bytes) - 1)

static struct x86_insn decode_all(uint32_t mode, const char *bytes, size_t n)
{
	char padded[X86_INSN_LEN] = { 0 };
	struct x86_insn i;

	memcpy(padded, bytes, n);
	i = decode_n(mode, padded, sizeof padded, X86_DECODED);
	assert_ptr_equal(i.body, i.op == X86_OP_ud ? x86_bodies[i.op] : x86_form(&i));
	if (i.op != X86_OP_ud)
		assert_int_equal(i.len, n);
	return i;
}

static void assert_op(struct x86_insn i, enum x86_op op)
{
	if (i.op != op)
		fail_msg("%s, not %s", x86_op_infos[i.op].name, x86_op_infos[op].name);
}

static void assert_operand(
    struct x86_insn i, unsigned n, enum x86_kind kind, unsigned reg, unsigned size)
{
	assert_true(n < i.noperands);
	assert_int_equal(i.o[n].kind, kind);
	assert_int_equal(i.o[n].reg, reg);
	assert_int_equal(i.o[n].size, size);
}

static void registers_and_sizes(void **state)
{
	struct x86_insn i = DECODE(CODE64, "\x48\x01\xd8"); /* add rax, rbx */

	(void)state;
	assert_op(i, X86_OP_add);
	assert_operand(i, 0, X86_O_REG, X86_RAX, 8);
	assert_operand(i, 1, X86_O_REG, X86_RBX, 8);
	i = DECODE(CODE64, "\x00\xe1"); /* add cl, ah */
	assert_operand(i, 0, X86_O_REG, X86_RCX, 1);
	assert_operand(i, 1, X86_O_HIGH, X86_RAX, 1);
	i = DECODE(CODE64, "\x40\x00\xe1"); /* add cl, spl */
	assert_operand(i, 1, X86_O_REG, X86_RSP, 1);
	i = DECODE(CODE64, "\x45\x00\xff"); /* add r15b, r15b */
	assert_operand(i, 0, X86_O_REG, 15, 1);
	i = DECODE(CODE16, "\x01\xd8");
	assert_operand(i, 0, X86_O_REG, X86_RAX, 2);
	i = DECODE(CODE16, "\x66\x01\xd8");
	assert_operand(i, 0, X86_O_REG, X86_RAX, 4);
	assert_int_equal(i.size, 4);
}

static void memory_operands(void **state)
{
	struct x86_insn i = DECODE(CODE64, "\x8b\x44\x8d\xf0"); /* mov eax, [rbp + rcx * 4 - 16] */

	(void)state;
	assert_operand(i, 1, X86_O_MEM, 0, 4);
	assert_int_equal(i.base, X86_RBP);
	assert_int_equal(i.index, X86_RCX);
	assert_int_equal(i.scale, 4);
	assert_int_equal(i.disp, -16);
	assert_int_equal(i.seg, X86_SS);
	assert_int_equal(i.asize, 8);
	i = DECODE(CODE64, "\x8b\x05\x10\x00\x00\x00"); /* mov eax, [rip + 16] */
	assert_int_equal(i.base, X86_BASE_RIP);
	assert_int_equal(i.disp, 16 + 6);
	/* With REX.B there is still no base, but with a 32-bit address, too. */
	i = DECODE(CODE64, "\x67\x49\x8b\x1c\x1d\x78\x56\x34\x12");
	assert_int_equal(i.base, X86_NO_REG);
	assert_int_equal(i.index, X86_RBX);
	assert_int_equal(i.disp, 0x12345678);
	assert_int_equal(i.asize, 4);
	i = DECODE(CODE16, "\x8b\x42\xfe"); /* mov ax, [bp + si - 2] */
	assert_int_equal(i.base, X86_RBP);
	assert_int_equal(i.index, X86_RSI);
	assert_int_equal(i.seg, X86_SS);
	assert_int_equal(i.asize, 2);
}

static void segments(void **state)
{
	(void)state;
	assert_int_equal(DECODE(CODE32, "\x26\x8b\x00").seg, X86_ES);
	assert_int_equal(DECODE(CODE32, "\x64\x8b\x00").seg, X86_FS);
	/* 64-bit code has FS and GS only. */
	assert_int_equal(DECODE(CODE64, "\x26\x8b\x00").seg, X86_DS);
	assert_int_equal(DECODE(CODE64, "\x65\x8b\x00").seg, X86_GS);
	/* Of strings, the source. */
	assert_int_equal(DECODE(CODE32, "\x2e\xf3\xa4").seg, X86_CS);
	assert_int_equal(DECODE(CODE32, "\xa4").seg, X86_DS);
}

static void immediates(void **state)
{
	struct x86_insn i = DECODE(CODE64, "\x48\x83\xc0\xff"); /* add rax, -1 */

	(void)state;
	assert_operand(i, 1, X86_O_IMM, 0, 1);
	assert_int_equal(i.imm, -1);
	i = DECODE(CODE64, "\x83\xc0\xff"); /* add eax, -1 */
	assert_int_equal(i.imm, 0xffffffff);
	i = DECODE(CODE64, "\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x88");
	assert_int_equal(i.imm, (int64_t)0x8807060504030201);
	i = DECODE(CODE32, "\xc8\x34\x12\x05"); /* enter 0x1234, 5 */
	assert_int_equal(i.imm, 0x1234);
	assert_int_equal(i.imm2, 5);
	i = DECODE(CODE32, "\xea\x44\x33\x22\x11\x66\x55"); /* jmp 0x5566:0x11223344 */
	assert_int_equal(i.o[0].kind, X86_O_FAR);
	assert_int_equal(i.imm, 0x11223344);
	assert_int_equal(i.imm2, 0x5566);
}

static void jumps(void **state)
{
	struct x86_insn i = DECODE(CODE64, "\xeb\xfe"); /* jmp to itself */

	(void)state;
	assert_op(i, X86_OP_jmp_near);
	assert_int_equal(i.o[0].kind, X86_O_REL);
	assert_int_equal(i.imm, 0);
	assert_int_equal(i.size, 8);
	/* 66: Intel's CPUs ignore it in 64-bit code, AMD's do not. */
	i = DECODE(CODE64, "\x66\xe9\x00\x01\x00\x00");
	assert_int_equal(i.size, 8);
	assert_int_equal(i.imm, 0x106);
	lacks = X86_HAS_NEVER; /* so it has what AMD has */
	i = DECODE(CODE64, "\x66\xe9\x00\x01");
	assert_int_equal(i.size, 2);
	i = DECODE(CODE64, "\x66\x75\x10");
	assert_int_equal(i.size, 2);
	lacks = X86_HAS_NOTHING;
	assert_op(DECODE(CODE64, "\xff\x20"), X86_OP_jmp_near);
	assert_op(DECODE(CODE64, "\xff\x28"), X86_OP_jmp_far);
	assert_op(DECODE(CODE64, "\xcb"), X86_OP_ret_far);
}

static void prefixes(void **state)
{
	(void)state;
	assert_int_equal(DECODE(CODE64, "\xf3\xa4").flags, X86_REP);
	/* The last one counts. */
	assert_int_equal(DECODE(CODE64, "\xf3\xf2\xa6").flags, X86_REPNE);
	/* Part of the opcode. */
	assert_op(DECODE(CODE64, "\xf3\x0f\xb8\xc1"), X86_OP_popcnt);
	assert_int_equal(DECODE(CODE64, "\xf3\x0f\xb8\xc1").flags & X86_REP, 0);
	assert_op(DECODE(CODE64, "\xf3\x90"), X86_OP_pause);
	assert_op(DECODE(CODE64, "\x90"), X86_OP_nop);
	/* F3 REX.B 90 is no PAUSE. */
	assert_op(DECODE(CODE64, "\xf3\x41\x90"), X86_OP_xchg);
	assert_operand(DECODE(CODE64, "\xf3\x41\x90"), 0, X86_O_REG, 8, 4);
	assert_op(DECODE(CODE64, "\xf3\x0f\x1e\xfa"), X86_OP_nop); /* ENDBR64 */
}

static void lock(void **state)
{
	(void)state;
	assert_op(DECODE(CODE64, "\xf0\x01\x08"), X86_OP_add);
	assert_int_equal(DECODE(CODE64, "\xf0\x01\x08").flags, X86_LOCK);
	assert_op(DECODE(CODE64, "\xf0\x01\xc8"), X86_OP_ud); /* a register */
	assert_op(DECODE(CODE64, "\xf0\x03\x08"), X86_OP_ud); /* memory is the source */
	assert_op(DECODE(CODE64, "\xf0\x39\x08"), X86_OP_ud); /* CMP */
	assert_op(DECODE(CODE64, "\xf0\x8b\x08"), X86_OP_ud);
	assert_op(DECODE(CODE64, "\xf0\x0f\xa3\x08"), X86_OP_ud); /* BT */
	assert_op(DECODE(CODE64, "\xf0\x0f\xab\x08"), X86_OP_bts);
}

static void lengths(void **state)
{
	char b[17];

	(void)state;
	memset(b, 0x66, sizeof b);
	b[14] = (char)0x90;
	assert_int_equal(decode_n(CODE64, b, 15, X86_DECODED).len, 15);
	b[14] = 0x66;
	b[15] = (char)0x90;
	assert_op(decode_n(CODE64, b, 16, X86_DECODED), X86_OP_too_long);
	assert_op(decode_n(CODE64, b, 15, X86_DECODED), X86_OP_too_long);
	decode_n(CODE64, b, 14, X86_TRUNCATED);
	decode_n(CODE64, "\x48\xb8\x00\x00", 4, X86_TRUNCATED);
	decode_n(CODE64, "", 0, X86_TRUNCATED);
}

static void modes(void **state)
{
	(void)state;
	assert_op(DECODE(CODE32, "\x40"), X86_OP_inc);
	assert_op(DECODE(CODE64, "\x06"), X86_OP_ud);     /* PUSH ES */
	assert_op(DECODE(CODE64, "\x27"), X86_OP_ud);     /* DAA */
	assert_op(DECODE(CODE64, "\xd4\x0a"), X86_OP_ud); /* AAM */
	assert_op(DECODE(CODE64, "\x60"), X86_OP_ud);
	assert_op(DECODE(CODE32, "\x60"), X86_OP_pushad);
	assert_op(DECODE(CODE32, "\x63\xc8"), X86_OP_arpl);
	assert_op(DECODE(REAL, "\x63\xc8"), X86_OP_ud);
	assert_op(DECODE(REAL, "\x0f\x00\xd8"), X86_OP_ud); /* LTR */
	assert_op(DECODE(CODE64, "\x63\xc8"), X86_OP_movsxd);
}

static void features(void **state)
{
	static const struct {
		enum x86_feature without;
		const char *bytes;
		enum x86_op op, then;
	} cases[] = {
		{ X86_HAS_CMOV, "\x0f\x44\xc1", X86_OP_cmovz, X86_OP_ud },
		{ X86_HAS_486, "\x0f\xc1\xc8", X86_OP_xadd, X86_OP_ud },
		{ X86_HAS_CX8, "\x0f\xc7\x08", X86_OP_cmpxchg8b, X86_OP_ud },
		{ X86_HAS_POPCNT, "\xf3\x0f\xb8\xc1", X86_OP_popcnt, X86_OP_ud },
		/* Older CPUs have something else there. */
		{ X86_HAS_ABM, "\xf3\x0f\xbd\xc1", X86_OP_lzcnt, X86_OP_bsr },
		{ X86_HAS_BMI1, "\xf3\x0f\xbc\xc1", X86_OP_tzcnt, X86_OP_bsf },
		{ X86_HAS_BMI1, "\xc4\xe2\x78\xf2\xc1", X86_OP_andn, X86_OP_ud },
		{ X86_HAS_BMI2, "\xc4\xe2\x7b\xf6\xc1", X86_OP_mulx, X86_OP_ud },
		{ X86_HAS_ADX, "\x66\x0f\x38\xf6\xc1", X86_OP_adcx, X86_OP_ud },
		{ X86_HAS_MOVBE, "\x0f\x38\xf0\x03", X86_OP_movbe, X86_OP_ud },
		{ X86_HAS_SSE4_2, "\xf2\x0f\x38\xf1\xc1", X86_OP_crc32, X86_OP_ud },
		{ X86_HAS_RDRAND, "\x0f\xc7\xf0", X86_OP_rdrand, X86_OP_ud },
		{ X86_HAS_NOTHING, "\x62\xf1\x7c\x48\x58\xc1", X86_OP_ud, X86_OP_ud }, /* EVEX */
	};
	unsigned n;

	(void)state;
	for (n = 0; n < ARRAY_LEN(cases); n++) {
		lacks = X86_HAS_NOTHING;
		assert_op(decode_all(CODE32, cases[n].bytes, strlen(cases[n].bytes)), cases[n].op);
		lacks = cases[n].without;
		if (lacks)
			assert_op(decode_all(CODE32, cases[n].bytes, strlen(cases[n].bytes)),
			    cases[n].then);
	}
	lacks = X86_HAS_NOTHING;
}

static int has_everything(void **state)
{
	(void)state;
	lacks = X86_HAS_NOTHING;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_and_sizes),
		cmocka_unit_test(memory_operands),
		cmocka_unit_test(segments),
		cmocka_unit_test(immediates),
		cmocka_unit_test(jumps),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(lock),
		cmocka_unit_test(lengths),
		cmocka_unit_test(modes),
		cmocka_unit_test(features),
	};

	return cmocka_run_group_tests(tests, has_everything, NULL);
}
