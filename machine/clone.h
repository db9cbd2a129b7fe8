/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_CLONE_H
#define MACHINE_CLONE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "machine/machine.h"

/*
 * Copies of a running machine, each in a process of its own.  The VM's thread does it between two
 * instructions, when no CPU runs: it takes the state as for a snapshot, and calls fork(2), so that
 * the kernel shares RAM until somebody writes.  Nothing else of the parent is used in the child:
 * its machine_run comes back with MACHINE_CLONED, and whoever called it makes a new machine with
 * machine_host.source, which takes over RAM and state.  So there is no lock or thread of the parent
 * that the child could stumble over, and a copy is made of the same steps as a restore.
 */
struct clone_what {
	const char *name;    /* of the copy; copied, as the others */
	const char *console; /* as the key; what is NULL is "none" */
	const char *ctl;
};

enum clone_state { CLONE_NONE, CLONE_RUNS, CLONE_DONE, CLONE_FAILED };

struct clone_status {
	enum clone_state state;
	pid_t pid;         /* CLONE_DONE */
	uint64_t stood_ns; /* how long the parent has stood still */
	struct err err;    /* CLONE_FAILED */
};

/* In struct machine; with its lock but where another owner is said. */
struct clone {
	char *name, *console, *ctl; /* name NULL: none is wanted */
	bool begun;
	struct clone_status status;
	int hear;     /* the child's word that it goes on, or why not; -1: none */
	int tell;     /* in the child; -1: none */
	pid_t *child; /* those that nobody has waited for */
	unsigned nchildren;
	struct buf state; /* in the child */
};

void clone_init(struct clone *);
void clone_fini(struct clone *);

/* Any thread: begins to make a copy, of a machine that runs.  -EBUSY: one is being made; -ENOTSUP:
 * it has a disk that it writes. */
int machine_clone(struct machine *, const struct clone_what *, struct err *);
/* Any thread: of the last one. */
void machine_clone_status(struct machine *, struct clone_status *);
/* In the child: its machine goes on, or why it does not. */
void machine_clone_tell(struct machine *parent, const struct err *why_not);

/* For the VM's thread, while no CPU runs: true in the child. */
bool clone_attend(struct machine *);
bool clone_is_asked(const struct machine *); /* with the lock */
void clone_end(struct machine *);            /* the run is over: what was not begun fails */
/* For machine_new with a source. */
int clone_take_ram(struct machine *, void **hva, uint64_t size, struct err *);
int clone_take_windows(struct machine *, struct err *);

#endif
