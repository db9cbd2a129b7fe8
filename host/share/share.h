/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_SHARE_SHARE_H
#define HOST_SHARE_SHARE_H

#include <stdbool.h>

#include "base/err.h"

struct events;
struct share;

struct share_options {
	const char *dir; /* NULL: there is none, for a recording has the answers */
	const char *tag;
	bool readonly;
	bool mapped;  /* owners, modes and kinds of files are kept in attributes: owner.c */
	bool at_once; /* serves within submit, not on a thread: for runs that repeat */
};

/*
 * A server of 9P2000.L for a folder (core/share.h).  A guest, whatever it asks for, and whatever is
 * done to the folder meanwhile, gets at nothing outside of it.  NULL and the reason.
 */
struct share *share_open(const struct share_options *, struct events *, struct err *);

#endif
