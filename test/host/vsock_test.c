/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/thread.h"
#include "core/event.h"
#include "core/vsock.h"
#include "host/vsock.h"
#include "test/cmocka.h"
#include "test/random.h"

/* A guest in the form of its packets; the loop has a thread, as in a VM. */
enum { CID = 7, BUF = 1 << 20 };

struct guest {
	char dir[40], path[60];
	struct loop *loop;
	struct events *events;
	struct thread thread;
	struct vsock *v;
	uint8_t *data; /* of the last packet */
	struct vsock_header h;
	unsigned ready; /* how often the host called */
};

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void on_ready(void *arg)
{
	((struct guest *)arg)->ready++;
}

static struct guest *guest_new(void)
{
	static const struct vsock_sink sink = { on_ready };
	struct guest *g = calloc(1, sizeof *g);
	struct err e = { "" };

	strcpy(g->dir, "/tmp/lodge-vsock.XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	snprintf(g->path, sizeof g->path, "%s/v", g->dir);
	g->loop = loop_new(&e);
	g->events = events_new();
	g->v = vsock_open(g->path, CID, g->loop, g->events, &e);
	if (!g->v)
		fail_msg("%s", e.text);
	g->v->sink = &sink;
	g->v->dev = g;
	g->data = malloc(VSOCK_DATA_MAX);
	assert_int_equal(thread_start(&g->thread, "loop", run, g->loop), 0);
	return g;
}

static void guest_free(struct guest *g)
{
	loop_stop(g->loop);
	thread_join(&g->thread);
	vsock_free(g->v);
	assert_int_not_equal(access(g->path, F_OK), 0);
	events_free(g->events);
	loop_free(g->loop);
	assert_int_equal(rmdir(g->dir), 0);
	free(g->data);
	free(g);
}

static bool try_send(struct guest *g, unsigned op, uint32_t port, uint32_t host_port,
    uint32_t flags, uint32_t fwd, const void *data, size_t len)
{
	const struct vsock_header h = { CID, VSOCK_HOST, port, host_port, (uint32_t)len,
		VSOCK_STREAM, (uint16_t)op, flags, BUF, fwd };
	struct iovec iov = { (void *)(uintptr_t)data, len };

	return g->v->ops->send(g->v, &h, &iov, 1, 0);
}

static void put(struct guest *g, unsigned op, uint32_t port, uint32_t host_port)
{
	assert_true(try_send(g, op, port, host_port, 0, 0, NULL, 0));
}

/* The next packet, within ms milliseconds: its op, or -1. */
static int take_for(struct guest *g, int ms)
{
	const struct vsock_packet *p;

	for (; !(p = g->v->ops->peek(g->v)); ms--) {
		if (ms <= 0)
			return -1;
		usleep(1000);
		events_deliver(g->events);
	}
	g->h = p->h;
	memcpy(g->data, p->data, p->h.len);
	g->v->ops->pop(g->v);
	assert_int_equal(g->h.dst_cid, CID);
	return g->h.op;
}

static int take(struct guest *g)
{
	return take_for(g, 20000);
}

static struct sockaddr_un addr_of(const struct guest *g, const char *end)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof a.sun_path, "%s%s", g->path, end);
	return a;
}

static int host_connect(struct guest *g, const char *hello)
{
	struct sockaddr_un a = addr_of(g, "");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(send(fd, hello, strlen(hello), MSG_NOSIGNAL), strlen(hello));
	return fd;
}

static int host_listen(struct guest *g, const char *end)
{
	struct sockaddr_un a = addr_of(g, end);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void host_unlink(struct guest *g, const char *end)
{
	struct sockaddr_un a = addr_of(g, end);

	unlink(a.sun_path);
}

/* Just that text comes. */
static void expect(int fd, const char *text)
{
	size_t n = strlen(text), at = 0;
	char got[200];

	while (at < n) {
		ssize_t r = read(fd, got + at, n - at);

		assert_true(r > 0);
		at += (size_t)r;
	}
	assert_memory_equal(got, text, n);
}

/* A connection from the host to a port of the guest. */
static int opened(struct guest *g, uint32_t port, uint32_t *host_port)
{
	char text[40];
	int fd, rc;

	snprintf(text, sizeof text, "CONNECT %u\n", port);
	fd = host_connect(g, text);
	do { /* clients before it may have waited to be served, and given up since */
		rc = take(g);
		assert_true(rc == VSOCK_REQUEST || rc == VSOCK_RST);
	} while (rc == VSOCK_RST || g->h.dst_port != port);
	assert_int_equal(g->h.src_cid, VSOCK_HOST);
	assert_true(g->h.buf_alloc >= 65536);
	*host_port = g->h.src_port;
	put(g, VSOCK_RESPONSE, port, *host_port);
	snprintf(text, sizeof text, "OK %u\n", *host_port);
	expect(fd, text);
	return fd;
}

static void the_host_connects(void **state)
{
	struct guest *g = guest_new();
	uint32_t port;
	int fd = opened(g, 52, &port);

	(void)state;
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(take(g), VSOCK_RW);
	assert_int_equal(g->h.len, 5);
	assert_memory_equal(g->data, "hello", 5);
	assert_true(try_send(g, VSOCK_RW, 52, port, 0, 5, "world!", 6));
	expect(fd, "world!");
	/* The guest closes: what it sent comes first. */
	assert_true(try_send(g, VSOCK_RW, 52, port, 0, 5, "end", 3));
	assert_true(try_send(g, VSOCK_SHUTDOWN, 52, port, 3, 5, NULL, 0));
	expect(fd, "end");
	assert_int_equal(read(fd, g->data, 10), 0);
	assert_int_equal(take(g), VSOCK_RST);
	close(fd);
	assert_int_equal(take_for(g, 50), -1);
	guest_free(g);
}

static void the_guest_connects(void **state)
{
	struct guest *g = guest_new();
	int l = host_listen(g, "_1234"), fd;

	(void)state;
	put(g, VSOCK_REQUEST, 9000, 1234);
	assert_int_equal(take(g), VSOCK_RESPONSE);
	assert_int_equal(g->h.src_port, 1234);
	assert_int_equal(g->h.dst_port, 9000);
	fd = accept(l, NULL, NULL);
	assert_true(try_send(g, VSOCK_RW, 9000, 1234, 0, 0, "from the guest", 14));
	expect(fd, "from the guest");
	assert_int_equal(write(fd, "and back", 8), 8);
	assert_int_equal(take(g), VSOCK_RW);
	assert_memory_equal(g->data, "and back", 8);
	/* The host closes: the guest hears that nothing goes either way. */
	close(fd);
	assert_int_equal(take(g), VSOCK_SHUTDOWN);
	assert_int_equal(g->h.flags, 3);
	put(g, VSOCK_RST, 9000, 1234);
	/* Nobody at that port. */
	put(g, VSOCK_REQUEST, 9000, 4321);
	assert_int_equal(take(g), VSOCK_RST);
	assert_int_equal(g->h.src_port, 4321);
	close(l);
	host_unlink(g, "_1234");
	guest_free(g);
}

static void each_direction_closes_alone(void **state)
{
	struct guest *g = guest_new();
	uint32_t port;
	int fd = opened(g, 1, &port);

	(void)state;
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(take(g), VSOCK_SHUTDOWN);
	assert_int_equal(g->h.flags, VSOCK_NO_SEND);
	assert_true(try_send(g, VSOCK_RW, 1, port, 0, 0, "more", 4));
	expect(fd, "more");
	assert_true(try_send(g, VSOCK_SHUTDOWN, 1, port, VSOCK_NO_SEND, 0, NULL, 0));
	assert_int_equal(read(fd, g->data, 1), 0);
	/* Linux would lose what it has not read yet if a reset came before it closes. */
	assert_int_equal(take_for(g, 50), -1);
	assert_true(try_send(g, VSOCK_SHUTDOWN, 1, port, 3, 0, NULL, 0));
	assert_int_equal(take(g), VSOCK_RST);
	close(fd);
	/* And the other way round. */
	fd = opened(g, 2, &port);
	assert_true(try_send(g, VSOCK_SHUTDOWN, 2, port, VSOCK_NO_SEND, 0, NULL, 0));
	assert_int_equal(read(fd, g->data, 1), 0);
	assert_int_equal(write(fd, "still", 5), 5);
	assert_int_equal(take(g), VSOCK_RW);
	assert_true(try_send(g, VSOCK_RW, 2, port, 0, 0, "not this", 8));
	assert_int_equal(take(g), VSOCK_RST); /* it said that it would send no more */
	close(fd);
	guest_free(g);
}

static void greetings_are_checked(void **state)
{
	static const char *const bad[] = { "GET / HTTP/1.1\n", "CONNECT\n", "CONNECT x\n",
		"CONNECT 4294967295\n", "CONNECT -1\n", "\n",
		"CONNECT 000000000000000000000000000000000000000000001\n" };
	struct guest *g = guest_new();
	char byte;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = host_connect(g, bad[i]);

		assert_true(read(fd, &byte, 1) <= 0);
		close(fd);
	}
	assert_int_equal(take_for(g, 50), -1);
	/* One that says nothing, and one that the guest refuses. */
	close(host_connect(g, "CONN"));
	{
		int fd = host_connect(g, "CONNECT 77\n");

		assert_int_equal(take(g), VSOCK_REQUEST);
		put(g, VSOCK_RST, 77, g->h.src_port);
		assert_int_equal(read(fd, &byte, 1), 0);
		close(fd);
	}
	guest_free(g);
}

static void clients_may_give_up(void **state)
{
	struct guest *g = guest_new();
	int fd = host_connect(g, "CONNECT 77\n");

	(void)state;
	assert_int_equal(take(g), VSOCK_REQUEST);
	close(fd);
	assert_int_equal(take(g), VSOCK_RST);
	/* Those who speak first, and close one way, wait on. */
	fd = host_connect(g, "CONNECT 78\nearly");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(take(g), VSOCK_REQUEST);
	assert_int_equal(take_for(g, 50), -1);
	put(g, VSOCK_RESPONSE, 78, g->h.src_port);
	assert_int_equal(take(g), VSOCK_RW);
	assert_memory_equal(g->data, "early", 5);
	assert_int_equal(take(g), VSOCK_SHUTDOWN);
	close(fd);
	guest_free(g);
}

static void credit_is_kept_to(void **state)
{
	struct guest *g = guest_new();
	uint8_t *big = calloc(1, BUF + 100000);
	uint32_t port, got = 0, written = 0, sent = 0, allowed;
	int fd = opened(g, 5, &port), rc;

	(void)state;
	allowed = g->h.buf_alloc;
	/* The guest has room for BUF bytes, and reads none. */
	while (got < BUF) {
		ssize_t r = send(fd, big, 65536, MSG_DONTWAIT);

		written += r > 0 ? (uint32_t)r : 0;
		while ((rc = take_for(g, r > 0 ? 0 : 5)) == VSOCK_RW)
			got += g->h.len;
		assert_int_equal(rc, -1);
		events_deliver(g->events);
	}
	assert_int_equal(got, BUF);
	while (written < BUF + 1000)
		written += (uint32_t)send(fd, big, 1000, 0);
	assert_int_equal(take_for(g, 50), -1);
	assert_true(try_send(g, VSOCK_CREDIT_UPDATE, 5, port, 0, 1000, NULL, 0));
	assert_int_equal(take(g), VSOCK_RW);
	assert_int_equal(g->h.len, 1000);
	/* The host's client does not read: the guest may send what it was told, and no more. */
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(try_send(g, VSOCK_RW, 5, port, 0, 1000, big, 4096));
		sent += 4096;
		while ((rc = take_for(g, 1)) == VSOCK_CREDIT_UPDATE)
			;
		if (sent - g->h.fwd_cnt + 4096 > allowed || rc >= 0)
			break;
	}
	assert_int_equal(rc, -1);
	put(g, VSOCK_CREDIT_REQUEST, 5, port);
	assert_int_equal(take(g), VSOCK_CREDIT_UPDATE);
	for (unsigned i = 0; i < 100; i++)
		assert_true(try_send(g, VSOCK_RW, 5, port, 0, 1000, big, 4096));
	do
		rc = take(g);
	while (rc == VSOCK_CREDIT_UPDATE);
	assert_int_equal(rc, VSOCK_RST);
	close(fd);
	free(big);
	guest_free(g);
}

/* All bytes, both ways at the same time, with a guest that keeps to its credit. */
static void much_data_arrives_whole(void **state)
{
	enum { ALL = 8 << 20 };
	struct guest *g = guest_new();
	uint8_t *big = malloc(ALL), *back = malloc(ALL);
	uint32_t port, sent = 0, got = 0, fwd = 0, alloc, n;
	size_t in = 0, out = 0;
	int fd = opened(g, 5, &port);

	(void)state;
	alloc = g->h.buf_alloc;
	for (size_t i = 0; i < ALL; i++)
		big[i] = (uint8_t)(i * 13 + i / 4096);
	while (in < ALL || out < ALL || got < ALL) {
		struct pollfd p = { fd, (short)(POLLIN | (out < ALL ? POLLOUT : 0)), 0 };
		ssize_t r;

		n = ALL - sent < 40000 ? ALL - sent : 40000;
		if (n && sent - fwd + n <= alloc &&
		    try_send(g, VSOCK_RW, 5, port, 0, got, big + sent, n))
			sent += n;
		poll(&p, 1, 1);
		if ((p.revents & POLLOUT) && (r = send(fd, big + out, ALL - out, MSG_DONTWAIT)) > 0)
			out += (size_t)r;
		if ((p.revents & POLLIN) && (r = recv(fd, back + in, ALL - in, MSG_DONTWAIT)) > 0)
			in += (size_t)r;
		for (int rc; (rc = take_for(g, 0)) >= 0 || (events_deliver(g->events), 0);) {
			fwd = g->h.fwd_cnt;
			if (rc != VSOCK_RW) {
				assert_int_equal(rc, VSOCK_CREDIT_UPDATE);
				continue;
			}
			assert_memory_equal(g->data, big + got, g->h.len);
			got += g->h.len;
			try_send(g, VSOCK_CREDIT_UPDATE, 5, port, 0, got, NULL, 0);
		}
		events_deliver(g->events);
	}
	assert_memory_equal(back, big, ALL);
	close(fd);
	free(big);
	free(back);
	guest_free(g);
}

static void a_reset_ends_all(void **state)
{
	struct guest *g = guest_new();
	uint32_t port;
	int fd = opened(g, 5, &port);

	(void)state;
	assert_int_equal(write(fd, "x", 1), 1);
	g->v->ops->reset(g->v);
	assert_int_equal(read(fd, g->data, 1), 0);
	close(fd);
	assert_int_equal(take_for(g, 50), -1);
	assert_true(try_send(g, VSOCK_RW, 5, port, 0, 0, "x", 1));
	assert_int_equal(take(g), VSOCK_RST); /* nobody knows it any more */
	fd = opened(g, 5, &port);
	close(fd);
	guest_free(g);
}

static void bad_packets_are_answered(void **state)
{
	struct guest *g = guest_new();
	struct vsock_header h = { CID, 3, 1, 2, 0, VSOCK_STREAM, VSOCK_REQUEST, 0, BUF, 0 };
	uint32_t port;
	int fd;

	(void)state;
	assert_true(g->v->ops->send(g->v, &h, NULL, 0, 0)); /* to another guest */
	assert_int_equal(take(g), VSOCK_RST);
	assert_int_equal(g->h.src_cid, 3);
	h.dst_cid = VSOCK_HOST;
	h.type = 2;
	assert_true(g->v->ops->send(g->v, &h, NULL, 0, 0)); /* of another type */
	assert_int_equal(take(g), VSOCK_RST);
	assert_int_equal(g->h.type, 2);
	h.type = VSOCK_STREAM;
	h.src_cid = 99;
	assert_true(g->v->ops->send(g->v, &h, NULL, 0, 0)); /* in another's name */
	assert_int_equal(take_for(g, 50), -1);
	put(g, 77, 1, 2);
	assert_int_equal(take(g), VSOCK_RST);
	put(g, VSOCK_RST, 1, 2);
	assert_int_equal(take_for(g, 50), -1);
	fd = opened(g, 5, &port);
	put(g, 77, 5, port);
	assert_int_equal(take(g), VSOCK_RST);
	close(fd);
	fd = opened(g, 5, &port);
	put(g, VSOCK_REQUEST, 5, port); /* once more, what is there */
	assert_int_equal(take(g), VSOCK_RST);
	close(fd);
	fd = opened(g, 5, &port);
	put(g, VSOCK_RESPONSE, 5, port);
	assert_int_equal(take(g), VSOCK_RST);
	close(fd);
	guest_free(g);
}

/* A guest that takes nothing cannot make us keep more and more. */
static void queues_are_bounded(void **state)
{
	struct guest *g = guest_new();
	unsigned n = 0, back = 0;

	(void)state;
	for (unsigned i = 0; i < 200000 && n < 100000; i++) {
		if (try_send(g, VSOCK_RW, i, 1, 0, 0, NULL, 0))
			n++;
		else
			break;
		events_deliver(g->events);
	}
	assert_true(n < 20000);
	for (; back < n; back++)
		assert_int_equal(take(g), VSOCK_RST);
	assert_int_equal(take_for(g, 50), -1);
	assert_true(g->ready > 0);
	assert_true(try_send(g, VSOCK_RW, 1, 1, 0, 0, NULL, 0));
	assert_int_equal(take(g), VSOCK_RST);
	guest_free(g);
}

static void many_connections_are_served(void **state)
{
	enum { MANY = 300 };
	struct guest *g = guest_new();
	uint32_t port[MANY];
	int fd[MANY];

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		fd[i] = opened(g, i % 3, &port[i]);
	for (uint32_t i = 0; i < MANY; i++) {
		char text[20];

		snprintf(text, sizeof text, "to %u", i);
		assert_true(try_send(g, VSOCK_RW, i % 3, port[i], 0, 0, text, strlen(text)));
		expect(fd[i], text);
		close(fd[i]);
	}
	guest_free(g);
}

/* Any packets, while clients come and go. */
static void any_packets_are_survived(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	uint64_t seed = random_seed();
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) * 1000 : 20000;
	struct guest *g = guest_new();
	int l = host_listen(g, "_3"), fd[8], in[8];
	uint8_t *data = calloc(1, VSOCK_DATA_MAX);
	uint32_t port = 0;

	(void)state;
	printf("# LODGE_SEED=%llu\n", (unsigned long long)seed);
	seed = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	memset(fd, -1, sizeof fd);
	memset(in, -1, sizeof in);
	for (unsigned i = 0; i < n; i++) {
		uint64_t r = random_shift(&seed);
		struct vsock_header h = {
			.src_cid = r & 63 ? CID : r,
			.dst_cid = r >> 6 & 63 ? VSOCK_HOST : r,
			.src_port = (uint32_t)(r >> 12) & 3,
			.dst_port = r >> 14 & 1   ? 3
				    : r >> 15 & 1 ? port
						  : (uint32_t)r,
			.len =
			    r >> 16 & 3 ? (uint32_t)(r >> 18) & 0xff : (uint32_t)(r >> 18) & 0xffff,
			.type = r >> 34 & 63 ? VSOCK_STREAM : (uint16_t)r,
			.op = (uint16_t)(r >> 40 & 7) + (r >> 43 & 63 ? 0 : 5),
			.flags = (uint32_t)(r >> 50 & 3),
			.buf_alloc = r >> 52 & 7 ? BUF : (uint32_t)(r >> 20),
			.fwd_cnt = (uint32_t)(r >> 30),
		};
		struct iovec iov = { data, h.len };
		unsigned k = r >> 56 & 7;

		if (!(r >> 59 & 1))
			g->v->ops->send(g->v, &h, &iov, 1, 0);
		else if (fd[k] < 0)
			fd[k] = host_connect(g, r >> 60 & 1 ? "CONNECT 1\n" : "CONNECT 2\n");
		else if (r >> 60 & 1)
			(void)!send(fd[k], data, h.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			close(fd[k]), fd[k] = -1;
		if (in[k] >= 0)
			close(in[k]);
		in[k] = -1;
		if (!(r >> 61 & 3)) {
			struct pollfd p = { l, POLLIN, 0 };

			if (poll(&p, 1, 0) == 1)
				in[k] = accept(l, NULL, NULL);
		}
		events_deliver(g->events);
		while (r >> 62 && g->v->ops->peek(g->v))
			if (take_for(g, 0) == VSOCK_REQUEST)
				port = g->h.src_port;
		if (i % 5000 == 4999)
			g->v->ops->reset(g->v);
	}
	for (unsigned k = 0; k < 8; k++) {
		if (fd[k] >= 0)
			close(fd[k]);
		if (in[k] >= 0)
			close(in[k]);
	}
	g->v->ops->reset(g->v);
	/* After all that, it works. */
	close(opened(g, 5, &port));
	close(l);
	host_unlink(g, "_3");
	free(data);
	guest_free(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_connects),
		cmocka_unit_test(the_guest_connects),
		cmocka_unit_test(each_direction_closes_alone),
		cmocka_unit_test(greetings_are_checked),
		cmocka_unit_test(clients_may_give_up),
		cmocka_unit_test(credit_is_kept_to),
		cmocka_unit_test(much_data_arrives_whole),
		cmocka_unit_test(a_reset_ends_all),
		cmocka_unit_test(bad_packets_are_answered),
		cmocka_unit_test(queues_are_bounded),
		cmocka_unit_test(many_connections_are_served),
		cmocka_unit_test(any_packets_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
