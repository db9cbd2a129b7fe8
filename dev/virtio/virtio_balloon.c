/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory balloon.  Source: VIRTIO version 1.2, section 5.5.  d->back: a struct balloon.
 * Left out: free page hinting, MUST_TELL_HOST (a page that the guest takes back is there at its
 * first touch, whoever was told of it).
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "core/balloon.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/mem.h"
#include "dev/virtio/virtio.h"

#define F_STATS          (1ull << 1)
#define F_DEFLATE_ON_OOM (1ull << 2)
#define F_PAGE_POISON    (1ull << 4)
#define F_REPORTING      (1ull << 5)

/*
 * The manual numbers queues as if all were there; Linux (6.12) and QEMU (7.2) leave those out that
 * were not agreed on.  There is no queue of hints, so reports come to either of the last two.
 */
enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_STATS, QUEUE_HINTS, QUEUE_REPORTS };

enum { CONFIG_NUM_PAGES = 0, CONFIG_ACTUAL = 4, CONFIG_POISON = 12, CONFIG_SIZE = 16 };

enum { STAT_SIZE = 10, STATS_MAX = 64, NUMBERS = 256 };
/* Page numbers that are looked at in one request, so that a guest cannot keep us busy for long by
 * naming the same memory many times; drivers send 256. */
enum { REQUEST_MAX = 65536 };

static const uint64_t SECOND = 1000000000;

struct virtio_balloon {
	struct virtio v;
	uint32_t poll_s; /* 0: stats are not asked for */
	struct timer poll;
	bool any_stats; /* a legacy driver's first ones are nothing */
};

static const struct field balloon_fields[] = {
	FIELD(struct virtio_balloon, any_stats),
	FIELD_END,
};

static struct balloon *balloon_back(const struct virtio *v)
{
	return v->dev->back;
}

/* Pages in and out ----------------------------------------------------------------------------- */

/* A run of pages that were named one after the other, upwards or downwards. */
struct run {
	uint64_t first, n;
};

static void give_back(const struct virtio *v, uint64_t gpa, uint64_t len)
{
	if (mem_discard(v->dev->env->mem, gpa, len) < 0)
		TRACE(v->dev->env->log, device, "virtio_balloon: %#llx is not RAM",
		    (unsigned long long)gpa);
}

static void run_end(const struct virtio *v, struct run *r)
{
	if (r->n)
		give_back(v, r->first * BALLOON_PAGE, r->n * BALLOON_PAGE);
	r->n = 0;
}

static void run_add(const struct virtio *v, struct run *r, uint64_t page)
{
	if (r->n && page == r->first + r->n) {
		r->n++;
	} else if (r->n && page + 1 == r->first) {
		r->first--;
		r->n++;
	} else {
		run_end(v, r);
		*r = (struct run){ page, 1 };
	}
}

static void inflate(const struct virtio *v, const struct virtq_chain *c)
{
	uint8_t numbers[4 * NUMBERS];
	struct run r = { 0 };
	size_t off, n;

	for (off = 0; off < 4 * REQUEST_MAX; off += n) {
		n = virtq_read(c, off, numbers, sizeof numbers) & ~(size_t)3;
		if (!n)
			break;
		for (size_t i = 0; i < n; i += 4)
			run_add(v, &r, get_le(numbers + i, 4));
	}
	run_end(v, &r);
}

/* Pages become zeroes, which is right only if nobody will miss another value in them. */
static void take_report(const struct virtio *v, const struct virtq_chain *c)
{
	if (v->features & F_PAGE_POISON && get_le(v->config + CONFIG_POISON, 4))
		return;
	for (unsigned i = c->nout; i < c->nout + c->nin; i++) {
		uint64_t gpa = (c->gpa[i] + BALLOON_PAGE - 1) & ~(uint64_t)(BALLOON_PAGE - 1);
		uint64_t end = (c->gpa[i] + c->iov[i].iov_len) & ~(uint64_t)(BALLOON_PAGE - 1);

		if (gpa < end)
			give_back(v, gpa, end - gpa);
	}
}

/* Statistics ----------------------------------------------------------------------------------- */

static void read_stats(struct virtio *v, const struct virtq_chain *c)
{
	struct balloon_stats stats = { .when_s = events_wall_ns(v->dev->env->events) / SECOND };
	uint8_t entry[STAT_SIZE];
	uint64_t tag;

	memset(stats.value, 0xff, sizeof stats.value);
	for (size_t i = 0; i < STATS_MAX; i++) {
		if (virtq_read(c, i * STAT_SIZE, entry, STAT_SIZE) < STAT_SIZE)
			break;
		tag = get_le(entry, 2);
		if (tag < BALLOON_STATS)
			stats.value[tag] = get_le(entry + 2, 8);
	}
	balloon_tell(balloon_back(v), &stats);
}

/* The driver's one buffer stays in the queue until the next are wanted: none is in our hands when
 * state is saved. */
static void stats_notify(struct virtio_balloon *b, struct virtio_queue *q)
{
	struct virtq_chain c;

	if (!virtq_pop(q, &c))
		return;
	if (!b->v.legacy || b->any_stats)
		read_stats(&b->v, &c);
	virtq_unpop(q, &c);
}

/* Gives the buffer back, for new ones; and looks whether they are there, or else the driver would
 * not know that a notification is wanted. */
static void ask_for_stats(void *arg)
{
	struct virtio_balloon *b = arg;
	struct virtio_queue *q = &b->v.queue[QUEUE_STATS];
	struct virtq_chain c;

	if (b->v.features & F_STATS && virtq_pop(q, &c)) {
		b->any_stats = true;
		virtq_push(q, &c, 0);
		virtq_interrupt(q);
		stats_notify(b, q);
	}
	if (b->poll_s)
		timer_set(&b->poll, clock_now(b->v.dev->env->clock) + b->poll_s * SECOND);
}

static void balloon_poll_each(void *dev, uint32_t s)
{
	struct virtio_balloon *b = dev;

	b->poll_s = s;
	timer_set(&b->poll, UINT64_MAX);
	if (s)
		ask_for_stats(b);
}

/* The device ----------------------------------------------------------------------------------- */

static void balloon_notify(struct virtio *v, struct virtio_queue *q)
{
	const unsigned n = (unsigned)(q - v->queue);
	struct virtq_chain c;

	if (n == QUEUE_STATS) {
		stats_notify((struct virtio_balloon *)v, q);
		return;
	}
	while (virtq_pop(q, &c)) {
		if (n == QUEUE_INFLATE)
			inflate(v, &c);
		else if (n >= QUEUE_HINTS && v->features & F_REPORTING)
			take_report(v, &c);
		virtq_push(q, &c, 0);
	}
	virtq_interrupt(q);
}

static void balloon_want_pages(void *dev, uint32_t pages)
{
	struct virtio *v = dev;

	put_le(v->config + CONFIG_NUM_PAGES, pages, 4);
	virtio_config_changed(v);
}

/* Drivers from before version 1 may write `actual` in bytes, the last one last. */
static void balloon_config_write(struct virtio *v, unsigned off, uint64_t val, unsigned size)
{
	const bool actual = off >= CONFIG_ACTUAL && off + size <= CONFIG_ACTUAL + 4;

	if (!actual && (off < CONFIG_POISON || !(v->features & F_PAGE_POISON)))
		return;
	put_le(v->config + off, val, size);
	if (actual && off + size == CONFIG_ACTUAL + 4)
		balloon_changed(balloon_back(v), (uint32_t)get_le(v->config + CONFIG_ACTUAL, 4));
}

static int balloon_device_init(struct virtio *v, struct err *e)
{
	static const struct balloon_ops ops = { balloon_want_pages, balloon_poll_each };
	struct virtio_balloon *b = (struct virtio_balloon *)v;
	struct dev *d = v->dev;

	v->offered |= F_STATS | F_PAGE_POISON | F_REPORTING;
	if (strstr(d->id, ",oom=deflate"))
		v->offered |= F_DEFLATE_ON_OOM;
	timer_init(&b->poll, d->env->clock, &d->lock, ask_for_stats, b);
	return balloon_attach(balloon_back(v), d->env->events, &ops, v, &d->lock, e);
}

static void balloon_device_fini(struct virtio *v)
{
	timer_set(&((struct virtio_balloon *)v)->poll, UINT64_MAX);
}

/* All pages are the guest's again; how many are wanted is not its decision. */
static void balloon_device_reset(struct virtio *v)
{
	((struct virtio_balloon *)v)->any_stats = false;
	memset(v->config + CONFIG_ACTUAL, 0, CONFIG_SIZE - CONFIG_ACTUAL);
	balloon_changed(balloon_back(v), 0);
}

static void balloon_device_loaded(struct virtio *v)
{
	balloon_changed(balloon_back(v), (uint32_t)get_le(v->config + CONFIG_ACTUAL, 4));
}

const struct virtio_class virtio_balloon = {
	.name = "virtio_balloon",
	.about = "memory balloon",
	.id = 5,
	.config_size = CONFIG_SIZE,
	.queue_max = { [QUEUE_INFLATE] = 128,
	    [QUEUE_DEFLATE] = 128,
	    [QUEUE_STATS] = 16,
	    [QUEUE_HINTS] = 128,
	    [QUEUE_REPORTS] = 128 },
	.size = sizeof(struct virtio_balloon),
	.fields = balloon_fields,
	.init = balloon_device_init,
	.fini = balloon_device_fini,
	.reset = balloon_device_reset,
	.loaded = balloon_device_loaded,
	.notify = balloon_notify,
	.config_write = balloon_config_write,
};
