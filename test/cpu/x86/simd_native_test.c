/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: each vector instruction does to registers, MXCSR, memory and flags what this host's CPU
 * does, exceptions included, with random encodings and operands that are biased to what hurts.
 * Fails for an instruction that the host has and no encoding came upon.  LODGE_SEED and LODGE_RUNS
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

static uint64_t some_bits(void)
{
	const uint64_t r = random_bits();

	switch (r % 8) {
	case 0:
		return random_bits();
	case 1:
		return (uint64_t)((int64_t)random_bits() >> (r >> 8 & 63));
	case 2:
		return (r >> 8 & 0x0101010101010101) * 0xff ^ (r & 0x8080808080808080);
	case 3:
	case 4:
		return ref_operand(FP_D, &seed);
	case 5:
		return r >> 8 & 0x3f3f0000003f;
	default:
		return ref_operand(FP_S, &seed) << 32 | ref_operand(FP_S, &seed);
	}
}

static bool is_ours(unsigned op)
{
	return op >= X86_OP_paddb && op <= X86_OP_vstmxcsr;
}

/* Whether this host has it, as far as the sets go that not all hosts have. */
static bool is_here(unsigned op)
{
	const char *name = x86_op_infos[op].name;

	if (!host_has(NULL, X86_HAS_SHA) && strncmp(name, "sha", 3) == 0)
		return false;
	if (!host_has(NULL, X86_HAS_AES) && strstr(name, "aes"))
		return false;
	if (!host_has(NULL, X86_HAS_FMA) && strncmp(name, "vf", 2) == 0)
		return false;
	return name[0] != 'v' || host_has(NULL, X86_HAS_AVX2);
}

/* Random bytes in the shape of a vector instruction. */
static void make_bytes(uint8_t b[16])
{
	static const uint8_t mandatory[] = { 0, 0x66, 0xf3, 0xf2 };
	const uint64_t r = random_bits();
	unsigned n = 0;

	for (unsigned i = 0; i < 16; i++)
		b[i] = (uint8_t)random_bits();
	if (!(r >> 32 & 31))
		b[n++] = 0x67;
	if (r & 1) { /* VEX */
		b[n++] = 0xc4;
		b[n] = (uint8_t)((b[n] & 0xe0) | (1 + (r >> 8) % 3));
		if (r >> 16 & 3)
			b[n + 1] |= 0x78; /* vvvv: no register */
		return;
	}
	if (mandatory[r >> 1 & 3])
		b[n++] = mandatory[r >> 1 & 3];
	if (r >> 16 & 1)
		b[n++] = 0x40 | (r >> 17 & 15);
	b[n++] = 0x0f;
	if (r >> 3 & 1)
		b[n++] = r >> 4 & 1 ? 0x38 : 0x3a;
}

static bool has_memory(const struct x86_insn *i)
{
	for (unsigned k = 0; k < i->noperands; k++) {
		if (i->o[k].kind == X86_O_MEM)
			return true;
	}
	return false;
}

static bool stores_bytes(const struct x86_insn *i)
{
	return i->op == X86_OP_maskmovq || i->op == X86_OP_maskmovdqu ||
	       i->op == X86_OP_vmaskmovdqu;
}

/* Makes the memory operand meet the arena, or the pages beside it; false: it cannot be. */
static bool aim(const struct x86_insn *i)
{
	const uint64_t r = random_bits();
	uint64_t to = (uintptr_t)arena + 64 * (r % (ARENA_SIZE / 64 - 2));

	const bool sha = i->op >= X86_OP_sha1rnds4 && i->op <= X86_OP_sha256rnds2;

	/* AMD's SHA instructions do not check the alignment that Intel's manual wants. */
	if (!(r >> 32 & 7) && !sha)
		to += r >> 40 & 63;
	if (!(r >> 48 & 63) && !sha)
		to = (uintptr_t)arena +
		     (r >> 56 & 1 ? ARENA_SIZE - (r >> 57 & 31) : -(r >> 57 & 31));
	if (stores_bytes(i))
		cpu.r[X86_RDI] = to;
	if (!has_memory(i))
		return true;
	if (i->seg >= X86_FS || i->base == X86_BASE_RIP || i->base == X86_NO_REG)
		return false;
	if (i->flags & X86_VSIB) {
		for (unsigned k = 0; k < 4; k++)
			cpu.v[i->index][k] = i->arg >> 4 == 4 ? random_bits() & 0x0000007f0000007f
							      : random_bits() & 0x7f;
		if (!(r >> 61))
			to = (uintptr_t)arena + ARENA_SIZE - 256;
	} else if (i->index != X86_NO_REG) {
		if (i->index == i->base)
			return false;
		cpu.r[i->index] = random_bits() >> (random_bits() & 63);
		to -= cpu.r[i->index] * i->scale;
	}
	cpu.r[i->base] = to - (uint64_t)i->disp;
	if (i->asize == 4)
		cpu.r[i->base] = (uint32_t)cpu.r[i->base];
	return true;
}

static void random_state(void)
{
	const uint64_t r = random_bits();

	for (unsigned i = 0; i < 16; i++)
		cpu.r[i] = some_bits();
	for (unsigned i = 0; i < 16; i++) {
		for (unsigned k = 0; k < 4; k++)
			cpu.v[i][k] = some_bits();
	}
	for (unsigned i = 0; i < 8; i++) {
		cpu.st[i][0] = some_bits();
		cpu.st[i][1] = r >> 40 & 1 ? 0xffff : random_bits() & 0xffff;
	}
	for (unsigned i = 0; i < ARENA_SIZE / 8; i += 1 + (random_bits() & 31))
		put_le(arena + 8 * i, some_bits(), 8);
	cpu.fcw = 0x37f;
	cpu.fsw = (uint16_t)(r >> 41 & X87_TOP);
	cpu.ftw = (uint8_t)(r >> 16);
	cpu.mxcsr = 0x1f80 | (uint32_t)(r >> 32 & 0xe07f);
	if (r % 4 == 0)
		cpu.mxcsr ^= (uint32_t)(r >> 8 & 0x1f80);
	if (r % 16 < 8)
		cpu.mxcsr &= ~0x8040u;
	x86_put_arith_flags(&cpu, (uint32_t)(r >> 20) & FLAGS_ARITH);
}

static void fail_with(const uint8_t *bytes, const struct x86_insn *i, const char *what,
    uint64_t was, uint64_t ours, uint64_t host)
{
	char text[64] = "";

	for (unsigned k = 0; k < i->len; k++)
		snprintf(text + 3 * k, 4, "%02x ", bytes[k]);
	fail_msg("%s: %s: %s was %llx, is %llx, on the host %llx (run %llu)",
	    x86_op_infos[i->op].name, text, what, (unsigned long long)was, (unsigned long long)ours,
	    (unsigned long long)host, (unsigned long long)total);
}

static void compare_areas(const uint8_t *bytes, const struct x86_insn *i, const uint8_t *before)
{
	uint8_t now[XSAVE_SIZE];
	char what[32];

	area_from_cpu(now);
	for (unsigned k = 0; k < 832; k += 8) {
		uint64_t a = get_le(now + k, 8), b = get_le(native_cpu.area + k, 8);

		/* FOP, FIP, FDP are x87's; what is reserved; the header. */
		if (k == 0)
			a &= 0xffffffffff, b &= 0xffffffffff;
		/* Some hosts leave the stack full where an MMX instruction faults. */
		if ((k == 0 || (k >= AREA_ST && k < AREA_XMM)) && native_cpu.trap != NO_TRAP)
			continue;
		if (k == 8 || k == 16 || (k >= 416 && k < 576))
			continue;
		if (k == 24)
			a &= UINT32_MAX, b &= UINT32_MAX;
		if (k >= AREA_ST && k < AREA_XMM && k % 16 == 8)
			a &= 0xffff, b &= 0xffff;
		if (a == b)
			continue;
		snprintf(what, sizeof(what), "area+%u", k);
		fail_with(bytes, i, what, get_le(before + k, 8), a, b);
	}
}

static void one(void)
{
	static uint8_t memory[ARENA_SIZE], ours[ARENA_SIZE];
	uint8_t bytes[16], before[XSAVE_SIZE];
	struct x86_insn i;
	uint64_t was[16];
	uint32_t flags;
	int trap;

	make_bytes(bytes);
	if (x86_decode(&i, cpu.mode, bytes, 15, NULL, host_has) != X86_DECODED || !is_ours(i.op))
		return;
	random_state();
	if (!aim(&i))
		return;
	total++;
	ran[i.op]++;
	cpu.rip = (uintptr_t)code_run;
	area_from_cpu(before);
	memcpy(native_cpu.area, before, XSAVE_SIZE);
	memcpy(native_cpu.r, cpu.r, sizeof(cpu.r));
	native_cpu.flags = 0x202 | x86_arith_flags(&cpu);
	memcpy(memory, arena, ARENA_SIZE);
	memcpy(was, cpu.r, sizeof(was));
	flags = x86_arith_flags(&cpu);
	trap = cpu_execute(&i);
	memcpy(ours, arena, ARENA_SIZE);
	memcpy(arena, memory, ARENA_SIZE);
	native_execute(bytes, i.len);

	/* Where an operand is not aligned and not there, either may come first. */
	if (trap == X86_GP && native_cpu.trap == X86_PF)
		return;
	/* AMD has a control bit 17. */
	if (trap == X86_GP && get_le(native_cpu.area + AREA_MXCSR, 4) >> 16 == 2)
		return;
	/* May fault for bytes that are not stored, too. */
	if (trap == NO_TRAP && native_cpu.trap == X86_PF && stores_bytes(&i))
		return;
	if (trap != native_cpu.trap)
		fail_with(bytes, &i, "trap", 0, (uint64_t)trap, (uint64_t)native_cpu.trap);
	if (trap >= 0)
		trapped[trap & 31]++;
	for (unsigned k = 0; k < 16; k++) {
		if (cpu.r[k] != native_cpu.r[k])
			fail_with(bytes, &i, "a register", was[k], cpu.r[k], native_cpu.r[k]);
	}
	if ((x86_arith_flags(&cpu) ^ native_cpu.flags) & FLAGS_ARITH)
		fail_with(bytes, &i, "eflags", flags, x86_arith_flags(&cpu), native_cpu.flags);
	compare_areas(bytes, &i, before);
	if (memcmp(arena, ours, ARENA_SIZE) != 0)
		fail_with(bytes, &i, "memory", 0, 0, 0);
}

static void bodies_are_host(void **state)
{
	const uint64_t runs = number("LODGE_RUNS", 100000);
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
		if (is_ours(op) && ran[op] == 0 && is_here(op)) {
			missed++;
			print_message("not come upon: %s\n", x86_op_infos[op].name);
		}
	}
	/* The rarest comes once in some 10,000. */
	if (runs >= 100000)
		assert_int_equal(missed, 0);
	print_message("%llu instructions, %u kinds; #UD %llu #GP %llu #PF %llu #XM %llu\n",
	    (unsigned long long)total, ops, (unsigned long long)trapped[X86_UD],
	    (unsigned long long)trapped[X86_GP], (unsigned long long)trapped[X86_PF],
	    (unsigned long long)trapped[X86_XM]);
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
