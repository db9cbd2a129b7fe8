/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge pause, resume and reset: one command to each of the machines that are named. */
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"

static int tell_all(int argc, char **argv, const char *command)
{
	struct ctl c;
	int status = args_read(&argc, argv, NULL, 0), one;

	if (status)
		return status;
	if (argc < 2)
		return complain(STATUS_USAGE, "usage: lodge %s NAME|SOCKET ...", argv[0]);
	for (int i = 1; i < argc; i++) {
		one = ctl_open(&c, argv[i]);
		if (!one)
			one = ctl_call(&c, command, NULL);
		ctl_close(&c);
		if (one > status)
			status = one;
	}
	return status;
}

int cmd_pause(int argc, char **argv)
{
	return tell_all(argc, argv, "stop");
}

int cmd_resume(int argc, char **argv)
{
	return tell_all(argc, argv, "cont");
}

int cmd_reset(int argc, char **argv)
{
	return tell_all(argc, argv, "system_reset");
}
