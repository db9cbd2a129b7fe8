/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_CACHE_H
#define JIT_CACHE_H

#include "jit/jit.h"

/*
 * The compiled units of a VM, found by the place of their code (a guest-physical address, or what
 * stands for one) and a flavour (what they take for granted).  A unit is inside one page, or it is
 * one instruction that begins in one page and ends in another.  For one thread at a time.
 *
 * Code memory is bounded.  It is filled segment after segment; when the last one is full, what is
 * in the first one is forgotten, and so on round.
 */
struct jit_cache;

/* A unit's number; 0: none. */
typedef uint32_t jit_id;

struct jit_cache *jit_cache_new(struct jit *, struct err *);
void jit_cache_free(struct jit_cache *);

/* The unit that starts at pa, and goes on at pa2 in another page unless that is JIT_NO_PAGE; or 0.
 */
#define JIT_NO_PAGE UINT64_MAX
jit_id jit_cache_find(struct jit_cache *, uint64_t pa, uint64_t pa2, unsigned flavour);
const void *jit_cache_host(const struct jit_cache *, jit_id);
/* Compiles code of [pa, pa + len) (and of len2 bytes at pa2); 0 when it cannot be. */
jit_id jit_cache_add(struct jit_cache *, uint64_t pa, unsigned len, uint64_t pa2, unsigned len2,
    unsigned flavour, struct jit_unit *);
/* The same for a unit that follows a path through its page, all inside [pa of first, + len): it
 * comes in place of the one that starts there. */
jit_id jit_cache_add_path(struct jit_cache *, uint64_t pa, uint64_t first, unsigned len,
    unsigned flavour, struct jit_unit *);
bool jit_cache_is_path(const struct jit_cache *, jit_id);
/* Leads an exit that jit_enter returned to a unit; both have the same flavour and page.  No room
 * may have been made since the exit came out. */
void jit_cache_link(struct jit_cache *, uintptr_t exit, jit_id to);

/* Forgets the units that overlap [pa, pa + len), which is inside one page; true if there were any.
 * Their code stays in memory: it may be running. */
bool jit_cache_kill(struct jit_cache *, uint64_t pa, uint64_t len);
/* Whether there are any. */
bool jit_cache_has(const struct jit_cache *, uint64_t pa, uint64_t len);
bool jit_cache_has_page(const struct jit_cache *, uint64_t pa);
/* Whether add and link will find room.  If not, jit_cache_make_room makes some, when no CPU is
 * inside: what starts in [first, end) is forgotten, so nobody may remember it. */
struct jit_range {
	const char *first, *end;
};
bool jit_cache_has_room(const struct jit_cache *);
struct jit_range jit_cache_make_room(struct jit_cache *);

#endif
