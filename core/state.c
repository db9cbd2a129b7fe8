/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/state.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"

/*
 * What is written, little-endian: the number of fields (4 bytes), then for each field the length of
 * its name (1), the name, the size of an element (2), the number of elements (4), the elements.
 */
struct entry {
	const uint8_t *name;
	size_t name_len;
	uint32_t size, count;
	const uint8_t *data;
};

static void append(struct buf *out, uint64_t v, unsigned size)
{
	uint8_t b[8];

	put_le(b, v, size);
	buf_put(out, b, size);
}

static uint32_t count_fields(const struct field *f)
{
	uint32_t n = 0;

	while (f[n].name)
		n++;
	return n;
}

void state_save(const struct field *f, const void *object, struct buf *out)
{
	append(out, count_fields(f), 4);
	for (; f->name; f++) {
		const uint8_t *p = (const uint8_t *)object + f->offset;
		size_t name_len = strlen(f->name);

		assert(name_len <= UINT8_MAX);
		append(out, name_len, 1);
		buf_put(out, f->name, name_len);
		append(out, f->size, 2);
		append(out, f->count, 4);
		for (uint32_t i = 0; i < f->count; i++)
			append(out, get_uint(p + (size_t)i * f->size, f->size), f->size);
	}
}

/* Reads the entry at data[*at] and moves *at behind it; false when the data ends before it does. */
static bool entry_read(struct entry *en, const uint8_t *data, size_t len, size_t *at)
{
	const uint8_t *p = data + *at, *end = data + len;

	if (p == end || (size_t)(end - p) < 1u + *p + 6)
		return false;
	en->name_len = *p++;
	en->name = p;
	p += en->name_len;
	en->size = (uint32_t)get_le(p, 2);
	en->count = (uint32_t)get_le(p + 2, 4);
	en->data = p + 6;
	if ((uint64_t)en->size * en->count > (uint64_t)(end - en->data))
		return false;
	*at = (size_t)(en->data - data) + (size_t)en->size * en->count;
	return true;
}

static bool entry_is(const struct entry *en, const struct field *f)
{
	return strlen(f->name) == en->name_len && memcmp(f->name, en->name, en->name_len) == 0;
}

/* Finds f among the n entries at data[at], all of which are known to be whole. */
static int entry_find(struct entry *en, const struct field *f, const uint8_t *data, size_t len,
    size_t at, uint32_t n, struct err *e)
{
	while (n--) {
		bool whole = entry_read(en, data, len, &at);

		assert(whole);
		if (!entry_is(en, f))
			continue;
		if (en->size == f->size && en->count == f->count)
			return 0;
		return err_set(e, EINVAL,
		    "saved state: field %s is %u of %u bytes here, but %u of %u bytes there",
		    f->name, f->count, f->size, en->count, en->size);
	}
	return err_set(e, EINVAL, "saved state: field %s is missing", f->name);
}

int state_load(const struct field *fields, void *object, const uint8_t *data, size_t len,
    size_t *at, struct err *e)
{
	uint32_t n = count_fields(fields);
	size_t start = *at + 4, end = start;
	struct entry en;

	if (*at > len || len - *at < 4)
		return err_set(e, EINVAL, "saved state: it ends too early");
	/* As many entries as fields, each field found: so none is unknown and none is there twice.
	 */
	if (get_le(data + *at, 4) != n)
		return err_set(
		    e, EINVAL, "saved state: it has not the %u fields that are wanted", n);
	for (uint32_t i = 0; i < n; i++)
		if (!entry_read(&en, data, len, &end))
			return err_set(e, EINVAL, "saved state: it ends too early");
	for (const struct field *f = fields; f->name; f++) {
		int rc = entry_find(&en, f, data, len, start, n, e);

		if (rc < 0)
			return rc;
	}
	for (const struct field *f = fields; f->name; f++) {
		uint8_t *p = (uint8_t *)object + f->offset;

		entry_find(&en, f, data, len, start, n, NULL);
		for (uint32_t i = 0; i < f->count; i++) {
			uint64_t v = get_le(en.data + (size_t)i * f->size, f->size);

			put_uint(p + (size_t)i * f->size, f->yes_no ? v != 0 : v, f->size);
		}
	}
	*at = end;
	return 0;
}
