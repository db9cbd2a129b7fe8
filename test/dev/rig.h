/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_RIG_H
#define TEST_DEV_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: needs those above */
#include <cmocka.h>
/* clang-format on */

#include "base/buf.h"
#include "core/bus.h"
#include "core/chr.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/intc.h"
#include "core/mem.h"
#include "dev/dev.h"
#include "dev/fdt.h"

/*
 * What a device needs around it, without a CPU or a machine: RAM, a bus, a clock that only
 * rig_advance moves, and ends of wires that remember.  A test makes one with rig_new, puts devices
 * on it with rig_dev (the rig frees them), and reads the records.
 */
#define RIG_RAM      0x80000000u
#define RIG_RAM_SIZE 0x100000u
#define RIG_WALL_NS  1700000000123456789u /* the wall clock when guest time is 0 */

enum { RIG_IRQS = 128, RIG_CPUS = 4, RIG_DEVS = 16, RIG_TEXT = 8192 };

struct rig_chr {
	struct chr chr;
	char out[RIG_TEXT]; /* what the guest wrote; all after RIG_TEXT - 1 bytes is dropped */
	size_t len;
	unsigned rooms; /* calls of chr_room */
};

struct rig {
	uint64_t now; /* guest time in ns */
	uint8_t *ram;
	struct dev_env env;
	struct rig_chr chr;
	struct dev pic;               /* stands for an interrupt controller */
	bool irq[RIG_IRQS];           /* levels of its inputs */
	unsigned irq_ups[RIG_IRQS];   /* how often each went from low to high */
	uint32_t cpu_lines[RIG_CPUS]; /* bit n: level of line n */
	unsigned cpu_high[RIG_CPUS];  /* the last line above 31 that was raised */
	struct intc intc;
	unsigned powers; /* calls of power; the last one: */
	enum power power;
	unsigned power_code;
	struct dev *dev[RIG_DEVS];
	unsigned ndevs;
};

static inline void rig_set_irq(void *owner, unsigned n, bool level)
{
	struct rig *r = owner;

	assert_true(n < RIG_IRQS);
	r->irq_ups[n] += level && !r->irq[n];
	r->irq[n] = level;
}

static inline struct irq rig_input(struct dev *pic, unsigned n)
{
	return (struct irq){ rig_set_irq, CONTAINER_OF(pic, struct rig, pic), n };
}

static inline void rig_cpu_irq(void *machine, unsigned cpu, unsigned line, bool level)
{
	struct rig *r = machine;

	assert_true(cpu < RIG_CPUS);
	if (line >= 32) {
		r->cpu_high[cpu] = level ? line : 0;
		return;
	}
	r->cpu_lines[cpu] = (r->cpu_lines[cpu] & ~(1u << line)) | (uint32_t)level << line;
}

static inline void rig_power(void *machine, enum power why, unsigned code)
{
	struct rig *r = machine;

	r->powers++;
	r->power = why;
	r->power_code = code;
}

static inline void rig_chr_write(struct chr *c, const uint8_t *data, size_t n)
{
	struct rig_chr *rc = CONTAINER_OF(c, struct rig_chr, chr);
	size_t space = RIG_TEXT - 1 - rc->len;

	n = n < space ? n : space;
	memcpy(rc->out + rc->len, data, n);
	rc->len += n;
	rc->out[rc->len] = 0;
}

static inline void rig_chr_room(struct chr *c)
{
	CONTAINER_OF(c, struct rig_chr, chr)->rooms++;
}

static inline struct rig *rig_new(void)
{
	static const struct dev_class pic = { .name = "plic", .input = rig_input };
	static const struct chr_ops chr = { .write = rig_chr_write, .room = rig_chr_room };
	struct rig *r = calloc(1, sizeof *r);

	assert_non_null(r);
	r->ram = aligned_alloc(MEM_PAGE, RIG_RAM_SIZE); /* from malloc: ASan watches its ends */
	assert_non_null(r->ram);
	memset(r->ram, 0, RIG_RAM_SIZE);
	r->pic.class = &pic;
	r->chr.chr.ops = &chr;
	r->env = (struct dev_env){
		.mem = mem_new(),
		.bus = bus_new(),
		.ports = bus_new(),
		.intc = &r->intc,
		.clock = clock_new(),
		.events = events_new(),
		.ncpu = 1,
		.cpu_irq = rig_cpu_irq,
		.power = rig_power,
		.machine = r,
	};
	assert_int_equal(mem_map(r->env.mem, RIG_RAM, r->ram, RIG_RAM_SIZE, NULL), 0);
	clock_by_count(r->env.clock, &r->now, 0);
	clock_resume(r->env.clock);
	events_fix(r->env.events, 1, RIG_WALL_NS, r->env.clock);
	return r;
}

static inline void rig_free(struct rig *r)
{
	while (r->ndevs)
		dev_free(r->dev[--r->ndevs]);
	events_free(r->env.events);
	clock_free(r->env.clock);
	bus_free(r->env.bus);
	bus_free(r->env.ports);
	mem_free(r->env.mem);
	free(r->ram);
	free(r);
}

/* The device as dev_new makes it; `where` needs no env, and no pic when irq_no is 0. */
static inline struct dev *rig_dev_at(struct rig *r, const char *name, struct dev where)
{
	const struct dev_class *class = dev_find(name);
	struct err e = { "" };
	struct dev *d;

	assert_non_null(class);
	assert_true(r->ndevs < RIG_DEVS);
	where.env = &r->env;
	if (where.irq_no)
		where.pic = &r->pic;
	d = dev_new(class, &where, &e);
	if (!d)
		fail_msg("%s", e.text);
	r->dev[r->ndevs++] = d;
	return d;
}

/* irq_no 0: no interrupt.  back: NULL, &r->chr.chr or a struct block. */
static inline struct dev *rig_dev(
    struct rig *r, const char *name, uint64_t base, unsigned irq_no, void *back)
{
	return rig_dev_at(r, name, (struct dev){ .base = base, .irq_no = irq_no, .back = back });
}

/* The guest's accesses; the bus must answer. */
static inline uint64_t rig_read(struct rig *r, uint64_t addr, unsigned size)
{
	uint64_t val = 0;

	assert_true(bus_read(r->env.bus, addr, &val, size));
	return val;
}

static inline void rig_write(struct rig *r, uint64_t addr, uint64_t val, unsigned size)
{
	assert_true(bus_write(r->env.bus, addr, val, size));
}

/* The same for I/O ports. */
static inline uint64_t rig_in(struct rig *r, uint64_t port, unsigned size)
{
	uint64_t val = 0;

	assert_true(bus_read(r->env.ports, port, &val, size));
	return val;
}

static inline void rig_out(struct rig *r, uint64_t port, uint64_t val, unsigned size)
{
	assert_true(bus_write(r->env.ports, port, val, size));
}

/* Guest time goes on, with what it brings: due timers and queued input. */
static inline void rig_advance(struct rig *r, uint64_t ns)
{
	r->now += ns;
	clock_run(r->env.clock);
	events_deliver(r->env.events);
}

/* Somebody types at r->chr; the number of bytes that the device took. */
static inline size_t rig_type(struct rig *r, const char *text)
{
	return chr_input(&r->chr.chr, (const uint8_t *)text, strlen(text));
}

/* The i-th table of d's state, and its object; NULL behind the last. */
static inline const struct field *rig_fields(struct dev *d, unsigned i, void **object)
{
	*object = d;
	if (i == 0 && d->class->fields)
		return d->class->fields;
	return d->class->part ? d->class->part(d, i - (d->class->fields != NULL), object) : NULL;
}

/* Saves d, resets it, and loads it again: what is not in its fields is lost. */
static inline void rig_reload(struct dev *d)
{
	const struct field *fields;
	struct buf b = { 0 };
	struct err e = { "" };
	void *object;
	size_t at = 0;
	unsigned i;

	for (i = 0; (fields = rig_fields(d, i, &object)); i++)
		state_save(fields, object, &b);
	assert_false(b.failed);
	dev_reset(d);
	for (i = 0; (fields = rig_fields(d, i, &object)); i++)
		if (state_load(fields, object, b.data, b.len, &at, &e) < 0)
			fail_msg("%s", e.text);
	assert_int_equal(at, b.len);
	if (d->class->loaded)
		d->class->loaded(d);
	buf_free(&b);
}

/* A tree whose root holds what d adds to it; f is new, and owns the tree. */
static inline const void *rig_tree(struct fdt *f, struct dev *d)
{
	const void *tree;
	size_t size;

	assert_non_null(f);
	fdt_begin(f, "%s", "");
	d->class->fdt(d, f);
	fdt_end(f);
	tree = fdt_finish_tree(f, &size);
	assert_non_null(tree);
	return tree;
}

#endif
