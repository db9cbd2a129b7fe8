/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_BLOCK_H
#define CORE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * A disk, as devices see it.  host/block_*.c makes them.  Requests may be outstanding at the same
 * time; each ends with one call of done, on the VM's thread, possibly before block_submit returns.
 * A write that was done is in the file after Lodge dies; a flush that was done is on the disk
 * after the host dies.
 */
struct block;
struct block_req;

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_ZERO };

struct block_req {
	enum block_op op;
	uint64_t off, len;       /* bytes; len is the sum of iov for reads and writes */
	const struct iovec *iov; /* must stay valid until done */
	int niov;
	bool unmap; /* BLOCK_ZERO: storage may be dropped */
	/* rc: 0, -EINVAL outside the disk, -EROFS, -EIO, -ENOSPC ... */
	void (*done)(struct block_req *, int rc);
};

struct block_ops {
	void (*submit)(struct block *, struct block_req *);
	void (*free)(struct block *);
};

struct block {
	const struct block_ops *ops;
	uint64_t size; /* bytes; a multiple of 512 */
	bool readonly;
	bool discard;  /* BLOCK_DISCARD does something */
	char name[64]; /* for messages: the end of the file's name */
};

/* Checks the range and readonly, then hands on to ops. */
void block_submit(struct block *, struct block_req *);
void block_free(struct block *); /* NULL is fine; no request may be outstanding */

#endif
