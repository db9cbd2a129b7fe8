/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: VIRTIO version 1.2, sections 5.10.6.3 (credit) to 5.10.6.6; what is said at the socket:
 * Firecracker's documentation, docs/vsock.md.
 *
 * A connection is known by its port at the host and its port at the guest.  For those from the host
 * the former is ours to choose.
 */
#include "host/vsock_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/os_node.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { FIRST_PORT = 1 << 30, HELLO_MAX = 32, READS = 4 /* in a row for one connection */ };

enum state {
	HELLO,     /* a client has not said yet where to */
	REQUESTED, /* the guest has to answer */
	OPEN
};

struct vsock_conn {
	struct vsock_conn *next; /* of its bucket, or of those that wait */
	struct vsock_host *s;
	enum state state;
	uint32_t host_port, guest_port;
	int fd;
	struct loop_io *io;
	unsigned polled;
	char hello[HELLO_MAX];
	unsigned nhello;
	bool early; /* it has sent more before the guest has answered */
	/* To the guest: what it has room for, and what we have sent. */
	uint32_t peer_alloc, peer_fwd, sent;
	bool ended; /* the client sends no more */
	/* From the guest: what could not be written yet; how much was, and how much we told. */
	uint8_t *buf;
	size_t at, used;
	uint32_t fwd, fwd_told;
	uint32_t shut; /* what the guest said in VSOCK_SHUTDOWN */
	bool shut_done;
};

static struct vsock_conn **slot_of(struct vsock_host *s, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn **c = &s->bucket[(host_port * 31 + guest_port) % VSOCK_BUCKETS];

	while (*c && ((*c)->host_port != host_port || (*c)->guest_port != guest_port))
		c = &(*c)->next;
	return c;
}

static void emit_plain(
    struct vsock_host *s, uint32_t host_port, uint32_t guest_port, enum vsock_op op)
{
	const struct vsock_header h = {
		.src_cid = VSOCK_HOST,
		.dst_cid = s->vsock.cid,
		.src_port = host_port,
		.dst_port = guest_port,
		.type = VSOCK_STREAM,
		.op = (uint16_t)op,
	};

	vsock_emit(s, &h, NULL);
}

static void emit(
    struct vsock_conn *c, enum vsock_op op, uint32_t flags, const void *data, uint32_t len)
{
	const struct vsock_header h = {
		.src_cid = VSOCK_HOST,
		.dst_cid = c->s->vsock.cid,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.len = len,
		.type = VSOCK_STREAM,
		.op = (uint16_t)op,
		.flags = flags,
		.buf_alloc = VSOCK_BUF,
		.fwd_cnt = c->fwd,
	};

	c->fwd_told = c->fwd;
	vsock_emit(c->s, &h, data);
}

static uint32_t credit(const struct vsock_conn *c)
{
	uint32_t under_way = c->sent - c->peer_fwd;

	return under_way < c->peer_alloc ? c->peer_alloc - under_way : 0;
}

static void poll_for(struct vsock_conn *c)
{
	unsigned events = 0;

	if (c->state == HELLO || (c->state == REQUESTED && !c->early))
		events = OS_POLL_IN;
	else if (c->state == OPEN && !c->ended && !(c->shut & VSOCK_NO_RECEIVE) && credit(c) &&
		 !vsock_is_full(c->s))
		events = OS_POLL_IN;
	if (c->used)
		events |= OS_POLL_OUT;
	if (events != c->polled && loop_change(c->io, events) == 0)
		c->polled = events;
}

static void conn_free(struct vsock_conn *c)
{
	struct vsock_host *s = c->s;
	struct vsock_conn **p = &s->waiting;

	if (c->state == HELLO)
		while (*p != c)
			p = &(*p)->next;
	else
		p = slot_of(s, c->host_port, c->guest_port);
	*p = c->next;
	loop_remove(c->io);
	close(c->fd);
	free(c->buf);
	free(c);
	s->nconns--;
	if (s->full) {
		s->full = false;
		loop_change(s->io, OS_POLL_IN);
	}
}

/* Ends it for both sides. */
static void conn_reset(struct vsock_conn *c)
{
	if (c->state != HELLO)
		emit(c, VSOCK_RST, 0, NULL, 0);
	conn_free(c);
}

/* Writes what is left; false: the connection is gone. */
static bool flush(struct vsock_conn *c)
{
	while (c->used) {
		size_t n = c->at + c->used > VSOCK_BUF ? VSOCK_BUF - c->at : c->used;
		ssize_t put = send(c->fd, c->buf + c->at, n, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			conn_reset(c);
			return false;
		}
		if (put < 0)
			return true;
		c->at = (c->at + (size_t)put) % VSOCK_BUF;
		c->used -= (size_t)put;
		c->fwd += (uint32_t)put;
	}
	if ((c->shut & VSOCK_NO_SEND) && !c->shut_done) {
		shutdown(c->fd, SHUT_WR);
		c->shut_done = true;
	}
	/* Section 5.10.6.5: the guest has closed it, and all was written.  A guest that only sends
	 * no more may still have to read: Linux drops what it has not read when a reset comes. */
	if (c->shut == (VSOCK_NO_SEND | VSOCK_NO_RECEIVE)) {
		conn_reset(c);
		return false;
	}
	return true;
}

/* The guest gets to know of room before it has used up what it knows of. */
static void tell_room(struct vsock_conn *c)
{
	if (c->fwd - c->fwd_told >= VSOCK_BUF / 4)
		emit(c, VSOCK_CREDIT_UPDATE, 0, NULL, 0);
}

/* "CONNECT PORT\n"; false: the connection is gone. */
static bool greet(struct vsock_conn *c)
{
	struct vsock_host *s = c->s;
	struct vsock_conn **p;
	uint64_t port;

	for (;;) {
		ssize_t n = recv(c->fd, c->hello + c->nhello, 1, 0);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return true;
		if (n <= 0 || ++c->nhello == HELLO_MAX)
			goto refuse;
		if (c->hello[c->nhello - 1] == '\n')
			break;
	}
	c->hello[c->nhello - 1] = '\0';
	if (strncmp(c->hello, "CONNECT ", 8) || parse_u64(c->hello + 8, &port) ||
	    port >= UINT32_MAX)
		goto refuse;
	vsock_sync(s); /* or it would end with those before the reset */
	for (p = &s->waiting; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	c->guest_port = (uint32_t)port;
	do {
		c->host_port = FIRST_PORT + s->next_port++ % FIRST_PORT;
		p = slot_of(s, c->host_port, c->guest_port);
	} while (*p);
	c->next = NULL;
	*p = c;
	c->state = REQUESTED;
	emit(c, VSOCK_REQUEST, 0, NULL, 0);
	return true;
refuse:
	conn_free(c);
	return false;
}

/* The client's data goes to the guest; false: the connection is gone. */
static bool forward(struct vsock_conn *c, bool hung_up)
{
	for (int i = 0; i < READS && !c->ended && !vsock_is_full(c->s); i++) {
		uint32_t max = credit(c) < VSOCK_DATA_MAX ? credit(c) : VSOCK_DATA_MAX;
		ssize_t n = max ? recv(c->fd, c->s->scratch, max, 0) : -1;

		if (max && n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
			conn_reset(c);
			return false;
		}
		if (n < 0)
			return true;
		if (n == 0) {
			c->ended = true;
			emit(c, VSOCK_SHUTDOWN,
			    VSOCK_NO_SEND | (hung_up ? (uint32_t)VSOCK_NO_RECEIVE : 0), NULL, 0);
			return flush(c);
		}
		c->sent += (uint32_t)n;
		emit(c, VSOCK_RW, 0, c->s->scratch, (uint32_t)n);
	}
	return true;
}

static void on_socket(void *arg, unsigned events)
{
	struct vsock_conn *c = arg;

	if (c->state == REQUESTED && (events & OS_POLL_HUP)) { /* it has waited long enough */
		conn_reset(c);
		return;
	}
	c->early |= c->state == REQUESTED;
	if (c->state == HELLO && !greet(c))
		return;
	if (c->used && !flush(c))
		return;
	tell_room(c);
	if (c->state == OPEN && (c->polled & OS_POLL_IN) && !forward(c, events & OS_POLL_HUP))
		return;
	poll_for(c);
}

/* Owns fd. */
static struct vsock_conn *conn_new(struct vsock_host *s, int fd, enum state state)
{
	struct vsock_conn *c = calloc(1, sizeof *c);

	if (c) {
		c->polled = state == HELLO ? OS_POLL_IN : 0;
		c->io = loop_add(s->loop, fd, OS_POLL_IN, on_socket, c, NULL);
	}
	if (!c || !c->io) {
		free(c);
		close(fd);
		return NULL;
	}
	loop_change(c->io, c->polled);
	c->s = s;
	c->fd = fd;
	c->state = state;
	s->nconns++;
	return c;
}

static void on_client(void *arg, unsigned events)
{
	struct vsock_host *s = arg;
	struct vsock_conn *c;
	int fd = -1;

	(void)events;
	if (s->nconns < s->conns_max)
		fd = listener_accept(&s->listener);
	/* Also when this process has no descriptor left: the next connection that ends gives one.
	 */
	if (fd < 0 && s->nconns) {
		s->full = true;
		loop_change(s->io, 0);
	}
	c = fd < 0 ? NULL : conn_new(s, fd, HELLO);
	if (!c)
		return;
	c->next = s->waiting;
	s->waiting = c;
}

static int connect_to(const struct vsock_host *s, uint32_t port)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(
	    a.sun_path, sizeof a.sun_path, "%s_%u", s->listener.addr.sun_path, (unsigned)port);
	int fd;

	if (n < 0 || (size_t)n >= sizeof a.sun_path)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The guest connects to a port of its host. */
static void take_request(struct vsock_host *s, const struct vsock_header *h)
{
	struct vsock_conn **slot = slot_of(s, h->dst_port, h->src_port), *c = NULL;
	int fd;

	if (*slot) { /* it must have lost the other one */
		conn_reset(*slot);
		return;
	}
	fd = s->nconns < s->conns_max ? connect_to(s, h->dst_port) : -1;
	if (fd >= 0)
		c = conn_new(s, fd, OPEN);
	if (!c) {
		emit_plain(s, h->dst_port, h->src_port, VSOCK_RST);
		return;
	}
	c->host_port = h->dst_port;
	c->guest_port = h->src_port;
	c->peer_alloc = h->buf_alloc;
	c->peer_fwd = h->fwd_cnt;
	*slot = c;
	emit(c, VSOCK_RESPONSE, 0, NULL, 0);
	poll_for(c);
}

static void take_response(struct vsock_conn *c)
{
	char text[32];
	int n = snprintf(text, sizeof text, "OK %u\n", (unsigned)c->host_port);

	if (c->state != REQUESTED || send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n) {
		conn_reset(c);
		return;
	}
	c->state = OPEN;
	poll_for(c);
}

/* Keeps what the socket does not take; false: more than the guest was allowed. */
static bool keep(struct vsock_conn *c, const uint8_t *data, size_t len)
{
	size_t to, part;

	if (!len)
		return true;
	if (!c->buf)
		c->buf = malloc(VSOCK_BUF);
	if (!c->buf || len > VSOCK_BUF - c->used)
		return false;
	to = (c->at + c->used) % VSOCK_BUF;
	part = len < VSOCK_BUF - to ? len : VSOCK_BUF - to;
	memcpy(c->buf + to, data, part);
	memcpy(c->buf, data + part, len - part);
	c->used += len;
	return true;
}

static void take_data(struct vsock_conn *c, const struct vsock_packet *p)
{
	ssize_t n = 0;

	if (c->state != OPEN || (c->shut & VSOCK_NO_SEND)) {
		conn_reset(c);
		return;
	}
	if (!c->used && p->h.len)
		n = send(c->fd, p->data, p->h.len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		n = 0;
	if (n < 0 || !keep(c, p->data + n, p->h.len - (size_t)n)) {
		conn_reset(c);
		return;
	}
	c->fwd += (uint32_t)n;
	tell_room(c);
	poll_for(c);
}

static void take_shutdown(struct vsock_conn *c, uint32_t flags)
{
	c->shut |= flags & (VSOCK_NO_RECEIVE | VSOCK_NO_SEND);
	if (c->state != OPEN) {
		conn_reset(c);
		return;
	}
	if (flags & VSOCK_NO_RECEIVE)
		shutdown(c->fd, SHUT_RD);
	if (flush(c))
		poll_for(c);
}

void vsock_handle(struct vsock_host *s, const struct vsock_packet *p)
{
	const struct vsock_header *h = &p->h;
	struct vsock_conn *c;

	if (h->src_cid != s->vsock.cid)
		return;
	if (h->dst_cid != VSOCK_HOST || h->type != VSOCK_STREAM) {
		struct vsock_header rst = {
			.src_cid = h->dst_cid,
			.dst_cid = s->vsock.cid,
			.src_port = h->dst_port,
			.dst_port = h->src_port,
			.type = h->type,
			.op = VSOCK_RST,
		};

		if (h->op != VSOCK_RST)
			vsock_emit(s, &rst, NULL);
		return;
	}
	c = *slot_of(s, h->dst_port, h->src_port);
	if (h->op == VSOCK_REQUEST) {
		take_request(s, h);
		return;
	}
	if (!c) {
		if (h->op != VSOCK_RST)
			emit_plain(s, h->dst_port, h->src_port, VSOCK_RST);
		return;
	}
	c->peer_alloc = h->buf_alloc;
	c->peer_fwd = h->fwd_cnt;
	switch (h->op) {
	case VSOCK_RESPONSE:
		take_response(c);
		break;
	case VSOCK_RST:
		conn_free(c);
		break;
	case VSOCK_SHUTDOWN:
		take_shutdown(c, h->flags);
		break;
	case VSOCK_RW:
		take_data(c, p);
		break;
	case VSOCK_CREDIT_REQUEST:
		emit(c, VSOCK_CREDIT_UPDATE, 0, NULL, 0);
		break;
	case VSOCK_CREDIT_UPDATE:
		poll_for(c);
		break;
	default:
		conn_reset(c);
	}
}

void vsock_resume(struct vsock_host *s)
{
	for (unsigned i = 0; i < VSOCK_BUCKETS; i++)
		for (struct vsock_conn *c = s->bucket[i]; c; c = c->next)
			poll_for(c);
}

void vsock_close_clients(struct vsock_host *s)
{
	while (s->waiting)
		conn_free(s->waiting);
}

void vsock_close_all(struct vsock_host *s)
{
	for (unsigned i = 0; i < VSOCK_BUCKETS; i++)
		while (s->bucket[i])
			conn_free(s->bucket[i]);
}

int vsock_listen(struct vsock_host *s, const char *path, struct err *e)
{
	int rc = listener_open(&s->listener, path, e);
	unsigned files = os_files();

	if (rc < 0)
		return rc;
	/* A guest must not use up the descriptors that others need. */
	s->conns_max = files / 4 < VSOCK_CONNS_MAX ? files / 4 : VSOCK_CONNS_MAX;
	s->io = loop_add(s->loop, s->listener.fd, OS_POLL_IN, on_client, s, e);
	return s->io ? 0 : -ENOMEM;
}
