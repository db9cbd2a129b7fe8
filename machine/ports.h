/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_PORTS_H
#define MACHINE_PORTS_H

/*
 * Slots for cards that come and go: root ports on the machine's PCI bus, which the key
 * hotplug-ports asks for.  To machine/hotplug.h they are a bus of drives, "virtio".
 */
enum { PORTS_MAX = 8 };

struct ports;

/* They are made by place_ports (machine/place.h). */
void ports_free(struct ports *); /* the devices are gone */

#endif
