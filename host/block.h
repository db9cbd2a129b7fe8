/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_BLOCK_H
#define HOST_BLOCK_H

#include <stdbool.h>

#include "base/err.h"

struct block;

/*
 * A disk (core/block.h) whose contents are those of a raw image file or of a block device.  It is
 * locked against other writers, and against all others if it is to be written.  snapshot: the
 * file is only read; what the guest writes goes to a temporary file (in TMPDIR, or /var/tmp) that
 * vanishes with the disk.  NULL and the reason.
 */
struct block *block_open(const char *path, bool readonly, bool snapshot, struct err *);

#endif
