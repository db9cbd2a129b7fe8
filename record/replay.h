/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RECORD_REPLAY_H
#define RECORD_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/log.h"

/*
 * Reads the log of a recording (record/log.h), entry by entry.  What is behind the last block that
 * is whole does not exist: a recording that was cut off ends there.  All calls on one thread.
 */
struct replay;

/* The log begins there in fd, which is owned from then on.  All of it is looked through once.
 * NULL, and the reason: not even the first block is whole. */
struct replay *replay_open(int fd, uint64_t at, struct err *);
void replay_free(struct replay *); /* NULL is fine */
const uint8_t *replay_head(const struct replay *, size_t *len);

/* Where it ends: a replay comes to the boundary before that turn, and what is said to happen there
 * may not be all.  False: the run was over there; true: the recording was cut off. */
bool replay_end(const struct replay *, struct log_place *);

struct replay_entry {
	enum log_kind kind; /* not LOG_AT, which is in place, nor LOG_HEAD */
	struct log_place place;
	int source;          /* LOG_EVENT */
	uint64_t ns;         /* LOG_WAKE */
	const uint8_t *data; /* of the others; until the next call of anything here */
	size_t len;
};

/* The entry that comes next; NULL behind the last. */
const struct replay_entry *replay_peek(struct replay *);
void replay_next(struct replay *); /* it is done with */

/*
 * To go back in a recording: what comes next, told at a boundary between turns, and set when the
 * machine's state was made again what it was there.
 */
struct replay_pos {
	uint64_t block;
	size_t at;
	struct log_place place;
};
void replay_tell(const struct replay *, struct replay_pos *);
/* 0, or -errno when it cannot be read any more. */
int replay_seek(struct replay *, const struct replay_pos *);

#endif
