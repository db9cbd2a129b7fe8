/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/block.h"

#include <errno.h>
#include <stddef.h>

/* A request's buffers are as long as it says. */
static bool iov_fits(const struct block_req *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < r->niov; i++) {
		if (r->iov[i].iov_len > r->len - sum)
			return false;
		sum += r->iov[i].iov_len;
	}
	return sum == r->len;
}

void block_submit(struct block *b, struct block_req *r)
{
	bool moves = r->op == BLOCK_READ || r->op == BLOCK_WRITE;
	int rc = 0;

	if (r->op != BLOCK_FLUSH && (r->off > b->size || r->len > b->size - r->off))
		rc = -EINVAL;
	else if (moves && !iov_fits(r))
		rc = -EINVAL;
	else if (b->readonly && r->op != BLOCK_READ && r->op != BLOCK_FLUSH)
		rc = -EROFS;
	if (rc < 0)
		r->done(r, rc);
	else
		b->ops->submit(b, r);
}

void block_free(struct block *b)
{
	if (b)
		b->ops->free(b);
}
