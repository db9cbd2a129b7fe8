/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "core/block.h"
#include "host/block.h"
#include "host/block_file.h"

/* A raw image: byte n of the disk is byte n of the file. */
struct raw {
	struct block block;
	struct block_file file;
};

static int raw_flush(const struct raw *r)
{
	int rc;

	if (r->block.readonly)
		return 0;
	do
		rc = fdatasync(r->file.fd);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static int raw_discard(const struct raw *r, uint64_t off, uint64_t len)
{
	int rc = len ? os_file_zero(r->file.fd, off, len, 1) : 0;

	/* It is a hint. */
	return rc == -ENOTSUP ? 0 : rc;
}

static void raw_submit(struct block *b, struct block_req *q)
{
	struct raw *r = CONTAINER_OF(b, struct raw, block);
	int fd = r->file.fd, rc = -EINVAL;

	switch (q->op) {
	case BLOCK_READ:
		rc = block_file_read(fd, q->iov, q->niov, 0, q->len, q->off);
		break;
	case BLOCK_WRITE:
		rc = block_file_write(fd, q->iov, q->niov, 0, q->len, q->off);
		break;
	case BLOCK_FLUSH:
		rc = raw_flush(r);
		break;
	case BLOCK_DISCARD:
		rc = raw_discard(r, q->off, q->len);
		break;
	case BLOCK_ZERO:
		rc = block_file_zero(fd, q->off, q->len, q->unmap);
		break;
	}
	q->done(q, rc);
}

static void raw_free(struct block *b)
{
	struct raw *r = CONTAINER_OF(b, struct raw, block);

	block_file_close(&r->file);
	free(r);
}

static const struct block_ops raw_ops = { .submit = raw_submit, .free = raw_free };

struct block *block_raw_new(struct block_file f, const char *path, bool readonly, struct err *e)
{
	struct raw *r = calloc(1, sizeof *r);

	if (!r) {
		err_set(e, ENOMEM, "disk %s: no memory", path);
		block_file_close(&f);
		return NULL;
	}
	r->file = f;
	r->block.ops = &raw_ops;
	r->block.size = f.size;
	r->block.readonly = readonly;
	r->block.discard = !readonly;
	block_name(r->block.name, path);
	return &r->block;
}

struct block *block_open(const char *path, bool readonly, bool snapshot, struct err *e)
{
	struct block_file f;
	struct block *b;

	if (block_file_open(&f, path, !readonly && !snapshot, e) < 0)
		return NULL;
	if (!snapshot)
		return block_raw_new(f, path, readonly, e);
	b = block_snapshot_new(f, path, e);
	if (b)
		b->readonly = readonly;
	return b;
}
