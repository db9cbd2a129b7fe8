/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_MOVE_H
#define MACHINE_MOVE_H

#include <stdbool.h>

#include "base/err.h"

struct engine_class;
struct machine;
struct move;

/*
 * A running machine moves to another engine: memory, devices and time stay where they are, its CPUs
 * are made anew there with the state that they had.  The VM's thread does it between two
 * instructions, when no CPU runs.  If it cannot be done the machine goes on as before.  machine.h
 * has what any thread may call.
 */

struct move *move_new(struct err *);
void move_free(struct move *);
void move_plan(struct machine *); /* it is built: from now on the times of engine-after count */

/* VM's thread, no CPU runs. */
void move_attend(struct machine *);
bool move_is_asked(const struct machine *); /* with the lock */
void move_end(struct machine *);            /* the run is over: what was not begun fails */
int move_to(struct machine *, const struct engine_class *, struct err *);

#endif
