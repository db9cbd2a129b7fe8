/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_DRIVES_H
#define DEV_DRIVES_H

#include <stdbool.h>

struct block;

/*
 * What is behind a controller of several drives: the `back` of its struct dev.  Whoever makes the
 * device owns it; it is looked at only while the device is made.  Which place a drive has is which
 * one it is for the guest: port, master or slave, namespace.
 */
enum { DRIVES_MAX = 8 };

struct drive {
	struct block *block; /* NULL: a CD drive without a disc, or else no drive */
	bool cdrom;
};

struct drives {
	struct drive drive[DRIVES_MAX];
};

#endif
