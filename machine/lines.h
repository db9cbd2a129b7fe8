/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_LINES_H
#define MACHINE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

struct machine;
struct vcpu;

/*
 * What any thread may do to a CPU: drive its input lines (machine_irq of machine/build.h) and kick
 * it.  Its vcpu can be another one afterwards (machine/move.h); what happens meanwhile is kept for
 * that.
 */
enum { LINES_RAISED = 8 };

struct lines {
	struct mutex lock; /* around all use of the vcpu by other threads; a leaf */
	bool away;         /* it is being replaced */
	/* Those lines that stay as they are driven: which are up, and were when it went away. */
	uint64_t levels, before;
	/* The others that were raised since, in this order, each once. */
	uint16_t raised[LINES_RAISED];
	unsigned nraised;
};

void lines_init(struct lines *);
void lines_fini(struct lines *);

void lines_kick(struct machine *, unsigned cpu);

/* For the VM's thread, while no CPU runs.  From now on nobody uses vcpus, */
void lines_away(struct machine *);
/* until they are these, or (NULL) the same ones again, and have seen all that happened. */
void lines_back(struct machine *, struct vcpu *const *);

#endif
