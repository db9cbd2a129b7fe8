/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: when vector and x87 instructions are undefined or not available (SDM volume 3, 13.1,
 * table 2-2), when a pending exception is delivered, and how FNSTENV, FLDENV, FNSAVE and FXSAVE lay
 * memory out in modes that a host's user program cannot be in.
 */
#include "cpu/x86/simd.h"
#include "test/cpu/x86/simd_native.h"

/* Decodes and executes; what it raised. */
static int execute(const char *bytes, unsigned n)
{
	struct x86_insn i;
	uint8_t all[15] = { 0 };

	memcpy(all, bytes, n);
	assert_int_equal(x86_decode(&i, cpu.mode, all, 15, NULL, host_has), X86_DECODED);
	assert_int_not_equal(i.op, X86_OP_ud);
	assert_int_equal(i.len, n);
	return cpu_execute(&i);
}

#define EXECUTE(text) execute(text, sizeof(text) - 1)

static int begin(void **state)
{
	uint8_t *all = mmap(arena, ARENA_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)state;
	return all == arena ? 0 : -1;
}

static int reset(void **state)
{
	(void)state;
	cpu_begin();
	memset(arena, 0xcc, ARENA_SIZE);
	cpu.fcw = X87_CW_RESET;
	cpu.mxcsr = MXCSR_DEFAULT;
	cpu.r[X86_RBX] = (uintptr_t)arena;
	return 0;
}

/* ADDPS, PADDB of MMX, VADDPS, FLD1, FWAIT under bits of CR0, CR4 and XCR0. */
static void availability_is_as_the_manual_says(void **state)
{
	enum { ADDPS, MMX, VADDPS, FLD1, FWAIT, FXSAVE, XSAVE, N };
	static const struct {
		uint64_t cr0_set, cr4_clear, xcr0;
		int trap[N];
	} table[] = {
		{ 0, 0, 7, { -1, -1, -1, -1, -1, -1, -1 } },
		{ CR0_EM, 0, 7, { X86_UD, X86_UD, -1, X86_NM, -1, X86_NM, -1 } },
		{ CR0_TS, 0, 7, { X86_NM, X86_NM, X86_NM, X86_NM, X86_NM, X86_NM, X86_NM } },
		{ CR0_EM | CR0_TS, 0, 7,
		    { X86_UD, X86_UD, X86_NM, X86_NM, X86_NM, X86_NM, X86_NM } },
		{ 0, CR4_OSFXSR, 7, { X86_UD, -1, -1, -1, -1, -1, -1 } },
		{ 0, CR4_OSXSAVE, 7, { -1, -1, X86_UD, -1, -1, -1, X86_UD } },
		{ 0, 0, 3, { -1, -1, X86_UD, -1, -1, -1, -1 } },
	};

	for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
		int got[N];

		reset(state);
		cpu.cr0 |= table[i].cr0_set;
		cpu.cr4 &= ~table[i].cr4_clear;
		cpu.xcr0 = table[i].xcr0;
		got[ADDPS] = EXECUTE("\x0f\x58\xc1");
		got[VADDPS] = EXECUTE("\xc5\xf0\x58\xc2");
		got[FLD1] = EXECUTE("\xd9\xe8");
		got[MMX] = EXECUTE("\x0f\xfc\xc1");
		got[FWAIT] = EXECUTE("\x9b");
		got[FXSAVE] = EXECUTE("\x0f\xae\x03");
		memset(arena, 0, 1024);
		got[XSAVE] = EXECUTE("\x0f\xae\x23");
		for (unsigned k = 0; k < N; k++) {
			if (got[k] != table[i].trap[k])
				fail_msg("row %u, instruction %u: %d, expected %d", i, k, got[k],
				    table[i].trap[k]);
		}
	}
	/* FWAIT looks at TS only with MP. */
	reset(state);
	cpu.cr0 = (cpu.cr0 | CR0_TS) & ~CR0_MP;
	assert_int_equal(EXECUTE("\x9b"), NO_TRAP);
}

static void a_pending_exception_waits_for_who_waits(void **state)
{
	(void)state;
	cpu.fcw = 0x37b;                                /* division by zero is not masked */
	assert_int_equal(EXECUTE("\xd9\xe8"), NO_TRAP); /* FLD1 */
	assert_int_equal(EXECUTE("\xd9\xee"), NO_TRAP); /* FLDZ */
	assert_int_equal(EXECUTE("\xde\xf9"), NO_TRAP); /* FDIVP: 1 / 0 */
	assert_int_equal(cpu.fsw & (X87_ES | X87_BUSY | X87_ZE), X87_ES | X87_BUSY | X87_ZE);
	assert_int_equal(x86_fpu_tos(&cpu), 6);         /* nothing was popped */
	assert_int_equal(EXECUTE("\xdf\xe0"), NO_TRAP); /* FNSTSW AX */
	assert_int_equal(cpu.r[X86_RAX] & 0xffff, cpu.fsw);
	assert_int_equal(EXECUTE("\x9b"), X86_MF);
	assert_int_equal(EXECUTE("\xd9\xe8"), X86_MF);
	assert_int_equal(EXECUTE("\x0f\xfc\xc1"), X86_MF);  /* PADDB of MMX */
	assert_int_equal(EXECUTE("\x0f\x77"), X86_MF);      /* EMMS */
	assert_int_equal(EXECUTE("\x0f\x58\xc1"), NO_TRAP); /* ADDPS */
	cpu.cr0 &= ~CR0_NE;                                 /* then it is FERR#'s business */
	assert_int_equal(EXECUTE("\x9b"), NO_TRAP);
	cpu.cr0 |= CR0_NE;
	assert_int_equal(EXECUTE("\xdb\xe2"), NO_TRAP); /* FNCLEX */
	assert_int_equal(EXECUTE("\x9b"), NO_TRAP);
}

/* Whether MXCSR's exceptions are #XM or #UD, and that nothing changes. */
static void unmasked_exceptions_raise(void **state)
{
	(void)state;
	cpu.mxcsr = MXCSR_DEFAULT & ~(MXCSR_ZE << MXCSR_MASK_SHIFT);
	cpu.v[0][0] = 0x3f8000003f800000;
	assert_int_equal(EXECUTE("\x0f\x5e\xc1"), X86_XM); /* DIVPS: 1 / 0 */
	assert_int_equal(cpu.v[0][0], 0x3f8000003f800000);
	/* 0 / 0 in the upper half was found, too. */
	assert_int_equal(cpu.mxcsr & MXCSR_FLAGS, MXCSR_ZE | MXCSR_IE);
	cpu.cr4 &= ~CR4_OSXMMEXCPT;
	assert_int_equal(EXECUTE("\x0f\x5e\xc1"), X86_UD);
}

static void check_words(const char *what, unsigned size, const uint32_t *expected, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (get_le(arena + size * i, size) != expected[i])
			fail_msg("%s, word %u: %llx, expected %x", what, i,
			    (unsigned long long)get_le(arena + size * i, size), expected[i]);
	}
}

static void state_for_env(uint32_t mode)
{
	reset(NULL);
	cpu.mode = mode;
	cpu.fcw = 0x340;
	cpu.fsw = 0x1800; /* TOP 3 */
	cpu.ftw = 0xe0;   /* 5: zero, 6: an infinity, 7: a number */
	cpu.st[6][0] = cpu.st[7][0] = UINT64_C(1) << 63;
	cpu.st[6][1] = 0x7fff;
	cpu.st[7][1] = 0x3fff;
	cpu.fop = 0x7a5;
	cpu.fip = 0x12345;
	cpu.fcs = 0x2000;
	cpu.fdp = 0x6789;
	cpu.fds = 0x3000;
	/* [BX], with the segment at the arena. */
	cpu.r[X86_RBX] = mode & X86_CODE32 ? (uintptr_t)arena : 0;
	cpu.seg_base[X86_DS] = mode & X86_CODE32 ? 0 : (uintptr_t)arena;
}

/* Figures 8-9 to 8-12, FNSTENV and back by FLDENV. */
static void environments_have_four_formats(void **state)
{
	static const uint32_t protected_32[] = { 0xffff0340, 0xffff1800, 0xffff27ff, 0x12345,
		0x07a52000, 0x6789, 0xffff3000 };
	static const uint32_t real_32[] = { 0xffff0340, 0xffff1800, 0xffff27ff, 0xffff2345, 0x37a5,
		0xffff6789, 0x3000 };
	static const uint32_t protected_16[] = { 0x340, 0x1800, 0x27ff, 0x2345, 0x2000, 0x6789,
		0x3000 };
	static const uint32_t real_16[] = { 0x340, 0x1800, 0x27ff, 0x2345, 0x37a5, 0x6789, 0x3000 };

	(void)state;
	state_for_env(X86_CODE32 | X86_PROTECTED | X86_STACK32);
	assert_int_equal(EXECUTE("\xd9\x33"), NO_TRAP);
	check_words("32 bits, protected", 4, protected_32, 7);
	assert_int_equal(cpu.fcw, 0x37f); /* all is masked now */
	cpu.fsw = cpu.ftw = cpu.fop = 0;
	assert_int_equal(EXECUTE("\xd9\x23"), NO_TRAP);
	assert_int_equal(cpu.fcw, 0x340);
	assert_int_equal(cpu.fsw, 0x1800);
	assert_int_equal(cpu.ftw, 0xe0);
	assert_int_equal(cpu.fop, 0x7a5);
	assert_int_equal(cpu.fip, 0x12345);

	state_for_env(X86_CODE32 | X86_PROTECTED | X86_STACK32);
	assert_int_equal(EXECUTE("\x66\xd9\x33"), NO_TRAP);
	check_words("16 bits, protected", 2, protected_16, 7);

	/* Linear pointers: CS * 16 + IP. */
	state_for_env(X86_CODE16);
	cpu.fcs = 0x2000, cpu.fip = 0x12345, cpu.fds = 0x2ffd, cpu.fdp = 0x67b9;
	assert_int_equal(EXECUTE("\x66\xd9\x37"), NO_TRAP);
	check_words("32 bits, real", 4, real_32, 7);

	state_for_env(X86_CODE16);
	cpu.fcs = 0x2000, cpu.fip = 0x12345, cpu.fds = 0x2ffd, cpu.fdp = 0x67b9;
	assert_int_equal(EXECUTE("\xd9\x37"), NO_TRAP);
	check_words("16 bits, real", 2, real_16, 7);
}

static void fnsave_resets_and_frstor_brings_back(void **state)
{
	(void)state;
	state_for_env(X86_CODE16);
	assert_int_equal(EXECUTE("\xdd\x37"), NO_TRAP); /* FNSAVE [BX] */
	assert_int_equal(cpu.fcw, X87_CW_RESET);
	assert_int_equal(cpu.fsw | cpu.ftw, 0);
	/* ST(0) is register 3. */
	assert_int_equal(get_le(arena + 14 + 10 * 4 + 8, 2), 0x3fff);
	assert_int_equal(arena[94], 0xcc);
	cpu.st[7][1] = 0;
	assert_int_equal(EXECUTE("\xdd\x27"), NO_TRAP); /* FRSTOR [BX] */
	assert_int_equal(cpu.ftw, 0xe0);
	assert_int_equal(cpu.st[7][1], 0x3fff);
}

/* Outside of 64-bit code eight vectors are saved, and pointers are 32 bits and a selector. */
static void fxsave_of_32_bits(void **state)
{
	(void)state;
	state_for_env(X86_CODE32 | X86_PROTECTED | X86_STACK32);
	for (unsigned i = 0; i < 16; i++)
		cpu.v[i][0] = 0x1000 + i;
	assert_int_equal(EXECUTE("\x0f\xae\x03"), NO_TRAP);
	assert_int_equal(get_le(arena + 8, 4), 0x12345);
	assert_int_equal(get_le(arena + 12, 2), 0x2000);
	assert_int_equal(get_le(arena + 160 + 16 * 7, 8), 0x1007);
	assert_int_equal(arena[160 + 16 * 8], 0xcc);
	memset(cpu.v, 0, sizeof(cpu.v));
	cpu.v[8][0] = 5;
	assert_int_equal(EXECUTE("\x0f\xae\x0b"), NO_TRAP);
	assert_int_equal(cpu.v[7][0], 0x1007);
	assert_int_equal(cpu.v[8][0], 5);
	put_le(arena + AREA_MXCSR, 0x10000, 4);
	assert_int_equal(EXECUTE("\x0f\xae\x0b"), X86_GP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(availability_is_as_the_manual_says),
		cmocka_unit_test_setup(a_pending_exception_waits_for_who_waits, reset),
		cmocka_unit_test_setup(unmasked_exceptions_raise, reset),
		cmocka_unit_test(environments_have_four_formats),
		cmocka_unit_test(fnsave_resets_and_frstor_brings_back),
		cmocka_unit_test(fxsave_of_32_bits),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
