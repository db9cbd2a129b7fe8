/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PCI_PCIE_PORT_H
#define DEV_PCI_PCIE_PORT_H

#include <stdbool.h>

struct dev;

/*
 * A slot of PCI Express for a card that comes and goes: the `back` of class pcie_port.  The card is
 * a device whose `pic` is the port, and whose `base` is 0.  It is made and freed by the machine,
 * while no CPU runs.
 */
struct pcie_slot {
	/* The guest wants no more of the card, after pcie_port_ask.  Any thread that runs a CPU,
	 * with the port's lock held. */
	void (*off)(void *arg);
	void *arg;
};

/* The card is there; the guest hears of it. */
void pcie_port_insert(struct dev *port);
/* It is gone. */
void pcie_port_remove(struct dev *port);
/* Presses the attention button, for the guest to give the card up.  Where no driver has the card,
 * and none of slots has switched it on, `off` is called at once; where the guest is about to give
 * it up, nothing happens. */
void pcie_port_ask(struct dev *port);

#endif
