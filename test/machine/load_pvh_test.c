/* SPDX-License-Identifier: BSD-2-Clause */
/* PVH kernels: programs of both sizes, those inside of bzImages, and damaged ones. */
#include <zlib.h>

#include "machine/load_pvh.h"
#include "test/machine/x86_rig.h"

enum { AT = 0x1000000, TEXT = 0x2000, ENTRY = AT + 0x850, NOTE = 20, NOTES = 20 + 24 };

/* Somebody else's note with a length that has to be filled up, then the one that counts. */
static void put_notes(uint8_t *p, bool wide)
{
	put_le(p, 4, 4);
	put_le(p + 4, 2, 4);
	put_le(p + 8, 18, 4);
	memcpy(p + 12, "GNU\0ab\0\0", 8);
	put_le(p + NOTE, 4, 4);
	put_le(p + NOTE + 4, wide ? 8 : 4, 4);
	put_le(p + NOTE + 8, 18, 4);
	memcpy(p + NOTE + 12, "Xen", 4);
	put_le(p + NOTE + 16, ENTRY, 8);
}

static void make(struct rig *r, bool wide)
{
	const uint64_t above = wide ? 0xffffffff80000000 : 0xc0000000;

	rig_elf(r, wide, AT, above, AT + above, TEXT, wide ? NOTES : NOTES - 4);
	put_notes(r->file + RIG_NOTES, wide);
}

static int load(struct rig *r, size_t len)
{
	struct load_file *f;
	int rc;

	rig_write(r->kernel, r->file, len);
	f = load_open("kernel", r->kernel, true, &r->e);
	assert_non_null(f);
	rc = load_pvh(&r->b, f, &r->s, &r->e);
	load_close(f);
	return rc;
}

static void started_well(struct rig *r)
{
	const uint8_t *info = r->ram + r->s.rbx, *map, *mod;

	assert_int_equal(r->s.mode, X86_START_PROTECTED);
	assert_int_equal(r->s.rip, ENTRY);
	assert_memory_equal(r->ram + AT, r->file + RIG_TEXT, 16);
	assert_int_equal(r->ram[AT + TEXT], 0);
	assert_int_equal(r->ram[AT + TEXT + 0xfff], 0);
	assert_int_equal(r->ram[AT + TEXT + 0x1000], 0xaa);
	assert_int_equal(get_le(r->ram + X86_AT_GDT + 16, 8), 0x00cf9b000000ffff);
	assert_int_equal(get_le(info, 4), 0x336ec578);
	assert_int_equal(get_le(info + 4, 4), 1);
	assert_string_equal(r->ram + get_le(info + 24, 8), "console=ttyS0");
	assert_int_equal(get_le(info + 32, 8), 0xe0000);
	assert_int_equal(get_le(info + 48, 4), 3);
	map = r->ram + get_le(info + 40, 8);
	assert_int_equal(get_le(map + 48, 8), RIG_MIB);
	assert_int_equal(get_le(map + 56, 8), RIG_RAM - RIG_MIB);
	assert_int_equal(get_le(map + 64, 4), X86_RAM);
	assert_int_equal(get_le(info + 12, 4), r->b.initrd ? 1 : 0);
	if (!r->b.initrd)
		return;
	mod = r->ram + get_le(info + 16, 8);
	assert_int_equal(get_le(mod + 8, 8), 16);
	assert_memory_equal(r->ram + get_le(mod, 8), "initial ram disk", 16);
}

static void programs_of_both_sizes_start(void **state)
{
	struct rig *r = *state;

	make(r, true);
	assert_int_equal(load(r, RIG_TEXT + TEXT), 0);
	started_well(r);
	rig_write(r->initrd, "initial ram disk", 16);
	r->b.initrd = r->initrd;
	memset(r->ram, 0xaa, RIG_RAM);
	make(r, false);
	assert_int_equal(load(r, RIG_TEXT + TEXT), 0);
	started_well(r);
}

static void a_64_bit_program_is_refused_where_the_cpu_is_none(void **state)
{
	struct rig *r = *state;

	r->b.only_32 = true;
	make(r, true);
	rig_refused(r, load(r, RIG_TEXT + TEXT), "64-bit mode");
	make(r, false);
	assert_int_equal(load(r, RIG_TEXT + TEXT), 0);
}

static void a_program_without_the_note_has_no_such_entry(void **state)
{
	struct rig *r = *state;
	uint8_t *note = r->file + RIG_NOTES + NOTE;

	make(r, true);
	memcpy(note + 12, "Xem", 4);
	assert_int_equal(load(r, RIG_TEXT + TEXT), -ENOEXEC);
	rig_refused(r, -ENOEXEC, "without a PVH entry");
	make(r, true);
	put_le(note + 8, 17, 4);
	assert_int_equal(load(r, RIG_TEXT + TEXT), -ENOEXEC);
	make(r, true);
	put_le(note + 4, 9, 4);
	assert_int_equal(load(r, RIG_TEXT + TEXT), -ENOEXEC);
	put_le(note + 4, 0xffffffff, 4);
	assert_int_equal(load(r, RIG_TEXT + TEXT), -ENOEXEC);
	make(r, true);
	put_le(r->file + RIG_NOTES, 0xfffffff0, 4);
	assert_int_equal(load(r, RIG_TEXT + TEXT), -ENOEXEC);
	rig_elf(r, true, AT, 0, AT, TEXT, 0);
	assert_int_equal(load(r, RIG_TEXT + TEXT), -ENOEXEC);
}

static void an_entry_outside_is_refused(void **state)
{
	struct rig *r = *state;

	make(r, true);
	put_le(r->file + RIG_NOTES + NOTE + 16, AT - 1, 8);
	rig_refused(r, load(r, RIG_TEXT + TEXT), "outside");
	put_le(r->file + RIG_NOTES + NOTE + 16, AT + TEXT + 0x1000, 8);
	rig_refused(r, load(r, RIG_TEXT + TEXT), "outside");
	rig_elf(r, true, 0x80000, 0, 0, TEXT, NOTES);
	put_notes(r->file + RIG_NOTES, true);
	rig_refused(r, load(r, RIG_TEXT + TEXT), "below 1 MiB");
}

/* A bzImage whose payload is r->file, by gzip; its length. */
static size_t wrap(struct rig *r, size_t len)
{
	enum { SETUP = 1024, AT_PAYLOAD = 64 };
	uint8_t *packed = calloc(1, RIG_FILE);
	z_stream z = { .next_in = r->file,
		.avail_in = (uInt)len,
		.next_out = packed + SETUP + AT_PAYLOAD,
		.avail_out = RIG_FILE - SETUP - AT_PAYLOAD };

	assert_int_equal(
	    deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = z.total_out;
	deflateEnd(&z);
	packed[0x1f1] = 1;
	put_le(packed + 0x1fe, 0xaa55, 2);
	packed[0x201] = 0x6a;
	memcpy(packed + 0x202, "HdrS", 4);
	put_le(packed + 0x206, 0x20f, 2);
	put_le(packed + 0x248, AT_PAYLOAD, 4);
	put_le(packed + 0x24c, len, 4);
	memcpy(r->file, packed, RIG_FILE);
	free(packed);
	return SETUP + AT_PAYLOAD + len;
}

static void the_program_in_a_bzimage_starts(void **state)
{
	struct rig *r = *state;
	size_t len;

	make(r, true);
	len = wrap(r, RIG_TEXT + TEXT);
	assert_int_equal(load(r, len), 0);
	make(r, true); /* to compare with */
	started_well(r);
}

static void damaged_bzimages_are_refused(void **state)
{
	struct rig *r = *state;
	size_t len;

	make(r, true);
	len = wrap(r, RIG_TEXT + TEXT);
	rig_refused(r, load(r, len - 1), "packed vmlinux is not there");
	r->file[len - 5] ^= 1; /* the CRC */
	rig_refused(r, load(r, len), "gzip data is damaged");
	r->file[len - 5] ^= 1;
	put_le(r->file + len - 4, 0xffffffff, 4);
	rig_refused(r, load(r, len), "no possible size");
	put_le(r->file + len - 4, 100, 4);
	rig_refused(r, load(r, len), "damaged");
	put_le(r->file + 0x24c, 0xffffffff, 4);
	rig_refused(r, load(r, len), "no possible size");
	put_le(r->file + 0x24c, 7, 4);
	rig_refused(r, load(r, len), "no possible size");
	put_le(r->file + 0x206, 0x207, 2);
	rig_refused(r, load(r, len), "too old");
}

static void rubbish_does_no_harm(void **state)
{
	struct rig *r = *state;
	uint64_t seed = 0;
	unsigned good = 0;

	for (unsigned i = 0; i < 3000; i++) {
		make(r, i % 2);
		for (uint64_t n = 1 + rig_random(&seed) % 3; n; n--)
			if (rig_random(&seed) % 2)
				r->file[rig_random(&seed) % 180] = (uint8_t)rig_random(&seed);
			else
				r->file[RIG_NOTES + rig_random(&seed) % NOTES] =
				    (uint8_t)rig_random(&seed);
		good += load(r, RIG_TEXT + TEXT) == 0;
	}
	assert_in_range(good, 100, 2900);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(programs_of_both_sizes_start),
		TEST(a_64_bit_program_is_refused_where_the_cpu_is_none),
		TEST(a_program_without_the_note_has_no_such_entry),
		TEST(an_entry_outside_is_refused),
		TEST(the_program_in_a_bzimage_starts),
		TEST(damaged_bzimages_are_refused),
		TEST(rubbish_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
