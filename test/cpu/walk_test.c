/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/trace.h"
#include "core/mem.h"
#include "core/walk.h"
#include "cpu/cpu.h"
#include "cpu/riscv64/regs.h"
#include "cpu/x86/regs.h"
#include "test/cmocka.h"

enum { RAM = 1 << 20 };

static uint8_t ram[RAM] __attribute__((aligned(4096)));

static struct mem *memory(void)
{
	struct mem *m = mem_new();

	memset(ram, 0, sizeof ram);
	assert_int_equal(mem_map(m, 0, ram, sizeof ram, NULL), 0);
	return m;
}

static uint64_t walk(const char *cpu, const void *regs, struct mem *m, uint64_t va)
{
	const struct walk_class *class = cpu_find(cpu)->walk;
	const struct walk_paging paging = class->paging(regs);
	struct page_walk w;

	return walk_at(class, &paging, m, va, &w) ? w.pa : UINT64_MAX;
}

static void riscv64_walks(void **state)
{
	struct rv_regs *r = calloc(1, sizeof *r);
	struct mem *m = memory();

	(void)state;
	r->mode = RV_M;
	assert_int_equal(walk("riscv64", r, m, 0x1234), 0x1234);
	r->mode = RV_S;
	r->satp = 8ull << 60 | 1; /* Sv39 at 0x1000 */
	put_le(ram + 0x1000 + 511 * 8, 2 << 10 | 1, 8);
	put_le(ram + 0x2000, 3 << 10 | 1, 8);
	put_le(ram + 0x3000 + 5 * 8, 0x55 << 10 | 0xcf, 8);
	put_le(ram + 0x2000 + 8, 0x400 << 10 | 0xcf, 8);                  /* 2 MiB */
	put_le(ram + 0x3000 + 16 * 8, 1ull << 63 | 0x68 << 10 | 0xcf, 8); /* 64 KiB at 0x60000 */
	assert_int_equal(walk("riscv64", r, m, 0xffffffffc0005678), 0x55678);
	assert_int_equal(walk("riscv64", r, m, 0xffffffffc0312345), 0x512345);
	assert_int_equal(walk("riscv64", r, m, 0xffffffffc0010123), 0x60123);
	assert_int_equal(walk("riscv64", r, m, 0xffffffffc0006000), UINT64_MAX);
	assert_int_equal(walk("riscv64", r, m, 0x7fc0005678), UINT64_MAX); /* not extended */
	r->satp = 8ull << 60 | 0xfffffffffff;                              /* not in RAM */
	assert_int_equal(walk("riscv64", r, m, 0), UINT64_MAX);
	mem_free(m);
	free(r);
}

static void x86_walks(void **state)
{
	struct x86_regs *r = calloc(1, sizeof *r);
	struct mem *m = memory();

	(void)state;
	assert_int_equal(walk("x86_64", r, m, 0x100001234), 0x1234);
	r->cr0 = 1u << 31 | 1;
	r->cr3 = 0x1000;
	put_le(ram + 0x1000 + 4 * 4, 0x2001, 4);
	put_le(ram + 0x2000 + 4 * 4, 0x5003, 4);
	put_le(ram + 0x1000 + 4 * 5, 0x00402083, 4); /* 4 MiB, at 0x100400000 with PSE-36 */
	assert_int_equal(walk("x86_64", r, m, 0x1004567), 0x5567);
	r->cr4 = 1 << 4;
	assert_int_equal(walk("x86_64", r, m, 0x1400123), 0x100400123);
	r->cr4 = 1 << 5; /* PAE */
	r->cr3 = 0x3020;
	put_le(ram + 0x3020 + 8, 0x4001, 8);
	put_le(ram + 0x4000, 0x5001, 8);
	put_le(ram + 0x4008, 0x600083, 8);
	put_le(ram + 0x5000 + 8 * 7, 0x8000000000009003, 8);
	assert_int_equal(walk("x86_64", r, m, 0x40007abc), 0x9abc);
	assert_int_equal(walk("x86_64", r, m, 0x40212345), 0x612345);
	r->efer = 1 << 10; /* long mode */
	r->cr3 = 0x6000;
	put_le(ram + 0x6000 + 8 * 511, 0x7003, 8);
	put_le(ram + 0x7000 + 8 * 510, 0x4003, 8);
	put_le(ram + 0x7000 + 8 * 511, 0x40000083, 8); /* 1 GiB */
	assert_int_equal(walk("x86_64", r, m, 0xffffffff80007abc), 0x9abc);
	assert_int_equal(walk("x86_64", r, m, 0xffffffffc0001234), 0x40001234);
	assert_int_equal(walk("x86_64", r, m, 0x0000ffff80007abc), UINT64_MAX);
	mem_free(m);
	free(r);
}

struct seen {
	struct walk_piece piece[16];
	unsigned n;
};

static void note(void *arg, const struct walk_piece *p)
{
	struct seen *s = arg;

	assert_true(s->n < 16);
	s->piece[s->n++] = *p;
}

static void pieces_are_as_long_as_they_go(void **state)
{
	struct rv_regs *r = calloc(1, sizeof *r);
	struct mem *m = memory();
	struct seen s = { .n = 0 };
	const struct walk_class *class = cpu_find("riscv64")->walk;
	struct walk_paging paging;

	(void)state;
	r->mode = RV_S;
	r->satp = 8ull << 60 | 1;
	paging = class->paging(r);
	put_le(ram + 0x1000 + 511 * 8, 2 << 10 | 1, 8);
	put_le(ram + 0x2000, 3 << 10 | 1, 8);
	for (unsigned i = 0; i < 8; i++)
		put_le(ram + 0x3000 + 8 * i, (uint64_t)(0x50 + i) << 10 | (i < 5 ? 0xcf : 0x4b), 8);
	assert_true(walk_pieces(class, &paging, m, 16, note, &s));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.piece[0].va, 0xffffffffc0000000);
	assert_int_equal(s.piece[0].len, 0x5000);
	assert_int_equal(s.piece[0].pa, 0x50000);
	assert_int_equal(s.piece[0].rights, WALK_R | WALK_W | WALK_X);
	assert_int_equal(s.piece[1].len, 0x3000);
	assert_int_equal(s.piece[1].rights, WALK_R | WALK_X);
	s.n = 0;
	assert_false(walk_pieces(class, &paging, m, 1, note, &s));
	/* A table of itself. */
	for (unsigned i = 0; i < 512; i++)
		put_le(ram + 0x1000 + 8 * i, 1 << 10 | 1, 8);
	s.n = 0;
	walk_pieces(class, &paging, m, 16, note, &s);
	assert_int_equal(s.n, 0);
	mem_free(m);
	free(r);
}

/* In words ------------------------------------------------------------------------------------- */

/* Prints a walk, as it is and as it comes out of a record. */
static char *words(const char *cpu, const void *regs, struct mem *m, uint64_t va)
{
	const struct walk_class *class = cpu_find(cpu)->walk;
	const struct walk_paging paging = class->paging(regs);
	struct trace_record r = { .cat = TRACE_mmu };
	struct buf a = { 0 }, b = { 0 };
	struct page_walk w, again;

	walk_at(class, &paging, m, va, &w);
	walk_print(class, &w, &a);
	buf_put(&a, "", 1);
	walk_save(&w, &r);
	assert_true(walk_load(class, &r, &again));
	walk_print_short(&w, &b);
	b.len = 0;
	walk_print_short(&again, &b);
	for (unsigned i = WALK_READ; i <= WALK_EXECUTE; i++) {
		const char *x = walk_why(&w, (enum walk_access)i);
		const char *y = walk_why(&again, (enum walk_access)i);

		assert_true(x == y);
	}
	buf_free(&b);
	return (char *)a.data;
}

static void says(char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("\"%s\" is not in:\n%s", what, text);
	free(text);
}

static void riscv64_faults_are_told(void **state)
{
	struct rv_regs *r = calloc(1, sizeof *r);
	struct mem *m = memory();

	(void)state;
	r->mode = RV_S;
	says(words("riscv64", r, m, 0), "not translated");
	r->satp = 8ull << 60 | 1;
	put_le(ram + 0x1000, 2 << 10 | 1, 8);
	put_le(ram + 0x1000 + 8, 1 << 10 | 0xcf, 8); /* 1 GiB, at 4 KiB */
	put_le(ram + 0x1000 + 16, 0xfffffffffull << 10 | 1, 8);
	put_le(ram + 0x2000, 3 << 10 | 1, 8);
	put_le(ram + 0x3000 + 8, 5 << 10 | 0x5f, 8);  /* a user's page */
	put_le(ram + 0x3000 + 16, 5 << 10 | 0xc5, 8); /* W without R */
	put_le(ram + 0x3000 + 24, 5 << 10 | 0x43, 8);
	put_le(ram + 0x3000 + 32, 5 << 10 | 0x07, 8);
	put_le(ram + 0x3000 + 40, 1 << 10 | 1, 8);
	says(words("riscv64", r, m, 0), "Sv39: table at 0x1000\nlevel 2: at 0x1000: ");
	says(words("riscv64", r, m, 0), "0000000000000000 not present");
	says(words("riscv64", r, m, 0x1000), "kernel may not use now");
	says(words("riscv64", r, m, 0x2000), "W without R");
	says(words("riscv64", r, m, 0x3000), "writes: a fault: it is read-only");
	says(words("riscv64", r, m, 0x3000), "execution: a fault: it cannot be executed");
	says(words("riscv64", r, m, 0x4000), "reads: a fault: A is clear");
	says(words("riscv64", r, m, 0x5000), "a table where a page has to be");
	says(words("riscv64", r, m, 0x40000000), "not aligned");
	says(words("riscv64", r, m, 0x80000000), "no RAM");
	says(words("riscv64", r, m, 0x7fc0005678), "its upper bits differ");
	r->mode = RV_U;
	says(words("riscv64", r, m, 0x3000), "user mode: reads: a fault: no user page");
	mem_free(m);
	free(r);
}

static void x86_faults_are_told(void **state)
{
	struct x86_regs *r = calloc(1, sizeof *r);
	struct mem *m = memory();

	(void)state;
	r->cr0 = 1u << 31 | 1;
	r->cr4 = 1 << 5;
	r->efer = 1 << 10 | 1 << 11;
	r->cr3 = 0x6000;
	put_le(ram + 0x6000 + 8 * 511, 0x7003, 8);
	put_le(ram + 0x7000 + 8 * 510, 0x4003, 8);
	put_le(ram + 0x7000, 0x4000002083, 8);
	put_le(ram + 0x4000, 0x5001, 8);
	put_le(ram + 0x5000 + 8, 0x8000000000009061, 8);
	says(words("x86_64", r, m, 0xffffffff80000000), "4-level paging: table at 0x6000");
	says(words("x86_64", r, m, 0xffffffff80000000), "level 0: at 0x5000: ");
	says(words("x86_64", r, m, 0xffffffff80001000), "r---- accessed dirty");
	says(words("x86_64", r, m, 0xffffffff80001000), "execution: a fault: it cannot");
	r->cr0 |= 1 << 16;
	says(words("x86_64", r, m, 0xffffffff80001000), "writes: a fault: it is read-only");
	r->efer = 1 << 10;
	says(words("x86_64", r, m, 0xffffffff80001000), "XD is reserved");
	says(words("x86_64", r, m, 0xffff800000000000), "not present");
	says(words("x86_64", r, m, 0xffffff8000001234), "a large page that is not aligned");
	mem_free(m);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(riscv64_walks),
		cmocka_unit_test(x86_walks),
		cmocka_unit_test(pieces_are_as_long_as_they_go),
		cmocka_unit_test(riscv64_faults_are_told),
		cmocka_unit_test(x86_faults_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
