/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/block.h"
#include "host/block_file.h"

/*
 * A disk whose changes are thrown away.  The temporary file is as large as the disk and sparse; a
 * cluster is in it, at its own offset, once anything of it was written.  Clusters are as large as
 * the blocks of most guest file systems, so that a write seldom has to copy a part of one.
 */
enum { CLUSTER = 4096 };

struct snapshot {
	struct block block;
	struct block_file base;
	int temp;
	uint8_t *present; /* a bit for each cluster: it is in temp */
};

static bool is_present(const struct snapshot *s, uint64_t cluster)
{
	return s->present[cluster / 8] >> cluster % 8 & 1;
}

static void set_present(struct snapshot *s, uint64_t off, uint64_t len)
{
	for (uint64_t c = off / CLUSTER; c <= (off + len - 1) / CLUSTER; c++)
		s->present[c / 8] |= (uint8_t)(1 << c % 8);
}

/* How much of [off, off + len) is in the same file from its start, and in which. */
static uint64_t run_at(const struct snapshot *s, uint64_t off, uint64_t len, bool *in_temp)
{
	uint64_t c = off / CLUSTER, end = off + len;

	*in_temp = is_present(s, c);
	do
		c++;
	while (c * CLUSTER < end && is_present(s, c) == *in_temp);
	return (c * CLUSTER < end ? c * CLUSTER : end) - off;
}

static int snapshot_read(struct snapshot *s, const struct block_req *q)
{
	uint64_t done = 0;

	while (done < q->len) {
		bool in_temp;
		uint64_t n = run_at(s, q->off + done, q->len - done, &in_temp);
		int rc = block_file_read(
		    in_temp ? s->temp : s->base.fd, q->iov, q->niov, done, n, q->off + done);

		if (rc < 0)
			return rc;
		done += n;
	}
	return 0;
}

/* Before a part of the cluster that holds off is written: gets the rest of it from the base. */
static int bring(struct snapshot *s, uint64_t off)
{
	uint64_t start = off / CLUSTER * CLUSTER;
	uint64_t n = s->block.size - start < CLUSTER ? s->block.size - start : CLUSTER;
	uint8_t data[CLUSTER];
	struct iovec iov = { data, n };
	int rc;

	if (off == start || off == s->block.size || is_present(s, off / CLUSTER))
		return 0;
	rc = block_file_read(s->base.fd, &iov, 1, 0, n, start);
	if (rc == 0)
		rc = block_file_write(s->temp, &iov, 1, 0, n, start);
	if (rc == 0)
		set_present(s, start, n);
	return rc;
}

/* Writes, and zeroes. */
static int snapshot_change(struct snapshot *s, const struct block_req *q)
{
	int rc;

	if (q->len == 0)
		return 0;
	rc = bring(s, q->off);
	if (rc == 0)
		rc = bring(s, q->off + q->len);
	if (rc < 0)
		return rc;
	if (q->op == BLOCK_WRITE)
		rc = block_file_write(s->temp, q->iov, q->niov, 0, q->len, q->off);
	else
		rc = block_file_zero(s->temp, q->off, q->len, true);
	if (rc == 0)
		set_present(s, q->off, q->len);
	return rc;
}

static void snapshot_submit(struct block *b, struct block_req *q)
{
	struct snapshot *s = CONTAINER_OF(b, struct snapshot, block);
	int rc = 0;

	if (q->op == BLOCK_READ)
		rc = snapshot_read(s, q);
	else if (q->op != BLOCK_FLUSH) /* there is nothing to keep */
		rc = snapshot_change(s, q);
	q->done(q, rc);
}

static void snapshot_free(struct block *b)
{
	struct snapshot *s = CONTAINER_OF(b, struct snapshot, block);

	if (s->temp >= 0)
		close(s->temp);
	block_file_close(&s->base);
	free(s->present);
	free(s);
}

static const struct block_ops snapshot_ops = { .submit = snapshot_submit, .free = snapshot_free };

/* A file of that size without a name. */
static int open_temp(uint64_t size, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd, n;

	if (!dir || !*dir)
		dir = "/var/tmp";
	n = snprintf(path, sizeof path, "%s/lodge.XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof path)
		return err_set(e, ENAMETOOLONG, "TMPDIR is too long");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot make a temporary file in %s: %s (set TMPDIR)", dir,
		    strerror(errno));
	unlink(path);
	if (ftruncate(fd, (off_t)size) < 0) {
		n = errno;
		close(fd);
		return err_set(e, n, "cannot make a temporary file as large as the disk in %s: %s",
		    dir, strerror(n));
	}
	return fd;
}

struct block *block_snapshot_new(struct block_file f, const char *path, struct err *e)
{
	struct snapshot *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(e, ENOMEM, "disk %s: no memory", path);
		block_file_close(&f);
		return NULL;
	}
	s->base = f;
	s->block.ops = &snapshot_ops;
	s->block.size = f.size;
	s->block.discard = true;
	block_name(s->block.name, path);
	s->temp = open_temp(f.size, e);
	s->present = calloc(f.size / CLUSTER / 8 + 1, 1);
	if (s->temp < 0 || !s->present) {
		if (s->temp >= 0)
			err_set(e, ENOMEM, "disk %s: no memory for its snapshot", path);
		snapshot_free(&s->block);
		return NULL;
	}
	return &s->block;
}
