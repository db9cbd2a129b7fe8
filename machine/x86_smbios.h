/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_X86_SMBIOS_H
#define MACHINE_X86_SMBIOS_H

#include <stdint.h>

#include "base/buf.h"

/* SMBIOS tables: what a board says of itself to people and to management software. */
struct smbios_config {
	const char *product, *version;
	uint8_t uuid[16];   /* as it is printed */
	uint64_t low, high; /* bytes of RAM at 0 and at 4 GiB */
	unsigned ncpus;
	uint32_t cpu_id[2]; /* EAX and EDX of CPUID leaf 1 */
};

enum { SMBIOS_ENTRY = 32 }; /* the structures come that far behind the entry point */

/* Appends entry point and structures, as they are to lie at the guest physical address `at` (a
 * multiple of 16 from 0xf0000 on, where programs look for it).  -ENOMEM. */
int smbios_build(const struct smbios_config *, uint64_t at, struct buf *out);

#endif
