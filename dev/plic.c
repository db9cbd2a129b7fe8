/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V platform-level interrupt controller.  Source: RISC-V PLIC specification, 1.0.0.
 * Context 2h is M mode of hart h, 2h + 1 is S mode.  With the id "s-only" the harts have no M mode
 * that a guest could use: its contexts are there, but lead nowhere.
 * Left out: edge-triggered gateways (every source is a level).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dev/dev.h"
#include "dev/fdt.h"

enum { PLIC_SIZE = 0x600000, SOURCES = 96, WORDS = SOURCES / 32, HARTS = 512 };
enum { CONTEXTS = 2 * HARTS, LEVELS_MASK = 7 };
enum { PENDING = 0x1000, ENABLE = 0x2000, ENABLE_STEP = 0x80 };
enum { CONTEXT = 0x200000, CONTEXT_STEP = 0x1000, THRESHOLD = 0, CLAIM = 4 };
enum { LINE_MEIP = 11, LINE_SEIP = 9 }; /* bits of mip */

struct plic {
	struct dev dev;
	bool s_only;
	uint8_t priority[SOURCES];
	/* Bit n of the array is source n.  served: between claim and complete, when the gateway
	 * holds back. */
	uint32_t level[WORDS], pending[WORDS], served[WORDS];
	uint32_t enable[CONTEXTS * WORDS];
	uint8_t threshold[CONTEXTS];
	bool raised[CONTEXTS]; /* what the wires to the CPUs are */
};

static const struct field plic_fields[] = {
	FIELD_ARRAY(struct plic, priority),
	FIELD_ARRAY(struct plic, level),
	FIELD_ARRAY(struct plic, pending),
	FIELD_ARRAY(struct plic, served),
	FIELD_ARRAY(struct plic, enable),
	FIELD_ARRAY(struct plic, threshold),
	FIELD_END,
};

static unsigned plic_contexts(const struct plic *p)
{
	return 2 * p->dev.env->ncpu;
}

/* The pending source, enabled in a context, with the highest priority above 0, and of those the one
 * with the lowest number; 0: none. */
static unsigned best_source(const struct plic *p, unsigned ctx)
{
	unsigned w, n, best = 0;
	uint32_t left;

	for (w = 0; w < WORDS; w++) {
		left = p->pending[w] & p->enable[ctx * WORDS + w];
		for (n = w * 32; left; n++, left >>= 1)
			if (left & 1 && p->priority[n] > p->priority[best])
				best = n;
	}
	return best;
}

static void set_wire(struct plic *p, unsigned ctx, bool level)
{
	const struct dev_env *env = p->dev.env;

	p->raised[ctx] = level;
	if (ctx & 1)
		env->cpu_irq(env->machine, ctx / 2, LINE_SEIP, level);
	else if (!p->s_only)
		env->cpu_irq(env->machine, ctx / 2, LINE_MEIP, level);
}

static void update_context(struct plic *p, unsigned ctx)
{
	bool level = p->priority[best_source(p, ctx)] > p->threshold[ctx];

	if (level != p->raised[ctx])
		set_wire(p, ctx, level);
}

static void update_all(struct plic *p)
{
	unsigned i;

	for (i = 0; i < plic_contexts(p); i++)
		update_context(p, i);
}

/* A gateway sends one request, which stays until it is claimed even if the level falls, and no
 * other before the first one is complete (chapter 5). */
static void open_gateways(struct plic *p)
{
	unsigned w;

	for (w = 0; w < WORDS; w++)
		p->pending[w] |= p->level[w] & ~p->served[w];
}

static void plic_set(void *owner, unsigned n, bool level)
{
	struct plic *p = owner;
	uint32_t bit = 1u << n % 32;

	mutex_lock(&p->dev.lock);
	if ((p->level[n / 32] & bit) != (level ? bit : 0)) {
		p->level[n / 32] ^= bit;
		TRACE(p->dev.env->log, irq, "plic: source %u is %s %s", n, level ? "up" : "down",
		    dev_wired(&p->dev, n));
		if (level) {
			open_gateways(p);
			update_all(p);
		}
	}
	mutex_unlock(&p->dev.lock);
}

/* The threshold has no say in claims (chapter 8). */
static uint32_t plic_claim(struct plic *p, unsigned ctx)
{
	unsigned n = best_source(p, ctx);

	if (!n)
		return 0;
	TRACE(p->dev.env->log, irq, "plic: context %u claims source %u %s", ctx, n,
	    dev_wired(&p->dev, n));
	p->pending[n / 32] &= ~(1u << n % 32);
	p->served[n / 32] |= 1u << n % 32;
	update_all(p);
	return n;
}

static void plic_complete(struct plic *p, unsigned ctx, uint32_t n)
{
	if (n >= SOURCES || !(p->enable[ctx * WORDS + n / 32] >> n % 32 & 1)) {
		TRACE(p->dev.env->log, device, "plic: context %u completes %u, not enabled there",
		    ctx, n);
		return;
	}
	TRACE(p->dev.env->log, irq, "plic: context %u completes source %u %s", ctx, n,
	    dev_wired(&p->dev, n));
	p->served[n / 32] &= ~(1u << n % 32);
	open_gateways(p);
	update_all(p);
}

/* The word of enable bits at off, or NULL where there is none. */
static uint32_t *find_enable(struct plic *p, uint64_t off)
{
	uint64_t ctx = (off - ENABLE) / ENABLE_STEP, w = (off - ENABLE) % ENABLE_STEP / 4;

	if (off < ENABLE || ctx >= plic_contexts(p) || w >= WORDS)
		return NULL;
	return &p->enable[ctx * WORDS + w];
}

static uint64_t plic_read(void *dev, uint64_t off, unsigned size)
{
	struct plic *p = dev;
	const uint32_t *enable = find_enable(p, off);
	unsigned ctx = (unsigned)(off - CONTEXT) / CONTEXT_STEP;

	(void)size;
	if (off < 4 * SOURCES)
		return p->priority[off / 4];
	if (off >= PENDING && off < PENDING + 4 * WORDS)
		return p->pending[(off - PENDING) / 4];
	if (enable)
		return *enable;
	if (off < CONTEXT || ctx >= plic_contexts(p))
		return 0;
	switch (off % CONTEXT_STEP) {
	case THRESHOLD:
		return p->threshold[ctx];
	case CLAIM:
		return plic_claim(p, ctx);
	default:
		return 0;
	}
}

static void write_context(struct plic *p, uint64_t off, uint32_t val)
{
	unsigned ctx = (unsigned)(off - CONTEXT) / CONTEXT_STEP;

	if (off < CONTEXT || ctx >= plic_contexts(p) || off % CONTEXT_STEP > CLAIM) {
		TRACE(
		    p->dev.env->log, device, "plic: write at %#x, where nothing is", (unsigned)off);
	} else if (off % CONTEXT_STEP == CLAIM) {
		plic_complete(p, ctx, val);
	} else {
		p->threshold[ctx] = val & LEVELS_MASK;
		update_context(p, ctx);
	}
}

static void plic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct plic *p = dev;
	uint32_t *enable = find_enable(p, off);

	(void)size;
	if (off >= 4 && off < 4 * SOURCES) {
		p->priority[off / 4] = val & LEVELS_MASK;
		update_all(p);
	} else if (enable) {
		*enable = (uint32_t)val;
		if ((enable - p->enable) % WORDS == 0)
			*enable &= ~1u; /* there is no source 0 */
		update_context(p, (unsigned)(enable - p->enable) / WORDS);
	} else {
		write_context(p, off, (uint32_t)val);
	}
}

static struct irq plic_input(struct dev *d, unsigned n)
{
	if (n == 0 || n >= SOURCES)
		return (struct irq){ 0 };
	return (struct irq){ plic_set, d, n };
}

static const struct io_ops plic_io = { plic_read, plic_write, .min = 4, .max = 4 };

static int plic_init(struct dev *d, struct err *e)
{
	struct plic *p = (struct plic *)d;

	if (d->env->ncpu > HARTS)
		return err_set(
		    e, EINVAL, "plic: %u CPUs, at most %d are possible", d->env->ncpu, HARTS);
	p->s_only = !strcmp(d->id, "s-only");
	return bus_map(d->env->bus, "plic", d->base, PLIC_SIZE, &plic_io, d, &d->lock, e);
}

static void set_wires(struct plic *p)
{
	unsigned i;

	for (i = 0; i < plic_contexts(p); i++)
		set_wire(p, i, p->priority[best_source(p, i)] > p->threshold[i]);
}

/* The wires into the controller belong to others and stay as they are. */
static void plic_reset(struct dev *d)
{
	struct plic *p = (struct plic *)d;

	mutex_lock(&d->lock);
	memset(p->priority, 0, sizeof p->priority);
	memset(p->pending, 0, sizeof p->pending);
	memset(p->served, 0, sizeof p->served);
	memset(p->enable, 0, sizeof p->enable);
	memset(p->threshold, 0, sizeof p->threshold);
	open_gateways(p);
	set_wires(p);
	mutex_unlock(&d->lock);
}

static void plic_loaded(struct dev *d)
{
	struct plic *p = (struct plic *)d;

	mutex_lock(&d->lock);
	set_wires(p);
	mutex_unlock(&d->lock);
}

static void plic_fdt(struct dev *d, struct fdt *f)
{
	const struct plic *p = (struct plic *)d;
	uint32_t cell[2 * CONTEXTS];
	char name[32];
	unsigned i;

	for (i = 0; i < d->env->ncpu; i++) {
		snprintf(name, sizeof name, "cpu%u-intc", i);
		cell[4 * i] = cell[4 * i + 2] = fdt_phandle(f, name);
		cell[4 * i + 1] = p->s_only ? UINT32_MAX : LINE_MEIP;
		cell[4 * i + 3] = LINE_SEIP;
	}
	fdt_begin(f, "plic@%llx", (unsigned long long)d->base);
	fdt_strs(f, "compatible", "sifive,plic-1.0.0", "riscv,plic0", (char *)NULL);
	fdt_reg(f, d->base, PLIC_SIZE);
	fdt_u32(f, "riscv,ndev", SOURCES - 1);
	fdt_empty(f, "interrupt-controller");
	fdt_u32(f, "#interrupt-cells", 1);
	fdt_u32(f, "#address-cells", 0);
	fdt_cells(f, "interrupts-extended", cell, 4 * d->env->ncpu);
	fdt_set_phandle(f, "plic");
	fdt_end(f);
}

static const struct dev_reg plic_regs[] = {
	{ PENDING, "pending0" },
	{ ENABLE, "enable0.0" },
	{ ENABLE + ENABLE_STEP, "enable1.0" },
	{ CONTEXT, "threshold0" },
	{ CONTEXT + CLAIM, "claim0" },
	{ CONTEXT + CONTEXT_STEP, "threshold1" },
	{ CONTEXT + CONTEXT_STEP + CLAIM, "claim1" },
	{ 0, NULL },
};

const struct dev_class dev_plic = {
	.name = "plic",
	.about = "RISC-V platform-level interrupt controller",
	.size = sizeof(struct plic),
	.fields = plic_fields,
	.regs = plic_regs,
	.init = plic_init,
	.reset = plic_reset,
	.loaded = plic_loaded,
	.fdt = plic_fdt,
	.input = plic_input,
};
