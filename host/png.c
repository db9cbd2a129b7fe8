/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: PNG Specification (W3C, 2003), sections 5 (chunks), 9 (filters), 10 (compression).
 * Written are 8 bits a colour, no transparency, one chunk of data.  What lines have in common with
 * the one above them is taken out before they are compressed.
 */
#include "host/png.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "core/display.h"

enum { COLOURS = 3, FILTER_NONE = 0, FILTER_UP = 2, HEADER = 13, DEPTH = 8, TRUE_COLOUR = 2 };

static void put_u32(uint8_t *to, uint32_t val)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (uint8_t)(val >> (24 - 8 * i));
}

/* Length, type, data, and a CRC of the last two. */
static void put_chunk(struct buf *out, const char *type, const uint8_t *data, size_t len)
{
	uint8_t head[8], tail[4];
	uLong crc;

	put_u32(head, (uint32_t)len);
	memcpy(head + 4, type, 4);
	buf_put(out, head, sizeof head);
	buf_put(out, data, len);
	crc = crc32(0, head + 4, 4);
	if (len)
		crc = crc32(crc, data, (uInt)len);
	put_u32(tail, (uint32_t)crc);
	buf_put(out, tail, sizeof tail);
}

static void put_line(uint8_t *to, const uint32_t *pixel, const uint32_t *above, unsigned width)
{
	*to++ = above ? FILTER_UP : FILTER_NONE;
	for (unsigned x = 0; x < width; x++)
		for (unsigned i = 0; i < COLOURS; i++) {
			uint8_t val = (uint8_t)(pixel[x] >> (16 - 8 * i));

			*to++ = (uint8_t)(val - (above ? above[x] >> (16 - 8 * i) : 0));
		}
}

/* The lines, filtered and compressed; NULL without memory. */
static uint8_t *pack(const struct picture *p, uLong *len)
{
	const size_t line = 1 + (size_t)p->width * COLOURS, all = line * p->height;
	uint8_t *raw = malloc(all), *packed;

	*len = compressBound(all);
	packed = malloc(*len);
	for (unsigned y = 0; raw && packed && y < p->height; y++) {
		const uint32_t *pixel = p->pixel + (size_t)y * p->width;

		put_line(raw + y * line, pixel, y ? pixel - p->width : NULL, p->width);
	}
	if (!raw || !packed || compress2(packed, len, raw, all, Z_BEST_SPEED) != Z_OK) {
		free(packed);
		packed = NULL;
	}
	free(raw);
	return packed;
}

void png_encode(const struct picture *p, struct buf *out)
{
	static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	uint8_t header[HEADER] = { [8] = DEPTH, [9] = TRUE_COLOUR };
	uLong len;
	uint8_t *packed = pack(p, &len);

	if (!packed) {
		out->failed = 1;
		return;
	}
	put_u32(header, p->width);
	put_u32(header + 4, p->height);
	buf_put(out, signature, sizeof signature);
	put_chunk(out, "IHDR", header, sizeof header);
	put_chunk(out, "IDAT", packed, len);
	put_chunk(out, "IEND", NULL, 0);
	free(packed);
}
