/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge snapshot: saves a running machine to a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ctl.h"

enum { POLL_MS = 50 };

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

/* The machine writes to a file of ours, since its process may not be allowed to make one. */
static int save_to(struct ctl *c, int fd, const struct wanted *w)
{
	char name[40];
	int status = ctl_pass(c, fd, name, sizeof name);

	if (status)
		return status;
	status = ctl_call(c, "vm-snapshot",
	    json_pack(
		"{s:s, s:b, s:b}", "filename", name, "compress", w->compress, "live", w->live));
	if (!status)
		status = wait_for(c);
	ctl_call(c, "remove-fd", json_pack("{s:i}", "fdset-id", atoi(strrchr(name, '/') + 1)));
	return status;
}

/* A new name is on the disk when its folder is. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(folder);
}

/* It gets its name when all of it is there. */
static int save(const char *target, const char *path, const struct wanted *w)
{
	char temp[4096];
	struct ctl c;
	int fd, status = ctl_open(&c, target);

	snprintf(temp, sizeof temp, "%s.XXXXXX", path);
	fd = status ? -1 : mkostemp(temp, O_CLOEXEC);
	if (!status && fd < 0)
		status = complain(STATUS_USAGE, "cannot write %s: %s", path, strerror(errno));
	if (!status)
		status = save_to(&c, fd, w);
	if (!status && rename(temp, path) < 0)
		status = complain(STATUS_USAGE, "cannot write %s: %s", path, strerror(errno));
	if (status && fd >= 0)
		unlink(temp);
	if (fd >= 0)
		close(fd);
	if (!status)
		sync_folder(path);
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
	int at = 1;

	while (at < argc && read_option(argv[at], &w))
		at++;
	if (argc - at != 2 || argv[at][0] == '-')
		return complain(
		    STATUS_USAGE, "usage: lodge snapshot [--compress] [--live] NAME|SOCKET FILE");
	return save(argv[at], argv[at + 1], &w);
}
