/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_DELTA_H
#define MACHINE_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * What is different in memory between two moments: of pages that differ, by number, the words that
 * do, as the exclusive or of both.  So one thing takes memory there and back, and two that follow
 * each other are easily one.  Pages are of MEM_PAGE bytes, aligned.  It is made in a buffer, page
 * by page in their order.
 */
struct delta {
	uint8_t *data;
	size_t len;
};

/* Nothing, if they are the same. */
void delta_put(struct buf *, uint32_t page, const void *was, const void *is);
/* a, and then b. */
void delta_put_both(struct buf *, const struct delta *a, const struct delta *b);
/* Takes what is in the buffer.  false: no memory, or there was none for the buffer. */
bool delta_make(struct delta *, const struct buf *);
void delta_free(struct delta *);

/* The page that is at that offset, which goes to the next one; false: there are no more. */
bool delta_next(const struct delta *, size_t *at, uint32_t *page);
/* The page that begins at that offset takes the other moment's place. */
void delta_apply(const struct delta *, size_t at, void *page);

#endif
