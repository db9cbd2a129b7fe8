/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_BLOCK_FILE_H
#define HOST_BLOCK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/* What the kinds of disks share: files, and moving bytes in and out of them. */

struct block;
struct block_file {
	int fd;
	uint64_t size;
};

/* Opens and locks an image and looks whether it can be a disk. */
int block_file_open(struct block_file *, const char *path, bool write, struct err *);
void block_file_close(struct block_file *);

/* All len bytes of the iovs from their byte `skip` on, to or from the file at off. */
int block_file_read(int fd, const struct iovec *, int n, uint64_t skip, uint64_t len, uint64_t off);
int block_file_write(
    int fd, const struct iovec *, int n, uint64_t skip, uint64_t len, uint64_t off);
/* Zeroes.  unmap: without storage, if the file system can do that. */
int block_file_zero(int fd, uint64_t off, uint64_t len, bool unmap);

/* The kinds: each owns the file from then on, also when it fails. */
struct block *block_raw_new(struct block_file, const char *path, bool readonly, struct err *);
struct block *block_snapshot_new(struct block_file, const char *path, struct err *);
/* The end of a path, for block.name. */
void block_name(char name[64], const char *path);

#endif
