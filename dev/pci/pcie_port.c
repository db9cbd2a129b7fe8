/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A root port of PCI Express, with a slot for a card that comes and goes.  Sources: PCI Express
 * Base Specification 3.0, sections 6.7 (hot plug), 7.5.3 (type 1 configuration space), 7.8 (PCI
 * Express capability); PCI-to-PCI Bridge Architecture Specification 1.2, section 3.2.
 * d->pic: the PCI host, d->base: the place on its bus; d->id: the slot's number; d->back: a struct
 * pcie_slot.
 * The slot has an attention button, both indicators, and no power controller: the power indicator
 * says whether the card may be taken out (section 6.7.1.1.2).  Commands take no time, and so there
 * is no Command Completed (section 7.8.9).
 * Left out: forwarding of what its windows say (dev/pci/pci.c), secondary bus reset, errors, power
 * management, link control.
 */
#include "dev/pci/pcie_port.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "dev/pci/pci.h"

enum { HEADER_BRIDGE = 1, BRIDGE_PIN = 2 }; /* its own pin is INTB#: that of the card is INTA# */

/* Type 1 configuration space. */
enum { PRIMARY_BUS = 0x18, SUBORDINATE_BUS = 0x1a, SECONDARY_TIMER = 0x1b, IO_BASE = 0x1c };
enum { IO_LIMIT = 0x1d, SECONDARY_STATUS = 0x1e, MEMORY = 0x20, PREFETCH = 0x24 };
enum { PREFETCH_BASE_UPPER = 0x28, PREFETCH_LIMIT_UPPER = 0x2c, IO_UPPER = 0x30, CONTROL = 0x3e };
enum { STATUS_BITS = 0xf900, CONTROL_BITS = 0x0f, PREFETCH_64 = 0x00010001 };

/* The capability. */
enum { CAP_EXPRESS = 0x10, CAP_LEN = 60, VERSION_2 = 2, ROOT_PORT = 4 << 4, HAS_SLOT = 1 << 8 };
enum { EXPRESS = 2, DEV_CAP = 4, DEV_CONTROL = 8, DEV_STATUS = 10, LINK_CAP = 12 };
enum { LINK_CONTROL = 16, LINK_STATUS = 18, SLOT_CAP = 20, SLOT_CONTROL = 24, SLOT_STATUS = 26 };
enum { ROOT_CONTROL = 28, LINK_CAP_2 = 44, LINK_CONTROL_2 = 48 };
enum { DEV_ROLE_ERRORS = 1 << 15, DEV_CONTROL_BITS = 0x7fff, DEV_STATUS_BITS = 0xf };
enum { LINK_2_5_GT = 1, LINK_X1 = 1 << 4, LINK_REPORTS = 1 << 20, LINK_PORT_AT = 24 };
enum { LINK_CONTROL_BITS = 0x00c0, LINK_ACTIVE = 1 << 13 };
enum { SLOT_BUTTON = 1, SLOT_INDICATORS = 3 << 3, SLOT_HOT_PLUG = 1 << 6, SLOT_NUMBER_AT = 19 };
enum { SLOT_NO_COMPLETED = 1 << 18 };
/* The bits that enable button and presence are where those of the events are. */
enum { EVENT_BUTTON = 1, EVENT_PRESENCE = 1 << 3, EVENT_LINK = 1 << 8 };
enum { ENABLE_SAME = EVENT_BUTTON | EVENT_PRESENCE, ENABLE_INTERRUPT = 1 << 5 };
enum { ENABLE_LINK = 1 << 12, PRESENT = 1 << 6 };
enum { POWER_LED_AT = 8, LED_ON = 1, LED_BLINKS = 2, LED_OFF = 3, LED_MASK = 3 };
enum { SLOT_CONTROL_BITS = ENABLE_SAME | ENABLE_INTERRUPT | ENABLE_LINK | 0x03c0 };

struct port {
	struct pci_host host; /* of the card */
	struct pci_function pci;
	struct irq pin[PCI_PINS]; /* where those of the card lead */
	unsigned cap;
	bool present; /* the machine's, not saved: a machine with cards that came is not */
	bool asked;   /* for the card, which the guest has not given up yet */
	bool interrupts;
};

static const struct field port_fields[] = {
	FIELD(struct port, asked),
	FIELD(struct port, interrupts),
	FIELD_END,
};

static uint8_t *reg(struct port *p, unsigned off)
{
	return p->pci.config + p->cap + off;
}

static unsigned led(struct port *p)
{
	return get_le(reg(p, SLOT_CONTROL), 2) >> POWER_LED_AT & LED_MASK;
}

/* Section 6.7.3.4: a level on the pin; a message whenever it rises. */
static void update_interrupt(struct port *p)
{
	const unsigned events = (unsigned)get_le(reg(p, SLOT_STATUS), 2);
	const unsigned control = (unsigned)get_le(reg(p, SLOT_CONTROL), 2);
	const bool before = p->interrupts, messages = pci_has_messages(&p->pci);

	p->interrupts =
	    control & ENABLE_INTERRUPT &&
	    (events & control & ENABLE_SAME || (events & EVENT_LINK && control & ENABLE_LINK));
	pci_intx(&p->pci, p->interrupts && !messages);
	if (p->interrupts && !before && messages)
		pci_message(&p->pci, 0);
}

/* What can be seen of the card. */
static void show(struct port *p)
{
	const unsigned events = (unsigned)get_le(reg(p, SLOT_STATUS), 2) & ~(unsigned)PRESENT;

	put_le(reg(p, SLOT_STATUS), events | (p->present ? PRESENT : 0), 2);
	put_le(
	    reg(p, LINK_STATUS), p->present ? LINK_2_5_GT | LINK_X1 | LINK_ACTIVE : LINK_2_5_GT, 2);
}

static void raise_events(struct port *p, unsigned events)
{
	put_le(reg(p, SLOT_STATUS), get_le(reg(p, SLOT_STATUS), 2) | events, 2);
	update_interrupt(p);
}

static void give_up(struct port *p)
{
	const struct pcie_slot *slot = p->host.dev.back;

	p->asked = false;
	if (slot)
		slot->off(slot->arg);
}

static void written(struct pci_function *f, unsigned at, unsigned size)
{
	struct port *p = (struct port *)f->dev;

	(void)at, (void)size;
	if (p->asked && led(p) == LED_OFF)
		give_up(p);
	update_interrupt(p);
}

void pcie_port_insert(struct dev *d)
{
	struct port *p = (struct port *)d;

	mutex_lock(&d->lock);
	p->present = true;
	show(p);
	raise_events(p, EVENT_PRESENCE | EVENT_LINK);
	mutex_unlock(&d->lock);
}

void pcie_port_remove(struct dev *d)
{
	struct port *p = (struct port *)d;

	mutex_lock(&d->lock);
	p->present = p->asked = false;
	show(p);
	raise_events(p, EVENT_PRESENCE | EVENT_LINK);
	mutex_unlock(&d->lock);
}

/* A driver has it: without one of slots to ask, it must not go from under that. */
static bool is_used(struct port *p)
{
	enum { BUS_MASTER = 4 };

	return pci_config_read(&p->host.bus, 0, 0, PCI_COMMAND, 2) & BUS_MASTER;
}

static bool is_heard(struct port *p)
{
	return get_le(reg(p, SLOT_CONTROL), 2) & ENABLE_INTERRUPT;
}

void pcie_port_ask(struct dev *d)
{
	struct port *p = (struct port *)d;

	mutex_lock(&d->lock);
	p->asked = true;
	if (!is_used(p) && (led(p) == LED_OFF || !is_heard(p)))
		give_up(p);
	else if (led(p) != LED_BLINKS) /* pressed again it would mean: do not */
		raise_events(p, EVENT_BUTTON);
	mutex_unlock(&d->lock);
}

/* The device ----------------------------------------------------------------------------------- */

static void pin(struct dev *host, unsigned n, bool level)
{
	irq_set(&((struct port *)host)->pin[n], level);
}

static void add_header(struct pci_function *f)
{
	pci_set(f, PCI_HEADER_TYPE, HEADER_BRIDGE | 0x80, 1); /* several functions */
	pci_set(f, PCI_INTERRUPT_PIN, BRIDGE_PIN, 1);
	for (unsigned i = PRIMARY_BUS; i <= SUBORDINATE_BUS; i++)
		pci_set_writable(f, i, 0xff, 1);
	pci_set_writable(f, IO_BASE, 0xf0, 1);
	pci_set_writable(f, IO_LIMIT, 0xf0, 1);
	pci_set_writable(f, MEMORY, 0xfff0fff0, 4);
	pci_set(f, PREFETCH, PREFETCH_64, 4);
	pci_set_writable(f, PREFETCH, 0xfff0fff0, 4);
	pci_set_writable(f, PREFETCH_BASE_UPPER, UINT32_MAX, 4);
	pci_set(f, PREFETCH_LIMIT_UPPER, 0, 4); /* where others have their subsystem */
	pci_set_writable(f, PREFETCH_LIMIT_UPPER, UINT32_MAX, 4);
	pci_set_writable(f, CONTROL, CONTROL_BITS, 2);
	put_le(f->clear + SECONDARY_STATUS, STATUS_BITS, 2);
}

static void add_capability(struct port *p, unsigned slot)
{
	struct pci_function *f = &p->pci;
	const unsigned at = pci_capability(f, CAP_EXPRESS, CAP_LEN);

	p->cap = at;
	pci_set(f, at + EXPRESS, VERSION_2 | ROOT_PORT | HAS_SLOT, 2);
	pci_set(f, at + DEV_CAP, DEV_ROLE_ERRORS, 4);
	pci_set_writable(f, at + DEV_CONTROL, DEV_CONTROL_BITS, 2);
	put_le(f->clear + at + DEV_STATUS, DEV_STATUS_BITS, 2);
	pci_set(f, at + LINK_CAP,
	    LINK_2_5_GT | LINK_X1 | LINK_REPORTS | (slot & 0xff) << LINK_PORT_AT, 4);
	pci_set_writable(f, at + LINK_CONTROL, LINK_CONTROL_BITS, 2);
	pci_set(f, at + SLOT_CAP,
	    SLOT_BUTTON | SLOT_INDICATORS | SLOT_HOT_PLUG | SLOT_NO_COMPLETED |
		slot << SLOT_NUMBER_AT,
	    4);
	pci_set(f, at + SLOT_CONTROL, LED_OFF << POWER_LED_AT | LED_OFF << 6, 2);
	pci_set_writable(f, at + SLOT_CONTROL, SLOT_CONTROL_BITS, 2);
	put_le(f->clear + at + SLOT_STATUS, EVENT_BUTTON | EVENT_PRESENCE | EVENT_LINK, 2);
	pci_set_writable(f, at + ROOT_CONTROL, 0x1f, 2);
	pci_set(f, at + LINK_CAP_2, 1 << 1, 4); /* 2.5 GT/s alone */
	pci_set(f, at + LINK_CONTROL_2, LINK_2_5_GT, 2);
}

static void make_bus(struct port *p)
{
	struct dev *d = &p->host.dev;
	const struct pci_bus *above = p->pci.bus;
	struct pci_bus *b = &p->host.bus;

	pci_bus_init(b, d);
	b->io = above->io;
	b->io_base = above->io_base;
	b->msi_base = above->msi_base;
	b->msi_size = above->msi_size;
	b->pin = pin;
	for (unsigned i = 0; i < PCI_PINS; i++)
		p->pin[i] = pci_input(above->host, p->pci.devfn * PCI_PINS + i);
}

static int port_init(struct dev *d, struct err *e)
{
	/* As QEMU's, which drivers know. */
	static const struct pci_id id = {
		.vendor = 0x1b36, .device = 0x000c, .class = 0x060400, .interrupt = true
	};
	struct port *p = (struct port *)d;
	const unsigned slot = (unsigned)strtoul(d->id, NULL, 10) & 0x1fff;
	int rc = pci_function_init(&p->pci, d, &id, e);

	if (rc < 0)
		return rc;
	rc = pci_bridge(&p->pci, &p->host.bus, e);
	if (rc < 0) {
		pci_function_fini(&p->pci);
		return rc;
	}
	make_bus(p);
	add_header(&p->pci);
	add_capability(p, slot);
	pci_add_msi(&p->pci, 1);
	p->pci.written = written;
	return 0;
}

static void port_fini(struct dev *d)
{
	struct port *p = (struct port *)d;

	pci_function_fini(&p->pci);
	pci_bus_fini(&p->host.bus);
}

static void port_reset(struct dev *d)
{
	struct port *p = (struct port *)d;

	mutex_lock(&d->lock);
	p->asked = p->interrupts = false;
	pci_function_reset(&p->pci);
	if (p->present) /* its power is on */
		put_le(reg(p, SLOT_CONTROL), LED_ON << POWER_LED_AT | LED_OFF << 6, 2);
	show(p);
	mutex_unlock(&d->lock);
}

static void port_loaded(struct dev *d)
{
	struct port *p = (struct port *)d;

	mutex_lock(&d->lock);
	pci_function_loaded(&p->pci);
	show(p);
	mutex_unlock(&d->lock);
}

static const struct field *port_part(struct dev *d, unsigned i, void **object)
{
	*object = &((struct port *)d)->pci;
	return i == 0 ? pci_fields : NULL;
}

const struct dev_class dev_pcie_port = {
	.name = "pcie_port",
	.about = "root port of PCI Express, with a slot for hot plug",
	.size = sizeof(struct port),
	.fields = port_fields,
	.init = port_init,
	.reset = port_reset,
	.fini = port_fini,
	.loaded = port_loaded,
	.part = port_part,
	.input = pci_input,
};
