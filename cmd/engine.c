/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge engine: what runs a machine's CPUs, and a move to another one. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"

enum { POLL_MS = 2 };

static const char *word(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text ? text : "";
}

/* *answer is the caller's. */
static int wait_for(struct ctl *c, json_t **answer)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	int status;

	for (;;) {
		status = ctl_query(c, "query-vm-engine", NULL, answer);
		if (status || strcmp(word(*answer, "status"), "active") != 0)
			return status;
		json_decref(*answer);
		*answer = NULL;
		nanosleep(&pause, NULL);
	}
}

static int move(struct ctl *c, const char *engine)
{
	json_t *answer = NULL;
	int status = ctl_call(c, "vm-engine", json_pack("{s:s}", "engine", engine));

	if (!status)
		status = wait_for(c, &answer);
	if (!status && strcmp(word(answer, "status"), "completed") != 0)
		status = complain(STATUS_HOST, "%s: %.300s", c->target, word(answer, "error-desc"));
	json_decref(answer);
	return status;
}

static int show(struct ctl *c)
{
	json_t *answer = NULL;
	int status = ctl_query(c, "query-vm-engine", NULL, &answer);

	if (!status)
		printf("%s\n", word(answer, "engine"));
	json_decref(answer);
	return status;
}

int cmd_engine(int argc, char **argv)
{
	struct ctl c;
	int status = args_read(&argc, argv, NULL, 0);

	if (!status && (argc < 2 || argc > 3))
		status = complain(STATUS_USAGE, "usage: lodge engine NAME|SOCKET [ENGINE]");
	if (status)
		return status;
	status = ctl_open(&c, argv[1]);
	if (!status)
		status = argc == 3 ? move(&c, argv[2]) : show(&c);
	ctl_close(&c);
	return status;
}
