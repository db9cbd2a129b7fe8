/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MON_MON_H
#define MON_MON_H

#include <stdbool.h>

#include "base/err.h"

struct loop;
struct machine;

/*
 * The control socket of a machine: commands and answers with the shapes of QEMU's QMP, for up to
 * MON_CLIENTS at a time; others wait until one leaves.  Everything happens on the loop's thread;
 * mon_new and mon_free are for when it does not run.  Commands call what machine/machine.h marks
 * "any thread", so they never wait for the guest.  The process should ignore SIGPIPE.
 */
enum { MON_CLIENTS = 8 };

struct mon;

struct mon_host {
	const char *version; /* "0.1" */
	const char *name;    /* of the machine, or NULL */
	/* Ends the run, on the loop's thread. */
	void (*quit)(void *arg);
	void *arg;
};

/* Listens at path; host is copied.  NULL, and the reason, on failure. */
struct mon *mon_new(
    const char *path, struct loop *, struct machine *, const struct mon_host *, struct err *);
/* Tells clients that the machine has ended, and whether the guest wanted it.  NULL is fine. */
void mon_free(struct mon *, bool by_guest);

#endif
