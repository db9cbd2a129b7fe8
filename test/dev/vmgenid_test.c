/* SPDX-License-Identifier: BSD-2-Clause */
#include <libfdt.h>
#include <string.h>

#include "base/buf.h"
#include "test/dev/rig.h"

enum { BASE = 0x10190000, IRQ = 60 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev(r, "vmgenid", BASE, IRQ, NULL);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void read_id(struct rig *r, uint64_t id[2])
{
	id[0] = rig_read(r, BASE, 8);
	id[1] = rig_read(r, BASE + 8, 8);
}

static void it_stays_until_the_machine_is_copied(void **state)
{
	struct rig *r = *state;
	struct dev *d = r->dev[0];
	uint64_t id[2], other[2];
	struct buf b = { 0 };
	size_t at = 0;

	read_id(r, id);
	assert_true(id[0] && id[1]);
	rig_write(r, BASE, 1, 4);
	dev_reset(d);
	read_id(r, other);
	assert_memory_equal(id, other, sizeof id);
	dev_save(d, &b);
	d->class->copied(d, false);
	read_id(r, other);
	assert_true(id[0] != other[0] && id[1] != other[1]);
	assert_int_equal(dev_load(d, b.data, b.len, &at, NULL), 0);
	read_id(r, other);
	assert_memory_equal(id, other, sizeof id);
	buf_free(&b);
}

static void it_is_read_in_any_piece(void **state)
{
	struct rig *r = *state;
	uint64_t id[2];

	read_id(r, id);
	assert_int_equal(rig_read(r, BASE, 1), id[0] & 0xff);
	assert_int_equal(rig_read(r, BASE + 15, 1), id[1] >> 56);
	assert_int_equal(rig_read(r, BASE + 6, 2), id[0] >> 48);
	assert_int_equal(rig_read(r, BASE + 4, 4), id[0] >> 32);
}

static void a_copy_is_told_by_a_pulse(void **state)
{
	struct rig *r = *state;
	struct dev *d = r->dev[0];
	unsigned before = r->irq_ups[IRQ];

	d->class->copied(d, false);
	assert_int_equal(r->irq_ups[IRQ], before + 1);
	assert_false(r->irq[IRQ]);
}

static void node_has_what_the_binding_requires(void **state)
{
	struct rig *r = *state;
	struct fdt *f = fdt_new();
	const void *tree = rig_tree(f, r->dev[0]);
	int node = fdt_path_offset(tree, "/rng@10190000"), len;

	assert_true(node >= 0);
	assert_string_equal(fdt_getprop(tree, node, "compatible", NULL), "microsoft,vmgenid");
	assert_memory_equal(
	    fdt_getprop(tree, node, "reg", &len), "\0\0\0\0\x10\x19\0\0\0\0\0\0\0\0\0\x10", 16);
	assert_int_equal(len, 16);
	assert_non_null(fdt_getprop(tree, node, "interrupts", NULL));
	fdt_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_stays_until_the_machine_is_copied, make, drop),
		cmocka_unit_test_setup_teardown(it_is_read_in_any_piece, make, drop),
		cmocka_unit_test_setup_teardown(a_copy_is_told_by_a_pulse, make, drop),
		cmocka_unit_test_setup_teardown(node_has_what_the_binding_requires, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
