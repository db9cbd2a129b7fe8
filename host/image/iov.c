/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/image/iov.h"

#include <string.h>

int iov_slice(
    struct iovec *out, int max, const struct iovec *iov, int n, uint64_t skip, uint64_t *len)
{
	uint64_t want = *len;
	int used = 0;

	for (int i = 0; i < n && used < max && want; i++) {
		uint64_t have = iov[i].iov_len;

		if (skip >= have) {
			skip -= have;
			continue;
		}
		have = have - skip < want ? have - skip : want;
		out[used++] = (struct iovec){ (char *)iov[i].iov_base + skip, have };
		want -= have;
		skip = 0;
	}
	*len -= want;
	return used;
}

bool iov_is_long(const struct iovec *iov, int n, uint64_t len)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > len - sum)
			return false;
		sum += iov[i].iov_len;
	}
	return sum == len;
}

/* Calls fn for each piece of the part. */
static void each(const struct iovec *iov, int n, uint64_t skip, uint64_t len,
    void (*fn)(void *piece, uint64_t n, uint8_t *buf), uint8_t *buf)
{
	while (len) {
		struct iovec piece;
		uint64_t m = len;

		if (!iov_slice(&piece, 1, iov, n, skip, &m))
			return;
		fn(piece.iov_base, m, buf);
		buf += buf ? m : 0;
		skip += m;
		len -= m;
	}
}

static void get_piece(void *piece, uint64_t n, uint8_t *buf)
{
	memcpy(buf, piece, n);
}

static void put_piece(void *piece, uint64_t n, uint8_t *buf)
{
	memcpy(piece, buf, n);
}

static void clear_piece(void *piece, uint64_t n, uint8_t *buf)
{
	(void)buf;
	memset(piece, 0, n);
}

void iov_get(const struct iovec *iov, int n, uint64_t skip, void *buf, uint64_t len)
{
	each(iov, n, skip, len, get_piece, buf);
}

void iov_put(const struct iovec *iov, int n, uint64_t skip, const void *buf, uint64_t len)
{
	each(iov, n, skip, len, put_piece, (uint8_t *)(uintptr_t)buf);
}

void iov_clear(const struct iovec *iov, int n, uint64_t skip, uint64_t len)
{
	each(iov, n, skip, len, clear_piece, NULL);
}
