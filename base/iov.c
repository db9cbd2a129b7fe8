/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/iov.h"

#include <string.h>

int iov_slice(
    struct iovec *out, int max, const struct iovec *iov, unsigned n, uint64_t skip, uint64_t *len)
{
	uint64_t want = *len;
	int used = 0;

	for (unsigned i = 0; i < n && used < max && want; i++) {
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

size_t iov_size(const struct iovec *iov, unsigned n)
{
	size_t sum = 0;

	for (; n; n--)
		sum += iov++->iov_len;
	return sum;
}

bool iov_is_long(const struct iovec *iov, unsigned n, uint64_t len)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len > len - sum)
			return false;
		sum += iov[i].iov_len;
	}
	return sum == len;
}

/* Calls fn for each piece of the part. */
static size_t each(const struct iovec *iov, unsigned n, uint64_t skip, uint64_t len,
    void (*fn)(void *piece, size_t n, uint8_t *buf), uint8_t *buf)
{
	size_t done = 0, part;

	for (; n && done < len; n--, iov++) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		part = iov->iov_len - (size_t)skip;
		if (part > len - done)
			part = (size_t)(len - done);
		fn((uint8_t *)iov->iov_base + skip, part, buf ? buf + done : NULL);
		done += part;
		skip = 0;
	}
	return done;
}

static void get_piece(void *piece, size_t n, uint8_t *buf)
{
	memcpy(buf, piece, n);
}

static void put_piece(void *piece, size_t n, uint8_t *buf)
{
	memcpy(piece, buf, n);
}

static void clear_piece(void *piece, size_t n, uint8_t *buf)
{
	(void)buf;
	memset(piece, 0, n);
}

size_t iov_get(const struct iovec *iov, unsigned n, uint64_t skip, void *buf, uint64_t len)
{
	return each(iov, n, skip, len, get_piece, buf);
}

size_t iov_put(const struct iovec *iov, unsigned n, uint64_t skip, const void *buf, uint64_t len)
{
	return each(iov, n, skip, len, put_piece, (uint8_t *)(uintptr_t)buf);
}

size_t iov_clear(const struct iovec *iov, unsigned n, uint64_t skip, uint64_t len)
{
	return each(iov, n, skip, len, clear_piece, NULL);
}
