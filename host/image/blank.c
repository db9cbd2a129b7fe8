/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands for an image where there is none: in a machine that plays a recording again, which
 * has all that was read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/image/image.h"

static int blank_move(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	(void)i, (void)iov, (void)n, (void)off, (void)len;
	return 0;
}

static int blank_zero(struct image *i, uint64_t off, uint64_t len, bool unmap)
{
	(void)i, (void)off, (void)len, (void)unmap;
	return 0;
}

static int blank_discard(struct image *i, uint64_t off, uint64_t len)
{
	(void)i, (void)off, (void)len;
	return 0;
}

static int blank_flush(struct image *i)
{
	(void)i;
	return 0;
}

static void blank_close(struct image *i)
{
	free(i);
}

struct image *image_blank_new(uint64_t size, const char *name, struct err *e)
{
	static const struct image_class class = {
		.name = "none",
		.about = "of a recording",
		.read = blank_move,
		.write = blank_move,
		.zero = blank_zero,
		.discard = blank_discard,
		.flush = blank_flush,
		.close = blank_close,
	};
	struct image *i = calloc(1, sizeof *i);

	if (!i) {
		err_set(e, ENOMEM, "disk %s: no memory", name);
		return NULL;
	}
	i->class = &class;
	i->size = size;
	i->can_discard = true;
	snprintf(i->name, sizeof i->name, "%s", name);
	return i;
}
