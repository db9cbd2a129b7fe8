/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_CHR_FD_H
#define HOST_CHR_FD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/thread.h"
#include "core/chr.h"
#include "host/ring.h"

struct events;
struct loop;
struct loop_io;

/*
 * What all kinds of host/chr.h share: moves bytes between descriptors and a device.
 *
 * Output: the VM's thread puts it into `out`, the loop's thread writes it.
 * Input: the loop's thread reads it and posts it; the VM's thread puts it into `in`, and takes it
 * from there as the device has room.  `flight` counts what was posted and not yet taken, so that
 * `in` can hold all of it; when it is full the descriptor is not read.
 */
struct chr_fd {
	struct chr chr;
	struct loop *loop;
	struct events *events;
	int source, presence; /* of events: input, and whether a client is there */
	char name[128];
	void (*close)(struct chr_fd *);
	/* Loop's thread; may be NULL: input came to its end, or output failed. */
	void (*ended)(struct chr_fd *, bool failed);
	size_t (*filter)(void *arg, uint8_t *data, size_t n);
	void *filter_arg;

	/* The loop's thread. */
	int infd, outfd; /* -1: none */
	struct loop_io *inio, *outio;
	bool typed; /* a terminal: always read, for the filter's sake; what is too much is lost */

	struct mutex lock; /* for all below */
	struct cond space; /* out has room again, or waits is off */
	struct ring out, in;
	size_t flight;
	bool open;        /* there is an outfd that takes output */
	bool waits;       /* the guest waits when out is full */
	bool writing;     /* the loop knows that out is not empty */
	bool stalled;     /* the loop does not read because flight is at its bound */
	bool pumping;     /* an empty event is under way, to deliver more of `in` */
	bool keeps;       /* what was written last is in `past`, too, */
	struct ring past; /* for who comes next */
};

int chr_fd_init(struct chr_fd *, struct loop *, struct events *, struct err *);
/* Writes out what is left (if it waits), closes the descriptors. */
void chr_fd_fini(struct chr_fd *);

/* Starts to use descriptors, which it then owns (0, 1 and 2 are not closed); -1 for none.  They
 * must differ. */
int chr_fd_start(struct chr_fd *, int infd, int outfd, struct err *);
/* Stops, closes them and forgets what was not written. */
void chr_fd_stop(struct chr_fd *);

/* From now on output is kept, and chr_fd_start begins with it.  -ENOMEM. */
int chr_fd_keep(struct chr_fd *, struct err *);

/* Loop's thread: a client has come, or left. */
void chr_fd_tell_presence(struct chr_fd *, bool there);

/* host/chr_unix.c */
struct chr *chr_unix_open(
    const char *path, bool keep, struct loop *, struct events *, struct err *);

#endif
