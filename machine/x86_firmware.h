/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_X86_FIRMWARE_H
#define MACHINE_X86_FIRMWARE_H

#include <stdint.h>

#include "base/err.h"

struct acpi_config;
struct dev;
struct machine;
struct mem;
struct smbios_config;

/* Firmware's ROM, which ends where the first 4 GiB do, and below it the flash chip for variables,
 * if the configuration has one. */
struct x86_rom {
	struct mem *mem;
	uint64_t base, size;
};

/* When the machine is built.  r is kept; its size is that of the file now. */
int x86_rom_make(struct machine *, struct x86_rom *r, struct err *);
/* At each reset: reads the file, and copies what is to be below 1 MiB. */
int x86_rom_load(struct machine *, const struct x86_rom *, struct err *);

/* The tables for firmware that finds a place for them itself: files of a fw_cfg device. */
int x86_tell_acpi(struct dev *fw_cfg, const struct acpi_config *, struct err *);
int x86_tell_smbios(struct dev *fw_cfg, const struct smbios_config *, struct err *);

#endif
