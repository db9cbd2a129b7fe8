/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RECORD_LOG_H
#define RECORD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The log of a recording, which is the end of a file: all that entered a machine from outside, in
 * the order of its entering.  It is in blocks, each of them whole in itself:
 *
 *	magic (4 bytes), length as it is here (4), unpacked (4), XXH64 of what is here (8)
 *	a frame of zstd, or, where both lengths are the same, what is in it:
 *	the position at which the block begins, then entries
 *
 * Numbers in front are little-endian; all others are LEB128.  An entry is a byte (enum log_kind)
 * and what belongs to it.  A position is the number of a boundary between turns
 * (machine/run_fixed.c), and the instructions that were retired before; LOG_AT adds to both.
 */
enum log_kind {
	LOG_END,    /* the run was over here */
	LOG_AT,     /* turns, count: how far on what follows is; answers come in that turn */
	LOG_HEAD,   /* length, data: what machine it was, in the first block alone */
	LOG_EVENT,  /* source, length, data: was delivered */
	LOG_ANSWER, /* length, data: the guest asked, and the host said */
	LOG_WAKE,   /* nanoseconds of guest time at which all CPUs did not sleep any longer */
	LOG_CPUS,   /* length, data: the sums of their states */
	LOG_RAM,    /* the same of pieces of memory */
	LOG_KINDS
};

enum {
	LOG_BLOCK_HEAD = 20,
	LOG_BLOCK_MAX = 64 << 20, /* unpacked */
	LOG_DATA_MAX = 16 << 20   /* of an entry */
};

struct log_place {
	uint64_t turns, count;
};

void log_put_number(struct buf *, uint64_t);
/* Moves *at behind the number in data[*at..len); false: there is none. */
bool log_get_number(const uint8_t *data, size_t len, size_t *at, uint64_t *);

/* Appends a block with what is in `plain`, a position and entries.  0 or -errno. */
int log_pack(const struct buf *plain, struct buf *out);
/* What the head of a block says; false: there is none, or its lengths are not allowed. */
bool log_block_lengths(const uint8_t head[LOG_BLOCK_HEAD], size_t *packed, size_t *plain);
/* Unpacks what is behind a head, whose sum is right; plain becomes as long as the head says.
 * -EINVAL: it is damaged; -ENOTSUP: this build has no zstd. */
int log_unpack(const uint8_t head[LOG_BLOCK_HEAD], const uint8_t *packed, struct buf *plain);

#endif
