/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/lib.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cpu/cpu.h"
#include "engine/list.h"
#include "machine/machine.h"

const char *lodge_version(void)
{
	return LODGE_VERSION;
}

int lib_fail(struct lodge_error *to, int rc, const struct err *from)
{
	if (to) {
		to->code = -rc;
		snprintf(to->text, sizeof(to->text), "%s", from->text);
	}
	return rc;
}

size_t lib_give(struct buf *b, char *text, size_t size)
{
	size_t n = b->failed ? (size_t)-1 : b->len;

	if (size)
		snprintf(text, size, "%.*s", b->failed ? 0 : (int)b->len,
		    b->data ? (const char *)b->data : "");
	buf_free(b);
	return n;
}

const struct engine_class *lib_engine(
    const char *name, const struct cpu_class *cpu, struct err *e, int *rc)
{
	const struct engine_class *engine;

	*rc = -ENOTSUP;
	if (!strcmp(name, "auto"))
		return engine_best(cpu, false, e);
	engine = engine_find(name);
	if (!engine) {
		*rc = err_set(e, EINVAL, "there is no engine \"%s\"", name);
		return NULL;
	}
	return engine_can(engine, cpu, false, e) ? NULL : engine;
}

void lodge_engines(void (*fn)(void *arg, const struct lodge_engine *), void *arg)
{
	for (const struct engine_class *const *n = engine_classes; *n; n++) {
		for (const struct cpu_class *const *c = cpu_classes; *c; c++) {
			struct err why = { "" };
			int rc = (*n)->probe(*c, &why);

			fn(arg, &(struct lodge_engine){ .name = (*n)->name,
				    .about = (*n)->about,
				    .arch = (*c)->name,
				    .usable = rc == 0,
				    .why_not = rc ? why.text : "" });
		}
	}
}

void lodge_boards(void (*fn)(void *arg, const struct lodge_board *), void *arg)
{
	for (const struct machine_class *const *m = machine_classes; *m; m++)
		fn(arg, &(struct lodge_board){ .name = (*m)->name,
			    .arch = (*m)->arch,
			    .about = (*m)->about,
			    .max_cpus = (*m)->max_cpus });
}
