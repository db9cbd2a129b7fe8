/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: ACPI specification 6.5, chapter 20 (AML), 6.4 (resource data types), 19.3.4 (EISA
 * identifiers and UUIDs).
 * Left out: all opcodes and descriptors that our boards do not need.
 */
#include "machine/aml.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
	ZERO_OP = 0x00,
	ONE_OP = 0x01,
	NAME_OP = 0x08,
	BYTE_PREFIX = 0x0a,
	WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c,
	STRING_PREFIX = 0x0d,
	QWORD_PREFIX = 0x0e,
	SCOPE_OP = 0x10,
	BUFFER_OP = 0x11,
	PACKAGE_OP = 0x12,
	METHOD_OP = 0x14,
	DUAL_NAME = 0x2e,
	MULTI_NAME = 0x2f,
	EXT_PREFIX = 0x5b,
	DEVICE_OP = 0x82,
	IF_OP = 0xa0,
	ELSE_OP = 0xa1
};

/* What an aml_open is. */
enum { BLOCK, PACKAGE, RESOURCES };

static void put(struct aml *a, uint64_t v, unsigned size)
{
	uint8_t bytes[8];

	put_le(bytes, v, 8);
	buf_put(&a->out, bytes, size);
}

static void put_byte(struct aml *a, unsigned v)
{
	put(a, v, 1);
}

/* Puts bytes in at a place that has been passed. */
static void insert(struct aml *a, size_t at, const uint8_t *bytes, size_t n)
{
	size_t behind = a->out.len - at;

	buf_put(&a->out, bytes, n); /* for the room */
	if (a->out.failed)
		return;
	memmove(a->out.data + at + n, a->out.data + at, behind);
	memcpy(a->out.data + at, bytes, n);
}

static void open_term(struct aml *a, uint8_t kind)
{
	assert(a->depth < AML_DEPTH);
	a->open[a->depth++] = (struct aml_open){ a->out.len, kind, 0 };
}

/* 20.2.4: the length counts its own bytes; 6 bits in one byte, or 4, 12, 20, 28 in 2 to 4. */
static size_t encode_length(uint8_t bytes[4], size_t len)
{
	size_t n = len + 1 < 1 << 6 ? 1 : len + 2 < 1 << 12 ? 2 : len + 3 < 1 << 20 ? 3 : 4;

	len += n;
	if (n == 1) {
		bytes[0] = (uint8_t)len;
		return 1;
	}
	bytes[0] = (uint8_t)((n - 1) << 6 | (len & 15));
	for (size_t i = 1; i < n; i++)
		bytes[i] = (uint8_t)(len >> (8 * i - 4));
	return n;
}

/* The size of a buffer, as an integer term before its bytes. */
static size_t encode_size(uint8_t bytes[5], size_t size)
{
	unsigned n = size < 1 << 8 ? 1 : size < 1 << 16 ? 2 : 4;

	bytes[0] = n == 1 ? BYTE_PREFIX : n == 2 ? WORD_PREFIX : DWORD_PREFIX;
	put_le(bytes + 1, size, 4);
	return 1 + n;
}

void aml_end(struct aml *a)
{
	static const uint8_t end_tag[] = { 0x79, 0 }; /* without a checksum: 6.4.2.9 */
	struct aml_open *o;
	uint8_t bytes[5];

	assert(a->depth);
	o = &a->open[--a->depth];
	if (o->kind == RESOURCES) {
		buf_put(&a->out, end_tag, sizeof end_tag);
		insert(a, o->at, bytes, encode_size(bytes, a->out.len - o->at));
	} else if (o->kind == PACKAGE) {
		insert(a, o->at, &o->count, 1);
	}
	insert(a, o->at, bytes, encode_length(bytes, a->out.len - o->at));
}

/* 20.2.2 */
static void put_path(struct aml *a, const char *path)
{
	unsigned segments = 1;
	const char *p;

	for (; *path == '\\' || *path == '^'; path++)
		put_byte(a, (uint8_t)*path);
	for (p = path; *p; p++)
		segments += *p == '.';
	if (!*path) {
		put_byte(a, 0);
		return;
	}
	if (segments == 2)
		put_byte(a, DUAL_NAME);
	if (segments > 2) {
		put_byte(a, MULTI_NAME);
		put_byte(a, segments);
	}
	for (; segments; segments--) {
		for (unsigned i = 0; i < 4; i++)
			put_byte(a, *path && *path != '.' ? (uint8_t)*path++ : '_');
		path += *path == '.';
	}
}

void aml_path(struct aml *a, const char *path)
{
	put_path(a, path);
}

void aml_scope(struct aml *a, const char *path)
{
	put_byte(a, SCOPE_OP);
	open_term(a, BLOCK);
	put_path(a, path);
}

void aml_device(struct aml *a, const char *name)
{
	put_byte(a, EXT_PREFIX);
	put_byte(a, DEVICE_OP);
	open_term(a, BLOCK);
	put_path(a, name);
}

void aml_method(struct aml *a, const char *name, unsigned args)
{
	assert(args <= 7);
	put_byte(a, METHOD_OP);
	open_term(a, BLOCK);
	put_path(a, name);
	put_byte(a, args);
}

void aml_name(struct aml *a, const char *name)
{
	put_byte(a, NAME_OP);
	put_path(a, name);
}

void aml_int(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		put_byte(a, v ? ONE_OP : ZERO_OP);
	} else if (v <= UINT8_MAX) {
		put_byte(a, BYTE_PREFIX);
		put(a, v, 1);
	} else if (v <= UINT16_MAX) {
		put_byte(a, WORD_PREFIX);
		put(a, v, 2);
	} else if (v <= UINT32_MAX) {
		put_byte(a, DWORD_PREFIX);
		put(a, v, 4);
	} else {
		put_byte(a, QWORD_PREFIX);
		put(a, v, 8);
	}
}

void aml_name_int(struct aml *a, const char *name, uint64_t v)
{
	aml_name(a, name);
	aml_int(a, v);
}

void aml_str(struct aml *a, const char *s)
{
	put_byte(a, STRING_PREFIX);
	buf_put(&a->out, s, strlen(s) + 1);
}

/* Three letters of 5 bits and four hexadecimal digits, big-endian. */
void aml_eisa_id(struct aml *a, const char *id)
{
	uint32_t v = (uint32_t)strtoul(id + 3, NULL, 16);

	v |= (uint32_t)(id[0] & 31) << 26 | (uint32_t)(id[1] & 31) << 21 |
	     (uint32_t)(id[2] & 31) << 16;
	put_byte(a, DWORD_PREFIX);
	put(a, __builtin_bswap32(v), 4);
}

static void put_buffer(struct aml *a, const uint8_t *bytes, size_t n)
{
	put_byte(a, BUFFER_OP);
	open_term(a, BLOCK);
	aml_int(a, n);
	buf_put(&a->out, bytes, n);
	aml_end(a);
}

/* Table 19.33: the first three groups of the text are little-endian numbers. */
void aml_uuid(struct aml *a, const char *text)
{
	static const uint8_t at[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	char digits[3] = "";
	uint8_t bytes[16];

	for (unsigned i = 0; i < sizeof bytes; i++, text += 2) {
		text += *text == '-';
		memcpy(digits, text, 2);
		bytes[at[i]] = (uint8_t)strtoul(digits, NULL, 16);
	}
	put_buffer(a, bytes, sizeof bytes);
}

void aml_package(struct aml *a)
{
	put_byte(a, PACKAGE_OP);
	open_term(a, PACKAGE);
}

void aml_element(struct aml *a)
{
	struct aml_open *o = &a->open[a->depth - 1];

	assert(a->depth && o->kind == PACKAGE && o->count < UINT8_MAX);
	o->count++;
}

void aml_op(struct aml *a, enum aml_op op)
{
	put_byte(a, op);
}

void aml_if(struct aml *a)
{
	put_byte(a, IF_OP);
	open_term(a, BLOCK);
}

void aml_else(struct aml *a)
{
	put_byte(a, ELSE_OP);
	open_term(a, BLOCK);
}

/* Resources ------------------------------------------------------------------------------------ */

enum { SMALL_IRQ = 0x22, SMALL_IO = 0x47 };
enum { LARGE_MEMORY32 = 0x86, LARGE_DWORD = 0x87, LARGE_WORD = 0x88, LARGE_EXT_IRQ = 0x89 };
enum { LARGE_QWORD = 0x8a };
enum { WINDOW_MEMORY, WINDOW_IO, WINDOW_BUS };
enum { PRODUCER_FIXED = 0x0c, IO_ENTIRE_RANGE = 3, MEMORY_WRITABLE = 1 };

void aml_resources(struct aml *a)
{
	put_byte(a, BUFFER_OP);
	open_term(a, RESOURCES);
}

/* 6.4.2.5: decodes 16 bits. */
void aml_io(struct aml *a, uint16_t base, uint8_t len)
{
	put_byte(a, SMALL_IO);
	put_byte(a, 1);
	put(a, base, 2);
	put(a, base, 2);
	put_byte(a, 1); /* alignment */
	put_byte(a, len);
}

/* 6.4.3.4 */
void aml_memory(struct aml *a, uint32_t base, uint32_t len)
{
	put_byte(a, LARGE_MEMORY32);
	put(a, 9, 2);
	put_byte(a, 1); /* writable */
	put(a, base, 4);
	put(a, len, 4);
}

/* 6.4.2.1, without the byte of flags */
void aml_irq(struct aml *a, uint8_t isa_irq)
{
	put_byte(a, SMALL_IRQ);
	put(a, 1u << isa_irq, 2);
}

/* 6.4.3.6: consumed, active high. */
void aml_gsi(struct aml *a, uint32_t gsi, bool edge)
{
	put_byte(a, LARGE_EXT_IRQ);
	put(a, 6, 2);
	put_byte(a, edge ? 3 : 1);
	put_byte(a, 1);
	put(a, gsi, 4);
}

/* 6.4.3.5.1 to 3: granularity, first, last, translation, length in one width. */
static void put_window(struct aml *a, unsigned large, unsigned size, const uint8_t kind[3],
    uint64_t first, uint64_t last)
{
	put_byte(a, large);
	put(a, 3 + 5 * size, 2);
	buf_put(&a->out, kind, 3);
	put(a, 0, size);
	put(a, first, size);
	put(a, last, size);
	put(a, 0, size);
	put(a, last - first + 1, size);
}

void aml_bus_window(struct aml *a, uint16_t first, uint16_t last)
{
	put_window(
	    a, LARGE_WORD, 2, (const uint8_t[]){ WINDOW_BUS, PRODUCER_FIXED, 0 }, first, last);
}

void aml_io_window(struct aml *a, uint16_t first, uint16_t last)
{
	put_window(a, LARGE_WORD, 2,
	    (const uint8_t[]){ WINDOW_IO, PRODUCER_FIXED, IO_ENTIRE_RANGE }, first, last);
}

void aml_memory_window(struct aml *a, uint64_t base, uint64_t size)
{
	const uint8_t kind[] = { WINDOW_MEMORY, PRODUCER_FIXED, MEMORY_WRITABLE };
	uint64_t last = base + size - 1;

	if (last <= UINT32_MAX)
		put_window(a, LARGE_DWORD, 4, kind, base, last);
	else
		put_window(a, LARGE_QWORD, 8, kind, base, last);
}
