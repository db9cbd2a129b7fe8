/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames on their way between a device and the loop's thread.  From the guest: the device copies
 * them into `given`, which the loop's thread exchanges for `taken`, that it has sent.  To the
 * guest: the loop's thread collects them in blocks of events, which the VM's thread hands to the
 * device; what that has no room for is held, in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/iov.h"
#include "base/loop.h"
#include "base/os.h"
#include "core/event.h"
#include "core/net_offload.h"
#include "host/net/net.h"
#include "host/net/pcap.h"

enum {
	GIVEN_MAX = 512 << 10,
	BATCH = 128 << 10,
	/* That a block of events costs, so that many small ones are not too much. */
	BLOCK_COST = 8192,
	FLIGHT_HIGH = 1 << 20, /* the class should read no more */
	FLIGHT_LOW = FLIGHT_HIGH / 2,
	FLIGHT_MAX = 4 << 20 /* frames are dropped */
};

struct record {
	uint32_t len;
	struct net_offload offload;
};

struct held {
	struct held *next;
	size_t len, at;
	uint8_t data[];
};

static size_t record_size(size_t len)
{
	return sizeof(struct record) + ((len + 7) & ~(size_t)7);
}

static struct net_port *of_net(struct net *n)
{
	return CONTAINER_OF(n, struct net_port, net);
}

/* From the guest -------------------------------------------------------------------------------
 */

static bool port_send(
    struct net *net, const struct iovec *iov, unsigned n, size_t len, const struct net_offload *o)
{
	struct net_port *p = of_net(net);
	struct record r = { (uint32_t)len, *o };
	uint8_t fits;

	mutex_lock(&p->lock);
	fits = p->given_len + record_size(len) <= GIVEN_MAX;
	if (fits) {
		memcpy(p->given + p->given_len, &r, sizeof r);
		iov_get(iov, n, 0, p->given + p->given_len + sizeof r, len);
		p->given_len += record_size(len);
	} else {
		p->full = true;
	}
	mutex_unlock(&p->lock);
	events_answer(p->events, &fits, sizeof fits);
	return fits;
}

static void drain(void *arg);

static void port_sent(struct net *net)
{
	struct net_port *p = of_net(net);

	mutex_lock(&p->lock);
	if (p->given_len && !p->draining)
		p->draining = loop_post(p->loop, drain, p) == 0;
	mutex_unlock(&p->lock);
}

/* Takes what the device has given meanwhile; false: nothing. */
static bool take(struct net_port *p)
{
	uint8_t *empty = p->taken;
	bool full;

	mutex_lock(&p->lock);
	p->taken = p->given;
	p->taken_len = p->given_len;
	p->given = empty;
	p->given_len = 0;
	p->draining = p->taken_len;
	full = p->full;
	p->full = false;
	mutex_unlock(&p->lock);
	p->taken_at = 0;
	/* Without memory it goes on when the guest sends the next. */
	if (full)
		events_post(p->events, p->source, NULL, 0);
	return p->taken_len;
}

static bool send_one(void *arg, uint8_t *frame, size_t len, const struct net_offload *o)
{
	struct net_port *p = arg;

	p->class->send(p, frame, len, o);
	return true;
}

static void dump(struct net_port *p, const struct iovec *iov, unsigned n)
{
	if (p->pcap)
		pcap_write(p->pcap, os_wall_ns(), iov, n);
}

/* Sends what was taken until the class is not ready. */
static bool send_taken(struct net_port *p)
{
	uint8_t *frame;
	struct record r;

	while (p->taken_at < p->taken_len) {
		if (p->class->ready && !p->class->ready(p))
			return false;
		memcpy(&r, p->taken + p->taken_at, sizeof r);
		frame = p->taken + p->taken_at + sizeof r;
		p->taken_at += record_size(r.len);
		dump(p, &(struct iovec){ frame, r.len }, 1);
		net_finish(frame, r.len, &r.offload, p->can, p->scratch, send_one, p);
	}
	return true;
}

static void drain(void *arg)
{
	struct net_port *p = arg;

	while (send_taken(p) && take(p))
		;
	if (p->class->sent)
		p->class->sent(p);
	if (p->pcap)
		pcap_flush(p->pcap);
}

void port_resume(struct net_port *p)
{
	bool draining;

	mutex_lock(&p->lock);
	draining = p->draining;
	mutex_unlock(&p->lock);
	if (draining)
		drain(p);
}

/* To the guest ---------------------------------------------------------------------------------
 */

bool port_has_room(struct net_port *p)
{
	bool room;

	mutex_lock(&p->lock);
	room = p->flight < FLIGHT_HIGH;
	p->stalled |= !room;
	mutex_unlock(&p->lock);
	return room;
}

/* Room for one record in the batch, of which there is a new one if need be; or NULL. */
static uint8_t *batch_room(struct net_port *p, size_t size)
{
	bool drop;

	if (p->batch && p->batch_len + size > BATCH)
		port_received(p);
	if (!p->batch) {
		p->batch = events_alloc(BATCH);
		p->batch_len = 0;
	}
	mutex_lock(&p->lock);
	drop = !p->batch || p->flight + p->batch_len > FLIGHT_MAX;
	p->lost += drop;
	mutex_unlock(&p->lock);
	return drop ? NULL : events_data(p->batch) + p->batch_len;
}

void port_receive(
    struct net_port *p, const struct iovec *iov, unsigned n, const struct net_offload *o)
{
	struct record r = { (uint32_t)iov_size(iov, n), *o };
	uint8_t *to;

	if (r.len < NET_HEADER || r.len > NET_FRAME_MAX)
		return;
	dump(p, iov, n);
	to = batch_room(p, record_size(r.len));
	if (!to)
		return;
	memcpy(to, &r, sizeof r);
	iov_get(iov, n, 0, to + sizeof r, r.len);
	p->batch_len += record_size(r.len);
}

void port_received(struct net_port *p)
{
	if (p->pcap)
		pcap_flush(p->pcap);
	if (!p->batch || !p->batch_len)
		return;
	mutex_lock(&p->lock);
	p->flight += p->batch_len + BLOCK_COST;
	mutex_unlock(&p->lock);
	events_post_block(p->events, p->source, p->batch, p->batch_len);
	p->batch = NULL;
}

static void resume(void *arg)
{
	struct net_port *p = arg;

	if (p->class->resume)
		p->class->resume(p);
}

static void landed(struct net_port *p, size_t bytes)
{
	mutex_lock(&p->lock);
	/* Only a replay brings more than was posted. */
	p->flight -= bytes < p->flight ? bytes : p->flight;
	p->net.in.dropped += p->lost;
	p->lost = 0;
	if (p->stalled && p->flight < FLIGHT_LOW)
		p->stalled = loop_post(p->loop, resume, p) < 0;
	mutex_unlock(&p->lock);
}

/* Device's lock held: hands on frames from `at` on, as long as the device takes them; where it
 * stopped. */
static size_t hand_on(struct net_port *p, uint8_t *data, size_t len, size_t at)
{
	struct record r;

	while (len - at >= sizeof r) {
		memcpy(&r, data + at, sizeof r);
		/* In a recording that somebody made up it can be anything. */
		if (r.len > len - at - sizeof r || record_size(r.len) > len - at)
			return len;
		if (!net_receive(&p->net, data + at + sizeof r, r.len, &r.offload))
			return at;
		at += record_size(r.len);
	}
	return len;
}

static void received(struct net_port *p)
{
	if (p->net.sink)
		p->net.sink->received(p->net.dev);
}

static void hold(struct net_port *p, const uint8_t *data, size_t len)
{
	struct held *h = malloc(sizeof *h + len);

	if (!h) {
		landed(p, len);
		return;
	}
	*h = (struct held){ .len = len };
	memcpy(h->data, data, len);
	*p->held_end = h;
	p->held_end = &h->next;
}

/* The VM's thread. */
static void deliver(void *arg, const void *data, size_t len)
{
	struct net_port *p = arg;
	/* Blocks are memory of our own, which the device may change. */
	uint8_t *frames = (uint8_t *)(uintptr_t)data;
	size_t at = 0;

	net_lock(&p->net);
	if (len == 0 && p->net.sink)
		p->net.sink->room(p->net.dev);
	if (len && !p->held) {
		at = hand_on(p, frames, len, 0);
		received(p);
	}
	if (len)
		landed(p, at + BLOCK_COST);
	if (at < len)
		hold(p, frames + at, len - at);
	net_unlock(&p->net);
}

static void forget_held(struct net_port *p)
{
	struct held *h;

	while ((h = p->held)) {
		p->held = h->next;
		free(h);
	}
	p->held_end = &p->held;
}

static void port_save(struct net *net, struct buf *b)
{
	for (const struct held *h = of_net(net)->held; h; h = h->next)
		buf_put(b, h->data + h->at, h->len - h->at);
}

static void port_load(struct net *net, const uint8_t *data, size_t len)
{
	struct net_port *p = of_net(net);

	forget_held(p);
	if (len)
		hold(p, data, len);
}

static void port_room(struct net *net)
{
	struct net_port *p = of_net(net);
	struct held *h;
	size_t at;

	while ((h = p->held)) {
		at = hand_on(p, h->data, h->len, h->at);
		landed(p, at - h->at);
		h->at = at;
		if (at < h->len)
			break;
		p->held = h->next;
		if (!p->held)
			p->held_end = &p->held;
		free(h);
	}
}

/* The rest -------------------------------------------------------------------------------------
 */

static void tell_wants(void *arg)
{
	struct net_port *p = arg;

	if (p->class->wants)
		p->class->wants(p);
}

static void port_set_wants(struct net *net)
{
	struct net_port *p = of_net(net);

	mutex_lock(&p->lock);
	p->wants = net->wants;
	mutex_unlock(&p->lock);
	loop_post(p->loop, tell_wants, p);
}

unsigned port_wants(struct net_port *p)
{
	unsigned wants;

	mutex_lock(&p->lock);
	wants = p->wants;
	mutex_unlock(&p->lock);
	return wants;
}

int port_init(struct net_port *p, struct loop *l, struct events *ev, struct err *e)
{
	static const struct net_ops ops = {
		.send = port_send,
		.sent = port_sent,
		.room = port_room,
		.wants = port_set_wants,
		.save = port_save,
		.load = port_load,
	};

	p->net.ops = &ops;
	p->loop = l;
	p->events = ev;
	p->held_end = &p->held;
	p->scratch = malloc(NET_SCRATCH);
	p->given = malloc(GIVEN_MAX);
	p->taken = malloc(GIVEN_MAX);
	p->source = events_source(ev, "net", NULL, deliver, p);
	if (!p->scratch || !p->given || !p->taken || p->source < 0)
		return err_set(e, ENOMEM, "no memory for a network");
	return 0;
}

void port_fini(struct net_port *p)
{
	if (p->source >= 0)
		events_forget(p->events, p->source);
	forget_held(p);
	events_drop(p->batch);
	pcap_close(p->pcap);
	free(p->scratch);
	free(p->given);
	free(p->taken);
}
