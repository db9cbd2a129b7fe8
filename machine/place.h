/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_PLACE_H
#define MACHINE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct dev;
struct machine;

/* What boards place the same way, each at its own addresses. */
enum { PLACE_SLOTS = 8 };

struct place_row {
	uint64_t base, step; /* of registers in memory */
	unsigned irq;        /* of the first; the next ones follow */
	unsigned last_irq;   /* what the controller has */
	bool ports;          /* the board has I/O ports, too */
	bool pci;            /* base and step are places on the bus of the host given as pic */
};

bool place_has_virtio_console(const struct machine *);
/* Virtio devices: disks first, so that their names in the guest do not depend on the rest, then the
 * console if it is to be virtio's, then entropy.  *used: how many.  There are PLACE_SLOTS slots of
 * virtio-mmio; on PCI there is nothing where no device is. */
int place_virtio(
    struct machine *, const struct place_row *, struct dev *pic, unsigned *used, struct err *);
/* The devices that the configuration adds. */
int place_extra(struct machine *, const struct place_row *, struct dev *pic, struct err *);

#endif
