/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_SLIRP
#include "host/net/slirp_lib.h"

#include <stddef.h>

#include "base/library.h"

int slirp_lib_load(struct slirp_lib *lib, struct err *e)
{
#define NAME(name) "slirp_" #name,
	static const char *const names[] = { SLIRP_FUNCTIONS(NAME) NULL };
#undef NAME

	return library_load("net \"user\"", "libslirp", names, lib, e);
}
#endif
