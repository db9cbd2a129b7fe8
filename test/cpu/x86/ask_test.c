/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU comes out with, and how its instructions go on with the answers: by way of the class
 * as engines use it, in 64-bit mode, interpreted and compiled. */
#include <stdlib.h>
#include <string.h>

#include "core/bus.h"
#include "core/clock.h"
#include "core/mem.h"
#include "cpu/x86/state.h"
#include "test/cmocka.h"

enum {
	RAM = 1 << 20,
	TABLES = 0x1000,
	GDT = 0x6000,
	IDT = 0x7000,
	CODE = 0x10000,
	HANDLER = 0x12000,
	STACK = 0x20000,
	DATA = 0x30000,
	HOLE = RAM + 0x1000
};

extern const struct cpu_class cpu_x86_64;

struct rig {
	struct cpu_env env;
	uint8_t *ram;
	struct cpu *cpu;
	struct x86_regs r;
	struct exit x;
};

static void put64(struct rig *g, unsigned at, uint64_t val)
{
	memcpy(g->ram + at, &val, sizeof val);
}

/* Large pages that are where they are, and a table of interrupts that all go to HANDLER. */
static void make_tables(struct rig *g)
{
	unsigned n;

	put64(g, TABLES, TABLES + 0x1000 + 3);
	put64(g, TABLES + 0x1000, TABLES + 0x2000 + 3);
	put64(g, TABLES + 0x2000, 0x83);
	put64(g, TABLES + 0x2008, 0x200083);
	put64(g, GDT + 8, 0x00af9b000000ffff);
	put64(g, GDT + 16, 0x00cf93000000ffff);
	for (n = 0; n < 32; n++) {
		put64(g, IDT + 16 * n,
		    0x8e0000080000 | ((HANDLER & 0xffffull) + 16 * n) |
			(uint64_t)(HANDLER >> 16) << 48);
		put64(g, IDT + 16 * n + 8, 0);
		g->ram[HANDLER + 16 * n] = 0xf4; /* hlt */
	}
}

static bool change_cpuid(void *machine, unsigned id, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)machine;
	(void)id;
	if (leaf == 0x40000001)
		memcpy(out, (uint32_t[]){ 1, 2, 3, sub }, 4 * sizeof *out);
	return leaf == 0x40000002;
}

static struct rig *start(bool jit)
{
	struct rig *g = calloc(1, sizeof *g);
	struct err e;

	assert_non_null(g);
	g->ram = aligned_alloc(4096, RAM);
	memset(g->ram, 0, RAM);
	g->env = (struct cpu_env){ .mem = mem_new(),
		.bus = bus_new(),
		.model = "best,+monitor",
		.cpuid = change_cpuid,
		.clock = clock_new(),
		.jit = jit,
		.eager = jit,
		.hole_exits = true,
		.vmm_exits = true,
		.unwatched = true,
		.parallel = true }; /* the bus is locked by a mutex then */
	assert_int_equal(mem_map(g->env.mem, 0, g->ram, RAM, &e), 0);
	g->cpu = cpu_x86_64.new(&g->env, 0, NULL, &e);
	if (!g->cpu)
		fail_msg("%s", e.text);
	make_tables(g);
	return g;
}

static int interpreted(void **state)
{
	*state = start(false);
	return 0;
}

static int compiled(void **state)
{
	*state = start(true);
	return 0;
}

static int end(void **state)
{
	struct rig *g = *state;

	cpu_x86_64.free(g->cpu);
	clock_free(g->env.clock);
	bus_free(g->env.bus);
	mem_free(g->env.mem);
	free(g->ram);
	free(g);
	return 0;
}

/* At CODE, in 64-bit mode, with RBX at the hole and RSI at DATA; stops with HLT. */
static void load(struct rig *g, const void *code, size_t len)
{
	const struct x86_seg data = { .limit = UINT32_MAX, .attr = 0xc093, .selector = 16 };
	unsigned n;

	memcpy(g->ram + CODE, code, len);
	g->ram[CODE + len] = 0xf4;
	cpu_x86_64.reset(g->cpu);
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
	for (n = 0; n < X86_NSEGS; n++)
		g->r.seg[n] = data;
	g->r.seg[X86_CS].attr = 0xa09b;
	g->r.seg[X86_CS].selector = 8;
	g->r.gdt = (struct x86_table){ GDT, 23 };
	g->r.idt = (struct x86_table){ IDT, 16 * 32 - 1 };
	g->r.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
	g->r.cr3 = TABLES;
	g->r.cr4 = CR4_PAE | CR4_OSFXSR;
	g->r.efer = EFER_LME | EFER_LMA | EFER_SCE;
	g->r.rip = CODE;
	g->r.rflags = 2;
	memset(g->r.r, 0, sizeof g->r.r);
	g->r.r[X86_RSP] = STACK;
	g->r.r[X86_RBX] = HOLE;
	g->r.r[X86_RSI] = DATA;
	cpu_x86_64.set(g->cpu, X86_REGS_ALL, &g->r);
	g->x = (struct exit){ .why = EXIT_KICKED };
}

static void go_on(struct rig *g)
{
	cpu_x86_64.run(g->cpu, &g->x, 1000);
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
}

#define LOAD(...)                                                                                  \
	load(g, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void reads(struct rig *g, uint64_t at, unsigned size, uint64_t answer)
{
	go_on(g);
	assert_int_equal(g->x.why, EXIT_READ);
	assert_int_equal(g->x.addr, at);
	assert_int_equal(g->x.size, size);
	g->x.val = answer;
}

static void writes(struct rig *g, uint64_t at, unsigned size, uint64_t val)
{
	go_on(g);
	assert_int_equal(g->x.why, EXIT_WRITE);
	assert_int_equal(g->x.addr, at);
	assert_int_equal(g->x.size, size);
	assert_int_equal(g->x.val, val);
}

static void halts(struct rig *g)
{
	go_on(g);
	assert_int_equal(g->x.why, EXIT_HALT);
}

/* Once this came out with the read for ever. */
static void reads_and_writes_in_one_instruction(void **state)
{
	struct rig *g = *state;

	LOAD(0x83, 0x0b, 0x21); /* or dword [rbx], 0x21 */
	reads(g, HOLE, 4, 0x1140);
	assert_int_equal(g->r.rip, CODE);
	writes(g, HOLE, 4, 0x1161);
	assert_int_equal(g->r.rip, CODE);
	halts(g);
	assert_int_equal(g->r.rip, CODE + 4);

	LOAD(0xb0, 0x55, 0xf0, 0x0f, 0xc0, 0x03); /* mov al, 0x55; lock xadd [rbx], al */
	reads(g, HOLE, 1, 0x11);
	writes(g, HOLE, 1, 0x66);
	halts(g);
	assert_int_equal(g->r.r[X86_RAX], 0x11);
}

/* Each of them is asked for, though it looks like the one before. */
static void asks_each_time(void **state)
{
	struct rig *g = *state;
	unsigned n;

	LOAD(0x03, 0x03, 0x03, 0x03, 0xff, 0xc9, 0x75, 0xf8); /* 1: add eax, [rbx] twice; loop */
	g->r.r[X86_RCX] = 40;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	for (n = 0; n < 80; n++)
		reads(g, HOLE, 4, n);
	halts(g);
	assert_int_equal(g->r.r[X86_RAX], 79 * 80 / 2);
}

static void copies_from_hole_to_hole(void **state)
{
	struct rig *g = *state;

	LOAD(0xf3, 0x48, 0xa5); /* rep movsq */
	g->r.r[X86_RSI] = HOLE;
	g->r.r[X86_RDI] = HOLE + 0x100;
	g->r.r[X86_RCX] = 2;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	reads(g, HOLE, 8, 0x1122334455667788);
	writes(g, HOLE + 0x100, 8, 0x1122334455667788);
	assert_int_equal(g->r.r[X86_RCX], 2);
	reads(g, HOLE + 8, 8, 7);
	assert_int_equal(g->r.r[X86_RCX], 1);
	writes(g, HOLE + 0x108, 8, 7);
	halts(g);
	assert_int_equal(g->r.r[X86_RCX], 0);
	assert_int_equal(g->r.rip, CODE + 4);
}

/* FXSAVE: more accesses than any other. */
static void asks_for_each_part_of_a_long_store(void **state)
{
	struct rig *g = *state;
	unsigned n;

	LOAD(0x0f, 0xae, 0x03); /* fxsave [rbx] */
	for (n = 0; n < 500; n++) {
		go_on(g);
		if (g->x.why != EXIT_WRITE)
			break;
		assert_int_equal(g->x.addr, HOLE + 8 * n);
	}
	assert_int_equal(g->x.why, EXIT_HALT);
	assert_true(n >= 52 && n <= 64);
}

/* The caller does it all itself, and says so by another reason: nothing of it is left. */
static void what_is_not_answered_is_forgotten(void **state)
{
	struct rig *g = *state;

	LOAD(0x8b, 0x03, 0x8b, 0x13); /* mov eax, [rbx]; mov edx, [rbx] */
	reads(g, HOLE, 4, 1);
	g->r.r[X86_RAX] = 99;
	g->r.rip += 2;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	g->x.why = EXIT_KICKED;
	reads(g, HOLE, 4, 2);
	assert_int_equal(g->r.rip, CODE + 2);
	/* And the same once more, for it was not answered. */
	g->x.why = EXIT_KICKED;
	reads(g, HOLE, 4, 3);
	halts(g);
	assert_int_equal(g->r.r[X86_RAX], 99);
	assert_int_equal(g->r.r[X86_RDX], 3);
}

/* A turn of one: the instruction that has its answer, and not the next. */
static void a_turn_of_one_finishes_the_instruction(void **state)
{
	struct rig *g = *state;

	LOAD(0x31, 0x03, 0x8b, 0x13); /* xor [rbx], eax; mov edx, [rbx] */
	reads(g, HOLE, 4, 5);
	cpu_x86_64.run(g->cpu, &g->x, 1);
	assert_int_equal(g->x.why, EXIT_WRITE);
	assert_int_equal(g->x.val, 5);
	cpu_x86_64.run(g->cpu, &g->x, 1);
	assert_int_equal(g->x.why, EXIT_TURN);
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
	assert_int_equal(g->r.rip, CODE + 2);
	reads(g, HOLE, 4, 6);
	/* A kick does not come between a read and what is done with it. */
	cpu_x86_64.kick(g->cpu);
	go_on(g);
	assert_int_equal(g->x.why, EXIT_KICKED);
	assert_int_equal(g->r.r[X86_RDX], 6);
	assert_int_equal(g->r.rip, CODE + 4);
}

/* The answer is there, but the instruction faults with it: PUSH to a stack that is not canonical.
 */
static void a_fault_forgets_answers(void **state)
{
	struct rig *g = *state;

	LOAD(0xff, 0x33); /* push qword [rbx] */
	g->r.r[X86_RSP] = 1ull << 50;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	reads(g, HOLE, 8, 1);
	go_on(g);
	assert_int_equal(g->x.why, EXIT_SHUTDOWN); /* that of #SS is the same */
	LOAD(0x8b, 0x03);
	reads(g, HOLE, 4, 2);
	halts(g);
	assert_int_equal(g->r.r[X86_RAX], 2);
}

static void read_only_ram_is_read(void **state)
{
	struct rig *g = *state;

	LOAD(0xff, 0x06); /* inc dword [rsi] */
	g->ram[DATA] = 0x41;
	assert_int_equal(mem_protect(g->env.mem, 0, RAM, MEM_NO_WRITE), 0);
	cpu_x86_64.fence(g->cpu, false);
	writes(g, DATA, 4, 0x42);
	halts(g);
	assert_int_equal(g->ram[DATA], 0x41);
	mem_protect(g->env.mem, 0, RAM, 0);
}

static void comes_out(struct rig *g, enum exit_why why, uint64_t addr, unsigned size)
{
	go_on(g);
	assert_int_equal(g->x.why, why);
	assert_int_equal(g->x.addr, addr);
	assert_int_equal(g->x.size, size);
}

static void ports_come_out(void **state)
{
	struct rig *g = *state;

	/* in ax, dx; out 0x20, eax; in al, 7 */
	LOAD(0x66, 0xed, 0xe7, 0x20, 0xe4, 7);
	g->r.r[X86_RDX] = 0xfedc;
	g->r.r[X86_RAX] = 0x11111111;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	comes_out(g, EXIT_IN, 0xfedc, 2);
	g->x.val = UINT64_MAX - 1;
	comes_out(g, EXIT_OUT, 0x20, 4);
	assert_int_equal(g->x.val, 0x1111fffe);
	comes_out(g, EXIT_IN, 7, 1);
	g->x.val = 0x42;
	halts(g);
	assert_int_equal(g->r.r[X86_RAX], 0x1111ff42);

	LOAD(0xf3, 0x66, 0x6d, 0xf3, 0x6e); /* rep insw, rep outsb */
	g->r.r[X86_RDX] = 0x1f0;
	g->r.r[X86_RDI] = DATA;
	g->r.r[X86_RCX] = 2;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	comes_out(g, EXIT_IN, 0x1f0, 2);
	g->x.val = 0x1234;
	comes_out(g, EXIT_IN, 0x1f0, 2);
	assert_int_equal(g->r.r[X86_RCX], 1);
	g->x.val = 0x5678;
	halts(g);
	assert_memory_equal(g->ram + DATA, "\x34\x12\x78\x56", 4);

	/* From the hole to a port. */
	LOAD(0x6f); /* outsd */
	g->r.r[X86_RSI] = HOLE;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	reads(g, HOLE, 4, 0xabcdef01);
	comes_out(g, EXIT_OUT, 0, 4);
	assert_int_equal(g->x.val, 0xabcdef01);
	halts(g);
	assert_int_equal(g->r.r[X86_RSI], HOLE + 4);
}

static void registers_that_are_not_there_come_out(void **state)
{
	struct rig *g = *state;

	LOAD(0x0f, 0x32, 0x0f, 0x30); /* rdmsr; wrmsr */
	g->r.r[X86_RCX] = 0x1b;       /* IA32_APIC_BASE: there is no APIC */
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	comes_out(g, EXIT_RDMSR, 0x1b, 8);
	g->x.val = 0x1fee00900;
	comes_out(g, EXIT_WRMSR, 0x1b, 8);
	assert_int_equal(g->x.val, 0x1fee00900);
	halts(g);
	assert_int_equal(g->r.r[X86_RDX], 1);
	/* A value that LSTAR cannot have is the guest's fault: #GP. */
	LOAD(0x0f, 0x30);
	g->r.r[X86_RCX] = 0xc0000082;
	g->r.r[X86_RDX] = 0x40000000;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	halts(g);
	assert_int_equal(g->r.rip, HANDLER + 16 * X86_GP + 1);
}

static void instructions_come_out(void **state)
{
	struct rig *g = *state;

	LOAD(0x0f, 0xa2); /* cpuid */
	g->r.r[X86_RAX] = 0x40000001;
	g->r.r[X86_RCX] = 9;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	halts(g);
	assert_int_equal(g->r.r[X86_RAX], 1);
	assert_int_equal(g->r.r[X86_RBX], 2);
	assert_int_equal(g->r.r[X86_RDX], 9);
	LOAD(0x0f, 0xa2);
	g->r.r[X86_RAX] = 0x40000002;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	comes_out(g, EXIT_CPUID, 0x40000002, 0);
	assert_int_equal(g->r.rip, CODE);
	LOAD(0x0f, 0x01, 0xc8, 0x0f, 0x01, 0xc9); /* monitor; mwait */
	comes_out(g, EXIT_MONITOR, 0, 0);
	comes_out(g, EXIT_MWAIT, 0, 0);
	halts(g);
	LOAD(0xff, 0xe3); /* jmp rbx */
	comes_out(g, EXIT_FETCH, HOLE, 1);
	assert_int_equal(g->r.rip, HOLE);
	halts(g); /* nobody has an instruction there */
	assert_int_equal(g->r.rip, HANDLER + 16 * X86_GP + 1);
}

static void pages_without_code(void **state)
{
	struct rig *g = *state;

	LOAD(0x90);
	assert_int_equal(mem_protect(g->env.mem, 0, RAM, MEM_NO_EXEC), 0);
	cpu_x86_64.fence(g->cpu, false);
	comes_out(g, EXIT_FETCH, CODE, 1);
	assert_int_equal(mem_protect(g->env.mem, 0, RAM, 0), 0);
	g->x.why = EXIT_KICKED;
	halts(g);
	assert_int_equal(g->r.rip, CODE + 2);
}

/* One that came with the state, with its error code, before the instruction. */
static void an_exception_can_be_given(void **state)
{
	struct rig *g = *state;
	uint64_t frame[2];

	LOAD(0x90);
	g->r.exception = X86_GP + 1;
	g->r.exception_has_error = 1;
	g->r.exception_error = 0x1234;
	cpu_x86_64.set(g->cpu, X86_REGS_STATE, &g->r);
	halts(g);
	assert_int_equal(g->r.rip, HANDLER + 16 * X86_GP + 1);
	memcpy(frame, g->ram + g->r.r[X86_RSP], sizeof frame);
	assert_int_equal(frame[0], 0x1234);
	assert_int_equal(frame[1], CODE);
	assert_int_equal(g->r.exception, 0);
	LOAD(0x90);
	g->r.exception = X86_UD + 1;
	g->r.exception_has_error = 0;
	cpu_x86_64.set(g->cpu, X86_REGS_STATE, &g->r);
	halts(g);
	assert_int_equal(g->r.rip, HANDLER + 16 * X86_UD + 1);
	assert_int_equal(g->r.r[X86_RSP], STACK - 40);
}

/* A program of two pages that the host changes between two runs; what was compiled, too. */
static void changed_code_is_seen(void **state)
{
	struct rig *g = *state;
	unsigned n;

	LOAD(0xb0, 1, 0xe9, 0xf9, 0x0f, 0, 0); /* mov al, 1; jmp CODE + 0x1000 */
	for (n = 0; n < 100; n++) {
		memcpy(g->ram + CODE + 0x1000, (uint8_t[]){ 0xb4, (uint8_t)(n / 3), 0xf4 }, 3);
		g->ram[CODE + 1] = (uint8_t)(n / 5);
		g->r.rip = CODE;
		g->r.halted = 0;
		cpu_x86_64.set(g->cpu, X86_REGS_INT | X86_REGS_STATE, &g->r);
		halts(g);
		assert_int_equal(g->r.r[X86_RAX] & 0xffff, n / 3 << 8 | n / 5);
	}
}

/* What the guest has stored over code, and the host has put back. */
static void code_that_both_change(void **state)
{
	struct rig *g = *state;
	unsigned n;

	/* mov al, 1; mov byte [rip - 8], 2: its own operand */
	LOAD(0xb0, 1, 0xc6, 0x05, 0xf8, 0xff, 0xff, 0xff, 2);
	for (n = 0; n < 20; n++) {
		g->ram[CODE + 1] = 1;
		g->r.rip = CODE;
		g->r.halted = 0;
		cpu_x86_64.set(g->cpu, X86_REGS_INT | X86_REGS_STATE, &g->r);
		halts(g);
		assert_int_equal(g->r.r[X86_RAX] & 0xff, 1);
		assert_int_equal(g->ram[CODE + 1], 2);
	}
}

/* A stack in the hole: each push of an exception comes out, and none twice. */
static void handlers_can_have_a_stack_in_the_hole(void **state)
{
	struct rig *g = *state;
	unsigned n;

	LOAD(0x0f, 0x0b); /* ud2 */
	g->r.r[X86_RSP] = HOLE + 0x100;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	for (n = 1; n <= 5; n++) {
		go_on(g);
		assert_int_equal(g->x.why, EXIT_WRITE);
		assert_int_equal(g->x.addr, HOLE + 0x100 - 8 * n);
		assert_int_equal(g->r.rip, CODE);
	}
	assert_int_equal(g->x.val, CODE);
	halts(g);
	assert_int_equal(g->r.rip, HANDLER + 16 * X86_UD + 1);
	/* The same for one that came with the state. */
	LOAD(0x90);
	g->r.r[X86_RSP] = HOLE + 0x100;
	g->r.exception = X86_UD + 1;
	g->r.exception_has_error = 0;
	cpu_x86_64.set(g->cpu, X86_REGS_INT | X86_REGS_STATE, &g->r);
	for (n = 1; n <= 5; n++)
		writes(g, HOLE + 0x100 - 8 * n, 8,
		    n == 1   ? 16
		    : n == 2 ? HOLE + 0x100
		    : n == 3 ? 0x10002
		    : n == 4 ? 8
			     : CODE);
	halts(g);
	assert_int_equal(g->r.rip, HANDLER + 16 * X86_UD + 1);
	/* And for an NMI. */
	LOAD(0x90);
	g->r.r[X86_RSP] = HOLE + 0x100;
	cpu_x86_64.set(g->cpu, X86_REGS_INT, &g->r);
	cpu_x86_64.irq(g->cpu, INTC_NMI, true);
	for (n = 1; n <= 5; n++) {
		go_on(g);
		assert_int_equal(g->x.why, EXIT_WRITE);
		assert_int_equal(g->x.addr, HOLE + 0x100 - 8 * n);
	}
	halts(g);
	assert_int_equal(g->r.rip, HANDLER + 16 * X86_NMI + 1);
}

int main(void)
{
#define TEST(fn)                                                                                   \
	cmocka_unit_test_setup_teardown(fn, interpreted, end),                                     \
	    cmocka_unit_test_setup_teardown(fn, compiled, end)
	const struct CMUnitTest tests[] = {
		TEST(reads_and_writes_in_one_instruction),
		TEST(asks_each_time),
		TEST(copies_from_hole_to_hole),
		TEST(asks_for_each_part_of_a_long_store),
		TEST(what_is_not_answered_is_forgotten),
		TEST(a_turn_of_one_finishes_the_instruction),
		TEST(a_fault_forgets_answers),
		TEST(read_only_ram_is_read),
		TEST(ports_come_out),
		TEST(registers_that_are_not_there_come_out),
		TEST(instructions_come_out),
		TEST(pages_without_code),
		TEST(an_exception_can_be_given),
		TEST(handlers_can_have_a_stack_in_the_hole),
		TEST(changed_code_is_seen),
		TEST(code_that_both_change),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
