/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console device.  Source: VIRTIO version 1.2, section 5.3.  d->back: a struct chr_lines.  Port 0
 * is its console, and not there without one; the others follow, as generic ports with names.  A
 * driver without MULTIPORT finds port 0 alone. Left out: ports that come and go.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/chr.h"
#include "core/clock.h"
#include "dev/virtio/virtio.h"

#define F_SIZE        (1ull << 0)
#define F_MULTIPORT   (1ull << 1)
#define F_EMERG_WRITE (1ull << 2)

enum { QUEUE_RX, QUEUE_TX, CONTROL_RX, CONTROL_TX, QUEUE_MORE };
enum {
	CONFIG_COLS = 0,
	CONFIG_ROWS = 2,
	CONFIG_MAX_PORTS = 4,
	CONFIG_EMERG_WRITE = 8,
	CONFIG_SIZE = 12
};

/* What is said on the control queues: section 5.3.6.2. */
enum control {
	DEVICE_READY,
	PORT_ADD,
	PORT_REMOVE,
	PORT_READY,
	CONSOLE_PORT,
	RESIZE,
	PORT_OPEN,
	PORT_NAME
};
enum { CONTROL_SIZE = 8, CONTROL_MAX = CONTROL_SIZE + CHR_NAME };

enum { PORTS = 1 + CHR_LINES, QUEUE_SIZE = 64 };

/* All that is written of one request, so that a guest cannot keep us busy for long by naming the
 * same memory many times; drivers send a page at a time. */
enum { REQUEST_MAX = 1 << 20 };

/*
 * Without MULTIPORT no driver says when it listens, so input waits for a moment after it has
 * offered its first buffer: Linux drops what comes before it has made a terminal of the port, so
 * that what was piped in from the start would be lost.
 */
enum { OPEN_NS = 10000000 };

struct console;

struct port {
	struct console *con;
	struct chr *chr; /* NULL: a port without a line, or no port */
	const char *name;
};

struct console {
	struct virtio v;
	bool opened; /* port 0's wait is over */
	struct timer open;
	unsigned nports; /* those that are there, and port 0 */
	struct port port[PORTS];
	bool ready[PORTS], guest_open[PORTS];
	uint8_t pending[PORTS]; /* a bit for each enum control that the driver has yet to hear */
};

static const struct field console_fields[] = {
	FIELD(struct console, opened),
	FIELD_ARRAY(struct console, ready),
	FIELD_ARRAY(struct console, guest_open),
	FIELD_ARRAY(struct console, pending),
	FIELD_END,
};

static unsigned number_of(const struct port *p)
{
	return (unsigned)(p - p->con->port);
}

static bool is_there(const struct port *p)
{
	const struct chr_lines *lines = p->con->v.dev->back;

	return number_of(p) < p->con->nports && (number_of(p) || (lines && lines->console));
}

static bool has_ports(const struct console *con)
{
	return con->v.features & F_MULTIPORT;
}

/* Input and output ----------------------------------------------------------------------------- */

static struct virtio_queue *rx_of(const struct port *p)
{
	const unsigned n = number_of(p);

	return &p->con->v.queue[n ? QUEUE_MORE + 2 * (n - 1) : QUEUE_RX];
}

/* The next buffer for input; those without space are given back empty. */
static bool rx_pop(struct virtio_queue *q, struct virtq_chain *c)
{
	while (virtq_pop(q, c)) {
		if (c->in_len)
			return true;
		virtq_push(q, c, 0);
	}
	return false;
}

/* A buffer is taken only when there is input for it: none is in our hands when state is saved. */
static size_t console_room(void *port)
{
	struct port *p = port;
	struct console *con = p->con;
	struct virtio_queue *q = rx_of(p);
	struct virtq_chain c;

	if (has_ports(con) && !con->guest_open[number_of(p)])
		return 0;
	if (!rx_pop(q, &c))
		return 0;
	virtq_unpop(q, &c);
	if (has_ports(con) || con->opened)
		return c.in_len;
	if (con->open.when == UINT64_MAX)
		timer_set(&con->open, clock_now(con->v.dev->env->clock) + OPEN_NS);
	return 0;
}

static void open_now(void *arg)
{
	struct console *con = arg;

	con->opened = true;
	chr_room(con->port[0].chr);
}

static void console_input(void *port, const uint8_t *data, size_t n)
{
	struct virtio_queue *q = rx_of(port);
	struct virtq_chain c;
	size_t done;

	for (; n && rx_pop(q, &c); data += done, n -= done) {
		done = virtq_write(&c, 0, data, n);
		virtq_push(q, &c, (uint32_t)done);
	}
	virtq_interrupt(q);
}

static void output(struct chr *chr, const struct virtq_chain *c)
{
	size_t left = REQUEST_MAX, n;
	unsigned i;

	for (i = 0; i < c->nout && left; i++) {
		n = c->iov[i].iov_len < left ? c->iov[i].iov_len : left;
		chr_write(chr, c->iov[i].iov_base, n);
		left -= n;
	}
}

/* Control -------------------------------------------------------------------------------------- */

/* The message of that kind as things are now; its length. */
static size_t make_message(const struct port *p, enum control what, uint8_t *m)
{
	const struct chr *chr = p->chr;
	size_t len = CONTROL_SIZE;

	put_le(m, number_of(p), 4);
	put_le(m + 4, what, 2);
	put_le(m + 6, what == PORT_OPEN ? chr && !chr->away : 1, 2);
	if (what == PORT_NAME) {
		memcpy(m + len, p->name, strlen(p->name));
		len += strlen(p->name);
	}
	if (what == RESIZE) {
		/* So the manual says; Linux had it the other way round until 6.15. */
		put_le(m + len, chr ? chr->cols : 0, 2);
		put_le(m + len + 2, chr ? chr->rows : 0, 2);
		len += 4;
	}
	return len;
}

/* Whatever the driver has yet to hear and has buffers for. */
static void send_pending(struct console *con)
{
	struct virtio_queue *q = &con->v.queue[CONTROL_RX];
	uint8_t message[CONTROL_MAX];
	struct virtq_chain c;
	struct port *p;
	unsigned what, n;

	for (n = 0; n < con->nports && has_ports(con); n++) {
		p = &con->port[n];
		while (con->pending[n] && rx_pop(q, &c)) {
			what = ctz64(con->pending[n]);
			con->pending[n] &= (uint8_t)(con->pending[n] - 1);
			virtq_push(q, &c,
			    (uint32_t)virtq_write(&c, 0, message, make_message(p, what, message)));
		}
	}
	virtq_interrupt(q);
}

static void pend(struct port *p, unsigned kinds)
{
	p->con->pending[number_of(p)] |= (uint8_t)kinds;
}

static void port_ready(struct port *p)
{
	const bool console = number_of(p) == 0;

	p->con->ready[number_of(p)] = true;
	pend(p, console ? 1 << CONSOLE_PORT | 1 << RESIZE : 1 << PORT_NAME);
	pend(p, 1 << PORT_OPEN);
}

static void take_control(struct console *con, const struct virtq_chain *c)
{
	uint8_t m[CONTROL_SIZE];
	uint32_t id;
	uint16_t what, value;

	if (virtq_read(c, 0, m, sizeof m) < sizeof m)
		return;
	id = (uint32_t)get_le(m, 4);
	what = (uint16_t)get_le(m + 4, 2);
	value = (uint16_t)get_le(m + 6, 2);
	if (what == DEVICE_READY) {
		for (struct port *p = con->port; p < con->port + con->nports && value; p++)
			if (is_there(p))
				pend(p, 1 << PORT_ADD);
		return;
	}
	if (id >= con->nports || !is_there(&con->port[id])) {
		TRACE(con->v.dev->env->log, device, "virtio_console: control message for port %u",
		    id);
		return;
	}
	if (what == PORT_READY && value)
		port_ready(&con->port[id]);
	if (what != PORT_OPEN)
		return;
	con->guest_open[id] = value;
	if (value)
		chr_room(con->port[id].chr);
}

static void tell_line(struct port *p)
{
	if (p->con->ready[number_of(p)])
		pend(p, 1 << PORT_OPEN | (number_of(p) ? 0 : 1 << RESIZE));
}

/* The other end came, went, or has another size. */
static void line_changed(void *port)
{
	struct port *p = port;
	struct virtio *v = &p->con->v;

	uint32_t size = (uint32_t)p->chr->rows << 16 | p->chr->cols;

	tell_line(p);
	send_pending(p->con);
	if (number_of(p) || get_le(v->config + CONFIG_COLS, 4) == size)
		return;
	put_le(v->config + CONFIG_COLS, size, 4);
	virtio_config_changed(v);
}

/* The device ----------------------------------------------------------------------------------- */

static void notify_rx(struct port *p)
{
	if (console_room(p))
		chr_room(p->chr);
}

static void console_notify(struct virtio *v, struct virtio_queue *q)
{
	struct console *con = (struct console *)v;
	const unsigned n = (unsigned)(q - v->queue);
	struct port *p = &con->port[n < CONTROL_RX ? 0 : n / 2 - 1];
	struct virtq_chain c;

	if (n == CONTROL_RX) {
		send_pending(con);
		return;
	}
	if (!(n & 1)) {
		notify_rx(p);
		return;
	}
	while (virtq_pop(q, &c)) {
		if (n == CONTROL_TX)
			take_control(con, &c);
		else
			output(p->chr, &c);
		virtq_push(q, &c, 0);
	}
	virtq_interrupt(q);
	if (n == CONTROL_TX)
		send_pending(con);
}

/* Section 5.3.4: works before the driver is ready, and whatever was negotiated. */
static void console_config_write(struct virtio *v, unsigned off, uint64_t val, unsigned size)
{
	uint8_t byte = (uint8_t)val;

	if (off == CONFIG_EMERG_WRITE && size <= 4)
		chr_write(((struct console *)v)->port[0].chr, &byte, 1);
}

static void add_port(struct console *con, const char *name, struct chr *chr)
{
	static const struct chr_sink sink = { console_room, console_input };
	struct port *p = &con->port[con->nports++];

	*p = (struct port){ con, chr, name };
	chr_attach(chr, &sink, p, &con->v.dev->lock);
	chr_watch(chr, line_changed);
}

static int console_init(struct virtio *v, struct err *e)
{
	struct console *con = (struct console *)v;
	const struct chr_lines *lines = v->dev->back;

	(void)e;
	timer_init(&con->open, v->dev->env->clock, &v->dev->lock, open_now, con);
	v->offered |= F_SIZE | F_MULTIPORT | F_EMERG_WRITE;
	add_port(con, "", lines ? lines->console : NULL);
	for (unsigned i = 0; lines && i < lines->n; i++)
		add_port(con, lines->line[i].name, lines->line[i].chr);
	v->nqueues = QUEUE_MORE + 2 * (con->nports - 1);
	return 0;
}

static void console_fini(struct virtio *v)
{
	struct console *con = (struct console *)v;

	for (unsigned i = 0; i < con->nports; i++)
		chr_attach(con->port[i].chr, NULL, NULL, NULL);
	timer_set(&con->open, UINT64_MAX);
}

static void console_reset(struct virtio *v)
{
	struct console *con = (struct console *)v;
	const struct chr *chr = con->port[0].chr;

	con->opened = false;
	memset(con->ready, 0, sizeof con->ready);
	memset(con->guest_open, 0, sizeof con->guest_open);
	memset(con->pending, 0, sizeof con->pending);
	timer_set(&con->open, UINT64_MAX);
	put_le(v->config + CONFIG_COLS, chr ? chr->cols : 0, 2);
	put_le(v->config + CONFIG_ROWS, chr ? chr->rows : 0, 2);
	put_le(v->config + CONFIG_MAX_PORTS, con->nports, 4);
}

/* Who is at the other ends now may have changed since the state was saved, and their sizes. */
static void console_loaded(struct virtio *v)
{
	struct console *con = (struct console *)v;

	for (unsigned i = 0; i < con->nports; i++)
		tell_line(&con->port[i]);
}

const struct virtio_class virtio_console = {
	.name = "virtio_console",
	.about = "console, and ports with names",
	.id = 3,
	.config_size = CONFIG_SIZE,
	.queue_max = { QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE,
	    QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE,
	    QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE },
	.size = sizeof(struct console),
	.fields = console_fields,
	.init = console_init,
	.fini = console_fini,
	.reset = console_reset,
	.loaded = console_loaded,
	.notify = console_notify,
	.config_write = console_config_write,
};
