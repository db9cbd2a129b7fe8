/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int library_load(
    const char *what, const char *name, const char *const *names, void *functions, struct err *e)
{
	char file[64], *to = functions;
	void *so, *at;

	snprintf(file, sizeof file, "%s.so.0", name);
	so = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!so)
		return err_set(e, ENOTSUP, "%s: %s", what, dlerror());
	for (; *names; names++, to += sizeof at) {
		at = dlsym(so, *names);
		if (!at)
			return err_set(e, ENOTSUP, "%s: %s has no %s", what, name, *names);
		memcpy(to, &at, sizeof at);
	}
	return 0;
}
