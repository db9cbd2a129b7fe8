/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket device.  Source: VIRTIO version 1.2, section 5.10.  Connections, and their credit, are the
 * business of the host's end (core/vsock.h); here packets get into rings and out of them.
 * Left out: sequential packets (SOCK_SEQPACKET).
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "core/event.h"
#include "core/vsock.h"
#include "dev/virtio/virtio.h"

#define F_STREAM (1ull << 0)

enum { QUEUE_RX, QUEUE_TX, QUEUE_EVENT };
enum { CONFIG_CID = 0, CONFIG_SIZE = 8 };
enum { HEADER_SIZE = 44, EVENT_SIZE = 4, EVENT_TRANSPORT_RESET = 0 };

struct virtio_vsock {
	struct virtio v;
	uint32_t done;     /* bytes of the first packet that the guest has already */
	bool was_restored; /* the driver has to hear that all connections are gone */
};

static const struct field vsock_fields[] = { FIELD(struct virtio_vsock, was_restored), FIELD_END };

static struct vsock *vsock_of(const struct virtio_vsock *d)
{
	return d->v.dev->back;
}

static struct vsock_header header_get(const uint8_t *p)
{
	return (struct vsock_header){
		.src_cid = get_le(p, 8),
		.dst_cid = get_le(p + 8, 8),
		.src_port = (uint32_t)get_le(p + 16, 4),
		.dst_port = (uint32_t)get_le(p + 20, 4),
		.len = (uint32_t)get_le(p + 24, 4),
		.type = (uint16_t)get_le(p + 28, 2),
		.op = (uint16_t)get_le(p + 30, 2),
		.flags = (uint32_t)get_le(p + 32, 4),
		.buf_alloc = (uint32_t)get_le(p + 36, 4),
		.fwd_cnt = (uint32_t)get_le(p + 40, 4),
	};
}

static void header_put(uint8_t *p, const struct vsock_header *h, uint32_t len)
{
	put_le(p, h->src_cid, 8);
	put_le(p + 8, h->dst_cid, 8);
	put_le(p + 16, h->src_port, 4);
	put_le(p + 20, h->dst_port, 4);
	put_le(p + 24, len, 4);
	put_le(p + 28, h->type, 2);
	put_le(p + 30, h->op, 2);
	put_le(p + 32, h->flags, 4);
	put_le(p + 36, h->buf_alloc, 4);
	put_le(p + 40, h->fwd_cnt, 4);
}

/* Puts one packet, or as much of it as there is room for, into the chain; its length. */
static uint32_t fill(
    struct virtio_vsock *d, const struct vsock_packet *p, const struct virtq_chain *c)
{
	uint8_t header[HEADER_SIZE];
	uint32_t left = p->h.len - d->done, room, n;

	if (c->in_len < HEADER_SIZE + (left != 0))
		return 0; /* of no use: goes back empty */
	room = c->in_len - HEADER_SIZE;
	n = left < room ? left : room;
	header_put(header, &p->h, n);
	virtq_write(c, 0, header, sizeof header);
	virtq_write(c, HEADER_SIZE, p->data + d->done, n);
	d->done += n;
	if (n == left) {
		d->done = 0;
		vsock_of(d)->ops->pop(vsock_of(d));
	}
	return HEADER_SIZE + n;
}

static void receive(struct virtio_vsock *d)
{
	struct virtio_queue *q = &d->v.queue[QUEUE_RX];
	struct vsock *s = vsock_of(d);
	const struct vsock_packet *p;
	struct virtq_chain c;

	while ((p = s->ops->peek(s)) && virtq_pop(q, &c))
		virtq_push(q, &c, fill(d, p, &c));
	virtq_interrupt(q);
}

/* Whether the packet could go; what breaks the rules goes nowhere. */
static bool send_one(struct virtio_vsock *d, const struct virtq_chain *c)
{
	uint8_t bytes[HEADER_SIZE];
	struct vsock_header h;

	if (virtq_read(c, 0, bytes, sizeof bytes) == sizeof bytes) {
		h = header_get(bytes);
		if (h.op != VSOCK_RW)
			h.len = 0;
		if (h.len <= VSOCK_DATA_MAX && h.len <= c->out_len - HEADER_SIZE)
			return vsock_of(d)->ops->send(
			    vsock_of(d), &h, c->iov, c->nout, HEADER_SIZE);
	}
	TRACE(d->v.dev->env->log, virtio, "virtio_vsock: a packet that is none");
	return true;
}

static void transmit(struct virtio_vsock *d)
{
	struct virtio_queue *q = &d->v.queue[QUEUE_TX];
	struct virtq_chain c;

	while (virtq_pop(q, &c)) {
		if (!send_one(d, &c)) {
			virtq_unpop(q, &c);
			break;
		}
		virtq_push(q, &c, 0);
	}
	virtq_interrupt(q);
}

/* Section 5.10.6.7. */
static void tell(struct virtio_vsock *d)
{
	struct virtio_queue *q = &d->v.queue[QUEUE_EVENT];
	uint8_t event[EVENT_SIZE];
	struct virtq_chain c;

	if (!d->was_restored || !virtq_pop(q, &c))
		return;
	put_le(event, EVENT_TRANSPORT_RESET, 4);
	virtq_push(q, &c, (uint32_t)virtq_write(&c, 0, event, sizeof event));
	d->was_restored = false;
	virtq_interrupt(q);
}

static void vsock_notify(struct virtio *v, struct virtio_queue *q)
{
	struct virtio_vsock *d = (struct virtio_vsock *)v;

	if (q == &v->queue[QUEUE_RX])
		receive(d);
	else if (q == &v->queue[QUEUE_TX])
		transmit(d);
	else
		tell(d);
}

static void vsock_ready(void *dev)
{
	receive(dev);
	transmit(dev);
}

static int vsock_init(struct virtio *v, struct err *e)
{
	static const struct vsock_sink sink = { vsock_ready };
	struct vsock *s = vsock_of((struct virtio_vsock *)v);

	if (!s)
		return err_set(e, EINVAL, "virtio_vsock: needs a socket of the host");
	s->sink = &sink;
	s->dev = v;
	s->lock = &v->dev->lock;
	v->offered |= F_STREAM;
	return 0;
}

static void vsock_fini(struct virtio *v)
{
	struct vsock *s = vsock_of((struct virtio_vsock *)v);

	s->ops->reset(s);
	s->sink = NULL;
	s->lock = NULL;
}

static void vsock_reset(struct virtio *v)
{
	struct virtio_vsock *d = (struct virtio_vsock *)v;
	struct vsock *s = vsock_of(d);

	s->ops->reset(s);
	d->done = 0;
	d->was_restored = false;
	put_le(v->config + CONFIG_CID, s->cid, CONFIG_SIZE);
}

/* A guest that is played again goes on with what the host said then: it hears of nothing new. */
static void vsock_loaded(struct virtio *v)
{
	struct virtio_vsock *d = (struct virtio_vsock *)v;
	const bool again = events_replays(v->dev->env->events), was_restored = d->was_restored;

	vsock_reset(v);
	d->was_restored = !again || was_restored;
	if (!again && v->status & VIRTIO_DRIVER_OK)
		tell(d);
}

const struct virtio_class virtio_vsock = {
	.name = "virtio_vsock",
	.about = "sockets between guest and host",
	.id = 19,
	.config_size = CONFIG_SIZE,
	.queue_max = { [QUEUE_RX] = 128, [QUEUE_TX] = 128, [QUEUE_EVENT] = 16 },
	.size = sizeof(struct virtio_vsock),
	.fields = vsock_fields,
	.init = vsock_init,
	.fini = vsock_fini,
	.reset = vsock_reset,
	.loaded = vsock_loaded,
	.notify = vsock_notify,
};
