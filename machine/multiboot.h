/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_MULTIBOOT_H
#define MACHINE_MULTIBOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct load_file;
struct x86_boot;

/* The two sides of loading a Multiboot kernel, for load_multiboot.c only: what the kernel's header
 * wants (multiboot_header.c), and what the kernel is told (multiboot_info.c). */
enum { MULTIBOOT_MODULES = 32 };

struct multiboot_header {
	unsigned version; /* 0: there is none */
	uint64_t at;      /* in the file */
	bool fixed;       /* it says itself where it goes, and needs no ELF header */
	bool has_entry;
	uint32_t header_addr, load_addr, load_end, bss_end, entry;
};

int multiboot_find(struct load_file *, struct multiboot_header *, struct err *);

struct multiboot_module {
	uint64_t start, end;
	char *line; /* its name and arguments; on the heap */
};

struct multiboot_modules {
	struct multiboot_module module[MULTIBOOT_MODULES];
	unsigned n;
};

/* What is to lie at the guest physical address `at`; line is the kernel's. */
void multiboot1_info(const struct x86_boot *, const struct multiboot_modules *, const char *line,
    uint32_t at, struct buf *);
void multiboot2_info(
    const struct x86_boot *, const struct multiboot_modules *, const char *line, struct buf *);

#endif
