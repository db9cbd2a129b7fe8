/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/os.h"
#include "base/thread.h"
#include "core/event.h"
#include "cpu/cpu.h"
#include "gdb/gdb.h"
#include "host/chr.h"
#include "host/net/net.h"
#include "host/vsock.h"
#include "lib/console.h"
#include "lib/lib.h"
#include "machine/build.h"
#include "machine/clone.h"
#include "machine/engines.h"
#include "machine/save.h"
#include "machine/snapshot.h"
#include "mon/mon.h"

struct lodge_machine {
	struct config config;
	struct lodge_hooks hooks;
	struct log log;
	struct mutex log_lock; /* one line at a time */
	struct tracing tracing;
	struct machine *machine;
	struct machine *source; /* what it is a copy of, while it is made; or NULL */

	struct events *events;
	struct loop *loop;
	struct thread io; /* runs the loop */
	bool io_started;
	struct console console;
	struct chr *line[CONFIG_DEVICES]; /* of devices that are added; NULL: none */
	struct chr *port[CONFIG_PORTS];   /* of the virtio console device, as well */
	struct vsock *vsock;
	char ctl[200]; /* where the control socket is; "": there is none */
	char console_name[200];
	struct net *net[CONFIG_NETS];
	struct mon *mon;
	struct gdb *gdb; /* NULL: nobody has asked for one */

	/* The run's time limit and end. */
	struct mutex lock;
	struct cond over;
	bool running, late;
	enum mon_end end;  /* why the last run ended */
	uint64_t deadline; /* of os_clock_ns; 0: not running yet, or none */
};

static void write_log(void *arg, enum log_level level, const char *line)
{
	struct lodge_machine *m = arg;

	mutex_lock(&m->log_lock);
	m->hooks.log(m->hooks.arg, (enum lodge_level)level, line);
	mutex_unlock(&m->log_lock);
}

static void *run_loop(void *arg)
{
	struct lodge_machine *m = arg;

	loop_run(m->loop);
	return NULL;
}

static int configure(struct lodge_machine *m, const struct config *c, struct err *e)
{
	int rc = config_copy(&m->config, c, e);

	if (!rc)
		rc = config_finish(&m->config, e);
	if (!rc)
		rc = config_choose_engine(&m->config, e);
	m->config.no_reboot |= m->config.explain;
	return rc;
}

/* A console that is kept is beside the control socket: "web.console" beside "web.ctl". */
static int open_console(struct lodge_machine *m, struct err *e)
{
	const char *spec = m->config.console;
	size_t n = strlen(m->ctl);
	char kept[sizeof m->ctl + 16];

	if (!strcmp(spec, "keep") && !m->hooks.console) {
		if (!n)
			return err_set(e, EINVAL,
			    "console keep: it is beside a control socket, so one is wanted: "
			    "ctl=auto and "
			    "a name, or ctl=PATH");
		n -= n > 4 && !strcmp(m->ctl + n - 4, ".ctl") ? 4 : 0;
		snprintf(kept, sizeof kept, "keep:%.*s.console", (int)n, m->ctl);
		spec = kept;
	}
	return console_open(&m->console, &m->hooks, spec, m->loop, m->events, e);
}

static int open_lines(struct lodge_machine *m, struct err *e)
{
	struct config_device d;

	for (unsigned i = 0; i < m->config.ndevices; i++) {
		if (config_device(&d, m->config.device[i], e) < 0)
			return -EINVAL;
		if (!d.console[0])
			continue;
		m->line[i] = chr_open(m->config.replay ? "none" : d.console, m->loop, m->events, e);
		if (!m->line[i])
			return -EINVAL;
	}
	return 0;
}

static int open_ports(struct lodge_machine *m, struct err *e)
{
	struct config_port p;

	for (unsigned i = 0; i < m->config.nports; i++) {
		if (config_port(&p, m->config.port[i], e) < 0)
			return -EINVAL;
		m->port[i] = chr_open(m->config.replay ? "none" : p.line, m->loop, m->events, e);
		if (!m->port[i])
			return -EINVAL;
	}
	return 0;
}

static int open_nets(struct lodge_machine *m, struct err *e)
{
	struct net_place place = { .vm = m->config.name };

	for (; place.index < m->config.nnets; place.index++) {
		m->net[place.index] =
		    m->config.replay
			? net_open_none(&place, m->loop, m->events, e)
			: net_open(m->config.net[place.index], &place, m->loop, m->events, e);
		if (!m->net[place.index])
			return -EINVAL;
	}
	return 0;
}

static int open_vsock(struct lodge_machine *m, struct err *e)
{
	struct config_vsock v;

	if (!m->config.vsock)
		return 0;
	if (config_vsock(&v, m->config.vsock, e) < 0)
		return -EINVAL;
	m->vsock = vsock_open(m->config.replay ? NULL : v.path, v.cid, m->loop, m->events, e);
	return m->vsock ? 0 : -EINVAL;
}

static void quit(void *arg)
{
	struct lodge_machine *m = arg;

	mutex_lock(&m->lock);
	m->end = MON_END_QUIT;
	mutex_unlock(&m->lock);
	lodge_machine_stop(m);
}

/* Debuggers ------------------------------------------------------------------------------------ */

static int trace(void *arg, const char *list, struct err *e)
{
	struct lodge_machine *m = arg;

	return tracing_set(&m->tracing, list, e);
}

static int make_gdb(struct lodge_machine *m, struct err *e)
{
	const struct gdb_host host = { .log = &m->log, .quit = quit, .trace = trace, .arg = m };

	if (!m->gdb)
		m->gdb = gdb_new(m->machine, &host, e);
	return m->gdb ? 0 : -ENOTSUP;
}

static int open_gdb(struct lodge_machine *m, struct err *e)
{
	int rc;

	if (!m->config.gdb || !strcmp(m->config.gdb, "none"))
		return 0;
	rc = make_gdb(m, e);
	return rc ? rc : gdb_listen(m->gdb, m->config.gdb, e);
}

/* On the loop's thread: a client of the control socket has a socket for debuggers. */
static int debug(void *arg, int fd, struct err *e)
{
	struct lodge_machine *m = arg;

	if (make_gdb(m, e)) {
		close(fd);
		return -ENOTSUP;
	}
	return gdb_listen_fd(m->gdb, fd, e);
}

static int open_control(struct lodge_machine *m, struct err *e)
{
	const struct mon_host host = {
		.version = LODGE_VERSION,
		.name = m->config.name,
		.console = m->console_name,
		.quit = quit,
		.debug = debug,
		.trace = trace,
		.arg = m,
	};

	if (!m->ctl[0])
		return 0;
	lodge_machine_console(m, m->console_name, sizeof m->console_name);
	m->mon = mon_new(m->ctl, m->loop, m->machine, &host, e);
	return m->mon ? 0 : -EINVAL;
}

static void on_reset(void *arg)
{
	struct lodge_machine *m = arg;

	tracing_crashed(&m->tracing, "the guest has reset the machine");
	mon_guest_reset(m->mon);
}

/* All is open that will be, and no thread is there. */
static void confine(struct lodge_machine *m)
{
	struct err e = { "" };

	if (!m->config.sandbox || !strcmp(m->config.sandbox, "off"))
		return;
	if (lib_confine(&m->config, m->ctl, &e))
		log_warn(&m->log,
		    "sandbox: this host cannot do all of it (sandbox=off: without): %s", e.text);
	else
		mon_set_sandboxed(m->mon);
}

/* lodge_machine_free undoes this, however far it came. */
static int build(struct lodge_machine *m, struct err *e)
{
	struct machine_host host;
	int rc;

	m->events = events_new();
	m->loop = m->events ? loop_new(e) : NULL;
	if (!m->loop)
		return -ENOMEM;
	rc = tracing_open(&m->tracing, &m->log, &m->config, e);
	if (!rc)
		rc = lib_control_socket(&m->config, m->ctl, sizeof m->ctl, e);
	if (!rc)
		rc = open_console(m, e);
	if (!rc)
		rc = open_lines(m, e);
	if (!rc)
		rc = open_ports(m, e);
	if (!rc)
		rc = open_vsock(m, e);
	if (!rc)
		rc = open_nets(m, e);
	if (rc)
		return rc;
	host = (struct machine_host){
		.events = m->events,
		.console = m->console.chr,
		.log = &m->log,
		.line = m->line,
		.port = m->port,
		.vsock = m->vsock,
		.on_reset = on_reset,
		.arg = m,
		.net = m->net,
		.source = m->source,
	};
	m->machine = machine_new(&m->config, &host, e);
	if (!m->machine)
		return -EINVAL;
	rc = tracing_start(&m->tracing, m->machine, &m->config, e);
	if (!rc)
		rc = open_control(m, e);
	if (!rc)
		rc = open_gdb(m, e);
	if (rc)
		return rc;
	confine(m);
	if (m->gdb)
		rc = gdb_start(m->gdb, e);
	if (rc)
		return rc;
	rc = thread_start(&m->io, "lodge-io", run_loop, m);
	if (rc)
		return err_set(e, -rc, "cannot start a thread: %s", strerror(-rc));
	m->io_started = true;
	return 0;
}

static struct lodge_machine *make(const struct config *c, struct machine *source,
    const struct lodge_hooks *hooks, struct lodge_error *error)
{
	struct lodge_machine *m = calloc(1, sizeof(*m));
	struct err e = { "no memory" };
	int rc;

	if (!m) {
		lib_fail(error, -ENOMEM, &e);
		return NULL;
	}
	m->end = MON_END_SIGNAL;
	mutex_init(&m->log_lock);
	mutex_init(&m->lock);
	cond_init(&m->over);
	if (hooks)
		m->hooks = *hooks;
	if (m->hooks.log)
		m->log = (struct log){ .write = write_log, .arg = m };
	m->source = source;
	rc = configure(m, c, &e);
	if (!rc)
		rc = build(m, &e);
	m->source = NULL;
	if (rc) {
		lib_fail(error, rc, &e);
		lodge_machine_free(m);
		return NULL;
	}
	return m;
}

struct lodge_machine *lodge_machine_new(
    const struct lodge_config *c, const struct lodge_hooks *hooks, struct lodge_error *error)
{
	return make(&c->c, NULL, hooks, error);
}

/* What makes a copy another machine than the one that it is of. */
static int configure_clone(struct config *c, const struct lodge_machine *parent, struct err *e)
{
	const struct clone *clone = &parent->machine->clone;
	struct buf engines = { 0 };
	int rc = config_copy(c, machine_config(parent->machine), e);

	while (!rc && c->nafters)
		free(c->after[--c->nafters]);
	memset(c->after, 0, sizeof c->after);
	engines_print(parent->machine, &engines);
	buf_put(&engines, "", 1);
	if (!rc)
		rc = engines.failed ? err_set(e, ENOMEM, "no memory")
				    : config_set(c, "engine", (char *)engines.data, e);
	buf_free(&engines);
	if (!rc)
		rc = config_twin(c, clone->name, e);
	if (!rc)
		rc = config_set(c, "console", clone->console, e);
	if (!rc)
		rc = config_set(c, "ctl", clone->ctl, e);
	if (!rc)
		rc = config_set(c, "gdb", "none", e);
	c->paused = false;
	free(c->trace_file); /* where the other one writes */
	c->trace_file = NULL;
	return rc;
}

struct lodge_machine *lodge_machine_clone(
    struct lodge_machine *parent, const struct lodge_hooks *hooks, struct lodge_error *error)
{
	struct lodge_machine *m = NULL;
	struct lodge_error why = { 0 };
	struct config c;
	struct err e = { "" };
	int rc;

	os_close_from(3, parent->machine->clone.tell);
	rc = configure_clone(&c, parent, &e);
	if (rc)
		lib_fail(&why, rc, &e);
	else
		m = make(&c, parent->machine, hooks, &why);
	snprintf(e.text, sizeof e.text, "%s", why.text);
	machine_clone_tell(parent->machine, m ? NULL : &e);
	if (!rc)
		config_free(&c);
	if (!m && error)
		*error = why;
	os_heap_trim(); /* with what the parent had freed, which is no longer the same there */
	return m;
}

void lodge_machine_free(struct lodge_machine *m)
{
	if (!m)
		return;
	if (m->io_started) {
		loop_stop(m->loop);
		thread_join(&m->io);
	}
	gdb_free(m->gdb);
	mon_leave(m->mon);
	machine_free(m->machine);
	tracing_close(&m->tracing);
	console_close(&m->console);
	for (unsigned i = 0; i < CONFIG_DEVICES; i++)
		chr_close(m->line[i]);
	for (unsigned i = 0; i < CONFIG_PORTS; i++)
		chr_close(m->port[i]);
	vsock_free(m->vsock);
	for (unsigned i = 0; i < CONFIG_NETS; i++)
		net_close(m->net[i]);
	/* Last, so that who waits for its clients' end finds disks and consoles free. */
	mon_free(m->mon, m->end);
	if (m->loop)
		loop_free(m->loop);
	events_free(m->events);
	config_free(&m->config);
	cond_fini(&m->over);
	mutex_fini(&m->lock);
	mutex_fini(&m->log_lock);
	free(m);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

size_t lodge_machine_describe(const struct lodge_machine *m, char *text, size_t size)
{
	const struct config *c = &m->config;
	const char *file = c->kernel ? c->kernel : c->firmware;
	uint64_t amount = c->memory >> 10;
	const char *unit = "KMG";
	struct move_status s;
	struct buf b = { 0 };

	while (unit[1] && amount % 1024 == 0) {
		amount >>= 10;
		unit++;
	}
	machine_move_status(m->machine, &s);
	buf_printf(&b, "%s %s, engine %s, %" PRIu64 "%c, %u CPU%s, %s %s", c->arch, c->machine,
	    s.engine, amount, *unit, c->cpus, c->cpus > 1 ? "s" : "",
	    c->kernel ? "kernel" : "firmware", base_name(file));
	return lib_give(&b, text, size);
}

size_t lodge_machine_console(const struct lodge_machine *m, char *text, size_t size)
{
	char name[200] = "";
	struct buf b = { 0 };

	if (m->console.host)
		chr_describe(m->console.host, name, sizeof(name));
	buf_printf(&b, "%s", name);
	return lib_give(&b, text, size);
}

int lodge_machine_paused(struct lodge_machine *m)
{
	return machine_is_paused(m->machine);
}

void lodge_machine_pause(struct lodge_machine *m)
{
	machine_pause(m->machine);
}

void lodge_machine_continue(struct lodge_machine *m)
{
	machine_resume(m->machine);
}

/* Ends the run when its time is over; until then, waits for its end. */
static void *watch(void *arg)
{
	struct lodge_machine *m = arg;
	uint64_t now;

	mutex_lock(&m->lock);
	while (m->running && (now = os_clock_ns()) < m->deadline)
		cond_wait_for(&m->over, &m->lock, m->deadline - now);
	m->late = m->running;
	mutex_unlock(&m->lock);
	if (m->late)
		lodge_machine_stop(m);
	return NULL;
}

static int start_watch(struct lodge_machine *m, struct thread *t, struct err *e)
{
	int rc;

	if (!m->deadline)
		m->deadline = os_clock_ns() + m->config.timeout_ns;
	m->running = true;
	rc = thread_start(t, "lodge-timeout", watch, m);
	return rc ? err_set(e, -rc, "cannot start a thread: %s", strerror(-rc)) : 0;
}

static void stop_watch(struct lodge_machine *m, struct thread *t)
{
	mutex_lock(&m->lock);
	m->running = false;
	cond_broadcast(&m->over);
	mutex_unlock(&m->lock);
	thread_join(t);
}

/* A guest's code as an exit status has 8 bits; one that does not fit must not turn into success. */
static int guest_status(unsigned code)
{
	return code > 255 ? 255 : (int)code;
}

static struct lodge_result make_result(
    const struct lodge_machine *m, enum machine_end end, unsigned code)
{
	struct lodge_result r = { .code = code };
	bool own = m->config.exit_from_guest;

	switch (end) {
	case MACHINE_OFF:
		r.end = LODGE_OFF;
		r.status = own ? guest_status(code) : 0;
		break;
	case MACHINE_RESET:
		r.end = LODGE_RESET;
		r.status = 3;
		break;
	case MACHINE_CRASH:
		r.end = LODGE_CRASH;
		r.status = own && code ? guest_status(code) : 3;
		break;
	case MACHINE_CLONED:
		r.end = LODGE_CLONED;
		break;
	case MACHINE_REPLAYED:
		r.end = LODGE_REPLAYED;
		r.status = code ? 5 : 0;
		break;
	case MACHINE_DIFFERS:
		r.end = LODGE_DIFFERS;
		r.status = 6;
		break;
	case MACHINE_STOPPED:
		r.end = m->late ? LODGE_TIMEOUT : LODGE_STOPPED;
		r.status = m->late ? 4 : 0;
		break;
	}
	return r;
}

/* quit has said it before, if it was that. */
static void note_end(struct lodge_machine *m, enum machine_end end)
{
	mutex_lock(&m->lock);
	if (end == MACHINE_OFF)
		m->end = MON_END_POWER_OFF;
	else if (end == MACHINE_RESET)
		m->end = MON_END_RESET;
	else if (end == MACHINE_CRASH)
		m->end = MON_END_CRASH;
	mutex_unlock(&m->lock);
}

static void tell_crash(struct lodge_machine *m, enum machine_end end)
{
	if (end == MACHINE_CRASH)
		tracing_crashed(&m->tracing, "the guest has crashed");
	else if (end == MACHINE_RESET)
		tracing_crashed(&m->tracing, "the guest has reset the machine");
	else if (end == MACHINE_STOPPED && m->late)
		tracing_crashed(&m->tracing, "the guest's time is over");
}

int lodge_machine_run(
    struct lodge_machine *m, struct lodge_result *result, struct lodge_error *error)
{
	struct thread watcher;
	struct err e = { "" };
	enum machine_end end = MACHINE_STOPPED;
	unsigned code = 0;
	int rc = 0;

	if (m->config.timeout_ns)
		rc = start_watch(m, &watcher, &e);
	if (rc)
		return lib_fail(error, rc, &e);
	rc = machine_run(m->machine, &end, &code, &e);
	if (!rc && end == MACHINE_CLONED) { /* there is no watcher to be stopped */
		*result = make_result(m, end, code);
		return 0;
	}
	if (m->config.timeout_ns)
		stop_watch(m, &watcher);
	if (rc)
		return lib_fail(error, rc, &e);
	*result = make_result(m, end, code);
	tell_crash(m, end);
	note_end(m, end);
	return 0;
}

int lodge_machine_wrote(struct lodge_machine *m, const struct lodge_wrote *what, char *text,
    size_t size, struct lodge_error *error)
{
	const struct machine_wrote q = {
		.at = what->address,
		.len = what->length,
		.physical = what->physical,
		.cpu = what->cpu,
		.before = what->before,
		.symbols = what->symbols,
	};
	struct buf out = { 0 };
	struct err e = { "" };
	int rc = machine_wrote(m->machine, &q, &out, &e);

	if (rc >= 0 && lib_give(&out, text, size) == (size_t)-1)
		rc = err_set(&e, ENOMEM, "no memory");
	if (rc < 0)
		buf_free(&out);
	return rc < 0 ? lib_fail(error, rc, &e) : rc;
}

void lodge_machine_stop(struct lodge_machine *m)
{
	/* The guest may be waiting for a reader of its console who does not read. */
	console_unblock(&m->console);
	for (unsigned i = 0; i < CONFIG_DEVICES; i++)
		if (m->line[i])
			chr_unblock(m->line[i]);
	for (unsigned i = 0; i < CONFIG_PORTS; i++)
		if (m->port[i])
			chr_unblock(m->port[i]);
	machine_stop(m->machine);
}

int lodge_machine_save(
    struct lodge_machine *m, const char *path, unsigned flags, struct lodge_error *error)
{
	const struct save_what what = { .path = path,
		.compress = flags & LODGE_SAVE_COMPRESS,
		.live = flags & LODGE_SAVE_LIVE };
	struct err e;
	int rc = machine_save(m->machine, &what, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

void lodge_machine_save_status(struct lodge_machine *m, struct lodge_save *to)
{
	struct save_status s;

	machine_save_status(m->machine, &s);
	*to = (struct lodge_save){
		.state = (enum lodge_save_state)s.state,
		.done = s.done,
		.total = s.total,
		.stood_ns = s.stood_ns,
	};
	snprintf(to->why, sizeof to->why, "%s", s.err.text);
}

int lodge_machine_move(struct lodge_machine *m, const char *engine, struct lodge_error *error)
{
	struct err e;
	int rc = machine_move(m->machine, engine, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

void lodge_machine_move_status(struct lodge_machine *m, struct lodge_move *to)
{
	struct move_status s;

	machine_move_status(m->machine, &s);
	*to = (struct lodge_move){
		.state = (enum lodge_move_state)s.state,
		.engine = s.engine,
		.stood_ns = s.stood_ns,
		.moves = s.moves,
	};
	snprintf(to->why, sizeof to->why, "%s", s.err.text);
}

int lodge_snapshot_check(const char *path, struct lodge_error *error)
{
	struct err e;
	int rc = snapshot_check(path, &e);

	return rc ? lib_fail(error, rc, &e) : 0;
}

int lodge_machine_power_button(struct lodge_machine *m)
{
	return machine_power_button(m->machine);
}

int lodge_console_size(struct lodge_machine *m, unsigned cols, unsigned rows)
{
	return console_size(&m->console, cols, rows);
}

int lodge_console_input(struct lodge_machine *m, const void *data, size_t len)
{
	return console_input(&m->console, data, len);
}
