/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_GATE_H
#define CPU_GATE_H

#include <stdbool.h>

#include "base/thread.h"

/*
 * How the CPUs of a VM keep out of each other's way when each has a thread of its own.  What they
 * share is read and extended with the lock held; what another CPU may be in the middle of (its
 * TLBs, decoded or compiled code) is taken away by a CPU that is alone: no other one is inside.
 * CPUs are inside while they execute guest code, but not between two instructions in gate_pause,
 * nor while they wait to be alone themselves.
 */
struct gate {
	struct mutex lock;
	struct cond changed; /* inside or closed */
	unsigned inside;
	bool closed; /* a CPU is alone, or about to be */
};

void gate_init(struct gate *);
void gate_fini(struct gate *);

/* Around all running of guest code. */
void gate_enter(struct gate *);
void gate_leave(struct gate *);
/* The same for who has the lock. */
void gate_come_in(struct gate *);
void gate_go_out(struct gate *);
/* Between two instructions, when asked to stop: lets another CPU be alone. */
void gate_pause(struct gate *);
/* From inside.  `ask`, with the lock held, makes every other CPU that is inside pause soon.  The
 * lock is held until gate_together. */
void gate_alone(struct gate *, void (*ask)(void *arg), void *arg);
void gate_together(struct gate *);

#endif
