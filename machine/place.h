/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_PLACE_H
#define MACHINE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct dev;
struct machine;
struct machine_place;

/* What boards place the same way, each at its own addresses. */
enum { PLACE_SLOTS = 8 };

struct place_row {
	uint64_t base, step; /* of registers in memory; on PCI, of places on the bus */
	unsigned n;          /* of places, on PCI */
	unsigned irq;        /* of the first; the next ones follow */
	unsigned last_irq;   /* what the controller has */
	bool ports;          /* the board has I/O ports, too */
};

/* Where a board has places for virtio devices: PLACE_SLOTS slots of virtio-mmio, of which some may
 * be empty, slots of a PCI bus, where nothing is if no device is there, or both. */
struct place_virtio {
	const struct place_row *mmio; /* NULL: none */
	struct dev *pic;              /* where their interrupts go */
	const struct place_row *pci;  /* NULL: none */
	struct dev *host;
	unsigned used; /* how many slots of mmio have a device: what place_virtio says */
};

bool place_has_virtio_console(const struct machine *);
/* Virtio devices: disks first, so that their names in the guest do not depend on the rest, then
 * networks, the console if it is to be virtio's, and so on, then entropy.  What has no slot of
 * virtio-mmio goes to PCI. */
int place_virtio(struct machine *, struct place_virtio *, struct err *);
/* Slots for cards that come and go (machine/ports.h), as functions of this slot of the bus; nothing
 * where none are asked for. */
int place_ports(struct machine *, struct dev *host, unsigned slot, struct err *);
/* A virtio card in the slot of a port, with the interface that all have. */
struct dev *place_card(struct machine *, struct machine_place *, const char *class, void *back,
    struct dev *port, struct err *);
/* The devices that the configuration adds. */
int place_extra(struct machine *, const struct place_row *, struct dev *pic, struct err *);

/* A controller of the disks with if=CLASS: place_drives.c. */
struct place_controller {
	const char *class;
	unsigned place, max; /* on the PCI bus; of drives */
	bool always;         /* it is there without a drive, too */
};

struct drives;

/* The disks with if=bus, in their order; how many, or -EINVAL. */
int place_find_drives(
    struct machine *, const char *bus, unsigned max, struct drives *, struct err *);
/* The same, for a controller that keeps what it gets: the machine does.  1: there is to be one; 0:
 * there is not, since nothing is there and nothing is to come. */
int place_bus(
    struct machine *, const char *bus, unsigned max, bool always, struct drives **, struct err *);
/* A bus of drives for what may come. */
int place_bus_for(struct machine *, const char *bus, unsigned max, struct drives **, struct err *);
/* *d: the controller, or NULL where none is to be. */
int place_controller(struct machine *, const struct place_controller *, struct dev *pci,
    struct dev **d, struct err *);

#endif
