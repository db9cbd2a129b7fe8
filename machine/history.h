/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_HISTORY_H
#define MACHINE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/exit.h"

struct machine;
struct machine_debugger;

/*
 * A deterministic machine that can go back (key `reverse`).  It keeps checkpoints of itself
 * (machine/checkpoint.h): to be somewhere in the past is to load the one before that, and to run to
 * the exact place, as the machine does the same again.  What it cannot do by itself, since somebody
 * outside did it (input, a debugger that writes), is in a checkpoint that is made behind it, and is
 * loaded whenever the machine comes there.  While it is in the past nothing gets in or out; where
 * it was stopped first it goes on with something new.
 *
 * In a replay (machine/tape.h) nothing is new: what enters is in the log, so that there is no other
 * kind of checkpoint, and nobody can change the guest.  Behind its end the machine stands still.
 *
 * All is for the VM's thread while no CPU runs (machine_at_rest), if nothing else is said.
 */
struct history;

/* A place: what is left of a turn, of those of machine/run_fixed.c.  0: the turn is over. */
struct position {
	uint64_t turns, left;
	uint64_t count; /* instructions of all CPUs until there, which says less: exceptions and
			   sleep take none */
};
struct position history_now(const struct machine *);
/* < 0: a is before b. */
int position_compare(const struct position *a, const struct position *b);

/* Going somewhere ------------------------------------------------------------------------------ */

/* Why it is where it is now. */
enum history_end {
	HISTORY_THERE, /* it was asked for that */
	HISTORY_BEGIN, /* there is nothing before that */
	HISTORY_LAST,  /* nor behind: the guest waits for the outside, or has ended */
	HISTORY_ASKED  /* `asked` said so: it is somewhere between */
};

struct history_search {
	/* Whether an exit with EXIT_DEBUG is one: of machine_debugger. */
	const struct machine_debugger *debugger;
	bool (*asked)(void *arg); /* now and then: whether that takes too long; or NULL */
	void *arg;
	/* What was found. */
	unsigned cpu;
	struct exit exit;
};

/* By instructions; beyond what was it runs on. */
int history_seek(
    struct machine *, uint64_t count, struct history_search *, enum history_end *, struct err *);
/* To a place where it was.  The second is for one that may be of what is forgotten by now: that can
 * be far ahead, and never come. */
int history_go(struct machine *, const struct position *, struct err *);
int history_go_asked(struct machine *, const struct position *, const struct history_search *,
    enum history_end *, struct err *);
/* Back to the last breakpoint, or to the instruction that makes the last access that is watched,
 * before now; HISTORY_THERE: the search says which. */
int history_back(struct machine *, struct history_search *, enum history_end *, struct err *);
/* Before the last instruction of a CPU: of one that has executed none all of the past is looked
 * through. */
int history_step_back(
    struct machine *, unsigned cpu, struct history_search *, enum history_end *, struct err *);
/* Behind the next instruction of a CPU, with interrupts as they come; others run meanwhile, for
 * ever if it is halted and nobody wakes it.  As machine_debug_step. */
int history_step(
    struct machine *, unsigned cpu, struct history_search *, struct exit *, struct err *);

/* Whether the guest may be changed: 0, or -EPERM in a replay.  Somebody is about to do that: what
 * would come is forgotten. */
int history_check_touch(const struct machine *);
void history_touch(struct machine *);

struct history_status {
	bool past;    /* there is something that was already */
	bool replay;  /* of a recording, which has so many instructions: */
	bool over;    /* this is its end, */
	bool differs; /* since the guest does something else here */
	uint64_t end;
	struct position first, now, last;
	uint64_t now_ns; /* guest time */
	unsigned checkpoints;
	uint64_t bytes, limit, copy; /* that they take, and may; and of the copy of memory */
};
void history_status(const struct machine *, struct history_status *);

/* For machine/run_fixed.c ---------------------------------------------------------------------- */

bool history_is_past(const struct machine *);
/* Before each run of a CPU: at the end of a turn, and how much of it may be run at once. */
int history_boundary(struct machine *, struct err *);
uint64_t history_most(const struct machine *);
/* A replay's: the log was heard of this boundary, which is begun by now. */
void history_heard(struct machine *);
/* This is where a replay has ended already. */
bool history_is_over(struct machine *);
/* The run would end here: true: it is a replay, and stands still for who may go back. */
bool history_ends(struct machine *);

#endif
