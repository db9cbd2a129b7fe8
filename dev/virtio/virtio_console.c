/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console device.  Source: VIRTIO version 1.2, section 5.3.
 * Left out: more than one port, and the console's size.
 */
#include "base/bytes.h"
#include "core/chr.h"
#include "dev/virtio/virtio.h"

#define F_EMERG_WRITE (1ull << 2)

enum { QUEUE_RX, QUEUE_TX };
enum { CONFIG_MAX_PORTS = 4, CONFIG_EMERG_WRITE = 8, CONFIG_SIZE = 12 };

/* All that is written of one request, so that a guest cannot keep us busy for long by naming the
 * same memory many times; drivers send a page at a time. */
enum { REQUEST_MAX = 1 << 20 };

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
	struct virtio *v = dev;
	struct virtio_queue *q = &v->queue[QUEUE_RX];
	struct virtq_chain c;

	if (!rx_pop(q, &c))
		return 0;
	virtq_unpop(q, &c);
	return c.in_len;
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

	(void)e;
	v->offered |= F_EMERG_WRITE;
	chr_attach(v->dev->back, &sink, v, &v->dev->lock);
	return 0;
}

static void console_reset(struct virtio *v)
{
	put_le(v->config + CONFIG_MAX_PORTS, 1, 4);
}

const struct virtio_class virtio_console = {
	.name = "virtio_console",
	.about = "console, one port",
	.id = 3,
	.config_size = CONFIG_SIZE,
	.queue_max = { [QUEUE_RX] = 64, [QUEUE_TX] = 64 },
	.size = sizeof(struct virtio),
	.init = console_init,
	.reset = console_reset,
	.notify = console_notify,
	.config_write = console_config_write,
};
