/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodge debug: gdb for a running machine.  The machine gets a socket from us, since its process may
 * make none; gdb reaches it by a pipe to another one of us, so nothing is left when it ends.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"
#include "host/listen.h"

/* The machine serves debuggers at the socket, which stays ours. */
static int give(const char *target, int fd)
{
	struct ctl c;
	int status = ctl_open(&c, target);

	c.passed = fd;
	if (!status)
		status = ctl_call(&c, "vm-debug", NULL);
	ctl_close(&c);
	return status;
}

/* Relaying ------------------------------------------------------------------------------------- */

/* false: there is no more. */
static bool pass_on(int from, int to)
{
	char bytes[4096];
	ssize_t n, done, m;

	do
		n = read(from, bytes, sizeof bytes);
	while (n < 0 && errno == EINTR);
	for (done = 0; done < n; done += m) {
		m = write(to, bytes + done, (size_t)(n - done));
		if (m < 0 && errno != EINTR)
			return false;
		m = m < 0 ? 0 : m;
	}
	return n > 0;
}

static int relay(const char *target)
{
	struct pollfd p[2] = { { .fd = 0, .events = POLLIN }, { .events = POLLIN } };
	int pair[2], status;
	bool more = true;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return complain(STATUS_HOST, "cannot make a socket: %s", strerror(errno));
	status = give(target, pair[1]);
	close(pair[1]);
	p[1].fd = pair[0];
	while (!status && more && (poll(p, 2, -1) > 0 || errno == EINTR)) {
		if (p[0].revents)
			more = pass_on(0, pair[0]);
		if (more && p[1].revents)
			more = pass_on(pair[0], 1);
	}
	close(pair[0]);
	return status;
}

/* Listening ------------------------------------------------------------------------------------ */

/* The file of a Unix socket stays, as the machine does not know of it. */
static int listen_for(const char *target, const char *where)
{
	const bool local = !strncmp(where, "unix:", 5);
	struct listener l;
	struct err e;
	int fd = local ? listener_open(&l, where + 5, &e) : listen_tcp(where, &e), status;

	if (fd < 0)
		return complain(STATUS_HOST, "%s: %s", target, e.text);
	fd = local ? l.fd : fd;
	status = give(target, fd);
	if (status && local)
		listener_close(&l);
	else
		close(fd);
	if (!status)
		printf("target remote %s%s\n",
		    !local && where[0] >= '0' && !strchr(where, ':') ? ":" : "",
		    local ? where + 5 : where);
	return status;
}

/* gdb ------------------------------------------------------------------------------------------ */

static void put_own_path(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	if (n > 0)
		path[n] = '\0';
	else
		snprintf(path, size, "lodge");
}

/* A gdb that knows all guest CPUs, or the one that the person names. */
static int run_gdb(const char *target, int argc, char *const *argv)
{
	const char *const names[] = { getenv("GDB"), "gdb-multiarch", "gdb" };
	char self[512], command[1200];
	char **args = calloc((size_t)argc + 4, sizeof *args);
	int n = 1;

	if (!args)
		return complain(STATUS_HOST, "no memory");
	put_own_path(self, sizeof self);
	if (snprintf(command, sizeof command, "target remote | exec '%s' debug --stdio '%s'", self,
		target) >= (int)sizeof command) {
		free(args);
		return complain(STATUS_USAGE, "%.60s...: too long", target);
	}
	args[n++] = (char *)(uintptr_t) "-ex";
	args[n++] = command;
	for (int i = 0; i < argc; i++)
		args[n++] = argv[i];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!names[i] || !*names[i])
			continue;
		args[0] = (char *)(uintptr_t)names[i];
		execvp(args[0], args);
	}
	free(args);
	return complain(STATUS_HOST,
	    "cannot run gdb-multiarch or gdb: %s; lodge debug --listen "
	    "WHERE %s is for other debuggers",
	    strerror(errno), target);
}

/* The arguments behind the name are gdb's. */
int cmd_debug(int argc, char **argv)
{
	const char *where = NULL;
	bool stdio = false;
	const struct args_option options[] = {
		{ 'l', "listen", NULL, &where },
		{ 0, "stdio", &stdio, NULL },
	};
	char *name = NULL;
	int at = 1, own, status;

	/* Only what is before the name is ours. */
	while (at < argc && argv[at][0] == '-')
		at += (!strcmp(argv[at], "-l") || !strcmp(argv[at], "--listen")) ? 2 : 1;
	if (at < argc)
		name = argv[at];
	own = at < argc ? at : argc;
	status = args_read(&own, argv, options, ARRAY_LEN(options));
	if (status)
		return status;
	if (!name || (stdio && where))
		return complain(STATUS_USAGE, "usage: lodge debug [--listen [HOST:]PORT|unix:PATH] "
					      "NAME|SOCKET [ARGUMENT ...]");
	if (where)
		return listen_for(name, where);
	if (stdio)
		return relay(name);
	return run_gdb(name, argc - at - 1, argv + at + 1);
}
