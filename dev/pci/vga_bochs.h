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

/* For the machine, before CPUs run: what firmware would do.  The framebuffer, of VGA_BOCHS_MEMORY
 * bytes, is at `base`, below 4 GiB, and 4 KiB of registers behind it; it shows a mode of 32 bits
 * with nothing between its lines. */
enum { VGA_BOCHS_MEMORY = 16 << 20 };
void vga_bochs_start(struct dev *, uint64_t base, unsigned width, unsigned height);

#endif
