/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/chr_fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "core/event.h"

enum {
	OUT_MAX = 256 << 10,
	IN_MAX = 64 << 10,
	/* What a pipe that is ready to be written takes without blocking: PIPE_BUF.  Standard
	 * output cannot be made non-blocking, for it is shared with the shell. */
	CHUNK = 4096,
	PAST_MAX = 32 << 10
};

static struct chr_fd *of_chr(struct chr *c)
{
	return CONTAINER_OF(c, struct chr_fd, chr);
}

/* Output */

/* Loop's thread: output has nowhere to go any more. */
static void output_failed(struct chr_fd *c)
{
	loop_change(c->outio, 0);
	mutex_lock(&c->lock);
	c->open = false;
	ring_skip(&c->out, c->out.len);
	cond_broadcast(&c->space);
	mutex_unlock(&c->lock);
	if (c->ended)
		c->ended(c, true);
}

/* Writes one run of bytes: how many are left then, or -errno. */
static ssize_t write_some(struct chr_fd *c)
{
	const uint8_t *p;
	ssize_t done;
	size_t n;

	mutex_lock(&c->lock);
	p = ring_peek(&c->out, &n);
	mutex_unlock(&c->lock);
	/* The VM's thread only appends, so these bytes stay without the lock. */
	done = n ? write(c->outfd, p, n < CHUNK ? n : CHUNK) : 0;
	if (done < 0)
		return -errno;
	mutex_lock(&c->lock);
	ring_skip(&c->out, (size_t)done);
	n = c->out.len;
	if (n == 0)
		c->writing = false;
	cond_broadcast(&c->space);
	mutex_unlock(&c->lock);
	return (ssize_t)n;
}

static void on_writable(void *arg, unsigned events)
{
	struct chr_fd *c = arg;
	ssize_t left = write_some(c);

	(void)events;
	if (left == 0)
		loop_change(c->outio, 0);
	else if (left < 0 && left != -EAGAIN && left != -EINTR)
		output_failed(c);
}

static void begin_output(void *arg)
{
	struct chr_fd *c = arg;

	if (c->outio && c->open)
		loop_change(c->outio, OS_POLL_OUT);
}

/* The lock is held. */
static void keep(struct chr_fd *c, const uint8_t *p, size_t n)
{
	struct ring *r = &c->past;
	size_t room = r->cap - r->len;

	if (n > r->cap) {
		p += n - r->cap;
		n = r->cap;
	}
	if (n > room)
		ring_skip(r, n - room);
	ring_put(r, p, n);
}

static void fd_write(struct chr *chr, const uint8_t *p, size_t n)
{
	struct chr_fd *c = of_chr(chr);

	mutex_lock(&c->lock);
	if (c->keeps)
		keep(c, p, n);
	while (n && c->open) {
		size_t put = ring_put(&c->out, p, n);

		p += put;
		n -= put;
		if (put && !c->writing)
			c->writing = loop_post(c->loop, begin_output, c) == 0;
		if (n && !c->waits)
			break;
		if (n)
			cond_wait(&c->space, &c->lock);
	}
	mutex_unlock(&c->lock);
}

/* Input */

static void resume_input(void *arg)
{
	struct chr_fd *c = arg;

	if (c->inio)
		loop_change(c->inio, OS_POLL_IN);
}

/* VM's thread: gives the device what it has room for. */
static void pump(struct chr_fd *c)
{
	uint8_t bytes[256];
	const uint8_t *p;
	bool resume;
	size_t n;

	do {
		mutex_lock(&c->lock);
		p = ring_peek(&c->in, &n);
		n = n < sizeof bytes ? n : sizeof bytes;
		memcpy(bytes, p, n);
		mutex_unlock(&c->lock);
		/* The device's lock comes before ours: a device calls us with it held. */
		n = n ? chr_input(&c->chr, bytes, n) : 0;
		mutex_lock(&c->lock);
		ring_skip(&c->in, n);
		c->flight -= n < c->flight ? n : c->flight;
		resume = n && c->stalled;
		if (resume)
			c->stalled = loop_post(c->loop, resume_input, c) < 0;
		mutex_unlock(&c->lock);
	} while (n);
}

static void deliver(void *arg, const void *data, size_t len)
{
	struct chr_fd *c = arg;

	mutex_lock(&c->lock);
	/* Only a replay can bring more than there is room for. */
	ring_put(&c->in, data, len);
	if (len == 0)
		c->pumping = false;
	mutex_unlock(&c->lock);
	pump(c);
}

/* VM's thread. */
static void deliver_presence(void *arg, const void *data, size_t len)
{
	struct chr_fd *c = arg;

	if (len == 1)
		chr_set_away(&c->chr, !*(const uint8_t *)data);
}

void chr_fd_tell_presence(struct chr_fd *c, bool there)
{
	events_post(c->events, c->presence, &(uint8_t){ there }, 1);
}

/* VM's thread, the device's lock held, so the input must come later. */
static void fd_room(struct chr *chr)
{
	struct chr_fd *c = of_chr(chr);
	bool post;

	mutex_lock(&c->lock);
	post = c->in.len && !c->pumping;
	c->pumping |= post;
	mutex_unlock(&c->lock);
	if (post && events_post(c->events, c->source, NULL, 0) < 0) {
		mutex_lock(&c->lock);
		c->pumping = false;
		mutex_unlock(&c->lock);
	}
}

static void input_ended(struct chr_fd *c)
{
	loop_remove(c->inio);
	c->inio = NULL;
	if (c->ended)
		c->ended(c, false);
}

/* How much may be read now; 0, and the loop stops reading, when the device takes nothing. */
static size_t input_room(struct chr_fd *c)
{
	size_t room;

	mutex_lock(&c->lock);
	room = IN_MAX - c->flight;
	if (room == 0 && !c->typed) {
		c->stalled = true;
		loop_change(c->inio, 0);
	}
	mutex_unlock(&c->lock);
	return room;
}

static void on_readable(void *arg, unsigned events)
{
	struct chr_fd *c = arg;
	size_t room = input_room(c), want;
	uint8_t bytes[4096];
	ssize_t n;

	(void)events;
	if (room == 0 && !c->typed)
		return;
	want = room < sizeof bytes && !c->typed ? room : sizeof bytes;
	n = read(c->infd, bytes, want);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		input_ended(c);
		return;
	}
	if (c->filter)
		n = (ssize_t)c->filter(c->filter_arg, bytes, (size_t)n);
	if ((size_t)n > room)
		n = (ssize_t)room;
	if (n == 0)
		return;
	mutex_lock(&c->lock);
	c->flight += (size_t)n;
	mutex_unlock(&c->lock);
	if (events_post(c->events, c->source, bytes, (size_t)n) < 0) {
		mutex_lock(&c->lock);
		c->flight -= (size_t)n;
		mutex_unlock(&c->lock);
	}
}

/* Both */

static void fd_save(struct chr *chr, struct buf *b)
{
	struct chr_fd *c = of_chr(chr);
	const uint8_t *p;
	size_t n;

	mutex_lock(&c->lock);
	p = ring_peek(&c->in, &n);
	buf_put(b, p, n);
	buf_put(b, c->in.data, c->in.len - n);
	mutex_unlock(&c->lock);
}

static void fd_load(struct chr *chr, const uint8_t *p, size_t n)
{
	struct chr_fd *c = of_chr(chr);

	mutex_lock(&c->lock);
	ring_skip(&c->in, c->in.len);
	ring_put(&c->in, p, n);
	mutex_unlock(&c->lock);
}

static const struct chr_ops fd_ops = {
	.write = fd_write,
	.room = fd_room,
	.save = fd_save,
	.load = fd_load,
};

static void close_fd(int *fd)
{
	if (*fd > STDERR_FILENO)
		close(*fd);
	*fd = -1;
}

int chr_fd_init(struct chr_fd *c, struct loop *l, struct events *ev, struct err *e)
{
	*c = (struct chr_fd){ .chr.ops = &fd_ops, .loop = l, .events = ev };
	c->infd = c->outfd = -1;
	c->source = events_source(ev, "chr", NULL, deliver, c);
	c->presence = events_source(ev, "chr presence", NULL, deliver_presence, c);
	if (c->source < 0 || c->presence < 0 || ring_init(&c->out, OUT_MAX) < 0 ||
	    ring_init(&c->in, IN_MAX) < 0) {
		ring_fini(&c->out);
		return err_set(e, ENOMEM, "no memory for a console");
	}
	mutex_init(&c->lock);
	cond_init(&c->space);
	return 0;
}

/* The loop is over: writes out what it left behind. */
static void flush(struct chr_fd *c)
{
	struct pollfd p = { .fd = c->outfd, .events = POLLOUT };
	ssize_t left = 1;

	while (c->open && c->out.len && (left >= 0 || left == -EAGAIN || left == -EINTR)) {
		int ready = poll(&p, 1, c->waits ? -1 : 0);

		if (ready == 0 || (ready < 0 && errno != EINTR))
			break;
		left = ready < 0 ? -EINTR : write_some(c);
	}
}

void chr_fd_fini(struct chr_fd *c)
{
	flush(c);
	chr_fd_stop(c);
	cond_fini(&c->space);
	mutex_fini(&c->lock);
	ring_fini(&c->in);
	ring_fini(&c->out);
	ring_fini(&c->past);
}

int chr_fd_keep(struct chr_fd *c, struct err *e)
{
	if (ring_init(&c->past, PAST_MAX) < 0)
		return err_set(e, ENOMEM, "no memory for a console");
	mutex_lock(&c->lock);
	c->keeps = true;
	mutex_unlock(&c->lock);
	return 0;
}

/* The lock is held: what was kept is the first that is written. */
static void replay(struct chr_fd *c)
{
	const uint8_t *p;
	size_t n, left;

	p = ring_peek(&c->past, &n);
	left = c->past.len - n;
	ring_put(&c->out, p, n);
	ring_put(&c->out, c->past.data, left);
	c->writing = c->out.len && loop_post(c->loop, begin_output, c) == 0;
}

int chr_fd_start(struct chr_fd *c, int infd, int outfd, struct err *e)
{
	c->infd = infd;
	c->outfd = outfd;
	if (infd >= 0)
		c->inio = loop_add(c->loop, infd, OS_POLL_IN, on_readable, c, e);
	if (outfd >= 0)
		c->outio = loop_add(c->loop, outfd, 0, on_writable, c, e);
	if ((infd >= 0 && !c->inio) || (outfd >= 0 && !c->outio)) {
		chr_fd_stop(c);
		return -ENOMEM;
	}
	mutex_lock(&c->lock);
	c->open = outfd >= 0;
	c->writing = c->stalled = false;
	if (c->keeps && c->open)
		replay(c);
	mutex_unlock(&c->lock);
	return 0;
}

void chr_fd_stop(struct chr_fd *c)
{
	mutex_lock(&c->lock);
	c->open = false;
	ring_skip(&c->out, c->out.len);
	cond_broadcast(&c->space);
	mutex_unlock(&c->lock);
	if (c->inio)
		loop_remove(c->inio);
	if (c->outio)
		loop_remove(c->outio);
	c->inio = c->outio = NULL;
	close_fd(&c->infd);
	close_fd(&c->outfd);
}
