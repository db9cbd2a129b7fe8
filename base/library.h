/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include "base/err.h"

/* Loads a library, NAME.so.0, for good, and finds its functions: names ends with NULL, and
 * `functions` is as many pointers to functions.  0, or -ENOTSUP and why not, behind "WHAT: ". */
int library_load(
    const char *what, const char *name, const char *const *names, void *functions, struct err *);

#endif
