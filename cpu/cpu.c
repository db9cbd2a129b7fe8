/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/cpu.h"

#include <string.h>

const struct cpu_class *cpu_find(const char *name)
{
	const struct cpu_class *const *c;

	for (c = cpu_classes; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}
