/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_CONSOLE_H
#define LIB_CONSOLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/chr.h"
#include "include/lodge.h"

struct events;
struct loop;

/*
 * The console of a machine: a line of the host's (host/chr.h), or the embedder's hooks.
 */
struct console {
	struct chr *chr; /* what the machine gets: host, or &own */
	struct chr *host;
	const struct lodge_hooks *hooks;
	struct events *events;
	bool escaped; /* the loop's thread: Ctrl-a was typed */
	int sizes;    /* source of events */

	/* With hooks->console.  queue is the machine's thread's: input that the device had no
	 * room for yet; it begins at `taken`. */
	struct chr own;
	int source;
	struct buf queue;
	size_t taken;
};

/* hooks are kept.  To be called when the loop does not run yet. */
int console_open(struct console *, const struct lodge_hooks *hooks, const char *spec, struct loop *,
    struct events *, struct err *);
void console_close(struct console *); /* when neither the loop nor the machine runs */

/* Any thread. */
int console_input(struct console *, const void *, size_t);
void console_unblock(struct console *);
int console_size(struct console *, unsigned cols, unsigned rows);

#endif
