/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_DISPLAY_H
#define CORE_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mutex;

/*
 * What a guest shows, between a display adapter and whoever looks at it.  The machine owns it, the
 * device attaches; a look takes the device's lock, on any thread.  Nothing is drawn while nobody
 * looks.
 */
struct picture {
	unsigned width, height;
	uint32_t *pixel; /* 0xrrggbb, line by line from the top left */
};

enum { DISPLAY_MAX = 1 << 24 }; /* pixels; no device has more */

struct display_ops {
	/* At most DISPLAY_MAX pixels in all; both 0 while there is no picture. */
	void (*size)(void *dev, unsigned *width, unsigned *height);
	/* Into a picture of that size.  blink: show what is on half of the time (text that blinks,
	 * a cursor). */
	void (*draw)(void *dev, const struct picture *, bool blink);
};

struct display {
	const struct display_ops *ops; /* NULL: the machine has no display */
	void *dev;
	struct mutex *lock;
};

/* While the machine is built; a NULL display is one that nobody looks at. */
void display_attach(struct display *, const struct display_ops *, void *dev, struct mutex *lock);
/* Any thread: what is shown now, with all that blinks visible.  -ENODEV, -ENODATA or -ENOMEM, and
 * the reason. */
int display_take(const struct display *, struct picture *, struct err *);
void picture_free(struct picture *); /* for pictures from display_take; all zeroes are fine */

#endif
