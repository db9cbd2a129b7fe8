/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge snapshot: saves a running machine to a file. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ctl.h"

enum { POLL_MS = 50 };

/* The server's current folder is another one. */
static char *absolute(const char *path)
{
	char *cwd = path[0] == '/' ? strdup("") : getcwd(NULL, 0), *all = NULL;
	size_t n;

	if (cwd) {
		n = strlen(cwd) + strlen(path) + 2;
		all = malloc(n);
		if (all)
			snprintf(all, n, "%s%s%s", cwd, path[0] == '/' ? "" : "/", path);
	}
	free(cwd);
	return all;
}

/* On a terminal: how far it is. */
static void show(const json_t *answer)
{
	json_t *ram = json_object_get(answer, "ram");
	const json_int_t done = json_integer_value(json_object_get(ram, "transferred"));
	const json_int_t total = json_integer_value(json_object_get(ram, "total"));

	if (isatty(STDERR_FILENO) && total)
		fprintf(stderr, "\rsnapshot: %3d %% of %lld MiB", (int)(done * 100 / total),
		    (long long)(total >> 20));
}

/* Until it is done, or has failed. */
static int wait_for(struct ctl *c)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	json_t *answer = NULL;
	const char *word = "active";
	int status = 0;

	while (!status && !strcmp(word, "active")) {
		json_decref(answer);
		answer = NULL;
		status = ctl_query(c, "query-vm-snapshot", NULL, &answer);
		if (status)
			break;
		word = json_string_value(json_object_get(answer, "status"));
		word = word ? word : "";
		show(answer);
		if (!strcmp(word, "active"))
			nanosleep(&pause, NULL);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (!status && strcmp(word, "completed") != 0)
		status = complain(STATUS_HOST, "%s: %.300s", c->target,
		    json_string_value(json_object_get(answer, "error-desc")));
	json_decref(answer);
	return status;
}

/* What is asked for besides the machine and the file. */
struct wanted {
	bool compress, live;
};

static int save(const char *target, const char *path, const struct wanted *w)
{
	struct ctl c;
	int status = ctl_open(&c, target);

	if (!status)
		status = ctl_call(&c, "vm-snapshot",
		    json_pack("{s:s, s:b, s:b}", "filename", path, "compress", w->compress, "live",
			w->live));
	if (!status)
		status = wait_for(&c);
	ctl_close(&c);
	return status;
}

static bool read_option(const char *arg, struct wanted *w)
{
	if (!strcmp(arg, "-z") || !strcmp(arg, "--compress"))
		w->compress = true;
	else if (!strcmp(arg, "-l") || !strcmp(arg, "--live"))
		w->live = true;
	else
		return false;
	return true;
}

int cmd_snapshot(int argc, char **argv)
{
	struct wanted w = { 0 };
	int at = 1, status;
	char *path;

	while (at < argc && read_option(argv[at], &w))
		at++;
	if (argc - at != 2 || argv[at][0] == '-')
		return complain(
		    STATUS_USAGE, "usage: lodge snapshot [--compress] [--live] NAME|SOCKET FILE");
	path = absolute(argv[at + 1]);
	if (!path)
		return complain(STATUS_HOST, "%s: %s", argv[at + 1], strerror(errno));
	status = save(argv[at], path, &w);
	free(path);
	return status;
}
