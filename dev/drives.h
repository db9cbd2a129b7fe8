/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_DRIVES_H
#define DEV_DRIVES_H

#include <stdbool.h>

#include "base/err.h"

struct block;
struct net;

/*
 * What is behind a controller of several drives: the `back` of its struct dev.  Whoever makes the
 * device owns it, and it lives as long.  Which place a drive has is which one it is for the guest:
 * port, master or slave, namespace, target.
 */
enum { DRIVES_MAX = 256 };

struct drive {
	struct block *block; /* NULL: a CD drive without a disc, or else no drive */
	bool cdrom;
	struct net *net; /* in place of it, in a slot for cards (machine/ports.h) */
};

/* What can happen to a drive while the guest runs. */
enum drives_op {
	DRIVES_ADD,    /* a drive, where none is */
	DRIVES_REMOVE, /* the guest finds it gone */
	DRIVES_INSERT, /* a disc, and closes the tray */
	DRIVES_EJECT,  /* opens the tray, and takes out the disc, if there is one */
	DRIVES_ASK,    /* presses the button: the guest is to eject the disc, to give up the card */
	/* Questions, which any thread may ask: 1 or 0. */
	DRIVES_IS_LOCKED,
	DRIVES_IS_OPEN,
	DRIVES_IS_OFF, /* of a card: the guest has given it up */
};

struct drives {
	struct drive drive[DRIVES_MAX];
	/* A device that lets drives or discs come and go sets it, while it is made.  VM's thread,
	 * no CPU runs, no lock is held, and nothing is outstanding at the drive's block
	 * (block_drain). drive: what is to be added or inserted.  -errno and the reason. */
	int (*change)(void *arg, enum drives_op, unsigned n, const struct drive *, struct err *);
	void *arg;
};

#endif
