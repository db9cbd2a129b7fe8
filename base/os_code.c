/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for generated code.  No page is ever both writable and executable, nor does one become
 * executable that was not: two views of the same pages have the two rights from the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

int os_nameless(void)
{
#if defined(__linux__)
#ifdef MFD_NOEXEC_SEAL
	/* Allowed whatever vm.memfd_noexec says (it is about execve); before Linux 6.3: EINVAL. */
	int fd = memfd_create("lodge", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd >= 0 || errno != EINVAL)
		return fd;
#endif
	return memfd_create("lodge", MFD_CLOEXEC);
#elif defined(SHM_ANON)
	return shm_open(SHM_ANON, O_RDWR, 0);
#elif defined(__OpenBSD__)
	char name[] = "/tmp/lodge.XXXXXXXXXX";
	int fd = shm_mkstemp(name);

	if (fd >= 0)
		shm_unlink(name);
	return fd;
#else
	static const char digits[] = "abcdefghijklmnop";
	char name[] = "/lodge-................";
	uint8_t random[16];
	int fd;

	os_random(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		name[7 + i] = digits[random[i] % 16];
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		shm_unlink(name);
	return fd;
#endif
}

#ifdef __NetBSD__
/* mmap(2): PaX MPROTECT asks for the rights of all views beforehand. */
static int views(size_t size, struct os_code *c)
{
	void *rw, *rx;

	rw = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_MPROTECT(PROT_EXEC),
	    MAP_SHARED | MAP_ANON, -1, 0);
	if (rw == MAP_FAILED)
		return -errno;
	rx = mremap(rw, size, NULL, size, MAP_REMAPDUP);
	if (rx == MAP_FAILED || mprotect(rx, size, PROT_READ | PROT_EXEC) < 0) {
		int rc = -errno;

		if (rx != MAP_FAILED)
			munmap(rx, size);
		munmap(rw, size);
		return rc;
	}
	*c = (struct os_code){ .rw = rw, .rx = rx, .size = size };
	return 0;
}
#else
static int map_views(int fd, size_t size, struct os_code *c)
{
	void *rw, *rx;
	int rc;

	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (rw == MAP_FAILED)
		return -errno;
	rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (rx == MAP_FAILED) {
		rc = -errno;
		munmap(rw, size);
		return rc;
	}
	*c = (struct os_code){ .rw = rw, .rx = rx, .size = size };
	return 0;
}

static int views(size_t size, struct os_code *c)
{
	int rc, fd = os_nameless();

	if (fd < 0)
		return -errno;
	rc = map_views(fd, size, c);
	close(fd);
	return rc;
}
#endif

int os_code_new(size_t size, struct os_code *c, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int rc = -ENOMEM;

	*c = (struct os_code){ 0 };
	size = (size + page - 1) & ~(page - 1);
	if (size && size <= PTRDIFF_MAX)
		rc = views(size, c);
	if (rc < 0)
		return err_set(e, -rc, "cannot get %zu MiB of memory for generated code: %s",
		    size >> 20, strerror(-rc));
	return 0;
}

void os_code_free(struct os_code *c)
{
	if (c->rw) {
		munmap(c->rw, c->size);
		munmap((void *)(uintptr_t)c->rx, c->size);
	}
	*c = (struct os_code){ 0 };
}

void os_code_discard(struct os_code *c)
{
#ifdef MADV_REMOVE
	if (c->rw)
		madvise(c->rw, c->size, MADV_REMOVE);
#else
	(void)c;
#endif
}
