/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_LOAD_LINUX_X86_H
#define MACHINE_LOAD_LINUX_X86_H

#include "base/err.h"

struct load_file;
struct x86_boot;
struct x86_start;

enum linux_entry {
	LINUX_BEST, /* 64 bits, or 32 where the kernel has no such entry */
	LINUX_16,   /* only with a BIOS in memory: the kernel calls it */
	LINUX_32,
	LINUX_64
};

/* A Linux bzImage (or zImage, for LINUX_16) by the x86 boot protocol. */
int load_linux_x86(const struct x86_boot *, struct load_file *, enum linux_entry,
    struct x86_start *, struct err *);

/* Where in the file the compressed vmlinux of a bzImage is; -EINVAL and the reason when there is
 * none. */
int load_linux_payload(struct load_file *, uint64_t *off, uint64_t *len, struct err *);

#endif
