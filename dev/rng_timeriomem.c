/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A register that reads as random.  Source: Linux 6.12,
 * Documentation/devicetree/bindings/rng/timeriomem_rng.yaml, and the driver timeriomem-rng.c.
 * Left out: the time that hardware takes to gather a new word: there is one at each read.
 */
#include "base/bytes.h"
#include "core/event.h"
#include "dev/dev.h"
#include "dev/fdt.h"

/* One word; the period is what the driver sleeps between two reads. */
enum { RNG_SIZE = 4, PERIOD_US = 1, QUALITY = 1000 };

struct rng {
	struct dev dev;
};

static uint64_t rng_read(void *dev, uint64_t off, unsigned size)
{
	struct rng *r = dev;
	uint8_t word[RNG_SIZE];

	(void)off;
	(void)size; /* is RNG_SIZE */
	events_random(r->dev.env->events, word, RNG_SIZE);
	return get_le(word, RNG_SIZE);
}

static void rng_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct rng *r = dev;

	(void)off;
	(void)size;
	TRACE(r->dev.env->log, device, "rng_timeriomem: write of %#llx to a read-only register",
	    (unsigned long long)val);
}

static const struct io_ops rng_io = { rng_read, rng_write, .min = 4, .max = 4 };

static int rng_init(struct dev *d, struct err *e)
{
	return bus_map(d->env->bus, "rng_timeriomem", d->base, RNG_SIZE, &rng_io, d, &d->lock, e);
}

static void rng_reset(struct dev *d)
{
	(void)d; /* there is no state */
}

static void rng_fdt(struct dev *d, struct fdt *f)
{
	fdt_begin(f, "rng@%llx", (unsigned long long)d->base);
	fdt_str(f, "compatible", "timeriomem_rng");
	fdt_reg(f, d->base, RNG_SIZE);
	fdt_u32(f, "period", PERIOD_US);
	fdt_u32(f, "quality", QUALITY);
	fdt_end(f);
}

const struct dev_class dev_rng_timeriomem = {
	.name = "rng_timeriomem",
	.about = "register that reads as random",
	.size = sizeof(struct rng),
	.init = rng_init,
	.reset = rng_reset,
	.fdt = rng_fdt,
};
