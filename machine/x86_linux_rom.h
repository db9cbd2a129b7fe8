/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_X86_LINUX_ROM_H
#define MACHINE_X86_LINUX_ROM_H

#include <stdint.h>

#include "base/err.h"

struct config;
struct dev;

/* Kernel, initrd and command line of the configuration, for firmware: items of a fw_cfg device.  A
 * BIOS gets an option ROM, too, with which it starts a Linux kernel.  low: RAM from 0 to here. */
int x86_tell_linux(struct dev *fw_cfg, const struct config *, uint64_t low, struct err *);

#endif
