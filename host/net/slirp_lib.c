/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_SLIRP
#include "host/net/slirp_lib.h"

#include <dlfcn.h>
#include <errno.h>

int slirp_lib_load(struct slirp_lib *lib, struct err *e)
{
	void *so = dlopen("libslirp.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!so)
		return err_set(e, ENOTSUP, "net \"user\": %s", dlerror());
#define FIND(name)                                                                                 \
	lib->name = (__typeof__(lib->name))dlsym(so, "slirp_" #name);                              \
	if (!lib->name)                                                                            \
		return err_set(e, ENOTSUP, "net \"user\": libslirp has no slirp_" #name);
	SLIRP_FUNCTIONS(FIND)
#undef FIND
	return 0;
}
#endif
