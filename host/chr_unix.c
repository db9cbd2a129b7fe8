/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/loop.h"
#include "core/event.h"
#include "host/chr_fd.h"
#include "host/listen.h"

/*
 * A listening socket; its client is the chr_fd's descriptors.  While a client is there and sends,
 * others wait in the backlog, unless output is kept: then the next one takes its place.  One that
 * has closed its side still gets output, until the next comes.
 */
struct chr_unix {
	struct chr_fd fd;
	struct listener listener;
	struct loop_io *io;
};

static void on_client(void *arg, unsigned events)
{
	struct chr_unix *u = arg;
	int in = listener_accept(&u->listener), out;

	(void)events;
	if (in < 0)
		return;
	out = fcntl(in, F_DUPFD_CLOEXEC, 3);
	if (out < 0) {
		close(in);
		return;
	}
	chr_fd_stop(&u->fd);
	if (chr_fd_start(&u->fd, in, out, NULL) == 0) {
		if (!u->fd.keeps)
			loop_change(u->io, 0);
		chr_fd_tell_presence(&u->fd, true);
	}
}

static void on_ended(struct chr_fd *c, bool failed)
{
	struct chr_unix *u = CONTAINER_OF(c, struct chr_unix, fd);

	if (failed)
		chr_fd_stop(c);
	loop_change(u->io, OS_POLL_IN);
	chr_fd_tell_presence(c, false);
}

static void unix_close(struct chr_fd *c)
{
	struct chr_unix *u = CONTAINER_OF(c, struct chr_unix, fd);

	chr_fd_fini(&u->fd);
	if (u->io)
		loop_remove(u->io);
	listener_close(&u->listener);
	free(u);
}

struct chr *chr_unix_open(
    const char *path, bool keep, struct loop *l, struct events *ev, struct err *e)
{
	struct chr_unix *u = calloc(1, sizeof *u);

	if (!u) {
		err_set(e, ENOMEM, "no memory for a console");
		return NULL;
	}
	if (listener_open(&u->listener, path, e) < 0 || chr_fd_init(&u->fd, l, ev, e) < 0) {
		listener_close(&u->listener);
		free(u);
		return NULL;
	}
	snprintf(u->fd.name, sizeof u->fd.name, "%s:%s", keep ? "keep" : "unix", path);
	u->fd.close = unix_close;
	u->fd.ended = on_ended;
	u->fd.chr.away = true;
	u->io = loop_add(l, u->listener.fd, OS_POLL_IN, on_client, u, e);
	if (!u->io || (keep && chr_fd_keep(&u->fd, e) < 0)) {
		unix_close(&u->fd);
		return NULL;
	}
	return &u->fd.chr;
}
