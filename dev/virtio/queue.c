/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: VIRTIO version 1.2, section 2.6: what is the same for all formats of queues.
 */
#include <assert.h>
#include <string.h>

#include "base/iov.h"
#include "core/mem.h"
#include "dev/virtio/virtio.h"

static struct mem *queue_mem(const struct virtio_queue *q)
{
	return q->v->dev->env->mem;
}

static uint16_t size_max(const struct virtio_queue *q)
{
	return q->v->class->queue_max[q - q->v->queue];
}

static bool size_ok(const struct virtio_queue *q, uint32_t size)
{
	bool power_of_two = !(size & (size - 1));

	return size && size <= size_max(q) && (power_of_two || q->ops == &virtq_packed);
}

void virtq_set_size(struct virtio_queue *q, uint32_t size)
{
	const struct virtio *v = q->v;

	if (q->ready || !size_ok(q, size)) {
		TRACE(v->dev->env->log, virtio, "%s: queue size %u refused", v->class->name, size);
		return;
	}
	q->size = (uint16_t)size;
}

static void forget_turns(struct virtio_queue *q)
{
	q->order = q->order_used = 0;
	if (q->turn)
		memset(q->turn, 0, size_max(q) * sizeof *q->turn);
}

void virtq_enable(struct virtio_queue *q, bool on)
{
	if (q->ready == on)
		return;
	q->life++;
	q->ready = on;
	q->next_avail = q->next_used = q->signalled = 0;
	q->avail_wrap = q->used_wrap = true;
	forget_turns(q);
	q->desc_mem = q->driver_mem = q->device_mem = NULL;
	if (on && !q->ops->map(q))
		q->desc_mem = NULL; /* found out at the first use */
}

static const struct virtq_ops *format_of(const struct virtio *v)
{
	return v->features & VIRTIO_F_RING_PACKED ? &virtq_packed : &virtq_split;
}

void virtq_set_format(struct virtio_queue *q)
{
	const struct virtq_ops *ops = format_of(q->v);

	if (ops != q->ops)
		virtq_enable(q, false); /* the driver was too early */
	q->ops = ops;
}

void virtq_clear(struct virtio_queue *q)
{
	virtq_enable(q, false);
	q->size = size_max(q);
	q->desc = q->driver = q->device = 0;
	q->align = 0;
}

void virtq_reset(struct virtio_queue *q)
{
	if (q->v->class->queue_reset)
		q->v->class->queue_reset(q->v, q);
	virtq_clear(q);
}

void virtq_loaded(struct virtio_queue *q)
{
	bool packed;

	q->ops = format_of(q->v);
	packed = q->ops == &virtq_packed;
	if (!size_ok(q, q->size)) { /* not from us */
		q->size = size_max(q);
		q->ready = false;
	}
	if (packed && (q->next_avail >= q->size || q->next_used >= q->size ||
			  q->signalled > q->size)) /* nor is this */
		q->ready = false;
	forget_turns(q);
	q->life++;
	if (!q->ready || !q->ops->map(q))
		q->desc_mem = NULL;
}

/* Section 2.7.2. */
void virtq_enable_legacy(struct virtio_queue *q, uint64_t base)
{
	uint64_t align = q->align ? q->align : 1;

	virtq_enable(q, false);
	q->desc = base;
	q->driver = base + 16 * (uint64_t)q->size;
	q->device = (q->driver + 6 + 2 * (uint64_t)q->size + align - 1) & ~(align - 1);
	if (base)
		virtq_enable(q, true);
}

/*
 * Before DRIVER_OK a device must not touch the queues (section 3.1.1); legacy drivers often used
 * them before (section 3.1.2).
 */
static bool queue_usable(struct virtio_queue *q)
{
	struct virtio *v = q->v;

	if (!q->ready || (v->status & VIRTIO_NEEDS_RESET) ||
	    !(v->legacy || (v->status & VIRTIO_DRIVER_OK)))
		return false;
	if (!q->desc_mem) {
		virtio_break(v, "a queue is not in RAM");
		return false;
	}
	return true;
}

static bool in_order(const struct virtio_queue *q)
{
	return q->v->features & VIRTIO_F_IN_ORDER;
}

static struct virtq_used *turn_of(struct virtio_queue *q, uint16_t order)
{
	return &q->turn[order & (size_max(q) - 1)];
}

bool virtq_pop(struct virtio_queue *q, struct virtq_chain *c)
{
	if (!queue_usable(q))
		return false;
	c->life = q->life;
	c->nout = c->nin = 0;
	c->out_len = c->in_len = 0;
	if (!q->budget)
		return false;
	if (in_order(q) && (uint16_t)(q->order - q->order_used) >= size_max(q))
		return false; /* no driver can have so many outstanding */
	if (!q->ops->pop(q, c))
		return false;
	q->budget--;
	c->writable = c->in_len;
	c->order = q->order++;
	return true;
}

void virtq_unpop(struct virtio_queue *q, const struct virtq_chain *c)
{
	if (!virtq_is_current(q, c))
		return;
	q->ops->unpop(q, c);
	q->order--;
}

bool virtq_is_current(const struct virtio_queue *q, const struct virtq_chain *c)
{
	return q->ready && q->desc_mem && q->life == c->life;
}

/* The first len bytes of what may be written were. */
static void chain_written(const struct virtio_queue *q, const struct virtq_chain *c, uint32_t len)
{
	uint64_t left = len, n;
	unsigned i;

	for (i = c->nout; i < c->nout + c->nin && left; i++) {
		n = c->iov[i].iov_len < left ? c->iov[i].iov_len : left;
		mem_written(queue_mem(q), c->gpa[i], n);
		left -= n;
	}
}

void virtq_push(struct virtio_queue *q, const struct virtq_chain *c, uint32_t len)
{
	virtq_push_all(q, c, &len, 1);
}

void virtq_push_all(
    struct virtio_queue *q, const struct virtq_chain *c, const uint32_t *len, unsigned n)
{
	struct virtq_used u[VIRTQ_PUSH_MAX];
	unsigned i;

	assert(n && n <= VIRTQ_PUSH_MAX);
	for (i = 0; i < n; i++) {
		chain_written(q, &c[i], len[i]);
		u[i] = (struct virtq_used){ c[i].head, c[i].slots, len[i], true,
			len[i] == c[i].writable };
	}
	if (!virtq_is_current(q, c))
		return;
	for (i = 0; i < n && in_order(q); i++)
		*turn_of(q, c[i].order) = u[i];
	if (!in_order(q))
		q->ops->push(q, u, n);
}

/*
 * VIRTIO_F_IN_ORDER, sections 2.7.9 and 2.8.8: what a device finishes early waits for its turn
 * here.  Of several that were filled to the end only the last is written down.
 */
static void use_turns(struct virtio_queue *q)
{
	struct virtq_used all[VIRTQ_SIZE_MAX], *u;
	unsigned n = 0;

	for (; q->order_used != q->order; q->order_used++) {
		u = turn_of(q, q->order_used);
		if (!u->done)
			break;
		u->done = false;
		if (n && all[n - 1].full)
			u->slots += all[--n].slots;
		all[n++] = *u;
	}
	if (n)
		q->ops->push(q, all, n);
}

void virtq_interrupt(struct virtio_queue *q)
{
	if (in_order(q) && q->ready && q->desc_mem)
		use_turns(q);
	if (queue_usable(q) && q->ops->wants_interrupt(q))
		q->v->transport->interrupt(q->v, q);
}

/* How much of [gpa, gpa + len) is RAM in one piece from gpa on. */
static uint32_t piece_len(const struct mem *m, uint64_t gpa, uint32_t len)
{
	uint32_t is = 0, not = len, mid;

	if (mem_at(m, gpa, len))
		return len;
	while (not -is > 1) {
		mid = is + (not -is) / 2;
		if (mem_at(m, gpa, mid))
			is = mid;
		else
			not = mid;
	}
	return is;
}

bool virtq_chain_add(
    struct virtio_queue *q, struct virtq_chain *c, uint64_t gpa, uint32_t len, bool write)
{
	struct virtio *v = q->v;
	unsigned i;
	uint32_t n;

	if (!write && c->nin) {
		virtio_break(v, "a buffer to read behind one to write");
		return false;
	}
	if (len > UINT32_MAX - c->out_len - c->in_len) {
		virtio_break(v, "a chain of 4 GiB");
		return false;
	}
	*(write ? &c->in_len : &c->out_len) += len;
	for (; len; gpa += n, len -= n) {
		n = piece_len(queue_mem(q), gpa, len);
		i = c->nout + c->nin;
		if (n == 0 || i == VIRTQ_IOV_MAX) {
			virtio_break(v, n ? "a chain in too many pieces" : "a buffer not in RAM");
			return false;
		}
		c->iov[i].iov_base = mem_at(queue_mem(q), gpa, n);
		c->iov[i].iov_len = n;
		c->gpa[i] = gpa;
		if (write)
			c->nin++;
		else
			c->nout++;
	}
	return true;
}

size_t virtq_read(const struct virtq_chain *c, size_t off, void *to, size_t len)
{
	return iov_get(c->iov, c->nout, off, to, len);
}

size_t virtq_write(const struct virtq_chain *c, size_t off, const void *from, size_t len)
{
	return iov_put(c->iov + c->nout, c->nin, off, from, len);
}

void virtq_skip(struct iovec **iov, unsigned *n, size_t bytes)
{
	for (; *n && bytes >= (*iov)->iov_len; (*iov)++, (*n)--)
		bytes -= (*iov)->iov_len;
	assert(*n || bytes == 0);
	if (bytes) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
}
