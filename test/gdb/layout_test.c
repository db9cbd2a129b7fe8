/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers, and page tables, of CPUs that are made up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "core/mem.h"
#include "cpu/riscv64/regs.h"
#include "cpu/x86/regs.h"
#include "gdb/arch.h"
#include "test/cmocka.h"

enum { RAM = 1 << 20 };

static const struct gdb_reg *find(const struct gdb_layout *l, const char *name)
{
	const struct gdb_reg *r = NULL;

	for (unsigned i = 0; (r = gdb_layout_reg(l, i)); i++)
		if (!strcmp(r->name, name))
			return r;
	fail_msg("%s: there is no %s", l->name, name);
	return NULL;
}

static uint64_t get(const struct gdb_arch *a, unsigned layout, const void *regs, const char *name)
{
	uint8_t bytes[GDB_REG_MAX] = { 0 };

	gdb_reg_get(a, find(&a->layout[layout], name), regs, bytes);
	return get_le(bytes, 8);
}

static void put(
    const struct gdb_arch *a, unsigned layout, void *regs, const char *name, uint64_t val)
{
	uint8_t bytes[GDB_REG_MAX] = { 0 };

	put_le(bytes, val, 8);
	gdb_reg_put(a, find(&a->layout[layout], name), regs, bytes);
}

/* What is got and put again is as it was, for each register of each layout. */
static void all_registers_keep_what_they_are(void **state)
{
	const struct gdb_arch *const archs[] = { &gdb_riscv64, &gdb_x86_64 };
	uint8_t bytes[GDB_REG_MAX], now[GDB_REG_MAX];
	uint8_t *regs = malloc(65536);

	(void)state;
	for (unsigned a = 0; a < 2; a++)
		for (unsigned l = 0; l < archs[a]->nlayouts; l++) {
			const struct gdb_layout *layout = &archs[a]->layout[l];
			const struct gdb_reg *r;
			unsigned n = 0;

			memset(regs, 0x5a, 65536);
			for (; (r = gdb_layout_reg(layout, n)); n++) {
				assert_true(r->size <= GDB_REG_MAX);
				gdb_reg_get(archs[a], r, regs, bytes);
				gdb_reg_put(archs[a], r, regs, bytes);
				gdb_reg_get(archs[a], r, regs, now);
				if (memcmp(bytes, now, r->size) != 0)
					fail_msg("%s of %s changes", r->name, layout->name);
			}
			assert_int_equal(n, gdb_layout_count(layout));
			assert_string_equal(gdb_layout_reg(layout, layout->pc)->type, "code_ptr");
		}
	free(regs);
}

/* Each type that a register names is gdb's own, or defined before it. */
static void descriptions_are_whole(void **state)
{
	static const char *const known[] = { "int", "int64", "code_ptr", "data_ptr", "i387_ext",
		"uint128" };
	const struct gdb_arch *const archs[] = { &gdb_riscv64, &gdb_x86_64 };

	(void)state;
	for (unsigned a = 0; a < 2; a++)
		for (unsigned l = 0; l < archs[a]->nlayouts; l++) {
			struct buf b = { 0 };
			const struct gdb_reg *r;
			char id[80];

			gdb_layout_xml(&archs[a]->layout[l], &b);
			buf_put(&b, "", 1);
			assert_non_null(strstr((char *)b.data, archs[a]->layout[l].gdb_name));
			for (unsigned n = 0; (r = gdb_layout_reg(&archs[a]->layout[l], n)); n++) {
				bool is = false;

				for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
					is |= !strcmp(r->type, known[i]);
				snprintf(id, sizeof id, "id=\"%s\"", r->type);
				if (!is && !strstr((char *)b.data, id))
					fail_msg("%s has an unknown type %s", r->name, r->type);
			}
			buf_free(&b);
		}
}

static void views_of_registers(void **state)
{
	struct rv_regs *rv = calloc(1, sizeof *rv);
	struct x86_regs *x = calloc(1, sizeof *x);

	(void)state;
	rv->fcsr = 0x65;
	assert_int_equal(get(&gdb_riscv64, 0, rv, "frm"), 3);
	assert_int_equal(get(&gdb_riscv64, 0, rv, "fflags"), 5);
	put(&gdb_riscv64, 0, rv, "frm", 4);
	assert_int_equal(rv->fcsr, 0x85);
	rv->mstatus = 0xa00001aaa;
	assert_int_equal(get(&gdb_riscv64, 0, rv, "sstatus"), 0x200000022);
	put(&gdb_riscv64, 0, rv, "sstatus", 2);
	assert_int_equal(rv->mstatus & 0x122, 2);
	assert_int_equal(rv->mstatus & 0x1888, 0x1888);
	/* The x87 tag word: empty but ST(0) and ST(1), of which one is 0. */
	x->fsw = 6 << 11;
	x->ftw = 3 << 6;
	x->st[0][0] = 1ull << 63;
	x->st[0][1] = 0x3fff;
	assert_int_equal(get(&gdb_x86_64, 0, x, "ftag"), 0x4fff);
	put(&gdb_x86_64, 0, x, "ftag", 0xfff1);
	assert_int_equal(x->ftw, 3);
	/* The pc is where it is in memory. */
	x->rip = 0x1234;
	x->seg[X86_CS].base = 0xf0000;
	assert_int_equal(get(&gdb_x86_64, 0, x, "rip"), 0xf1234);
	assert_int_equal(get(&gdb_x86_64, 1, x, "eip"), 0xf1234);
	assert_int_equal(get(&gdb_x86_64, 0, x, "ip"), 0x1234);
	put(&gdb_x86_64, 0, x, "rip", 0xf0001);
	assert_int_equal(x->rip, 1);
	free(rv);
	free(x);
}

/* Walks -----------------------------------------------------------------------------------------
 */

static uint8_t ram[RAM] __attribute__((aligned(4096)));

static struct mem *memory(void)
{
	struct mem *m = mem_new();

	memset(ram, 0, sizeof ram);
	assert_int_equal(mem_map(m, 0, ram, sizeof ram, NULL), 0);
	return m;
}

static uint64_t walk(const struct gdb_arch *a, const void *regs, struct mem *m, uint64_t va)
{
	struct gdb_walk w;

	return gdb_walk(a, regs, m, va, &w) ? w.pa : UINT64_MAX;
}

static void riscv64_walks(void **state)
{
	struct rv_regs *r = calloc(1, sizeof *r);
	struct mem *m = memory();

	(void)state;
	r->mode = RV_M;
	assert_int_equal(walk(&gdb_riscv64, r, m, 0x1234), 0x1234);
	r->mode = RV_S;
	r->satp = 8ull << 60 | 1; /* Sv39 at 0x1000 */
	put_le(ram + 0x1000 + 511 * 8, 2 << 10 | 1, 8);
	put_le(ram + 0x2000, 3 << 10 | 1, 8);
	put_le(ram + 0x3000 + 5 * 8, 0x55 << 10 | 0xcf, 8);
	put_le(ram + 0x2000 + 8, 0x400 << 10 | 0xcf, 8);                  /* 2 MiB */
	put_le(ram + 0x3000 + 16 * 8, 1ull << 63 | 0x68 << 10 | 0xcf, 8); /* 64 KiB at 0x60000 */
	assert_int_equal(walk(&gdb_riscv64, r, m, 0xffffffffc0005678), 0x55678);
	assert_int_equal(walk(&gdb_riscv64, r, m, 0xffffffffc0312345), 0x512345);
	assert_int_equal(walk(&gdb_riscv64, r, m, 0xffffffffc0010123), 0x60123);
	assert_int_equal(walk(&gdb_riscv64, r, m, 0xffffffffc0006000), UINT64_MAX);
	assert_int_equal(walk(&gdb_riscv64, r, m, 0x7fc0005678), UINT64_MAX); /* not extended */
	r->satp = 8ull << 60 | 0xfffffffffff;                                 /* not in RAM */
	assert_int_equal(walk(&gdb_riscv64, r, m, 0), UINT64_MAX);
	mem_free(m);
	free(r);
}

static void x86_walks(void **state)
{
	struct x86_regs *r = calloc(1, sizeof *r);
	struct mem *m = memory();

	(void)state;
	assert_int_equal(walk(&gdb_x86_64, r, m, 0x100001234), 0x1234);
	r->cr0 = 1u << 31 | 1;
	r->cr3 = 0x1000;
	put_le(ram + 0x1000 + 4 * 4, 0x2001, 4);
	put_le(ram + 0x2000 + 4 * 4, 0x5003, 4);
	put_le(ram + 0x1000 + 4 * 5, 0x00402083, 4); /* 4 MiB, at 0x100400000 with PSE-36 */
	assert_int_equal(walk(&gdb_x86_64, r, m, 0x1004567), 0x5567);
	r->cr4 = 1 << 4;
	assert_int_equal(walk(&gdb_x86_64, r, m, 0x1400123), 0x100400123);
	r->cr4 = 1 << 5; /* PAE */
	r->cr3 = 0x3020;
	put_le(ram + 0x3020 + 8, 0x4001, 8);
	put_le(ram + 0x4000, 0x5001, 8);
	put_le(ram + 0x4008, 0x600083, 8);
	put_le(ram + 0x5000 + 8 * 7, 0x8000000000009003, 8);
	assert_int_equal(walk(&gdb_x86_64, r, m, 0x40007abc), 0x9abc);
	assert_int_equal(walk(&gdb_x86_64, r, m, 0x40212345), 0x612345);
	r->efer = 1 << 10; /* long mode */
	r->cr3 = 0x6000;
	put_le(ram + 0x6000 + 8 * 511, 0x7003, 8);
	put_le(ram + 0x7000 + 8 * 510, 0x4003, 8);
	put_le(ram + 0x7000 + 8 * 511, 0x40000083, 8); /* 1 GiB */
	assert_int_equal(walk(&gdb_x86_64, r, m, 0xffffffff80007abc), 0x9abc);
	assert_int_equal(walk(&gdb_x86_64, r, m, 0xffffffffc0001234), 0x40001234);
	assert_int_equal(walk(&gdb_x86_64, r, m, 0x0000ffff80007abc), UINT64_MAX);
	mem_free(m);
	free(r);
}

struct seen {
	struct gdb_piece piece[16];
	unsigned n;
};

static void note(void *arg, const struct gdb_piece *p)
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

	(void)state;
	r->mode = RV_S;
	r->satp = 8ull << 60 | 1;
	put_le(ram + 0x1000 + 511 * 8, 2 << 10 | 1, 8);
	put_le(ram + 0x2000, 3 << 10 | 1, 8);
	for (unsigned i = 0; i < 8; i++)
		put_le(ram + 0x3000 + 8 * i, (uint64_t)(0x50 + i) << 10 | (i < 5 ? 0xcf : 0x4b), 8);
	assert_true(gdb_pieces(&gdb_riscv64, r, m, 16, note, &s));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.piece[0].va, 0xffffffffc0000000);
	assert_int_equal(s.piece[0].len, 0x5000);
	assert_int_equal(s.piece[0].pa, 0x50000);
	assert_int_equal(s.piece[0].rights, GDB_R | GDB_W | GDB_X);
	assert_int_equal(s.piece[1].len, 0x3000);
	assert_int_equal(s.piece[1].rights, GDB_R | GDB_X);
	s.n = 0;
	assert_false(gdb_pieces(&gdb_riscv64, r, m, 1, note, &s));
	/* A table of itself. */
	for (unsigned i = 0; i < 512; i++)
		put_le(ram + 0x1000 + 8 * i, 1 << 10 | 1, 8);
	s.n = 0;
	gdb_pieces(&gdb_riscv64, r, m, 16, note, &s);
	assert_int_equal(s.n, 0);
	mem_free(m);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_registers_keep_what_they_are),
		cmocka_unit_test(descriptions_are_whole),
		cmocka_unit_test(views_of_registers),
		cmocka_unit_test(riscv64_walks),
		cmocka_unit_test(x86_walks),
		cmocka_unit_test(pieces_are_as_long_as_they_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
