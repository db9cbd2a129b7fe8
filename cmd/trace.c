/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodge trace: prints what lodge run --trace-file has written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/args.h"
#include "cmd/cmd.h"
#include "include/lodge.h"

static void print(void *arg, const char *line)
{
	(void)arg;
	puts(line);
}

static bool number(const char *text, uint64_t *n, const char **rest)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*n = strtoull(text, &end, 0);
	*rest = end;
	return true;
}

static bool whole(const char *text, uint64_t *n)
{
	const char *rest;

	return number(text, n, &rest) && !*rest;
}

/* FROM, FROM-, FROM-TO */
static bool range(const char *text, struct lodge_trace *what)
{
	const char *rest;

	if (!number(text, &what->from, &rest))
		return false;
	if (!*rest)
		what->to = what->from;
	else if (*rest != '-')
		return false;
	else if (rest[1])
		return whole(rest + 1, &what->to) && what->to >= what->from;
	return true;
}

int cmd_trace(int argc, char **argv)
{
	const char *cpu = NULL, *count = NULL, *last = NULL;
	struct lodge_trace what = { .cpu = -1 };
	const struct args_option options[] = {
		{ 'c', "cpu", NULL, &cpu },
		{ 't', "trace", NULL, &what.events },
		{ 'n', "last", NULL, &last },
		{ 'r', "range", NULL, &count },
	};
	struct lodge_error e;
	uint64_t n = 0;
	int status = args_read(&argc, argv, options, ARRAY_LEN(options));

	if (status)
		return status;
	if (argc != 2)
		return complain(STATUS_USAGE,
		    "usage: lodge trace [-c CPU] [-t LIST] [-n LAST] [-r FROM[-[TO]]] FILE");
	if (cpu && (!whole(cpu, &n) || n > 254))
		return complain(STATUS_USAGE, "trace: cpu \"%.60s\": a number is wanted", cpu);
	if (cpu)
		what.cpu = (int)n;
	if (last && (!whole(last, &what.last) || !what.last))
		return complain(STATUS_USAGE, "trace: last \"%.60s\": a number is wanted", last);
	if (count && !range(count, &what))
		return complain(STATUS_USAGE,
		    "trace: range \"%.60s\": FROM, FROM- or FROM-TO is wanted, in instructions",
		    count);
	if (lodge_trace_print(argv[1], &what, print, NULL, &e))
		return complain(STATUS_USAGE, "%s", e.text);
	return STATUS_OK;
}
