/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_UNPACK_H
#define MACHINE_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Unpacks what kernels carry in themselves, by its magic number: gzip, and if the build found their
 * libraries xz, lzma, LZ4 (in its legacy frames) and zstd.  What follows the packed data is
 * ignored.  Never writes more than room bytes; *len: what it wrote.  -ENOTSUP when this build
 * cannot, -EINVAL when the data is damaged or larger than room; `what` begins the sentence.
 */
int unpack(const char *what, const uint8_t *in, size_t n, uint8_t *to, size_t room, size_t *len,
    struct err *e);

#endif
