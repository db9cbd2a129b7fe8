/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset control register of Intel's chip sets, at port 0xcf9, for machines without a PCI host.
 * Source: Intel ICH9 data sheet, section 13.7, "RST_CNT": bit 2 rising resets, bits 1 and 3 say how
 * much of the machine, which makes no difference here.
 * Left out: a reset of the CPU alone (INIT): that, too, resets the machine.
 */
#include "dev/reset_cf9.h"

#include "dev/dev.h"

enum { RST_SYSTEM = 2, RST_CPU = 4, RST_FULL = 8 };

struct cf9 {
	struct dev dev;
	uint8_t val;
};

static const struct field cf9_fields[] = { FIELD(struct cf9, val), FIELD_END };

void reset_cf9_write(const struct dev_env *env, uint8_t *reg, uint8_t val)
{
	uint8_t rises = val & (uint8_t) ~*reg;

	*reg = val & (RST_SYSTEM | RST_CPU | RST_FULL);
	if (rises & RST_CPU)
		env->power(env->machine, POWER_RESET, 0);
}

static uint64_t cf9_read(void *dev, uint64_t off, unsigned size)
{
	(void)off, (void)size;
	return ((struct cf9 *)dev)->val;
}

static void cf9_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct cf9 *c = dev;

	(void)off, (void)size;
	reset_cf9_write(c->dev.env, &c->val, (uint8_t)val);
}

static const struct io_ops cf9_io = { cf9_read, cf9_write, .min = 1, .max = 1 };

static int cf9_init(struct dev *d, struct err *e)
{
	return bus_map(dev_bus(d), "reset_cf9", d->base, 1, &cf9_io, d, &d->lock, e);
}

static void cf9_reset(struct dev *d)
{
	((struct cf9 *)d)->val = 0;
}

const struct dev_class dev_reset_cf9 = {
	.name = "reset_cf9",
	.about = "reset control register",
	.size = sizeof(struct cf9),
	.fields = cf9_fields,
	.init = cf9_init,
	.reset = cf9_reset,
};
