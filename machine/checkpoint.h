/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_CHECKPOINT_H
#define MACHINE_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "machine/history.h"

struct debug_pages;
struct machine;
struct pages;

/*
 * Checkpoints of a machine in its own process: its state as in a snapshot, and memory by
 * machine/pages.h.  When they take more than they may those go first that are close together and
 * far from where it is, so that they are dense there; the first one and those that are
 * `outside` never go.  For the VM's thread while no CPU runs.
 */
struct checkpoint {
	struct position at;
	/* Where the machine was when it began: at, but where a reset has ended a turn. */
	struct position from;
	bool outside; /* it holds what the machine does not do by itself */
	struct buf state;
	struct debug_pages *pages; /* accessed from there to the next one, or to where it left */
};

struct checkpoints {
	struct checkpoint *list; /* by position */
	unsigned n, room;
	unsigned current; /* the one that was made, loaded, or come by last */
	uint64_t bytes, limit;
	struct pages *pages;
};

int checkpoints_init(struct checkpoints *, struct machine *, uint64_t limit, struct err *);
void checkpoints_fini(struct checkpoints *);

/*
 * Now, behind the current one.  outside: where the machine was when something was done that it does
 * not do by itself; or NULL.  false: there is no memory for it.
 */
bool checkpoint_make(struct checkpoints *, struct machine *, const struct position *outside);
int checkpoint_load(struct checkpoints *, struct machine *, unsigned n, struct err *);
/* The machine goes elsewhere from here: what it has done since the current one is known by then. */
void checkpoints_leave(struct checkpoints *, struct machine *);
/* The last one that is not behind there. */
unsigned checkpoint_before(const struct checkpoints *, const struct position *);
/* Forgets those behind the current one. */
void checkpoints_cut(struct checkpoints *);

#endif
