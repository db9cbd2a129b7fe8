/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge selftest: a report on the engines of this host, for a person to read and to mail. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/os.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "include/lodge.h"

enum { HOWS = LODGE_TEST_SKIPPED + 1 };

/* What has been found so far. */
struct report {
	char line[80]; /* engine, CPU and area that the counts below are of; "": none yet */
	unsigned here[HOWS], all[HOWS];
	struct buf said; /* of these tests, for the lines behind them */
	bool verbose, begun;
};

static void print_host(void)
{
	struct utsname u;
	char cpu[100];

	printf("lodge %s\n", lodge_version());
	if (uname(&u) == 0)
		printf("host     %s %s %s, %s\n", u.sysname, u.release, u.machine, u.version);
	os_cpu_name(cpu, sizeof cpu);
	printf("CPU      %s, %u of them\n\n", cpu, os_cpus());
}

static void print_engine(void *arg, const struct lodge_engine *n)
{
	(void)arg;
	printf("%-8s %-10s %s%s\n", n->name, n->arch,
	    n->usable ? "usable" : "not usable: ", n->why_not);
}

/* Not before there is something to report. */
static void begin(struct report *r)
{
	r->begun = true;
	print_host();
	lodge_engines(print_engine, NULL);
	printf("\n%-8s %-8s %-10s %8s %8s %8s %8s\n", "ENGINE", "CPU", "AREA", "PASSED", "FAILED",
	    "DIFFER", "SKIPPED");
}

static void end_area(struct report *r)
{
	unsigned n;

	if (!*r->line)
		return;
	printf("%s", r->line);
	for (n = 0; n < HOWS; n++)
		printf(" %8u", r->here[n]);
	printf("\n%.*s", (int)r->said.len, r->said.data ? (const char *)r->said.data : "");
	fflush(stdout);
	r->said.len = 0;
	memset(r->here, 0, sizeof r->here);
}

static void print_test(void *arg, const struct lodge_test *t)
{
	static const char *const words[] = { "passed", "FAILED", "differs", "skipped" };
	struct report *r = arg;
	char line[sizeof r->line];

	if (!r->begun)
		begin(r);
	snprintf(line, sizeof line, "%-8s %-8s %-10s", t->engine, t->arch, t->area);
	if (strcmp(line, r->line) != 0) {
		end_area(r);
		snprintf(r->line, sizeof r->line, "%s", line);
	}
	r->here[t->how]++;
	r->all[t->how]++;
	if (t->how == LODGE_TEST_FAILED || t->how == LODGE_TEST_DIFFERS || r->verbose)
		buf_printf(&r->said, "  %s %s, %s%s%s\n", words[t->how], t->mode, t->name,
		    *t->why ? ": " : "", t->why);
}

static void print_area(void *arg, const struct lodge_area *a)
{
	(void)arg;
	printf("%-10s %-10s %s\n", a->arch, a->name, a->about);
}

static int run(struct report *r, const char *engine, int argc, char **argv)
{
	struct lodge_error e = { 0, "" };
	int i = 1, rc;

	do
		rc = lodge_selftest(engine, i < argc ? argv[i] : NULL, print_test, r, &e);
	while (!rc && ++i < argc);
	end_area(r);
	if (!rc)
		return STATUS_OK;
	return complain(e.code == EINVAL ? STATUS_USAGE : STATUS_HOST, "%s", e.text);
}

int cmd_selftest(int argc, char **argv)
{
	const char *engine = NULL;
	bool list = false;
	struct report r = { .verbose = false };
	const struct args_option options[] = {
		{ 'E', "engine", NULL, &engine },
		{ 'v', "verbose", &r.verbose, NULL },
		{ 0, "list", &list, NULL },
	};
	int status = args_read(&argc, argv, options, ARRAY_LEN(options));

	if (status)
		return status;
	if (list) {
		lodge_selftest_areas(print_area, NULL);
		return STATUS_OK;
	}
	status = run(&r, engine, argc, argv);
	buf_free(&r.said);
	if (status)
		return status;
	printf("\n%u passed, %u failed, %u differ, %u skipped\n", r.all[LODGE_TEST_PASSED],
	    r.all[LODGE_TEST_FAILED], r.all[LODGE_TEST_DIFFERS], r.all[LODGE_TEST_SKIPPED]);
	return r.all[LODGE_TEST_FAILED] ? STATUS_USAGE : STATUS_OK;
}
