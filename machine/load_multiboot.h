/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_LOAD_MULTIBOOT_H
#define MACHINE_LOAD_MULTIBOOT_H

#include "base/err.h"

struct load_file;
struct x86_boot;
struct x86_start;

/* 1 or 2 when the file has a Multiboot header of that version, 0 when it has none, or -errno. */
int multiboot_version(struct load_file *, struct err *);

/* A kernel with such a header.  boot->initrd is a list of modules "FILE[ ARGUMENTS],...". */
int load_multiboot(const struct x86_boot *, struct load_file *, struct x86_start *, struct err *);

#endif
