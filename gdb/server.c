/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets, the thread, and the debugger's connection.  Source: Debugging with GDB (13.1), E.1, E.9
 * (acknowledgments), E.7 (interrupts).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "gdb/gdb_int.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* How often, and how long, for a machine that is about to begin to run. */
enum { TRIES = 500 };
static const struct timespec A_WHILE = { 0, 10000000 };

/* The machine ---------------------------------------------------------------------------------- */

struct rest_fn {
	struct gdb *g;
	void (*fn)(struct gdb *);
};

static void at_rest(void *arg)
{
	struct rest_fn *r = arg;

	r->fn(r->g);
}

bool gdb_at_rest(struct gdb *g, void (*fn)(struct gdb *))
{
	struct rest_fn r = { g, fn };

	for (unsigned i = 0; i < TRIES && !atomic_load(&g->over); i++) {
		if (machine_at_rest(g->machine, at_rest, &r)) {
			g->ran = true;
			return true;
		}
		if (g->ran)
			break;
		nanosleep(&A_WHILE, NULL);
	}
	return false;
}

static void flush(struct gdb *);

static void look(void *arg)
{
	struct gdb *g = arg;

	gdb_look(g);
	flush(g);
}

static void go_on(void *arg)
{
	struct gdb *g = arg;

	gdb_go_on(g);
	flush(g);
}

/* Without memory for it nobody is told, until the debugger interrupts. */
void gdb_post_look(struct gdb *g)
{
	loop_post(g->loop, look, g);
}

void gdb_post_go_on(struct gdb *g)
{
	loop_post(g->loop, go_on, g);
}

static void others_ran(void *arg)
{
	struct gdb *g = arg;

	gdb_waited(g);
	flush(g);
}

void gdb_wait(struct gdb *g, uint64_t ns)
{
	loop_timer_set(&g->others, os_clock_ns() + ns);
}

static void on_hit(void *arg, unsigned cpu, const struct exit *x)
{
	struct gdb *g = arg;

	mutex_lock(&g->lock);
	g->hit[cpu].set = true;
	g->hit[cpu].exit = *x;
	mutex_unlock(&g->lock);
	gdb_post_look(g);
}

static void on_paused(void *arg)
{
	struct gdb *g = arg;

	mutex_lock(&g->lock);
	g->paused = true;
	mutex_unlock(&g->lock);
	gdb_post_look(g);
}

/* Answers -------------------------------------------------------------------------------------- */

static void keep(struct gdb *g, size_t from)
{
	g->last.len = 0;
	if (!g->no_ack)
		buf_put(&g->last, g->out.data + from, g->out.len - from);
}

void gdb_answer(struct gdb *g, const char *fmt, ...)
{
	const size_t from = g->out.len;
	char text[512];
	char *more = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if ((size_t)n >= sizeof text) {
		more = malloc((size_t)n + 1);
		if (!more)
			return;
		va_start(ap, fmt);
		vsnprintf(more, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	gdb_put_text(&g->out, more ? more : text, (size_t)n);
	keep(g, from);
	free(more);
}

void gdb_answer_bytes(struct gdb *g, const void *bytes, size_t n)
{
	const size_t from = g->out.len;
	struct buf b = { 0 };

	gdb_put_hex(&b, bytes, n);
	gdb_put_text(&g->out, b.data, b.len);
	keep(g, from);
	buf_free(&b);
}

void gdb_answer_binary(struct gdb *g, const void *bytes, size_t n)
{
	const size_t from = g->out.len;

	gdb_put_binary(&g->out, bytes, n);
	keep(g, from);
}

void gdb_ok(struct gdb *g)
{
	gdb_answer(g, "OK");
}

void gdb_refuse(struct gdb *g, int error)
{
	gdb_answer(g, "E%02x", (unsigned)error & 0xff);
}

/* The connection ------------------------------------------------------------------------------- */

static void leave(struct gdb *g)
{
	gdb_detach(g, false);
}

static void hang_up(struct gdb *g)
{
	if (g->fd < 0)
		return;
	loop_remove(g->io);
	close(g->fd);
	g->fd = -1;
	buf_free(&g->out);
	buf_free(&g->last);
	buf_free(&g->heard);
	buf_free(&g->xml);
	if (!g->attached)
		return;
	if (machine_is_paused(g->machine))
		log_info(g->host.log, "gdb: the debugger has gone, and left the guest standing");
	if (!gdb_at_rest(g, leave))
		g->attached = false;
}

/* What does not go at once goes when the socket has room. */
static void flush(struct gdb *g)
{
	size_t at = 0;
	ssize_t n;

	if (g->fd < 0)
		return;
	while (at < g->out.len) {
		n = send(g->fd, g->out.data + at, g->out.len - at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0 || g->out.failed) {
			hang_up(g);
			return;
		}
		at += (size_t)n;
	}
	g->out.len -= at;
	if (g->out.len)
		memmove(g->out.data, g->out.data + at, g->out.len);
	if (g->hang_up && !g->out.len)
		hang_up(g);
	else
		loop_change(g->io, g->out.len ? OS_POLL_IN | OS_POLL_OUT : OS_POLL_IN);
}

static void answer_packet(struct gdb *g)
{
	if (!gdb_at_rest(g, gdb_packet))
		gdb_refuse(g, ESRCH);
}

/*
 * A debugger says again what was not acknowledged for some seconds (E.9): on a busy host also
 * before we were there to hear it, and then there is one acknowledgment and one answer for all of
 * them.
 */
static bool is_repeated(struct gdb *g)
{
	if (g->heard.len == g->in.len && !memcmp(g->heard.data, g->in.data, g->in.len))
		return true;
	g->heard.len = 0;
	buf_put(&g->heard, g->in.data, g->in.len);
	return false;
}

static void take_packet(struct gdb *g)
{
	if (!g->no_ack) {
		if (is_repeated(g))
			return;
		/* At once: the answer may take a while. */
		buf_put(&g->out, "+", 1);
		flush(g);
		if (g->fd < 0)
			return;
	}
	answer_packet(g);
}

static void take(struct gdb *g, uint8_t byte)
{
	switch (gdb_read(&g->in, byte)) {
	case GDB_PACKET:
		take_packet(g);
		break;
	case GDB_DAMAGED:
		if (!g->no_ack)
			buf_put(&g->out, "-", 1);
		break;
	case GDB_NAK:
		if (!g->no_ack && g->last.len)
			buf_put(&g->out, g->last.data, g->last.len);
		break;
	case GDB_INTERRUPT:
		gdb_interrupt(g);
		break;
	case GDB_ACK:
		g->heard.len = 0;
		break;
	case GDB_NOTHING:
		break;
	}
}

static void on_debugger(void *arg, unsigned events)
{
	struct gdb *g = arg;
	uint8_t bytes[4096];
	ssize_t n;

	if (events & (OS_POLL_IN | OS_POLL_HUP)) {
		n = recv(g->fd, bytes, sizeof bytes, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			hang_up(g);
			return;
		}
		g->heard.len = 0;
		for (ssize_t i = 0; i < n && g->fd >= 0 && !g->hang_up; i++)
			take(g, bytes[i]);
	}
	flush(g);
}

/* Who comes back may be here before we have heard all that he said last, and seen him go. */
static void drop_dead(struct gdb *g)
{
	char byte;

	while (g->fd >= 0 && (recv(g->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
				 (errno != EAGAIN && errno != EWOULDBLOCK)))
		on_debugger(g, OS_POLL_IN);
}

static void greet(struct gdb *g, int fd)
{
	const int yes = 1;

	drop_dead(g);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	if (g->fd < 0)
		g->io = loop_add(g->loop, fd, OS_POLL_IN, on_debugger, g, NULL);
	if (g->fd >= 0 || !g->io) { /* one at a time */
		close(fd);
		return;
	}
	g->fd = fd;
	g->in.state = GDB_OUTSIDE;
	g->no_ack = g->swbreak = g->hwbreak = g->multiprocess = false;
	g->physical = g->hang_up = false;
	g->layout = g->arch->layout;
	g->wanted = NULL;
	g->fitting = false;
	gdb_attach(g);
}

static void on_knock(void *arg, unsigned events)
{
	struct gdb_door *d = arg;
	int fd = accept(d->fd, NULL, NULL);

	(void)events;
	if (fd >= 0)
		greet(d->gdb, fd);
}

/* Doors ---------------------------------------------------------------------------------------- */

/* On our own thread, or before there is one. */
static struct gdb_door *add_door(struct gdb *g, int fd, struct err *e)
{
	for (struct gdb_door *d = g->door; d < g->door + GDB_DOORS; d++) {
		if (d->fd >= 0)
			continue;
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		d->io = loop_add(g->loop, fd, OS_POLL_IN, on_knock, d, e);
		if (!d->io)
			return NULL;
		d->fd = fd;
		return d;
	}
	err_set(e, ENOSPC, "gdb: it listens at %d places, which is enough", GDB_DOORS);
	return NULL;
}

static void close_doors(struct gdb *g)
{
	for (struct gdb_door *d = g->door; d < g->door + GDB_DOORS; d++) {
		if (d->io)
			loop_remove(d->io);
		if (d->local.fd >= 0)
			listener_close(&d->local);
		else if (d->fd >= 0)
			close(d->fd);
	}
}

static int listen_unix(struct gdb *g, const char *path, struct err *e)
{
	struct gdb_door *d;
	struct listener l;
	int rc = listener_open(&l, path, e);

	if (rc < 0)
		return rc;
	d = add_door(g, l.fd, e);
	if (d)
		d->local = l;
	else
		listener_close(&l);
	return d ? 0 : -ENOMEM;
}

static int listen_inet(struct gdb *g, const char *where, struct err *e)
{
	int fd = listen_tcp(where, e);

	if (fd < 0)
		return fd;
	if (add_door(g, fd, e))
		return 0;
	close(fd);
	return -ENOMEM;
}

int gdb_listen(struct gdb *g, const char *where, struct err *e)
{
	if (!strncmp(where, "unix:", 5))
		return listen_unix(g, where + 5, e);
	return listen_inet(g, where, e);
}

/* Life ----------------------------------------------------------------------------------------- */

struct gdb *gdb_new(struct machine *m, const struct gdb_host *host, struct err *e)
{
	const struct gdb_arch *arch = gdb_arch_find(m->class->arch);
	const size_t size = m->engine_env.cpu->regs_size;
	struct gdb *g;

	if (machine_debug_check(m, e))
		return NULL;
	if (!arch) {
		err_set(e, ENOTSUP, "gdb: it does not know CPU %s", m->class->arch);
		return NULL;
	}
	g = calloc(1, sizeof *g);
	if (!g) {
		err_set(e, ENOMEM, "gdb: no memory");
		return NULL;
	}
	g->machine = m;
	g->host = *host;
	g->arch = arch;
	g->layout = arch->layout;
	g->fd = g->regs_cpu = -1;
	g->debugger = (struct machine_debugger){ gdb_wants, on_hit, on_paused, g };
	mutex_init(&g->lock);
	for (unsigned i = 0; i < GDB_DOORS; i++) {
		g->door[i].fd = g->door[i].local.fd = -1;
		g->door[i].gdb = g;
	}
	g->regs = calloc(1, size);
	g->eval = calloc(m->ncpus, size);
	g->loop = g->regs && g->eval ? loop_new(e) : NULL;
	if (!g->loop) {
		gdb_free(g);
		return NULL;
	}
	loop_timer_init(&g->others, g->loop, others_ran, g);
	return g;
}

static void *serve(void *arg)
{
	struct gdb *g = arg;

	loop_run(g->loop);
	return NULL;
}

int gdb_start(struct gdb *g, struct err *e)
{
	int rc = g->started ? 0 : thread_start(&g->thread, "lodge-gdb", serve, g);

	if (rc)
		return err_set(e, -rc, "cannot start a thread: %s", strerror(-rc));
	g->started = true;
	return 0;
}

struct passed {
	struct gdb *g;
	int fd;
};

/* A socket that listens, or a connection. */
static void take_fd(void *arg)
{
	struct passed *f = arg;
	socklen_t len = sizeof(int);
	int listens = 0;

	getsockopt(f->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	if (!listens)
		greet(f->g, f->fd);
	else if (!add_door(f->g, f->fd, NULL))
		close(f->fd);
	free(f);
}

int gdb_listen_fd(struct gdb *g, int fd, struct err *e)
{
	struct passed *f = malloc(sizeof *f);
	int rc = f ? gdb_start(g, e) : err_set(e, ENOMEM, "gdb: no memory");

	if (!rc) {
		*f = (struct passed){ g, fd };
		rc = loop_post(g->loop, take_fd, f);
	}
	if (rc) {
		free(f);
		close(fd);
	}
	return rc;
}

void gdb_free(struct gdb *g)
{
	if (!g)
		return;
	atomic_store(&g->over, true);
	if (g->started) {
		loop_stop(g->loop);
		thread_join(&g->thread);
	}
	machine_debug_attach(g->machine, NULL);
	if (g->fd >= 0) {
		if (g->attached)
			gdb_answer(g, "W00");
		g->attached = false;
		flush(g);
		hang_up(g);
	}
	close_doors(g);
	while (g->npoints)
		gdb_forget_points(g);
	if (g->loop)
		loop_free(g->loop);
	buf_free(&g->out);
	buf_free(&g->last);
	buf_free(&g->heard);
	buf_free(&g->xml);
	free(g->regs);
	free(g->eval);
	mutex_fini(&g->lock);
	free(g->bookmark);
	free(g);
}
