/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "engine/engine.h"
#include "lab/lab.h"
#include "lib/lib.h"

struct hand {
	const struct engine_class *engine;
	const struct lab_class *area;
	void (*fn)(void *arg, const struct lodge_test *);
	void *arg;
};

static void hand_on(void *arg, const struct lab_result *r)
{
	static const enum lodge_test_how how[] = {
		[LAB_PASSED] = LODGE_TEST_PASSED,
		[LAB_FAILED] = LODGE_TEST_FAILED,
		[LAB_DIFFERS] = LODGE_TEST_DIFFERS,
		[LAB_SKIPPED] = LODGE_TEST_SKIPPED,
	};
	const struct hand *h = arg;

	h->fn(h->arg, &(struct lodge_test){ .engine = h->engine->name,
			  .arch = h->area->arch,
			  .area = r->area,
			  .mode = r->mode,
			  .name = r->name,
			  .how = how[r->how],
			  .why = r->why });
}

void lodge_selftest_areas(void (*fn)(void *arg, const struct lodge_area *), void *arg)
{
	for (const struct lab_class *const *a = lab_classes; *a; a++)
		fn(arg, &(struct lodge_area){ (*a)->name, (*a)->arch, (*a)->about });
}

/* "insn", "x86_64", "x86_64/insn" */
static bool is_asked_for(const struct lab_class *a, const char *name)
{
	const char *slash;

	if (!name || !strcmp(name, a->name) || !strcmp(name, a->arch))
		return true;
	slash = strchr(name, '/');
	return slash && (size_t)(slash - name) == strlen(a->arch) &&
	       !strncmp(name, a->arch, strlen(a->arch)) && !strcmp(slash + 1, a->name);
}

static int check_area(const char *area, struct err *e)
{
	for (const struct lab_class *const *a = lab_classes; *a; a++)
		if (is_asked_for(*a, area))
			return 0;
	return err_set(e, EINVAL, "there is no area of tests \"%.60s\"", area);
}

/* All areas that are asked for on one engine, as far as it runs their CPUs; *ran: any, else e says
 * why not. */
static int run_engine(struct hand *h, const char *area, bool *ran, struct err *e)
{
	struct err why = { "" };
	int rc = 0;

	for (const struct lab_class *const *a = lab_classes; *a && !rc; a++) {
		if (!is_asked_for(*a, area))
			continue;
		if (h->engine->probe(cpu_find((*a)->arch), &why)) {
			err_set(e, ENOTSUP, "engine %s cannot run %s here: %.200s", h->engine->name,
			    (*a)->arch, why.text);
			continue;
		}
		h->area = *a;
		rc = lab_run(*a, h->engine, hand_on, h, e);
		*ran = true;
	}
	return rc;
}

int lodge_selftest(const char *engine, const char *area,
    void (*fn)(void *arg, const struct lodge_test *), void *arg, struct lodge_error *error)
{
	struct err e = { "" };
	struct hand h = { .fn = fn, .arg = arg };
	bool ran = false;
	int rc = check_area(area, &e);

	if (!rc && engine && !engine_find(engine))
		rc = err_set(&e, EINVAL, "there is no engine \"%.60s\"", engine);
	for (const struct engine_class *const *n = engine_classes; *n && !rc; n++) {
		if (engine && strcmp(engine, (*n)->name))
			continue;
		h.engine = *n;
		rc = run_engine(&h, area, &ran, &e);
	}
	if (!rc && !ran)
		rc = -ENOTSUP;
	return rc ? lib_fail(error, rc, &e) : 0;
}
