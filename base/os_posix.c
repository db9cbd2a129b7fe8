/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

/* Linux and NetBSD reserve swap for writable memory unless told not to; the others never do. */
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t os_clock_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t os_wall_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

void *os_pages_new(size_t len)
{
	void *p =
	    mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void os_pages_free(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}

void *os_ram_new(size_t len, struct err *e)
{
	void *p = os_pages_new(len);

	if (!p)
		err_set(e, errno, "cannot get %zu MiB of memory for the guest: %s", len >> 20,
		    strerror(errno));
	return p;
}

void os_ram_free(void *p, size_t len)
{
	os_pages_free(p, len);
}

void os_ram_discard(void *p, size_t len)
{
	/* New pages over the old ones, in one step: what madvise can do differs between systems.
	 * Where the host refuses even that, zeroes are still owed. */
	if (mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE | MAP_FIXED,
		-1, 0) == MAP_FAILED)
		memset(p, 0, len);
}

static int share(int fd, void *at, size_t len, void **view)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_NORESERVE;
	void *p;

	if (ftruncate(fd, (off_t)len) < 0)
		return -errno;
	p = mmap(NULL, len, prot, flags, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	if (mmap(at, len, prot, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
		int rc = -errno;

		munmap(p, len);
		return rc;
	}
	*view = p;
	return 0;
}

int os_ram_share(void *at, size_t len, void **view)
{
	int rc, fd = os_nameless();

	if (fd < 0)
		return -errno;
	rc = share(fd, at, len, view);
	close(fd);
	return rc;
}

int os_ram_map(void *p, size_t len, int fd, uint64_t off)
{
	if (mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
		(off_t)off) == MAP_FAILED)
		return -errno;
	return 0;
}

int os_rename_new(const char *from, const char *to)
{
#ifdef RENAME_NOREPLACE /* Linux; some file systems say EINVAL */
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
#endif
	if (link(from, to) < 0)
		return -errno;
	unlink(from);
	return 0;
}

int os_file_read(int fd, void *to, size_t len, uint64_t off)
{
	uint8_t *p = to;

	for (ssize_t n; len; p += n, off += (size_t)n, len -= (size_t)n) {
		n = pread(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
	}
	return 0;
}

int os_file_write(int fd, const void *from, size_t len, uint64_t off)
{
	const uint8_t *p = from;

	for (ssize_t n; len; p += n, off += (size_t)n, len -= (size_t)n) {
		n = pwrite(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
	}
	return 0;
}

/* poll(2) says which there are, many at a time. */
void os_close_from(int first, int keep)
{
	enum { SOME = 256, MOST = 1 << 16 };
	long end = sysconf(_SC_OPEN_MAX);
	struct pollfd p[SOME];

	if (end < 0 || end > MOST)
		end = MOST;
	for (int at = first; at < end; at += SOME) {
		const int n = end - at < SOME ? (int)end - at : SOME;

		for (int i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = at + i };
		if (poll(p, (nfds_t)n, 0) < 0)
			continue;
		for (int i = 0; i < n; i++)
			if (!(p[i].revents & POLLNVAL) && p[i].fd != keep)
				close(p[i].fd);
	}
}

int os_tty_raw(int fd, struct termios *before)
{
	struct termios t;

	if (tcgetattr(fd, before) < 0)
		return -errno;
	t = *before;
	t.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | IGNCR | INLCR | INPCK | ISTRIP | IXON | PARMRK);
	t.c_oflag &= ~(tcflag_t)OPOST;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
	t.c_cflag = (t.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSADRAIN, &t) < 0 ? -errno : 0;
}

int os_tty_size(int fd, unsigned *cols, unsigned *rows)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) < 0)
		return -errno;
	*cols = w.ws_col;
	*rows = w.ws_row;
	return 0;
}

void os_tty_restore(int fd, const struct termios *before)
{
	tcsetattr(fd, TCSADRAIN, before);
}
