/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port that takes firmware's log, a character at a time: QEMU's isa-debugcon
 * (hw/char/debugcon.c), which SeaBIOS and OVMF expect at 0x402, and Bochs's at 0xe9.  It reads as
 * 0xe9, so that they know that it is there.
 * Left out: nothing.
 */
#include "core/chr.h"
#include "dev/dev.h"

enum { PRESENT = 0xe9 };

static uint64_t debugcon_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev, (void)off, (void)size;
	return PRESENT;
}

static void debugcon_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	const uint8_t c = (uint8_t)val;

	(void)off, (void)size;
	chr_write(((struct dev *)dev)->back, &c, 1);
}

static const struct io_ops debugcon_io = { debugcon_read, debugcon_write, .min = 1, .max = 1 };

static int debugcon_init(struct dev *d, struct err *e)
{
	return bus_map(dev_bus(d), "isa_debugcon", d->base, 1, &debugcon_io, d, &d->lock, e);
}

static void debugcon_reset(struct dev *d)
{
	(void)d;
}

const struct dev_class dev_isa_debugcon = {
	.name = "isa_debugcon",
	.about = "I/O port that takes firmware's log",
	.size = sizeof(struct dev),
	.init = debugcon_init,
	.reset = debugcon_reset,
	.line = true,
};
