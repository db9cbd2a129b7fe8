/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_I8042_H
#define DEV_I8042_H

#include <stdbool.h>

#include "core/irq.h"

/*
 * The keyboard and the mouse behind the device class i8042, for whoever shows a display.  On the
 * VM's thread, out of an event (core/event.h); both take the device's lock.  dev/ps2.h says what
 * the numbers mean.
 */
struct dev;

/* For the machine, while it is built: where the output that is the A20 gate's goes. */
void i8042_a20(struct dev *, struct irq);
void i8042_key(struct dev *, unsigned usage, bool pressed);
void i8042_mouse(struct dev *, int dx, int dy, int dz, unsigned buttons);

#endif
