/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_BLOCK_H
#define CORE_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * A disk, as devices see it.  host/block_*.c makes them.  Requests may be outstanding at the same
 * time; each ends with one call of done, on the VM's thread, possibly before block_submit returns.
 * Those that overlap, and change something, are done in the order of their submission; others in
 * any order.  A write that was done is in the file after Lodge dies; a flush that was done means
 * that all writes that were done when it was submitted are on the disk after the host dies.
 */
struct block;
struct block_req;

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_ZERO };
enum { BLOCK_OPS = BLOCK_ZERO + 1, BLOCK_SERIAL = 20 };

struct block_req {
	enum block_op op;
	uint64_t off, len;       /* bytes; len is the sum of iov for reads and writes */
	const struct iovec *iov; /* must stay valid until done */
	int niov;
	bool unmap; /* BLOCK_ZERO: storage may be dropped */
	/* rc: 0, -EINVAL outside the disk, -EROFS, -EIO, -ENOSPC ... */
	void (*done)(struct block_req *, int rc);
	/* Between submission and done these belong to the disk. */
	struct block_req *next;
	uint64_t began;
	int rc;
};

/* What was done so far: requests with success and without, their bytes and time, and those that
 * became part of another one's call of the host. */
struct block_stats {
	struct block_count {
		uint64_t done, failed, bytes, ns, merged;
	} op[BLOCK_OPS];
	uint64_t written_to; /* the end of what was ever written */
};

struct block_ops {
	void (*submit)(struct block *, struct block_req *);
	void (*free)(struct block *);
	/* The rest is for disks that do requests later, or more than that; NULL: it is not. */
	void (*plug)(struct block *, bool on);
	void (*settle)(struct block *);
	void (*drain)(struct block *);
	int (*resize)(struct block *, uint64_t size, struct err *);
	void (*stats)(struct block *, struct block_stats *);
};

struct block {
	const struct block_ops *ops;
	_Atomic uint64_t size; /* bytes; a multiple of 512; any thread may read it */
	bool readonly;
	bool discard;  /* BLOCK_DISCARD does something */
	char name[64]; /* for messages: the end of the file's name */
	/* What its owner wishes of the device. */
	char serial[BLOCK_SERIAL + 1]; /* "": as the device likes */
	unsigned queues;               /* 0: as the device likes */
	/* The device that has it is told of a new size, on the VM's thread; NULL: it does not care.
	 */
	void (*resized)(void *arg);
	void *arg;
};

/* Checks the range and readonly, then hands on to ops. */
void block_submit(struct block *, struct block_req *);
/* Requests between the two may be begun together, at the latest when it is unplugged. */
void block_plug(struct block *);
void block_unplug(struct block *);
/* Waits until the host touches no buffer of a request any more; calls of done may come later.  For
 * a device that is reset, any thread, with its lock held. */
void block_settle(struct block *);
/* VM's thread, no CPU runs and no device's lock is held: until nothing is outstanding. */
void block_drain(struct block *);
/* Any thread but with no device's lock held: a new size; what is behind a smaller one is lost. */
int block_resize(struct block *, uint64_t size, struct err *);
void block_stats(struct block *, struct block_stats *); /* any thread */
void block_free(struct block *); /* NULL is fine; no request may be outstanding */

#endif
