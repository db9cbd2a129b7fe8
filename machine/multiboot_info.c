/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Multiboot kernels are told.  Sources: Multiboot specification 0.6.96, 3.3; Multiboot2
 * specification 2.0, 3.4.
 * Left out: symbols, disks, APM, video.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "machine/multiboot.h"
#include "machine/x86_boot.h"

enum { LOW_KIB = 639 }; /* the next one is the extended BIOS data area */
static const char LOADER[] = "Lodge";

static void put(struct buf *b, uint64_t v, unsigned size)
{
	uint8_t bytes[8];

	put_le(bytes, v, 8);
	buf_put(b, bytes, size);
}

static uint32_t high_kib(const struct x86_boot *boot)
{
	return (uint32_t)((boot->low - X86_HIGH) >> 10);
}

/* Version 1 ------------------------------------------------------------------------------------ */

enum {
	INFO_FLAGS = 0,
	INFO_LOWER = 4,
	INFO_UPPER = 8,
	INFO_CMDLINE = 16,
	INFO_MODS_COUNT = 20,
	INFO_MODS = 24,
	INFO_MMAP_LENGTH = 44,
	INFO_MMAP = 48,
	INFO_LOADER = 64,
	INFO_SIZE = 120
};
enum { HAS_MEMORY = 1, HAS_CMDLINE = 4, HAS_MODS = 8, HAS_MMAP = 0x40, HAS_LOADER = 0x200 };

static uint32_t put_text(struct buf *b, size_t start, uint32_t at, const char *text)
{
	const size_t here = b->len - start;

	buf_put(b, text, strlen(text) + 1);
	return at + (uint32_t)here;
}

/* Strings go behind the list, which is filled in at the end. */
static uint32_t put_modules(
    struct buf *b, size_t start, uint32_t at, const struct multiboot_modules *mods)
{
	uint32_t line[MULTIBOOT_MODULES] = { 0 }, list;

	for (unsigned i = 0; i < mods->n; i++)
		line[i] = put_text(b, start, at, mods->module[i].line);
	while (b->len % 4 && !b->failed)
		put(b, 0, 1);
	list = at + (uint32_t)(b->len - start);
	for (unsigned i = 0; i < mods->n; i++) {
		put(b, mods->module[i].start, 4);
		put(b, mods->module[i].end, 4);
		put(b, line[i], 4);
		put(b, 0, 4);
	}
	return list;
}

void multiboot1_info(const struct x86_boot *boot, const struct multiboot_modules *mods,
    const char *line, uint32_t at, struct buf *b)
{
	const size_t start = b->len;
	uint32_t cmdline, loader, list, map;
	uint8_t *p;

	for (unsigned i = 0; i < INFO_SIZE; i += 8)
		put(b, 0, 8);
	map = at + (uint32_t)(b->len - start);
	for (unsigned i = 0; i < boot->map->n; i++) {
		put(b, 20, 4); /* of what follows */
		put(b, boot->map->range[i].base, 8);
		put(b, boot->map->range[i].size, 8);
		put(b, boot->map->range[i].type, 4);
	}
	cmdline = put_text(b, start, at, line);
	loader = put_text(b, start, at, LOADER);
	list = put_modules(b, start, at, mods);
	if (b->failed)
		return;
	p = b->data + start;
	put_le(p + INFO_FLAGS, HAS_MEMORY | HAS_CMDLINE | HAS_MODS | HAS_MMAP | HAS_LOADER, 4);
	put_le(p + INFO_LOWER, LOW_KIB, 4);
	put_le(p + INFO_UPPER, high_kib(boot), 4);
	put_le(p + INFO_CMDLINE, cmdline, 4);
	put_le(p + INFO_MODS_COUNT, mods->n, 4);
	put_le(p + INFO_MODS, list, 4);
	put_le(p + INFO_MMAP_LENGTH, boot->map->n * 24, 4);
	put_le(p + INFO_MMAP, map, 4);
	put_le(p + INFO_LOADER, loader, 4);
}

/* Version 2 ------------------------------------------------------------------------------------ */

enum { TAG_END, TAG_CMDLINE, TAG_LOADER, TAG_MODULE, TAG_MEMORY, TAG_MMAP = 6, TAG_OLD_ACPI = 14 };
enum { TAG_NEW_ACPI = 15, RSDP_OLD_SIZE = 20, RSDP_SIZE = 36 };

static size_t begin_tag(struct buf *b, unsigned type)
{
	put(b, type, 4);
	put(b, 0, 4);
	return b->len - 8;
}

/* Tags are 8-byte aligned, their sizes without what fills them up. */
static void end_tag(struct buf *b, size_t at)
{
	if (!b->failed)
		put_le(b->data + at + 4, b->len - at, 4);
	while ((b->len - at) % 8 && !b->failed)
		put(b, 0, 1);
}

static void put_string_tag(struct buf *b, unsigned type, const char *text)
{
	size_t at = begin_tag(b, type);

	buf_put(b, text, strlen(text) + 1);
	end_tag(b, at);
}

static void put_map_tag(struct buf *b, const struct x86_map *map)
{
	size_t at = begin_tag(b, TAG_MMAP);

	put(b, 24, 4); /* an entry's size, */
	put(b, 0, 4);  /* and version */
	for (unsigned i = 0; i < map->n; i++) {
		put(b, map->range[i].base, 8);
		put(b, map->range[i].size, 8);
		put(b, map->range[i].type, 4);
		put(b, 0, 4);
	}
	end_tag(b, at);
}

static void put_acpi_tag(struct buf *b, const struct x86_boot *boot, unsigned type, unsigned size)
{
	uint8_t rsdp[RSDP_SIZE];
	size_t at;

	if (!boot->rsdp || mem_read(boot->mem, boot->rsdp, rsdp, size) < 0)
		return;
	at = begin_tag(b, type);
	buf_put(b, rsdp, size);
	end_tag(b, at);
}

void multiboot2_info(const struct x86_boot *boot, const struct multiboot_modules *mods,
    const char *line, struct buf *b)
{
	const size_t start = b->len;
	size_t at;

	put(b, 0, 8);
	put_string_tag(b, TAG_CMDLINE, line);
	put_string_tag(b, TAG_LOADER, LOADER);
	for (unsigned i = 0; i < mods->n; i++) {
		at = begin_tag(b, TAG_MODULE);
		put(b, mods->module[i].start, 4);
		put(b, mods->module[i].end, 4);
		buf_put(b, mods->module[i].line, strlen(mods->module[i].line) + 1);
		end_tag(b, at);
	}
	at = begin_tag(b, TAG_MEMORY);
	put(b, LOW_KIB, 4);
	put(b, high_kib(boot), 4);
	end_tag(b, at);
	put_map_tag(b, boot->map);
	put_acpi_tag(b, boot, TAG_OLD_ACPI, RSDP_OLD_SIZE);
	put_acpi_tag(b, boot, TAG_NEW_ACPI, RSDP_SIZE);
	end_tag(b, begin_tag(b, TAG_END));
	if (!b->failed)
		put_le(b->data + start, b->len - start, 4);
}
