/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV do to memory, registers and
 * exceptions what this host's CPU does, for random states and headers.  LODGE_SEED and LODGE_RUNS
 * choose others and more.
 */
#include "test/cpu/x86/simd_native.h"

#if defined(__x86_64__)
#include "test/cpu/x86/host_cpu.h"

static uint64_t seed;
static uint64_t ran[X86_NOPS], trapped, skipped, total;

static uint64_t random_bits(void)
{
	return ref_random(&seed);
}

/* Each component is sometimes as after a reset. */
static void random_state(void)
{
	const uint64_t r = random_bits();

	memset(cpu.st, 0, sizeof(cpu.st));
	memset(cpu.v, 0, sizeof(cpu.v));
	cpu.fcw = X87_CW_RESET;
	cpu.fsw = 0;
	cpu.ftw = 0;
	cpu.fop = cpu.fcs = cpu.fds = 0;
	cpu.fip = cpu.fdp = 0;
	for (unsigned i = 0; r & 3 && i < 8; i++) {
		cpu.st[i][0] = random_bits();
		cpu.st[i][1] = random_bits() & 0xffff;
		cpu.fcw = (uint16_t)((r >> 8 & 0x1f3f) | 0x40);
		cpu.fsw = (uint16_t)(r >> 32 & 0x7f7f);
		cpu.ftw = (uint8_t)(r >> 48);
	}
	x86_fpu_summary(&cpu);
	for (unsigned i = 0; i < 64; i++) {
		if (r >> (i % 4 < 2 ? 2 : 3) & 1)
			cpu.v[i / 4][i % 4] = random_bits();
	}
	cpu.mxcsr = r >> 4 & 1 ? 0x1f80 : (uint32_t)(random_bits() & 0xffff);
}

/* Those that are not as after a reset. */
static uint8_t components(void)
{
	uint64_t x87 = cpu.fsw | cpu.ftw | (cpu.fcw ^ X87_CW_RESET), xmm = 0, ymm = 0;

	for (unsigned i = 0; i < 8; i++)
		x87 |= cpu.st[i][0] | cpu.st[i][1];
	for (unsigned i = 0; i < 16; i++) {
		xmm |= cpu.v[i][0] | cpu.v[i][1];
		ymm |= cpu.v[i][2] | cpu.v[i][3];
	}
	return (uint8_t)((x87 ? 1 : 0) | (xmm ? 2 : 0) | (ymm ? 4 : 0));
}

/* Components that the host has, and we have not (AVX-512), are left out of everything. */
static uint64_t without_extra(uint64_t bits)
{
	return bits & ~(host_xcr0() & ~(uint64_t)7);
}

/* Mostly one that may be. */
static void random_header(uint64_t r)
{
	memset(arena + AREA_BV, 0, 64);
	put_le(arena + AREA_BV, random_bits() & 7, 8);
	if (r >> 28 & 1)
		put_le(arena + AREA_BV + 8, (uint64_t)1 << 63 | 7, 8);
	if (!(r >> 32 & 15))
		put_le(arena + AREA_BV + 8, (uint64_t)1 << 63 | (random_bits() & 15), 8);
	if (!(r >> 36 & 31))
		put_le(arena + AREA_BV + 8 * (r >> 41 & 7), random_bits(), 1);
}

/* An area at the start of the arena, mostly with a header that may be. */
static void random_area(void)
{
	const uint64_t r = random_bits();

	for (unsigned i = 0; i < ARENA_SIZE / 8; i++)
		put_le(arena + 8 * i, random_bits(), 8);
	put_le(arena + AREA_FCW, r & 0x1f3f, 2);
	put_le(arena + AREA_FOP, r & 0x7ff, 2);
	put_le(arena + 8, random_bits() & INT64_MAX >> 17, 8);
	put_le(arena + 16, random_bits() & INT64_MAX >> 17, 8);
	for (unsigned i = 0; i < 8; i++)
		put_le(arena + AREA_ST + 16 * i + 10, 0, 4),
		    put_le(arena + AREA_ST + 16 * i + 14, 0, 2);
	if (r >> 20 & 7)
		put_le(arena + AREA_MXCSR, random_bits() & 0xffff, 4);
	if (r >> 24 & 15)
		random_header(r);
	for (unsigned i = 0; i < 2; i++)
		put_le(
		    arena + AREA_BV + 8 * i, without_extra(get_le(arena + AREA_BV + 8 * i, 8)), 8);
}

static void fail_with(
    const struct x86_insn *i, const char *what, unsigned at, uint64_t ours, uint64_t host)
{
	fail_msg("%s %s+%u: %llx, on the host %llx (run %llu; eax %x)", x86_op_infos[i->op].name,
	    what, at, (unsigned long long)ours, (unsigned long long)host, (unsigned long long)total,
	    (unsigned)cpu.r[X86_RAX]);
}

/* Fields that depend on the host: FOP, FIP and FDP, which AMD saves with exceptions only, and the
 * mask of MXCSR's bits. */
static bool is_free(unsigned at)
{
	return (at >= 6 && at < 24) || (at >= 28 && at < 32);
}

static void compare(const struct x86_insn *i, const uint8_t *memory, const uint8_t *ours)
{
	uint8_t now[XSAVE_SIZE];

	area_from_cpu(now);
	for (unsigned k = 0; k < 832; k++) {
		const bool reserved = (k >= 416 && k < 576) || k == 5 ||
				      (k >= AREA_ST && k < AREA_XMM && k % 16 >= 10);

		if (!reserved && !is_free(k) && now[k] != native_cpu.area[k])
			fail_with(i, "state", k, now[k], native_cpu.area[k]);
	}
	(void)memory;
	for (unsigned k = 0; k < ARENA_SIZE; k++) {
		if (ours[k] != arena[k] &&
		    !is_free(k - (unsigned)(cpu.r[X86_RBX] - (uintptr_t)arena)))
			fail_with(i, "memory", k, ours[k], arena[k]);
	}
}

/* The host took a component to be in use that is as after a reset, which it may, and does when its
 * kernel saved and restored it in between. */
static bool counts_more(const uint8_t *ours)
{
	const uint64_t at = cpu.r[X86_RBX] - (uintptr_t)arena + AREA_BV;
	const uint64_t mine = at + 8 > ARENA_SIZE ? 0 : get_le(ours + at, 8);
	const uint64_t host = at + 8 > ARENA_SIZE ? 0 : get_le(arena + at, 8);
	const uint64_t eax = cpu.r[X86_RAX], host_eax = native_cpu.r[X86_RAX];

	return (mine != host && (mine & ~host) == 0) || (eax != host_eax && (eax & ~host_eax) == 0);
}

static void one(void)
{
	static const uint8_t texts[][4] = {
		{ 0x0f, 0xae, 0x03 }, { 0x0f, 0xae, 0x0b }, /* FXSAVE, FXRSTOR */
		{ 0x0f, 0xae, 0x23 }, { 0x0f, 0xae, 0x2b }, /* XSAVE, XRSTOR */
		{ 0x0f, 0xae, 0x33 }, { 0x0f, 0xc7, 0x23 }, /* XSAVEOPT, XSAVEC */
		{ 0x0f, 0x01, 0xd0 }, { 0x0f, 0x01, 0xd1 }, /* XGETBV, XSETBV */
	};
	static uint8_t memory[ARENA_SIZE], ours[ARENA_SIZE];
	const uint64_t r = random_bits();
	uint8_t bytes[16] = { 0 };
	struct x86_insn i;
	int trap;

	random_state();
	random_area();
	bytes[0] = 0x48;
	memcpy(bytes + (r & 1), texts[r >> 1 & 7], 3);
	assert_int_equal(x86_decode(&i, cpu.mode, bytes, 15, NULL, host_has), X86_DECODED);
	assert_int_not_equal(i.op, X86_OP_ud);
	cpu.r[X86_RAX] = without_extra(r >> 8 & (r >> 16 & 1 ? 7 : UINT32_MAX));
	cpu.r[X86_RDX] = r >> 17 & 1 ? 0 : random_bits();
	cpu.r[X86_RCX] = r >> 18 & 3;
	cpu.r[X86_RBX] = (uintptr_t)arena;
	if (!(r >> 20 & 15))
		cpu.r[X86_RBX] += 1 << (r >> 24 & 7);
	if (!(r >> 28 & 31))
		cpu.r[X86_RBX] += ARENA_SIZE - 832 + 64 * (r >> 40 & 3);
	total++;
	ran[i.op]++;
	area_from_cpu(native_cpu.area);
	/* What the CPU takes to be in use is up to it, but for what XRSTOR has reset. */
	native_cpu.area[AREA_BV] = components();
	memcpy(native_cpu.r, cpu.r, sizeof(cpu.r));
	native_cpu.flags = 0x202;
	memcpy(memory, arena, ARENA_SIZE);
	trap = cpu_execute(&i);
	memcpy(ours, arena, ARENA_SIZE);
	memcpy(arena, memory, ARENA_SIZE);
	native_execute(bytes, i.len);
	if (i.op == X86_OP_xgetbv && native_cpu.trap == NO_TRAP)
		native_cpu.r[X86_RAX] = without_extra(native_cpu.r[X86_RAX]);
	/* AMD has a control bit 17 of MXCSR. */
	if (trap == X86_GP && get_le(native_cpu.area + AREA_MXCSR, 4) >> 16 != 0)
		return;
	/* Where an area is not aligned and not there, either may come first. */
	if (trap != native_cpu.trap && !(trap == X86_GP && native_cpu.trap == X86_PF))
		fail_with(&i, "trap", 0, (uint64_t)trap, (uint64_t)native_cpu.trap);
	if (trap != NO_TRAP) {
		trapped++;
		return;
	}
	if (counts_more(ours)) {
		skipped++;
		return;
	}
	for (unsigned k = 0; k < 16; k++) {
		if (cpu.r[k] != native_cpu.r[k])
			fail_with(&i, "register", k, cpu.r[k], native_cpu.r[k]);
	}
	compare(&i, memory, ours);
}

static void bodies_are_host(void **state)
{
	const uint64_t runs = number("LODGE_RUNS", 20000);
	unsigned ops = 0;

	(void)state;
	seed = number("LODGE_SEED", 1);
	print_message("LODGE_SEED=%llu\n", (unsigned long long)seed);
	native_begin();
	cpu_begin();
	while (total < runs)
		one();
	for (unsigned op = 0; op < X86_NOPS; op++)
		ops += ran[op] != 0;
	assert_int_equal(ops, 14);
	print_message("%llu instructions, %u kinds, %llu exceptions, %llu not comparable\n",
	    (unsigned long long)total, ops, (unsigned long long)trapped,
	    (unsigned long long)skipped);
	assert_true(skipped < total / 100 + 10);
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
