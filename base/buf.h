/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/*
 * A growing run of bytes.  Starts as all zeroes.  A failed allocation is remembered: check
 * buf.failed once at the end.  Not for run paths.
 */
struct buf {
	uint8_t *data;
	size_t len, cap;
	int failed;
};

void buf_put(struct buf *, const void *, size_t);
void buf_printf(struct buf *, const char *fmt, ...) PRINTF(2, 3);
void buf_free(struct buf *);

/* A whole file, with one zero byte behind (not counted in len).  max: larger files are refused. */
int buf_read_file(struct buf *, const char *path, size_t max, struct err *);

/* "512M", "0x1000", "64k": a size in bytes, suffixes K M G T (powers of 1024).  -EINVAL. */
int parse_size(const char *, uint64_t *);
/* A whole number, decimal or 0x; all of the text must be it. */
int parse_u64(const char *, uint64_t *);
/* Takes the text before the next single comma off *rest, which becomes NULL behind the last; two
 * commas are one that belongs to the text.  Writes in place. */
char *take_option(char **rest);
/* "60", "60s", "5m", "1h", "500ms": nanoseconds. */
int parse_duration(const char *, uint64_t *ns);

#endif
