/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodge console: this terminal becomes that of a machine whose console is kept, or is a pseudo
 * terminal or a socket.  Ctrl-a x leaves it, and the machine goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/os.h"
#include "base/thread.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"

enum { ESCAPE = 1 }; /* Ctrl-a */

struct console {
	const char *target;
	int fd;
	int wake[2]; /* a pipe from the thread that waits for signals */
	sigset_t signals;
	bool raw, escaped;
	bool input; /* there may be more of it */
	int signal; /* that ended it */
	struct termios before;
};

static int connect_to(struct console *c, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof a.sun_path)
		return complain(STATUS_USAGE, "%s: a socket's path is shorter", path);
	strcpy(a.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0)
		return complain(STATUS_HOST, "%s: cannot reach its console at %s: %s", c->target,
		    path, strerror(errno));
	return 0;
}

static int open_pty(struct console *c, const char *path)
{
	c->fd = open(path, O_RDWR | O_NOCTTY);
	return c->fd < 0 ? complain(STATUS_HOST, "%s: cannot open its console %s: %s", c->target,
			       path, strerror(errno))
			 : 0;
}

static int attach(struct console *c, const char *where)
{
	if (!strncmp(where, "keep:", 5) || !strncmp(where, "unix:", 5))
		return connect_to(c, where + 5);
	if (where[0] == '/')
		return open_pty(c, where);
	if (!strncmp(where, "file:", 5))
		return complain(
		    STATUS_USAGE, "%s: its console goes to the file %s", c->target, where + 5);
	if (!strcmp(where, "stdio"))
		return complain(STATUS_USAGE,
		    "%s: its console is where it was started; -C keep makes one for this command",
		    c->target);
	return complain(STATUS_USAGE, "%s: it has no console: -C keep makes one", c->target);
}

static int find(struct console *c)
{
	json_t *answer = NULL;
	const char *where;
	struct ctl ctl;
	int status = ctl_open(&ctl, c->target);

	if (!status)
		status = ctl_ask(&ctl, "query-lodge", NULL, &answer);
	if (!status) {
		where = json_string_value(
		    json_object_get(json_object_get(answer, "return"), "console"));
		status = attach(c, where ? where : "");
	}
	json_decref(answer);
	ctl_close(&ctl);
	return status;
}

static void note(const struct console *c, const char *text)
{
	fprintf(stderr, "%slodge: %s: %s%s", c->raw ? "\r\n" : "", c->target, text,
	    c->raw ? "\r\n" : "\n");
}

/* Takes the escapes out of what is typed; false: this was the end. */
static bool filter(struct console *c, uint8_t *bytes, size_t *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		const uint8_t key = bytes[i];

		if (c->escaped && key == 'x')
			return false;
		if (c->escaped && key != ESCAPE)
			note(c, "Ctrl-a x  leave it      Ctrl-a Ctrl-a  send one Ctrl-a");
		else if (c->escaped || key != ESCAPE)
			bytes[kept++] = key;
		c->escaped = !c->escaped && key == ESCAPE;
	}
	*n = kept;
	return true;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return false;
		p += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

/* Its end does not end the session: the machine's output is of interest still. */
static bool from_terminal(struct console *c)
{
	uint8_t bytes[4096];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
	size_t len = n > 0 ? (size_t)n : 0;

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		c->input = false;
		return true;
	}
	return (!c->raw || filter(c, bytes, &len)) && write_all(c->fd, bytes, len);
}

static bool from_machine(struct console *c)
{
	uint8_t bytes[4096];
	ssize_t n = read(c->fd, bytes, sizeof bytes);

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && write_all(STDOUT_FILENO, bytes, (size_t)n);
}

static int read_signal(const struct console *c)
{
	uint8_t sig = 0;

	return read(c->wake[0], &sig, 1) == 1 ? sig : 0;
}

/* Whether the console went away, rather than us. */
static bool relay(struct console *c)
{
	struct pollfd p[3] = { { .fd = c->fd, .events = POLLIN },
		{ .fd = c->wake[0], .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };

	c->input = true;
	for (;;) {
		if (poll(p, c->input ? 3 : 2, -1) < 0 && errno != EINTR)
			return false;
		if (p[1].revents) {
			c->signal = read_signal(c);
			return false;
		}
		if (p[0].revents && !from_machine(c))
			return true;
		if (c->input && p[2].revents && !from_terminal(c))
			return false;
	}
}

/* So that a signal leaves the terminal as it was. */
static void *watch(void *arg)
{
	struct console *c = arg;
	uint8_t byte;
	int sig;

	sigwait(&c->signals, &sig);
	byte = (uint8_t)sig;
	if (write(c->wake[1], &byte, 1) < 0)
		close(c->wake[1]);
	return NULL;
}

static int set_signals(struct console *c)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct thread t;
	int rc;

	sigemptyset(&c->signals);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		sigaddset(&c->signals, all[i]);
	pthread_sigmask(SIG_BLOCK, &c->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	rc = pipe(c->wake) < 0 ? -errno : thread_start(&t, "lodge-signals", watch, c);
	return rc ? complain(STATUS_HOST, "cannot start a thread: %s", strerror(-rc)) : 0;
}

/* The machine has ended, or somebody else has taken our place. */
static void say_why(const struct console *c)
{
	struct ctl ctl;
	const bool lives = ctl_try(&ctl, c->target) == 0 && !ctl_wait(&ctl, 200);

	ctl_close(&ctl);
	note(c, lives ? "somebody else is at its console now" : "the machine has ended");
}

int cmd_console(int argc, char **argv)
{
	struct console c = { .fd = -1, .wake = { -1, -1 } };
	bool gone;
	int status;

	if (argc != 2)
		return complain(STATUS_USAGE, "usage: lodge console NAME|SOCKET");
	c.target = argv[1];
	status = find(&c);
	if (!status)
		status = set_signals(&c);
	if (status)
		return status;
	if (isatty(STDIN_FILENO)) {
		fprintf(stderr, "lodge: %s: Ctrl-a x leaves its console\n", c.target);
		c.raw = os_tty_raw(STDIN_FILENO, &c.before) == 0;
	}
	gone = relay(&c);
	if (c.raw) {
		os_tty_restore(STDIN_FILENO, &c.before);
		fputs("\n", stderr);
	}
	c.raw = false;
	if (gone)
		say_why(&c);
	close(c.fd);
	return c.signal ? 128 + c.signal : STATUS_OK;
}
