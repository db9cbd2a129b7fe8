/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/args.h"

#include <string.h>

#include "cmd/cmd.h"

struct reader {
	const struct args_option *option;
	size_t n;
	int argc, at;
	char **argv;
};

static const struct args_option *find(const struct reader *r, const char *arg, size_t len)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct args_option *o = &r->option[i];

		if (arg[1] == '-' ? strlen(o->name) == len - 2 && !memcmp(o->name, arg + 2, len - 2)
				  : arg[1] == o->letter)
			return o;
	}
	return NULL;
}

/* --name, --name=value, --name value, -l, -lvalue, -l value */
static int read_option(struct reader *r, const char *arg)
{
	const bool is_long = arg[1] == '-';
	const size_t len = is_long ? strcspn(arg, "=") : 2;
	const struct args_option *o = find(r, arg, len);
	const char *rest = arg[len] ? arg + len + is_long : NULL;

	if (!o)
		return complain(STATUS_USAGE,
		    "%s: unknown option %.*s: lodge help lists what there is", r->argv[0],
		    len < 60 ? (int)len : 60, arg);
	if (o->flag) {
		*o->flag = true;
		return rest ? complain(STATUS_USAGE, "%s: option --%s takes no value", r->argv[0],
				  o->name)
			    : 0;
	}
	if (!rest && r->at < r->argc)
		rest = r->argv[r->at++];
	*o->value = rest;
	return rest ? 0
		    : complain(STATUS_USAGE, "%s: option --%s: its value is missing", r->argv[0],
			  o->name);
}

int args_read(int *argc, char **argv, const struct args_option *options, size_t n)
{
	struct reader r = { options, n, *argc, 1, argv };
	bool no_more = false;
	int rc = 0, kept = 1;

	while (!rc && r.at < r.argc) {
		char *arg = argv[r.at++];

		if (no_more || arg[0] != '-' || !arg[1])
			argv[kept++] = arg;
		else if (!strcmp(arg, "--"))
			no_more = true;
		else
			rc = read_option(&r, arg);
	}
	*argc = kept;
	return rc;
}
