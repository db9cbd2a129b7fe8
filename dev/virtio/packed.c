/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: VIRTIO version 1.2, section 2.8, packed virtqueues, with indirect descriptors and event
 * suppression.  The areas are, in the words of that section: q->desc_mem the descriptor ring,
 * q->driver_mem the driver event suppression structure, q->device_mem the device's.  next_avail and
 * next_used are places in the ring, next to which are the wrap counters; signalled is the number of
 * places that were used since the driver was last asked for interrupts.
 */
#include "dev/virtio/ring.h"

enum { DESC_AVAIL = 0x80, DESC_USED = 0x8000 };
enum { EVENT_SIZE = 4, EVENT_FLAGS = 2, EVENT_WRAP = 0x8000 };
enum { EVENTS_ON = 0, EVENTS_OFF = 1, EVENTS_DESC = 2, EVENTS_MASK = 3 };

static bool packed_map(struct virtio_queue *q)
{
	const struct mem *m = q->v->dev->env->mem;

	if (q->desc % 16 || q->driver % 4 || q->device % 4)
		return false;
	q->desc_mem = mem_at(m, q->desc, DESC_SIZE * (uint64_t)q->size);
	q->driver_mem = mem_at(m, q->driver, EVENT_SIZE);
	q->device_mem = mem_at(m, q->device, EVENT_SIZE);
	return q->desc_mem && q->driver_mem && q->device_mem;
}

/* Moves a place by n, at most the size of the ring. */
static void advance(const struct virtio_queue *q, uint16_t *place, bool *wrap, unsigned n)
{
	unsigned at = *place + n;

	if (at >= q->size) {
		at -= q->size;
		*wrap = !*wrap;
	}
	*place = (uint16_t)at;
}

/* Section 2.8.1. */
static bool is_available(const struct virtio_queue *q, const struct ring_desc *d)
{
	return !(d->fourth & DESC_AVAIL) == !q->avail_wrap &&
	       !(d->fourth & DESC_USED) == q->avail_wrap;
}

/* Section 2.8.10: asks for a notification of the next descriptor. */
static void ask(struct virtio_queue *q)
{
	uint16_t at = (uint16_t)(q->next_avail | (q->avail_wrap ? EVENT_WRAP : 0));

	ring_store32(q->device_mem, at | (uint32_t)EVENTS_DESC << 16);
	mem_written(q->v->dev->env->mem, q->device, EVENT_SIZE);
	atomic_thread_fence(memory_order_seq_cst);
}

/* The first descriptor of the next list; if there is none, asks for a notification first and looks
 * again. */
static bool find_first(struct virtio_queue *q, struct ring_desc *d)
{
	*d = ring_desc(q->desc_mem, q->next_avail);
	if (is_available(q, d))
		return true;
	if (!ring_has_event_idx(q))
		return false;
	ask(q);
	*d = ring_desc(q->desc_mem, q->next_avail);
	return is_available(q, d);
}

/* Section 2.8.7: in the table only WRITE counts. */
static bool add_indirect(
    struct virtio_queue *q, struct virtq_chain *c, const struct ring_desc *outer)
{
	const uint8_t *table = outer->fourth & DESC_NEXT ? NULL : ring_indirect(q, outer);
	uint32_t n = outer->len / DESC_SIZE;
	struct ring_desc d;

	if (!table || n > VIRTQ_MAX) {
		virtio_break(q->v, table ? "a chain too long" : "a bad indirect descriptor");
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		d = ring_desc(table, i);
		if (!virtq_chain_add(q, c, d.addr, d.len, d.fourth & DESC_WRITE))
			return false;
	}
	return true;
}

/* Follows the list from d, at next_avail, on; its last descriptor has the buffer's number. */
static bool walk(struct virtio_queue *q, struct virtq_chain *c, struct ring_desc d)
{
	uint16_t at = q->next_avail;
	bool wrap = q->avail_wrap;

	for (c->slots = 1; c->slots <= q->size && c->slots <= VIRTQ_MAX; c->slots++) {
		c->head = d.third;
		if (d.fourth & DESC_INDIRECT && c->slots > 1) {
			virtio_break(q->v, "an indirect descriptor in a list");
			return false;
		}
		if (d.fourth & DESC_INDIRECT)
			return add_indirect(q, c, &d);
		if (!virtq_chain_add(q, c, d.addr, d.len, d.fourth & DESC_WRITE))
			return false;
		if (!(d.fourth & DESC_NEXT))
			return true;
		advance(q, &at, &wrap, 1);
		d = ring_desc(q->desc_mem, at);
	}
	virtio_break(q->v, "a chain too long");
	return false;
}

static bool packed_pop(struct virtio_queue *q, struct virtq_chain *c)
{
	struct ring_desc d;

	if (!find_first(q, &d) || !walk(q, c, d))
		return false;
	advance(q, &q->next_avail, &q->avail_wrap, c->slots);
	return true;
}

static void packed_unpop(struct virtio_queue *q, const struct virtq_chain *c)
{
	unsigned at = q->next_avail;

	if (at < c->slots) {
		at += q->size;
		q->avail_wrap = !q->avail_wrap;
	}
	q->next_avail = (uint16_t)(at - c->slots);
}

/* In one piece: the numbers are there when the flags are. */
static void write_used(struct virtio_queue *q, size_t at, uint64_t half)
{
	ring_store64(q->desc_mem + at, half);
	mem_written(q->v->dev->env->mem, q->desc + at, 8);
}

/* The driver looks for the first one, so that is written last: section 2.8.9. */
static void packed_push(struct virtio_queue *q, const struct virtq_used *u, unsigned n)
{
	unsigned since = q->signalled;
	uint64_t half, first = 0;
	size_t at, first_at = 0;

	for (unsigned i = 0; i < n; i++, u++) {
		at = DESC_SIZE * (size_t)q->next_used + 8;
		half = (uint64_t)u->head << 32 | u->len;
		half |= (uint64_t)(u->len ? DESC_WRITE : 0) << 48;
		half |= (uint64_t)(q->used_wrap ? DESC_AVAIL | DESC_USED : 0) << 48;
		if (i) {
			write_used(q, at, half);
		} else {
			first = half;
			first_at = at;
		}
		advance(q, &q->next_used, &q->used_wrap, u->slots);
		since += u->slots;
	}
	write_used(q, first_at, first);
	q->signalled = since > q->size ? q->size : (uint16_t)since;
}

/* Section 2.8.14. */
static bool packed_wants_interrupt(struct virtio_queue *q)
{
	uint16_t since = q->signalled, flags, event;
	int at;

	q->signalled = 0;
	if (!since)
		return false;
	/* The driver stores its wish, then looks at descriptors; we store those first. */
	atomic_thread_fence(memory_order_seq_cst);
	flags = ring_load16(q->driver_mem + EVENT_FLAGS, memory_order_acquire) & EVENTS_MASK;
	if (flags != EVENTS_DESC || !ring_has_event_idx(q))
		return flags != EVENTS_OFF;
	event = ring_load16(q->driver_mem, memory_order_relaxed);
	at = event & ~EVENT_WRAP;
	if (!(event & EVENT_WRAP) == q->used_wrap)
		at -= q->size;
	/* It lies in what was used since then, which ends before next_used. */
	return at < q->next_used && at >= q->next_used - since;
}

const struct virtq_ops virtq_packed = {
	.map = packed_map,
	.pop = packed_pop,
	.unpop = packed_unpop,
	.push = packed_push,
	.wants_interrupt = packed_wants_interrupt,
};
