/* SPDX-License-Identifier: BSD-2-Clause */
#include <libfdt.h>

#include "test/dev/rig.h"

enum { BASE = 0x10100000 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev(r, "rng_timeriomem", BASE, 0, NULL);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void each_read_gives_a_new_word(void **state)
{
	struct rig *r = *state;
	uint64_t last = rig_read(r, BASE, 4), same = 0, bits = 0, v;

	for (unsigned i = 0; i < 64; i++) {
		v = rig_read(r, BASE, 4);
		assert_true(v <= UINT32_MAX);
		same += v == last;
		bits |= v;
		last = v;
	}
	assert_int_equal(same, 0);
	assert_int_equal(bits, UINT32_MAX); /* each bit was set at least once */
}

static void writes_and_other_sizes_mean_nothing(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_write(r, BASE, 0x12345678, 4);
	assert_false(bus_read(r->env.bus, BASE, &val, 1));
	assert_false(bus_read(r->env.bus, BASE, &val, 2));
	assert_false(bus_read(r->env.bus, BASE, &val, 8));
	assert_false(bus_read(r->env.bus, BASE + 4, &val, 4));
	assert_false(bus_write(r->env.bus, BASE, 0, 2));
}

static void node_has_what_the_binding_requires(void **state)
{
	struct rig *r = *state;
	struct fdt *f = fdt_new();
	const void *tree = rig_tree(f, r->dev[0]), *p;
	int node = fdt_path_offset(tree, "/rng@10100000"), len;

	assert_true(node >= 0);
	assert_string_equal(fdt_getprop(tree, node, "compatible", NULL), "timeriomem_rng");
	p = fdt_getprop(tree, node, "reg", &len);
	assert_int_equal(len, 16);
	assert_memory_equal(p, "\0\0\0\0\x10\x10\0\0\0\0\0\0\0\0\0\4", 16);
	p = fdt_getprop(tree, node, "period", &len);
	assert_int_equal(len, 4);
	assert_memory_equal(p, "\0\0\0\1", 4);
	assert_null(fdt_getprop(tree, node, "interrupts", NULL));
	fdt_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_read_gives_a_new_word, make, drop),
		cmocka_unit_test_setup_teardown(writes_and_other_sizes_mean_nothing, make, drop),
		cmocka_unit_test_setup_teardown(node_has_what_the_binding_requires, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
