/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct engine_class *engine_find(const char *name)
{
	const struct engine_class *const *c;

	for (c = engine_classes; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}
