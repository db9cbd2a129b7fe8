/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server.  Source: QEMU Machine Protocol Specification (8.2), sections 2.2 to 2.4.
 * Left out: out-of-band execution.  A value that is too long or too deep ends the connection, since
 * nobody knows where it ends.
 */
#include "mon/mon.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/os.h"
#include "host/listen.h"
#include "mon/command.h"
#include "mon/fdset.h"
#include "mon/frame.h"

enum { OUT_MAX = 1 << 20 }; /* what a client may leave unread */
/* Resets are told at most so often: a guest that does nothing else would fill clients with them,
 * and this thread would come to nothing else. */
enum { RESET_NS = 10000000 };

struct client {
	struct client *next;
	struct mon *mon;
	int fd;
	int passed; /* a descriptor that came with the last bytes, or -1 */
	struct loop_io *io;
	struct frame frame;
	struct buf out;
	bool negotiated;
	bool over; /* nothing more is read from it: it goes when all is written */
};

struct mon {
	struct loop *loop;
	struct machine *machine;
	struct mon_host host;
	struct listener listener;
	struct loop_io *io;
	struct client *clients;
	unsigned nclients;
	struct client *current; /* whose command is done now */
	unsigned buttons;       /* of the mouse */
	uint64_t began;         /* os_clock_ns */
	atomic_bool reset;      /* by the guest, and not told yet: on_guest_reset is to come */
	uint64_t reset_told;    /* when that was, os_clock_ns */
	struct loop_timer reset_timer;
	struct fdsets fdsets;
	bool sandboxed;
};

struct loop *mon_loop(struct mon *m)
{
	return m->loop;
}

struct machine *mon_machine(struct mon *m)
{
	return m->machine;
}

const struct mon_host *mon_host(struct mon *m)
{
	return &m->host;
}

unsigned *mon_buttons(struct mon *m)
{
	return &m->buttons;
}

struct fdsets *mon_fdsets(struct mon *m)
{
	return &m->fdsets;
}

bool mon_is_sandboxed(struct mon *m)
{
	return m->sandboxed;
}

void mon_set_sandboxed(struct mon *m)
{
	if (m)
		m->sandboxed = true;
}

uint64_t mon_age_ns(struct mon *m)
{
	return os_clock_ns() - m->began;
}

int mon_take_fd(struct mon *m)
{
	int fd = m->current ? m->current->passed : -1;

	if (fd >= 0)
		m->current->passed = -1;
	return fd;
}

json_t *mon_version(struct mon *m)
{
	int major = 0, minor = 0;
	char package[40];

	sscanf(m->host.version, "%d.%d", &major, &minor);
	snprintf(package, sizeof package, "lodge %s", m->host.version);
	return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "micro", 0, "minor", minor, "major",
	    major, "package", package);
}

/* What goes out ------------------------------------------------------------------------------ */

/* Takes v. */
static void put_json(struct client *c, json_t *v)
{
	char *text = v ? json_dumps(v, 0) : NULL;

	if (!text || c->out.len > OUT_MAX)
		c->out.failed = 1;
	else
		buf_printf(&c->out, "%s\r\n", text);
	free(text);
	json_decref(v);
}

static void put_error(struct client *c, const char *class, const char *text, json_t *id)
{
	json_t *v = json_pack("{s:{s:s, s:s}}", "error", "class", class, "desc", text);

	if (id)
		json_object_set(v, "id", id);
	put_json(c, v);
}

void mon_event(struct mon *m, const char *name, json_t *data)
{
	const uint64_t us = os_wall_ns() / 1000;
	json_t *v = json_pack("{s:s, s:{s:I, s:I}}", "event", name, "timestamp", "seconds",
	    (json_int_t)(us / 1000000), "microseconds", (json_int_t)(us % 1000000));

	if (data)
		json_object_set_new(v, "data", data);
	for (struct client *c = m->clients; c; c = c->next)
		if (c->negotiated)
			put_json(c, json_incref(v));
	json_decref(v);
}

void mon_post(struct mon *m, void (*fn)(void *mon))
{
	loop_post(m->loop, fn, m);
}

static void drop(struct client *c)
{
	struct mon *m = c->mon;
	struct client **at = &m->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (m->nclients-- == MON_CLIENTS && m->io)
		loop_change(m->io, OS_POLL_IN);
	loop_remove(c->io);
	close(c->fd);
	if (c->passed >= 0)
		close(c->passed);
	frame_free(&c->frame);
	buf_free(&c->out);
	free(c);
}

/* Writes what it takes now; false: the client is gone. */
static bool flush(struct client *c)
{
	ssize_t n = 0;

	if (!c->out.failed && c->out.len)
		n = write(c->fd, c->out.data, c->out.len);
	if (c->out.failed || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		drop(c);
		return false;
	}
	if (n > 0) {
		c->out.len -= (size_t)n;
		memmove(c->out.data, c->out.data + n, c->out.len);
	}
	if (c->over && !c->out.len) {
		drop(c);
		return false;
	}
	loop_change(c->io, (c->over ? 0 : OS_POLL_IN) | (c->out.len ? OS_POLL_OUT : 0));
	return true;
}

void mon_flush(struct mon *m)
{
	for (struct client *c = m->clients, *next; c; c = next) {
		next = c->next;
		flush(c);
	}
}

/* What comes in ------------------------------------------------------------------------------ */

static void run_command(
    struct client *c, const struct mon_command *command, json_t *args, json_t *id)
{
	json_t *result = NULL, *answer;
	struct err e = { "" };
	int rc = mon_command_check(command, args, &e);

	c->mon->current = c;
	if (!rc)
		rc = command->run(c->mon, args, &result, &e);
	c->mon->current = NULL;
	if (rc) {
		put_error(c, "GenericError", e.text, id);
		return;
	}
	answer = json_pack("{s:o}", "return", result ? result : json_object());
	if (id)
		json_object_set(answer, "id", id);
	put_json(c, answer);
}

static void negotiate(struct client *c, json_t *id)
{
	json_t *answer = json_pack("{s:{}}", "return");

	if (id)
		json_object_set(answer, "id", id);
	c->negotiated = true;
	put_json(c, answer);
}

static void execute(struct client *c, const char *name, json_t *args, json_t *id)
{
	const bool negotiates = !strcmp(name, "qmp_capabilities");
	const struct mon_command *command = mon_command_find(name);
	char text[120];

	if (negotiates && !c->negotiated) {
		negotiate(c, id);
	} else if (!c->negotiated) {
		put_error(c, "CommandNotFound",
		    "Expecting capabilities negotiation with 'qmp_capabilities'", id);
	} else if (negotiates) {
		put_error(c, "CommandNotFound",
		    "Capabilities negotiation is already complete, command ignored", id);
	} else if (!command) {
		snprintf(text, sizeof text, "The command %.60s has not been found", name);
		put_error(c, "CommandNotFound", text, id);
	} else {
		run_command(c, command, args, id);
	}
}

static bool has_only_known_members(json_t *v, const char **unknown)
{
	json_t *value;

	json_object_foreach(v, *unknown, value) if (strcmp(*unknown, "execute") &&
						    strcmp(*unknown, "arguments") &&
						    strcmp(*unknown, "id")) return false;
	return true;
}

static void handle(struct client *c, json_t *v)
{
	json_t *name = json_object_get(v, "execute"), *args = json_object_get(v, "arguments");
	json_t *id = json_object_get(v, "id");
	const char *unknown;
	char text[120];

	if (!json_is_object(v)) {
		put_error(c, "GenericError", "QMP input must be a JSON object", NULL);
	} else if (!has_only_known_members(v, &unknown)) {
		snprintf(text, sizeof text, "QMP input member '%.40s' is unexpected", unknown);
		put_error(c, "GenericError", text, id);
	} else if (!name) {
		put_error(c, "GenericError", "QMP input lacks member 'execute'", id);
	} else if (!json_is_string(name)) {
		put_error(c, "GenericError", "QMP input member 'execute' must be a string", id);
	} else if (args && !json_is_object(args)) {
		put_error(c, "GenericError", "QMP input member 'arguments' must be an object", id);
	} else {
		execute(c, json_string_value(name), args, id);
	}
}

static void parse(struct client *c, const struct buf *text)
{
	json_error_t error;
	json_t *v = json_loadb((const char *)text->data, text->len, JSON_REJECT_DUPLICATES, &error);

	if (v)
		handle(c, v);
	else
		put_error(c, "GenericError", "JSON parse error", NULL);
	json_decref(v);
}

static void take(struct client *c, uint8_t byte)
{
	switch (frame_put(&c->frame, byte)) {
	case FRAME_MORE:
		break;
	case FRAME_VALUE:
		parse(c, &c->frame.text);
		frame_next(&c->frame);
		break;
	case FRAME_RUBBISH:
		put_error(c, "GenericError", "JSON parse error, expecting value", NULL);
		break;
	case FRAME_LOST:
		put_error(c, "GenericError", "JSON value is too long or too deep", NULL);
		c->over = true;
		break;
	}
}

static void on_client(void *arg, unsigned events)
{
	struct client *c = arg;
	struct mon *m = c->mon;
	uint8_t bytes[4096];
	ssize_t n;

	if (events & (OS_POLL_IN | OS_POLL_HUP) && !c->over) {
		n = fdsets_read(c->fd, bytes, sizeof bytes, &c->passed);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			drop(c);
			return;
		}
		for (ssize_t i = 0; i < n && !c->over && !c->out.failed; i++)
			take(c, bytes[i]);
	} else if (events & OS_POLL_HUP) {
		drop(c);
		return;
	}
	mon_flush(m);
}

/* Clients -------------------------------------------------------------------------------------- */

static struct client *client_new(struct mon *m, int fd)
{
	struct client *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->mon = m;
	c->fd = fd;
	c->passed = -1;
	c->io = loop_add(m->loop, fd, OS_POLL_IN, on_client, c, NULL);
	if (!c->io) {
		free(c);
		return NULL;
	}
	c->next = m->clients;
	m->clients = c;
	m->nclients++;
	return c;
}

static void on_connect(void *arg, unsigned events)
{
	struct mon *m = arg;
	int fd = listener_accept(&m->listener);
	struct client *c;

	(void)events;
	if (fd < 0)
		return;
	c = client_new(m, fd);
	if (!c) {
		close(fd);
		return;
	}
	if (m->nclients == MON_CLIENTS)
		loop_change(m->io, 0);
	put_json(c, json_pack("{s:{s:o, s:[]}}", "QMP", "version", mon_version(m), "capabilities"));
	flush(c);
}

/* Resets --------------------------------------------------------------------------------------- */

static void tell_reset(struct mon *m)
{
	atomic_store(&m->reset, false);
	mon_event(m, "RESET", json_pack("{s:b, s:s}", "guest", 1, "reason", "guest-reset"));
}

/* Those that came meanwhile are one. */
static void on_guest_reset(void *arg)
{
	struct mon *m = arg;
	const uint64_t now = os_clock_ns(), next = m->reset_told + RESET_NS;

	if (m->reset_told && now < next) {
		loop_timer_set(&m->reset_timer, next);
		return;
	}
	m->reset_told = now;
	tell_reset(m);
	mon_flush(m);
}

void mon_guest_reset(struct mon *m)
{
	if (m && !atomic_exchange(&m->reset, true))
		loop_post(m->loop, on_guest_reset, m);
}

/* The server ------------------------------------------------------------------------------------
 */

struct mon *mon_new(const char *path, struct loop *l, struct machine *machine,
    const struct mon_host *host, struct err *e)
{
	struct mon *m = calloc(1, sizeof *m);

	if (!m) {
		err_set(e, ENOMEM, "no memory for a control socket");
		return NULL;
	}
	m->loop = l;
	m->machine = machine;
	m->host = *host;
	m->began = os_clock_ns();
	loop_timer_init(&m->reset_timer, l, on_guest_reset, m);
	if (listener_open(&m->listener, path, e) < 0) {
		free(m);
		return NULL;
	}
	m->io = loop_add(l, m->listener.fd, OS_POLL_IN, on_connect, m, e);
	if (!m->io) {
		mon_free(m, MON_END_QUIT);
		return NULL;
	}
	mon_balloon_watch(m, true);
	mon_hotplug_watch(m);
	return m;
}

void mon_leave(struct mon *m)
{
	if (m)
		mon_balloon_watch(m, false);
}

void mon_free(struct mon *m, enum mon_end end)
{
	/* ShutdownCause of QEMU's run-state.json. */
	static const char *const reasons[] = {
		[MON_END_POWER_OFF] = "guest-shutdown",
		[MON_END_RESET] = "guest-reset",
		[MON_END_CRASH] = "guest-panic",
		[MON_END_QUIT] = "host-qmp-quit",
		[MON_END_SIGNAL] = "host-signal",
	};

	if (!m)
		return;
	loop_timer_set(&m->reset_timer, UINT64_MAX);
	if (atomic_load(&m->reset))
		tell_reset(m);
	if (end == MON_END_CRASH)
		mon_event(m, "GUEST_PANICKED", json_pack("{s:s}", "action", "poweroff"));
	mon_event(m, "SHUTDOWN",
	    json_pack("{s:b, s:s}", "guest", end <= MON_END_CRASH, "reason", reasons[end]));
	mon_flush(m);
	/* Who sees its connection end finds no socket any more. */
	if (m->io)
		loop_remove(m->io);
	m->io = NULL;
	listener_close(&m->listener);
	while (m->clients)
		drop(m->clients);
	fdsets_free(&m->fdsets);
	free(m);
}
