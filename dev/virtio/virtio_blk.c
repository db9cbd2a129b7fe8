/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block device.  Source: VIRTIO version 1.2, section 5.2.
 * Left out: several queues, geometry, lifetime, secure erase, SCSI commands of legacy drivers.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/block.h"
#include "core/mem.h"
#include "dev/virtio/virtio.h"

#define F_SEG_MAX      (1ull << 2)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_TOPOLOGY     (1ull << 10)
#define F_CONFIG_WCE   (1ull << 11)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

/* Offsets in the configuration space. */
enum {
	CONFIG_CAPACITY = 0,
	CONFIG_SEG_MAX = 12,
	CONFIG_BLK_SIZE = 20,
	CONFIG_PHYSICAL_EXP = 24,
	CONFIG_MIN_IO = 26,
	CONFIG_WRITEBACK = 32,
	CONFIG_DISCARD_MAX = 36,
	CONFIG_DISCARD_SEGS = 40,
	CONFIG_DISCARD_ALIGN = 44,
	CONFIG_ZEROES_MAX = 48,
	CONFIG_ZEROES_SEGS = 52,
	CONFIG_ZEROES_UNMAP = 56,
	CONFIG_SIZE = 60
};

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

enum {
	SECTOR = 512,
	HEADER_SIZE = 16, /* type, reserved, sector */
	RANGE_SIZE = 16,  /* sector, number of sectors, flags */
	RANGE_UNMAP = 1,
	ID_SIZE = 20,
	SECTORS_PER_PAGE_EXP = 3,
	DISCARD_MAX = 1 << 22, /* sectors in one request */
	ZEROES_MAX = 1 << 16,  /* the host may have to write them */
	REQUESTS = 64          /* that are with the host at the same time */
};

struct request {
	struct block_req block;
	struct virtio_blk *blk;
	struct virtq_chain chain; /* without the status byte, which is here: */
	uint8_t *status;
	uint64_t status_gpa;
	uint32_t written; /* bytes of the chain that have what they should */
	bool used;
	bool submitting; /* inside of block_submit */
	int rc;          /* what done said while it was */
};

/*
 * Nothing of a request is saved with the state: a machine saves its devices when its disks have
 * nothing outstanding.  After a reset requests may still be with the host; their answers go
 * nowhere, because the queue's life is another.
 */
struct virtio_blk {
	struct virtio v;
	struct request *req; /* REQUESTS of them */
};

static struct block *blk_back(const struct virtio_blk *b)
{
	return b->v.dev->back;
}

/* Section 5.2.6.2: without FLUSH the driver takes a write that was done for a durable one. */
static bool is_write_through(const struct virtio *v)
{
	if (!(v->features & F_FLUSH))
		return true;
	return (v->features & F_CONFIG_WCE) && !v->config[CONFIG_WRITEBACK];
}

/* Takes the last writable byte out of the chain, for the status. */
static void take_status(struct request *r)
{
	struct virtq_chain *c = &r->chain;
	unsigned last = c->nout + c->nin - 1u;
	size_t len = --c->iov[last].iov_len;

	r->status = (uint8_t *)c->iov[last].iov_base + len;
	r->status_gpa = c->gpa[last] + len;
	c->in_len--;
	if (len == 0)
		c->nin--;
}

static void request_finish(struct request *r, uint8_t status)
{
	struct virtio_queue *q = &r->blk->v.queue[0];
	bool all = r->written == r->chain.in_len;

	r->used = false;
	if (virtq_is_current(q, &r->chain)) {
		*r->status = status;
		mem_written(r->blk->v.dev->env->mem, r->status_gpa, 1);
	}
	virtq_push(q, &r->chain, r->written + all);
}

static void clear_data(const struct request *r)
{
	const struct virtq_chain *c = &r->chain;
	unsigned i;

	for (i = c->nout; i < c->nout + c->nin; i++)
		memset(c->iov[i].iov_base, 0, c->iov[i].iov_len);
}

/* The host is done with a request, or with its first half: whether there is another one. */
static bool request_next(struct request *r, int rc)
{
	bool changed = r->block.op != BLOCK_READ && r->block.op != BLOCK_FLUSH;

	if (rc == 0 && changed && is_write_through(&r->blk->v)) {
		r->block.op = BLOCK_FLUSH;
		r->block.off = r->block.len = 0;
		return true;
	}
	if (r->block.op == BLOCK_READ) {
		/* The length of used buffers must be true, also when half of them were read. */
		if (rc < 0 && virtq_is_current(&r->blk->v.queue[0], &r->chain))
			clear_data(r);
		r->written = r->chain.in_len;
	}
	request_finish(r, rc == 0 ? S_OK : rc == -ENOTSUP ? S_UNSUPP : S_IOERR);
	return false;
}

/* Hands r to the host, again and again as long as the host is done at once. */
static void request_submit(struct request *r)
{
	do {
		r->submitting = true;
		block_submit(blk_back(r->blk), &r->block);
		if (r->submitting) {
			r->submitting = false;
			return;
		}
	} while (request_next(r, r->rc));
}

static void blk_notify(struct virtio *, struct virtio_queue *);

static void request_done(struct block_req *block, int rc)
{
	struct request *r = CONTAINER_OF(block, struct request, block);
	struct virtio *v = &r->blk->v;

	if (r->submitting) { /* we hold the lock already */
		r->submitting = false;
		r->rc = rc;
		return;
	}
	mutex_lock(&v->dev->lock);
	if (request_next(r, rc))
		request_submit(r);
	blk_notify(v, &v->queue[0]); /* some may have had to wait for a free request */
	mutex_unlock(&v->dev->lock);
}

static void send_id(struct request *r)
{
	char id[ID_SIZE] = "";
	const char *name = blk_back(r->blk)->name, *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	memcpy(id, name, strnlen(name, sizeof id));
	r->written = (uint32_t)virtq_write(&r->chain, 0, id, sizeof id);
	request_finish(r, S_OK);
}

static void move_data(struct request *r, uint64_t sector, bool write)
{
	struct iovec *iov = r->chain.iov;
	unsigned n = r->chain.nout;
	uint32_t len = write ? r->chain.out_len - HEADER_SIZE : r->chain.in_len;

	if (write)
		virtq_skip(&iov, &n, HEADER_SIZE);
	else
		iov += n, n = r->chain.nin;
	if (len % SECTOR || sector > UINT64_MAX / SECTOR) {
		request_finish(r, S_IOERR);
		return;
	}
	r->block.op = write ? BLOCK_WRITE : BLOCK_READ;
	r->block.off = sector * SECTOR;
	r->block.len = len;
	r->block.iov = iov;
	r->block.niov = (int)n;
	request_submit(r);
}

/* Section 5.2.6.2: DISCARD and WRITE ZEROES, of one range (as the configuration says). */
static void change_range(struct request *r, bool discard)
{
	const struct virtio *v = &r->blk->v;
	uint8_t range[RANGE_SIZE];
	uint64_t sector;
	uint32_t n, flags;

	if (r->chain.out_len != HEADER_SIZE + RANGE_SIZE) {
		request_finish(r, S_IOERR);
		return;
	}
	virtq_read(&r->chain, HEADER_SIZE, range, sizeof range);
	sector = get_le(range, 8);
	n = (uint32_t)get_le(range + 8, 4);
	flags = (uint32_t)get_le(range + 12, 4);
	if (!(v->features & (discard ? F_DISCARD : F_WRITE_ZEROES)) ||
	    (flags & ~(discard ? 0u : (uint32_t)RANGE_UNMAP))) {
		request_finish(r, S_UNSUPP);
		return;
	}
	if (n > (discard ? DISCARD_MAX : ZEROES_MAX) || sector > UINT64_MAX / SECTOR) {
		request_finish(r, S_IOERR);
		return;
	}
	r->block.op = discard ? BLOCK_DISCARD : BLOCK_ZERO;
	r->block.off = sector * SECTOR;
	r->block.len = (uint64_t)n * SECTOR;
	r->block.unmap = flags & RANGE_UNMAP;
	request_submit(r);
}

static void request_start(struct request *r)
{
	uint8_t header[HEADER_SIZE];
	uint64_t sector;
	uint32_t type;

	virtq_read(&r->chain, 0, header, sizeof header);
	type = (uint32_t)get_le(header, 4);
	sector = get_le(header + 8, 8);
	TRACE(r->blk->v.dev->env->log, virtio, "virtio_blk: type %u sector %llu", type,
	    (unsigned long long)sector);
	r->block = (struct block_req){ .done = request_done };
	r->written = 0;
	take_status(r);
	switch (type) {
	case T_IN:
	case T_OUT:
		move_data(r, sector, type == T_OUT);
		break;
	case T_FLUSH:
		r->block.op = BLOCK_FLUSH;
		request_submit(r);
		break;
	case T_GET_ID:
		send_id(r);
		break;
	case T_DISCARD:
	case T_WRITE_ZEROES:
		change_range(r, type == T_DISCARD);
		break;
	default:
		request_finish(r, S_UNSUPP);
	}
}

static struct request *request_free(struct virtio_blk *b)
{
	struct request *r;

	for (r = b->req; r < b->req + REQUESTS; r++)
		if (!r->used)
			return r;
	return NULL;
}

static void blk_notify(struct virtio *v, struct virtio_queue *q)
{
	struct virtio_blk *b = (struct virtio_blk *)v;
	struct request *r;

	while ((r = request_free(b)) && virtq_pop(q, &r->chain)) {
		if (r->chain.out_len < HEADER_SIZE || r->chain.in_len < 1) {
			virtio_break(v, "a request without header or status");
			break;
		}
		r->used = true;
		request_start(r);
	}
	virtq_interrupt(q);
}

static int blk_init(struct virtio *v, struct err *e)
{
	struct virtio_blk *b = (struct virtio_blk *)v;
	const struct block *back = blk_back(b);
	struct request *r;

	if (!back)
		return err_set(e, EINVAL, "virtio_blk: needs a disk");
	b->req = calloc(REQUESTS, sizeof *b->req);
	if (!b->req)
		return err_set(e, ENOMEM, "virtio_blk: no memory");
	for (r = b->req; r < b->req + REQUESTS; r++)
		r->blk = b;
	v->offered |= F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE;
	if (back->readonly)
		v->offered |= F_RO;
	else
		v->offered |= F_WRITE_ZEROES | (back->discard ? F_DISCARD : 0);
	return 0;
}

static void blk_fini(struct virtio *v)
{
	struct virtio_blk *b = (struct virtio_blk *)v;
	struct request *r;

	for (r = b->req; r < b->req + REQUESTS; r++)
		assert(!r->used);
	free(b->req);
}

static void blk_reset(struct virtio *v)
{
	const struct block *back = blk_back((struct virtio_blk *)v);
	uint8_t *c = v->config;

	memset(c, 0, CONFIG_SIZE);
	put_le(c + CONFIG_CAPACITY, back->size / SECTOR, 8);
	put_le(c + CONFIG_SEG_MAX, VIRTQ_MAX - 2, 4);
	put_le(c + CONFIG_BLK_SIZE, SECTOR, 4);
	c[CONFIG_PHYSICAL_EXP] = SECTORS_PER_PAGE_EXP;
	put_le(c + CONFIG_MIN_IO, 1 << SECTORS_PER_PAGE_EXP, 2);
	c[CONFIG_WRITEBACK] = 1;
	if (v->offered & F_DISCARD) {
		put_le(c + CONFIG_DISCARD_MAX, DISCARD_MAX, 4);
		put_le(c + CONFIG_DISCARD_SEGS, 1, 4);
		put_le(c + CONFIG_DISCARD_ALIGN, 1 << SECTORS_PER_PAGE_EXP, 4);
	}
	if (v->offered & F_WRITE_ZEROES) {
		put_le(c + CONFIG_ZEROES_MAX, ZEROES_MAX, 4);
		put_le(c + CONFIG_ZEROES_SEGS, 1, 4);
		c[CONFIG_ZEROES_UNMAP] = back->discard;
	}
}

static bool blk_negotiate(struct virtio *v, uint64_t wanted)
{
	v->config[CONFIG_WRITEBACK] = !!(wanted & F_FLUSH);
	return true;
}

static void blk_config_write(struct virtio *v, unsigned off, uint64_t val, unsigned size)
{
	if (off == CONFIG_WRITEBACK && size == 1 && (v->features & F_CONFIG_WCE))
		v->config[CONFIG_WRITEBACK] = val & 1;
}

const struct virtio_class virtio_blk = {
	.name = "virtio_blk",
	.about = "disk",
	.id = 2,
	.config_size = CONFIG_SIZE,
	.queue_max = { VIRTQ_MAX },
	.size = sizeof(struct virtio_blk),
	.init = blk_init,
	.fini = blk_fini,
	.reset = blk_reset,
	.negotiate = blk_negotiate,
	.notify = blk_notify,
	.config_write = blk_config_write,
};
