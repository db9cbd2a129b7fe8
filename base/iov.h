/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_IOV_H
#define BASE_IOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Lists of pieces of memory: iov has n of them.  skip is a byte of the list; what would be behind
 * the list's end is not done. */

/* How long a list is for whoever has to cut it up; longer parts are done in several rounds. */
enum { IOV_PART = 64 };

size_t iov_size(const struct iovec *, unsigned n); /* bytes */
/* Whether it has len bytes; its sum never wraps round. */
bool iov_is_long(const struct iovec *, unsigned n, uint64_t len);
/* The part of iov from byte skip on that has at most *len bytes, in at most max pieces: how many
 * pieces, and in *len how many bytes. */
int iov_slice(
    struct iovec *out, int max, const struct iovec *iov, unsigned n, uint64_t skip, uint64_t *len);
/* Copies len bytes from its byte skip on to buf, or from buf; how many there were. */
size_t iov_get(const struct iovec *, unsigned n, uint64_t skip, void *buf, uint64_t len);
size_t iov_put(const struct iovec *, unsigned n, uint64_t skip, const void *buf, uint64_t len);
size_t iov_clear(const struct iovec *, unsigned n, uint64_t skip, uint64_t len);

#endif
