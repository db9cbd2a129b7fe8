/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_DAEMON_H
#define CMD_DAEMON_H

#include <stdbool.h>

#include "include/lodge.h"

/*
 * A run that goes on without its terminal.  The command that was typed waits until the guest runs,
 * so that what is wrong is said there and is its exit status; its child is the machine.
 */
struct daemon {
	int ready;  /* the child's: a pipe to who waits; -1: no daemon */
	int null;   /* what standard input and output become, */
	int log;    /* and standard error */
	int pid_fd; /* -1: there is no file for it */
	char pidfile[200];
};

/* Before anything else is made.  true: the calling process is the one that was typed, and is to
 * exit with *status; else, when that is not 0, there was a complaint. */
bool daemon_begin(struct daemon *, const struct lodge_config *, int *status);
/* The guest runs: the terminal is let go. */
void daemon_ready(struct daemon *);
void daemon_end(struct daemon *);

#endif
