/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port by which tests end the run with an exit code: QEMU's isa-debug-exit (hw/misc/debugexit.c),
 * which kvm-unit-tests and others expect at port 0xf4, 4 bytes wide.  Writing n, in any size and
 * place, ends with code n << 1 | 1: never 0, so that it cannot be taken for a shutdown.
 * Left out: nothing.
 */
#include "dev/dev.h"

enum { EXIT_SIZE = 4 };

static uint64_t exit_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev, (void)off, (void)size;
	return 0;
}

static void exit_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	const struct dev_env *env = ((struct dev *)dev)->env;

	(void)off, (void)size;
	env->power(env->machine, POWER_OFF, (unsigned)val << 1 | 1);
}

static const struct io_ops exit_io = { exit_read, exit_write, .min = 1, .max = 4 };

static int exit_init(struct dev *d, struct err *e)
{
	return bus_map(dev_bus(d), "isa_debug_exit", d->base, EXIT_SIZE, &exit_io, d, &d->lock, e);
}

static void exit_reset(struct dev *d)
{
	(void)d;
}

const struct dev_class dev_isa_debug_exit = {
	.name = "isa_debug_exit",
	.about = "I/O port that ends the run with an exit code",
	.size = sizeof(struct dev),
	.init = exit_init,
	.reset = exit_reset,
};
