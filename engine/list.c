/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int engine_can(
    const struct engine_class *c, const struct cpu_class *cpu, bool counts, struct err *e)
{
	struct err why = { "" };

	if (c->probe(cpu, &why) < 0)
		return err_set(
		    e, ENOTSUP, "engine %s cannot run %s here: %s", c->name, cpu->name, why.text);
	if (counts && c->runs_free)
		return err_set(e, ENOTSUP,
		    "engine %s counts no instructions, as deterministic and lockstep need",
		    c->name);
	return 0;
}

/* The reasons of several, in one sentence; there is room for two whole ones. */
static void add_reason(struct err *all, const struct err *one)
{
	size_t len = strlen(all->text);

	snprintf(all->text + len, sizeof all->text - len, "%s%.190s", len ? "; " : "", one->text);
}

const struct engine_class *engine_best(const struct cpu_class *cpu, bool counts, struct err *e)
{
	const struct engine_class *best = NULL;
	struct err why, all = { "" };

	for (const struct engine_class *const *c = engine_classes; *c; c++) {
		if (engine_can(*c, cpu, counts, &why) < 0)
			add_reason(&all, &why);
		else if (!best || (*c)->rank > best->rank)
			best = *c;
	}
	if (!best)
		err_set(e, ENOTSUP, "no engine runs %s here: %.200s", cpu->name, all.text);
	return best;
}

static int read_auto(struct engine_list *l, const struct cpu_class *cpu, bool counts, struct err *e)
{
	l->engine[0] = engine_best(cpu, counts, e);
	l->n = l->engine[0] != NULL;
	return l->n ? 0 : -ENOTSUP;
}

/* Takes the name before the next "+"; NULL: there is no such engine. */
static const struct engine_class *next_class(const char **text)
{
	const size_t len = strcspn(*text, "+");
	char name[32];

	snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : 0), *text);
	*text += len;
	return engine_find(name);
}

static bool has(const struct engine_list *l, const struct engine_class *c)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->engine[i] == c)
			return true;
	return false;
}

/* All that are named. */
static int read_names(struct engine_list *l, const char *text, struct err *e)
{
	const char *at = text;
	const struct engine_class *c;

	for (;;) {
		c = next_class(&at);
		if (!c)
			return err_set(
			    e, EINVAL, "engine \"%.60s\": there is no such engine", text);
		if (has(l, c))
			return err_set(
			    e, EINVAL, "engine \"%.60s\": %s is there twice", text, c->name);
		if (l->n == ENGINE_LIST)
			return err_set(e, EINVAL, "engine \"%.60s\": up to %d can be named", text,
			    ENGINE_LIST);
		l->engine[l->n++] = c;
		if (!*at++)
			return 0;
	}
}

int engine_list_read(struct engine_list *l, const char *text, const struct cpu_class *cpu,
    bool counts, struct err *e)
{
	struct engine_list named = { .n = 0 };
	struct err why;
	int rc;

	*l = (struct engine_list){ .n = 0 };
	if (!strcmp(text, "auto"))
		return cpu ? read_auto(l, cpu, counts, e) : 0;
	rc = read_names(&named, text, e);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < named.n; i++)
		if (!cpu || !engine_can(named.engine[i], cpu, counts, &why))
			l->engine[l->n++] = named.engine[i];
		else
			add_reason(&l->skipped, &why);
	return l->n ? 0 : err_set(e, ENOTSUP, "%s", l->skipped.text);
}
