/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/os.h"
#include "host/image/image.h"

/* Of direct transfers. */
enum { SECTOR = 512, BOUNCE = 1 << 20 };

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

static int open_direct(struct image_file *f, const char *path, int flags, struct err *e)
{
#ifdef O_DIRECT
	f->direct = open(path, flags | O_DIRECT);
	f->page = (uint64_t)sysconf(_SC_PAGESIZE);
#else
	(void)flags;
	errno = EINVAL;
#endif
	if (f->direct >= 0)
		return 0;
	if (errno == EINVAL)
		return err_set(e, EINVAL,
		    "disk %s: direct: its file system cannot do without the page cache", path);
	return err_set(e, errno, "disk %s: direct: %s", path, strerror(errno));
}

void image_file_close(struct image_file *f)
{
	/* The lock goes with the descriptor. */
	close(f->fd);
	if (f->direct >= 0)
		close(f->direct);
	f->fd = f->direct = -1;
}

int image_file_open(
    struct image_file *f, const char *path, const struct image_options *o, struct err *e)
{
	bool write = !o->readonly;
	int rc = 0, flags = (write ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	struct stat st;

	f->direct = -1;
	/* Before open, which would wait for the other end of a named pipe. */
	if (stat(path, &st) < 0)
		return open_failed(errno, path, write, e);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "disk %s is a directory, not an image", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(e, EINVAL, "disk %s is neither a file nor a disk", path);
	f->fd = open(path, flags);
	if (f->fd < 0)
		return open_failed(errno, path, write, e);
	if (!o->nolock)
		rc = lock(f, path, write, e);
	if (rc == 0)
		rc = image_file_size(f, path, e);
	if (rc == 0 && o->direct)
		rc = open_direct(f, path, flags, e);
	f->in_memory = os_file_in_memory(f->fd);
	if (rc < 0)
		image_file_close(f);
	return rc;
}

/* Moves some bytes: how many, or -errno. */
static ssize_t move(int fd, bool write, const struct iovec *iov, int n, uint64_t off)
{
	ssize_t done;

	do
		done = write ? pwritev(fd, iov, n, (off_t)off) : preadv(fd, iov, n, (off_t)off);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

static bool is_aligned(const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++)
		if (((uintptr_t)iov[i].iov_base | iov[i].iov_len) % SECTOR)
			return false;
	return true;
}

/* By memory that the host's disk can reach, where the caller's is not. */
static ssize_t move_direct(const struct image_file *f, bool write, const struct iovec *iov, int n,
    uint64_t off, uint64_t len)
{
	struct iovec own = { NULL, len < BOUNCE ? len : BOUNCE };
	ssize_t done = -EINVAL;

	if (is_aligned(iov, n))
		done = move(f->direct, write, iov, n, off);
	if (done != -EINVAL)
		return done;
	if (posix_memalign(&own.iov_base, f->page, own.iov_len))
		return -ENOMEM;
	if (write)
		iov_get(iov, n, 0, own.iov_base, own.iov_len);
	done = move(f->direct, write, &own, 1, off);
	if (!write && done > 0)
		iov_put(iov, n, 0, own.iov_base, (uint64_t)done);
	free(own.iov_base);
	return done;
}

/*
 * What is not whole pages goes through the page cache; the host keeps both ways in step with each
 * other, as those who call do not change one page in two ways at the same time.
 */
static int transfer(const struct image_file *f, bool write, const struct iovec *iov, int n,
    uint64_t skip, uint64_t len, uint64_t off)
{
	while (len) {
		struct iovec part[IOV_PART];
		uint64_t want = len;
		int parts = iov_slice(part, IOV_PART, iov, n, skip, &want);
		bool direct = f->direct >= 0 && (off | want) % f->page == 0;
		ssize_t done = direct ? move_direct(f, write, part, parts, off, want)
				      : move(f->fd, write, part, parts, off);

		if (done < 0)
			return (int)done;
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
	return transfer(f, false, iov, n, skip, len, off);
}

int image_file_write(const struct image_file *f, const struct iovec *iov, int n, uint64_t skip,
    uint64_t len, uint64_t off)
{
	return transfer(f, true, iov, n, skip, len, off);
}

int image_file_now(const struct image_file *f, bool write, const struct iovec *iov, int n,
    uint64_t len, uint64_t off)
{
	if (f->in_memory)
		return transfer(f, write, iov, n, 0, len, off);
	if (write || f->direct >= 0 || n > IOV_PART ||
	    os_file_read_now(f->fd, iov, n, off) != (ssize_t)len)
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
