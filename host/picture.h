/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_PICTURE_H
#define HOST_PICTURE_H

#include "base/err.h"

struct buf;
struct picture;

/* Pictures (core/display.h) as files. */
struct picture_format {
	const char *name;
	void (*encode)(const struct picture *, struct buf *out); /* -ENOMEM in out->failed */
};

/* By its name; NULL: by how the path ends, else png.  NULL: there is none. */
const struct picture_format *picture_format(const char *name, const char *path);
/* To a file that is empty, and is closed then; path is what it is called. */
int picture_write(
    int fd, const char *path, const struct picture_format *, const struct picture *, struct err *);

#endif
