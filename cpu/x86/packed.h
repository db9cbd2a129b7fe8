/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_PACKED_H
#define CPU_X86_PACKED_H

#include <stdbool.h>
#include <stdint.h>

struct x86_block;

/*
 * Blocks (code.h) that a CPU with little to do has decoded, in little memory.  An idle guest
 * executes much code, each of it seldom: kept as it is executed that takes a megabyte, and decoding
 * it anew takes most of the time.  Here an instruction is the bytes in which it differs from the
 * one before, a third of its size.  When there is no room left what is there stays, since who comes
 * round again finds at least that; after many blocks that were not there all are forgotten.
 */
struct x86_packed;

struct x86_packed *x86_packed_new(void); /* NULL: no memory */
void x86_packed_free(struct x86_packed *);
void x86_packed_forget(struct x86_packed *);
/* One that is in one page. */
void x86_packed_add(struct x86_packed *, const struct x86_block *);
/* The latest that was added of that place and mode, with its instructions behind it; false: it is
 * not there.  Whether it still holds is for the caller to see. */
bool x86_packed_find(
    const struct x86_packed *, const uint8_t *host, uint32_t mode, struct x86_block *to);

#endif
