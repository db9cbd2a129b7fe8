/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_IMAGE_IOV_H
#define HOST_IMAGE_IOV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Lists of pieces of memory. */

/* How long a list is for whoever has to cut it up; longer parts are done in several rounds. */
enum { IOV_PART = 64 };

/* The part of iov from byte skip on that has at most *len bytes, in at most max pieces: how many
 * pieces, and in *len how many bytes. */
int iov_slice(
    struct iovec *out, int max, const struct iovec *iov, int n, uint64_t skip, uint64_t *len);
/* Whether it has len bytes. */
bool iov_is_long(const struct iovec *, int n, uint64_t len);
/* Copies len bytes from its byte skip on to buf, or from buf. */
void iov_get(const struct iovec *, int n, uint64_t skip, void *buf, uint64_t len);
void iov_put(const struct iovec *, int n, uint64_t skip, const void *buf, uint64_t len);
void iov_clear(const struct iovec *, int n, uint64_t skip, uint64_t len);

#endif
