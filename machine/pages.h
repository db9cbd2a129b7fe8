/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_PAGES_H
#define MACHINE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mem;

/*
 * What was in guest memory at several points, one behind the other: a copy of all memory as it was
 * at one of them, and between neighbours the pages that are different.  What is written since is
 * known from mem_track, so it is nobody else's while this exists; memory of devices (windows) is
 * compared.  All is for the VM's thread, while no CPU runs; whoever calls pages_new, pages_mark or
 * pages_go makes CPUs forget their translations before they run.
 */
struct pages;

/* Point 0 is now. */
struct pages *pages_new(struct mem *, struct err *);
void pages_free(struct pages *); /* NULL is fine */

/* The point that memory was like when it was last marked, or gone to. */
unsigned pages_at(const struct pages *);
unsigned pages_count(const struct pages *);
/* A new point behind pages_at, which is now; those behind it count one more.  false: no memory, and
 * nothing has changed. */
bool pages_mark(struct pages *);
/* Memory becomes as it was at a point. */
void pages_go(struct pages *, unsigned point);
/* Forgets one, which is neither pages_at nor the first.  false: no memory, it stays. */
bool pages_drop(struct pages *, unsigned point);
/* Forgets all behind pages_at. */
void pages_cut(struct pages *);
/* Bytes that all of it takes, but for the copy. */
uint64_t pages_size(const struct pages *);

#endif
