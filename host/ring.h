/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_RING_H
#define HOST_RING_H

#include <stddef.h>
#include <stdint.h>

/* A bounded queue of bytes.  No locks of its own. */
struct ring {
	uint8_t *data;
	size_t cap, head, len; /* the oldest byte is data[head] */
};

int ring_init(struct ring *, size_t cap); /* 0 or -ENOMEM */
void ring_fini(struct ring *);
/* Appends as much as there is room for; the number of bytes. */
size_t ring_put(struct ring *, const uint8_t *, size_t);
/* The oldest bytes that lie in one run, and how many. */
const uint8_t *ring_peek(const struct ring *, size_t *n);
void ring_skip(struct ring *, size_t n); /* n <= len */

#endif
