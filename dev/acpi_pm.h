/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_ACPI_PM_H
#define DEV_ACPI_PM_H

#include <stdint.h>

/*
 * What a machine, or another device, tells the device class acpi_pm.  Any thread; takes the
 * device's lock.
 */
struct dev;

void acpi_pm_power_button(struct dev *); /* a press */
/* Event n of the general purpose ones has happened. */
void acpi_pm_event(struct dev *, unsigned n);
/* The registers, but not the SMI command port, go elsewhere; BUS_NOWHERE: away.  No lock. */
void acpi_pm_move(struct dev *, uint64_t base);

#endif
