/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_PATH_H
#define CPU_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mem.h"

struct ir_block;

/*
 * Paths: which way a CPU went through a page of code, jumps included.  A place that is hot is
 * compiled as the path that was taken from there when the interpreter looked: on the way nothing
 * is put back, and what the branches decide otherwise leads out.
 */
enum { PATH_MAX_INSNS = 160, PATH_MIN_INSNS = 4 };

struct path {
	unsigned n;                         /* instructions */
	int64_t at[PATH_MAX_INSNS + 1];     /* their offsets from the page, and where they lead */
	uint8_t len[PATH_MAX_INSNS];        /* their bytes */
	const void *how;                    /* for the guest CPU: what decoding them takes, */
	uint32_t mode;                      /* and in which mode */
	_Alignas(8) uint8_t code[MEM_PAGE]; /* what was in the page */
};

/* How a guest CPU follows its own code; `cpu` is its state. */
struct path_class {
	/* From this offset of a page on an instruction may end in the next page. */
	unsigned limit;
	/* Begins a path: fills in how and mode. */
	void (*begin)(const void *cpu, struct path *);
	uint64_t (*pc)(const void *cpu);
	uint64_t (*retired)(const void *cpu);
	/* Interprets one instruction; raises. */
	void (*step)(void *cpu);
	/* Whether another one may follow: nothing happened that asks for more than to go on in the
	 * same mode. */
	bool (*goes_on)(const void *cpu, const struct path *);
	/* The length of an instruction that is inside the page.  Any thread, as the next one. */
	unsigned (*length)(const struct path *, const uint8_t *code);
	/* Makes a block of it; what ends all blocks may come before its end: then n gets smaller.
	 * false: the code is not what was executed. */
	bool (*lift)(struct path *, struct ir_block *);
};

/* Interprets from pc, and says which way that went: until it leaves the page, comes to where it was
 * before or to where stop says, or something happens.  Raises as the interpreter does. */
void path_record(const struct path_class *, void *cpu, struct path *,
    bool (*stop)(void *arg, void *cpu, uint64_t pc), void *arg);
/* Notes what the instructions are now; with the CPUs' lock held, as the next one. */
void path_read(const struct path_class *, struct path *, const uint8_t *page);
/* Whether they still are. */
bool path_is_in(const struct path *, const uint8_t *page);
/* The bytes of the page that they are among. */
void path_extent(const struct path *, unsigned *low, unsigned *high);

#endif
