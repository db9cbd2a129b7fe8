/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/bytes.h"
#include "base/xxh64.h"

static const uint8_t MAGIC[4] = { 'L', 'o', 'g', '1' };

void log_put_number(struct buf *b, uint64_t v)
{
	uint8_t raw[10];
	size_t n = 0;

	for (; v > 0x7f; v >>= 7)
		raw[n++] = (uint8_t)(v | 0x80);
	raw[n++] = (uint8_t)v;
	buf_put(b, raw, n);
}

bool log_get_number(const uint8_t *data, size_t len, size_t *at, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 64 && *at < len; shift += 7) {
		const uint8_t byte = data[(*at)++];

		*v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static size_t pack(const struct buf *plain, uint8_t *to, size_t room)
{
#ifdef HAVE_ZSTD
	const size_t n = ZSTD_compress(to, room, plain->data, plain->len, 1);

	if (!ZSTD_isError(n) && n < plain->len)
		return n;
#endif
	(void)room;
	memcpy(to, plain->data, plain->len);
	return plain->len;
}

static size_t room_for(size_t len)
{
#ifdef HAVE_ZSTD
	return ZSTD_COMPRESSBOUND(len);
#else
	return len;
#endif
}

int log_pack(const struct buf *plain, struct buf *out)
{
	const size_t room = room_for(plain->len);
	uint8_t head[LOG_BLOCK_HEAD], *packed;
	size_t n;

	if (plain->len > LOG_BLOCK_MAX)
		return -EFBIG;
	packed = malloc(room);
	if (!packed)
		return -ENOMEM;
	n = pack(plain, packed, room);
	memcpy(head, MAGIC, sizeof MAGIC);
	put_le(head + 4, n, 4);
	put_le(head + 8, plain->len, 4);
	put_le(head + 12, xxh64(packed, n), 8);
	buf_put(out, head, sizeof head);
	buf_put(out, packed, n);
	free(packed);
	return out->failed ? -ENOMEM : 0;
}

bool log_block_lengths(const uint8_t head[LOG_BLOCK_HEAD], size_t *packed, size_t *plain)
{
	*packed = get_le(head + 4, 4);
	*plain = get_le(head + 8, 4);
	return !memcmp(head, MAGIC, sizeof MAGIC) && *plain <= LOG_BLOCK_MAX && *packed <= *plain;
}

static int unpack(const uint8_t *packed, size_t n, struct buf *plain)
{
	if (n == plain->len) {
		memcpy(plain->data, packed, n);
		return 0;
	}
#ifdef HAVE_ZSTD
	return ZSTD_decompress(plain->data, plain->len, packed, n) == plain->len ? 0 : -EINVAL;
#else
	return -ENOTSUP;
#endif
}

int log_unpack(const uint8_t head[LOG_BLOCK_HEAD], const uint8_t *packed, struct buf *plain)
{
	size_t n, len;

	if (!log_block_lengths(head, &n, &len) || xxh64(packed, n) != get_le(head + 12, 8))
		return -EINVAL;
	if (len > plain->cap) {
		buf_free(plain);
		*plain = (struct buf){ .data = malloc(len), .cap = len };
		if (!plain->data) {
			plain->cap = 0;
			return -ENOMEM;
		}
	}
	plain->len = len;
	return len ? unpack(packed, n, plain) : 0;
}
