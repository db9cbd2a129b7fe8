/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/ports.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev/drives.h"
#include "dev/pci/pcie_port.h"
#include "machine/build.h"
#include "machine/place.h"
#include "machine/run.h"

struct port {
	struct ports *all;
	struct dev *dev, *card; /* card NULL: none */
	struct pcie_slot slot;
	atomic_bool off; /* the guest has given up the card */
};

struct ports {
	struct machine *machine;
	struct port port[PORTS_MAX];
};

static void off(void *arg)
{
	struct port *p = arg;

	atomic_store(&p->off, true);
	atomic_store(&p->all->machine->hotplug.asked, true);
	machine_leave(p->all->machine);
}

static int insert(struct port *p, const struct drive *d, struct err *e)
{
	struct machine *m = p->all->machine;
	struct machine_place where = { .class = "virtio_pci" };

	if (m->ndevs == MACHINE_DEVS)
		return err_set(e, ENOSPC, "the machine has no room for another device");
	p->card = place_card(m, &where, d->net ? "virtio_net" : "virtio_blk",
	    d->net ? (void *)d->net : d->block, p->dev, e);
	if (!p->card)
		return -EINVAL;
	pcie_port_insert(p->dev);
	return 0;
}

static void take(struct port *p)
{
	struct machine *m = p->all->machine;
	unsigned i = 0;

	if (!p->card)
		return;
	pcie_port_remove(p->dev);
	while (m->dev[i] != p->card)
		i++;
	memmove(&m->dev[i], &m->dev[i + 1], (--m->ndevs - i) * sizeof m->dev[0]);
	dev_free(p->card);
	p->card = NULL;
	atomic_store(&p->off, false);
}

static int change(
    void *arg, enum drives_op op, unsigned n, const struct drive *drive, struct err *e)
{
	struct port *p = &((struct ports *)arg)->port[n];

	switch (op) {
	case DRIVES_ADD:
		return insert(p, drive, e);
	case DRIVES_REMOVE:
		take(p);
		return 0;
	case DRIVES_ASK:
		if (p->card)
			pcie_port_ask(p->dev);
		else
			off(p); /* it could not be added */
		return 0;
	case DRIVES_IS_OFF:
		return atomic_load(&p->off);
	default:
		return err_set(e, ENOTSUP, "a card has no tray");
	}
}

static int place(struct ports *all, struct dev *host, unsigned slot, unsigned n, struct err *e)
{
	struct port *p = &all->port[n];
	char id[16];
	const struct machine_place where = {
		.class = "pcie_port",
		.base = slot * 8 + n,
		.id = id,
		.back = &p->slot,
	};

	snprintf(id, sizeof id, "%u", n + 1);
	p->all = all;
	p->slot = (struct pcie_slot){ off, p };
	p->dev = machine_place(all->machine, &where, host, e);
	return p->dev ? 0 : -EINVAL;
}

int place_ports(struct machine *m, struct dev *host, unsigned slot, struct err *e)
{
	const unsigned n = (unsigned)m->config.hotplug_ports;
	struct drives *drives;
	int rc;

	if (!n)
		return 0;
	m->ports = calloc(1, sizeof *m->ports);
	if (!m->ports)
		return err_set(e, ENOMEM, "hotplug-ports: no memory");
	m->ports->machine = m;
	rc = place_bus_for(m, "virtio", n, &drives, e);
	for (unsigned i = 0; i < n && !rc; i++)
		rc = place(m->ports, host, slot, i, e);
	if (rc)
		return rc;
	drives->change = change;
	drives->arg = m->ports;
	return 0;
}

void ports_free(struct ports *p)
{
	free(p);
}
