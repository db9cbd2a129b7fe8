/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * High precision event timers.  Source: IA-PC HPET specification, revision 1.0a, October 2004,
 * section 2.3.
 *
 * Three timers, all periodic and of 64 bits, at 100 MHz.  The controller that the device is given
 * is of class pc_irq.  An edge is a wire that falls and rises, and then stays up until the next
 * one, so that the interrupt controller keeps it.  A comparator that is written when the counter is
 * past it, or at it, matches when the counter comes round.
 * Left out: interrupts by memory writes ("FSB").
 */
#include "core/clock.h"
#include "dev/dev.h"
#include "dev/pc_irq.h"

enum { HPET_SIZE = 0x400, TIMERS = 3, TICK_NS = 10, FEMTOSECONDS = TICK_NS * 1000000 };
enum hpet_reg { CAPABILITIES = 0x00, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, TIMER = 0x100 };
enum { TIMER_STEP = 0x20, TIMER_CONFIG = 0x00, TIMER_COMPARATOR = 0x08 };
enum { ENABLE = 1, LEGACY = 2 };
enum { T_LEVEL = 2, T_ENABLE = 4, T_PERIODIC = 8, T_SET = 0x40, T_32BIT = 0x100, T_ROUTE = 0x3e00 };
enum { T_BITS = T_LEVEL | T_ENABLE | T_PERIODIC | T_SET | T_32BIT | T_ROUTE };
/* Can be periodic, has 64 bits, can be routed to the IOAPIC's pins 2, 8 and 16 to 23. */
#define T_CAPABILITIES (0xff0104ull << 32 | 0x30)
/* Vendor 8086H, legacy replacement, 64 bits, the last timer, revision 1. */
#define CAPABILITIES_VALUE ((uint64_t)FEMTOSECONDS << 32 | 0x8086a001u | (TIMERS - 1) << 8)

struct hpet_timer {
	uint64_t config;
	uint64_t comparator, period;
	bool up;       /* the wire, */
	uint8_t input; /* and where it leads: to pc_irq's; 0: nowhere */
};

struct hpet {
	struct dev dev;
	uint64_t config, status;
	uint64_t counter; /* while it runs, its distance from guest time in ticks */
	uint64_t done;    /* what the counter was when timers were looked at */
	struct hpet_timer timer[TIMERS];
	struct timer alarm;
};

static const struct field hpet_fields[] = {
	FIELD(struct hpet, config),
	FIELD(struct hpet, status),
	FIELD(struct hpet, counter),
	FIELD(struct hpet, done),
	FIELD_END,
};

static const struct field timer_fields[] = {
	FIELD(struct hpet_timer, config),
	FIELD(struct hpet_timer, comparator),
	FIELD(struct hpet_timer, period),
	FIELD(struct hpet_timer, up),
	FIELD_END,
};

static uint64_t ticks(const struct hpet *h)
{
	return clock_now(h->dev.env->clock) / TICK_NS;
}

static uint64_t get_counter(const struct hpet *h)
{
	return h->config & ENABLE ? ticks(h) + h->counter : h->counter;
}

static void set_counter(struct hpet *h, uint64_t val)
{
	h->counter = h->config & ENABLE ? val - ticks(h) : val;
	h->done = val;
}

/* Wires. */

static void set_input(struct hpet *h, unsigned input, bool level)
{
	struct dev *pic = h->dev.pic;
	struct irq i = { 0 };

	if (input && pic)
		i = pic->class->input(pic, input);
	irq_set(&i, level);
}

static bool is_legacy(const struct hpet *h)
{
	return (h->config & (ENABLE | LEGACY)) == (ENABLE | LEGACY);
}

/* 2.3.5: timers 0 and 1 replace the 8254 and the RTC. */
static unsigned input_of(const struct hpet *h, unsigned n)
{
	unsigned pin = h->timer[n].config >> 9 & 31;

	if (is_legacy(h) && n < 2)
		return PC_IRQ_HPET_0 + n;
	return T_CAPABILITIES >> 32 >> pin & 1 ? PC_IRQ_IOAPIC + pin : 0;
}

static void set_wire(struct hpet *h, unsigned n)
{
	struct hpet_timer *t = &h->timer[n];
	unsigned input = input_of(h, n);

	if (!(h->config & ENABLE) || !(t->config & T_ENABLE))
		t->up = false;
	else if (t->config & T_LEVEL)
		t->up = h->status >> n & 1;
	if (input != t->input)
		set_input(h, t->input, false);
	t->input = (uint8_t)input;
	set_input(h, input, t->up);
}

static void set_wires(struct hpet *h)
{
	unsigned n;

	set_input(h, PC_IRQ_HPET, is_legacy(h));
	for (n = 0; n < TIMERS; n++)
		set_wire(h, n);
}

/* Status tells levels, whether or not they interrupt (2.3.8: TNn_INT_ENB_CNF). */
static void fire(struct hpet *h, unsigned n)
{
	struct hpet_timer *t = &h->timer[n];

	if (t->config & T_LEVEL) {
		h->status |= 1u << n;
	} else if (t->config & T_ENABLE) {
		set_input(h, t->input, false);
		t->up = true;
	}
	set_wire(h, n);
}

/* Matches. */

static uint64_t mask_of(const struct hpet_timer *t)
{
	return t->config & T_32BIT ? 0xffffffff : UINT64_MAX;
}

/* How many ticks after `done` the counter is next what the comparator is.  0: after all of them. */
static uint64_t distance(const struct hpet *h, const struct hpet_timer *t)
{
	uint64_t d = (t->comparator - h->done) & mask_of(t);

	return d || !(t->config & T_32BIT) ? d : 1ull << 32;
}

/* A periodic comparator goes on to where it is in the future. */
static void run_timer(struct hpet *h, unsigned n, uint64_t ran)
{
	struct hpet_timer *t = &h->timer[n];
	uint64_t d = distance(h, t), period = t->period & mask_of(t);

	if (!d || d > ran)
		return;
	if (t->config & T_PERIODIC && period)
		t->comparator = (t->comparator + ((ran - d) / period + 1) * period) & mask_of(t);
	fire(h, n);
}

static void catch_up(struct hpet *h)
{
	uint64_t counter = get_counter(h);
	unsigned n;

	for (n = 0; n < TIMERS; n++)
		run_timer(h, n, counter - h->done);
	h->done = counter;
}

/* Timers that would change nothing need no alarm: the others look after them. */
static bool matters(const struct hpet *h, unsigned n)
{
	const struct hpet_timer *t = &h->timer[n];

	return t->config & T_ENABLE && !(t->config & T_LEVEL && h->status >> n & 1);
}

static void set_alarm(struct hpet *h)
{
	uint64_t now = h->done - h->counter, when = UINT64_MAX, d;
	unsigned n;

	for (n = 0; n < TIMERS && h->config & ENABLE; n++) {
		d = distance(h, &h->timer[n]);
		if (d && matters(h, n) && d < UINT64_MAX / TICK_NS - now &&
		    (now + d) * TICK_NS < when)
			when = (now + d) * TICK_NS;
	}
	if (when != h->alarm.when)
		timer_set(&h->alarm, when);
}

static void alarm_off(void *arg)
{
	struct hpet *h = arg;

	catch_up(h);
	set_alarm(h);
}

/* Registers. */

static uint64_t read_timer(const struct hpet *h, uint64_t off)
{
	const struct hpet_timer *t = &h->timer[(off - TIMER) / TIMER_STEP];

	switch (off % TIMER_STEP & ~7u) {
	case TIMER_CONFIG:
		return t->config | T_CAPABILITIES;
	case TIMER_COMPARATOR:
		return t->comparator;
	default:
		return 0;
	}
}

static uint64_t read_reg(const struct hpet *h, uint64_t off)
{
	if (off >= TIMER && off < TIMER + TIMERS * TIMER_STEP)
		return read_timer(h, off);
	switch (off & ~7ull) {
	case CAPABILITIES:
		return CAPABILITIES_VALUE;
	case CONFIG:
		return h->config;
	case STATUS:
		return h->status;
	case COUNTER:
		return get_counter(h);
	default:
		return 0;
	}
}

static uint64_t hpet_read(void *dev, uint64_t off, unsigned size)
{
	struct hpet *h = dev;
	uint64_t val;

	catch_up(h);
	set_alarm(h);
	val = read_reg(h, off);
	return size == 8 ? val : val >> (off & 4) * 8;
}

/* What a register that was `old` holds after a write of its whole or of a half. */
static uint64_t merge(uint64_t old, uint64_t off, uint64_t val, unsigned size)
{
	unsigned shift = (off & 4) * 8;

	return size == 8 ? val : (old & ~(0xffffffffull << shift)) | val << shift;
}

static void write_config(struct hpet *h, uint64_t val)
{
	uint64_t counter = get_counter(h);

	h->config = val & (ENABLE | LEGACY);
	set_counter(h, counter);
	set_wires(h);
}

/* A route that the timer does not have leaves it where it was (2.3.8: software reads it back). */
static void write_timer_config(struct hpet *h, unsigned n, uint64_t val)
{
	struct hpet_timer *t = &h->timer[n];

	if (!(T_CAPABILITIES >> 32 >> (val >> 9 & 31) & 1))
		val = (val & ~(uint64_t)T_ROUTE) | (t->config & T_ROUTE);
	t->config = val & T_BITS;
	t->comparator &= mask_of(t);
	if (!(t->config & T_LEVEL))
		h->status &= ~(1ull << n);
	set_wire(h, n);
}

/* 2.3.9.2: of a periodic timer this is the period, and after T_SET the comparator, too. */
static void write_comparator(struct hpet_timer *t, uint64_t off, uint64_t val, unsigned size)
{
	if (!(t->config & T_PERIODIC) || t->config & T_SET)
		t->comparator = merge(t->comparator, off, val, size) & mask_of(t);
	if (t->config & T_PERIODIC)
		t->period = merge(t->period, off, val, size);
	t->config &= ~(uint64_t)T_SET;
}

static void write_timer(struct hpet *h, uint64_t off, uint64_t val, unsigned size)
{
	unsigned n = (unsigned)(off - TIMER) / TIMER_STEP;

	if ((off % TIMER_STEP & ~7u) == TIMER_CONFIG)
		write_timer_config(h, n, merge(h->timer[n].config, off, val, size));
	else if ((off % TIMER_STEP & ~7u) == TIMER_COMPARATOR)
		write_comparator(&h->timer[n], off, val, size);
}

static void write_reg(struct hpet *h, uint64_t off, uint64_t val, unsigned size)
{
	switch (off & ~7ull) {
	case CONFIG:
		write_config(h, merge(h->config, off, val, size));
		break;
	case STATUS:
		h->status &= ~merge(0, off, val, size);
		set_wires(h);
		break;
	case COUNTER:
		set_counter(h, merge(get_counter(h), off, val, size));
		break;
	default:
		TRACE(
		    h->dev.env->log, device, "hpet: write at %#x, where nothing is", (unsigned)off);
	}
}

static void hpet_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct hpet *h = dev;

	catch_up(h);
	if (off >= TIMER && off < TIMER + TIMERS * TIMER_STEP)
		write_timer(h, off, val, size);
	else
		write_reg(h, off, val, size);
	set_alarm(h);
}

static const struct io_ops hpet_io = { hpet_read, hpet_write, .min = 4, .max = 8 };

static int hpet_init(struct dev *d, struct err *e)
{
	struct hpet *h = (struct hpet *)d;

	timer_init(&h->alarm, d->env->clock, &d->lock, alarm_off, h);
	return bus_map(d->env->bus, "hpet", d->base, HPET_SIZE, &hpet_io, d, &d->lock, e);
}

static void hpet_fini(struct dev *d)
{
	timer_set(&((struct hpet *)d)->alarm, UINT64_MAX);
}

static void hpet_reset(struct dev *d)
{
	struct hpet *h = (struct hpet *)d;
	unsigned n;

	mutex_lock(&d->lock);
	h->config = h->status = h->counter = h->done = 0;
	for (n = 0; n < TIMERS; n++) {
		h->timer[n].config = h->timer[n].period = 0;
		h->timer[n].comparator = UINT64_MAX;
	}
	set_wires(h);
	set_alarm(h);
	mutex_unlock(&d->lock);
}

static void hpet_loaded(struct dev *d)
{
	struct hpet *h = (struct hpet *)d;

	mutex_lock(&d->lock);
	set_wires(h);
	set_alarm(h);
	mutex_unlock(&d->lock);
}

static const struct field *hpet_part(struct dev *d, unsigned i, void **object)
{
	if (i >= TIMERS)
		return NULL;
	*object = &((struct hpet *)d)->timer[i];
	return timer_fields;
}

static const struct dev_reg hpet_regs[] = {
	{ CAPABILITIES, "capabilities" },
	{ CONFIG, "config" },
	{ STATUS, "status" },
	{ COUNTER, "counter" },
	{ TIMER, "timer0_config" },
	{ TIMER + TIMER_COMPARATOR, "timer0_comparator" },
	{ 0, NULL },
};

const struct dev_class dev_hpet = {
	.name = "hpet",
	.about = "high precision event timers",
	.size = sizeof(struct hpet),
	.fields = hpet_fields,
	.regs = hpet_regs,
	.init = hpet_init,
	.reset = hpet_reset,
	.fini = hpet_fini,
	.loaded = hpet_loaded,
	.part = hpet_part,
};
