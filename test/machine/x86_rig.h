/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_MACHINE_X86_RIG_H
#define TEST_MACHINE_X86_RIG_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "machine/load.h"
#include "machine/x86_boot.h"
#include "test/cmocka.h"

/* For tests of loaders of x86 kernels: RAM from 0 on, a kernel made by the test, an initrd. */
enum { RIG_MIB = 1 << 20, RIG_RAM = 64 * RIG_MIB, RIG_FILE = 1 << 18 };

struct rig {
	struct mem *mem;
	uint8_t *ram;
	char kernel[64], initrd[64];
	uint8_t file[RIG_FILE]; /* the kernel */
	struct x86_map map;
	struct x86_boot b;
	struct x86_start s;
	struct err e;
};

static inline int rig_set_up(void **state)
{
	struct rig *r = calloc(1, sizeof *r);

	r->mem = mem_new();
	r->ram = aligned_alloc(MEM_PAGE, RIG_RAM);
	memset(r->ram, 0xaa, RIG_RAM);
	assert_int_equal(mem_map(r->mem, 0, r->ram, RIG_RAM, NULL), 0);
	strcpy(r->kernel, "/tmp/lodge-kernel-XXXXXX");
	strcpy(r->initrd, "/tmp/lodge-initrd-XXXXXX");
	close(mkstemp(r->kernel));
	close(mkstemp(r->initrd));
	r->map = (struct x86_map){
		.range = { { 0, 0x9fc00, X86_RAM }, { 0x9fc00, 0x60400, X86_RESERVED },
		    { RIG_MIB, RIG_RAM - RIG_MIB, X86_RAM } },
		.n = 3,
	};
	r->b = (struct x86_boot){
		.mem = r->mem,
		.low = RIG_RAM,
		.map = &r->map,
		.rsdp = 0xe0000,
		.kernel = r->kernel,
		.cmdline = "console=ttyS0",
		.seed = "0123456789abcdef0123456789abcde",
	};
	*state = r;
	return 0;
}

static inline int rig_tear_down(void **state)
{
	struct rig *r = *state;

	unlink(r->kernel);
	unlink(r->initrd);
	mem_free(r->mem);
	free(r->ram);
	free(r);
	return 0;
}

static inline void rig_write(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* The reason names the kernel and holds `why`. */
static inline void rig_refused(struct rig *r, int rc, const char *why)
{
	assert_true(rc < 0);
	if (!strstr(r->e.text, r->kernel) || !strstr(r->e.text, why))
		fail_msg("\"%s\" does not say \"%s\" of %s", r->e.text, why, r->kernel);
}

/* An ELF program of 64 or 32 bits in r->file, its parts at these places in the file: what is loaded
 * (from virtual addresses `above` its physical ones) and, unless empty, notes. */
enum { RIG_TEXT = 0x1000, RIG_NOTES = 0x800 };
static inline void rig_segment(uint8_t *p, bool wide, unsigned type, uint64_t off, uint64_t vaddr,
    uint64_t paddr, uint64_t filesz, uint64_t memsz)
{
	put_le(p, type, 4);
	if (wide) {
		put_le(p + 8, off, 8);
		put_le(p + 16, vaddr, 8);
		put_le(p + 24, paddr, 8);
		put_le(p + 32, filesz, 8);
		put_le(p + 40, memsz, 8);
		put_le(p + 48, 4, 8);
		return;
	}
	put_le(p + 4, off, 4);
	put_le(p + 8, vaddr, 4);
	put_le(p + 12, paddr, 4);
	put_le(p + 16, filesz, 4);
	put_le(p + 20, memsz, 4);
	put_le(p + 28, 4, 4);
}

static inline void rig_elf(struct rig *r, bool wide, uint64_t at, uint64_t above, uint64_t entry,
    size_t text, size_t notes)
{
	uint8_t *h = r->file, *p = h + 64;

	memset(h, 0, 0x200);
	memcpy(h, wide ? "\177ELF\2\1\1" : "\177ELF\1\1\1", 7);
	put_le(h + 16, 2, 2);
	put_le(h + 18, wide ? 62 : 3, 2);
	put_le(h + 24, entry, wide ? 8 : 4);
	put_le(h + (wide ? 32 : 28), 64, wide ? 8 : 4);
	put_le(h + (wide ? 54 : 42), wide ? 56 : 32, 2);
	put_le(h + (wide ? 56 : 44), notes ? 2 : 1, 2);
	rig_segment(p, wide, 1, RIG_TEXT, at + above, at, text, text + 0x1000);
	rig_segment(p + (wide ? 56 : 32), wide, 4, RIG_NOTES, 0, 0, notes, notes);
	for (size_t i = 0; i < text; i++)
		h[RIG_TEXT + i] = (uint8_t)(i * 5 ^ i >> 8);
}

/* Numbers from a seed that LODGE_SEED gives, or a fixed one. */
static inline uint64_t rig_random(uint64_t *seed)
{
	const char *text = getenv("LODGE_SEED");

	if (!*seed) {
		*seed = text ? strtoull(text, NULL, 0) : 1;
		print_message("LODGE_SEED=%llu\n", (unsigned long long)*seed);
	}
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 29;
}

#endif
