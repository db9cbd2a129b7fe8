/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For LD_PRELOAD: notes all that a program does to some files, and what it writes to standard
 * output, so that disk_power.py can make of it what a host leaves that loses power.  LODGE_RECORD
 * is the log; LODGE_RECORD_FILES the files, with blanks between them.
 *
 * A record is the struct below, and data for writes and output.  What is done to a file has two:
 * one before it begins, one after its end.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct record {
	uint8_t kind; /* 'w'rite, 'z'ero, 't'runcate, 'f'lush, 'e'nd of one, 'o'utput */
	uint8_t file;
	uint16_t pad;
	uint32_t id; /* of what begins, or ends */
	uint64_t off, len;
};

enum { FILES = 8, PATH = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static uint32_t next_id;
static struct stat file[FILES];
static unsigned nfiles;

static void put(const void *data, size_t n)
{
	static ssize_t (*real)(int, const void *, size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "write");
	for (const char *p = data; n;) {
		ssize_t done = real(out, p, n);

		if (done <= 0)
			abort();
		p += done;
		n -= (size_t)done;
	}
}

/* When the program starts: a sandbox may let it open nothing later. */
__attribute__((constructor)) static void open_log(void)
{
	const char *path = getenv("LODGE_RECORD"), *names = getenv("LODGE_RECORD_FILES");

	if (!path || !names)
		return;
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (size_t n; *names && nfiles < FILES; names += n, names += strspn(names, " ")) {
		char name[PATH] = "";

		n = strcspn(names, " ");
		memcpy(name, names, n < PATH ? n : 0);
		if (stat(name, &file[nfiles++]) < 0)
			abort();
	}
}

static uint32_t record(struct record r, const struct iovec *iov, int n)
{
	pthread_mutex_lock(&lock);
	if (r.kind != 'e')
		r.id = next_id++;
	put(&r, sizeof r);
	for (int i = 0; i < n; i++)
		put(iov[i].iov_base, iov[i].iov_len);
	pthread_mutex_unlock(&lock);
	return r.id;
}

/* Which of the files fd is; -1: none. */
static int file_of(int fd)
{
	struct stat st;

	if (out < 0 || fstat(fd, &st) < 0)
		return -1;
	for (unsigned i = 0; i < nfiles; i++)
		if (st.st_ino == file[i].st_ino && st.st_dev == file[i].st_dev)
			return (int)i;
	return -1;
}

/* CALL is the real function with its arguments. */
#define DO(KIND, FD, OFF, LEN, IOV, N, CALL)                                                       \
	do {                                                                                       \
		int which = file_of(FD);                                                           \
		uint32_t id = 0;                                                                   \
		ssize_t rc;                                                                        \
                                                                                                   \
		if (which >= 0)                                                                    \
			id = record((struct record){ .kind = (KIND),                               \
					.file = (uint8_t)which,                                    \
					.off = (uint64_t)(OFF),                                    \
					.len = (uint64_t)(LEN) },                                  \
			    IOV, N);                                                               \
		rc = (CALL);                                                                       \
		if (which >= 0 && rc >= 0)                                                         \
			record((struct record){ .kind = 'e', .id = id }, NULL, 0);                 \
		return rc;                                                                         \
	} while (0)

#define REAL(type, name, ...)                                                                      \
	static type (*real)(__VA_ARGS__);                                                          \
	if (!real)                                                                                 \
	*(void **)&real = dlsym(RTLD_NEXT, name)

ssize_t pwrite(int fd, const void *data, size_t n, off_t off)
{
	struct iovec iov = { (void *)(uintptr_t)data, n };

	REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
	DO('w', fd, off, n, &iov, 1, real(fd, data, n, off));
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	uint64_t len = 0;

	REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	DO('w', fd, off, len, iov, n, real(fd, iov, n, off));
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	REAL(int, "fallocate", int, int, off_t, off_t);
	DO('z', fd, off, len, NULL, 0, real(fd, mode, off, len));
}

int ftruncate(int fd, off_t len)
{
	REAL(int, "ftruncate", int, off_t);
	DO('t', fd, 0, len, NULL, 0, real(fd, len));
}

int fdatasync(int fd)
{
	REAL(int, "fdatasync", int);
	DO('f', fd, 0, 0, NULL, 0, real(fd));
}

int fsync(int fd)
{
	REAL(int, "fsync", int);
	DO('f', fd, 0, 0, NULL, 0, real(fd));
}

ssize_t write(int fd, const void *data, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)data, n };

	REAL(ssize_t, "write", int, const void *, size_t);
	if (fd == STDOUT_FILENO && file_of(fd) < 0 && out >= 0)
		record((struct record){ .kind = 'o', .len = n }, &iov, 1);
	return real(fd, data, n);
}
