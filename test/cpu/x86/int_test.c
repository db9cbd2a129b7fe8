/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integer instructions in 64-bit and 32-bit code against the host's CPU: random instructions on
 * random registers, flags and memory leave the same as the bodies executed at once, exceptions
 * included.  LODGE_SEED; LODGE_INSNS: how many; LODGE_TELL: how many differences of each.
 */
#include "test/cmocka.h"
#include "test/cpu/x86/int_native.h"
#include "test/cpu/x86/int_random.h"

#if HAS_NATIVE
#include "test/cpu/x86/host_cpu.h"

struct test {
	struct gen gen;
	struct rig rig;
	struct native *native;
	uint64_t ran, skipped, seen[X86_NOPS], told[X86_NOPS], wrong, tell;
	unsigned bits;  /* of code: 64, 32, 16 */
	bool all_flags; /* undefined ones count, too */
	uint64_t before[16];
	uint32_t flags_before;
};

/* What the host has. */
static bool host_has(const struct x86_model *m, enum x86_feature f)
{
	unsigned a, b, c1, c7b, c81, d;

	(void)m;
	__cpuid(1, a, b, c1, d);
	__cpuid_count(7, 0, a, c7b, b, d);
	__cpuid(0x80000001, a, b, c81, d);
	switch (f) {
	case X86_HAS_CX16:
		return c1 >> 13 & 1;
	case X86_HAS_SSE4_2:
		return c1 >> 20 & 1;
	case X86_HAS_MOVBE:
		return c1 >> 22 & 1;
	case X86_HAS_POPCNT:
		return c1 >> 23 & 1;
	case X86_HAS_RDRAND:
	case X86_HAS_RDSEED:
	case X86_HAS_SVM:
		return false;
	case X86_HAS_BMI1:
		return c7b >> 3 & 1;
	case X86_HAS_BMI2:
		return c7b >> 8 & 1;
	case X86_HAS_ADX:
		return c7b >> 19 & 1;
	case X86_HAS_CLFLUSHOPT:
		return c7b >> 23 & 1;
	case X86_HAS_CLWB:
		return c7b >> 24 & 1;
	case X86_HAS_ABM:
		return c81 >> 5 & 1;
	case X86_HAS_LAHF64:
		return c81 & 1;
	case X86_HAS_PREFETCHW:
		return c81 >> 8 & 1;
	case X86_HAS_AMD_BRANCHES:
		__cpuid(0, a, b, c1, d);
		return b == signature_AMD_ebx;
	case X86_HAS_NEVER:
		return false;
	default:
		return true;
	}
}

/* host_has, asked once. */
static bool cached_has(const struct x86_model *m, enum x86_feature f)
{
	static uint8_t known[X86_NFEATURES];

	if (!known[f])
		known[f] = host_has(m, f) ? 2 : 1;
	return known[f] == 2;
}

/* Flags that the manual leaves undefined (SDM volume 2).  Lodge has them as AMD's Zen 3 does, so
 * there they count. */
static uint32_t undefined_flags(const struct test *t)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} undefined[] = {
		{ "and", FLAG_AF },
		{ "or", FLAG_AF },
		{ "xor", FLAG_AF },
		{ "test", FLAG_AF },
		{ "shl", FLAG_AF | FLAG_OF | FLAG_CF },
		{ "shr", FLAG_AF | FLAG_OF | FLAG_CF },
		{ "sar", FLAG_AF | FLAG_OF },
		{ "rol", FLAG_OF },
		{ "ror", FLAG_OF },
		{ "rcl", FLAG_OF },
		{ "rcr", FLAG_OF },
		{ "shld", FLAG_AF | FLAG_OF | FLAG_CF },
		{ "shrd", FLAG_AF | FLAG_OF | FLAG_CF },
		{ "mul", FLAG_AF | FLAG_PF | FLAG_SF | FLAG_ZF },
		{ "imul", FLAG_AF | FLAG_PF | FLAG_SF | FLAG_ZF },
		{ "div", FLAGS_ARITH },
		{ "idiv", FLAGS_ARITH },
		{ "bsf", FLAGS_ARITH & ~FLAG_ZF },
		{ "bsr", FLAGS_ARITH & ~FLAG_ZF },
		{ "bt", FLAGS_ARITH & ~(FLAG_CF | FLAG_ZF) },
		{ "bts", FLAGS_ARITH & ~(FLAG_CF | FLAG_ZF) },
		{ "btr", FLAGS_ARITH & ~(FLAG_CF | FLAG_ZF) },
		{ "btc", FLAGS_ARITH & ~(FLAG_CF | FLAG_ZF) },
		{ "lzcnt", FLAGS_ARITH & ~(FLAG_CF | FLAG_ZF) },
		{ "tzcnt", FLAGS_ARITH & ~(FLAG_CF | FLAG_ZF) },
		{ "andn", FLAG_AF | FLAG_PF },
		{ "blsi", FLAG_AF | FLAG_PF },
		{ "blsr", FLAG_AF | FLAG_PF },
		{ "blsmsk", FLAG_AF | FLAG_PF },
		{ "bzhi", FLAG_AF | FLAG_PF },
		{ "bextr", FLAG_AF | FLAG_PF | FLAG_SF },
		{ "aaa", FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF },
		{ "aas", FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF },
		{ "aam", FLAG_OF | FLAG_AF | FLAG_CF },
		{ "aad", FLAG_OF | FLAG_AF | FLAG_CF },
		{ "daa", FLAG_OF },
		{ "das", FLAG_OF },
	};
	unsigned i;

	for (i = 0; !t->all_flags && i < ARRAY_LEN(undefined); i++)
		if (!strcmp(undefined[i].name, x86_op_infos[t->gen.insn.op].name))
			return undefined[i].flags;
	return 0;
}

/* What may be tried on the host: nothing of its process is touched. */
static bool is_harmless(const struct test *t)
{
	const struct rig *r = &t->rig;
	const struct x86_insn *a = &t->gen.insn;

	/* AMD's CPUs have no register form of PREFETCH, and do not ignore REP before LOOPcc. */
	if (!strcmp(x86_op_infos[a->op].name, "nop") && a->o[0].kind == X86_O_REG &&
	    memchr(t->gen.bytes, 0x0d, a->len))
		return false;
	if (a->op >= X86_OP_loop && a->op <= X86_OP_loope && a->flags & (X86_REP | X86_REPNE))
		return false;
	/* When POPA faults they have changed some registers. */
	if ((a->op == X86_OP_popa || a->op == X86_OP_popad) && r->vector >= 0)
		return false;
	if (a->seg >= X86_FS && !is_64(a))
		return false;
	if (r->vector == X86_PF && r->s->cr2 + 512 - RIG_STATE < 4096 + 1024)
		return false;
	if (r->vector == X86_PF)
		return r->s->cr2 - RIG_BASE < RIG_END - RIG_BASE || r->s->cr2 < 0x10000;
	return r->vector >= 0 || r->s->rip - rig_ip(r, RIG_CODE) < RIG_CODE_OUT - 16;
}

/* Says what differs: of each operation the first ones. */
static void differs(struct test *t, const char *what, uint64_t direct, uint64_t other)
{
	t->wrong++;
	if (t->told[t->gen.insn.op]++ < t->tell)
		print_error("%s %" PRIx64 ", should be %" PRIx64 " (%" PRIx64 "): %s\n", what,
		    direct, other, direct ^ other, describe(&t->gen, t->before, t->flags_before));
}

static void compare_memory(struct test *t)
{
	unsigned i;

	if (!memcmp(t->rig.arena, (void *)(uintptr_t)RIG_ARENA, RIG_ARENA_SIZE))
		return;
	for (i = 0; i < RIG_ARENA_SIZE; i += 8) {
		uint64_t direct = get_le(t->rig.arena + i, 8);
		uint64_t host = get_le((void *)(uintptr_t)(RIG_ARENA + i), 8);

		if (direct != host)
			differs(t, "memory", direct, host);
	}
}

/* Which of its two operands CMPS reads first is up to the CPU. */
static bool reads_two(const struct test *t)
{
	return !strncmp(x86_op_infos[t->gen.insn.op].name, "cmps", 4);
}

static void compare(struct test *t)
{
	const struct rig *r = &t->rig;
	struct native *n = t->native;
	uint64_t mask = (FLAGS_ARITH | FLAG_DF | FLAG_ID) & ~(uint64_t)undefined_flags(t);
	uint64_t part = is_64(&t->gen.insn) ? UINT64_MAX : UINT32_MAX;
	bool landed = n->vector == X86_BP && t->gen.insn.op != X86_OP_int3;
	int vector = landed ? -1 : n->vector;
	unsigned i;

	/* The gates of INT3 and INTO are beyond the IDT's limit of 0. */
	if ((vector == X86_BP || vector == X86_OF) && r->vector == X86_GP &&
	    r->error == (unsigned)vector * 8 + 2)
		n->rip = r->s->rip, vector = X86_GP;
	if (vector != r->vector)
		differs(t, "exception", (unsigned)r->vector, (unsigned)vector);
	else if (vector == X86_PF && n->error != r->error)
		differs(t, "error code", r->error, n->error);
	else if (vector == X86_PF && n->cr2 != r->s->cr2 && !reads_two(t))
		differs(t, "CR2", r->s->cr2, n->cr2);
	else if (r->s->rip != n->rip - landed)
		differs(t, "rip", r->s->rip, n->rip - landed);
	for (i = 0; i < 16; i++)
		if ((n->r[i] ^ r->s->r[i]) & part)
			differs(t, "register", r->s->r[i], n->r[i]);
	if ((n->flags ^ x86_get_flags(r->s)) & mask)
		differs(t, "flags", x86_get_flags(r->s) & mask, n->flags & mask);
	compare_memory(t);
}

static void one(struct test *t)
{
	struct rig *r = &t->rig;
	struct native *n = t->native;
	uint64_t start = RIG_CODE + 0x1000 + below(&t->gen, 32);

	r->s->rip = rig_ip(r, start);
	if (!random_insn(&t->gen))
		return;
	random_state(&t->gen);
	plant_values(&t->gen);
	memcpy((void *)(uintptr_t)RIG_ARENA, r->arena, RIG_ARENA_SIZE);
	memcpy(t->before, r->s->r, sizeof t->before);
	t->flags_before = x86_arith_flags(r->s);
	n->flags = x86_get_flags(r->s);
	n->rip = r->s->rip;
	native_place(n, start, t->gen.bytes, t->gen.insn.len, t->bits);
	memcpy(r->code + 0x1000, n->code + 0x1000, 0x80);
	memcpy(r->code + RIG_CODE_OUT, n->code + RIG_CODE_OUT, 16);
	rig_run(r, &t->gen.insn);
	if (!is_harmless(t)) {
		t->skipped++;
	} else {
		memcpy(n->r, t->before, sizeof n->r);
		native_run(n, t->bits);
		compare(t);
		t->ran++;
		t->seen[t->gen.insn.op]++;
	}
	native_clear(n, start);
}

static void against_the_host(struct test *t, uint32_t mode)
{
	uint64_t n = number("LODGE_INSNS", 200000), i;
	const char *why;

	t->bits = 16u << (mode & X86_CODE_SIZE);
	rig_mode(&t->rig, mode);
	gen_init(&t->gen, &t->rig, mode, cached_has);
	t->tell = number("LODGE_TELL", 1);
	/* Here, since cmocka has its own signal handlers during setup. */
	t->native = native_open(&why);
	if (!t->native)
		fail_msg("%s", why);
	memcpy(t->rig.code, t->native->code, RIG_CODE_SIZE);
	for (i = 0; i < n; i++) {
		if (i % 4096 == 0)
			fill_arena(&t->gen);
		one(t);
	}
	native_close(t->native);
	print_message(
	    "%" PRIu64 " instructions on the host, %" PRIu64 " left out\n", t->ran, t->skipped);
	for (i = 0; getenv("LODGE_SEEN") && i < X86_NOPS; i++)
		print_message("%s: %" PRIu64 "\n", x86_op_infos[i].name, t->seen[i]);
	assert_int_equal(t->wrong, 0);
	assert_true(t->ran > n / 8);
}

static void in_64_bit_code(void **state)
{
	against_the_host(*state, X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER);
}

static void in_32_bit_code(void **state)
{
	const uint32_t mode = X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT | X86_USER;

	against_the_host(*state, mode);
}

static void in_16_bit_code(void **state)
{
	struct test *t = *state;

	rig_mode(&t->rig, X86_CODE16 | X86_PROTECTED | X86_USER);
	if (!native_has_16(&t->rig)) {
		print_message("the kernel makes no segments of 16 bits\n");
		skip();
	}
	against_the_host(t, X86_CODE16 | X86_PROTECTED | X86_USER);
}

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof *t);

	assert_non_null(t);
	t->all_flags = host_is_zen3();
	rig_new(&t->rig);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	rig_free(&t->rig);
	free(t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_64_bit_code, setup, teardown),
		cmocka_unit_test_setup_teardown(in_32_bit_code, setup, teardown),
		cmocka_unit_test_setup_teardown(in_16_bit_code, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..1\nok 1 - integer instructions # SKIP no x86-64 Linux host");
	return 0;
}
#endif
