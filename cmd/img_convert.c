/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge img convert: a copy of an image in another format, made by several threads; zeroes stay
 * holes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/os.h"
#include "base/thread.h"
#include "cmd/cmd.h"
#include "cmd/img.h"

enum {
	CHUNK = 2 << 20, /* what one thread copies at a time */
	GRAIN = 4096,    /* zeroes that are shorter are written */
	THREADS_MAX = 16,
	LOOK_MS = 100, /* how often it shows how far it is */
};

struct copy {
	struct image *from, *to;
	const char *from_path, *to_path;
	bool pack;      /* cluster by cluster */
	bool to_device; /* what is there already is no zeroes */
	uint64_t chunk;

	struct mutex lock;
	struct cond cond;
	/* Under the lock. */
	uint64_t next, done;
	unsigned running;
	int rc;
	bool writing; /* what failed */
};

static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static int put(struct copy *c, const uint8_t *data, uint64_t off, uint64_t len)
{
	/* iovecs are not const, but a write does not change what they point to. */
	struct iovec iov = { (void *)(uintptr_t)data, len };

	return image_write(c->to, &iov, 1, off, len);
}

/* Writes what is not zeroes. */
static int put_data(struct copy *c, const uint8_t *data, uint64_t off, uint64_t len)
{
	uint64_t at = 0, from;
	int rc = 0;

	if (c->to_device)
		return put(c, data, off, len);
	while (at < len && rc == 0) {
		uint64_t grain = len - at < GRAIN ? len - at : GRAIN;

		if (is_zero(data + at, grain)) {
			at += grain;
			continue;
		}
		for (from = at; at < len; at += grain) {
			grain = len - at < GRAIN ? len - at : GRAIN;
			if (is_zero(data + at, grain))
				break;
		}
		rc = put(c, data + from, off + from, at - from);
	}
	return rc;
}

static int put_packed(struct copy *c, uint8_t *data, uint64_t off, uint64_t len)
{
	/* A cluster is as long as a chunk; what is behind the disk's end does not matter. */
	if (is_zero(data, len))
		return 0;
	memset(data + len, 0, c->chunk - len);
	return qcow2_write_packed(c->to, data, off);
}

static int copy_chunk(struct copy *c, uint8_t *data, uint64_t off, uint64_t len, bool *writing)
{
	struct iovec iov = { data, len };
	int rc = image_read(c->from, &iov, 1, off, len);

	*writing = rc == 0;
	if (rc < 0)
		return rc;
	return c->pack ? put_packed(c, data, off, len) : put_data(c, data, off, len);
}

/* With the lock: the next piece that is not zeroes; false: that was all. */
static bool next_piece(struct copy *c, uint64_t *off, uint64_t *len)
{
	while (c->next < c->from->size && c->rc == 0) {
		uint64_t left = c->from->size - c->next, same = left;
		int kind = image_kind(c->from, c->next, &same), rc = 0;

		*off = c->next;
		*len = c->chunk - c->next % c->chunk;
		if (*len > left)
			*len = left;
		if (kind < 0) {
			c->rc = kind;
			c->writing = false;
		}
		/* Packed clusters are whole. */
		if (c->pack && same > *len)
			same = kind == IMAGE_ZERO ? same / c->chunk * c->chunk : *len;
		if (kind != IMAGE_ZERO || (c->pack && same < *len)) {
			if (!c->pack && same < *len)
				*len = same;
			c->next += *len;
			return c->rc == 0;
		}
		if (c->to_device)
			rc = image_zero(c->to, c->next, same, true);
		if (rc < 0) {
			c->rc = rc;
			c->writing = true;
		}
		c->next += same;
		c->done += same;
	}
	return false;
}

static void *worker(void *arg)
{
	struct copy *c = arg;
	uint8_t *data = malloc(c->chunk);
	uint64_t off, len;
	bool writing = true;
	int rc = data ? 0 : -ENOMEM;

	mutex_lock(&c->lock);
	while (rc == 0 && next_piece(c, &off, &len)) {
		mutex_unlock(&c->lock);
		rc = copy_chunk(c, data, off, len, &writing);
		mutex_lock(&c->lock);
		c->done += len;
	}
	if (rc < 0 && c->rc == 0) {
		c->rc = rc;
		c->writing = writing;
	}
	c->running--;
	cond_broadcast(&c->cond);
	mutex_unlock(&c->lock);
	free(data);
	return NULL;
}

/* Signals that end the program are blocked, so that a half made file is taken away. */
static bool is_interrupted(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) ||
					    sigismember(&set, SIGHUP));
}

static void block_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, before);
}

static void run_threads(struct copy *c, unsigned n, struct img_progress *p)
{
	struct thread t[THREADS_MAX];
	unsigned started = 0;

	c->running = n;
	while (started < n && thread_start(&t[started], "convert", worker, c) == 0)
		started++;
	mutex_lock(&c->lock);
	c->running -= n - started;
	if (!started && c->rc == 0)
		c->rc = -EAGAIN;
	while (c->running) {
		cond_wait_for(&c->cond, &c->lock, LOOK_MS * UINT64_C(1000000));
		if (c->rc == 0 && is_interrupted())
			c->rc = -EINTR;
		img_progress(p, c->done, c->from->size);
	}
	mutex_unlock(&c->lock);
	for (unsigned i = 0; i < started; i++)
		thread_join(&t[i]);
	img_progress_end(p);
}

static int copy_all(struct copy *c, unsigned threads, struct img_progress *p)
{
	struct stat st;

	c->chunk = CHUNK;
	if (c->pack) {
		struct qcow2_info q;

		qcow2_info(c->to, &q);
		c->chunk = UINT64_C(1) << q.cluster_bits;
	}
	c->to_device = stat(c->to_path, &st) == 0 && !S_ISREG(st.st_mode) && !image_is_qcow2(c->to);
	mutex_init(&c->lock);
	cond_init(&c->cond);
	run_threads(c, threads, p);
	if (c->rc == 0) {
		c->rc = image_flush(c->to);
		c->writing = true;
	}
	cond_fini(&c->cond);
	mutex_fini(&c->lock);
	if (c->rc == -EINTR)
		return complain(STATUS_HOST, "img convert: interrupted");
	if (c->rc < 0)
		return complain(STATUS_HOST, "disk %s cannot be %s: %s",
		    c->writing ? c->to_path : c->from_path, c->writing ? "written" : "read",
		    strerror(-c->rc));
	return STATUS_OK;
}

struct request {
	struct image_options from;
	struct img_new to;
	unsigned threads;
	bool pack, progress, quiet;
};

static int check_request(struct request *r, const char *from, const char *to)
{
	struct stat a, b;

	if (r->pack && strcmp(r->to.format, "qcow2"))
		return complain(STATUS_USAGE, "img convert: -c is for qcow2 images (-O qcow2)");
	if (r->pack && r->to.p.preallocate)
		return complain(
		    STATUS_USAGE, "img convert: -c and preallocation exclude each other");
	if (r->to.p.backing)
		return complain(STATUS_USAGE,
		    "img convert: a copy has no backing file: see lodge img create -b");
	if (stat(from, &a) == 0 && stat(to, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return complain(STATUS_USAGE, "img convert: %s cannot be copied to itself", from);
	return STATUS_OK;
}

static int convert(struct request *r, const char *from, const char *to)
{
	struct copy c = { .from_path = from, .to_path = to, .pack = r->pack };
	struct image_options o = { .format = r->to.format };
	struct img_progress p;
	int status = check_request(r, from, to);

	if (status)
		return status;
	c.from = img_open(from, &r->from, 0);
	if (!c.from)
		return STATUS_USAGE;
	r->to.p.size = c.from->size;
	status = img_new_make(&r->to, to);
	if (status == STATUS_OK) {
		c.to = img_open(to, &o, 0);
		status = c.to ? STATUS_OK : STATUS_HOST;
		img_progress_init(&p, r->progress, r->quiet);
		if (c.to)
			status = copy_all(&c, r->threads, &p);
		image_close(c.to);
		if (status)
			img_new_unmake(&r->to, to);
	}
	image_close(c.from);
	return status;
}

static int set_threads(const char *value, unsigned *n)
{
	uint64_t v;

	if (parse_u64(value, &v) < 0 || v < 1 || v > THREADS_MAX)
		return complain(STATUS_USAGE, "img convert: -m is 1 to %d", THREADS_MAX);
	*n = (unsigned)v;
	return STATUS_OK;
}

static int set_option(struct request *r, int c, const char *value)
{
	switch (c) {
	case 'f':
		r->from.format = value;
		break;
	case 'm':
		return set_threads(value, &r->threads);
	case 'c':
		r->pack = true;
		break;
	case 'p':
		r->progress = true;
		break;
	case 'q':
		r->quiet = true;
		break;
	case 'U':
		r->from.nolock = true;
		break;
	default:
		break;
	}
	return STATUS_OK;
}

int img_convert(int argc, char **argv)
{
	struct img_args a = { argc, 0, argv, "f:O:co:m:pqUh", NULL, false };
	struct img_operands names = { .max = 2 };
	struct request r = { .from = { .readonly = true }, .threads = 8 };
	const char *value, *options[8];
	unsigned noptions = 0;
	sigset_t before;
	int c, status = STATUS_OK;

	img_new_init(&r.to);
	while (status == STATUS_OK && (c = img_next(&a, &value)) != -1) {
		if (c == '?')
			return STATUS_USAGE;
		if (c == 0)
			status = img_operand(&names, argv[0], value);
		else if (c == 'O')
			r.to.format = value;
		else if (c == 'o' && noptions < ARRAY_LEN(options))
			options[noptions++] = value;
		else
			status = set_option(&r, c, value);
	}
	for (unsigned i = 0; i < noptions && status == STATUS_OK; i++)
		status = img_new_options(&r.to, options[i]);
	if (status == STATUS_OK && names.n != 2)
		status = complain(STATUS_USAGE, "img convert: two files are wanted, FROM and TO");
	if (status)
		return status;
	block_signals(&before);
	status = convert(&r, names.at[0], names.at[1]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
