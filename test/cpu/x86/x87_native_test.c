/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: each x87 instruction does to registers, tags, status, control, flags and memory what this
 * host's FPU does, with stack faults, all masks and pending exceptions.  LODGE_SEED and LODGE_RUNS
 * choose others and more.
 */
#include "test/cpu/x86/simd_native.h"

#if defined(__x86_64__)

static uint64_t seed;
static uint64_t ran[X86_NOPS], trapped[32], total;

static uint64_t random_bits(void)
{
	return ref_random(&seed);
}

static bool is_ours(unsigned op)
{
	return op >= X86_OP_fadd && op <= X86_OP_fnsave;
}

/* 10 bytes that are likely to hurt. */
static struct f80 some_number(void)
{
	const uint64_t r = random_bits();
	struct f80 a = { random_bits(), (uint16_t)random_bits() };
	bool denormal;

	switch (r & 7) {
	case 0:
		return x87_from_f64(ref_operand(FP_D, &seed), &denormal);
	case 1:
		return x87_from_f32((uint32_t)ref_operand(FP_S, &seed), &denormal);
	case 2:
	case 3:
		return x87_from_int((int64_t)random_bits() >> (r >> 8 & 63));
	case 4:
		a.sig = UINT64_C(1) << (r >> 8 & 63);
		break;
	default:
		break;
	}
	if (r >> 20 & 3)
		a.se = (uint16_t)((a.se & 0x803f) + 0x3fdf);
	else if (r >> 22 & 1)
		a.se |= 0x7ffc;
	else
		a.se &= 0x8003;
	if (r >> 24 & 15)
		a.sig =
		    (a.se & 0x7fff) == 0 ? a.sig & ~(UINT64_C(1) << 63) : a.sig | UINT64_C(1) << 63;
	return a;
}

static void random_state(void)
{
	const uint64_t r = random_bits();

	for (unsigned i = 0; i < 16; i++)
		cpu.r[i] = random_bits();
	for (unsigned i = 0; i < 8; i++) {
		const struct f80 a = some_number();

		cpu.st[i][0] = a.sig;
		cpu.st[i][1] = a.se;
	}
	for (unsigned i = 0; i + 16 <= ARENA_SIZE; i += 16) {
		const struct f80 a = some_number();

		put_le(arena + i, a.sig, 8);
		put_le(arena + i + 8, a.se, 2);
		if (random_bits() & 1)
			put_le(arena + i, ref_operand(FP_D, &seed), 8);
		if (random_bits() & 1)
			put_le(arena + i, ref_operand(FP_S, &seed), 4);
	}
	cpu.fcw = (uint16_t)(0x7f | (r & 0x1f00));
	if (r >> 16 & 1)
		cpu.fcw ^= r >> 24 & 0x3f;
	cpu.fsw = (uint16_t)(r >> 32 & 0x7f7f);
	if (r >> 17 & 7)
		cpu.fsw &= cpu.fcw | 0xffc0;
	cpu.ftw = (uint8_t)((r >> 48) | (r >> 56) | (r >> 18 & 1 ? 0xff : 0));
	if (!(r >> 20 & 3))
		cpu.ftw = 0x1f;
	x86_fpu_summary(&cpu);
	cpu.mxcsr = 0x1f80;
	x86_put_arith_flags(&cpu, (uint32_t)(r >> 20) & FLAGS_ARITH);
}

static void fail_with(const uint8_t *bytes, const struct x86_insn *i, const uint8_t *before,
    const char *what, uint64_t ours, uint64_t host)
{
	char text[64] = "";

	for (unsigned k = 0; k < i->len; k++)
		snprintf(text + 3 * k, 4, "%02x ", bytes[k]);
	fail_msg(
	    "%s: %s: %s is %llx, on the host %llx; fcw %llx fsw %llx ftw %x st0 %04llx %016llx "
	    "(run %llu)",
	    x86_op_infos[i->op].name, text, what, (unsigned long long)ours,
	    (unsigned long long)host, (unsigned long long)get_le(before + AREA_FCW, 2),
	    (unsigned long long)get_le(before + AREA_FSW, 2), before[AREA_FTW],
	    (unsigned long long)get_le(before + AREA_ST + 8, 2),
	    (unsigned long long)get_le(before + AREA_ST, 8), (unsigned long long)total);
}

/* Conditions that hosts treat otherwise than the manual says, or that it leaves undefined. */
static uint64_t free_conditions(unsigned op)
{
	switch (op) {
	case X86_OP_fcomi:
	case X86_OP_fcomip:
	case X86_OP_fucomi:
	case X86_OP_fucomip:
		return X87_C1; /* AMD keeps it */
	default:
		return 0;
	}
}

static void compare(const uint8_t *bytes, const struct x86_insn *i, const uint8_t *before)
{
	static const struct {
		const char *name;
		unsigned at, size;
	} words[] = { { "fcw", 0, 2 }, { "fsw", 2, 2 }, { "ftw", 4, 1 } };
	uint8_t now[XSAVE_SIZE];
	char what[16];

	area_from_cpu(now);
	for (unsigned k = 0; k < ARRAY_LEN(words); k++) {
		uint64_t a = get_le(now + words[k].at, words[k].size);
		uint64_t b = get_le(native_cpu.area + words[k].at, words[k].size);

		if (k == 1)
			a &= ~free_conditions(i->op), b &= ~free_conditions(i->op);

		if (a != b)
			fail_with(bytes, i, before, words[k].name, a, b);
	}
	for (unsigned k = 0; k < 16; k++) {
		const unsigned at = AREA_ST + 8 * k, size = k & 1 ? 2 : 8;
		const uint64_t a = get_le(now + at, size), b = get_le(native_cpu.area + at, size);

		snprintf(what, sizeof(what), "st%u.%u", k / 2, k & 1);
		if (a != b)
			fail_with(bytes, i, before, what, a, b);
	}
}

/* Memory that the instruction wrote; pointers depend on the host's generation. */
static void compare_memory(const uint8_t *bytes, const struct x86_insn *i, const uint8_t *before,
    const uint8_t *ours, uint64_t to)
{
	const bool env = i->op == X86_OP_fnstenv || i->op == X86_OP_fnsave;
	const bool wide = i->noperands && (i->o[0].size == 28 || i->o[0].size == 108);

	for (uint64_t k = 0; k < ARENA_SIZE; k++) {
		const uint64_t in = (uintptr_t)arena + k - to;

		if (arena[k] == ours[k])
			continue;
		if (env && in >= (wide ? 12u : 6u) && in < (wide ? 28u : 14u))
			continue;
		fail_with(bytes, i, before, "memory", ours[k], arena[k]);
	}
}

static void one(void)
{
	static uint8_t memory[ARENA_SIZE], ours[ARENA_SIZE];
	uint8_t bytes[16], before[XSAVE_SIZE];
	uint64_t r = random_bits(), to = (uintptr_t)arena + (r >> 32) % (ARENA_SIZE - 128);
	struct x86_insn i;
	unsigned n = 0;
	int trap;

	if (!(r >> 20 & 15))
		to = (uintptr_t)arena +
		     (r >> 24 & 1 ? ARENA_SIZE - (r >> 25 & 15) : -(r >> 25 & 15));
	if (r & 1)
		to &= ~UINT64_C(15);
	if (!(r >> 12 & 7))
		bytes[n++] = 0x66;
	bytes[n++] = (uint8_t)(0xd8 | (r >> 1 & 7));
	bytes[n++] = (uint8_t)(r >> 4 & 0x80 ? 0xc0 | (r >> 4 & 0x3f) : (r >> 4 & 0x38) | 3);
	if (!(r >> 16 & 255)) {
		n = 0;
		bytes[n++] = 0x9b;
	}
	memset(bytes + n, 0x90, sizeof(bytes) - n);
	if (x86_decode(&i, cpu.mode, bytes, 15, NULL, host_has) != X86_DECODED || !is_ours(i.op))
		return;
	random_state();
	cpu.r[X86_RBX] = to;
	/* What the C library computes in software is close, but not the same. */
	total++;
	ran[i.op]++;
	cpu.rip = (uintptr_t)code_run;
	area_from_cpu(before);
	memcpy(native_cpu.area, before, XSAVE_SIZE);
	memcpy(native_cpu.r, cpu.r, sizeof(cpu.r));
	native_cpu.flags = 0x202 | x86_arith_flags(&cpu);
	memcpy(memory, arena, ARENA_SIZE);
	trap = cpu_execute(&i);
	memcpy(ours, arena, ARENA_SIZE);
	memcpy(arena, memory, ARENA_SIZE);
	native_execute(bytes, i.len);

	if (trap != native_cpu.trap)
		fail_with(bytes, &i, before, "trap", (uint64_t)trap, (uint64_t)native_cpu.trap);
	if (trap >= 0)
		trapped[trap & 31]++;
	for (unsigned k = 0; k < 16; k++) {
		if (cpu.r[k] != native_cpu.r[k])
			fail_with(bytes, &i, before, "a register", cpu.r[k], native_cpu.r[k]);
	}
	if ((x86_arith_flags(&cpu) ^ native_cpu.flags) & FLAGS_ARITH)
		fail_with(bytes, &i, before, "eflags", x86_arith_flags(&cpu), native_cpu.flags);
	compare(bytes, &i, before);
	compare_memory(bytes, &i, before, ours, to);
}

static void bodies_are_host(void **state)
{
	const uint64_t runs = number("LODGE_RUNS", 50000);
	unsigned ops = 0, missed = 0;

	(void)state;
	seed = number("LODGE_SEED", 1);
	print_message("LODGE_SEED=%llu\n", (unsigned long long)seed);
	native_begin();
	cpu_begin();
	while (total < runs)
		one();
	for (unsigned op = 0; op < X86_NOPS; op++) {
		ops += ran[op] != 0;
		if (is_ours(op) && ran[op] == 0) {
			missed++;
			print_message("not come upon: %s\n", x86_op_infos[op].name);
		}
	}
	if (runs >= 50000)
		assert_int_equal(missed, 0);
	print_message("%llu instructions, %u kinds; #PF %llu #MF %llu\n", (unsigned long long)total,
	    ops, (unsigned long long)trapped[X86_PF], (unsigned long long)trapped[X86_MF]);
}

#else

static void bodies_are_host(void **state)
{
	(void)state;
	print_message("# SKIP not an x86-64 host\n");
	skip();
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
