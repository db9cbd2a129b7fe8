/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_X86_FIRMWARE_H
#define MACHINE_X86_FIRMWARE_H

#include "base/err.h"

struct acpi_config;
struct dev;
struct smbios_config;

/* The tables for firmware that finds a place for them itself: files of a fw_cfg device. */
int x86_tell_acpi(struct dev *fw_cfg, const struct acpi_config *, struct err *);
int x86_tell_smbios(struct dev *fw_cfg, const struct smbios_config *, struct err *);

#endif
