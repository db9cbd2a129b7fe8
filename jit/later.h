/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_LATER_H
#define JIT_LATER_H

#include "jit/jit.h"

/*
 * Compiling on a thread of its own, at low priority: a CPU that has found out what is hot orders
 * the code, goes on, and fetches it when it is made.  The thread lifts, optimises with the `full`
 * pipeline, and makes a draft (jit/jit.h); it touches nothing but the order.  So whoever fetches
 * has to see whether the guest's code is still the one that was ordered, and places the draft.
 *
 * jit_later_made is for any thread; new and free are for their maker, all others for one CPU at a
 * time.
 */
struct jit_later;

/* What a guest CPU says of the code that it wants is a struct that begins with this. */
struct jit_order {
	uint64_t pa; /* where it begins, */
	unsigned flavour;
	struct jit_unit unit; /* ir, insns and draft come from the thread */
};

struct jit_later_guest {
	const struct ir_guest *ir;
	size_t size; /* of the struct */
	/* On the thread: lifts what is ordered, and says how many instructions that are; false: it
	 * is not worth it. */
	bool (*lift)(struct jit_order *, struct ir_block *);
};

/* The thread starts with the first order. */
struct jit_later *jit_later_new(struct jit *, const struct jit_later_guest *, struct err *);
void jit_later_free(struct jit_later *);

/* A place for an order, to be filled in and sent; NULL: there are enough, one for this is among
 * them, or there is no thread to be had. */
struct jit_order *jit_later_order(struct jit_later *, uint64_t pa, unsigned flavour);
void jit_later_send(struct jit_later *);

/* Whether there is something to be fetched, with little effort. */
bool jit_later_made(const struct jit_later *);
/* Waits until there is; false: nothing is ordered any more.  For tests. */
bool jit_later_wait(struct jit_later *);
/* The order that is made; NULL: none.  Then jit_later_done gives its place back. */
struct jit_order *jit_later_fetch(struct jit_later *);
void jit_later_done(struct jit_later *);

#endif
