/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot kernels of both versions: programs and files with addresses, modules, information. */
#include "machine/load_multiboot.h"
#include "test/machine/x86_rig.h"

enum { AT = 0x200000, TEXT = 0x2000, HEADER = 0x100, LEN = RIG_TEXT + TEXT };

static int load(struct rig *r, size_t len)
{
	struct load_file *f;
	int rc;

	rig_write(r->kernel, r->file, len);
	f = load_open("kernel", r->kernel, true, &r->e);
	assert_non_null(f);
	rc = load_multiboot(&r->b, f, &r->s, &r->e);
	load_close(f);
	return rc;
}

static uint8_t *put_1(struct rig *r, uint32_t flags)
{
	uint8_t *p = r->file + RIG_TEXT + HEADER;

	put_le(p, 0x1badb002, 4);
	put_le(p + 4, flags, 4);
	put_le(p + 8, 0u - 0x1badb002 - flags, 4);
	return p;
}

static uint8_t *put_2(struct rig *r, const void *tags, uint32_t size)
{
	uint8_t *p = r->file + RIG_TEXT + HEADER;

	put_le(p, 0xe85250d6, 4);
	put_le(p + 4, 0, 4);
	put_le(p + 8, 16 + size, 4);
	put_le(p + 12, 0u - 0xe85250d6 - 16 - size, 4);
	memcpy(p + 16, tags, size);
	return p;
}

static void modules(struct rig *r, const char *list)
{
	static char text[300];

	rig_write(r->initrd, "module 1", 8);
	snprintf(text, sizeof text, list, r->initrd, r->initrd);
	r->b.initrd = text;
}

static void version_1_programs_get_their_information(void **state)
{
	struct rig *r = *state;
	const uint8_t *info, *mods, *map;
	char line[100];

	rig_elf(r, false, AT, 0xc0000000, 0xc0000000 + AT + 0x40, TEXT, 0);
	put_1(r, 3);
	modules(r, "%s a=1 b,%s");
	assert_int_equal(load(r, LEN), 0);
	assert_int_equal(r->s.mode, X86_START_PROTECTED);
	assert_int_equal(r->s.rip, AT + 0x40);
	assert_int_equal(r->s.rax, 0x2badb002);
	assert_memory_equal(r->ram + AT, r->file + RIG_TEXT, TEXT);
	assert_int_equal(r->ram[AT + TEXT + 0xfff], 0);
	info = r->ram + r->s.rbx;
	assert_int_equal(get_le(info, 4), 0x24d);
	assert_int_equal(get_le(info + 4, 4), 639);
	assert_int_equal(get_le(info + 8, 4), (RIG_RAM - RIG_MIB) >> 10);
	snprintf(line, sizeof line, "%s console=ttyS0", r->kernel + strlen("/tmp/"));
	assert_string_equal(r->ram + get_le(info + 16, 4), line);
	assert_int_equal(get_le(info + 20, 4), 2);
	mods = r->ram + get_le(info + 24, 4);
	assert_int_equal(get_le(mods, 4), AT + TEXT + 0x1000);
	assert_int_equal(get_le(mods + 4, 4), AT + TEXT + 0x1008);
	assert_memory_equal(r->ram + get_le(mods, 4), "module 1", 8);
	snprintf(line, sizeof line, "%s a=1 b", r->initrd + strlen("/tmp/"));
	assert_string_equal(r->ram + get_le(mods + 8, 4), line);
	assert_int_equal(get_le(mods + 16, 4), AT + TEXT + 0x2000);
	assert_string_equal(r->ram + get_le(mods + 24, 4), r->initrd + strlen("/tmp/"));
	assert_int_equal(get_le(info + 44, 4), 3 * 24);
	map = r->ram + get_le(info + 48, 4);
	assert_int_equal(get_le(map + 48, 4), 20);
	assert_int_equal(get_le(map + 52, 8), RIG_MIB);
	assert_int_equal(get_le(map + 60, 8), RIG_RAM - RIG_MIB);
	assert_int_equal(get_le(map + 68, 4), X86_RAM);
	assert_string_equal(r->ram + get_le(info + 64, 4), "Lodge");
}

static void version_1_programs_may_have_64_bits(void **state)
{
	struct rig *r = *state;

	rig_elf(r, true, AT, 0xffffffff80000000, AT + 0x40, TEXT, 0);
	put_1(r, 0);
	assert_int_equal(load(r, LEN), 0);
	assert_int_equal(r->s.mode, X86_START_PROTECTED);
	assert_int_equal(r->s.rip, AT + 0x40);
}

/* A header that says that its file goes to AT, from RIG_TEXT on. */
static uint8_t *put_fixed(struct rig *r, uint32_t load_end, uint32_t bss_end)
{
	uint8_t *p = put_1(r, 1 << 16);

	put_le(p + 12, AT + HEADER, 4);
	put_le(p + 16, AT, 4);
	put_le(p + 20, load_end, 4);
	put_le(p + 24, bss_end, 4);
	put_le(p + 28, AT + 4, 4);
	return p;
}

static void version_1_files_may_say_where_they_go(void **state)
{
	struct rig *r = *state;
	uint8_t *p;

	memset(r->file, 0x11, LEN);
	put_fixed(r, AT + 0x1000, AT + 0x1800);
	assert_int_equal(load(r, LEN), 0);
	assert_int_equal(r->s.rip, AT + 4);
	assert_memory_equal(r->ram + AT, r->file + RIG_TEXT, 0x1000);
	assert_int_equal(r->ram[AT + 0x1000], 0);
	assert_int_equal(r->ram[AT + 0x17ff], 0);
	assert_int_equal(r->ram[AT + 0x1800], 0xaa);
	put_fixed(r, 0, 0); /* all of the file */
	assert_int_equal(load(r, LEN), 0);
	assert_memory_equal(r->ram + AT, r->file + RIG_TEXT, TEXT);
	put_fixed(r, AT + TEXT + 1, 0);
	rig_refused(r, load(r, LEN), "cut short");
	put_fixed(r, AT - 1, 0);
	rig_refused(r, load(r, LEN), "do not fit together");
	put_fixed(r, AT + 0x1000, AT + 0xfff);
	rig_refused(r, load(r, LEN), "do not fit together");
	p = put_fixed(r, AT + 0x1000, 0);
	put_le(p + 12, AT + RIG_TEXT + HEADER + 1, 4); /* before the file */
	rig_refused(r, load(r, LEN), "do not fit together");
	put_le(p + 12, AT - 1, 4);
	rig_refused(r, load(r, LEN), "do not fit together");
	put_fixed(r, AT + 0x1000, 0xffffffff);
	rig_refused(r, load(r, LEN), "does not fit");
	p = put_fixed(r, 0, 0);
	put_le(p + 28, AT - 1, 4);
	rig_refused(r, load(r, LEN), "outside");
	put_le(p + 12, 0x80000 + HEADER, 4);
	put_le(p + 16, 0x80000, 4);
	rig_refused(r, load(r, LEN), "below 1 MiB");
}

static void version_1_demands_are_known_ones(void **state)
{
	struct rig *r = *state;

	rig_elf(r, false, AT, 0, AT, TEXT, 0);
	put_1(r, 8);
	rig_refused(r, load(r, LEN), "0.6.96");
	put_1(r, 1 << 17); /* not a demand */
	assert_int_equal(load(r, LEN), 0);
	r->file[RIG_TEXT + HEADER + 8] ^= 1; /* the checksum */
	rig_refused(r, load(r, LEN), "not there");
}

/* The tag of this type in version 2's information. */
static const uint8_t *find(const struct rig *r, uint32_t type)
{
	const uint8_t *info = r->ram + r->s.rbx, *p = info + 8;

	for (; p < info + get_le(info, 4); p += (get_le(p + 4, 4) + 7) & ~7ull)
		if (get_le(p, 4) == type)
			return p;
	fail_msg("no tag %u", type);
	return NULL;
}

static void version_2_programs_get_their_information(void **state)
{
	static const uint32_t wants[] = { 1, 20, 1, 6, 15, 0, 0, 8 };
	struct rig *r = *state;
	const uint8_t *p;
	char line[100];

	rig_elf(r, false, AT, 0, AT + 0x40, TEXT, 0);
	put_2(r, wants, sizeof wants);
	modules(r, "%s x=2");
	memcpy(r->ram + 0xe0000, "RSD PTR ", 8);
	assert_int_equal(load(r, LEN), 0);
	assert_int_equal(r->s.rax, 0x36d76289);
	assert_int_equal(r->s.rip, AT + 0x40);
	snprintf(line, sizeof line, "%s console=ttyS0", r->kernel + strlen("/tmp/"));
	assert_string_equal(find(r, 1) + 8, line);
	p = find(r, 3);
	assert_memory_equal(r->ram + get_le(p + 8, 4), "module 1", 8);
	assert_int_equal(get_le(p + 12, 4) - get_le(p + 8, 4), 8);
	snprintf(line, sizeof line, "%s x=2", r->initrd + strlen("/tmp/"));
	assert_string_equal(p + 16, line);
	assert_int_equal(get_le(find(r, 4) + 12, 4), (RIG_RAM - RIG_MIB) >> 10);
	p = find(r, 6);
	assert_int_equal(get_le(p + 4, 4), 16 + 3 * 24);
	assert_int_equal(get_le(p + 16 + 48, 8), RIG_MIB);
	assert_int_equal(get_le(find(r, 14) + 4, 4), 8 + 20);
	assert_memory_equal(find(r, 15) + 8, "RSD PTR ", 8);
	assert_int_equal(get_le(find(r, 0) + 4, 4), 8);
}

static void version_2_files_may_say_where_they_go(void **state)
{
	const uint32_t tags[] = { 2, 24, AT + HEADER, AT, AT + 0x1000, AT + 0x1800, 3, 12, AT + 8,
		0, 0, 8 };
	struct rig *r = *state;

	memset(r->file, 0x11, LEN);
	put_2(r, tags, sizeof tags);
	assert_int_equal(load(r, LEN), 0);
	assert_int_equal(r->s.rip, AT + 8);
	assert_memory_equal(r->ram + AT, r->file + RIG_TEXT, 0x1000);
	assert_int_equal(r->ram[AT + 0x17ff], 0);
	put_2(r, tags, 24); /* no entry */
	rig_refused(r, load(r, LEN), "without an entry");
}

static void version_2_demands_are_known_ones(void **state)
{
	static const struct {
		uint32_t tag[4];
		const char *why;
	} bad[] = {
		{ { 1, 12, 7, 0 }, "do not have" }, /* VBE */
		{ { 1, 12, 0x80000001, 0 }, "do not have" },
		{ { 99, 8, 0, 8 }, "do not have" },
		{ { 1, 7, 0, 8 }, "damaged" },
		{ { 1, 17, 0, 8 }, "damaged" },
		{ { 1, 0xfffffff9, 0, 8 }, "damaged" },
	};
	static const uint32_t optional[] = { 1 | 1 << 16, 12, 7, 0 },
			      unknown[] = { 99 | 1 << 16, 8, 0, 8 };
	struct rig *r = *state;

	rig_elf(r, false, AT, 0, AT, TEXT, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put_2(r, bad[i].tag, 16);
		rig_refused(r, load(r, LEN), bad[i].why);
	}
	put_2(r, optional, 16);
	assert_int_equal(load(r, LEN), 0);
	put_2(r, unknown, 16);
	assert_int_equal(load(r, LEN), 0);
}

static void modules_that_do_not_fit_are_refused(void **state)
{
	struct rig *r = *state;

	rig_elf(r, false, AT, 0, AT, TEXT, 0);
	put_1(r, 0);
	modules(r, "%s,,%s");
	assert_true(load(r, LEN) < 0);
	assert_non_null(strstr(r->e.text, "module"));
	modules(r, "%s");
	r->b.low = AT + TEXT + 0x1000;
	assert_true(load(r, LEN) < 0);
	assert_non_null(strstr(r->e.text, "does not fit"));
}

static void rubbish_does_no_harm(void **state)
{
	static const uint32_t tags[] = { 2, 24, AT + HEADER, AT, 0, 0, 3, 12, AT + 8, 0, 1, 16, 4,
		6, 0, 8 };
	struct rig *r = *state;
	uint64_t seed = 0;
	unsigned good = 0;
	uint8_t *p;

	for (unsigned i = 0; i < 2000; i++) {
		rig_elf(r, i % 3 == 0, AT, 0, AT, TEXT, 0);
		p = i % 2 ? put_fixed(r, AT + 0x1000, AT + 0x1800) : put_2(r, tags, sizeof tags);
		for (uint64_t n = 1 + rig_random(&seed) % 2; n; n--)
			if (rig_random(&seed) % 4)
				p[12 + rig_random(&seed) % 60] = (uint8_t)rig_random(&seed);
			else
				r->file[rig_random(&seed) % 120] = (uint8_t)rig_random(&seed);
		/* Version 2's checksum is among those bytes. */
		if (!(i % 2))
			put_le(p + 12,
			    0u - (uint32_t)(get_le(p, 4) + get_le(p + 4, 4) + get_le(p + 8, 4)), 4);
		good += load(r, LEN) == 0;
	}
	assert_in_range(good, 100, 1900);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(version_1_programs_get_their_information),
		TEST(version_1_programs_may_have_64_bits),
		TEST(version_1_files_may_say_where_they_go),
		TEST(version_1_demands_are_known_ones),
		TEST(version_2_programs_get_their_information),
		TEST(version_2_files_may_say_where_they_go),
		TEST(version_2_demands_are_known_ones),
		TEST(modules_that_do_not_fit_are_refused),
		TEST(rubbish_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
