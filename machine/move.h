/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_MOVE_H
#define MACHINE_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/clock.h"
#include "machine/config.h"

struct engine_class;
struct machine;

/*
 * A running machine moves to another engine: memory, devices and time stay where they are, its CPUs
 * are made anew there with the state that they had.  The VM's thread does it between two
 * instructions, when no CPU runs.  If it cannot be done the machine goes on as before.
 */
enum move_state { MOVE_NONE, MOVE_RUNS, MOVE_DONE, MOVE_FAILED };

struct move_status {
	enum move_state state;
	const char *engine; /* that runs the CPUs now */
	uint64_t stood_ns;  /* MOVE_DONE: how long the guest has stood still */
	uint64_t moves;     /* that were done since the machine was made */
	struct err err;     /* MOVE_FAILED */
};

/* What the key engine-after asks for. */
struct move_plan {
	struct machine *machine;
	const struct engine_class *to;
	struct timer timer;
};

/* In struct machine; with its lock. */
struct move {
	const struct engine_class *wanted; /* NULL: none is */
	struct move_status status;
	struct move_plan plan[CONFIG_LIST];
};

/* Any thread: begins to move a machine that runs.  -EBUSY: it does already. */
int machine_move(struct machine *, const char *engine, struct err *);
/* Any thread: of the last one. */
void machine_move_status(struct machine *, struct move_status *);

/* Between the files of this folder. */
void move_plan(struct machine *); /* it is built: from now on its time counts */
/* VM's thread, no CPU runs. */
void move_attend(struct machine *);
bool move_is_asked(const struct machine *); /* with the lock */
void move_end(struct machine *);            /* the run is over: what was not begun fails */
int move_to(struct machine *, const struct engine_class *, struct err *);

#endif
