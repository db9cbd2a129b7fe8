/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot headers.  Sources: Multiboot specification 0.6.96, 3.1; Multiboot2 specification 2.0,
 * 3.1.
 * Left out: video modes, which are asked for in vain; EFI; relocatable kernels, which run where
 * they are linked to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "machine/load.h"
#include "machine/multiboot.h"

enum { SEARCH_1 = 8192, SEARCH_2 = 32768 };
static const uint32_t MAGIC_1 = 0x1badb002, MAGIC_2 = 0xe85250d6;
enum { SIZE_1 = 12, SIZE_1_FIXED = 32, MUST_1 = 0xffff, KNOWN_1 = 7, FIXED_1 = 1 << 16 };
enum { SIZE_2 = 16, ARCH_I386 = 0, TAG = 8, OPTIONAL = 1 };

enum tag {
	TAG_END = 0,
	TAG_REQUEST = 1,
	TAG_ADDRESS = 2,
	TAG_ENTRY = 3,
	TAG_CONSOLE = 4,
	TAG_FRAMEBUFFER = 5,
	TAG_ALIGN = 6,
	TAG_EFI_BOOT_SERVICES = 7,
	TAG_RELOCATABLE = 10
};

static int read_1(
    struct load_file *f, const uint8_t *p, size_t n, struct multiboot_header *h, struct err *e)
{
	const uint32_t flags = (uint32_t)get_le(p + 4, 4);

	h->version = 1;
	if (flags & MUST_1 & ~KNOWN_1)
		return load_refuse(
		    f, "Multiboot header", "asking for what version 0.6.96 does not have", e);
	if (!(flags & FIXED_1))
		return 0;
	if (n < SIZE_1_FIXED)
		return load_refuse(f, "Multiboot header", "cut short", e);
	h->fixed = h->has_entry = true;
	h->header_addr = (uint32_t)get_le(p + 12, 4);
	h->load_addr = (uint32_t)get_le(p + 16, 4);
	h->load_end = (uint32_t)get_le(p + 20, 4);
	h->bss_end = (uint32_t)get_le(p + 24, 4);
	h->entry = (uint32_t)get_le(p + 28, 4);
	return 0;
}

/* Whether we give all the kinds of information that are asked for. */
static bool can_tell(const uint8_t *tag, uint32_t size)
{
	static const uint32_t given =
	    1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 14 | 1u << 15;
	uint32_t kind;

	for (uint32_t at = TAG; at + 4 <= size; at += 4) {
		kind = (uint32_t)get_le(tag + at, 4);
		if (kind >= 32 || !(given >> kind & 1))
			return false;
	}
	return true;
}

/* false: the kernel cannot do without what we do not have. */
static bool read_tag(const uint8_t *tag, uint32_t size, struct multiboot_header *h)
{
	const bool optional = get_le(tag + 2, 2) & OPTIONAL;

	switch ((enum tag)get_le(tag, 2)) {
	case TAG_REQUEST:
		return optional || can_tell(tag, size);
	case TAG_ADDRESS:
		if (size < 24)
			return false;
		h->fixed = true;
		h->header_addr = (uint32_t)get_le(tag + 8, 4);
		h->load_addr = (uint32_t)get_le(tag + 12, 4);
		h->load_end = (uint32_t)get_le(tag + 16, 4);
		h->bss_end = (uint32_t)get_le(tag + 20, 4);
		return true;
	case TAG_ENTRY:
		if (size < 12)
			return false;
		h->has_entry = true;
		h->entry = (uint32_t)get_le(tag + 8, 4);
		return true;
	case TAG_END:
	case TAG_CONSOLE:
	case TAG_FRAMEBUFFER:
	case TAG_ALIGN:
	case TAG_EFI_BOOT_SERVICES:
	case TAG_RELOCATABLE:
		return true;
	}
	return optional;
}

static int read_2(
    struct load_file *f, const uint8_t *p, size_t n, struct multiboot_header *h, struct err *e)
{
	const uint64_t len = get_le(p + 8, 4);
	uint64_t at = SIZE_2, size;

	h->version = 2;
	if (get_le(p + 4, 4) != ARCH_I386)
		return load_refuse(f, "Multiboot2 header", "not for i386", e);
	if (len > n)
		return load_refuse(f, "Multiboot2 header", "cut short", e);
	while (at + TAG <= len && get_le(p + at, 2) != TAG_END) {
		size = get_le(p + at + 4, 4);
		if (size < TAG || size > len - at)
			return load_refuse(f, "Multiboot2 header", "damaged", e);
		if (!read_tag(p + at, (uint32_t)size, h))
			return load_refuse(
			    f, "Multiboot2 header", "asking for what we do not have", e);
		at += (size + 7) & ~7ull;
	}
	if (h->fixed && !h->has_entry)
		return load_refuse(f, "Multiboot2 header", "without an entry", e);
	return 0;
}

static bool is_1(const uint8_t *p)
{
	return get_le(p, 4) == MAGIC_1 &&
	       !(uint32_t)(get_le(p, 4) + get_le(p + 4, 4) + get_le(p + 8, 4));
}

static bool is_2(const uint8_t *p)
{
	return get_le(p, 4) == MAGIC_2 &&
	       !(uint32_t)(get_le(p, 4) + get_le(p + 4, 4) + get_le(p + 8, 4) + get_le(p + 12, 4));
}

static int find(
    struct load_file *f, const uint8_t *head, size_t n, struct multiboot_header *h, struct err *e)
{
	size_t at;

	for (at = 0; at < SEARCH_1 && at + SIZE_1 <= n; at += 4)
		if (is_1(head + at)) {
			h->at = at;
			return read_1(f, head + at, n - at, h, e);
		}
	for (at = 0; at + SIZE_2 <= n; at += 8)
		if (is_2(head + at)) {
			h->at = at;
			return read_2(f, head + at, n - at, h, e);
		}
	return 0;
}

int multiboot_find(struct load_file *f, struct multiboot_header *h, struct err *e)
{
	uint8_t *head = malloc(SEARCH_2);
	int64_t n;
	int rc;

	*h = (struct multiboot_header){ .version = 0 };
	if (!head)
		return err_set(e, ENOMEM, "kernel: no memory");
	n = load_read(f, 0, head, SEARCH_2, e);
	rc = n < 0 ? (int)n : find(f, head, (size_t)n, h, e);
	free(head);
	return rc;
}
