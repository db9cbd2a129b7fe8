/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *r, size_t cap)
{
	*r = (struct ring){ .data = malloc(cap), .cap = cap };
	return r->data ? 0 : -ENOMEM;
}

void ring_fini(struct ring *r)
{
	free(r->data);
	*r = (struct ring){ 0 };
}

size_t ring_put(struct ring *r, const uint8_t *p, size_t n)
{
	size_t room = r->cap - r->len, at, run;

	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	at = (r->head + r->len) % r->cap;
	run = r->cap - at < n ? r->cap - at : n;
	memcpy(r->data + at, p, run);
	memcpy(r->data, p + run, n - run);
	r->len += n;
	return n;
}

const uint8_t *ring_peek(const struct ring *r, size_t *n)
{
	*n = r->cap - r->head < r->len ? r->cap - r->head : r->len;
	return r->data + r->head;
}

void ring_skip(struct ring *r, size_t n)
{
	assert(n <= r->len);
	if (n == 0)
		return;
	r->head = (r->head + n) % r->cap;
	r->len -= n;
}
