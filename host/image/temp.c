/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An image whose changes are thrown away.  The temporary file is as large as the disk and sparse; a
 * cluster is in it, at its own offset, once anything of it was written.  Clusters are as large as
 * the blocks of most guest file systems, so that a write seldom has to copy a part of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/thread.h"
#include "host/image/file.h"
#include "host/image/image.h"

enum { CLUSTER = 4096 };

struct temp {
	struct image image;
	struct image *base;
	struct image_file file;
	struct mutex change; /* one change at a time: the rest of a cluster must not come late */
	struct mutex lock;   /* for what follows */
	uint8_t *present;    /* a bit for each cluster: it is in the file */
};

static struct temp *temp_of(struct image *i)
{
	return CONTAINER_OF(i, struct temp, image);
}

static bool is_present(const struct temp *t, uint64_t cluster)
{
	return t->present[cluster / 8] >> cluster % 8 & 1;
}

static void set_present(struct temp *t, uint64_t off, uint64_t len)
{
	mutex_lock(&t->lock);
	for (uint64_t c = off / CLUSTER; c <= (off + len - 1) / CLUSTER; c++)
		t->present[c / 8] |= (uint8_t)(1 << c % 8);
	mutex_unlock(&t->lock);
}

/* How much of [off, off + len) is in the same place from its start, and whether in the file. */
static uint64_t run_at(struct temp *t, uint64_t off, uint64_t len, bool *in_file)
{
	uint64_t c = off / CLUSTER, end = off + len;

	mutex_lock(&t->lock);
	*in_file = is_present(t, c);
	do
		c++;
	while (c * CLUSTER < end && is_present(t, c) == *in_file);
	mutex_unlock(&t->lock);
	return (c * CLUSTER < end ? c * CLUSTER : end) - off;
}

static int temp_read(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	struct temp *t = temp_of(i);
	uint64_t done = 0;

	while (done < len) {
		bool in_file;
		uint64_t m = run_at(t, off + done, len - done, &in_file);
		int rc = in_file ? image_file_read(&t->file, iov, n, done, m, off + done)
				 : image_read_base(t->base, iov, n, done, off + done, m);

		if (rc < 0)
			return rc;
		done += m;
	}
	return 0;
}

/* Before a part of the cluster that holds off is written: gets the rest of it from the base. */
static int bring(struct temp *t, uint64_t off)
{
	uint64_t start = off / CLUSTER * CLUSTER;
	uint64_t n = t->image.size - start < CLUSTER ? t->image.size - start : CLUSTER;
	uint8_t data[CLUSTER];
	struct iovec iov = { data, n };
	bool in_file;
	int rc;

	if (off == start || off == t->image.size)
		return 0;
	run_at(t, start, n, &in_file);
	if (in_file)
		return 0;
	rc = image_read_base(t->base, &iov, 1, 0, start, n);
	if (rc == 0)
		rc = image_file_write(&t->file, &iov, 1, 0, n, start);
	if (rc == 0)
		set_present(t, start, n);
	return rc;
}

/* Writes, and zeroes if iov is NULL. */
static int change(struct temp *t, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	int rc;

	mutex_lock(&t->change);
	rc = bring(t, off);
	if (rc == 0)
		rc = bring(t, off + len);
	if (rc == 0 && iov)
		rc = image_file_write(&t->file, iov, n, 0, len, off);
	else if (rc == 0)
		rc = image_file_zero(&t->file, off, len, true);
	if (rc == 0)
		set_present(t, off, len);
	mutex_unlock(&t->change);
	return rc;
}

static int temp_write(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	return change(temp_of(i), iov, n, off, len);
}

static int temp_zero(struct image *i, uint64_t off, uint64_t len, bool unmap)
{
	(void)unmap;
	return change(temp_of(i), NULL, 0, off, len);
}

/* What is dropped reads as zeroes; whole clusters only, as this is a hint. */
static int temp_discard(struct image *i, uint64_t off, uint64_t len)
{
	uint64_t start = (off + CLUSTER - 1) / CLUSTER * CLUSTER;
	uint64_t end = (off + len) / CLUSTER * CLUSTER;

	return start < end ? change(temp_of(i), NULL, 0, start, end - start) : 0;
}

static int temp_kind(struct image *i, uint64_t off, uint64_t *len)
{
	bool in_file;

	*len = run_at(temp_of(i), off, *len, &in_file);
	return in_file ? IMAGE_DATA : IMAGE_HOLE;
}

static int temp_flush(struct image *i)
{
	(void)i; /* there is nothing to keep */
	return 0;
}

static size_t map_bytes(uint64_t size)
{
	return (size_t)(size / CLUSTER / 8 + 1);
}

static int temp_resize(struct image *i, uint64_t size, struct err *e)
{
	struct temp *t = temp_of(i);
	uint8_t *p;

	/* What is given up must not come back. */
	if (size < i->size) {
		int rc = change(t, NULL, 0, size, i->size - size);

		if (rc < 0)
			return err_set(
			    e, -rc, "disk %s: cannot change its size: %s", i->name, strerror(-rc));
	}
	p = calloc(map_bytes(size), 1);
	if (!p || ftruncate(t->file.fd, (off_t)size) < 0) {
		int errnum = p ? errno : ENOMEM;

		free(p);
		return err_set(
		    e, errnum, "disk %s: cannot change its size: %s", i->name, strerror(errnum));
	}
	memcpy(p, t->present, map_bytes(size < i->size ? size : i->size));
	free(t->present);
	t->present = p;
	return 0;
}

static void temp_close(struct image *i)
{
	struct temp *t = temp_of(i);

	if (t->file.fd >= 0)
		image_file_close(&t->file);
	image_close(t->base);
	mutex_fini(&t->change);
	mutex_fini(&t->lock);
	free(t->present);
	free(t);
}

static const struct image_class temp_class = {
	.name = "temp",
	.about = "changes that are thrown away",
	.read = temp_read,
	.write = temp_write,
	.zero = temp_zero,
	.discard = temp_discard,
	.flush = temp_flush,
	.resize = temp_resize,
	.kind = temp_kind,
	.close = temp_close,
};

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

struct image *image_temp_new(struct image *base, struct err *e)
{
	struct temp *t = calloc(1, sizeof *t);

	if (!t) {
		err_set(e, ENOMEM, "disk %s: no memory", base->name);
		image_close(base);
		return NULL;
	}
	mutex_init(&t->change);
	mutex_init(&t->lock);
	t->base = base;
	t->image.class = &temp_class;
	t->image.size = base->size;
	t->image.can_discard = true;
	memcpy(t->image.name, base->name, sizeof t->image.name);
	t->file.direct = -1;
	t->file.fd = open_temp(base->size, e);
	t->present = calloc(map_bytes(base->size), 1);
	if (t->file.fd < 0 || !t->present) {
		if (t->file.fd >= 0)
			err_set(e, ENOMEM, "disk %s: no memory for its snapshot", base->name);
		image_close(&t->image);
		return NULL;
	}
	return &t->image;
}
