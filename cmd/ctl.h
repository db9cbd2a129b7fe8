/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_CTL_H
#define CMD_CTL_H

#include <jansson.h>

#include "base/buf.h"

/*
 * A client of a machine's control socket.  All functions complain by themselves, and return an exit
 * status; 0 is good.
 */
struct ctl {
	const char *target; /* as the person named it */
	int fd;             /* -1: none */
	struct buf in;
};

/* target: a socket's path, if there is a slash in it, else the name of a machine. */
int ctl_open(struct ctl *, const char *target);
void ctl_close(struct ctl *);
/* args is not the caller's any more; NULL: none. */
int ctl_call(struct ctl *, const char *command, json_t *args);

#endif
