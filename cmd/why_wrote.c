/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodge why-wrote: plays a recording, and says what has written to memory last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/args.h"
#include "cmd/cmd.h"
#include "include/lodge.h"

static bool number(const char *text, uint64_t *n, char end)
{
	char *rest;

	if (*text < '0' || *text > '9')
		return false;
	*n = strtoull(text, &rest, 0);
	return *rest == end || !*rest;
}

/* ADDRESS[:LENGTH] */
static bool range(const char *text, struct lodge_wrote *what)
{
	const char *colon = strchr(text, ':');

	what->length = 1;
	return number(text, &what->address, ':') &&
	       (!colon || (number(colon + 1, &what->length, '\0') && what->length));
}

static void on_log(void *arg, enum lodge_level level, const char *line)
{
	(void)arg;
	if (level <= LODGE_WARN)
		fprintf(stderr, "lodge: %s\n", line);
}

/* What names of code are in, if nothing else was said. */
static bool kernel_of(const struct lodge_config *c, char *path, size_t size)
{
	const size_t n = lodge_config_get(c, "kernel", path, size);

	return n && n < size;
}

static int ask(const struct lodge_config *c, const struct lodge_wrote *what)
{
	static const struct lodge_hooks hooks = { .log = on_log };
	struct lodge_error e;
	struct lodge_machine *m = lodge_machine_new(c, &hooks, &e);
	char text[1024];
	int rc;

	if (!m)
		return complain(STATUS_USAGE, "%s", e.text);
	rc = lodge_machine_wrote(m, what, text, sizeof text, &e);
	lodge_machine_free(m);
	if (rc < 0)
		return complain(STATUS_USAGE, "why-wrote: %s", e.text);
	fputs(text, stdout);
	return rc ? STATUS_NONE : STATUS_OK;
}

static int replay(struct lodge_config *c, const char *path, struct lodge_wrote *what)
{
	struct lodge_error e;
	char kernel[4096];

	if (lodge_config_replay(c, path, &e) || lodge_config_set(c, "reverse", "yes", &e) ||
	    lodge_config_set(c, "console", "none", &e))
		return complain(STATUS_USAGE, "%s", e.text);
	if (!what->symbols && kernel_of(c, kernel, sizeof kernel))
		what->symbols = kernel;
	return ask(c, what);
}

int cmd_why_wrote(int argc, char **argv)
{
	const char *before = NULL, *cpu = NULL;
	struct lodge_wrote what = { .length = 1 };
	bool physical = false;
	const struct args_option options[] = {
		{ 'b', "before", NULL, &before },
		{ 'c', "cpu", NULL, &cpu },
		{ 'p', "physical", &physical, NULL },
		{ 'k', "symbols", NULL, &what.symbols },
	};
	struct lodge_config *c;
	uint64_t n = 0;
	int status = args_read(&argc, argv, options, ARRAY_LEN(options));

	if (status)
		return status;
	if (argc != 3)
		return complain(STATUS_USAGE, "usage: lodge why-wrote [-p] [-b COUNT] [-c CPU] "
					      "[-k SYMBOLS] FILE ADDRESS[:LENGTH]");
	if (!range(argv[2], &what))
		return complain(STATUS_USAGE,
		    "why-wrote: \"%.60s\": ADDRESS or ADDRESS:LENGTH is wanted", argv[2]);
	if (before && (!number(before, &what.before, '\0') || !what.before))
		return complain(
		    STATUS_USAGE, "why-wrote: before \"%.60s\": a number is wanted", before);
	if (cpu && (!number(cpu, &n, '\0') || n > 63))
		return complain(STATUS_USAGE, "why-wrote: cpu \"%.60s\": a number is wanted", cpu);
	what.cpu = (unsigned)n;
	what.physical = physical;
	c = lodge_config_new();
	if (!c)
		return complain(STATUS_HOST, "no memory");
	status = replay(c, argv[1], &what);
	lodge_config_free(c);
	return status;
}
