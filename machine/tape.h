/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_TAPE_H
#define MACHINE_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "machine/machine.h"

struct recorder;
struct replay;

/*
 * A recording of a machine, or its replay.  The file is a snapshot of the moment at which it
 * begins, with a log behind (record/log.h): what entered since, when CPUs that all slept were
 * woken, and from time to time sums of CPUs and RAM, which a replay compares.  The machine is
 * deterministic, so the rest is the same again.
 *
 * The configuration says which: the keys record and replay.  All for the VM's thread, or while it
 * is not there.
 */
enum tape_state {
	TAPE_RUNS,
	TAPE_OVER,   /* the recording ends here, as the run did */
	TAPE_CUT,    /* it ends here, for it was cut off */
	TAPE_DIFFERS /* the guest does something else than it did */
};

struct tape {
	struct recorder *recorder; /* one of these */
	struct replay *replay;
	enum tape_state state;
	uint64_t wall_ns; /* the date at guest time 0 */
	/* When sums are due: in guest time, and of RAM also in the host's. */
	uint64_t cpus_at, ram_at, ram_took;
	/* How far guest time is behind the host's, and since when. */
	uint64_t host_began, guest_began;
	int deeds; /* source of events */
	bool said; /* that it cannot be written any more */
	struct buf sums, scratch;
	void *regs;
};

/* The run begins; it has ended, in a replay perhaps because that is over. */
void tape_run(struct machine *);
void tape_ended(struct machine *, enum machine_end *, unsigned *code);
/* On each boundary: false: it is the last one. */
bool tape_boundary(struct machine *);
/* All CPUs are halted: guest time goes on.  A recording waits for that in the host's time. */
void tape_sleep(struct machine *);

/* Any thread: something that people do to a machine in other ways than by a post of its own.  True:
 * it is recorded, and done on the next boundary, or (replay) nobody can do it. */
enum tape_deed { TAPE_POWER_BUTTON, TAPE_RESET_BUTTON, TAPE_LINK, TAPE_ANNOUNCE };
bool tape_takes(struct machine *, enum tape_deed, unsigned net, bool up);

/* machine/tape_state.c: for who goes back in a replay, on a boundary: what of it comes next, and
 * has come and was not taken; made so again before devices are, and behind that. */
void tape_save(struct machine *, struct buf *);
int tape_load_ends(struct machine *, const struct buf *, struct err *);
int tape_load(struct machine *, const struct buf *, struct err *);

/* Any thread: what cannot be recorded, nor done in a replay or in a machine that can go back, is
 * refused: "engine: ..." */
int tape_refuse(const struct machine *, const char *what, struct err *);

/* machine/tape_head.c: what is in the log's head. */
int tape_put_head(struct machine *, struct buf *);
int tape_take_head(struct machine *, struct err *);
int tape_check_sources(const struct machine *, struct err *);
/* Lines of characters by number: the console, then those of devices and ports; NULL: it is none. */
struct chr *tape_line(const struct machine *, unsigned n);
#endif
