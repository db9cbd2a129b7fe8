/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_PNG_H
#define HOST_PNG_H

#include "base/err.h"

struct buf;
struct picture;

/* A picture (core/display.h) as a PNG file.  -ENOMEM in out->failed. */
void png_encode(const struct picture *, struct buf *out);
/* To a file that is empty, and is closed then; path is what it is called. */
int png_write(int fd, const char *path, const struct picture *, struct err *);

#endif
