/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources: RFC 1952 (gzip), RFC 8878 (zstd), "The .xz File Format" 1.1.0, LZ4 Frame Format
 * Description 1.6.2 ("legacy frame").
 * Left out: bzip2 and LZO, and LZ4's newer frames, which kernels do not use.
 */
#include "machine/unpack.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"

#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_LZ4
#include <lz4.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

struct job {
	const uint8_t *in;
	size_t n;
	uint8_t *to;
	size_t room, len;
};

/* All of these: whether the data was good, and fitted. */

static bool unpack_gzip(struct job *j)
{
	z_stream z = {
		.next_in = (Bytef *)j->in,
		.avail_in = (uInt)j->n,
		.next_out = j->to,
		.avail_out = (uInt)j->room,
	};
	int rc;

	if (j->n > UINT_MAX || j->room > UINT_MAX || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return false;
	rc = inflate(&z, Z_FINISH);
	j->len = z.total_out;
	inflateEnd(&z);
	return rc == Z_STREAM_END;
}

#ifdef HAVE_LZMA
static bool unpack_lzma(struct job *j)
{
	/* Real kernels want 32 MiB; a file may ask for anything. */
	static const uint64_t limit = 256 << 20;
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret rc =
	    j->in[0] == 0xfd ? lzma_stream_decoder(&s, limit, 0) : lzma_alone_decoder(&s, limit);

	if (rc != LZMA_OK)
		return false;
	s.next_in = j->in;
	s.avail_in = j->n;
	s.next_out = j->to;
	s.avail_out = j->room;
	do
		rc = lzma_code(&s, LZMA_RUN);
	while (rc == LZMA_OK && s.avail_in && s.avail_out);
	j->len = s.total_out;
	lzma_end(&s);
	return rc == LZMA_STREAM_END;
}
#endif

#ifdef HAVE_LZ4
/* Blocks, each with its size before it; behind the last is what is no such size. */
static bool unpack_lz4(struct job *j)
{
	enum { MAGIC = 4, BLOCK_MAX = 8 << 20, PACKED_MAX = LZ4_COMPRESSBOUND(BLOCK_MAX) };
	size_t at = MAGIC, size, room;
	int got;

	while (j->n - at >= 4) {
		size = (size_t)get_le(j->in + at, 4);
		if (!size || size > PACKED_MAX || size > j->n - at - 4)
			break;
		room = j->room - j->len < BLOCK_MAX ? j->room - j->len : BLOCK_MAX;
		got = LZ4_decompress_safe(
		    (const char *)j->in + at + 4, (char *)j->to + j->len, (int)size, (int)room);
		if (got < 0)
			return false;
		j->len += (size_t)got;
		at += 4 + size;
	}
	return j->len > 0;
}
#endif

#ifdef HAVE_ZSTD
static bool unpack_zstd(struct job *j)
{
	size_t frame = ZSTD_findFrameCompressedSize(j->in, j->n), got;

	if (ZSTD_isError(frame))
		return false;
	got = ZSTD_decompress(j->to, j->room, j->in, frame);
	j->len = ZSTD_isError(got) ? 0 : got;
	return !ZSTD_isError(got);
}
#endif

static const struct format {
	const char *name, *library;
	uint8_t magic[6], n;
	bool (*unpack)(struct job *); /* NULL: this build lacks the library */
} formats[] = {
	{ "gzip", "zlib", { 0x1f, 0x8b }, 2, unpack_gzip },
#ifdef HAVE_LZMA
	{ "xz", "liblzma", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, unpack_lzma },
	{ "lzma", "liblzma", { 0x5d, 0, 0 }, 3, unpack_lzma },
#else
	{ "xz", "liblzma", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, NULL },
	{ "lzma", "liblzma", { 0x5d, 0, 0 }, 3, NULL },
#endif
#ifdef HAVE_LZ4
	{ "LZ4", "liblz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
#else
	{ "LZ4", "liblz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, NULL },
#endif
#ifdef HAVE_ZSTD
	{ "zstd", "libzstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
#else
	{ "zstd", "libzstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, NULL },
#endif
};

static const struct format *find(const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (n >= sizeof formats[i].magic && !memcmp(in, formats[i].magic, formats[i].n))
			return &formats[i];
	return NULL;
}

int unpack(const char *what, const uint8_t *in, size_t n, uint8_t *to, size_t room, size_t *len,
    struct err *e)
{
	const struct format *f = find(in, n);
	struct job j = { in, n, to, room, 0 };

	if (!f)
		return err_set(e, EINVAL, "%s is packed in a way that we do not know", what);
	if (!f->unpack)
		return err_set(e, ENOTSUP, "%s is packed by %s: this build lacks %s", what, f->name,
		    f->library);
	if (!f->unpack(&j))
		return err_set(e, EINVAL, "%s: its %s data is damaged", what, f->name);
	*len = j.len;
	return 0;
}
