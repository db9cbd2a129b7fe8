/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream socket of the Unix domain that joins two guests: each frame behind its length as a
 * 32-bit number, the high byte first, as QEMU's -netdev stream and socket do it.  One side listens,
 * the other connects, again and again until it succeeds, also when the connection was lost.
 * While nobody is there, or the peer has taken nothing for a second, frames are dropped.
 * Left out: offloads; what leaves is complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/os.h"
#include "host/listen.h"
#include "host/net/net.h"

enum {
	PREFIX = 4,
	IN_MAX = 256 << 10,
	OUT_MAX = 1 << 20,
	/* For one frame of the guest, cut into many. */
	OUT_RESERVE = 2 * NET_FRAME_MAX
};
static const uint64_t RETRY_NS = 200000000, PATIENCE_NS = 1000000000;

struct net_unix {
	struct net_port port;
	bool listens, started;
	struct listener listener;
	struct sockaddr_un addr;
	struct loop_io *listen_io, *io;
	int fd; /* while there is an io */
	struct loop_timer retry, patience;
	bool discards; /* the peer does not read */
	uint8_t *in, *out;
	size_t in_len, out_len;
	size_t first_left; /* bytes of out that belong to a frame whose begin was sent */
};

static void on_event(void *arg, unsigned events);
static void try_connect(void *arg);

static struct net_unix *of_port(struct net_port *p)
{
	return CONTAINER_OF(p, struct net_unix, port);
}

static void watch(struct net_unix *u)
{
	unsigned events = 0;

	if (port_has_room(&u->port))
		events |= OS_POLL_IN;
	if (u->out_len || u->discards)
		events |= OS_POLL_OUT;
	loop_change(u->io, events);
}

static void begin(struct net_unix *u, int fd)
{
	u->io = loop_add(u->port.loop, fd, 0, on_event, u, NULL);
	if (!u->io) {
		close(fd);
		return;
	}
	u->fd = fd;
	watch(u);
}

/* The peer is gone. */
static void end(struct net_unix *u)
{
	loop_remove(u->io);
	close(u->fd);
	u->io = NULL;
	u->in_len = u->out_len = u->first_left = 0;
	u->discards = false;
	loop_timer_set(&u->patience, UINT64_MAX);
	if (u->listens)
		loop_change(u->listen_io, OS_POLL_IN);
	else
		loop_timer_set(&u->retry, os_clock_ns() + RETRY_NS);
	port_resume(&u->port);
}

/* To the guest ---------------------------------------------------------------------------------
 */

/* Hands on all frames that are whole; false: this is no such stream. */
static bool take_frames(struct net_unix *u)
{
	static const struct net_offload none;
	const uint8_t *p = u->in, *end = u->in + u->in_len;
	size_t len;

	for (; end - p >= PREFIX; p += PREFIX + len) {
		len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		if (len > NET_FRAME_MAX)
			return false;
		if (len > (size_t)(end - p - PREFIX))
			break;
		port_receive(
		    &u->port, &(struct iovec){ (uint8_t *)(uintptr_t)p + PREFIX, len }, 1, &none);
	}
	port_received(&u->port);
	u->in_len = (size_t)(end - p);
	memmove(u->in, p, u->in_len);
	return true;
}

/* false: the connection has ended. */
static bool read_some(struct net_unix *u)
{
	ssize_t n = recv(u->fd, u->in + u->in_len, IN_MAX - u->in_len, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	u->in_len += (size_t)n;
	return n > 0 && take_frames(u);
}

static void unix_resume(struct net_port *p)
{
	struct net_unix *u = of_port(p);

	if (u->io)
		watch(u);
}

/* From the guest -------------------------------------------------------------------------------
 */

static size_t frame_size(const uint8_t *p)
{
	return PREFIX + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
}

/* The first n bytes were sent. */
static void out_sent(struct net_unix *u, size_t n)
{
	size_t at = u->first_left;

	while (at < n)
		at += frame_size(u->out + at);
	u->first_left = at - n;
	u->out_len -= n;
	memmove(u->out, u->out + n, u->out_len);
	u->discards = false;
	loop_timer_set(&u->patience, UINT64_MAX);
}

/* false: the connection has ended. */
static bool write_some(struct net_unix *u)
{
	size_t sent = 0;
	ssize_t n = 1;

	for (; sent < u->out_len && n > 0; sent += n > 0 ? (size_t)n : 0)
		n = send(u->fd, u->out + sent, u->out_len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (sent)
		out_sent(u, sent);
	if (u->out_len && u->patience.when == UINT64_MAX && !u->discards)
		loop_timer_set(&u->patience, os_clock_ns() + PATIENCE_NS);
	return true;
}

static void lose_patience(void *arg)
{
	struct net_unix *u = arg;

	u->discards = true;
	u->out_len = u->first_left;
	port_resume(&u->port);
}

static bool unix_ready(struct net_port *p)
{
	const struct net_unix *u = of_port(p);

	return !u->io || u->discards || u->out_len + OUT_RESERVE <= OUT_MAX;
}

static void unix_send(struct net_port *p, uint8_t *frame, size_t len, const struct net_offload *o)
{
	struct net_unix *u = of_port(p);
	uint8_t *to = u->out + u->out_len;

	(void)o;
	if (!u->io || u->discards || u->out_len + PREFIX + len > OUT_MAX)
		return;
	to[0] = (uint8_t)(len >> 24);
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	memcpy(to + PREFIX, frame, len);
	u->out_len += PREFIX + len;
}

static void unix_sent(struct net_port *p)
{
	struct net_unix *u = of_port(p);

	if (!u->io)
		return;
	if (!write_some(u))
		end(u);
	else
		watch(u);
}

/* Connections ----------------------------------------------------------------------------------
 */

static void on_event(void *arg, unsigned events)
{
	struct net_unix *u = arg;
	bool good = true;

	if (events & (OS_POLL_IN | OS_POLL_HUP))
		good = read_some(u);
	if (events & OS_POLL_OUT)
		u->discards = false;
	if (good && (events & OS_POLL_OUT))
		good = write_some(u);
	if (!good) {
		end(u);
		return;
	}
	watch(u);
	if (events & OS_POLL_OUT)
		port_resume(&u->port);
}

static void on_client(void *arg, unsigned events)
{
	struct net_unix *u = arg;
	int fd = listener_accept(&u->listener);

	(void)events;
	if (fd < 0)
		return;
	begin(u, fd);
	if (u->io)
		loop_change(u->listen_io, 0); /* others wait */
}

static void try_connect(void *arg)
{
	struct net_unix *u = arg;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd >= 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		if (connect(fd, (struct sockaddr *)&u->addr, sizeof u->addr) == 0)
			begin(u, fd);
		else
			close(fd);
	}
	if (!u->io)
		loop_timer_set(&u->retry, os_clock_ns() + RETRY_NS);
}

static int unix_option(struct net_port *p, const char *o, struct err *e)
{
	(void)e;
	if (strcmp(o, "listen"))
		return -ENOENT;
	of_port(p)->listens = true;
	p->salt = 1; /* its peer may have the same name, or none */
	return 0;
}

static int unix_open(struct net_port *p, const char *path, struct err *e)
{
	struct net_unix *u = of_port(p);

	if (!*path || strlen(path) >= sizeof u->addr.sun_path)
		return err_set(e, EINVAL, "net \"unix:%s\": a socket's path has 1 to %zu bytes",
		    path, sizeof u->addr.sun_path - 1);
	u->addr.sun_family = AF_UNIX;
	strcpy(u->addr.sun_path, path);
	u->listener.fd = -1;
	loop_timer_init(&u->retry, p->loop, try_connect, u);
	loop_timer_init(&u->patience, p->loop, lose_patience, u);
	u->started = true;
	u->in = malloc(IN_MAX);
	u->out = malloc(OUT_MAX);
	if (!u->in || !u->out)
		return err_set(e, ENOMEM, "no memory for a network");
	if (!u->listens) {
		try_connect(u);
		return 0;
	}
	if (listener_open(&u->listener, path, e) < 0)
		return -EINVAL;
	u->listen_io = loop_add(p->loop, u->listener.fd, OS_POLL_IN, on_client, u, e);
	return u->listen_io ? 0 : -ENOMEM;
}

static void unix_close(struct net_port *p)
{
	struct net_unix *u = of_port(p);

	if (!u->started)
		return;
	loop_timer_set(&u->retry, UINT64_MAX);
	loop_timer_set(&u->patience, UINT64_MAX);
	if (u->io) {
		write_some(u);
		loop_timer_set(&u->patience, UINT64_MAX);
		loop_remove(u->io);
		close(u->fd);
	}
	if (u->listen_io)
		loop_remove(u->listen_io);
	listener_close(&u->listener);
	free(u->in);
	free(u->out);
}

const struct net_class net_unix = {
	.name = "unix",
	.about = "a socket that joins two guests",
	.options = "listen",
	.size = sizeof(struct net_unix),
	.option = unix_option,
	.open = unix_open,
	.close = unix_close,
	.ready = unix_ready,
	.send = unix_send,
	.sent = unix_sent,
	.resume = unix_resume,
};
