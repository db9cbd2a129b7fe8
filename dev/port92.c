/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PS/2's system control port A (0x92): a faster way to what the keyboard controller does.
 * Source: Intel ICH9 data sheet, section 13.7, "PORT92": bit 0 rising resets, bit 1 opens the A20
 * gate.
 * The gate is here, too.  As BIOSes are made for it, whoever wrote last decides: this port, or the
 * keyboard controller, whose output is input 0.  (In the data sheet it is open if one of the two
 * says so.)  It is open after reset.
 */
#include "core/intc.h"
#include "dev/dev.h"

enum { FAST_RESET = 1, FAST_A20 = 2 };

struct port92 {
	struct dev dev;
	uint8_t val;
};

static const struct field port92_fields[] = { FIELD(struct port92, val), FIELD_END };

/* Each CPU has the gate before it. */
static void drive_a20(const struct port92 *p)
{
	const struct dev_env *env = p->dev.env;

	for (unsigned i = 0; i < env->ncpu; i++)
		env->cpu_irq(env->machine, i, INTC_A20M, !(p->val & FAST_A20));
}

static void set_a20(void *owner, unsigned n, bool level)
{
	struct port92 *p = owner;

	(void)n;
	mutex_lock(&p->dev.lock);
	p->val = (uint8_t)((p->val & ~FAST_A20) | (level ? FAST_A20 : 0));
	drive_a20(p);
	mutex_unlock(&p->dev.lock);
}

static struct irq port92_input(struct dev *d, unsigned n)
{
	return (struct irq){ n == 0 ? set_a20 : NULL, d, n };
}

static uint64_t port92_read(void *dev, uint64_t off, unsigned size)
{
	(void)off, (void)size;
	return ((struct port92 *)dev)->val;
}

static void port92_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct port92 *p = dev;
	const struct dev_env *env = p->dev.env;
	bool rises = val & ~p->val & FAST_RESET;

	(void)off, (void)size;
	p->val = val & (FAST_RESET | FAST_A20);
	drive_a20(p);
	if (rises)
		env->power(env->machine, POWER_RESET, 0);
}

static const struct io_ops port92_io = { port92_read, port92_write, .min = 1, .max = 1 };

static int port92_init(struct dev *d, struct err *e)
{
	return bus_map(dev_bus(d), "port92", d->base, 1, &port92_io, d, &d->lock, e);
}

static void port92_reset(struct dev *d)
{
	struct port92 *p = (struct port92 *)d;

	mutex_lock(&d->lock);
	p->val = FAST_A20;
	drive_a20(p);
	mutex_unlock(&d->lock);
}

static void port92_loaded(struct dev *d)
{
	mutex_lock(&d->lock);
	drive_a20((struct port92 *)d);
	mutex_unlock(&d->lock);
}

const struct dev_class dev_port92 = {
	.name = "port92",
	.about = "PS/2 system control port: fast reset and A20",
	.size = sizeof(struct port92),
	.fields = port92_fields,
	.init = port92_init,
	.reset = port92_reset,
	.loaded = port92_loaded,
	.input = port92_input,
};
