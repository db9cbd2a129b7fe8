/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's ends of network cards: what may be asked for, frames to and fro, and what is in a
 * dump. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/loop.h"
#include "base/thread.h"
#include "core/event.h"
#include "host/net/forward.h"
#include "host/net/net.h"
#include "test/core/net_frames.h"
#include "test/random.h"

enum { KEEP = 4096 };

/* A guest with one card: the test's thread is its VM's. */
struct guest {
	struct events *events;
	struct net *net;
	struct mutex lock;
	uint8_t *frame[KEEP];
	size_t len[KEEP];
	struct net_offload o[KEEP];
	unsigned n, room; /* room: how many frames it still takes */
	bool may_send;
};

struct fixture {
	struct loop *loop;
	struct thread thread;
	bool runs;
	struct guest a, b;
	char dir[32], path[64], dump[64];
};

static bool guest_receive(void *dev, uint8_t *frame, size_t len, const struct net_offload *o)
{
	struct guest *g = dev;

	if (!g->room)
		return false;
	g->room--;
	assert_true(g->n < KEEP);
	g->frame[g->n] = malloc(len);
	memcpy(g->frame[g->n], frame, len);
	g->len[g->n] = len;
	g->o[g->n++] = *o;
	return true;
}

static void guest_nothing(void *dev)
{
	(void)dev;
}

static void guest_room(void *dev)
{
	((struct guest *)dev)->may_send = true;
}

static const struct net_sink sink = { guest_receive, guest_nothing, guest_room, guest_nothing,
	NULL };

static void guest_clear(struct guest *g)
{
	while (g->n)
		free(g->frame[--g->n]);
	g->room = KEEP;
}

static void guest_open(struct fixture *f, struct guest *g, const char *spec)
{
	struct net_place place = { NULL, 0 };
	struct err e = { "" };

	g->events = events_new();
	mutex_init(&g->lock);
	g->room = KEEP;
	g->may_send = true;
	g->net = net_open(spec, &place, f->loop, g->events, &e);
	if (!g->net)
		fail_msg("%s", e.text);
	net_attach(g->net, &sink, g, &g->lock);
}

static void guest_close(struct guest *g)
{
	guest_clear(g);
	net_close(g->net);
	events_free(g->events);
	memset(g, 0, sizeof *g);
}

static bool guest_send(struct guest *g, const uint8_t *frame, size_t len, struct net_offload o)
{
	struct iovec iov[2] = { { (uint8_t *)(uintptr_t)frame, 10 },
		{ (uint8_t *)(uintptr_t)frame + 10, len - 10 } };
	bool sent;

	net_lock(g->net);
	sent = net_send(g->net, iov, 2, len, &o);
	net_sent(g->net);
	net_unlock(g->net);
	return sent;
}

static void wait_for(struct guest *g, unsigned n)
{
	while (g->n < n) {
		events_deliver(g->events);
		sched_yield();
	}
}

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void go(struct fixture *f)
{
	assert_int_equal(thread_start(&f->thread, "loop", run, f->loop), 0);
	f->runs = true;
}

static void halt(struct fixture *f)
{
	if (!f->runs)
		return;
	loop_stop(f->loop);
	thread_join(&f->thread);
	f->runs = false;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	signal(SIGPIPE, SIG_IGN);
	strcpy(f->dir, "/tmp/lodge-net.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/socket", f->dir);
	snprintf(f->dump, sizeof f->dump, "%s/dump", f->dir);
	f->loop = loop_new(NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	halt(f);
	if (f->a.net)
		guest_close(&f->a);
	if (f->b.net)
		guest_close(&f->b);
	loop_free(f->loop);
	unlink(f->path);
	unlink(f->dump);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* Specifications ------------------------------------------------------------------------------- */

static void refused(const char *spec, const char *why)
{
	struct err e = { "" };

	assert_true(net_check(spec, &e) < 0);
	if (!strstr(e.text, why))
		fail_msg("%s: %s", spec, e.text);
}

static void what_is_wrong_is_said(void **state)
{
	struct err e = { "" };

	(void)state;
	refused("nat", "there is tap, unix, user, none");
	refused("", "there is");
	refused("tap:tap0,fwd=tcp:1:1", "\"fwd=tcp:1:1\" is not one of mac=");
	refused("unix:/x,mac=01:00:00:00:00:00", "multicast");
	refused("unix:/x,mtu=67", "mtu=68 to 65535");
	refused("unix:/x,queues=9", "queues=1 to 8");
	refused("unix:/x,queues=0", "queues=1 to 8");
	refused("unix:/x,dump=", "dump=FILE");
	refused("unix:/x,if=e1000", "if=virtio");
	refused("user,net=10.0.2.0/33", "net=10.0.2.0/33");
	refused("user,net=10.0.2/24", "IPv4 network");
	refused("user,dns=there", "dns=there");
	refused("user,tftp=/dev/null", "no folder");
	refused("user,fwd=tcp:22", "tcp:[ADDRESS:]PORT");
	refused("user,restricted", "fwd=, restrict");
	assert_int_equal(
	    net_check("unix:/a,,b,listen,mac=52:54:00:12:34:56,mtu=9000,queues=8,dump=/x", &e), 0);
	assert_int_equal(net_check("user,net=192.168.7.0/24,restrict,ipv6=off,hostname=a,"
				   "bootfile=b,tftp=/tmp,dns=1.1.1.1,fwd=udp:53:53",
			     &e),
	    0);
}

static void forward_is(
    const char *text, const char *host, unsigned hport, const char *guest, unsigned gport)
{
	struct forward fwd;
	char address[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *h = (void *)&fwd.host, *g = (void *)&fwd.guest;
	struct err e = { "" };

	if (forward_parse(&fwd, text, &e) < 0)
		fail_msg("%s", e.text);
	if (fwd.host.ss_family == AF_INET)
		inet_ntop(AF_INET, &h->sin_addr, address, sizeof address);
	else if (fwd.host.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&fwd.host)->sin6_addr, address,
		    sizeof address);
	else
		snprintf(address, sizeof address, "%.40s",
		    ((struct sockaddr_un *)(void *)&fwd.host)->sun_path);
	assert_string_equal(address, host);
	if (fwd.host.ss_family != AF_UNIX)
		assert_int_equal(ntohs(h->sin_port), hport);
	assert_int_equal(ntohs(g->sin_port), gport);
	if (!*guest) {
		assert_int_equal(g->sin_family, AF_UNSPEC);
		return;
	}
	inet_ntop(AF_INET, &g->sin_addr, address, sizeof address);
	assert_string_equal(address, guest);
}

static void forwards_are_read(void **state)
{
	static const char *const bad[] = { "", "tcp:", "tcp:1", "tcp:1:", "tcp::", "tcp:a:1",
		"tcp:0:1", "tcp:1:65536", "sctp:1:1", "tcp:1.2.3:1:1", "tcp:[::1:1:1", "unix::1",
		"unix:/x", "tcp:1:1.2.3.4", "tcp:1:1.2.3.4.5:6" };
	struct forward fwd;

	(void)state;
	forward_is("tcp:2222:22", "127.0.0.1", 2222, "", 22);
	forward_is("udp:0.0.0.0:53:5353", "0.0.0.0", 53, "", 5353);
	forward_is("tcp:127.0.0.1:2222:10.0.2.16:22", "127.0.0.1", 2222, "10.0.2.16", 22);
	forward_is("tcp:2222:10.0.2.16:22", "127.0.0.1", 2222, "10.0.2.16", 22);
	forward_is("tcp::2222:22", "127.0.0.1", 2222, "", 22);
	forward_is("tcp:[::1]:2222:22", "::1", 2222, "", 22);
	forward_is("unix:/tmp/a:22", "/tmp/a", 0, "", 22);
	forward_is("unix:/tmp/a:10.0.2.17:22", "/tmp/a", 0, "10.0.2.17", 22);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(forward_parse(&fwd, bad[i], NULL) < 0);
}

static void mac_of(const char *spec, const char *vm, unsigned index, uint8_t mac[NET_MAC])
{
	struct net_place place = { vm, index };
	struct loop *l = loop_new(NULL);
	struct events *ev = events_new();
	struct net *n = net_open(spec, &place, l, ev, NULL);

	assert_non_null(n);
	memcpy(mac, n->mac, NET_MAC);
	net_close(n);
	events_free(ev);
	loop_free(l);
}

static void addresses_differ_and_stay(void **state)
{
	uint8_t m[6][NET_MAC];
	char spec[100];

	snprintf(spec, sizeof spec, "unix:%s,listen", ((struct fixture *)*state)->path);
	mac_of("unix:/nobody", NULL, 0, m[0]);
	mac_of("unix:/nobody", NULL, 1, m[1]);
	mac_of("unix:/nobody", "web", 0, m[2]);
	mac_of(spec, NULL, 0, m[3]);
	mac_of("unix:/nobody,mac=52:54:00:00:00:01", NULL, 0, m[4]);
	for (unsigned i = 0; i < 5; i++) {
		assert_memory_equal(m[i], "\x52\x54\x00", 3);
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(m[i], m[j], NET_MAC);
	}
	mac_of("unix:/nobody", "web", 0, m[5]);
	assert_memory_equal(m[2], m[5], NET_MAC);
	assert_memory_equal(m[4], "\x52\x54\x00\x00\x00\x01", 6);
}

/* Two guests joined -----------------------------------------------------------------------------*/

static uint8_t frame[NET_FRAME_MAX];
static const struct net_offload none;

static void join(struct fixture *f, const char *more)
{
	char spec[200];

	snprintf(spec, sizeof spec, "unix:%s,listen", f->path);
	guest_open(f, &f->a, spec);
	snprintf(spec, sizeof spec, "unix:%s%s", f->path, more);
	guest_open(f, &f->b, spec);
	go(f);
}

static void say_last(struct guest *from, struct guest *to)
{
	uint8_t last[100];
	const size_t len = make_frame(last, false, 17, 19, 0);

	while (!guest_send(from, last, len, none))
		sched_yield();
	while (to->len[to->n - 1] != len)
		events_deliver(to->events);
}

/* The connection may take a moment, and until then frames are lost. */
static void until_joined(struct fixture *f)
{
	uint8_t hello[100];

	make_frame(hello, false, 17, 18, 0);
	while (!f->b.n) {
		guest_send(&f->a, hello, 60, none);
		events_deliver(f->b.events);
		usleep(1000); /* not so many that there is no room left */
	}
	while (!f->a.n) {
		guest_send(&f->b, hello, 60, none);
		events_deliver(f->a.events);
		usleep(1000);
	}
	/* The last of those that have arrived, however many were lost. */
	say_last(&f->a, &f->b);
	say_last(&f->b, &f->a);
	guest_clear(&f->a);
	guest_clear(&f->b);
}

static void frames_go_both_ways(void **state)
{
	struct fixture *f = *state;
	size_t len;

	join(f, "");
	until_joined(f);
	for (unsigned i = 0; i < 200; i++) {
		len = make_frame(frame, false, 17, i * 7, 0);
		frame[50] = (uint8_t)i;
		while (!guest_send(&f->a, frame, len, none))
			sched_yield();
		while (!guest_send(&f->b, frame, len, none))
			sched_yield();
	}
	wait_for(&f->a, 200);
	wait_for(&f->b, 200);
	for (unsigned i = 0; i < 200; i++) {
		len = make_frame(frame, false, 17, i * 7, 0);
		frame[50] = (uint8_t)i;
		assert_int_equal(f->a.len[i], len);
		assert_memory_equal(f->a.frame[i], frame, len);
		assert_memory_equal(f->b.frame[i], frame, len);
	}
}

static void what_leaves_is_complete(void **state)
{
	struct fixture *f = *state;
	size_t len = make_frame(frame, false, 6, 4000, 9);

	join(f, "");
	until_joined(f);
	guest_send(&f->a, frame, len, needs_csum(false, 6, NET_GSO_TCP4, 1460));
	wait_for(&f->b, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(frame_is_good(f->b.frame[i], f->b.len[i]));
	assert_int_equal(f->b.len[0], 1514);
}

/* Nothing is lost, and the order stays, when a guest is slow; the other is told to wait. */
static void a_slow_guest_gets_all(void **state)
{
	struct fixture *f = *state;
	size_t len = make_frame(frame, false, 17, 1400, 0);
	unsigned sent = 0, refused_once = 0;

	join(f, "");
	until_joined(f);
	f->b.room = 0;
	while (sent < 3000) {
		put_be(frame + 60, sent, 4);
		events_deliver(f->a.events);
		if (f->a.may_send && guest_send(&f->a, frame, len, none)) {
			sent++;
			continue;
		}
		f->a.may_send = false;
		refused_once++;
		net_lock(f->b.net);
		f->b.room += 10;
		net_room(f->b.net);
		net_unlock(f->b.net);
		events_deliver(f->b.events);
		sched_yield();
	}
	while (f->b.n < 3000) {
		net_lock(f->b.net);
		f->b.room = 100;
		net_room(f->b.net);
		net_unlock(f->b.net);
		events_deliver(f->b.events);
		sched_yield();
	}
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(get_be(f->b.frame[i] + 60, 4), i);
	assert_true(refused_once);
}

static void who_leaves_may_come_back(void **state)
{
	struct fixture *f = *state;
	char spec[200];

	join(f, "");
	until_joined(f);
	halt(f);
	guest_close(&f->a);
	snprintf(spec, sizeof spec, "unix:%s,listen", f->path);
	guest_open(f, &f->a, spec);
	go(f);
	until_joined(f);
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void the_stream_is_qemus(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[200] = { 0, 0, 0, 60 };
	char spec[200];
	int fd;

	snprintf(spec, sizeof spec, "unix:%s,listen", f->path);
	guest_open(f, &f->a, spec);
	go(f);
	fd = connect_to(f->path);
	make_frame(bytes + 4, false, 17, 18, 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(write(fd, bytes + i, 1), 1);
	wait_for(&f->a, 1);
	assert_int_equal(f->a.len[0], 60);
	assert_memory_equal(f->a.frame[0], bytes + 4, 60);
	guest_send(&f->a, bytes + 4, 60, none);
	assert_int_equal(recv(fd, bytes + 100, 64, MSG_WAITALL), 64);
	assert_memory_equal(bytes, bytes + 100, 64);
	/* More than a frame can be: this is something else. */
	assert_int_equal(write(fd, "\xff\xff\xff\xff", 4), 4);
	assert_int_equal(recv(fd, bytes, 1, 0), 0);
	close(fd);
	fd = connect_to(f->path);
	close(fd);
}

/* Any bytes, in pieces of any size: the sanitizers look on. */
static void any_stream_survives(void **state)
{
	struct fixture *f = *state;
	const char *rounds = getenv("LODGE_ROUNDS");
	uint64_t seed = random_seed();
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 100;
	uint8_t bytes[8192];
	char spec[200];

	print_message("# LODGE_SEED=%llu\n", (unsigned long long)seed);
	seed = seed * 0x9e3779b97f4a7c15 | 1;
	snprintf(spec, sizeof spec, "unix:%s,listen", f->path);
	guest_open(f, &f->a, spec);
	go(f);
	for (unsigned i = 0; i < n; i++) {
		int fd = connect_to(f->path);

		for (unsigned j = 0; j < 20; j++) {
			size_t len = random_shift(&seed) % sizeof bytes, at = 0;

			memset(bytes, (int)(random_shift(&seed) & 1), sizeof bytes);
			for (; at + 4 < len; at += 4 + (bytes[at + 2] << 8 | bytes[at + 3]))
				put_be(bytes + at,
				    random_shift(&seed) % 64
					? (uint32_t)(random_shift(&seed) % 1600)
					: (uint32_t)random_shift(&seed),
				    4);
			if (send(fd, bytes, len, MSG_NOSIGNAL) < 0)
				break;
			events_deliver(f->a.events);
			f->a.room = KEEP;
			guest_clear(&f->a);
		}
		close(fd);
	}
}

/* A dump ----------------------------------------------------------------------------------------
 */

static void a_dump_has_both_directions(void **state)
{
	struct fixture *f = *state;
	struct buf b = { 0 };
	char more[100];
	size_t len = make_frame(frame, false, 17, 100, 0), at = 24, n = 0, out = 0;

	snprintf(more, sizeof more, ",dump=%s", f->dump);
	join(f, more);
	until_joined(f);
	guest_send(&f->a, frame, len, none);
	wait_for(&f->b, 1);
	frame[50] = 0x77;
	guest_send(&f->b, frame, len, none);
	wait_for(&f->a, 1);
	halt(f);
	guest_close(&f->b);
	assert_int_equal(buf_read_file(&b, f->dump, 1 << 24, NULL), 0);
	assert_int_equal(get_le(b.data, 4), 0xa1b23c4d);
	assert_int_equal(get_le(b.data + 20, 4), 1);
	for (; at < b.len; at += 16 + get_le(b.data + at + 8, 4), n++) {
		assert_true(
		    get_le(b.data + at, 4) > 1700000000 && get_le(b.data + at + 4, 4) < 1000000000);
		assert_int_equal(get_le(b.data + at + 8, 4), get_le(b.data + at + 12, 4));
		out += get_le(b.data + at + 8, 4) == len && b.data[at + 16 + 50] == 0x77;
	}
	assert_int_equal(at, b.len);
	assert_true(n >= 4);
	assert_int_equal(out, 1);
	buf_free(&b);
}

/* The user network ------------------------------------------------------------------------------
 */

static void the_router_answers(void **state)
{
	struct fixture *f = *state;
	static const uint8_t ask[42] = { 255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 1, 2, 3, 8, 6,
		0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 1, 2, 3, 10, 9, 8, 15, 0, 0, 0, 0, 0, 0, 10,
		9, 8, 2 };
	unsigned i = 0;

	if (!net_has_class("user"))
		skip();
	guest_open(f, &f->a, "user,net=10.9.8.0/24,ipv6=off");
	go(f);
	guest_send(&f->a, ask, sizeof ask, none);
	do
		wait_for(&f->a, i + 1);
	while (get_be(f->a.frame[i++] + 12, 2) != 0x0806);
	assert_int_equal(get_be(f->a.frame[i - 1] + 20, 2), 2);
	assert_memory_equal(f->a.frame[i - 1] + 28, ask + 38, 4);
}

/* A SYN of the guest to a port of the host where nobody listens: RST, with good checksums. */
static void connections_are_refused(void **state)
{
	struct fixture *f = *state;
	size_t len = make_frame(frame, false, 6, 0, 7);
	const uint8_t *got;
	unsigned i = 0;

	if (!net_has_class("user"))
		skip();
	guest_open(f, &f->a, "user,ipv6=off");
	go(f);
	put_be(frame + 36, 1, 2);
	frame[47] = 2;
	guest_send(&f->a, frame, len, needs_csum(false, 6, 0, 0));
	/* It asks for our address first. */
	do {
		wait_for(&f->a, i + 1);
		got = f->a.frame[i++];
		if (get_be(got + 12, 2) == 0x0806 && get_be(got + 20, 2) == 1) {
			uint8_t answer[42];

			memcpy(answer, got, 42);
			answer[21] = 2;
			memcpy(answer + 32, got + 22, 10);
			memcpy(answer + 22, "\x52\x54\0\1\2\3\x0a\0\2\x0f", 10);
			guest_send(&f->a, answer, 42, none);
		}
	} while (get_be(got + 12, 2) != 0x0800 || got[23] != 6);
	assert_true(got[47] & 4);
	assert_true(frame_is_good(got, f->a.len[i - 1] < 60 ? f->a.len[i - 1] : 54));
	assert_int_equal(f->a.o[i - 1].flags, NET_CSUM_GOOD);
}

static void ports_in_use_are_refused(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	struct net_place place = { NULL, 0 };
	struct events *ev = events_new();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct err e = { "" };
	char spec[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(spec, sizeof spec, "user,fwd=tcp:%u:22", ntohs(a.sin_port));
	assert_null(net_open(spec, &place, f->loop, ev, &e));
	assert_non_null(
	    strstr(e.text, net_has_class("user") ? "cannot listen at 127.0.0.1 port" : "libslirp"));
	close(fd);
	events_free(ev);
}

/* Only in a recording that somebody made up frames end so. */
static void frames_that_end_with_their_block_are_dropped(void **state)
{
	enum { RECORD = 16, FRAME = 61, FILLED = 64 };
	struct fixture *f = *state;
	uint8_t block[RECORD + FILLED] = { 0 };
	char spec[80];

	snprintf(spec, sizeof spec, "unix:%s,listen", f->path);
	guest_open(f, &f->a, spec);
	assert_string_equal(events_source_name(f->a.events, 0), "net");
	put_le(block, FRAME, 4);
	events_post(f->a.events, 0, block, RECORD + FRAME);
	events_deliver(f->a.events);
	assert_int_equal(f->a.n, 0);
	events_post(f->a.events, 0, block, RECORD + FILLED);
	events_deliver(f->a.events);
	assert_int_equal(f->a.n, 1);
	assert_int_equal(f->a.len[0], FRAME);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_wrong_is_said),
		TEST(forwards_are_read),
		TEST(addresses_differ_and_stay),
		TEST(frames_go_both_ways),
		TEST(what_leaves_is_complete),
		TEST(a_slow_guest_gets_all),
		TEST(who_leaves_may_come_back),
		TEST(the_stream_is_qemus),
		TEST(any_stream_survives),
		TEST(a_dump_has_both_directions),
		TEST(the_router_answers),
		TEST(connections_are_refused),
		TEST(ports_in_use_are_refused),
		TEST(frames_that_end_with_their_block_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
