/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/console.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/event.h"
#include "host/chr.h"

enum { ESCAPE = 1 }; /* Ctrl-a */

static struct console *of_own(struct chr *c)
{
	return CONTAINER_OF(c, struct console, own);
}

static void own_write(struct chr *own, const uint8_t *data, size_t n)
{
	const struct lodge_hooks *hooks = of_own(own)->hooks;

	hooks->console(hooks->arg, data, n);
}

/* The device's lock is held here, so what waits is handed over by an event. */
static void own_room(struct chr *own)
{
	struct console *c = of_own(own);

	if (c->taken < c->queue.len)
		events_post(c->events, c->source, "", 0);
}

static void own_save(struct chr *own, struct buf *b)
{
	const struct console *c = of_own(own);

	if (c->taken < c->queue.len)
		buf_put(b, c->queue.data + c->taken, c->queue.len - c->taken);
}

static void own_load(struct chr *own, const uint8_t *p, size_t n)
{
	struct console *c = of_own(own);

	c->queue.len = c->taken = 0;
	buf_put(&c->queue, p, n);
}

static const struct chr_ops own_ops = { own_write, own_room, own_save, own_load };

static void deliver(void *arg, const void *data, size_t len)
{
	struct console *c = arg;

	buf_put(&c->queue, data, len);
	c->taken += chr_input(&c->own, c->queue.data + c->taken, c->queue.len - c->taken);
	if (c->taken == c->queue.len)
		c->taken = c->queue.len = 0;
}

struct size {
	uint16_t cols, rows;
};

static void deliver_size(void *arg, const void *data, size_t len)
{
	struct console *c = arg;
	struct size s;

	if (len != sizeof s)
		return;
	memcpy(&s, data, sizeof s);
	chr_resize(c->chr, s.cols, s.rows);
}

/* Takes the escapes out of what is typed. */
static size_t filter(void *arg, uint8_t *data, size_t n)
{
	struct console *c = arg;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (c->escaped && data[i] != ESCAPE)
			c->hooks->key(c->hooks->arg, (char)data[i]);
		else if (c->escaped || data[i] != ESCAPE)
			data[kept++] = data[i];
		c->escaped = !c->escaped && data[i] == ESCAPE;
	}
	return kept;
}

int console_open(struct console *c, const struct lodge_hooks *hooks, const char *spec,
    struct loop *loop, struct events *ev, struct err *e)
{
	*c = (struct console){ .hooks = hooks, .own.ops = &own_ops, .events = ev };
	c->sizes = events_source(ev, "console size", NULL, deliver_size, c);
	if (c->sizes < 0)
		return err_set(e, ENOMEM, "no memory for a console");
	if (hooks->console) {
		c->chr = &c->own;
		c->source = events_source(ev, "console", NULL, deliver, c);
		return c->source < 0 ? err_set(e, ENOMEM, "no memory for a console") : 0;
	}
	c->chr = c->host = chr_open(spec, loop, ev, e);
	if (!c->host)
		return -EINVAL;
	if (hooks->key && !strcmp(spec, "stdio") && isatty(STDIN_FILENO))
		chr_stdio_filter(c->host, filter, c);
	return 0;
}

void console_close(struct console *c)
{
	chr_close(c->host);
	buf_free(&c->queue);
}

int console_input(struct console *c, const void *data, size_t n)
{
	return c->chr == &c->own ? events_post(c->events, c->source, data, n) : -EINVAL;
}

void console_unblock(struct console *c)
{
	if (c->host)
		chr_unblock(c->host);
}

int console_size(struct console *c, unsigned cols, unsigned rows)
{
	const struct size s = { cols < UINT16_MAX ? (uint16_t)cols : UINT16_MAX,
		rows < UINT16_MAX ? (uint16_t)rows : UINT16_MAX };

	return events_post(c->events, c->sizes, &s, sizeof s);
}
