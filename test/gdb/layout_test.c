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
	assert_int_equal(get(&gdb_riscv64, 0, rv, "sstatus"), 0x200000222);
	put(&gdb_riscv64, 0, rv, "sstatus", 2);
	assert_int_equal(rv->mstatus & 0x122, 2);
	assert_int_equal(rv->mstatus & 0x1888, 0x1888);
	rv->v[2] = 5;
	rv->v[3] = 1ull << 63;
	rv->vl = 4;
	assert_int_equal(get(&gdb_riscv64, 1, rv, "v1"), 5);
	assert_int_equal(get(&gdb_riscv64, 1, rv, "vl"), 4);
	assert_int_equal(gdb_riscv64.fits(rv), 0);
	rv->misa = 1 << 21;
	assert_int_equal(gdb_riscv64.fits(rv), 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_registers_keep_what_they_are),
		cmocka_unit_test(descriptions_are_whole),
		cmocka_unit_test(views_of_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
