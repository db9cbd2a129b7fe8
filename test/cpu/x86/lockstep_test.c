/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compiled code beside the interpreter: a guest that uses ports, traps, string instructions and
 * code that changes goes through, with each access of a device made once; code that is wrong (it
 * was changed in RAM, of which compiled code was not told) is found.
 */
#include <stdio.h>

#include "base/log.h"
#include "jit/jit.h"
#include "test/cmocka.h"
/* behind cmocka */
#include "cpu/x86/vm.h"
#include "test/cpu/x86/int_rig.h"

#define IDT   (RIG_BASE + 0x50000)
#define GDT   (RIG_BASE + 0x53000)
#define STACK (RIG_ARENA + 0x1000)

enum { CODE0 = 0x08, DATA0 = 0x10, PORT = 0x80 };

struct bench {
	struct rig rig;
	struct log log;
	unsigned reads, writes;
	uint64_t sum; /* of what was written to the port */
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

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	struct bench *b = dev;

	(void)off;
	(void)size;
	return ++b->reads;
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct bench *b = dev;

	(void)off;
	(void)size;
	b->writes++;
	b->sum += val;
}

static const struct io_ops port_ops = {
	.read = port_read, .write = port_write, .min = 1, .max = 1
};

static void renew(struct rig *r)
{
	struct err e = { "" };

	cpu_x86_64.free(r->cpu);
	r->cpu = cpu_x86_64.new(&r->env, 0, NULL, &e);
	if (!r->cpu)
		fail_msg("%s", e.text);
	r->s = (struct x86 *)(void *)r->cpu;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	struct rig *r = &b->rig;
	struct err e = { "" };

	assert_non_null(b);
	rig_new(r);
	b->log = (struct log){ .write = note, .arg = b };
	assert_int_equal(bus_map(r->env.ports, "port", PORT, 1, &port_ops, b, NULL, &e), 0);
	r->env.log = &b->log;
	r->env.jit = r->env.eager = r->env.lockstep = jit_supported();
	renew(r);
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

static void put_gate(struct rig *r, unsigned vector, uint64_t handler)
{
	put_le(rig_at(r, IDT + 16 * vector),
	    (handler & 0xffff) | CODE0 << 16 | (uint64_t)0x8e << 40 | (handler >> 16) << 48, 8);
}

/* 64-bit code at CPL 0, with handlers of interrupts and with code that may be written; the handler
 * is one page behind. */
static void start(
    struct bench *b, const uint8_t *code, size_t len, const uint8_t *handler, size_t handler_len)
{
	struct rig *r = &b->rig;
	struct x86_regs g;

	rig_map(r, RIG_CODE, RIG_CODE_SIZE, true);
	rig_map(r, IDT, 0x4000, true);
	memcpy(r->code, code, len);
	if (handler)
		memcpy(r->code + 0x1000, handler, handler_len);
	put_le(rig_at(r, GDT + CODE0), 0x00af9b000000ffff, 8);
	put_le(rig_at(r, GDT + DATA0), 0x00cf93000000ffff, 8);
	put_gate(r, X86_BP, RIG_CODE + 0x1000);
	put_gate(r, X86_UD, RIG_CODE + 0x1000);
	mem_written(r->env.mem, RIG_BASE, RIG_SIZE);
	rig_mode(r, X86_CODE64 | X86_PROTECTED | X86_FLAT);
	cpu_x86_64.get(r->cpu, X86_REGS_ALL, &g);
	g.gdt = (struct x86_table){ GDT, 0xff };
	g.idt = (struct x86_table){ IDT, 0xfff };
	g.seg[X86_CS].selector = CODE0;
	g.seg[X86_SS].selector = DATA0;
	g.rip = RIG_CODE;
	g.r[X86_RSP] = STACK;
	g.r[X86_RDI] = RIG_ARENA;
	assert_int_equal(cpu_x86_64.set(r->cpu, X86_REGS_ALL, &g), 0);
}

/* ecx = 500: { eax += ecx; [rdi] = rax; rdx = [rdi]; lock xadd [rdi + 8], rdx } while --ecx */
static const uint8_t loop[] = {
	0xb9, 0xf4, 0x01, 0, 0,             /* mov ecx, 500 */
	0x01, 0xc8,                         /* add eax, ecx */
	0x48, 0x89, 0x07,                   /* mov [rdi], rax */
	0x48, 0x8b, 0x17,                   /* mov rdx, [rdi] */
	0xf0, 0x48, 0x0f, 0xc1, 0x57, 0x08, /* lock xadd [rdi + 8], rdx */
	0xff, 0xc9,                         /* dec ecx */
	0x75, 0xee,                         /* jnz -18 */
	0xf4,                               /* hlt */
};

static void all_is_well(void **state)
{
	struct bench *b = *state;
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	if (no_jit())
		return;
	start(b, loop, sizeof loop, NULL, 0);
	cpu_x86_64.run(r->cpu, &x, 100000);
	assert_string_equal(b->text, "");
	assert_int_equal(x.why, EXIT_HALT);
	assert_int_equal(x86_retired(r->s), 1 + 500 * 6 + 1);
	assert_int_equal(r->s->r[X86_RAX], 500 * 501 / 2);
	assert_int_equal(get_le(r->arena, 8), 500 * 501 / 2);
}

/* A device counts as often as the guest accesses it; interrupts are taken once. */
static void devices_and_traps(void **state)
{
	static const uint8_t code[] = {
		0xb9, 100, 0, 0, 0, /* mov ecx, 100 */
		0xe4, PORT,         /* in al, PORT */
		0x01, 0xc6,         /* add esi, eax */
		0x88, 0xc8,         /* mov al, cl */
		0xe6, PORT,         /* out PORT, al */
		0xcc,               /* int3 */
		0xff, 0xc9,         /* dec ecx */
		0x75, 0xf3,         /* jnz -13 */
		0xf4,               /* hlt */
	};
	static const uint8_t handler[] = { 0xff, 0xc3, 0x48, 0xcf }; /* inc ebx; iretq */
	struct bench *b = *state;
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	if (no_jit())
		return;
	start(b, code, sizeof code, handler, sizeof handler);
	r->s->r[X86_RAX] = r->s->r[X86_RSI] = r->s->r[X86_RBX] = 0;
	cpu_x86_64.run(r->cpu, &x, 100000);
	assert_string_equal(b->text, "");
	assert_int_equal(x.why, EXIT_HALT);
	assert_int_equal(b->reads, 100);
	assert_int_equal(b->writes, 100);
	assert_int_equal(b->sum, 100 * 101 / 2);
	assert_int_equal(r->s->r[X86_RSI], 100 * 101 / 2);
	assert_int_equal(r->s->r[X86_RBX], 100);
}

/* REP STOSB over the code that comes next, by way of itself: NOPs become INC EBX. */
static void code_that_changes(void **state)
{
	static const uint8_t code[] = {
		0x48, 0x8d, 0x3d, 9, 0, 0, 0, /* lea rdi, [rip + 9] */
		0xb9, 20, 0, 0, 0,            /* mov ecx, 20 */
		0xb0, 0x90,                   /* mov al, 0x90 */
		0xf3, 0xaa,                   /* rep stosb */
		0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
		0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xf4, /* hlt */
	};
	struct bench *b = *state;
	struct rig *r = &b->rig;
	struct exit x = { 0 };
	unsigned i;

	if (no_jit())
		return;
	for (i = 0; i < 3; i++) {
		start(b, code, sizeof code, NULL, 0);
		r->s->halted = false;
		cpu_x86_64.run(r->cpu, &x, 1000);
		assert_string_equal(b->text, "");
		assert_int_equal(x.why, EXIT_HALT);
		assert_int_equal(r->s->rip, RIG_CODE + sizeof code);
	}
}

/* Bytes behind its length make an instruction undefined, here VEX.L of SHLX; then it is defined. */
static void undefined_by_a_byte_behind_it(void **state)
{
	static const uint8_t code[] = {
		0x90, 0xc4, 0x82, 0x2c, 0xf7, 0xcf, /* nop; undefined */
		0xf4,                               /* hlt */
	};
	static const uint8_t handler[] = {
		0xff, 0xc3,                               /* inc ebx */
		0xc6, 0x05, 0xfa, 0xef, 0xff, 0xff, 0x01, /* mov byte [code + 3], 1 */
		0x48, 0xcf,                               /* iretq */
	};
	struct bench *b = *state;
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	if (no_jit())
		return;
	start(b, code, sizeof code, handler, sizeof handler);
	r->s->r[X86_RBX] = 0;
	cpu_x86_64.run(r->cpu, &x, 100);
	assert_string_equal(b->text, "");
	assert_int_equal(x.why, EXIT_HALT);
	assert_int_equal(r->s->r[X86_RBX], 1);
}

/* A page with code that is written so often that it is taken for data, while code in it runs that
 * changes itself with the next store; without lockstep, which ends slices at page walks. */
static void page_that_is_given_up(void **state)
{
	static const uint8_t code[] = {
		0xb9, 200, 0, 0, 0,           /* mov ecx, 200 */
		0x88, 0x0d, 0x00, 0x08, 0, 0, /* mov [rip + 0x800], cl */
		0x88, 0x0d, 0x01, 0, 0, 0,    /* mov [rip + 1], cl */
		0xb0, 0,                      /* mov al, 0 */
		0x01, 0xc3,                   /* add ebx, eax */
		0xff, 0xc9,                   /* dec ecx */
		0x75, 0xec,                   /* jnz -20 */
		0xf4,                         /* hlt */
	};
	struct bench *b = *state;
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	if (no_jit())
		return;
	r->env.lockstep = false;
	renew(r);
	start(b, code, sizeof code, NULL, 0);
	r->s->r[X86_RAX] = r->s->r[X86_RBX] = 0;
	cpu_x86_64.run(r->cpu, &x, 10000);
	assert_string_equal(b->text, "");
	assert_int_equal(x.why, EXIT_HALT);
	assert_int_equal(r->s->r[X86_RBX], 200 * 201 / 2);
}

/* The loop runs until it is compiled; then one of its bytes is another one. */
static void plant(struct bench *b, unsigned at, uint8_t byte)
{
	struct rig *r = &b->rig;
	struct exit x = { 0 };

	start(b, loop, sizeof loop, NULL, 0);
	cpu_x86_64.run(r->cpu, &x, 1000);
	assert_int_equal(x.why, EXIT_TURN);
	assert_string_equal(b->text, "");
	r->code[at] = byte; /* nobody is told but who decodes */
	atomic_fetch_add(&r->s->vm->epoch, 2);
	for (unsigned i = 0; i < 128; i++)
		atomic_fetch_add(&r->s->vm->piece[((uintptr_t)r->code >> 7) % X86_PIECES], 1);
	cpu_x86_64.run(r->cpu, &x, 1000);
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
	plant(b, 5, 0x29); /* sub eax, ecx */
	says(b, "lockstep: cpu0: compiled code differs from the interpreter");
	says(b, "29c8  sub");
	says(b, "r0: compiled 0x");
}

static void memory_differs(void **state)
{
	struct bench *b = *state;

	if (no_jit())
		return;
	plant(b, 18, 0x10); /* lock xadd [rdi + 16], rdx */
	says(b, "memory at 0x200200");
}

static void exception_differs(void **state)
{
	struct bench *b = *state;

	if (no_jit())
		return;
	plant(b, 10, 0x06); /* undefined in 64-bit code */
	says(b, "then exception 6");
}

static void nothing_to_compare(void **state)
{
	struct bench *b = *state;
	struct cpu_env env = b->rig.env;
	struct err e = { "" };

	env.jit = false;
	env.lockstep = true;
	assert_null(cpu_x86_64.new(&env, 0, NULL, &e));
	assert_non_null(strstr(e.text, "lockstep"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_is_well, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_and_traps, setup, teardown),
		cmocka_unit_test_setup_teardown(code_that_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(undefined_by_a_byte_behind_it, setup, teardown),
		cmocka_unit_test_setup_teardown(page_that_is_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(register_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(exception_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_to_compare, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
