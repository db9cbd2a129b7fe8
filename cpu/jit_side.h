/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_JIT_SIDE_H
#define CPU_JIT_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "jit/jit.h"

struct cpu_jit;

/*
 * What a CPU remembers of compiled code, as parts of its state: see cpu/jit.h.
 */
enum { JIT_PLACES = 1 << 14, JIT_CROSSINGS = 1 << 8, JIT_JUMP_PAGES = 1 << 12 };

/* The most flavours that a guest CPU may have; and none of them: the code is to be interpreted. */
enum { JIT_FLAVOURS = 15, JIT_ODD = 15 };

/* Where the code is that compiled code goes on with, by virtual address, and what of that may be
 * filled. */
struct jit_table {
	struct jit_jump jump[JIT_JUMPS];
	uint64_t used[JIT_JUMPS / 64];
	uint64_t pages[JIT_JUMP_PAGES / 64]; /* virtual pages (modulo) that it knows */
	bool filled;                         /* anything of that */
};

struct jit_crossing {
	struct jit_jump jump;
	uint64_t at2; /* the page that the instruction ends in; or JIT_NO_PAGE */
};

/* A part of a CPU's state. */
struct jit_side {
	struct jit_jump *jumps; /* of the current table, */
	uint64_t mark;          /* and what is added to tags for the flavour */
	uint8_t flavour, table; /* of the code that comes next */
	bool hot;               /* cpu_jit_follow is wanted */
	bool ready;             /* compiled code may run: the tables were made empty */
	uint8_t epoch;          /* of the tags of: */
	/* Behind the tables by place: tags are place | flavour << 52 | epoch << 56.  The others are
	 * for what begins so late in a page that it may end in the next one. */
	struct jit_jump place[JIT_PLACES];
	struct jit_crossing crossing[JIT_CROSSINGS];
};

#endif
