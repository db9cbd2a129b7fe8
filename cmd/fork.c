/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge fork: a copy of a running machine. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ctl.h"
#include "include/lodge.h"

enum { POLL_MS = 2, NAMES_MAX = 10000 };

static int wait_for(struct ctl *c)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	json_t *answer = NULL;
	const char *word = "active";
	int status = 0;

	while (!status && !strcmp(word, "active")) {
		nanosleep(&pause, NULL);
		json_decref(answer);
		answer = NULL;
		status = ctl_query(c, "query-vm-fork", NULL, &answer);
		word = json_string_value(json_object_get(answer, "status"));
		word = word ? word : "";
	}
	if (!status && strcmp(word, "completed") != 0)
		status = complain(STATUS_HOST, "%s: %.300s", c->target,
		    json_string_value(json_object_get(answer, "error-desc")));
	json_decref(answer);
	return status;
}

/* NAME-1 and so on: the first one that nobody answers to. */
static bool choose_name(const char *target, char *name, size_t size)
{
	const char *slash = strrchr(target, '/');
	char path[300];

	target = slash ? slash + 1 : target;
	for (unsigned i = 1; i < NAMES_MAX; i++) {
		snprintf(name, size, "%.*s-%u", (int)strcspn(target, "."), target, i);
		lodge_control_path(name, path, sizeof path);
		if (access(path, F_OK) < 0)
			return true;
	}
	return false;
}

static int make_copy(const char *target, const char *name, const char *console)
{
	json_t *args = json_pack("{s:s, s:s}", "name", name, "ctl", "auto");
	struct ctl c;
	int status = ctl_open(&c, target);

	if (console)
		json_object_set_new(args, "console", json_string(console));
	if (!status)
		status = ctl_call(&c, "vm-fork", json_incref(args));
	if (!status)
		status = wait_for(&c);
	json_decref(args);
	ctl_close(&c);
	return status;
}

int cmd_fork(int argc, char **argv)
{
	const char *console = NULL;
	char name[80];
	int status;

	if (argc > 2 && (!strcmp(argv[1], "-C") || !strcmp(argv[1], "--console"))) {
		console = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 2 || argc > 3 || argv[1][0] == '-')
		return complain(
		    STATUS_USAGE, "usage: lodge fork [--console WHERE] NAME|SOCKET [NEW]");
	if (argc == 3)
		snprintf(name, sizeof name, "%s", argv[2]);
	else if (!choose_name(argv[1], name, sizeof name))
		return complain(STATUS_USAGE, "%s: too many copies; give one a name", argv[1]);
	status = make_copy(argv[1], name, console);
	if (!status && argc == 2)
		printf("%s\n", name);
	return status;
}
