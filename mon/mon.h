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
	const char *console; /* where it is, for people and for lodge(1) */
	/* Ends the run, on the loop's thread. */
	void (*quit)(void *arg);
	/* A socket that listens, or a connection: a debugger is to find the machine there.  Takes
	 * it, also on failure. */
	int (*debug)(void *arg, int fd, struct err *);
	/* What is traced: "off", or as key trace has it. */
	int (*trace)(void *arg, const char *list, struct err *);
	void *arg;
};

/* Listens at path; host is copied.  NULL, and the reason, on failure. */
struct mon *mon_new(
    const char *path, struct loop *, struct machine *, const struct mon_host *, struct err *);
/* Why a machine ended; QEMU's words for it are in mon.c. */
enum mon_end { MON_END_POWER_OFF, MON_END_RESET, MON_END_CRASH, MON_END_QUIT, MON_END_SIGNAL };
/* The machine is about to be freed: it is not listened to any more.  NULL is fine. */
void mon_leave(struct mon *);
/* Tells clients that it has ended, and why.  NULL is fine. */
void mon_free(struct mon *, enum mon_end);
/* NULL is fine: the process may open only what it named at its start (base/os_sandbox.h). */
void mon_set_sandboxed(struct mon *);
/* Any thread, NULL is fine: the guest has reset the machine. */
void mon_guest_reset(struct mon *);

#endif
