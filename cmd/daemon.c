/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "cmd/cmd.h"

/* A log is added to, and is for its owner's eyes. */
static int open_log(struct daemon *d, const struct lodge_config *c)
{
	char path[1000];
	const bool given = lodge_config_get(c, "log", path, sizeof path) < sizeof path;

	d->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	d->log = open(given ? path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (d->log >= 0 && d->null >= 0)
		return 0;
	return complain(STATUS_USAGE, "log %s: cannot write to it: %s", given ? path : "/dev/null",
	    strerror(errno));
}

/* Who holds the lock is alive, so that a file of a process that was killed is of no harm. */
static int open_pidfile(struct daemon *d, const struct lodge_config *c)
{
	const size_t n = lodge_config_get(c, "pidfile", d->pidfile, sizeof d->pidfile);

	if (n == (size_t)-1)
		return 0;
	if (n >= sizeof d->pidfile)
		return complain(STATUS_USAGE, "pidfile %.60s...: its name is too long", d->pidfile);
	d->pid_fd = open(d->pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (d->pid_fd < 0)
		return complain(STATUS_USAGE, "pidfile %s: cannot write to it: %s", d->pidfile,
		    strerror(errno));
	if (os_file_lock(d->pid_fd, 1) < 0) {
		close(d->pid_fd);
		d->pid_fd = -1;
		return complain(
		    STATUS_USAGE, "pidfile %s: the process that it names runs", d->pidfile);
	}
	if (ftruncate(d->pid_fd, 0) < 0 || dprintf(d->pid_fd, "%ld\n", (long)getpid()) < 0)
		return complain(STATUS_USAGE, "pidfile %s: cannot write to it: %s", d->pidfile,
		    strerror(errno));
	return 0;
}

/* In the process that was typed: a byte means that the guest runs. */
static int wait_for_child(pid_t child, int from)
{
	ssize_t n;
	int status;
	char byte;

	do
		n = read(from, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return STATUS_OK;
	if (waitpid(child, &status, 0) == child && WIFEXITED(status))
		return WEXITSTATUS(status) ? WEXITSTATUS(status) : STATUS_HOST;
	return complain(STATUS_HOST, "the process of the machine died");
}

bool daemon_begin(struct daemon *d, const struct lodge_config *c, int *status)
{
	int ends[2];
	pid_t child;

	*d = (struct daemon){ .ready = -1, .null = -1, .log = -1, .pid_fd = -1 };
	*status = STATUS_OK;
	child = pipe(ends) < 0 ? -1 : fork();
	if (child < 0) {
		*status = complain(STATUS_HOST, "cannot make a process: %s", strerror(errno));
		return true;
	}
	close(ends[child ? 1 : 0]);
	if (child) {
		*status = wait_for_child(child, ends[0]);
		return true;
	}
	d->ready = ends[1];
	fcntl(d->ready, F_SETFD, FD_CLOEXEC);
	setsid();
	*status = open_log(d, c);
	if (!*status)
		*status = open_pidfile(d, c);
	return false;
}

void daemon_ready(struct daemon *d)
{
	if (d->ready < 0)
		return;
	dup2(d->null, STDIN_FILENO);
	dup2(d->null, STDOUT_FILENO);
	dup2(d->log, STDERR_FILENO);
	if (write(d->ready, "", 1) < 0)
		complain(STATUS_OK, "nobody waited for the machine");
	close(d->ready);
	d->ready = -1;
}

void daemon_end(struct daemon *d)
{
	if (d->pid_fd >= 0)
		unlink(d->pidfile);
}
