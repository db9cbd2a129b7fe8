/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"

/*
 * Errors.  A function that can fail returns 0 or -errno.  One that fails because of what a
 * person asked for also takes a struct err as its last argument and says why in one sentence,
 * naming the file, option or device; the caller owns it (usually on its stack) and may pass NULL.
 */
struct err {
	char text[400];
};

/* Writes the text, if e is not NULL, and returns -errnum, so that callers write return err_set().
 */
int err_set(struct err *e, int errnum, const char *fmt, ...) PRINTF(3, 4);

#endif
