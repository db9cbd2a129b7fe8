/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PCI_AHCI_H
#define DEV_PCI_AHCI_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/ata/ata.h"
#include "dev/ata/ata_dma.h"
#include "dev/pci/pci.h"

/*
 * Between the files of class ahci: ahci.c has the PCI function and what all ports share,
 * ahci_port.c a port.  All is called with the device's lock held.
 */
enum { AHCI_PORTS = 6, AHCI_SLOTS = 32 };

/* Interrupts of a port: PxIS. */
enum ahci_interrupt {
	AHCI_DHRS = 1 << 0, /* device to host FIS */
	AHCI_PSS = 1 << 1,  /* PIO setup FIS */
	AHCI_SDBS = 1 << 3, /* set device bits FIS */
	AHCI_PCS = 1 << 6,  /* a drive came */
	AHCI_PRCS = 1 << 22,
	AHCI_OFS = 1 << 24,  /* the drive has more than there is room for */
	AHCI_IFS = 1 << 27,  /* the interface has failed, and stopped */
	AHCI_HBFS = 1 << 29, /* no such memory */
	AHCI_TFES = 1 << 30  /* the drive says that a command failed */
};

struct ahci;

struct ahci_port {
	struct ata_drive drive;
	struct ahci *ahci;
	unsigned n;

	/* Registers, by their names in the specification. */
	uint64_t clb, fb;
	uint32_t is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;

	bool halted; /* after an error, until ST is cleared */
	bool active; /* the drive has a command, of this slot: */
	uint8_t slot;
	bool moved;            /* what the drive was to move last is moved */
	bool srst;             /* software holds the drive in reset */
	bool signature_waits;  /* the first FIS, for a guest that does not listen yet */
	uint32_t options;      /* first word of the command's header */
	uint64_t table;        /* where its command table is */
	uint32_t total, block; /* bytes moved, and those of the data block by PIO */
	uint32_t len;          /* of the step that is being moved */
	struct ata_dma dma;    /* its PRDT */
};

struct ahci {
	struct dev dev;
	struct pci_function pci;
	uint32_t ghc, is;
	struct ahci_port port[AHCI_PORTS];
};

extern const struct field ahci_port_fields[];
extern const struct ata_host ahci_host;

/* PxIS or PxIE of the port has changed: what follows from that. */
void ahci_update(struct ahci *);

uint32_t ahci_port_read(const struct ahci_port *, unsigned reg);
void ahci_port_write(struct ahci_port *, unsigned reg, uint32_t val);
void ahci_port_power_on(struct ahci_port *);
/* GHC.HR: as after power on, but the addresses of list and FISes stay. */
void ahci_port_reset(struct ahci_port *);
void ahci_port_loaded(struct ahci_port *);

#endif
