/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "host/image/image.h"
#include "host/image/iov.h"

static int open_failed(int errnum, const char *path, bool write, struct err *e)
{
	if (errnum == ENOENT)
		return err_set(e, ENOENT, "disk %s: there is no such file", path);
	if (write && (errnum == EACCES || errnum == EROFS) &&
	    faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0)
		return err_set(
		    e, errnum, "disk %s can be read but not written: add ,ro or ,snapshot", path);
	return err_set(e, errnum, "disk %s cannot be opened: %s", path, strerror(errnum));
}

int image_file_size(struct image_file *f, const char *path, struct err *e)
{
	/* The size that fstat knows is 0 for devices. */
	off_t size = lseek(f->fd, 0, SEEK_END);

	if (size < 0)
		return err_set(e, errno, "disk %s has no size: %s", path, strerror(errno));
	f->size = (uint64_t)size;
	return 0;
}

static int lock(const struct image_file *f, const char *path, bool write, struct err *e)
{
	/* Where the file system has no locks at all, that is no reason not to run. */
	if (os_file_lock(f->fd, write) == -EAGAIN)
		return err_set(e, EBUSY, "disk %s is in use by another process", path);
	return 0;
}

void image_file_close(struct image_file *f)
{
	/* The lock goes with the descriptor. */
	close(f->fd);
	f->fd = -1;
}

int image_file_open(
    struct image_file *f, const char *path, const struct image_options *o, struct err *e)
{
	bool write = !o->readonly;
	struct stat st;
	int rc = 0;

	/* Before open, which would wait for the other end of a named pipe. */
	if (stat(path, &st) < 0)
		return open_failed(errno, path, write, e);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "disk %s is a directory, not an image", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(e, EINVAL, "disk %s is neither a file nor a disk", path);
	f->fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (f->fd < 0)
		return open_failed(errno, path, write, e);
	if (!o->nolock)
		rc = lock(f, path, write, e);
	if (rc == 0)
		rc = image_file_size(f, path, e);
	f->in_memory = os_file_in_memory(f->fd);
	if (rc < 0)
		image_file_close(f);
	return rc;
}

static int transfer(ssize_t (*move)(int, const struct iovec *, int, off_t), int fd,
    const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	while (len) {
		struct iovec part[IOV_PART];
		uint64_t want = len;
		int parts = iov_slice(part, IOV_PART, iov, n, skip, &want);
		ssize_t done = move(fd, part, parts, (off_t)off);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		/* Somebody has made the file shorter. */
		if (done == 0)
			return -EIO;
		skip += (uint64_t)done;
		off += (uint64_t)done;
		len -= (uint64_t)done;
	}
	return 0;
}

int image_file_read(const struct image_file *f, const struct iovec *iov, int n, uint64_t skip,
    uint64_t len, uint64_t off)
{
	return transfer(preadv, f->fd, iov, n, skip, len, off);
}

int image_file_write(const struct image_file *f, const struct iovec *iov, int n, uint64_t skip,
    uint64_t len, uint64_t off)
{
	return transfer(pwritev, f->fd, iov, n, skip, len, off);
}

int image_file_now(const struct image_file *f, bool write, const struct iovec *iov, int n,
    uint64_t len, uint64_t off)
{
	if (f->in_memory)
		return transfer(write ? pwritev : preadv, f->fd, iov, n, 0, len, off);
	if (write || n > IOV_PART || os_file_read_now(f->fd, iov, n, off) != (ssize_t)len)
		return -EAGAIN;
	return 0;
}

static int write_zeroes(const struct image_file *f, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[65536];
	/* iovecs are not const, but a write does not change what they point to. */
	struct iovec iov = { (void *)(uintptr_t)zeroes, sizeof zeroes };
	int rc = 0;

	while (len && rc == 0) {
		uint64_t n = len < sizeof zeroes ? len : sizeof zeroes;

		rc = image_file_write(f, &iov, 1, 0, n, off);
		off += n;
		len -= n;
	}
	return rc;
}

int image_file_zero(const struct image_file *f, uint64_t off, uint64_t len, bool unmap)
{
	int rc = -ENOTSUP;

	if (len == 0)
		return 0;
	if (unmap)
		rc = os_file_zero(f->fd, off, len, 1);
	if (rc == -ENOTSUP)
		rc = os_file_zero(f->fd, off, len, 0);
	if (rc == -ENOTSUP)
		rc = write_zeroes(f, off, len);
	return rc;
}

int image_file_discard(const struct image_file *f, uint64_t off, uint64_t len)
{
	int rc = len ? os_file_zero(f->fd, off, len, 1) : 0;

	/* It is a hint. */
	return rc == -ENOTSUP ? 0 : rc;
}

int image_file_flush(const struct image_file *f)
{
	int rc;

	do
		rc = fdatasync(f->fd);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}
