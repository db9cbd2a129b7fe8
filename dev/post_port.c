/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port at 0x80 where firmware writes how far it has come (power-on self test codes), and
 * kernels anything, to lose a microsecond.  Source: IBM PC AT Technical Reference (1984),
 * "Manufacturing test"; the AT has a page register of its DMA controller there, which can be read
 * back.
 * Left out: a display.
 *
 * One byte needs no lock, and some kernels store to it before each access of an old device.
 */
#include <stdatomic.h>

#include "dev/dev.h"

struct post {
	struct dev dev;
	_Atomic uint8_t code;
};

static const struct field post_fields[] = { FIELD(struct post, code), FIELD_END };

static uint64_t post_read(void *dev, uint64_t off, unsigned size)
{
	(void)off, (void)size;
	return ((struct post *)dev)->code;
}

static void post_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct post *p = dev;

	(void)off, (void)size;
	atomic_store_explicit(&p->code, (uint8_t)val, memory_order_relaxed);
	TRACE(p->dev.env->log, device, "post_port: %02x", (uint8_t)val);
}

static const struct io_ops post_io = { post_read, post_write, .min = 1, .max = 1 };

static int post_init(struct dev *d, struct err *e)
{
	return bus_map(dev_bus(d), "post_port", d->base, 1, &post_io, d, NULL, e);
}

static void post_reset(struct dev *d)
{
	((struct post *)d)->code = 0;
}

const struct dev_class dev_post_port = {
	.name = "post_port",
	.about = "power-on self test codes of PC firmware, as trace lines",
	.size = sizeof(struct post),
	.fields = post_fields,
	.init = post_init,
	.reset = post_reset,
};
