/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A SATA controller for six drives: AHCI as in Intel's ICH9.  Sources: Serial ATA AHCI 1.3.1,
 * chapters 2 (PCI), 3.1 (registers of the controller), 10.4 (resets), 10.6 and 10.7 (interrupts);
 * Intel ICH9 data sheet (316972), 15.1 (MAP and PCS). Drive n of d->back (dev/drives.h) is at port
 * n. Left out: IDE mode and the index and data ports, port multipliers, command completion
 * coalescing, enclosure management, staggered spin-up, power states of links, hot plug.
 */
#include "dev/pci/ahci.h"

#include <errno.h>

#include "dev/drives.h"

enum { ABAR = 5, ABAR_SIZE = 4096, PORTS_AT = 0x100, PORT_SIZE = 0x80, PIN_B = 2 };
enum { MAP = 0x90, MAP_AHCI = 0x40, PCS = 0x92 };

/* Registers of the controller. */
enum { CAP = 0x00, GHC = 0x04, IS = 0x08, PI = 0x0c, VS = 0x10 };
enum { GHC_RESET = 1, GHC_IE = 2 };
#define GHC_AE 0x80000000u

/* 64-bit addresses, queued commands, command list override, AHCI only, 3 Gbit/s, all slots. */
#define CAP_VALUE                                                                                  \
	(1u << 31 | 1u << 30 | 1u << 24 | 1u << 18 | 2u << 20 | (AHCI_SLOTS - 1) << 8 |            \
	    (AHCI_PORTS - 1))
#define VERSION 0x00010301u

static const struct field ahci_fields[] = {
	FIELD(struct ahci, ghc),
	FIELD(struct ahci, is),
	FIELD_END,
};

/* Interrupts: 10.7.  With messages each change of what is pending sends one. */
void ahci_update(struct ahci *a)
{
	const uint32_t old = a->is;

	for (unsigned i = 0; i < AHCI_PORTS; i++)
		if (a->port[i].is & a->port[i].ie)
			a->is |= 1u << i;
	pci_intx(&a->pci, a->is && a->ghc & GHC_IE && !pci_has_messages(&a->pci));
	if (a->is & ~old && a->ghc & GHC_IE)
		pci_message(&a->pci, 0);
}

/* What stays pending after something was cleared is told again. */
static void clear_is(struct ahci *a, uint32_t bits)
{
	a->is &= ~bits;
	ahci_update(a);
}

/* Registers ------------------------------------------------------------------------------------ */

static void write_ghc(struct ahci *a, uint32_t val)
{
	bool on = val & ~a->ghc & GHC_IE;

	if (val & GHC_RESET) {
		a->ghc = GHC_AE;
		a->is = 0;
		for (unsigned i = 0; i < AHCI_PORTS; i++)
			ahci_port_reset(&a->port[i]);
		ahci_update(a);
		return;
	}
	a->ghc = GHC_AE | (val & GHC_IE);
	if (on && a->is)
		pci_message(&a->pci, 0);
	ahci_update(a);
}

static uint64_t ahci_read(void *dev, uint64_t off, unsigned size)
{
	const struct ahci *a = dev;

	(void)size;
	if (off >= PORTS_AT + AHCI_PORTS * PORT_SIZE)
		return 0;
	if (off >= PORTS_AT)
		return ahci_port_read(
		    &a->port[(off - PORTS_AT) / PORT_SIZE], (unsigned)(off - PORTS_AT) % PORT_SIZE);
	switch (off) {
	case CAP:
		return CAP_VALUE;
	case GHC:
		return a->ghc;
	case IS:
		return a->is;
	case PI:
		return (1u << AHCI_PORTS) - 1;
	case VS:
		return VERSION;
	default:
		return 0;
	}
}

static void ahci_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ahci *a = dev;

	(void)size;
	if (off >= PORTS_AT + AHCI_PORTS * PORT_SIZE)
		return;
	if (off >= PORTS_AT)
		ahci_port_write(&a->port[(off - PORTS_AT) / PORT_SIZE],
		    (unsigned)(off - PORTS_AT) % PORT_SIZE, (uint32_t)val);
	else if (off == GHC)
		write_ghc(a, (uint32_t)val);
	else if (off == IS)
		clear_is(a, (uint32_t)val);
}

static const struct io_ops ahci_io = { ahci_read, ahci_write, .min = 4, .max = 4 };

/* The device ----------------------------------------------------------------------------------- */

static int add_function(struct ahci *a, struct err *e)
{
	static const struct pci_id id = {
		.vendor = 0x8086,
		.device = 0x2922,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.revision = 2,
		.class = 0x010601,
		.interrupt = true,
	};
	struct pci_function *f = &a->pci;
	int rc = pci_function_init(f, &a->dev, &id, e);

	if (rc < 0)
		return rc;
	pci_set(f, PCI_INTERRUPT_PIN, PIN_B, 1);
	pci_set(f, MAP, MAP_AHCI, 1);
	pci_set(f, PCS, (1 << AHCI_PORTS) - 1, 2);
	pci_set_writable(f, PCS, (1 << AHCI_PORTS) - 1, 2);
	pci_add_msi(f, 1);
	rc = pci_bar(f, ABAR, PCI_BAR_MEM32, "ahci", ABAR_SIZE, &ahci_io, a, e);
	if (rc < 0)
		pci_function_fini(f);
	return rc;
}

static int ahci_change(
    void *arg, enum drives_op op, unsigned n, const struct drive *drive, struct err *e)
{
	struct ahci *a = arg;

	if (n >= AHCI_PORTS)
		return err_set(e, EINVAL, "ahci has drives 0 to %d", AHCI_PORTS - 1);
	return ata_change(&a->port[n].drive, op, drive, e);
}

static int ahci_init(struct dev *d, struct err *e)
{
	struct ahci *a = (struct ahci *)d;
	struct drives *drives = d->back;
	int rc = add_function(a, e);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		const struct drive none = { 0 }, *drive = drives ? &drives->drive[i] : &none;

		a->port[i].ahci = a;
		a->port[i].n = i;
		ata_init(&a->port[i].drive, &ahci_host, d, drive->block, drive->cdrom, i);
	}
	if (drives) {
		drives->change = ahci_change;
		drives->arg = a;
	}
	return 0;
}

static void ahci_fini(struct dev *d)
{
	struct ahci *a = (struct ahci *)d;

	pci_function_fini(&a->pci);
	for (unsigned i = 0; i < AHCI_PORTS; i++)
		ata_fini(&a->port[i].drive);
}

static void ahci_reset(struct dev *d)
{
	struct ahci *a = (struct ahci *)d;

	mutex_lock(&d->lock);
	pci_function_reset(&a->pci);
	a->ghc = GHC_AE;
	a->is = 0;
	for (unsigned i = 0; i < AHCI_PORTS; i++)
		ahci_port_power_on(&a->port[i]);
	ahci_update(a);
	mutex_unlock(&d->lock);
}

static void ahci_loaded(struct dev *d)
{
	struct ahci *a = (struct ahci *)d;

	mutex_lock(&d->lock);
	a->ghc = GHC_AE | (a->ghc & GHC_IE);
	a->is &= (1u << AHCI_PORTS) - 1;
	pci_function_loaded(&a->pci);
	for (unsigned i = 0; i < AHCI_PORTS; i++)
		ahci_port_loaded(&a->port[i]);
	mutex_unlock(&d->lock);
}

static const struct field *ahci_part(struct dev *d, unsigned i, void **object)
{
	struct ahci *a = (struct ahci *)d;

	if (i == 0) {
		*object = &a->pci;
		return pci_fields;
	}
	if (--i >= 2 * AHCI_PORTS)
		return NULL;
	if (i % 2 == 0) {
		*object = &a->port[i / 2];
		return ahci_port_fields;
	}
	*object = &a->port[i / 2].drive;
	return ata_fields;
}

const struct dev_class dev_ahci = {
	.name = "ahci",
	.about = "SATA controller (AHCI)",
	.size = sizeof(struct ahci),
	.fields = ahci_fields,
	.init = ahci_init,
	.reset = ahci_reset,
	.fini = ahci_fini,
	.loaded = ahci_loaded,
	.part = ahci_part,
};
