/* SPDX-License-Identifier: BSD-2-Clause */
/* The API's bare machines: small programs, their exits, their registers.  Everything here is done
 * through include/lodge.h, on each engine that this host has. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "include/lodge.h"
#include "test/cmocka.h"

enum { RAM = 0x80000000, SIZE = 0x10000, HOLE = 0x10000000 };

/* Instructions. */
enum {
	WFI = 0x10500073,
	LOOP = 0x0000006f,      /* j . */
	LUI_T0 = 0x100002b7,    /* lui t0, HOLE >> 12 */
	INC_A0 = 0x00150513,    /* addi a0, a0, 1 */
	JUMP_BACK = 0xffdff06f, /* j .-4 */
};

/* The engines that each test is run on. */
struct engines {
	const char *name[8];
	unsigned n;
};

struct bare {
	struct lodge_bare *b;
	struct lodge_vcpu *v;
	uint32_t *ram;
};

static void expect(int rc, const struct lodge_error *e)
{
	if (rc)
		fail_msg("%d: %s", rc, e->text);
}

static uint64_t get(struct bare *m, const char *reg)
{
	struct lodge_error e;
	uint64_t val = 0;

	expect(lodge_vcpu_get_reg(m->v, reg, &val, &e), &e);
	return val;
}

static void set(struct bare *m, const char *reg, uint64_t val)
{
	struct lodge_error e;

	expect(lodge_vcpu_set_reg(m->v, reg, val, &e), &e);
}

/* A machine with one CPU that is about to run this program. */
static struct bare start(const char *engine, const uint32_t *program, size_t size)
{
	struct lodge_error e = { 0, "" };
	struct bare m;

	m.b = lodge_bare_new("riscv64", engine, &e);
	if (!m.b)
		fail_msg("%s", e.text);
	m.ram = lodge_bare_map(m.b, RAM, SIZE, &e);
	if (!m.ram)
		fail_msg("%s", e.text);
	memcpy(m.ram, program, size);
	m.v = lodge_vcpu_new(m.b, &e);
	if (!m.v)
		fail_msg("%s", e.text);
	set(&m, "pc", RAM);
	return m;
}

static struct lodge_exit run(struct bare *m, struct lodge_exit x)
{
	struct lodge_error e;

	expect(lodge_vcpu_run(m->v, &x, 0, &e), &e);
	return x;
}

static void is_access(
    struct lodge_exit x, enum lodge_why why, uint64_t off, unsigned size, uint64_t value)
{
	assert_int_equal(x.why, why);
	assert_int_equal(x.addr, HOLE + off);
	assert_int_equal(x.size, size);
	if (why == LODGE_EXIT_WRITE)
		assert_int_equal(x.value, value);
}

/* A device in a dozen lines: the program writes a character, asks for a number, writes it plus one,
 * and waits. */
static void accesses_come_out(void **state)
{
	static const uint32_t program[] = {
		LUI_T0,
		0x04100513, /* li a0, 'A' */
		0x00a28023, /* sb a0, 0(t0) */
		0x0042a583, /* lw a1, 4(t0) */
		0x00158593, /* addi a1, a1, 1 */
		0x00b2b423, /* sd a1, 8(t0) */
		WFI,
		LOOP,
	};
	struct bare m = start(*state, program, sizeof(program));
	struct lodge_exit x = { 0 };

	x = run(&m, x);
	is_access(x, LODGE_EXIT_WRITE, 0, 1, 'A');
	x = run(&m, x);
	is_access(x, LODGE_EXIT_READ, 4, 4, 0);
	x.value = 0xfffffffe; /* lw extends the sign */
	x = run(&m, x);
	is_access(x, LODGE_EXIT_WRITE, 8, 8, UINT64_MAX);
	x = run(&m, x);
	assert_int_equal(x.why, LODGE_EXIT_HALT);
	assert_true(x.value == UINT64_MAX);
	assert_true(get(&m, "x11") == UINT64_MAX);
	lodge_bare_free(m.b);
}

static void accesses_of_each_size(void **state)
{
	static const uint32_t program[] = {
		LUI_T0,
		0x00028503, /* lb a0, 0(t0) */
		0x0022d583, /* lhu a1, 2(t0) */
		0x0042a603, /* lw a2, 4(t0) */
		0x0082b683, /* ld a3, 8(t0) */
		0x00a28823, /* sb a0, 16(t0) */
		0x00b29923, /* sh a1, 18(t0) */
		0x00c2aa23, /* sw a2, 20(t0) */
		0x00d2bc23, /* sd a3, 24(t0) */
		WFI,
	};
	struct bare m = start(*state, program, sizeof(program));
	struct lodge_exit x = { 0 };

	/* All ones above the access must not reach the guest, nor what it writes. */
	for (unsigned i = 0; i < 4; i++) {
		x = run(&m, x);
		is_access(x, LODGE_EXIT_READ, i ? 1u << i : 0, 1u << i, 0);
		x.value = UINT64_MAX;
	}
	for (unsigned i = 0; i < 4; i++) {
		x = run(&m, x);
		is_access(x, LODGE_EXIT_WRITE, 16 + (i ? 1u << i : 0), 1u << i,
		    UINT64_MAX >> (64 - (8u << i)));
	}
	assert_true(get(&m, "x10") == UINT64_MAX);
	assert_int_equal(get(&m, "x11"), 0xffff);
	assert_true(get(&m, "x12") == UINT64_MAX);
	assert_true(get(&m, "x13") == UINT64_MAX);
	lodge_bare_free(m.b);
}

struct kicker {
	struct lodge_vcpu *vcpu;
	atomic_bool done;
};

/* Again and again: who is to be kicked may not have begun to run the first time. */
static void *kick(void *arg)
{
	struct kicker *k = arg;

	while (!atomic_load(&k->done)) {
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		lodge_vcpu_kick(k->vcpu);
	}
	return NULL;
}

static void kick_and_limit_end_a_loop(void **state)
{
	static const uint32_t program[] = { INC_A0, JUMP_BACK };
	struct bare m = start(*state, program, sizeof(program));
	struct kicker k = { .vcpu = m.v };
	struct lodge_exit x = { 0 };
	struct lodge_error e;
	uint64_t count;
	pthread_t t;

	expect(lodge_vcpu_run(m.v, &x, 1000000, &e), &e);
	assert_int_equal(x.why, LODGE_EXIT_LIMIT);
	count = get(&m, "x10");
	assert_in_range(count, 400000, 600000);
	pthread_create(&t, NULL, kick, &k);
	do {
		x = run(&m, x);
		assert_int_equal(x.why, LODGE_EXIT_KICKED);
	} while (get(&m, "x10") == count);
	atomic_store(&k.done, true);
	pthread_join(t, NULL);
	expect(lodge_vcpu_run(m.v, &x, 1, &e), &e); /* there may have been one more */
	/* A kick before the run counts. */
	lodge_vcpu_kick(m.v);
	x = run(&m, x);
	assert_int_equal(x.why, LODGE_EXIT_KICKED);
	lodge_bare_free(m.b);
}

static void interrupts_are_taken(void **state)
{
	static const uint32_t program[] = { WFI, LOOP, WFI, LOOP };
	struct bare m = start(*state, program, sizeof(program));
	struct lodge_exit x = { 0 };
	struct lodge_error e;

	set(&m, "mtvec", RAM + 8);
	set(&m, "mie", 1 << 11);
	set(&m, "mstatus", get(&m, "mstatus") | 1 << 3);
	x = run(&m, x);
	assert_int_equal(x.why, LODGE_EXIT_HALT);
	assert_int_equal(get(&m, "halted"), 1);
	lodge_vcpu_irq(m.v, 11, 1);
	assert_int_equal(get(&m, "mip"), 1 << 11);
	/* The handler waits too, but not for long: the line is still high. */
	expect(lodge_vcpu_run(m.v, &x, 100, &e), &e);
	assert_int_equal(x.why, LODGE_EXIT_LIMIT);
	assert_int_equal(get(&m, "pc"), RAM + 12);
	assert_true(get(&m, "mcause") == (UINT64_C(1) << 63 | 11));
	assert_int_equal(get(&m, "mepc"), RAM + 4);
	lodge_vcpu_irq(m.v, 11, 0);
	assert_int_equal(get(&m, "mip"), 0);
	lodge_bare_free(m.b);
}

/* The CPU's own timer (Sstc) is looked after by lodge_vcpu_run; the one who waits is the caller. */
static void timer_ends_a_wait(void **state)
{
	static const uint32_t program[] = { WFI, LOOP };
	struct bare m = start(*state, program, sizeof(program));
	struct lodge_exit x = { 0 };
	struct lodge_error e;

	set(&m, "menvcfg", UINT64_C(1) << 63);
	set(&m, "mie", 1 << 5);
	set(&m, "stimecmp", 50000); /* of 10 MHz: 5 ms */
	for (;;) {
		expect(lodge_vcpu_run(m.v, &x, 100, &e), &e);
		if (x.why != LODGE_EXIT_HALT)
			break;
		assert_in_range(x.value, 0, 5000000);
		nanosleep(&(struct timespec){ .tv_nsec = (long)x.value }, NULL);
	}
	assert_int_equal(x.why, LODGE_EXIT_LIMIT);
	assert_int_equal(get(&m, "mip"), 1 << 5);
	lodge_bare_free(m.b);
}

static void host_changes_code(void **state)
{
	static const uint32_t program[] = { INC_A0, WFI, LOOP };
	struct bare m = start(*state, program, sizeof(program));
	struct lodge_exit x = run(&m, (struct lodge_exit){ 0 });

	assert_int_equal(x.why, LODGE_EXIT_HALT);
	assert_int_equal(get(&m, "x10"), 1);
	m.ram[0] = 0x02a00513; /* li a0, 42 */
	lodge_bare_written(m.b, RAM, 4);
	set(&m, "pc", RAM);
	set(&m, "halted", 0);
	x = run(&m, x);
	assert_int_equal(x.why, LODGE_EXIT_HALT);
	assert_int_equal(get(&m, "x10"), 42);
	lodge_bare_free(m.b);
}

static void each_register(void *arg, const char *name, unsigned size)
{
	struct bare *m = arg;

	assert_true(size == 1 || size == 2 || size == 4 || size == 8);
	get(m, name);
}

static void registers_have_names(void **state)
{
	static const uint32_t program[] = { LOOP };
	struct bare m = start(*state, program, sizeof(program));
	struct lodge_error e;
	uint64_t val;

	lodge_vcpu_regs(m.v, each_register, &m);
	set(&m, "x31", 0x123456789abcdef0);
	set(&m, "f31", 0x3ff0000000000000);
	set(&m, "mscratch", 77);
	set(&m, "pmpaddr15", 99);
	set(&m, "x0", 5);
	assert_true(get(&m, "x31") == 0x123456789abcdef0);
	assert_true(get(&m, "f31") == 0x3ff0000000000000);
	assert_int_equal(get(&m, "mscratch"), 77);
	assert_int_equal(get(&m, "pmpaddr15"), 99);
	assert_int_equal(get(&m, "x0"), 0);
	assert_int_equal(get(&m, "pc"), RAM);
	assert_int_equal(get(&m, "mode"), 3);
	for (const char *const *bad = (const char *const[]){ "x32", "x", "x-1", "eax", "pc1", "",
		 "x99999999999999999999", NULL };
	     *bad; bad++) {
		assert_int_equal(lodge_vcpu_get_reg(m.v, *bad, &val, &e), -ENOENT);
		assert_int_equal(e.code, ENOENT);
		assert_non_null(strstr(e.text, *bad));
	}
	assert_int_equal(lodge_vcpu_set_reg(m.v, "mode", 2, &e), -EINVAL);
	lodge_bare_free(m.b);
}

static void two_machines_are_apart(void **state)
{
	static const uint32_t program[] = { INC_A0, WFI, LOOP };
	struct bare a = start(*state, program, sizeof(program));
	struct bare b = start(*state, program, sizeof(program));

	set(&b, "x10", 100);
	run(&a, (struct lodge_exit){ 0 });
	run(&b, (struct lodge_exit){ 0 });
	assert_int_equal(get(&a, "x10"), 1);
	lodge_bare_free(a.b);
	assert_int_equal(get(&b, "x10"), 101);
	lodge_bare_free(b.b);
}

static void several_cpus_share_memory(void **state)
{
	static const uint32_t program[] = { INC_A0, WFI, LOOP };
	struct bare m = start(*state, program, sizeof(program)), second = m;
	struct lodge_error e;

	second.v = lodge_vcpu_new(m.b, &e);
	assert_non_null(second.v);
	set(&second, "pc", RAM);
	run(&second, (struct lodge_exit){ 0 });
	assert_int_equal(get(&second, "x10"), 1);
	assert_int_equal(get(&second, "mhartid"), 1);
	assert_int_equal(get(&m, "x10"), 0);
	lodge_bare_free(m.b);
}

static void bad_requests_say_why(void **state)
{
	struct lodge_error e;
	struct lodge_bare *b;

	assert_null(lodge_bare_new("z80", *state, &e));
	assert_int_equal(e.code, EINVAL);
	assert_non_null(strstr(e.text, "z80"));
	assert_null(lodge_bare_new("riscv64", "kqemu", &e));
	assert_int_equal(e.code, EINVAL);
	assert_null(lodge_bare_new("riscv64", "kqemu", NULL));
	b = lodge_bare_new("riscv64", *state, &e);
	assert_non_null(b);
	assert_null(lodge_bare_map(b, RAM, 0, &e));
	assert_null(lodge_bare_map(b, RAM + 1, SIZE, &e));
	assert_null(lodge_bare_map(b, RAM, SIZE + 1, &e));
	assert_null(lodge_bare_map(b, UINT64_MAX - 4095, 8192, &e));
	assert_int_equal(e.code, EINVAL);
	assert_non_null(lodge_bare_map(b, RAM, SIZE, &e));
	assert_null(lodge_bare_map(b, RAM + SIZE / 2, SIZE, &e));
	assert_non_null(lodge_vcpu_new(b, &e));
	assert_null(lodge_bare_map(b, 2 * (uint64_t)RAM, SIZE, &e));
	assert_int_equal(e.code, EBUSY);
	lodge_bare_free(b);
	lodge_bare_free(NULL);
}

static void add_engine(void *arg, const struct lodge_engine *n)
{
	struct engines *to = arg;

	assert_true(n->name[0] && n->about[0] && n->arch[0]);
	assert_true(n->usable || n->why_not[0]);
	if (n->usable && !strcmp(n->arch, "riscv64") && to->n < 8)
		to->name[to->n++] = n->name;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses_come_out),
		cmocka_unit_test(accesses_of_each_size),
		cmocka_unit_test(kick_and_limit_end_a_loop),
		cmocka_unit_test(interrupts_are_taken),
		cmocka_unit_test(timer_ends_a_wait),
		cmocka_unit_test(host_changes_code),
		cmocka_unit_test(registers_have_names),
		cmocka_unit_test(two_machines_are_apart),
		cmocka_unit_test(several_cpus_share_memory),
		cmocka_unit_test(bad_requests_say_why),
	};
	enum { N = sizeof(tests) / sizeof(*tests) };
	struct CMUnitTest all[8 * N];
	struct engines engines = { 0 };

	lodge_engines(add_engine, &engines);
	for (unsigned i = 0; i < engines.n * N; i++) {
		all[i] = tests[i % N];
		all[i].initial_state = (void *)(uintptr_t)engines.name[i / N];
	}
	return _cmocka_run_group_tests("bare", all, engines.n * N, NULL, NULL) || !engines.n;
}
