/* SPDX-License-Identifier: BSD-2-Clause */
/* bzImages: what goes where, in what state they start, and what is refused and why. */
#include "machine/load_linux_x86.h"
#include "test/machine/x86_rig.h"

enum { SETUP = 5 * 512, BODY = 0x3000, INIT_SIZE = 0x800000, PREF = 0x1000000 };

/* A kernel as Linux 6.12 makes them. */
static void make(struct rig *r)
{
	uint8_t *h = r->file;

	for (size_t i = 0; i < SETUP + BODY; i++)
		h[i] = (uint8_t)(i * 7 ^ i >> 8);
	memset(h + 0x1f1, 0, 0x2d0 - 0x1f1);
	h[0x1f1] = 4;
	put_le(h + 0x1f4, BODY / 16, 4);
	put_le(h + 0x1fe, 0xaa55, 2);
	h[0x200] = 0xeb;
	h[0x201] = 0x6a;
	memcpy(h + 0x202, "HdrS", 4);
	put_le(h + 0x206, 0x20f, 2);
	h[0x211] = 1;
	put_le(h + 0x214, 0x100000, 4);
	put_le(h + 0x22c, 0x7fffffff, 4);
	put_le(h + 0x230, 0x200000, 4);
	h[0x234] = 1;
	put_le(h + 0x236, 0x7f, 2);
	put_le(h + 0x238, 2047, 4);
	put_le(h + 0x248, 0x100, 4);
	put_le(h + 0x24c, 0x200, 4);
	put_le(h + 0x258, PREF, 8);
	put_le(h + 0x260, INIT_SIZE, 4);
	put_le(h + 0x268, 0x1234, 4);
	h[0x26c] = 0x55; /* code, not header */
}

static int load_file(struct rig *r, enum linux_entry entry)
{
	struct load_file *f = load_open("kernel", r->kernel, true, &r->e);
	int rc;

	assert_non_null(f);
	rc = load_linux_x86(&r->b, f, entry, &r->s, &r->e);
	load_close(f);
	return rc;
}

static int load(struct rig *r, enum linux_entry entry)
{
	rig_write(r->kernel, r->file, SETUP + BODY);
	return load_file(r, entry);
}

static void a_64_bit_kernel_starts_in_long_mode(void **state)
{
	struct rig *r = *state;
	const uint8_t *gdt = r->ram + X86_AT_GDT, *table;

	make(r);
	assert_int_equal(load(r, LINUX_BEST), 0);
	assert_int_equal(r->s.mode, X86_START_LONG);
	assert_int_equal(r->s.rip, PREF + 0x200);
	assert_int_equal(r->s.rsi, X86_AT_PARAMS);
	assert_memory_equal(r->ram + PREF, r->file + SETUP, BODY);
	assert_int_equal(r->s.cs, 0x10);
	assert_int_equal(r->s.ds, 0x18);
	assert_int_equal(r->s.gdt, X86_AT_GDT);
	assert_int_equal(r->s.gdt_limit, 31);
	assert_int_equal(get_le(gdt + 16, 8), 0x00af9b000000ffff);
	assert_int_equal(get_le(gdt + 24, 8), 0x00cf93000000ffff);
	/* Through the tables to the page of the last of the first 4 GiB. */
	table = r->ram + r->s.cr3;
	assert_int_equal(get_le(table, 8) & 0xfff, 3);
	table = r->ram + (get_le(table, 8) & ~0xfffull);
	table = r->ram + (get_le(table + 8 * 3, 8) & ~0xfffull);
	assert_int_equal(get_le(table + 8 * 511, 8), 0xffe00083);
}

static void a_32_bit_kernel_starts_in_protected_mode(void **state)
{
	struct rig *r = *state;

	make(r);
	put_le(r->file + 0x236, 0, 2);
	assert_int_equal(load(r, LINUX_BEST), 0);
	assert_int_equal(r->s.mode, X86_START_PROTECTED);
	assert_int_equal(r->s.rip, PREF);
	assert_int_equal(get_le(r->ram + X86_AT_GDT + 16, 8), 0x00cf9b000000ffff);
	rig_refused(r, load(r, LINUX_64), "no 64-bit entry");
}

static void a_64_bit_kernel_is_refused_where_the_cpu_is_none(void **state)
{
	struct rig *r = *state;

	make(r);
	r->b.only_32 = true;
	rig_refused(r, load(r, LINUX_BEST), "64-bit mode");
	rig_refused(r, load(r, LINUX_32), "64-bit mode"); /* it would say nothing, and halt */
	put_le(r->file + 0x236, 0, 2);
	assert_int_equal(load(r, LINUX_BEST), 0);
}

static void the_zero_page_tells_all(void **state)
{
	struct rig *r = *state;
	const uint8_t *z = r->ram + X86_AT_PARAMS, *data;

	make(r);
	rig_write(r->initrd, "initial ram disk", 16);
	r->b.initrd = r->initrd;
	assert_int_equal(load(r, LINUX_BEST), 0);
	assert_memory_equal(z + 0x202, "HdrS", 4);
	assert_int_equal(z[0x210], 0xff);
	assert_int_equal(get_le(z + 0x268, 4), 0x1234);
	assert_int_equal(z[0x26c], 0); /* the header ends there */
	assert_int_equal(z[0x1ef], 0); /* sentinel */
	assert_int_equal(get_le(z + 0x70, 8), 0xe0000);
	assert_string_equal(r->ram + get_le(z + 0x228, 4), "console=ttyS0");
	assert_int_equal(get_le(z + 0x218, 4), RIG_RAM - MEM_PAGE);
	assert_int_equal(get_le(z + 0x21c, 4), 16);
	assert_memory_equal(r->ram + RIG_RAM - MEM_PAGE, "initial ram disk", 16);
	assert_int_equal(z[0x1e8], 3);
	assert_int_equal(get_le(z + 0x2d0 + 40, 8), RIG_MIB);
	assert_int_equal(get_le(z + 0x2d0 + 48, 8), RIG_RAM - RIG_MIB);
	assert_int_equal(get_le(z + 0x2d0 + 56, 4), X86_RAM);
	assert_int_equal(get_le(z + 0x1e0, 4), (RIG_RAM - RIG_MIB) >> 10);
	data = r->ram + get_le(z + 0x250, 8);
	assert_int_equal(get_le(data, 8), 0);
	assert_int_equal(get_le(data + 8, 4), 9);
	assert_int_equal(get_le(data + 12, 4), 32);
	assert_memory_equal(data + 16, r->b.seed, 32);
}

static void the_zero_page_tells_of_a_screen(void **state)
{
	static const uint8_t colours[] = { 8, 16, 8, 8, 8, 0, 8, 24 };
	struct rig *r = *state;
	const uint8_t *z = r->ram + X86_AT_PARAMS;

	make(r);
	assert_int_equal(load(r, LINUX_BEST), 0);
	assert_int_equal(z[0x0f], 0);
	r->b.screen = (struct x86_screen){ 0xc0000000, 16 << 20, 1024, 768 };
	assert_int_equal(load(r, LINUX_BEST), 0);
	assert_int_equal(z[0x0f], 0x23);
	assert_int_equal(get_le(z + 0x12, 2), 1024);
	assert_int_equal(get_le(z + 0x14, 2), 768);
	assert_int_equal(get_le(z + 0x16, 2), 32);
	assert_int_equal(get_le(z + 0x18, 4), 0xc0000000);
	assert_int_equal(get_le(z + 0x1c, 4), 256);
	assert_int_equal(get_le(z + 0x24, 2), 4096);
	assert_memory_equal(z + 0x26, colours, sizeof colours);
}

static void the_initrd_stays_below_its_limit_and_above_the_kernel(void **state)
{
	struct rig *r = *state;

	make(r);
	rig_write(r->initrd, "initial ram disk", 16);
	r->b.initrd = r->initrd;
	put_le(r->file + 0x22c, PREF + INIT_SIZE + 0x1fff, 4);
	assert_int_equal(load(r, LINUX_BEST), 0);
	assert_int_equal(get_le(r->ram + X86_AT_PARAMS + 0x218, 4), PREF + INIT_SIZE + 0x1000);
	put_le(r->file + 0x22c, PREF + INIT_SIZE - 1, 4);
	assert_true(load(r, LINUX_BEST) < 0);
	assert_non_null(strstr(r->e.text, "does not fit"));
	put_le(r->file + 0x22c, 0xffffffff, 4);
	assert_int_equal(load(r, LINUX_BEST), 0);
}

/* That it can move does not help: it would move up to where it prefers to be. */
static void a_kernel_is_refused_where_the_memory_ends_before_it_does(void **state)
{
	struct rig *r = *state;

	make(r);
	put_le(r->file + 0x258, RIG_RAM - INIT_SIZE, 8);
	assert_int_equal(load(r, LINUX_64), 0);
	assert_int_equal(r->s.rip, RIG_RAM - INIT_SIZE + 0x200);
	put_le(r->file + 0x258, RIG_RAM - INIT_SIZE + 0x200000, 8);
	rig_refused(r, load(r, LINUX_64), "needs 8 MiB at");
	put_le(r->file + 0x258, UINT64_MAX - 0x1000, 8);
	rig_refused(r, load(r, LINUX_64), "MiB of memory");
	r->file[0x234] = 0;
	rig_refused(r, load(r, LINUX_64), "MiB of memory");
}

static void a_kernel_that_can_move_is_aligned(void **state)
{
	struct rig *r = *state;

	make(r);
	put_le(r->file + 0x258, PREF + 0x1000, 8);
	assert_int_equal(load(r, LINUX_64), 0);
	assert_int_equal(r->s.rip, PREF + 0x200200);
	put_le(r->file + 0x258, 0, 8);
	assert_int_equal(load(r, LINUX_64), 0);
	assert_int_equal(r->s.rip, 0x200200);
	put_le(r->file + 0x206, 0x209, 2); /* which knows no preference */
	put_le(r->file + 0x230, 0x400000, 4);
	assert_int_equal(load(r, LINUX_32), 0);
	assert_int_equal(r->s.rip, 0x400000);
	put_le(r->file + 0x230, 0x300000, 4);
	rig_refused(r, load(r, LINUX_32), "no power of two");
	put_le(r->file + 0x230, 0x80000000, 4);
	rig_refused(r, load(r, LINUX_32), "MiB of memory");
}

static void old_protocols_have_old_limits(void **state)
{
	struct rig *r = *state;
	char line[300];

	make(r);
	put_le(r->file + 0x206, 0x202, 2);
	rig_write(r->initrd, "initial ram disk", 16);
	r->b.initrd = r->initrd;
	assert_int_equal(load(r, LINUX_BEST), 0);
	assert_int_equal(r->s.mode, X86_START_PROTECTED);
	assert_int_equal(r->s.rip, 0x100000);
	assert_int_equal(get_le(r->ram + X86_AT_PARAMS + 0x250, 8), 0); /* no setup data */
	memset(line, 'x', sizeof line);
	line[256] = 0;
	r->b.cmdline = line;
	rig_refused(r, load(r, LINUX_BEST), "at most 255");
	line[255] = 0;
	assert_int_equal(load(r, LINUX_BEST), 0);
	put_le(r->file + 0x206, 0x201, 2);
	rig_refused(r, load(r, LINUX_BEST), "by a BIOS");
}

static void real_mode_code_goes_to_0x90000(void **state)
{
	struct rig *r = *state;
	const uint8_t *z = r->ram + 0x90000;

	make(r);
	assert_int_equal(load(r, LINUX_16), 0);
	assert_int_equal(r->s.mode, X86_START_REAL);
	assert_int_equal(r->s.cs, 0x9020);
	assert_int_equal(r->s.ds, 0x9000);
	assert_int_equal(r->s.rip, 0);
	assert_int_equal(r->s.rsp, 0xe000);
	assert_memory_equal(z, r->file, 0x1f0);
	assert_memory_equal(z + 0x300, r->file + 0x300, SETUP - 0x300);
	assert_memory_equal(r->ram + 0x100000, r->file + SETUP, BODY);
	assert_int_equal(get_le(z + 0x224, 2), 0xde00);
	assert_int_equal(z[0x211], 0x81);
	assert_string_equal(r->ram + get_le(z + 0x228, 4), "console=ttyS0");
	r->file[0x211] = 0; /* a zImage */
	assert_int_equal(load(r, LINUX_16), 0);
	assert_memory_equal(r->ram + 0x10000, r->file + SETUP, BODY);
	rig_refused(r, load(r, LINUX_32), "by a BIOS");
}

static void a_file_that_is_cut_short_is_refused(void **state)
{
	struct rig *r = *state;

	make(r);
	rig_write(r->kernel, r->file, SETUP + BODY - 16);
	rig_refused(r, load_file(r, LINUX_BEST), "cut short");
	rig_write(r->kernel, r->file, SETUP - 1);
	rig_refused(r, load_file(r, LINUX_BEST), "cut short");
	rig_write(r->kernel, r->file, 0x205);
	rig_refused(r, load_file(r, LINUX_BEST), "not that of a Linux bzImage");
	put_le(r->file + 0x1f4, 0xffffffff, 4);
	rig_refused(r, load(r, LINUX_BEST), "MiB of memory");
	put_le(r->file + 0x1f4, 0, 4);
	rig_refused(r, load(r, LINUX_BEST), "do not fit");
}

static void little_memory_is_refused(void **state)
{
	struct rig *r = *state;

	make(r);
	r->b.low = RIG_MIB;
	rig_refused(r, load(r, LINUX_BEST), "too few");
	r->b.low = 8 * RIG_MIB;
	rig_refused(r, load(r, LINUX_BEST), "8 MiB of memory");
}

static void the_payload_is_found(void **state)
{
	struct rig *r = *state;
	struct load_file *f;
	uint64_t off, len;

	make(r);
	rig_write(r->kernel, r->file, SETUP + BODY);
	f = load_open("kernel", r->kernel, true, &r->e);
	assert_int_equal(load_linux_payload(f, &off, &len, &r->e), 0);
	assert_int_equal(off, SETUP + 0x100);
	assert_int_equal(len, 0x200);
	load_close(f);
}

/* Whatever the header says, memory beyond the RAM and below what is ours stays as it was. */
static void rubbish_in_the_header_does_no_harm(void **state)
{
	struct rig *r = *state;
	uint64_t seed = 0;
	unsigned good = 0;

	rig_write(r->initrd, "initial ram disk", 16);
	r->b.initrd = r->initrd;
	for (unsigned i = 0; i < 3000; i++) {
		make(r);
		for (uint64_t n = 1 + rig_random(&seed) % 4; n; n--)
			r->file[0x1f1 + rig_random(&seed) % 0x80] = (uint8_t)rig_random(&seed);
		if (i % 8 == 0)
			put_le(r->file + 0x206, 0x200 + i / 8 % 16, 2);
		good += load(r, (enum linux_entry)(i % 4)) == 0;
	}
	assert_in_range(good, 100, 2900);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_64_bit_kernel_starts_in_long_mode),
		TEST(a_32_bit_kernel_starts_in_protected_mode),
		TEST(a_64_bit_kernel_is_refused_where_the_cpu_is_none),
		TEST(the_zero_page_tells_all),
		TEST(the_zero_page_tells_of_a_screen),
		TEST(the_initrd_stays_below_its_limit_and_above_the_kernel),
		TEST(a_kernel_is_refused_where_the_memory_ends_before_it_does),
		TEST(a_kernel_that_can_move_is_aligned),
		TEST(old_protocols_have_old_limits),
		TEST(real_mode_code_goes_to_0x90000),
		TEST(a_file_that_is_cut_short_is_refused),
		TEST(little_memory_is_refused),
		TEST(the_payload_is_found),
		TEST(rubbish_in_the_header_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
