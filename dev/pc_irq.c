/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt wires of a PC: dev/pc_irq.h.  Source: ACPI 6.5, 5.2.12.4 (dual-8259 boards) and
 * 5.2.12.5 (IRQ 0 at pin 2); IA-PC HPET 1.0a, 2.3.5 (legacy replacement).
 * Left out: programmable routing of PCI interrupts to ISA IRQs.
 */
#include "dev/pc_irq.h"

#include "dev/dev.h"

enum { ISA = 16, NO_IRQ = 2, INPUTS = PC_IRQ_IOAPIC + PC_IRQ_PINS };
enum { TIMER = 0, RTC = 8, TIMER_PIN = 2 };

struct pc_irq {
	struct dev dev;
	struct irq pic[ISA], ioapic[PC_IRQ_PINS];
	uint64_t level; /* bit n: input n is up */
};

static const struct field pc_irq_fields[] = { FIELD(struct pc_irq, level), FIELD_END };

static bool is_up(const struct pc_irq *p, unsigned n)
{
	return p->level >> n & 1;
}

/* IRQ n as the controllers see it. */
static bool irq_level(const struct pc_irq *p, unsigned n)
{
	if (n == TIMER && is_up(p, PC_IRQ_HPET))
		return is_up(p, PC_IRQ_HPET_0);
	if (n == RTC && is_up(p, PC_IRQ_HPET))
		return is_up(p, PC_IRQ_HPET_1);
	return is_up(p, n);
}

static void update_irq(struct pc_irq *p, unsigned n)
{
	unsigned pin = n == TIMER ? TIMER_PIN : n;

	if (n < ISA)
		irq_set(&p->pic[n], irq_level(p, n));
	irq_set(&p->ioapic[pin], irq_level(p, n) || is_up(p, PC_IRQ_IOAPIC + pin));
}

static void update_pin(struct pc_irq *p, unsigned pin)
{
	if (pin == TIMER) /* no IRQ leads there */
		irq_set(&p->ioapic[pin], is_up(p, PC_IRQ_IOAPIC + pin));
	else
		update_irq(p, pin == TIMER_PIN ? TIMER : pin);
}

static void pc_irq_set(void *owner, unsigned n, bool level)
{
	struct pc_irq *p = owner;
	uint64_t bit = 1ull << n;

	mutex_lock(&p->dev.lock);
	p->level = (p->level & ~bit) | (level ? bit : 0);
	if (n >= PC_IRQ_IOAPIC)
		update_pin(p, n - PC_IRQ_IOAPIC);
	else if (n < PC_IRQ_PINS)
		update_irq(p, n);
	if (n == PC_IRQ_HPET || n == PC_IRQ_HPET_0)
		update_irq(p, TIMER);
	if (n == PC_IRQ_HPET || n == PC_IRQ_HPET_1)
		update_irq(p, RTC);
	mutex_unlock(&p->dev.lock);
}

static struct irq pc_irq_input(struct dev *d, unsigned n)
{
	if (n == NO_IRQ || n >= INPUTS || (n > PC_IRQ_HPET_1 && n < PC_IRQ_IOAPIC))
		return (struct irq){ 0 };
	return (struct irq){ pc_irq_set, d, n };
}

static void update_all(struct pc_irq *p)
{
	unsigned n;

	for (n = 0; n < PC_IRQ_PINS; n++)
		update_pin(p, n);
}

void pc_irq_connect(struct dev *d, struct dev *pic, struct dev *ioapic)
{
	struct pc_irq *p = (struct pc_irq *)d;
	unsigned n;

	for (n = 0; n < ISA && pic; n++)
		p->pic[n] = pic->class->input(pic, n);
	for (n = 0; n < PC_IRQ_PINS && ioapic; n++)
		p->ioapic[n] = ioapic->class->input(ioapic, n);
	mutex_lock(&d->lock);
	update_all(p);
	mutex_unlock(&d->lock);
}

static int pc_irq_init(struct dev *d, struct err *e)
{
	(void)d;
	(void)e;
	return 0;
}

/* The wires belong to others and stay as they are. */
static void pc_irq_reset(struct dev *d)
{
	(void)d;
}

static void pc_irq_loaded(struct dev *d)
{
	mutex_lock(&d->lock);
	update_all((struct pc_irq *)d);
	mutex_unlock(&d->lock);
}

const struct dev_class dev_pc_irq = {
	.name = "pc_irq",
	.about = "interrupt wires of a PC",
	.size = sizeof(struct pc_irq),
	.fields = pc_irq_fields,
	.init = pc_irq_init,
	.reset = pc_irq_reset,
	.loaded = pc_irq_loaded,
	.input = pc_irq_input,
};
