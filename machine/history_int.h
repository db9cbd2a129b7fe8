/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_HISTORY_INT_H
#define MACHINE_HISTORY_INT_H

#include "machine/build.h"
#include "machine/checkpoint.h"
#include "machine/debug.h"
#include "machine/history.h"
#include "machine/pages.h"
#include "machine/tape.h"

/* What machine/history*.c share. */
struct history {
	struct machine *m;
	struct checkpoints points;
	bool past;            /* it was here already: up to */
	struct position last; /* where it goes on with something new */
	bool touched;         /* somebody has changed it since it was last run: */
	struct position touched_at;
	bool stopped;     /* a debugger has; cleared by history_run */
	uint64_t towards; /* instructions, while it is on the way; else 0 */
	/* A replay has come to where there is nothing more. */
	bool over;
	struct position end;
	enum tape_state how;
};

/* Runs on to there; search: who may ask for the end. */
struct history_goal {
	const struct position *place; /* NULL: count */
	uint64_t count;
	const struct history_search *search;
};
int history_run(struct history *, const struct history_goal *, enum history_end *, struct err *);
/* Before it goes to the past, if it is not there. */
void history_leave(struct history *);
int history_load(struct history *, unsigned checkpoint, struct err *);
/* Whether anything that the machine's points wait for can be behind that checkpoint. */
bool history_can_meet(const struct history *, unsigned checkpoint);
/* The last checkpoint that is before there, of those up to n; or 0. */
unsigned history_stretch(const struct history *, unsigned n, const struct position *until);
void history_set_past(struct history *, bool);
/* It does not go on from here: in a replay not ever. */
void history_set_over(struct history *);
/* At the end of a way: it may be that all that was is over. */
void history_arrive(struct history *);
bool history_is_before(const struct machine *, const struct position *); /* now is */

#endif
