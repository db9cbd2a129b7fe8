/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PVH: how Xen starts guests, and others do since.  Sources: Xen 4.20, docs/misc/pvh.pandoc,
 * include/public/arch-x86/hvm/start_info.h (version 1) and include/public/elfnote.h.
 * Left out: XEN_ELFNOTE_PHYS32_RELOC: the kernel runs where it is linked to.
 */
#include "machine/load_pvh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "machine/load.h"
#include "machine/load_linux_x86.h"
#include "machine/unpack.h"
#include "machine/x86_boot.h"

enum { PT_NOTE = 4, PHYS32_ENTRY = 18, NOTE_HEADER = 12, NOTES_MAX = 1 << 16 };
enum { UNPACKED_MAX = 1 << 30 };

/* struct hvm_start_info and what it leads to, in the page at X86_AT_PARAMS. */
enum {
	INFO_MAGIC = 0x336ec578,
	INFO_VERSION = 4,
	INFO_NR_MODULES = 12,
	INFO_MODLIST = 16,
	INFO_CMDLINE = 24,
	INFO_RSDP = 32,
	INFO_MEMMAP = 40,
	INFO_MEMMAP_ENTRIES = 48,
	INFO_SIZE = 56,
	MODULE_AT = 0x40,
	MODULE_SIZE = 32,
	MEMMAP_AT = 0x80,
	MEMMAP_ENTRY = 24,
	INFO_ALL = MEMMAP_AT + X86_RANGES * MEMMAP_ENTRY
};

/* Notes: System V ABI, chapter 5: name and contents are filled up to a multiple of 4 bytes (8 where
 * the segment is aligned so). */
static bool find_entry(const uint8_t *p, uint64_t n, uint64_t align, uint64_t *entry)
{
	uint64_t name, desc, at = 0, desc_at;

	align = align == 8 ? 8 : 4;
	while (n - at >= NOTE_HEADER) {
		name = get_le(p + at, 4);
		desc = get_le(p + at + 4, 4);
		desc_at = (at + NOTE_HEADER + name + align - 1) & ~(align - 1);
		if (desc_at > n || desc > n - desc_at)
			return false;
		if (name == 4 && !memcmp(p + at + NOTE_HEADER, "Xen", 4) &&
		    get_le(p + at + 8, 4) == PHYS32_ENTRY && (desc == 4 || desc == 8)) {
			*entry = desc == 4 ? get_le(p + desc_at, 4) : get_le(p + desc_at, 8);
			return true;
		}
		at = (desc_at + desc + align - 1) & ~(align - 1);
		if (at > n)
			return false;
	}
	return false;
}

static int read_entry(
    struct load_file *f, const struct load_program *p, uint64_t *entry, struct err *e)
{
	const struct load_segment *s;
	uint8_t *notes;
	bool found = false;
	int rc;

	for (unsigned i = 0; i < p->n && !found; i++) {
		s = &p->segment[i];
		if (s->type != PT_NOTE || !s->filesz || s->filesz > NOTES_MAX)
			continue;
		notes = malloc(s->filesz);
		if (!notes)
			return err_set(e, ENOMEM, "kernel: no memory");
		rc = load_exactly(f, s->offset, notes, s->filesz, "note segment", e);
		found = !rc && find_entry(notes, s->filesz, s->align, entry);
		free(notes);
		if (rc < 0)
			return rc;
	}
	if (found)
		return 0;
	load_refuse(f, "ELF notes", "without a PVH entry (XEN_ELFNOTE_PHYS32_ENTRY)", e);
	return -ENOEXEC;
}

static int place_info(const struct x86_boot *b, uint64_t kernel_end, struct err *e)
{
	uint8_t page[INFO_ALL] = { 0 }, *entry = page + MEMMAP_AT;
	uint64_t start, end;
	int rc = x86_place_cmdline(b, X86_AT_CMDLINE, X86_AT_DATA - X86_AT_CMDLINE - 1, e);

	if (!rc && b->initrd)
		rc = load_initrd(b->mem, b->initrd, kernel_end, b->low, &start, &end, e);
	if (rc)
		return rc;
	put_le(page, INFO_MAGIC, 4);
	put_le(page + INFO_VERSION, 1, 4);
	put_le(page + INFO_CMDLINE, X86_AT_CMDLINE, 8);
	put_le(page + INFO_RSDP, b->rsdp, 8);
	put_le(page + INFO_MEMMAP, X86_AT_PARAMS + MEMMAP_AT, 8);
	put_le(page + INFO_MEMMAP_ENTRIES, b->map->n, 4);
	if (b->initrd) {
		put_le(page + INFO_NR_MODULES, 1, 4);
		put_le(page + INFO_MODLIST, X86_AT_PARAMS + MODULE_AT, 8);
		put_le(page + MODULE_AT, start, 8);
		put_le(page + MODULE_AT + 8, end - start, 8);
	}
	for (unsigned i = 0; i < b->map->n; i++, entry += MEMMAP_ENTRY) {
		put_le(entry, b->map->range[i].base, 8);
		put_le(entry + 8, b->map->range[i].size, 8);
		put_le(entry + 16, b->map->range[i].type, 4);
	}
	return mem_write(b->mem, X86_AT_PARAMS, page, sizeof page);
}

static int load_program_pvh(const struct x86_boot *b, struct load *l, struct load_file *f,
    const struct load_program *p, struct err *e)
{
	int rc = read_entry(f, p, &l->entry, e);

	if (!rc)
		rc = load_segments(l, f, p, 0, e);
	if (rc)
		return rc;
	if (l->low < X86_HIGH)
		return load_refuse(f, "first segment", "below 1 MiB", e);
	if (l->entry < l->low || l->entry >= l->high)
		return load_refuse(f, "PVH entry", "outside of what it loads", e);
	return place_info(b, l->high, e);
}

static int load_elf_file(
    const struct x86_boot *b, struct load_file *f, struct x86_start *s, struct err *e)
{
	struct load l = { .mem = b->mem, .size = b->low, .what = "kernel", .path = b->kernel };
	struct load_program p;
	int rc = load_program(&l, f, &p, e);

	if (!rc && p.wide && b->only_32)
		rc = x86_too_wide(b, e);
	if (!rc)
		rc = load_program_pvh(b, &l, f, &p, e);
	free(p.segment);
	if (rc)
		return rc;
	*s = (struct x86_start){ .rip = l.entry, .rbx = X86_AT_PARAMS, .rsp = X86_AT_STACK };
	x86_place_flat(b, s, X86_START_PROTECTED);
	return 0;
}

/* The size of the vmlinux is in the last four bytes of what a bzImage carries. */
static int load_packed(const struct x86_boot *b, const uint8_t *packed, uint64_t len,
    struct x86_start *s, struct err *e)
{
	const uint64_t size = get_le(packed + len - 4, 4);
	struct load_file *f = NULL;
	char what[300];
	uint8_t *elf;
	size_t got;
	int rc;

	snprintf(what, sizeof what, "kernel %.280s", b->kernel);
	if (!size || size > UNPACKED_MAX)
		return err_set(e, EINVAL, "%s: its vmlinux is of no possible size", what);
	elf = malloc(size);
	if (!elf)
		return err_set(e, ENOMEM, "%s: no memory to unpack it in", what);
	rc = unpack(what, packed, len, elf, size, &got, e);
	if (!rc)
		f = load_open_bytes("kernel", b->kernel, elf, got, e);
	if (!rc)
		rc = f ? load_elf_file(b, f, s, e) : -ENOMEM;
	load_close(f);
	free(elf);
	return rc;
}

static int load_bzimage(
    const struct x86_boot *b, struct load_file *f, struct x86_start *s, struct err *e)
{
	uint64_t off, len;
	uint8_t *packed;
	int rc = load_linux_payload(f, &off, &len, e);

	if (rc < 0)
		return rc;
	if (len < 16 || len > UNPACKED_MAX)
		return load_refuse(f, "packed vmlinux", "of no possible size", e);
	packed = malloc(len);
	if (!packed)
		return err_set(e, ENOMEM, "kernel %s: no memory", b->kernel);
	rc = load_exactly(f, off, packed, len, "packed vmlinux", e);
	if (!rc)
		rc = load_packed(b, packed, len, s, e);
	free(packed);
	return rc;
}

int load_pvh(const struct x86_boot *b, struct load_file *f, struct x86_start *s, struct err *e)
{
	uint8_t magic[4] = { 0 };
	int64_t n = load_read(f, 0, magic, sizeof magic, e);

	if (n < 0)
		return (int)n;
	if (b->low < 2 * X86_HIGH)
		return x86_too_small(b, e);
	return memcmp(magic, "\177ELF", 4) ? load_bzimage(b, f, s, e) : load_elf_file(b, f, s, e);
}
