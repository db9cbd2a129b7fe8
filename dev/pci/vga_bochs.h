/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PCI_VGA_BOCHS_H
#define DEV_PCI_VGA_BOCHS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* For the machine, while it is built: the video BIOS, as the expansion ROM of a device of class
 * vga_bochs.  data is copied. */
struct dev;

int vga_bochs_rom(struct dev *, const uint8_t *data, size_t len, struct err *);

#endif
