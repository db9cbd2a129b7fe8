/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V core-local interrupts: software interrupts and timers of M mode.  Source: RISC-V ACLINT
 * specification, 1.0-rc4, chapters 2 and 3, in the layout of SiFive's CLINT (SiFive FU540-C000
 * manual, v1p0, chapter 9).  The time is the clock's counter.
 * Left out: SSWI.
 */
#include <errno.h>
#include <stdio.h>

#include "core/clock.h"
#include "dev/dev.h"
#include "dev/fdt.h"

enum { ACLINT_SIZE = 0x10000, ACLINT_HARTS = 512 };
enum { MTIMECMP = 0x4000, MTIME = 0xbff8 };
enum { LINE_MSIP = 3, LINE_MTIP = 7 }; /* bits of mip */

struct aclint;

struct aclint_hart {
	struct aclint *aclint;
	unsigned id;
	struct timer timer;
};

struct aclint {
	struct dev dev;
	uint32_t msip[ACLINT_HARTS];
	uint64_t mtimecmp[ACLINT_HARTS];
	struct aclint_hart hart[ACLINT_HARTS];
};

static const struct field aclint_fields[] = {
	FIELD_ARRAY(struct aclint, msip),
	FIELD_ARRAY(struct aclint, mtimecmp),
	FIELD_END,
};

static void update_soft(struct aclint *a, unsigned hart)
{
	a->dev.env->cpu_irq(a->dev.env->machine, hart, LINE_MSIP, a->msip[hart]);
}

static void update_timer(struct aclint *a, unsigned hart)
{
	const struct dev_env *env = a->dev.env;
	bool due = clock_counter(env->clock) >= a->mtimecmp[hart];

	timer_set(&a->hart[hart].timer,
	    due ? UINT64_MAX : clock_counter_when(env->clock, a->mtimecmp[hart]));
	env->cpu_irq(env->machine, hart, LINE_MTIP, due);
}

static void update_all(struct aclint *a)
{
	unsigned i;

	for (i = 0; i < a->dev.env->ncpu; i++) {
		update_soft(a, i);
		update_timer(a, i);
	}
}

static void timer_fired(void *arg)
{
	struct aclint_hart *h = arg;

	update_timer(h->aclint, h->id);
}

/* One of the 64-bit registers, or NULL where there is none. */
static uint64_t *find_mtimecmp(struct aclint *a, uint64_t off)
{
	uint64_t n = (off - MTIMECMP) / 8;

	return off >= MTIMECMP && n < a->dev.env->ncpu ? &a->mtimecmp[n] : NULL;
}

static uint32_t read_msip(const struct aclint *a, uint64_t off)
{
	return off < 4 * a->dev.env->ncpu ? a->msip[off / 4] : 0;
}

static uint64_t aclint_read(void *dev, uint64_t off, unsigned size)
{
	struct aclint *a = dev;
	const uint64_t *cmp = find_mtimecmp(a, off);
	uint64_t val = 0;

	if (off < MTIMECMP)
		return read_msip(a, off) | (size == 8 ? (uint64_t)read_msip(a, off + 4) << 32 : 0);
	if (off >= MTIME)
		val = off < MTIME + 8 ? clock_counter(a->dev.env->clock) : 0;
	else if (cmp)
		val = *cmp;
	return size == 8 ? val : (uint32_t)(val >> (off & 4) * 8);
}

static void write_msip(struct aclint *a, uint64_t off, uint32_t val)
{
	if (off >= 4 * a->dev.env->ncpu) {
		TRACE(a->dev.env->log, device, "aclint: msip of hart %u, which is not there",
		    (unsigned)off / 4);
		return;
	}
	a->msip[off / 4] = val & 1;
	update_soft(a, (unsigned)off / 4);
}

/* What a register that was `old` holds after a write of its whole or of a half. */
static uint64_t merge(uint64_t old, uint64_t off, uint64_t val, unsigned size)
{
	unsigned shift = (off & 4) * 8;

	return size == 8 ? val : (old & ~(0xffffffffull << shift)) | (val & 0xffffffff) << shift;
}

static void aclint_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct aclint *a = dev;
	struct clock *c = a->dev.env->clock;
	uint64_t *cmp = find_mtimecmp(a, off);

	if (off < MTIMECMP) {
		write_msip(a, off, (uint32_t)val);
		if (size == 8)
			write_msip(a, off + 4, (uint32_t)(val >> 32));
	} else if (off >= MTIME && off < MTIME + 8) {
		clock_counter_set(c, merge(clock_counter(c), off, val, size));
		update_all(a);
	} else if (cmp) {
		*cmp = merge(*cmp, off, val, size);
		update_timer(a, (unsigned)(cmp - a->mtimecmp));
	} else {
		TRACE(a->dev.env->log, device, "aclint: write at %#x, where nothing is",
		    (unsigned)off);
	}
}

static const struct io_ops aclint_io = { aclint_read, aclint_write, .min = 4, .max = 8 };

static int aclint_init(struct dev *d, struct err *e)
{
	struct aclint *a = (struct aclint *)d;
	unsigned i;

	if (d->env->ncpu > ACLINT_HARTS)
		return err_set(e, EINVAL, "aclint: %u CPUs, at most %d are possible", d->env->ncpu,
		    ACLINT_HARTS);
	for (i = 0; i < d->env->ncpu; i++) {
		a->hart[i].aclint = a;
		a->hart[i].id = i;
		timer_init(&a->hart[i].timer, d->env->clock, &d->lock, timer_fired, &a->hart[i]);
	}
	return bus_map(d->env->bus, "aclint", d->base, ACLINT_SIZE, &aclint_io, d, &d->lock, e);
}

static void aclint_fini(struct dev *d)
{
	struct aclint *a = (struct aclint *)d;
	unsigned i;

	for (i = 0; i < d->env->ncpu; i++)
		timer_set(&a->hart[i].timer, UINT64_MAX);
}

/* mtimecmp may be anything after a reset (3.2); at its greatest it keeps the timer quiet. */
static void aclint_reset(struct dev *d)
{
	struct aclint *a = (struct aclint *)d;
	unsigned i;

	for (i = 0; i < d->env->ncpu; i++) {
		a->msip[i] = 0;
		a->mtimecmp[i] = UINT64_MAX;
	}
	clock_counter_set(d->env->clock, 0);
	update_all(a);
}

static void aclint_loaded(struct dev *d)
{
	update_all((struct aclint *)d);
}

static void aclint_fdt(struct dev *d, struct fdt *f)
{
	uint32_t cell[4 * ACLINT_HARTS];
	char name[32];
	unsigned i;

	for (i = 0; i < d->env->ncpu; i++) {
		snprintf(name, sizeof name, "cpu%u-intc", i);
		cell[4 * i] = cell[4 * i + 2] = fdt_phandle(f, name);
		cell[4 * i + 1] = LINE_MSIP;
		cell[4 * i + 3] = LINE_MTIP;
	}
	fdt_begin(f, "clint@%llx", (unsigned long long)d->base);
	fdt_strs(f, "compatible", "sifive,clint0", "riscv,clint0", (char *)NULL);
	fdt_reg(f, d->base, ACLINT_SIZE);
	fdt_cells(f, "interrupts-extended", cell, 4 * d->env->ncpu);
	fdt_end(f);
}

static const struct dev_reg aclint_regs[] = {
	{ 0, "msip0" },
	{ 4, "msip1" },
	{ MTIMECMP, "mtimecmp0" },
	{ MTIMECMP + 8, "mtimecmp1" },
	{ MTIME, "mtime" },
	{ 0, NULL },
};

const struct dev_class dev_aclint = {
	.name = "aclint",
	.about = "RISC-V software interrupts and timers of M mode",
	.size = sizeof(struct aclint),
	.fields = aclint_fields,
	.regs = aclint_regs,
	.init = aclint_init,
	.reset = aclint_reset,
	.fini = aclint_fini,
	.loaded = aclint_loaded,
	.fdt = aclint_fdt,
};
