/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_HOST_TORN_H
#define TEST_HOST_TORN_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "host/image/qcow2.h"
#include "test/random.h"

/*
 * A file in memory that knows what of it is on the disk: what was written since the last sync may
 * be there after a crash or not, sector by sector, in any order.
 */
enum { TORN_PAGE = 4096, TORN_PAGES = 1 << 15, TORN_SECTOR = 512 };

struct torn_data {
	uint64_t size;
	uint8_t *page[TORN_PAGES]; /* NULL: zeroes */
};

/* What was done since the last sync. */
struct torn_op {
	uint64_t off, len;
	uint8_t *data; /* NULL: zeroes */
	bool resize;   /* to len */
};

struct torn {
	struct qcow2_file file;
	struct torn_data now, disk;
	struct torn_op *op;
	unsigned n, room;
	unsigned fails; /* the write or sync that fails, counted from 1; 0: none */
	/* Before each change and each sync. */
	void (*before)(struct torn *, void *arg);
	void *arg;
};

static inline void torn_put(struct torn_data *d, uint64_t off, const uint8_t *from, uint64_t len)
{
	if (off + len > d->size)
		d->size = off + len;
	while (len) {
		uint64_t in = off % TORN_PAGE, n = TORN_PAGE - in < len ? TORN_PAGE - in : len;
		uint8_t **p = &d->page[off / TORN_PAGE];

		if (!*p && from)
			*p = calloc(1, TORN_PAGE);
		if (from)
			memcpy(*p + in, from, n);
		else if (*p)
			memset(*p + in, 0, n);
		from = from ? from + n : NULL;
		off += n;
		len -= n;
	}
}

static inline void torn_get(const struct torn_data *d, uint64_t off, uint8_t *to, uint64_t len)
{
	while (len) {
		uint64_t in = off % TORN_PAGE, n = TORN_PAGE - in < len ? TORN_PAGE - in : len;
		const uint8_t *p = d->page[off / TORN_PAGE];

		if (p)
			memcpy(to, p + in, n);
		else
			memset(to, 0, n);
		to += n;
		off += n;
		len -= n;
	}
}

static inline void torn_cut(struct torn_data *d, uint64_t size)
{
	uint64_t old = d->size;

	if (size < old)
		torn_put(d, size, NULL, old - size);
	d->size = size;
}

static inline void torn_copy(struct torn_data *to, const struct torn_data *from)
{
	to->size = from->size;
	for (unsigned i = 0; i < TORN_PAGES; i++) {
		if (!from->page[i]) {
			free(to->page[i]);
			to->page[i] = NULL;
			continue;
		}
		if (!to->page[i])
			to->page[i] = malloc(TORN_PAGE);
		memcpy(to->page[i], from->page[i], TORN_PAGE);
	}
}

static inline void torn_drop(struct torn_data *d)
{
	for (unsigned i = 0; i < TORN_PAGES; i++)
		free(d->page[i]);
	memset(d, 0, sizeof *d);
}

static inline struct torn *torn_of(struct qcow2_file *f)
{
	return CONTAINER_OF(f, struct torn, file);
}

static inline int torn_read(
    struct qcow2_file *f, const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	struct torn *t = torn_of(f);

	if (off > t->now.size || len > t->now.size - off)
		return -EIO;
	for (int i = 0; i < n && len; i++) {
		uint64_t part = iov[i].iov_len;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part = part - skip < len ? part - skip : len;
		torn_get(&t->now, off, (uint8_t *)iov[i].iov_base + skip, part);
		off += part;
		len -= part;
		skip = 0;
	}
	return 0;
}

/* Owns data. */
static inline void torn_log(struct torn *t, struct torn_op op)
{
	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->op = realloc(t->op, t->room * sizeof *t->op);
	}
	t->op[t->n++] = op;
}

static inline bool torn_fits(uint64_t off, uint64_t len)
{
	uint64_t max = (uint64_t)TORN_PAGES * TORN_PAGE;

	return off <= max && len <= max - off;
}

static inline int torn_write(
    struct qcow2_file *f, const struct iovec *iov, int n, uint64_t skip, uint64_t len, uint64_t off)
{
	struct torn *t = torn_of(f);
	uint8_t *data;
	uint64_t at = 0;

	if (!torn_fits(off, len))
		return -EFBIG;
	if (t->before)
		t->before(t, t->arg);
	if (t->fails && --t->fails == 0)
		return -EIO;
	data = malloc(len + 1);
	for (int i = 0; i < n && at < len; i++) {
		uint64_t part = iov[i].iov_len;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part = part - skip < len - at ? part - skip : len - at;
		memcpy(data + at, (uint8_t *)iov[i].iov_base + skip, part);
		at += part;
		skip = 0;
	}
	torn_put(&t->now, off, data, len);
	if (f->size < t->now.size)
		f->size = t->now.size;
	torn_log(t, (struct torn_op){ .off = off, .len = len, .data = data });
	return 0;
}

static inline int torn_zero(struct qcow2_file *f, uint64_t off, uint64_t len, bool unmap)
{
	struct torn *t = torn_of(f);
	uint64_t size = t->now.size;

	(void)unmap;
	if (!torn_fits(off, len))
		return -EFBIG;
	if (t->before)
		t->before(t, t->arg);
	torn_put(&t->now, off, NULL, len);
	t->now.size = size;
	torn_log(t, (struct torn_op){ .off = off, .len = len });
	return 0;
}

static inline int torn_resize(struct qcow2_file *f, uint64_t size)
{
	struct torn *t = torn_of(f);

	if (!torn_fits(0, size))
		return -EFBIG;
	if (t->before)
		t->before(t, t->arg);
	torn_cut(&t->now, size);
	torn_log(t, (struct torn_op){ .len = size, .resize = true });
	return 0;
}

static inline void torn_apply(
    struct torn_data *d, const struct torn_op *op, uint64_t from, uint64_t len)
{
	uint64_t size = d->size;

	torn_put(d, op->off + from, op->data ? op->data + from : NULL, len);
	if (!op->data)
		d->size = size;
}

static inline void torn_forget(struct torn *t)
{
	for (unsigned i = 0; i < t->n; i++)
		free(t->op[i].data);
	t->n = 0;
}

static inline int torn_sync(struct qcow2_file *f)
{
	struct torn *t = torn_of(f);

	if (t->before)
		t->before(t, t->arg);
	if (t->fails && --t->fails == 0)
		return -EIO;
	for (unsigned i = 0; i < t->n; i++)
		if (t->op[i].resize)
			torn_cut(&t->disk, t->op[i].len);
		else
			torn_apply(&t->disk, &t->op[i], 0, t->op[i].len);
	torn_forget(t);
	return 0;
}

static inline void torn_close(struct qcow2_file *f)
{
	struct torn *t = torn_of(f);

	torn_forget(t);
	free(t->op);
	torn_drop(&t->now);
	torn_drop(&t->disk);
	free(t);
}

static const struct qcow2_file_ops torn_ops = {
	.read = torn_read,
	.write = torn_write,
	.zero = torn_zero,
	.sync = torn_sync,
	.resize = torn_resize,
	.close = torn_close,
};

static inline struct torn *torn_new(void)
{
	struct torn *t = calloc(1, sizeof *t);

	t->file.ops = &torn_ops;
	return t;
}

/* What is on the disk after a crash. Each sector of what was not synced is there with a chance of
 * `keep` in 256. */
static inline struct torn *torn_crash(const struct torn *t, unsigned keep, uint64_t *seed)
{
	struct torn *c = torn_new();

	torn_copy(&c->now, &t->disk);
	for (unsigned i = 0; i < t->n; i++) {
		const struct torn_op *op = &t->op[i];

		if (op->resize && (random_shift(seed) >> 16) % 256 < keep)
			torn_cut(&c->now, op->len);
		for (uint64_t at = 0; !op->resize && at < op->len;) {
			uint64_t n = TORN_SECTOR - (op->off + at) % TORN_SECTOR;

			if (n > op->len - at)
				n = op->len - at;
			if ((random_shift(seed) >> 16) % 256 < keep)
				torn_apply(&c->now, op, at, n);
			at += n;
		}
	}
	torn_copy(&c->disk, &c->now);
	c->file.size = c->now.size;
	return c;
}

/* As after the end of the process only: all that was written. */
static inline struct torn *torn_kill(const struct torn *t)
{
	struct torn *c = torn_new();

	torn_copy(&c->now, &t->now);
	torn_copy(&c->disk, &c->now);
	c->file.size = c->now.size;
	return c;
}

#endif
