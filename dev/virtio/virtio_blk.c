/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block device.  Source: VIRTIO version 1.2, section 5.2.
 * Left out: geometry, lifetime, secure erase, SCSI commands of legacy drivers.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/iov.h"
#include "base/os.h"
#include "core/block.h"
#include "core/mem.h"
#include "dev/virtio/virtio.h"

#define F_SEG_MAX      (1ull << 2)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_TOPOLOGY     (1ull << 10)
#define F_CONFIG_WCE   (1ull << 11)
#define F_MQ           (1ull << 12)
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
	CONFIG_QUEUES = 34,
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
	RANGES = 64, /* in one request */
	ID_SIZE = 20,
	SECTORS_PER_PAGE_EXP = 3,
	DISCARD_MAX = 1 << 22, /* sectors in one range */
	ZEROES_MAX = 1 << 16,  /* the host may have to write them */
	REQUESTS = 96          /* that are with the host at the same time */
};

struct request {
	struct block_req block;
	struct virtio_blk *blk;
	struct virtio_queue *queue;
	struct request *next;     /* of those that are free */
	struct virtq_chain chain; /* without the status byte, which is here: */
	uint8_t *status;
	uint64_t status_gpa;
	uint32_t written; /* bytes of the chain that have what they should */
	bool used;
	bool submitting; /* inside of block_submit */
	int rc;          /* what done said while it was */
	/* Of DISCARD and WRITE ZEROES. */
	uint8_t range[RANGES][RANGE_SIZE];
	unsigned nranges, at;
};

/*
 * Nothing of a request is saved with the state: a machine saves its devices when its disks have
 * nothing outstanding.  After a reset requests may still be with the host; their answers go
 * nowhere, because the queue's life is another.
 */
struct virtio_blk {
	struct virtio v;
	struct request *req; /* REQUESTS of them */
	struct request *free;
	unsigned fresh; /* this one and those behind it were never used */
	bool starved;   /* a queue had to wait for a free one */
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
	struct virtio_queue *q = r->queue;
	bool all = r->written == r->chain.in_len;

	r->used = false;
	r->next = r->blk->free;
	r->blk->free = r;
	if (virtq_is_current(q, &r->chain)) {
		*r->status = status;
		mem_written(r->blk->v.dev->env->mem, r->status_gpa, 1);
	}
	virtq_push(q, &r->chain, r->written + all);
}

/* Section 5.2.6.2: the next range of a DISCARD or WRITE ZEROES. */
static void take_range(struct request *r)
{
	const uint8_t *range = r->range[r->at++];

	r->block.off = get_le(range, 8) * SECTOR;
	r->block.len = get_le(range + 8, 4) * SECTOR;
	r->block.unmap = get_le(range + 12, 4) & RANGE_UNMAP;
}

/* The host is done with a request, or with a part of it: whether there is another one. */
static bool request_next(struct request *r, int rc)
{
	bool changed = r->block.op != BLOCK_READ && r->block.op != BLOCK_FLUSH;

	if (rc == 0 && changed && r->at < r->nranges) {
		take_range(r);
		return true;
	}
	if (rc == 0 && changed && is_write_through(&r->blk->v)) {
		r->block.op = BLOCK_FLUSH;
		r->block.off = r->block.len = 0;
		return true;
	}
	if (r->block.op == BLOCK_READ) {
		/* The length of used buffers must be true, also when half of them were read. */
		if (rc < 0 && virtq_is_current(r->queue, &r->chain))
			iov_clear(r->chain.iov + r->chain.nout, r->chain.nin, 0, r->chain.in_len);
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

static void feed_all(struct virtio_blk *b)
{
	b->starved = false;
	for (unsigned i = 0; i < b->v.nqueues; i++)
		blk_notify(&b->v, &b->v.queue[i]);
}

static void request_done(struct block_req *block, int rc)
{
	struct request *r = CONTAINER_OF(block, struct request, block);
	struct virtio *v = &r->blk->v;
	struct virtio_queue *q;

	if (r->submitting) { /* we hold the lock already */
		r->submitting = false;
		r->rc = rc;
		return;
	}
	mutex_lock(&v->dev->lock);
	q = r->queue; /* r may be another request soon */
	if (request_next(r, rc))
		request_submit(r);
	virtq_interrupt(q);
	if (r->blk->starved)
		feed_all(r->blk);
	mutex_unlock(&v->dev->lock);
}

static void send_id(struct request *r)
{
	char id[ID_SIZE] = "";
	const struct block *back = blk_back(r->blk);
	const char *name = back->serial, *slash;

	if (!*name) {
		slash = strrchr(back->name, '/');
		name = slash ? slash + 1 : back->name;
	}
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

/* Whether a range can be done: S_OK, or what to say of it. */
static uint8_t check_range(const struct request *r, const uint8_t *range, bool discard)
{
	uint64_t sector = get_le(range, 8), all = blk_back(r->blk)->size / SECTOR;
	uint32_t n = (uint32_t)get_le(range + 8, 4), flags = (uint32_t)get_le(range + 12, 4);

	if (flags & ~(discard ? 0u : (uint32_t)RANGE_UNMAP))
		return S_UNSUPP;
	if (n > (discard ? DISCARD_MAX : ZEROES_MAX) || sector > all || n > all - sector)
		return S_IOERR;
	return S_OK;
}

/* Section 5.2.6.2: DISCARD and WRITE ZEROES.  Nothing is done if one of the ranges is bad. */
static void change_ranges(struct request *r, bool discard)
{
	uint32_t len = r->chain.out_len - HEADER_SIZE;
	uint8_t status = S_OK;

	if (!(r->blk->v.features & (discard ? F_DISCARD : F_WRITE_ZEROES)))
		status = S_UNSUPP;
	else if (!len || len % RANGE_SIZE || len > sizeof r->range)
		status = S_IOERR;
	else
		virtq_read(&r->chain, HEADER_SIZE, r->range, len);
	r->nranges = len / RANGE_SIZE;
	for (unsigned i = 0; i < r->nranges && status == S_OK; i++)
		status = check_range(r, r->range[i], discard);
	if (status != S_OK) {
		request_finish(r, status);
		return;
	}
	r->block.op = discard ? BLOCK_DISCARD : BLOCK_ZERO;
	take_range(r);
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
	r->nranges = r->at = 0;
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
		change_ranges(r, type == T_DISCARD);
		break;
	default:
		request_finish(r, S_UNSUPP);
	}
}

/* NULL: all are with the host. */
static struct request *free_request(const struct virtio_blk *b)
{
	if (b->free)
		return b->free;
	return b->fresh < REQUESTS ? &b->req[b->fresh] : NULL;
}

static void take_request(struct virtio_blk *b, struct request *r)
{
	if (b->free)
		b->free = r->next;
	else
		b->fresh++;
	r->blk = b;
	r->used = true;
}

static void blk_notify(struct virtio *v, struct virtio_queue *q)
{
	struct virtio_blk *b = (struct virtio_blk *)v;
	struct request *r;

	block_plug(blk_back(b));
	while ((r = free_request(b)) && virtq_pop(q, &r->chain)) {
		if (r->chain.out_len < HEADER_SIZE || r->chain.in_len < 1) {
			virtio_break(v, "a request without header or status");
			break;
		}
		take_request(b, r);
		r->queue = q;
		request_start(r);
	}
	b->starved |= !r;
	block_unplug(blk_back(b));
	virtq_interrupt(q);
}

static void blk_queue_reset(struct virtio *v, struct virtio_queue *q)
{
	(void)q;
	block_settle(blk_back((struct virtio_blk *)v));
}

/* The disk has got another size. */
static void blk_resized(void *arg)
{
	struct virtio *v = arg;

	mutex_lock(&v->dev->lock);
	put_le(v->config + CONFIG_CAPACITY, blk_back(arg)->size / SECTOR, 8);
	virtio_config_changed(v);
	mutex_unlock(&v->dev->lock);
}

/* A queue for each CPU, so that they need not wait for each other. */
static unsigned queues_of(const struct virtio *v, const struct block *back)
{
	unsigned n = back->queues ? back->queues : v->dev->env->ncpu;

	n = n ? n : 1;
	return n < v->nqueues ? n : v->nqueues;
}

static int blk_init(struct virtio *v, struct err *e)
{
	struct virtio_blk *b = (struct virtio_blk *)v;
	struct block *back = blk_back(b);

	if (!back)
		return err_set(e, EINVAL, "virtio_blk: needs a disk");
	b->req = os_pages_new(REQUESTS * sizeof *b->req);
	if (!b->req)
		return err_set(e, ENOMEM, "virtio_blk: no memory");
	v->nqueues = queues_of(v, back);
	v->offered |= v->nqueues > 1 ? F_MQ : 0;
	v->offered |= F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE;
	if (back->readonly)
		v->offered |= F_RO;
	else
		v->offered |= F_WRITE_ZEROES | (back->discard ? F_DISCARD : 0);
	back->resized = blk_resized;
	back->arg = v;
	return 0;
}

static void blk_fini(struct virtio *v)
{
	struct virtio_blk *b = (struct virtio_blk *)v;
	struct request *r;

	for (r = b->req; r < b->req + b->fresh; r++)
		assert(!r->used);
	blk_back(b)->resized = NULL;
	os_pages_free(b->req, REQUESTS * sizeof *b->req);
}

static void blk_reset(struct virtio *v)
{
	struct block *back = blk_back((struct virtio_blk *)v);
	uint8_t *c = v->config;

	block_settle(back); /* the memory of the requests is not ours any more */
	memset(c, 0, CONFIG_SIZE);
	put_le(c + CONFIG_CAPACITY, back->size / SECTOR, 8);
	put_le(c + CONFIG_SEG_MAX, VIRTQ_MAX - 2, 4);
	put_le(c + CONFIG_BLK_SIZE, SECTOR, 4);
	c[CONFIG_PHYSICAL_EXP] = SECTORS_PER_PAGE_EXP;
	put_le(c + CONFIG_MIN_IO, 1 << SECTORS_PER_PAGE_EXP, 2);
	c[CONFIG_WRITEBACK] = 1;
	if (v->offered & F_MQ)
		put_le(c + CONFIG_QUEUES, v->nqueues, 2);
	if (v->offered & F_DISCARD) {
		put_le(c + CONFIG_DISCARD_MAX, DISCARD_MAX, 4);
		put_le(c + CONFIG_DISCARD_SEGS, RANGES, 4);
		put_le(c + CONFIG_DISCARD_ALIGN, 1 << SECTORS_PER_PAGE_EXP, 4);
	}
	if (v->offered & F_WRITE_ZEROES) {
		put_le(c + CONFIG_ZEROES_MAX, ZEROES_MAX, 4);
		put_le(c + CONFIG_ZEROES_SEGS, RANGES, 4);
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
	.queue_max = { VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX,
	    VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX,
	    VIRTQ_MAX },
	.size = sizeof(struct virtio_blk),
	.init = blk_init,
	.fini = blk_fini,
	.reset = blk_reset,
	.queue_reset = blk_queue_reset,
	.negotiate = blk_negotiate,
	.notify = blk_notify,
	.config_write = blk_config_write,
};
