/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 8254 programmable interval timer of a PC, with port 61H.  Source: Intel 8254 data sheet,
 * September 1993 (231164-005); port 61H: Intel ICH9 data sheet, section 13.7.1.
 *
 * CLK is 105/88 MHz.  Counters are calculated when somebody looks.  The output of counter 0 is the
 * device's irq; port 61H is at base + 21H and has the gate of counter 2.  Where the output falls
 * for a moment in every period, the wire falls only to rise again, so that the interrupt controller
 * keeps a request that a busy host is late with.
 * Left out: sound (the speaker's bits only hold what is written), parity and I/O check errors.
 */
#include "core/clock.h"
#include "dev/dev.h"

enum { PORTS = 4, CONTROL = 3, COUNTERS = 3, PORT61 = 0x21, SPEAKER = 2 };
enum { RW_LATCH = 0, RW_LOW = 1, RW_HIGH = 2, RW_BOTH = 3, READ_BACK = 3 };
enum { READ_BACK_NO_COUNT = 0x20, READ_BACK_NO_STATUS = 0x10 };
enum { STATUS_OUT = 0x80, STATUS_NULL = 0x40, CONTROL_BITS = 0x3f };
enum { P61_GATE = 1, P61_BITS = 15, P61_REFRESH = 16, P61_OUT = 32, REFRESH_TICKS = 18 };
enum { TICKS = 21, TICKS_NS = 17600 }; /* 21 CLKs take 17600 ns */
#define NEVER UINT64_MAX

enum mode { TERMINAL, ONE_SHOT, RATE, SQUARE, STROBE, HARD_STROBE };

/* Times are in CLKs. */
struct counter {
	uint8_t control; /* bits 5 to 0 of the control word */
	bool gate;
	bool
	    loaded; /* it has a count since the control word, and the trigger if it waits for one */
	bool null;  /* a count was written that waits for that */
	bool high;  /* SQUARE: in that half of the period */
	uint32_t count; /* what it was loaded with at `from`, in SQUARE the beginning of the half */
	uint32_t next;  /* what it is loaded with next, as it was written */
	uint64_t from;
	uint64_t held; /* while the gate is low: how long it had run */
	uint8_t low;   /* the first byte of two */
	bool has_low, read_high;
	bool latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

struct pit {
	struct dev dev;
	uint8_t port61;
	uint64_t risen; /* when counter 0's output rose, as far as the wire tells */
	struct counter counter[COUNTERS];
	struct timer timer;
};

static const struct field pit_fields[] = {
	FIELD(struct pit, port61),
	FIELD(struct pit, risen),
	FIELD_END,
};

static const struct field counter_fields[] = {
	FIELD(struct counter, control),
	FIELD(struct counter, gate),
	FIELD(struct counter, loaded),
	FIELD(struct counter, null),
	FIELD(struct counter, high),
	FIELD(struct counter, count),
	FIELD(struct counter, next),
	FIELD(struct counter, from),
	FIELD(struct counter, held),
	FIELD(struct counter, low),
	FIELD(struct counter, has_low),
	FIELD(struct counter, read_high),
	FIELD(struct counter, latched),
	FIELD(struct counter, status_latched),
	FIELD(struct counter, latch),
	FIELD(struct counter, status),
	FIELD_END,
};

static uint64_t now(const struct pit *p)
{
	uint64_t ns = clock_now(p->dev.env->clock);

	return ns / TICKS_NS * TICKS + ns % TICKS_NS * TICKS / TICKS_NS;
}

/* The first ns at which it is that late. */
static uint64_t ns_of(uint64_t t)
{
	return t == NEVER ? NEVER
			  : t / TICKS * TICKS_NS + (t % TICKS * TICKS_NS + TICKS - 1) / TICKS;
}

/* A counter. */

static enum mode mode(const struct counter *c)
{
	unsigned m = c->control >> 1 & 7;

	return m > HARD_STROBE ? m - 4 : m; /* the high bit of 6 and 7 does not count */
}

static unsigned access_mode(const struct counter *c)
{
	return c->control >> 4;
}

static bool is_bcd(const struct counter *c)
{
	return c->control & 1;
}

static bool is_periodic(const struct counter *c)
{
	return mode(c) == RATE || mode(c) == SQUARE;
}

static bool waits_for_gate(const struct counter *c)
{
	return mode(c) == ONE_SHOT || mode(c) == HARD_STROBE;
}

/* Of the count register as it was written: 0 is the largest. */
static uint32_t to_count(const struct counter *c, uint32_t val)
{
	if (is_bcd(c))
		val =
		    (val >> 12) * 1000 + (val >> 8 & 15) * 100 + (val >> 4 & 15) * 10 + (val & 15);
	return val ? val : is_bcd(c) ? 10000 : 65536;
}

static uint16_t from_count(const struct counter *c, uint32_t n)
{
	if (!is_bcd(c))
		return (uint16_t)n;
	return (uint16_t)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

/* How long it has run.  A count is loaded with the CLK after it was written. */
static uint64_t elapsed(const struct counter *c, uint64_t t)
{
	if (!c->loaded)
		return 0;
	if (!c->gate && !waits_for_gate(c))
		return c->held;
	return t > c->from ? t - c->from : 0;
}

static uint32_t half(const struct counter *c)
{
	return (c->count + c->high) / 2;
}

static void load_next(struct counter *c)
{
	c->count = to_count(c, c->next);
	c->null = false;
}

/* From one period (RATE), or half of one (SQUARE), into that of t, where a new count has begun. */
static void run(struct counter *c, uint64_t t)
{
	uint64_t length = mode(c) == SQUARE ? half(c) : c->count, ran = elapsed(c, t);

	if (!is_periodic(c) || !c->loaded || !c->gate || !c->count)
		return;
	if (c->null && ran >= length) {
		c->from += length;
		c->high = !c->high;
		load_next(c);
		ran = elapsed(c, t);
	}
	c->from += ran / c->count * c->count;
	ran %= c->count;
	if (mode(c) == SQUARE && ran >= half(c)) {
		c->from += half(c);
		c->high = !c->high;
	}
}

/* All of these at a time to which it was run. */

static bool get_out(const struct counter *c, uint64_t t)
{
	uint64_t ran = elapsed(c, t);

	if (!c->loaded || t < c->from)
		return mode(c) != TERMINAL;
	switch (mode(c)) {
	case TERMINAL:
	case ONE_SHOT:
		return ran >= c->count;
	case RATE:
		return !c->gate || ran != c->count - 1;
	case SQUARE:
		return !c->gate || c->high;
	default:
		return ran != c->count;
	}
}

static uint32_t get_count(const struct counter *c, uint64_t t)
{
	uint64_t ran = elapsed(c, t), all = is_bcd(c) ? 10000 : 65536;

	if (mode(c) == SQUARE) /* by two, from an even number */
		return (uint32_t)((c->count & ~1u) - 2 * ran);
	return (uint32_t)((c->count + all - ran % all) % all);
}

/* It stands, until it gets a count. */
static void stop(struct counter *c, uint64_t t)
{
	c->count = get_count(c, t);
	c->loaded = false;
}

/* When the output rises next, after t. */
static uint64_t next_rise(const struct counter *c, uint64_t t)
{
	uint64_t when = c->from + c->count;
	uint32_t low = (c->null ? to_count(c, c->next) : c->count) / 2;

	if (!c->loaded || (!c->gate && !waits_for_gate(c)))
		return NEVER;
	if (mode(c) == STROBE || mode(c) == HARD_STROBE)
		when++;
	if (mode(c) == SQUARE)
		when = c->from + half(c) + (c->high ? low : 0);
	if (is_periodic(c) && c->count < 2)
		return NEVER; /* such counts are illegal */
	return when > t ? when : NEVER;
}

static void start(struct counter *c, uint64_t t)
{
	load_next(c);
	c->loaded = c->high = true;
	c->from = t + 1;
	c->held = 0;
}

/* A count was written. */
static void set_count(struct counter *c, uint16_t val, uint64_t t)
{
	c->next = val;
	c->null = true;
	if (mode(c) == TERMINAL || mode(c) == STROBE ||
	    (is_periodic(c) && (!c->loaded || c->count < 2)))
		start(c, t);
}

static void set_gate(struct counter *c, bool gate, uint64_t t)
{
	run(c, t);
	if (gate == c->gate)
		return;
	if (!gate)
		c->held = elapsed(c, t);
	c->gate = gate;
	if (!gate)
		return;
	if (waits_for_gate(c) ? c->loaded || c->null : is_periodic(c) && c->loaded)
		start(c, t);
	else
		c->from = t - c->held;
}

static void write_count(struct counter *c, uint8_t val, uint64_t t)
{
	switch (access_mode(c)) {
	case RW_LOW:
		set_count(c, val, t);
		break;
	case RW_HIGH:
		set_count(c, (uint16_t)(val << 8), t);
		break;
	default:
		if (c->has_low) {
			set_count(c, (uint16_t)(val << 8 | c->low), t);
		} else {
			c->low = val;
			if (mode(c) == TERMINAL) /* stops it, and the output falls */
				stop(c, t);
		}
		c->has_low = !c->has_low;
	}
}

static uint8_t read_count(struct counter *c, uint64_t t)
{
	uint16_t val = c->latched ? c->latch : from_count(c, get_count(c, t));
	bool high = access_mode(c) == RW_BOTH ? c->read_high : access_mode(c) == RW_HIGH;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (access_mode(c) == RW_BOTH)
		c->read_high = !c->read_high;
	if (!c->read_high)
		c->latched = false;
	return (uint8_t)(high ? val >> 8 : val);
}

static void latch_count(struct counter *c, uint64_t t)
{
	if (c->latched)
		return;
	c->latch = from_count(c, get_count(c, t));
	c->latched = true;
}

static void latch_status(struct counter *c, uint64_t t)
{
	bool null = c->null || !c->loaded || t < c->from;

	if (c->status_latched)
		return;
	c->status = c->control | (null ? STATUS_NULL : 0) | (get_out(c, t) ? STATUS_OUT : 0);
	c->status_latched = true;
}

static void set_control(struct counter *c, uint8_t control, uint64_t t)
{
	stop(c, t);
	*c = (struct counter){
		.control = control & CONTROL_BITS, .gate = c->gate, .count = c->count
	};
}

/* The device. */

static void set_timer(struct pit *p, uint64_t t)
{
	uint64_t when = ns_of(next_rise(&p->counter[0], t));

	if (when != p->timer.when)
		timer_set(&p->timer, when);
}

/* Does what counter 0 has come to.  Called before each access, too, since timers may be late. */
static uint64_t catch_up(struct pit *p)
{
	uint64_t t = now(p);
	unsigned i;

	if (next_rise(&p->counter[0], p->risen) <= t) {
		irq_set(&p->dev.irq, false);
		irq_set(&p->dev.irq, true);
	}
	for (i = 0; i < COUNTERS; i++)
		run(&p->counter[i], t);
	p->risen = t;
	return t;
}

/* After a write: what it did to counter 0. */
static void update(struct pit *p, uint64_t t)
{
	irq_set(&p->dev.irq, get_out(&p->counter[0], t) || is_periodic(&p->counter[0]));
	set_timer(p, t);
}

static void timer_fired(void *arg)
{
	struct pit *p = arg;

	set_timer(p, catch_up(p));
}

static void read_back(struct pit *p, uint8_t val, uint64_t t)
{
	unsigned i;

	for (i = 0; i < COUNTERS; i++) {
		if (!(val >> i & 2))
			continue;
		if (!(val & READ_BACK_NO_COUNT))
			latch_count(&p->counter[i], t);
		if (!(val & READ_BACK_NO_STATUS))
			latch_status(&p->counter[i], t);
	}
}

static void write_control(struct pit *p, uint8_t val, uint64_t t)
{
	unsigned i = val >> 6;

	if (i == READ_BACK)
		read_back(p, val, t);
	else if ((val >> 4 & 3) == RW_LATCH)
		latch_count(&p->counter[i], t);
	else
		set_control(&p->counter[i], val, t);
}

static uint64_t pit_read(void *dev, uint64_t off, unsigned size)
{
	struct pit *p = dev;
	uint64_t t = catch_up(p);

	(void)size;
	set_timer(p, t);
	return off == CONTROL ? 0xff : read_count(&p->counter[off], t);
}

static void pit_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pit *p = dev;
	uint64_t t = catch_up(p);

	(void)size;
	if (off == CONTROL)
		write_control(p, (uint8_t)val, t);
	else
		write_count(&p->counter[off], (uint8_t)val, t);
	update(p, t);
}

static uint64_t port61_read(void *dev, uint64_t off, unsigned size)
{
	struct pit *p = dev;
	uint64_t t = catch_up(p), val = p->port61;

	(void)off;
	(void)size;
	set_timer(p, t);
	if (t / REFRESH_TICKS % 2)
		val |= P61_REFRESH;
	if (get_out(&p->counter[SPEAKER], t))
		val |= P61_OUT;
	return val;
}

static void port61_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pit *p = dev;
	uint64_t t = catch_up(p);

	(void)off;
	(void)size;
	p->port61 = val & P61_BITS;
	set_gate(&p->counter[SPEAKER], val & P61_GATE, t);
	set_timer(p, t);
}

static const struct io_ops pit_io = { pit_read, pit_write, .min = 1, .max = 1 };
static const struct io_ops port61_io = { port61_read, port61_write, .min = 1, .max = 1 };

static int pit_init(struct dev *d, struct err *e)
{
	struct pit *p = (struct pit *)d;
	int rc = bus_map(dev_bus(d), "pit_8254", d->base, PORTS, &pit_io, d, &d->lock, e);

	if (!rc)
		rc = bus_map(
		    dev_bus(d), "port 61h", d->base + PORT61, 1, &port61_io, d, &d->lock, e);
	if (!rc)
		timer_init(&p->timer, d->env->clock, &d->lock, timer_fired, p);
	return rc;
}

static void pit_fini(struct dev *d)
{
	timer_set(&((struct pit *)d)->timer, UINT64_MAX);
}

/* What counters hold after power-on is undefined; here they stand still. */
static void pit_reset(struct dev *d)
{
	struct pit *p = (struct pit *)d;
	unsigned i;

	mutex_lock(&d->lock);
	p->port61 = 0;
	p->risen = now(p);
	for (i = 0; i < COUNTERS; i++) {
		p->counter[i] = (struct counter){ .gate = i != SPEAKER };
		p->counter[i].control = RW_BOTH << 4;
	}
	update(p, p->risen);
	mutex_unlock(&d->lock);
}

/* As it was left behind by whoever looked last. */
static void pit_loaded(struct dev *d)
{
	struct pit *p = (struct pit *)d;

	mutex_lock(&d->lock);
	update(p, p->risen);
	mutex_unlock(&d->lock);
}

static const struct field *pit_part(struct dev *d, unsigned i, void **object)
{
	if (i >= COUNTERS)
		return NULL;
	*object = &((struct pit *)d)->counter[i];
	return counter_fields;
}

static const struct dev_reg pit_regs[] = {
	{ 0, "counter0" },
	{ 1, "counter1" },
	{ 2, "counter2" },
	{ CONTROL, "control" },
	{ 0, NULL },
};

const struct dev_class dev_pit_8254 = {
	.name = "pit_8254",
	.about = "8254 interval timer, and port 61h",
	.size = sizeof(struct pit),
	.fields = pit_fields,
	.regs = pit_regs,
	.init = pit_init,
	.reset = pit_reset,
	.fini = pit_fini,
	.loaded = pit_loaded,
	.part = pit_part,
};
