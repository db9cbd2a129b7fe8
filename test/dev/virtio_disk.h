/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_VIRTIO_DISK_H
#define TEST_DEV_VIRTIO_DISK_H

#include <errno.h>

#include "core/block.h"
#include "test/dev/virtio_rig.h"

/* A disk in memory, which answers at once, or, while `slow`, when disk_answer is called. */
enum { DISK_SIZE = 65536, DISK_WAITING = 256 };

struct disk {
	struct block b;
	uint8_t data[DISK_SIZE];
	bool slow;
	int fail; /* -errno for everything but flushes */
	unsigned flushes, discards, settled;
	bool unmapped;
	struct block_req *waiting[DISK_WAITING];
	unsigned nwaiting;
};

static inline int disk_do(struct disk *d, struct block_req *r)
{
	uint8_t *at = d->data + r->off;
	int i;

	if (r->op == BLOCK_FLUSH) {
		d->flushes++;
		return 0;
	}
	d->discards += r->op == BLOCK_DISCARD;
	if (r->op == BLOCK_ZERO) {
		memset(at, 0, r->len);
		d->unmapped = r->unmap;
	}
	for (i = 0; i < r->niov && r->op <= BLOCK_WRITE; i++) {
		if (r->op == BLOCK_READ)
			memcpy(r->iov[i].iov_base, at, r->iov[i].iov_len);
		else
			memcpy(at, r->iov[i].iov_base, r->iov[i].iov_len);
		at += r->iov[i].iov_len;
	}
	return d->fail;
}

static inline void disk_submit(struct block *b, struct block_req *r)
{
	struct disk *d = CONTAINER_OF(b, struct disk, b);

	if (!d->slow) {
		r->done(r, disk_do(d, r));
		return;
	}
	assert_true(d->nwaiting < DISK_WAITING);
	d->waiting[d->nwaiting++] = r;
}

/* Answers the i-th of those that wait. */
static inline void disk_answer(struct disk *d, unsigned i)
{
	struct block_req *r = d->waiting[i];

	assert_true(i < d->nwaiting);
	d->waiting[i] = d->waiting[--d->nwaiting];
	r->done(r, disk_do(d, r));
}

static inline void disk_settle(struct block *b)
{
	CONTAINER_OF(b, struct disk, b)->settled++;
}

static inline void disk_init(struct disk *d)
{
	static const struct block_ops ops = { .submit = disk_submit, .settle = disk_settle };
	unsigned i;

	memset(d, 0, sizeof *d);
	d->b.ops = &ops;
	d->b.size = DISK_SIZE;
	d->b.discard = true;
	strcpy(d->b.name, "/some/where/root.img");
	for (i = 0; i < DISK_SIZE; i++)
		d->data[i] = (uint8_t)(i / 512 + i);
}

#endif
