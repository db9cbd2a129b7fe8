/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures as PNG files, read back by what the specification says of chunks and filters. */
#include <stdlib.h>
#include <zlib.h>

#include "base/buf.h"
#include "core/display.h"
#include "host/png.h"
#include "test/cmocka.h"

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The data of the next chunk, which has to be of this type and whole. */
static const uint8_t *chunk(const struct buf *b, size_t *at, const char *type, uint32_t *len)
{
	const uint8_t *p = b->data + *at;

	assert_true(*at + 12 <= b->len);
	*len = get_u32(p);
	assert_memory_equal(p + 4, type, 4);
	assert_true(*len <= b->len - *at - 12);
	assert_int_equal(get_u32(p + 8 + *len), crc32(0, p + 4, *len + 4));
	*at += 12 + *len;
	return p + 8;
}

static void check(const struct picture *p, const struct buf *b)
{
	const size_t line = 1 + 3 * (size_t)p->width;
	uLongf size = line * p->height;
	uint8_t *raw = malloc(size);
	const uint8_t *data;
	uint32_t len, rgb;
	size_t at = 8;

	assert_memory_equal(b->data, "\x89PNG\r\n\x1a\n", 8);
	data = chunk(b, &at, "IHDR", &len);
	assert_int_equal(len, 13);
	assert_int_equal(get_u32(data), p->width);
	assert_int_equal(get_u32(data + 4), p->height);
	assert_memory_equal(data + 8, "\x08\x02\0\0\0", 5);
	data = chunk(b, &at, "IDAT", &len);
	assert_int_equal(uncompress(raw, &size, data, len), Z_OK);
	assert_int_equal(size, line * p->height);
	chunk(b, &at, "IEND", &len);
	assert_int_equal(len, 0);
	assert_int_equal(at, b->len);
	for (unsigned y = 0; y < p->height; y++) {
		assert_true(raw[y * line] == 0 || (raw[y * line] == 2 && y));
		for (size_t i = 1; i < line && raw[y * line] == 2; i++)
			raw[y * line + i] += raw[(y - 1) * line + i];
		for (unsigned x = 0; x < p->width; x++) {
			data = raw + y * line + 1 + 3 * (size_t)x;
			rgb = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
			assert_int_equal(rgb, p->pixel[y * p->width + x]);
		}
	}
	free(raw);
}

static void what_is_written_can_be_read(void **state)
{
	static const struct picture sizes[] = { { 1, 1, NULL }, { 7, 1, NULL }, { 1, 9, NULL },
		{ 319, 201, NULL } };
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct picture p = sizes[i];

		b = (struct buf){ 0 };
		p.pixel = malloc((size_t)p.width * p.height * 4);
		for (unsigned n = 0; n < p.width * p.height; n++)
			p.pixel[n] = n * 2654435761u & 0xffffff;
		png_encode(&p, &b);
		assert_false(b.failed);
		check(&p, &b);
		buf_free(&b);
		picture_free(&p);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
