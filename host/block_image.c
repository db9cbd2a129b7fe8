/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk for devices, made of an image.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "core/block.h"
#include "host/block.h"
#include "host/image/image.h"

struct block_image {
	struct block block;
	struct image *image;
};

static int run(struct image *i, const struct block_req *q)
{
	switch (q->op) {
	case BLOCK_READ:
		return image_read(i, q->iov, q->niov, q->off, q->len);
	case BLOCK_WRITE:
		return image_write(i, q->iov, q->niov, q->off, q->len);
	case BLOCK_FLUSH:
		return image_flush(i);
	case BLOCK_DISCARD:
		return image_discard(i, q->off, q->len);
	case BLOCK_ZERO:
		return image_zero(i, q->off, q->len, q->unmap);
	}
	return -EINVAL;
}

static void submit(struct block *b, struct block_req *q)
{
	q->done(q, run(CONTAINER_OF(b, struct block_image, block)->image, q));
}

static void free_block(struct block *b)
{
	struct block_image *d = CONTAINER_OF(b, struct block_image, block);

	image_close(d->image);
	free(d);
}

static const struct block_ops ops = { .submit = submit, .free = free_block };

static struct image *open_image(const char *path, bool readonly, bool snapshot, struct err *e)
{
	struct image_options o = { .readonly = readonly || snapshot };
	struct image *i = image_open(path, &o, e);

	return i && snapshot ? image_temp_new(i, e) : i;
}

struct block *block_open(const char *path, bool readonly, bool snapshot, struct err *e)
{
	struct image *i = open_image(path, readonly, snapshot, e);
	struct block_image *d;

	if (!i)
		return NULL;
	d = calloc(1, sizeof *d);
	if (!d) {
		err_set(e, ENOMEM, "disk %s: no memory", path);
		image_close(i);
		return NULL;
	}
	d->image = i;
	d->block.ops = &ops;
	d->block.size = i->size;
	d->block.readonly = readonly;
	d->block.discard = i->can_discard;
	memcpy(d->block.name, i->name, sizeof d->block.name);
	return &d->block;
}
