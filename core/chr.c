/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/chr.h"

#include "base/thread.h"

void chr_attach(struct chr *c, const struct chr_sink *sink, void *dev, struct mutex *lock)
{
	if (!c)
		return;
	c->sink = sink;
	c->dev = dev;
	c->lock = lock;
	c->changed = NULL;
}

void chr_watch(struct chr *c, void (*changed)(void *dev))
{
	if (c)
		c->changed = changed;
}

void chr_write(struct chr *c, const uint8_t *p, size_t n)
{
	if (c && n && !c->muted && c->ops->write)
		c->ops->write(c, p, n);
}

size_t chr_input(struct chr *c, const uint8_t *p, size_t n)
{
	size_t taken = 0, room;

	if (!c->sink)
		return n;
	if (c->lock)
		mutex_lock(c->lock);
	while (taken < n && (room = c->sink->room(c->dev))) {
		if (room > n - taken)
			room = n - taken;
		c->sink->input(c->dev, p + taken, room);
		taken += room;
	}
	c->taken += taken;
	if (c->lock)
		mutex_unlock(c->lock);
	return taken;
}

static void set(struct chr *c, bool away, uint16_t cols, uint16_t rows)
{
	const bool same = c->away == away && c->cols == cols && c->rows == rows;

	if (c->lock)
		mutex_lock(c->lock);
	c->away = away;
	c->cols = cols;
	c->rows = rows;
	if (!same && c->sink && c->changed)
		c->changed(c->dev);
	if (c->lock)
		mutex_unlock(c->lock);
}

void chr_set_away(struct chr *c, bool away)
{
	set(c, away, c->cols, c->rows);
}

void chr_resize(struct chr *c, uint16_t cols, uint16_t rows)
{
	set(c, c->away, cols, rows);
}

void chr_room(struct chr *c)
{
	if (c && !c->patient && c->ops->room)
		c->ops->room(c);
}

void chr_offer(struct chr *c)
{
	if (c && c->ops->room)
		c->ops->room(c);
}
