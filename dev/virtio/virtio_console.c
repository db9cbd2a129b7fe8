/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console device.  Source: VIRTIO version 1.2, section 5.3.
 * Left out: more than one port, and the console's size.
 */
#include "base/bytes.h"
#include "core/chr.h"
#include "core/clock.h"
#include "dev/virtio/virtio.h"

#define F_EMERG_WRITE (1ull << 2)

enum { QUEUE_RX, QUEUE_TX };
enum { CONFIG_MAX_PORTS = 4, CONFIG_EMERG_WRITE = 8, CONFIG_SIZE = 12 };

/* All that is written of one request, so that a guest cannot keep us busy for long by naming the
 * same memory many times; drivers send a page at a time. */
enum { REQUEST_MAX = 1 << 20 };

/*
 * Input waits for a moment after the driver has offered its first buffer: Linux drops what comes
 * before it has made a terminal of the port, so that what was piped in from the start would be
 * lost.
 */
enum { OPEN_NS = 10000000 };

struct console {
	struct virtio v;
	bool opened;
	struct timer open;
};

static const struct field console_fields[] = { FIELD(struct console, opened), FIELD_END };

/* The next buffer for input; those without space are given back empty. */
static bool rx_pop(struct virtio_queue *q, struct virtq_chain *c)
{
	while (virtq_pop(q, c)) {
		if (c->in_len)
			return true;
		virtq_push(q, c, 0);
	}
	return false;
}

/* A buffer is taken only when there is input for it: none is in our hands when state is saved. */
static size_t console_room(void *dev)
{
	struct console *con = dev;
	struct virtio_queue *q = &con->v.queue[QUEUE_RX];
	struct virtq_chain c;

	if (!rx_pop(q, &c))
		return 0;
	virtq_unpop(q, &c);
	if (con->opened)
		return c.in_len;
	if (con->open.when == UINT64_MAX)
		timer_set(&con->open, clock_now(con->v.dev->env->clock) + OPEN_NS);
	return 0;
}

static void open_now(void *arg)
{
	struct console *con = arg;

	con->opened = true;
	chr_room(con->v.dev->back);
}

static void console_input(void *dev, const uint8_t *data, size_t n)
{
	struct virtio *v = dev;
	struct virtio_queue *q = &v->queue[QUEUE_RX];
	struct virtq_chain c;
	size_t done;

	for (; n && rx_pop(q, &c); data += done, n -= done) {
		done = virtq_write(&c, 0, data, n);
		virtq_push(q, &c, (uint32_t)done);
	}
	virtq_interrupt(q);
}

static void console_output(struct chr *chr, const struct virtq_chain *c)
{
	size_t left = REQUEST_MAX, n;
	unsigned i;

	for (i = 0; i < c->nout && left; i++) {
		n = c->iov[i].iov_len < left ? c->iov[i].iov_len : left;
		chr_write(chr, c->iov[i].iov_base, n);
		left -= n;
	}
}

static void console_notify(struct virtio *v, struct virtio_queue *q)
{
	struct chr *chr = v->dev->back;
	struct virtq_chain c;

	if (q == &v->queue[QUEUE_RX]) {
		if (console_room(v))
			chr_room(chr);
		return;
	}
	while (virtq_pop(q, &c)) {
		console_output(chr, &c);
		virtq_push(q, &c, 0);
	}
	virtq_interrupt(q);
}

/* Section 5.3.4: works before the driver is ready, and whatever was negotiated. */
static void console_config_write(struct virtio *v, unsigned off, uint64_t val, unsigned size)
{
	uint8_t byte = (uint8_t)val;

	if (off == CONFIG_EMERG_WRITE && size <= 4)
		chr_write(v->dev->back, &byte, 1);
}

static int console_init(struct virtio *v, struct err *e)
{
	static const struct chr_sink sink = { console_room, console_input };
	struct console *con = (struct console *)v;

	(void)e;
	timer_init(&con->open, v->dev->env->clock, &v->dev->lock, open_now, con);
	v->offered |= F_EMERG_WRITE;
	chr_attach(v->dev->back, &sink, v, &v->dev->lock);
	return 0;
}

static void console_fini(struct virtio *v)
{
	timer_set(&((struct console *)v)->open, UINT64_MAX);
}

static void console_reset(struct virtio *v)
{
	struct console *con = (struct console *)v;

	con->opened = false;
	timer_set(&con->open, UINT64_MAX);
	put_le(v->config + CONFIG_MAX_PORTS, 1, 4);
}

const struct virtio_class virtio_console = {
	.name = "virtio_console",
	.about = "console, one port",
	.id = 3,
	.config_size = CONFIG_SIZE,
	.queue_max = { [QUEUE_RX] = 64, [QUEUE_TX] = 64 },
	.size = sizeof(struct console),
	.fields = console_fields,
	.init = console_init,
	.fini = console_fini,
	.reset = console_reset,
	.notify = console_notify,
	.config_write = console_config_write,
};
