/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of an NBD server (host/image/nbd.c) for libFuzzer: make fuzz-nbd.  The library libnbd
 * reads them, and is not instrumented: what this looks for is what we make of what it says.
 * Protocol: github.com/NetworkBlockDevice/nbd, doc/proto.md.
 */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/iov.h"
#include "host/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { OPT_GO = 7, OPT_STRUCTURED = 8, OPT_SET_META = 10, OPT_INFO = 6 };
enum { REP_ACK = 1, REP_INFO = 3, REP_META = 4 };
enum { INFO_EXPORT = 0, INFO_BLOCKS = 3 };
enum { CMD_READ = 0, CMD_WRITE = 1, CMD_DISC = 2, CMD_STATUS = 7 };
enum { CHUNK_NONE = 0, CHUNK_DATA = 1, CHUNK_HOLE = 2, CHUNK_STATUS = 5, CHUNK_ERROR = 0x8001 };
enum { DONE = 1, CONTEXT = 1, BLOCK = 512, OPS = 12, OP = 5, SIZE = 1 << 20 };

/* What the server has still to say; when it is empty connections end.  The server's thread reads it
 * while one is there, the other one writes it while none is (quiesce). */
struct server {
	int fd;
	struct sockaddr_un at;
	char uri[160];
	const uint8_t *data;
	size_t len;
	bool structured, lied;
};

struct request {
	uint64_t cookie, offset;
	uint32_t len;
	uint16_t type;
};

static uint8_t next(struct server *s)
{
	if (!s->len)
		return 0;
	s->len--;
	return *s->data++;
}

static uint64_t number(struct server *s, unsigned bytes)
{
	uint8_t n[8];

	for (unsigned i = 0; i < bytes; i++)
		n[i] = next(s);
	return get_be(n, bytes);
}

/* Most bytes mean that it is right. */
static bool errs(struct server *s)
{
	return next(s) >= 0xd0;
}

/* The same of what may have the client wait for more: then nothing is waited for here. */
static bool lies(struct server *s)
{
	const bool does = errs(s);

	s->lied |= does;
	return does;
}

static bool say(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = send(fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool hear(int fd, void *to, size_t len)
{
	uint8_t *at = to;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = recv(fd, at, len, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool skip(int fd, uint64_t len)
{
	uint8_t drop[4096];
	size_t n;

	for (; len; len -= n) {
		n = len < sizeof drop ? len : sizeof drop;
		if (!hear(fd, drop, n))
			return false;
	}
	return true;
}

/* As they come, up to the end of a connection. */
static void say_anything(struct server *s, int fd)
{
	say(fd, s->data, s->len);
	s->len = 0;
}

/* Options -------------------------------------------------------------------------------------- */

static bool reply(
    struct server *s, int fd, uint32_t option, uint32_t type, const void *data, uint32_t len)
{
	uint8_t head[20];

	put_be(head, 0x3e889045565a9, 8);
	put_be(head + 8, option, 4);
	put_be(head + 12, lies(s) ? number(s, 4) : type, 4);
	put_be(head + 16, lies(s) ? number(s, 2) : len, 4);
	return say(fd, head, sizeof head) && (!len || say(fd, data, len)) && !s->lied;
}

static uint64_t a_size(struct server *s)
{
	switch (next(s) >> 5) {
	case 0:
		return number(s, 8);
	case 1:
		return INT64_MAX - 511;
	case 2:
		return number(s, 4);
	case 3:
		return number(s, 2) * BLOCK;
	default:
		return SIZE;
	}
}

static bool tell_export(struct server *s, int fd, uint32_t option)
{
	uint8_t info[14];

	put_be(info, INFO_EXPORT, 2);
	put_be(info + 2, a_size(s), 8);
	put_be(info + 10, number(s, 2) | 1, 2);
	if (!reply(s, fd, option, REP_INFO, info, 12))
		return false;
	if (next(s) & 1)
		return true;
	put_be(info, INFO_BLOCKS, 2);
	put_be(info + 2, errs(s) ? number(s, 4) : 1, 4);
	put_be(info + 6, errs(s) ? number(s, 4) : 4096, 4);
	put_be(info + 10, errs(s) ? number(s, 4) : 1 << 25, 4);
	return reply(s, fd, option, REP_INFO, info, 14);
}

static bool tell_context(struct server *s, int fd)
{
	uint8_t context[4 + 15];

	put_be(context, CONTEXT, 4);
	memcpy(context + 4, "base:allocation", 15);
	return reply(s, fd, OPT_SET_META, REP_META, context, sizeof context);
}

/* false: the connection is over. */
static bool answer_option(struct server *s, int fd, bool *go)
{
	uint8_t head[16];
	uint32_t option;
	bool ok = true;

	if (!hear(fd, head, sizeof head) || !skip(fd, get_be(head + 12, 4)))
		return false;
	option = (uint32_t)get_be(head + 8, 4);
	if (option == OPT_GO || option == OPT_INFO)
		ok = tell_export(s, fd, option);
	else if (option == OPT_SET_META)
		ok = tell_context(s, fd);
	else if (option != OPT_STRUCTURED)
		return reply(s, fd, option, 1u << 31 | 1, NULL, 0);
	*go = option == OPT_GO;
	s->structured |= option == OPT_STRUCTURED;
	return ok && reply(s, fd, option, REP_ACK, NULL, 0);
}

static bool shake_hands(struct server *s, int fd)
{
	uint8_t hello[18], flags[4];
	bool go = false;

	put_be(hello, 0x4e42444d41474943, 8);
	put_be(hello + 8, 0x49484156454f5054, 8);
	put_be(hello + 16, 3, 2);
	s->structured = false;
	if (!say(fd, hello, sizeof hello) || !hear(fd, flags, sizeof flags))
		return false;
	while (s->len && !go)
		if (!answer_option(s, fd, &go))
			return false;
	return go;
}

/* Commands ------------------------------------------------------------------------------------- */

static bool answer_simply(struct server *s, int fd, const struct request *r)
{
	uint8_t head[16], *data = calloc(1, r->len + 1);
	const uint32_t error = errs(s) ? 5 : 0;
	bool ok;

	put_be(head, 0x67446698, 4);
	put_be(head + 4, error, 4);
	put_be(head + 8, lies(s) ? number(s, 8) : r->cookie, 8);
	ok = data && say(fd, head, sizeof head) &&
	     (error || r->type != CMD_READ || say(fd, data, r->len));
	free(data);
	return ok && !s->lied;
}

static uint16_t chunk_type(struct server *s, const struct request *r)
{
	const uint8_t b = next(s);

	if (b >= 0xf0)
		return (uint16_t)number(s, 2);
	if (b >= 0xe0)
		return CHUNK_ERROR;
	if (b >= 0xd0)
		return CHUNK_NONE;
	if (r->type == CMD_STATUS)
		return CHUNK_STATUS;
	if (r->type == CMD_READ)
		return b & 1 ? CHUNK_HOLE : CHUNK_DATA;
	return CHUNK_NONE;
}

/* What is behind the head of a chunk; r->len + 100 bytes are enough. */
static uint32_t chunk(struct server *s, const struct request *r, uint16_t type, uint8_t *to)
{
	const uint64_t at = errs(s) ? number(s, 8) : r->offset;
	uint32_t n;

	switch (type) {
	case CHUNK_DATA:
		put_be(to, at, 8);
		return 8 + (lies(s) ? (uint32_t)number(s, 4) % (r->len + 1) : r->len);
	case CHUNK_HOLE:
		put_be(to, at, 8);
		put_be(to + 8, lies(s) ? number(s, 4) : r->len, 4);
		return 12;
	case CHUNK_STATUS:
		put_be(to, errs(s) ? number(s, 4) : CONTEXT, 4);
		n = next(s) % 4;
		for (unsigned i = 0; i <= n; i++) {
			put_be(to + 4 + 8 * i, number(s, 4), 4);
			put_be(to + 8 + 8 * i, next(s), 4);
		}
		return 4 + 8 * (n + 1);
	case CHUNK_ERROR:
		put_be(to, number(s, 2), 4);
		put_be(to + 4, next(s) % 16, 2);
		return 6 + to[5];
	default:
		return next(s) % 16;
	}
}

static bool answer_in_chunks(struct server *s, int fd, const struct request *r)
{
	uint8_t head[20], *data = calloc(1, r->len + 100);
	bool ok = data, done = false;
	uint16_t type;
	uint32_t len;

	while (ok && !done && s->len) {
		type = chunk_type(s, r);
		len = chunk(s, r, type, data);
		done = !errs(s);
		put_be(head, 0x668e33ef, 4);
		put_be(head + 4, done ? DONE : 0, 2);
		put_be(head + 6, type, 2);
		put_be(head + 8, lies(s) ? number(s, 8) : r->cookie, 8);
		put_be(head + 16, lies(s) ? number(s, 4) : len, 4);
		ok = say(fd, head, sizeof head) && say(fd, data, len);
	}
	free(data);
	return ok && done && !s->lied;
}

static bool answer_command(struct server *s, int fd)
{
	uint8_t head[28];
	struct request r;

	if (!hear(fd, head, sizeof head))
		return false;
	r = (struct request){
		.type = (uint16_t)get_be(head + 6, 2),
		.cookie = get_be(head + 8, 8),
		.offset = get_be(head + 16, 8),
		.len = (uint32_t)get_be(head + 24, 4),
	};
	if (r.type == CMD_DISC || (r.type == CMD_WRITE && !skip(fd, r.len)))
		return false;
	if (r.type != CMD_READ)
		r.len = 0;
	s->lied = errs(s);
	if (s->lied)
		return false;
	return s->structured && !errs(s) ? answer_in_chunks(s, fd, &r) : answer_simply(s, fd, &r);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd;

	for (;;) {
		fd = accept(s->fd, NULL, NULL);
		assert(fd >= 0);
		s->lied = s->len && next(s) >= 0xf8;
		if (s->len && !s->lied && shake_hands(s, fd))
			while (s->len && answer_command(s, fd))
				;
		if (s->lied)
			say_anything(s, fd);
		close(fd);
	}
	return NULL;
}

/* The other side ------------------------------------------------------------------------------- */

static struct server *server_new(void)
{
	struct server *s = calloc(1, sizeof *s);
	pthread_t thread;

	assert(s);
	signal(SIGPIPE, SIG_IGN);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s->at.sun_family = AF_UNIX;
	snprintf(s->at.sun_path, sizeof s->at.sun_path, "/tmp/lodge-nbd-fuzz.%d", (int)getpid());
	snprintf(s->uri, sizeof s->uri, "nbd+unix:///?socket=%s", s->at.sun_path);
	unlink(s->at.sun_path);
	assert(!bind(s->fd, (struct sockaddr *)&s->at, sizeof s->at) && !listen(s->fd, 16));
	assert(!pthread_create(&thread, NULL, serve, s));
	return s;
}

static struct server *the_server;

static void take_socket_away(void)
{
	unlink(the_server->at.sun_path);
}

/* Connections are served in their order, so when this one has ended none is left. */
static void quiesce(struct server *s)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;

	assert(fd >= 0 && !connect(fd, (struct sockaddr *)&s->at, sizeof s->at));
	shutdown(fd, SHUT_WR);
	while (recv(fd, &byte, 1, 0) > 0)
		;
	close(fd);
}

/* Memory of exactly that size, in two pieces of which one may be empty. */
static void move(struct image *i, bool write, uint64_t off, uint32_t len, uint32_t first)
{
	struct iovec iov[2] = { { malloc(first), first }, { malloc(len - first), len - first } };
	int rc;

	assert(iov[0].iov_base && iov[1].iov_base);
	iov_clear(iov, 2, 0, len);
	rc = write ? image_write(i, iov, 2, off, len) : image_read(i, iov, 2, off, len);
	(void)rc;
	free(iov[0].iov_base);
	free(iov[1].iov_base);
}

static void look(struct image *i, uint64_t off, uint64_t len)
{
	const uint64_t asked = len;
	int kind = image_kind(i, off, &len);

	assert(kind < 0 || (kind <= IMAGE_HOLE && len <= asked && (len || !asked)));
}

static void do_op(struct image *i, const uint8_t *op)
{
	const uint64_t blocks = i->size / BLOCK, off = get_le(op + 1, 2) % blocks * BLOCK;
	const uint64_t left = i->size - off;
	uint32_t len = (op[3] + 1u) * BLOCK;

	len = len < left ? len : (uint32_t)left;
	switch (op[0] % 8) {
	case 0:
	case 1:
		move(i, op[0] % 8, off, len, op[4] % 4 * (len / 4));
		break;
	case 2:
		image_zero(i, off, op[4] & 1 ? left : len, op[4] & 2);
		break;
	case 3:
		image_discard(i, off, op[4] & 1 ? left : len);
		break;
	case 4:
		image_flush(i);
		break;
	case 5:
		look(i, off, op[4] & 1 ? left : len);
		break;
	case 6: /* the end, which is far away in some */
		move(i, op[4] & 1, i->size - BLOCK, BLOCK, 0);
		break;
	case 7:
		look(i, i->size - BLOCK, BLOCK);
		break;
	}
}

/* The first byte: read-only, and how much of the input is what is done with the disk. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct server *s = the_server;
	struct image *i;
	struct err e;
	size_t n;

	if (!s) {
		s = the_server = server_new();
		atexit(take_socket_away);
	}
	if (len < 8)
		return 0;
	n = (data[0] & 127) % OPS * OP;
	n = n < len - 1 ? n : 0;
	s->data = data + 1 + n;
	s->len = len - 1 - n;
	i = image_open(s->uri, &(struct image_options){ .readonly = data[0] & 128 }, &e);
	if (i)
		assert(i->size && i->size % BLOCK == 0 && i->size <= INT64_MAX);
	for (size_t at = 0; i && at + OP <= n; at += OP)
		do_op(i, data + 1 + at);
	image_close(i);
	s->len = 0;
	quiesce(s);
	return 0;
}
