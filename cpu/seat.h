/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_SEAT_H
#define CPU_SEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

/*
 * Which CPUs of a VM run, when each has a thread and the host has fewer CPUs.  If the host chose,
 * it would stop one that holds a spin lock of its guest, and all that want the lock would spin
 * until that one runs again.  So there are as many seats as host CPUs, a CPU runs in a seat, and
 * gives it to another where its guest holds no lock of its kernel's: in user mode, when it spins
 * itself, and when it halts.  Nobody waits for long if none does (a guest may have no user mode, or
 * spin without saying so): then there are more than there are seats for, and the host chooses.
 */
struct seat {
	struct seat *next; /* of all */
	struct cond turn;  /* held has become true */
	bool held;
	bool inside;     /* it runs guest code: nobody takes the seat away */
	uint64_t ticket; /* it waits, longer than those with higher numbers; 0: it does not */
	uint64_t since;  /* when it sat down: os_clock_ns, */
	uint64_t left;   /* and when it was inside last */
	/* With the lock held: the CPU is to leave and to take a seat again soon, where it can. */
	void (*ask)(void *cpu);
	void *cpu;
};

struct seats {
	struct mutex lock;
	struct seat *all;
	int free; /* below 0: some did not want to wait any longer */
	uint64_t tickets;
};

void seats_init(struct seats *, unsigned n);
void seats_fini(struct seats *);
/* Before the CPU runs first; seat: zero. */
void seat_join(struct seats *, struct seat *, void (*ask)(void *cpu), void *cpu);
void seat_part(struct seat *); /* it never runs again */

/* Around all running of guest code, on the CPU's thread.  idle: it will not run again soon; else it
 * keeps the seat if it does. */
void seat_take(struct seats *, struct seat *);
void seat_leave(struct seats *, struct seat *, bool idle);
/* Whether there is somebody who waits. */
bool seat_is_wanted(struct seats *);

#endif
