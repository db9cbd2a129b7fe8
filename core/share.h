/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_SHARE_H
#define CORE_SHARE_H

#include <stdint.h>
#include <sys/uio.h>

/*
 * A folder of the host, as devices see it: messages of the 9P protocol go there, each is answered
 * by one.  host/share/share.c makes it.  Many may be outstanding; they are answered in the order in
 * which they came, each with one call of done, possibly before share_submit returns.
 */
struct share;
struct mutex;

struct share_req {
	const struct iovec *out, *in; /* the message, and room for the answer; valid until done */
	unsigned nout, nin;
	/* len: of the answer; 0: that was no message, or there is not room for any answer. */
	void (*done)(struct share_req *, uint32_t len);
	struct share_req *next; /* the share's own */
	uint32_t len;
};

struct share_ops {
	void (*submit)(struct share *, struct share_req *);
	/* Drops requests: they are not done any more, and their buffers not touched, when it comes
	 * back. */
	void (*cancel)(struct share *);
	/* The same, and forgets what is open. */
	void (*reset)(struct share *);
	/* VM's thread, no CPU runs and no lock is held: all that was asked for is done. */
	void (*drain)(struct share *);
	void (*free)(struct share *);
};

enum { SHARE_TAG_MAX = 64 };

struct share {
	const struct share_ops *ops;
	char tag[SHARE_TAG_MAX]; /* by which the guest finds it */
	struct mutex *lock;      /* the device's, which sets it: held around all calls and done */
};

void share_submit(struct share *, struct share_req *);
void share_cancel(struct share *);
void share_reset(struct share *);
void share_drain(struct share *);
void share_free(struct share *); /* NULL is fine */

#endif
