/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_BLOCK_H
#define HOST_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct block;
struct events;
struct image;

struct block_options {
	const char *format; /* of the image; NULL: what it contains */
	bool readonly;
	bool snapshot; /* the image is only read; changes vanish with the disk */
	bool direct;
	bool no_discard;
	const char *serial; /* NULL: the device's choice */
	unsigned queues;
	/* Where the ends of requests go.  NULL, or synchronous: each ends before block_submit comes
	 * back, so that all runs are the same. */
	struct events *events;
	bool synchronous;
};

/* A disk (core/block.h) whose contents are those of an image (host/image/image.h).  NULL and the
 * reason.  VM's thread, or while there is no other. */
struct block *block_open(const char *path, const struct block_options *, struct err *);
/* The same of an image that is open already, and belongs to the disk from then on; format, snapshot
 * and direct are not looked at. */
struct block *block_new(struct image *, const struct block_options *, struct err *);
/* The image of a disk that is from here. */
struct image *block_image(struct block *);

/*
 * What is in the temporary file of such a snapshot, for a machine that is saved or copied; while
 * nothing is outstanding.  Calls fn with all of it, piece by piece, until that fails.
 */
int block_changes(
    struct block *, int (*fn)(void *arg, uint64_t off, const uint8_t *data, size_t len), void *arg);
/* Puts such a piece there. */
int block_change(struct block *, uint64_t off, const uint8_t *data, size_t len);

#endif
