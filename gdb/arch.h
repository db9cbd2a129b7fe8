/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GDB_ARCH_H
#define GDB_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * What a debugger has to know of a guest CPU: its registers, as the target description has them
 * (Debugging with GDB, appendix G).  The file gdb/CPU.c defines `const struct
 * gdb_arch gdb_CPU`, and arch.c lists it.  All is in terms of the structs of cpu/ARCH/regs.h, so it
 * is the same whatever the engine.
 */

/* A register.  kept: bytes of the number at `at` in the CPU's struct: 1, 2, 4, 8, or multiples of 8
 * for rows of such numbers, the low one first; 0: arch.get and put know it by its special number.
 */
struct gdb_reg {
	const char *name, *type;
	uint8_t size; /* bytes in packets */
	uint8_t kept;
	uint16_t special;
	uint32_t at;
	unsigned group; /* of the CPU class: what is set with it */
};

struct gdb_feature {
	const char *name;
	const char *types; /* XML that its registers need; or NULL */
	const struct gdb_reg *reg;
	unsigned n;
};

/* A way to see the CPU: numbers of registers go on from feature to feature. */
struct gdb_layout {
	const char *name;     /* what monitor arch takes */
	const char *gdb_name; /* of the architecture; NULL: gdb is not told */
	const struct gdb_feature *feature;
	unsigned nfeatures;
	unsigned pc, sp, fp; /* told with each stop */
};

struct gdb_arch {
	const char *cpu; /* the class */
	const struct gdb_layout *layout;
	unsigned nlayouts;
	unsigned groups;                  /* of the CPU class: what pc and paging need, */
	unsigned all;                     /* and all */
	uint64_t (*pc)(const void *regs); /* as a virtual address */
	void (*get)(const struct gdb_reg *, const void *regs, uint8_t *to);
	void (*put)(const struct gdb_reg *, void *regs, const uint8_t *from);
	/* Which layout fits what the CPU does now. */
	unsigned (*fits)(const void *regs);
	/* The physical page of a controller of its own that is not on the bus; all ones: none. */
	uint64_t (*own_page)(const void *regs);
	/* In a few words. */
	void (*mode)(const void *regs, char *text, size_t size);
};

extern const struct gdb_arch gdb_x86_64, gdb_riscv64;

/* NULL: there is none for this CPU class. */
const struct gdb_arch *gdb_arch_find(const char *cpu);

/* layout.c: NULL: there is no such number. */
const struct gdb_reg *gdb_layout_reg(const struct gdb_layout *, unsigned n);
unsigned gdb_layout_count(const struct gdb_layout *);
void gdb_layout_xml(const struct gdb_layout *, struct buf *);
void gdb_reg_get(const struct gdb_arch *, const struct gdb_reg *, const void *regs, uint8_t *to);
void gdb_reg_put(const struct gdb_arch *, const struct gdb_reg *, void *regs, const uint8_t *from);

enum { GDB_REG_MAX = 64 };

#endif
