/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodge run.  The main thread runs the guest; a second one waits for signals, so that nothing is
 * done in a signal handler; a third one of the library's reads the terminal and brings the keys
 * that follow Ctrl-a.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/os.h"
#include "base/thread.h"
#include "cmd/cmd.h"
#include "cmd/daemon.h"
#include "cmd/options.h"

enum { CLONED = -1 }; /* in place of an exit status: this is the process of a copy */

struct run {
	struct lodge_machine *machine;
	sigset_t signals; /* those that the second thread waits for */

	struct mutex lock;
	int signal; /* what ended it */
	bool over;  /* the second thread is to end */
	bool asked; /* that thread's: a first signal asked the guest to power off */

	atomic_bool raw; /* the terminal is in raw mode, and before that was in: */
	struct termios before;
};

/* A line among what the guest prints; a raw terminal needs the carriage to be returned. */
static void say(struct run *r, const char *fmt, ...) PRINTF(2, 3);
static void say(struct run *r, const char *fmt, ...)
{
	const char *end = r->raw && isatty(STDERR_FILENO) ? "\r\n" : "\n";
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "lodge: %s%s", text, end);
}

static void make_raw(struct run *r)
{
	r->raw = os_tty_raw(STDIN_FILENO, &r->before) == 0;
}

static void restore(struct run *r)
{
	if (r->raw)
		os_tty_restore(STDIN_FILENO, &r->before);
	r->raw = false;
}

/* Any thread. */
static void stop(struct run *r, int sig)
{
	mutex_lock(&r->lock);
	r->signal = sig;
	mutex_unlock(&r->lock);
	lodge_machine_stop(r->machine);
}

static void on_key(void *arg, char key)
{
	struct run *r = arg;

	switch (key) {
	case 'x':
		stop(r, 0);
		break;
	case 's':
		lodge_machine_continue(r->machine);
		break;
	case 'c':
		say(r, "the monitor is another command: lodge monitor NAME, on another terminal");
		break;
	case 'h':
	case '?':
		say(r, "Ctrl-a x  quit         Ctrl-a s  start a guest that waits (-S)");
		say(r, "Ctrl-a c  monitor      Ctrl-a Ctrl-a  send one Ctrl-a");
		break;
	default:
		say(r, "no such key: Ctrl-a h lists them");
	}
}

static void on_log(void *arg, enum lodge_level level, const char *line)
{
	(void)level;
	say(arg, "%s", line);
}

/* The first one asks the guest to power off, if there is a button for it. */
static void on_end_signal(struct run *r, int sig)
{
	bool started = !lodge_machine_paused(r->machine);

	if (started && !r->asked && lodge_machine_power_button(r->machine)) {
		say(r, "%s: asking the guest to power off; once more ends it now", strsignal(sig));
		r->asked = true;
		return;
	}
	if (started && !r->asked)
		say(r, "%s: the machine has no power button, so it ends now", strsignal(sig));
	stop(r, sig);
}

/* Stopped by the shell, and continued. */
static void on_suspend(struct run *r)
{
	bool raw = r->raw;

	restore(r);
	raise(SIGSTOP);
	if (raw)
		make_raw(r);
}

/* Of the terminal, if the console is on it. */
static void tell_size(struct run *r)
{
	unsigned cols, rows;

	if (r->raw && !os_tty_size(STDIN_FILENO, &cols, &rows))
		lodge_console_size(r->machine, cols, rows);
}

static void *watch_signals(void *arg)
{
	struct run *r = arg;
	bool over = false;
	int sig;

	while (!over) {
		if (sigwait(&r->signals, &sig))
			continue;
		mutex_lock(&r->lock);
		over = r->over;
		mutex_unlock(&r->lock);
		if (over)
			break;
		if (sig == SIGTSTP)
			on_suspend(r);
		else if (sig == SIGWINCH)
			tell_size(r);
		else if (sig == SIGUSR1)
			lodge_machine_continue(r->machine);
		else
			on_end_signal(r, sig);
	}
	return NULL;
}

static void set_signals(struct run *r)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1, SIGWINCH };

	sigemptyset(&r->signals);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		sigaddset(&r->signals, all[i]);
	pthread_sigmask(SIG_BLOCK, &r->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The status, and why, unless the guest powered off as it should. */
static int report(struct run *r, const struct lodge_result *result)
{
	switch (result->end) {
	case LODGE_OFF:
		break;
	case LODGE_RESET:
		say(r, "the guest asked for a reset");
		break;
	case LODGE_CRASH:
		say(r, "the guest reported a failure, code %u", result->code);
		break;
	case LODGE_TIMEOUT:
		say(r, "the guest's time is over");
		break;
	case LODGE_CLONED:
		return CLONED;
	case LODGE_REPLAYED: /* what is to be said about it was said */
	case LODGE_DIFFERS:
		break;
	case LODGE_STOPPED:
		return r->signal ? 128 + r->signal : STATUS_OK;
	}
	return result->status;
}

static int run_machine(struct run *r)
{
	struct lodge_result result = { .end = LODGE_STOPPED };
	struct lodge_error e;

	if (lodge_machine_paused(r->machine))
		say(r, "the guest waits: Ctrl-a s, or signal USR1, starts it");
	if (lodge_machine_run(r->machine, &result, &e)) {
		say(r, "%s", e.text);
		return STATUS_HOST;
	}
	return report(r, &result);
}

static int run_with_signals(struct run *r)
{
	struct thread watcher;
	int rc = thread_start(&watcher, "lodge-signals", watch_signals, r);
	int status;

	if (rc)
		return complain(STATUS_HOST, "cannot start a thread: %s", strerror(-rc));
	status = run_machine(r);
	if (status == CLONED) /* which the other thread is not in */
		return status;
	mutex_lock(&r->lock);
	r->over = true;
	mutex_unlock(&r->lock);
	pthread_kill(watcher.t, SIGUSR1);
	thread_join(&watcher);
	return status;
}

/* One line on what is run, and where its console is when that is not here. */
static void describe(struct run *r, const char *console)
{
	char text[300];

	lodge_machine_describe(r->machine, text, sizeof(text));
	say(r, "%s", text);
	if (strcmp(console, "stdio"))
		say(r, "console %s", console);
}

/* Leaves the terminal, and what else was the parent's, alone; and goes on as the copy. */
static int become_clone(struct run *r, const struct lodge_hooks *hooks)
{
	struct lodge_error e;
	int null = open("/dev/null", O_RDWR);

	setsid();
	for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	r->raw = r->over = r->asked = false;
	r->signal = 0;
	mutex_init(&r->lock);
	r->machine = lodge_machine_clone(r->machine, hooks, &e);
	return r->machine ? 0 : STATUS_HOST;
}

/* The guest's last output is written while the machine is freed.  When nobody reads it a signal
 * has to help, and must not leave the terminal raw. */
static int run(struct run *r, const struct options *o, struct daemon *d)
{
	const struct lodge_hooks hooks = { .arg = r, .log = on_log, .key = on_key };
	struct lodge_error e;
	char console[200];
	int status;

	set_signals(r);
	r->machine = lodge_machine_new(o->config, &hooks, &e);
	if (!r->machine)
		return complain(e.code == ENOTSUP || e.code == ENOMEM ? STATUS_HOST : STATUS_USAGE,
		    "%s", e.text);
	lodge_machine_console(r->machine, console, sizeof(console));
	if (!o->quiet)
		describe(r, console);
	if (!strcmp(console, "stdio") && isatty(STDIN_FILENO))
		make_raw(r);
	tell_size(r);
	daemon_ready(d);
	while ((status = run_with_signals(r)) == CLONED)
		if (become_clone(r, &hooks))
			_exit(STATUS_HOST);
	restore(r);
	pthread_sigmask(SIG_UNBLOCK, &r->signals, NULL);
	lodge_machine_free(r->machine);
	return status;
}

static int print_config(const struct lodge_config *c)
{
	size_t n = lodge_config_print(c, NULL, 0);
	char *text = n < SIZE_MAX ? malloc(n + 1) : NULL;

	if (!text)
		return complain(STATUS_HOST, "no memory");
	lodge_config_print(c, text, n + 1);
	fputs(text, stdout);
	free(text);
	return STATUS_OK;
}

static int check_daemon(const struct lodge_config *c)
{
	char text[16];

	lodge_config_get(c, "console", text, sizeof text);
	if (!strcmp(text, "stdio"))
		return complain(STATUS_USAGE, "daemon: console \"stdio\": it has no terminal; "
					      "keep, pty, unix:PATH, file:PATH or "
					      "none is wanted");
	if (lodge_config_get(c, "ctl", text, sizeof text) == (size_t)-1)
		return complain(STATUS_USAGE,
		    "daemon: the VM needs a name, or --ctl PATH, by which it can be reached");
	return 0;
}

static int run_here_or_there(struct run *r, const struct options *o)
{
	struct daemon d = { .ready = -1, .null = -1, .log = -1, .pid_fd = -1 };
	int status = 0;

	if (lodge_config_get(o->config, "daemon", NULL, 0) != (size_t)-1) {
		status = check_daemon(o->config);
		if (status || daemon_begin(&d, o->config, &status))
			return status;
	}
	if (!status)
		status = run(r, o, &d);
	daemon_end(&d);
	return status;
}

static int run_options(struct options *o, int argc, char **argv)
{
	struct run r = { 0 };
	struct lodge_error e;
	int status = options_read(o, argc, argv);

	if (status)
		return status;
	if (o->help)
		return cmd_help(2, (char *[]){ argv[0], argv[0] });
	if (lodge_config_finish(o->config, &e))
		return complain(STATUS_USAGE, "%s", e.text);
	if (o->print_config)
		return print_config(o->config);
	mutex_init(&r.lock);
	status = run_here_or_there(&r, o);
	mutex_fini(&r.lock);
	return status;
}

static int run_command(enum options_file file, int argc, char **argv)
{
	struct options o = { .config = lodge_config_new(), .file = file };
	int status;

	if (!o.config)
		return complain(STATUS_HOST, "no memory");
	status = run_options(&o, argc, argv);
	lodge_config_free(o.config);
	return status;
}

int cmd_run(int argc, char **argv)
{
	return run_command(OPTIONS_NO_FILE, argc, argv);
}

int cmd_restore(int argc, char **argv)
{
	struct lodge_error e;

	if (argc == 1)
		return complain(STATUS_USAGE, "usage: lodge restore [--check | options] FILE");
	if (argc != 3 || strcmp(argv[1], "--check") != 0)
		return run_command(OPTIONS_SNAPSHOT, argc, argv);
	return lodge_snapshot_check(argv[2], &e) ? complain(STATUS_USAGE, "%s", e.text) : STATUS_OK;
}

int cmd_replay(int argc, char **argv)
{
	if (argc == 1)
		return complain(STATUS_USAGE, "usage: lodge replay [options] FILE");
	return run_command(OPTIONS_RECORDING, argc, argv);
}
