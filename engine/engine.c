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

const struct engine_class *engine_best(const struct cpu_class *cpu, struct err *e)
{
	const struct engine_class *const *c, *best = NULL;
	struct err why, all = { "" };
	size_t len = 0;

	for (c = engine_classes; *c; c++) {
		if (!(*c)->probe(cpu, &why)) {
			if (!best || (*c)->rank > best->rank)
				best = *c;
			continue;
		}
		len += (size_t)snprintf(all.text + len, sizeof all.text - len, "%s%s: %s",
		    len ? "; " : "", (*c)->name, why.text);
		if (len >= sizeof all.text)
			len = sizeof all.text - 1;
	}
	if (!best)
		err_set(e, ENOTSUP, "no engine runs %s here: %.200s", cpu->name, all.text);
	return best;
}
