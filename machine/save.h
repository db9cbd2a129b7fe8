/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_SAVE_H
#define MACHINE_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct buf;
struct machine;

/*
 * Snapshots of whole machines (machine/snapshot.h says what is in their files).  A machine that is
 * made with the key `restore` goes on where one was saved.
 */
struct save_what {
	/* Replaced when the snapshot is whole, never before.  given: only for messages, as the file
	 * is this one, which is empty, and closed in the end.  Copied. */
	const char *path;
	bool given;
	int fd;
	bool compress;
	bool live; /* the guest runs while most of RAM is written */
};

enum save_state { SAVE_NONE, SAVE_RUNS, SAVE_DONE, SAVE_FAILED };

struct save_status {
	enum save_state state;
	uint64_t done, total; /* bytes of RAM */
	uint64_t stood_ns;    /* how long the guest has stood still for it, once it is done */
	struct err err;       /* SAVE_FAILED */
};

/* Any thread that is not the machine's own, one at a time: begins to save it; when the machine does
 * not run it has been saved when this comes back.  -EBUSY: one is being made. */
int machine_save(struct machine *, const struct save_what *, struct err *);
/* Any thread: of the last one. */
void machine_save_status(struct machine *, struct save_status *);

/* Waits for one that is being made; the machine does not run any more. */
void save_fini(struct machine *);

/* For the VM's thread, while no CPU runs. --------------------------------------------------------
 */

/* Everything but RAM, as sections. */
int save_state(struct machine *, struct buf *, struct err *);
/* CPUs, devices and clocks alone, for the machine itself to go back to, its disks and its
 * configuration being the same then: restore_core, before which RAM has become what it was. */
int save_core(struct machine *, struct buf *, struct err *);
int restore_core(struct machine *, struct buf *, struct err *);

/* For machine_new: what it is made from. ---------------------------------------------------------
 */

/* After the class was found: what build wants to know. */
int restore_board(struct machine *, struct err *);
/* After build, in place of boot. */
int restore_machine(struct machine *, struct err *);

#endif
