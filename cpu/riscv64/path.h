/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_PATH_H
#define CPU_RISCV64_PATH_H

#include "cpu/riscv64/lift.h"
#include "cpu/riscv64/state.h"

/*
 * Paths: which way a hart went through a page, jumps included.  A place that is hot is compiled as
 * the path that was taken from there when the interpreter looked: on the way nothing is put back,
 * and what the branches decide otherwise leads out.
 */
enum { RV_PATH_MAX = 160, RV_PATH_MIN = 4 };

struct rv_path {
	unsigned n;                  /* instructions */
	int64_t at[RV_PATH_MAX + 1]; /* their offsets from the page, and where they lead */
	uint32_t word[RV_PATH_MAX];  /* and what they were */
};

/* Interprets from pc, and says which way that went: until it leaves the page, comes to where it was
 * before or to where stop says, or something happens.  Raises as the interpreter does. */
void rv_path_record(struct rv *, struct rv_path *, bool (*stop)(struct rv *, uint64_t pc));
/* Notes what the instructions are now; with the lock of vm.h held, as the next one. */
void rv_path_read(struct rv_path *, const uint8_t *page);
/* Whether they still are. */
bool rv_path_is_in(const struct rv_path *, const uint8_t *page);
/* The bytes of the page that they are among. */
void rv_path_extent(const struct rv_path *, unsigned *low, unsigned *high);
/* Makes a block of it, and cuts it behind what ends all blocks; false: too little is left, or the
 * code changed before it was read.  Any thread. */
bool rv_path_lift(struct rv_path *, struct ir_block *);

#endif
