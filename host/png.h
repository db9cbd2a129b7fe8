/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_PNG_H
#define HOST_PNG_H

struct buf;
struct picture;

/* A picture (core/display.h) as a PNG file.  -ENOMEM in out->failed. */
void png_encode(const struct picture *, struct buf *out);

#endif
