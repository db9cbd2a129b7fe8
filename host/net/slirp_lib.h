/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_NET_SLIRP_LIB_H
#define HOST_NET_SLIRP_LIB_H

#include <slirp/libslirp.h>

#include "base/err.h"

/*
 * The functions of libslirp that user.c uses.  The library, and glib with it, comes into the
 * process with the first user network.  Its ABI 0 only grows.
 */
#define SLIRP_FUNCTIONS(X)                                                                         \
	X(add_hostxfwd)                                                                            \
	X(cleanup)                                                                                 \
	X(input)                                                                                   \
	X(new)                                                                                     \
	X(pollfds_fill)                                                                            \
	X(pollfds_poll)

struct slirp_lib {
#define SLIRP_FIELD(name) __typeof__(slirp_##name) *name;
	SLIRP_FUNCTIONS(SLIRP_FIELD)
#undef SLIRP_FIELD
};

/* The library stays loaded. */
int slirp_lib_load(struct slirp_lib *, struct err *);

#endif
