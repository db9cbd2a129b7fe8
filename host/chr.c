/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/chr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/os.h"
#include "host/chr_fd.h"

static void plain_close(struct chr_fd *c)
{
	chr_fd_fini(c);
	free(c);
}

static struct chr_fd *plain_new(struct loop *l, struct events *ev, struct err *e)
{
	struct chr_fd *c = malloc(sizeof *c);

	if (!c) {
		err_set(e, ENOMEM, "no memory for a console");
		return NULL;
	}
	if (chr_fd_init(c, l, ev, e) < 0) {
		free(c);
		return NULL;
	}
	c->close = plain_close;
	return c;
}

/* Whoever started us may have closed it. */
static int if_open(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

static int open_stdio(struct chr_fd *c, struct err *e)
{
	snprintf(c->name, sizeof c->name, "stdio");
	c->waits = true;
	c->typed = isatty(STDIN_FILENO);
	return chr_fd_start(c, if_open(STDIN_FILENO), if_open(STDOUT_FILENO), e);
}

static int open_file(struct chr_fd *c, const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		return err_set(e, errno, "cannot write %s: %s", path, strerror(errno));
	snprintf(c->name, sizeof c->name, "file:%s", path);
	c->waits = true;
	return chr_fd_start(c, -1, fd, e);
}

/* The slave's side of a pseudo terminal, opened so that it stays: without it the other side would
 * see a hangup from each client that leaves, and with its echo on a guest would hear itself. */
struct chr_pty {
	struct chr_fd fd;
	int slave;
};

static void pty_close(struct chr_fd *c)
{
	struct chr_pty *p = CONTAINER_OF(c, struct chr_pty, fd);

	chr_fd_fini(c);
	if (p->slave >= 0)
		close(p->slave);
	free(p);
}

static int pty_start(struct chr_pty *p, struct err *e)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), out = -1;
	struct termios ignored;
	const char *name;

	if (master < 0)
		return err_set(e, errno, "cannot make a pseudo terminal: %s", strerror(errno));
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	if (grantpt(master) == 0 && unlockpt(master) == 0 && (name = ptsname(master))) {
		snprintf(p->fd.name, sizeof p->fd.name, "%s", name);
		p->slave = open(p->fd.name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	}
	if (p->slave >= 0 && os_tty_raw(p->slave, &ignored) == 0)
		out = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (out < 0) {
		err_set(e, errno, "cannot set up a pseudo terminal: %s", strerror(errno));
		close(master);
		return -EIO;
	}
	return chr_fd_start(&p->fd, master, out, e);
}

static struct chr *pty_open(struct loop *l, struct events *ev, struct err *e)
{
	struct chr_pty *p = malloc(sizeof *p);

	if (!p) {
		err_set(e, ENOMEM, "no memory for a console");
		return NULL;
	}
	if (chr_fd_init(&p->fd, l, ev, e) < 0) {
		free(p);
		return NULL;
	}
	p->fd.close = pty_close;
	p->slave = -1;
	if (pty_start(p, e) < 0) {
		pty_close(&p->fd);
		return NULL;
	}
	return &p->fd.chr;
}

struct chr *chr_open(const char *spec, struct loop *l, struct events *ev, struct err *e)
{
	struct chr_fd *c;
	int rc = 0;

	if (strncmp(spec, "unix:", 5) == 0)
		return chr_unix_open(spec + 5, false, l, ev, e);
	if (strncmp(spec, "keep:", 5) == 0)
		return chr_unix_open(spec + 5, true, l, ev, e);
	if (strcmp(spec, "pty") == 0)
		return pty_open(l, ev, e);
	c = plain_new(l, ev, e);
	if (!c)
		return NULL;
	if (strcmp(spec, "stdio") == 0)
		rc = open_stdio(c, e);
	else if (strncmp(spec, "file:", 5) == 0 && spec[5])
		rc = open_file(c, spec + 5, e);
	else if (strcmp(spec, "none") == 0)
		snprintf(c->name, sizeof c->name, "none");
	else
		rc = err_set(e, EINVAL,
		    "console %s: it can be stdio, pty, unix:PATH, file:PATH or none", spec);
	if (rc < 0) {
		plain_close(c);
		return NULL;
	}
	return &c->chr;
}

static struct chr_fd *of_chr(struct chr *c)
{
	return CONTAINER_OF(c, struct chr_fd, chr);
}

void chr_close(struct chr *c)
{
	if (c)
		of_chr(c)->close(of_chr(c));
}

void chr_describe(const struct chr *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", CONTAINER_OF(c, const struct chr_fd, chr)->name);
}

void chr_stdio_filter(
    struct chr *chr, size_t (*filter)(void *arg, uint8_t *data, size_t n), void *arg)
{
	struct chr_fd *c = of_chr(chr);

	c->filter = filter;
	c->filter_arg = arg;
}

void chr_unblock(struct chr *chr)
{
	struct chr_fd *c = of_chr(chr);

	mutex_lock(&c->lock);
	c->waits = false;
	cond_broadcast(&c->space);
	mutex_unlock(&c->lock);
}
