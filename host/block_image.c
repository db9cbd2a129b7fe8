/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk for devices, made of an image.  Requests are done by a few threads for each disk, which
 * are started when they are needed; what the host has in memory is read at once, as that is faster
 * than to wake anybody.  Requests that are done go to a list, and one event tells the VM's thread
 * of all that is in it.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/os.h"
#include "base/thread.h"
#include "core/block.h"
#include "core/event.h"
#include "host/block.h"
#include "host/image/image.h"

enum { WORKERS = 8, MERGE_PIECES = 256 };
enum {
	MERGE_BYTES = 512 << 10,
	NOW_BYTES = 128 << 10,     /* of a request that is done at once */
	NOW_BYTES_ALL = 256 << 10, /* of all that come together */
};

/* What is being done. */
struct run {
	struct block_req *first; /* requests next to each other, or flushes; NULL: nothing */
	enum block_op op;
	uint64_t off, len;
};

struct worker {
	struct disk *disk;
	struct thread thread;
	struct run run;
};

struct disk {
	struct block block;
	struct image *image;
	struct events *events; /* NULL: none are posted */
	int source;
	bool synchronous;
	struct mutex lock; /* for the rest */
	struct cond work;  /* where workers sleep */
	struct cond still; /* where others wait for runs to end */
	struct block_req *queue, **queue_end;
	struct block_req *done, **done_end;
	struct worker worker[WORKERS];
	unsigned nworkers;
	unsigned sleeping, woken; /* workers in `work`, and how many of them are to come out */
	unsigned waiting;         /* threads in `still` */
	struct run now;           /* on the thread that submitted it */
	bool plugged;
	bool posted;  /* an event is on its way */
	bool alone;   /* nothing may begin: the size is changing */
	bool resized; /* the device has not been told */
	bool quit;
	uint64_t now_left; /* bytes, of NOW_BYTES_ALL */
	struct block_stats stats;
};

static struct disk *disk_of(struct block *b)
{
	return CONTAINER_OF(b, struct disk, block);
}

/* Counting ------------------------------------------------------------------------------------- */

static void count(struct disk *d, const struct block_req *q, uint64_t now)
{
	struct block_count *c = &d->stats.op[q->op];

	if (q->rc < 0) {
		c->failed++;
		return;
	}
	c->done++;
	c->bytes += q->op == BLOCK_FLUSH ? 0 : q->len;
	c->ns += now - q->began;
	if (q->op == BLOCK_WRITE && q->off + q->len > d->stats.written_to)
		d->stats.written_to = q->off + q->len;
}

static void disk_stats(struct block *b, struct block_stats *s)
{
	struct disk *d = disk_of(b);

	mutex_lock(&d->lock);
	*s = d->stats;
	mutex_unlock(&d->lock);
}

/* Order ---------------------------------------------------------------------------------------- */

static bool changes(enum block_op op)
{
	return op != BLOCK_READ && op != BLOCK_FLUSH;
}

/* A flush is about what was done before it came. */
static bool conflict(const struct run *r, enum block_op op, uint64_t off, uint64_t len)
{
	if (!r->first || r->op == BLOCK_FLUSH || op == BLOCK_FLUSH)
		return false;
	return (changes(op) || changes(r->op)) && off < r->off + r->len && r->off < off + len;
}

static bool must_wait(const struct disk *d, const struct block_req *q)
{
	if (d->alone || conflict(&d->now, q->op, q->off, q->len))
		return true;
	for (unsigned i = 0; i < d->nworkers; i++)
		if (conflict(&d->worker[i].run, q->op, q->off, q->len))
			return true;
	return false;
}

static bool is_still(const struct disk *d)
{
	if (d->now.first)
		return false;
	for (unsigned i = 0; i < d->nworkers; i++)
		if (d->worker[i].run.first)
			return false;
	return true;
}

/* Taking requests out of the queue ------------------------------------------------------------- */

static struct block_req *take_first(struct disk *d)
{
	struct block_req *q = d->queue;

	d->queue = q->next;
	if (!d->queue)
		d->queue_end = &d->queue;
	q->next = NULL;
	return q;
}

/* All flushes that wait are done by one call. */
static void take_flushes(struct disk *d, struct block_req *last)
{
	struct block_req **at = &d->queue, *q;

	while ((q = *at)) {
		if (q->op != BLOCK_FLUSH) {
			at = &q->next;
			continue;
		}
		*at = q->next;
		q->next = NULL;
		last->next = q;
		last = q;
		d->stats.op[BLOCK_FLUSH].merged++;
	}
	d->queue_end = at;
}

static void take_neighbours(struct disk *d, struct run *r)
{
	struct block_req *last = r->first, *q;
	int pieces = last->niov;

	while ((q = d->queue) && q->op == r->op && q->off == r->off + r->len &&
	       r->len + q->len <= MERGE_BYTES && pieces + q->niov <= MERGE_PIECES &&
	       !must_wait(d, q)) {
		last->next = take_first(d);
		last = q;
		pieces += q->niov;
		r->len += q->len;
		d->stats.op[q->op].merged++;
	}
}

/* The next run, if there is one that may begin.  Requests begin in their order. */
static bool take_run(struct disk *d, struct run *r)
{
	struct block_req *q = d->queue;

	if (!q || must_wait(d, q))
		return false;
	*r = (struct run){ take_first(d), q->op, q->off, q->len };
	if (q->op == BLOCK_FLUSH)
		take_flushes(d, q);
	else if (q->op == BLOCK_READ || q->op == BLOCK_WRITE)
		take_neighbours(d, r);
	return true;
}

/* Doing them ----------------------------------------------------------------------------------- */

static int perform(const struct disk *d, const struct block_req *q)
{
	struct image *i = d->image;

	switch (q->op) {
	case BLOCK_READ:
		return image_read(i, q->iov, q->niov, q->off, q->len);
	case BLOCK_WRITE:
		return image_write(i, q->iov, q->niov, q->off, q->len);
	case BLOCK_FLUSH:
		return image_flush(i);
	case BLOCK_DISCARD:
		return d->block.discard ? image_discard(i, q->off, q->len) : 0;
	case BLOCK_ZERO:
		return image_zero(i, q->off, q->len, q->unmap && d->block.discard);
	}
	return -EINVAL;
}

static int perform_merged(struct image *i, const struct run *r)
{
	struct iovec iov[MERGE_PIECES];
	int n = 0;

	for (const struct block_req *q = r->first; q; q = q->next)
		for (int k = 0; k < q->niov; k++)
			iov[n++] = q->iov[k];
	return r->op == BLOCK_READ ? image_read(i, iov, n, r->off, r->len)
				   : image_write(i, iov, n, r->off, r->len);
}

/* Whoever records this run, or plays one again, is told how it ended, and what was read. */
static int perform_at_once(const struct disk *d, const struct block_req *q)
{
	int32_t rc = perform(d, q);

	if (!d->events)
		return rc;
	events_answer(d->events, &rc, sizeof rc);
	for (int i = 0; q->op == BLOCK_READ && !rc && i < q->niov; i++)
		events_answer(d->events, q->iov[i].iov_base, q->iov[i].iov_len);
	return rc;
}

/* Leaves in each request how it ended. */
static void perform_run(const struct disk *d, const struct run *r)
{
	struct block_req *q = r->first;
	bool merged = q->next && r->op != BLOCK_FLUSH;
	int rc = merged ? perform_merged(d->image, r) : perform(d, q);

	for (; q; q = q->next) /* each says whether it was what failed */
		q->rc = rc < 0 && merged ? perform(d, q) : rc;
}

/* Any thread; the lock is held, and let go of meanwhile. */
static void post(struct disk *d)
{
	const struct timespec soon = { .tv_nsec = 1000000 };

	if (d->posted || !d->events)
		return;
	d->posted = true;
	mutex_unlock(&d->lock);
	/* An end must not get lost because there is no memory just now. */
	while (events_post(d->events, d->source, NULL, 0) < 0)
		nanosleep(&soon, NULL);
	mutex_lock(&d->lock);
}

static void end_run(struct disk *d, struct run *r)
{
	uint64_t now = os_clock_ns();
	struct block_req *q;

	*d->done_end = r->first;
	for (q = r->first; q; q = q->next) {
		count(d, q, now);
		d->done_end = &q->next;
	}
	r->first = NULL;
	if (d->waiting)
		cond_broadcast(&d->still);
}

static void wake_workers(struct disk *d);

static void sleep_worker(struct disk *d)
{
	d->sleeping++;
	while (!d->woken && !d->quit)
		cond_wait(&d->work, &d->lock);
	d->woken -= d->woken > 0;
	d->sleeping--;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct disk *d = w->disk;

	mutex_lock(&d->lock);
	while (!d->quit) {
		if (!take_run(d, &w->run)) {
			sleep_worker(d);
			continue;
		}
		wake_workers(d);
		mutex_unlock(&d->lock);
		perform_run(d, &w->run);
		mutex_lock(&d->lock);
		end_run(d, &w->run);
		post(d);
	}
	mutex_unlock(&d->lock);
	return NULL;
}

/* The host gives us no thread: waits for it here. */
static void work_here(struct disk *d)
{
	while (take_run(d, &d->now)) {
		mutex_unlock(&d->lock);
		perform_run(d, &d->now);
		mutex_lock(&d->lock);
		end_run(d, &d->now);
		post(d);
	}
}

/* If something can begin, wakes one; that wakes another if there is more. */
static void wake_workers(struct disk *d)
{
	struct worker *w = &d->worker[d->nworkers];

	if (!d->queue || must_wait(d, d->queue))
		return;
	if (d->sleeping > d->woken) {
		d->woken++;
		cond_signal(&d->work);
		return;
	}
	if (d->nworkers == WORKERS)
		return;
	w->disk = d;
	if (thread_start(&w->thread, "lodge-disk", work, w) == 0)
		d->nworkers++;
	else if (!d->nworkers && !d->now.first)
		work_here(d);
}

/* What devices call ---------------------------------------------------------------------------- */

/* Whether a request can be done without waiting, and is worth it. */
static bool is_for_now(struct disk *d, const struct block_req *q)
{
	if (d->synchronous)
		return true;
	if ((q->op != BLOCK_READ && q->op != BLOCK_WRITE) || q->len > NOW_BYTES ||
	    q->len > d->now_left || d->now.first || must_wait(d, q))
		return false;
	for (const struct block_req *p = d->queue; p; p = p->next) {
		const struct run r = { (struct block_req *)(uintptr_t)p, p->op, p->off, p->len };

		if (conflict(&r, q->op, q->off, q->len))
			return false;
	}
	return true;
}

/* True: it is done.  The lock is held, and let go of meanwhile. */
static bool do_now(struct disk *d, struct block_req *q)
{
	if (!is_for_now(d, q))
		return false;
	while (d->alone || d->now.first) { /* only if it is synchronous */
		d->waiting++;
		cond_wait(&d->still, &d->lock);
		d->waiting--;
	}
	d->now = (struct run){ q, q->op, q->off, q->len };
	d->now_left -= d->synchronous ? 0 : q->len;
	mutex_unlock(&d->lock);
	q->rc = d->synchronous
		    ? perform_at_once(d, q)
		    : image_now(d->image, q->op == BLOCK_WRITE, q->iov, q->niov, q->off, q->len);
	mutex_lock(&d->lock);
	d->now.first = NULL;
	if (d->waiting)
		cond_broadcast(&d->still);
	if (q->rc == -EAGAIN && !d->synchronous)
		return false;
	count(d, q, os_clock_ns());
	return true;
}

static void disk_submit(struct block *b, struct block_req *q)
{
	struct disk *d = disk_of(b);
	bool done;

	q->next = NULL;
	q->began = os_clock_ns();
	mutex_lock(&d->lock);
	if (!d->plugged)
		d->now_left = NOW_BYTES_ALL;
	done = do_now(d, q);
	if (!done) {
		*d->queue_end = q;
		d->queue_end = &q->next;
	}
	/* Requests of others may have had to wait for this one. */
	if (!d->plugged)
		wake_workers(d);
	mutex_unlock(&d->lock);
	if (done)
		q->done(q, q->rc);
}

static void disk_plug(struct block *b, bool on)
{
	struct disk *d = disk_of(b);

	if (d->synchronous)
		return;
	mutex_lock(&d->lock);
	d->plugged = on;
	d->now_left = NOW_BYTES_ALL;
	if (!on)
		wake_workers(d);
	mutex_unlock(&d->lock);
}

/* The lock is held. */
static void wait_still(struct disk *d, bool empty)
{
	d->waiting++;
	if (empty)
		wake_workers(d);
	while ((empty && d->queue) || !is_still(d))
		cond_wait(&d->still, &d->lock);
	d->waiting--;
}

static void disk_settle(struct block *b)
{
	struct disk *d = disk_of(b);

	mutex_lock(&d->lock);
	wait_still(d, true);
	mutex_unlock(&d->lock);
}

/* Ends what is done: whether there was anything. */
static bool end_all(struct disk *d)
{
	struct block_req *q, *next;
	bool resized;

	mutex_lock(&d->lock);
	q = d->done;
	d->done = NULL;
	d->done_end = &d->done;
	resized = d->resized;
	d->resized = false;
	mutex_unlock(&d->lock);
	if (!q && !resized)
		return false;
	for (; q; q = next) {
		next = q->next;
		q->done(q, q->rc);
	}
	if (resized && d->block.resized)
		d->block.resized(d->block.arg);
	return true;
}

static void deliver(void *arg, const void *data, size_t len)
{
	struct disk *d = arg;

	(void)data;
	(void)len;
	mutex_lock(&d->lock);
	d->posted = false;
	mutex_unlock(&d->lock);
	end_all(d);
}

static void disk_drain(struct block *b)
{
	struct disk *d = disk_of(b);

	do
		disk_settle(b);
	while (end_all(d));
}

static int disk_resize(struct block *b, uint64_t size, struct err *e)
{
	struct disk *d = disk_of(b);
	int rc;

	mutex_lock(&d->lock);
	d->waiting++;
	while (d->alone)
		cond_wait(&d->still, &d->lock);
	d->waiting--;
	d->alone = true;
	wait_still(d, false);
	mutex_unlock(&d->lock);
	rc = image_resize(d->image, size, e);
	mutex_lock(&d->lock);
	d->alone = false;
	if (rc == 0) {
		b->size = size;
		d->resized = true;
		post(d);
	}
	cond_broadcast(&d->still);
	wake_workers(d);
	mutex_unlock(&d->lock);
	if (!d->events)
		end_all(d);
	return rc;
}

static void disk_free(struct block *b)
{
	struct disk *d = disk_of(b);

	mutex_lock(&d->lock);
	assert(!d->queue && !d->done && is_still(d));
	d->quit = true;
	cond_broadcast(&d->work);
	mutex_unlock(&d->lock);
	for (unsigned i = 0; i < d->nworkers; i++)
		thread_join(&d->worker[i].thread);
	if (d->events)
		events_forget(d->events, d->source);
	image_close(d->image);
	cond_fini(&d->work);
	cond_fini(&d->still);
	mutex_fini(&d->lock);
	free(d);
}

static const struct block_ops ops = {
	.submit = disk_submit,
	.free = disk_free,
	.plug = disk_plug,
	.settle = disk_settle,
	.drain = disk_drain,
	.resize = disk_resize,
	.stats = disk_stats,
};

/* Making --------------------------------------------------------------------------------------- */

struct image *block_image(struct block *b)
{
	return disk_of(b)->image;
}

int block_changes(
    struct block *b, int (*fn)(void *arg, uint64_t off, const uint8_t *data, size_t len), void *arg)
{
	enum { PIECE = 1 << 20 };
	struct image *i = disk_of(b)->image;
	struct iovec iov = { malloc(PIECE), 0 };
	int rc = iov.iov_base ? 0 : -ENOMEM;

	for (uint64_t off = 0, n; off < i->size && rc >= 0; off += n) {
		n = i->size - off < PIECE ? i->size - off : PIECE;
		rc = image_kind(i, off, &n);
		if (rc != IMAGE_DATA)
			continue;
		iov.iov_len = n;
		rc = image_read(i, &iov, 1, off, n);
		if (!rc)
			rc = fn(arg, off, iov.iov_base, n);
	}
	free(iov.iov_base);
	return rc < 0 ? rc : 0;
}

int block_change(struct block *b, uint64_t off, const uint8_t *data, size_t len)
{
	const struct iovec iov = { (void *)(uintptr_t)data, len };

	return image_write(disk_of(b)->image, &iov, 1, off, len);
}

struct block *block_new(struct image *i, const struct block_options *o, struct err *e)
{
	struct disk *d = calloc(1, sizeof *d);

	if (d && o->events) {
		d->events = o->events;
		d->source = events_source(o->events, "disk", NULL, deliver, d);
	}
	if (!d || d->source < 0) {
		err_set(e, ENOMEM, "disk %s: no memory", i->name);
		image_close(i);
		free(d);
		return NULL;
	}
	d->image = i;
	d->synchronous = o->synchronous || !o->events;
	d->queue_end = &d->queue;
	d->done_end = &d->done;
	mutex_init(&d->lock);
	cond_init(&d->work);
	cond_init(&d->still);
	d->block.ops = &ops;
	d->block.size = i->size;
	d->block.readonly = o->readonly || i->readonly;
	d->block.discard = i->can_discard && !o->no_discard && !d->block.readonly;
	d->block.queues = o->queues;
	memcpy(d->block.name, i->name, sizeof d->block.name);
	if (o->serial)
		snprintf(d->block.serial, sizeof d->block.serial, "%s", o->serial);
	return &d->block;
}

struct block *block_open(const char *path, const struct block_options *o, struct err *e)
{
	struct image_options io = {
		.format = o->format,
		.readonly = o->readonly || o->snapshot,
		.direct = o->direct,
	};
	struct image *i = image_open(path, &io, e);

	if (i && o->snapshot)
		i = image_temp_new(i, e);
	return i ? block_new(i, o, e) : NULL;
}
