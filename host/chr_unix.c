/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "host/chr_fd.h"

/*
 * A listening socket; its client is the chr_fd's descriptors.  While a client is there and sends,
 * others wait in the backlog.  One that has closed its side still gets output, until the next
 * comes.
 */
struct chr_unix {
	struct chr_fd fd;
	int listener; /* -1: none */
	struct loop_io *io;
	struct sockaddr_un addr;
	dev_t dev; /* of the socket's file: whoever has replaced it keeps it */
	ino_t ino;
};

static void set_nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void on_client(void *arg, unsigned events)
{
	struct chr_unix *u = arg;
	int in = accept(u->listener, NULL, NULL), out;

	(void)events;
	if (in < 0)
		return;
	set_nonblock(in);
	out = fcntl(in, F_DUPFD_CLOEXEC, 3);
	if (out < 0) {
		close(in);
		return;
	}
	chr_fd_stop(&u->fd);
	if (chr_fd_start(&u->fd, in, out, NULL) == 0)
		loop_change(u->io, 0);
}

static void on_ended(struct chr_fd *c, bool failed)
{
	struct chr_unix *u = CONTAINER_OF(c, struct chr_unix, fd);

	if (failed)
		chr_fd_stop(c);
	loop_change(u->io, OS_POLL_IN);
}

/* Whether a process accepts connections at the address. */
static bool is_served(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool served;

	if (fd < 0)
		return true;
	/* So that a full backlog is not waited for. */
	set_nonblock(fd);
	served = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN ||
		 errno == EINPROGRESS;
	close(fd);
	return served;
}

static int bind_and_listen(struct chr_unix *u, struct err *e)
{
	const char *path = u->addr.sun_path;
	struct stat st;

	u->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (u->listener < 0)
		return err_set(e, errno, "cannot make a socket: %s", strerror(errno));
	set_nonblock(u->listener);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(
			    e, EEXIST, "unix:%s: there is a file that is no socket", path);
		if (is_served(&u->addr))
			return err_set(e, EADDRINUSE, "unix:%s is in use by another process", path);
		unlink(path);
	}
	/* Nobody can connect before listen, so the mode is set in time. */
	if (bind(u->listener, (struct sockaddr *)&u->addr, sizeof u->addr) < 0)
		return err_set(e, errno, "cannot make the socket %s: %s", path, strerror(errno));
	if (lstat(path, &st) == 0) {
		u->dev = st.st_dev;
		u->ino = st.st_ino;
	}
	if (chmod(path, 0600) < 0 || listen(u->listener, 1) < 0)
		return err_set(e, errno, "cannot listen at %s: %s", path, strerror(errno));
	return 0;
}

static void unix_close(struct chr_fd *c)
{
	struct chr_unix *u = CONTAINER_OF(c, struct chr_unix, fd);
	struct stat st;

	chr_fd_fini(&u->fd);
	if (u->io)
		loop_remove(u->io);
	if (u->listener >= 0)
		close(u->listener);
	if (u->ino && lstat(u->addr.sun_path, &st) == 0 && st.st_dev == u->dev &&
	    st.st_ino == u->ino)
		unlink(u->addr.sun_path);
	free(u);
}

struct chr *chr_unix_open(const char *path, struct loop *l, struct events *ev, struct err *e)
{
	struct chr_unix *u = calloc(1, sizeof *u);

	if (!u) {
		err_set(e, ENOMEM, "no memory for a console");
		return NULL;
	}
	if (strlen(path) == 0 || strlen(path) >= sizeof u->addr.sun_path) {
		err_set(e, ENAMETOOLONG, "a socket's path has 1 to %zu bytes, unlike unix:%s",
		    sizeof u->addr.sun_path - 1, path);
		free(u);
		return NULL;
	}
	if (chr_fd_init(&u->fd, l, ev, e) < 0) {
		free(u);
		return NULL;
	}
	u->listener = -1;
	u->addr.sun_family = AF_UNIX;
	strcpy(u->addr.sun_path, path);
	snprintf(u->fd.name, sizeof u->fd.name, "unix:%s", path);
	u->fd.close = unix_close;
	u->fd.ended = on_ended;
	if (bind_and_listen(u, e) == 0)
		u->io = loop_add(l, u->listener, OS_POLL_IN, on_client, u, e);
	if (!u->io) {
		unix_close(&u->fd);
		return NULL;
	}
	return &u->fd.chr;
}
