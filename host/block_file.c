/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

void block_name(char name[64], const char *path)
{
	size_t n = strlen(path);

	strcpy(name, n < 64 ? path : path + n - 63);
}

void block_file_close(struct block_file *f)
{
	/* The lock goes with the descriptor. */
	close(f->fd);
	f->fd = -1;
}

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

static int check_size(struct block_file *f, const char *path, struct err *e)
{
	/* The size that fstat knows is 0 for devices. */
	off_t size = lseek(f->fd, 0, SEEK_END);

	if (size < 0)
		return err_set(e, errno, "disk %s has no size: %s", path, strerror(errno));
	f->size = (uint64_t)size;
	if (size == 0)
		return err_set(e, EINVAL, "disk %s is empty", path);
	if (size % 512)
		return err_set(e, EINVAL,
		    "disk %s has %" PRIu64 " bytes, not a multiple of 512: "
		    "make it longer (truncate -s %%512), if it is a raw image",
		    path, f->size);
	return 0;
}

static int check_format(const struct block_file *f, const char *path, struct err *e)
{
	char magic[4];
	struct iovec iov = { magic, sizeof magic };
	int rc = block_file_read(f->fd, &iov, 1, 0, sizeof magic, 0);

	if (rc < 0)
		return err_set(e, -rc, "disk %s cannot be read: %s", path, strerror(-rc));
	if (memcmp(magic, "QFI\xfb", 4) == 0)
		return err_set(
		    e, EINVAL, "disk %s is a qcow2 image: only raw images are supported", path);
	return 0;
}

static int lock(const struct block_file *f, const char *path, bool write, struct err *e)
{
	/* Where the file system has no locks at all, that is no reason not to run. */
	if (os_file_lock(f->fd, write) == -EAGAIN)
		return err_set(e, EBUSY, "disk %s is in use by another process", path);
	return 0;
}

int block_file_open(struct block_file *f, const char *path, bool write, struct err *e)
{
	struct stat st;
	int rc;

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
	rc = lock(f, path, write, e);
	if (rc == 0)
		rc = check_size(f, path, e);
	if (rc == 0)
		rc = check_format(f, path, e);
	if (rc < 0)
		block_file_close(f);
	return rc;
}

/* The part of iov from byte skip on that has at most len bytes, in at most max pieces. */
static int slice(
    struct iovec *out, int max, const struct iovec *iov, int n, uint64_t skip, uint64_t len)
{
	int used = 0;

	for (int i = 0; i < n && used < max && len; i++) {
		uint64_t have = iov[i].iov_len;

		if (skip >= have) {
			skip -= have;
			continue;
		}
		have -= skip;
		out[used].iov_base = (char *)iov[i].iov_base + skip;
		out[used].iov_len = have < len ? have : len;
		len -= out[used++].iov_len;
		skip = 0;
	}
	return used;
}

static int transfer(ssize_t (*move)(int, const struct iovec *, int, off_t), int fd,
    const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	while (len) {
		struct iovec part[64];
		int parts = slice(part, ARRAY_LEN(part), iov, n, skip, len);
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

int block_file_read(
    int fd, const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	return transfer(preadv, fd, iov, n, skip, len, off);
}

int block_file_write(
    int fd, const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	return transfer(pwritev, fd, iov, n, skip, len, off);
}

static int write_zeroes(int fd, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[65536];
	/* iovecs are not const, but a write does not change what they point to. */
	struct iovec iov = { (void *)(uintptr_t)zeroes, sizeof zeroes };
	int rc = 0;

	while (len && rc == 0) {
		uint64_t n = len < sizeof zeroes ? len : sizeof zeroes;

		rc = block_file_write(fd, &iov, 1, 0, n, off);
		off += n;
		len -= n;
	}
	return rc;
}

int block_file_zero(int fd, uint64_t off, uint64_t len, bool unmap)
{
	int rc = -ENOTSUP;

	if (len == 0)
		return 0;
	if (unmap)
		rc = os_file_zero(fd, off, len, 1);
	if (rc == -ENOTSUP)
		rc = os_file_zero(fd, off, len, 0);
	if (rc == -ENOTSUP)
		rc = write_zeroes(fd, off, len);
	return rc;
}
