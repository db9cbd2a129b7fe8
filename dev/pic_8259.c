/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two 8259A interrupt controllers of a PC, and their edge/level registers.  Source: Intel 8259A
 * data sheet, December 1988 (231468-003); ELCR: Intel ICH9 data sheet, section 13.4.
 *
 * The second one is at the first one's base + 80H and behind its input 2; ELCR is at base + 4B0H,
 * in whose favour ICW1's bit for levels is ignored, as in the ICH9.  INTR leads to LINT0 of the
 * CPUs' local APICs, which acknowledge, or, if the device is given a controller, to that. Left out:
 * MCS-80 mode (all vectors are those of 8086 mode), buffered mode, other wirings than the PC's
 * (ICW3 is accepted and ignored).
 */
#include "dev/dev.h"
#include "dev/lapic.h"

enum { PORTS = 2, SECOND = 0x80, ELCR = 0x4b0, INPUTS = 16, CASCADE = 2, SPURIOUS = 7, NONE = 8 };
enum { ICW1 = 0x10, ICW1_ICW4 = 1, ICW1_SINGLE = 2, ICW4_AEOI = 2, ICW4_NESTED = 16 };
enum {
	OCW3 = 8,
	OCW3_ISR = 1,
	OCW3_READ = 2,
	OCW3_POLL = 4,
	OCW3_MASK = 0x20,
	OCW3_SET_MASK = 0x40
};

/* OCW2's bits 7 to 5. */
enum ocw2 {
	ROTATE_OFF, /* at automatic EOI */
	EOI,
	NO_OPERATION,
	EOI_OF,
	ROTATE_ON,
	EOI_ROTATE,
	SET_LOWEST,
	EOI_OF_ROTATE
};

/* What the next write at the odd port is. */
enum step { READY, WANTS_ICW2, WANTS_ICW3, WANTS_ICW4 };

/* In sets bit n is input n. */
struct chip {
	uint8_t level; /* it is up, */
	uint8_t edge;  /* and rose, which was not acknowledged */
	uint8_t isr, imr, elcr;
	uint8_t vector; /* bits 7 to 3 */
	uint8_t lowest; /* the input with the lowest priority: the next one has the highest */
	uint8_t step;
	bool icw4, single; /* what ICW1 said */
	bool aeoi, nested; /* ICW4: nested is special fully nested mode */
	bool rotate;       /* at automatic EOI */
	bool special;      /* mask mode */
	bool read_isr, poll;
};

struct pic {
	struct dev dev;
	struct chip chip[2];
	struct irq intr;
	bool raised; /* what it is */
};

static const struct field chip_fields[] = {
	FIELD(struct chip, level),
	FIELD(struct chip, edge),
	FIELD(struct chip, isr),
	FIELD(struct chip, imr),
	FIELD(struct chip, elcr),
	FIELD(struct chip, vector),
	FIELD(struct chip, lowest),
	FIELD(struct chip, step),
	FIELD(struct chip, icw4),
	FIELD(struct chip, single),
	FIELD(struct chip, aeoi),
	FIELD(struct chip, nested),
	FIELD(struct chip, rotate),
	FIELD(struct chip, special),
	FIELD(struct chip, read_isr),
	FIELD(struct chip, poll),
	FIELD_END,
};

/* In both modes an input has to stay up until it is acknowledged. */
static uint8_t get_irr(const struct chip *c)
{
	return c->level & (c->edge | c->elcr);
}

static unsigned rank(const struct chip *c, unsigned n)
{
	return n == NONE ? NONE : (n - c->lowest - 1u) & 7;
}

/* The input of the set with the highest priority. */
static unsigned best(const struct chip *c, unsigned set)
{
	unsigned n, found = NONE;

	for (n = 0; n < 8; n++)
		if (set >> n & 1 && rank(c, n) < rank(c, found))
			found = n;
	return found;
}

/* What special mask mode leaves of the inputs in service: not those that are masked. */
static unsigned served(const struct chip *c)
{
	return c->special ? c->isr & ~(unsigned)c->imr : c->isr;
}

/* The input that may interrupt now.  What is in service holds back itself and lower priorities; in
 * special fully nested mode the second chip may interrupt itself. */
static unsigned pending(const struct chip *c)
{
	unsigned n = best(c, get_irr(c) & ~(unsigned)c->imr), holds = best(c, served(c));

	if (c->step != READY)
		return NONE;
	if (c->nested && n == CASCADE && holds == CASCADE)
		return n;
	return rank(c, n) < rank(c, holds) ? n : NONE;
}

static void set_input(struct chip *c, unsigned n, bool level)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (!level)
		c->edge &= (uint8_t)~bit;
	else if (!(c->level & bit))
		c->edge |= bit;
	c->level = (uint8_t)((c->level & ~bit) | (level ? bit : 0));
}

static void set_intr(struct pic *p, bool level)
{
	p->raised = level;
	irq_set(&p->intr, level);
}

static bool get_intr(struct pic *p)
{
	set_input(&p->chip[0], CASCADE, pending(&p->chip[1]) != NONE);
	return pending(&p->chip[0]) != NONE;
}

/* INTR leads to all CPUs, which costs more than what is looked at here. */
static void update(struct pic *p)
{
	bool level = get_intr(p);

	if (level != p->raised)
		set_intr(p, level);
}

static void pic_set(void *owner, unsigned n, bool level)
{
	struct pic *p = owner;
	struct chip *c = &p->chip[n / 8];

	mutex_lock(&p->dev.lock);
	if ((c->level >> n % 8 & 1) != level) {
		TRACE(p->dev.env->log, irq, "pic_8259: input %u is %s %s", n, level ? "up" : "down",
		    dev_wired(&p->dev, n));
		set_input(c, n % 8, level);
		update(p);
	}
	mutex_unlock(&p->dev.lock);
}

/* The interrupt that is acknowledged; NONE: what was there went away. */
static unsigned acknowledge(struct chip *c)
{
	unsigned n = pending(c);

	if (n == NONE)
		return NONE;
	c->edge &= (uint8_t) ~(1u << n);
	if (!c->aeoi)
		c->isr |= (uint8_t)(1u << n);
	else if (c->rotate)
		c->lowest = (uint8_t)n;
	return n;
}

/* "IR7 default": an interrupt that went away is an interrupt 7, which is not in service. */
static int vector_of(const struct chip *c, unsigned n)
{
	return c->vector | (int)(n == NONE ? SPURIOUS : n);
}

static int pic_ack(void *arg)
{
	struct pic *p = arg;
	unsigned n;
	int v;

	mutex_lock(&p->dev.lock);
	n = acknowledge(&p->chip[0]);
	if (n == CASCADE) {
		v = vector_of(&p->chip[1], acknowledge(&p->chip[1]));
		set_input(&p->chip[0], CASCADE, false); /* so that its next one is an edge */
	} else {
		v = vector_of(&p->chip[0], n);
	}
	update(p);
	mutex_unlock(&p->dev.lock);
	return v;
}

/* The data sheet does not say that ICW1 clears ISR, but nothing could end what is left there. */
static void write_icw1(struct chip *c, uint8_t val)
{
	c->edge = c->isr = c->imr = 0;
	c->lowest = 7;
	c->special = c->read_isr = c->poll = c->rotate = false;
	c->icw4 = val & ICW1_ICW4;
	c->single = val & ICW1_SINGLE;
	if (!c->icw4)
		c->aeoi = c->nested = false;
	c->step = WANTS_ICW2;
}

static void write_ocw2(struct chip *c, uint8_t val)
{
	unsigned n = val & 7, what = val >> 5;

	if (what == EOI || what == EOI_ROTATE)
		n = best(c, served(c));
	if (what & EOI && n != NONE)
		c->isr &= (uint8_t) ~(1u << n);
	if (what >= EOI_ROTATE && n != NONE)
		c->lowest = (uint8_t)n;
	if (what == ROTATE_ON || what == ROTATE_OFF)
		c->rotate = what == ROTATE_ON;
}

static void write_ocw3(struct chip *c, uint8_t val)
{
	if (val & OCW3_SET_MASK)
		c->special = val & OCW3_MASK;
	if (val & OCW3_READ)
		c->read_isr = val & OCW3_ISR;
	c->poll = val & OCW3_POLL;
}

static void write_odd(struct chip *c, uint8_t val)
{
	switch (c->step) {
	case WANTS_ICW2:
		c->vector = val & 0xf8;
		c->step = c->single ? (c->icw4 ? WANTS_ICW4 : READY) : WANTS_ICW3;
		break;
	case WANTS_ICW3:
		c->step = c->icw4 ? WANTS_ICW4 : READY;
		break;
	case WANTS_ICW4:
		c->aeoi = val & ICW4_AEOI;
		c->nested = val & ICW4_NESTED;
		c->step = READY;
		break;
	default:
		c->imr = val;
	}
}

static void write_chip(struct pic *p, unsigned i, uint64_t off, uint64_t val)
{
	struct chip *c = &p->chip[i];

	if (off & 1)
		write_odd(c, (uint8_t)val);
	else if (val & ICW1)
		write_icw1(c, (uint8_t)val);
	else if (val & OCW3)
		write_ocw3(c, (uint8_t)val);
	else
		write_ocw2(c, (uint8_t)val);
	update(p);
}

/* A read after a poll command acknowledges. */
static uint64_t read_chip(struct pic *p, unsigned i, uint64_t off)
{
	struct chip *c = &p->chip[i];
	unsigned n;

	if (c->poll) {
		c->poll = false;
		n = acknowledge(c);
		if (i == 1 && n != NONE)
			set_input(&p->chip[0], CASCADE, false);
		update(p);
		return n == NONE ? 0 : 0x80 | n;
	}
	if (off & 1)
		return c->imr;
	return c->read_isr ? c->isr : get_irr(c);
}

static uint64_t first_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return read_chip(dev, 0, off);
}

static void first_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	write_chip(dev, 0, off, val);
}

static uint64_t second_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return read_chip(dev, 1, off);
}

static void second_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	write_chip(dev, 1, off, val);
}

static uint64_t elcr_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return ((struct pic *)dev)->chip[off].elcr;
}

/* IRQ 0, 1, 2, 8 and 13 are always edges. */
static void elcr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pic *p = dev;

	(void)size;
	p->chip[off].elcr = val & (off ? 0xde : 0xf8);
	update(p);
}

static const struct io_ops first_io = { first_read, first_write, .min = 1, .max = 1 };
static const struct io_ops second_io = { second_read, second_write, .min = 1, .max = 1 };
static const struct io_ops elcr_io = { elcr_read, elcr_write, .min = 1, .max = 1 };

static struct irq pic_input(struct dev *d, unsigned n)
{
	if (n >= INPUTS || n == CASCADE)
		return (struct irq){ 0 };
	return (struct irq){ pic_set, d, n };
}

static int pic_init(struct dev *d, struct err *e)
{
	struct pic *p = (struct pic *)d;
	struct bus *b = dev_bus(d);
	int rc = bus_map(b, "pic_8259", d->base, PORTS, &first_io, d, &d->lock, e);

	if (!rc)
		rc = bus_map(b, "pic_8259", d->base + SECOND, PORTS, &second_io, d, &d->lock, e);
	if (!rc)
		rc = bus_map(b, "pic_8259", d->base + ELCR, PORTS, &elcr_io, d, &d->lock, e);
	if (!rc)
		p->intr = lapic_set_pic(d->env, pic_ack, d);
	if (d->pic)
		p->intr = d->irq;
	return rc;
}

static void pic_fini(struct dev *d)
{
	lapic_set_pic(d->env, NULL, NULL);
}

/* After power-on the chips' state is undefined; here nothing comes until they are programmed.  The
 * wires belong to others and stay as they are. */
static void pic_reset(struct dev *d)
{
	struct pic *p = (struct pic *)d;
	unsigned i;

	mutex_lock(&d->lock);
	for (i = 0; i < 2; i++)
		p->chip[i] = (struct chip){ .level = p->chip[i].level, .imr = 0xff, .lowest = 7 };
	update(p);
	mutex_unlock(&d->lock);
}

static void pic_loaded(struct dev *d)
{
	struct pic *p = (struct pic *)d;

	mutex_lock(&d->lock);
	set_intr(p, get_intr(p));
	mutex_unlock(&d->lock);
}

static const struct field *pic_part(struct dev *d, unsigned i, void **object)
{
	if (i >= 2)
		return NULL;
	*object = &((struct pic *)d)->chip[i];
	return chip_fields;
}

const struct dev_class dev_pic_8259 = {
	.name = "pic_8259",
	.about = "the two 8259A interrupt controllers of a PC",
	.size = sizeof(struct pic),
	.init = pic_init,
	.reset = pic_reset,
	.fini = pic_fini,
	.loaded = pic_loaded,
	.part = pic_part,
	.input = pic_input,
};
