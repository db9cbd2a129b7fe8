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
	{ "engines", cmd_engines },
	{ "machines", cmd_machines },
	{ "screenshot", cmd_screenshot },
	{ "type", cmd_type },
	{ "send-key", cmd_send_key },
	{ "balloon", cmd_balloon },
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

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			return finish_output(commands[i].run(argc - 1, argv + 1));
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		return finish_output(cmd_help(1, argv + 1));
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("lodge %s\n", lodge_version());
		return finish_output(STATUS_OK);
	}
	if (!*name)
		return complain(STATUS_USAGE, "a command is wanted: run, engines, machines, "
					      "screenshot, type, send-key, balloon "
					      "or help; lodge --help has examples");
	return complain(STATUS_USAGE,
	    "\"%.60s\" is not a command: there is run, engines, machines, screenshot, type, "
	    "send-key, balloon, help",
	    name);
}
