/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_DEBUG_H
#define CORE_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * What a debugger wants to be told of, by virtual address (x86: linear), in all address spaces.
 * Guest memory is not changed for it.  A CPU comes out with EXIT_DEBUG: before an instruction that
 * has a breakpoint, behind one that has made an access that is watched.
 */

/* In struct exit, of EXIT_DEBUG: size is why, addr is where: the breakpoint, or the first byte of
 * the access that is watched. */
enum debug_why { DEBUG_STEP, DEBUG_BREAK, DEBUG_LOAD, DEBUG_STORE };

struct debug_watch {
	uint64_t at, len; /* len is not 0; it does not wrap round */
	bool load, store;
};

/* Whether instructions are traced (TRACE_exec of base/log.h), which are interpreted then; bits. */
enum {
	DEBUG_TRACE_ALL = 1,
	DEBUG_TRACE_JUMPS = 2, /* else: those alone that do not follow the one before */
	DEBUG_TRACE_REGS = 4   /* with either: and the registers that change */
};

/* Constant while a CPU has it. */
struct debug_points {
	const uint64_t *at; /* of breakpoints, in their order */
	unsigned n;
	const struct debug_watch *watch;
	unsigned nwatches;
	unsigned trace; /* DEBUG_TRACE_x */
	/* Stores to physical memory, from at on, that watches are not for; len 0: none. */
	struct debug_guard {
		uint64_t at, len;
	} guard;
};

bool debug_breaks_at(const struct debug_points *, uint64_t pc);
/* Whether the page of 4 KiB that holds pc has to be interpreted: there is one in it, or
 * instructions are traced. */
bool debug_breaks_in_page(const struct debug_points *, uint64_t pc);
/* The same for what is watched. */
bool debug_watches_page(const struct debug_points *, uint64_t va);
/* Whether an access of len bytes is watched; *first is the first byte of it that is. */
bool debug_watches(
    const struct debug_points *, uint64_t va, uint64_t len, bool store, uint64_t *first);
/* Whether the page that holds pa is guarded; whether a store of len bytes meets what is. */
bool debug_guards_page(const struct debug_points *, uint64_t pa);
bool debug_guards(const struct debug_points *, uint64_t pa, uint64_t len, uint64_t *first);

/*
 * What was accessed since CPUs forgot their translations: for who wants to know where something was
 * not done.  Numbers of pages, and of words of 8 bytes, in sets that may seem to have more in them
 * than was put there (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970).
 */
enum { DEBUG_SET_BITS = 17, DEBUG_WORDS_BITS = 19 };
struct debug_set {
	uint64_t map[(1 << DEBUG_SET_BITS) / 64];
};

struct debug_pages {
	struct debug_set loads, stores; /* virtual; what was stored to may have been loaded from */
	struct debug_set whole;         /* of stores: to any of the page; else to some of words */
	struct debug_set frames;        /* the same, physical, by whomever */
	uint64_t words[(1 << DEBUG_WORDS_BITS) / 64]; /* a set too; virtual and physical */
};

/*
 * How that is noted.  A CPU that remembers where a page is makes stores there unseen, so then the
 * whole page is noted.  But there are pages to which something is written all the time, and beside
 * that are variables that hardly ever change.  So stores are noted one by one at first: some to
 * any page, many to those that were written before, but few words, and for a while none where
 * there were more.  Which pages those are is found out in rounds.
 */
enum { DEBUG_NOTES_BITS = 13 };
struct debug_notes {
	struct debug_pages pages;
	struct debug_habit {
		uint64_t page;   /* and one more; 0: none, the first one that is written has it */
		uint64_t map[8]; /* of the words that were stored to, if that is noted */
		uint64_t frame;  /* the physical page of all of them */
		uint16_t words;  /* so many */
		uint16_t left;   /* so many stores more are noted one by one */
		bool now;        /* it was written in this round */
		uint8_t life;    /* so many rounds it is remembered for those before */
		uint8_t rest;    /* so many rounds no store to it is noted one by one */
		uint8_t rests;   /* so many they were the last time, or less */
	} habit[1 << DEBUG_NOTES_BITS]; /* by hash */
	unsigned begun;
};

void debug_set_add(struct debug_set *, uint64_t page);
bool debug_set_has(const struct debug_set *, uint64_t page);
/* Nothing is noted yet; coarse: nor will it be one by one. */
void debug_notes_begin(struct debug_notes *, bool coarse);
/* All that was noted since. */
const struct debug_pages *debug_notes_end(struct debug_notes *);
void debug_note_load(struct debug_notes *, uint64_t va);
/* A CPU's store to len bytes in one page; 0: to any of the page.  Whether the CPU may remember
 * where the page is. */
bool debug_note_store(struct debug_notes *, uint64_t va, uint64_t pa, unsigned len);
/* The same for any access of data that a CPU did not find in its TLB.  NULL: nobody wants to know.
 */
static inline bool debug_note(
    struct debug_notes *n, uint64_t va, uint64_t pa, unsigned len, bool store)
{
	if (likely(!n))
		return true;
	if (store)
		return debug_note_store(n, va, pa, len);
	debug_note_load(n, va);
	return true;
}
/* Physical memory was written, not by a CPU's store, or not by it alone. */
void debug_note_written(struct debug_notes *, uint64_t pa, uint64_t len);

void debug_pages_add(struct debug_pages *, const struct debug_pages *);
/* Whether anything that is watched there can have been met. */
bool debug_pages_meet(const struct debug_pages *, const struct debug_points *);

#endif
