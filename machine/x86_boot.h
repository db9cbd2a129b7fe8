/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_X86_BOOT_H
#define MACHINE_X86_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct load_file;
struct mem;

/*
 * What the loaders of x86 kernels share: what they get from the board, and the state in which the
 * kernel wants to find CPU 0.  A loader puts all that it needs into guest memory, and has nothing
 * to do with CPUs.
 */

/* Memory for the guest's eyes; types are those of ACPI 6.5, table 15.1. */
enum x86_memory { X86_RAM = 1, X86_RESERVED = 2, X86_ACPI = 3, X86_NVS = 4 };
enum { X86_RANGES = 16 };
struct x86_map {
	struct x86_range {
		uint64_t base, size;
		enum x86_memory type;
	} range[X86_RANGES]; /* in address order, apart from each other */
	unsigned n;
};

/* A linear framebuffer of 32 bits a pixel: blue is the first byte, then green, red, nothing. */
struct x86_screen {
	uint32_t base, size; /* of the memory that it is in; size 0: there is none */
	uint16_t width, height;
};

struct x86_boot {
	struct mem *mem;
	uint64_t
	    low; /* RAM from 0 to here in one piece, video memory and firmware's area included */
	const struct x86_map *map;
	uint64_t rsdp;                         /* of ACPI; 0: none */
	const char *kernel, *initrd, *cmdline; /* initrd and cmdline may be NULL */
	const char *entry; /* the protocol, as config.entry; NULL: by what the file is */
	bool only_32;      /* the CPUs have no 64-bit mode */
	uint8_t seed[32];  /* entropy for the kernel */
	struct x86_screen screen;
};

enum x86_mode {
	X86_START_REAL,
	X86_START_PROTECTED, /* flat segments, no paging */
	X86_START_LONG,      /* flat segments, the first 4 GiB mapped to themselves */
};

/* Interrupts are off, FLAGS otherwise 2, A20 on; what is not said here is as after reset. */
struct x86_start {
	enum x86_mode mode;
	uint64_t rip;
	uint16_t cs, ds; /* selectors or segments; es, fs, gs and ss are like ds */
	uint64_t gdt, cr3;
	uint16_t gdt_limit;
	uint64_t rax, rbx, rsi, rsp; /* all others are 0 */
};

/* What is in memory below 1 MiB, out of the way of kernels, which lie above. */
enum {
	X86_AT_GDT = 0x1000,
	X86_AT_STACK = 0x6000, /* grows down */
	X86_AT_PARAMS = 0x7000,
	X86_AT_TABLES = 0x9000, /* 6 pages */
	X86_AT_CMDLINE = 0x20000,
	X86_AT_DATA = 0x30000,
	X86_AT_END = 0x40000,
	X86_HIGH = 0x100000
};

/* Places a GDT (and page tables, for long mode) with code at selector 0x10 and data at 0x18, and
 * says so in s. */
void x86_place_flat(const struct x86_boot *, struct x86_start *s, enum x86_mode);
/* A zero-terminated command line; its address. */
int x86_place_cmdline(const struct x86_boot *, uint64_t at, size_t max, struct err *);
int x86_too_small(const struct x86_boot *, struct err *);
/* -EINVAL and that the kernel is for CPUs of 64 bits. */
int x86_too_wide(const struct x86_boot *, struct err *);

/* The kernel, by whatever protocol it knows: Linux's own, Multiboot, or PVH. */
int x86_load_kernel(const struct x86_boot *, struct x86_start *, struct err *);

#endif
