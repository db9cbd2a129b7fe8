/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O APIC with 24 inputs.  Source: Intel 82093AA I/O APIC data sheet, May 1996 (290566-001),
 * section 3; version 20H with its EOI register: Intel ICH9 data sheet, section 13.5.
 *
 * An input is up when the device asserts it: a polarity of low is taken as a fact about the board,
 * so the polarity bit is kept and does nothing.
 * Left out: the APIC bus and its arbitration.  A level that no local APIC accepts is offered again
 * when the input or its entry changes, not all the time.
 */
#include <errno.h>

#include "dev/dev.h"
#include "dev/lapic.h"

enum { IOAPIC_SIZE = 0x1000, PINS = 24, VERSION = (PINS - 1) << 16 | 0x20 };
enum ioapic_reg { SELECT = 0x00, WINDOW = 0x10, EOI = 0x40 };
enum { INDEX_ID = 0, INDEX_VERSION = 1, INDEX_ARBITRATION = 2, INDEX_ENTRY = 0x10 };
enum { ID_BITS = 0xf000000 };
enum { LOGICAL = 1 << 11, REMOTE_IRR = 1 << 14, LEVEL = 1 << 15, MASK = 1 << 16 };
enum { ENTRY_LOW = 0x1afff };  /* what software can set in the low half, */
#define ENTRY_HIGH 0xff000000u /* and in the high one */

struct ioapic {
	struct dev dev;
	uint8_t select;
	uint32_t id;
	uint64_t entry[PINS];
	uint32_t level; /* bit n: input n is up */
};

static const struct field ioapic_fields[] = {
	FIELD(struct ioapic, select),
	FIELD(struct ioapic, id),
	FIELD_ARRAY(struct ioapic, entry),
	FIELD(struct ioapic, level),
	FIELD_END,
};

/* Only vectors have levels. */
static bool is_level(uint64_t entry)
{
	return entry & LEVEL && (entry >> 8 & 7) <= LAPIC_LOWEST;
}

static bool send(struct ioapic *a, unsigned n)
{
	uint64_t entry = a->entry[n];
	uint32_t dest = (uint32_t)(entry >> 56);
	struct lapic_msg m = {
		.dest = dest == 0xff ? LAPIC_ALL : dest,
		.logical = entry & LOGICAL,
		.mode = entry >> 8 & 7,
		.vector = (uint8_t)entry,
		.level = is_level(entry),
	};

	if (m.mode == LAPIC_SIPI) { /* 3.2.4: reserved */
		TRACE(a->dev.env->log, device, "ioapic: input %u has delivery mode 6", n);
		return false;
	}
	return lapic_send(a->dev.env, &m);
}

/* A level that is up, not masked, and not with a local APIC yet. */
static void ask_by_level(struct ioapic *a, unsigned n)
{
	uint64_t *entry = &a->entry[n];

	if (is_level(*entry) && a->level >> n & 1 && !(*entry & (MASK | REMOTE_IRR)) && send(a, n))
		*entry |= REMOTE_IRR;
}

/* 3.2.4: an edge at a masked input is forgotten. */
static void ioapic_set(void *owner, unsigned n, bool level)
{
	struct ioapic *a = owner;

	mutex_lock(&a->dev.lock);
	if ((a->level >> n & 1) != level) {
		TRACE(a->dev.env->log, irq, "ioapic: input %u is %s %s", n, level ? "up" : "down",
		    dev_wired(&a->dev, n));
		a->level ^= 1u << n;
		if (is_level(a->entry[n]))
			ask_by_level(a, n);
		else if (level && !(a->entry[n] & MASK))
			send(a, n);
	}
	mutex_unlock(&a->dev.lock);
}

static void end_of_interrupt(struct ioapic *a, uint8_t vector)
{
	unsigned n;

	for (n = 0; n < PINS; n++) {
		if (!(a->entry[n] & REMOTE_IRR) || (uint8_t)a->entry[n] != vector)
			continue;
		a->entry[n] &= ~(uint64_t)REMOTE_IRR;
		ask_by_level(a, n);
	}
}

static void eoi(void *arg, uint8_t vector)
{
	struct ioapic *a = arg;

	mutex_lock(&a->dev.lock);
	end_of_interrupt(a, vector);
	mutex_unlock(&a->dev.lock);
}

static uint32_t read_index(const struct ioapic *a)
{
	unsigned n = (a->select - INDEX_ENTRY) / 2u;

	switch (a->select) {
	case INDEX_ID:
	case INDEX_ARBITRATION:
		return a->id;
	case INDEX_VERSION:
		return VERSION;
	default:
		if (a->select < INDEX_ENTRY || n >= PINS)
			return 0;
		return (uint32_t)(a->entry[n] >> (a->select & 1 ? 32 : 0));
	}
}

/* Edges have no remote IRR: turning to edge and back ends a level's service, which drivers do where
 * there is no EOI register. */
static void write_index(struct ioapic *a, uint32_t val)
{
	unsigned n = (a->select - INDEX_ENTRY) / 2u;
	uint64_t *entry = &a->entry[n < PINS ? n : 0];

	if (a->select == INDEX_ID) {
		a->id = val & ID_BITS;
		return;
	}
	if (a->select < INDEX_ENTRY || n >= PINS) {
		TRACE(a->dev.env->log, device, "ioapic: write of register %#x", a->select);
		return;
	}
	if (a->select & 1)
		*entry = (uint32_t)*entry | (uint64_t)(val & ENTRY_HIGH) << 32;
	else
		*entry = *entry >> 32 << 32 | (*entry & REMOTE_IRR) | (val & ENTRY_LOW);
	if (!is_level(*entry))
		*entry &= ~(uint64_t)REMOTE_IRR;
	ask_by_level(a, n);
}

static uint64_t ioapic_read(void *dev, uint64_t off, unsigned size)
{
	struct ioapic *a = dev;

	if (off == SELECT)
		return a->select;
	return off == WINDOW && size == 4 ? read_index(a) : 0;
}

/* 3.1: the window is for words only. */
static void ioapic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ioapic *a = dev;

	if (off == SELECT)
		a->select = (uint8_t)val;
	else if (off == WINDOW && size == 4)
		write_index(a, (uint32_t)val);
	else if (off == EOI)
		end_of_interrupt(a, (uint8_t)val);
	else
		TRACE(a->dev.env->log, device, "ioapic: write of %u bytes at %#x", size,
		    (unsigned)off);
}

static const struct io_ops ioapic_io = { ioapic_read, ioapic_write, .min = 1, .max = 4 };

static struct irq ioapic_input(struct dev *d, unsigned n)
{
	if (n >= PINS)
		return (struct irq){ 0 };
	return (struct irq){ ioapic_set, d, n };
}

static int ioapic_init(struct dev *d, struct err *e)
{
	int rc = bus_map(d->env->bus, "ioapic", d->base, IOAPIC_SIZE, &ioapic_io, d, &d->lock, e);

	return rc ? rc : lapic_add_ioapic(d->env, eoi, d, e);
}

/* The wires into it belong to others and stay as they are. */
static void ioapic_reset(struct dev *d)
{
	struct ioapic *a = (struct ioapic *)d;
	unsigned n;

	mutex_lock(&d->lock);
	a->select = 0;
	a->id = 0;
	for (n = 0; n < PINS; n++)
		a->entry[n] = MASK;
	mutex_unlock(&d->lock);
}

static const struct dev_reg ioapic_regs[] = {
	{ SELECT, "select" },
	{ WINDOW, "window" },
	{ EOI, "eoi" },
	{ 0, NULL },
};

const struct dev_class dev_ioapic = {
	.name = "ioapic",
	.about = "I/O APIC with 24 inputs",
	.size = sizeof(struct ioapic),
	.fields = ioapic_fields,
	.regs = ioapic_regs,
	.init = ioapic_init,
	.reset = ioapic_reset,
	.input = ioapic_input,
};
