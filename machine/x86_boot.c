/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors and page tables that kernels are started with.  Source: Intel SDM volume 3, 3.4.5
 * (descriptors), 4.5 (paging); selectors as Linux 6.12's Documentation/arch/x86/boot.rst wants
 * them, which suits the others as well.
 */
#include "machine/x86_boot.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "machine/load.h"
#include "machine/load_linux_x86.h"
#include "machine/load_multiboot.h"
#include "machine/load_pvh.h"

enum { CODE_SELECTOR = 0x10, DATA_SELECTOR = 0x18, GDT_ENTRIES = 4 };
/* Base 0, limit 4 GiB, present, accessed. */
static const uint64_t CODE_32 = 0x00cf9b000000ffff;
static const uint64_t CODE_64 = 0x00af9b000000ffff;
static const uint64_t DATA = 0x00cf93000000ffff;

enum { LINUX_MAGIC = 0x202 };
enum { PRESENT_WRITABLE = 3, LARGE = 0x80, TABLE = 0x1000, ENTRIES = 512, GIBS = 4 };

/* PML4, PDPT, and a table of 2 MiB pages for each GiB. */
static void place_pages(const struct x86_boot *b)
{
	uint8_t *p = mem_at(b->mem, X86_AT_TABLES, (2 + GIBS) * TABLE);

	memset(p, 0, 2 * TABLE);
	put_le(p, (X86_AT_TABLES + TABLE) | PRESENT_WRITABLE, 8);
	p += TABLE;
	for (unsigned i = 0; i < GIBS; i++)
		put_le(p + 8 * i, (X86_AT_TABLES + (2 + i) * TABLE) | PRESENT_WRITABLE, 8);
	p += TABLE;
	for (uint64_t i = 0; i < GIBS * ENTRIES; i++)
		put_le(p + 8 * i, i << 21 | LARGE | PRESENT_WRITABLE, 8);
	mem_written(b->mem, X86_AT_TABLES, (2 + GIBS) * TABLE);
}

void x86_place_flat(const struct x86_boot *b, struct x86_start *s, enum x86_mode mode)
{
	uint8_t gdt[8 * GDT_ENTRIES] = { 0 };

	put_le(gdt + CODE_SELECTOR, mode == X86_START_LONG ? CODE_64 : CODE_32, 8);
	put_le(gdt + DATA_SELECTOR, DATA, 8);
	mem_write(b->mem, X86_AT_GDT, gdt, sizeof gdt);
	s->mode = mode;
	s->cs = CODE_SELECTOR;
	s->ds = DATA_SELECTOR;
	s->gdt = X86_AT_GDT;
	s->gdt_limit = sizeof gdt - 1;
	if (mode != X86_START_LONG)
		return;
	place_pages(b);
	s->cr3 = X86_AT_TABLES;
}

int x86_place_cmdline(const struct x86_boot *b, uint64_t at, size_t max, struct err *e)
{
	const char *line = b->cmdline ? b->cmdline : "";
	size_t len = strlen(line);

	if (len > max)
		return err_set(e, EINVAL,
		    "cmdline: it has %zu characters, and kernel %s takes at most %zu", len,
		    b->kernel, max);
	return mem_write(b->mem, at, line, len + 1);
}

int x86_too_small(const struct x86_boot *b, struct err *e)
{
	return err_set(e, EINVAL, "memory: %" PRIu64 " KiB are too few to start kernel %s in",
	    b->low >> 10, b->kernel);
}

int x86_too_wide(const struct x86_boot *b, struct err *e)
{
	return err_set(
	    e, EINVAL, "kernel %s needs 64-bit mode, which this model of the CPU lacks", b->kernel);
}

/* Choosing ------------------------------------------------------------------------------------- */

/* By the protocol that was asked for. */
static int load_as(
    const struct x86_boot *b, struct load_file *f, struct x86_start *s, struct err *e)
{
	if (!strcmp(b->entry, "multiboot"))
		return load_multiboot(b, f, s, e);
	if (!strcmp(b->entry, "pvh"))
		return load_pvh(b, f, s, e);
	if (!strcmp(b->entry, "linux16"))
		return load_linux_x86(b, f, LINUX_16, s, e);
	if (!strcmp(b->entry, "linux32"))
		return load_linux_x86(b, f, LINUX_32, s, e);
	return load_linux_x86(b, f, LINUX_64, s, e);
}

static int load_any(
    const struct x86_boot *b, struct load_file *f, struct x86_start *s, struct err *e)
{
	uint8_t head[LINUX_MAGIC + 4] = { 0 };
	int64_t n = load_read(f, 0, head, sizeof head, e);
	int rc;

	if (n < 0)
		return (int)n;
	if (!memcmp(head + LINUX_MAGIC, "HdrS", 4))
		return load_linux_x86(b, f, LINUX_BEST, s, e);
	rc = multiboot_version(f, e);
	if (rc < 0)
		return rc;
	if (rc)
		return load_multiboot(b, f, s, e);
	if (!memcmp(head, "\177ELF", 4))
		return load_pvh(b, f, s, e);
	return err_set(e, EINVAL,
	    "kernel %s is no bzImage, and has neither a Multiboot header nor a PVH entry",
	    b->kernel);
}

int x86_load_kernel(const struct x86_boot *b, struct x86_start *s, struct err *e)
{
	struct load_file *f = load_open("kernel", b->kernel, true, e);
	int rc;

	if (!f)
		return -EINVAL;
	rc = b->entry && strcmp(b->entry, "auto") ? load_as(b, f, s, e) : load_any(b, f, s, e);
	load_close(f);
	return rc;
}
