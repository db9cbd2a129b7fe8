/* SPDX-License-Identifier: BSD-2-Clause */
/* The run loop: programs in machine code, by way of the class as engines use it. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/intc.h"
#include "core/mem.h"
#include "core/state.h"
#include "cpu/x86/state.h"
#include "test/cmocka.h"

enum { RAM = 2 << 20, CODE = 0x1000, STACK = 0x8000 };

extern const struct cpu_class cpu_x86_64;

struct rig {
	struct cpu_env env;
	uint8_t *ram;
	struct cpu *cpu;
	struct x86_regs r;
	struct exit x;
};

static int begin(void **state)
{
	struct rig *g = calloc(1, sizeof *g);
	struct err e;

	assert_non_null(g);
	g->ram = aligned_alloc(4096, RAM);
	memset(g->ram, 0, RAM);
	g->env.mem = mem_new();
	g->env.bus = bus_new();
	g->env.ports = bus_new();
	g->env.clock = clock_new();
	assert_int_equal(mem_map(g->env.mem, 0, g->ram, RAM, &e), 0);
	g->cpu = cpu_x86_64.new(&g->env, 0, NULL, &e);
	if (!g->cpu)
		fail_msg("%s", e.text);
	*state = g;
	return 0;
}

static int end(void **state)
{
	struct rig *g = *state;

	cpu_x86_64.free(g->cpu);
	clock_free(g->env.clock);
	bus_free(g->env.ports);
	bus_free(g->env.bus);
	mem_free(g->env.mem);
	free(g->ram);
	free(g);
	return 0;
}

/* In real mode, from CODE. */
static void run(struct rig *g, const void *code, size_t len, unsigned insns)
{
	memcpy(g->ram + CODE, code, len);
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
	g->r.seg[X86_CS].base = 0;
	g->r.seg[X86_CS].selector = 0;
	g->r.rip = CODE;
	g->r.r[X86_RSP] = STACK;
	cpu_x86_64.set(g->cpu, X86_REGS_INT | X86_REGS_SEG, &g->r);
	cpu_x86_64.run(g->cpu, &g->x, insns);
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
}

static void starts_at_the_reset_vector(void **state)
{
	struct rig *g = *state;

	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
	assert_int_equal(g->r.rip, 0xfff0);
	assert_int_equal(g->r.seg[X86_CS].base, 0xffff0000);
	assert_int_equal(g->r.rflags, 2);
	assert_int_equal(g->r.cr0, 0x60000010);
}

static void counts_in_a_loop(void **state)
{
	static const uint8_t code[] = {
		0xb9, 10, 0,      /* mov cx, 10 */
		0x31, 0xc0,       /* xor ax, ax */
		0x01, 0xc8,       /* add ax, cx */
		0xe2, 0xfc,       /* loop -4 */
		0x89, 0x06, 0, 2, /* mov [0x200], ax */
	};
	struct rig *g = *state;

	run(g, code, sizeof code, 23);
	assert_int_equal(g->x.why, EXIT_TURN);
	assert_int_equal(g->r.r[X86_RAX], 55);
	assert_int_equal(g->r.rip, CODE + sizeof code);
	assert_int_equal(g->ram[0x200], 55);
	assert_int_equal(cpu_x86_64.retired(g->cpu), 23);
}

/* The store changes the next instruction. */
static void sees_code_that_it_changes(void **state)
{
	static const uint8_t code[] = {
		0xc6, 0x06, 6, 0x10, 7, /* mov byte [CODE + 6], 7 */
		0xb0, 1,                /* mov al, 1 */
	};
	struct rig *g = *state;
	unsigned i;

	for (i = 0; i < 200; i++) {
		run(g, code, sizeof code, 2);
		assert_int_equal(g->r.r[X86_RAX] & 0xff, 7);
	}
}

/* The same some instructions ahead, and behind a jump back to code that was executed. */
static void sees_code_that_it_changes_later(void **state)
{
	static const uint8_t code[] = {
		0xb9, 0, 1,             /* mov cx, 256 */
		0x88, 0x0e, 0x0b, 0x10, /* mov [CODE + 11], cl */
		0x90, 0x90, 0x90,       /* nop */
		0xb0, 0,                /* mov al, 0 */
		0x00, 0xc3,             /* add bl, al */
		0xe2, 0xf3,             /* loop CODE + 3 */
		0x89, 0x1e, 0, 2,       /* mov [0x200], bx */
	};
	struct rig *g = *state;

	run(g, code, sizeof code, 1 + 256 * 7 + 1);
	assert_int_equal(g->x.why, EXIT_TURN);
	assert_int_equal(g->r.rip, CODE + sizeof code);
	assert_int_equal(g->ram[0x200], 256 * 257 / 2 & 0xff);
}

/* A turn may end behind any instruction, and goes on there. */
static void ends_turns_anywhere(void **state)
{
	static const uint8_t code[] = {
		0x31, 0xc0,                         /* xor ax, ax */
		0x40, 0x40, 0x40, 0x40, 0x40, 0x40, /* inc ax */
		0xeb, 0xf8,                         /* jmp CODE + 2 */
	};
	struct rig *g = *state;
	unsigned i, n, done = 0;

	run(g, code, sizeof code, 1);
	for (i = 0; i < 100; i++) {
		n = 1 + i % 9;
		done += n;
		cpu_x86_64.run(g->cpu, &g->x, n);
		cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
		assert_int_equal(g->x.why, EXIT_TURN);
		assert_int_equal(cpu_x86_64.retired(g->cpu), 1 + done);
		assert_int_equal(g->r.r[X86_RAX], done / 7 * 6 + done % 7);
		assert_int_equal(g->r.rip, CODE + 2 + done % 7);
	}
}

/* Each iteration of REP counts once, wherever turns end. */
static void counts_iterations(void **state)
{
	static const uint8_t code[] = {
		0xb9, 20, 0,      /* mov cx, 20 */
		0xf3, 0xaa,       /* rep stosb */
		0x40, 0x40, 0x40, /* inc ax */
	};
	struct rig *g = *state;
	unsigned turn, done;

	for (turn = 1; turn < 25; turn++) {
		run(g, code, sizeof code, 1);
		done = 0;
		while (g->r.rip != CODE + 6) {
			const uint64_t before = cpu_x86_64.retired(g->cpu);
			const unsigned n = 21 - done < turn ? 21 - done : turn;

			cpu_x86_64.run(g->cpu, &g->x, n);
			cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
			done += n;
			assert_int_equal(cpu_x86_64.retired(g->cpu) - before, n);
			assert_int_equal(g->r.r[X86_RCX], done < 20 ? 20 - done : 0);
		}
		assert_int_equal(done, 21);
	}
}

/* More code than decoded instructions are kept of. */
static void forgets_what_it_decoded(void **state)
{
	enum { INSNS = 0xe000 };
	struct rig *g = *state;
	unsigned i, at;

	for (at = 0x10000; at + INSNS <= RAM; at += INSNS) {
		memset(g->ram + at, 0x40, INSNS); /* inc ax */
		cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
		g->r.seg[X86_CS].base = at;
		g->r.rip = 0;
		g->r.r[X86_RAX] = 0;
		cpu_x86_64.set(g->cpu, X86_REGS_INT | X86_REGS_SEG, &g->r);
		for (i = 0; i < INSNS; i += 7) {
			cpu_x86_64.run(g->cpu, &g->x, 7);
			assert_int_equal(g->x.why, EXIT_TURN);
		}
		cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
		assert_int_equal(g->r.r[X86_RAX], INSNS);
		assert_int_equal(g->r.rip, INSNS);
	}
}

/* Offsets beyond the limit of CS fault at the instruction that has them, not before. */
static void faults_at_the_limit(void **state)
{
	static const uint8_t code[] = {
		0x40, 0x40, 0x40, /* inc ax */
		0x05, 1, 0,       /* add ax, 1 */
	};
	static const uint8_t handler[] = { 0x89, 0xc3, 0xf4 }; /* mov bx, ax; hlt */
	struct rig *g = *state;

	memcpy(g->ram + 0x3000, handler, sizeof handler);
	g->ram[4 * X86_GP + 1] = 0x30;
	run(g, code, sizeof code, 1);
	g->r.seg[X86_CS].limit = CODE + 4;
	g->r.rip = CODE;
	g->r.r[X86_RAX] = 0;
	cpu_x86_64.set(g->cpu, X86_REGS_INT | X86_REGS_SEG, &g->r);
	cpu_x86_64.run(g->cpu, &g->x, 4);
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
	assert_int_equal(g->r.r[X86_RAX], 3);
	assert_int_equal(g->ram[STACK - 6] | g->ram[STACK - 5] << 8, CODE + 3);
}

/* As a snapshot is made and taken back: also what no memory holds, and what few look at. */
static void all_state_is_saved(void **state)
{
	struct rig *g = *state;
	struct x86_regs was, *r = &g->r;
	struct buf saved = { 0 };
	struct err e;
	size_t at = 0;

	cpu_x86_64.get(g->cpu, X86_REGS_ALL, r);
	r->cr0 |= CR0_PE | CR0_PG;
	r->cr3 = 0x2000;
	r->cr4 |= CR4_PAE;
	for (unsigned i = 0; i < 4; i++)
		r->pdpte[i] = 0x3001 + 0x1000 * i; /* at CR3 are others by now */
	r->tsc_adjust = 5;
	r->spec_ctrl = 1;
	r->fcs = 0x10;
	r->fds = 0x18;
	was = *r;
	state_save(cpu_x86_64.regs, r, &saved);
	memset(r, 0, sizeof *r);
	assert_int_equal(state_load(cpu_x86_64.regs, r, saved.data, saved.len, &at, &e), 0);
	buf_free(&saved);
	cpu_x86_64.set(g->cpu, X86_REGS_ALL, r);
	memset(r, 0, sizeof *r);
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, r);
	assert_int_equal(r->cr3, was.cr3);
	assert_memory_equal(r->pdpte, was.pdpte, sizeof r->pdpte);
	assert_int_equal(r->tsc_adjust, 5);
	assert_int_equal(r->spec_ctrl, 1);
	assert_int_equal(r->fcs, 0x10);
	assert_int_equal(r->fds, 0x18);
}

static void sees_address_bit_20_if_the_gate_is_open(void **state)
{
	static const uint8_t code[] = {
		0xb8, 0xff, 0xff, /* mov ax, 0xffff */
		0x8e, 0xd8,       /* mov ds, ax */
		0xa0, 0x10, 0x05, /* mov al, [0x510] */
	};
	struct rig *g = *state;

	g->ram[0x500] = 1;
	g->ram[0x100500] = 2;
	for (unsigned i = 0; i < 4; i++) {
		const bool masked = i & 1;

		cpu_x86_64.irq(g->cpu, INTC_A20M, masked);
		run(g, code, sizeof code, 3);
		assert_int_equal(g->r.r[X86_RAX] & 0xff, masked ? 1 : 2);
	}
	cpu_x86_64.irq(g->cpu, INTC_A20M, true);
	run(g, code, sizeof code, 3);
	assert_int_equal(g->r.r[X86_RAX] & 0xff, 1);
	cpu_x86_64.reset(g->cpu);
	run(g, code, sizeof code, 3);
	assert_int_equal(g->r.r[X86_RAX] & 0xff, 2);
}

/* Each iteration is followed by a debug trap. */
static void single_steps_string_instructions(void **state)
{
	static const uint8_t code[] = { 0xf3, 0xaa, 0xf4 }; /* rep stosb; hlt */
	static const uint8_t handler[] = { 0xfe, 0x06, 0x00, 0x05,
		0xcf }; /* inc byte [0x500]; iret */
	struct rig *g = *state;

	memcpy(g->ram + 0x3000, handler, sizeof handler);
	memcpy(g->ram + CODE, code, sizeof code);
	g->ram[4 * X86_DB + 1] = 0x30;
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
	g->r.seg[X86_CS].base = g->r.seg[X86_CS].selector = 0;
	g->r.rip = CODE;
	g->r.r[X86_RSP] = STACK;
	g->r.r[X86_RCX] = 3;
	g->r.r[X86_RDI] = 0x600;
	g->r.rflags |= FLAG_TF;
	cpu_x86_64.set(g->cpu, X86_REGS_INT | X86_REGS_SEG, &g->r);
	cpu_x86_64.run(g->cpu, &g->x, 3 * 4); /* iteration, trap, two instructions */
	cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
	assert_int_equal(g->ram[0x500], 3);
	assert_int_equal(g->r.r[X86_RCX], 0);
	assert_int_equal(g->r.rip, CODE + 2);
}

/* What crossed into a page that is not there, and was changed so that it does not. */
static void needs_no_second_page_any_more(void **state)
{
	enum { PAGING = 0x80000000, TABLES = 0x20000, LINEAR = 0x400000 };
	struct rig *g = *state;
	unsigned i;

	for (i = 0; i < 3; i++) {
		memset(g->ram + 0x3000, 0x90, 0x1000);
		g->ram[0x3fff] = i == 0 ? 0x04 : 0x40; /* add al, imm8; inc eax */
		mem_written(g->env.mem, 0x3000, 0x1000);
		g->ram[TABLES + 4] = 0x07; /* LINEAR is led by the table behind */
		g->ram[TABLES + 5] = 0x10;
		g->ram[TABLES + 6] = 0x02;
		g->ram[TABLES + 0x1000] =
		    0x07; /* to page 3; the next page is there at first only */
		g->ram[TABLES + 0x1001] = 0x30;
		g->ram[TABLES + 0x1004] = i == 0 ? 0x07 : 0;
		g->ram[TABLES + 0x1005] = 0x40;
		cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
		g->r.cr0 = CR0_PE | CR0_PG | CR0_ET;
		g->r.cr3 = TABLES;
		g->r.seg[X86_CS] = (struct x86_seg){ 0, UINT32_MAX, 0xc09b, 8 };
		g->r.rip = LINEAR + 0xfff;
		g->r.r[X86_RAX] = 0;
		cpu_x86_64.set(g->cpu, X86_REGS_ALL, &g->r);
		g->ram[0x4000] = 5;
		cpu_x86_64.run(g->cpu, &g->x, 1);
		cpu_x86_64.get(g->cpu, X86_REGS_ALL, &g->r);
		assert_int_equal(g->x.why, EXIT_TURN);
		assert_int_equal(g->r.r[X86_RAX], i == 0 ? 5 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(starts_at_the_reset_vector, begin, end),
		cmocka_unit_test_setup_teardown(counts_in_a_loop, begin, end),
		cmocka_unit_test_setup_teardown(sees_code_that_it_changes, begin, end),
		cmocka_unit_test_setup_teardown(sees_code_that_it_changes_later, begin, end),
		cmocka_unit_test_setup_teardown(ends_turns_anywhere, begin, end),
		cmocka_unit_test_setup_teardown(counts_iterations, begin, end),
		cmocka_unit_test_setup_teardown(forgets_what_it_decoded, begin, end),
		cmocka_unit_test_setup_teardown(faults_at_the_limit, begin, end),
		cmocka_unit_test_setup_teardown(all_state_is_saved, begin, end),
		cmocka_unit_test_setup_teardown(
		    sees_address_bit_20_if_the_gate_is_open, begin, end),
		cmocka_unit_test_setup_teardown(single_steps_string_instructions, begin, end),
		cmocka_unit_test_setup_teardown(needs_no_second_page_any_more, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
