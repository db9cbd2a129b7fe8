/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodge stop: the power button, for all machines that are named, and then their ends are waited
 * for.  With --force those that are still there when the time is over are ended.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/os.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"
#include "cmd/found.h"

enum { END_MS = 20000 }; /* of a process that was told to end */

struct stop {
	bool force;
	uint64_t timeout_ns;
};

struct one {
	struct ctl ctl;
	int status;
	bool over;
};

static bool is_paused(struct ctl *c)
{
	json_t *answer = NULL;
	const char *text;
	bool paused = false;

	if (!ctl_ask(c, "query-status", NULL, &answer)) {
		text =
		    json_string_value(json_object_get(json_object_get(answer, "return"), "status"));
		paused = text && !strcmp(text, "paused");
	}
	json_decref(answer);
	return paused;
}

static void end_now(struct one *o)
{
	/* It may end before it has answered. */
	o->ctl.quiet = true;
	ctl_call(&o->ctl, "quit", NULL);
	o->ctl.quiet = false;
}

/* The button; or what else was asked for when there is none, or nobody who would see it. */
static void ask(const struct stop *s, struct one *o)
{
	json_t *answer = NULL, *error;

	if (s->force && !s->timeout_ns) {
		end_now(o);
		return;
	}
	if (is_paused(&o->ctl)) {
		if (s->force)
			end_now(o);
		else
			o->status = complain(STATUS_USAGE,
			    "%s: it is paused, so it cannot power off: lodge resume lets it go on, "
			    "--force ends it",
			    o->ctl.target);
		return;
	}
	o->status = ctl_ask(&o->ctl, "system_powerdown", NULL, &answer);
	error = json_object_get(answer, "error");
	if (error && s->force)
		end_now(o);
	else if (error)
		o->status = complain(STATUS_USAGE, "%s: %.200s: --force ends it", o->ctl.target,
		    json_string_value(json_object_get(error, "desc")));
	json_decref(answer);
}

static void wait_for(const struct stop *s, struct one *o, uint64_t until)
{
	const uint64_t now = os_clock_ns();

	o->over = ctl_wait(&o->ctl, now < until ? (int)((until - now) / 1000000) : 0);
	if (!o->over && s->force) {
		end_now(o);
		o->over = ctl_wait(&o->ctl, END_MS);
	}
	if (!o->over)
		o->status = complain(STATUS_TIMEOUT, "%s: it still runs: %s", o->ctl.target,
		    s->force ? "its process does not end" : "--force ends it");
}

static int stop_all(const struct stop *s, char **targets, size_t n)
{
	struct one *all = calloc(n, sizeof *all);
	int status = STATUS_OK;
	uint64_t until;

	if (!all)
		return complain(STATUS_HOST, "no memory");
	for (size_t i = 0; i < n; i++) {
		all[i].status = ctl_open(&all[i].ctl, targets[i]);
		if (!all[i].status)
			ask(s, &all[i]);
	}
	until = os_clock_ns() + s->timeout_ns;
	for (size_t i = 0; i < n; i++) {
		if (!all[i].status)
			wait_for(s, &all[i], until);
		if (all[i].status > status)
			status = all[i].status;
		ctl_close(&all[i].ctl);
	}
	free(all);
	return status;
}

static int stop_found(const struct stop *s)
{
	struct found_list l;
	char **paths;
	int status = found_all(&l);

	if (status || !l.n)
		return status;
	paths = calloc(l.n, sizeof *paths);
	for (size_t i = 0; paths && i < l.n; i++)
		paths[i] = l.at[i].path;
	status = paths ? stop_all(s, paths, l.n) : complain(STATUS_HOST, "no memory");
	free(paths);
	found_free(&l);
	return status;
}

int cmd_stop(int argc, char **argv)
{
	bool all = false;
	const char *timeout = "60s";
	struct stop s = { 0 };
	const struct args_option options[] = {
		{ .letter = 'f', .name = "force", .flag = &s.force },
		{ .name = "all", .flag = &all },
		{ .letter = 't', .name = "timeout", .value = &timeout },
	};
	int status = args_read(&argc, argv, options, ARRAY_LEN(options));

	if (status)
		return status;
	if (parse_duration(timeout, &s.timeout_ns) || s.timeout_ns > 86400ull * 1000000000)
		return complain(STATUS_USAGE,
		    "stop: timeout \"%.40s\": a time is wanted, such as 60s, 5m, at most a day",
		    timeout);
	if (all == (argc > 1))
		return complain(STATUS_USAGE,
		    "usage: lodge stop [--force] [--timeout TIME] --all | NAME|SOCKET ...");
	return all ? stop_found(&s) : stop_all(&s, argv + 1, (size_t)argc - 1);
}
