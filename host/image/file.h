/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_IMAGE_FILE_H
#define HOST_IMAGE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * The file, or the host's disk, that an image is in: opening and locking it, and moving bytes in
 * and out of it.  All but opening and closing may be called from any thread.
 */
struct image_options;

struct image_file {
	int fd;
	int direct;     /* the same without the host's page cache; -1: it was not asked for */
	uint64_t page;  /* of it: what is moved so is a multiple of this */
	bool in_memory; /* there is no disk below it */
	uint64_t size;
};

/* Writes only if the options do not say readonly.  Any size is fine, also 0. */
int image_file_open(
    struct image_file *, const char *path, const struct image_options *, struct err *);
/* Asks for the size again. */
int image_file_size(struct image_file *, const char *path, struct err *);
void image_file_close(struct image_file *);

/* All len bytes of the iovs from their byte `skip` on, from or to the file at off. */
int image_file_read(const struct image_file *, const struct iovec *, int n, uint64_t skip,
    uint64_t len, uint64_t off);
int image_file_write(const struct image_file *, const struct iovec *, int n, uint64_t skip,
    uint64_t len, uint64_t off);
/* The same, if the host has all of it in memory, else -EAGAIN. */
int image_file_now(
    const struct image_file *, bool write, const struct iovec *, int n, uint64_t len, uint64_t off);
/* Zeroes.  unmap: without storage, if the file system can do that. */
int image_file_zero(const struct image_file *, uint64_t off, uint64_t len, bool unmap);
/* Drops storage, where that can be done. */
int image_file_discard(const struct image_file *, uint64_t off, uint64_t len);
/* What was written before is on the disk. */
int image_file_flush(const struct image_file *);

#endif
