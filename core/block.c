/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/block.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/iov.h"

void block_submit(struct block *b, struct block_req *r)
{
	bool moves = r->op == BLOCK_READ || r->op == BLOCK_WRITE;
	uint64_t size = b->size;
	int rc = 0;

	if (r->op != BLOCK_FLUSH && (r->off > size || r->len > size - r->off))
		rc = -EINVAL;
	else if (moves && !iov_is_long(r->iov, (unsigned)r->niov, r->len))
		rc = -EINVAL;
	else if (b->readonly && r->op != BLOCK_READ && r->op != BLOCK_FLUSH)
		rc = -EROFS;
	if (rc < 0)
		r->done(r, rc);
	else
		b->ops->submit(b, r);
}

void block_plug(struct block *b)
{
	if (b->ops->plug)
		b->ops->plug(b, true);
}

void block_unplug(struct block *b)
{
	if (b->ops->plug)
		b->ops->plug(b, false);
}

void block_settle(struct block *b)
{
	if (b->ops->settle)
		b->ops->settle(b);
}

void block_drain(struct block *b)
{
	if (b->ops->drain)
		b->ops->drain(b);
}

int block_resize(struct block *b, uint64_t size, struct err *e)
{
	return b->ops->resize ? b->ops->resize(b, size, e)
			      : err_set(e, ENOTSUP, "disk %s: its size cannot be changed", b->name);
}

void block_stats(struct block *b, struct block_stats *s)
{
	memset(s, 0, sizeof *s);
	if (b->ops->stats)
		b->ops->stats(b, s);
}

void block_free(struct block *b)
{
	if (b)
		b->ops->free(b);
}
