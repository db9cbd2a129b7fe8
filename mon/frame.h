/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MON_FRAME_H
#define MON_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Takes a stream of bytes apart into JSON values, objects or arrays, each of which somebody else
 * parses.  All zeroes is an empty one.
 */
enum { FRAME_MAX = 64 << 10, FRAME_DEPTH = 32 };

struct frame {
	struct buf text; /* so far */
	unsigned depth;
	bool string, escape; /* within one, behind a backslash */
	bool rubbish;        /* what began with no bracket, up to the end of its line */
};

enum frame_end {
	FRAME_MORE,
	FRAME_VALUE,   /* text holds one; frame_next before the next byte */
	FRAME_RUBBISH, /* a line of it is over */
	FRAME_LOST     /* too long or too deep, or no memory: the rest makes no sense */
};

enum frame_end frame_put(struct frame *, uint8_t);
void frame_next(struct frame *);
void frame_free(struct frame *);

#endif
