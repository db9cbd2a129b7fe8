/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that a qcow2 image is in.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iov.h"
#include "host/image/file.h"
#include "host/image/qcow2_int.h"

struct host_file {
	struct qcow2_file file;
	struct image_file host;
};

static struct host_file *host_of(struct qcow2_file *f)
{
	return CONTAINER_OF(f, struct host_file, file);
}

static int host_read(
    struct qcow2_file *f, const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	return image_file_read(&host_of(f)->host, iov, n, skip, len, off);
}

static int host_write(
    struct qcow2_file *f, const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	return image_file_write(&host_of(f)->host, iov, n, skip, len, off);
}

static int host_zero(struct qcow2_file *f, uint64_t off, uint64_t len, bool unmap)
{
	return image_file_zero(&host_of(f)->host, off, len, unmap);
}

static int host_now(
    struct qcow2_file *f, bool write, const struct iovec *iov, int n, uint64_t len, uint64_t off)
{
	return image_file_now(&host_of(f)->host, write, iov, n, len, off);
}

static int host_sync(struct qcow2_file *f)
{
	return image_file_flush(&host_of(f)->host);
}

static int host_resize(struct qcow2_file *f, uint64_t size)
{
	int rc;

	do
		rc = ftruncate(host_of(f)->host.fd, (off_t)size);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static void host_close(struct qcow2_file *f)
{
	image_file_close(&host_of(f)->host);
	free(host_of(f));
}

static const struct qcow2_file_ops host_ops = {
	.read = host_read,
	.write = host_write,
	.zero = host_zero,
	.now = host_now,
	.sync = host_sync,
	.resize = host_resize,
	.close = host_close,
};

struct qcow2_file *qcow2_file_open(const char *path, const struct image_options *o, struct err *e)
{
	struct host_file *f = calloc(1, sizeof *f);
	struct stat st;

	if (!f) {
		err_set(e, ENOMEM, "disk %s: no memory", path);
		return NULL;
	}
	if (image_file_open(&f->host, path, o, e) < 0) {
		free(f);
		return NULL;
	}
	f->file.ops = &host_ops;
	f->file.size = f->host.size;
	f->file.fixed = fstat(f->host.fd, &st) < 0 || !S_ISREG(st.st_mode);
	return &f->file;
}

int qcow2_file_read(
    struct qcow2_file *f, const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	uint64_t size = f->size, have = off < size ? size - off : 0;
	int rc = 0;

	if (have > len)
		have = len;
	if (have)
		rc = f->ops->read(f, iov, n, skip, have, off);
	if (rc == 0 && have < len)
		iov_clear(iov, n, skip + have, len - have);
	return rc;
}

int qcow2_file_get(struct qcow2_file *f, void *to, uint64_t len, uint64_t off)
{
	struct iovec iov = { to, len };

	return qcow2_file_read(f, &iov, 1, 0, len, off);
}

int qcow2_file_put(struct qcow2_file *f, const void *from, uint64_t len, uint64_t off)
{
	/* iovecs are not const, but a write does not change what they point to. */
	struct iovec iov = { (void *)(uintptr_t)from, len };

	return f->ops->write(f, &iov, 1, 0, len, off);
}

int qcow2_file_grow(struct qcow2_file *f, uint64_t size)
{
	int rc;

	if (size <= f->size)
		return 0;
	if (f->fixed)
		return -ENOSPC;
	rc = f->ops->resize(f, size);
	if (rc == 0)
		f->size = size;
	return rc;
}
