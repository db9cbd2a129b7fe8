/* SPDX-License-Identifier: BSD-2-Clause */
/* One kernel that knows all protocols: which of them it is started by. */
#include "test/machine/x86_rig.h"

enum { AT = 0x200000, TEXT = 0x2000, PVH_AT = AT + 0x20, MULTIBOOT = 0x100, NOTES = 20 };

static int load(struct rig *r, const char *entry)
{
	rig_write(r->kernel, r->file, RIG_TEXT + TEXT);
	r->b.entry = entry;
	return x86_load_kernel(&r->b, &r->s, &r->e);
}

static void put_pvh(struct rig *r)
{
	uint8_t *p = r->file + RIG_NOTES;

	rig_elf(r, false, AT, 0, AT + 0x40, TEXT, NOTES);
	put_le(p, 4, 4);
	put_le(p + 4, 4, 4);
	put_le(p + 8, 18, 4);
	memcpy(p + 12, "Xen", 4);
	put_le(p + 16, PVH_AT, 4);
}

static void put_multiboot(struct rig *r)
{
	uint8_t *p = r->file + RIG_TEXT + MULTIBOOT;

	put_le(p, 0x1badb002, 4);
	put_le(p + 4, 0, 4);
	put_le(p + 8, 0u - 0x1badb002, 4);
}

static void put_linux(struct rig *r)
{
	uint8_t *h = r->file;

	memset(h, 0, 1024);
	h[0x1f1] = 1;
	put_le(h + 0x1f4, 0x100, 4);
	put_le(h + 0x1fe, 0xaa55, 2);
	h[0x201] = 0x6a;
	memcpy(h + 0x202, "HdrS", 4);
	put_le(h + 0x206, 0x20f, 2);
	h[0x211] = 1;
	h[0x236] = 1;
	put_le(h + 0x238, 2047, 4);
	put_le(h + 0x258, AT, 8);
}

static void the_file_says_how_it_is_started(void **state)
{
	struct rig *r = *state;

	put_pvh(r);
	assert_int_equal(load(r, NULL), 0);
	assert_int_equal(r->s.rip, PVH_AT);
	put_multiboot(r);
	assert_int_equal(load(r, "auto"), 0);
	assert_int_equal(r->s.rip, AT + 0x40);
	assert_int_equal(r->s.rax, 0x2badb002);
	put_linux(r); /* with the rest still there */
	assert_int_equal(load(r, NULL), 0);
	assert_int_equal(r->s.rip, AT + 0x200);
	assert_int_equal(r->s.mode, X86_START_LONG);
}

static void the_configuration_says_it_otherwise(void **state)
{
	struct rig *r = *state;

	put_pvh(r);
	put_multiboot(r);
	assert_int_equal(load(r, "pvh"), 0);
	assert_int_equal(r->s.rip, PVH_AT);
	assert_int_equal(load(r, "multiboot"), 0);
	assert_int_equal(r->s.rip, AT + 0x40);
	rig_refused(r, load(r, "linux64"), "not that of a Linux bzImage");
	put_linux(r);
	assert_int_equal(load(r, "linux32"), 0);
	assert_int_equal(r->s.mode, X86_START_PROTECTED);
	assert_int_equal(load(r, "linux16"), 0);
	assert_int_equal(r->s.mode, X86_START_REAL);
	assert_int_equal(load(r, "linux64"), 0);
	assert_int_equal(r->s.mode, X86_START_LONG);
	rig_refused(r, load(r, "pvh"), "too old to tell");
}

static void other_files_are_refused(void **state)
{
	struct rig *r = *state;

	memset(r->file, 0, RIG_TEXT + TEXT);
	rig_refused(r, load(r, NULL), "neither a Multiboot header nor a PVH entry");
	rig_elf(r, false, AT, 0, AT, TEXT, 0);
	rig_refused(r, load(r, NULL), "without a PVH entry");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_file_says_how_it_is_started),
		TEST(the_configuration_says_it_otherwise),
		TEST(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
