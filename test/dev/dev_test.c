/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

static void classes_are_found_by_name(void **state)
{
	const struct dev_class *const *c;

	(void)state;
	for (c = dev_classes; *c; c++) {
		assert_ptr_equal(dev_find((*c)->name), *c);
		assert_non_null((*c)->about);
		assert_non_null((*c)->init);
		assert_non_null((*c)->reset);
	}
	assert_null(dev_find("no such device"));
}

static void a_taken_address_is_refused_with_the_reason(void **state)
{
	struct rig *r = rig_new();
	struct dev where = { .env = &r->env, .base = 0x100000 };
	struct err e = { "" };

	(void)state;
	rig_dev(r, "sifive_test", 0x100000, 0, NULL);
	assert_null(dev_new(dev_find("sifive_test"), &where, &e));
	assert_non_null(strstr(e.text, "sifive_test"));
	rig_free(r);
}

static void too_many_cpus_are_refused(void **state)
{
	static const char *const name[] = { "plic", "aclint" };
	struct rig *r = rig_new();
	struct dev where = { .env = &r->env, .base = 0xc000000 };
	struct err e;
	size_t i;

	(void)state;
	r->env.ncpu = 513;
	for (i = 0; i < ARRAY_LEN(name); i++) {
		e.text[0] = 0;
		assert_null(dev_new(dev_find(name[i]), &where, &e));
		assert_non_null(strstr(e.text, name[i]));
		assert_non_null(strstr(e.text, "512"));
	}
	rig_free(r);
}

static void freeing_nothing_is_fine(void **state)
{
	(void)state;
	dev_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_found_by_name),
		cmocka_unit_test(a_taken_address_is_refused_with_the_reason),
		cmocka_unit_test(too_many_cpus_are_refused),
		cmocka_unit_test(freeing_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
