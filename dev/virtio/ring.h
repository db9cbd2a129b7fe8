/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_VIRTIO_RING_H
#define DEV_VIRTIO_RING_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "dev/virtio/virtio.h"

/*
 * What split.c and packed.c share: how memory of a ring is read and written.  The guest's CPUs may
 * write to all of it at any time, so each number is read once, and checked after that.
 */
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_SIZE = 16 };

/* In both formats 8 bytes of address, 4 of length, and two numbers. */
struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t third, fourth;
};

static inline uint16_t ring_load16(const uint8_t *p, memory_order order)
{
	uint16_t x = atomic_load_explicit((const _Atomic uint16_t *)(const void *)p, order);

	return LE16(x);
}

/* The caller tells mem_written. */
static inline void ring_store16(uint8_t *p, uint16_t x)
{
	atomic_store_explicit((_Atomic uint16_t *)(void *)p, LE16(x), memory_order_release);
}

static inline void ring_store32(uint8_t *p, uint32_t x)
{
	atomic_store_explicit((_Atomic uint32_t *)(void *)p, LE32(x), memory_order_release);
}

static inline void ring_store64(uint8_t *p, uint64_t x)
{
	atomic_store_explicit((_Atomic uint64_t *)(void *)p, LE64(x), memory_order_release);
}

/* Tables behind indirect descriptors may begin at any address; those are copied as they come. */
static inline uint64_t ring_load64(const uint8_t *p)
{
	uint64_t x;

	if ((uintptr_t)p % 8) {
		memcpy(&x, p, 8);
		atomic_signal_fence(memory_order_seq_cst);
	} else {
		x = atomic_load_explicit(
		    (const _Atomic uint64_t *)(const void *)p, memory_order_acquire);
	}
	return LE64(x);
}

/* The half with the numbers first: in a packed ring they say whether the other one holds. */
static inline struct ring_desc ring_desc(const uint8_t *table, uint32_t i)
{
	const uint8_t *p = table + DESC_SIZE * (size_t)i;
	const uint64_t half = ring_load64(p + 8);

	return (struct ring_desc){
		.addr = ring_load64(p),
		.len = (uint32_t)half,
		.third = (uint16_t)(half >> 32),
		.fourth = (uint16_t)(half >> 48),
	};
}

/* The table that an indirect descriptor stands for, or NULL. */
static inline const uint8_t *ring_indirect(const struct virtio_queue *q, const struct ring_desc *d)
{
	if (!(q->v->features & VIRTIO_F_INDIRECT_DESC) || d->len == 0 || d->len % DESC_SIZE)
		return NULL;
	return mem_at(q->v->dev->env->mem, d->addr, d->len);
}

static inline bool ring_has_event_idx(const struct virtio_queue *q)
{
	return q->v->features & VIRTIO_F_EVENT_IDX;
}

#endif
