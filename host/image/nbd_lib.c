/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_NBD
#include "host/image/nbd_lib.h"

#include <dlfcn.h>
#include <errno.h>

int nbd_lib_load(struct nbd_lib *lib, struct err *e)
{
	void *so = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!so)
		return err_set(e, ENOTSUP, "disks of NBD servers: %s", dlerror());
#define FIND(name)                                                                                 \
	lib->name = (__typeof__(lib->name))dlsym(so, "nbd_" #name);                                \
	if (!lib->name)                                                                            \
		return err_set(e, ENOTSUP, "disks of NBD servers: libnbd has no nbd_" #name);
	NBD_FUNCTIONS(FIND)
#undef FIND
	return 0;
}
#endif
