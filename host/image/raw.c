/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A raw image: byte n of the disk is byte n of the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/image/file.h"
#include "host/image/image.h"

struct raw {
	struct image image;
	struct image_file file;
};

static struct raw *raw_of(struct image *i)
{
	return CONTAINER_OF(i, struct raw, image);
}

static int check_size(uint64_t size, const char *path, struct err *e)
{
	if (size == 0)
		return err_set(e, EINVAL, "disk %s is empty", path);
	if (size % 512)
		return err_set(e, EINVAL,
		    "disk %s has %" PRIu64 " bytes, not a multiple of 512: "
		    "make it longer (truncate -s %%512), if it is a raw image",
		    path, size);
	return 0;
}

static struct image *raw_open(const char *path, const struct image_options *o, struct err *e)
{
	struct raw *r = calloc(1, sizeof *r);

	if (!r) {
		err_set(e, ENOMEM, "disk %s: no memory", path);
		return NULL;
	}
	if (image_file_open(&r->file, path, o, e) < 0) {
		free(r);
		return NULL;
	}
	if (check_size(r->file.size, path, e) < 0) {
		image_file_close(&r->file);
		free(r);
		return NULL;
	}
	r->image.size = r->file.size;
	r->image.can_discard = !o->readonly;
	return &r->image;
}

static int raw_read(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	return image_file_read(&raw_of(i)->file, iov, n, 0, len, off);
}

static int raw_write(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	return image_file_write(&raw_of(i)->file, iov, n, 0, len, off);
}

static int raw_now(
    struct image *i, bool write, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	return image_file_now(&raw_of(i)->file, write, iov, n, len, off);
}

static int raw_zero(struct image *i, uint64_t off, uint64_t len, bool unmap)
{
	return image_file_zero(&raw_of(i)->file, off, len, unmap);
}

static int raw_discard(struct image *i, uint64_t off, uint64_t len)
{
	return image_file_discard(&raw_of(i)->file, off, len);
}

static int raw_flush(struct image *i)
{
	return image_file_flush(&raw_of(i)->file);
}

static int raw_resize(struct image *i, uint64_t size, struct err *e)
{
	struct raw *r = raw_of(i);
	struct stat st;

	/* A disk of the host has the size that it has, but that may have changed. */
	if (fstat(r->file.fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (image_file_size(&r->file, i->name, e) < 0)
			return -EIO;
		if (size > r->file.size)
			return err_set(e, EINVAL, "disk %s has no more than %" PRIu64 " bytes",
			    i->name, r->file.size);
	} else if (ftruncate(r->file.fd, (off_t)size) < 0) {
		return err_set(
		    e, errno, "disk %s: cannot change its size: %s", i->name, strerror(errno));
	}
	r->file.size = size;
	return 0;
}

/* What a hole is only the file system knows: where it does not, all is data. */
static int raw_kind(struct image *i, uint64_t off, uint64_t *len)
{
#ifdef SEEK_DATA
	struct raw *r = raw_of(i);
	uint64_t end = off + *len;
	off_t data = lseek(r->file.fd, (off_t)off, SEEK_DATA), hole;

	if (data < 0)
		return errno == ENXIO ? IMAGE_ZERO : IMAGE_DATA;
	if ((uint64_t)data > off) {
		if ((uint64_t)data < end)
			*len = (uint64_t)data - off;
		return IMAGE_ZERO;
	}
	hole = lseek(r->file.fd, (off_t)off, SEEK_HOLE);
	if (hole > (off_t)off && (uint64_t)hole < end)
		*len = (uint64_t)hole - off;
	return IMAGE_DATA;
#else
	(void)i, (void)off, (void)len;
	return IMAGE_DATA;
#endif
}

static void raw_close(struct image *i)
{
	struct raw *r = raw_of(i);

	image_file_close(&r->file);
	free(r);
}

const struct image_class image_raw = {
	.name = "raw",
	.about = "the disk's bytes as they are: a file, or a disk of the host",
	.open = raw_open,
	.read = raw_read,
	.write = raw_write,
	.now = raw_now,
	.zero = raw_zero,
	.discard = raw_discard,
	.flush = raw_flush,
	.resize = raw_resize,
	.kind = raw_kind,
	.close = raw_close,
};
