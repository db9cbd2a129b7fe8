/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels, firmware and initrds from files: what is loaded where, and what is refused and why. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "machine/load.h"
#include "test/cmocka.h"

enum { RAM = 0x10000000, SIZE = 8 << 20, FILE_MAX = 1 << 20 };

struct rig {
	struct mem *mem;
	uint8_t *ram;
	char path[64];
	uint8_t file[FILE_MAX];
	struct load l;
	struct err e;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof *r);

	r->mem = mem_new();
	r->ram = aligned_alloc(MEM_PAGE, SIZE);
	memset(r->ram, 0xaa, SIZE);
	assert_int_equal(mem_map(r->mem, RAM, r->ram, SIZE, NULL), 0);
	strcpy(r->path, "/tmp/lodge-load-XXXXXX");
	close(mkstemp(r->path));
	r->l = (struct load){
		.mem = r->mem,
		.base = RAM,
		.size = SIZE,
		.what = "kernel",
		.path = r->path,
		.arch = "riscv64",
		.raw_at = RAM + (2 << 20),
		.image_at = RAM,
	};
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	unlink(r->path);
	mem_free(r->mem);
	free(r->ram);
	free(r);
	return 0;
}

static void put_file(struct rig *r, size_t len)
{
	FILE *f = fopen(r->path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(r->file, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put_gzip(struct rig *r, size_t len)
{
	gzFile f = gzopen(r->path, "wb");

	assert_non_null(f);
	assert_int_equal(gzwrite(f, r->file, (unsigned)len), len);
	assert_int_equal(gzclose(f), Z_OK);
}

/* The file is refused, and the reason names it and holds `why`. */
static void refused(struct rig *r, const char *why)
{
	assert_true(load_kernel(&r->l, &r->e) < 0);
	assert_non_null(strstr(r->e.text, r->path));
	if (!strstr(r->e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", r->e.text, why);
}

/* Images --------------------------------------------------------------------------------------- */

enum { CODE = 0x1000 };

static void make_image(struct rig *r, uint64_t offset, uint64_t size)
{
	for (size_t i = 0; i < CODE; i++)
		r->file[i] = (uint8_t)(i * 7);
	put_le(r->file + 8, offset, 8);
	put_le(r->file + 16, size, 8);
	put_le(r->file + 24, 0, 8);
	memcpy(r->file + 0x38, "RSC\5", 4);
}

static void image_goes_to_its_offset(void **state)
{
	struct rig *r = *state;

	make_image(r, 2 << 20, 0x30000);
	put_file(r, CODE);
	assert_int_equal(load_kernel(&r->l, &r->e), 0);
	assert_int_equal(r->l.format, LOAD_IMAGE);
	assert_int_equal(r->l.entry, RAM + (2 << 20));
	assert_int_equal(r->l.low, RAM + (2 << 20));
	assert_int_equal(r->l.high, RAM + (2 << 20) + 0x30000);
	assert_memory_equal(r->ram + (2 << 20), r->file, CODE);
	assert_int_equal(r->ram[(2 << 20) + CODE], 0xaa);
}

static void gzip_image_is_unpacked(void **state)
{
	struct rig *r = *state;

	make_image(r, 0, 0);
	put_gzip(r, CODE);
	assert_int_equal(load_kernel(&r->l, &r->e), 0);
	assert_int_equal(r->l.high, RAM + CODE);
	assert_memory_equal(r->ram, r->file, CODE);
}

static void truncated_gzip_is_refused(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < FILE_MAX; i++)
		r->file[i] = (uint8_t)(i * i >> 5);
	make_image(r, 0, 0);
	put_gzip(r, FILE_MAX);
	assert_int_equal(truncate(r->path, 2000), 0);
	refused(r, "cut short");
}

static void gzip_bomb_stops_at_the_end_of_ram(void **state)
{
	struct rig *r = *state;
	gzFile f;

	make_image(r, 6 << 20, 0);
	f = gzopen(r->path, "wb");
	for (int i = 0; i < 3; i++)
		assert_int_equal(gzwrite(f, r->file, FILE_MAX), FILE_MAX);
	gzclose(f);
	refused(r, "does not fit");
}

static void short_image_is_refused(void **state)
{
	struct rig *r = *state;

	make_image(r, 0, 0);
	put_file(r, 63);
	refused(r, "cut short");
}

static void image_that_does_not_fit_is_refused(void **state)
{
	struct rig *r = *state;

	make_image(r, 2 << 20, SIZE);
	put_file(r, CODE);
	refused(r, "does not fit");
	make_image(r, UINT64_MAX & ~0x1fffffull, 0);
	put_file(r, CODE);
	refused(r, "offset");
	make_image(r, 2 << 20, UINT64_MAX);
	put_file(r, CODE);
	refused(r, "does not fit");
}

static void other_architectures_are_refused(void **state)
{
	struct rig *r = *state;

	memset(r->file, 0, CODE);
	memcpy(r->file + 0x38, "ARM\x64", 4);
	put_file(r, CODE);
	refused(r, "aarch64; -a riscv64 runs riscv64 programs");
	memset(r->file, 0, CODE);
	memcpy(r->file + 0x202, "HdrS", 4);
	r->file[0x236] = 1;
	put_file(r, CODE);
	refused(r, "x86-64");
}

/* Raw files ------------------------------------------------------------------------------------ */

static void raw_file_goes_where_it_is_told(void **state)
{
	struct rig *r = *state;

	memcpy(r->file, "just some bytes", 15);
	put_file(r, 15);
	assert_int_equal(load_kernel(&r->l, &r->e), 0);
	assert_int_equal(r->l.format, LOAD_RAW);
	assert_int_equal(r->l.entry, r->l.raw_at);
	assert_int_equal(r->l.high, r->l.raw_at + 15);
	assert_memory_equal(r->ram + (2 << 20), "just some bytes", 15);
}

static void raw_file_may_fill_ram_but_not_more(void **state)
{
	struct rig *r = *state;

	r->l.raw_at = RAM + SIZE - 16;
	put_file(r, 16);
	assert_int_equal(load_kernel(&r->l, &r->e), 0);
	put_file(r, 17);
	refused(r, "does not fit");
	r->l.raw_at = RAM + SIZE;
	refused(r, "does not fit");
}

static void files_that_are_none_are_refused(void **state)
{
	struct rig *r = *state;

	put_file(r, 0);
	refused(r, "is empty");
	unlink(r->path);
	refused(r, "No such file");
	r->l.path = "/tmp";
	assert_true(load_kernel(&r->l, &r->e) < 0);
	assert_string_equal(r->e.text, "kernel /tmp is not a regular file");
}

/* ELF ------------------------------------------------------------------------------------------ */

/* A program with one segment, entry at its start, at `at`, of 0x100 bytes in the file. */
static void make_elf(struct rig *r, uint64_t at, uint64_t memsz)
{
	uint8_t *h = r->file, *p = r->file + 64;

	memset(r->file, 0, 0x2000);
	memcpy(h, "\177ELF\2\1\1", 7);
	put_le(h + 16, 2, 2);
	put_le(h + 18, 243, 2);
	put_le(h + 24, at, 8);
	put_le(h + 32, 64, 8);
	put_le(h + 54, 56, 2);
	put_le(h + 56, 1, 2);
	put_le(p, 1, 4);
	put_le(p + 8, 0x1000, 8);
	put_le(p + 16, at, 8);
	put_le(p + 24, at, 8);
	put_le(p + 32, 0x100, 8);
	put_le(p + 40, memsz, 8);
	for (int i = 0; i < 0x100; i++)
		r->file[0x1000 + i] = (uint8_t)(i + 1);
}

static void elf_segment_is_loaded_and_its_rest_zeroed(void **state)
{
	struct rig *r = *state;

	make_elf(r, RAM + 0x5000, 0x300);
	put_file(r, 0x1100);
	assert_int_equal(load_kernel(&r->l, &r->e), 0);
	assert_int_equal(r->l.format, LOAD_ELF);
	assert_int_equal(r->l.entry, RAM + 0x5000);
	assert_int_equal(r->l.low, RAM + 0x5000);
	assert_int_equal(r->l.high, RAM + 0x5300);
	assert_memory_equal(r->ram + 0x5000, r->file + 0x1000, 0x100);
	for (int i = 0x100; i < 0x300; i++)
		assert_int_equal(r->ram[0x5000 + i], 0);
	assert_int_equal(r->ram[0x5300], 0xaa);
}

static void elf_entry_may_be_virtual(void **state)
{
	struct rig *r = *state;

	make_elf(r, RAM, 0x100);
	put_le(r->file + 64 + 16, 0xffffffc000000000, 8);
	put_le(r->file + 24, 0xffffffc000000010, 8);
	put_file(r, 0x1100);
	assert_int_equal(load_kernel(&r->l, &r->e), 0);
	assert_int_equal(r->l.entry, RAM + 0x10);
}

static void elf_that_runs_anywhere_is_moved_into_ram(void **state)
{
	struct rig *r = *state;

	make_elf(r, 0x40, 0x100);
	put_le(r->file + 16, 3, 2);
	put_file(r, 0x1100);
	assert_int_equal(load_kernel(&r->l, &r->e), 0);
	assert_int_equal(r->l.entry, r->l.raw_at + 0x40);
	put_le(r->file + 16, 2, 2);
	put_file(r, 0x1100);
	refused(r, "does not fit");
}

static void elf_for_another_cpu_is_refused(void **state)
{
	struct rig *r = *state;

	make_elf(r, RAM, 0x100);
	put_le(r->file + 18, 62, 2);
	put_file(r, 0x1100);
	refused(r, "is an ELF program for x86-64 (ELF machine 62); -a riscv64 runs riscv64");
	make_elf(r, RAM, 0x100);
	r->file[4] = 1;
	put_file(r, 0x1100);
	refused(r, "riscv32");
}

/* Every field that leads somewhere, set to values that lead nowhere. */
static void bad_elf_is_refused(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t val;
		const char *why;
	} bad[] = {
		{ 5, 1, 2, "ELF" },                              /* EI_DATA */
		{ 6, 1, 9, "little-endian" },                    /* EI_VERSION */
		{ 16, 2, 1, "type 1" },                          /* e_type */
		{ 24, 8, 0x77, "entry" },                        /* e_entry */
		{ 32, 8, 0x5000, "program header" },             /* e_phoff */
		{ 32, 8, UINT64_MAX, "program header" },         /* e_phoff */
		{ 54, 2, 55, "program header" },                 /* e_phentsize */
		{ 56, 2, 0, "program header" },                  /* e_phnum */
		{ 56, 2, 0xffff, "program header" },             /* e_phnum */
		{ 64 + 8, 8, 0x1080, "segment is not there" },   /* p_offset */
		{ 64 + 8, 8, UINT64_MAX - 8, "segment is not" }, /* p_offset */
		{ 64 + 24, 8, 0x1000, "does not fit" },          /* p_paddr */
		{ 64 + 24, 8, UINT64_MAX - 0x80, "does not fit" },
		{ 64 + 32, 8, 0x301, "larger than itself" }, /* p_filesz */
		{ 64 + 40, 8, UINT64_MAX, "does not fit" },  /* p_memsz */
		{ 64 + 40, 8, SIZE + 1, "does not fit" },
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		make_elf(r, RAM, 0x300);
		put_le(r->file + bad[i].at, bad[i].val, bad[i].size);
		put_file(r, 0x1100);
		refused(r, bad[i].why);
	}
	for (size_t len = 4; len < 0x1100; len += 13) {
		make_elf(r, RAM, 0x300);
		put_file(r, len);
		refused(r, "cut short");
	}
}

enum { SHDRS = 0x1200, SYMS = 0x1400, STRS = 0x1600 };

/* Two symbols, tohost and to, with one table of names. */
static void add_symbols(struct rig *r)
{
	uint8_t *s = r->file + SHDRS;

	put_le(r->file + 40, SHDRS, 8);
	put_le(r->file + 58, 64, 2);
	put_le(r->file + 60, 3, 2);
	put_le(s + 64 + 4, 2, 4); /* SHT_SYMTAB */
	put_le(s + 64 + 24, SYMS, 8);
	put_le(s + 64 + 32, 3 * 24, 8);
	put_le(s + 64 + 40, 2, 4);
	put_le(s + 128 + 4, 3, 4);
	put_le(s + 128 + 24, STRS, 8);
	put_le(s + 128 + 32, 11, 8);
	memcpy(r->file + STRS, "\0tohost\0to", 11);
	put_le(r->file + SYMS + 24, 1, 4);
	put_le(r->file + SYMS + 24 + 8, 0x1234, 8);
	put_le(r->file + SYMS + 48, 8, 4);
	put_le(r->file + SYMS + 48 + 8, 0x5678, 8);
}

static void symbols_are_found_by_name(void **state)
{
	struct load_symbol s[] = { { "tohost", 1 }, { "fromhost", 1 } };
	struct rig *r = *state;

	make_elf(r, RAM, 0x100);
	add_symbols(r);
	put_file(r, 0x2000);
	assert_int_equal(load_symbols("kernel", r->path, s, 2, &r->e), 0);
	assert_int_equal(s[0].address, 0x1234);
	assert_int_equal(s[1].address, 0);
	memset(r->file, 1, 4);
	put_file(r, 0x2000);
	assert_int_equal(load_symbols("kernel", r->path, s, 2, &r->e), 0);
	assert_int_equal(s[0].address, 0);
}

static void bad_symbols_do_no_harm(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t val;
	} bad[] = {
		{ 40, 8, 0x5000 },                                          /* e_shoff */
		{ 40, 8, UINT64_MAX },                                      /* e_shoff */
		{ SHDRS + 64 + 24, 8, UINT64_MAX },                         /* sh_offset */
		{ SHDRS + 64 + 32, 8, UINT64_MAX },                         /* sh_size */
		{ SHDRS + 64 + 32, 8, 0x10000 }, { SHDRS + 64 + 40, 4, 3 }, /* sh_link */
		{ SHDRS + 64 + 40, 4, 0xffffffff },
		{ SHDRS + 128 + 32, 8, 0 },                               /* sh_size of the names */
		{ SHDRS + 128 + 32, 8, 5 }, { SYMS + 24, 4, 0xffffffff }, /* st_name */
		{ 58, 2, 1 },                                             /* e_shentsize */
		{ 60, 2, 0xffff },                                        /* e_shnum */
	};
	struct load_symbol s = { "tohost", 0 };
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		make_elf(r, RAM, 0x100);
		add_symbols(r);
		put_le(r->file + bad[i].at, bad[i].val, bad[i].size);
		put_file(r, 0x2000);
		load_symbols("kernel", r->path, &s, 1, &r->e);
		assert_int_equal(s.address, 0);
	}
}

/* The rest ------------------------------------------------------------------------------------- */

static void initrd_goes_to_the_top_as_it_is(void **state)
{
	struct rig *r = *state;
	uint64_t start, end;

	memset(r->file, 0x5a, 0x1801);
	put_gzip(r, 0x1801);
	assert_int_equal(load_initrd(r->mem, r->path, RAM, RAM + 0x10000, &start, &end, &r->e), 0);
	assert_int_equal(start, RAM + 0xf000);
	assert_true(end < RAM + 0x10000);
	assert_memory_equal(r->ram + 0xf000, "\x1f\x8b", 2);
}

static void initrd_that_does_not_fit_is_refused(void **state)
{
	struct rig *r = *state;
	uint64_t start, end;

	put_file(r, FILE_MAX);
	assert_int_equal(load_initrd(r->mem, r->path, RAM, RAM + FILE_MAX, &start, &end, &r->e), 0);
	assert_true(load_initrd(r->mem, r->path, RAM + 1, RAM + FILE_MAX, &start, &end, &r->e) < 0);
	assert_non_null(strstr(r->e.text, "of 1 MiB does not fit into the 0 MiB"));
	assert_true(load_initrd(r->mem, r->path, RAM + SIZE, RAM, &start, &end, &r->e) < 0);
	assert_true(
	    load_initrd(r->mem, r->path, RAM + SIZE, RAM + 2 * SIZE, &start, &end, &r->e) < 0);
	put_file(r, 0);
	assert_true(load_initrd(r->mem, r->path, RAM, RAM + SIZE, &start, &end, &r->e) < 0);
	assert_non_null(strstr(r->e.text, "empty"));
}

static void architecture_is_guessed(void **state)
{
	struct rig *r = *state;
	const char *arch, *what;

	make_elf(r, RAM, 0x100);
	put_gzip(r, 0x1100);
	assert_int_equal(load_guess(r->path, &arch, &what, &r->e), 0);
	assert_string_equal(arch, "riscv64");
	assert_string_equal(what, "an ELF program for riscv64");
	make_image(r, 0, 0);
	put_file(r, CODE);
	assert_int_equal(load_guess(r->path, &arch, NULL, &r->e), 0);
	assert_string_equal(arch, "riscv64");
	/* Big-endian, as SPARC is. */
	memset(r->file, 0, CODE);
	memcpy(r->file, "\177ELF\2\2\1", 7);
	r->file[19] = 43;
	put_file(r, CODE);
	assert_int_equal(load_guess(r->path, &arch, NULL, &r->e), 0);
	assert_string_equal(arch, "sparc64");
	put_file(r, 3);
	assert_int_equal(load_guess(r->path, &arch, NULL, &r->e), 0);
	assert_null(arch);
	put_file(r, 0);
	assert_true(load_guess(r->path, NULL, NULL, &r->e) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(image_goes_to_its_offset),
		TEST(gzip_image_is_unpacked),
		TEST(truncated_gzip_is_refused),
		TEST(gzip_bomb_stops_at_the_end_of_ram),
		TEST(short_image_is_refused),
		TEST(image_that_does_not_fit_is_refused),
		TEST(other_architectures_are_refused),
		TEST(raw_file_goes_where_it_is_told),
		TEST(raw_file_may_fill_ram_but_not_more),
		TEST(files_that_are_none_are_refused),
		TEST(elf_segment_is_loaded_and_its_rest_zeroed),
		TEST(elf_entry_may_be_virtual),
		TEST(elf_that_runs_anywhere_is_moved_into_ram),
		TEST(elf_for_another_cpu_is_refused),
		TEST(bad_elf_is_refused),
		TEST(symbols_are_found_by_name),
		TEST(bad_symbols_do_no_harm),
		TEST(initrd_goes_to_the_top_as_it_is),
		TEST(initrd_that_does_not_fit_is_refused),
		TEST(architecture_is_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
