/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_LOAD_PVH_H
#define MACHINE_LOAD_PVH_H

#include "base/err.h"

struct load_file;
struct x86_boot;
struct x86_start;

/* A kernel with a PVH entry: an ELF program of either size, or the one that a bzImage carries,
 * which is unpacked.  -ENOEXEC when it has no such entry. */
int load_pvh(const struct x86_boot *, struct load_file *, struct x86_start *, struct err *);

#endif
