/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_CTL_H
#define CMD_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/*
 * A client of a machine's control socket.  All functions but ctl_wait complain by themselves, and
 * return an exit status; 0 is good.
 */
struct ctl {
	const char *target; /* as the person named it */
	int fd;             /* -1: none */
	int passed;         /* a descriptor that goes along with the next command; -1: none */
	bool quiet;         /* nothing is complained of */
	struct buf in;
	/* What the machine tells unasked; may be NULL. */
	void (*event)(void *arg, const json_t *);
	void *arg;
};

/* target: a socket's path, if there is a slash in it, else the name of a machine. */
int ctl_open(struct ctl *, const char *target);
/* The same for those who try: says nothing, and does not wait long for an answer. */
int ctl_try(struct ctl *, const char *target);
void ctl_close(struct ctl *);
/* args is not the caller's any more; NULL: none. */
int ctl_call(struct ctl *, const char *command, json_t *args);
/* *answer is the caller's; what it is, where an error is that too: {"error": ...}, and status 0. */
int ctl_ask(struct ctl *, const char *command, json_t *args, json_t **answer);
/* Gives the machine a descriptor (which stays ours): the name of the file for it. */
int ctl_pass(struct ctl *, int fd, char *name, size_t size);
/* Events, for so long; true: the machine has ended. */
bool ctl_wait(struct ctl *, int ms);
/* The same; *value, what the command returns, is the caller's then. */
int ctl_query(struct ctl *, const char *command, json_t *args, json_t **value);

#endif
