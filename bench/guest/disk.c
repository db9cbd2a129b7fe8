/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk DEVICE SECONDS: reads and writes a whole disk without the guest's page cache, in order and
 * at random, with one request at a time and with sixteen.  A line before and after each way, the
 * latter with requests, bytes and seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 16, BLOCK_MAX = 1 << 20 };

static const struct way {
	const char *name;
	bool write, random;
	unsigned block, depth;
} ways[] = {
	{ "read-1m", false, false, 1 << 20, 1 },
	{ "read-128k", false, false, 128 << 10, 1 },
	{ "write-1m", true, false, 1 << 20, 1 },
	{ "write-128k", true, false, 128 << 10, 1 },
	{ "read-4k", false, true, 4096, 1 },
	{ "read-4k-16", false, true, 4096, DEPTH },
	{ "write-4k", true, true, 4096, 1 },
	{ "write-4k-16", true, true, 4096, DEPTH },
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

struct test {
	const struct way *way;
	int fd;
	uint64_t blocks, at, random;
	char *data;
};

static void prepare(struct test *t, struct iocb *c, unsigned slot)
{
	uint64_t block = t->way->random ? next_random(&t->random) % t->blocks : t->at++ % t->blocks;

	memset(c, 0, sizeof *c);
	c->aio_fildes = (uint32_t)t->fd;
	c->aio_lio_opcode = t->way->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	c->aio_buf = (uintptr_t)t->data + (uint64_t)slot * BLOCK_MAX;
	c->aio_nbytes = t->way->block;
	c->aio_offset = (int64_t)(block * t->way->block);
	c->aio_data = slot;
}

static void fail(const char *what)
{
	printf("disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void run(struct test *t, double seconds)
{
	struct iocb all[DEPTH], *list[DEPTH];
	struct io_event done[DEPTH];
	aio_context_t context = 0;
	uint64_t requests = 0;
	double start;
	long n = t->way->depth;

	if (syscall(SYS_io_setup, DEPTH, &context) < 0)
		fail("io_setup");
	for (unsigned i = 0; i < t->way->depth; i++) {
		prepare(t, &all[i], i);
		list[i] = &all[i];
	}
	start = now();
	do {
		if (syscall(SYS_io_submit, context, n, list) != n)
			fail("io_submit");
		n = syscall(SYS_io_getevents, context, 1L, (long)DEPTH, done, NULL);
		if (n < 1)
			fail("io_getevents");
		for (long i = 0; i < n; i++) {
			unsigned slot = (unsigned)done[i].data;

			if (done[i].res != (int64_t)t->way->block)
				fail("a request");
			prepare(t, &all[slot], slot);
			list[i] = &all[slot];
		}
		requests += (uint64_t)n;
	} while (now() - start < seconds);
	seconds = now() - start;
	syscall(SYS_io_destroy, context); /* waits for those that are under way */
	printf("disk: end %s %llu %llu %.6f\n", t->way->name, (unsigned long long)requests,
	    (unsigned long long)requests * t->way->block, seconds);
}

int main(int argc, char **argv)
{
	struct test t = { .random = 88172645463325252 };
	double seconds = argc > 2 ? atof(argv[2]) : 1;
	uint64_t size;

	setvbuf(stdout, NULL, _IONBF, 0);
	t.fd = open(argc > 1 ? argv[1] : "/dev/vda", O_RDWR | O_DIRECT);
	if (t.fd < 0 || ioctl(t.fd, BLKGETSIZE64, &size) < 0)
		fail("the disk");
	if (posix_memalign((void **)&t.data, 4096, (size_t)DEPTH * BLOCK_MAX))
		fail("memory");
	memset(t.data, 0x5a, (size_t)DEPTH * BLOCK_MAX);
	for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
		t.way = &ways[i];
		t.blocks = size / t.way->block;
		t.at = 0;
		printf("disk: begin %s\n", t.way->name);
		run(&t, seconds);
	}
	return 0;
}
