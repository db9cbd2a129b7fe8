/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_LIST_H
#define ENGINE_LIST_H

#include "engine/engine.h"

/* The engines that a person wants for a machine: "auto", "soft", "kvm+soft". */
enum { ENGINE_LIST = 4 };

struct engine_list {
	const struct engine_class *engine[ENGINE_LIST]; /* the first one runs it */
	unsigned n;
	struct err skipped; /* of several: "kvm: why it cannot", or "" */
};

/* Those of text that can run this CPU here, in its order; auto: the best one, alone.  counts: no
 * others than those that count instructions.  cpu NULL: looks at the names only.  -EINVAL: what is
 * wrong with text; -ENOTSUP: none can, and why. */
int engine_list_read(
    struct engine_list *, const char *text, const struct cpu_class *cpu, bool counts, struct err *);
/* The best that can, of those that count instructions if that is wanted; NULL, and the reasons. */
const struct engine_class *engine_best(const struct cpu_class *, bool counts, struct err *);
/* Whether this engine can, and counts instructions if that is wanted; else -ENOTSUP, and the
 * reason. */
int engine_can(const struct engine_class *, const struct cpu_class *, bool counts, struct err *);

#endif
