/* SPDX-License-Identifier: BSD-2-Clause */
#include <libfdt.h>
#include <stdio.h>

#include "test/dev/rig.h"

static void assert_prop(
    const void *tree, const char *path, const char *name, const void *want, int len)
{
	int node = fdt_path_offset(tree, path), got;
	const void *val;

	assert_true(node >= 0);
	val = fdt_getprop(tree, node, name, &got);
	assert_non_null(val);
	assert_int_equal(got, len);
	if (len)
		assert_memory_equal(val, want, len);
}

static void every_kind_of_property_is_as_the_specification_says(void **state)
{
	struct fdt *f = fdt_new();
	const void *tree;
	size_t size = 0;

	(void)state;
	fdt_begin(f, "%s", "");
	fdt_begin(f, "cpu@%x", 0x1f);
	fdt_u32(f, "u32", 0x01020304);
	fdt_u64(f, "u64", 0x0102030405060708);
	fdt_cells(f, "cells", (uint32_t[]){ 1, 0x80000000 }, 2);
	fdt_cells(f, "none", NULL, 0);
	fdt_str(f, "str", "ns16550a");
	fdt_strs(f, "strs", "a", "bc", (char *)NULL);
	fdt_empty(f, "empty");
	fdt_reg(f, 0x123456789a, 0x100000000);
	fdt_end(f);
	fdt_end(f);
	tree = fdt_finish_tree(f, &size);
	assert_non_null(tree);
	assert_int_equal(fdt_check_full(tree, size), 0);
	assert_prop(tree, "/cpu@1f", "u32", "\1\2\3\4", 4);
	assert_prop(tree, "/cpu@1f", "u64", "\1\2\3\4\5\6\7\10", 8);
	assert_prop(tree, "/cpu@1f", "cells", "\0\0\0\1\200\0\0\0", 8);
	assert_prop(tree, "/cpu@1f", "none", NULL, 0);
	assert_prop(tree, "/cpu@1f", "str", "ns16550a", 9);
	assert_prop(tree, "/cpu@1f", "strs", "a\0bc", 5);
	assert_prop(tree, "/cpu@1f", "empty", NULL, 0);
	assert_prop(tree, "/cpu@1f", "reg", "\0\0\0\x12\x34\x56\x78\x9a\0\0\0\1\0\0\0\0", 16);
	fdt_free(f);
}

static void handles_are_the_same_for_the_same_name(void **state)
{
	struct fdt *f = fdt_new();
	uint32_t a, b;
	const void *tree;
	size_t size;

	(void)state;
	a = fdt_phandle(f, "plic"); /* asked for before the node is there */
	b = fdt_phandle(f, "cpu0-intc");
	assert_true(a && b && a != b);
	assert_int_equal(fdt_phandle(f, "plic"), a);
	fdt_begin(f, "%s", "");
	fdt_begin(f, "plic");
	fdt_set_phandle(f, "plic");
	fdt_end(f);
	fdt_end(f);
	tree = fdt_finish_tree(f, &size);
	assert_int_equal(fdt_node_offset_by_phandle(tree, a), fdt_path_offset(tree, "/plic"));
	fdt_free(f);
}

/* Each of the calls meets the end of the buffer some time. */
static void a_tree_grows_as_needed(void **state)
{
	enum { NODES = 3000 };
	struct fdt *f = fdt_new();
	char path[32], name[32];
	const void *tree;
	size_t size = 0;
	int i;

	(void)state;
	fdt_begin(f, "%s", "");
	for (i = 0; i < NODES; i++) {
		fdt_begin(f, "n%d", i);
		snprintf(name, sizeof name, "p%d", i);
		fdt_u32(f, name, (uint32_t)i);
		fdt_str(f, "s", name);
		fdt_end(f);
	}
	fdt_end(f);
	tree = fdt_finish_tree(f, &size);
	assert_non_null(tree);
	assert_int_equal(fdt_check_full(tree, size), 0);
	for (i = 0; i < NODES; i += 500) {
		snprintf(path, sizeof path, "/n%d", i);
		snprintf(name, sizeof name, "p%d", i);
		assert_prop(tree, path, "s", name, (int)strlen(name) + 1);
	}
	fdt_free(f);
}

static void the_tree_of_every_device_is_well_formed(void **state)
{
	static const struct {
		const char *class, *id, *path;
	} dev[] = {
		{ "uart_ns16550", "", "/serial@10000000" },
		{ "plic", "", "/plic@10000000" },
		{ "aclint", "", "/clint@10000000" },
		{ "rtc_goldfish", "", "/rtc@10000000" },
		{ "sifive_test", "", "/test@10000000" },
		{ "htif", "0x10000040", "/htif" },
	};
	struct rig *r;
	struct fdt *f;
	const void *tree;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(dev); i++) {
		r = rig_new();
		f = fdt_new();
		tree = rig_tree(
		    f, rig_dev_at(r, dev[i].class,
			   (struct dev){ .base = 0x10000000, .irq_no = 10, .id = dev[i].id }));
		assert_int_equal(fdt_check_full(tree, fdt_totalsize(tree)), 0);
		assert_true(fdt_path_offset(tree, dev[i].path) > 0);
		fdt_free(f);
		rig_free(r);
	}
}

static void a_device_names_its_interrupt(void **state)
{
	struct rig *r = rig_new();
	struct fdt *f = fdt_new();
	uint32_t plic = fdt_phandle(f, "plic");
	const void *tree = rig_tree(f, rig_dev(r, "uart_ns16550", 0x10000000, 10, NULL));
	uint8_t parent[] = { 0, 0, 0, (uint8_t)plic };

	(void)state;
	assert_prop(tree, "/serial@10000000", "compatible", "ns16550a", 9);
	assert_prop(tree, "/serial@10000000", "clock-frequency", "\0\x38\x40\0", 4);
	assert_prop(tree, "/serial@10000000", "interrupts", "\0\0\0\n", 4);
	assert_prop(tree, "/serial@10000000", "interrupt-parent", parent, 4);
	fdt_free(f);
	rig_free(r);
}

static void the_plic_hides_machine_mode_when_there_is_none(void **state)
{
	static const char *const id[] = { "", "s-only" };
	struct rig *r;
	struct fdt *f;
	const fdt32_t *cell;
	const void *tree;
	int i, len;

	(void)state;
	for (i = 0; i < 2; i++) {
		r = rig_new();
		f = fdt_new();
		r->env.ncpu = 2;
		tree = rig_tree(
		    f, rig_dev_at(r, "plic", (struct dev){ .base = 0xc000000, .id = id[i] }));
		cell = fdt_getprop(
		    tree, fdt_path_offset(tree, "/plic@c000000"), "interrupts-extended", &len);
		assert_int_equal(len, 8 * 4);
		assert_int_equal(fdt32_ld(&cell[0]), fdt_phandle(f, "cpu0-intc"));
		assert_int_equal(fdt32_ld(&cell[1]), i ? 0xffffffff : 11);
		assert_int_equal(fdt32_ld(&cell[3]), 9);
		assert_int_equal(fdt32_ld(&cell[6]), fdt_phandle(f, "cpu1-intc"));
		assert_int_equal(fdt32_ld(&cell[7]), 9);
		fdt_free(f);
		rig_free(r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_property_is_as_the_specification_says),
		cmocka_unit_test(handles_are_the_same_for_the_same_name),
		cmocka_unit_test(a_tree_grows_as_needed),
		cmocka_unit_test(the_tree_of_every_device_is_well_formed),
		cmocka_unit_test(a_device_names_its_interrupt),
		cmocka_unit_test(the_plic_hides_machine_mode_when_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
