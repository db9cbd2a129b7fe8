/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_REST_H
#define MACHINE_REST_H

#include <stdbool.h>

#include "base/thread.h"

struct machine;
struct rest_call;

/* Things to be done while no CPU of a machine runs, one at a time.  With the machine's lock. */
struct rest {
	struct rest_call *call; /* that waits; NULL: none */
	struct cond over;       /* it was taken, or done, or will not be */
};

void rest_init(struct rest *);
void rest_fini(struct rest *);

/* Any thread that is not the machine's own: fn(arg) on the VM's thread between two instructions,
 * when no CPU runs and guest time stands still.  Waits for that; false: the machine does not run,
 * or has ended before. */
bool machine_at_rest(struct machine *, void (*fn)(void *arg), void *arg);

/* For the VM's thread, while no CPU runs. */
void rest_attend(struct machine *);
bool rest_is_asked(const struct machine *); /* with the lock */
void rest_end(struct machine *);            /* the run is over */

#endif
