/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/balloon.h"

#include <errno.h>
#include <string.h>

#include "core/event.h"

/* What is posted. */
struct wish {
	enum { WANT, POLL } what;
	uint32_t value;
};

void balloon_init(struct balloon *b)
{
	memset(b, 0, sizeof *b);
	memset(b->stats.value, 0xff, sizeof b->stats.value);
	mutex_init(&b->lock);
}

void balloon_fini(struct balloon *b)
{
	mutex_fini(&b->lock);
}

static void deliver(void *arg, const void *data, size_t len)
{
	const struct balloon *b = arg;
	struct wish w;

	if (len != sizeof w)
		return;
	memcpy(&w, data, sizeof w);
	if (w.what == WANT)
		b->ops->want(b->dev, w.value);
	else
		b->ops->poll(b->dev, w.value);
}

int balloon_attach(struct balloon *b, struct events *ev, const struct balloon_ops *ops, void *dev,
    struct mutex *lock, struct err *e)
{
	if (!b)
		return 0;
	b->source = events_source(ev, "balloon", lock, deliver, b);
	if (b->source < 0)
		return err_set(e, ENOMEM, "no memory for a balloon");
	b->events = ev;
	b->dev = dev;
	b->ops = ops;
	return 0;
}

void balloon_changed(struct balloon *b, uint32_t pages)
{
	if (b && atomic_exchange(&b->pages, pages) != pages && b->changed)
		b->changed(b->changed_arg);
}

void balloon_tell(struct balloon *b, const struct balloon_stats *stats)
{
	if (!b)
		return;
	mutex_lock(&b->lock);
	b->stats = *stats;
	mutex_unlock(&b->lock);
}

static int post(struct balloon *b, struct wish w, struct err *e)
{
	if (!b->ops)
		return err_set(e, ENODEV, "this machine has no balloon: the key balloon adds one");
	if (events_post(b->events, b->source, &w, sizeof w) < 0)
		return err_set(e, ENOMEM, "no memory for a balloon");
	return 0;
}

int balloon_want(struct balloon *b, uint32_t pages, struct err *e)
{
	return post(b, (struct wish){ WANT, pages }, e);
}

int balloon_poll(struct balloon *b, uint32_t s, struct err *e)
{
	return post(b, (struct wish){ POLL, s }, e);
}

uint32_t balloon_pages(const struct balloon *b)
{
	return atomic_load(&b->pages);
}

void balloon_stats(struct balloon *b, struct balloon_stats *stats)
{
	mutex_lock(&b->lock);
	*stats = b->stats;
	mutex_unlock(&b->lock);
}
