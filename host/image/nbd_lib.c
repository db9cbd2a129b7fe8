/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_NBD
#include "host/image/nbd_lib.h"

#include <stddef.h>

#include "base/library.h"

int nbd_lib_load(struct nbd_lib *lib, struct err *e)
{
#define NAME(name) "nbd_" #name,
	static const char *const names[] = { NBD_FUNCTIONS(NAME) NULL };
#undef NAME

	return library_load("disks of NBD servers", "libnbd", names, lib, e);
}
#endif
