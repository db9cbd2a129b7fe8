/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_RESET_CF9_H
#define DEV_RESET_CF9_H

#include <stdint.h>

/* The reset register of the device class reset_cf9, for a PCI host, which has the ports around
 * 0xcf9: what a write of val makes of it, and whether that resets the machine. */
struct dev_env;

void reset_cf9_write(const struct dev_env *, uint8_t *reg, uint8_t val);

#endif
