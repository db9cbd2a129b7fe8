/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GDB_GDB_H
#define GDB_GDB_H

#include <stdint.h>

#include "base/err.h"

struct log;
struct machine;

/*
 * A server of GDB's remote serial protocol for a machine: sockets on which it listens, and one
 * debugger at a time.  When one comes the machine stops; when it leaves what it has set goes with
 * it.  All happens on a thread of its own, and what touches the guest while no CPU runs.
 */
struct gdb;

struct gdb_host {
	const struct log *log;   /* may be NULL */
	void (*quit)(void *arg); /* any thread: the debugger ends the machine */
	/* Any thread: what is traced, "off" or as key trace has it.  -EINVAL and the reason. */
	int (*trace)(void *arg, const char *list, struct err *);
	void *arg;
};

/* host is copied.  NULL, and the reason, where the machine cannot be debugged. */
struct gdb *gdb_new(struct machine *, const struct gdb_host *, struct err *);
/* Before gdb_start: listens at "[HOST:]PORT" (of this host alone, unless one is named) or
 * "unix:PATH".  -errno and the reason. */
int gdb_listen(struct gdb *, const char *where, struct err *);
/* Any thread: listens on a socket that somebody else has made, and owns it then. */
int gdb_listen_fd(struct gdb *, int fd, struct err *);
/* Once: from now on it is served. */
int gdb_start(struct gdb *, struct err *);
/* The machine has ended, and is still there.  NULL is fine. */
void gdb_free(struct gdb *);

#endif
