/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: VIRTIO version 1.2, section 2.7, split virtqueues, with indirect descriptors and event
 * indices.  The areas are, in the words of that section: q->desc_mem the descriptor table,
 * q->driver_mem the available ring, q->device_mem the used ring.
 */
#include "dev/virtio/ring.h"

enum { USED_SIZE = 8, RING_HEAD = 4 /* flags and idx before the ring */ };
enum { AVAIL_NO_INTERRUPT = 1 };

static void store16(struct virtio_queue *q, uint8_t *p, uint16_t x)
{
	ring_store16(p, x);
	mem_written(q->v->dev->env->mem, q->device + (uint64_t)(p - q->device_mem), 2);
}

static bool split_map(struct virtio_queue *q)
{
	const struct mem *m = q->v->dev->env->mem;

	if (q->desc % 16 || q->driver % 2 || q->device % 4)
		return false;
	q->desc_mem = mem_at(m, q->desc, DESC_SIZE * (uint64_t)q->size);
	q->driver_mem = mem_at(m, q->driver, RING_HEAD + 2 + 2 * (uint64_t)q->size);
	q->device_mem = mem_at(m, q->device, RING_HEAD + 2 + USED_SIZE * (uint64_t)q->size);
	return q->desc_mem && q->driver_mem && q->device_mem;
}

/* The driver's idx; if it has nothing new, asks for a notification first and looks again. */
static uint16_t avail_idx(struct virtio_queue *q)
{
	uint16_t idx = ring_load16(q->driver_mem + 2, memory_order_acquire);

	if (idx != q->next_avail || !ring_has_event_idx(q))
		return idx;
	store16(q, q->device_mem + RING_HEAD + USED_SIZE * (size_t)q->size, q->next_avail);
	atomic_thread_fence(memory_order_seq_cst);
	return ring_load16(q->driver_mem + 2, memory_order_acquire);
}

/* Follows the chain from descriptor i on. */
static bool walk(struct virtio_queue *q, struct virtq_chain *c, uint32_t i)
{
	const uint8_t *table = q->desc_mem;
	uint32_t size = q->size, left = q->size;
	bool indirect = false;
	struct ring_desc d;
	uint16_t flags;

	for (; i < size && left; i = d.fourth, left--) {
		d = ring_desc(table, i);
		flags = d.third;
		if (flags & DESC_INDIRECT) {
			table = indirect || flags & DESC_NEXT ? NULL : ring_indirect(q, &d);
			if (!table) {
				virtio_break(q->v, "a bad indirect descriptor");
				return false;
			}
			indirect = true;
			size = d.len / DESC_SIZE;
			left = VIRTQ_MAX + 1;
			d.fourth = 0;
			continue;
		}
		if (!virtq_chain_add(q, c, d.addr, d.len, flags & DESC_WRITE))
			return false;
		if (!(flags & DESC_NEXT))
			return true;
	}
	virtio_break(q->v, left ? "a descriptor outside of the table" : "a chain too long");
	return false;
}

static bool split_pop(struct virtio_queue *q, struct virtq_chain *c)
{
	uint16_t n = (uint16_t)(avail_idx(q) - q->next_avail);

	if (n == 0)
		return false;
	if (n > q->size) {
		virtio_break(q->v, "more chains available than descriptors");
		return false;
	}
	c->head =
	    ring_load16(q->driver_mem + RING_HEAD + 2 * (size_t)(q->next_avail & (q->size - 1)),
		memory_order_relaxed);
	if (!walk(q, c, c->head))
		return false;
	c->slots = 1;
	q->next_avail++;
	return true;
}

static void split_unpop(struct virtio_queue *q, const struct virtq_chain *c)
{
	(void)c;
	q->next_avail--;
}

static void split_push(struct virtio_queue *q, const struct virtq_used *u, unsigned n)
{
	size_t at;

	for (; n; n--, u++) {
		at = RING_HEAD + USED_SIZE * (size_t)(q->next_used & (q->size - 1));
		ring_store32(q->device_mem + at, u->head);
		ring_store32(q->device_mem + at + 4, u->len);
		mem_written(q->v->dev->env->mem, q->device + at, USED_SIZE);
		q->next_used += u->slots;
	}
	store16(q, q->device_mem + 2, q->next_used);
}

/* Sections 2.7.7 and 2.7.10. */
static bool split_wants_interrupt(struct virtio_queue *q)
{
	uint16_t old = q->signalled, event;

	q->signalled = q->next_used;
	if (old == q->next_used)
		return false;
	/* The driver stores its wish, then looks at our idx; we store idx, then look at the wish.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	if (!ring_has_event_idx(q))
		return !(ring_load16(q->driver_mem, memory_order_relaxed) & AVAIL_NO_INTERRUPT);
	event = ring_load16(q->driver_mem + RING_HEAD + 2 * (size_t)q->size, memory_order_relaxed);
	return (uint16_t)(q->next_used - event - 1) < (uint16_t)(q->next_used - old);
}

const struct virtq_ops virtq_split = {
	.map = split_map,
	.pop = split_pop,
	.unpop = split_unpop,
	.push = split_push,
	.wants_interrupt = split_wants_interrupt,
};
