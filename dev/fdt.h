/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_FDT_H
#define DEV_FDT_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * A device tree under construction: libfdt's sequential writer with a growing buffer and one
 * sticky error, so that devices write nodes without checking each call.  Addresses and sizes are
 * two cells each.
 */
struct fdt;

struct fdt *fdt_new(void);
void fdt_free(struct fdt *);

void fdt_begin(struct fdt *, const char *fmt, ...) PRINTF(2, 3); /* "serial@%llx" */
void fdt_end(struct fdt *);
void fdt_u32(struct fdt *, const char *name, uint32_t);
void fdt_u64(struct fdt *, const char *name, uint64_t);
void fdt_cells(struct fdt *, const char *name, const uint32_t *, size_t n);
void fdt_str(struct fdt *, const char *name, const char *);
/* Several strings, NULL at the end: compatible lists. */
void fdt_strs(struct fdt *, const char *name, const char *, ...);
/* The same of what is in memory as it will be there, each with the zero behind it. */
void fdt_list(struct fdt *, const char *name, const char *list, size_t len);
void fdt_empty(struct fdt *, const char *name);
void fdt_reg(struct fdt *, uint64_t base, uint64_t size);
/* Handles are given out by name: the same name gives the same number ("plic", "cpu0-intc"). Writes
 * it as the open node's phandle, or only asks for it. */
void fdt_set_phandle(struct fdt *, const char *name);
uint32_t fdt_phandle(struct fdt *, const char *name);

/* Ends the tree; NULL (and no size) when any call failed for lack of memory.  Owned by fdt. */
const void *fdt_finish_tree(struct fdt *, size_t *size);

#endif
