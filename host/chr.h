/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_CHR_H
#define HOST_CHR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct chr;
struct events;
struct loop;

/*
 * The host's end of a line of characters (core/chr.h).  spec is one of
 *
 *	stdio		standard input and output; nothing is lost: a guest waits for a slow reader
 *	file:PATH	output only, to a new or emptied file; nothing is lost
 *	pty		a new pseudo terminal; chr_describe says which
 *	unix:PATH	a stream socket of mode 0600 that takes one client at a time
 *	keep:PATH	the same, but the last output is kept for a client to come, and the
 *			next client takes the place of the one before
 *	none		nobody
 *
 * On pty and unix the guest never waits: what the other side does not read is kept up to a bound,
 * and dropped beyond it.  Reading and writing happen on the loop's thread; chr_open and chr_close
 * are for when it does not run, and chr_close also for when the VM does not, as it writes out what
 * is left. The process should ignore SIGPIPE.
 */
struct chr *chr_open(const char *spec, struct loop *, struct events *, struct err *);
void chr_close(struct chr *); /* NULL is fine */

/* What a person needs in order to find it: "/dev/pts/3", "unix:PATH", "stdio". */
void chr_describe(const struct chr *, char *buf, size_t size);

/* Before the loop runs: filter sees, on the loop's thread, all bytes that come in, may change them
 * in place, and returns how many are left of them for the guest. */
void chr_stdio_filter(
    struct chr *, size_t (*filter)(void *arg, uint8_t *data, size_t n), void *arg);

/* Any thread: from now on the guest does not wait for a slow reader, nor does chr_close.  For
 * ending a VM whose output nobody reads. */
void chr_unblock(struct chr *);

#endif
