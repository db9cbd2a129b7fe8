/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compiled code beside the interpreter: a guest that uses devices, traps and pages goes through;
 * code that is wrong (it was changed in RAM, of which compiled code was not told) is found.
 */
#include <stdio.h>

#include "base/log.h"
#include "jit/jit.h"
#include "test/cpu/riscv64/rig.h"

struct bench {
	struct rig rig;
	struct log log;
	char text[8192];
	size_t len;
};

static void note(void *arg, enum log_level level, const char *line)
{
	struct bench *b = arg;

	(void)level;
	b->len += (size_t)snprintf(b->text + b->len, sizeof b->text - b->len, "%s\n", line);
	assert_true(b->len < sizeof b->text);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	struct err e = { "" };

	assert_non_null(b);
	rig_new(&b->rig, false, false);
	b->log = (struct log){ .write = note, .arg = b };
	b->rig.env.log = &b->log;
	b->rig.env.jit = b->rig.env.eager = jit_supported();
	b->rig.env.lockstep = jit_supported();
	assert_true(rig_renew(&b->rig, &e));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	rig_free(&b->rig);
	free(b);
	return 0;
}

/* Where a test that needs compiled code has nothing to do. */
static bool no_jit(void)
{
	if (!jit_supported())
		print_message("nothing is compiled on this host\n");
	return !jit_supported();
}

static void put_code(struct rig *r, uint64_t pa, const uint32_t *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(mem_write(r->mem, pa + 4 * i, &words[i], 4), 0);
}

/* x10 = 500: { x11 += x10; *x12 = x11; x13 = *x12; x14 = amoadd(x12 + 8, x13); x10-- } while x10 */
static const uint32_t loop[] = {
	0x1f400513, /* li a0, 500 */
	0x00a585b3, /* add a1, a1, a0 */
	0x00b63023, /* sd a1, 0(a2) */
	0x00063683, /* ld a3, 0(a2) */
	0x00860793, /* addi a5, a2, 8 */
	0x00d7b72f, /* amoadd.d a4, a3, (a5) */
	0xfff50513, /* addi a0, a0, -1 */
	0xfe0514e3, /* bnez a0, -24 */
	0x10500073, /* wfi */
};

static void all_is_well(void **state)
{
	struct bench *b = *state;
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	if (no_jit())
		return;
	put_code(r, RIG_RAM, loop, ARRAY_LEN(loop));
	r->s->x[12] = RIG_RAM + 0x8000;
	cpu_riscv64.run(r->cpu, &x, 100000);
	assert_int_equal(x.why, EXIT_HALT);
	assert_int_equal(rv_retired(r->s), 1 + 500 * 7 + 1);
	assert_int_equal(r->s->x[11], 500 * 501 / 2);
	assert_int_equal(rig_get(r, RIG_RAM + 0x8000, 8), 500 * 501 / 2);
	assert_string_equal(b->text, "");
}

/* A device counts as often as the guest accesses it; exceptions are taken once. */
static void devices_and_traps(void **state)
{
	static const uint32_t main_loop[] = {
		0x06400513, /* li a0, 100 */
		0x0005b683, /* ld a3, 0(a1): device */
		0x00a5b423, /* sd a0, 8(a1) */
		0x00d70733, /* add a4, a4, a3 */
		0x00000073, /* ecall */
		0xfff50513, /* addi a0, a0, -1 */
		0xfe0516e3, /* bnez a0, -20 */
		0x10500073, /* wfi */
	};
	static const uint32_t handler[] = {
		0x34102473, /* csrr s0, mepc */
		0x00440413, /* addi s0, s0, 4 */
		0x34141073, /* csrw mepc, s0 */
		0x00148493, /* addi s1, s1, 1 */
		0x30200073, /* mret */
	};
	struct bench *b = *state;
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	if (no_jit())
		return;
	put_code(r, RIG_RAM, main_loop, ARRAY_LEN(main_loop));
	put_code(r, RIG_RAM + 0x2000, handler, ARRAY_LEN(handler));
	r->s->x[11] = RIG_DEV;
	r->s->mtvec = RIG_RAM + 0x2000;
	rig_set_csr(r, 0x300, MSTATUS_MPP); /* mret goes to M mode */
	cpu_riscv64.run(r->cpu, &x, 100000);
	assert_int_equal(x.why, EXIT_HALT);
	assert_int_equal(r->touched, 200);
	assert_int_equal(r->dev[1], 1);
	assert_int_equal(r->s->x[9], 100);
	assert_int_equal(r->s->x[14], 100 * 0x1122334455667788ull);
	assert_string_equal(b->text, "");
}

/* The loop runs until it is compiled; then one of its words is another one. */
static void plant(struct bench *b, unsigned at, uint32_t word)
{
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	put_code(r, RIG_RAM, loop, ARRAY_LEN(loop));
	r->s->x[12] = RIG_RAM + 0x8000;
	cpu_riscv64.run(r->cpu, &x, 1000);
	assert_int_equal(x.why, EXIT_TURN);
	assert_string_equal(b->text, "");
	put_le(r->ram + 4 * at, word, 4); /* nobody is told */
	cpu_riscv64.run(r->cpu, &x, 1000);
	assert_int_equal(x.why, EXIT_ERROR);
}

static void says(const struct bench *b, const char *what)
{
	if (!strstr(b->text, what))
		fail_msg("no \"%s\" in\n%s", what, b->text);
}

static void register_differs(void **state)
{
	struct bench *b = *state;

	if (no_jit())
		return;
	plant(b, 4, 0x01060793); /* addi a5, a2, 16 */
	says(b, "lockstep: cpu0: compiled code differs from the interpreter");
	says(b, "x15: compiled 0x80008008, interpreted 0x80008010");
	says(b, "0000000080000010  01060793  addi");
}

static void memory_differs(void **state)
{
	struct bench *b = *state;

	if (no_jit())
		return;
	plant(b, 2, 0x00b63823); /* sd a1, 16(a2) */
	says(b, "memory at 0x80008");
}

static void exception_differs(void **state)
{
	struct bench *b = *state;

	if (no_jit())
		return;
	plant(b, 3, 0x00000000); /* illegal */
	says(b, "interpreted: 4 instructions, then exception 2, value 0");
	says(b, "000000008000000c  0000  illegal\n");
}

static void nothing_to_compare(void **state)
{
	struct bench *b = *state;
	struct cpu_env env = b->rig.env;
	struct err e = { "" };

	env.jit = false;
	env.lockstep = true;
	assert_null(cpu_riscv64.new(&env, 0, NULL, &e));
	assert_non_null(strstr(e.text, "lockstep"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_is_well, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_and_traps, setup, teardown),
		cmocka_unit_test_setup_teardown(register_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(exception_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_to_compare, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
