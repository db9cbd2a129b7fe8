/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "include/lodge.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", cmd_run },
	{ "list", cmd_list },
	{ "status", cmd_status },
	{ "stop", cmd_stop },
	{ "pause", cmd_pause },
	{ "resume", cmd_resume },
	{ "reset", cmd_reset },
	{ "console", cmd_console },
	{ "monitor", cmd_monitor },
	{ "debug", cmd_debug },
	{ "engines", cmd_engines },
	{ "engine", cmd_engine },
	{ "machines", cmd_machines },
	{ "selftest", cmd_selftest },
	{ "snapshot", cmd_snapshot },
	{ "restore", cmd_restore },
	{ "replay", cmd_replay },
	{ "why-wrote", cmd_why_wrote },
	{ "fork", cmd_fork },
	{ "screenshot", cmd_screenshot },
	{ "type", cmd_type },
	{ "send-key", cmd_send_key },
	{ "balloon", cmd_balloon },
	{ "img", cmd_img },
	{ "trace", cmd_trace },
	{ "help", cmd_help },
};

int complain(int status, const char *fmt, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "lodge: %s\n", line);
	return status;
}

static int finish_output(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return complain(STATUS_HOST, "cannot write to standard output");
	return status;
}

static void list_commands(char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(commands) && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", commands[i].name);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	char list[300];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			return finish_output(commands[i].run(argc - 1, argv + 1));
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		return finish_output(cmd_help(1, argv + 1));
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("lodge %s\n", lodge_version());
		return finish_output(STATUS_OK);
	}
	list_commands(list, sizeof list);
	if (!*name)
		return complain(
		    STATUS_USAGE, "a command is wanted: %s; lodge --help has examples", list);
	return complain(STATUS_USAGE, "\"%.60s\" is not a command: there is %s", name, list);
}
